//! When a core stands for election.
//!
//! The engine draws election timeouts from the thread's generator; ours are drawn from a seed, so that a
//! simulated run is the same every time.

use super::Core;
use crate::replica::limits::{BACKEND_ELECTION_TICKS, COORDINATOR_ELECTION_TICKS};
use crate::state::Role;

/// Ticks of silence after which a member of this role stands for election, [min, max).
pub(super) fn election_ticks(role: Role) -> (usize, usize) {
    match role {
        Role::Backend => BACKEND_ELECTION_TICKS,
        Role::Coordinator => COORDINATOR_ELECTION_TICKS,
    }
}

impl Core {
    /// Draws a timeout whenever the engine has: with every new term or state.
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
