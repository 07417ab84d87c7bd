//! The thread around the writer: jobs that wait together are carried out together, and who waits is answered.

use super::inbox::Inbox;
use super::{Life, Message, Shared};
use crate::db::DbError;
use crate::replica::core::Input;
use crate::replica::writer::{Done, Job, Writer};
use smol::channel::Sender;
use std::convert::Infallible;
use std::sync::{Arc, mpsc};
use std::time::Instant;

pub(super) struct StoreThread {
    pub writer: Writer,
    pub jobs: mpsc::Receiver<Job>,
    pub inbox: Inbox<Message>,
    pub shared: Arc<Shared>,
    pub _ends: Sender<Infallible>,
}

impl StoreThread {
    pub fn run(mut self) {
        let _life = Life("store thread", self.shared.clone());
        while let Ok(job) = self.jobs.recv() {
            let jobs = Job::joined([job].into_iter().chain(self.jobs.try_iter()));
            self.is_busy(true);
            let turn = self.turn(jobs);
            self.is_busy(false);
            if let Err(error) = turn {
                let _ = self.shared.failed.try_send(error.into());
                return;
            }
        }
        // So that the next start has little to apply again; the log has everything.
        if let Err(error) = self.writer.checkpoint() {
            log::warn!("the last rows are not durable: {error}");
        }
    }

    fn is_busy(&self, busy: bool) {
        let since = busy.then(Instant::now);
        *self.shared.store_busy.lock().expect("nobody panics while it holds this lock") = since;
    }

    fn turn(&mut self, jobs: Vec<Job>) -> Result<(), DbError> {
        let (mut applied, mut awaited) = (None, false);
        if jobs.iter().any(|job| !job.committed.is_empty() || job.install.is_some()) {
            let done = self.writer.apply(&jobs)?;
            awaited = self.answer(&done);
            applied = Some(done);
        }
        // What was applied is told before the disk is waited for where somebody here has waited for it, and else together
        // with the rest: each message may wake a thread. Sending ends with the Raft task: then nobody needs to be told.
        if awaited
            && jobs.iter().any(|job| !job.is_volatile())
            && let Some(done) = applied.take()
        {
            let _ = self.inbox.put(Message::Input(Input::Applied(done)));
        }
        let stored = self.writer.append(jobs)?;
        let _ = self.inbox.put(match applied {
            Some(applied) => Message::Turn(Box::new((applied, stored))),
            None => Message::Input(Input::Stored(stored)),
        });
        Ok(())
    }

    /// Answers who waits for any of this. Whether anybody did.
    fn answer(&self, done: &Done) -> bool {
        let mut awaited = false;
        for entry in &done.outcomes {
            awaited |= self.shared.waiters.answer(entry.id, &Ok((entry.index, entry.outcome.clone())));
        }
        let events = done.outcomes.iter().map(|entry| (entry.index, entry.happened.clone()));
        self.shared.live.publish(done.installed, events, done.applied.index);
        self.shared.progress.notify(usize::MAX);
        awaited
    }
}
