//! The web role in this process, over a group in a box.

use super::group::Group;
use crate::keys::keys;
use ribbit::roles::options::WebOptions;
use ribbit::roles::web;
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
        let group = Group::start();
        let servers = vec![group.address.clone()];
        let options = WebOptions { listen: "127.0.0.1:0".into(), servers: servers.clone(), keys: keys() };
        let listener = smol::block_on(web::bind(&options)).expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let stop = Arc::new(event_listener::Event::new());
        let stopped = stop.listen();
        let thread =
            std::thread::spawn(move || smol::block_on(web::serve(listener, servers, keys(), stopped)));
        Site { group, address, stop, thread }
    }

    /// Stops the pages and waits until they have ended.
    #[allow(dead_code)] // Not every test ends what it started.
    pub fn stop(self) {
        self.stop.notify(usize::MAX);
        self.thread.join().expect("the web role ends well");
    }
}
