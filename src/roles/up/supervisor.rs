//! Supervision of child processes: starts, watches and signals them. The owner decides what to do about their events.
//!
//! ```text
//!   start ──▶ running ──Died──▶ idle ──wake_after──▶ waiting ──Due──▶ (the owner starts it again)
//! ```
//!
//! Invariants: a slot runs at most one process. A process is signalled only while it is in its slot, and it stays there until
//! it has been reaped, so a signal never reaches another process that got its pid.
//! Every child has a pipe as standard input, which ends with this process. Every child has its own process group, so Ctrl-C
//! in a terminal reaches only this process, which then stops the children in order.

use ribbit_net::backoff::Backoff;
use rustix::process::{Pid, Signal, kill_process};
use smol::Timer;
use smol::process::{Child, ChildStdin, Command, Stdio};
use std::future::{Future, poll_fn};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::pin::Pin;
use std::process::ExitStatus;
use std::task::Poll;
use std::time::{Duration, Instant};

/// A process that lived shorter than this counts as a failed start.
const SHORT_LIFE: Duration = Duration::from_secs(2);
/// Restart delay after the first failed start.
const BACKOFF_MIN: Duration = Duration::from_millis(250);
/// Longest restart delay.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Index of a child, returned by [`ProcessSupervisor::add`].
pub(crate) type Slot = usize;

/// Event of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChildEvent {
    /// The process has exited and been reaped.
    Died { slot: Slot, pid: u32, ending: ExitStatusKind, lived: Duration },
    /// The time given to [`ProcessSupervisor::wake_after`] has passed.
    Due { slot: Slot },
}

/// Exit status of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatusKind {
    Code(i32),
    Signal(i32),
}

impl std::fmt::Display for ExitStatusKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ExitStatusKind::Code(code) => write!(f, "exited with code {code}"),
            ExitStatusKind::Signal(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}

/// A set of child processes.
#[derive(Default)]
pub(crate) struct ProcessSupervisor {
    slots: Vec<SlotState>,
}

enum SlotState {
    Idle,
    RunningChild(RunningChild),
    Waiting(Timer),
}

struct RunningChild {
    pid: u32,
    since: Instant,
    exit: Pin<Box<dyn Future<Output = io::Result<ExitStatus>> + Send>>,
    /// Keeps the child's standard input open.
    _stdin: Option<ChildStdin>,
    _child: Child,
}

impl ProcessSupervisor {
    /// Adds an idle slot.
    pub(crate) fn add(&mut self) -> Slot {
        self.slots.push(SlotState::Idle);
        self.slots.len() - 1
    }

    /// Starts the slot's process and returns its pid.
    ///
    /// # Errors
    /// An I/O error if the process cannot be started.
    pub(crate) fn start(&mut self, slot: Slot, mut command: std::process::Command) -> io::Result<u32> {
        debug_assert!(!self.runs(slot));
        command.process_group(0);
        // Set on smol's command: smol would overwrite the settings of the inner one.
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let mut child = command.spawn()?;
        let pid = child.id();
        // Taken first, because `status` closes the standard input it finds.
        let stdin = child.stdin.take();
        let exit = Box::pin(child.status());
        let running = RunningChild { pid, since: Instant::now(), exit, _stdin: stdin, _child: child };
        self.slots[slot] = SlotState::RunningChild(running);
        Ok(pid)
    }

    /// Schedules the `Due` event of an idle slot.
    pub(crate) fn wake_after(&mut self, slot: Slot, delay: Duration) {
        debug_assert!(!self.runs(slot));
        self.slots[slot] = SlotState::Waiting(Timer::after(delay));
    }

    /// Returns whether the slot has a running process.
    pub(crate) fn runs(&self, slot: Slot) -> bool {
        matches!(self.slots[slot], SlotState::RunningChild(_))
    }

    /// Waits for the next event; forever if no slot is active. Dropping the future loses no event.
    pub(crate) async fn next(&mut self) -> ChildEvent {
        poll_fn(|context| {
            for (slot, state) in self.slots.iter_mut().enumerate() {
                let event = match state {
                    SlotState::Idle => continue,
                    SlotState::Waiting(timer) => match Pin::new(timer).poll(context) {
                        Poll::Pending => continue,
                        Poll::Ready(_) => ChildEvent::Due { slot },
                    },
                    SlotState::RunningChild(running) => match running.exit.as_mut().poll(context) {
                        Poll::Pending => continue,
                        Poll::Ready(status) => ChildEvent::Died {
                            slot,
                            pid: running.pid,
                            ending: ending(status),
                            lived: running.since.elapsed(),
                        },
                    },
                };
                *state = SlotState::Idle;
                return Poll::Ready(event);
            }
            Poll::Pending
        })
        .await
    }

    /// Sends SIGTERM to these processes.
    pub(crate) fn terminate(&self, slots: &[Slot]) {
        self.signal(slots, Signal::TERM);
    }

    /// Waits until none of these processes runs, for at most `timeout`. Returns whether all have ended.
    pub(crate) async fn all_ended(&mut self, slots: &[Slot], timeout: Duration) -> bool {
        let ended = async {
            while slots.iter().any(|slot| self.runs(*slot)) {
                self.next().await;
            }
            true
        };
        let too_long = async {
            Timer::after(timeout).await;
            false
        };
        smol::future::or(ended, too_long).await
    }

    /// Sends SIGKILL to these processes.
    pub(crate) fn kill(&self, slots: &[Slot]) {
        self.signal(slots, Signal::KILL);
    }

    fn signal(&self, slots: &[Slot], signal: Signal) {
        for slot in slots {
            let SlotState::RunningChild(running) = &self.slots[*slot] else { continue };
            let Some(pid) = i32::try_from(running.pid).ok().and_then(Pid::from_raw) else { continue };
            if let Err(error) = kill_process(pid, signal) {
                log::debug!("cannot signal process {}: {error}", running.pid);
            }
        }
    }
}

fn ending(status: io::Result<ExitStatus>) -> ExitStatusKind {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => ExitStatusKind::Code(code),
            (None, signal) => ExitStatusKind::Signal(signal.unwrap_or(0)),
        },
        Err(error) => {
            log::warn!("a child ended with unknown status: {error}");
            ExitStatusKind::Code(-1)
        }
    }
}

/// Delays of the restarts of a child.
#[derive(Debug)]
pub(crate) struct RestartDelay(Backoff);

impl Default for RestartDelay {
    fn default() -> RestartDelay {
        RestartDelay(Backoff::new(BACKOFF_MIN, BACKOFF_MAX))
    }
}

impl RestartDelay {
    /// Returns the delay before the next start: zero after a normal life, doubling after each failed start.
    pub(crate) fn after(&mut self, lived: Duration) -> Duration {
        if lived >= SHORT_LIFE {
            self.0.reset();
            return Duration::ZERO;
        }
        self.0.next_pause()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> std::process::Command {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn exit_codes_and_signals_are_told_apart() {
        smol::block_on(async {
            let mut supervisor = ProcessSupervisor::default();
            let slot = supervisor.add();
            for (script, expected) in
                [("exit 78", ExitStatusKind::Code(78)), ("kill -9 $$", ExitStatusKind::Signal(9))]
            {
                let started = supervisor.start(slot, shell(script)).unwrap();
                let ChildEvent::Died { pid, ending, .. } = supervisor.next().await else { panic!() };
                assert_eq!((pid, ending), (started, expected));
                assert!(!supervisor.runs(slot));
            }
            supervisor.wake_after(slot, Duration::from_millis(1));
            assert_eq!(supervisor.next().await, ChildEvent::Due { slot });
        });
    }

    #[test]
    fn standard_input_stays_open_until_the_supervisor_is_dropped() {
        smol::block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mark = folder.path().join("ended");
            let mut supervisor = ProcessSupervisor::default();
            let slot = supervisor.add();
            let script = format!("cat > /dev/null; touch {}", mark.display());
            supervisor.start(slot, shell(&script)).unwrap();
            assert!(!supervisor.all_ended(&[slot], Duration::from_millis(200)).await);
            drop(supervisor);
            let start = Instant::now();
            while !mark.exists() && start.elapsed() < TIMEOUT {
                Timer::after(Duration::from_millis(10)).await;
            }
            assert!(mark.exists());
        });
    }

    #[test]
    fn a_process_that_ignores_sigterm_is_killed() {
        smol::block_on(async {
            let mut supervisor = ProcessSupervisor::default();
            let slots = [supervisor.add(), supervisor.add()];
            supervisor.start(slots[0], shell("exec sleep 60")).unwrap();
            supervisor.start(slots[1], shell("trap '' TERM; while :; do sleep 0.05; done")).unwrap();
            // The shell needs a moment to set its trap.
            Timer::after(Duration::from_millis(300)).await;
            supervisor.terminate(&slots);
            assert!(supervisor.all_ended(&slots[..1], TIMEOUT).await);
            assert!(!supervisor.all_ended(&slots, Duration::from_millis(100)).await);
            supervisor.kill(&slots);
            assert!(supervisor.all_ended(&slots, TIMEOUT).await);
        });
    }

    #[test]
    fn the_delay_grows_after_failed_starts_and_is_reset_by_a_long_life() {
        let mut delays = RestartDelay::default();
        let ms =
            |lived: u64, delays: &mut RestartDelay| delays.after(Duration::from_millis(lived)).as_millis();
        assert_eq!(ms(60_000, &mut delays), 0);
        let waits: Vec<u128> = (0..7).map(|_| ms(10, &mut delays)).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!((ms(2_000, &mut delays), ms(10, &mut delays)), (0, 250));
    }
}
