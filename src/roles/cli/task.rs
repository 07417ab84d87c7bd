//! A validated verb, ready to run: its name in the log, its default log filter, and the future that does the work.

use crate::common::failure::Failure;
use std::pin::Pin;

/// Default log filter of servers.
const SERVER_FILTER: &str = "warn,ribbit=info";
/// Default log filter of commands, whose result goes to standard output.
const COMMAND_FILTER: &str = "warn";

/// Future that completes when the process has to stop.
pub(crate) type StopRequest = Pin<Box<dyn Future<Output = ()> + Send>>;
/// Future of a running verb; its result is the exit code.
pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = Result<u8, Failure>>>>;

/// Result of a verb: nothing, or an exit code.
pub(crate) trait Ended {
    /// Returns the exit code; 0 for a verb that has none of its own.
    fn code(self) -> u8;
}

impl Ended for () {
    fn code(self) -> u8 {
        0
    }
}

impl Ended for u8 {
    fn code(self) -> u8 {
        self
    }
}

/// Work of a task.
pub(crate) enum Work {
    /// Runs to its end; Ctrl-C kills the process.
    ToEnd(TaskFuture),
    /// Runs until the stop request, which it handles itself.
    UntilStopped(Box<dyn FnOnce(StopRequest) -> TaskFuture>),
}

/// A verb that can be started.
pub(crate) struct Task {
    /// Name in the log.
    pub(crate) name: String,
    pub(crate) log_filter: &'static str,
    /// Whether the end of standard input is a stop request as well.
    pub(crate) stops_at_end_of_input: bool,
    /// Whether the role has a thread of its own that polls its sockets.
    pub(crate) polls_sockets: bool,
    pub(crate) work: Work,
}

impl Task {
    /// Returns the task of a command that runs to its end.
    pub(crate) fn command<E: Ended>(
        name: &str,
        run: impl Future<Output = Result<E, Failure>> + 'static,
    ) -> Task {
        let running = Box::pin(async move { run.await.map(Ended::code) });
        Task::new(name.to_string(), COMMAND_FILTER, Work::ToEnd(running))
    }

    /// Returns the task of a command that handles the stop request itself.
    pub(crate) fn stoppable<E: Ended, F: Future<Output = Result<E, Failure>> + 'static>(
        name: &str,
        run: impl FnOnce(StopRequest) -> F + 'static,
    ) -> Task {
        Task::new(name.to_string(), COMMAND_FILTER, until_stopped(run))
    }

    /// Returns the task of a server, which runs until the stop request.
    pub(crate) fn server<F: Future<Output = Result<(), Failure>> + 'static>(
        name: String,
        run: impl FnOnce(StopRequest) -> F + 'static,
    ) -> Task {
        Task::new(name, SERVER_FILTER, until_stopped(run))
    }

    fn new(name: String, log_filter: &'static str, work: Work) -> Task {
        Task { name, log_filter, stops_at_end_of_input: false, polls_sockets: false, work }
    }
}

fn until_stopped<E: Ended, F: Future<Output = Result<E, Failure>> + 'static>(
    run: impl FnOnce(StopRequest) -> F + 'static,
) -> Work {
    Work::UntilStopped(Box::new(|stop| Box::pin(async move { run(stop).await.map(Ended::code) })))
}
