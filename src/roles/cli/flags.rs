//! First stage of the command line: the raw flags, as clap parses them.
//!
//! Only shapes and ranges are checked here. Defaults that depend on other flags or on files, and conflicts between
//! flags, belong to the second stage, `cli`.
//!
//! No flag names its environment variable: [`command`] derives `RIBBIT_…` from the flag's name, so no flag can lack one.

use super::client_flags::ClientFlags;
use super::completions::{self, CompletionsFlags};
use super::floating_flags::FloatingFlags;
use super::found_flags::FoundFlags;
use super::help;
use super::web_flags::CertFlags;
use crate::common::address;
use crate::common::cluster_selection::ReportArgs;
use crate::common::defaults::{DISK_QUOTA, EVICT_AFTER, HEARTBEAT, MEMBER_ID_MAX, POSTS_PER_MINUTE};
use crate::common::network::Network;
use crate::common::values;
use crate::demo::{self, DemoArgs};
use crate::locks::lock::arguments::{self as lock, LockArgs};
use crate::locks::shell::arguments::{self as shell, ShellArgs};
use crate::operator::backup::{self, BackupArgs};
use crate::operator::bench::arguments::{self as bench, BenchArgs};
use crate::operator::directory::BalancerQuery;
use crate::operator::doctor::arguments::{self as doctor, DoctorArgs};
use crate::operator::init::{self, InitArgs};
use crate::operator::key::{self, KeyArgs};
use crate::operator::member::{self, MemberArgs, MemberVerb};
use crate::operator::recover::{self, RecoverArgs};
use crate::operator::restore::{self, RestoreArgs};
use crate::operator::user::arguments::UserVerb;
use crate::operator::watch::{self, WatchArgs};
use crate::operator::{health, status, verify};
use crate::up::arguments::{self as up, UpArgs};
use clap::{Args, CommandFactory, Parser, Subcommand, value_parser};
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
    #[command(after_help = up::HELP)]
    Up(UpArgs),
    /// Demonstrate crash recovery or failover on this machine
    #[command(after_help = demo::HELP)]
    Demo(DemoArgs),
    /// Create the cluster file of a new cluster
    #[command(after_help = init::HELP)]
    Init(InitArgs),
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
    User(UserVerb),
    /// Show the members, the leader and how many failures the cluster tolerates
    #[command(after_help = status::HELP)]
    Status(ReportArgs),
    /// Show a live view of the cluster, updated every second
    #[command(after_help = watch::HELP)]
    Watch(WatchArgs),
    /// Check the cluster's health and report it as text and exit code
    #[command(after_help = health::HELP)]
    Health(ReportArgs),
    /// Diagnose this machine and its connections to the cluster
    #[command(after_help = doctor::HELP)]
    Doctor(DoctorArgs),
    /// Show all details of each member
    #[command(after_help = status::MEMBERS_HELP)]
    Members(ReportArgs),
    /// Remove, drain or undrain a member
    #[command(subcommand)]
    Member(MemberVerb),
    /// Transfer leadership to another backend
    #[command(after_help = member::TRANSFER_HELP)]
    Transfer(MemberArgs),
    /// Browse and change the lock namespace: folders, files and locks
    #[command(after_help = shell::HELP)]
    Shell(ShellArgs),
    /// Run a command while holding a lock
    #[command(after_help = lock::HELP)]
    Lock(LockArgs),
    /// Write a consistent backup to a file, without stopping writes
    #[command(after_help = backup::HELP)]
    Backup(BackupArgs),
    /// Create a new cluster from a backup
    #[command(after_help = restore::HELP)]
    Restore(RestoreArgs),
    /// Compare the data of all members, row by row
    #[command(after_help = verify::HELP)]
    Verify(ReportArgs),
    /// Print the cluster's public key
    #[command(after_help = key::HELP)]
    Key(KeyArgs),
    /// Create a TLS certificate for the web pages
    #[command(after_help = help::WEB_CERT)]
    WebCert(CertFlags),
    /// Rebuild the cluster from one member's store, as a last resort
    #[command(after_help = recover::HELP)]
    Recover(RecoverArgs),
    /// Print a shell completion script
    #[command(after_help = completions::HELP)]
    Completions(CompletionsFlags),
    /// Print the manual page
    #[command(after_help = help::MAN)]
    Man,
    /// Benchmark a running cluster; creates accounts and croaks
    #[command(after_help = bench::HELP)]
    Bench(BenchArgs),
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
    pub verb: Option<BalancerQuery>,
    #[command(flatten)]
    pub server: ServerFlags,
    #[command(flatten)]
    pub floating: FloatingFlags,
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
