//! Child processes: started, watched, told to end. Knows nothing of what they are; `up` decides what follows.
//!
//! ```text
//!   start ──▶ running ──Died──▶ idle ──wake_after──▶ waiting ──Due──▶ (the owner starts it again)
//! ```
//!
//! Invariants: a slot runs at most one process. A process is signalled only while it is in its slot, and it is
//! there until its end was collected, so a signal never reaches a stranger that got its number.
//! Every child has a pipe as standard input that ends with this process, and a process group of its own, so that
//! Ctrl-C in a terminal reaches only this process, which then stops the others in order.

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

/// A process that lived shorter than this died at its start.
const SHORT_LIFE: Duration = Duration::from_secs(2);
const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Which child; given out by [`Supervisor::add`].
pub type Slot = usize;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Died {
        slot: Slot,
        pid: u32,
        ending: Ending,
        lived: Duration,
    },
    /// The time given to [`Supervisor::wake_after`] has passed.
    Due {
        slot: Slot,
    },
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Code(i32),
    Signal(i32),
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Code(code) => write!(f, "ended with exit code {code}"),
            Ending::Signal(signal) => write!(f, "was killed by signal {signal}"),
        }
    }
}

#[derive(Default)]
pub struct Supervisor {
    slots: Vec<State>,
}

enum State {
    Idle,
    Running(Running),
    Waiting(Timer),
}

struct Running {
    pid: u32,
    since: Instant,
    exit: Pin<Box<dyn Future<Output = io::Result<ExitStatus>> + Send>>,
    /// Held so that the child's standard input stays open.
    _stdin: Option<ChildStdin>,
    _child: Child,
}

impl Supervisor {
    pub fn add(&mut self) -> Slot {
        self.slots.push(State::Idle);
        self.slots.len() - 1
    }

    /// Starts the slot's process and answers its pid.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&mut self, slot: Slot, mut command: std::process::Command) -> io::Result<u32> {
        debug_assert!(!self.runs(slot));
        command.process_group(0);
        // Said to smol's command, not to the inner one, where smol would set them again.
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let mut child = command.spawn()?;
        let pid = child.id();
        // Taken out first: `status` closes the standard input it finds.
        let stdin = child.stdin.take();
        let exit = Box::pin(child.status());
        let running = Running { pid, since: Instant::now(), exit, _stdin: stdin, _child: child };
        self.slots[slot] = State::Running(running);
        Ok(pid)
    }

    /// Lets an idle slot's `Due` come after a while.
    pub fn wake_after(&mut self, slot: Slot, delay: Duration) {
        debug_assert!(!self.runs(slot));
        self.slots[slot] = State::Waiting(Timer::after(delay));
    }

    pub fn runs(&self, slot: Slot) -> bool {
        matches!(self.slots[slot], State::Running(_))
    }

    /// What happens next; waits for ever when nothing runs. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Event {
        poll_fn(|context| {
            for (slot, state) in self.slots.iter_mut().enumerate() {
                let event = match state {
                    State::Idle => continue,
                    State::Waiting(timer) => match Pin::new(timer).poll(context) {
                        Poll::Pending => continue,
                        Poll::Ready(_) => Event::Due { slot },
                    },
                    State::Running(running) => match running.exit.as_mut().poll(context) {
                        Poll::Pending => continue,
                        Poll::Ready(status) => Event::Died {
                            slot,
                            pid: running.pid,
                            ending: ending(status),
                            lived: running.since.elapsed(),
                        },
                    },
                };
                *state = State::Idle;
                return Poll::Ready(event);
            }
            Poll::Pending
        })
        .await
    }

    /// Asks these processes to end.
    pub fn terminate(&self, slots: &[Slot]) {
        self.signal(slots, Signal::TERM);
    }

    /// Waits until none of these processes runs, for at most `patience`.
    pub async fn all_ended(&mut self, slots: &[Slot], patience: Duration) -> bool {
        let ended = async {
            while slots.iter().any(|slot| self.runs(*slot)) {
                self.next().await;
            }
            true
        };
        let too_long = async {
            Timer::after(patience).await;
            false
        };
        smol::future::or(ended, too_long).await
    }

    /// Ends these processes.
    pub fn kill(&self, slots: &[Slot]) {
        self.signal(slots, Signal::KILL);
    }

    fn signal(&self, slots: &[Slot], signal: Signal) {
        for slot in slots {
            let State::Running(running) = &self.slots[*slot] else { continue };
            let Some(pid) = i32::try_from(running.pid).ok().and_then(Pid::from_raw) else { continue };
            if let Err(error) = kill_process(pid, signal) {
                log::debug!("process {} cannot be signalled: {error}", running.pid);
            }
        }
    }
}

fn ending(status: io::Result<ExitStatus>) -> Ending {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Ending::Code(code),
            (None, signal) => Ending::Signal(signal.unwrap_or(0)),
        },
        Err(error) => {
            log::warn!("a child ended and nobody knows how: {error}");
            Ending::Code(-1)
        }
    }
}

/// How long to wait before a process is started again.
#[derive(Debug, Default)]
pub struct Backoff {
    next: Option<Duration>,
}

impl Backoff {
    /// At once after a life of any length; longer and longer while it dies at its start.
    pub fn after(&mut self, lived: Duration) -> Duration {
        if lived >= SHORT_LIFE {
            self.next = None;
            return Duration::ZERO;
        }
        let delay = self.next.unwrap_or(BACKOFF_MIN);
        self.next = Some((delay * 2).min(BACKOFF_MAX));
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> std::process::Command {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn deaths_are_told_apart() {
        smol::block_on(async {
            let mut supervisor = Supervisor::default();
            let slot = supervisor.add();
            for (script, expected) in [("exit 78", Ending::Code(78)), ("kill -9 $$", Ending::Signal(9))] {
                let started = supervisor.start(slot, shell(script)).unwrap();
                let Event::Died { pid, ending, .. } = supervisor.next().await else { panic!() };
                assert_eq!((pid, ending), (started, expected));
                assert!(!supervisor.runs(slot));
            }
            supervisor.wake_after(slot, Duration::from_millis(1));
            assert_eq!(supervisor.next().await, Event::Due { slot });
        });
    }

    #[test]
    fn standard_input_stays_open_while_the_supervisor_is_there_and_ends_with_it() {
        smol::block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mark = folder.path().join("ended");
            let mut supervisor = Supervisor::default();
            let slot = supervisor.add();
            let script = format!("cat > /dev/null; touch {}", mark.display());
            supervisor.start(slot, shell(&script)).unwrap();
            assert!(!supervisor.all_ended(&[slot], Duration::from_millis(200)).await);
            drop(supervisor);
            let start = Instant::now();
            while !mark.exists() && start.elapsed() < PATIENCE {
                Timer::after(Duration::from_millis(10)).await;
            }
            assert!(mark.exists());
        });
    }

    #[test]
    fn what_does_not_end_when_told_is_killed() {
        smol::block_on(async {
            let mut supervisor = Supervisor::default();
            let slots = [supervisor.add(), supervisor.add()];
            supervisor.start(slots[0], shell("exec sleep 60")).unwrap();
            supervisor.start(slots[1], shell("trap '' TERM; while :; do sleep 0.05; done")).unwrap();
            // The shell needs a moment to set its trap.
            Timer::after(Duration::from_millis(300)).await;
            supervisor.terminate(&slots);
            assert!(supervisor.all_ended(&slots[..1], PATIENCE).await);
            assert!(!supervisor.all_ended(&slots, Duration::from_millis(100)).await);
            supervisor.kill(&slots);
            assert!(supervisor.all_ended(&slots, PATIENCE).await);
        });
    }

    #[test]
    fn short_lives_wait_longer_and_a_long_one_forgives() {
        let mut backoff = Backoff::default();
        let ms = |lived: u64, backoff: &mut Backoff| backoff.after(Duration::from_millis(lived)).as_millis();
        assert_eq!(ms(60_000, &mut backoff), 0);
        let waits: Vec<u128> = (0..7).map(|_| ms(10, &mut backoff)).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!((ms(2_000, &mut backoff), ms(10, &mut backoff)), (0, 250));
    }
}
