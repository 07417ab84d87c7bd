//! Advertised address: the HOST:PORT at which others reach this node.
//!
//! It is the address given with `--advertise`, else the address that the socket is bound to. If the socket is bound to all
//! interfaces, it is the source address of this machine's route to the other members.
//!
//! In the last case the address is looked up again every [`LOOK_EVERY`]: a machine may start before its network is up, and a
//! router may assign another address later. After a change [`super::links`] dials all links anew, because the old ones
//! have a source address that no longer exists, and each hello carries the new address. While there is no route, the last
//! address stays. The lookup only asks the kernel and sends no packet. Host names of members are resolved less often, and
//! never before the socket listens.

use super::NodeState;
use crate::node::arguments::NodeOptions;
use event_listener::{Event, EventListener};
use ribbit_net::tasks;
use ribbit_state::sync::MutexExt;
use smol::future::FutureExt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Interval between two lookups of the own address.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Interval between two resolutions of the members' host names.
const NAMES_EVERY: Duration = Duration::from_secs(60);

/// Interval between two resolutions while none has succeeded.
const NO_NAMES_EVERY: Duration = Duration::from_secs(5);

/// Time limit of the first lookup with name resolution, before joining. The name server may be missing.
const FIRST_LOOK_MAX: Duration = Duration::from_secs(10);

/// Documentation addresses (RFC 5737, RFC 3849), which no machine has. The route to them is the default route.
const OUTSIDE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9),
];

/// The advertised address of one node.
pub(crate) struct AdvertisedAddress {
    /// HOST:PORT.
    address: Mutex<String>,
    /// Port to combine with the looked-up address, if the address is looked up.
    lookup_port: Option<u16>,
    moved: Event,
}

impl AdvertisedAddress {
    /// Returns the address from the options or the bound address, after a first lookup without name resolution.
    pub(crate) fn new(options: &NodeOptions, bound: SocketAddr) -> AdvertisedAddress {
        let (address, lookup_port) = match &options.advertise {
            Some(given) => (given.clone(), None),
            None if !bound.ip().is_unspecified() => (bound.to_string(), None),
            None => {
                // Without name resolution, which may block: no connection is accepted before this is done.
                let literal = options.coordinators.iter().filter_map(|address| address.parse().ok());
                let ip = source_address(&literal.collect::<Vec<_>>()).unwrap_or(Ipv4Addr::LOCALHOST.into());
                (SocketAddr::new(ip, bound.port()).to_string(), Some(bound.port()))
            }
        };
        AdvertisedAddress { address: Mutex::new(address), lookup_port, moved: Event::new() }
    }

    fn held(&self) -> MutexGuard<'_, String> {
        self.address.locked()
    }

    /// Returns the advertised HOST:PORT.
    pub(crate) fn address(&self) -> String {
        self.held().clone()
    }

    /// Looks up the address once with name resolution, before the node joins and announces its address.
    pub(crate) async fn first_lookup(&self, others: &[String]) {
        if self.lookup_port.is_none() {
            return;
        }
        let late = async {
            smol::Timer::after(FIRST_LOOK_MAX).await;
        };
        let looking = async { self.look(&resolved(others).await) };
        looking.or(late).await;
    }

    /// Looks up the address on the routes to `others`, unless it was given.
    pub(crate) fn look(&self, others: &[SocketAddr]) {
        let (Some(port), Some(ip)) = (self.lookup_port, source_address(others)) else { return };
        let now = SocketAddr::new(ip, port).to_string();
        let before = std::mem::replace(&mut *self.held(), now.clone());
        if before != now {
            log::info!("this machine's address changed from {before} to {now}");
            self.moved.notify(usize::MAX);
        }
    }

    /// Returns a listener that completes when the address changes.
    pub(crate) fn moved(&self) -> EventListener {
        self.moved.listen()
    }
}

/// Looks up the address periodically for as long as the process lives.
pub(crate) async fn watch(node: &NodeState) {
    let here = &node.advertised;
    if here.lookup_port.is_none() {
        return std::future::pending().await;
    }
    let (mut others, mut asked) = (Vec::new(), None::<Instant>);
    loop {
        tasks::aligned_pause(LOOK_EVERY).await;
        let pause = if others.is_empty() { NO_NAMES_EVERY } else { NAMES_EVERY };
        if asked.is_none_or(|at| at.elapsed() >= pause) {
            asked = Some(Instant::now());
            let found = resolved(&node.addresses_to_reach()).await;
            // After a failed resolution, the earlier result is still used.
            others = if found.is_empty() { others } else { found };
        }
        here.look(&others);
    }
}

/// Resolves host names, on a blocking thread.
async fn resolved(addresses: &[String]) -> Vec<SocketAddr> {
    let addresses = addresses.to_vec();
    let resolve =
        move || addresses.iter().filter_map(|address| address.to_socket_addrs().ok()).flatten().collect();
    smol::unblock(resolve).await
}

/// Returns this machine's source address towards the other members.
fn source_address(others: &[SocketAddr]) -> Option<IpAddr> {
    let routes: Vec<(IpAddr, IpAddr)> =
        others.iter().filter_map(|to| Some((to.ip(), route_source(*to)?))).collect();
    let outwards = || OUTSIDE.into_iter().filter_map(route_source).find(|ip| !ip.is_loopback());
    best(&routes).or_else(|| if routes.is_empty() { None } else { outwards() })
}

/// Returns the best source address of pairs (destination, source): one that is not loopback, else loopback if a destination
/// is exactly 127.0.0.1 or ::1, which means that the whole cluster runs on this machine. Other loopback destinations do not
/// count: systems resolve their own host name to an address like 127.0.1.1, which other machines cannot reach.
fn best(routes: &[(IpAddr, IpAddr)]) -> Option<IpAddr> {
    let outwards = routes.iter().find(|(_, from)| !from.is_loopback());
    let here = |to: IpAddr| to == Ipv4Addr::LOCALHOST || to == Ipv6Addr::LOCALHOST;
    outwards.or_else(|| routes.iter().find(|(to, _)| here(*to))).map(|(_, from)| *from)
}

/// Returns the source address that a packet to this destination would have. Sends nothing: it only asks the kernel for the
/// route.
fn route_source(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_net::keys::Keys;
    use ribbit_state::{ClusterId, Role};

    fn options(advertise: Option<&str>, coordinators: &[&str]) -> NodeOptions {
        NodeOptions {
            role: Role::Backend,
            region: 1,
            id: 1,
            listen: String::new(),
            advertise: advertise.map(str::to_string),
            data_dir: "unused".into(),
            cluster: ClusterId(1),
            keys: Keys::of_cluster(ClusterId(1), &[1; ribbit_net::keys::KEY_BYTES]),
            trusted_proxies: Vec::new(),
            coordinators: coordinators.iter().map(ToString::to_string).collect(),
            discovery: false,
            cluster_name: String::new(),
            listed: Vec::new(),
            found_only: false,
            found_with: None,
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
    fn a_given_or_bound_address_is_fixed_and_only_a_found_one_is_looked_up_again() {
        let at = |options: &NodeOptions, bound: &str| {
            let here = AdvertisedAddress::new(options, bound.parse().unwrap());
            (here.address(), here.lookup_port.is_some())
        };
        let given = options(Some("board1:9000"), &["127.0.0.1:9"]);
        assert_eq!(at(&given, "0.0.0.0:9000"), ("board1:9000".into(), false));
        let bound = options(None, &["127.0.0.1:9"]);
        assert_eq!(at(&bound, "192.0.2.1:9000"), ("192.0.2.1:9000".into(), false));
        // The route to a local address starts at that address.
        assert_eq!(at(&bound, "0.0.0.0:9000"), ("127.0.0.1:9000".into(), true));
        assert_eq!(at(&options(None, &[]), "0.0.0.0:9000"), ("127.0.0.1:9000".into(), true));
    }

    #[test]
    fn a_loopback_address_is_the_last_resort() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let own_name = (ip("127.0.1.1"), ip("127.0.0.1"));
        let other = (ip("192.168.1.12"), ip("192.168.1.11"));
        assert_eq!(best(&[own_name, other]), Some(ip("192.168.1.11")));
        assert_eq!(best(&[own_name]), None);
        assert_eq!(best(&[own_name, (ip("127.0.0.1"), ip("127.0.0.1"))]), Some(ip("127.0.0.1")));
        assert_eq!(best(&[]), None);
        assert_eq!(source_address(&[]), None);
    }
}
