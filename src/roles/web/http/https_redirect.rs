//! Redirects from HTTP to HTTPS: on the separate HTTP port (`--http`), and for plain HTTP on the HTTPS port itself.
//!
//! A GET is redirected. A form is refused instead: it has crossed the network unencrypted, and its sender should know.

use crate::web::http::hosts::name_in;
use crate::web::http::response::{self, WebResponse, closing};
use hyper::header::{HOST, HeaderValue, LOCATION};
use hyper::{HeaderMap, Method, StatusCode, Uri};

/// Default port of HTTPS.
const HTTPS_PORT: u16 = 443;

/// RedirectPort that a browser is redirected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum RedirectPort {
    /// The port of this connection.
    Same,
    Other(u16),
}

/// Returns the requested address with `https`, or `None` if the request names no host. The host was checked.
fn address(uri: &Uri, headers: &HeaderMap, port: RedirectPort) -> Option<HeaderValue> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let site = match port {
        RedirectPort::Same => host.to_string(),
        RedirectPort::Other(HTTPS_PORT) => name_in(host)?,
        RedirectPort::Other(port) => format!("{}:{port}", name_in(host)?),
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    HeaderValue::from_str(&format!("https://{site}{path}")).ok()
}

/// Redirects a request to HTTPS. With 307, because browsers cache 308 for good, and HTTPS may be turned off again.
pub(in crate::web) fn answer(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    port: RedirectPort,
) -> WebResponse {
    match address(uri, headers, port).filter(|_| matches!(*method, Method::GET | Method::HEAD)) {
        Some(address) => {
            let mut answer = response::see_other("/");
            *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
            answer.headers_mut().insert(LOCATION, address);
            answer
        }
        None => closing(response::plain(
            StatusCode::FORBIDDEN,
            "This site uses HTTPS, so nothing was changed. Put https:// in front of the address and try again. Others on this \
             network may have read what you sent.\n",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(method: Method, uri: &str, host: &'static str, port: RedirectPort) -> (u16, String) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(host));
        let answer = answer(&method, &uri.parse().unwrap(), &headers, port);
        let location = answer.headers().get(LOCATION).map_or("", |value| value.to_str().unwrap());
        (answer.status().as_u16(), location.to_string())
    }

    #[test]
    fn a_get_is_redirected_to_the_same_address_and_a_form_is_refused() {
        for (uri, host, port, address) in [
            ("/main?before=7", "frogs.lan", RedirectPort::Other(443), "https://frogs.lan/main?before=7"),
            ("/", "frogs.lan:8080", RedirectPort::Other(8443), "https://frogs.lan:8443/"),
            ("/", "[fd00::7]:80", RedirectPort::Other(443), "https://[fd00::7]/"),
            ("/@ada", "board1:8443", RedirectPort::Same, "https://board1:8443/@ada"),
            ("http://board1/@ada", "board1", RedirectPort::Same, "https://board1/@ada"),
            ("//evil.example", "board1", RedirectPort::Other(443), "https://board1//evil.example"),
        ] {
            assert_eq!(led(Method::GET, uri, host, port), (307, address.to_string()));
            assert_eq!(led(Method::POST, uri, host, port), (403, String::new()));
        }
    }
}
