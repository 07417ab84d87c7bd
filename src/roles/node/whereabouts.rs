//! Where others reach this member: what was given, else the bound address; where that says "all of this machine's", the
//! address from which this machine reaches the others.
//!
//! The last is looked up again each [`LOOK_EVERY`]: a router may hand out another address while everything runs. Then the
//! links are dialled anew, since the old ones come from an address that is nobody's, and each hello says the new one.
//! While there is no way to anybody, the last address stays. It tells nobody by itself; [`super::peers`] does.

use super::Node;
use crate::roles::options::NodeOptions;
use event_listener::{Event, EventListener};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_secs(1);

pub struct Whereabouts {
    /// HOST:PORT that others are told.
    address: Mutex<String>,
    /// The port, where the address is this machine's to find.
    found_with: Option<u16>,
    moved: Event,
}

impl Whereabouts {
    pub fn new(options: &NodeOptions, bound: SocketAddr) -> Whereabouts {
        let (address, found_with) = match &options.advertise {
            Some(given) => (given.clone(), None),
            None if !bound.ip().is_unspecified() => (bound.to_string(), None),
            None => {
                let ip = towards_any(&options.coordinators).unwrap_or(IpAddr::from([127, 0, 0, 1]));
                (SocketAddr::new(ip, bound.port()).to_string(), Some(bound.port()))
            }
        };
        Whereabouts { address: Mutex::new(address), found_with, moved: Event::new() }
    }

    fn held(&self) -> MutexGuard<'_, String> {
        self.address.lock().expect("nobody panics while it holds this lock")
    }

    /// HOST:PORT that others are told.
    pub fn address(&self) -> String {
        self.held().clone()
    }

    /// Completes when that becomes another.
    pub fn moved(&self) -> EventListener {
        self.moved.listen()
    }
}

/// Looks where this machine is, for ever.
pub async fn watch(node: &Node) {
    let here = &node.whereabouts;
    let Some(port) = here.found_with else { return std::future::pending().await };
    loop {
        smol::Timer::after(LOOK_EVERY).await;
        let coordinators = node.options.coordinators.clone();
        // Names are looked up, which may take its time.
        let Some(ip) = smol::unblock(move || towards_any(&coordinators)).await else { continue };
        let now = SocketAddr::new(ip, port).to_string();
        let before = std::mem::replace(&mut *here.held(), now.clone());
        if before != now {
            log::info!("this machine is at {now} now, no longer at {before}");
            here.moved.notify(usize::MAX);
        }
    }
}

/// From where this machine reaches the first of them that it has a way to.
fn towards_any(addresses: &[String]) -> Option<IpAddr> {
    addresses.iter().find_map(|address| {
        // Sends nothing: it only asks the kernel which way it would go.
        let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
        socket.connect(address).ok()?;
        socket.local_addr().ok().map(|found| found.ip())
    })
}
