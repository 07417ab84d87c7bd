//! Soak test: a cluster of real processes under load, while processes are killed, stopped and partitioned, and a check of
//! everything that was acknowledged.
//!
//! ```text
//!   cargo build --release && cargo run --release --example soak -- --minutes 60 --seed 1 [--folder DIR]
//!
//!   64 writers ──▶ 2 balancers ──▶ 3 backends, 2 coordinators      each in a network namespace of its own (as root)
//!        │          15 oracles ──▶      ▲ kill -9, SIGSTOP, partitions
//!        └─ history ──▶ checker: no acknowledged write lost or duplicated, order of each author kept
//!        /proc ──▶ samples.csv ──▶ memory and descriptors are flat after the warm-up
//!        └──────────▶ a line every ten minutes
//! ```
//!
//! - [`boards`]: the processes and the network between them
//! - [`plague`]: fault injection, drawn from the seed
//! - [`writers`]: users that post croaks and send each other messages
//! - [`activities`]: what they do besides: likes, follows, rooms, searches, notifications
//! - [`history`]: answers, and the check of the final state
//! - [`oracles`]: clients whose histories a crate checks for linearizability
//! - [`samples`]: memory, descriptors, disk
//! - [`progress`]: the table of a long run
//!
//! The seed draws the faults. Their timing relative to the processes depends on the machine, so the seed alone does not
//! reproduce a run. Without root there are no namespaces: all processes listen on 127.0.0.1 and there are no partitions. Exits
//! with 1 if a check failed.

mod activities;
mod boards;
mod oracles;
mod plague;
mod progress;
mod samples;
mod writers;

use boards::Boards;
use clap::Parser;
use plague::Plague;
use progress::Progress;
use samples::Samples;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::history::History;

#[derive(Debug, Parser)]
struct Options {
    /// Duration of the load in minutes
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Seed of the faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 64)]
    writers: usize,
    /// Croaks and messages per writer and second
    #[arg(long, default_value_t = 4.0)]
    rate: f64,
    /// Longest pause between two operations of a client whose history is checked, in milliseconds
    #[arg(long, default_value_t = 120)]
    pause_ms: u64,
    /// Share of the usual load and faults; a low one leaves the processor to other work
    #[arg(long, default_value_t = 1.0, value_parser = pace)]
    pace: f64,
    /// Minutes between two lines of the table
    #[arg(long, default_value_t = 10.0)]
    table_minutes: f64,
    /// Folder for all data; emptied first [default: a temporary folder]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Binary to run [default: target/release/ribbit beside this one]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Faults to inject; `--faults none` measures without faults
    #[arg(long, value_delimiter = ',', default_values = plague::KINDS)]
    faults: Vec<String>,
}

/// Interval between two checks of the processes.
const TURN: Duration = Duration::from_millis(50);
/// Time after the last fault for all members to be up and equal.
const HEAL_MAX: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let options = Options::parse();
    let binary = options.binary.clone().unwrap_or_else(beside);
    let folder = options
        .folder
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("soak-{}", std::process::id())));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the folder can be made");
    println!(
        "soak: {} min, seed {}, {} writers, in {}",
        options.minutes,
        options.seed,
        options.writers,
        folder.display()
    );
    let mut boards = Boards::start(&binary, &folder);
    boards.await_whole(HEAL_MAX);
    let (balancers, keys) = (boards.balancers(), boards.keys());
    let (members, backends) = (boards.members(), boards.backends());
    let ending = Arc::new(AtomicBool::new(false));
    let time = Duration::from_secs_f64(60.0 * options.minutes);
    let progress = Arc::new(Progress::new(Duration::from_secs_f64(60.0 * options.table_minutes)));
    let keeper = std::thread::spawn({
        let ending = ending.clone();
        let plague = Plague::new(options.seed, &options.faults, options.pace, &folder);
        let samples = Samples::new(&folder, time, options.pace);
        let progress = progress.clone();
        move || keep(boards, plague, samples, &progress, &ending)
    });
    let oracles = oracles::start(members, backends, keys.clone(), &options, time, progress.clone());
    let mut history = writers::run(&options, &balancers, &keys, &folder, time, &progress);
    let oracles = oracles.join().expect("no request of an oracle is refused");
    ending.store(true, Ordering::Relaxed);
    let Kept { mut boards, samples, mut wrong, faults } = keeper.join().expect("the keeper does not panic");
    boards.await_whole(HEAL_MAX);
    println!("all processes are up again; checking {} croaks and messages", history.acknowledged());
    writers::check(&mut history, &balancers, &keys);
    boards.stop();
    wrong.extend(boards.differences());
    println!("{}", oracles.summary());
    println!("{}", progress.activities());
    wrong.extend(oracles.wrong);
    wrong.extend(progress.wrong());
    report(&options, &history, &samples, &faults, wrong)
}

fn pace(text: &str) -> Result<f64, String> {
    let pace: f64 = text.parse().map_err(|_| "not a number")?;
    if pace > 0.0 && pace <= 1.0 { Ok(pace) } else { Err("from more than 0 to 1".into()) }
}

fn beside() -> PathBuf {
    let own = std::env::current_exe().expect("this process has a file");
    let target = own.ancestors().nth(2).expect("an example lies in target/PROFILE/examples");
    target.join("ribbit")
}

struct Kept {
    boards: Boards,
    samples: Samples,
    wrong: Vec<String>,
    faults: String,
}

/// Restarts ended processes, injects faults and takes samples until told to end; then ends all faults.
fn keep(
    mut boards: Boards,
    mut plague: Plague,
    mut samples: Samples,
    progress: &Progress,
    ending: &AtomicBool,
) -> Kept {
    let mut wrong = Vec::new();
    while !ending.load(Ordering::Relaxed) {
        wrong.extend(boards.look_after());
        plague.turn(&mut boards, Instant::now());
        samples.turn(&boards, progress);
        progress.turn(plague.count(), wrong.len());
        std::thread::sleep(TURN);
    }
    plague.heal(&mut boards);
    Kept { faults: plague.summary(), boards, samples, wrong }
}

fn report(
    options: &Options,
    history: &History,
    samples: &Samples,
    faults: &str,
    mut wrong: Vec<String>,
) -> ExitCode {
    println!("\n{} minutes, seed {}, {} writers", options.minutes, options.seed, options.writers);
    println!("faults: {faults}");
    println!("{}", history.summary());
    println!("{}", samples.table());
    wrong.extend(history.wrong().iter().cloned());
    wrong.extend(samples.wrong());
    for what in wrong.iter().take(50) {
        println!("WRONG: {what}");
    }
    match wrong.len() {
        0 => {
            println!("all checks passed");
            ExitCode::SUCCESS
        }
        count => {
            println!("{count} checks failed");
            ExitCode::FAILURE
        }
    }
}
