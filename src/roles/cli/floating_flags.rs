//! The flags of a balancer that holds an address for the group, and what they make of them.

use crate::common::options::FloatingOptions;
use clap::Args;
use std::net::Ipv4Addr;

/// As the kernel has them.
const INTERFACE_NAME_BYTES_MAX: usize = 15;

#[derive(Debug, Args)]
pub struct FloatingFlags {
    /// Hold this IPv4 address for the group: one balancer of all that name it has it, the next one when that one dies
    #[arg(long, value_name = "ADDR/BITS", value_parser = floating, requires = "interface")]
    pub floating: Option<(Ipv4Addr, u8)>,
    /// Where the floating address goes, like eth0
    #[arg(long, value_name = "NAME", value_parser = interface, requires = "floating")]
    pub interface: Option<String>,
}

impl FloatingFlags {
    pub(super) fn options(self) -> Option<FloatingOptions> {
        let ((address, bits), interface) = (self.floating?, self.interface?);
        Some(FloatingOptions { address, bits, interface })
    }
}

fn floating(text: &str) -> Result<(Ipv4Addr, u8), String> {
    let expected = || "expected an IPv4 address and its network's bits, like 192.168.1.50/24".to_string();
    let (address, bits) = text.split_once('/').ok_or_else(expected)?;
    let address: Ipv4Addr = address.parse().map_err(|_| expected())?;
    // `parse` would take a sign.
    let digits = bits.bytes().all(|byte| byte.is_ascii_digit());
    let bits = bits.parse().ok().filter(|bits| digits && (1..=32).contains(bits)).ok_or_else(expected)?;
    let odd = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    if odd || address.is_broadcast() {
        return Err(format!("{address} is no address that a machine can have on a network"));
    }
    Ok((address, bits))
}

fn interface(text: &str) -> Result<String, String> {
    let sound = |c: char| c.is_ascii_graphic() && c != '/' && c != ':';
    if text.is_empty() || text.len() > INTERFACE_NAME_BYTES_MAX || !text.chars().all(sound) {
        return Err("expected the name of an interface, like eth0; `ip link` shows them".to_string());
    }
    Ok(text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_a_machine_can_have() {
        assert_eq!(floating("192.168.1.50/24"), Ok((Ipv4Addr::new(192, 168, 1, 50), 24)));
        for wrong in
            ["192.168.1.50", "192.168.1/24", "192.168.1.50/33", "192.168.1.50/+8", "10.0.0.1/0", "::1/64"]
        {
            assert!(floating(wrong).unwrap_err().contains("expected"), "{wrong}");
        }
        for wrong in ["0.0.0.0/8", "127.0.0.1/8", "224.0.0.1/4", "255.255.255.255/32"] {
            assert!(floating(wrong).unwrap_err().contains("no address"), "{wrong}");
        }
    }

    #[test]
    fn an_interface_has_a_short_plain_name() {
        assert_eq!(interface("eth0"), Ok("eth0".to_string()));
        assert_eq!(interface("wlan0.12"), Ok("wlan0.12".to_string()));
        for wrong in ["", "a/b", "eth0:1", "two words", "a-name-of-sixteen"] {
            assert!(interface(wrong).is_err(), "{wrong}");
        }
    }
}
