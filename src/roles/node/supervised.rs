//! What a member tells its supervisor: that it is ready, what it is doing, and that it lives.
//!
//! It lives when the sockets' thread turns, the Raft task has had its turn since the last sign, and neither the store thread nor
//! the main one has been at one thing for longer than `STUCK_MAX`. Both wait for disks, and a card may stall: what ends a
//! process for that would make it read everything again, from the same card.

use super::Node;
use crate::net::tasks;
use crate::roles::failure::Failure;
use crate::roles::systemd::{notify, watchdog};
use crate::state::RaftId;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A thread that has been at one thing for so long does not come back: installing two gigabytes on a slow card is done in less.
const STUCK_MAX: Duration = Duration::from_secs(15 * 60);
/// How often the main thread says that it turns.
const PULSE_EVERY: Duration = Duration::from_secs(5);
/// For tests: the sockets' thread stands still for ever, so many milliseconds after this member is ready.
const TEST_STUCK_MS: &str = "RIBBIT_TEST_STUCK_MS";

/// When the main thread last had its turn; nothing before it serves.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<Option<Instant>>);

impl Pulse {
    /// On the main thread, beside its work.
    pub async fn beat(&self) {
        if !notify::is_heard() {
            return;
        }
        loop {
            *self.0.lock().expect("nobody panics while it holds this lock") = Some(Instant::now());
            smol::Timer::after(PULSE_EVERY).await;
        }
    }

    fn silent_for(&self) -> Duration {
        let last = *self.0.lock().expect("nobody panics while it holds this lock");
        last.map_or(Duration::ZERO, |last| last.elapsed())
    }
}

/// Says that this member is ready, and goes on to say how it is, on the thread of the sockets, until the task is dropped.
///
/// # Errors
/// What tests say is no number.
pub async fn ready(node: &Arc<Node>) -> Result<smol::Task<()>, Failure> {
    notify::ready().await;
    if let Some(ms) = super::number_for_tests(TEST_STUCK_MS)? {
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

fn is_well(node: &Node, turns_before: &AtomicU64) -> Result<(), String> {
    let still = |name: &str, time: Duration| {
        Err(format!("the {name} has been at one thing for {} s", time.as_secs()))
    };
    let silent = node.pulse.silent_for();
    if silent > STUCK_MAX {
        return still("main thread", silent);
    }
    let Some(member) = node.member.get() else { return Ok(()) };
    let busy = member.replica.store_busy();
    if busy > STUCK_MAX {
        return still("store thread", busy);
    }
    let turns = member.replica.turns();
    match turns_before.swap(turns, Ordering::Relaxed) == turns && turns > 0 {
        true => Err("the Raft task has not had its turn".to_string()),
        false => Ok(()),
    }
}

/// `backend-2 follows backend-1, in sync, applied up to 4711`
fn words(node: &Node) -> String {
    let name = node.options.name();
    let Some(member) = node.member.get() else { return format!("{name} waits for a group to join") };
    let status = member.replica.status();
    let applied = member.replica.reader().applied();
    let called = |id: RaftId| {
        let known = member.peers.known().into_iter().find(|info| info.raft_id == id);
        super::describe(id, known.as_ref())
    };
    match status.leader {
        None => format!("{name} knows of no leader, nothing can be written; applied up to {applied}"),
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
