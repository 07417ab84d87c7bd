//! The first stage of the command line: what can be typed, as it was typed.
//!
//! Only shapes and ranges are checked here. Defaults that depend on anything (a number, a folder, a file) and
//! everything that two flags say about each other come in the second stage, `cli`.
//!
//! No flag names its environment variable: [`command`] gives every flag its `RIBBIT_…`, so none can be without.

use super::backup_flags::{BackupFlags, RestoreFlags};
use super::bench_flags::BenchFlags;
use super::client_flags::ClientFlags;
use super::completions::{self, CompletionsFlags};
use super::demo_flags::{DEMO_HELP, DemoFlags};
use super::doctor_flags::{self, DoctorFlags};
use super::floating_flags::FloatingFlags;
use super::found_flags::FoundFlags;
use super::tree_flags::{LOCK_HELP, LockFlags, SHELL_HELP, ShellFlags};
use super::user_flags::UserVerbFlags;
use super::web_flags::CertFlags;
use super::{help, typed};
use crate::common::address;
use crate::common::network::Network;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum, value_parser};
use ribbit_net::keys::PublicKey;
use ribbit_state::MemberName;
use ribbit_state::limits::CLUSTERS_MAX;
use ribbit_ui::version;
use std::path::PathBuf;
use std::time::Duration;

/// What a backend lets one account write in a minute, and the least it can be told.
pub const POSTS_PER_MINUTE: u32 = 60;
pub const POSTS_PER_MINUTE_MIN: u32 = 6;
/// More are as many as come.
pub const POSTS_PER_MINUTE_MAX: u32 = 1_000_000;

/// Numbers that a member can have: its default port must exist.
pub const MEMBER_ID_MAX: u32 = 999;

/// `EVICT_TICKS`, as it is typed.
const HEARTBEAT: &str = "1s";
pub const EVICT_AFTER: &str = "10s";
/// What a small card can spare.
pub const DISK_QUOTA: &str = "2GiB";

/// A small social network that survives pulled plugs.
#[derive(Debug, Parser)]
#[command(name = "ribbit", version = version::SHORT, long_version = version::LONG)]
#[command(arg_required_else_help = true, after_help = help::ROOT)]
pub struct Flags {
    /// Take flags that are not given from this file of lines like RIBBIT_LISTEN=0.0.0.0:9000
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<PathBuf>,
    /// Stop when standard input ends: how `up` takes its children along, even when it is killed
    #[arg(long, global = true, hide = true)]
    pub supervised: bool,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a whole group on this machine, to try it out
    #[command(after_help = help::UP)]
    Up(UpFlags),
    /// See for yourself what survives what: two scenes, played on this machine, each claim checked
    #[command(after_help = DEMO_HELP)]
    Demo(DemoFlags),
    /// Make the cluster file that every board gets a copy of
    #[command(after_help = help::INIT)]
    Init(InitFlags),
    /// Keep the data, serve people, vote
    #[command(after_help = help::BACKEND)]
    Backend(BackendFlags),
    /// Keep a standby copy, vote, serve no people
    #[command(after_help = help::COORDINATOR)]
    Coordinator(CoordinatorFlags),
    /// Give people one stable address, and share them out over the backends; or ask where to go
    #[command(after_help = help::BALANCER)]
    Balancer(BalancerFlags),
    /// What people use: croaks, friends and messages in a terminal, or a word at a time in scripts
    #[command(after_help = help::CLIENT)]
    Client(ClientFlags),
    /// Look after people's accounts: for those who run the group
    #[command(subcommand)]
    User(UserVerbFlags),
    /// Show who is there, who leads, and how many more may be lost
    #[command(after_help = help::STATUS)]
    Status(StatusFlags),
    /// Watch the group in a terminal, drawn anew every second
    #[command(after_help = help::WATCH)]
    Watch(WatchFlags),
    /// Tell whether the group is well, in words and by exit code
    #[command(after_help = help::HEALTH)]
    Health(StatusFlags),
    /// Look at this board, and from it at the others: what is wrong, and what to type
    #[command(after_help = doctor_flags::HELP)]
    Doctor(DoctorFlags),
    /// Show everything that is known of each member
    #[command(after_help = help::MEMBERS)]
    Members(StatusFlags),
    /// Let a member go, or keep it from voting
    #[command(subcommand)]
    Member(MemberVerb),
    /// Let another backend lead
    #[command(after_help = help::TRANSFER)]
    Transfer(NameFlags),
    /// Walk the lock namespace: files, folders, locks and who holds them
    #[command(after_help = SHELL_HELP)]
    Shell(ShellFlags),
    /// Run a command while holding a lock
    #[command(after_help = LOCK_HELP)]
    Lock(LockFlags),
    /// Keep everything in a file, as it is at one moment, while people go on writing
    #[command(after_help = help::BACKUP)]
    Backup(BackupFlags),
    /// Begin a new cluster with what a backup holds
    #[command(after_help = help::RESTORE)]
    Restore(RestoreFlags),
    /// Compare what the members have, row by row
    #[command(after_help = help::VERIFY)]
    Verify(StatusFlags),
    /// Show the public key, by which people's programs know the servers
    #[command(after_help = help::KEY)]
    Key(KeyFlags),
    /// Make a certificate for the pages, so that they are encrypted
    #[command(after_help = help::WEB_CERT)]
    WebCert(CertFlags),
    /// Found a new history on what one member's store holds: the last resort
    #[command(after_help = help::RECOVER)]
    Recover(RecoverFlags),
    /// Let the shell complete commands and flags
    #[command(after_help = completions::HELP)]
    Completions(CompletionsFlags),
    /// Print the manual page
    #[command(after_help = help::MAN)]
    Man,
    /// Measure a running group; leaves accounts and croaks of its own behind
    #[command(after_help = help::BENCH)]
    Bench(BenchFlags),
}

#[derive(Debug, Subcommand)]
pub enum MemberVerb {
    /// Let a member go for good; waits until it has gone
    #[command(after_help = help::REMOVE)]
    Remove(RemoveFlags),
    /// Let a member learn and not vote, before its board is taken away for a while; waits until it does
    #[command(after_help = help::DRAIN)]
    Drain(NameFlags),
    /// Let a drained member vote again, once there is a seat for it
    #[command(after_help = help::UNDRAIN)]
    Undrain(NameFlags),
}

#[derive(Debug, Args)]
pub struct UpFlags {
    /// How many backends, 1 to 7
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..=7))]
    pub backends: u32,
    /// How many coordinators, 0 to 5
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = value_parser!(u32).range(0..=5))]
    pub coordinators: u32,
    /// Where browsers come in; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080", value_parser = address::listen)]
    pub web: String,
    /// Where everything is kept [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Whether what dies is started again
    #[arg(long, value_enum, default_value = "always")]
    pub restart: RestartFlag,
    /// A voter that is silent for this long gives its seat to a learner, if there is one
    #[arg(long, value_name = "TIME", default_value = EVICT_AFTER, value_parser = typed::evict_after)]
    pub evict_after: Duration,
    /// Disk that a member's files may take; then new accounts, friends and croaks are refused, and so they are when
    /// less than 64 MiB are free
    #[arg(long, value_name = "SIZE", default_value = DISK_QUOTA, value_parser = typed::disk_quota)]
    pub disk_quota: u64,
    /// How many croaks, messages and friends one account may write in a minute, at least 6; 0 is as many as come
    /// [default: 60, with --ephemeral as many as come]
    #[arg(long, value_name = "N", value_parser = typed::posts_per_minute)]
    pub posts_per_minute: Option<u32>,
    /// Keep everything in a temporary folder that is removed at the end
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
    /// What you call the cluster
    #[arg(long, default_value = "ribbit")]
    pub name: String,
    /// Where the coordinators will be, as every board reaches them
    #[arg(long, value_name = "HOST:PORT[,…]", required = true, value_delimiter = ',', value_parser = address::peer)]
    pub coordinator: Vec<String>,
    /// Write cluster.ribbit in this folder [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Write this file instead
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct NodeFlags {
    /// Which one it is, 1 to 999; no two of a role in a cluster share a number
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=MEMBER_ID_MAX as i64))]
    pub id: u32,
    /// How often it says that it is there
    #[arg(long, value_name = "TIME", default_value = HEARTBEAT, value_parser = typed::heartbeat)]
    pub heartbeat: Duration,
    /// After so many missed beats a server counts as gone and its locks are let go; the leader's counts
    #[arg(long, value_name = "N", default_value = "2", value_parser = value_parser!(u32).range(2..=100))]
    pub miss: u32,
    #[command(flatten)]
    pub founding: FoundFlags,
    /// What to tell others instead of the address listened on
    #[arg(long, value_name = "HOST:PORT", value_parser = address::peer)]
    pub advertise: Option<String>,
    /// A voter that is silent for this long gives its seat to a learner, if there is one; the leader's counts
    #[arg(long, value_name = "TIME", default_value = EVICT_AFTER, value_parser = typed::evict_after)]
    pub evict_after: Duration,
    /// Disk that a member's files may take; then new accounts, friends and croaks are refused, and so they are when
    /// less than 64 MiB are free
    #[arg(long, value_name = "SIZE", default_value = DISK_QUOTA, value_parser = typed::disk_quota)]
    pub disk_quota: u64,
    #[command(flatten)]
    pub server: ServerFlags,
}

#[derive(Debug, Args)]
pub struct BackendFlags {
    /// How many croaks, messages and friends one account may write in a minute, at least 6; 0 is as many as come
    #[arg(long, value_name = "N", default_value_t = POSTS_PER_MINUTE, value_parser = typed::posts_per_minute)]
    pub posts_per_minute: u32,
    #[command(flatten)]
    pub node: NodeFlags,
}

#[derive(Debug, Args)]
pub struct CoordinatorFlags {
    /// How many clusters clients are spread over: a client's is its id modulo K, plus 1 [default: as it was, 1 at first]
    #[arg(long, value_name = "K", value_parser = value_parser!(u32).range(1..=CLUSTERS_MAX as i64))]
    pub clusters: Option<u32>,
    #[command(flatten)]
    pub node: NodeFlags,
}

/// What backends, coordinators and balancers share.
#[derive(Debug, Args)]
pub struct ServerFlags {
    /// The number of the cluster it serves; 1 is the home, where voters sit, others have all the data and no vote
    #[arg(long, value_name = "C", default_value = "1", value_parser = value_parser!(u32).range(1..=CLUSTERS_MAX as i64))]
    pub cluster: u32,
    /// Where to listen; what is the default is said below
    #[arg(long, value_name = "HOST:PORT", value_parser = address::listen)]
    pub listen: Option<String>,
    /// The folder that holds the cluster file and each member's store in a folder of its name [default:
    /// ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The cluster file [default: cluster.ribbit in the data folder]
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
    /// Addresses of web processes, and others behind which are many people: they are not limited as one; loopback is
    /// among them
    #[arg(long, value_name = "ADDR[/BITS]", value_delimiter = ',', value_parser = Network::parse)]
    pub trusted_proxies: Vec<Network>,
    /// Where members may be found [default: the coordinators in the cluster file]
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
    /// Ask a balancer which backend to read from; it counts you there until you leave
    #[command(after_help = help::READ)]
    Read(ReadFlags),
    /// Ask a balancer which backends may be written to, the leader first
    #[command(after_help = help::WRITE)]
    Write(StatusFlags),
    /// Tell a balancer that a backend is down; it looks for itself
    #[command(after_help = help::DOWN)]
    Down(DownFlags),
    /// Tell a balancer that a reader has gone
    #[command(after_help = help::LEFT)]
    Left(LeftFlags),
}

#[derive(Debug, Args)]
pub struct ReadFlags {
    /// Your number, where you have one: your place is renewed, or moved if another backend has fewer clients
    #[arg(long, value_name = "N")]
    pub client: Option<u64>,
    #[command(flatten)]
    pub asking: StatusFlags,
}

#[derive(Debug, Args)]
pub struct DownFlags {
    /// As the balancer named it
    #[arg(value_name = "HOST:PORT", value_parser = address::peer)]
    pub address: String,
    #[command(flatten)]
    pub asking: StatusFlags,
}

#[derive(Debug, Args)]
pub struct LeftFlags {
    /// The number that `read` has shown, or that you gave it
    #[arg(value_name = "CLIENT")]
    pub client: u64,
    #[command(flatten)]
    pub asking: StatusFlags,
}

/// How a command finds the group it talks to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which group")]
pub struct GroupFlags {
    /// The group that runs on this folder of this machine [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The group of this cluster file
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
    /// The group that is reached here
    #[arg(long, value_name = "HOST:PORT[,…]", value_delimiter = ',', value_parser = address::peer)]
    pub server: Vec<String>,
    /// What its servers are known by, as `ribbit key` shows it on a board; not needed where the cluster file is [default:
    /// the key that they have when they are met first]
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<PublicKey>,
}

#[derive(Debug, Args)]
pub struct KeyFlags {
    /// The folder that holds the cluster file [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The cluster file [default: cluster.ribbit in the data folder]
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ClientServerFlags {
    /// Ask for this client instead of the one that is kept in the data folder
    #[arg(long, value_name = "N")]
    pub id: Option<u64>,
    /// The server that was used before [default: as it was told last]
    #[arg(long, value_name = "HOST:PORT", value_parser = address::peer)]
    pub before: Option<String>,
    /// For scripts
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub group: GroupFlags,
}

#[derive(Debug, Args)]
pub struct StatusFlags {
    /// For scripts
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub json: bool,
    #[command(flatten)]
    pub group: GroupFlags,
}

#[derive(Debug, Args)]
pub struct WatchFlags {
    /// One look, and no more
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub once: bool,
    #[command(flatten)]
    pub group: GroupFlags,
}

#[derive(Debug, Args)]
pub struct NameFlags {
    /// Which one, like backend-2 or coordinator-1
    #[arg(value_parser = typed::member)]
    pub name: MemberName,
    #[command(flatten)]
    pub group: GroupFlags,
}

#[derive(Debug, Args)]
pub struct RemoveFlags {
    /// Even if it is alive
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    #[command(flatten)]
    pub named: NameFlags,
}

#[derive(Debug, Args)]
pub struct RecoverFlags {
    /// A member's folder, or a copy of one; it is only read
    #[arg(long, value_name = "FOLDER")]
    pub from: PathBuf,
    /// Which backend is to have it, 1 to 999; it must have no store yet
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=MEMBER_ID_MAX as i64))]
    pub id: u32,
    /// The folder that holds the cluster file and each member's store [default: ribbit-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The cluster file [default: cluster.ribbit in the data folder]
    #[arg(long, value_name = "FILE")]
    pub cluster_file: Option<PathBuf>,
}

/// The whole command line, every flag with its environment variable.
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
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn the_default_of_evictions_is_that_of_the_replica() {
        use ribbit_replica::limits::{EVICT_TICKS, TICK_MS};
        assert_eq!(typed::evict_after(EVICT_AFTER), Ok(Duration::from_millis(EVICT_TICKS * TICK_MS)));
    }

    #[test]
    fn every_flag_has_an_environment_variable_and_words() {
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
        fn look(path: &str, command: &clap::Command) {
            let mut inner = command.get_subcommands().peekable();
            if inner.peek().is_none() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains(path), "{path}");
            }
            inner.for_each(|inner| look(&format!("{path} {}", inner.get_name()), inner));
        }
        look("ribbit", &command());
    }
}
