//! Election timeouts of a core.
//!
//! The engine draws election timeouts from the generator of the thread. They are replaced by timeouts from a seed, so that
//! a simulated run is reproducible.

use super::Core;
use crate::limits::{BACKEND_ELECTION_TICKS, COORDINATOR_ELECTION_TICKS};
use ribbit_state::Role;

/// Returns the bounds of the election timeout of this role, in ticks: [min, max).
pub(super) fn election_ticks(role: Role) -> (usize, usize) {
    match role {
        Role::Backend => BACKEND_ELECTION_TICKS,
        Role::Coordinator => COORDINATOR_ELECTION_TICKS,
    }
}

impl Core {
    /// Draws a timeout whenever the engine does: with every new term or state.
    pub(super) fn draw_timeout(&mut self) {
        let raft = &self.raw.raft;
        let now = (raft.term, raft.state);
        if self.drawn_for == now {
            return;
        }
        self.drawn_for = now;
        let (min, max) = election_ticks(self.options.role);
        let timeout = min + (self.random.draw() % (max - min) as u64) as usize;
        self.raw.raft.set_randomized_election_timeout(timeout);
    }
}
