//! A client's connection: bounded reads, whole writes, and an end that loses no answer.

use super::limits::{LINGER, LINGER_BYTES_MAX, READ_BYTES, WRITE_STALL};
use crate::common::linger::linger;
use crate::common::shutdown::Shutdown;
use async_net::TcpStream;
use ribbit_net::address_limit::AddressSlot;
use smol::Timer;
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::lock::SemaphoreGuardArc;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Result of a bounded read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// Number of bytes that were appended; never 0.
    Bytes(usize),
    /// End of stream, or the connection is lost.
    End,
    /// Nothing arrived in time.
    Nothing,
}

/// A client's connection. It is counted until it is dropped.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    /// Address of the client.
    pub(crate) from: IpAddr,
    /// Position of the listener in the protocol's flag.
    pub(crate) listener: usize,
    shutdown: Arc<Shutdown>,
    _slot: (SemaphoreGuardArc, AddressSlot),
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        from: IpAddr,
        listener: usize,
        shutdown: Arc<Shutdown>,
        slot: (SemaphoreGuardArc, AddressSlot),
    ) -> Connection {
        Connection { stream, from, listener, shutdown, _slot: slot }
    }

    /// Returns the signal that the role is being stopped.
    pub(crate) fn shutdown(&self) -> Arc<Shutdown> {
        self.shutdown.clone()
    }

    /// Completes when the role is being stopped.
    pub(crate) fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        let shutdown = self.shutdown.clone();
        async move { shutdown.wait().await }
    }

    /// Reads once and appends the bytes to `buffer`, at most `READ_BYTES`. Waits at most `limit`. Cancel safe.
    pub(crate) async fn receive(&mut self, buffer: &mut Vec<u8>, limit: Duration) -> Received {
        receive(&mut self.stream, buffer, limit).await
    }

    /// Writes a whole answer, with one call if the kernel takes it.
    ///
    /// # Errors
    /// The error of the socket; `TimedOut` when the client does not take it within `WRITE_STALL`.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        send(&mut self.stream, bytes).await
    }

    /// Closes the connection so that the last answer arrives. A socket that is closed with unread bytes resets the connection.
    pub(crate) async fn finish(self) {
        linger(self.stream, LINGER_BYTES_MAX, LINGER).await;
    }
}

/// As [`Connection::receive`], for a part of a connection.
pub(crate) async fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>, limit: Duration) -> Received {
    // The buffer exists only once there is something to read: most connections wait.
    let read = async {
        if stream.peek(&mut [0]).await? == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; READ_BYTES];
        let count = stream.read(&mut bytes).await?;
        bytes.truncate(count);
        Ok::<_, io::Error>(bytes)
    };
    let read = async { Some(read.await) };
    let late = async {
        Timer::after(limit).await;
        None
    };
    match or(read, late).await {
        Some(Ok(bytes)) if !bytes.is_empty() => {
            buffer.extend_from_slice(&bytes);
            Received::Bytes(bytes.len())
        }
        Some(Ok(_) | Err(_)) => Received::End,
        None => Received::Nothing,
    }
}

/// As [`Connection::send`], for a part of a connection.
///
/// # Errors
/// As [`Connection::send`].
pub(crate) async fn send(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let late = async {
        Timer::after(WRITE_STALL).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    or(stream.write_all(bytes), late).await
}
