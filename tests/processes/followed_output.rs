//! Output of a verb that goes on with `--follow`.

use crate::test_cluster::{TestCluster, awaited};
use crate::verbs::CliUser;
use ribbit_state::sync::MutexExt;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

/// A running verb with `--follow`, and the texts that it has printed.
pub struct FollowedOutput {
    pub child: Child,
    heard: Arc<Mutex<Vec<String>>>,
}

impl FollowedOutput {
    /// Starts a verb. `--follow --limit 100 --json` come after its words.
    pub fn start(pond: &TestCluster, user: &CliUser, words: &[&str]) -> FollowedOutput {
        let mut command = user.command(pond, &[words, &["--follow", "--limit", "100", "--json"]].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (lines, hears) = (BufReader::new(child.stdout.take().expect("piped")), heard.clone());
        // The thread ends when the pipe is closed.
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let said: Value = serde_json::from_str(&line).expect("JSON");
                hears.locked().push(said["text"].as_str().expect("text").to_string());
            }
        });
        FollowedOutput { child, heard }
    }

    /// Starts `feed`, at the servers that the flags name.
    pub fn of_feed(pond: &TestCluster, user: &CliUser, servers: &[&str]) -> FollowedOutput {
        FollowedOutput::start(pond, user, &[&["feed"], servers].concat())
    }

    /// Waits until at least `count` texts were printed, and returns all.
    #[track_caller]
    pub fn await_heard(&self, count: usize) -> Vec<String> {
        awaited("the texts are printed", || {
            let heard = self.heard.locked().clone();
            (heard.len() >= count).then_some(heard)
        })
    }
}

impl Drop for FollowedOutput {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
