//! Socket activation: the test opens a port, and a shell passes it as descriptor 3, as systemd does.

use crate::units::heard::{Supervisor, cluster, ribbit};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::timeouts::awaited;

/// Passes `socket` as descriptor 3. The shell execs the process, so LISTEN_PID is right.
fn given(socket: OwnedFd, line: &str, folder: &Path) -> Command {
    let plain = ribbit(line);
    let script = "LISTEN_PID=$$ LISTEN_FDS=${FDS:-1} LISTEN_FDNAMES=it exec \"$0\" \"$@\" 3<&0 </dev/null";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(plain.get_program()).args(plain.get_args());
    for (key, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    command.arg("--data-dir").arg(folder).stdin(Stdio::from(socket));
    command
}

#[test]
fn each_server_takes_the_port_that_it_is_given() {
    let (folder, _) = cluster();
    for line in
        ["client web --server 127.0.0.1:1", "balancer", "backend --id 1", "coordinator --id 1 --found"]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut supervisor = Supervisor::new();
        // A client connects before the server starts.
        let mut early = TcpStream::connect(address).unwrap();
        let mut running = supervisor.start(given(listener.into(), line, folder.path()), folder.path());
        supervisor.hears("READY=1");
        early.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        early.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        early.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with("HTTP/1.") && answer[8..].starts_with(" 200"),
            "{line}: {answer}: {}",
            running.said()
        );
        running.runs();
    }
}

#[test]
fn anything_but_a_listening_socket_is_refused() {
    let (folder, _) = cluster();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(other.local_addr().unwrap()).unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let file = tempfile::tempfile().unwrap();
    let cases: [(OwnedFd, &str, &str); 4] = [
        (stream.into(), "1", "does not listen"),
        (datagrams.into(), "1", "not a stream socket"),
        (file.into(), "1", "not a socket"),
        (TcpListener::bind("127.0.0.1:0").unwrap().into(), "2", "LISTEN_FDS is 2, expected 1"),
    ];
    for (socket, count, what) in cases {
        let mut command = given(socket, "balancer", folder.path());
        let output = command.env("FDS", count).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(78) && said.contains(what), "{what}: {said}");
    }
}

#[test]
fn descriptors_for_another_process_are_left_alone() {
    let (folder, _) = cluster();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let supervisor = Supervisor::new();
    let mut command = ribbit("balancer --listen 127.0.0.1:0");
    command.arg("--data-dir").arg(folder.path()).env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let mut running = supervisor.start(command, folder.path());
    awaited("its own port", || running.said().contains("listening on 127.0.0.1:").then_some(()));
    assert!(!running.said().contains(&address.to_string()));
    running.runs();
}
