//! Runs a job: sets up logging and signal handling, then calls the role.

use crate::balancer;
use crate::cli::{Invocation, Job};
use crate::client::server;
use crate::client::terminal;
use crate::client::verbs;
use crate::common::descriptors;
use crate::common::failure::{Exit, Failure};
use crate::common::log_lines::{self, Lines};
use crate::common::output;
use crate::common::panics;
use crate::common::process;
use crate::common::stop;
use crate::demo;
use crate::locks::lock;
use crate::locks::shell;
use crate::node;
use crate::operator::backup;
use crate::operator::bench;
use crate::operator::directory;
use crate::operator::doctor;
use crate::operator::health;
use crate::operator::init;
use crate::operator::key;
use crate::operator::member;
use crate::operator::recover;
use crate::operator::restore;
use crate::operator::status;
use crate::operator::user;
use crate::operator::verify;
use crate::operator::watch;
use crate::up;
use crate::web;
use std::io::Write;
use std::time::Instant;

/// Default log filter of servers.
const SERVER_FILTER: &str = "warn,ribbit=info";
/// Default log filter of commands, whose result goes to standard output.
const COMMAND_FILTER: &str = "warn";

/// Runs the job to its end and returns the exit code: 0, or that of a command that the job ran for the user.
///
/// # Errors
/// The failure of the role.
pub fn run(invocation: Invocation) -> Result<u8, Failure> {
    let Invocation { job, supervised, log_filter } = invocation;
    let (name, filter) = match &job {
        Job::Node(options) => (options.name(), SERVER_FILTER),
        Job::Balancer(_) => ("balancer".to_string(), SERVER_FILTER),
        Job::Directory(_) => ("directory".to_string(), COMMAND_FILTER),
        Job::Web(_) => ("web".to_string(), SERVER_FILTER),
        Job::Terminal(_) => ("client".to_string(), COMMAND_FILTER),
        Job::Verb(_) => ("client".to_string(), COMMAND_FILTER),
        Job::User(_) => ("user".to_string(), COMMAND_FILTER),
        Job::ClientServer(_) => ("client".to_string(), COMMAND_FILTER),
        Job::Up(_) => ("up".to_string(), SERVER_FILTER),
        Job::Demo(_) => ("demo".to_string(), COMMAND_FILTER),
        Job::Init(_) => ("init".to_string(), COMMAND_FILTER),
        Job::Status(_) => ("status".to_string(), COMMAND_FILTER),
        Job::Watch(_) => ("watch".to_string(), COMMAND_FILTER),
        Job::Health(_) => ("health".to_string(), COMMAND_FILTER),
        Job::Doctor(_) => ("doctor".to_string(), COMMAND_FILTER),
        Job::Member(_) => ("member".to_string(), COMMAND_FILTER),
        Job::Shell(_) => ("shell".to_string(), COMMAND_FILTER),
        Job::Lock(_) => ("lock".to_string(), COMMAND_FILTER),
        Job::Recover(_) => ("recover".to_string(), COMMAND_FILTER),
        Job::Backup(_) => ("backup".to_string(), COMMAND_FILTER),
        Job::Restore(_) => ("restore".to_string(), COMMAND_FILTER),
        Job::Verify(_) => ("verify".to_string(), COMMAND_FILTER),
        Job::Key(_) => ("key".to_string(), COMMAND_FILTER),
        Job::WebCert(_) => ("web-cert".to_string(), COMMAND_FILTER),
        Job::Bench(_) => ("bench".to_string(), COMMAND_FILTER),
        Job::Show(_) => ("ribbit".to_string(), COMMAND_FILTER),
    };
    let node = matches!(&job, Job::Node(_));
    start_logging(name, log_filter.as_deref().unwrap_or(filter));
    process::started();
    panics::end_the_process();
    descriptors::raise();
    let stop = |supervised| {
        stop::requested(supervised)
            .map_err(|error| Failure::new(Exit::Refused, format!("cannot wait for signals: {error}")))
    };
    let role = async {
        match job {
            Job::Node(options) => node::run(options, stop(supervised)?).await,
            Job::Balancer(options) => balancer::run(options, stop(supervised)?).await,
            Job::Directory(options) => directory::run(&options).await,
            Job::Web(options) => web::run(options, stop(supervised)?).await,
            Job::Terminal(options) => return terminal::run(&options).await,
            Job::Verb(options) => return verbs::run(&options).await,
            Job::User(options) => return user::run(&options).await,
            Job::ClientServer(options) => server::run(&options).await,
            Job::Up(options) => up::run(options, stop(supervised)?).await,
            Job::Demo(options) => return demo::run(&options, stop(supervised)?).await,
            Job::Init(options) => init::run(&options),
            Job::Status(options) => status::run(&options).await,
            // The end of standard input ends it as well.
            Job::Watch(options) => watch::run(&options, stop(true)?).await,
            Job::Health(options) => health::run(&options).await,
            Job::Doctor(options) => doctor::run(&options).await,
            Job::Member(options) => member::run(&options).await,
            Job::Shell(options) => return shell::run(&options).await,
            Job::Lock(options) => return lock::run(&options).await,
            Job::Recover(options) => recover::run(&options),
            Job::Backup(options) => backup::run(&options, stop(false)?).await,
            Job::Restore(options) => restore::run(&options),
            Job::Verify(options) => verify::run(&options).await,
            Job::Key(options) => key::run(&options),
            Job::WebCert(options) => web::cert::run(&options),
            Job::Bench(options) => bench::run(&options).await,
            Job::Show(text) => {
                output::line(&text);
                Ok(())
            }
        }
        .map(|()| 0)
    };
    // The sockets of a node are polled by their own thread (net/tasks.rs). With `smol::block_on`, a second thread would poll
    // as well, and each would wake the other.
    let ended = if node { smol::future::block_on(role) } else { smol::block_on(role) };
    log_lines::flush();
    ended
}

/// Starts logging to standard error, one line per event: `12.345 backend-2 info …`. Times are seconds since the start of this
/// process, because a machine's wall clock may be at 1970 and jump.
fn start_logging(name: String, filter: &str) {
    let start = Instant::now();
    let line = move |out: &mut env_logger::fmt::Formatter, record: &log::Record<'_>| {
        let at = start.elapsed();
        let level = record.level().as_str().to_ascii_lowercase();
        // Text from the network may contain anything, but must not forge log lines.
        let text = record.args().to_string().replace(|c: char| c.is_control(), " ");
        writeln!(out, "{}.{:03} {name} {level} {text}", at.as_secs(), at.subsec_millis())
    };
    let mut builder = env_logger::Builder::new();
    builder.parse_filters(filter).format(line);
    // If the log thread cannot be started, the logging threads write themselves.
    if let Ok(lines) = Lines::to(std::io::stderr()) {
        builder.target(env_logger::Target::Pipe(Box::new(lines.for_this_process())));
    }
    // Fails only if a test has set a logger already.
    let _ = builder.try_init();
}
