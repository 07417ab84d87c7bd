//! The web role in this process, over a group in a box.

use super::group::Group;
use crate::keys::keys;
use ribbit_roles::common::options::WebOptions;
use ribbit_roles::web;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;

pub struct Site {
    pub group: Group,
    /// HOST:PORT of the pages.
    pub address: String,
    stop: Arc<event_listener::Event>,
    thread: JoinHandle<()>,
}

impl Site {
    pub fn start() -> Site {
        Site::start_with(|_| {})
    }

    /// With other options than none.
    pub fn start_with(change: impl FnOnce(&mut WebOptions)) -> Site {
        let group = Group::start();
        let servers = vec![group.address.clone()];
        let mut options = WebOptions::new("127.0.0.1:0".into(), servers, keys());
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

    /// Stops the pages and waits until they have ended.
    #[allow(dead_code)] // Not every test ends what it started.
    pub fn stop(self) {
        self.stop.notify(usize::MAX);
        self.thread.join().expect("the web role ends well");
    }
}

/// This machine's address on its network; nothing where it has none.
#[allow(dead_code)] // Most tests stay on this machine.
pub fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Sends nothing: it only asks which way it would go.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}
