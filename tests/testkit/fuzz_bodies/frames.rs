//! Input from sockets: prefaces, frames, links of members, and as much of HTTP as a member's port speaks.

use ribbit_net::frame::{self, FrameError};
use ribbit_net::handshake::{PREFACE_BYTES, Preface};
use ribbit_net::http::{self, HttpResponse};
use ribbit_net::peer;
use smol::io::{AsyncRead, AsyncWrite};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Far below what the planes allow, so that a short input can be too long.
const LIMIT: usize = 1_024;
/// Head of an answer, with all that the page below says.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

pub fn run(data: &[u8]) {
    if let Some(preface) = data.first_chunk::<PREFACE_BYTES>()
        && let Ok(understood) = Preface::parse(preface)
    {
        assert_eq!(understood.to_bytes(), *preface);
    }
    smol::block_on(async {
        frames(data).await;
        link(data).await;
        page(data).await;
    });
}

/// Every frame is what stands there, and none is longer than allowed.
async fn frames(data: &[u8]) {
    let mut rest = data;
    loop {
        let before = rest;
        match frame::read_bytes(&mut rest, LIMIT).await {
            Ok(bytes) => {
                assert!(bytes.len() <= LIMIT);
                assert_eq!(before.len() - rest.len(), bytes.len() + 4);
                assert_eq!(before[4..][..bytes.len()], bytes);
            }
            Err(FrameError::TooLong { length, limit }) => {
                assert!(length > limit && before.len() - rest.len() == 4, "nothing of it is read");
                return;
            }
            Err(FrameError::Closed) => return,
            Err(other) => panic!("bytes in memory end, and no more: {other}"),
        }
    }
}

async fn link(data: &[u8]) {
    let mut rest = data;
    while let Ok(sent) = peer::read(&mut rest).await {
        let again = peer::encode(&sent);
        assert_eq!(peer::read(&mut &again[..]).await.ok(), Some(sent));
    }
}

/// A connection in memory.
struct Wire<'a> {
    incoming: &'a [u8],
    outgoing: Vec<u8>,
}

impl AsyncRead for Wire<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.incoming).poll_read(cx, bytes)
    }
}

impl AsyncWrite for Wire<'_> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.outgoing).poll_write(cx, bytes)
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Asserts that a request for a page gets one whole answer, or none.
async fn page(data: &[u8]) {
    let Some(incoming) = data.strip_prefix(http::GET) else { return };
    let mut wire = Wire { incoming, outgoing: Vec::new() };
    let answered = http::answer(&mut wire, |path| {
        assert!(path.starts_with('/') && !path.contains(['?', ' ', '\r', '\n']));
        (path == "/metrics").then(|| HttpResponse::metrics("frogs 1\n".into()))
    });
    if answered.await.is_err() {
        assert!(wire.outgoing.is_empty());
        return;
    }
    let text = String::from_utf8(wire.outgoing).expect("an answer is text");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
    assert!(head.starts_with("HTTP/1.0 ") && text.len() < ANSWER_BYTES_MAX);
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
}
