//! How a core comes by the read index: the waiting in [`crate::replica::reads`], the asking in the engine.

use super::{Core, Output, ReadAnswer, ReadId};

impl Core {
    pub(super) fn add_read(&mut self, id: ReadId, ticks: u64) {
        if !self.reads.add(id, self.ticks + ticks.max(1)) {
            self.outputs.push(Output::ReadIndex(ReadAnswer { reads: vec![id], index: None }));
        }
    }

    /// Asks for everybody who waits, if it is time to. A leader that has committed nothing in its term does not
    /// know yet what was acknowledged before it: its own reads wait, others' questions the engine drops.
    pub(super) fn ask_read_index(&mut self) -> bool {
        let raft = &self.raw.raft;
        if raft.leader_id == 0 || (self.leads() && !raft.commit_to_current_term()) {
            return false;
        }
        let Some(context) = self.reads.take_due(raft.leader_id, raft.term, self.ticks) else { return false };
        self.raw.read_index(context);
        true
    }

    pub(super) fn reads_confirmed(&mut self, states: &[raft::ReadState]) {
        for state in states {
            let reads = self.reads.confirmed(&state.request_ctx);
            if !reads.is_empty() {
                self.outputs.push(Output::ReadIndex(ReadAnswer { reads, index: Some(state.index) }));
            }
        }
    }

    pub(super) fn expire_reads(&mut self) {
        let reads = self.reads.expire(self.ticks);
        if !reads.is_empty() {
            self.outputs.push(Output::ReadIndex(ReadAnswer { reads, index: None }));
        }
    }
}
