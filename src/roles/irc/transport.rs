//! A client's connection: lines in at a bounded rate, read ahead of what is served; whole writes out.

use super::codec::line::Line;
use super::codec::lines::{Input, Lines};
use super::limits::{HANDSHAKE_DEADLINE, INPUTS_QUEUED_MAX, LINES, OUTPUT_BYTES, TLS_BUFFER_BYTES_MAX};
use super::{HOST, SERVER};
use crate::common::rate_limit::{TokenBucket, micros};
use crate::common::service::connection::Connection;
use crate::common::service::limits::WRITE_STALL;
use crate::common::tls::ServerTls;
use futures_rustls::TlsAcceptor;
use ribbit_net::tasks;
use smol::channel::{self, Receiver, Sender};
use smol::future::or;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use smol::{Task, Timer};
use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// Size of one read, in bytes.
const READ_BYTES: usize = 4 * 1024;

/// A connection, encrypted or not.
pub(super) struct Transport {
    /// Lines of the client; closed at its end.
    pub(super) inputs: Receiver<Input>,
    pub(super) output: Output,
    /// Reads ahead until this is dropped.
    _reading: Task<()>,
}

impl Transport {
    /// Performs the TLS handshake, if there is a certificate, and begins to read. `None` if the handshake fails.
    pub(super) async fn open(connection: &Connection, tls: Option<&ServerTls>) -> Option<Transport> {
        let stream = connection.stream.clone();
        let Some(tls) = tls else {
            let (reader, writer) = (stream.clone(), stream);
            return Some(Transport::over(Box::pin(reader), Box::pin(writer)));
        };
        match within(HANDSHAKE_DEADLINE, async { TlsAcceptor::from(tls.config()).accept(stream).await }).await
        {
            Ok(mut stream) => {
                stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER_BYTES_MAX));
                let (reader, writer) = split(stream);
                Some(Transport::over(Box::pin(reader), Box::pin(writer)))
            }
            Err(error) => {
                log::debug!("TLS handshake failed: {error}");
                None
            }
        }
    }

    fn over(
        reader: Pin<Box<dyn AsyncRead + Send + Sync>>,
        writer: Pin<Box<dyn AsyncWrite + Send + Sync>>,
    ) -> Transport {
        let (sender, inputs) = channel::bounded(INPUTS_QUEUED_MAX);
        let output = Output { writer, waiting: String::new(), broken: false };
        Transport { inputs, output, _reading: tasks::spawn(read(reader, sender)) }
    }
}

/// Fails with `TimedOut` if `done` takes longer than `time`.
async fn within<T>(time: Duration, done: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = async {
        Timer::after(time).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    or(done, late).await
}

/// Reads until the end of the stream.
async fn read(mut reader: Pin<Box<dyn AsyncRead + Send + Sync>>, inputs: Sender<Input>) {
    let (mut lines, mut bucket, began) = (Lines::default(), TokenBucket::default(), Instant::now());
    let mut bytes = vec![0; READ_BYTES];
    loop {
        let count = match reader.read(&mut bytes).await {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) => return log::debug!("connection lost: {error}"),
        };
        for input in lines.receive(&bytes[..count]) {
            while let Err(wait) = bucket.take(LINES, micros(began.elapsed())) {
                Timer::after(wait).await;
            }
            if inputs.send(input).await.is_err() {
                return;
            }
        }
    }
}

/// Lines to a client: collected, and written whole.
pub(super) struct Output {
    writer: Pin<Box<dyn AsyncWrite + Send + Sync>>,
    waiting: String,
    /// A write has failed or was dropped, perhaps in the middle of a line. Nothing is written after it.
    broken: bool,
}

impl Output {
    /// Appends a line to those that wait.
    pub(super) fn push(&mut self, line: &Line) {
        if !self.broken {
            self.waiting.push_str(&line.encode());
        }
    }

    /// Appends the line that says why the connection ends.
    pub(super) fn error(&mut self, words: &str) {
        self.waiting.push_str(&format!("ERROR :Closing link ({HOST}): {words}\r\n"));
    }

    /// Appends a notice of the server to `target`.
    pub(super) fn notice(&mut self, target: &str, words: &str) {
        self.push(&Line::new(SERVER, "NOTICE").with(target).with(words));
    }

    /// Writes the lines that wait if there are many of them.
    ///
    /// # Errors
    /// As [`Output::flush`].
    pub(super) async fn flush_many(&mut self) -> io::Result<()> {
        if self.waiting.len() < OUTPUT_BYTES { Ok(()) } else { self.flush().await }
    }

    /// Writes the lines that wait.
    ///
    /// # Errors
    /// The error of the stream; `TimedOut` when the client takes none of them within `WRITE_STALL`; `BrokenPipe` after an earlier
    /// error, or after a call that was dropped.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.broken {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.broken = true;
        for piece in waiting.as_bytes().chunks(OUTPUT_BYTES) {
            let write = async {
                self.writer.write_all(piece).await?;
                self.writer.flush().await
            };
            within(WRITE_STALL, write).await?;
        }
        self.broken = false;
        Ok(())
    }

    /// Ends the stream, with the TLS close notification if it is encrypted.
    pub(super) async fn close(&mut self) {
        if let Err(error) = within(WRITE_STALL, async { self.writer.close().await }).await {
            log::debug!("a connection was not closed in order: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::poll_once;
    use std::task::{Context, Poll};

    /// Takes five bytes and then no more.
    struct Stalled(usize);

    impl AsyncWrite for Stalled {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(5 - self.0);
            self.0 += taken;
            if taken == 0 { Poll::Pending } else { Poll::Ready(Ok(taken)) }
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn nothing_follows_half_a_line() {
        let mut output = Output { writer: Box::pin(Stalled(0)), waiting: String::new(), broken: false };
        output.push(&Line::new(SERVER, "PING"));
        assert!(smol::block_on(poll_once(output.flush())).is_none(), "the write is dropped half-way");
        output.push(&Line::new(SERVER, "PONG"));
        let after = smol::block_on(output.flush());
        assert_eq!(after.map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
        assert!(output.waiting.is_empty());
    }
}
