//! Many seeds, on several threads. Every seed's run is its own and the same wherever it runs.

use super::faults::Faults;
use super::history::{Kinds, MODEL};
use super::world::{Report, Watch, run};
use ribbit_state::sync::MutexExt;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Results of a range of seeds.
#[derive(Debug, Default)]
pub struct Tally {
    pub seeds: u64,
    pub operations: u64,
    /// Operations of the shortest history that was checked.
    pub operations_min: Option<usize>,
    pub linearizable_reads: u64,
    pub kinds: Kinds,
    pub entries: u64,
    pub faults: Faults,
    /// The digest of each seed's trace.
    pub traces: BTreeMap<u64, u128>,
    /// The failed seeds with what was said, lowest first.
    pub failed: Vec<(u64, String)>,
}

impl Tally {
    fn add(&mut self, seed: u64, result: Result<Report, String>) {
        self.seeds += 1;
        match result {
            Ok(report) => {
                self.operations += report.operations as u64;
                let shortest = self.operations_min.unwrap_or(report.operations);
                self.operations_min = Some(shortest.min(report.operations));
                self.linearizable_reads += report.linearizable_reads as u64;
                for (name, (all, accepted)) in report.kinds {
                    let sum = self.kinds.entry(name).or_default();
                    *sum = (sum.0 + all, sum.1 + accepted);
                }
                self.entries += report.entries;
                self.traces.insert(seed, report.trace);
                self.faults.add(&report.faults);
            }
            Err(text) => {
                self.failed.push((seed, text));
                self.failed.sort();
            }
        }
    }
}

impl Tally {
    /// Returns the kinds of operations that were refused each time.
    pub fn always_refused(&self) -> Vec<&str> {
        let refused = self.kinds.iter().filter(|(_, (_, accepted))| *accepted == 0);
        refused.map(|(name, _)| name.as_str()).collect()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally { seeds, operations, operations_min, linearizable_reads, entries, faults, failed, .. } =
            self;
        writeln!(
            f,
            "{seeds} seeds, {} failed: {operations} operations ({linearizable_reads} linearizable reads), {entries} \
             log entries",
            failed.len()
        )?;
        writeln!(
            f,
            "histories checked against {MODEL}, at least {} operations each",
            operations_min.unwrap_or(0)
        )?;
        let kinds: Vec<String> =
            self.kinds.iter().map(|(name, (all, accepted))| format!("{accepted}/{all} {name}")).collect();
        writeln!(f, "accepted of all, by kind: {}", kinds.join(", "))?;
        write!(f, "{faults}")
    }
}

thread_local! {
    /// The last panic of this thread.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs one seed and catches its panic.
pub fn run_caught(seed: u64, watch: Watch) -> Result<Report, String> {
    panic::catch_unwind(AssertUnwindSafe(|| run(seed, watch))).map_err(|_| SAID.take())
}

/// Panics are kept, not printed, until the answer is dropped by `panic::take_hook`.
pub fn keep_panics() {
    panic::set_hook(Box::new(|info| SAID.set(info.to_string())));
}

/// Runs these seeds on so many threads; stops after a seed that failed, unless told to go on. `prepare` runs
/// once on every thread, `progress` after every seed.
pub fn hunt(
    seeds: Range<u64>,
    threads: usize,
    go_on: bool,
    prepare: impl Fn() + Sync,
    progress: impl Fn(u64, &Tally) + Sync,
) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let tally = Mutex::new(Tally::default());
    let work = || {
        prepare();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let stop = !go_on && !tally.locked().failed.is_empty();
            if seed >= seeds.end || stop {
                return;
            }
            let result = run_caught(seed, Watch::default());
            let mut tally = tally.locked();
            tally.add(seed, result);
            progress(seed, &tally);
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    tally.into_inner().expect("nobody panics while it holds this lock")
}
