//! The command that runs while a lock is held.
//!
//! ```text
//!   ribbit lock ── spawn ──▶ ribbit --lock-child PID … ── exec ──▶ CMD       the same process, another program
//! ```
//!
//! The step between makes CMD die with its holder: it asks the kernel for SIGKILL when the process that started it is
//! gone, which `exec` keeps, and looks whether that has happened already. So a holder that was killed with -9 leaves no
//! CMD that goes on without a lock. What CMD has started itself is not reached by that: a shell script's own children go
//! on, and only the fence keeps them from what is guarded.
//!
//! CMD gets a process group of its own, which is ended as a whole, except where standard input is a terminal: there it
//! could not read, so it stays in ours, where Ctrl-C reaches both of us.

use crate::common::systemd;
use rustix::process::{
    Pid, Signal, getppid, kill_process, kill_process_group, set_parent_process_death_signal,
};
use smol::process::{Child, Command};
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::ExitStatus;

/// The word that makes ribbit become CMD.
const CHILD: &str = "--lock-child";
/// What shells answer for a command that cannot be run, or is not there.
const NOT_RUNNABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
/// What shells add to the number of the signal that ended a command.
const BY_SIGNAL: i32 = 128;

/// CMD, running.
#[derive(Debug)]
pub struct Running {
    child: Child,
    pid: Option<Pid>,
    has_group: bool,
}

impl Running {
    /// Starts CMD with these in its environment. The thread that calls has to live as long as CMD should.
    ///
    /// # Errors
    /// There is no room for another process.
    pub fn start(command: &[OsString], environment: &[(&str, String)]) -> io::Result<Running> {
        let has_group = !io::stdin().is_terminal();
        // Also when the file was replaced meanwhile.
        let mut outer = std::process::Command::new("/proc/self/exe");
        outer.arg0("ribbit").args([CHILD, &std::process::id().to_string()]).args(command);
        // CMD is another program: it would speak to the supervisor in our name.
        for name in systemd::FOR_THIS_PROCESS {
            outer.env_remove(name);
        }
        outer.envs(environment.iter().map(|(key, value)| (key, value)));
        if has_group {
            outer.process_group(0);
        }
        let child = Command::from(outer).spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Running { child, pid, has_group })
    }

    /// Waits for its end, and answers the exit code that a shell would. May be given up and asked again.
    pub async fn ended(&mut self) -> u8 {
        match self.child.status().await {
            Ok(status) => code_of(status),
            // Somebody else has waited for it: nobody can tell.
            Err(error) => {
                log::error!("waiting for the command: {error}");
                NOT_RUNNABLE
            }
        }
    }

    /// Passes a signal on, unless a terminal has sent it to both of us.
    pub fn pass_on(&self, signal: Signal) {
        if self.has_group || signal != Signal::INT {
            self.send(signal);
        }
    }

    /// To CMD and what it has started, as far as that can be reached. Fails when nothing of it is left.
    pub fn send(&self, signal: Signal) {
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

/// Whether this process was started to become a command. Does not return when it has become one; else it answers the
/// exit code.
pub fn become_command(mut arguments: impl Iterator<Item = OsString>) -> Option<u8> {
    arguments.next();
    if arguments.next()? != CHILD {
        return None;
    }
    let parent = arguments.next()?.to_str()?.parse().ok().and_then(Pid::from_raw);
    let program = arguments.next()?;
    let tied = set_parent_process_death_signal(Some(Signal::KILL));
    if tied.is_err() || getppid() != parent {
        eprintln!("ribbit: whoever holds the lock is gone");
        return Some(NOT_RUNNABLE);
    }
    let error = std::process::Command::new(&program).args(arguments).exec();
    eprintln!("ribbit: {}: {error}", program.to_string_lossy());
    Some(if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_shells() {
        assert_eq!(code_of(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(code_of(ExitStatus::from_raw(15)), 143);
        assert_eq!(code_of(ExitStatus::from_raw(0)), 0);
    }

    #[test]
    fn only_the_word_makes_a_command() {
        let line = |words: &str| -> Vec<OsString> { words.split(' ').map(OsString::from).collect() };
        assert_eq!(become_command(line("ribbit up").into_iter()), None);
        assert_eq!(become_command(line("ribbit").into_iter()), None);
        // Nobody's child: this process is not the parent of itself.
        let own = format!("ribbit {CHILD} {} true", std::process::id());
        assert_eq!(become_command(line(&own).into_iter()), Some(NOT_RUNNABLE));
    }
}
