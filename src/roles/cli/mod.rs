//! From what was typed to what a role is told: the second stage of the command line.
//!
//! ```text
//!   arguments ──┐
//!   environment ┼─▶ flags (clap: shapes, ranges) ──▶ here: defaults, folders, contradictions ──▶ options
//!   --config ───┘
//! ```
//!
//! Reads files (cluster file, ports file), writes nothing, opens no socket. A wrong command line is clap's error
//! and exits 2; a wrong file is a [`Failure`] and exits 78.
//!
//! - [`flags`]: every flag, as clap reads it ([`tree_flags`]: of `shell` and `lock`, [`bench_flags`]: of `bench`,
//!   [`backup_flags`]: of `backup`, [`client_flags`]: of `client`, [`user_flags`]: of `user`, [`web_flags`]: of `client web`);
//!   [`help`]: the examples under them; [`typed`]: values with a syntax of their own
//! - [`config`]: the KEY=VALUE file of `--config`
//! - [`find_group`]: where the group is reached

pub mod backup_flags;
pub mod bench_flags;
pub mod client_flags;
mod client_verbs;
pub mod config;
pub mod find_group;
pub mod flags;
mod help;
pub mod tree_flags;
pub mod typed;
pub mod user_flags;
pub mod web_flags;

use crate::net::keys::{Keys, PublicKey};
use crate::net::protocol::Directory;
use crate::roles::cluster_file::ClusterFile;
use crate::roles::failure::{Exit, Failure};
use crate::roles::network::Network;
use crate::roles::options::{
    BackupOptions, BalancerOptions, BenchOp, BenchOptions, ClientServerOptions, DataDir, DirectoryOptions,
    Fate, Group, HealthOptions, InitOptions, KeyOptions, LockOptions, MemberOptions, NodeOptions,
    RecoverOptions, Restart, RestoreOptions, ShellOptions, StatusOptions, TerminalOptions, UpOptions,
    UserOptions, VerbOptions, VerifyOptions, WatchOptions, WebOptions,
};
use crate::roles::ports::Ports;
use crate::roles::shell::commands;
use crate::state::{Consistency, HOME, Role};
use bench_flags::{BenchFlags, ConsistencyFlag, OpFlag};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches};
use config::Config;
use flags::{
    BalancerFlags, BalancerVerb, ClientServerFlags, Flags, GroupFlags, InitFlags, KeyFlags, MemberVerb,
    NameFlags, NodeFlags, POSTS_PER_MINUTE, RecoverFlags, RestartFlag, ServerFlags, StatusFlags, UpFlags,
    Verb, WatchFlags, command,
};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tree_flags::{LockFlags, ShellFlags};
use web_flags::WebFlags;

/// Where everything is kept unless told otherwise.
pub const DATA_DIR: &str = "ribbit-data";
const COORDINATOR_PORT: u32 = 8_999;
const BACKEND_PORT: u32 = 10_000;
/// No backend has a higher number than this.
const PORTS_PER_CLUSTER: u32 = 1_000;
const BALANCER_LISTEN: &str = "0.0.0.0:8081";
/// The folder of what systemd gives a unit with LoadCredential.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
const WEB_LISTEN: &str = "127.0.0.1:8080";

/// What to do.
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
    Status(StatusOptions),
    Health(HealthOptions),
    Watch(WatchOptions),
    Member(MemberOptions),
    Shell(ShellOptions),
    Lock(LockOptions),
    Recover(RecoverOptions),
    Backup(BackupOptions),
    Restore(RestoreOptions),
    Verify(VerifyOptions),
    Key(KeyOptions),
    Bench(BenchOptions),
}

#[derive(Debug)]
pub struct Invocation {
    pub job: Job,
    /// Stop when standard input ends.
    pub supervised: bool,
    /// What to log, in env_logger's syntax, if the environment or the config file says.
    pub log_filter: Option<String>,
}

/// Why there is nothing to do.
#[derive(Debug)]
pub enum Refusal {
    /// Also `--help` and `--version`, which are no errors; clap knows the exit code of each.
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

/// The whole way. `args` begins with the program's name.
///
/// # Errors
/// Usage, or a configuration that is wrong.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, Refusal> {
    let args: Vec<OsString> = args.into_iter().collect();
    let config = Config::named_in(&args)?;
    let matches = match &config {
        None => command().try_get_matches_from(&args)?,
        Some(config) => config.apply(command())?.try_get_matches_from(&args).map_err(|error| {
            // Wrong without the file too: then it was typed, and clap's words fit.
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
        Verb::Init(flags) => Job::Init(init(flags)),
        Verb::Backend(flags) => {
            let posts_per_minute = flags.posts_per_minute;
            Job::Node(NodeOptions { posts_per_minute, ..node(Role::Backend, None, flags.node)? })
        }
        Verb::Coordinator(flags) => Job::Node(node(Role::Coordinator, flags.clusters, flags.node)?),
        Verb::Balancer(BalancerFlags { verb: None, server }) => Job::Balancer(balancer(server)?),
        Verb::Balancer(BalancerFlags { verb: Some(verb), .. }) => Job::Directory(directory(verb, matches)?),
        Verb::User(verb) => Job::User(user_flags::user(verb, matches)?),
        Verb::Client(flags) => client_verbs::client(flags, matches)?,
        Verb::Status(flags) => Job::Status(status(flags, false, matches)?),
        Verb::Watch(WatchFlags { once, group: flags }) => {
            Job::Watch(WatchOptions { group: group(flags, matches)?, once })
        }
        Verb::Health(StatusFlags { json, group: flags }) => {
            Job::Health(HealthOptions { group: group(flags, matches)?, json })
        }
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
        Verb::Key(KeyFlags { data_dir, cluster_file }) => {
            Job::Key(KeyOptions { cluster_file: path_of_cluster_file(cluster_file, &or_default(data_dir)) })
        }
        Verb::Bench(flags) => Job::Bench(bench(flags, matches)?),
    })
}

fn up(flags: UpFlags) -> Result<UpOptions, Refusal> {
    let data_dir = match (flags.ephemeral, flags.data_dir) {
        (true, Some(_)) => {
            let message = "--ephemeral keeps everything in a temporary folder: it excludes --data-dir";
            return Err(command().error(ErrorKind::ArgumentConflict, message).into());
        }
        (true, None) => DataDir::Ephemeral,
        (false, data_dir) => DataDir::Kept(or_default(data_dir)),
    };
    Ok(UpOptions {
        backends: flags.backends,
        coordinators: flags.coordinators,
        web: flags.web,
        data_dir,
        restart: match flags.restart {
            RestartFlag::Always => Restart::Always,
            RestartFlag::Never => Restart::Never,
        },
        evict_after: flags.evict_after,
        disk_quota_bytes: flags.disk_quota,
        posts_per_minute: flags.posts_per_minute.unwrap_or(if flags.ephemeral {
            0
        } else {
            POSTS_PER_MINUTE
        }),
    })
}

fn init(flags: InitFlags) -> InitOptions {
    let name = flags.name;
    let coordinators = flags.coordinator;
    match flags.cluster_file {
        Some(cluster_file) => InitOptions { name, coordinators, cluster_file, data_dir: None },
        None => {
            let data_dir = or_default(flags.data_dir);
            let cluster_file = ClusterFile::path_in(&data_dir);
            InitOptions { name, coordinators, cluster_file, data_dir: Some(data_dir) }
        }
    }
}

fn node(role: Role, clusters: Option<u32>, flags: NodeFlags) -> Result<NodeOptions, Failure> {
    let (id, advertise, evict_after) = (flags.id, flags.advertise, flags.evict_after);
    let disk_quota_bytes = flags.disk_quota;
    let (site, heartbeat, miss) = (flags.server.cluster, flags.heartbeat, flags.miss);
    let place = place(flags.server)?;
    let ports = place.ports.as_ref();
    let listen = place
        .listen
        .or_else(|| ports?.members.get(&(role, id)).filter(|_| site == HOME).cloned())
        .unwrap_or_else(|| default_listen(role, site, id));
    let mut coordinators = place.coordinators;
    coordinators.extend(ports.map(Ports::everyone).unwrap_or_default());
    let own = |address: &String| *address == listen || Some(address) == advertise.as_ref();
    let coordinators = without_doubles(coordinators.into_iter().filter(|address| !own(address)));
    let (cluster, keys) = (place.cluster.cluster, place.cluster.keys());
    let found = flags.found;
    let data_dir = place.data_dir;
    Ok(NodeOptions {
        role,
        id,
        listen,
        advertise,
        data_dir,
        cluster,
        keys,
        trusted_proxies: place.trusted_proxies,
        coordinators,
        found,
        evict_after,
        disk_quota_bytes,
        posts_per_minute: POSTS_PER_MINUTE,
        site,
        heartbeat,
        miss,
        clusters,
    })
}

fn recover(flags: RecoverFlags) -> Result<RecoverOptions, Failure> {
    let data_dir = or_default(flags.data_dir);
    let path = path_of_cluster_file(flags.cluster_file.clone(), &data_dir);
    let cluster = ClusterFile::read(&path)?;
    let (cluster, cluster_file) = (cluster.cluster, flags.cluster_file);
    Ok(RecoverOptions { from: flags.from, id: flags.id, data_dir, cluster, cluster_file })
}

/// The port that a member has when nobody says otherwise: coordinator 8999+N, backend 10000+N; a thousand further on
/// for each cluster behind the home.
pub fn default_port(role: Role, site: u32, id: u32) -> u32 {
    let first = match role {
        Role::Backend => BACKEND_PORT + (site - HOME) * PORTS_PER_CLUSTER,
        Role::Coordinator => COORDINATOR_PORT,
    };
    first + id
}

fn default_listen(role: Role, site: u32, id: u32) -> String {
    format!("0.0.0.0:{}", default_port(role, site, id))
}

fn directory(verb: BalancerVerb, matches: &ArgMatches) -> Result<DirectoryOptions, Failure> {
    let (ask, asking) = match verb {
        BalancerVerb::Read(flags) => (Directory::Read { client: flags.client }, flags.asking),
        BalancerVerb::Write(flags) => (Directory::Write, flags),
        BalancerVerb::Down(flags) => (Directory::Down { address: flags.address }, flags.asking),
        BalancerVerb::Left(flags) => (Directory::Left { client: flags.client }, flags.asking),
    };
    let group = group(asking.group, matches)?;
    if group.servers.is_empty() {
        let message = format!("{} does not say where a balancer is: name one with --server", group.found_in);
        return Err(Failure::new(Exit::Configuration, message));
    }
    Ok(DirectoryOptions { group, ask, json: asking.json })
}

fn balancer(flags: ServerFlags) -> Result<BalancerOptions, Failure> {
    let site = flags.cluster;
    let place = place(flags)?;
    let keys = place.cluster.keys();
    let ports = place.ports.as_ref();
    let listen = place.listen.or_else(|| ports?.balancer.clone()).unwrap_or_else(|| BALANCER_LISTEN.into());
    let mut seeds = place.coordinators;
    seeds.extend(ports.map(Ports::everyone).unwrap_or_default());
    if seeds.is_empty() {
        let message =
            "nobody to balance: the cluster file lists no coordinators, and no --coordinator is given";
        return Err(Failure::new(Exit::Configuration, message));
    }
    Ok(BalancerOptions {
        listen,
        site,
        seeds: without_doubles(seeds),
        keys,
        trusted_proxies: place.trusted_proxies,
    })
}

/// What a server is told about where it is.
struct Place {
    listen: Option<String>,
    data_dir: PathBuf,
    cluster: ClusterFile,
    ports: Option<Ports>,
    trusted_proxies: Vec<Network>,
    /// As given, else as in the cluster file.
    coordinators: Vec<String>,
}

fn place(flags: ServerFlags) -> Result<Place, Failure> {
    let data_dir = or_default(flags.data_dir);
    let cluster = ClusterFile::read(&path_of_cluster_file(flags.cluster_file, &data_dir))?;
    let ports = Ports::read(&data_dir)?;
    let coordinators =
        if flags.coordinator.is_empty() { cluster.coordinators.clone() } else { flags.coordinator };
    let (listen, trusted_proxies) = (flags.listen, flags.trusted_proxies);
    Ok(Place { listen, data_dir, cluster, ports, trusted_proxies, coordinators })
}

fn web(flags: WebFlags, matches: &ArgMatches) -> Result<WebOptions, Failure> {
    let credentials = std::env::var_os(CREDENTIALS).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let tls = flags.tls(credentials.as_deref())?;
    let data_dir = flags.group.data_dir.clone();
    let group = group(flags.group, matches)?;
    if group.servers.is_empty() {
        let message = format!(
            "{} does not say who serves people: name balancers or backends with --server",
            group.found_in
        );
        return Err(Failure::new(Exit::Configuration, message));
    }
    let ports = Ports::read(&or_default(data_dir))?;
    // Only beside the group of that folder: another group's pages have no business on its port.
    let ports = ports.filter(|ports| ports.balancer.as_ref() == group.servers.first());
    let listen = flags.listen.or_else(|| ports?.web).unwrap_or_else(|| WEB_LISTEN.into());
    let (hosts, trusted_proxies) = (flags.host, flags.trusted_proxies);
    Ok(WebOptions { listen, servers: group.servers, keys: group.keys, tls, hosts, trusted_proxies })
}

fn client_server(flags: ClientServerFlags, matches: &ArgMatches) -> Result<ClientServerOptions, Failure> {
    let data_dir = or_default(flags.group.data_dir.clone());
    let (id, before, json) = (flags.id, flags.before, flags.json);
    Ok(ClientServerOptions { group: group(flags.group, matches)?, data_dir, id, before, json })
}

fn status(flags: StatusFlags, detailed: bool, matches: &ArgMatches) -> Result<StatusOptions, Failure> {
    Ok(StatusOptions { group: group(flags.group, matches)?, detailed, json: flags.json })
}

fn member(flags: NameFlags, fate: Fate, matches: &ArgMatches) -> Result<MemberOptions, Failure> {
    Ok(MemberOptions { group: own_group(flags.group, matches)?, name: flags.name, fate })
}

fn shell(flags: ShellFlags, matches: &ArgMatches) -> Result<ShellOptions, Refusal> {
    // What asks for help, or cannot be done anywhere, needs no group.
    if !flags.command.is_empty() {
        commands::parse(&flags.command)?;
    }
    let data_dir = flags.group.data_dir.clone();
    let group = own_group(flags.group, matches)?;
    Ok(ShellOptions { group, data_dir: or_default(data_dir), command: flags.command })
}

fn lock(flags: LockFlags, matches: &ArgMatches) -> Result<LockOptions, Failure> {
    let LockFlags { path, wait, lease, group: named, command } = flags;
    Ok(LockOptions { group: own_group(named, matches)?, path, wait, lease, command })
}

fn bench(flags: BenchFlags, matches: &ArgMatches) -> Result<BenchOptions, Failure> {
    let of_the_tree = matches!(flags.op, OpFlag::Lock | OpFlag::List);
    let find = if of_the_tree { own_group } else { group };
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
        direct: flags.direct,
        consistency: match flags.consistency {
            ConsistencyFlag::Stale => Consistency::Stale,
            ConsistencyFlag::Session => Consistency::Session,
            ConsistencyFlag::Linearizable => Consistency::Linearizable,
        },
        json: flags.json,
    })
}

/// Of several ways to name the group, the one that was typed counts before one from the environment, and that
/// before one from a file; among equals `--server` before `--cluster-file` before `--data-dir`.
fn group(flags: GroupFlags, matches: &ArgMatches) -> Result<Group, Failure> {
    let rank = |id: &str| match matches.value_source(id) {
        Some(ValueSource::CommandLine) => 3,
        Some(ValueSource::EnvVariable) => 2,
        Some(_) => 1,
        None => 0,
    };
    let (server, cluster_file, data_dir) = (rank("server"), rank("cluster_file"), rank("data_dir"));
    if server > 0 && server >= cluster_file.max(data_dir) {
        let keys = keys(flags.cluster_file, flags.data_dir, flags.public_key)?;
        return Ok(find_group::at_servers(flags.server, keys));
    }
    match flags.cluster_file {
        Some(path) if cluster_file >= data_dir => find_group::in_cluster_file(&path),
        _ => find_group::in_data_dir(&or_default(flags.data_dir), flags.public_key),
    }
}

/// What servers at an address that was typed are known by: a cluster file that was named with it, the key that was, or
/// nothing yet.
fn keys(
    cluster_file: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    public_key: Option<PublicKey>,
) -> Result<Keys, Failure> {
    let file = match (cluster_file, data_dir) {
        (Some(path), _) => Some(ClusterFile::read(&path)?),
        (None, Some(data_dir)) => ClusterFile::read_if_allowed(&ClusterFile::path_in(&data_dir))?,
        (None, None) => None,
    };
    Ok(file.map_or_else(|| find_group::keys_without_file(public_key), |file| file.keys()))
}

/// The group, for those who run it: they have the cluster file, named or where it usually lies.
fn own_group(flags: GroupFlags, matches: &ArgMatches) -> Result<Group, Failure> {
    let data_dir = or_default(flags.data_dir.clone());
    let group = group(flags, matches)?;
    if group.keys.cluster().is_some() {
        return Ok(group);
    }
    match ClusterFile::read_if_allowed(&path_of_cluster_file(None, &data_dir))? {
        Some(file) => Ok(Group { keys: file.keys(), ..group }),
        None => {
            let message = "this is for those who run the group, and they have its cluster file: name it with \
                           --cluster-file, or its folder with --data-dir";
            Err(Failure::new(Exit::Configuration, message))
        }
    }
}

/// Where the cluster file is: as named, else in the data folder, else where systemd puts what a unit is given.
fn path_of_cluster_file(named: Option<PathBuf>, data_dir: &Path) -> PathBuf {
    let credential = || Some(ClusterFile::path_in(Path::new(&std::env::var_os(CREDENTIALS)?)));
    let in_folder = ClusterFile::path_in(data_dir);
    match named {
        Some(path) => path,
        None if in_folder.exists() => in_folder,
        None => credential().filter(|path| path.exists()).unwrap_or(in_folder),
    }
}

fn or_default(data_dir: Option<PathBuf>) -> PathBuf {
    data_dir.unwrap_or_else(|| PathBuf::from(DATA_DIR))
}

fn without_doubles(addresses: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for address in addresses {
        if !kept.contains(&address) {
            kept.push(address);
        }
    }
    kept
}

/// What to type to run this job's process again: `ribbit backend --id 2 --data-dir ribbit-data`.
pub fn words_for(arguments: &[OsString]) -> String {
    let mut words = "ribbit".to_string();
    for argument in arguments {
        let text = argument.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@+".contains(c);
        words.push(' ');
        if !text.is_empty() && text.chars().all(plain) {
            words.push_str(&text);
        } else {
            words.push_str(&format!("'{}'", text.replace('\'', r"'\''")));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_member_takes_its_place_from_the_cluster_file() {
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

        let node =
            options_of_node(&format!("ribbit backend --id 1 --coordinator a:1,a:1,b:2 --data-dir {dir}"));
        assert_eq!(node.coordinators, ["a:1", "b:2"]);
    }

    #[test]
    fn a_member_of_up_takes_its_place_from_the_ports_file() {
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
    fn what_is_wrong_is_told_apart() {
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

    #[test]
    fn words_can_be_typed() {
        let words = ["backend", "--data-dir", "it's here"].map(OsString::from);
        assert_eq!(words_for(&words), r"ribbit backend --data-dir 'it'\''s here'");
    }
}
