//! Redirect addresses of apps: where a person's browser goes with the authorisation code.
//!
//! They are compared byte for byte with those that the app has registered, so no two spellings of one address are known. Characters
//! that would need an escape in a header or a page are refused.

use super::code::{Code, Denied};
use super::limits::{REDIRECT_BYTES_MAX, REDIRECTS_MAX};

/// Redirect address of an app that cannot receive a code: the person copies it (out of band).
pub const REDIRECT_BY_HAND: &str = "urn:ietf:wg:oauth:2.0:oob";

/// Schemes of addresses that run or show something in the browser instead of leading to an app.
const SCHEMES_OF_BROWSERS: [&str; 10] =
    ["about", "blob", "data", "file", "filesystem", "javascript", "vbscript", "view-source", "ws", "wss"];

/// Checks the addresses to which an app may have people sent back.
///
/// # Errors
/// 606 if there is none or too many, they are too long, or one is not valid: an http or https address with a host, or one with a
/// scheme of an app; of visible ASCII characters, without a fragment and without a user name.
pub fn check_redirects(redirects: &[String]) -> Result<(), Denied> {
    let bytes: usize = redirects.iter().map(String::len).sum();
    let fit = (1..=REDIRECTS_MAX).contains(&redirects.len()) && bytes <= REDIRECT_BYTES_MAX;
    if fit && redirects.iter().all(|redirect| origin(redirect).is_some() || redirect == REDIRECT_BY_HAND) {
        Ok(())
    } else {
        Err(Denied::new(Code::InvalidEntry))
    }
}

/// Returns where an address leads to: `https://HOST` with the port, or `SCHEME:` for one of an app. `None` if it is not valid, or
/// leads nowhere.
pub fn origin(redirect: &str) -> Option<String> {
    let (scheme, rest) = redirect.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let plain = |c: char| c.is_ascii_graphic() && !"<>\"\\^`{|}#".contains(c);
    if !is_scheme || !rest.chars().all(plain) {
        return None;
    }
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "http" | "https" => {
            let host = rest.strip_prefix("//")?.split(['/', '?']).next()?;
            let begins = host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
            let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
            (begins && host.chars().all(is_host)).then(|| format!("{scheme}://{host}"))
        }
        "urn" => None,
        scheme => (!SCHEMES_OF_BROWSERS.contains(&scheme)).then(|| format!("{scheme}:")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_a_host_or_to_an_app() {
        for (redirect, leads_to) in [
            ("https://app.example/back?from=ribbit", "https://app.example"),
            ("http://127.0.0.1:4711", "http://127.0.0.1:4711"),
            ("HTTP://[::1]:80/", "http://[::1]:80"),
            ("com.example.frogs:/oauth", "com.example.frogs:"),
            ("tusky://callback", "tusky:"),
        ] {
            assert_eq!(origin(redirect).as_deref(), Some(leads_to));
        }
    }

    #[test]
    fn addresses_that_run_something_or_hide_their_host_are_refused() {
        for wrong in [
            "",
            "app.example/back",
            "//app.example",
            "https:app.example",
            "https:///back",
            "ws://app.example/back",
            "wss://app.example/back",
            "https://good.example@evil.example/",
            "https://good.example\\@evil.example/",
            "https://a b/",
            "https://a/#fragment",
            "https://a/\r\nset-cookie: a=b",
            "https://ä.example/",
            "https://a;script-src *",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,hello",
            "urn:ietf:wg:oauth:2.0:oob:auto",
            "1app:back",
            ":back",
        ] {
            assert_eq!(origin(wrong), None, "{wrong}");
            assert!(check_redirects(&[wrong.to_string()]).is_err(), "{wrong}");
        }
        assert!(check_redirects(&[REDIRECT_BY_HAND.to_string(), "a:".to_string()]).is_ok());
        assert!(check_redirects(&[]).is_err());
        assert!(check_redirects(&vec!["a:".to_string(); REDIRECTS_MAX + 1]).is_err());
        assert!(check_redirects(&[format!("a:{}", "b".repeat(REDIRECT_BYTES_MAX))]).is_err());
    }
}
