//! The processes, each on a simulated machine of its own: a network namespace behind a bridge, which can be partitioned.

use ribbit_db::{FileDisk, Store, snapshot};
use ribbit_net::keys::Keys;
use ribbit_roles::common::cluster_file::ClusterFile;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use testkit::network::Network;
use testkit::status_json::Status;

/// Pause before a process is restarted, as in systemd.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
const STOP_MAX: Duration = Duration::from_secs(30);
const PORT: u16 = 9_000;

pub struct Board {
    pub name: &'static str,
    words: &'static [&'static str],
    /// Killed now and then; the other processes live as long as the soak, so that their resource usage can be followed.
    pub mortal: bool,
    pub address: String,
    child: Option<Child>,
    /// Killed or terminated by the soak.
    expected: bool,
    ended: Instant,
    pub lives: u32,
}

impl Board {
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub fn is_member(&self) -> bool {
        !self.name.starts_with("balancer")
    }

    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            // The process may have ended by itself.
            let _ = kill_process(pid, signal);
        }
    }
}

const BOARDS: &[(&str, &[&str], bool)] = &[
    ("coordinator-1", &["coordinator", "--id", "1", "--found"], true),
    ("coordinator-2", &["coordinator", "--id", "2"], false),
    ("backend-1", &["backend", "--id", "1", "--posts-per-minute", "0"], true),
    ("backend-2", &["backend", "--id", "2", "--posts-per-minute", "0"], true),
    ("backend-3", &["backend", "--id", "3", "--posts-per-minute", "0"], false),
    ("balancer-1", &["balancer"], false),
    ("balancer-2", &["balancer"], true),
];

pub struct Boards {
    pub boards: Vec<Board>,
    network: Option<Network>,
    binary: PathBuf,
    folder: PathBuf,
}

impl Boards {
    /// Creates a cluster and starts all processes. From now on, this thread and the threads that it starts reach all machines.
    pub fn start(binary: &Path, folder: &Path) -> Boards {
        let network = Network::make("soak", BOARDS.len())
            .inspect(Network::enter_switch)
            .inspect_err(|why| println!("{why}: no machine will be partitioned"))
            .ok();
        let address = |at: usize| match &network {
            Some(_) => format!("{}:{PORT}", testkit::network::address(at)),
            None => format!("127.0.0.1:{}", PORT as usize + 700 + at),
        };
        let board =
            |(at, (name, words, mortal)): (usize, &(&'static str, &'static [&'static str], bool))| Board {
                name,
                words,
                mortal: *mortal,
                address: address(at),
                child: None,
                expected: false,
                ended: Instant::now(),
                lives: 0,
            };
        let boards: Vec<Board> = BOARDS.iter().enumerate().map(board).collect();
        let coordinators = format!("{},{}", boards[0].address, boards[1].address);
        let made = Command::new(binary)
            .args(["init", "--coordinator", &coordinators, "--data-dir"])
            .arg(folder)
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("the binary runs").success(), "the cluster file is made");
        let mut boards =
            Boards { boards, network, binary: binary.to_path_buf(), folder: folder.to_path_buf() };
        for at in 0..boards.boards.len() {
            boards.launch(at);
        }
        boards
    }

    pub fn can_cut(&self) -> bool {
        self.network.is_some()
    }

    /// Returns the network. Only to be called if there is one ([`Boards::can_cut`]).
    pub fn network(&self) -> &Network {
        self.network.as_ref().expect("machines are only disturbed where there is a network")
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn balancers(&self) -> Vec<String> {
        self.addresses(|board| !board.is_member())
    }

    pub fn members(&self) -> Vec<String> {
        self.addresses(Board::is_member)
    }

    pub fn backends(&self) -> Vec<String> {
        self.addresses(|board| board.name.starts_with("backend"))
    }

    fn addresses(&self, of: impl Fn(&Board) -> bool) -> Vec<String> {
        self.boards.iter().filter(|board| of(board)).map(|board| board.address.clone()).collect()
    }

    /// Returns the keys of the cluster file.
    pub fn keys(&self) -> Keys {
        ClusterFile::read(&ClusterFile::path_in(&self.folder)).expect("it was made").keys()
    }

    fn launch(&mut self, at: usize) {
        let log = self.folder.join(format!("{}.log", self.boards[at].name));
        let log = File::options().create(true).append(true).open(log).expect("a log can be written");
        let board = &mut self.boards[at];
        let mut command = match &self.network {
            Some(network) => network.command(at, &self.binary),
            None => Command::new(&self.binary),
        };
        command
            .args(board.words)
            .args(["--supervised", "--listen", &board.address, "--data-dir"])
            .arg(&self.folder);
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("RIBBIT_")) {
            command.env_remove(key);
        }
        let out = log.try_clone().expect("a log can be written");
        let child = command.stdin(Stdio::piped()).stdout(out).stderr(log).spawn();
        board.child = Some(child.expect("the binary starts"));
        board.expected = false;
        board.lives += 1;
    }

    /// Restarts processes that ended. Returns those that ended by themselves.
    pub fn look_after(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        for at in 0..self.boards.len() {
            let board = &mut self.boards[at];
            match board.child.as_mut().map(Child::try_wait) {
                Some(Ok(Some(status))) => {
                    if !board.expected {
                        wrong.push(format!("{} ended by itself: {status}; see {0}.log", board.name));
                    }
                    (board.child, board.ended) = (None, Instant::now());
                }
                None if board.ended.elapsed() >= RESTART_PAUSE => self.launch(at),
                _ => {}
            }
        }
        wrong
    }

    pub fn kill(&mut self, at: usize) {
        self.boards[at].expected = true;
        self.boards[at].signal(Signal::KILL);
    }

    /// Drops all packets to and from this machine.
    pub fn cut_off(&self, at: usize, is_cut: bool) {
        if let Some(network) = &self.network {
            network.pull(at, is_cut);
        }
    }

    /// Drops the packets of the first machine to the second, which stops every connection between the two.
    pub fn cut_between(&self, from: usize, to: usize, is_cut: bool) {
        if let Some(network) = &self.network {
            network.cut_between(from, to, is_cut);
        }
    }

    /// Waits until all members are up, vote, and have applied the same index.
    pub fn await_whole(&mut self, limit: Duration) {
        let began = Instant::now();
        loop {
            self.look_after();
            if self.is_whole() {
                return;
            }
            assert!(
                began.elapsed() < limit,
                "the cluster is not complete after {limit:?}; see {}",
                self.folder.display()
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn is_whole(&self) -> bool {
        let asked =
            Command::new(&self.binary).args(["status", "--json", "--data-dir"]).arg(&self.folder).output();
        let output = asked.expect("the binary runs").stdout;
        let status = serde_json::from_slice::<Status>(&output);
        status.is_ok_and(|status| status.members.len() == 5 && status.is_whole())
    }

    /// Terminates all processes.
    pub fn stop(&mut self) {
        for board in &mut self.boards {
            board.expected = true;
            board.signal(Signal::TERM);
        }
        let began = Instant::now();
        for board in &mut self.boards {
            let Some(child) = &mut board.child else { continue };
            while child.try_wait().is_ok_and(|ended| ended.is_none()) {
                assert!(began.elapsed() < STOP_MAX, "{} does not end", board.name);
                std::thread::sleep(Duration::from_millis(50));
            }
            board.child = None;
        }
    }

    /// Opens and compares the stores of all members.
    pub fn differences(&self) -> Vec<String> {
        let mut states = Vec::new();
        let mut wrong = Vec::new();
        for board in self.boards.iter().filter(|board| board.is_member()) {
            match state(&self.folder.join(board.name)) {
                Ok(state) => states.push((board.name, state)),
                Err(error) => wrong.push(format!("the store of {} cannot be read: {error}", board.name)),
            }
        }
        for (name, state) in &states {
            println!("{name}: {} rows at {}, digest {:016x}", state.1, state.0, state.2);
            if *state != states[0].1 {
                wrong.push(format!("{name} differs from {}", states[0].0));
            }
        }
        wrong
    }
}

/// Returns applied index, number of rows and digest, with the whole log applied: in a complete cluster all of it is committed.
fn state(folder: &Path) -> Result<(u64, u64, u64), ribbit_db::DbError> {
    let mut store = Store::open(FileDisk::new(folder))?;
    store.apply_whole_log()?;
    let (applied, sum) = snapshot::digest(&store.reader())?;
    Ok((applied.index, sum.rows, sum.digest))
}

impl Drop for Boards {
    fn drop(&mut self) {
        for board in &mut self.boards {
            board.signal(Signal::KILL);
            if let Some(child) = &mut board.child {
                let _ = child.wait();
            }
        }
    }
}
