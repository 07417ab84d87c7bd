//! The web role in this process, in front of a fake cluster.

use super::group::Group;
use crate::keys::keys;
use ribbit_roles::web;
use ribbit_roles::web::arguments::WebOptions;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;

pub struct Site {
    pub group: Group,
    /// HOST:PORT of the web pages.
    pub address: String,
    stop: Arc<event_listener::Event>,
    thread: JoinHandle<()>,
}

impl Site {
    pub fn start() -> Site {
        Site::start_with(|_| {})
    }

    /// Starts the web role with changed options.
    pub fn start_with(change: impl FnOnce(&mut WebOptions)) -> Site {
        let group = Group::start();
        let servers = vec![group.address.clone()];
        let mut options = WebOptions::new("127.0.0.1:0".into(), servers, keys());
        // So that the tests over all routes look at these, too.
        options.chirper_pages = true;
        options.public_feeds = true;
        change(&mut options);
        let listener = smol::block_on(web::bind(&options)).expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let stop = Arc::new(event_listener::Event::new());
        let stopped = stop.listen();
        let thread = std::thread::spawn(move || {
            smol::block_on(web::serve(listener, options, stopped)).expect("what makes it HTTPS is there");
        });
        Site { group, address, stop, thread }
    }

    /// Stops the web role and waits until it has ended.
    pub fn stop(self) {
        self.stop.notify(usize::MAX);
        self.thread.join().expect("the web role ends well");
    }
}

/// Returns this machine's address on its network, if it has one.
pub fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Connecting a UDP socket sends nothing; it only selects the route.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}
