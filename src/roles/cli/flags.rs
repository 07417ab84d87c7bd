//! First stage of the command line: the raw flags, as clap parses them.
//!
//! Only shapes and ranges are checked here. Defaults that depend on other flags or on files, and conflicts between
//! flags, belong to the second stage, `cli`.
//!
//! No flag names its environment variable: [`command`] derives `RIBBIT_…` from the flag's name, so no flag can lack one.

use super::backup_flags::{BackupFlags, RestoreFlags};
use super::bench_flags::BenchFlags;
use super::client_flags::ClientFlags;
use super::completions::{self, CompletionsFlags};
use super::demo_flags::{DEMO_HELP, DemoFlags};
use super::doctor_flags::{self, DoctorFlags};
use super::floating_flags::FloatingFlags;
use super::found_flags::FoundFlags;
use super::help;
use super::tree_flags::{LOCK_HELP, LockFlags, SHELL_HELP, ShellFlags};
use super::user_flags::UserVerbFlags;
use super::web_flags::CertFlags;
use crate::common::address;
use crate::common::cluster_selection::ClusterFlags;
use crate::common::defaults::{DISK_QUOTA, EVICT_AFTER, HEARTBEAT, MEMBER_ID_MAX, POSTS_PER_MINUTE};
use crate::common::network::Network;
use crate::common::values;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum, value_parser};
use ribbit_state::MemberName;
use ribbit_state::limits::REGIONS_MAX;
use ribbit_ui::version;
use std::path::PathBuf;
use std::time::Duration;

/// A small social network that survives pulled plugs.
#[derive(Debug, Parser)]
#[command(name = "ribbit", version = version::SHORT, long_version = version::LONG)]
#[command(arg_required_else_help = true, after_help = help::ROOT)]
pub struct Flags {
    /// Read flags from a file with lines such as RIBBIT_LISTEN=0.0.0.0:9000
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Stop at the end of standard input; `up` uses this so that its children end with it, even if it is killed
    #[arg(long, global = true, hide = true)]
    pub supervised: bool,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a complete cluster on this machine
    #[command(after_help = help::UP)]
    Up(UpFlags),
    /// Demonstrate crash recovery or failover on this machine
    #[command(after_help = DEMO_HELP)]
    Demo(DemoFlags),
    /// Create the cluster file of a new cluster
    #[command(after_help = help::INIT)]
    Init(InitFlags),
    /// Run a backend: stores the data, serves clients, votes
    #[command(after_help = help::BACKEND)]
    Backend(BackendFlags),
    /// Run a coordinator: stores a standby copy, votes, serves no clients
    #[command(after_help = help::COORDINATOR)]
    Coordinator(CoordinatorFlags),
    /// Run a balancer, or query a running one
    #[command(after_help = help::BALANCER)]
    Balancer(BalancerFlags),
    /// Read and write croaks and messages in a terminal or a script, or serve the web pages
    #[command(after_help = help::CLIENT)]
    Client(ClientFlags),
    /// Manage user accounts (operators only)
    #[command(subcommand)]
    User(UserVerbFlags),
    /// Show the members, the leader and how many failures the cluster tolerates
    #[command(after_help = help::STATUS)]
    Status(StatusFlags),
    /// Show a live view of the cluster, updated every second
    #[command(after_help = help::WATCH)]
    Watch(WatchFlags),
    /// Check the cluster's health and report it as text and exit code
    #[command(after_help = help::HEALTH)]
    Health(StatusFlags),
    /// Diagnose this machine and its connections to the cluster
    #[command(after_help = doctor_flags::HELP)]
    Doctor(DoctorFlags),
    /// Show all details of each member
    #[command(after_help = help::MEMBERS)]
    Members(StatusFlags),
    /// Remove, drain or undrain a member
    #[command(subcommand)]
    Member(MemberVerb),
    /// Transfer leadership to another backend
    #[command(after_help = help::TRANSFER)]
    Transfer(NameFlags),
    /// Browse and change the lock namespace: folders, files and locks
    #[command(after_help = SHELL_HELP)]
    Shell(ShellFlags),
    /// Run a command while holding a lock
    #[command(after_help = LOCK_HELP)]
    Lock(LockFlags),
    /// Write a consistent backup to a file, without stopping writes
    #[command(after_help = help::BACKUP)]
    Backup(BackupFlags),
    /// Create a new cluster from a backup
    #[command(after_help = help::RESTORE)]
    Restore(RestoreFlags),
    /// Compare the data of all members, row by row
    #[command(after_help = help::VERIFY)]
    Verify(StatusFlags),
    /// Print the cluster's public key
    #[command(after_help = help::KEY)]
    Key(KeyFlags),
    /// Create a TLS certificate for the web pages
    #[command(after_help = help::WEB_CERT)]
    WebCert(CertFlags),
    /// Rebuild the cluster from one member's store, as a last resort
    #[command(after_help = help::RECOVER)]
    Recover(RecoverFlags),
    /// Print a shell completion script
    #[command(after_help = completions::HELP)]
    Completions(CompletionsFlags),
    /// Print the manual page
    #[command(after_help = help::MAN)]
    Man,
    /// Benchmark a running cluster; creates accounts and croaks
    #[command(after_help = help::BENCH)]
    Bench(BenchFlags),
}

#[derive(Debug, Subcommand)]
pub enum MemberVerb {
    /// Remove a member for good and wait until it is gone
    #[command(after_help = help::REMOVE)]
    Remove(RemoveFlags),
    /// Make a voter a learner and wait until it is one
    #[command(after_help = help::DRAIN)]
    Drain(NameFlags),
    /// Allow a drained member to vote again
    #[command(after_help = help::UNDRAIN)]
    Undrain(NameFlags),
}

#[derive(Debug, Args)]
pub struct UpFlags {
    /// Number of backends, 1 to 7
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..=7))]
    pub backends: u32,
    /// Number of coordinators, 0 to 5
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = value_parser!(u32).range(0..=5))]
    pub coordinators: u32,
    /// Listen address of the web pages; port 0 picks a free port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", value_parser = address::listen)]
    pub web: String,
    /// Folder for all data [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Whether to restart a process that exits
    #[arg(long, value_enum, default_value = "always")]
    pub restart: RestartFlag,
    /// Replace a voter that has been silent for this long, 1s to 10m, if a learner can take its seat
    #[arg(long, value_name = "TIME", default_value = EVICT_AFTER, value_parser = values::evict_after)]
    pub evict_after: Duration,
    /// Disk quota of a member, at least 64KiB; when it is exceeded, or less than 64 MiB of the disk are free, new
    /// accounts, follows and croaks are refused
    #[arg(long, value_name = "SIZE", default_value = DISK_QUOTA, value_parser = values::disk_quota)]
    pub disk_quota: u64,
    /// Rate limit per account: croaks, messages and follows per minute, at least 6; 0 means no limit [default: 60,
    /// with --ephemeral 0]
    #[arg(long, value_name = "N", value_parser = values::posts_per_minute)]
    pub posts_per_minute: Option<u32>,
    /// Keep all data in a temporary folder that is removed on exit
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub ephemeral: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RestartFlag {
    Always,
    Never,
}

#[derive(Debug, Args)]
pub struct InitFlags {
    /// Display name of the cluster
    #[arg(long, default_value = "ribbit")]
    pub name: String,
    /// Addresses of the coordinators, as every machine reaches them
    #[arg(long, value_name = "HOST:PORT[,…]", required = true, value_delimiter = ',', value_parser = address::peer)]
    pub coordinator: Vec<String>,
    /// Write cluster.ribbit to this folder [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Write to this file instead
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct NodeFlags {
    /// Member number, 1 to 999; unique among the members of its role and region
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=MEMBER_ID_MAX as i64))]
    pub id: u32,
    /// Interval between heartbeats, 100ms to 60s
    #[arg(long, value_name = "TIME", default_value = HEARTBEAT, value_parser = values::heartbeat)]
    pub heartbeat: Duration,
    /// Number of missed heartbeats, 2 to 100, after which a server counts as down and its locks are released; the
    /// leader's setting applies
    #[arg(long, value_name = "N", default_value = "2", value_parser = value_parser!(u32).range(2..=100))]
    pub miss: u32,
    #[command(flatten)]
    pub founding: FoundFlags,
    /// Address to announce to others, if they cannot use the listen address
    #[arg(long, value_name = "HOST:PORT", value_parser = address::peer)]
    pub advertise: Option<String>,
    /// Replace a voter that has been silent for this long, 1s to 10m, if a learner can take its seat; the leader's
    /// setting applies
    #[arg(long, value_name = "TIME", default_value = EVICT_AFTER, value_parser = values::evict_after)]
    pub evict_after: Duration,
    /// Disk quota of a member, at least 64KiB; when it is exceeded, or less than 64 MiB of the disk are free, new
    /// accounts, follows and croaks are refused
    #[arg(long, value_name = "SIZE", default_value = DISK_QUOTA, value_parser = values::disk_quota)]
    pub disk_quota: u64,
    #[command(flatten)]
    pub server: ServerFlags,
}

#[derive(Debug, Args)]
pub struct BackendFlags {
    /// Rate limit per account: croaks, messages and follows per minute, at least 6; 0 means no limit
    #[arg(long, value_name = "N", default_value_t = POSTS_PER_MINUTE, value_parser = values::posts_per_minute)]
    pub posts_per_minute: u32,
    #[command(flatten)]
    pub node: NodeFlags,
}

#[derive(Debug, Args)]
pub struct CoordinatorFlags {
    /// Number of regions that clients are spread over: a client's region is its id modulo K, plus 1 [default:
    /// unchanged, initially 1]
    #[arg(long, value_name = "K", value_parser = value_parser!(u32).range(1..=REGIONS_MAX as i64))]
    pub clusters: Option<u32>,
    #[command(flatten)]
    pub node: NodeFlags,
}

/// Flags shared by backends, coordinators and balancers.
#[derive(Debug, Args)]
pub struct ServerFlags {
    /// Region of this server; voters are in region 1 only, members elsewhere have all data but no vote
    #[arg(long, value_name = "C", default_value = "1", value_parser = value_parser!(u32).range(1..=REGIONS_MAX as i64))]
    pub cluster: u32,
    /// Listen address; see below for the default
    #[arg(long, value_name = "HOST:PORT", value_parser = address::listen)]
    pub listen: Option<String>,
    /// Folder of the cluster file and the members' stores [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Cluster file [default: cluster.ribbit in the data folder]
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
    /// Addresses of web processes and other proxies that serve many users: not rate limited as a single client;
    /// loopback is always included
    #[arg(long, value_name = "ADDR[/BITS]", value_delimiter = ',', value_parser = Network::parse)]
    pub trusted_proxies: Vec<Network>,
    /// Addresses of members to contact first [default: the coordinators in the cluster file]
    #[arg(long, value_name = "HOST:PORT[,…]", value_delimiter = ',', value_parser = address::peer)]
    pub coordinator: Vec<String>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BalancerFlags {
    #[command(subcommand)]
    pub verb: Option<BalancerVerb>,
    #[command(flatten)]
    pub server: ServerFlags,
    #[command(flatten)]
    pub floating: FloatingFlags,
}

#[derive(Debug, Subcommand)]
pub enum BalancerVerb {
    /// Ask for a backend to read from
    #[command(after_help = help::READ)]
    Read(ReadFlags),
    /// Ask for the backends that accept writes, leader first
    #[command(after_help = help::WRITE)]
    Write(StatusFlags),
    /// Report that a backend is down; the balancer checks it
    #[command(after_help = help::DOWN)]
    Down(DownFlags),
    /// Report that a reader has left
    #[command(after_help = help::LEFT)]
    Left(LeftFlags),
}

#[derive(Debug, Args)]
pub struct ReadFlags {
    /// Client number from an earlier call: renews its assignment, or moves it to a backend with fewer clients
    #[arg(long, value_name = "N")]
    pub client: Option<u64>,
    #[command(flatten)]
    pub asking: StatusFlags,
}

#[derive(Debug, Args)]
pub struct DownFlags {
    /// Address of the backend, as printed by the balancer
    #[arg(value_name = "HOST:PORT", value_parser = address::peer)]
    pub address: String,
    #[command(flatten)]
    pub asking: StatusFlags,
}

#[derive(Debug, Args)]
pub struct LeftFlags {
    /// Client number that `read` printed or was given
    #[arg(value_name = "CLIENT")]
    pub client: u64,
    #[command(flatten)]
    pub asking: StatusFlags,
}

#[derive(Debug, Args)]
pub struct KeyFlags {
    /// Folder of the cluster file [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Cluster file [default: cluster.ribbit in the data folder]
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ClientServerFlags {
    /// Client id [default: the one saved in the data folder]
    #[arg(long, value_name = "N")]
    pub id: Option<u64>,
    /// Server that this client used before [default: the last answer]
    #[arg(long, value_name = "HOST:PORT", value_parser = address::peer)]
    pub before: Option<String>,
    /// Print JSON
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub group: ClusterFlags,
}

#[derive(Debug, Args)]
pub struct StatusFlags {
    /// Print JSON
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub group: ClusterFlags,
}

#[derive(Debug, Args)]
pub struct WatchFlags {
    /// Print the view once and exit
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub once: bool,
    #[command(flatten)]
    pub group: ClusterFlags,
}

#[derive(Debug, Args)]
pub struct NameFlags {
    /// Member, such as backend-2 or coordinator-1
    #[arg(value_parser = values::member)]
    pub name: MemberName,
    #[command(flatten)]
    pub group: ClusterFlags,
}

#[derive(Debug, Args)]
pub struct RemoveFlags {
    /// Remove the member even if it is running
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    #[command(flatten)]
    pub named: NameFlags,
}

#[derive(Debug, Args)]
pub struct RecoverFlags {
    /// Folder of a member's store, or a copy of it; it is only read
    #[arg(long, value_name = "FOLDER")]
    pub from: PathBuf,
    /// Number of the backend to create, 1 to 999; it must not have a store yet
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=MEMBER_ID_MAX as i64))]
    pub id: u32,
    /// Folder of the cluster file and the members' stores [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Cluster file [default: cluster.ribbit in the data folder]
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
}

/// Returns the complete command line, with an environment variable for every flag.
pub fn command() -> clap::Command {
    with_environment(Flags::command())
}

fn with_environment(command: clap::Command) -> clap::Command {
    command.mut_subcommands(with_environment).mut_args(|arg| match arg.get_long() {
        Some(long) if !arg.is_hide_set() => {
            let name = format!("RIBBIT_{}", long.to_ascii_uppercase().replace('-', "_"));
            arg.env(name).hide_env_values(true)
        }
        _ => arg,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(command: &clap::Command, check: &mut dyn FnMut(&clap::Command, &clap::Arg)) {
        for arg in command.get_arguments() {
            check(command, arg);
        }
        for inner in command.get_subcommands() {
            walk(inner, check);
        }
    }

    #[test]
    fn the_command_line_is_valid() {
        command().debug_assert();
    }

    #[test]
    fn the_default_of_evict_after_is_that_of_the_replica() {
        use ribbit_replica::limits::{EVICT_TICKS, TICK_MS};
        assert_eq!(values::evict_after(EVICT_AFTER), Ok(Duration::from_millis(EVICT_TICKS * TICK_MS)));
    }

    #[test]
    fn every_flag_has_an_environment_variable_and_help() {
        let mut count = 0;
        walk(&command(), &mut |command, arg| {
            assert!(arg.get_help().is_some(), "{}: {arg}", command.get_name());
            if !arg.is_hide_set() && !arg.is_positional() {
                let name = arg.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                assert!(name.starts_with("RIBBIT_"), "{}: {arg}", command.get_name());
                count += 1;
            }
        });
        assert!(count > 30);
    }

    #[test]
    fn every_command_shows_examples() {
        fn check(path: &str, command: &clap::Command) {
            let mut inner = command.get_subcommands().peekable();
            if inner.peek().is_none() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains(path), "{path}");
            }
            inner.for_each(|inner| check(&format!("{path} {}", inner.get_name()), inner));
        }
        check("ribbit", &command());
    }
}
