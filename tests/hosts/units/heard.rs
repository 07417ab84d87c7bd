//! A fake service manager: a notification socket, and a process that is given its name.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;
use testkit::timeouts::{PAUSE, awaited};

/// Returns a command of the binary without ribbit's variables in its environment.
pub fn ribbit(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ribbit"));
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("RIBBIT_") {
            command.env_remove(key);
        }
    }
    command.env_remove("RUST_LOG").env_remove("NOTIFY_SOCKET").args(line.split_whitespace());
    command.stdin(Stdio::null());
    command
}

/// Returns a port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Creates a cluster file with one coordinator; returns its folder and the coordinator's port.
pub fn cluster() -> (TempDir, u16) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let made = ribbit(&format!("init --coordinator 127.0.0.1:{port} --data-dir"))
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    (folder, port)
}

/// The notification socket and the notifications received.
pub struct Supervisor {
    socket: UnixDatagram,
    /// Value of NOTIFY_SOCKET.
    pub name: String,
    pub heard: Vec<String>,
    _folder: TempDir,
}

impl Supervisor {
    pub fn new() -> Supervisor {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Supervisor::on(socket, path.display().to_string(), folder)
    }

    /// Uses a name in the abstract namespace.
    pub fn without_path() -> Supervisor {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("ribbit-test-{}", folder.path().display());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Supervisor::on(socket, format!("@{name}"), folder)
    }

    fn on(socket: UnixDatagram, name: String, folder: TempDir) -> Supervisor {
        socket.set_read_timeout(Some(PAUSE)).unwrap();
        Supervisor { socket, name, heard: Vec::new(), _folder: folder }
    }

    /// Receives all pending notifications.
    pub fn listen(&mut self) {
        let mut bytes = [0; 4_096];
        while let Ok(length) = self.socket.recv(&mut bytes) {
            let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
            self.heard.extend(text.lines().map(str::to_string));
        }
    }

    /// Waits for a notification that contains `what`, and returns it.
    #[track_caller]
    pub fn hears(&mut self, what: &str) -> String {
        awaited(what, || {
            self.listen();
            self.heard.iter().find(|line| line.contains(what)).cloned()
        })
    }

    pub fn count(&self, line: &str) -> usize {
        self.heard.iter().filter(|heard| *heard == line).count()
    }

    /// Starts a process with this socket; its log goes to a file in `folder`.
    pub fn start(&self, mut command: Command, folder: &Path) -> Running {
        let log = folder.join("said.log");
        let said = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = command.env("NOTIFY_SOCKET", &self.name).stderr(said).spawn().unwrap();
        Running { child, log }
    }
}

/// A running process, killed at the end of the test.
pub struct Running {
    pub child: Child,
    log: std::path::PathBuf,
}

impl Running {
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        awaited("its end", || self.child.try_wait().unwrap())
    }

    #[track_caller]
    pub fn runs(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}: {}", self.said());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
