//! Elections of a core: when it stands, and how long the Raft task may sleep until then.
//!
//! The engine draws election timeouts from the generator of the thread. They are replaced by timeouts from a seed, so that
//! a simulated run is reproducible.
//!
//! **Succession.** A follower usually misses its leader for an election timeout before it stands, and ignores candidates
//! until then. When it learns that the leader's process has ended, neither makes sense:
//!
//! ```text
//!   ProcessEnded(leader) ─▶ no lease left ─▶ waits for its turn ─▶ pre-vote ─┬─▶ elected
//!                          (grants pre-votes)  (30 ms apart)                 └─▶ repeated a few times, then as usual
//! ```
//!
//! - Nothing here is needed for safety: a leader needs the votes of a quorum in any case, and reads wait for a read index,
//!   not for a lease.
//! - A member that is wrong about the leader gets no pre-votes: those that hear the leader ignore it. Its term stays.
//! - Any message of a leader ends the succession.

use super::Core;
use crate::limits::{
    BACKEND_ELECTION_TICKS, CHECK_QUORUM_TICKS, COORDINATOR_ELECTION_TICKS, ELECTION_TICKS_LIMIT, LAST_TICKS,
    LEADER_SILENT_TICKS, LEASE_TICKS, PRE_VOTE_TICKS, QUICK_PRE_VOTES_MAX, READ_RESEND_TICKS, STEP_TICKS,
    SUCCESSOR_TICKS, TURN_TICKS_MAX,
};
use raft::StateRole;
use raft::eraftpb::{Message, MessageType};
use ribbit_db::faults::{Fault, injected};
use ribbit_state::{RaftId, Role};

/// Returns the bounds of the election timeout of this role, in ticks: [min, max).
fn election_ticks(role: Role) -> (usize, usize) {
    match role {
        Role::Backend => BACKEND_ELECTION_TICKS,
        Role::Coordinator => COORDINATOR_ELECTION_TICKS,
    }
}

impl Core {
    /// Draws a timeout whenever the engine does, with every new term or state, and for each pre-vote.
    pub(super) fn draw_timeout(&mut self) {
        let raft = &self.raw.raft;
        let now = (raft.term, raft.state);
        if self.drawn_for == Some(now) {
            return;
        }
        self.drawn_for = Some(now);
        let repeats = raft.state == StateRole::PreCandidate && self.pre_votes <= QUICK_PRE_VOTES_MAX;
        let (min, max) = if repeats { PRE_VOTE_TICKS } else { election_ticks(self.options.role) };
        let timeout = min + (self.random.draw() % (max - min) as u64) as usize;
        let raft = &mut self.raw.raft;
        if repeats {
            self.stand_in(timeout);
        } else {
            raft.set_randomized_election_timeout(timeout);
        }
    }

    /// Makes the engine stand in so many ticks. The engine bounds timeouts from below, so its time is moved instead.
    fn stand_in(&mut self, ticks: usize) {
        let raft = &mut self.raw.raft;
        raft.election_elapsed = LEASE_TICKS;
        raft.set_randomized_election_timeout((LEASE_TICKS + ticks).min(ELECTION_TICKS_LIMIT - 1));
    }

    /// Passes one tick to the engine.
    pub(super) fn tick_engine(&mut self) {
        if self.installing.is_some() {
            return;
        }
        if self.leads() {
            self.delay_quorum_check();
            self.raw.tick();
            return;
        }
        self.quorum_ticks = 0;
        let raft = &self.raw.raft;
        let stands = raft.promotable() && raft.election_elapsed + 1 >= raft.randomized_election_timeout();
        self.raw.tick();
        if stands {
            self.pre_votes = self.pre_votes.saturating_add(1);
            self.drawn_for = None;
            self.draw_timeout();
        }
    }

    /// Makes the leader check its quorum every `CHECK_QUORUM_TICKS`. The engine would do so every `LEASE_TICKS`.
    fn delay_quorum_check(&mut self) {
        let raft = &mut self.raw.raft;
        // The engine begins anew with a transfer of leadership, which the next check would abort.
        self.quorum_ticks = if raft.election_elapsed == 0 { 1 } else { self.quorum_ticks + 1 };
        raft.election_elapsed = match self.quorum_ticks {
            ticks if ticks >= CHECK_QUORUM_TICKS => LEASE_TICKS - 1,
            _ => raft.election_elapsed.min(LEASE_TICKS - 2),
        };
    }

    /// Handles [`super::Input::ProcessEnded`].
    pub(super) fn process_ended(&mut self, id: RaftId) {
        let raft = &self.raw.raft;
        if self.leads() || raft.leader_id != id || self.installing.is_some() || self.succeeds {
            return;
        }
        log::info!("the process of member {id}, which leads term {}, has ended", raft.term);
        self.succeeds = true;
        let delay = 1 + self.place_after(id) * SUCCESSOR_TICKS + self.random.draw() % 2;
        // The lease of the leader is over with this: pre-votes of others are granted from now on.
        self.stand_in(delay as usize);
    }

    /// Returns this member's place among the possible successors of this member: backends first, then by id.
    fn place_after(&self, leader: RaftId) -> u64 {
        let role =
            |id: RaftId| self.members.iter().find(|(member, _)| *member == id).map(|(_, row)| row.role);
        let me = self.options.me;
        let order = |id: RaftId| (role(id) != Some(Role::Backend), id);
        let voters = self.raw.raft.prs().conf().voters().ids();
        voters.iter().filter(|id| *id != leader && order(*id) < order(me)).count() as u64
    }

    /// Ends the search for a leader, because one was heard.
    pub(super) fn end_succession(&mut self) {
        if self.succeeds || self.pre_votes > 0 {
            (self.succeeds, self.pre_votes) = (false, 0);
            self.drawn_for = None;
        }
    }

    /// Returns the number of ticks until something is due, at least 1. The core has to be polled at least that often.
    pub fn ticks_until_due(&self) -> u64 {
        let raft = &self.raw.raft;
        let engine = if self.leads() {
            raft.heartbeat_timeout().saturating_sub(raft.heartbeat_elapsed()) as u64
        } else if raft.promotable() && self.installing.is_none() {
            let left = raft.randomized_election_timeout().saturating_sub(raft.election_elapsed) as u64;
            if left > LAST_TICKS { left - LAST_TICKS } else { left.min(STEP_TICKS) }
        } else {
            // A member that does not vote notices in time that it has lost its leader.
            let heard = self.leader_heard_tick.map_or(0, |at| at + LEADER_SILENT_TICKS + 1);
            if heard > self.ticks { heard - self.ticks } else { TURN_TICKS_MAX }
        };
        let requests =
            if self.requests.is_empty() && self.queued.is_empty() { TURN_TICKS_MAX } else { STEP_TICKS };
        let reads = if self.reads.is_empty() { TURN_TICKS_MAX } else { READ_RESEND_TICKS };
        engine.min(requests).min(reads).clamp(1, TURN_TICKS_MAX)
    }

    /// Makes a vote or pre-vote for a successor skip the comparison of the logs, if that bug is injected.
    pub(super) fn inject_hasty_vote(&self, message: &mut Message) {
        let asks = matches!(message.msg_type(), MessageType::MsgRequestVote | MessageType::MsgRequestPreVote);
        if injected(Fault::HastyVote) && asks && self.succeeds {
            (message.index, message.log_term) = (u64::MAX, u64::MAX);
        }
    }
}
