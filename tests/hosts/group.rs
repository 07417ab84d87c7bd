//! A cluster on emulated hosts, set up as on real machines: each host has a folder with a copy of the cluster file, and runs
//! `ribbit` command lines. [`Board`] describes one host; [`usual`] is the layout of most tests.
//!
//! One cluster exists at a time. Its processes end with it and with the test process.

use ribbit_net::keys::Keys;
use ribbit_roles::common::cluster_file::ClusterFile;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testkit::network::Network;
use testkit::status_json::Status;
use testkit::timeouts::{PAUSE, awaited, awaited_within};

/// Time limit after a fault until all members are back and in sync. Emulated processors are slow.
pub const HEAL_MAX: Duration = Duration::from_secs(90);

/// Time limit until a new cluster is founded and whole.
pub const FOUND_MAX: Duration = Duration::from_secs(120);

/// Number of log lines shown per host when a test fails.
const LOG_LINES_SHOWN: usize = 60;

/// Description of a host.
#[derive(Clone)]
pub struct Board {
    /// Name of its folder.
    pub name: &'static str,
    /// Program and first arguments: the binary, or an emulator and the binary.
    pub runs: Vec<PathBuf>,
    /// Arguments of `ribbit`, one string per process.
    pub processes: Vec<String>,
    /// It has a copy of the cluster file. A host of the web role needs only the public key.
    pub has_cluster_file: bool,
}

impl Board {
    /// Returns a host that runs these processes natively and has the cluster file.
    pub fn new(name: &'static str, processes: &[&str]) -> Board {
        let processes = processes.iter().map(ToString::to_string).collect();
        Board { name, runs: vec![native()], processes, has_cluster_file: true }
    }
}

/// Returns the path of the binary under test.
pub fn native() -> PathBuf {
    env!("CARGO_BIN_EXE_ribbit").into()
}

/// Number of the host with the coordinators and the balancer in [`usual`]. The hosts before it have a backend each.
pub const CENTRE: usize = 3;

/// Number of the host with the web role in [`usual`].
pub const WEB: usize = 4;

/// Address of the web role on its host.
pub const PAGES: &str = "127.0.0.1:8080";

/// Returns three hosts with a backend each, one with both coordinators and the balancer, one with the web role and the users.
pub fn usual() -> Vec<Board> {
    let backend = |id: usize| format!("backend --id {id} --posts-per-minute 0");
    let centre = testkit::network::address(CENTRE);
    let first = format!("coordinator --id 1 --advertise {centre}:9000 --found");
    let second = format!("coordinator --id 2 --advertise {centre}:9001");
    let mut web =
        Board::new("web", &[&format!("client web --listen {PAGES} --server {centre}:8081 --public-key KEY")]);
    web.has_cluster_file = false;
    vec![
        Board::new("board1", &[&backend(1)]),
        Board::new("board2", &[&backend(2)]),
        Board::new("board3", &[&backend(3)]),
        Board::new("centre", &[&first, &second, "balancer"]),
        web,
    ]
}

/// A process of a host.
struct Process {
    typed: String,
    child: Option<Child>,
    lives: u32,
}

/// A host and its processes.
struct Host {
    board: Board,
    folder: PathBuf,
    processes: Vec<Process>,
}

/// A cluster on emulated hosts.
pub struct Group {
    hosts: Vec<Host>,
    pub network: Network,
    /// Folder of the operator that created the cluster file. Contains the hosts' folders.
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// Waits until no other cluster runs: two cores are enough for one only.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that failed before left no state that matters here.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Group {
    /// Creates the hosts and their folders without starting any process. Moves the calling thread to the host `home`. Returns
    /// `None` where namespaces are not available, and prints the reason past the test harness.
    pub fn off(boards: Vec<Board>, home: usize) -> Option<Group> {
        let turn = turn();
        let network = match Network::make("hosts", boards.len()) {
            Ok(network) => network,
            Err(why) => {
                tell(&format!("skipped: {why}"));
                return None;
            }
        };
        network.enter(home);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let typed: Vec<&String> = boards.iter().flat_map(|board| &board.processes).collect();
        let coordinators: Vec<String> = typed.iter().filter_map(|typed| coordinator(typed)).collect();
        let mut group = Group { hosts: Vec::new(), network, folder, _turn: turn };
        group.init(&coordinators.join(","));
        let key = group.keys().public().expect("the key is whole").to_string();
        for board in boards {
            let own = group.folder.path().join(board.name);
            fs::create_dir(&own).expect("a folder");
            if board.has_cluster_file {
                let file = ClusterFile::path_in(&own);
                fs::copy(ClusterFile::path_in(group.folder.path()), file)
                    .expect("a copy of the cluster file");
            }
            let process =
                |typed: &String| Process { typed: typed.replace("KEY", &key), child: None, lives: 0 };
            let processes = board.processes.iter().map(process).collect();
            group.hosts.push(Host { processes, folder: own, board });
        }
        Some(group)
    }

    /// Creates the hosts, starts all processes and waits until the cluster is whole.
    pub fn on(boards: Vec<Board>, home: usize) -> Option<Group> {
        let mut group = Group::off(boards, home)?;
        let all: Vec<usize> = group.all().collect();
        group.power_on(&all);
        group.await_all_within(FOUND_MAX, "the group is whole", Status::is_whole);
        Some(group)
    }

    fn init(&self, coordinators: &str) {
        if coordinators.is_empty() {
            let file = ClusterFile::new("found by mDNS".into(), Vec::new());
            file.create(&ClusterFile::path_in(self.folder.path())).expect("a cluster file");
            return;
        }
        let mut command = Command::new(native());
        command.args(["init", "--coordinator", coordinators, "--data-dir"]).arg(self.folder.path());
        let made = without_ours(&mut command).output().expect("the binary starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// Returns the keys of the cluster file.
    pub fn keys(&self) -> Keys {
        ClusterFile::read(&ClusterFile::path_in(self.folder.path())).expect("it was made").keys()
    }

    /// Returns the folder of a host.
    pub fn folder_of(&self, at: usize) -> PathBuf {
        self.hosts[at].folder.clone()
    }

    /// Returns the numbers of all hosts.
    pub fn all(&self) -> std::ops::Range<usize> {
        0..self.hosts.len()
    }

    /// Returns the host of a member, given by its name such as `backend-2`.
    #[track_caller]
    pub fn host_of(&self, member: &str) -> usize {
        let (role, id) = member.rsplit_once('-').expect("a role and a number");
        let start = format!("{role} --id {id}");
        let has = |host: &Host| {
            let mut processes = host.processes.iter();
            processes.any(|it| it.typed == start || it.typed.starts_with(&format!("{start} ")))
        };
        self.hosts.iter().position(has).unwrap_or_else(|| panic!("no {member} anywhere"))
    }

    /// Starts all processes of these hosts that are not running, and connects their cables.
    pub fn power_on(&mut self, hosts: &[usize]) {
        for at in hosts {
            for number in 0..self.hosts[*at].processes.len() {
                if self.hosts[*at].processes[number].child.is_none() {
                    self.launch(*at, number);
                }
            }
            self.network.pull(*at, false);
        }
    }

    fn launch(&mut self, at: usize, number: usize) {
        let log = File::options().create(true).append(true).open(self.log(at)).expect("a log");
        let host = &self.hosts[at];
        let process = &host.processes[number];
        // As documented for `--found`: only at the first start.
        let words = process.typed.split(' ').filter(|word| process.lives == 0 || *word != "--found");
        let mut command = self.network.command(at, &host.board.runs[0]);
        command.args(&host.board.runs[1..]).args(words);
        // The child ends when this process ends, even by a crash.
        command.arg("--supervised").current_dir(&host.folder);
        if !process.typed.starts_with("client") {
            command.arg("--data-dir").arg(&host.folder);
        }
        command.stdin(Stdio::piped()).stdout(log.try_clone().expect("a log")).stderr(log);
        let child = without_ours(&mut command).spawn().expect("the binary starts");
        let process = &mut self.hosts[at].processes[number];
        process.child = Some(child);
        process.lives += 1;
    }

    /// Kills all processes of these hosts at once with SIGKILL. Their cables are unplugged before, because a machine without
    /// power does not close its connections.
    pub fn power_cut(&mut self, hosts: &[usize]) {
        hosts.iter().for_each(|at| self.network.pull(*at, true));
        for at in hosts {
            for child in self.hosts[*at].processes.iter().filter_map(|process| process.child.as_ref()) {
                send(child.id(), Signal::KILL);
            }
        }
        for at in hosts {
            for process in &mut self.hosts[*at].processes {
                let Some(mut child) = process.child.take() else { continue };
                let ended = child.wait().expect("our child");
                assert!(ended.code().is_none(), "{} had exited on its own: {ended}", process.typed);
            }
        }
    }

    fn process(&self, at: usize, typed: &str) -> usize {
        let found = self.hosts[at].processes.iter().position(|process| process.typed == typed);
        found.unwrap_or_else(|| panic!("no `{typed}` on this host"))
    }

    /// Sends a signal to a process of a host, given by its arguments.
    #[track_caller]
    pub fn signal(&self, at: usize, typed: &str, signal: Signal) {
        let process = &self.hosts[at].processes[self.process(at, typed)];
        send(process.child.as_ref().expect("it runs").id(), signal);
    }

    /// Waits until a process of a host has ended.
    #[track_caller]
    pub fn has_ended(&mut self, at: usize, typed: &str) {
        let number = self.process(at, typed);
        let mut child = self.hosts[at].processes[number].child.take().expect("it ran");
        awaited("it ends", || child.try_wait().expect("our child"));
    }

    /// Asserts that no process has ended on its own.
    #[track_caller]
    pub fn nobody_gave_up(&mut self) {
        for process in self.hosts.iter_mut().flat_map(|host| &mut host.processes) {
            let ended = process.child.as_mut().and_then(|child| child.try_wait().expect("our child"));
            assert!(ended.is_none(), "{} exited on its own: {ended:?}", process.typed);
        }
    }

    /// Returns the resident memory of each process, as its arguments and KiB.
    pub fn resident_kib(&self) -> Vec<(String, u64)> {
        let processes = self.hosts.iter().flat_map(|host| &host.processes);
        let resident = |process: &Process| {
            let status = fs::read_to_string(format!("/proc/{}/status", process.child.as_ref()?.id())).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            Some((process.typed.clone(), line.trim().split(' ').next()?.parse().ok()?))
        };
        processes.filter_map(resident).collect()
    }

    fn log(&self, at: usize) -> PathBuf {
        self.hosts[at].folder.join("said.log")
    }

    /// Returns the log of a host's processes.
    pub fn said(&self, at: usize) -> String {
        fs::read_to_string(self.log(at)).unwrap_or_default()
    }

    /// Runs `ribbit` on a host with this line on standard input. Returns its exit code and all its output.
    pub fn typed(&self, at: usize, words: &[&str], line: &str) -> (i32, String) {
        let mut command = self.network.command(at, &native());
        command.args(words).current_dir(&self.hosts[at].folder).stdin(Stdio::piped());
        command.env("XDG_CONFIG_HOME", self.hosts[at].folder.join("config"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = without_ours(&mut command).spawn().expect("the binary starts");
        // A process that reads no input may have ended already.
        let _ = writeln!(child.stdin.take().expect("piped"), "{line}");
        let output = child.wait_with_output().expect("our child");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// Does the same for commands that need the cluster file.
    pub fn operated(&self, at: usize, words: &[&str]) -> (i32, String) {
        let folder = self.hosts[at].folder.to_str().expect("a plain name").to_string();
        self.typed(at, &[words, &["--data-dir", &folder]].concat(), "")
    }

    /// Returns the cluster's status as seen from a host, or `None` if no server answers there.
    pub fn try_status(&self, at: usize) -> Option<Status> {
        let (code, said) = self.operated(at, &["status", "--json"]);
        // Messages about servers that do not answer follow the JSON.
        (code == 0).then(|| serde_json::Deserializer::from_str(&said).into_iter().next()?.ok()).flatten()
    }

    #[track_caller]
    fn await_status_within(
        &self,
        limit: Duration,
        at: usize,
        what: &str,
        wanted: impl Fn(&Status) -> bool,
    ) -> Status {
        let mut last = None;
        let began = Instant::now();
        while began.elapsed() < limit {
            last = self.try_status(at);
            if let Some(status) = last.as_ref().filter(|status| wanted(status)) {
                return status.clone();
            }
            std::thread::sleep(PAUSE);
        }
        panic!("{what}: not within {limit:?}; the last status was {last:#?}")
    }

    /// Waits until all members are alive, vote, and have applied the same index.
    #[track_caller]
    pub fn await_whole(&self) {
        self.await_all_within(HEAL_MAX, "the group is whole", Status::is_whole);
    }

    /// Waits until all members are alive, vote and are in sync, even while users write. Returns the time it took.
    #[track_caller]
    pub fn await_together(&self) -> Duration {
        let began = Instant::now();
        let together = |status: &Status| {
            status.leader.is_some() && status.members.iter().all(|it| it.alive && it.voter && it.in_sync)
        };
        self.await_all_within(HEAL_MAX, "all members are back", together);
        began.elapsed()
    }

    #[track_caller]
    fn await_all_within(&self, limit: Duration, what: &str, wanted: impl Fn(&Status) -> bool) {
        let typed = self.hosts.iter().flat_map(|host| &host.processes);
        let members = typed.filter(|it| it.typed.contains("--id ")).count();
        let centre = CENTRE.min(self.hosts.len() - 1);
        self.await_status_within(limit, centre, what, |status| {
            status.members.len() == members && wanted(status)
        });
    }

    /// Transfers leadership to a member.
    #[track_caller]
    pub fn lead(&self, member: &str) {
        let leads = |status: &Status| status.leader.as_deref() == Some(member);
        awaited("it leads", || {
            if self.try_status(CENTRE).as_ref().is_some_and(leads) {
                return Some(());
            }
            // Refused during another transfer, so it is repeated.
            self.operated(CENTRE, &["transfer", member]);
            None
        });
    }

    /// Asserts that all members have the same rows.
    #[track_caller]
    pub fn verify(&self) {
        // Exits with 3 while a member cannot be compared, so it is repeated.
        let said = awaited_within(HEAL_MAX, "`ribbit verify` compares all", || {
            let (code, said) = self.operated(CENTRE, &["verify"]);
            (code != 3).then_some((code, said))
        });
        assert_eq!(said.0, 0, "{}", said.1);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (at, host) in self.hosts.iter().enumerate() {
                let said = self.said(at);
                let lines: Vec<&str> = said.lines().collect();
                let tail = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
                println!("{} said:\n{}\n", host.board.name, tail.join("\n"));
            }
        }
        for process in self.hosts.iter_mut().flat_map(|host| &mut host.processes) {
            if let Some(child) = &mut process.child {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

/// Prints a line past the test harness, which captures `println!`.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Returns the address of a coordinator from its arguments.
fn coordinator(typed: &str) -> Option<String> {
    let behind = typed.strip_prefix("coordinator ")?.split_once("--advertise ")?.1;
    behind.split(' ').next().map(str::to_string)
}

/// Removes `RIBBIT_*` variables of the test's environment from a command.
fn without_ours(command: &mut Command) -> &mut Command {
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("RIBBIT_")) {
        command.env_remove(key);
    }
    command
}

fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a pid");
    // The process may have ended already.
    let _ = kill_process(pid, signal);
}

/// Returns the HOST:PORT of a backend of [`usual`], by its number.
pub fn backend(id: usize) -> String {
    format!("{}:{}", testkit::network::address(id - 1), 10_000 + id)
}
