//! IP networks as typed by users: `10.0.0.0/8`, `192.168.7.1`, `fd00::/8`. Used for trusted proxies.

use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// An IP network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(
    /// Never IPv4 mapped to IPv6.
    IpNet,
);

impl Network {
    /// Parses `ADDRESS`, a network of one address, or `ADDRESS/BITS`.
    ///
    /// # Errors
    /// A message for the user if the text is neither.
    pub fn parse(text: &str) -> Result<Network, String> {
        let address = text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        let network = address.or_else(|_| text.parse::<IpNet>()).ok();
        // A network of mapped addresses would hold no address in canonical form.
        let is_mapped = |network: &IpNet| network.addr() != network.addr().to_canonical();
        network
            .filter(|network| !is_mapped(network))
            .map(Network)
            .ok_or_else(|| "expected an IP address or network, such as 127.0.0.1 or 10.0.0.0/8".to_string())
    }

    /// Returns whether many users may share this address: it is loopback or in one of these networks.
    pub fn crowded(networks: &[Network], address: IpAddr) -> bool {
        address.is_loopback() || networks.iter().any(|network| network.holds(address))
    }

    /// Returns whether the network contains `address`, which must be in canonical form.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_addresses_of_its_prefix() {
        for (network, inside, outside) in [
            ("10.1.0.0/16", "10.1.255.7", "10.2.0.1"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("192.168.7.128/25", "192.168.7.200", "192.168.7.1"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("::/0", "::1", "8.8.8.8"),
        ] {
            let parsed = Network::parse(network).unwrap();
            assert!(parsed.holds(inside.parse().unwrap()), "{network} {inside}");
            assert!(!parsed.holds(outside.parse().unwrap()), "{network} {outside}");
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "frogs.lan",
            "::/129",
            "10.0.0/8",
            "a/8",
            "::ffff:10.0.0.0/104",
        ] {
            assert!(Network::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
