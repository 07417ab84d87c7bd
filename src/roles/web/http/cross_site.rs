//! Protection against cross-site request forgery: recognises requests from other sites' pages.
//!
//! There are three independent measures, because each is missing in some browser or situation:
//!
//! - The cookies are `SameSite=Lax`: browsers do not send them with another site's form, image or stream.
//! - On encrypted connections and on this machine browsers send `Sec-Fetch-Site`. Only this site's pages (`same-origin`) and typed
//!   addresses (`none`) are accepted, not another port of the same host (`same-site`).
//! - Otherwise they send `Origin` with every form, and `Referer` with most other requests. It must name this site.
//!
//! A request without any of these headers comes from a program, whose cookies no page can use.

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName, HeaderValue, ORIGIN, REFERER};

/// Returns true for a form that was sent from another site.
pub(in crate::web) fn form(headers: &HeaderMap, secure: bool) -> bool {
    let site = site(headers);
    if site.is_some_and(is_elsewhere) {
        return true;
    }
    match headers.get(ORIGIN) {
        None => false,
        // A page without an origin (a file, a sandboxed frame), unless `Sec-Fetch-Site` says that it is of this site.
        Some(origin) if origin == "null" => site.is_none(),
        Some(_) => !is_ours(headers, &ORIGIN, secure),
    }
}

/// Returns true for a stream, image or file that another site's page loads.
pub(in crate::web) fn load(headers: &HeaderMap, secure: bool) -> bool {
    match site(headers) {
        Some(site) => is_elsewhere(site),
        None => {
            [ORIGIN, REFERER].iter().any(|name| headers.contains_key(name) && !is_ours(headers, name, secure))
        }
    }
}

/// Returns true for a page that the browser says this site's own page or its user has asked for. Only browsers on encrypted
/// connections and on this machine say so.
pub(in crate::web) fn is_own_navigation(headers: &HeaderMap) -> bool {
    site(headers).is_some_and(|site| !is_elsewhere(site))
}

fn site(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get("sec-fetch-site").map(HeaderValue::as_bytes)
}

fn is_elsewhere(site: &[u8]) -> bool {
    site != b"same-origin" && site != b"none"
}

/// Returns true if an address in a header is one of this site. On an encrypted connection an unencrypted page is not: anyone on the
/// network could have sent it. On an unencrypted one `https` is accepted, since an unknown proxy may have decrypted it.
fn is_ours(headers: &HeaderMap, name: &HeaderName, secure: bool) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(address), Some(host)) = (text(name), text(&HOST)) else { return false };
    let Some((scheme, rest)) = address.split_once("://") else { return false };
    let named = rest.split('/').next().unwrap_or_default();
    named.eq_ignore_ascii_case(host) && (scheme == "https" || (scheme == "http" && !secure))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        headers
    }

    const HOST_LINE: (&str, &str) = ("host", "frogs.lan:8080");

    #[test]
    fn forms_of_other_sites_are_told_from_ours() {
        let foreign = |lines: &[_]| form(&headers(lines), false);
        let host = HOST_LINE;
        assert!(!foreign(&[host]));
        assert!(!foreign(&[host, ("origin", "http://FROGS.lan:8080")]));
        assert!(!foreign(&[host, ("origin", "https://frogs.lan:8080")]), "a proxy may have taken that off");
        assert!(!foreign(&[host, ("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(foreign(&[host, ("origin", "http://frogs.lan")]));
        assert!(foreign(&[host, ("origin", "null")]));
        assert!(foreign(&[host, ("sec-fetch-site", "same-site")]));
        assert!(foreign(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(foreign(&[host, ("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")]));
        assert!(foreign(&[("origin", "http://frogs.lan:8080")]));
        assert!(foreign(&[host, ("origin", "ftp://frogs.lan:8080")]));
        let clear = headers(&[host, ("origin", "http://frogs.lan:8080")]);
        assert!(form(&clear, true), "a page that others on the network may have made");
        assert!(!form(&headers(&[host, ("origin", "https://frogs.lan:8080")]), true));
    }

    #[test]
    fn what_other_sites_load_is_told_from_what_ours_do() {
        let foreign = |lines: &[_]| load(&headers(lines), false);
        let host = HOST_LINE;
        assert!(!foreign(&[host]));
        assert!(!foreign(&[host, ("sec-fetch-site", "none")]));
        assert!(!foreign(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(!foreign(&[host, ("referer", "http://frogs.lan:8080/messages/bob")]));
        assert!(foreign(&[host, ("referer", "http://frogs.lan:9999/")]), "the neighbour on another port");
        assert!(foreign(&[host, ("origin", "http://evil.example"), ("referer", "http://frogs.lan:8080/")]));
        assert!(foreign(&[host, ("origin", "null")]));
        for site in ["same-site", "cross-site", "whatever"] {
            assert!(foreign(&[host, ("sec-fetch-site", site)]), "{site}");
        }
    }
}
