//! Arguments of `ribbit balancer`.

use crate::common::cluster_selection::without_duplicates;
use crate::common::defaults::BALANCER_LISTEN;
use crate::common::failure::{Exit, Failure};
use crate::common::network::Network;
use crate::common::ports::Ports;
use crate::common::server_arguments::ServerArgs;
use clap::Args;
use ribbit_net::keys::Keys;
use ribbit_net::mdns::Found;
use std::net::Ipv4Addr;

/// Arguments of a running balancer.
#[derive(Debug, Args)]
pub(crate) struct BalancerArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    #[command(flatten)]
    pub floating: FloatingArgs,
}

/// Options of `balancer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancerOptions {
    /// Listen address, HOST:PORT; port 0 picks a free port.
    pub listen: String,
    /// Region whose backends it balances.
    pub region: u32,
    /// Addresses of some members; the balancer learns the others from them.
    pub seeds: Vec<String>,
    pub keys: Keys,
    /// Networks of proxies that serve many users.
    pub trusted_proxies: Vec<Network>,
    /// Floating address to compete for.
    pub floating: Option<FloatingOptions>,
    /// Announce it in its network.
    pub discovery: bool,
}

/// Options of `balancer --floating`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloatingOptions {
    pub address: Ipv4Addr,
    /// Prefix length of its network.
    pub bits: u8,
    /// Name of the network interface.
    pub interface: String,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Default listen address: 0.0.0.0:8081. In a data folder of `ribbit up`, the
address of its balancer.

With --floating, the balancers that share an IPv4 address elect a holder with
the lock /floating/ADDR. The holder adds the address to its interface and
announces it to the network. If the holder fails, another balancer takes over
within three seconds. This requires CAP_NET_ADMIN and CAP_NET_RAW, and an
address that no other machine uses and no DHCP server assigns.

Examples:
  ribbit balancer
  ribbit balancer --listen 0.0.0.0:9090 --coordinator board1:9000,board2:9001
  ribbit balancer --floating 192.168.1.50/24 --interface eth0
  ribbit balancer read        Query a running balancer";

impl BalancerArgs {
    /// Returns the options of a balancer.
    ///
    /// # Errors
    /// 3: no member's address is known or found. 78: the cluster file or the ports file is missing or malformed, or no member's
    /// address is known and discovery is off.
    pub(crate) fn options(self) -> Result<BalancerOptions, Failure> {
        let region = self.server.cluster;
        let common = self.server.settings()?;
        let keys = common.cluster.keys();
        let ports = common.ports.as_ref();
        let listen =
            common.listen.or_else(|| ports?.balancer.clone()).unwrap_or_else(|| BALANCER_LISTEN.into());
        let mut seeds = common.coordinators;
        seeds.extend(ports.map(Ports::everyone).unwrap_or_default());
        seeds.extend(common.kept);
        if seeds.is_empty() {
            let of_ours = |it: &Found| it.is_member_of(common.cluster.cluster);
            seeds.extend(common.discovery.find().into_iter().filter(of_ours).map(|it| it.address));
        }
        if seeds.is_empty() {
            // One may be found later, and the unit tries again.
            let exit = if common.discovery.no_discovery { Exit::Configuration } else { Exit::Unreachable };
            let message = "no member is known: the cluster file lists no coordinators, and none was found in this \
                           network; pass one with --coordinator";
            return Err(Failure::new(exit, message));
        }
        Ok(BalancerOptions {
            listen,
            region,
            seeds: without_duplicates(seeds),
            keys,
            trusted_proxies: common.trusted_proxies,
            floating: self.floating.options(),
            discovery: !common.discovery.no_discovery,
        })
    }
}

/// Longest interface name that Linux accepts: `IFNAMSIZ` without the terminating zero.
const INTERFACE_NAME_BYTES_MAX: usize = 15;

/// Arguments of a floating address.
#[derive(Debug, Args)]
pub(crate) struct FloatingArgs {
    /// Share this IPv4 address with other balancers: one of them holds it, another takes over if it fails
    #[arg(long, value_name = "ADDR/BITS", value_parser = floating, requires = "interface")]
    pub floating: Option<(Ipv4Addr, u8)>,
    /// Network interface for the floating address, such as eth0
    #[arg(long, value_name = "NAME", value_parser = interface, requires = "floating")]
    pub interface: Option<String>,
}

impl FloatingArgs {
    fn options(self) -> Option<FloatingOptions> {
        let ((address, bits), interface) = (self.floating?, self.interface?);
        Some(FloatingOptions { address, bits, interface })
    }
}

/// Parses an IPv4 address with the prefix length of its network.
pub(crate) fn floating(text: &str) -> Result<(Ipv4Addr, u8), String> {
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
