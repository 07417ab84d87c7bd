//! `ribbit up` from outside: a complete cluster of real processes, killed and stopped.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Timeout of `up` for the start.
const UP_MAX: Duration = Duration::from_secs(60);
/// Timeout of everything else.
const TIMEOUT: Duration = Duration::from_secs(20);
const BINARY: &str = env!("CARGO_BIN_EXE_ribbit");

fn ribbit() -> Command {
    let mut command = Command::new(BINARY);
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("RIBBIT_") {
            command.env_remove(key);
        }
    }
    command
}

/// A running `up`, killed at the end of the test.
struct Up {
    child: Child,
    lines: Receiver<String>,
    /// HOST:PORT of the web pages.
    web: String,
    data_dir: PathBuf,
}

impl Up {
    /// Starts `up` and waits until the cluster is up.
    fn start(arguments: &[&str]) -> Up {
        let mut command = ribbit();
        command.arg("up").args(["--web", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut up = Up { child, lines, web: String::new(), data_dir: PathBuf::new() };
        up.web = up.line("ribbit is up: http://", UP_MAX).rsplit('/').next().unwrap().to_string();
        let place = up.line("  in ", TIMEOUT);
        up.data_dir = PathBuf::from(place.trim_start_matches("  in ").split(" (").next().unwrap());
        up
    }

    /// Waits for the next line with this beginning.
    fn line(&self, beginning: &str, timeout: Duration) -> String {
        let end = Instant::now() + timeout;
        let mut passed = Vec::new();
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with(beginning) => return line,
                Ok(line) => passed.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("no {beginning:?} within {timeout:?}: {passed:?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("`up` ended without {beginning:?}: {passed:?}"),
            }
        }
    }

    fn status(&self) -> Value {
        let mut command = ribbit();
        command.args(["status", "--json", "--data-dir"]).arg(&self.data_dir);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn pid_of(&self, name: &str) -> i32 {
        member(&self.status(), name)["pid"].as_i64().unwrap() as i32
    }

    /// Waits until the status of member `name` satisfies `wanted`.
    fn wait_for(&self, name: &str, wanted: impl Fn(&Value) -> bool) {
        let end = Instant::now() + TIMEOUT;
        loop {
            let status = self.status();
            if wanted(member(&status, name)) {
                return;
            }
            assert!(Instant::now() < end, "{name} never got there: {status}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Sends SIGTERM and returns the exit code.
    fn stop(&mut self) -> Option<i32> {
        signal(self.child.id() as i32, Signal::TERM);
        let end = Instant::now() + TIMEOUT;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status.code(),
                None => assert!(Instant::now() < end, "`up` does not stop"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // The children notice its end and stop.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn member<'a>(status: &'a Value, name: &str) -> &'a Value {
    let members = status["members"].as_array().unwrap();
    members.iter().find(|member| member["name"] == name).unwrap_or_else(|| panic!("no {name} in {status}"))
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Returns the ribbit processes with this folder on their command line.
fn processes_on(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let commands = entries.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    let ours = commands.filter(|command| command.contains(folder) && command.contains("ribbit"));
    ours.map(|command| command.replace('\0', " ")).collect()
}

fn wait_until_none_is_left(folder: &Path) {
    let end = Instant::now() + TIMEOUT;
    while !processes_on(folder).is_empty() {
        assert!(Instant::now() < end, "still there: {:?}", processes_on(folder));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]

fn killed_members_are_restarted_and_stopping_leaves_no_process() {
    let mut up = Up::start(&["--ephemeral"]);
    assert!(get(&up.web, "/livez").starts_with("HTTP/1.1 200"));

    let status = up.status();
    assert!(status["leader"].is_string() && status["term"].as_u64() > Some(0), "{status}");
    assert_eq!((&status["can_lose_processes"], &status["can_lose_machines"]), (&2.into(), &0.into()));
    assert_eq!(status["members"].as_array().unwrap().len(), 5);
    for name in ["backend-1", "backend-2", "backend-3", "coordinator-1", "coordinator-2"] {
        let member = member(&status, name);
        assert!(member["alive"] == true && member["voter"] == true, "{member}");
        assert_eq!(format!("{}-{}", member["role"].as_str().unwrap(), member["id"]), name);
        for field in ["pid", "applied", "lag", "clients"] {
            assert!(member[field].is_u64(), "{field}: {member}");
        }
        assert!(member["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{member}");
    }

    let pid = up.pid_of("backend-2");
    let killed = Instant::now();
    signal(pid, Signal::KILL);
    up.line(&format!("backend-2 (pid {pid}) was killed by signal 9; restarting"), TIMEOUT);
    let back = up.line("backend-2 is back (pid ", TIMEOUT);
    assert!(killed.elapsed() < Duration::from_secs(2), "{:?}", killed.elapsed());
    let new_pid: i64 = back.trim_end_matches(')').rsplit(' ').next().unwrap().parse().unwrap();
    up.wait_for("backend-2", |member| member["alive"] == true && member["pid"] == new_pid);

    assert_eq!(up.stop(), Some(0));
    assert_eq!(processes_on(&up.data_dir), Vec::<String>::new());
    assert!(!up.data_dir.exists());
}

#[test]

fn with_restart_never_the_printed_command_restarts_a_member() {
    let folder = tempfile::tempdir().unwrap();
    let mut up = Up::start(&["--restart", "never", "--data-dir", folder.path().to_str().unwrap()]);
    let pid = up.pid_of("backend-2");
    signal(pid, Signal::KILL);
    let died =
        up.line(&format!("backend-2 (pid {pid}) was killed by signal 9; start it again with: "), TIMEOUT);
    up.wait_for("backend-2", |member| member["alive"] == false && member["pid"] == pid);

    let words: Vec<&str> = died.split("ribbit ").nth(1).unwrap().split(' ').collect();
    assert_eq!(words[..3], ["backend", "--id", "2"]);
    let mut again = ribbit().args(&words).spawn().unwrap();
    up.wait_for("backend-2", |member| member["alive"] == true && member["pid"] == again.id());

    assert_eq!(up.stop(), Some(0), "even after a member died");
    signal(again.id() as i32, Signal::TERM);
    assert!(again.wait().unwrap().success());
    wait_until_none_is_left(folder.path());
}

#[test]

fn children_do_not_outlive_up_and_it_starts_again_on_their_data() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().to_str().unwrap();
    let mut up = Up::start(&["--data-dir", data_dir]);
    let second = ribbit().args(["up", "--web", "127.0.0.1:0", "--data-dir", data_dir]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another `ribbit up`"), "{second:?}");

    signal(up.child.id() as i32, Signal::KILL);
    up.child.wait().unwrap();
    wait_until_none_is_left(folder.path());

    let mut up = Up::start(&["--data-dir", data_dir]);
    assert_eq!(up.status()["members"].as_array().unwrap().len(), 5);
    assert_eq!(up.stop(), Some(0));
}

#[test]

fn the_smallest_cluster_comes_up() {
    let mut up = Up::start(&["--ephemeral", "--backends", "1", "--coordinators", "0"]);
    let status = up.status();
    assert_eq!((&status["leader"], &status["can_lose_processes"]), (&"backend-1".into(), &0.into()));
    let mut bench = ribbit();
    bench.args(["bench", "--json", "--clients", "2", "--seconds", "1", "--data-dir"]).arg(&up.data_dir);
    let output = bench.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(figures["total"].as_u64() > Some(0) && figures["gap_max_ms"].is_f64(), "{figures}");
    assert_eq!(up.stop(), Some(0));
}
