//! Attacks a running cluster and measures the effect on honest clients, for docs/benchmarks.md. benches/attacks starts the
//! cluster.
//!
//! ```text
//!   attack --data-dir DIR --web HOST:PORT [--seconds 20] [NAME…]
//!
//!   calm ── attack ── after: until honest clients are served as before and the target's memory is back to normal
//! ```
//!
//! - [`http`]: attacks on the web pages; [`wire`]: attacks on a member's port
//! - [`honest`]: one croak per second, by a browser and by a client
//! - [`watched`]: memory and descriptors of the attacked process
//!
//! Attackers use addresses of their own: one, or one per connection. Limits per address exempt 127.0.0.0/8, so benches/attacks
//! gives them another network in a namespace. Attackers and servers share this machine's cores, which affects every figure.

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
    /// Data folder of `ribbit up`
    #[arg(long)]
    data_dir: PathBuf,
    /// Address of its web pages
    #[arg(long)]
    web: String,
    /// Duration of each attack in seconds
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Network of the attackers: the first two numbers of its addresses, which all belong to this machine
    #[arg(long, default_value = "127.66")]
    network: String,
    /// All attackers use one address
    #[arg(long)]
    one_address: bool,
    /// Names of the attacks [default: all]
    names: Vec<String>,
}

impl Options {
    /// Returns the keys of the cluster file, with which an honest client authenticates the servers.
    pub fn keys(&self) -> Keys {
        ClusterFile::read(&ClusterFile::path_in(&self.data_dir))
            .expect("the cluster has a cluster file")
            .keys()
    }
}

/// Duration of the calm phase before each attack.
const CALM: Duration = Duration::from_secs(8);
/// Maximum duration of the recovery phase.
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// Number of fast answers in a row after which honest clients count as served as before.
const SERVED_IN_A_ROW: usize = 3;
/// Maximum latency of a fast answer.
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
    // Memory held for attackers is freed when their connections time out.
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
