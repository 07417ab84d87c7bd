//! Socket activation: a listener that systemd opened before it started this process. A port below 1024 then needs no
//! privilege, and no connection is refused while the process restarts.
//!
//! Exactly one listening TCP socket is accepted; anything else is refused with a message.

use super::{is_for_another, set};
use crate::common::failure::{Exit, Failure};
use async_net::TcpListener;
use rustix::io::fcntl_setfd;
use rustix::net::{AddressFamily, SocketType, sockopt};
use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};

/// Returns the listener that this process inherited, if any. Must be called once only.
///
/// # Errors
/// 78: the inherited descriptors are not one listening TCP socket.
pub(crate) fn inherited() -> Result<Option<TcpListener>, Failure> {
    let Some(count) = set("LISTEN_FDS").filter(|count| count != "0") else { return Ok(None) };
    if is_for_another("LISTEN_PID") {
        return Ok(None);
    }
    if count != "1" {
        return Err(wrong(&format!("LISTEN_FDS is {count}, expected 1")));
    }
    let given = sd_listen_fds::get().map_err(|error| wrong(&error.to_string()))?;
    let Some((_, socket)) = given.into_iter().next() else { return Ok(None) };
    let socket = socket.into_std();
    if let Err(what) = check(&socket) {
        let _ = socket.into_raw_fd(); // Not ours to close.
        return Err(wrong(&what));
    }
    let listener = TcpListener::try_from(std::net::TcpListener::from(socket));
    listener.map(Some).map_err(|error| wrong(&error.to_string()))
}

fn wrong(what: &str) -> Failure {
    Failure::new(Exit::Configuration, format!("cannot use the socket passed by the service manager: {what}"))
}

fn check(socket: &OwnedFd) -> Result<(), String> {
    let is = |asked: rustix::io::Result<bool>, otherwise: &str| match asked {
        Ok(true) => Ok(()),
        Ok(false) => Err(otherwise.to_string()),
        Err(error) => Err(format!("it is not a socket: {}", io::Error::from(error))),
    };
    is(sockopt::socket_type(socket).map(|it| it == SocketType::STREAM), "it is not a stream socket")?;
    let of_network = |it| it == AddressFamily::INET || it == AddressFamily::INET6;
    is(sockopt::socket_domain(socket).map(of_network), "it is not a TCP socket")?;
    is(sockopt::socket_acceptconn(socket), "it does not listen (the socket unit needs Accept=no)")?;
    // Children must not inherit it.
    fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC).map_err(|error| io::Error::from(error).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listening_tcp_socket_is_accepted() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(check(&listener.into()), Ok(()));
        let folder = tempfile::tempdir().unwrap();
        let local = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
        assert_eq!(check(&local.into()), Err("it is not a TCP socket".into()));
        let datagrams = std::net::UdpSocket::bind(address).unwrap();
        assert_eq!(check(&datagrams.into()), Err("it is not a stream socket".into()));
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(other.local_addr().unwrap()).unwrap();
        assert!(check(&stream.into()).unwrap_err().starts_with("it does not listen"));
        let file = tempfile::tempfile().unwrap();
        assert!(check(&file.into()).unwrap_err().starts_with("it is not a socket"));
    }
}
