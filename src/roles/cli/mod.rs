//! Second stage of the command line: from raw flags to the validated options of a role.
//!
//! ```text
//!   arguments ──┐
//!   environment ┼─▶ flags (clap: shapes, ranges) ──▶ here: defaults, files, conflicts ──▶ options
//!   --config ───┘
//! ```
//!
//! This stage reads files (cluster file, ports file), writes none and opens no socket. A wrong command line is an error
//! of clap and exits 2. A wrong file is a [`Failure`] and exits 78.
//!
//! - [`flags`]: the raw flags, and in separate modules those of `shell` and `lock` ([`tree_flags`]), `bench`
//!   ([`bench_flags`]), `backup`, `restore` and `verify` ([`backup_flags`]), `client` ([`client_flags`]), `user`
//!   ([`user_flags`]), `client web` and `web-cert` ([`web_flags`]), `--found` ([`found_flags`]), a balancer's floating
//!   address ([`floating_flags`]), `doctor` ([`doctor_flags`]) and `demo` ([`demo_flags`])
//! - [`help`]: the examples in `--help`
//! - [`completions`] and [`man`]: shell completion and the manual page, generated from the same flags
//! - [`config`]: the KEY=VALUE file of `--config`
//! - [`server_options`]: options of the servers

pub mod backup_flags;
pub mod bench_flags;
pub mod client_flags;
mod client_verbs;
mod completions;
pub mod config;
pub mod demo_flags;
mod doctor_flags;
pub mod flags;
pub mod floating_flags;
pub mod found_flags;
mod help;
mod man;
mod server_options;
pub mod start;
pub mod tree_flags;
pub mod user_flags;
pub mod web_flags;

use crate::common::cluster_file::ClusterFile;
use crate::common::cluster_selection::{path_of_cluster_file, path_to_ask, select, select_with_key};
use crate::common::defaults::data_dir_or_default;
use crate::common::failure::{Exit, Failure};
use crate::common::options::{
    BackupOptions, BalancerOptions, BenchOp, BenchOptions, BenchServers, CertOptions, ClientServerOptions,
    DemoOptions, DirectoryOptions, DoctorOptions, Fate, HealthOptions, InitOptions, KeyOptions, LockOptions,
    MemberOptions, NodeOptions, RecoverOptions, RestoreOptions, ShellOptions, StatusOptions, TerminalOptions,
    UpOptions, UserOptions, VerbOptions, VerifyOptions, WatchOptions, WebOptions,
};
use crate::locks::shell::commands;
use bench_flags::{BenchFlags, ConsistencyFlag, OpFlag};
use clap::{ArgMatches, FromArgMatches};
use config::Config;
use flags::{
    BalancerFlags, BalancerVerb, ClientServerFlags, Flags, InitFlags, KeyFlags, MemberVerb, NameFlags,
    RecoverFlags, StatusFlags, Verb, WatchFlags, command,
};
use ribbit_net::protocol::Directory;
use ribbit_state::{Consistency, Role};
use server_options::{balancer, node, up, web};
use std::ffi::OsString;
use std::time::Duration;
use tree_flags::{LockFlags, ShellFlags};

/// A validated command: one variant per role or verb.
#[derive(Debug)]
pub enum Job {
    Node(NodeOptions),
    Balancer(BalancerOptions),
    Directory(DirectoryOptions),
    Web(WebOptions),
    Terminal(TerminalOptions),
    Verb(VerbOptions),
    User(UserOptions),
    ClientServer(ClientServerOptions),
    Init(InitOptions),
    Up(UpOptions),
    Demo(DemoOptions),
    Status(StatusOptions),
    Health(HealthOptions),
    Doctor(DoctorOptions),
    Watch(WatchOptions),
    Member(MemberOptions),
    Shell(ShellOptions),
    Lock(LockOptions),
    Recover(RecoverOptions),
    Backup(BackupOptions),
    Restore(RestoreOptions),
    Verify(VerifyOptions),
    Key(KeyOptions),
    WebCert(CertOptions),
    Bench(BenchOptions),
    /// Prints this text.
    Show(String),
}

/// A job with the settings that every job has.
#[derive(Debug)]
pub struct Invocation {
    pub job: Job,
    /// Stop when standard input ends.
    pub supervised: bool,
    /// Log filter in env_logger's syntax, from `RUST_LOG` in the environment or the config file.
    pub log_filter: Option<String>,
}

/// Reason why the command line yields no job.
#[derive(Debug)]
pub enum Refusal {
    /// An error of clap. Also `--help` and `--version`, which are not errors; clap knows the exit code of each.
    Usage(clap::Error),
    Failure(Failure),
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Refusal {
        Refusal::Usage(error)
    }
}
impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        Refusal::Failure(failure)
    }
}

/// Parses and validates a command line. `args` starts with the program's name.
///
/// # Errors
/// [`Refusal::Usage`] for a wrong command line, `--help` and `--version`; [`Refusal::Failure`] for a wrong config, cluster
/// or ports file.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, Refusal> {
    let args: Vec<OsString> = args.into_iter().collect();
    let config = Config::named_in(&args)?;
    let matches = match &config {
        None => command().try_get_matches_from(&args)?,
        Some(config) => config.apply(command())?.try_get_matches_from(&args).map_err(|error| {
            // The same error without the file: the command line is wrong, and clap's message fits.
            match command().try_get_matches_from(&args) {
                Err(typed) if typed.to_string() == error.to_string() => Refusal::Usage(error),
                _ => config.blame(&error, command()).map_or(Refusal::Usage(error), Refusal::Failure),
            }
        })?,
    };
    let flags = Flags::from_arg_matches(&matches)?;
    let log_filter = std::env::var("RUST_LOG").ok();
    let log_filter = log_filter.or_else(|| Some(config?.get("RUST_LOG")?.value.clone()));
    let job = job(flags.verb, innermost(&matches))?;
    Ok(Invocation { job, supervised: flags.supervised, log_filter })
}

fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
}

fn job(verb: Verb, matches: &ArgMatches) -> Result<Job, Refusal> {
    Ok(match verb {
        Verb::Up(flags) => Job::Up(up(flags)?),
        Verb::Demo(flags) => Job::Demo(demo_flags::demo(&flags)),
        Verb::Init(flags) => Job::Init(init(flags)),
        Verb::Backend(flags) => {
            let posts_per_minute = flags.posts_per_minute;
            Job::Node(NodeOptions { posts_per_minute, ..node(Role::Backend, None, flags.node)? })
        }
        Verb::Coordinator(flags) => Job::Node(node(Role::Coordinator, flags.clusters, flags.node)?),
        Verb::Balancer(BalancerFlags { verb: None, server, floating }) => {
            Job::Balancer(BalancerOptions { floating: floating.options(), ..balancer(server)? })
        }
        Verb::Balancer(BalancerFlags { verb: Some(verb), .. }) => Job::Directory(directory(verb, matches)?),
        Verb::User(verb) => Job::User(user_flags::user(verb, matches)?),
        Verb::Client(flags) => client_verbs::client(flags, matches)?,
        Verb::Status(flags) => Job::Status(status(flags, false, matches)?),
        Verb::Watch(WatchFlags { once, group: flags }) => {
            Job::Watch(WatchOptions { group: select(flags, matches)?, once })
        }
        Verb::Health(StatusFlags { json, group: flags }) => {
            Job::Health(HealthOptions { group: select(flags, matches)?, json })
        }
        Verb::Doctor(flags) => Job::Doctor(doctor_flags::doctor(flags)),
        Verb::Members(flags) => Job::Status(status(flags, true, matches)?),
        Verb::Member(MemberVerb::Remove(flags)) => {
            Job::Member(member(flags.named, Fate::Remove { alive: flags.yes }, matches)?)
        }
        Verb::Member(MemberVerb::Drain(flags)) => Job::Member(member(flags, Fate::Drain, matches)?),
        Verb::Member(MemberVerb::Undrain(flags)) => Job::Member(member(flags, Fate::Undrain, matches)?),
        Verb::Transfer(flags) => Job::Member(member(flags, Fate::Lead, matches)?),
        Verb::Shell(flags) => Job::Shell(shell(flags, matches)?),
        Verb::Lock(flags) => Job::Lock(lock(flags, matches)?),
        Verb::Recover(flags) => Job::Recover(recover(flags)?),
        Verb::Backup(flags) => Job::Backup(backup_flags::backup(flags, matches)?),
        Verb::Restore(flags) => Job::Restore(backup_flags::restore(flags)),
        Verb::Verify(flags) => Job::Verify(backup_flags::verify(flags, matches)?),
        Verb::WebCert(flags) => Job::WebCert(flags.options()),
        Verb::Key(KeyFlags { data_dir, cluster_file }) => {
            Job::Key(KeyOptions { cluster_file: path_to_ask(cluster_file, data_dir) })
        }
        Verb::Completions(flags) => Job::Show(completions::text(&flags, command())),
        Verb::Man => Job::Show(man::page(command())),
        Verb::Bench(flags) => Job::Bench(bench(flags, matches)?),
    })
}

fn init(flags: InitFlags) -> InitOptions {
    let name = flags.name;
    let coordinators = flags.coordinator;
    match flags.cluster_file {
        Some(cluster_file) => InitOptions { name, coordinators, cluster_file, data_dir: None },
        None => {
            let data_dir = data_dir_or_default(flags.data_dir);
            let cluster_file = ClusterFile::path_in(&data_dir);
            InitOptions { name, coordinators, cluster_file, data_dir: Some(data_dir) }
        }
    }
}

fn recover(flags: RecoverFlags) -> Result<RecoverOptions, Failure> {
    let data_dir = data_dir_or_default(flags.data_dir);
    let path = path_of_cluster_file(flags.cluster_file.clone(), &data_dir);
    let cluster = ClusterFile::read(&path)?;
    let (cluster, cluster_file) = (cluster.cluster, flags.cluster_file);
    Ok(RecoverOptions { from: flags.from, id: flags.id, data_dir, cluster, cluster_file })
}

fn directory(verb: BalancerVerb, matches: &ArgMatches) -> Result<DirectoryOptions, Failure> {
    let (ask, asking) = match verb {
        BalancerVerb::Read(flags) => (Directory::Read { client: flags.client }, flags.asking),
        BalancerVerb::Write(flags) => (Directory::Write, flags),
        BalancerVerb::Down(flags) => (Directory::Down { address: flags.address }, flags.asking),
        BalancerVerb::Left(flags) => (Directory::Left { client: flags.client }, flags.asking),
    };
    let group = select(asking.group, matches)?;
    if group.servers.is_empty() {
        let message = format!("{} lists no balancer: pass its address with --server", group.found_in);
        return Err(Failure::new(Exit::Configuration, message));
    }
    Ok(DirectoryOptions { group, ask, json: asking.json })
}

fn client_server(flags: ClientServerFlags, matches: &ArgMatches) -> Result<ClientServerOptions, Failure> {
    let data_dir = data_dir_or_default(flags.group.data_dir.clone());
    let (id, before, json) = (flags.id, flags.before, flags.json);
    Ok(ClientServerOptions { group: select(flags.group, matches)?, data_dir, id, before, json })
}

fn status(flags: StatusFlags, detailed: bool, matches: &ArgMatches) -> Result<StatusOptions, Failure> {
    Ok(StatusOptions { group: select(flags.group, matches)?, detailed, json: flags.json })
}

fn member(flags: NameFlags, fate: Fate, matches: &ArgMatches) -> Result<MemberOptions, Failure> {
    Ok(MemberOptions { group: select_with_key(flags.group, matches)?, name: flags.name, fate })
}

fn shell(flags: ShellFlags, matches: &ArgMatches) -> Result<ShellOptions, Refusal> {
    // Help and wrong commands are answered without a cluster.
    if !flags.command.is_empty() {
        commands::parse(&flags.command)?;
    }
    let data_dir = flags.group.data_dir.clone();
    let group = select_with_key(flags.group, matches)?;
    Ok(ShellOptions { group, data_dir: data_dir_or_default(data_dir), command: flags.command })
}

fn lock(flags: LockFlags, matches: &ArgMatches) -> Result<LockOptions, Failure> {
    let LockFlags { path, wait, lease, group: named, command } = flags;
    Ok(LockOptions { group: select_with_key(named, matches)?, path, wait, lease, command })
}

fn bench(flags: BenchFlags, matches: &ArgMatches) -> Result<BenchOptions, Failure> {
    let needs_cluster_key = matches!(flags.op, OpFlag::Lock | OpFlag::List);
    let find = if needs_cluster_key { select_with_key } else { select };
    Ok(BenchOptions {
        group: find(flags.group, matches)?,
        op: match flags.op {
            OpFlag::Post => BenchOp::Post,
            OpFlag::Feed => BenchOp::Feed,
            OpFlag::Lock => BenchOp::Lock,
            OpFlag::List => BenchOp::List,
        },
        clients: flags.clients,
        time: Duration::from_secs(u64::from(flags.seconds)),
        bytes: flags.bytes,
        friends: flags.friends,
        servers: match (flags.direct, flags.leader) {
            (false, false) => BenchServers::Balancer,
            (_, false) => BenchServers::Backends,
            (_, true) => BenchServers::Leader,
        },
        consistency: match flags.consistency {
            ConsistencyFlag::Stale => Consistency::Stale,
            ConsistencyFlag::Session => Consistency::Session,
            ConsistencyFlag::Linearizable => Consistency::Linearizable,
        },
        json: flags.json,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::ports::Ports;

    fn parse_line(line: &str) -> Result<Invocation, Refusal> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn options_of_node(line: &str) -> NodeOptions {
        match parse_line(line).unwrap().job {
            Job::Node(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_member_takes_its_addresses_from_the_cluster_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = ClusterFile::new("frogs".into(), vec!["board1:9000".into(), "board2:9001".into()]);
        file.create(&ClusterFile::path_in(folder.path())).unwrap();
        let dir = folder.path().display();

        let node = options_of_node(&format!("ribbit backend --id 2 --data-dir {dir}"));
        assert_eq!((node.listen.as_str(), node.cluster), ("0.0.0.0:10002", file.cluster));
        assert_eq!(node.coordinators, ["board1:9000", "board2:9001"]);
        assert_eq!(node.store_dir(), folder.path().join("backend-2"));

        let line = format!("ribbit coordinator --id 1 --found --advertise board1:9000 --data-dir {dir}");
        let node = options_of_node(&line);
        assert_eq!((node.listen.as_str(), node.found), ("0.0.0.0:9000", true));
        assert_eq!(node.coordinators, ["board2:9001"], "its own address is left out");

        let node = options_of_node(&format!("ribbit coordinator --id 2 --data-dir {dir}"));
        assert_eq!((node.listen.as_str(), node.advertise.as_deref()), ("0.0.0.0:9001", Some("board2:9001")));
        assert_eq!(node.coordinators, ["board1:9000"], "its own address comes from the file");
        let node = options_of_node(&format!("ribbit coordinator --id 2 --advertise b:1 --data-dir {dir}"));
        assert_eq!((node.listen.as_str(), node.advertise.as_deref()), ("0.0.0.0:9001", Some("b:1")));
        let node = options_of_node(&format!("ribbit coordinator --id 3 --data-dir {dir}"));
        assert_eq!(
            (node.listen.as_str(), node.advertise),
            ("0.0.0.0:9002", None),
            "the file does not list it"
        );

        let node =
            options_of_node(&format!("ribbit backend --id 1 --coordinator a:1,a:1,b:2 --data-dir {dir}"));
        assert_eq!(node.coordinators, ["a:1", "b:2"]);
    }

    #[test]
    fn a_member_of_up_takes_its_addresses_from_the_ports_file() {
        let folder = tempfile::tempdir().unwrap();
        ClusterFile::new("up".into(), Vec::new()).create(&ClusterFile::path_in(folder.path())).unwrap();
        let ports = Ports {
            web: Some("127.0.0.1:8088".into()),
            balancer: Some("127.0.0.1:5000".into()),
            members: [
                ((Role::Backend, 1), "127.0.0.1:5001".into()),
                ((Role::Backend, 2), "127.0.0.1:5002".into()),
            ]
            .into(),
            ..Ports::default()
        };
        ports.write(folder.path()).unwrap();
        let dir = folder.path().display();

        let node = options_of_node(&format!("ribbit backend --id 2 --data-dir {dir}"));
        assert_eq!(
            (node.listen.as_str(), node.coordinators),
            ("127.0.0.1:5002", vec!["127.0.0.1:5001".into()])
        );
        let Job::Web(web) = parse_line(&format!("ribbit client web --data-dir {dir}")).unwrap().job else {
            panic!()
        };
        assert_eq!((web.listen.as_str(), web.servers), ("127.0.0.1:8088", vec!["127.0.0.1:5000".into()]));
        let Job::Balancer(balancer) = parse_line(&format!("ribbit balancer --data-dir {dir}")).unwrap().job
        else {
            panic!()
        };
        assert_eq!((balancer.listen.as_str(), balancer.seeds.len()), ("127.0.0.1:5000", 2));
        let Job::Status(status) = parse_line(&format!("ribbit status --data-dir {dir}")).unwrap().job else {
            panic!()
        };
        assert_eq!((status.group.seeds.len(), status.group.servers), (3, vec!["127.0.0.1:5000".into()]));
    }

    #[test]
    fn wrong_usage_and_wrong_files_are_told_apart() {
        for (line, usage) in [
            ("ribbit backend", true),
            ("ribbit backend --id 0", true),
            ("ribbit up --ephemeral --data-dir x", true),
            ("ribbit up --backends 8", true),
            ("ribbit up --evict-after soon", true),
            ("ribbit member remove", true),
            ("ribbit transfer frog-1", true),
            ("ribbit status --server nowhere", true),
            ("ribbit balancer --listen 127.0.0.1:0 read", true),
            ("ribbit balancer down nowhere", true),
            ("ribbit balancer left", true),
            ("ribbit balancer --floating 192.168.1.50/24", true),
            ("ribbit balancer --interface eth0", true),
            ("ribbit balancer --floating 192.168.1.50 --interface eth0", true),
            ("ribbit balancer read --data-dir /nonexistent", false),
            ("ribbit backend --id 1 --data-dir /nonexistent", false),
            ("ribbit status --data-dir /nonexistent", false),
        ] {
            match parse_line(line) {
                Err(Refusal::Usage(error)) => assert!(usage && error.exit_code() == 2, "{line}: {error}"),
                Err(Refusal::Failure(failure)) => assert!(!usage, "{line}: {failure}"),
                Ok(invocation) => panic!("{line}: {invocation:?}"),
            }
        }
    }
}
