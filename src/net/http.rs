//! As much of HTTP as a monitoring program speaks: a connection that begins with `GET ` instead of a preface gets one
//! answer and is closed. So one port serves members, people's programs and whoever looks after them.
//!
//! The head is read to its end and dropped but for the path, within a deadline and a size. No bodies, no keep-alive,
//! nothing that changes anything. What stands behind a path is the caller's.

use super::frame::{self, FrameError};
use super::limits::{HTTP_DEADLINE, HTTP_HEAD_BYTES_MAX};
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// How such a connection begins.
pub const GET: &[u8; 4] = b"GET ";
/// The type of what Prometheus reads.
pub const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
pub const PLAIN_TYPE: &str = "text/plain; charset=utf-8";

/// What a path is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub status: Status,
    pub content_type: &'static str,
    pub body: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Ok,
    BadRequest,
    NotFound,
    HeadTooLong,
    Unavailable,
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::HeadTooLong => "431 Request Header Fields Too Large",
            Status::Unavailable => "503 Service Unavailable",
        }
    }
}

impl Page {
    pub fn metrics(body: String) -> Page {
        Page { status: Status::Ok, content_type: METRICS_TYPE, body }
    }

    /// A line of words.
    pub fn words(status: Status, words: &str) -> Page {
        Page { status, content_type: PLAIN_TYPE, body: format!("{words}\n") }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let Page { status, content_type, body } = self;
        let (status, length) = (status.line(), body.len());
        format!(
            "HTTP/1.0 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nCache-Control: \
             no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// Answers a request of which `GET ` was read, with the page of its path.
///
/// # Errors
/// The head did not come in time, or the answer was not taken.
pub async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    page: impl FnOnce(&str) -> Option<Page>,
) -> Result<(), FrameError> {
    let head = frame::within(HTTP_DEADLINE, read_head(stream)).await?;
    let page = match head.as_deref().map(path) {
        None => Page::words(Status::HeadTooLong, "That is too long."),
        Some(None) => Page::words(Status::BadRequest, "That is no request."),
        Some(Some(path)) => page(path)
            .unwrap_or_else(|| Page::words(Status::NotFound, "There are /metrics and /health here.")),
    };
    frame::write_bytes(stream, &page.to_bytes()).await
}

/// All up to the empty line; nothing when that is too much.
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

fn ends(head: &[u8]) -> bool {
    head.windows(4).any(|four| four == b"\r\n\r\n") || head.windows(2).any(|two| two == b"\n\n")
}

/// The path behind `GET `, without its query.
fn path(head: &[u8]) -> Option<&str> {
    let line = head.split(|byte| *byte == b'\r' || *byte == b'\n').next()?;
    let target = std::str::from_utf8(line).ok()?.split(' ').next()?;
    target.starts_with('/').then(|| target.split('?').next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::io::Cursor;

    /// What is answered to this, and how far it was read.
    fn answered(request: &str) -> Result<String, FrameError> {
        let mut stream = Cursor::new(request.as_bytes().to_vec());
        let known = |path: &str| (path == "/health").then(|| Page::words(Status::Ok, "fine"));
        smol::block_on(answer(&mut stream, known))?;
        let bytes = stream.into_inner();
        let text = String::from_utf8_lossy(&bytes);
        Ok(text[text.rfind("HTTP/1.0 ").expect("an answer")..].to_string())
    }

    #[test]
    fn a_path_is_answered_whatever_stands_behind_it() {
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
    fn heads_are_bounded_and_half_a_head_is_none() {
        let long = format!("/health HTTP/1.0\r\nX: {}", "x".repeat(2 * HTTP_HEAD_BYTES_MAX));
        assert!(answered(&long).unwrap().starts_with("HTTP/1.0 431 "));
        assert!(matches!(answered("/health HTTP/1.0\r\n"), Err(FrameError::Closed)));
    }
}
