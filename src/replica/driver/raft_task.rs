//! The Raft task: it feeds the core with messages and ticks, and carries out its outputs.

use super::inbox::Messages;
use super::log_reads::LogReads;
use super::{Envelope, ReplicaFailure, ReplicaState, RunGuard, SubmitError, TaskMessage, Transport, wall_ms};
use crate::ReadAnswer;
use crate::convert;
use crate::core::{Core, Input, Now, Output};
use crate::tick_clock::TickClock;
use crate::writer::StoreJob;
use ribbit_state::sync::MutexExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Task that feeds the core and carries out its outputs.
pub(super) struct RaftTask<T> {
    pub core: Core,
    pub messages: Messages<TaskMessage>,
    pub jobs: mpsc::Sender<StoreJob>,
    pub reading: LogReads,
    pub transport: T,
    pub shared: Arc<ReplicaState>,
    pub _guard: RunGuard,
}

/// Maximum number of messages fed before the core is polled. It bounds the time for which a peer waits for its answer.
const DRAIN_MAX: usize = 1_024;

impl<T: Transport> RaftTask<T> {
    /// Runs until the replica is stopped or cannot go on.
    pub async fn run(mut self) {
        let started = Instant::now();
        let mut clock = TickClock::new(0);
        let mut timer = LazyTimer::at(started + Duration::from_micros(clock.due_at_us()));
        // True while a received snapshot is fed and not yet installed or refused.
        let mut snapshot = false;
        loop {
            let message = async { Some(self.messages.next().await) };
            let ticked = async {
                timer.passed().await;
                None
            };
            let first = smol::future::or(message, ticked).await;
            let now = Instant::now();
            let passed = clock.passed((now - started).as_micros() as u64);
            self.pass(passed.before);
            let more = std::iter::from_fn(|| self.messages.next_waiting()).take(DRAIN_MAX);
            for message in first.into_iter().chain(more) {
                match message {
                    TaskMessage::Input(input) => self.core.feed(input),
                    TaskMessage::Turn(done) => {
                        let (applied, stored) = *done;
                        self.core.feed(Input::Applied(applied));
                        self.core.feed(Input::Stored(stored));
                    }
                    TaskMessage::Snapshot { from, message } => {
                        snapshot = true;
                        self.core.feed(Input::Message { from, message });
                    }
                    TaskMessage::Stop => return,
                }
            }
            self.shared.turns.fetch_add(1, Ordering::Relaxed);
            self.pass(passed.after);
            let wall_ms = wall_ms();
            let monotonic_ms = (now - started).as_millis() as u64 + 1;
            let outputs = self.core.poll(Now { wall_ms, monotonic_ms });
            // The snapshot is installed or refused, so the next one may be received. If it were received as soon as the
            // store thread has the new file, it could be complete before the core knows, and its reservation would never
            // end.
            if snapshot && !self.core.is_installing() {
                snapshot = false;
                self.shared.incoming.store(false, Ordering::Release);
            }
            for output in outputs {
                if let Output::SendSnapshot(message) = output {
                    let to = message.to;
                    if !self.transport.send_snapshot(to, message) {
                        self.core.feed(Input::SnapshotSent { to, complete: false });
                    }
                } else if !self.carry_out(output) {
                    return;
                }
            }
            self.publish();
            clock.plan(self.core.ticks_until_due());
            timer.set(started + Duration::from_micros(clock.due_at_us()));
        }
    }

    /// Feeds ticks, if any have passed.
    fn pass(&mut self, ticks: u64) {
        if ticks > 0 {
            self.core.feed(Input::Ticks(ticks));
        }
    }

    /// Carries out one output. Returns false when the replica cannot go on.
    fn carry_out(&self, output: Output) -> bool {
        match output {
            Output::Send(message) => {
                self.transport.send(message.to, Envelope::Raft(convert::message_to_bytes(&message).into()));
            }
            Output::Forward { to, requests } => self.transport.send(to, Envelope::Forward(requests)),
            Output::SendSnapshot(_) => unreachable!("carried out by the loop"),
            Output::Store(job) => return self.jobs.send(job).is_ok(),
            Output::Fetch(fetch) => self.reading.begin(fetch),
            Output::Expired(ids) => {
                for id in ids {
                    self.shared.waiters.answer(id, &Err(SubmitError::Late));
                }
            }
            Output::Refused(id) => {
                self.shared.waiters.answer(id, &Err(SubmitError::Busy));
            }
            Output::ReadIndex(ReadAnswer { reads, index }) => {
                let answer = index.ok_or(SubmitError::Late);
                for id in reads {
                    self.shared.reads.answer(id, &answer);
                }
            }
            Output::Fatal(why) => {
                let _ = self.shared.failed.try_send(ReplicaFailure::Broken(why));
                return false;
            }
            Output::Lost(why) => {
                let _ = self.shared.failed.try_send(ReplicaFailure::Lost(why));
                return false;
            }
            Output::Fork(why) => {
                let _ = self.shared.failed.try_send(ReplicaFailure::Differs(why));
                return false;
            }
        }
        true
    }

    /// Publishes the status of the core.
    fn publish(&self) {
        let mut status = self.core.status();
        // A member that is receiving a snapshot lags far behind, even while it does not know how far.
        status.in_sync &= !self.shared.incoming.load(Ordering::Acquire);
        let (term, leader) = (status.term, status.leader);
        let mut shared = self.shared.status.locked();
        let turned = (shared.term, shared.leader) != (term, leader);
        *shared = status;
        drop(shared);
        if turned {
            self.shared.progress.notify(usize::MAX);
            log::info!("term {term}, leader {}", leader.map_or("unknown".into(), |id| id.to_string()));
        }
    }
}

/// Timer that is moved only when it would pass too late. A follower's election timeout moves with every heartbeat, and each
/// move costs the reactor more than passing early once in a while.
struct LazyTimer {
    timer: smol::Timer,
    at: Instant,
    has_passed: bool,
}

impl LazyTimer {
    fn at(at: Instant) -> LazyTimer {
        LazyTimer { timer: smol::Timer::at(at), at, has_passed: false }
    }

    /// Waits until the timer passes, which may be earlier than it was set.
    async fn passed(&mut self) {
        (&mut self.timer).await;
        self.has_passed = true;
    }

    /// Makes the timer pass by this time.
    fn set(&mut self, at: Instant) {
        if self.has_passed || at < self.at {
            self.timer.set_at(at);
            (self.at, self.has_passed) = (at, false);
        }
    }
}
