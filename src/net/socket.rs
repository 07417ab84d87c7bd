//! Sockets: what every one of them is set to, and how one is read.
//!
//! Small frames leave at once (TCP_NODELAY), and the kernel probes a silent connection, so that one whose
//! other end lost its power ends within about a minute though nobody writes to it.

use super::limits::{KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES};
use async_net::TcpStream;
use rustix::net::sockopt;
use smol::Async;
use smol::io::AsyncRead;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Sets what every connection is set to, accepted or opened.
///
/// # Errors
/// The socket's: it is closed already.
pub fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)?;
    Ok(())
}

/// Ends this connection when what was sent on it was not acknowledged for so long.
///
/// # Errors
/// The socket's: it is closed already.
pub fn give_up_after(stream: &TcpStream, limit: Duration) -> io::Result<()> {
    let limit_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    Ok(sockopt::set_tcp_user_timeout(stream, limit_ms)?)
}

/// A connection's reading side, to put a buffer around. It asks the kernel only once the reactor has said that there
/// is something: a read that did not fill its buffer has emptied the socket, and asking again, whenever the task is
/// woken for another reason, would be a call for nothing. One task at a time may read.
#[derive(Debug)]
pub struct Incoming {
    stream: Arc<Async<std::net::TcpStream>>,
    /// As far as is known.
    empty: bool,
}

impl From<TcpStream> for Incoming {
    fn from(stream: TcpStream) -> Incoming {
        Incoming { stream: stream.into(), empty: true }
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.empty {
                ready!(self.stream.poll_readable(context))?;
                self.empty = false;
            }
            match self.stream.get_ref().read(bytes) {
                Ok(read) => {
                    self.empty = read < bytes.len();
                    return Poll::Ready(Ok(read));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.empty = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Waits until the other side says something, or closes.
///
/// # Errors
/// The reactor's.
pub async fn heard(stream: TcpStream) -> io::Result<()> {
    let stream: Arc<Async<std::net::TcpStream>> = stream.into();
    stream.readable().await
}
