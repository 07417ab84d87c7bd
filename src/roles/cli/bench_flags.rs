//! Raw flags of `ribbit bench`.

use crate::common::cluster_selection::ClusterFlags;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum, value_parser};

/// Maximum number of clients.
const CLIENTS_MAX: i64 = 4_096;
/// Longest run, in seconds.
const SECONDS_MAX: i64 = 24 * 3600;

#[derive(Debug, Args)]
pub struct BenchFlags {
    /// Operation that every client repeats
    #[arg(long, value_enum, default_value = "post")]
    pub op: OpFlag,
    /// Number of clients, 1 to 4096, each with one request in flight
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = value_parser!(u32).range(1..=CLIENTS_MAX))]
    pub clients: u32,
    /// Duration of the run in seconds
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = value_parser!(u32).range(1..=SECONDS_MAX))]
    pub seconds: u32,
    /// Size of each croak in bytes; a croak has at most 100 characters
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = value_parser!(u32).range(1..=256))]
    pub bytes: u32,
    /// With --op feed, number of accounts that each client follows; from 4 on, accounts made by `examples/crowd`
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..=1000))]
    pub friends: u32,
    /// Connect to the backends directly, without a balancer
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub direct: bool,
    /// Connect only to the backend that leads at the start
    #[arg(long, conflicts_with = "direct", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub leader: bool,
    /// Consistency of feed reads
    #[arg(long, value_enum, default_value = "session")]
    pub consistency: ConsistencyFlag,
    /// Print JSON
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub group: ClusterFlags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OpFlag {
    /// Post a croak
    Post,
    /// Read the first page of the feed
    Feed,
    /// Acquire and release a lock
    Lock,
    /// List a folder of 10,000 nodes
    List,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ConsistencyFlag {
    /// The backend's current state
    Stale,
    /// At least as new as everything this client has seen
    Session,
    /// At least as new as every write acknowledged before the read
    Linearizable,
}
