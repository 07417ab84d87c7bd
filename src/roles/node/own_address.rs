//! Where the others reach this member: what was given, else the address that it listens on; where that says "all of this
//! machine's", the one from which this machine reaches the others.
//!
//! A board may be up before its network is, and may get another address later: then it is looked for again, as long as the
//! process lives. The others hear of it when a link is made, and the leader notes it. What was found stays until something
//! else is; asking sends nothing, but for names that have to be looked up.

use super::Node;
use smol::future::FutureExt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The first look may take so long; a name server that is not there yet may take longer.
const FIRST_LOOK_MAX: Duration = Duration::from_secs(10);
/// Nobody has these (RFC 5737, RFC 3849), and packets to them would go out by the usual way.
const ELSEWHERE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9),
];

/// HOST:PORT that others are told.
#[derive(Debug)]
pub struct OwnAddress {
    now: Mutex<String>,
    /// The port, where the rest has to be found.
    port: Option<u16>,
}

impl OwnAddress {
    pub fn new(given: Option<&String>, bound: SocketAddr) -> OwnAddress {
        match given {
            Some(given) => OwnAddress { now: Mutex::new(given.clone()), port: None },
            None if !bound.ip().is_unspecified() => {
                OwnAddress { now: Mutex::new(bound.to_string()), port: None }
            }
            None => {
                let here = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), bound.port());
                OwnAddress { now: Mutex::new(here.to_string()), port: Some(bound.port()) }
            }
        }
    }

    pub fn get(&self) -> String {
        self.now.lock().expect("nobody panics while it holds this lock").clone()
    }

    /// Looks once, for whoever joins next and says where it is.
    pub async fn settle(&self, others: &[String]) {
        let late = async {
            smol::Timer::after(FIRST_LOOK_MAX).await;
        };
        self.look(others).or(late).await;
    }

    async fn look(&self, others: &[String]) {
        let Some(port) = self.port else { return };
        let others = others.to_vec();
        // Names may have to be asked for.
        let Some(ip) = smol::unblock(move || from_where(&others)).await else { return };
        let found = SocketAddr::new(ip, port).to_string();
        let mut now = self.now.lock().expect("nobody panics while it holds this lock");
        if *now != found {
            log::info!("the others reach this member at {found}");
            *now = found;
        }
    }
}

/// Looks again and again.
pub async fn watch(node: Arc<Node>) {
    if node.address.port.is_none() {
        return;
    }
    loop {
        smol::Timer::after(LOOK_EVERY).await;
        node.address.look(&node.options.coordinators).await;
    }
}

/// This machine's address on the way to the others, or else to anywhere.
fn from_where(others: &[String]) -> Option<IpAddr> {
    let of_others = others.iter().filter_map(|address| address.to_socket_addrs().ok()).flatten();
    let ways: Vec<(IpAddr, IpAddr)> = of_others.filter_map(|to| Some((to.ip(), way_to(to)?))).collect();
    best(&ways).or_else(|| ELSEWHERE.into_iter().filter_map(way_to).find(|ip| !ip.is_loopback()))
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

    #[test]
    fn what_was_given_or_bound_is_what_others_are_told() {
        let bound = "192.0.2.7:9000".parse().unwrap();
        assert_eq!(OwnAddress::new(Some(&"board1:9000".into()), bound).get(), "board1:9000");
        assert_eq!(OwnAddress::new(None, bound).get(), "192.0.2.7:9000");
        let own = OwnAddress::new(None, "0.0.0.0:9000".parse().unwrap());
        assert_eq!(own.get(), "127.0.0.1:9000");
        smol::block_on(own.settle(&["127.0.0.1:1".into()]));
        assert_eq!(own.get(), "127.0.0.1:9000", "a group on one machine");
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
    }
}
