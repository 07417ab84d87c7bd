//! A listener that was open before this process: systemd's socket units, so that a port below 1024 needs no right, and nobody
//! is refused between two lives of a process.
//!
//! One, for stream connections from the network, listening; anything else is refused in words instead of being served halfway.

use super::{is_for_another, set};
use crate::common::failure::{Exit, Failure};
use async_net::TcpListener;
use rustix::io::fcntl_setfd;
use rustix::net::{AddressFamily, SocketType, sockopt};
use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};

/// The listener that this process was given, if it was given one. To be asked once.
///
/// # Errors
/// 78: what it was given is not one listening TCP socket.
pub fn inherited() -> Result<Option<TcpListener>, Failure> {
    let Some(count) = set("LISTEN_FDS").filter(|count| count != "0") else { return Ok(None) };
    if is_for_another("LISTEN_PID") {
        return Ok(None);
    }
    if count != "1" {
        return Err(wrong(&format!("{count} sockets, and it takes one (LISTEN_FDS)")));
    }
    let given = sd_listen_fds::get().map_err(|error| wrong(&error.to_string()))?;
    let Some((_, socket)) = given.into_iter().next() else { return Ok(None) };
    let socket = socket.into_std();
    if let Err(what) = check(&socket) {
        let _ = socket.into_raw_fd(); // whatever it is, it is not ours to close
        return Err(wrong(&what));
    }
    let listener = TcpListener::try_from(std::net::TcpListener::from(socket));
    listener.map(Some).map_err(|error| wrong(&error.to_string()))
}

fn wrong(what: &str) -> Failure {
    Failure::new(
        Exit::Configuration,
        format!("the socket that this process was started with cannot be used: {what}"),
    )
}

fn check(socket: &OwnedFd) -> Result<(), String> {
    let is = |asked: rustix::io::Result<bool>, otherwise: &str| match asked {
        Ok(true) => Ok(()),
        Ok(false) => Err(otherwise.to_string()),
        Err(error) => Err(format!("it is no socket: {}", io::Error::from(error))),
    };
    is(sockopt::socket_type(socket).map(|it| it == SocketType::STREAM), "it is none for streams")?;
    let of_network = |it| it == AddressFamily::INET || it == AddressFamily::INET6;
    is(sockopt::socket_domain(socket).map(of_network), "it is not one of the network")?;
    is(sockopt::socket_acceptconn(socket), "it does not listen (a socket unit has Accept=no)")?;
    // Children have no business with it.
    fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC).map_err(|error| io::Error::from(error).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_listens_on_the_network_will_do() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(check(&listener.into()), Ok(()));
        let folder = tempfile::tempdir().unwrap();
        let local = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
        assert_eq!(check(&local.into()), Err("it is not one of the network".into()));
        let datagrams = std::net::UdpSocket::bind(address).unwrap();
        assert_eq!(check(&datagrams.into()), Err("it is none for streams".into()));
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(other.local_addr().unwrap()).unwrap();
        assert!(check(&stream.into()).unwrap_err().starts_with("it does not listen"));
        let file = tempfile::tempfile().unwrap();
        assert!(check(&file.into()).unwrap_err().starts_with("it is no socket"));
    }
}
