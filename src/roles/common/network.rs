//! IP networks as typed by users: `10.0.0.0/8`, `192.168.7.1`, `fd00::/8`. Used for trusted proxies.

use std::fmt;
use std::net::IpAddr;

/// An IP network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Address in canonical form: never IPv4 mapped to IPv6.
    address: IpAddr,
    /// Prefix length in bits.
    bits: u8,
}

impl Network {
    /// Parses `ADDRESS`, a network of one address, or `ADDRESS/BITS`.
    ///
    /// # Errors
    /// A message for the user if the text is neither.
    pub fn parse(text: &str) -> Result<Network, String> {
        let expected = || "expected an IP address or network, such as 127.0.0.1 or 10.0.0.0/8".to_string();
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| expected())?.to_canonical();
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => bits_max,
            // `parse` would accept a sign.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|bits| *bits <= bits_max).ok_or_else(expected)?
            }
            Some(_) => return Err(expected()),
        };
        Ok(Network { address, bits })
    }

    /// Returns whether many users may share this address: it is loopback or in one of these networks.
    pub fn crowded(networks: &[Network], address: IpAddr) -> bool {
        address.is_loopback() || networks.iter().any(|network| network.holds(address))
    }

    /// Returns whether the network contains `address`, which must be in canonical form.
    pub fn holds(&self, address: IpAddr) -> bool {
        let same_bits = |one: u128, other: u128, width: u32| {
            let shift = width - u32::from(self.bits);
            // A shift by all bits is undefined on the processor.
            one.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0)
        };
        match (self.address, address) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                same_bits(u128::from(mine.to_bits()), u128::from(other.to_bits()), 32)
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => same_bits(mine.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
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
        for wrong in ["", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "frogs.lan", "::/129", "10.0.0/8", "a/8"]
        {
            assert!(Network::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
