//! Counts of open connections, in total and per address. Live streams are counted separately, also by [`super::live`]. A connection
//! that only waits for its browser to close takes no slot.

use super::limits::{CONNECTIONS_PER_ADDRESS_MAX, LINGERING_MAX};
use super::live::Shutdown;
use super::site::Site;
use super::tls::Tls;
use event_listener::Event;
use ribbit_net::address_limit::{AddressLimit, AddressSlot};
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

/// State shared by all connections.
pub(super) struct WebServer {
    pub(super) site: Site,
    /// `None` if HTTPS is not configured.
    pub(super) tls: Option<Tls>,
    /// Number of open connections, without live streams.
    open: Cell<usize>,
    /// Number of connections with a live stream.
    live: Cell<usize>,
    /// Number of connections that are finished here and wait for their browsers to close.
    lingering: Cell<usize>,
    address_limit: AddressLimit,
    pub(super) shutdown: Rc<Shutdown>,
    /// Notified when a connection is gone, for the shutdown.
    gone: Event,
}

impl WebServer {
    pub(super) fn new(site: Site, tls: Option<Tls>, shutdown: Rc<Shutdown>) -> Rc<WebServer> {
        Rc::new(WebServer {
            site,
            tls,
            open: Cell::new(0),
            live: Cell::new(0),
            lingering: Cell::new(0),
            address_limit: AddressLimit::new(CONNECTIONS_PER_ADDRESS_MAX),
            shutdown,
            gone: Event::new(),
        })
    }

    pub(super) fn open(&self) -> usize {
        self.open.get()
    }

    /// Waits until no connection is left.
    pub(super) async fn empty(&self) {
        while self.open.get() + self.live.get() + self.lingering.get() > 0 {
            self.gone.listen().await;
        }
    }
}

/// State that a connection is counted in.
#[derive(Debug, Clone, Copy)]
enum ConnectionState {
    Open,
    Live,
    Lingering,
}

/// A connection that is counted until it is dropped.
pub(super) struct CountedConnection {
    pub(super) server: Rc<WebServer>,
    kind: Cell<ConnectionState>,
    slot: RefCell<Option<AddressSlot>>,
}

impl CountedConnection {
    /// Counts a new connection. Returns `None` if its address has too many.
    pub(super) fn enter(server: &Rc<WebServer>, peer: IpAddr) -> Option<CountedConnection> {
        let slot = server.address_limit.enter(peer, server.site.is_single_client(peer))?;
        let slot = RefCell::new(Some(slot));
        let counted =
            CountedConnection { server: server.clone(), kind: Cell::new(ConnectionState::Open), slot };
        counted.count(1);
        Some(counted)
    }

    pub(super) fn become_live(&self) {
        self.become_another(ConnectionState::Live);
    }

    /// Marks the connection as finished here, while its browser has not closed it. Returns false if too many others wait.
    pub(super) fn become_lingering(&self) -> bool {
        let room = self.server.lingering.get() < LINGERING_MAX;
        if room {
            self.become_another(ConnectionState::Lingering);
        }
        room
    }

    fn become_another(&self, kind: ConnectionState) {
        self.count(-1);
        self.kind.set(kind);
        self.slot.take();
        self.count(1);
    }

    fn count(&self, by: isize) {
        let server = &self.server;
        let count = match self.kind.get() {
            ConnectionState::Open => &server.open,
            ConnectionState::Live => &server.live,
            ConnectionState::Lingering => &server.lingering,
        };
        count.set(count.get().saturating_add_signed(by));
        server.site.services.metrics.open.set(server.open.get());
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.count(-1);
        self.server.gone.notify(usize::MAX);
    }
}
