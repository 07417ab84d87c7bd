//! Read index queries of a core: [`crate::reads`] keeps the pending reads, the engine asks the leader.

use super::{Core, Output, ReadAnswer, ReadId};

impl Core {
    /// Adds a pending read, or answers it without an index when too many are pending.
    pub(super) fn add_read(&mut self, id: ReadId, ticks: u64) {
        if !self.reads.add(id, self.ticks + ticks.max(1)) {
            self.outputs.push(Output::ReadIndex(ReadAnswer { reads: vec![id], index: None }));
        }
    }

    /// Sends one query for all pending reads, if one is due. Returns true if it did.
    ///
    /// A leader that has committed nothing in its term does not know yet what was acknowledged before it. Its own reads
    /// wait; the engine drops queries of other members.
    pub(super) fn ask_read_index(&mut self) -> bool {
        let raft = &self.raw.raft;
        if raft.leader_id == 0 || (self.leads() && !raft.commit_to_current_term()) {
            return false;
        }
        let Some(context) = self.reads.take_due(raft.leader_id, raft.term, self.ticks) else { return false };
        self.raw.read_index(context);
        true
    }

    /// Answers the reads for which the engine has confirmed a read index.
    pub(super) fn reads_confirmed(&mut self, states: &[raft::ReadState]) {
        for state in states {
            let reads = self.reads.confirmed(&state.request_ctx);
            if !reads.is_empty() {
                self.outputs.push(Output::ReadIndex(ReadAnswer { reads, index: Some(state.index) }));
            }
        }
    }

    /// Answers expired reads without an index.
    pub(super) fn expire_reads(&mut self) {
        let reads = self.reads.expire(self.ticks);
        if !reads.is_empty() {
            self.outputs.push(Output::ReadIndex(ReadAnswer { reads, index: None }));
        }
    }
}
