//! Addresses that the coordinator of Tiny SNS hands out, as targets of gRPC. Pure.
//!
//! The client joins host, `:` and port to a target. So a host `ipv4:10.0.0.1:10000,10.0.0.2` with the port `10000` is one target with
//! two addresses, which are tried in turn: a call survives the death of a gateway without another answer.

use std::net::{IpAddr, SocketAddr};

/// Host and port as the client joins them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: String,
}

/// Returns the target of these addresses (HOST:PORT), to be tried in this order. Names cannot be joined: if the first address is one,
/// the target is that address alone.
pub(crate) fn target(addresses: &[String]) -> Option<Target> {
    let first = addresses.first()?;
    let numeric = |address: &String| address.parse::<SocketAddr>().ok();
    let Some(primary) = numeric(first) else {
        let (host, port) = first.rsplit_once(':')?;
        return Some(Target { host: host.to_string(), port: port.to_string() });
    };
    let family = |address: &SocketAddr| address.is_ipv4() == primary.is_ipv4();
    let mut all: Vec<SocketAddr> = addresses.iter().filter_map(numeric).filter(family).collect();
    let last = all.pop()?;
    let port = last.port().to_string();
    let host = match last.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    if all.is_empty() {
        return Some(Target { host, port });
    }
    let scheme = if primary.is_ipv4() { "ipv4" } else { "ipv6" };
    let before: Vec<String> = all.iter().map(ToString::to_string).collect();
    Some(Target { host: format!("{scheme}:{},{host}", before.join(",")), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(addresses: &[&str]) -> Option<String> {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        target(&addresses).map(|Target { host, port }| format!("{host} {port}"))
    }

    #[test]
    fn one_address_is_a_plain_target() {
        assert_eq!(joined(&["127.0.0.1:10000"]).as_deref(), Some("127.0.0.1 10000"));
        assert_eq!(joined(&["[::1]:10000"]).as_deref(), Some("[::1] 10000"));
        assert_eq!(joined(&["pi.local:10000", "10.0.0.2:10000"]).as_deref(), Some("pi.local 10000"));
        assert_eq!(joined(&[]), None);
    }

    #[test]
    fn several_addresses_are_one_target() {
        let several = ["10.0.0.1:10000", "10.0.0.2:10001", "10.0.0.3:10000"];
        assert_eq!(joined(&several).as_deref(), Some("ipv4:10.0.0.1:10000,10.0.0.2:10001,10.0.0.3 10000"));
        assert_eq!(joined(&["[::1]:1", "[::2]:2"]).as_deref(), Some("ipv6:[::1]:1,[::2] 2"));
    }

    #[test]
    fn addresses_of_another_kind_are_left_out() {
        let mixed = ["10.0.0.1:10000", "[::1]:10000", "pi.local:10000", "10.0.0.2:10000"];
        assert_eq!(joined(&mixed).as_deref(), Some("ipv4:10.0.0.1:10000,10.0.0.2 10000"));
    }
}
