//! A browser's connection, encrypted or not, as one type for the layers above.
//!
//! It sits between hyper and the socket and changes two things:
//!
//! - **Half-closed connections.** hyper takes the end of input for a browser that has left, and drops the request in progress. The
//!   end of input is withheld until the answer is written.
//! - **Invalid request heads.** hyper answers them by itself, without a body and without the security headers. Its answer is held back
//!   ([`HttpStream::refused`]) and replaced.

use crate::web::http::timeouts::{ConnectionClock, TimedStream};
use futures_rustls::server::TlsStream;
use smol::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pub(in crate::web) enum PlainOrTls {
    Plain(Box<TimedStream>),
    Tls(Box<TlsStream<TimedStream>>),
}

pub(in crate::web) struct HttpStream {
    stream: PlainOrTls,
    watch: ConnectionClock,
    /// Task that waits for an end that was withheld.
    withheld: Option<Waker>,
    /// Beginning of what hyper wrote by itself.
    kept_back: Vec<u8>,
}

/// Length of the part of a status line that holds the status: `HTTP/1.1 400`.
const STATUS_BYTES: usize = 12;

impl HttpStream {
    pub(in crate::web) fn new(stream: PlainOrTls, watch: ConnectionClock) -> HttpStream {
        HttpStream { stream, watch, withheld: None, kept_back: Vec::new() }
    }

    pub(in crate::web) fn is_tls(&self) -> bool {
        matches!(self.stream, PlainOrTls::Tls(_))
    }

    /// Returns the status with which hyper would have answered an invalid request head.
    pub(in crate::web) fn refused(&self) -> Option<u16> {
        std::str::from_utf8(self.kept_back.get(STATUS_BYTES - 3..STATUS_BYTES)?).ok()?.parse().ok()
    }

    /// Writes bytes to the browser, bypassing hyper.
    ///
    /// # Errors
    /// Any I/O error of the stream.
    pub(in crate::web) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            PlainOrTls::Plain(stream) => stream.write_all(bytes).await,
            PlainOrTls::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    /// Sends the TLS close notification. Without it the browser knows that the answer was truncated.
    pub(in crate::web) async fn say_end(&mut self) {
        if let PlainOrTls::Tls(stream) = &mut self.stream {
            stream.get_mut().1.send_close_notify();
            if let Err(error) = stream.flush().await {
                log::debug!("connection ended before the TLS close notification: {error}");
            }
        }
    }
}

impl AsyncRead for HttpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = match &mut self.stream {
            PlainOrTls::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            PlainOrTls::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        if matches!(read, Poll::Ready(Ok(0))) && self.watch.owes_an_answer() {
            self.watch.end();
            // A form that is being read ends here, complete or not.
            if self.withheld.replace(cx.waker().clone()).is_none() {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        read
    }
}

impl AsyncWrite for HttpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.watch.awaits_a_head() {
            let room = STATUS_BYTES.saturating_sub(self.kept_back.len()).min(bytes.len());
            self.kept_back.extend_from_slice(&bytes[..room]);
            return Poll::Ready(Ok(bytes.len()));
        }
        match &mut self.stream {
            PlainOrTls::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            PlainOrTls::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.stream {
            PlainOrTls::Plain(stream) => Pin::new(stream).poll_flush(cx),
            PlainOrTls::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.watch.sent();
            if !self.watch.owes_an_answer() {
                self.withheld.take().into_iter().for_each(Waker::wake);
            }
        }
        flushed
    }
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            PlainOrTls::Plain(stream) => Pin::new(stream).poll_close(cx),
            PlainOrTls::Tls(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}
