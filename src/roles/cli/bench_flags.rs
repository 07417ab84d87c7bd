//! The flags of `ribbit bench`, as they were typed.

use super::flags::GroupFlags;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum, value_parser};

const CLIENTS_MAX: i64 = 4_096;
const SECONDS_MAX: i64 = 24 * 3600;

#[derive(Debug, Args)]
pub struct BenchFlags {
    /// What every client does over and over
    #[arg(long, value_enum, default_value = "post")]
    pub op: OpFlag,
    /// How many clients, each with one request under way
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = value_parser!(u32).range(1..=CLIENTS_MAX))]
    pub clients: u32,
    /// For how long
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = value_parser!(u32).range(1..=SECONDS_MAX))]
    pub seconds: u32,
    /// Of each croak's text, which has at most a hundred characters
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = value_parser!(u32).range(1..=256))]
    pub bytes: u32,
    /// With `--op feed`: whose croaks each client reads. From 4 on, those of the people that `examples/crowd` makes
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..=1000))]
    pub friends: u32,
    /// Talk to the backends themselves instead of a balancer
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub direct: bool,
    /// Talk to the backend that leads when this begins, and to nobody else
    #[arg(long, conflicts_with = "direct", action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub leader: bool,
    /// How new the feeds that are read have to be
    #[arg(long, value_enum, default_value = "session")]
    pub consistency: ConsistencyFlag,
    /// For scripts
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub group: GroupFlags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OpFlag {
    Post,
    Feed,
    /// Acquire a lock and let it go
    Lock,
    /// List ten thousand nodes
    List,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ConsistencyFlag {
    /// Whatever the backend has
    Stale,
    /// At least as new as what this client has seen
    Session,
    /// As new as everything that anybody was told before
    Linearizable,
}
