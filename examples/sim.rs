//! Runs the simulator of tests/sim over many seeds, or over one of them with a trace.
//!
//! ```text
//!   cargo run --profile sim --example sim -- --seeds 10000               seeds 1 to 10000
//!   cargo run --profile sim --example sim -- --from 10001 --seeds 5000   continues where another run ended
//!   cargo run --profile sim --example sim -- --seed 1132 --trace         replays one
//! ```
//!
//! Exits with 1 if a seed failed.

use clap::Parser;
use std::process::ExitCode;
use testkit::sim::hunt::{hunt, keep_panics};
use testkit::sim::world::{Watch, run};

#[derive(Debug, Parser)]
struct Options {
    /// Number of seeds
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// First seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Number of seeds that run concurrently
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Continue after a seed that failed
    #[arg(long)]
    keep_going: bool,
    /// Replay only this seed
    #[arg(long)]
    seed: Option<u64>,
    /// Print the digest of each seed's whole trace: every event, message, disk operation, outcome and answer
    #[arg(long)]
    traces: bool,
    /// With --seed, print what happens
    #[arg(long, requires = "seed")]
    trace: bool,
    /// With --seed, print every message as well
    #[arg(long, requires = "trace")]
    messages: bool,
}

/// Number of seeds between two progress lines.
const PROGRESS_SEEDS: u64 = 100;

fn main() -> ExitCode {
    let options = Options::parse();
    if cfg!(panic = "abort") {
        eprintln!(
            "Every panic ends this build, also one that only fails its seed. Build it with --profile sim."
        );
        return ExitCode::FAILURE;
    }
    if let Some(seed) = options.seed {
        let watch = Watch { trace: options.trace, messages: options.messages, ..Watch::default() };
        let report = run(seed, watch);
        let [operations, reads] = [report.operations, report.linearizable_reads];
        println!(
            "seed {seed} is good, trace {:032x}, without wall clocks {:016x}: {operations} operations ({reads} linearizable reads), {} log entries; {}",
            report.trace, report.history, report.entries, report.faults
        );
        return ExitCode::SUCCESS;
    }
    keep_panics();
    let end = options.from + options.seeds;
    let tally = hunt(
        options.from..end,
        options.threads,
        options.keep_going,
        || {},
        |seed, tally| {
            if let Some((_, text)) = tally.failed.iter().find(|(failed, _)| *failed == seed) {
                println!("seed {seed} failed: {text}\nreplay it: --seed {seed} --trace");
            }
            if let Some(trace) = tally.traces.get(&seed).filter(|_| options.traces) {
                println!("trace of seed {seed}: {trace:032x}");
            }
            if tally.seeds.is_multiple_of(PROGRESS_SEEDS) {
                println!("{} seeds from {}; go on with --from {}", tally.seeds, options.from, seed + 1);
            }
        },
    );
    println!("{tally}");
    println!("never happened: {:?}", tally.faults.missing());
    let failed: Vec<u64> = tally.failed.iter().map(|(seed, _)| *seed).collect();
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        println!("failed: {failed:?}");
        ExitCode::FAILURE
    }
}
