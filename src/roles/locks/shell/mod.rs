//! `ribbit shell`: reads and changes the lock namespace.
//!
//! ```text
//!   words on the command line ──▶ one command, its exit code
//!   a terminal ──▶ prompt: history, completion ──┐
//!   standard input ──▶ line by line ─────────────┴─▶ ShellSession: one connection, one lease ──▶ inspect, change, save, watch
//! ```
//!
//! - All locks of a session are held under one lease. It is opened with the first `acquire` and closed when the session ends.
//!   The loss of the lease is reported at once.
//! - A single command cannot hold a lock, because it would release it at once. Its error names `ribbit lock`.
//! - A script on standard input stops at the first line that fails, with its exit code.
//! - Control characters in content and names are escaped ([`ribbit_ui::plain`]). `cat` into a pipe writes the bytes unchanged.
//!
//! - [`commands`]: command-line grammar; [`quoting`]: quoting rules
//! - [`inspect`], [`change`], [`save`], [`watch`]: the commands; [`prompt`]: the interactive mode

pub(crate) mod arguments;
pub(crate) mod change;
pub mod commands;
pub(crate) mod inspect;
pub(crate) mod prompt;
pub mod quoting;
pub(crate) mod save;
pub(crate) mod watch;

use crate::common::failure::{Exit, Failure};
use crate::common::script_input::next_line;
use crate::common::signals::received;
use crate::common::stop::ending_signals;
use crate::locks::lease::HeldLease;
use crate::locks::namespace::{Namespace, shown};
use arguments::ShellOptions;
use commands::ShellCommand;
use ribbit_net::tasks;
use ribbit_state::TreePath;
use ribbit_state::sync::MutexExt;
use smol::future::FutureExt;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Length of the lease under which the locks of a session are held.
const LEASE: Duration = Duration::from_secs(10);
/// Exit code of a command stopped by Ctrl-C, as in other shells.
const INTERRUPTED: u8 = 130;

/// Source of the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputSource {
    /// The arguments of `ribbit shell`: a single command.
    Arguments,
    /// A person at a terminal.
    Terminal,
    /// Lines of standard input.
    Script,
}

/// Callback that prints a notice, above the input line if there is one.
type PrintNotice = Arc<Mutex<Box<dyn FnMut(String) + Send>>>;

/// The lease of a session and the locks held under it. Shared with the signal handler, which closes the lease.
#[derive(Debug, Default)]
struct HeldLocks {
    lease: Option<HeldLease>,
    paths: Vec<TreePath>,
}

/// State of a shell.
pub(crate) struct ShellSession {
    pub(crate) namespace: Namespace,
    pub(crate) source: InputSource,
    held: Arc<smol::lock::Mutex<HeldLocks>>,
    print: PrintNotice,
    /// Message about a lost lease, until a script has handled it.
    lost: Arc<Mutex<Option<String>>>,
}

/// Runs the shell and returns the exit code.
///
/// # Errors
/// - `Refused` (1) when a command is refused.
/// - `Usage` (2) when a script line is not a command.
/// - `Unreachable` (3) when no server answers.
/// - `Degraded` (5) when too few servers are left to agree on an answer.
/// - `LockLost` (75) when a script loses a lock.
pub(crate) async fn run(options: &ShellOptions) -> Result<u8, Failure> {
    let source = match options.command.is_empty() {
        false => InputSource::Arguments,
        true if io::stdin().is_terminal() && io::stdout().is_terminal() => InputSource::Terminal,
        true => InputSource::Script,
    };
    if source == InputSource::Arguments {
        let verb = match commands::parse(&options.command) {
            Ok(verb) => verb,
            Err(error) => return Ok(explain(&error)),
        };
        let mut session = ShellSession::begin(options, source).await?;
        return session.perform(verb).await;
    }
    let mut session = ShellSession::begin(options, source).await?;
    let ended = match source {
        InputSource::Terminal => prompt::run(&mut session, options).await,
        _ => session.script().await,
    };
    session.end().await;
    ended
}

/// Prints the help or the error of a line, and returns its exit code.
pub(crate) fn explain(error: &clap::Error) -> u8 {
    // A closed terminal is not a failure.
    let _ = error.print();
    u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8)
}

impl ShellSession {
    async fn begin(options: &ShellOptions, source: InputSource) -> Result<ShellSession, Failure> {
        let namespace = Namespace::reach(&options.cluster).await?;
        let print: PrintNotice = Arc::new(Mutex::new(Box::new(|text| eprintln!("{text}"))));
        Ok(ShellSession { namespace, source, held: Arc::default(), print, lost: Arc::default() })
    }

    /// Closes the lease, which releases all locks.
    async fn end(&self) {
        let lease = self.held.lock().await.lease.take();
        if let Some(lease) = lease {
            lease.close().await;
        }
    }

    /// Runs a command and returns its exit code.
    ///
    /// # Errors
    /// The failure of the command.
    pub(crate) async fn perform(&mut self, verb: ShellCommand) -> Result<u8, Failure> {
        match verb {
            ShellCommand::Ls { long, depth, fresh, path } => {
                inspect::ls(self, &path, depth, long, fresh.consistency()).await?;
            }
            ShellCommand::Cat { fresh, path } => inspect::cat(self, &path, fresh.consistency()).await?,
            ShellCommand::Stat { fresh, path } => inspect::stat(self, &path, fresh.consistency()).await?,
            ShellCommand::Test(line) => return inspect::test(self, &line).await,
            ShellCommand::Holders { fresh, path } => {
                inspect::holders(self, &path, fresh.consistency()).await?;
            }
            ShellCommand::Touch { path } => change::touch(self, path).await?,
            ShellCommand::Mkdir { parents, path } => change::mkdir(self, path, parents).await?,
            ShellCommand::Rm { recursive, guard, path } => {
                change::rm(self, path, recursive, guard.guard()).await?;
            }
            ShellCommand::Write { append, guard, path, text } => {
                change::write(self, path, &text, append, guard.guard()).await?;
            }
            ShellCommand::Acquire { path } => change::acquire(self, path).await?,
            ShellCommand::Release { path } => change::release(self, path).await?,
            ShellCommand::Save { fresh, path, folder } => {
                save::save(self, &path, &folder, fresh.consistency()).await?;
            }
            ShellCommand::Watch { path } => watch::watch(self, &path).await?,
            ShellCommand::Exit => {}
        }
        Ok(0)
    }

    /// Runs the lines of standard input until one fails.
    async fn script(&mut self) -> Result<u8, Failure> {
        let mut signals = ending_signals()?;
        let stopped = async { Ok(if received(&mut signals).await.is_some() { INTERRUPTED } else { 0 }) };
        self.lines().or(stopped).await
    }

    async fn lines(&mut self) -> Result<u8, Failure> {
        for number in 1.. {
            let Some(line) = smol::unblock(next_line).await else { break };
            let at =
                |failure: Failure| Failure::new(failure.exit, format!("line {number}: {}", failure.message));
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words =
                quoting::split(line).map_err(|error| at(Failure::new(Exit::Usage, error.to_string())))?;
            let verb = match commands::parse(&words) {
                Ok(ShellCommand::Exit) => break,
                Ok(verb) => verb,
                Err(error) if error.exit_code() == 0 => {
                    explain(&error);
                    continue;
                }
                Err(error) => {
                    eprintln!("ribbit: line {number}:");
                    return Ok(explain(&error));
                }
            };
            let code = self.perform(verb).await.map_err(at)?;
            let lost = self.lost.locked().take();
            if let Some(why) = lost {
                return Err(at(Failure::new(Exit::LockLost, why)));
            }
            if code != 0 {
                return Ok(code);
            }
        }
        Ok(0)
    }

    /// Returns the token of the session's lease. Opens a lease if there is none, or if it was lost.
    async fn lease(&self) -> Result<ribbit_state::TokenHash, Failure> {
        let mut held = self.held.lock().await;
        if let Some(lease) = held.lease.take_if(|lease| !lease.is_good()) {
            // The task below has not reported the loss yet.
            if let Some(why) = lease.why_lost() {
                held.report_loss(&why, &self.print, &self.lost);
            }
            lease.close().await;
        }
        if let Some(lease) = &held.lease {
            return Ok(lease.token());
        }
        let lease = held.lease.insert(HeldLease::open(&self.namespace, "shell", LEASE).await?);
        let (token, loss) = (lease.token(), lease.lost());
        let (held, print, lost) = (self.held.clone(), self.print.clone(), self.lost.clone());
        let reporting = async move {
            let why = loss.await;
            let mut held = held.lock().await;
            if held.lease.as_ref().is_some_and(|lease| lease.token() == token) {
                held.report_loss(&why, &print, &lost);
            }
        };
        tasks::spawn(reporting).detach();
        Ok(token)
    }
}

impl HeldLocks {
    /// Reports the locks that were lost, if there were any.
    fn report_loss(&mut self, why: &str, print: &PrintNotice, lost: &Mutex<Option<String>>) {
        if self.paths.is_empty() {
            return;
        }
        let paths: Vec<String> = self.paths.drain(..).map(|path| shown(&path)).collect();
        let words = format!("no longer held: {}: {why}", paths.join(", "));
        *lost.locked() = Some(words.clone());
        (print.locked())(words);
    }
}
