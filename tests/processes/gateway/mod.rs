//! The gateway with clients that speak the older systems' protocols byte for byte: [`ribbit_tcp`], [`chat`], [`chirper`], [`sns`],
//! [`grpc_chat`], [`grpc_python`]; [`together`], several of them in one conversation; [`presence`] and [`shared`], what they have in
//! common.

mod chat;
mod chirper;
mod grpc_chat;
mod grpc_python;
mod presence;
mod ribbit_tcp;
mod shared;
mod sns;
mod together;

use crate::test_cluster::{TestCluster, awaited};
use ribbit_state::sync::MutexExt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use testkit::timeouts::PATIENCE;

/// A running `ribbit client gateway`.
pub(crate) struct Gateway {
    child: Child,
    /// Addresses by protocol, as its log says.
    listening: Vec<(String, Vec<SocketAddr>)>,
    log: Mutex<Receiver<String>>,
}

impl Gateway {
    /// Starts a gateway and waits until it listens. Listeners with port 0 get a free port.
    #[track_caller]
    pub(crate) fn start(pond: &TestCluster, flags: &[&str]) -> Gateway {
        let mut command = pond.ribbit(&[&["client", "gateway"], flags].concat());
        command.stderr(Stdio::piped()).stdin(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (tell, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let mut gateway = Gateway { child, listening: Vec::new(), log: Mutex::new(log) };
        let line = gateway.says(" info serving ");
        let listening = line.split(" info serving ").nth(1).expect("just seen");
        gateway.listening = listening
            .split("; ")
            .map(|part| {
                let (name, addresses) = part.split_once(" on ").expect("NAME on ADDRESSES");
                let addresses = addresses.split(", ").map(|it| it.parse().expect("an address"));
                (name.to_string(), addresses.collect())
            })
            .collect();
        gateway
    }

    /// Returns the address of a listener: the protocol's flag without dashes before it, and the position in the flag.
    #[track_caller]
    pub(crate) fn address(&self, protocol: &str, position: usize) -> SocketAddr {
        let of = self.listening.iter().find(|(name, _)| name == protocol).expect("a protocol it serves");
        of.1[position]
    }

    /// Returns the addresses of all listeners of a protocol.
    #[track_caller]
    pub(crate) fn addresses(&self, protocol: &str) -> Vec<String> {
        let of = self.listening.iter().find(|(name, _)| name == protocol).expect("a protocol it serves");
        of.1.iter().map(SocketAddr::to_string).collect()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for `words` in its log.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> String {
        let mut said = Vec::new();
        loop {
            match self.log.locked().recv_timeout(PATIENCE) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => said.push(line),
                Err(error) => panic!("no {words:?} ({error}) in {said:#?}"),
            }
        }
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops it with SIGTERM and asserts exit code 0.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        crate::test_cluster::send(self.pid(), rustix::process::Signal::TERM);
        let ended = awaited("stopped", || self.child.try_wait().expect("our child"));
        assert!(ended.success(), "{ended:?}");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Connects, sends bytes in one write, and reads once, at most `max` bytes.
#[track_caller]
pub(crate) fn one_shot(address: SocketAddr, bytes: &[u8], max: usize) -> Vec<u8> {
    let mut stream = connected(address);
    stream.write_all(bytes).expect("it reads");
    let mut answer = vec![0; max];
    let count = stream.read(&mut answer).expect("an answer or the end");
    answer.truncate(count);
    answer
}

#[track_caller]
pub(crate) fn connected(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a listener");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream
}

/// Builds a client in Go, with the original's own libraries, from `tests/testkit`. Returns `None` if Go is not installed.
pub(crate) fn go_client(name: &str, folder: &Path) -> Option<PathBuf> {
    let program = folder.join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testkit").join(name).join("main.go");
    let built =
        Command::new("go").arg("build").arg("-o").arg(&program).arg(source).env("GOFLAGS", "").status();
    match built {
        Ok(status) => {
            assert!(status.success(), "it builds");
            Some(program)
        }
        Err(_) => {
            println!("skipped: Go is not installed, so its libraries were not asked");
            None
        }
    }
}
