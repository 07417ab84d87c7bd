//! HOST:PORT, as people type it: checked, never resolved.

/// A name or an address (IPv6 in brackets) and a port; 0 asks for any free one.
///
/// # Errors
/// What is wrong, for people.
pub fn listen(text: &str) -> Result<String, String> {
    split(text).map(|_| text.to_string())
}

/// As [`listen`], of somebody else: the port cannot be 0.
///
/// # Errors
/// What is wrong, for people.
pub fn peer(text: &str) -> Result<String, String> {
    match split(text)? {
        (_, 0) => Err("port 0 is nobody's address".to_string()),
        _ => Ok(text.to_string()),
    }
}

/// Host and port.
///
/// # Errors
/// What is wrong, for people.
pub fn split(text: &str) -> Result<(&str, u16), String> {
    let expected = || "expected HOST:PORT, like board1:9000 or 127.0.0.1:8080".to_string();
    let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
    let bare = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.contains(':'),
    };
    if host.is_empty() || !bare || host.contains(|c: char| c.is_whitespace() || c == ',' || c == '/') {
        return Err(expected());
    }
    // `parse` would take a sign.
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(expected());
    }
    let port = port.parse().map_err(|_| "a port is a number from 0 to 65535".to_string())?;
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        assert_eq!(split("board1:9000"), Ok(("board1", 9000)));
        assert_eq!(split("[::1]:0"), Ok(("[::1]", 0)));
        for wrong in
            ["", "a", "a:", ":1", "a:+1", "a:65536", "::1:80", "[x]:1", "a b:1", "http://a:1", "a,b:1"]
        {
            assert!(listen(wrong).is_err(), "{wrong:?}");
        }
        assert!(listen("a:0").is_ok() && peer("a:0").is_err());
    }
}
