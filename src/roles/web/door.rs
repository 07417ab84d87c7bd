//! The connections that are open, counted: in all, and of each address. A connection that became a live stream is
//! counted among those, by [`super::live`]; one that is over and waits for its browser to close takes no place.

use super::limits::{CONNECTIONS_PER_ADDRESS_MAX, LINGERING_MAX};
use super::live::Stopping;
use super::site::Site;
use super::tls::Tls;
use event_listener::Event;
use ribbit_net::address_limit::{AddressLimit, AddressSlot};
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

/// What the connections share.
pub struct Door {
    pub site: Site,
    /// Nothing where pages are not encrypted.
    pub tls: Option<Tls>,
    /// Connections open now, those of live streams not counted.
    open: Cell<usize>,
    /// Connections of live streams.
    live: Cell<usize>,
    /// Connections that have ended here and wait for their browsers.
    lingering: Cell<usize>,
    crowd: AddressLimit,
    pub stopping: Rc<Stopping>,
    /// Tells the stop that a connection is gone.
    gone: Event,
}

impl Door {
    pub fn new(site: Site, tls: Option<Tls>, stopping: Rc<Stopping>) -> Rc<Door> {
        Rc::new(Door {
            site,
            tls,
            open: Cell::new(0),
            live: Cell::new(0),
            lingering: Cell::new(0),
            crowd: AddressLimit::new(CONNECTIONS_PER_ADDRESS_MAX),
            stopping,
            gone: Event::new(),
        })
    }

    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// Waits until nobody is there any more.
    pub async fn empty(&self) {
        while self.open.get() + self.live.get() + self.lingering.get() > 0 {
            self.gone.listen().await;
        }
    }
}

/// As what a connection is counted.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Open,
    Live,
    Lingering,
}

/// A connection, counted.
pub struct Counted {
    pub door: Rc<Door>,
    kind: Cell<Kind>,
    presence: RefCell<Option<AddressSlot>>,
}

impl Counted {
    /// Nothing when there are too many from that address.
    pub fn enter(door: &Rc<Door>, peer: IpAddr) -> Option<Counted> {
        let presence = door.crowd.enter(peer, door.site.is_one_person(peer))?;
        let presence = RefCell::new(Some(presence));
        let counted = Counted { door: door.clone(), kind: Cell::new(Kind::Open), presence };
        counted.count(1);
        Some(counted)
    }

    pub fn become_live(&self) {
        self.become_another(Kind::Live);
    }

    /// It is over here, and its browser has not closed it. Whether there is room for more of those.
    pub fn become_lingering(&self) -> bool {
        let room = self.door.lingering.get() < LINGERING_MAX;
        if room {
            self.become_another(Kind::Lingering);
        }
        room
    }

    fn become_another(&self, kind: Kind) {
        self.count(-1);
        self.kind.set(kind);
        self.presence.take();
        self.count(1);
    }

    fn count(&self, by: isize) {
        let door = &self.door;
        let count = match self.kind.get() {
            Kind::Open => &door.open,
            Kind::Live => &door.live,
            Kind::Lingering => &door.lingering,
        };
        count.set(count.get().saturating_add_signed(by));
        door.site.tally.open.set(door.open.get());
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.count(-1);
        self.door.gone.notify(usize::MAX);
    }
}
