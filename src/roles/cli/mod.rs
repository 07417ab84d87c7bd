//! Second stage of the command line: from raw flags to the validated options of a role.
//!
//! ```text
//!   arguments ──┐
//!   environment ┼─▶ flags (clap: shapes, ranges) ──▶ here: defaults, files, conflicts ──▶ options
//!   --config ───┘
//! ```
//!
//! This stage reads files (cluster file, ports file). It writes none and opens no socket, except that a server with a join code gets
//! the cluster file first. A wrong command line is an error
//! of clap and exits 2. A wrong file is a [`Failure`] and exits 78.
//!
//! Each verb owns its arguments, its help and its `run`, in [`crate::operator`], [`crate::locks`], [`crate::up`],
//! [`crate::demo`], [`crate::node`], [`crate::balancer`], [`crate::client`], [`crate::web`], [`crate::gateway`] and [`crate::irc`]. Here are:
//!
//! - [`flags`]: the list of all verbs; [`help`]: the help of `ribbit` itself
//! - [`task`]: a validated verb, ready to run; [`start`]: runs it
//! - [`completions`] and [`man`]: shell completion and the manual page, generated from the same flags
//! - [`config`]: the KEY=VALUE file of `--config`

mod completions;
pub(crate) mod config;
pub(crate) mod flags;
mod help;
mod man;
pub mod start;
mod task;

use crate::client::arguments::{self, ClientArgs, ClientVerb};
use crate::client::{server, terminal, verbs};
use crate::common::cluster_selection::select_with_key;
use crate::common::failure::Failure;
use crate::common::output;
use crate::locks::shell::arguments::ShellArgs;
use crate::locks::shell::commands;
use crate::locks::{lock, shell};
use crate::node::arguments::NodeOptions;
use crate::operator::member::MemberOptions;
use crate::operator::status::StatusOptions;
use crate::operator::watch::WatchOptions;
use crate::operator::{
    audit, backup, bench, directory, doctor, health, image_files, init, invite_board, key, member, recover,
    restore, status, upgrade, user, verify, watch,
};
use crate::web::http::cert;
use crate::{demo, up};
use clap::{ArgMatches, FromArgMatches};
use config::Config;
use flags::{BalancerFlags, Flags, Verb, command};
use smol::future::pending;
use std::ffi::OsString;
use task::Task;

/// A task with the settings that every task has.
pub struct Invocation {
    task: Task,
    /// Stop when standard input ends.
    supervised: bool,
    /// Log filter in env_logger's syntax, from `RUST_LOG` in the environment or the config file.
    log_filter: Option<String>,
}

/// Reason why the command line yields no task.
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
    if let (Verb::Client(arguments), Some((_, client))) = (&flags.verb, matches.subcommand()) {
        arguments.check(client)?;
    }
    let log_filter = std::env::var("RUST_LOG").ok();
    let log_filter = log_filter.or_else(|| Some(config?.get("RUST_LOG")?.value.clone()));
    let task = task(flags.verb, innermost(&matches))?;
    Ok(Invocation { task, supervised: flags.supervised, log_filter })
}

fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
}

/// Returns the task of a verb: the one match over all verbs.
fn task(verb: Verb, matches: &ArgMatches) -> Result<Task, Refusal> {
    Ok(match verb {
        Verb::Up(arguments) => {
            let options = arguments.options()?;
            Task::server("up".to_string(), |stop| up::run(options, stop))
        }
        Verb::Demo(arguments) => {
            Task::stoppable("demo", |stop| async move { demo::run(&arguments, stop).await })
        }
        Verb::Init(arguments) => Task::command("init", async move { init::run(&arguments.options()) }),
        Verb::ImageFiles(arguments) => {
            Task::command("image-files", async move { image_files::run(&arguments) })
        }
        Verb::Backend(arguments) => node_task(arguments.options()?),
        Verb::Coordinator(arguments) => node_task(arguments.options()?),
        Verb::Balancer(flags) => balancer_task(flags, matches)?,
        Verb::User(verb) => {
            let cluster = select_with_key(verb.cluster(), matches)?;
            Task::command("user", async move { user::run(&cluster, verb).await })
        }
        Verb::Audit(arguments) => {
            let options = arguments.options(matches)?;
            Task::stoppable("audit", |stop| async move { audit::run(&options, stop).await })
        }
        Verb::Client(arguments) => client_task(arguments, matches)?,
        Verb::Status(arguments) => status_task(StatusOptions::new(arguments, false, matches)?),
        Verb::Members(arguments) => status_task(StatusOptions::new(arguments, true, matches)?),
        Verb::Watch(arguments) => watch_task(arguments.options(matches)?),
        Verb::Health(arguments) => {
            let options = arguments.options(matches)?;
            match options.notify {
                Some(_) => Task::stoppable("health", |stop| async move { health::run(&options, stop).await }),
                // Ctrl-C kills it.
                None => Task::command("health", async move { health::run(&options, pending()).await }),
            }
        }
        Verb::Doctor(arguments) => {
            Task::command("doctor", async move { doctor::run(&arguments.options()).await })
        }
        Verb::Member(verb) => member_task(verb.options(matches)?),
        Verb::Transfer(arguments) => member_task(arguments.options(matches)?),
        Verb::Upgrade(verb) => {
            let options = verb.options(matches)?;
            Task::command("upgrade", async move { upgrade::run(&options).await })
        }
        Verb::Shell(arguments) => shell_task(arguments, matches)?,
        Verb::Lock(arguments) => {
            let options = arguments.options(matches)?;
            Task::command("lock", async move { lock::run(&options).await })
        }
        Verb::Recover(arguments) => {
            let options = arguments.options()?;
            Task::command("recover", async move { recover::run(&options) })
        }
        Verb::Backup(arguments) => {
            let options = arguments.options(matches)?;
            Task::stoppable("backup", |stop| async move { backup::run(&options, stop).await })
        }
        Verb::Restore(arguments) => {
            Task::command("restore", async move { restore::run(&arguments.options()) })
        }
        Verb::Verify(arguments) => {
            let options = arguments.options_with_key(matches)?;
            Task::command("verify", async move { verify::run(&options).await })
        }
        Verb::InviteBoard(arguments) => {
            let options = arguments.options(matches)?;
            Task::command("invite-board", async move { invite_board::run(&options).await })
        }
        Verb::WebCert(arguments) => Task::command("web-cert", async move { cert::run(&arguments) }),
        Verb::Key(arguments) => Task::command("key", async move { key::run(arguments).await }),
        Verb::Completions(flags) => print_task(completions::text(&flags, command())),
        Verb::Man => print_task(man::page(command())),
        Verb::Bench(arguments) => {
            let options = arguments.options(matches)?;
            Task::command("bench", async move { bench::run(&options).await })
        }
    })
}

fn client_task(arguments: ClientArgs, matches: &ArgMatches) -> Result<Task, Refusal> {
    let ClientArgs { verb, user, take_over, cluster, json: _ } = arguments;
    Ok(match verb {
        None => {
            let options = arguments::terminal(cluster, user, take_over, matches)?;
            Task::command("client", async move { terminal::run(&options).await })
        }
        Some(ClientVerb::Web(arguments)) => {
            let options = arguments.options(matches)?;
            Task::server("web".to_string(), |stop| crate::web::run(options, stop))
        }
        Some(ClientVerb::Gateway(arguments)) => {
            let options = arguments.options(matches)?;
            Task::server("gateway".to_string(), |stop| crate::gateway::run(options, stop))
        }
        Some(ClientVerb::Irc(arguments)) => {
            let options = arguments.options(matches)?;
            Task::server("irc".to_string(), |stop| crate::irc::run(options, stop))
        }
        Some(ClientVerb::Server(arguments)) => {
            let options = arguments.options(matches)?;
            Task::command("client", async move { server::run(&options).await })
        }
        Some(ClientVerb::Person(verb)) => {
            let options = verb.options(matches)?;
            Task::command("client", async move { verbs::run(&options).await })
        }
    })
}

fn node_task(options: NodeOptions) -> Task {
    let task = Task::server(options.name(), |stop| crate::node::run(options, stop));
    Task { polls_sockets: true, ..task }
}

fn balancer_task(flags: BalancerFlags, matches: &ArgMatches) -> Result<Task, Refusal> {
    Ok(match flags.query {
        None => {
            let options = flags.balancer.options()?;
            let task = Task::server("balancer".to_string(), |stop| crate::balancer::run(options, stop));
            Task { polls_sockets: true, ..task }
        }
        Some(query) => {
            let options = query.options(matches)?;
            Task::command("directory", async move { directory::run(&options).await })
        }
    })
}

fn watch_task(options: WatchOptions) -> Task {
    let task = Task::stoppable("watch", |stop| async move { watch::run(&options, stop).await });
    Task { stops_at_end_of_input: true, ..task }
}

fn shell_task(arguments: ShellArgs, matches: &ArgMatches) -> Result<Task, Refusal> {
    // Help and wrong commands are answered without a cluster.
    if !arguments.command.is_empty() {
        commands::parse(&arguments.command)?;
    }
    let options = arguments.options(matches)?;
    Ok(Task::command("shell", async move { shell::run(&options).await }))
}

fn status_task(options: StatusOptions) -> Task {
    Task::command("status", async move { status::run(&options).await })
}

fn member_task(options: MemberOptions) -> Task {
    Task::command("member", async move { member::run(&options).await })
}

fn print_task(text: String) -> Task {
    Task::command("ribbit", async move {
        output::line(&text);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::arguments::SessionVerb;
    use crate::common::cluster_file::ClusterFile;
    use crate::common::ports::Ports;
    use ribbit_state::Role;

    fn parse_line(line: &str) -> Result<Invocation, Refusal> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn verb_of(line: &str) -> (Verb, ArgMatches) {
        let matches = command().try_get_matches_from(line.split_whitespace()).unwrap();
        (Flags::from_arg_matches(&matches).unwrap().verb, innermost(&matches).clone())
    }

    fn options_of_node(line: &str) -> NodeOptions {
        match verb_of(line).0 {
            Verb::Backend(arguments) => arguments.options().unwrap(),
            Verb::Coordinator(arguments) => arguments.options().unwrap(),
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
        let (Verb::Client(ClientArgs { verb: Some(ClientVerb::Web(flags)), .. }), matches) =
            verb_of(&format!("ribbit client web --data-dir {dir}"))
        else {
            panic!()
        };
        let web = flags.options(&matches).unwrap();
        assert_eq!((web.listen.as_str(), web.servers), ("127.0.0.1:8088", vec!["127.0.0.1:5000".into()]));
        let (Verb::Balancer(flags), _) = verb_of(&format!("ribbit balancer --data-dir {dir}")) else {
            panic!()
        };
        let balancer = flags.balancer.options().unwrap();
        assert_eq!((balancer.listen.as_str(), balancer.seeds.len()), ("127.0.0.1:5000", 2));
        let (Verb::Status(arguments), matches) = verb_of(&format!("ribbit status --data-dir {dir}")) else {
            panic!()
        };
        let status = StatusOptions::new(arguments, false, &matches).unwrap();
        assert_eq!((status.cluster.seeds.len(), status.cluster.servers), (3, vec!["127.0.0.1:5000".into()]));
    }

    #[test]
    fn flags_that_verbs_share_may_stand_before_the_verb() {
        let feed = |line: &str| match verb_of(line) {
            (Verb::Client(ClientArgs { verb: Some(ClientVerb::Person(SessionVerb::Feed(feed))), .. }), _) => {
                (feed.output.json, feed.output.cluster.server)
            }
            other => panic!("{other:?}"),
        };
        let wanted = (true, vec!["a:1".to_string()]);
        for line in [
            "ribbit client feed --json --server a:1",
            "ribbit client --json --server a:1 feed",
            "ribbit client --server a:1 feed --json",
            "ribbit client --server b:2 feed --json --server a:1",
        ] {
            assert_eq!(feed(line), wanted, "{line}");
        }
        for (line, words) in [
            ("ribbit client --json", "--json needs a verb"),
            ("ribbit client --json web", "--json is not a flag of `ribbit client web`"),
            ("ribbit client -u ada feed", "verbs use the saved session"),
            ("ribbit client --take-over feed", "without a verb"),
        ] {
            match parse(line.split_whitespace().map(OsString::from)) {
                Err(Refusal::Usage(error)) => assert!(error.to_string().contains(words), "{line}: {error}"),
                Err(other) => panic!("{line}: {other:?}"),
                Ok(_) => panic!("{line} is accepted"),
            }
        }
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
                Ok(_) => panic!("{line}"),
            }
        }
    }
}
