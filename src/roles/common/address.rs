//! Parser of HOST:PORT as typed by users. It checks the syntax and resolves no name.

/// Parses a listen address: a host name or IP address (IPv6 in brackets) and a port; 0 means any free port.
///
/// # Errors
/// A message for the user if the text is not HOST:PORT.
pub fn listen(text: &str) -> Result<String, String> {
    split(text).map(|_| text.to_string())
}

/// Parses the address of another process: as [`listen`], but the port must not be 0.
///
/// # Errors
/// A message for the user if the text is not HOST:PORT, or the port is 0.
pub fn peer(text: &str) -> Result<String, String> {
    match split(text)? {
        (_, 0) => Err("port 0 cannot be connected to".to_string()),
        _ => Ok(text.to_string()),
    }
}

/// Splits the text into host and port.
///
/// # Errors
/// A message for the user if the text is not HOST:PORT.
pub fn split(text: &str) -> Result<(&str, u16), String> {
    let expected = || "expected HOST:PORT, such as board1:9000 or 127.0.0.1:8080".to_string();
    let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
    let bare = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.contains(':'),
    };
    if host.is_empty() || !bare || host.contains(|c: char| c.is_whitespace() || c == ',' || c == '/') {
        return Err(expected());
    }
    // `parse` would accept a sign.
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
