//! `ribbit demo`: plays its scenes, checks its claims, and reports a claim that does not hold.

use crate::test_cluster::{PATIENCE, awaited, children_of, is_alive, send};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use tempfile::TempDir;

struct Demo {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Parent of the demo's folder.
    place: TempDir,
}

impl Demo {
    fn begin(words: &[&str]) -> Demo {
        let place = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_ribbit"));
        command.arg("demo").args(words).env("TMPDIR", place.path());
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("RIBBIT_")) {
            command.env_remove(key);
        }
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the binary starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Demo { child, output, place }
    }

    /// Reads output until `what` appears.
    #[track_caller]
    fn until(&mut self, what: &str) {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            assert!(self.output.read_line(&mut line).expect("text") > 0, "it ended without {what}");
        }
    }

    /// Reads to the end, and returns the exit code and the rest of the output.
    fn end(&mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("text");
        (self.child.wait().expect("our child").code(), said)
    }

    /// Returns the processes that the demo has started.
    fn processes(&self) -> Vec<u32> {
        let ups = children_of(self.child.id()).into_values();
        ups.flat_map(|up| children_of(up).into_values().chain([up])).collect()
    }

    fn folder(&self) -> Option<PathBuf> {
        let mut entries = std::fs::read_dir(self.place.path()).expect("it is there").flatten();
        entries.next().map(|entry| entry.path())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let processes = self.processes();
        let _ = self.child.kill();
        let _ = self.child.wait();
        processes.into_iter().for_each(|pid| send(pid, Signal::KILL));
    }
}

#[track_caller]
fn held(scene: &str, claims: &str, words: &[&str]) {
    let mut demo = Demo::begin(&[scene, "--fast"]);
    let (code, said) = demo.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("All {claims} checks passed")) && !said.contains("FAILED"), "{said}");
    words.iter().for_each(|word| assert!(said.contains(word), "no {word} in {said}"));
    assert!(said.is_ascii(), "no marks where there is no terminal");
    assert_eq!(demo.folder(), None, "nothing is left");
    said.lines().filter(|line| line.contains("seen:     after")).for_each(|line| println!("{line}"));
}

#[test]
fn everything_off_and_on_again_is_played_and_every_claim_holds() {
    held("persistence", "12", &["7 are gone", "no server answers", "3 messages and 2 croaks"]);
}

#[test]
fn a_leader_that_dies_in_mid_conversation_is_played_and_every_claim_holds() {
    held("replication", "8", &["the leader, is dead", "ribbit\n", "10 lines, as they were sent"]);
}

#[test]
fn a_claim_that_does_not_hold_is_said_and_the_folder_stays() {
    let mut demo = Demo::begin(&["replication"]);
    demo.until("alice: did you hear that?");
    // A failure outside the script: no quorum is left.
    let members = demo.processes();
    let is_backend = |pid: &u32| {
        let typed = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        typed.split(|byte| *byte == 0).nth(1).is_some_and(|verb| verb == b"backend")
    };
    let backends: Vec<u32> = members.into_iter().filter(is_backend).collect();
    assert_eq!(backends.len(), 3);
    backends.iter().for_each(|pid| send(*pid, Signal::KILL));
    let (code, said) = demo.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("  FAILED\n") && said.contains("checks FAILED"), "{said}");
    let folder = demo.folder().expect("it is kept");
    assert!(said.contains(folder.to_str().expect("plain")) && Path::new(&folder).join("backend-1").exists());
    awaited("nothing runs on", || demo.processes().is_empty().then_some(()));
}

#[test]
fn ctrl_c_ends_all_of_it() {
    let mut demo = Demo::begin(&["persistence"]);
    demo.until("alice and bob sign up");
    let processes = demo.processes();
    assert_eq!(processes.len(), 8, "seven, and who looks after them");
    send(demo.child.id(), Signal::INT);
    let (code, _) = demo.end();
    assert_eq!(code, Some(130), "within {PATIENCE:?}");
    awaited("all are gone", || processes.iter().all(|pid| !is_alive(*pid)).then_some(()));
    assert_eq!(demo.folder(), None);
}
