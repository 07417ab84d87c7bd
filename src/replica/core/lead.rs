//! Work of a core while it leads: proposing requests, assigning seats to members, handing over leadership.

use super::Core;
use crate::fetches::Fetched;
use crate::limits::{
    DEMOTE_TICKS, GATHER_TICKS, GATHERED_MAX, HANDOVER_LAG_MAX, HANDOVER_RETRY_TICKS, PRESENT_TICKS,
    PROMOTE_LAG_MAX, PROPOSAL_BYTES_USUAL,
};
use crate::membership::{self, Seat, Silence};
use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2, Entry, Message, MessageType};
use raft::{Progress, ProgressState};
use ribbit_db::Configuration;
use ribbit_state::HOME_REGION;
use ribbit_state::command::Proposal;
use ribbit_state::rows::{Member, Standing};
use ribbit_state::{LogIndex, RaftId, Role, Stamp};

impl Core {
    /// Proposes all queued requests as one message of many entries (group commit).
    pub(super) fn propose_queued(&mut self) {
        if self.queued.is_empty() || self.leads() && self.gathers() {
            return;
        }
        let queued = std::mem::take(&mut self.queued);
        if !self.leads() {
            return self.requests.unsend(&queued);
        }
        if self.proposed_term != self.raw.raft.term {
            // Proposals of an earlier term may be lost.
            self.proposed.clear();
            self.proposed_term = self.raw.raft.term;
        }
        let stamp = self.stamp();
        let mut message = Message::new();
        message.set_msg_type(MessageType::MsgPropose);
        message.from = self.options.me;
        let mut taken = Vec::new();
        for request in queued {
            if self.proposed.insert(request.id) {
                let mut entry = Entry::new();
                let proposal = Proposal { stamp, request };
                let room = Vec::with_capacity(PROPOSAL_BYTES_USUAL);
                entry.data = postcard::to_extend(&proposal, room).expect("commands are plain data").into();
                message.entries.push(entry);
                taken.push(proposal.request);
            }
        }
        if !message.entries.is_empty()
            && let Err(error) = self.raw.step(message)
        {
            log::debug!("the engine refused {} proposals, which are tried again: {error}", taken.len());
            for request in &taken {
                self.proposed.remove(&request.id);
            }
            self.requests.unsend(&taken);
        }
        self.proposed_last = (self.raw.raft.raft_log.last_index(), self.ticks);
    }

    /// Returns true while more requests are gathered for the next proposal.
    ///
    /// One proposal is under way at a time, and the requests that arrive meanwhile share the next one. So more requests
    /// share the cost of a proposal on five members (messages, a turn of each thread, a sync), and a disk that is syncing
    /// takes one batch at a time anyway. Gathering lasts at most `GATHER_TICKS`: with distant members, a round trip for each
    /// proposal would limit the throughput.
    pub(super) fn gathers(&self) -> bool {
        let (index, tick) = self.proposed_last;
        index > self.raw.raft.raft_log.committed
            && self.ticks < tick + GATHER_TICKS
            && self.queued.len() < GATHERED_MAX
    }

    /// Handles [`super::Input::Fetched`]: sends the entries to the followers that wait for them.
    pub(super) fn fetched(&mut self, fetched: Fetched) {
        let low = fetched.low;
        if !self.raw.mut_store().fetched(fetched) || !self.leads() {
            return;
        }
        let progress = self.raw.raft.prs().iter();
        let mut waiting: Vec<RaftId> =
            progress.filter(|(_, progress)| progress.next_idx == low).map(|(id, _)| *id).collect();
        waiting.retain(|id| *id != self.options.me);
        // Sorted, because the engine keeps its peers in a hash map, which has another order in every process.
        waiting.sort_unstable();
        waiting.into_iter().for_each(|id| self.raw.raft.send_append(id));
    }

    /// Returns the index behind which present members still need the log, while this node leads. If the log were truncated
    /// regardless, a member that receives a snapshot would need another snapshot once it has it.
    pub(super) fn log_wanted(&self) -> Option<LogIndex> {
        if !self.leads() {
            return None;
        }
        let is_present =
            |id: &RaftId| self.last_heard.get(id).is_some_and(|at| at + PRESENT_TICKS >= self.ticks);
        let needs = |(_, progress): (&RaftId, &Progress)| match progress.state {
            ProgressState::Snapshot => progress.pending_snapshot,
            ProgressState::Probe | ProgressState::Replicate => progress.matched,
        };
        self.raw.raft.prs().iter().filter(|(id, _)| is_present(id)).map(needs).min()
    }

    /// Returns the time stamp for a proposal made now.
    fn stamp(&self) -> Stamp {
        let passed_ms = self.now.monotonic_ms.saturating_sub(self.age_at_ms);
        Stamp { wall_ms: self.now.wall_ms, age_ms: self.age_ms + passed_ms }
    }

    /// Proposes the next configuration change that gives every member its proper seat, one change at a time.
    pub(super) fn seat_members(&mut self) {
        let raft = &self.raw.raft;
        if raft.has_pending_conf() || raft.lead_transferee.is_some() {
            return;
        }
        let configuration = raft.store().configuration();
        let mut proposed = ConfChangeV2::new();
        // In a joint state the empty change proposes to leave it.
        let mut what = "leave the joint configuration".to_string();
        if !configuration.is_joint() {
            let next = membership::next_change(self.options.me, &self.seats(&configuration));
            let Some(next) = next else { return };
            what = next.to_string();
            let kinds = [
                (ConfChangeType::AddLearnerNode, [next.learn, next.demote].concat()),
                (ConfChangeType::AddNode, next.promote),
                (ConfChangeType::RemoveNode, next.remove),
            ];
            proposed.changes = kinds
                .into_iter()
                .flat_map(|(kind, ids)| ids.into_iter().map(move |id| single(kind, id)))
                .collect();
        }
        match self.raw.propose_conf_change(Vec::new(), proposed) {
            Ok(()) => log::info!("proposed a configuration change: {what}"),
            Err(error) => {
                log::debug!("the engine refused a configuration change, which is tried again: {error}");
            }
        }
    }

    fn seats(&self, configuration: &Configuration) -> Vec<Seat> {
        self.members.iter().map(|(raft_id, member)| self.seat(configuration, *raft_id, member)).collect()
    }

    fn seat(&self, configuration: &Configuration, raft_id: RaftId, member: &Member) -> Seat {
        let raft = &self.raw.raft;
        let since = self.last_heard.get(&raft_id).copied().max(self.led_since).unwrap_or(self.ticks);
        let silent_ticks = if raft_id == self.options.me { 0 } else { self.ticks - since };
        let heard_lately = self.last_heard.get(&raft_id).is_some_and(|at| self.ticks - at <= PRESENT_TICKS);
        // A member that has acknowledged nothing does not know yet that it is a member, and would not vote.
        let close = |matched: u64| matched > 0 && matched + PROMOTE_LAG_MAX >= raft.raft_log.committed;
        Seat {
            raft_id,
            role: member.role,
            // A member in another region has all the data and no vote, like a drained member.
            standing: if member.region == HOME_REGION {
                member.standing
            } else {
                member.standing.max(Standing::Drained)
            },
            voter: configuration.voters.contains(&raft_id),
            learner: configuration.learners.contains(&raft_id),
            caught_up: heard_lately
                && raft.prs().get(raft_id).is_some_and(|progress| close(progress.matched)),
            present: heard_lately || raft_id == self.options.me,
            silence: match silent_ticks {
                ticks if ticks >= DEMOTE_TICKS => Silence::Endless,
                ticks if ticks >= self.options.evict_ticks => Silence::Long,
                _ => Silence::None,
            },
        }
    }

    /// Hands leadership to a backend if this leader is a coordinator, which serves no clients, or is to leave the cluster.
    pub(super) fn hand_over_if_unwanted(&mut self) {
        let unwanted = self
            .members
            .iter()
            .any(|(id, member)| *id == self.options.me && member.standing != Standing::Wanted);
        // An operator waits for a member to be removed or drained, however recently it led before.
        let coordinates =
            self.options.role == Role::Coordinator && self.ticks >= self.coordinator_handover_tick;
        if (unwanted || coordinates) && self.ticks >= self.handover_tick && self.hand_over(unwanted) {
            // The handover may fail. Once it has worked, a coordinator does not hand over again for a while.
            self.handover_tick = self.ticks + HANDOVER_RETRY_TICKS;
        }
    }

    /// Hands leadership to the voting backend with the longest log, if one is close enough. With `to_coordinator`, a
    /// coordinator serves as the second choice, and later hands over to the backend that gets the seat. Returns true if a
    /// handover has begun.
    ///
    /// Under load, the newest entry is never acknowledged by all. So the engine takes no more proposals, waits until the
    /// successor has the whole log, and only then lets it stand for election.
    pub(super) fn hand_over(&mut self, to_coordinator: bool) -> bool {
        let raft = &self.raw.raft;
        if !self.leads() || raft.has_pending_conf() || raft.lead_transferee.is_some() {
            return false;
        }
        let configuration = raft.store().configuration();
        let last = raft.raft_log.last_index();
        let candidates = self.members.iter().filter(|(id, member)| {
            *id != self.options.me
                && (member.role == Role::Backend || to_coordinator)
                && member.standing == Standing::Wanted
                && configuration.voters.contains(id)
        });
        let close = candidates.filter_map(|(id, member)| {
            let progress = raft.prs().get(*id).filter(|progress| progress.recent_active)?;
            let backend = member.role == Role::Backend;
            (progress.matched + HANDOVER_LAG_MAX >= last).then_some((backend, progress.matched, *id))
        });
        let Some((.., successor)) = close.max() else { return false };
        log::info!("handing leadership to member {successor}");
        self.raw.transfer_leader(successor);
        true
    }
}

fn single(kind: ConfChangeType, id: RaftId) -> ConfChangeSingle {
    let mut change = ConfChangeSingle::new();
    change.set_change_type(kind);
    change.node_id = id;
    change
}
