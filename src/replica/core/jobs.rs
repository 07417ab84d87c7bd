//! What a core wants stored, and what follows once it is: jobs on their way to the store thread, the messages held
//! behind them, and what was applied.

use super::{Core, Output};
use crate::db::planted::{Bug, planted};
use crate::replica::limits::{APPEND_RESEND_TICKS, JOBS_MAX};
use crate::replica::writer::{Done, Job};
use crate::state::LogIndex;
use raft::eraftpb::{Message, MessageType};

impl Core {
    /// Holds messages that promise what the job makes durable.
    pub(super) fn hold(&mut self, number: u64, promises: Vec<Message>, volatile: bool) {
        if volatile && self.job_sent == self.job_done {
            promises.into_iter().for_each(|message| self.send(message));
            return;
        }
        let (now, later): (Vec<_>, Vec<_>) =
            promises.into_iter().partition(|message| match message.msg_type() {
                MessageType::MsgHeartbeatResponse => message.term <= self.durable_term,
                // A question promises nothing.
                MessageType::MsgReadIndex => true,
                _ => planted(Bug::AckBeforeFsync),
            });
        now.into_iter().for_each(|message| self.send(message));
        if !later.is_empty() {
            self.held.push_back((number, later));
        }
    }

    pub(super) fn hand_out(&mut self, job: Job) {
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
        // The disk is slow. Heartbeats must go on, and each makes a job: they are joined, so that waiting costs
        // no more memory than what has to be written. What came before an installed snapshot stays before it.
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

    pub(super) fn send(&mut self, message: Message) {
        if message.msg_type() == MessageType::MsgAppend && self.is_on_its_way(&message) {
            return;
        }
        self.outputs.push(match message.msg_type() {
            MessageType::MsgSnapshot => Output::SendSnapshot(message),
            _ => Output::Send(message),
        });
    }

    /// Whether entries from there on were sent to this peer a moment ago. Of who is behind and has not answered yet, the
    /// engine sends as many as fit a message with each answer to a heartbeat; a hundred such answers come at once when a
    /// network was cut for a while, and would cost both sides a hundred times the memory.
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

    pub(super) fn applied(&mut self, done: Done) {
        for outcome in &done.outcomes {
            self.requests.finish(outcome.id);
            self.proposed.remove(&outcome.id);
        }
        if let Some(members) = done.members {
            self.heard.retain(|id, _| members.iter().any(|(member, _)| member == id));
            self.members = members;
        }
        if let Some(age_ms) = done.age_ms
            && age_ms > self.age_ms
        {
            self.age_ms = age_ms;
            self.age_at_ms = self.now.monotonic_ms;
        }
        // An installed snapshot brought its hard state with it.
        self.durable_term = self.durable_term.max(done.durable_term.unwrap_or(0));
        let durable = self.raw.raft.store().last().index.min(done.durable.unwrap_or(0));
        self.raw.mut_store().stored(durable, done.applied, done.floor);
        self.advance_applied(done.applied.index);
    }

    /// Tells the engine what is applied. A snapshot is applied before the engine takes it for durable: then that
    /// has to wait for `Stored`.
    fn advance_applied(&mut self, index: LogIndex) {
        let log = &self.raw.raft.raft_log;
        if index > log.applied && index <= log.persisted && index <= log.committed {
            self.raw.advance_apply_to(index);
        }
        let applied = self.raw.raft.raft_log.applied;
        self.raw.mut_store().trim(applied);
    }

    pub(super) fn stored(&mut self, done: &Done) {
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
        while self.held.front().is_some_and(|(number, _)| *number <= done.number) {
            if let Some((_, messages)) = self.held.pop_front() {
                messages.into_iter().for_each(|message| self.send(message));
            }
        }
    }
}
