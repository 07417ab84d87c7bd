//! Sockets: opening a connection, and what every one of them is set to.
//!
//! Small frames leave at once (TCP_NODELAY), and the kernel probes a silent connection, so that one whose
//! other end lost its power ends within about a minute though nobody writes to it.

use super::frame::{self, FrameError, PREFACE_BYTES, Plane};
use super::http::GET;
use super::limits::{CONNECT_DEADLINE, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES};
use async_net::TcpStream;
use rustix::net::sockopt;
use smol::Async;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

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

/// Opens a connection to HOST:PORT for `plane`: prefaces are exchanged, the first frame may follow.
///
/// # Errors
/// `Closed` when the other side hangs up instead of answering (a balancer without backends does),
/// `TimedOut` after `CONNECT_DEADLINE`, `NotRibbit` and its like for a foreign server.
pub async fn connect(address: &str, plane: Plane) -> Result<TcpStream, FrameError> {
    frame::within(CONNECT_DEADLINE, async {
        let mut stream = TcpStream::connect(address).await?;
        tune(&stream)?;
        stream.write_all(&frame::preface(plane)).await?;
        if read_preface(&mut stream).await? != plane {
            return Err(FrameError::Malformed);
        }
        Ok(stream)
    })
    .await
}

/// How a connection that was accepted begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    Plane(Plane),
    /// `GET `: a program that watches, see [`super::http`].
    Http,
}

/// Reads what the other side says it is. Takes no byte more than that.
///
/// # Errors
/// As [`frame::parse_preface`]; `Closed` when it hangs up first.
pub async fn read_opening(stream: &mut TcpStream) -> Result<Opening, FrameError> {
    let mut bytes = [0; PREFACE_BYTES];
    read_exact(stream, &mut bytes[..GET.len()]).await?;
    if &bytes[..GET.len()] == GET {
        return Ok(Opening::Http);
    }
    read_exact(stream, &mut bytes[GET.len()..]).await?;
    Ok(Opening::Plane(frame::parse_preface(&bytes)?))
}

/// The same of who was connected to.
///
/// # Errors
/// As [`read_opening`].
pub async fn read_preface(stream: &mut TcpStream) -> Result<Plane, FrameError> {
    match read_opening(stream).await? {
        Opening::Plane(plane) => Ok(plane),
        Opening::Http => Err(FrameError::NotRibbit),
    }
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

async fn read_exact(stream: &mut TcpStream, bytes: &mut [u8]) -> Result<(), FrameError> {
    stream.read_exact(bytes).await.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => FrameError::Closed,
        _ => FrameError::Io(error),
    })
}
