//! Attacks a group that runs, and measures what honest people notice, for docs/benchmarks.md. See benches/attacks, which starts
//! the group.
//!
//! ```text
//!   attack --data-dir DIR --web HOST:PORT [--seconds 20] [NAME…]
//!
//!   calm ── attack ── after: until honest people are served as before, and the memory of the attacked is back
//! ```
//!
//! - [`http`]: what is done to the pages; [`wire`]: what is done to a member's port
//! - [`honest`]: a croak a second, by a browser and by a client
//! - [`watched`]: memory and descriptors of the attacked process
//!
//! Attackers come from addresses of their own: one, or as many as they have connections. What is counted by address is
//! not counted of 127.0.0.0/8, so benches/attacks gives them another network, in a namespace of its own. All share this
//! machine's cores, the attackers too: that is part of every figure.

#[path = "../../tests/support/http.rs"]
#[allow(dead_code)]
mod browser;
mod honest;
mod http;
mod raid;
mod watched;
mod wire;

use clap::Parser;
use honest::{Honest, Served};
use raid::{Raid, Target};
use ribbit_net::keys::Keys;
use ribbit_roles::common::cluster_file::ClusterFile;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use watched::Watched;

#[derive(Debug, Parser)]
pub struct Options {
    /// The folder of `ribbit up`
    #[arg(long)]
    data_dir: PathBuf,
    /// Its pages
    #[arg(long)]
    web: String,
    /// How long each attack lasts
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Attackers come from this network: the first two numbers of its addresses, all of which are this machine's
    #[arg(long, default_value = "127.66")]
    network: String,
    /// Attackers share one address
    #[arg(long)]
    one_address: bool,
    /// Which; all without
    names: Vec<String>,
}

impl Options {
    /// As the group's own processes have them: an honest client knows the servers.
    pub fn keys(&self) -> Keys {
        ClusterFile::read(&ClusterFile::path_in(&self.data_dir)).expect("the group has a cluster file").keys()
    }
}

/// Before each attack.
const CALM: Duration = Duration::from_secs(8);
/// After it, at most.
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// Honest people are served as before once so many answers in a row came within so long.
const SERVED_IN_A_ROW: usize = 3;
const SERVED_WITHIN: Duration = Duration::from_millis(250);

fn main() {
    let options = Options::parse();
    let honest = Honest::begin(&options);
    println!(
        "| attack | held or done | browser: answered, median, worst | client: answered, median, worst | memory before, \
         most, after | descriptors | served again after |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, target, raid) in raid::ALL {
        if options.names.is_empty() || options.names.iter().any(|wanted| wanted == name) {
            attack(&options, &honest, name, *target, *raid);
        }
    }
}

fn attack(options: &Options, honest: &Honest, name: &str, target: Target, raid: fn(&Raid)) {
    let watched = Watched::of(options, target);
    honest.take();
    std::thread::sleep(CALM);
    let calm = honest.take();
    let before = watched.now();
    watched.begin();
    let done = Raid::run(options, honest, target, Duration::from_secs(options.seconds), raid);
    let during = honest.take();
    let ended = Instant::now();
    let again = loop {
        std::thread::sleep(Duration::from_millis(200));
        if honest.served_in_a_row(SERVED_IN_A_ROW, SERVED_WITHIN) {
            break format!("{:.1} s", ended.elapsed().as_secs_f64());
        }
        if ended.elapsed() > RECOVERY_MAX {
            break format!("not within {} s", RECOVERY_MAX.as_secs());
        }
    };
    // What was held for the attackers is given back within the deadlines of their connections.
    std::thread::sleep(Duration::from_secs(5));
    let (most, after) = (watched.most(), watched.now());
    let served = |of: fn(&(Served, Served)) -> &Served| format!("{} ({} before)", of(&during), of(&calm));
    println!(
        "| {name} | {done} | {} | {} | {:.1}, {:.1}, {:.1} MB | {}, {}, {} | {again} |",
        served(|both| &both.0),
        served(|both| &both.1),
        before.memory_mb,
        most.memory_mb,
        after.memory_mb,
        before.descriptors,
        most.descriptors,
        after.descriptors,
    );
}
