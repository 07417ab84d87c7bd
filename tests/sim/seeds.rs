//! The simulator's seeds that every test run plays. What it simulates and checks: `tests/testkit/sim/mod.rs`.
//!
//! The long hunt, and replaying a seed with a trace: `cargo run --profile sim --example sim -- --help`.

use std::ops::Range;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use testkit::sim::hunt::{Tally, hunt, keep_panics};
use testkit::sim::world::{Watch, run};

const SEEDS: Range<u64> = 1..101;

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn fail(tally: &Tally) {
    if let Some((seed, text)) = tally.failed.first() {
        panic!(
            "seed {seed} failed: {text}\nreplay it: cargo run --profile sim --example sim -- --seed {seed} --trace"
        );
    }
}

/// Runs all seeds, once in this process.
fn tally() -> &'static Tally {
    static TALLY: OnceLock<Tally> = OnceLock::new();
    TALLY.get_or_init(|| {
        keep_panics();
        let tally = hunt(SEEDS, threads(), false, || {}, |_, _| {});
        drop(std::panic::take_hook());
        tally
    })
}

#[test]
fn no_seed_loses_or_doubles_a_write_or_shows_what_is_old() {
    let tally = tally();
    fail(tally);
    println!("{tally}");
    let mut missing = tally.faults.missing();
    // Damage in a sector that nothing uses: about one of these seeds meets it, so the long hunt alone can count on it.
    missing.retain(|kind| *kind != "stores that bore damage");
    assert!(missing.is_empty(), "never happened: {missing:?}");
    let refused = tally.always_refused();
    assert!(refused.is_empty(), "never accepted: {refused:?}");
}

#[test]
fn a_seed_runs_the_same_way_twice() {
    assert_eq!(run(4, Watch::default()).trace, run(4, Watch::default()).trace);
}

/// Prefix of each trace that the other process prints.
const TRACE_MARK: &str = "trace of seed ";

/// Hash maps may be keyed once a process, so this process compares its traces with those of another.
#[test]
fn every_seed_runs_the_same_way_in_another_process() {
    let this_program = std::env::current_exe().expect("a test is a file");
    let mut other = Command::new(this_program);
    other.args(["--ignored", "--exact", "--nocapture", "seeds::prints_the_trace_of_every_seed"]);
    let other = other.stdout(Stdio::piped()).spawn().expect("a test can be run again");
    let here: Vec<String> =
        tally().traces.iter().map(|(seed, trace)| format!("{TRACE_MARK}{seed}: {trace:032x}")).collect();
    let output = other.wait_with_output().expect("it ends");
    let output = String::from_utf8_lossy(&output.stdout);
    // The test runner's own words may stand before a line.
    let there: Vec<&str> =
        output.lines().filter_map(|line| line.find(TRACE_MARK).map(|at| &line[at..])).collect();
    assert_eq!(here.len() as u64, SEEDS.end - SEEDS.start, "some seeds failed");
    assert_eq!(here, there);
}

#[test]
#[ignore = "the other process of every_seed_runs_the_same_way_in_another_process"]
fn prints_the_trace_of_every_seed() {
    for (seed, trace) in &tally().traces {
        println!("{TRACE_MARK}{seed}: {trace:032x}");
    }
}

#[test]
fn wall_clocks_change_nothing_but_what_is_displayed() {
    let jumping = (1..40).find_map(|seed| {
        let report = run(seed, Watch::default());
        (report.faults.clock_jumps >= 3).then_some((seed, report.history))
    });
    let (seed, history) = jumping.expect("some seed has jumping clocks");
    assert_eq!(history, run(seed, Watch { steady_clocks: true, ..Watch::default() }).history);
}

/// Shows that the simulator finds what it is there to find: `scripts/planted-bugs`.
#[cfg(feature = "planted")]
#[test]
fn every_planted_bug_is_found_within_500_seeds() {
    use ribbit_db::faults::{ALL, inject};
    keep_panics();
    let mut hidden = Vec::new();
    let only = std::env::var("PLANTED_BUG").ok();
    for bug in ALL.into_iter().filter(|bug| only.as_ref().is_none_or(|only| format!("{bug:?}") == *only)) {
        let tally = hunt(1..501, threads(), false, || inject(Some(bug)), |_, _| {});
        match tally.failed.first() {
            Some((seed, text)) => {
                let what = text.lines().nth(1).unwrap_or(text);
                println!("{bug:?}: found by seed {seed}, after {} seeds: {what}", tally.seeds);
            }
            None => hidden.push(bug),
        }
    }
    drop(std::panic::take_hook());
    assert!(hidden.is_empty(), "not found: {hidden:?}");
}
