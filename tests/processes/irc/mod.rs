//! `ribbit client irc` with a client that speaks IRC byte for byte: [`transcripts`], [`together`], [`failing`], [`history`], [`hostile`],
//! [`log_ins`], and [`others`] with other people's clients.

mod failing;
mod history;
mod hostile;
mod log_ins;
mod others;
mod together;
mod transcripts;

use crate::test_cluster::{TestCluster, awaited};
use ribbit_state::sync::MutexExt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

/// A running `ribbit client irc`.
pub(crate) struct IrcServer {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// HOST:PORT.
    pub(crate) address: String,
}

impl IrcServer {
    /// Starts it on a free port and waits until it listens.
    #[track_caller]
    pub(crate) fn start(pond: &TestCluster, flags: &[&str]) -> IrcServer {
        let listen = ["client", "irc", "--listen", "127.0.0.1:0"];
        let mut command = pond.ribbit(&[&listen, flags].concat());
        command.env("RUST_LOG", "debug").stderr(Stdio::piped()).stdin(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let tells = log.clone();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| tells.locked().push(line)));
        let address = awaited("it listens", || {
            let said = log.locked();
            let line = said.iter().find(|line| line.contains(" info serving irc"))?;
            Some(line.rsplit("://").next()?.to_string())
        });
        IrcServer { child, log, address }
    }

    /// Returns everything that it has logged.
    pub(crate) fn log_text(&self) -> String {
        self.log.locked().join("\n")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it with SIGTERM and asserts exit code 0.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        crate::test_cluster::send(self.pid(), rustix::process::Signal::TERM);
        let ended = awaited("stopped", || self.child.try_wait().expect("our child"));
        assert!(ended.success(), "{ended:?}");
    }
}

impl Drop for IrcServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
