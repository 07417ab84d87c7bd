//! A cluster of three backends under load. The calls of one of them fail by rules.

use crate::preload::FailingCalls;
use crate::test_cluster::{Status, TestCluster, awaited, awaited_within, keys, send};
use crate::writers::{Writers, session_of};
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use testkit::writers::{feed_after, text_of};

/// Name of the member whose calls fail.
pub const VICTIM: &str = "backend-2";
/// Members of the cluster.
const MEMBERS: [&str; 3] = ["backend-1", VICTIM, "backend-3"];
/// Time limit for a rule to show an effect.
const EFFECT_MAX: Duration = Duration::from_secs(12);
/// Number of entries that a member applies after a fault before it counts as one that goes on.
const GOES_ON_ENTRIES: u64 = 24;
/// A member that lags by more entries has not caught up.
const LAG_MAX: u64 = 64;
/// A croak is acknowledged at most this many entries after the member has applied it.
const ACKNOWLEDGED_WITHIN: u64 = 64;
/// Number of starts without faults until a member is back: with a damaged store, the first one marks it as lost.
const STARTS_MAX: usize = 3;

/// Part of a member's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// From a start after a kill until the member is in sync.
    Start,
    /// In sync, as a follower or, rarely, as the leader.
    Run,
    /// In sync, as the leader.
    Lead,
    /// From SIGTERM to the end.
    Stop,
    /// A start after a sync of the rows has failed: they are copied first.
    Suspect,
    /// A start with a store that is marked as lost: it is set aside, and the member joins by a snapshot.
    Rejoin,
}

/// A rule: the phase in which it holds, the call, the file and how it fails.
#[derive(Debug, Clone)]
pub struct Row {
    pub phase: Phase,
    pub call: String,
    pub file: String,
    pub action: &'static str,
    pub after: u32,
    /// Number of calls that fail; -1 for all.
    pub times: i32,
}

/// What became of the member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// No call matched.
    NotReached,
    GoesOn,
    /// It lives and does not serve while the rule holds.
    Waits,
    Ended {
        code: i32,
        line: String,
    },
}

#[derive(Debug, Clone)]
pub struct Outcome {
    pub end: End,
    /// The member came back with its own store, not as a new member.
    pub kept_store: bool,
    pub acknowledged: usize,
    /// Acknowledged croaks that a member does not serve afterwards.
    pub lost: Vec<String>,
    /// Number of calls that failed.
    pub hits: usize,
}

pub struct Rig {
    pub pond: TestCluster,
    calls: FailingCalls,
    victim: Victim,
    said: PathBuf,
    writers: Writers,
}

/// The process of the member whose calls fail. It does not outlive the test.
struct Victim(Option<Child>);

impl Victim {
    fn kill(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            child.wait().expect("our child");
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Rig {
    pub fn start(calls: FailingCalls) -> Rig {
        let mut pond = TestCluster::empty();
        // Short segments, so that each is recycled soon and whoever was away needs a snapshot.
        pond.environment = vec![("RIBBIT_TEST_LOG_KEEP", "16".into())];
        pond.up(&["--backends", "3", "--coordinators", "0", "--restart", "never"]);
        pond.await_status("three vote", |status| status.members.len() == 3 && status.is_whole());
        let writers = Writers::at_pace(&pond.web(), 2, Duration::from_millis(10));
        pond.kill(&[VICTIM]);
        let said = pond.folder().join("victim.log");
        let mut rig = Rig { pond, calls, victim: Victim(None), said, writers };
        rig.spawn();
        rig.await_in_sync();
        rig
    }

    fn folder(&self) -> PathBuf {
        self.pond.folder().join(VICTIM)
    }

    fn spawn(&mut self) {
        assert!(self.victim.0.is_none(), "one process a store");
        let log = fs::File::create(&self.said).expect("a log");
        let mut command = self.pond.ribbit(&["backend", "--id", "2"]);
        command.envs(self.calls.environment()).envs(self.calls.tracing(self.pond.folder()));
        command.env("TEST_DISK_LOSES", "1").stdout(Stdio::null()).stderr(log);
        self.victim.0 = Some(command.spawn().expect("the binary starts"));
    }

    fn signal(&self, signal: Signal) {
        send(self.victim.0.as_ref().expect("it runs").id(), signal);
    }

    /// Returns the exit code of the victim once it has ended.
    fn ended(&mut self) -> Option<i32> {
        let status = self.victim.0.as_mut()?.try_wait().expect("our child")?;
        self.victim.0 = None;
        Some(status.code().unwrap_or(-1))
    }

    fn is_in_sync(status: &Status) -> bool {
        status.leader.is_some()
            && status.members.len() == 3
            && status.members.iter().all(|member| member.alive && member.in_sync && member.lag < LAG_MAX)
    }

    #[track_caller]
    fn await_in_sync(&mut self) {
        self.pond.await_status("all three are in sync", Rig::is_in_sync);
    }

    /// Makes the victim the leader.
    fn lead(&mut self) {
        loop {
            let status = self.pond.await_status("one leads", Rig::is_in_sync);
            let leader = status.leader.expect("just seen");
            if leader == VICTIM {
                return;
            }
            self.pond.signal(&[&leader], Signal::STOP);
            let other = |status: &Status| status.leader.as_ref().is_some_and(|other| *other != leader);
            self.pond.await_status("another member leads", other);
            self.pond.signal(&[&leader], Signal::CONT);
        }
    }

    /// Begins a phase, in which `rules` hold.
    fn begin(&mut self, phase: Phase, rules: &[String]) {
        match phase {
            Phase::Run | Phase::Lead | Phase::Stop => {
                if phase == Phase::Lead {
                    self.lead();
                }
                self.calls.fail(rules);
                if phase == Phase::Stop {
                    self.signal(Signal::TERM);
                }
            }
            Phase::Start | Phase::Suspect | Phase::Rejoin => {
                self.victim.kill();
                let mark = match phase {
                    Phase::Suspect => Some("suspect"),
                    Phase::Rejoin => Some("lost"),
                    _ => None,
                };
                mark.into_iter().for_each(|mark| fs::write(self.folder().join(mark), "").expect("a mark"));
                self.calls.fail(rules);
                self.spawn();
            }
        }
    }

    /// Returns the calls of the victim in a phase without faults, by call and kind of file.
    pub fn trace(&mut self, phase: Phase) -> Vec<(String, String)> {
        self.calls.traced();
        self.begin(phase, &[]);
        match phase {
            Phase::Stop => {
                let code = awaited("it stops", || self.ended());
                assert_eq!(code, 0, "{}", self.last_line());
                let traced = self.calls.traced();
                self.spawn();
                self.await_in_sync();
                self.kinds(traced)
            }
            _ => {
                self.await_in_sync();
                let from = self.applied();
                self.pond.await_status("it goes on", |status| status.member(VICTIM).applied > from + 64);
                let traced = self.calls.traced();
                self.kinds(traced)
            }
        }
    }

    fn kinds(&self, traced: Vec<(String, String)>) -> Vec<(String, String)> {
        let kind = |(call, path): (String, String)| Some((call, kind_of(self.pond.folder(), &path)?));
        let mut kinds: Vec<(String, String)> = traced.into_iter().filter_map(kind).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }

    fn applied(&self) -> u64 {
        self.pond.status().member(VICTIM).applied
    }

    /// Returns the last line that the victim has written.
    fn last_line(&self) -> String {
        let said = fs::read_to_string(&self.said).unwrap_or_default();
        said.lines().last().unwrap_or_default().to_string()
    }

    /// Lets a rule hold in its phase, mends it, and looks for everything that was acknowledged meanwhile.
    pub fn run(&mut self, row: &Row) -> Outcome {
        let Row { phase, call, file, action, after, times } = row;
        let _ = fs::remove_dir_all(self.folder().join("aside"));
        let (from, counts) = (self.applied(), self.writers.counts());
        let pattern = match file.as_str() {
            "socket" => file.clone(),
            file => pattern_of(self.pond.folder(), file),
        };
        self.begin(*phase, &[format!("{call} {pattern} {action} {after} {times}")]);
        let end = self.effect(*phase);
        self.calls.mend();
        let hits = self.calls.fired().len();
        self.victim.kill();
        let starts = (0..STARTS_MAX).find(|_| {
            self.spawn();
            self.returns()
        });
        assert!(starts.is_some(), "{row:?}: it does not come back after {end:?}: {}", self.last_line());
        self.writers.await_progress_within(Duration::from_secs(15));
        let kept_store = !self.folder().join("aside").join("store.redb").exists();
        let acknowledged = self.acknowledged_since(&counts);
        let lost = self.missing(from.saturating_sub(ACKNOWLEDGED_WITHIN), &acknowledged);
        Outcome { end, kept_store, acknowledged: acknowledged.len(), lost, hits }
    }

    /// Waits for the effect of a rule.
    fn effect(&mut self, phase: Phase) -> End {
        let began = Instant::now();
        let (mut hit_at, mut from) = (None, None);
        loop {
            if let Some(code) = self.ended() {
                let line = self.last_line();
                return match self.calls.fired().is_empty() {
                    true if phase == Phase::Stop && code == 0 => End::NotReached,
                    _ => End::Ended { code, line },
                };
            }
            let is_hit = !self.calls.fired().is_empty();
            let status = self.pond.try_status().filter(|_| phase != Phase::Stop);
            if let Some(status) = status.filter(Rig::is_in_sync) {
                let applied = status.member(VICTIM).applied;
                let from = *from.get_or_insert(applied);
                if is_hit && hit_at.is_none() {
                    hit_at = Some(applied);
                }
                match hit_at {
                    Some(hit_at) if applied > hit_at + GOES_ON_ENTRIES => return End::GoesOn,
                    None if applied > from + 12 * GOES_ON_ENTRIES => return End::NotReached,
                    _ => {}
                }
            }
            if began.elapsed() > EFFECT_MAX {
                return if is_hit { End::Waits } else { End::NotReached };
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Returns true once the victim is in sync, and false if it ends instead.
    fn returns(&mut self) -> bool {
        awaited("the member is back, or ends", || {
            if self.ended().is_some() {
                return Some(false);
            }
            self.pond.try_status().filter(Rig::is_in_sync).map(|_| true)
        })
    }

    fn acknowledged_since(&self, counts: &[usize]) -> Vec<String> {
        let now = self.writers.counts();
        let of = |(number, (from, to)): (usize, (&usize, usize))| {
            (*from..to).map(move |count| text_of(number, count)).collect::<Vec<_>>()
        };
        counts.iter().zip(now).enumerate().flat_map(of).collect()
    }

    /// Returns the acknowledged croaks that some member does not serve.
    fn missing(&self, after: u64, acknowledged: &[String]) -> Vec<String> {
        let session = session_of(&self.writers.reader);
        let missing = |member: &str| -> Vec<String> {
            let address = self.pond.address(&member.to_uppercase().replace('-', "_"));
            let feed = feed_after(&address, &keys(), session, after);
            let served: std::collections::BTreeSet<&str> = feed.iter().map(|(_, text)| &**text).collect();
            let lost = acknowledged.iter().filter(|text| !served.contains(text.as_str()));
            lost.map(|text| format!("{member}: {text}")).collect()
        };
        MEMBERS
            .iter()
            .flat_map(|member| {
                let began = Instant::now();
                loop {
                    let lost = missing(member);
                    // A member may be a moment behind the answer.
                    if lost.is_empty() || began.elapsed() > Duration::from_secs(5) {
                        return lost;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            })
            .collect()
    }

    /// With one of the others stopped, a majority needs the victim. Returns the number of croaks that are acknowledged
    /// while none of its calls that match succeeds.
    pub fn acknowledged_without(&mut self, call: &str, file: &str) -> usize {
        self.lead();
        self.pond.signal(&["backend-3"], Signal::STOP);
        self.pond.await_status("one is away", |status| !status.member("backend-3").alive);
        self.writers.await_progress_within(Duration::from_secs(15));
        let pattern = pattern_of(self.pond.folder(), file);
        self.calls.fail(&[format!("{call} {pattern} stall 0 -1")]);
        awaited("a call is hit", || (!self.calls.fired().is_empty()).then_some(()));
        // What was synced before is answered.
        std::thread::sleep(Duration::from_millis(300));
        let before = self.writers.counts();
        std::thread::sleep(Duration::from_secs(2));
        let acknowledged = self.acknowledged_since(&before).len();
        self.calls.mend();
        self.victim.kill();
        self.pond.signal(&["backend-3"], Signal::CONT);
        self.spawn();
        self.await_in_sync();
        self.writers.await_progress_within(Duration::from_secs(15));
        acknowledged
    }

    /// Stops the writers and compares all members' feeds with everything that was acknowledged.
    pub fn finish(mut self) {
        let mut written = self.writers.stop();
        written.judge_pages();
        let session = session_of(&written.reader);
        for member in MEMBERS {
            let address = self.pond.address(&member.to_uppercase().replace('-', "_"));
            awaited_within(Duration::from_secs(10), "every member has all", || {
                let feed = feed_after(&address, &keys(), session, 0);
                let texts: Vec<String> = feed.into_iter().map(|(_, text)| text).collect();
                (texts.len() >= written.acknowledged()).then(|| written.judge(&texts))
            });
        }
        self.victim.kill();
        self.pond.kill_all();
    }
}

/// Returns the kind of a file below the data folder, with the numbers of log segments left out. `None` for what is no file
/// of the member.
fn kind_of(data: &Path, path: &str) -> Option<String> {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let rest = Path::new(path).strip_prefix(data).ok()?.to_str()?;
    if rest.is_empty() {
        return Some("data".into());
    }
    let Some(rest) = rest.strip_prefix(VICTIM) else {
        return (!rest.starts_with("backend-") && !rest.ends_with(".log")).then(|| format!("data/{rest}"));
    };
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let digits = |text: &str| text.find("log-").map(|at| text[..at + 4].to_string() + "*");
    Some(match rest {
        "" => "folder".into(),
        rest => digits(rest).unwrap_or_else(|| rest.to_string()),
    })
}

/// Returns the pattern of a rule for a kind of file.
fn pattern_of(data: &Path, kind: &str) -> String {
    let path = match kind {
        "data" => data.to_path_buf(),
        "folder" => data.join(VICTIM),
        kind => match kind.strip_prefix("data/") {
            Some(rest) => data.join(rest),
            None => data.join(VICTIM).join(kind),
        },
    };
    path.display().to_string()
}
