//! Socket options, and reading from sockets.
//!
//! Small frames are sent at once (TCP_NODELAY). The kernel probes silent connections (keepalive), so that a connection to a
//! machine that lost its power ends within about a minute even if nothing is written to it.
//!
//! Segments are short ([`limit_segments`]): a network that loses large packets without a word, as tunnels do, would otherwise carry
//! heartbeats and no entries. Linux looks for such a loss only if it is told to, and not within the time in which a leader is replaced.

use super::limits::{KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES, SEGMENT_BYTES_MAX};
use async_net::{TcpListener, TcpStream};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::TcpMaxSeg;
use rustix::net::sockopt;
use smol::Async;
use smol::io::AsyncRead;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Sets the options of every connection, accepted or opened.
///
/// # Errors
/// The error of the socket, which is closed already.
pub fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // A packet that is lost again and again is resent at the same interval, not after twice as long each time.
    sockopt::set_tcp_thin_linear_timeouts(stream, true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)?;
    Ok(())
}

/// Makes both sides of every connection to this listener send segments of at most `SEGMENT_BYTES_MAX`. Not on the loopback
/// interface, which loses nothing.
pub(crate) fn limit_segments(listener: &TcpListener) {
    if listener.local_addr().is_ok_and(|at| at.ip().is_loopback()) {
        return;
    }
    if let Err(error) = setsockopt(listener, TcpMaxSeg, &SEGMENT_BYTES_MAX) {
        log::debug!("segments stay long: {error}");
    }
}

/// Sets the options of a listener that this crate does not accept from. `backlog` new connections may wait in the kernel to be
/// accepted. The standard library allows 128. A connection beyond that is tried again after one second, then three.
pub fn tune_listener(listener: &TcpListener, backlog: i32) {
    limit_segments(listener);
    if let Err(error) = rustix::net::listen(listener, backlog) {
        log::debug!("the queue of new connections stays short: {error}");
    }
}

/// Sets the time after which the connection ends if sent data is not acknowledged.
///
/// # Errors
/// The error of the socket, which is closed already.
pub fn give_up_after(stream: &TcpStream, limit: Duration) -> io::Result<()> {
    let limit_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    Ok(sockopt::set_tcp_user_timeout(stream, limit_ms)?)
}

/// Unbuffered reader of a connection, for one task at a time.
///
/// It calls the kernel only after the reactor has reported the socket as readable. A read that did not fill its buffer has
/// emptied the socket, so another read when the task is woken for another reason would be a wasted system call.
#[derive(Debug)]
pub struct SocketReader {
    stream: Arc<Async<std::net::TcpStream>>,
    /// True if the last read has emptied the socket.
    empty: bool,
}

impl From<TcpStream> for SocketReader {
    fn from(stream: TcpStream) -> SocketReader {
        SocketReader { stream: stream.into(), empty: true }
    }
}

impl AsyncRead for SocketReader {
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

/// Waits until the other side sends data or closes the connection.
///
/// # Errors
/// The error of the reactor.
pub async fn heard(stream: TcpStream) -> io::Result<()> {
    let stream: Arc<Async<std::net::TcpStream>> = stream.into();
    stream.readable().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::getsockopt;

    #[test]
    fn both_sides_of_a_connection_to_another_machine_send_short_segments() {
        smol::block_on(async {
            let bound = TcpListener::bind("0.0.0.0:0").await.unwrap();
            limit_segments(&bound);
            let near = TcpStream::connect(("127.0.0.1", bound.local_addr().unwrap().port())).await.unwrap();
            let (far, _) = bound.accept().await.unwrap();
            for stream in [&near, &far] {
                let bytes = getsockopt(stream, TcpMaxSeg).unwrap();
                assert!(bytes <= SEGMENT_BYTES_MAX, "{bytes}");
            }
        });
    }
}
