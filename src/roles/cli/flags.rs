//! The first stage of the command line: what can be typed, as it was typed.
//!
//! Only shapes and ranges are checked here. Defaults that depend on anything (a number, a folder, a file) and
//! everything that two flags say about each other come in the second stage, `cli`.
//!
//! No flag names its environment variable: [`command`] gives every flag its `RIBBIT_…`, so none can be without.

use super::bench_flags::{BENCH_HELP, BenchFlags};
use super::tree_flags::{LOCK_HELP, LockFlags, SHELL_HELP, ShellFlags};
use super::typed;
use crate::roles::address;
use crate::state::MemberName;
use crate::state::limits::CLUSTERS_MAX;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum, value_parser};
use std::path::PathBuf;
use std::time::Duration;

/// Numbers that a member can have: its default port must exist.
pub const MEMBER_ID_MAX: u32 = 999;

/// `EVICT_TICKS`, as it is typed.
const HEARTBEAT: &str = "1s";
pub const EVICT_AFTER: &str = "10s";
/// What a small card can spare.
pub const DISK_QUOTA: &str = "2GiB";

/// A small social network that survives pulled plugs.
#[derive(Debug, Parser)]
#[command(name = "ribbit", version, arg_required_else_help = true, after_help = ROOT_HELP)]
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
    #[command(after_help = UP_HELP)]
    Up(UpFlags),
    /// Make the cluster file that every board gets a copy of
    #[command(after_help = INIT_HELP)]
    Init(InitFlags),
    /// Keep the data, serve people, vote
    #[command(after_help = BACKEND_HELP)]
    Backend(NodeFlags),
    /// Keep a standby copy, vote, serve no people
    #[command(after_help = COORDINATOR_HELP)]
    Coordinator(CoordinatorFlags),
    /// Give people one stable address, and share them out over the backends; or ask where to go
    #[command(after_help = BALANCER_HELP)]
    Balancer(BalancerFlags),
    /// What people use
    #[command(subcommand)]
    Client(ClientVerb),
    /// Show who is there, who leads, and how many more may be lost
    #[command(after_help = STATUS_HELP)]
    Status(StatusFlags),
    /// Watch the group in a terminal, drawn anew every second
    #[command(after_help = WATCH_HELP)]
    Watch(WatchFlags),
    /// Tell whether the group is well, in words and by exit code
    #[command(after_help = HEALTH_HELP)]
    Health(StatusFlags),
    /// Show everything that is known of each member
    #[command(after_help = MEMBERS_HELP)]
    Members(StatusFlags),
    /// Let a member go, or keep it from voting
    #[command(subcommand)]
    Member(MemberVerb),
    /// Let another backend lead
    #[command(after_help = TRANSFER_HELP)]
    Transfer(NameFlags),
    /// Walk the lock namespace: files, folders, locks and who holds them
    #[command(after_help = SHELL_HELP)]
    Shell(ShellFlags),
    /// Run a command while holding a lock
    #[command(after_help = LOCK_HELP)]
    Lock(LockFlags),
    /// Found a new history on what one member's store holds: the last resort
    #[command(after_help = RECOVER_HELP)]
    Recover(RecoverFlags),
    /// Measure a running group; leaves accounts and croaks of its own behind
    #[command(after_help = BENCH_HELP)]
    Bench(BenchFlags),
}

#[derive(Debug, Subcommand)]
pub enum ClientVerb {
    /// Serve the pages to browsers; keeps nothing
    #[command(after_help = WEB_HELP)]
    Web(WebFlags),
    /// Say which server to use: of the client's own cluster while that has one, else of the next
    #[command(after_help = CLIENT_SERVER_HELP)]
    Server(ClientServerFlags),
}

#[derive(Debug, Subcommand)]
pub enum MemberVerb {
    /// Let a member go for good; waits until it has gone
    #[command(after_help = REMOVE_HELP)]
    Remove(RemoveFlags),
    /// Let a member learn and not vote, before its board is taken away for a while; waits until it does
    #[command(after_help = DRAIN_HELP)]
    Drain(NameFlags),
    /// Let a drained member vote again, once there is a seat for it
    #[command(after_help = UNDRAIN_HELP)]
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
    /// Found the group, once: ignored when there is data already, refused when a member answers
    #[arg(long, action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub found: bool,
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
}

#[derive(Debug, Subcommand)]
pub enum BalancerVerb {
    /// Ask a balancer which backend to read from; it counts you there until you leave
    #[command(after_help = READ_HELP)]
    Read(ReadFlags),
    /// Ask a balancer which backends may be written to, the leader first
    #[command(after_help = WRITE_HELP)]
    Write(StatusFlags),
    /// Tell a balancer that a backend is down; it looks for itself
    #[command(after_help = DOWN_HELP)]
    Down(DownFlags),
    /// Tell a balancer that a reader has gone
    #[command(after_help = LEFT_HELP)]
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
pub struct WebFlags {
    /// Where browsers come in; port 0 takes a free one [default: where `up` had it, or 127.0.0.1:8080]
    #[arg(long, value_name = "HOST:PORT", value_parser = address::listen)]
    pub listen: Option<String>,
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

const ROOT_HELP: &str = "\
Try it out:
  ribbit up        a whole group on this machine, http://127.0.0.1:8080
  ribbit status    who is there, and how many more may be lost

Every flag may also stand in the environment or in the --config file, under
the name shown with it. A flag counts before the environment, the environment
before the file.

Exit codes: 0 fine, 1 refused, 2 wrong usage, 3 nobody reachable,
4 not logged in, 5 degraded, 74 disk full or failing, 75 a lock was lost,
78 wrong configuration, or somebody has to look first.";

const UP_HELP: &str = "\
Examples:
  ribbit up                                 three backends, two coordinators
  ribbit up --backends 1 --coordinators 0   the smallest
  ribbit up --web 127.0.0.1:0 --ephemeral   leave nothing behind, take any port
  ribbit up --restart never                 what dies stays dead until you start it

Ctrl-C stops everything. What is in the data folder stays.";

const INIT_HELP: &str = "\
Examples:
  ribbit init --name frogs --coordinator board1:9000,board2:9001
  ribbit init --coordinator 10.0.0.4:9000 --cluster-file frogs.ribbit

The file holds the cluster's key: copy it to every board by a way that nobody
else can read.";

const BACKEND_HELP: &str = "\
Listens on 0.0.0.0:10000+N, or where `up` had it if the data folder is one of
`up`: so the last example brings back what died under `ribbit up`.

Examples:
  ribbit backend --id 2
  ribbit backend --id 2 --coordinator board1:9000 --advertise board2:10002
  ribbit backend --id 2 --data-dir ribbit-data";

const COORDINATOR_HELP: &str = "\
Listens on 0.0.0.0:8999+N, or where `up` had it if the data folder is one of
`up`.

Examples:
  ribbit coordinator --id 1 --found      the first start of a new group, once
  ribbit coordinator --id 1              every start after it
  ribbit coordinator --id 2 --coordinator board1:9000";

const BALANCER_HELP: &str = "\
Listens on 0.0.0.0:8081, or where `up` had it if the data folder is one of
`up`.

Examples:
  ribbit balancer
  ribbit balancer --listen 0.0.0.0:9090 --coordinator board1:9000,board2:9001
  ribbit balancer read        ask the one that runs, as programs can";

const READ_HELP: &str = "\
Examples:
  ribbit balancer read
  ribbit balancer read --client 17 --json --server board1:8081

You count as a client of that backend for a minute, or until you say `ribbit
balancer left`: ask again to stay. Exits 3 when no backend serves people.";

const WRITE_HELP: &str = "\
Examples:
  ribbit balancer write
  ribbit balancer write --json --server board1:8081

Exits 1 while nobody leads, 3 when no backend serves people.";

const DOWN_HELP: &str = "\
Examples:
  ribbit balancer down board2:10002

A backend that answers the balancer stays in use: a wrong report changes
nothing, and exits 1.";

const LEFT_HELP: &str = "\
Examples:
  ribbit balancer left 17";

const CLIENT_SERVER_HELP: &str = "\
A client asks for its id once; it is kept in the data folder, in the file
`client`. Its own cluster is its id modulo the number of clusters, plus 1.

Examples:
  ribbit client server
  ribbit client server --id 17 --before board1:10001 --json";

const WEB_HELP: &str = "\
Examples:
  ribbit client web
  ribbit client web --listen 0.0.0.0:8080 --server board1:8081";

const STATUS_HELP: &str = "\
Examples:
  ribbit status
  ribbit status --json --server board1:10001
  ribbit status --cluster-file frogs.ribbit

Exits 0 whenever anybody answers, 3 when nobody does.";

const WATCH_HELP: &str = "\
Examples:
  ribbit watch
  ribbit watch --once --server board1:8081
  ribbit watch | tee frogs.log        lines are appended where there is no terminal

BEAT says when a member last answered, LEASE whether the leader has heard it
lately. Ends on Ctrl-C and at the end of its input.";

const HEALTH_HELP: &str = "\
Examples:
  ribbit health
  ribbit health --json --server board1:8081
  ribbit health || echo look at the frogs | mail club@example.org

Exits 0 when all is well, 5 when it works but somebody should look (a member
is missing or behind, a disk is full, nothing more may be lost), 3 when it is
down (nobody answers, nobody leads, or no backend serves people).";

const MEMBERS_HELP: &str = "\
Examples:
  ribbit members
  ribbit members --json --data-dir ribbit-data

A voter decides what is written, a learner has all the same data and no say.
A Raft id is one life of a member: who comes back with nothing gets another.";

const REMOVE_HELP: &str = "\
Examples:
  ribbit member remove backend-3         it is dead and does not come back
  ribbit member remove backend-3 --yes   it is alive; its process then ends

A removed member that has its store still is not taken back: delete the folder
of its name, and it joins as a new one.";

const DRAIN_HELP: &str = "\
Examples:
  ribbit member drain backend-2

It goes on serving people. `ribbit member undrain backend-2` takes it back.";

const UNDRAIN_HELP: &str = "\
Examples:
  ribbit member undrain backend-2";

const TRANSFER_HELP: &str = "\
Examples:
  ribbit transfer backend-2";

const RECOVER_HELP: &str = "\
Only when the stores of a majority are gone for good. As long as they may come
back, wait for them: what they acknowledged and FOLDER does not hold would be
lost. Stop every member first, and take the FOLDER of the one that was last in
sync (`ribbit status` shows what each has applied).

Examples:
  ribbit recover --from ribbit-data/backend-3 --id 1
  ribbit recover --from /mnt/card/backend-2 --id 2 --data-dir ribbit-data

It says what FOLDER holds, and what to do on the other boards.";

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
        use crate::replica::limits::{EVICT_TICKS, TICK_MS};
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
