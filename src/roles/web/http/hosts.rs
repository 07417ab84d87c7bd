//! Check of the `Host` header, against DNS rebinding: if an attacker's domain name is made to resolve to this machine, the attacker's
//! page has the same origin as this site and could read and do everything here. Its browser still sends the attacker's name.
//!
//! Accepted are names that cannot be made to resolve to this machine from outside: IP addresses, names of one label, `localhost`, and this
//! machine's own name, also with `.local`, and `ribbit.local`. All others have to be named with `--host`.

use hyper::HeaderMap;
use hyper::Uri;
use hyper::header::HOST;
use ribbit_net::mdns;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Maximum length of a host name in bytes.
const NAME_BYTES_MAX: usize = 253;

/// Reason to refuse a request for its host.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) enum HostError {
    /// The request names no host, two hosts, or an invalid one.
    Invalid,
    /// The host is not one of this site's names.
    Unknown(String),
}

/// The accepted names, in lower case.
#[derive(Debug, Default)]
pub(in crate::web) struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// Makes the list from the names given with `--host` and this machine's own name.
    pub(in crate::web) fn new(named: &[String], machine: &str) -> AllowedHosts {
        let label = machine.split('.').next().unwrap_or_default();
        let own = [machine.to_string(), format!("{label}.local"), mdns::SITE.to_string()];
        AllowedHosts(own.iter().chain(named).map(|name| plain(name)).collect())
    }

    /// Checks the host that a request names.
    ///
    /// # Errors
    /// [`HostError::Invalid`] or [`HostError::Unknown`].
    pub(in crate::web) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), HostError> {
        let mut lines = headers.get_all(HOST).into_iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return Err(HostError::Invalid) };
        let host = line.to_str().map_err(|_| HostError::Invalid)?;
        // `GET http://host/path` with a different `Host` header would name two hosts.
        if uri.authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(host)) {
            return Err(HostError::Invalid);
        }
        let name = name_in(host).ok_or(HostError::Invalid)?;
        if self.knows(&name) { Ok(()) } else { Err(HostError::Unknown(name)) }
    }

    fn knows(&self, name: &str) -> bool {
        let single = !name.contains('.');
        single
            || name.parse::<Ipv4Addr>().is_ok()
            || name.starts_with('[')
            || self.0.iter().any(|own| own == name)
    }
}

fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Returns the host without its port: `frogs.lan`, `10.0.0.7`, `[fd00::7]`. `None` if it is not valid.
pub(in crate::web) fn name_in(host: &str) -> Option<String> {
    let port_at = host.rfind(':').filter(|at| !host[*at..].contains(']'));
    let (name, port) = port_at.map_or((host, ""), |at| (&host[..at], &host[at + 1..]));
    if !port.bytes().all(|byte| byte.is_ascii_digit()) || name.len() > NAME_BYTES_MAX {
        return None;
    }
    if let Some(inside) = name.strip_prefix('[') {
        return inside.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|_| name.to_ascii_lowercase());
    }
    let name = plain(name);
    let sound = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.split('.').all(sound).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn check(uri: &str, lines: &[&'static str]) -> Result<(), HostError> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HOST, HeaderValue::from_static(line));
        }
        let hosts = AllowedHosts::new(&["Frogs.Example.org".to_string()], "board1.school.lan");
        hosts.check(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn names_that_nobody_outside_can_have_are_ours() {
        for ours in [
            "localhost:8080",
            "127.0.0.1",
            "[::1]:8080",
            "[fd00::7]",
            "board7:80",
            "BOARD1.local:8080",
            "ribbit.local",
            "board1.school.lan",
            "frogs.example.org.:443",
        ] {
            assert_eq!(check("/", &[ours]), Ok(()), "{ours}");
        }
        for stranger in ["evil.example", "board2.local:8080", "x.localhost", "10.0.0.7.evil.example:8080"] {
            assert!(matches!(check("/", &[stranger]), Err(HostError::Unknown(_))), "{stranger}");
        }
    }

    #[test]
    fn a_request_names_one_host() {
        for lines in [
            &[][..],
            &["a", "a"],
            &["a", "b"],
            &[""],
            &["a b"],
            &["a@b"],
            &["a:b"],
            &["[::1"],
            &["[x]"],
            &["a..b"],
            &["<i>"],
        ] {
            assert_eq!(check("/", lines), Err(HostError::Invalid), "{lines:?}");
        }
        assert_eq!(check("http://BOARD1:80/x", &["board1:80"]), Ok(()));
        assert_eq!(check("http://board2/x", &["board1"]), Err(HostError::Invalid));
        assert_eq!(check("http://evil.example@board1/x", &["board1"]), Err(HostError::Invalid));
    }
}
