//! `ribbit lock PATH -- CMD`: runs a command while holding a lock.
//!
//! ```text
//!   open a lease ─▶ acquire ── held by another client: follow the path until it is free ──▶ acquire …
//!                      └─▶ run CMD ─┬─ CMD ends ──▶ close the lease, exit with its code
//!                                   ├─ a signal ──▶ forwarded to CMD
//!                                   └─ the lease is lost ──▶ SIGTERM, then SIGKILL, exit code 75
//! ```
//!
//! - A holder gives up at half of its lease ([`crate::locks::lease`]). CMD then has at most half of the remaining time to end by
//!   itself, so it is gone before the leader gives the lock to another client. A holder that is not running (stopped or
//!   starved) cannot end CMD. In that case the fencing token in CMD's environment refuses late writes that carry it.
//! - Waiting does not poll: it follows the path, on any live member. When the lock becomes free, all waiting clients try to
//!   acquire it and the first one succeeds; there is no queue.
//! - CMD dies with the holder ([`child`]).

pub(crate) mod arguments;
pub mod child;

use crate::common::failure::{Exit, Failure};
use crate::common::signals::received;
use crate::common::stop::ending_signals;
use crate::locks::lease::HeldLease;
use crate::locks::namespace::{self, Namespace, refused};
use arguments::LockOptions;
use async_signal::Signals;
use child::LockedCommand;
use ribbit_net::subscription::{Subscription, SubscriptionMessage};
use ribbit_state::events::NodeEvent;
use ribbit_state::{Code, Denied, Event, EventKind, LogIndex, Reply, TreeCommand, TreePath};
use rustix::process::Signal;
use smol::Timer;
use smol::future::{FutureExt, pending};
use std::time::Duration;

/// Maximum time between SIGTERM and SIGKILL for CMD. Less if the lease is short.
const KILL_AFTER: Duration = Duration::from_secs(5);
/// Pause between two attempts while no server answers.
const PAUSE: Duration = Duration::from_millis(500);

/// Acquires the lock, runs CMD and returns its exit code.
///
/// # Errors
/// - `Refused` (1) when another client holds the lock, the path cannot be a lock, or CMD cannot be started.
/// - `Unreachable` (3) when no server answers.
/// - `LockLost` (75) when the lock was lost while CMD ran.
pub(crate) async fn run(options: &LockOptions) -> Result<u8, Failure> {
    let mut signals = ending_signals()?;
    let namespace = Namespace::reach(&options.cluster).await?;
    let mut wanted = LockAttempt { namespace: &namespace, options, lease: None };
    let held = async { WaitResult::Decided(wanted.acquire().await) }
        .or(async { WaitResult::Signal(next_signal(&mut signals).await) })
        .or(time_limit(options.wait))
        .await;
    let ended = match held {
        WaitResult::Decided(Ok(fence)) => {
            run_while_held(options, fence, wanted.lease.as_ref(), &mut signals).await
        }
        WaitResult::Decided(Err(failure)) => Err(failure),
        WaitResult::Signal(signal) => Ok(u8::try_from(128 + signal.as_raw()).unwrap_or(u8::MAX)),
        WaitResult::TooLong => Err(wanted.held_by_another().await),
    };
    // Closing the lease lets the next client acquire the lock at once.
    if let Some(lease) = wanted.lease.take() {
        lease.close().await;
    }
    ended
}

/// Reason why the wait for the lock ended.
enum WaitResult {
    /// The lock was acquired with this fencing token, or cannot be acquired.
    Decided(Result<LogIndex, Failure>),
    Signal(Signal),
    TooLong,
}

async fn time_limit(wait: Option<Duration>) -> WaitResult {
    match wait {
        // No limit, or no wait at all: `acquire` itself decides after one attempt.
        None | Some(Duration::ZERO) => pending().await,
        Some(wait) => {
            Timer::after(wait).await;
            WaitResult::TooLong
        }
    }
}

async fn next_signal(signals: &mut Signals) -> Signal {
    match received(signals).await {
        Some(async_signal::Signal::Int) => Signal::INT,
        Some(async_signal::Signal::Hup) => Signal::HUP,
        _ => Signal::TERM,
    }
}

/// A lock to acquire.
struct LockAttempt<'a> {
    namespace: &'a Namespace,
    options: &'a LockOptions,
    lease: Option<HeldLease>,
}

impl LockAttempt<'_> {
    /// Waits until the lock is acquired and returns its fencing token.
    async fn acquire(&mut self) -> Result<LogIndex, Failure> {
        let mut following: Option<Subscription> = None;
        loop {
            let lease = match self.lease.take().filter(HeldLease::is_good) {
                Some(lease) => lease,
                // A lease lost while waiting is replaced; it holds no lock yet.
                None => match HeldLease::open(self.namespace, "lock", self.options.lease).await {
                    Err(failure) if failure.exit == Exit::Unreachable && following.is_some() => {
                        Timer::after(PAUSE).await;
                        continue;
                    }
                    opened => opened?,
                },
            };
            let token = lease.token();
            self.lease = Some(lease);
            let path = self.options.path.clone();
            let acquire = TreeCommand::Acquire { path: path.clone(), lease: token, content: Vec::new() };
            match self.namespace.write(acquire.clone()).await {
                Ok((_, Ok(Reply::Fenced { fence }))) => return Ok(fence),
                Ok((_, Err(Denied { code: Code::LockHeld, .. })))
                    if self.options.wait == Some(Duration::ZERO) =>
                {
                    return Err(self.held_by_another().await);
                }
                Ok((at, Err(Denied { code: Code::LockHeld, .. }))) => {
                    if following.is_none() {
                        let held = self.held_by_another().await;
                        eprintln!("ribbit: waiting: {held}");
                    }
                    let following = following.get_or_insert_with(|| self.namespace.follow(at, &path));
                    wait_until_free(following, &path).await;
                }
                // The next round opens another lease.
                Ok((_, Err(Denied { code: Code::LeaseOver, .. }))) => self.lease = None,
                Ok((_, Err(denied))) => return Err(self.namespace.refusal(&acquire, denied).await),
                Ok((_, Ok(_))) => return Err(refused(&path, Denied::new(Code::NotALock))),
                // A client that waits already keeps waiting. Repeating the request is safe: it returns the same grant.
                Err(failure) if failure.exit == Exit::Unreachable && following.is_some() => {
                    Timer::after(PAUSE).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Returns the error for a held lock, with its holder if a server can name it.
    async fn held_by_another(&self) -> Failure {
        let held = TreeCommand::Release { path: self.options.path.clone(), lease: NO_LEASE };
        self.namespace.refusal(&held, Denied::new(Code::LockHeld)).await
    }
}

/// Placeholder for commands of which only the path is used.
const NO_LEASE: ribbit_state::TokenHash = ribbit_state::TokenHash([0; 32]);

/// Waits until the lock may be free.
async fn wait_until_free(following: &mut Subscription, path: &TreePath) {
    loop {
        match following.next().await {
            SubscriptionMessage::Event(event) if frees(&event, path) => return,
            SubscriptionMessage::Event(_) | SubscriptionMessage::Heartbeat => {}
            // Events were missed, so the caller tries to acquire the lock.
            SubscriptionMessage::ReadAgain { at_least, .. } => {
                following.resume(at_least);
                return;
            }
            SubscriptionMessage::Ended(denied) => {
                log::debug!("the subscription to the path was refused: {denied}");
                Timer::after(PAUSE).await;
                return following.resume(following.cursor());
            }
        }
    }
}

fn frees(event: &Event, path: &TreePath) -> bool {
    let EventKind::Tree { nodes, .. } = &event.what else { return false };
    nodes.iter().any(|change| {
        path.is_within(&change.path) && matches!(change.what, NodeEvent::Removed | NodeEvent::Pruned)
    })
}

/// Event while CMD runs.
enum CommandEvent {
    Ended(u8),
    Signal(Signal),
    Lost(String),
}

/// Runs CMD while the lock is held.
async fn run_while_held(
    options: &LockOptions,
    fence: LogIndex,
    lease: Option<&HeldLease>,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let Some(lease) = lease else { return Err(refused(&options.path, Denied::new(Code::LeaseOver))) };
    let environment = [("RIBBIT_LOCK", options.path.to_string()), ("RIBBIT_FENCE", fence.to_string())];
    let mut running = LockedCommand::start(&options.command, &environment)
        .map_err(|error| Failure::new(Exit::Refused, format!("cannot start a process: {error}")))?;
    loop {
        let happened = async { CommandEvent::Ended(running.ended().await) }
            .or(async { CommandEvent::Lost(lease.lost().await) })
            .or(async { CommandEvent::Signal(next_signal(signals).await) })
            .await;
        match happened {
            CommandEvent::Ended(code) => return Ok(code),
            CommandEvent::Signal(signal) => running.pass_on(signal),
            CommandEvent::Lost(why) => {
                stop_command(&mut running, options.lease).await;
                let path = namespace::shown(&options.path);
                let words = format!("{path}: the lock was lost, and the command was stopped: {why}");
                return Err(Failure::new(Exit::LockLost, words));
            }
        }
    }
}

/// Ends CMD and its process group.
async fn stop_command(running: &mut LockedCommand, lease: Duration) {
    running.send(Signal::TERM);
    // A stopped process handles SIGTERM only after SIGCONT.
    running.send(Signal::CONT);
    let late = async {
        Timer::after(KILL_AFTER.min(lease / 4)).await;
        0
    };
    running.ended().or(late).await;
    running.send(Signal::KILL);
    running.ended().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::events::NodeChange;

    #[test]
    fn a_lock_is_free_when_it_or_a_folder_above_it_is_removed() {
        let path = |text: &str| text.parse::<TreePath>().unwrap();
        let event = |place: &str, what| {
            let nodes = vec![NodeChange { path: path(place), what }];
            Event::new(1, EventKind::Tree { nodes, lease: None })
        };
        let lock = path("/jobs/backup");
        assert!(frees(&event("/jobs/backup", NodeEvent::Removed), &lock));
        assert!(frees(&event("/jobs", NodeEvent::Pruned), &lock));
        assert!(!frees(&event("/jobs/backup", NodeEvent::Acquired { fence: 1 }), &lock));
        assert!(!frees(&event("/jobs/backup/x", NodeEvent::Removed), &lock));
        assert!(!frees(&event("/jobs/back", NodeEvent::Removed), &lock));
    }
}
