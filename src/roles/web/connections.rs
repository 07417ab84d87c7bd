//! Counts of open connections, in total and per address. Live streams are counted separately, also by [`crate::web::croaks::live`]. A connection
//! that only waits for its browser to close takes no slot.

use crate::common::shutdown::Shutdown;
use crate::common::tls::ServerTls;
use crate::web::limits::{CONNECTIONS_PER_ADDRESS_MAX, LINGERING_MAX};
use crate::web::site::Site;
use event_listener::Event;
use ribbit_net::address_limit::{AddressLimit, AddressSlot};
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// State shared by all connections.
pub(super) struct WebServer {
    pub(super) site: Site,
    /// `None` if HTTPS is not configured.
    pub(super) tls: Option<ServerTls>,
    /// Number of open connections, without live streams.
    open: AtomicUsize,
    /// Number of connections with a live stream.
    live: AtomicUsize,
    /// Number of connections that are finished here and wait for their browsers to close.
    lingering: AtomicUsize,
    address_limit: AddressLimit,
    pub(super) shutdown: Arc<Shutdown>,
    /// Notified when a connection is gone, for the shutdown.
    gone: Event,
}

impl WebServer {
    pub(super) fn new(site: Site, tls: Option<ServerTls>, shutdown: Arc<Shutdown>) -> Arc<WebServer> {
        Arc::new(WebServer {
            site,
            tls,
            open: AtomicUsize::new(0),
            live: AtomicUsize::new(0),
            lingering: AtomicUsize::new(0),
            address_limit: AddressLimit::new(CONNECTIONS_PER_ADDRESS_MAX),
            shutdown,
            gone: Event::new(),
        })
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn count(&self, state: ConnectionState) -> &AtomicUsize {
        match state {
            ConnectionState::Open => &self.open,
            ConnectionState::Live => &self.live,
            ConnectionState::Lingering => &self.lingering,
        }
    }

    fn show_open(&self) {
        self.site.services.metrics.open.store(self.open(), Ordering::Relaxed);
    }

    /// Waits until no connection is left.
    pub(super) async fn empty(&self) {
        loop {
            // Listening begins before the look, so that a connection that goes in between is noticed.
            let gone = self.gone.listen();
            let counts = [&self.open, &self.live, &self.lingering];
            if counts.iter().all(|count| count.load(Ordering::SeqCst) == 0) {
                return;
            }
            gone.await;
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
    pub(super) server: Arc<WebServer>,
    kind: Cell<ConnectionState>,
    slot: RefCell<Option<AddressSlot>>,
}

impl CountedConnection {
    /// Counts a new connection. Returns `None` if its address has too many.
    pub(super) fn enter(server: &Arc<WebServer>, peer: IpAddr) -> Option<CountedConnection> {
        let slot = server.address_limit.enter(peer, server.site.is_single_client(peer))?;
        let slot = RefCell::new(Some(slot));
        let counted =
            CountedConnection { server: server.clone(), kind: Cell::new(ConnectionState::Open), slot };
        counted.count().fetch_add(1, Ordering::SeqCst);
        server.show_open();
        Some(counted)
    }

    pub(super) fn become_live(&self) {
        self.become_another(ConnectionState::Live);
    }

    /// Marks the connection as finished here, while its browser has not closed it. Returns false if too many others wait.
    pub(super) fn become_lingering(&self) -> bool {
        let room = self.server.lingering.load(Ordering::Relaxed) < LINGERING_MAX;
        if room {
            self.become_another(ConnectionState::Lingering);
        }
        room
    }

    fn become_another(&self, kind: ConnectionState) {
        let before = self.kind.replace(kind);
        self.slot.take();
        // Counted twice for a moment rather than not at all: the shutdown waits until no connection is left.
        self.count().fetch_add(1, Ordering::SeqCst);
        self.server.count(before).fetch_sub(1, Ordering::SeqCst);
        self.server.show_open();
    }

    /// Returns the counter of this connection's state.
    fn count(&self) -> &AtomicUsize {
        self.server.count(self.kind.get())
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.count().fetch_sub(1, Ordering::SeqCst);
        self.server.show_open();
        self.server.gone.notify(usize::MAX);
    }
}
