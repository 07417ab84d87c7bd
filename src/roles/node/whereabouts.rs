//! Where others reach this member: what was given, else the bound address; where that says "all of this machine's", the
//! address from which this machine reaches the others.
//!
//! The last is looked up again each [`LOOK_EVERY`]: a board may be up before its network, and a router may hand out another
//! address while everything runs. Then the links are dialled anew, since the old ones come from an address that is nobody's,
//! and each hello says the new one. While there is no way to anybody, the last address stays. Looking sends nothing, but for
//! names, which are looked up more seldom, and never before the socket listens. It tells nobody by itself; [`super::peers`]
//! does.

use super::Node;
use crate::roles::options::NodeOptions;
use event_listener::{Event, EventListener};
use smol::future::FutureExt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Names are asked for as often as this,
const NAMES_EVERY: Duration = Duration::from_secs(60);
/// and more often while none of them is known.
const NO_NAMES_EVERY: Duration = Duration::from_secs(5);
/// Who joins waits so long for the first look: a name server may be missing.
const FIRST_LOOK_MAX: Duration = Duration::from_secs(10);
/// Nobody has these (RFC 5737, RFC 3849), and what is sent there leaves by the usual way.
const ELSEWHERE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9),
];

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
                // Without asking for names: nobody is heard before this is done.
                let literal = options.coordinators.iter().filter_map(|address| address.parse().ok());
                let ip = from_where(&literal.collect::<Vec<_>>()).unwrap_or(Ipv4Addr::LOCALHOST.into());
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

    /// Looks once with all names, for who joins next and says where it is.
    pub async fn settle(&self, others: &[String]) {
        if self.found_with.is_none() {
            return;
        }
        let late = async {
            smol::Timer::after(FIRST_LOOK_MAX).await;
        };
        let looking = async { self.look(&resolved(others).await) };
        looking.or(late).await;
    }

    fn look(&self, others: &[SocketAddr]) {
        let (Some(port), Some(ip)) = (self.found_with, from_where(others)) else { return };
        let now = SocketAddr::new(ip, port).to_string();
        let before = std::mem::replace(&mut *self.held(), now.clone());
        if before != now {
            log::info!("this machine is at {now} now, no longer at {before}");
            self.moved.notify(usize::MAX);
        }
    }

    /// Completes when that becomes another.
    pub fn moved(&self) -> EventListener {
        self.moved.listen()
    }
}

/// Looks where this machine is, for ever.
pub async fn watch(node: &Node) {
    let here = &node.whereabouts;
    if here.found_with.is_none() {
        return std::future::pending().await;
    }
    let (mut others, mut asked) = (Vec::new(), None::<Instant>);
    loop {
        smol::Timer::after(LOOK_EVERY).await;
        let pause = if others.is_empty() { NO_NAMES_EVERY } else { NAMES_EVERY };
        if asked.is_none_or(|at| at.elapsed() >= pause) {
            asked = Some(Instant::now());
            let found = resolved(&node.options.coordinators).await;
            // What could be asked for before is still there.
            others = if found.is_empty() { others } else { found };
        }
        here.look(&others);
    }
}

/// Names are looked up, which may take its time.
async fn resolved(addresses: &[String]) -> Vec<SocketAddr> {
    let addresses = addresses.to_vec();
    let resolve =
        move || addresses.iter().filter_map(|address| address.to_socket_addrs().ok()).flatten().collect();
    smol::unblock(resolve).await
}

/// This machine's address on the way to the others.
fn from_where(others: &[SocketAddr]) -> Option<IpAddr> {
    let ways: Vec<(IpAddr, IpAddr)> = others.iter().filter_map(|to| Some((to.ip(), way_to(*to)?))).collect();
    let outwards = || ELSEWHERE.into_iter().filter_map(way_to).find(|ip| !ip.is_loopback());
    best(&ways).or_else(|| if ways.is_empty() { None } else { outwards() })
}

/// Of pairs of where to and from where. Systems give their own name an address like 127.0.1.1, at which nobody else finds
/// them: only who was told 127.0.0.1 itself means that all of the group is here.
fn best(ways: &[(IpAddr, IpAddr)]) -> Option<IpAddr> {
    let outwards = ways.iter().find(|(_, from)| !from.is_loopback());
    let here = |to: IpAddr| to == Ipv4Addr::LOCALHOST || to == Ipv6Addr::LOCALHOST;
    outwards.or_else(|| ways.iter().find(|(to, _)| here(*to))).map(|(_, from)| *from)
}

/// The address that a packet to there would have. Sends nothing: it only asks the kernel which way it would go.
fn way_to(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
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
            found_only: false,
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

    #[test]
    fn an_address_that_only_this_machine_knows_is_the_last_resort() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let own_name = (ip("127.0.1.1"), ip("127.0.0.1"));
        let other = (ip("192.168.1.12"), ip("192.168.1.11"));
        assert_eq!(best(&[own_name, other]), Some(ip("192.168.1.11")));
        assert_eq!(best(&[own_name]), None);
        assert_eq!(best(&[own_name, (ip("127.0.0.1"), ip("127.0.0.1"))]), Some(ip("127.0.0.1")));
        assert_eq!(best(&[]), None);
        assert_eq!(from_where(&[]), None);
    }
}
