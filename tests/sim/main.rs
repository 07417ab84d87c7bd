//! The simulator's seeds that every test run plays. What it simulates and checks: `tests/sim/mod.rs`.
//!
//! The long hunt, and replaying a seed with a trace: `cargo run --release --example sim -- --help`.

#[path = "mod.rs"]
mod sim;

use sim::hunt::{Tally, hunt, keep_panics};
use sim::world::{Watch, run};
use std::ops::Range;

const SEEDS: Range<u64> = 1..101;

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn fail(tally: &Tally) {
    if let Some((seed, text)) = tally.failed.first() {
        panic!(
            "seed {seed} failed: {text}\nreplay it: cargo run --release --example sim -- --seed {seed} --trace"
        );
    }
}

#[test]
fn no_seed_loses_or_doubles_a_write_or_shows_what_is_old() {
    keep_panics();
    let tally = hunt(SEEDS, threads(), false, || {}, |_, _| {});
    drop(std::panic::take_hook());
    fail(&tally);
    println!("{tally}");
    let missing = tally.faults.missing();
    assert!(missing.is_empty(), "never happened: {missing:?}");
}

#[test]
fn a_seed_runs_the_same_way_twice() {
    assert_eq!(run(4, Watch::default()).history, run(4, Watch::default()).history);
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
    use ribbit::db::planted::{ALL, plant};
    keep_panics();
    let mut hidden = Vec::new();
    for bug in ALL {
        let tally = hunt(1..501, threads(), false, || plant(Some(bug)), |_, _| {});
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
