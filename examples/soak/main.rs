//! The soak: a group of real processes under writers, while processes are killed, stopped and cut off, and a checker
//! over all that was answered.
//!
//! ```text
//!   cargo build --release && cargo run --release --example soak -- --minutes 60 --seed 1 [--folder DIR]
//!
//!   64 writers ──▶ 2 balancers ──▶ 3 backends, 2 coordinators      each in a network namespace of its own (as root)
//!        │                              ▲ kill -9, SIGSTOP, cut off, cut from one another
//!        └─ history ──▶ checker: nothing acknowledged is lost, nothing is there twice, in the order of its author
//!        /proc ──▶ samples.csv ──▶ memory and descriptors are flat after the warm-up
//! ```
//!
//! - [`boards`]: the processes and the network between them
//! - [`plague`]: what is done to them, drawn from the seed
//! - [`writers`]: people who croak and write to each other
//! - [`history`]: what was answered, and what must be there in the end
//! - [`samples`]: memory, descriptors, disk
//!
//! The seed draws the faults; when they hit what is the machine's to decide, so a run is not repeated by its seed alone.
//! Without root there are no namespaces: all listen on 127.0.0.1, and nobody is cut off. Exits with 1 when something
//! did not hold.

mod boards;
mod history;
#[path = "../../tests/support/network.rs"]
#[allow(dead_code)] // What only tests do with it.
mod network;
mod plague;
mod samples;
#[path = "../../tests/support/status.rs"]
#[allow(dead_code)]
mod status_json;
mod writers;

use boards::Boards;
use clap::Parser;
use history::History;
use plague::Plague;
use samples::Samples;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[derive(Debug, Parser)]
struct Options {
    /// How long people write
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// Draws the faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 64)]
    writers: usize,
    /// Croaks and messages of each writer a second
    #[arg(long, default_value_t = 4.0)]
    rate: f64,
    /// Where everything is kept; emptied first [default: a temporary folder]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// The binary [default: target/release/ribbit beside this one]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Which faults; `--faults none` shows the figures without
    #[arg(long, value_delimiter = ',', default_values = plague::KINDS)]
    faults: Vec<String>,
}

/// How often the keeper looks after its processes.
const TURN: Duration = Duration::from_millis(50);
/// After the last fault, until all are there and equal.
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
    let ending = Arc::new(AtomicBool::new(false));
    let time = Duration::from_secs(60 * options.minutes);
    let keeper = std::thread::spawn({
        let ending = ending.clone();
        let plague = Plague::new(options.seed, &options.faults, &folder);
        let samples = Samples::new(&folder, time);
        move || keep(boards, plague, samples, &ending)
    });
    let mut history = writers::run(&options, &balancers, &keys, &folder, time);
    ending.store(true, Ordering::Relaxed);
    let Kept { mut boards, samples, mut wrong, faults } = keeper.join().expect("the keeper does not panic");
    boards.await_whole(HEAL_MAX);
    println!("everybody is there again; looking for {} croaks and messages", history.acknowledged());
    writers::check(&mut history, &balancers, &keys);
    boards.stop();
    wrong.extend(boards.differences());
    report(&options, &history, &samples, &faults, wrong)
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

/// Starts again what ended, hurts what runs, and samples, until it is told to end; then lets everything heal.
fn keep(mut boards: Boards, mut plague: Plague, mut samples: Samples, ending: &AtomicBool) -> Kept {
    let mut wrong = Vec::new();
    while !ending.load(Ordering::Relaxed) {
        wrong.extend(boards.look_after());
        plague.turn(&mut boards, Instant::now());
        samples.turn(&boards);
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
            println!("all of it held");
            ExitCode::SUCCESS
        }
        count => {
            println!("{count} things did not hold");
            ExitCode::FAILURE
        }
    }
}
