//! The simulator: a whole group in one thread, from one seed, in virtual time.
//!
//! Production code: the core, the writer, the store on redb, the rules, the membership policy. Simulated: the
//! disk under redb (loses what was not synced, tears writes, fails in the middle of a transaction, is slow or
//! stalls), the network (drops, delays, duplicates, cuts), the processes (crash at any step), the clocks.
//!
//! ```text
//!   world    nodes, events in virtual time, faults, the run of one seed
//!   disk     a redb backend that forgets what was not synced
//!   client   retries one request on any node until it has an outcome
//!   check    what must hold: throughout, and once the faults have stopped
//! ```
//!
//! `SIM_SEED=17 cargo test --test sim` runs one seed; with `SIM_TRACE=1` it prints what happens.
//! `SIM_SEEDS=1000..2000` runs a range.
//!
//! Not here yet: wiped and damaged stores, members that leave, linearizable reads.

mod check;
mod client;
mod disk;
mod random;
mod world;

use std::ops::Range;

const SEEDS: Range<u64> = 1..31;

fn seeds() -> Range<u64> {
    let number = |text: &str| text.trim().parse::<u64>().expect("a seed is a number");
    if let Ok(seed) = std::env::var("SIM_SEED") {
        let seed = number(&seed);
        return seed..seed + 1;
    }
    match std::env::var("SIM_SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").expect("SIM_SEEDS=FROM..TO");
            number(from)..number(to)
        }
        Err(_) => SEEDS,
    }
}

#[test]
fn no_seed_loses_or_doubles_a_write() {
    let mut croaks = 0;
    let mut faults = world::Faults::default();
    for seed in seeds() {
        let outcome = std::panic::catch_unwind(|| world::run(seed));
        match outcome {
            Ok(report) => {
                croaks += report.acknowledged;
                faults.add(&report.faults);
            }
            Err(panic) => {
                eprintln!(
                    "\nseed {seed} failed; replay it with SIM_SEED={seed} SIM_TRACE=1 cargo test --test sim\n"
                );
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{croaks} acknowledged croaks; {faults:?}");
    assert!(croaks > 0, "a simulation in which nothing happens shows nothing");
    assert!(std::env::var("SIM_SEED").is_ok() || faults.all_kinds_happened(), "{faults:?}");
}

#[test]
fn a_seed_runs_the_same_way_twice() {
    assert_eq!(world::run(4).history, world::run(4).history);
}
