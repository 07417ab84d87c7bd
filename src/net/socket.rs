//! Sockets: opening a connection, and what every one of them is set to.
//!
//! Small frames leave at once (TCP_NODELAY), and the kernel probes a silent connection, so that one whose
//! other end lost its power ends within about a minute though nobody writes to it.

use super::frame::{self, FrameError, PREFACE_BYTES, Plane};
use super::limits::{CONNECT_DEADLINE, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES};
use async_net::TcpStream;
use rustix::net::sockopt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::io;

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

/// Reads what the other side says it is. Takes no byte more than that.
///
/// # Errors
/// As [`frame::parse_preface`]; `Closed` when it hangs up first.
pub async fn read_preface(stream: &mut TcpStream) -> Result<Plane, FrameError> {
    let mut bytes = [0; PREFACE_BYTES];
    match stream.read_exact(&mut bytes).await {
        Ok(()) => frame::parse_preface(&bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(FrameError::Closed),
        Err(error) => Err(FrameError::Io(error)),
    }
}
