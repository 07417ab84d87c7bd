//! This machine on its local network: an interface, addresses put on it for a moment, and who else has them.
//!
//! ```text
//!   look ──▶ Interface { up, addresses, … }            getifaddrs
//!   address::put, address::take_off                    rtnetlink: an address with a lifetime
//!   arp::Ether ── probe: does another machine have it?  ── announce: it is here now
//! ```
//!
//! - [`address`]: the messages to the kernel, and their bytes; [`arp`]: the packets to the neighbours, and theirs
//! - IPv4 alone. Linux alone. What changes something needs `CAP_NET_ADMIN`, what talks ARP `CAP_NET_RAW`.
//!
//! Everything here asks the kernel and waits for no network; only a probe is waited for, and that is its caller's to
//! do. It decides nothing: who may have an address is said elsewhere.

pub mod address;
pub mod arp;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::LinkAddr;
use rustix::thread::{CapabilitySet, capabilities};
use std::io;
use std::net::Ipv4Addr;

/// The hardware type of what speaks ARP over Ethernet: cables and WLAN.
const ARPHRD_ETHER: u16 = 1;

/// An interface, as it is now.
#[derive(Debug, Clone)]
pub struct Interface {
    /// The kernel's number of it.
    pub index: u32,
    /// It is up and its cable is in.
    pub runs: bool,
    /// Where neighbours find it; nothing where nobody asks by ARP.
    pub ether: Option<LinkAddr>,
}

/// An address of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAddress {
    /// Of the interface.
    pub name: String,
    pub address: Ipv4Addr,
}

/// What there is.
#[derive(Debug, Clone)]
pub struct Interfaces {
    /// The one that was looked for.
    pub wanted: Option<Interface>,
    /// The names of all, in the kernel's order.
    pub names: Vec<String>,
    /// The addresses of all.
    pub addresses: Vec<OwnAddress>,
}

/// Looks for the interface of this name.
///
/// # Errors
/// The kernel does not say.
pub fn look(name: &str) -> io::Result<Interfaces> {
    let mut found = Interfaces { wanted: None, names: Vec::new(), addresses: Vec::new() };
    for entry in getifaddrs()? {
        let entry_name = entry.interface_name;
        if !found.names.contains(&entry_name) {
            found.names.push(entry_name.clone());
        }
        let Some(address) = entry.address else { continue };
        if let Some(inet) = address.as_sockaddr_in() {
            found.addresses.push(OwnAddress { name: entry_name, address: inet.ip() });
        } else if let Some(link) = address.as_link_addr().filter(|_| entry_name == name) {
            let plain = !entry.flags.contains(InterfaceFlags::IFF_NOARP);
            found.wanted = Some(Interface {
                index: u32::try_from(link.ifindex()).unwrap_or(0),
                runs: entry.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING),
                ether: (plain && link.hatype() == ARPHRD_ETHER && link.halen() == 6).then_some(*link),
            });
        }
    }
    Ok(found)
}

/// What this process lacks for putting addresses on interfaces and telling neighbours; empty when nothing.
///
/// # Errors
/// The kernel does not say.
pub fn lacking() -> io::Result<Vec<&'static str>> {
    let has = capabilities(None)?.effective;
    let wanted = [(CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"), (CapabilitySet::NET_RAW, "CAP_NET_RAW")];
    Ok(wanted.into_iter().filter(|(one, _)| !has.contains(*one)).map(|(_, name)| name).collect())
}

/// Whether both are in the network of this many leading bits.
pub fn same_network(one: Ipv4Addr, other: Ipv4Addr, bits: u8) -> bool {
    let differ = one.to_bits() ^ other.to_bits();
    u32::from(bits) <= differ.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_a_loopback_interface_that_nobody_asks_for_by_arp() {
        let there = look("lo").unwrap();
        let lo = there.wanted.expect("lo");
        assert!(lo.index > 0 && lo.ether.is_none() && there.names.contains(&"lo".to_string()), "{lo:?}");
        assert!(look("no-such-one").unwrap().wanted.is_none());
    }

    #[test]
    fn networks_are_told_apart() {
        let at = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        assert!(same_network(at("192.168.1.50"), at("192.168.1.7"), 24));
        assert!(!same_network(at("192.168.1.50"), at("192.168.2.7"), 24));
        assert!(same_network(at("192.168.1.50"), at("10.0.0.1"), 0));
        assert!(same_network(at("10.0.0.1"), at("10.0.0.1"), 32));
        assert!(!same_network(at("10.0.0.1"), at("10.0.0.0"), 32));
    }
}
