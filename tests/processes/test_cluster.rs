//! Test cluster: runs `ribbit up` in a temporary folder, and breaks it in various ways.
//!
//! No process outlives a [`TestCluster`]: it kills what it started, and `up` runs with `--supervised`, so everything ends even when
//! the test process is killed.

use ribbit_net::client::Client;
use ribbit_net::frame::Plane;
use ribbit_net::keys::Keys;
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{Answer, Ask, NodeStatus};
use ribbit_roles::common::cluster_file::ClusterFile;
use ribbit_state::query::TreeEntry;
use ribbit_state::sync::MutexExt;
use ribbit_state::{Consistency, Page, Query};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkit::http::Browser;
use testkit::timeouts::PAUSE;

pub use testkit::status_json::{MemberStatus, Status};
pub use testkit::timeouts::{PATIENCE, awaited, awaited_within};

/// A running `ribbit up`.
struct Running {
    child: Child,
    web: String,
    said: Arc<Mutex<Vec<String>>>,
}

/// A test cluster: three backends, two coordinators, a balancer and the web pages.
pub struct TestCluster {
    folder: TempDir,
    running: Option<Running>,
    by_hand: Vec<Child>,
    /// The binary of all processes that are started from now on.
    pub binary: PathBuf,
    /// Environment variables of all processes.
    pub environment: Vec<(&'static str, String)>,
    _turn: MutexGuard<'static, ()>,
}

/// Folder of the cluster that is running.
static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Returns the keys of the running cluster, as its own processes have them.
#[track_caller]
pub fn keys() -> Keys {
    let folder = FOLDER.lock().unwrap_or_else(PoisonError::into_inner).clone().expect("a running cluster");
    ClusterFile::read(&ClusterFile::path_in(&folder)).expect("it has a cluster file").keys()
}

fn is_here(folder: &TempDir) {
    *FOLDER.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder.path().to_path_buf());
}

/// Waits for the turn of this test: one cluster runs at a time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A failed test poisons the mutex, which protects no data.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TestCluster {
    /// Creates an empty folder without processes.
    pub fn empty() -> TestCluster {
        let turn = turn();
        let folder = tempfile::tempdir().expect("a temporary folder");
        is_here(&folder);
        TestCluster {
            folder,
            running: None,
            by_hand: Vec::new(),
            binary: env!("CARGO_BIN_EXE_ribbit").into(),
            environment: Vec::new(),
            _turn: turn,
        }
    }

    /// Starts a cluster and waits until it is up.
    pub fn start() -> TestCluster {
        TestCluster::start_with(&[])
    }

    pub fn start_with(options: &[&str]) -> TestCluster {
        let mut pond = TestCluster::empty();
        pond.up(options);
        pond
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns a command of the binary whose environment names this cluster only.
    pub fn ribbit(&self, arguments: &[&str]) -> Command {
        let mut command = self.plain(arguments);
        command.arg("--data-dir").arg(self.folder());
        command
    }

    /// Returns a command without the `--data-dir` argument, for verbs that take all arguments as their own.
    pub fn plain(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("RIBBIT_") {
                command.env_remove(key);
            }
        }
        command.args(arguments).env("RIBBIT_DATA_DIR", self.folder());
        // Tests write faster than people, so the rate limit is off unless a test sets it.
        command.env("RIBBIT_POSTS_PER_MINUTE", "0");
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Deletes all data: an empty folder.
    pub fn wipe(&mut self) {
        self.folder = tempfile::tempdir().expect("a temporary folder");
        is_here(&self.folder);
    }

    /// Returns the standard error of all processes.
    pub fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.folder().join("said.log")
    }

    /// Opens the log file for appending.
    fn log_end(&self) -> File {
        fs::OpenOptions::new().create(true).append(true).open(self.log()).expect("a log")
    }

    /// Starts `ribbit up` and waits until it reports that it is up.
    #[track_caller]
    pub fn up(&mut self, options: &[&str]) {
        self.begin_up(options);
        self.await_up();
    }

    /// Starts `ribbit up`.
    pub fn begin_up(&mut self, options: &[&str]) {
        assert!(self.running.is_none(), "one `up` on one folder");
        let mut command = self.ribbit(&["up", "--supervised", "--web", "127.0.0.1:0"]);
        command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(self.log_end());
        let mut child = command.spawn().expect("the binary starts");
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        // The thread ends when the pipe is closed.
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                heard.locked().push(line);
            }
        });
        self.running = Some(Running { child, web: String::new(), said });
    }

    #[track_caller]
    pub fn await_up(&mut self) {
        let web = awaited("up", || {
            let ended = self.running.as_mut().expect("started").child.try_wait().expect("our child");
            assert!(ended.is_none(), "`up` ended: {ended:?}");
            let said = self.said();
            said.iter().find_map(|line| line.strip_prefix("ribbit is up: http://").map(str::to_string))
        });
        self.running.as_mut().expect("started").web = web;
    }

    /// Returns the lines that `up` has printed to standard output.
    pub fn said(&self) -> Vec<String> {
        let Some(running) = &self.running else { return Vec::new() };
        running.said.locked().clone()
    }

    /// Returns HOST:PORT of the web pages.
    pub fn web(&self) -> String {
        self.running.as_ref().expect("up").web.clone()
    }

    pub fn browser(&self) -> Browser {
        Browser::new(&self.web())
    }

    /// Returns the address of a part from the ports file: `BALANCER`, `BACKEND_1`.
    #[track_caller]
    pub fn address(&self, part: &str) -> String {
        let text = fs::read_to_string(self.folder().join("ports")).expect("a ports file");
        let found = text.lines().find_map(|line| line.strip_prefix(part)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {part} in {text}")).to_string()
    }

    /// Returns the status, or `None` when no server answers.
    pub fn try_status(&self) -> Option<Status> {
        let output = self.ribbit(&["status", "--json"]).output().expect("the binary starts");
        match output.status.code() {
            Some(0) => Some(serde_json::from_slice(&output.stdout).expect("the documented JSON")),
            Some(3) => None,
            code => {
                println!("status ended with {code:?}: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
        }
    }

    #[track_caller]
    pub fn status(&self) -> Status {
        self.try_status().expect("a server answers")
    }

    #[track_caller]
    pub fn await_status(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let mut last = None;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            last = self.try_status();
            if let Some(status) = last.as_ref().filter(|status| wanted(status)) {
                return status.clone();
            }
            std::thread::sleep(PAUSE);
        }
        panic!("{what}: not within {PATIENCE:?}; the last status was {last:#?}")
    }

    /// Waits until all members are alive, vote and have applied the same index.
    #[track_caller]
    pub fn await_whole(&self) -> Status {
        self.await_status("all five are there and equal", Status::is_whole)
    }

    /// Waits until all members are alive and a backend leads. A leading coordinator is stopped until another member leads,
    /// because it hands over by itself only once a minute.
    #[track_caller]
    pub fn await_leading_backend(&self) -> String {
        self.await_leading_backend_of(Status::is_whole)
    }

    /// Waits for a leading backend in a cluster that is complete when `whole` says so.
    #[track_caller]
    pub fn await_leading_backend_of(&self, whole: impl Fn(&Status) -> bool) -> String {
        loop {
            let status =
                self.await_status("the group is whole", |status| status.leader.is_some() && whole(status));
            let leader = status.leader.expect("just seen");
            if leader.starts_with("backend-") {
                return leader;
            }
            self.signal(&[&leader], Signal::STOP);
            self.await_status("another member leads", |status| {
                status.leader.as_ref().is_some_and(|other| *other != leader)
            });
            self.signal(&[&leader], Signal::CONT);
        }
    }

    /// Returns the live processes that `up` and the test have started, by name.
    pub fn pids(&self) -> BTreeMap<String, u32> {
        let parent = self.running.as_ref().map(|running| running.child.id());
        let mut pids = parent.map(children_of).unwrap_or_default();
        for child in &self.by_hand {
            if is_alive(child.id()) {
                pids.insert(name_of(child.id()), child.id());
            }
        }
        pids
    }

    #[track_caller]
    pub fn pid(&self, name: &str) -> u32 {
        let pids = self.pids();
        *pids.get(name).unwrap_or_else(|| panic!("no {name} among {pids:?}"))
    }

    /// Sends a signal to all of them, one right after the other.
    #[track_caller]
    pub fn signal(&self, names: &[&str], signal: Signal) {
        let pids: Vec<u32> = names.iter().map(|name| self.pid(name)).collect();
        pids.into_iter().for_each(|pid| send(pid, signal));
    }

    /// Kills processes with SIGKILL and waits until they are gone.
    #[track_caller]
    pub fn kill(&self, names: &[&str]) {
        let pids: Vec<u32> = names.iter().map(|name| self.pid(name)).collect();
        pids.iter().for_each(|pid| send(*pid, Signal::KILL));
        awaited("killed", || pids.iter().all(|pid| !is_alive(*pid)).then_some(()));
    }

    /// Kills the leading backend with SIGKILL, once all members are there and equal.
    pub fn kill_leader(&self) {
        self.kill(&[&self.await_leading_backend()]);
    }

    /// Kills `up` alone with SIGKILL, and returns the pids of its children.
    pub fn kill_up(&mut self) -> BTreeMap<String, u32> {
        let mut running = self.running.take().expect("up");
        let children = children_of(running.child.id());
        running.child.kill().expect("our child");
        running.child.wait().expect("our child");
        children
    }

    /// Kills all processes at once with SIGKILL, including those started by hand.
    pub fn kill_all(&mut self) {
        let mut running = self.running.take().expect("started");
        let up = running.child.id();
        // A stopped `up` starts no process while the others are listed.
        send(up, Signal::STOP);
        let children = children_of(up);
        send(up, Signal::KILL);
        children.values().for_each(|pid| send(*pid, Signal::KILL));
        running.child.wait().expect("our child");
        for mut child in self.by_hand.drain(..) {
            let _ = child.kill();
            child.wait().expect("our child");
        }
        awaited("all are gone", || children.values().all(|pid| !is_alive(*pid)).then_some(()));
    }

    /// Stops everything with Ctrl-C and asserts exit code 0.
    #[track_caller]
    pub fn stop(&mut self) {
        let mut running = self.running.take().expect("up");
        let children = children_of(running.child.id());
        send(running.child.id(), Signal::TERM);
        let ended = awaited("stopped", || running.child.try_wait().expect("our child"));
        assert!(ended.success(), "{ended:?}");
        awaited_within(Duration::from_secs(2), "and took its children along", || {
            children.values().all(|pid| !is_alive(*pid)).then_some(())
        });
    }

    /// Starts a backend as an operator does: `ribbit backend --id 2 --data-dir …`.
    pub fn backend_by_hand(&mut self, id: u32) {
        self.by_hand(&["backend", "--id", &id.to_string()]);
    }

    /// Runs a command and returns its exit code and all its output.
    #[track_caller]
    pub fn typed(&self, arguments: &[&str]) -> (i32, String) {
        self.ended(self.ribbit(arguments), "")
    }

    /// Runs one command of `ribbit shell`, and returns its exit code and all its output.
    #[track_caller]
    pub fn shell(&self, words: &[&str]) -> (i32, String) {
        self.ended(self.plain(&[&["shell"], words].concat()), "")
    }

    /// Runs any command with `input` on standard input, and returns its exit code and all its output.
    #[track_caller]
    pub fn ended(&self, mut command: Command, input: &str) -> (i32, String) {
        let arguments = format!("{command:?}");
        let mut said = tempfile::tempfile().expect("a temporary file");
        let also = || said.try_clone().expect("a temporary file");
        let mut typed = tempfile::tempfile().expect("a temporary file");
        typed.write_all(input.as_bytes()).and_then(|()| typed.rewind()).expect("a temporary file");
        command.stdin(typed).stdout(also()).stderr(also());
        let mut child = command.spawn().expect("the binary starts");
        let began = Instant::now();
        let ended = loop {
            match child.try_wait().expect("our child") {
                Some(ended) => break ended,
                None if began.elapsed() > PATIENCE => {
                    let _ = child.kill();
                    let _ = child.wait();
                    panic!("{arguments} does not end");
                }
                None => std::thread::sleep(PAUSE),
            }
        };
        let mut text = String::new();
        said.rewind().expect("a temporary file");
        said.read_to_string(&mut text).expect("text");
        (ended.code().unwrap_or(-1), text)
    }

    pub fn by_hand(&mut self, arguments: &[&str]) {
        let mut command = self.ribbit(arguments);
        let child = command.stdout(Stdio::null()).stderr(self.log_end()).spawn();
        self.by_hand.push(child.expect("the binary starts"));
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("up said: {:#?}", self.said());
            println!("status: {:#?}", self.try_status());
            println!("said on standard error:\n{}", fs::read_to_string(self.log()).unwrap_or_default());
        }
        if self.running.is_some() {
            self.kill_all();
        }
        for child in &mut self.by_hand {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    // The process may have ended by itself.
    let _ = kill_process(pid, signal);
}

/// Returns the state and the parent of a process from `/proc`, or `None` if it does not exist.
fn stat(pid: u32) -> Option<(String, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // PID (NAME) STATE PARENT …; the name can contain any character.
    let mut rest = text.rsplit_once(')')?.1.split_whitespace();
    Some((rest.next()?.to_string(), rest.next()?.parse().ok()?))
}

/// Returns true if a process runs or is stopped. A zombie is dead once its last thread has ended.
pub fn is_alive(pid: u32) -> bool {
    let threads = || fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
    stat(pid).is_some_and(|(state, _)| (state != "Z" && state != "X") || threads() > 1)
}

pub fn children_of(parent: u32) -> BTreeMap<String, u32> {
    let entries = fs::read_dir("/proc").expect("a Linux system").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, its)| its == parent) && is_alive(*pid))
        .map(|pid| (name_of(pid), pid))
        .collect()
}

/// Returns the name of a process, such as `backend-2`, from its command line.
fn name_of(pid: u32) -> String {
    let typed = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<String> =
        typed.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into()).collect();
    let verb = words.get(1).map_or("", String::as_str);
    let behind = |flag: &str| words.iter().position(|word| word == flag).map(|at| words[at + 1].clone());
    let elsewhere = behind("--cluster").map_or(String::new(), |cluster| format!("@{cluster}"));
    match behind("--id") {
        Some(id) => format!("{verb}-{id}{elsewhere}"),
        None if verb == "client" => words.get(2).cloned().unwrap_or_default(),
        None => verb.to_string(),
    }
}

/// Returns the status of one process, or `None` when it does not answer.
pub fn asked(address: &str) -> Option<NodeStatus> {
    let answer =
        smol::block_on(ask_once(address, Plane::Control, &keys(), Ask::NodeStatus, Duration::from_secs(1)));
    match answer {
        Ok(Answer::NodeStatus(status)) => Some(*status),
        _ => None,
    }
}

/// Returns a member's entries at a path of the lock namespace, or `None` when it does not answer.
pub fn tree(address: &str, path: &str) -> Option<Vec<TreeEntry>> {
    let query = Query::Tree { path: path.parse().expect("a path"), depth: None, after: None, limit: 500 };
    let ask = Ask::Read { seen: None, consistency: Consistency::Stale, query };
    match smol::block_on(ask_once(address, Plane::Control, &keys(), ask, Duration::from_secs(1))) {
        Ok(Answer::Read { page: Ok(Page::Tree { entries, .. }), .. }) => Some(entries),
        Ok(Answer::Read { page: Err(_), .. }) => Some(Vec::new()),
        _ => None,
    }
}

/// Sends a request to this server only.
#[track_caller]
pub fn ask(address: &str, ask: Ask) -> Answer {
    let client = Client::new(vec![address.to_string()], keys());
    smol::block_on(client.ask(ask, Duration::from_secs(10))).expect("it answers")
}
