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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::keys::Keys;
    use crate::state::{ClusterId, Role};

    fn options(advertise: Option<&str>, coordinators: &[&str]) -> NodeOptions {
        NodeOptions {
            role: Role::Backend,
            site: 1,
            id: 1,
            listen: String::new(),
            advertise: advertise.map(str::to_string),
            data_dir: "unused".into(),
            cluster: ClusterId(1),
            keys: Keys::of_cluster(ClusterId(1), &[1; crate::net::keys::KEY_BYTES]),
            trusted_proxies: Vec::new(),
            coordinators: coordinators.iter().map(ToString::to_string).collect(),
            found: false,
            evict_after: Duration::from_secs(10),
            disk_quota_bytes: u64::MAX,
            posts_per_minute: 0,
            heartbeat: Duration::from_secs(1),
            miss: 2,
            clusters: None,
        }
    }

    #[test]
    fn what_is_given_or_bound_is_told_and_only_what_was_found_is_looked_up_again() {
        let at = |options: &NodeOptions, bound: &str| {
            let here = Whereabouts::new(options, bound.parse().unwrap());
            (here.address(), here.found_with.is_some())
        };
        let given = options(Some("board1:9000"), &["127.0.0.1:9"]);
        assert_eq!(at(&given, "0.0.0.0:9000"), ("board1:9000".into(), false));
        let bound = options(None, &["127.0.0.1:9"]);
        assert_eq!(at(&bound, "192.0.2.1:9000"), ("192.0.2.1:9000".into(), false));
        // The way to oneself leads from oneself.
        assert_eq!(at(&bound, "0.0.0.0:9000"), ("127.0.0.1:9000".into(), true));
        assert_eq!(at(&options(None, &[]), "0.0.0.0:9000"), ("127.0.0.1:9000".into(), true));
    }
}
