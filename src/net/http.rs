//! The part of HTTP that monitoring systems need. A connection that begins with `GET ` instead of a preface gets one
//! response and is closed. So one port serves members, clients and monitoring.
//!
//! The head of the request is read to its end, within a timeout and a size, and only its path is used. There are no bodies,
//! no keep-alive, and no requests that change anything.
//!
//! Not here: the contents of the pages (the caller).

use super::frame::{self, FrameError};
use super::limits::{HTTP_DEADLINE, HTTP_HEAD_BYTES_MAX};
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// First bytes of an HTTP request.
pub const GET: &[u8; 4] = b"GET ";
/// Content type of metrics for Prometheus.
pub const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Content type of plain text.
pub(crate) const PLAIN_TYPE: &str = "text/plain; charset=utf-8";

/// HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: HttpStatus,
    pub content_type: &'static str,
    pub body: String,
}

/// HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpStatus {
    Ok,
    BadRequest,
    NotFound,
    HeadTooLong,
    Unavailable,
}

impl HttpStatus {
    /// Returns the code and the reason of the status line.
    fn line(self) -> &'static str {
        match self {
            HttpStatus::Ok => "200 OK",
            HttpStatus::BadRequest => "400 Bad Request",
            HttpStatus::NotFound => "404 Not Found",
            HttpStatus::HeadTooLong => "431 Request Header Fields Too Large",
            HttpStatus::Unavailable => "503 Service Unavailable",
        }
    }
}

impl HttpResponse {
    /// Creates a page of metrics.
    pub fn metrics(body: String) -> HttpResponse {
        HttpResponse { status: HttpStatus::Ok, content_type: METRICS_TYPE, body }
    }

    /// Creates a page with one line of text.
    pub fn text(status: HttpStatus, text: &str) -> HttpResponse {
        HttpResponse { status, content_type: PLAIN_TYPE, body: format!("{text}\n") }
    }

    /// Encodes the response.
    fn to_bytes(&self) -> Vec<u8> {
        let HttpResponse { status, content_type, body } = self;
        let (status, length) = (status.line(), body.len());
        format!(
            "HTTP/1.0 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nCache-Control: \
             no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// Answers a request, of which `GET ` was read already, with the page of its path.
///
/// # Errors
/// `TimedOut` when the head or the writing of the response takes too long, `Closed` when the client closes the connection
/// first, `Io` when the socket fails.
pub async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    page: impl FnOnce(&str) -> Option<HttpResponse>,
) -> Result<(), FrameError> {
    let head = frame::with_timeout(HTTP_DEADLINE, read_head(stream)).await?;
    let page = match head.as_deref().map(path) {
        None => HttpResponse::text(HttpStatus::HeadTooLong, "The request is too long."),
        Some(None) => HttpResponse::text(HttpStatus::BadRequest, "The request is not valid."),
        Some(Some(path)) => page(path).unwrap_or_else(|| {
            HttpResponse::text(HttpStatus::NotFound, "Page not found. This port has /metrics and /health.")
        }),
    };
    frame::write_bytes(stream, &page.to_bytes()).await
}

/// Reads the head, or returns `None` when it is too long.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Option<Vec<u8>>, FrameError> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !ends(&head) {
        if head.len() > HTTP_HEAD_BYTES_MAX {
            return Ok(None);
        }
        match stream.read(&mut piece).await? {
            0 => return Err(FrameError::Closed),
            bytes => head.extend_from_slice(&piece[..bytes]),
        }
    }
    Ok(Some(head))
}

/// Returns true if the head contains the empty line at its end.
fn ends(head: &[u8]) -> bool {
    head.windows(4).any(|four| four == b"\r\n\r\n") || head.windows(2).any(|two| two == b"\n\n")
}

/// Returns the path of the request without its query, or `None` when it is invalid.
fn path(head: &[u8]) -> Option<&str> {
    let line = head.split(|byte| *byte == b'\r' || *byte == b'\n').next()?;
    let target = std::str::from_utf8(line).ok()?.split(' ').next()?;
    target.starts_with('/').then(|| target.split('?').next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::io::Cursor;

    /// Returns the response to a request.
    fn answered(request: &str) -> Result<String, FrameError> {
        let mut stream = Cursor::new(request.as_bytes().to_vec());
        let known = |path: &str| (path == "/health").then(|| HttpResponse::text(HttpStatus::Ok, "fine"));
        smol::block_on(answer(&mut stream, known))?;
        let bytes = stream.into_inner();
        let text = String::from_utf8_lossy(&bytes);
        Ok(text[text.rfind("HTTP/1.0 ").expect("an answer")..].to_string())
    }

    #[test]
    fn a_path_is_answered_with_any_version_query_and_headers() {
        for request in ["/health HTTP/1.0\r\n\r\n", "/health?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", "/health\n\n"]
        {
            let said = answered(request).unwrap();
            assert!(said.starts_with("HTTP/1.0 200 OK\r\n") && said.ends_with("\r\n\r\nfine\n"), "{said}");
        }
        assert!(answered("/ HTTP/1.0\r\n\r\n").unwrap().starts_with("HTTP/1.0 404 "));
        assert!(answered("health HTTP/1.0\r\n\r\n").unwrap().starts_with("HTTP/1.0 400 "));
        assert!(answered("\r\n\r\n").unwrap().starts_with("HTTP/1.0 400 "));
    }

    #[test]
    fn long_and_incomplete_heads_are_refused() {
        let long = format!("/health HTTP/1.0\r\nX: {}", "x".repeat(2 * HTTP_HEAD_BYTES_MAX));
        assert!(answered(&long).unwrap().starts_with("HTTP/1.0 431 "));
        assert!(matches!(answered("/health HTTP/1.0\r\n"), Err(FrameError::Closed)));
    }
}
