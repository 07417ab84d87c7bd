//! The connections that are open, counted: in all, and of each address. A connection that became a live stream is
//! counted among those, by [`super::live`].

use super::limits::CONNECTIONS_PER_ADDRESS_MAX;
use super::live::Stopping;
use super::site::Site;
use super::tls::Tls;
use crate::net::crowd::{Crowd, Presence};
use event_listener::Event;
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
    crowd: Crowd,
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
            crowd: Crowd::of(CONNECTIONS_PER_ADDRESS_MAX),
            stopping,
            gone: Event::new(),
        })
    }

    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// Waits until nobody is there any more.
    pub async fn empty(&self) {
        while self.open.get() + self.live.get() > 0 {
            self.gone.listen().await;
        }
    }
}

/// A connection, counted.
pub struct Counted {
    pub door: Rc<Door>,
    is_live: Cell<bool>,
    presence: RefCell<Option<Presence>>,
}

impl Counted {
    /// Nothing when there are too many from that address.
    pub fn enter(door: &Rc<Door>, peer: IpAddr) -> Option<Counted> {
        let presence = door.crowd.enter(peer, door.site.is_one_person(peer))?;
        let presence = RefCell::new(Some(presence));
        let counted = Counted { door: door.clone(), is_live: Cell::new(false), presence };
        counted.count(1);
        Some(counted)
    }

    pub fn become_live(&self) {
        self.count(-1);
        self.is_live.set(true);
        self.presence.take();
        self.count(1);
    }

    fn count(&self, by: isize) {
        let door = &self.door;
        let count = if self.is_live.get() { &door.live } else { &door.open };
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
