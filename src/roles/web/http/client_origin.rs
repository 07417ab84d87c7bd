//! Origin of a request: the client's address, and whether the connection is encrypted.
//!
//! ```text
//!   client ──▶ proxy ──▶ proxy ──▶ here        X-Forwarded-For: anything, client, proxy
//!                                              the right-most address that is no trusted proxy is the client
//! ```
//!
//! `X-Forwarded-…` headers count only from a trusted proxy, since any client can send them. Without a proxy the client is the
//! peer of the connection.

use crate::common::network::Network;
use hyper::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// Peer of a connection.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct PeerInfo {
    pub(in crate::web) address: IpAddr,
    /// True for TLS.
    pub(in crate::web) tls: bool,
}

/// Origin of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) struct ClientOrigin {
    /// The client's address.
    pub(in crate::web) address: IpAddr,
    /// True if the connection is encrypted from the client on, as far as known.
    pub(in crate::web) secure: bool,
}

impl ClientOrigin {
    /// Returns the origin of a request from its peer and headers.
    pub(in crate::web) fn of(peer: PeerInfo, headers: &HeaderMap, proxies: &[Network]) -> ClientOrigin {
        let trusted = |address: IpAddr| proxies.iter().any(|proxy| proxy.holds(address));
        if !trusted(peer.address) {
            return ClientOrigin { address: peer.address, secure: peer.tls };
        }
        let mut client = peer.address;
        let named = entries(headers, "x-forwarded-for");
        for entry in named.iter().rev() {
            // An entry that is no address hides everything to its left.
            let Some(address) = address_in(entry) else { break };
            client = address;
            if !trusted(address) {
                break;
            }
        }
        let spoken = entries(headers, "x-forwarded-proto");
        // The nearest proxy adds the last entry. A proxy that adds none was spoken to as it speaks to this server.
        let secure = spoken.last().map_or(peer.tls, |proto| proto.eq_ignore_ascii_case("https"));
        ClientOrigin { address: client, secure }
    }

    /// Returns true if others on the network can read the request.
    pub(in crate::web) fn is_unencrypted(&self) -> bool {
        !self.secure && !self.is_local()
    }

    /// Returns true for a client on this machine.
    pub(in crate::web) fn is_local(&self) -> bool {
        self.address.is_loopback()
    }
}

/// Returns the entries of a list, which may be spread over several header lines.
fn entries<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let lines = headers.get_all(name).into_iter();
    lines.flat_map(|line| line.to_str().unwrap_or("?").split(',')).map(str::trim).collect()
}

/// Parses an address with or without its port: `10.0.0.7`, `10.0.0.7:4711`, `[fd00::7]:4711`.
fn address_in(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']')).unwrap_or(entry);
    let plain = bare.parse::<IpAddr>().ok();
    plain.or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip())).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn origin(peer: &str, lines: &[(&'static str, &'static str)]) -> ClientOrigin {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let proxies = ["127.0.0.1", "10.0.0.0/8"].map(|text| Network::parse(text).unwrap());
        ClientOrigin::of(PeerInfo { address: peer.parse().unwrap(), tls: false }, &headers, &proxies)
    }

    #[test]
    fn the_right_most_address_that_is_no_proxy_is_the_client() {
        for (peer, forwarded, client) in [
            ("127.0.0.1", "1.2.3.4", "1.2.3.4"),
            ("127.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.9", "1.2.3.4"),
            ("127.0.0.1", "[fd00::7]:4711", "fd00::7"),
            ("127.0.0.1", "1.2.3.4:99", "1.2.3.4"),
            ("127.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
            ("127.0.0.1", "10.0.0.1, 10.0.0.2", "10.0.0.1"),
            ("127.0.0.1", "1.2.3.4, unknown, 10.0.0.2", "10.0.0.2"),
            ("127.0.0.1", "unknown", "127.0.0.1"),
            // The peer is not a trusted proxy.
            ("192.168.7.1", "1.2.3.4", "192.168.7.1"),
        ] {
            let origin = origin(peer, &[("x-forwarded-for", forwarded)]);
            assert_eq!(origin.address, client.parse::<IpAddr>().unwrap(), "{peer}: {forwarded}");
        }
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(origin("10.1.1.1", &lines).address, "1.2.3.4".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn only_a_trusted_proxy_can_vouch_for_encryption() {
        let said = [("x-forwarded-proto", "https"), ("x-forwarded-for", "1.2.3.4")];
        assert!(origin("127.0.0.1", &said).secure && !origin("127.0.0.1", &said).is_unencrypted());
        assert!(origin("192.168.7.1", &said).is_unencrypted());
        let doubtful = [("x-forwarded-proto", "https, http"), ("x-forwarded-for", "1.2.3.4")];
        assert!(origin("127.0.0.1", &doubtful).is_unencrypted());
        assert!(!origin("127.0.0.1", &[]).is_unencrypted(), "a local client needs no encryption");
        assert!(origin("192.168.7.1", &[]).is_unencrypted());
    }
}
