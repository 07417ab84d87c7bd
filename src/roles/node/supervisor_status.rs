//! Messages to the supervisor (systemd): readiness, a status line, and the watchdog's keep-alive.
//!
//! The keep-alive is sent while the I/O thread runs, the Raft task has run since the last keep-alive, and neither the store
//! thread nor the main thread has been busy with one operation for longer than `STUCK_MAX`. Both threads wait for disks, and
//! an SD card may stall. Ending the process for a stall would only make it read everything again from the same card.

use super::NodeState;
use crate::common::failure::Failure;
use crate::common::systemd::{notify, watchdog};
use crate::common::test_hooks;
use ribbit_net::tasks;
use ribbit_state::RaftId;
use ribbit_state::sync::MutexExt;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Duration of one operation after which its thread counts as stuck. Installing a snapshot of two gigabytes on a slow card
/// takes less.
const STUCK_MAX: Duration = Duration::from_secs(15 * 60);

/// Interval between two pulses of the main thread.
const PULSE_EVERY: Duration = Duration::from_secs(5);

/// Test hook: milliseconds after readiness at which the I/O thread blocks for ever.
const TEST_STUCK_MS: &str = "STUCK_MS";

/// Time of the main thread's last pulse, `None` before the node serves.
#[derive(Debug, Default)]
pub(crate) struct MainThreadPulse(Mutex<Option<Instant>>);

impl MainThreadPulse {
    /// Records a pulse periodically. Runs on the main thread beside its work.
    pub(crate) async fn beat(&self) {
        if !notify::is_heard() {
            return;
        }
        loop {
            *self.0.locked() = Some(Instant::now());
            smol::Timer::after(PULSE_EVERY).await;
        }
    }

    fn silent_for(&self) -> Duration {
        let last = *self.0.locked();
        last.map_or(Duration::ZERO, |last| last.elapsed())
    }
}

/// Reports readiness, then the status and keep-alives on the I/O thread until the returned task is dropped.
///
/// # Errors
/// `Configuration` when the test hook's value is not a number.
pub(crate) async fn ready(node: &Arc<NodeState>) -> Result<smol::Task<()>, Failure> {
    notify::ready().await;
    if let Some(ms) = test_hooks::number(TEST_STUCK_MS)? {
        let stuck = async move {
            smol::Timer::after(Duration::from_millis(ms)).await;
            loop {
                std::thread::park();
            }
        };
        tasks::spawn(stuck).detach();
    }
    if !notify::is_heard() {
        return Ok(tasks::spawn(pending()));
    }
    let node = node.clone();
    Ok(tasks::spawn(async move {
        let turns = AtomicU64::new(0);
        let living = watchdog::feed(|| is_well(&node, &turns));
        smol::future::zip(notify::keep_status(|| words(&node)), living).await;
    }))
}

/// Checks the threads and the Raft task. `turns_before` is the Raft task's turn counter at the last check.
///
/// # Errors
/// The reason why the process counts as stuck.
fn is_well(node: &NodeState, turns_before: &AtomicU64) -> Result<(), String> {
    let still = |name: &str, time: Duration| {
        Err(format!("the {name} has been busy with one operation for {} s", time.as_secs()))
    };
    let silent = node.pulse.silent_for();
    if silent > STUCK_MAX {
        return still("main thread", silent);
    }
    let Some(member) = node.membership.get() else { return Ok(()) };
    let busy = member.replica.store_busy();
    if busy > STUCK_MAX {
        return still("store thread", busy);
    }
    let turns = member.replica.turns();
    match turns_before.swap(turns, Ordering::Relaxed) == turns && turns > 0 {
        true => Err("the Raft task has not run since the last check".to_string()),
        false => Ok(()),
    }
}

/// Returns the status line, for example `backend-2 follows backend-1, in sync, applied up to 4711`.
fn words(node: &NodeState) -> String {
    let name = node.options.name();
    let Some(member) = node.membership.get() else { return format!("{name} is waiting to join a cluster") };
    let status = member.replica.status();
    let applied = member.replica.reader().applied();
    let called = |id: RaftId| {
        let known = member.member_list.known().into_iter().find(|info| info.raft_id == id);
        super::describe(id, known.as_ref())
    };
    match status.leader {
        None => format!("{name} has no leader, writes are unavailable; applied up to {applied}"),
        Some(_) if status.leads => format!("{name} leads, applied up to {applied}"),
        Some(leader) if status.in_sync => {
            format!("{name} follows {}, in sync, applied up to {applied}", called(leader))
        }
        Some(leader) => {
            format!(
                "{name} is catching up with {}, applied up to {applied} of {}",
                called(leader),
                status.commit
            )
        }
    }
}
