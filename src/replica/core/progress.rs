//! Status of a core, and the progress of the members that it derives from.

use super::{Core, CoreStatus};
use crate::limits::{FOLLOW_TICKS, SYNC_LAG_MAX, TICK_MS};
use ribbit_state::{LogIndex, RaftId};
use std::collections::BTreeMap;

/// Progress of a member towards a target index.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LogProgress {
    /// Index that the member has reached.
    at: LogIndex,
    /// Index that the member should reach.
    to: LogIndex,
    /// Tick at which the member last made progress or was up to date.
    since: u64,
}

impl LogProgress {
    /// Raises the target to an index that the leader has applied.
    pub(super) fn raise_target(&mut self, to: LogIndex) {
        self.to = self.to.max(to);
    }

    fn note(&mut self, at: LogIndex, to: LogIndex, ticks: u64) {
        self.to = self.to.max(to);
        if at != self.at || at >= self.to {
            self.since = ticks;
        }
        self.at = at;
    }

    fn stalled_ticks(&self, ticks: u64) -> u64 {
        if self.at < self.to { ticks.saturating_sub(self.since) } else { 0 }
    }
}

impl Core {
    /// Returns the status of this replica.
    pub fn status(&self) -> CoreStatus {
        let raft = &self.raw.raft;
        let applied = raft.store().applied().index;
        let heard = self.leads()
            || self.leader_heard_tick.is_some_and(|at| self.ticks - at <= self.leader_silent_ticks());
        let behind = self.committed().max(self.own_progress.to).saturating_sub(applied);
        let stalled_ticks = self.own_progress.stalled_ticks(self.ticks);
        let leader = (raft.leader_id != 0 && heard).then_some(raft.leader_id);
        CoreStatus {
            me: self.options.me,
            leader,
            leads: self.leads(),
            term: raft.term,
            configuration: raft.store().configuration(),
            commit: raft.raft_log.committed,
            applied,
            last: raft.store().last().index,
            in_sync: leader.is_some()
                && behind <= SYNC_LAG_MAX
                && stalled_ticks < FOLLOW_TICKS
                && self.installing.is_none(),
            stalled_ms: if stalled_ticks < FOLLOW_TICKS { 0 } else { stalled_ticks * TICK_MS },
            lagging: self.lagging(),
        }
    }

    /// Returns the newest index that this member knows to be committed, by its own log or by its leader's word.
    fn committed(&self) -> LogIndex {
        let announced =
            if self.announced_commit.0 == self.raw.raft.term { self.announced_commit.1 } else { 0 };
        self.raw.raft.raft_log.committed.max(announced)
    }

    /// Returns the members that have stalled or lag far behind, while this node leads.
    fn lagging(&self) -> Vec<RaftId> {
        let lags = |it: &LogProgress| {
            it.stalled_ticks(self.ticks) >= FOLLOW_TICKS || it.to.saturating_sub(it.at) > SYNC_LAG_MAX
        };
        self.peer_progress.iter().filter(|(_, it)| lags(it)).map(|(id, _)| *id).collect()
    }

    /// Records how far this member has applied and, as the leader, how far the logs of the others reach.
    /// `passed` ticks have passed since it was last recorded.
    pub(super) fn record_progress(&mut self, passed: u64) {
        let (applied, committed, ticks) =
            (self.raw.raft.store().applied().index, self.committed(), self.ticks);
        let was_stalled = self.own_progress.stalled_ticks(ticks - passed) >= FOLLOW_TICKS;
        self.own_progress.note(applied, committed, ticks);
        if !was_stalled && self.own_progress.stalled_ticks(ticks) >= FOLLOW_TICKS {
            log::warn!(
                "this member has made no progress for {} s: it has applied {applied}, its log ends at {}, and the \
                 leader has applied or committed {}",
                FOLLOW_TICKS * TICK_MS / 1_000,
                self.raw.raft.raft_log.last_index(),
                self.own_progress.to
            );
        }
        if !self.leads() {
            return self.peer_progress.clear();
        }
        let matched: BTreeMap<RaftId, LogIndex> =
            self.raw.raft.prs().iter().map(|(id, progress)| (*id, progress.matched)).collect();
        self.peer_progress.retain(|id, _| matched.contains_key(id));
        for (id, matched) in matched {
            let before = self
                .peer_progress
                .entry(id)
                .or_insert(LogProgress { since: ticks, ..LogProgress::default() });
            before.note(matched, committed, ticks);
        }
    }
}
