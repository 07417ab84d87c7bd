//! Runs a job: sets up logging and signal handling, then calls the role.

use super::Invocation;
use super::task::Work;
use crate::common::failure::{Exit, Failure};
use crate::common::log_lines::{self, Lines};
use crate::common::{descriptors, panics, process, stop};
use std::io::Write;
use std::time::Instant;

/// Runs a verb to its end and returns the exit code: 0, or that of a command that it ran for the user.
///
/// # Errors
/// The failure of the verb.
pub fn run(invocation: Invocation) -> Result<u8, Failure> {
    let Invocation { task, supervised, log_filter } = invocation;
    start_logging(task.name, log_filter.as_deref().unwrap_or(task.log_filter));
    process::started();
    panics::end_the_process();
    descriptors::raise();
    let running = match task.work {
        Work::ToEnd(running) => running,
        Work::UntilStopped(run) => {
            let requested = stop::requested(supervised || task.stops_at_end_of_input)
                .map_err(|error| Failure::new(Exit::Refused, format!("cannot wait for signals: {error}")))?;
            run(Box::pin(requested))
        }
    };
    // The sockets of a node are polled by their own thread (net/tasks.rs). With `smol::block_on`, a second thread would poll
    // as well, and each would wake the other.
    let ended = if task.polls_sockets { smol::future::block_on(running) } else { smol::block_on(running) };
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
