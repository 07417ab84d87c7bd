//! Store jobs of a core: handing them out, holding the messages that depend on them, and handling their results.

use super::{Core, Output};
use crate::limits::{ANSWER_TICKS, APPEND_RESEND_TICKS, JOBS_MAX};
use crate::writer::{JobResult, StoreJob};
use raft::eraftpb::{Message, MessageType};
use ribbit_db::faults::{Fault, injected};
use ribbit_state::LogIndex;

impl Core {
    /// Holds messages back until the job that they depend on is durable. Messages that depend on nothing are sent at once.
    pub(super) fn defer(&mut self, number: u64, promises: Vec<Message>, volatile: bool) {
        if volatile && self.job_sent == self.job_done {
            promises.into_iter().for_each(|message| self.send(message));
            return;
        }
        let (now, later): (Vec<_>, Vec<_>) =
            promises.into_iter().partition(|message| match message.msg_type() {
                MessageType::MsgHeartbeatResponse => message.term <= self.durable_term,
                // A query promises nothing, and neither does a pre-vote.
                MessageType::MsgReadIndex | MessageType::MsgRequestPreVote => true,
                MessageType::MsgRequestPreVoteResponse => {
                    !message.reject || message.term <= self.durable_term
                }
                _ => injected(Fault::AckBeforeFsync),
            });
        now.into_iter().for_each(|message| self.send(message));
        if !later.is_empty() {
            self.deferred.push_back((number, later));
        }
    }

    /// Hands a job to the store, or queues it behind the jobs under way.
    pub(super) fn hand_out(&mut self, job: StoreJob) {
        if job.is_empty() && self.job_sent == self.job_done {
            self.raw.on_persist_ready(job.number);
            self.job_sent = job.number;
            self.job_done = job.number;
            return;
        }
        self.job_sent = job.number;
        if self.under_way.len() < JOBS_MAX {
            self.under_way.push_back(job.number);
            return self.outputs.push(Output::Store(job));
        }
        // The disk is slow. Heartbeats must go on, and each makes a job. The jobs are joined, so that the backlog takes no
        // more memory than the data to write. Jobs from before an installed snapshot stay before it.
        match self.backlog.back_mut() {
            Some(last) if job.install.is_none() => last.join(job),
            _ => self.backlog.push_back(job),
        }
    }

    fn hand_out_backlog(&mut self) {
        while self.under_way.len() < JOBS_MAX
            && let Some(job) = self.backlog.pop_front()
        {
            self.under_way.push_back(job.number);
            self.outputs.push(Output::Store(job));
        }
    }

    /// Sends a message, unless it repeats an append that was sent a moment ago, or an answer of which the leader has no need.
    pub(super) fn send(&mut self, message: Message) {
        let needless = match message.msg_type() {
            MessageType::MsgAppend => self.is_on_its_way(&message),
            MessageType::MsgHeartbeatResponse => self.is_needless(&message),
            _ => false,
        };
        if needless {
            return;
        }
        self.outputs.push(match message.msg_type() {
            MessageType::MsgSnapshot => Output::SendSnapshot(message),
            _ => Output::Send(message),
        });
    }

    /// Returns true if this answer to a heartbeat confirms no read index, asks for no entries, and another one was sent a
    /// moment ago, and records it otherwise. Each answer wakes the leader.
    fn is_needless(&mut self, answer: &Message) -> bool {
        let log = &self.raw.raft.raft_log;
        if answer.context.is_empty()
            && log.committed == log.last_index()
            && self.ticks < self.answered_tick + ANSWER_TICKS
            && self.answered_tick > 0
        {
            return true;
        }
        self.answered_tick = self.ticks;
        false
    }

    /// Returns true if an append from the same index was sent to this peer a moment ago, and records it otherwise.
    ///
    /// To a follower that lags and has not acknowledged yet, the engine sends a full message of entries for every
    /// heartbeat response. After a network partition a hundred such responses arrive at once, and would cost both sides a
    /// hundred times the memory.
    fn is_on_its_way(&mut self, append: &Message) -> bool {
        if append.entries.is_empty() {
            return false;
        }
        let before = self.appended.get(&append.to).copied();
        if let Some((term, index, ticks)) = before
            && (term, index) == (append.term, append.index)
            && self.ticks < ticks + APPEND_RESEND_TICKS
        {
            return true;
        }
        self.appended.insert(append.to, (append.term, append.index, self.ticks));
        false
    }

    /// Handles [`super::Input::Applied`].
    pub(super) fn applied(&mut self, done: JobResult) {
        for outcome in &done.outcomes {
            self.requests.finish(outcome.id);
            self.proposed.remove(&outcome.id);
        }
        if let Some(members) = done.members {
            self.last_heard.retain(|id, _| members.iter().any(|(member, _)| member == id));
            self.members = members;
        }
        if let Some(age_ms) = done.age_ms
            && age_ms > self.age_ms
        {
            self.age_ms = age_ms;
            self.age_at_ms = self.now.monotonic_ms;
        }
        // An installed snapshot includes its hard state.
        self.durable_term = self.durable_term.max(done.durable_term.unwrap_or(0));
        let durable = self.raw.raft.store().last().index.min(done.durable.unwrap_or(0));
        self.raw.mut_store().stored(durable, done.applied, done.floor);
        self.advance_applied(done.applied.index);
    }

    /// Reports the applied index to the engine. A snapshot is applied before the engine knows it to be durable; then the
    /// report is made with `Stored`.
    fn advance_applied(&mut self, index: LogIndex) {
        let log = &self.raw.raft.raft_log;
        if index > log.applied && index <= log.persisted && index <= log.committed {
            self.raw.advance_apply_to(index);
        }
        let applied = self.raw.raft.raft_log.applied;
        self.raw.mut_store().trim(applied);
    }

    /// Handles [`super::Input::Stored`]: sends the messages that waited for these jobs.
    pub(super) fn stored(&mut self, done: &JobResult) {
        self.job_done = self.job_done.max(done.number);
        while self.under_way.front().is_some_and(|number| *number <= done.number) {
            self.under_way.pop_front();
        }
        self.hand_out_backlog();
        if self.installing.is_some_and(|number| number <= done.number) {
            self.installing = None;
        }
        if let Some(term) = done.durable_term {
            self.durable_term = self.durable_term.max(term);
        }
        self.raw.on_persist_ready(done.number);
        if let Some(durable) = done.durable {
            self.raw.mut_store().stored(durable, done.applied, done.floor);
        }
        self.advance_applied(done.applied.index);
        while self.deferred.front().is_some_and(|(number, _)| *number <= done.number) {
            if let Some((_, messages)) = self.deferred.pop_front() {
                messages.into_iter().for_each(|message| self.send(message));
            }
        }
    }
}
