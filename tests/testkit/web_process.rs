//! `ribbit client web` as a separate process, to test signals, limits and exit codes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub struct Pages {
    child: Child,
    /// HOST:PORT of the web pages.
    pub address: String,
    log: Receiver<String>,
}

impl Pages {
    /// Starts the web process with these flags and without a cluster.
    pub fn start(flags: &[&str]) -> Pages {
        let mut command = Command::new(crate::binary());
        command.args(ARGUMENTS).args(flags);
        Pages::spawn(command)
    }

    pub fn spawn(mut command: Command) -> Pages {
        let mut child = command.stderr(Stdio::piped()).stdin(Stdio::null()).spawn().expect("it starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (tell, log) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        let mut pages = Pages { child, address: String::new(), log };
        let line = pages.says("serving pages on ");
        pages.address = line.rsplit("://").next().expect("an address").to_string();
        pages
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for `words` in its log.
    #[track_caller]
    pub fn says(&self, words: &str) -> String {
        let mut said = Vec::new();
        loop {
            match self.log.recv_timeout(Duration::from_secs(20)) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => said.push(line),
                Err(error) => panic!("no {words:?} ({error}) in {said:#?}"),
            }
        }
    }

    /// Returns the log lines since the last call.
    pub fn said(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Flags for a free port and no cluster.
pub const ARGUMENTS: [&str; 6] = ["client", "web", "--listen", "127.0.0.1:0", "--server", "127.0.0.1:1"];

/// Starts the web process with flags that it must refuse, and returns its exit code and output.
pub fn refused(flags: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(crate::binary());
    let mut child = command.args(ARGUMENTS).args(flags).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    (child.wait().expect("it ends").code(), said)
}
