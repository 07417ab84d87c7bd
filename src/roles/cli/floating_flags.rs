//! Flags of a balancer with a floating address, and their conversion to options.

use crate::common::options::FloatingOptions;
use clap::Args;
use std::net::Ipv4Addr;

/// Longest interface name that Linux accepts: `IFNAMSIZ` without the terminating zero.
const INTERFACE_NAME_BYTES_MAX: usize = 15;

#[derive(Debug, Args)]
pub struct FloatingFlags {
    /// Share this IPv4 address with other balancers: one of them holds it, another takes over if it fails
    #[arg(long, value_name = "ADDR/BITS", value_parser = floating, requires = "interface")]
    pub floating: Option<(Ipv4Addr, u8)>,
    /// Network interface for the floating address, such as eth0
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
    let expected = || "expected an IPv4 address with prefix length, such as 192.168.1.50/24".to_string();
    let (address, bits) = text.split_once('/').ok_or_else(expected)?;
    let address: Ipv4Addr = address.parse().map_err(|_| expected())?;
    // `parse` would accept a sign.
    let digits = bits.bytes().all(|byte| byte.is_ascii_digit());
    let bits = bits.parse().ok().filter(|bits| digits && (1..=32).contains(bits)).ok_or_else(expected)?;
    let odd = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    if odd || address.is_broadcast() {
        return Err(format!("{address} is not a host address"));
    }
    Ok((address, bits))
}

fn interface(text: &str) -> Result<String, String> {
    let sound = |c: char| c.is_ascii_graphic() && c != '/' && c != ':';
    if text.is_empty() || text.len() > INTERFACE_NAME_BYTES_MAX || !text.chars().all(sound) {
        return Err("expected an interface name, such as eth0; `ip link` lists them".to_string());
    }
    Ok(text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floating_address_is_a_host_address() {
        assert_eq!(floating("192.168.1.50/24"), Ok((Ipv4Addr::new(192, 168, 1, 50), 24)));
        for wrong in
            ["192.168.1.50", "192.168.1/24", "192.168.1.50/33", "192.168.1.50/+8", "10.0.0.1/0", "::1/64"]
        {
            assert!(floating(wrong).unwrap_err().contains("expected"), "{wrong}");
        }
        for wrong in ["0.0.0.0/8", "127.0.0.1/8", "224.0.0.1/4", "255.255.255.255/32"] {
            assert!(floating(wrong).unwrap_err().contains("not a host address"), "{wrong}");
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
