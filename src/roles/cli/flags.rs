//! First stage of the command line: the raw flags, as clap parses them.
//!
//! Only shapes and ranges are checked here. Defaults that depend on other flags or on files, and conflicts between
//! flags, belong to the second stage, `cli`.
//!
//! No flag names its environment variable: [`command`] derives `RIBBIT_…` from the flag's name, so no flag can lack one.

use super::completions::{self, CompletionsFlags};
use super::help;
use crate::balancer::arguments::{self as balancer, BalancerArgs};
use crate::client::arguments::{self as client, ClientArgs};
use crate::common::cluster_selection::ReportArgs;
use crate::demo::{self, DemoArgs};
use crate::locks::lock::arguments::{self as lock, LockArgs};
use crate::locks::shell::arguments::{self as shell, ShellArgs};
use crate::node::arguments::{self as node, BackendArgs, CoordinatorArgs};
use crate::operator::audit::{self, AuditArgs};
use crate::operator::backup::{self, BackupArgs};
use crate::operator::bench::arguments::{self as bench, BenchArgs};
use crate::operator::directory::BalancerQuery;
use crate::operator::doctor::arguments::{self as doctor, DoctorArgs};
use crate::operator::health::{self, HealthArgs};
use crate::operator::image_files::{self, ImageFilesArgs};
use crate::operator::init::{self, InitArgs};
use crate::operator::invite_board::{self, InviteBoardArgs};
use crate::operator::key::{self, KeyArgs};
use crate::operator::member::{self, MemberVerb, TransferArgs};
use crate::operator::recover::{self, RecoverArgs};
use crate::operator::restore::{self, RestoreArgs};
use crate::operator::upgrade::UpgradeVerb;
use crate::operator::user::arguments::UserVerb;
use crate::operator::watch::{self, WatchArgs};
use crate::operator::{status, verify};
use crate::up::arguments::{self as up, UpArgs};
use crate::web::http::cert::{self, CertArgs};
use clap::{Args, CommandFactory, Parser, Subcommand};
use ribbit_ui::version;
use std::path::PathBuf;

/// A small social network that survives pulled plugs.
#[derive(Debug, Parser)]
#[command(name = "ribbit", version = version::SHORT, long_version = version::LONG)]
#[command(arg_required_else_help = true, after_help = help::ROOT)]
pub(crate) struct Flags {
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
pub(crate) enum Verb {
    /// Run a complete cluster on this machine
    #[command(after_help = up::HELP)]
    Up(UpArgs),
    /// Demonstrate crash recovery or failover on this machine
    #[command(after_help = demo::HELP)]
    Demo(DemoArgs),
    /// Create the cluster file of a new cluster
    #[command(after_help = init::HELP)]
    Init(InitArgs),
    /// Write the files that turn blank cards into the boards of a new cluster
    #[command(after_help = image_files::HELP)]
    ImageFiles(ImageFilesArgs),
    /// Run a backend: stores the data, serves clients, votes
    #[command(after_help = node::BACKEND_HELP)]
    Backend(BackendArgs),
    /// Run a coordinator: stores a standby copy, votes, serves no clients
    #[command(after_help = node::COORDINATOR_HELP)]
    Coordinator(CoordinatorArgs),
    /// Run a balancer, or query a running one
    #[command(after_help = balancer::HELP)]
    Balancer(BalancerFlags),
    /// Read and write croaks and messages in a terminal or a script, or serve the web pages
    #[command(after_help = client::HELP)]
    Client(ClientArgs),
    /// Manage user accounts (operators only)
    #[command(subcommand)]
    User(UserVerb),
    /// Show what operators have done
    #[command(after_help = audit::HELP)]
    Audit(AuditArgs),
    /// Show the members, the leader and how many failures the cluster tolerates
    #[command(after_help = status::HELP)]
    Status(ReportArgs),
    /// Show a live view of the cluster, updated every second
    #[command(after_help = watch::HELP)]
    Watch(WatchArgs),
    /// Check the cluster's health and report it as text and exit code
    #[command(after_help = health::HELP)]
    Health(HealthArgs),
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
    Transfer(TransferArgs),
    /// Bring all members to another version
    #[command(subcommand)]
    Upgrade(UpgradeVerb),
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
    /// Print a one-time code with which a new board gets the cluster file
    #[command(after_help = invite_board::HELP)]
    InviteBoard(InviteBoardArgs),
    /// Print the cluster's public key, or replace the cluster's key
    #[command(after_help = key::HELP)]
    Key(KeyArgs),
    /// Create a TLS certificate for the web pages
    #[command(after_help = cert::HELP)]
    WebCert(CertArgs),
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

/// A running balancer, or a query to one.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BalancerFlags {
    #[command(subcommand)]
    pub query: Option<BalancerQuery>,
    #[command(flatten)]
    pub balancer: BalancerArgs,
}

/// Returns the complete command line, with an environment variable for every flag.
pub(crate) fn command() -> clap::Command {
    with_environment(Flags::command().mut_subcommand("client", ClientArgs::before_verbs))
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
