//! The names that this site goes by, against DNS rebinding: a stranger's page whose name suddenly leads to this machine
//! would be of the same origin as ours, and could read and do everything here. Its browser still says its name.
//!
//! What nobody outside can have lead here is taken: addresses, names of one label, `localhost`, this machine's own
//! name and that with `.local`. Everything else has to be named with `--host`.

use hyper::HeaderMap;
use hyper::Uri;
use hyper::header::HOST;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longer is no name.
const NAME_BYTES_MAX: usize = 253;

/// What is wrong with the host that a request names.
#[derive(Debug, PartialEq, Eq)]
pub enum HostError {
    /// None, two, or none that can be.
    Invalid,
    /// A name that is not ours.
    Unknown(String),
}

/// In lower case.
#[derive(Debug, Default)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// `machine` is this machine's own name.
    pub fn new(named: &[String], machine: &str) -> AllowedHosts {
        let label = machine.split('.').next().unwrap_or_default();
        let own = [machine.to_string(), format!("{label}.local")];
        AllowedHosts(own.iter().chain(named).map(|name| plain(name)).collect())
    }

    /// Looks at what a request says it is for.
    ///
    /// # Errors
    /// Why it is not answered.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), HostError> {
        let mut lines = headers.get_all(HOST).into_iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return Err(HostError::Invalid) };
        let host = line.to_str().map_err(|_| HostError::Invalid)?;
        // `GET http://host/path`: two names for one request are one too many.
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

/// The name without its port: `frogs.lan`, `10.0.0.7`, `[fd00::7]`. Nothing for what cannot be one.
pub fn name_in(host: &str) -> Option<String> {
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
