//! Child process of `ribbit lock`: the command that runs while the lock is held.
//!
//! ```text
//!   ribbit lock ── spawn ──▶ ribbit --lock-child PID … ── exec ──▶ CMD       the same process, another program
//! ```
//!
//! - The intermediate step makes CMD die with the holder of the lock. It asks the kernel for SIGKILL on the death of the
//!   parent process (`exec` keeps this setting), and then checks that the parent is still alive. After SIGKILL to the holder,
//!   no CMD continues without a lock.
//! - Processes started by CMD itself are not covered: the children of a shell script continue, and only the fencing token
//!   keeps them from the guarded resource.
//! - CMD gets its own process group, which is signalled as a whole. If standard input is a terminal, CMD stays in the group of
//!   `ribbit lock`, because a background group cannot read from the terminal. Ctrl-C then reaches both processes.

use crate::common::systemd;
use rustix::process::{
    Pid, Signal, getppid, kill_process, kill_process_group, set_parent_process_death_signal,
};
use smol::process::{Child, Command};
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::ExitStatus;

/// Hidden first argument for the step between `spawn` and `exec`.
const CHILD: &str = "--lock-child";
/// Exit code of a command that cannot be run, as in shells.
const NOT_RUNNABLE: u8 = 126;
/// Exit code of a command that does not exist, as in shells.
const NOT_FOUND: u8 = 127;
/// Offset of the exit code of a command ended by a signal, as in shells.
const BY_SIGNAL: i32 = 128;

/// The running command.
#[derive(Debug)]
pub(crate) struct LockedCommand {
    child: Child,
    pid: Option<Pid>,
    has_group: bool,
}

impl LockedCommand {
    /// Starts CMD with additional environment variables. CMD is killed when the calling thread ends.
    ///
    /// # Errors
    /// The I/O error of `fork` or `exec`.
    pub(crate) fn start(command: &[OsString], environment: &[(&str, String)]) -> io::Result<LockedCommand> {
        let has_group = !io::stdin().is_terminal();
        // This path names the running program even after its file was replaced.
        let mut outer = std::process::Command::new("/proc/self/exe");
        outer.arg0("ribbit").args([CHILD, &std::process::id().to_string()]).args(command);
        // CMD must not talk to the service manager in the name of this process.
        for name in systemd::FOR_THIS_PROCESS {
            outer.env_remove(name);
        }
        outer.envs(environment.iter().map(|(key, value)| (key, value)));
        if has_group {
            outer.process_group(0);
        }
        let child = Command::from(outer).spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(LockedCommand { child, pid, has_group })
    }

    /// Waits until CMD has ended and returns its exit code as a shell reports it. Cancel safe.
    pub(crate) async fn ended(&mut self) -> u8 {
        match self.child.status().await {
            Ok(status) => code_of(status),
            // The exit status is lost, for example because it was collected elsewhere.
            Err(error) => {
                log::error!("the exit status of the command is unknown: {error}");
                NOT_RUNNABLE
            }
        }
    }

    /// Forwards a signal to CMD, unless the terminal has sent it to both processes already.
    pub(crate) fn pass_on(&self, signal: Signal) {
        if self.has_group || signal != Signal::INT {
            self.send(signal);
        }
    }

    /// Sends a signal to CMD, or to its process group if it has its own. Errors are ignored: CMD may have ended.
    pub(crate) fn send(&self, signal: Signal) {
        let Some(pid) = self.pid else { return };
        let sent = if self.has_group { kill_process_group(pid, signal) } else { kill_process(pid, signal) };
        if let Err(error) = sent {
            log::debug!("{signal:?} to the command: {error}");
        }
    }
}

fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(BY_SIGNAL + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(NOT_RUNNABLE)
}

/// Becomes CMD if this process was started as the step before `exec`. Does not return on success; returns the exit code on
/// failure, and `None` if this is an ordinary start of ribbit.
pub fn become_command(mut arguments: impl Iterator<Item = OsString>) -> Option<u8> {
    arguments.next();
    if arguments.next()? != CHILD {
        return None;
    }
    let parent = arguments.next()?.to_str()?.parse().ok().and_then(Pid::from_raw);
    let program = arguments.next()?;
    let tied = set_parent_process_death_signal(Some(Signal::KILL));
    if tied.is_err() || getppid() != parent {
        eprintln!("ribbit: the holder of the lock has ended; the command was not started");
        return Some(NOT_RUNNABLE);
    }
    let error = std::process::Command::new(&program).args(arguments).exec();
    eprintln!("ribbit: cannot run {}: {error}", program.to_string_lossy());
    Some(if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_shells() {
        assert_eq!(code_of(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(code_of(ExitStatus::from_raw(15)), 143);
        assert_eq!(code_of(ExitStatus::from_raw(0)), 0);
    }

    #[test]
    fn only_the_hidden_argument_starts_a_command() {
        let line = |words: &str| -> Vec<OsString> { words.split(' ').map(OsString::from).collect() };
        assert_eq!(become_command(line("ribbit up").into_iter()), None);
        assert_eq!(become_command(line("ribbit").into_iter()), None);
        // The given parent is this process itself, which is not its own parent.
        let own = format!("ribbit {CHILD} {} true", std::process::id());
        assert_eq!(become_command(line(&own).into_iter()), Some(NOT_RUNNABLE));
    }
}
