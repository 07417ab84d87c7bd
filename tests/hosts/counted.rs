//! The counter example of `ribbit lock --help`, incremented by several workers at once while links are cut: every
//! acknowledged increment must be counted.

use crate::group::{CENTRE, Group, WEB, backend, usual};
use ribbit_roles::common::cluster_file::ClusterFile;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use testkit::timeouts::awaited;

/// Duration of the phase in which links are cut and restored.
const STORM: Duration = Duration::from_secs(60);

/// Time that the lagging member is the only one in reach: longer than any read waits, shorter than half of the lease.
const CUT: Duration = Duration::from_secs(12);

/// Number of concurrent workers.
const WORKERS: usize = 3;

/// Time that some of the links are cut.
const GUST: Duration = Duration::from_secs(4);

/// Time between two cuts.
const CALM: Duration = Duration::from_secs(6);

/// Returns the script of the last example in the help text.
fn recipe() -> String {
    let help = Command::new(env!("CARGO_BIN_EXE_ribbit")).args(["lock", "--help"]).output().expect("help");
    let help = String::from_utf8(help.stdout).expect("text");
    let script = help.split_once("sh -c '").expect("an example with a script").1;
    script.split_once('\'').expect("the script ends").0.to_string()
}

/// The workers' host, which reaches every member.
struct Desk {
    home: PathBuf,
    folder: PathBuf,
    servers: String,
}

impl Desk {
    fn new(group: &Group) -> Desk {
        let folder = group.folder_of(WEB);
        fs::copy(ClusterFile::path_in(&group.folder_of(CENTRE)), ClusterFile::path_in(&folder))
            .expect("a copy");
        let home = Path::new(env!("CARGO_BIN_EXE_ribbit")).parent().expect("a folder").to_path_buf();
        let coordinators = [9000, 9001].map(|port| format!("{}:{port}", testkit::network::address(CENTRE)));
        let servers = [[1, 2, 3].map(backend).join(","), coordinators.join(",")].join(",");
        Desk { home, folder, servers }
    }

    /// Returns a `ribbit` command, to be started by a thread on this host.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ribbit"));
        let path = format!("{}:{}", self.home.display(), std::env::var("PATH").unwrap_or_default());
        command.args(words).env("PATH", path).env("D", &self.folder);
        command.env("RIBBIT_DATA_DIR", &self.folder).env("RIBBIT_SERVER", &self.servers);
        command
    }

    fn run(&self, words: &[&str]) -> (i32, String) {
        let output = self.command(words).stdin(Stdio::null()).output().expect("the binary starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// Increments the counter under the lock. Returns true if that was acknowledged.
    fn count(&self, lease: &str, script: &str) -> bool {
        self.start(lease, script).wait().expect("our child").success()
    }

    fn start(&self, lease: &str, script: &str) -> Child {
        let words = ["lock", "/jobs/it", "--lease", lease, "--wait", "20s", "--", "sh", "-c", script];
        let mut command = self.command(&words);
        let said = || fs::File::options().create(true).append(true).open(self.folder.join("workers.log"));
        let (out, err) = (said().expect("a log"), said().expect("a log"));
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        command.spawn().expect("the binary starts")
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.join("workers.log")).unwrap_or_default()
    }

    #[track_caller]
    fn counted(&self) -> u64 {
        awaited("the counter is read", || {
            let (code, said) = self.run(&["shell", "cat", "/jobs/count"]);
            (code == 0).then(|| said.trim().parse().unwrap_or_else(|_| panic!("a number: {said}")))
        })
    }
}

#[test]
fn every_acknowledged_increment_under_the_lock_is_counted_while_links_are_cut() {
    let Some(mut group) = Group::on(usual(), WEB) else { return };
    let (desk, recipe) = (Desk::new(&group), recipe());
    assert_eq!(desk.run(&["shell", "mkdir", "/jobs"]).0, 0);
    assert_eq!(desk.run(&["shell", "write", "/jobs/count", "0"]).0, 0);
    a_member_that_is_behind(&group, &desk, &recipe);
    group.await_together();
    a_storm(&group, &desk, &recipe);
    group.await_together();
    group.nobody_gave_up();
}

/// Increments while the only member in reach of the lock's holder has missed the last increments.
fn a_member_that_is_behind(group: &Group, desk: &Desk, recipe: &str) {
    let behind = group.host_of("backend-1");
    let others: Vec<usize> = (0..=CENTRE).filter(|at| *at != behind).collect();
    group.network.pull(behind, true);
    for _ in 0..3 {
        assert!(desk.count("10s", recipe));
    }
    // Long enough for its links to time out, so that nothing is in flight to it.
    std::thread::sleep(Duration::from_secs(5));
    let waits = format!("touch $D/holds; while [ ! -e $D/go ]; do sleep 0.05; done; {recipe}");
    let mut holder = desk.start("60s", &waits);
    awaited("it holds the lock", || desk.folder.join("holds").exists().then_some(()));
    for other in &others {
        group.network.cut_between(behind, *other, true);
        group.network.pull(*other, true);
    }
    group.network.pull(behind, false);
    fs::write(desk.folder.join("go"), "").expect("a file");
    std::thread::sleep(CUT);
    for other in &others {
        group.network.cut_between(behind, *other, false);
        group.network.pull(*other, false);
    }
    let acknowledged = holder.wait().expect("our child").success();
    let counted = desk.counted();
    println!("one member lags: counted {counted}, the last increment acknowledged: {acknowledged}");
    assert!(counted >= 3 + u64::from(acknowledged), "{counted}; the workers said:\n{}", desk.said());
    desk.run(&["shell", "write", "/jobs/count", "0"]);
}

/// Increments continuously while links between members are cut and restored. The workers reach every member.
fn a_storm(group: &Group, desk: &Desk, recipe: &str) {
    let (over, acknowledged, tried) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let hosts = CENTRE + 1;
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                group.network.enter(WEB);
                while !over.load(Ordering::Relaxed) {
                    tried.fetch_add(1, Ordering::Relaxed);
                    let counts = desk.count("10s", recipe);
                    acknowledged.fetch_add(counts.into(), Ordering::Relaxed);
                }
            });
        }
        let began = Instant::now();
        for gust in 0.. {
            if began.elapsed() > STORM {
                break;
            }
            // Topologies of the remaining links: a ring, none at all, a line, two halves, a star.
            let hears = |one: usize, other: usize| match gust % 5 {
                0 => (one + 1) % hosts == other || (other + 1) % hosts == one,
                1 => false,
                2 => one.abs_diff(other) == 1,
                3 => one / 2 == other / 2,
                _ => one == 1 || other == 1,
            };
            let pairs = (0..hosts).flat_map(|one| (one + 1..hosts).map(move |other| (one, other)));
            let cut: Vec<(usize, usize)> = pairs.filter(|(one, other)| !hears(*one, *other)).collect();
            cut.iter().for_each(|(one, other)| group.network.cut_between(*one, *other, true));
            std::thread::sleep(GUST);
            cut.iter().for_each(|(one, other)| group.network.cut_between(*one, *other, false));
            std::thread::sleep(CALM);
        }
        over.store(true, Ordering::Relaxed);
    });
    let (acknowledged, tried) = (acknowledged.into_inner(), tried.into_inner());
    let counted = desk.counted();
    println!("{tried} tried, {acknowledged} acknowledged, {counted} counted");
    let said = || format!("the workers said:\n{}", desk.said());
    assert!(acknowledged > 0 && (acknowledged..=tried).contains(&counted), "{}", said());
}
