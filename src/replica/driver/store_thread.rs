//! The store thread around the writer: it carries out waiting jobs together and answers the clients that wait for them.

use super::inbox::Inbox;
use super::{ReplicaState, RunGuard, TaskMessage};
use crate::core::Input;
use crate::writer::{JobResult, StoreJob, Writer};
use ribbit_db::DbError;
use ribbit_state::sync::MutexExt;
use smol::channel::Sender;
use std::convert::Infallible;
use std::sync::{Arc, mpsc};
use std::time::Instant;

/// State of the store thread.
pub(super) struct StoreThread {
    pub writer: Writer,
    pub jobs: mpsc::Receiver<StoreJob>,
    pub inbox: Inbox<TaskMessage>,
    pub shared: Arc<ReplicaState>,
    pub _ends: Sender<Infallible>,
}

impl StoreThread {
    /// Carries out jobs until the Raft task ends or the store fails.
    pub fn run(mut self) {
        let _guard = RunGuard("store thread", self.shared.clone());
        while let Ok(job) = self.jobs.recv() {
            let jobs = StoreJob::joined([job].into_iter().chain(self.jobs.try_iter()));
            self.set_busy(true);
            let turn = self.turn(jobs);
            self.set_busy(false);
            if let Err(error) = turn {
                let _ = self.shared.failed.try_send(error.into());
                return;
            }
        }
        // A checkpoint shortens the next start. Without it nothing is lost: the log has everything.
        if let Err(error) = self.writer.settle() {
            log::warn!(
                "the checkpoint at the end failed, so the next start replays more of the log: {error}"
            );
        }
    }

    /// Records that work begins or ends, for [`super::Replica::store_busy`].
    fn set_busy(&self, busy: bool) {
        let since = busy.then(Instant::now);
        *self.shared.store_busy.locked() = since;
    }

    /// Carries out jobs and sends their results to the Raft task.
    fn turn(&mut self, jobs: Vec<StoreJob>) -> Result<(), DbError> {
        let (mut applied, mut awaited) = (None, false);
        if jobs.iter().any(|job| !job.committed.is_empty() || job.install.is_some()) {
            let done = self.writer.apply(&jobs)?;
            awaited = self.answer(&done);
            applied = Some(done);
        }
        // If a client of this node waited for an outcome, the Raft task learns of it before the fsync. Otherwise it gets
        // one message for both results, because each message may wake a thread. Sending fails only when the Raft task has
        // ended.
        if awaited
            && jobs.iter().any(|job| !job.is_volatile())
            && let Some(done) = applied.take()
        {
            let _ = self.inbox.put(TaskMessage::Input(Input::Applied(done)));
        }
        let stored = self.writer.append(jobs)?;
        let _ = self.inbox.put(match applied {
            Some(applied) => TaskMessage::Turn(Box::new((applied, stored))),
            None => TaskMessage::Input(Input::Stored(stored)),
        });
        Ok(())
    }

    /// Answers the clients that wait for these outcomes. Returns true if there was one.
    fn answer(&self, done: &JobResult) -> bool {
        let mut awaited = false;
        for entry in &done.outcomes {
            awaited |= self.shared.waiters.answer(entry.id, &Ok((entry.index, entry.outcome.clone())));
        }
        let events = done.outcomes.iter().filter_map(|entry| entry.event.clone());
        self.shared.events.publish(done.installed, events, done.applied.index);
        self.shared.progress.notify(usize::MAX);
        awaited
    }
}
