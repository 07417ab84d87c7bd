//! Arguments of `ribbit bench`.

use crate::common::cluster_selection::ClusterAccess;
use crate::common::cluster_selection::{ClusterFlags, select, select_with_key};
use crate::common::failure::Failure;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, ArgMatches, Args, ValueEnum, value_parser};
use ribbit_state::Consistency;
use std::path::PathBuf;
use std::time::Duration;

/// Maximum number of clients.
const CLIENTS_MAX: i64 = 4_096;
/// Longest run, in seconds.
const SECONDS_MAX: i64 = 24 * 3600;

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Operation that every client repeats
    #[arg(long, value_enum, default_value = "post")]
    pub op: BenchOp,
    /// Number of clients, 1 to 4096, each with one request in flight
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = value_parser!(u32).range(1..=CLIENTS_MAX))]
    pub clients: u32,
    /// Duration of the run in seconds
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = value_parser!(u32).range(1..=SECONDS_MAX))]
    pub seconds: u32,
    /// Pause of each client between an answer and its next request, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = value_parser!(u32).range(0..=60_000))]
    pub pause: u32,
    /// Size of each croak in bytes; a croak has at most 100 characters
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = value_parser!(u32).range(1..=256))]
    pub bytes: u32,
    /// With --op feed, number of accounts that each client follows; from 4 on, accounts made by `examples/crowd`
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..=1000))]
    pub friends: u32,
    /// With --op feed, read with the sessions in this file, one in turn, instead of creating accounts; `examples/crowd`
    /// writes such files
    #[arg(long, value_name = "FILE", conflicts_with = "friends")]
    pub sessions: Option<PathBuf>,
    /// With --op feed, number of pages that a client reads one after the other, from the newest to older ones
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=1000))]
    pub pages: u32,
    /// Connect to the backends directly, without a balancer
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub direct: bool,
    /// Connect only to the backend that leads at the start
    #[arg(long, conflicts_with = "direct", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub leader: bool,
    /// Consistency of feed reads
    #[arg(long, value_enum, default_value = "session")]
    pub consistency: ConsistencyArg,
    /// Print JSON
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub cluster: ClusterFlags,
}

/// Operation that `bench` repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchOp {
    /// Post a croak
    Post,
    /// Read the feed
    Feed,
    /// Acquire and release a lock
    Lock,
    /// List a folder of 10,000 nodes
    List,
}

impl BenchOp {
    /// Returns the value of `--op`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            BenchOp::Post => "post",
            BenchOp::Feed => "feed",
            BenchOp::Lock => "lock",
            BenchOp::List => "list",
        }
    }
}

/// Value of `--consistency`; [`Consistency`] belongs to a package without clap.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ConsistencyArg {
    /// The backend's current state
    Stale,
    /// At least as new as everything this client has seen
    Session,
    /// At least as new as every write acknowledged before the read
    Linearizable,
}

/// Servers that the clients of `bench` connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BenchServers {
    /// The balancer, if one is known; else the backends.
    Balancer,
    Backends,
    /// The backend that leads at the start.
    Leader,
}

/// Options of `bench`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BenchOptions {
    pub cluster: ClusterAccess,
    pub op: BenchOp,
    pub clients: u32,
    pub time: Duration,
    /// Pause of a client between an answer and its next request.
    pub pause: Duration,
    /// Size of each croak, in bytes.
    pub bytes: u32,
    /// Number of accounts that each account follows.
    pub friends: u32,
    /// File with the sessions of accounts that exist.
    pub sessions: Option<PathBuf>,
    /// Number of pages that a client reads of a feed before it starts again.
    pub pages: u32,
    pub servers: BenchServers,
    /// Consistency of feed reads.
    pub consistency: Consistency,
    pub json: bool,
}

/// Text below the flags in `--help`.
pub(crate) const HELP: &str = "\
Examples:
  ribbit bench --op post --clients 64 --seconds 10
  ribbit bench --op feed --direct --json
  ribbit bench --op post --leader --clients 1
  ribbit bench --op lock --clients 16

The benchmark creates accounts and croaks and does not delete them. gap_max_ms is
the longest time in which no client received an answer: kill the leader during a
run to measure failover.";

impl BenchArgs {
    /// Returns the options.
    ///
    /// # Errors
    /// As [`select`], or [`select_with_key`] for an operation of the lock namespace.
    pub(crate) fn options(self, matches: &ArgMatches) -> Result<BenchOptions, Failure> {
        let needs_cluster_key = matches!(self.op, BenchOp::Lock | BenchOp::List);
        let find = if needs_cluster_key { select_with_key } else { select };
        Ok(BenchOptions {
            cluster: find(self.cluster, matches)?,
            op: self.op,
            clients: self.clients,
            time: Duration::from_secs(u64::from(self.seconds)),
            pause: Duration::from_millis(u64::from(self.pause)),
            bytes: self.bytes,
            friends: self.friends,
            sessions: self.sessions,
            pages: self.pages,
            servers: match (self.direct, self.leader) {
                (false, false) => BenchServers::Balancer,
                (_, false) => BenchServers::Backends,
                (_, true) => BenchServers::Leader,
            },
            consistency: match self.consistency {
                ConsistencyArg::Stale => Consistency::Stale,
                ConsistencyArg::Session => Consistency::Session,
                ConsistencyArg::Linearizable => Consistency::Linearizable,
            },
            json: self.json,
        })
    }
}
