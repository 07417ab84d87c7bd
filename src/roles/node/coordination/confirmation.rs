//! Proof that the leader still leads, before it confirms heartbeats. Pure.

use ribbit_db::faults::{Fault, injected};

/// Round in which the leader asks a majority whether it still leads, for heartbeats that arrived before the round began.
#[derive(Debug, Clone, Copy)]
pub struct ConfirmationRound {
    term: u64,
    proved: bool,
}

impl ConfirmationRound {
    /// Begins a round, if this node leads.
    pub fn begin(leads: bool, term: u64) -> Option<ConfirmationRound> {
        leads.then_some(ConfirmationRound { term, proved: injected(Fault::UnprovedLease) })
    }

    /// Records that a read index was confirmed since the round began.
    pub fn prove(&mut self) {
        self.proved = true;
    }

    /// Returns true if the heartbeats may be confirmed. In another term, another leader may have answered the read index.
    pub fn confirms(&self, leads: bool, term: u64) -> bool {
        self.proved && leads && term == self.term
    }
}
