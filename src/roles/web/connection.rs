//! A browser's connection, encrypted or not: one type, so that everything above it is there once.
//!
//! It stands between hyper and the socket in two matters that hyper leaves to it:
//!
//! - **A browser that has said all.** hyper takes the end of what it reads for a browser that left, and drops the request under
//!   way. The end is withheld until the answer is out.
//! - **A head that is none.** hyper answers that by itself, without a body and without the headers that every answer carries. What
//!   it writes before a request was understood is kept back ([`HttpStream::refused`]), and answered by us.

use super::timeouts::{ConnectionClock, TimedStream};
use futures_rustls::server::TlsStream;
use smol::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pub enum Transport {
    Plain(Box<TimedStream>),
    Tls(Box<TlsStream<TimedStream>>),
}

pub struct HttpStream {
    stream: Transport,
    watch: ConnectionClock,
    /// Who waits for an end that was withheld.
    withheld: Option<Waker>,
    /// The beginning of what hyper wrote by itself.
    kept_back: Vec<u8>,
}

/// As much of a status line as has the status in it: `HTTP/1.1 400`.
const STATUS_BYTES: usize = 12;

impl HttpStream {
    pub fn new(stream: Transport, watch: ConnectionClock) -> HttpStream {
        HttpStream { stream, watch, withheld: None, kept_back: Vec::new() }
    }

    pub fn is_tls(&self) -> bool {
        matches!(self.stream, Transport::Tls(_))
    }

    /// The status with which hyper would have answered a head that is none.
    pub fn refused(&self) -> Option<u16> {
        std::str::from_utf8(self.kept_back.get(STATUS_BYTES - 3..STATUS_BYTES)?).ok()?.parse().ok()
    }

    /// Writes what hyper has no part in.
    ///
    /// # Errors
    /// The browser does not take it.
    pub async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Transport::Plain(stream) => stream.write_all(bytes).await,
            Transport::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    /// Says, where that can be said, that everything was sent: what ends without is known to be cut short.
    pub async fn say_end(&mut self) {
        if let Transport::Tls(stream) = &mut self.stream {
            stream.get_mut().1.send_close_notify();
            if let Err(error) = stream.flush().await {
                log::debug!("a browser's connection ended before its end: {error}");
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
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        if matches!(read, Poll::Ready(Ok(0))) && self.watch.owes_an_answer() {
            self.watch.end();
            // A form that is read now ends here, whole or not.
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
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.stream {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
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
            Transport::Plain(stream) => Pin::new(stream).poll_close(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}
