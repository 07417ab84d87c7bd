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
    LEADER_SILENT_TICKS, LEASE_TICKS, PRE_VOTE_TICKS, QUICK_PRE_VOTES_MAX, READ_RESEND_TICKS, RESEND_TICKS,
    STEP_TICKS, SUCCESSOR_TICKS, TURN_TICKS_MAX,
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

    /// Records the time since a member was last heard. `led` is the term of a leader's message.
    pub(super) fn record_gap(&mut self, from: RaftId, led: Option<u64>) {
        let before = match led {
            // Counts even if this member stands for election meanwhile: the message shows that it did so too early.
            Some(term) => self.leader_heard_tick.filter(|_| term == self.leader_heard_term),
            None => self.last_heard.get(&from).copied().filter(|at| Some(*at) >= self.led_since),
        };
        let Some(before) = before else { return };
        let gaps = match led {
            Some(_) => &mut self.leader_gaps,
            None if self.leads() => &mut self.follower_gaps,
            None => return,
        };
        gaps.record(self.ticks - before, self.ticks);
    }

    /// Returns the number of ticks that one tick of the election clock takes. A member that succeeds a leader, or repeats a
    /// pre-vote, does not wait for a late message.
    fn election_step(&self) -> u64 {
        let waits =
            matches!(self.raw.raft.state, StateRole::Follower | StateRole::Candidate) && !self.succeeds;
        if waits { self.leader_gaps.factor(LEASE_TICKS as u64, self.ticks) } else { 1 }
    }

    /// Returns the time after which a request without an outcome is sent again. On a bad network it is late, not lost, and
    /// another copy would delay it more.
    pub(super) fn resend_ticks(&self) -> u64 {
        RESEND_TICKS * self.leader_gaps.factor(LEASE_TICKS as u64, self.ticks)
    }

    /// Returns the silence after which this member reports that it has no leader.
    pub(super) fn leader_silent_ticks(&self) -> u64 {
        LEADER_SILENT_TICKS * self.leader_gaps.factor(LEASE_TICKS as u64, self.ticks)
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
        if !self.ticks.is_multiple_of(self.election_step()) {
            return;
        }
        let raft = &self.raw.raft;
        let stands = raft.promotable() && raft.election_elapsed + 1 >= raft.randomized_election_timeout();
        self.raw.tick();
        if stands {
            self.pre_votes = self.pre_votes.saturating_add(1);
            self.drawn_for = None;
            self.draw_timeout();
        }
    }

    /// Makes the leader check its quorum every `CHECK_QUORUM_TICKS`, or later on a bad network. The engine would do so every
    /// `LEASE_TICKS`.
    fn delay_quorum_check(&mut self) {
        let limit = CHECK_QUORUM_TICKS * self.follower_gaps.factor(CHECK_QUORUM_TICKS, self.ticks);
        let raft = &mut self.raw.raft;
        // The engine begins anew with a transfer of leadership, which the next check would abort.
        self.quorum_ticks = if raft.election_elapsed == 0 { 1 } else { self.quorum_ticks + 1 };
        raft.election_elapsed = match self.quorum_ticks {
            ticks if ticks >= limit => LEASE_TICKS - 1,
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
            let left = left * self.election_step();
            if left > LAST_TICKS { left - LAST_TICKS } else { left.min(STEP_TICKS) }
        } else {
            // A member that does not vote notices in time that it has lost its leader.
            let heard = self.leader_heard_tick.map_or(0, |at| at + self.leader_silent_ticks() + 1);
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
