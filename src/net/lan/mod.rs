//! Network interfaces, temporary addresses on them, and ARP: the mechanism behind the floating address of a balancer.
//!
//! ```text
//!   find_interface ──▶ Interfaces { wanted, names, addresses }    getifaddrs
//!   address::add, address::remove                                 rtnetlink: an address with a lifetime
//!   arp::Ether ── probe: does another machine have the address?  ── announce: the address is here now
//! ```
//!
//! - [`address`]: messages to the kernel; [`arp`]: frames to the neighbours
//! - IPv4 and Linux only. Changing addresses needs `CAP_NET_ADMIN`, ARP needs `CAP_NET_RAW`.
//!
//! All calls return without waiting for the network, except that the caller waits for replies to a probe.
//!
//! Not here: the decision which machine has the address.

pub mod address;
pub mod arp;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::LinkAddr;
use rustix::thread::{CapabilitySet, capabilities};
use std::io;
use std::net::Ipv4Addr;

/// Hardware type of Ethernet and WLAN interfaces, which use ARP over Ethernet.
const ARPHRD_ETHER: u16 = 1;

/// State of an interface.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Index in the kernel.
    pub index: u32,
    /// True if it is up and its cable is connected.
    pub runs: bool,
    /// Its Ethernet address, if it uses ARP.
    pub ether: Option<LinkAddr>,
}

/// Address of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAddress {
    /// Name of its interface.
    pub name: String,
    pub address: Ipv4Addr,
}

/// Interfaces of this machine.
#[derive(Debug, Clone)]
pub struct Interfaces {
    /// The requested interface, if it exists.
    pub wanted: Option<Interface>,
    /// Names of all interfaces, in the kernel's order.
    pub names: Vec<String>,
    /// IPv4 addresses of all interfaces.
    pub addresses: Vec<OwnAddress>,
}

/// Lists the interfaces, and finds the one of this name.
///
/// # Errors
/// The error of `getifaddrs`.
pub fn find_interface(name: &str) -> io::Result<Interfaces> {
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

/// Returns the names of the capabilities that this process lacks for changing addresses and for ARP.
///
/// # Errors
/// The error of the kernel when the capabilities cannot be read.
pub fn missing_capabilities() -> io::Result<Vec<&'static str>> {
    let has = capabilities(None)?.effective;
    let wanted = [(CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"), (CapabilitySet::NET_RAW, "CAP_NET_RAW")];
    Ok(wanted.into_iter().filter(|(one, _)| !has.contains(*one)).map(|(_, name)| name).collect())
}

/// Returns true if both addresses are in the same network, with a prefix of this many bits.
pub fn same_network(one: Ipv4Addr, other: Ipv4Addr, bits: u8) -> bool {
    let differ = one.to_bits() ^ other.to_bits();
    u32::from(bits) <= differ.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_a_loopback_interface_without_arp() {
        let interfaces = find_interface("lo").unwrap();
        let lo = interfaces.wanted.expect("lo");
        assert!(lo.index > 0 && lo.ether.is_none() && interfaces.names.contains(&"lo".to_string()), "{lo:?}");
        assert!(find_interface("no-such-one").unwrap().wanted.is_none());
    }

    #[test]
    fn addresses_are_compared_by_their_network_prefix() {
        let at = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        assert!(same_network(at("192.168.1.50"), at("192.168.1.7"), 24));
        assert!(!same_network(at("192.168.1.50"), at("192.168.2.7"), 24));
        assert!(same_network(at("192.168.1.50"), at("10.0.0.1"), 0));
        assert!(same_network(at("10.0.0.1"), at("10.0.0.1"), 32));
        assert!(!same_network(at("10.0.0.1"), at("10.0.0.0"), 32));
    }
}
