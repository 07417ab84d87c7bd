//! A group on hosts of its own, as it stands on boards: each host has a folder with a copy of the cluster file, and runs
//! what is typed there. [`Board`] says what; [`usual`] is what most tests use.
//!
//! One group lives at a time. Nothing outlives it: what it started ends with it, and with the test process.

use crate::network::{self, Network};
use crate::patience::{PAUSE, awaited, awaited_within};
use crate::status_json::Status;
use ribbit_net::keys::Keys;
use ribbit_roles::cluster_file::ClusterFile;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// After a fault has ended, everybody is there again and equal within this; emulated processors are slow.
pub const HEAL_MAX: Duration = Duration::from_secs(90);
/// A group is founded and whole within this.
const FOUND_MAX: Duration = Duration::from_secs(120);
/// What is shown of a log when a test fails.
const LOG_LINES_SHOWN: usize = 60;

/// What a host runs, and as what.
#[derive(Clone)]
pub struct Board {
    /// What its folder is called.
    pub name: &'static str,
    /// Program and first arguments: the binary, or an emulator and the binary.
    pub runs: Vec<PathBuf>,
    /// One process each, as it is typed behind `ribbit`.
    pub processes: Vec<String>,
    /// It has a copy of the cluster file; a host where people come in needs the public key alone.
    pub has_cluster_file: bool,
}

impl Board {
    pub fn new(name: &'static str, processes: &[&str]) -> Board {
        let processes = processes.iter().map(ToString::to_string).collect();
        Board { name, runs: vec![native()], processes, has_cluster_file: true }
    }
}

/// The binary that these tests were built with.
pub fn native() -> PathBuf {
    env!("CARGO_BIN_EXE_ribbit").into()
}

/// Where [`usual`] has what: the backends are on the hosts before.
pub const CENTRE: usize = 3;
pub const WEB: usize = 4;
/// Where people come in on the host of the web role.
pub const PAGES: &str = "127.0.0.1:8080";

/// Three hosts with a backend each, one with both coordinators and the balancer, one with the web role and the people.
pub fn usual() -> Vec<Board> {
    let backend = |id: usize| format!("backend --id {id} --posts-per-minute 0");
    let centre = network::address(CENTRE);
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

struct Process {
    typed: String,
    child: Option<Child>,
    lives: u32,
}

struct Host {
    board: Board,
    folder: PathBuf,
    processes: Vec<Process>,
}

pub struct Group {
    hosts: Vec<Host>,
    pub network: Network,
    /// Where the group was made; the hosts' folders lie in it.
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// Two cores carry one group.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that failed before took nothing along that matters here.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Group {
    /// The hosts and their folders; nothing runs. Nothing where this cannot be done, with the reason printed past what
    /// the test harness swallows. The calling thread is on the host `home` from now on.
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

    /// The same, switched on and whole.
    pub fn on(boards: Vec<Board>, home: usize) -> Option<Group> {
        let mut group = Group::off(boards, home)?;
        let all: Vec<usize> = group.all().collect();
        group.power_on(&all);
        group.await_all_within(FOUND_MAX, "the group is whole", Status::is_whole);
        Some(group)
    }

    fn init(&self, coordinators: &str) {
        let mut command = Command::new(native());
        command.args(["init", "--coordinator", coordinators, "--data-dir"]).arg(self.folder.path());
        let made = without_ours(&mut command).output().expect("the binary starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// As every board has them.
    pub fn keys(&self) -> Keys {
        ClusterFile::read(&ClusterFile::path_in(self.folder.path())).expect("it was made").keys()
    }

    /// What lies on a host.
    pub fn folder_of(&self, at: usize) -> PathBuf {
        self.hosts[at].folder.clone()
    }

    /// The hosts, by number.
    pub fn all(&self) -> std::ops::Range<usize> {
        0..self.hosts.len()
    }

    /// Where this member runs: `backend-2`.
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

    /// Starts what these hosts run, and is not running.
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
        // As it is said of it: never again once it was there.
        let words = process.typed.split(' ').filter(|word| process.lives == 0 || *word != "--found");
        let mut command = self.network.command(at, &host.board.runs[0]);
        command.args(&host.board.runs[1..]).args(words);
        // It ends with this process, however that ends.
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

    /// `kill -9` of everything on these hosts, at once. Their cables carry nothing from the moment before: a machine
    /// without power does not say farewell to its connections.
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
                assert!(ended.code().is_none(), "{} had ended by itself: {ended}", process.typed);
            }
        }
    }

    fn process(&self, at: usize, typed: &str) -> usize {
        let found = self.hosts[at].processes.iter().position(|process| process.typed == typed);
        found.unwrap_or_else(|| panic!("no `{typed}` on this host"))
    }

    /// Sends what runs on a host, as it was typed, a signal.
    #[track_caller]
    pub fn signal(&self, at: usize, typed: &str, signal: Signal) {
        let process = &self.hosts[at].processes[self.process(at, typed)];
        send(process.child.as_ref().expect("it runs").id(), signal);
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn has_ended(&mut self, at: usize, typed: &str) {
        let number = self.process(at, typed);
        let mut child = self.hosts[at].processes[number].child.take().expect("it ran");
        awaited("it ends", || child.try_wait().expect("our child"));
    }

    /// What runs goes on; nobody has ended but by us.
    #[track_caller]
    pub fn nobody_gave_up(&mut self) {
        for process in self.hosts.iter_mut().flat_map(|host| &mut host.processes) {
            let ended = process.child.as_mut().and_then(|child| child.try_wait().expect("our child"));
            assert!(ended.is_none(), "{} ended by itself: {ended:?}", process.typed);
        }
    }

    /// What each process has in memory: as it was typed, and KiB.
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

    /// What this host's processes have said.
    pub fn said(&self, at: usize) -> String {
        fs::read_to_string(self.log(at)).unwrap_or_default()
    }

    /// What a person types on a host, with this line on standard input: its exit code, and all that it said.
    pub fn typed(&self, at: usize, words: &[&str], line: &str) -> (i32, String) {
        let mut command = self.network.command(at, &native());
        command.args(words).current_dir(&self.hosts[at].folder).stdin(Stdio::piped());
        command.env("XDG_CONFIG_HOME", self.hosts[at].folder.join("config"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = without_ours(&mut command).spawn().expect("the binary starts");
        // Who asks for nothing may be gone by now.
        let _ = writeln!(child.stdin.take().expect("piped"), "{line}");
        let output = child.wait_with_output().expect("our child");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// The same of what needs the cluster file.
    pub fn operated(&self, at: usize, words: &[&str]) -> (i32, String) {
        let folder = self.hosts[at].folder.to_str().expect("a plain name").to_string();
        self.typed(at, &[words, &["--data-dir", &folder]].concat(), "")
    }

    /// How the group is, as it looks from this host; nothing when nobody answers there.
    pub fn try_status(&self, at: usize) -> Option<Status> {
        let (code, said) = self.operated(at, &["status", "--json"]);
        // What is said of who does not answer stands behind it.
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

    /// Waits until everybody is there, votes, and has applied the same.
    #[track_caller]
    pub fn await_whole(&self) {
        self.await_all_within(HEAL_MAX, "the group is whole", Status::is_whole);
    }

    /// Waits until everybody is there, votes, and is in sync: people may be writing. Answers how long that took.
    #[track_caller]
    pub fn await_together(&self) -> Duration {
        let began = Instant::now();
        let together = |status: &Status| {
            status.leader.is_some() && status.members.iter().all(|it| it.alive && it.voter && it.in_sync)
        };
        self.await_all_within(HEAL_MAX, "everybody is back", together);
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

    /// Lets this member lead.
    #[track_caller]
    pub fn lead(&self, member: &str) {
        let leads = |status: &Status| status.leader.as_deref() == Some(member);
        awaited("it leads", || {
            if self.try_status(CENTRE).as_ref().is_some_and(leads) {
                return Some(());
            }
            // Refused while something else is moved: asked again.
            self.operated(CENTRE, &["transfer", member]);
            None
        });
    }

    /// All members have the same, row by row.
    #[track_caller]
    pub fn verify(&self) {
        // Of a member that moves it says so and ends: asked again.
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

/// Shown past what the test harness swallows, a line at a time.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Where a coordinator is found, from what is typed to start it.
fn coordinator(typed: &str) -> Option<String> {
    let behind = typed.strip_prefix("coordinator ")?.split_once("--advertise ")?.1;
    behind.split(' ').next().map(str::to_string)
}

/// Nothing of the caller's changes what a process does.
fn without_ours(command: &mut Command) -> &mut Command {
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("RIBBIT_")) {
        command.env_remove(key);
    }
    command
}

fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a pid");
    // It may have ended by itself.
    let _ = kill_process(pid, signal);
}

/// HOST:PORT of a backend of [`usual`], by its number.
pub fn backend(id: usize) -> String {
    format!("{}:{}", network::address(id - 1), 10_000 + id)
}
