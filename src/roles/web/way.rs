//! The way that a request came: whose it is, and whether others could read it.
//!
//! ```text
//!   person ──▶ proxy ──▶ proxy ──▶ here        X-Forwarded-For: anything, person, proxy
//!                                              the right-most that is no trusted proxy is the person
//! ```
//!
//! What stands in X-Forwarded-… counts only when a trusted proxy sent it: anybody can write such a line. Without one
//! the person is whoever the connection is from.

use crate::common::network::Network;
use hyper::HeaderMap;
use std::net::{IpAddr, SocketAddr};

/// Both ends of a connection, as far as they matter here.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    pub peer: IpAddr,
    /// It is encrypted.
    pub tls: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The person's address.
    pub person: IpAddr,
    /// Encrypted all the way, as far as is known here.
    pub secure: bool,
}

impl Way {
    pub fn of(ends: Ends, headers: &HeaderMap, proxies: &[Network]) -> Way {
        let trusted = |address: IpAddr| proxies.iter().any(|proxy| proxy.holds(address));
        if !trusted(ends.peer) {
            return Way { person: ends.peer, secure: ends.tls };
        }
        let mut person = ends.peer;
        let named = entries(headers, "x-forwarded-for");
        for entry in named.iter().rev() {
            // Behind what is no address, nobody knows.
            let Some(address) = address_in(entry) else { break };
            person = address;
            if !trusted(address) {
                break;
            }
        }
        let spoken = entries(headers, "x-forwarded-proto");
        // The nearest proxy says it last. One that says nothing was spoken to as it speaks to us.
        let secure = spoken.last().map_or(ends.tls, |proto| proto.eq_ignore_ascii_case("https"));
        Way { person, secure }
    }

    /// Whoever is on the network between can read what is typed.
    pub fn in_the_clear(&self) -> bool {
        !self.secure && !self.is_local()
    }

    /// From this very machine, and no proxy said for whom.
    pub fn is_local(&self) -> bool {
        self.person.is_loopback()
    }
}

/// The entries of a list that may stand in several lines.
fn entries<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let lines = headers.get_all(name).into_iter();
    lines.flat_map(|line| line.to_str().unwrap_or("?").split(',')).map(str::trim).collect()
}

/// An address with or without its port: `10.0.0.7`, `10.0.0.7:4711`, `[fd00::7]:4711`.
fn address_in(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']')).unwrap_or(entry);
    let plain = bare.parse::<IpAddr>().ok();
    plain.or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip())).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn way(peer: &str, lines: &[(&'static str, &'static str)]) -> Way {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let proxies = ["127.0.0.1", "10.0.0.0/8"].map(|text| Network::parse(text).unwrap());
        Way::of(Ends { peer: peer.parse().unwrap(), tls: false }, &headers, &proxies)
    }

    #[test]
    fn the_right_most_that_is_no_proxy_is_the_person() {
        for (peer, forwarded, person) in [
            ("127.0.0.1", "1.2.3.4", "1.2.3.4"),
            ("127.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.9", "1.2.3.4"),
            ("127.0.0.1", "[fd00::7]:4711", "fd00::7"),
            ("127.0.0.1", "1.2.3.4:99", "1.2.3.4"),
            ("127.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
            ("127.0.0.1", "10.0.0.1, 10.0.0.2", "10.0.0.1"),
            ("127.0.0.1", "1.2.3.4, unknown, 10.0.0.2", "10.0.0.2"),
            ("127.0.0.1", "unknown", "127.0.0.1"),
            // Nobody trusts who says this.
            ("192.168.7.1", "1.2.3.4", "192.168.7.1"),
        ] {
            let way = way(peer, &[("x-forwarded-for", forwarded)]);
            assert_eq!(way.person, person.parse::<IpAddr>().unwrap(), "{peer}: {forwarded}");
        }
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.2.3.4")];
        assert_eq!(way("10.1.1.1", &lines).person, "1.2.3.4".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn only_a_trusted_proxy_can_say_that_nobody_reads_along() {
        let said = [("x-forwarded-proto", "https"), ("x-forwarded-for", "1.2.3.4")];
        assert!(way("127.0.0.1", &said).secure && !way("127.0.0.1", &said).in_the_clear());
        assert!(way("192.168.7.1", &said).in_the_clear());
        let doubtful = [("x-forwarded-proto", "https, http"), ("x-forwarded-for", "1.2.3.4")];
        assert!(way("127.0.0.1", &doubtful).in_the_clear());
        assert!(!way("127.0.0.1", &[]).in_the_clear(), "nobody is between a machine and itself");
        assert!(way("192.168.7.1", &[]).in_the_clear());
    }
}
