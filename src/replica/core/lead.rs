//! What a core does when it leads: proposing, giving members their places, handing over.

use super::Core;
use crate::db::Configuration;
use crate::replica::fetches::Fetched;
use crate::replica::limits::{
    DEMOTE_TICKS, GATHERED_MAX, HANDOVER_LAG_MAX, HANDOVER_RETRY_TICKS, PRESENT_TICKS, PROMOTE_LAG_MAX,
    PROPOSAL_BYTES_USUAL,
};
use crate::replica::membership::{self, Seat, Silence};
use crate::state::HOME;
use crate::state::command::Proposal;
use crate::state::rows::{Member, Standing};
use crate::state::{LogIndex, RaftId, Role, Stamp};
use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2, Entry, Message, MessageType};
use raft::{Progress, ProgressState};

impl Core {
    /// Everything that waits becomes one proposal of many entries: group commit.
    pub(super) fn propose_queued(&mut self) {
        if self.queued.is_empty() || self.leads() && self.gathers() {
            return;
        }
        let queued = std::mem::take(&mut self.queued);
        if !self.leads() {
            return self.requests.unsend(&queued);
        }
        if self.proposed_term != self.raw.raft.term {
            // What was proposed in an earlier term may be lost.
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
            log::debug!("{} proposals were put off: {error}", taken.len());
            for request in &taken {
                self.proposed.remove(&request.id);
            }
            self.requests.unsend(&taken);
        }
        self.proposed_last = (self.raw.raft.raft_log.last_index(), self.ticks);
    }

    /// Whether more is waited for: one proposal is under way at a time, and what comes meanwhile goes with the next. What a
    /// proposal costs five members (messages, a turn of each thread, a sync) is shared by more, and a disk that syncs
    /// takes one batch at a time anyway. Not for longer than a tick: who is far away would be asked too seldom.
    fn gathers(&self) -> bool {
        let (index, tick) = self.proposed_last;
        index > self.raw.raft.raft_log.committed && tick == self.ticks && self.queued.len() < GATHERED_MAX
    }

    /// Older entries were read for followers that are far behind: whoever waits for them is sent them.
    pub(super) fn fetched(&mut self, fetched: Fetched) {
        let low = fetched.low;
        if !self.raw.mut_store().fetched(fetched) || !self.leads() {
            return;
        }
        let progress = self.raw.raft.prs().iter();
        let mut waiting: Vec<RaftId> =
            progress.filter(|(_, progress)| progress.next_idx == low).map(|(id, _)| *id).collect();
        waiting.retain(|id| *id != self.options.me);
        // The engine keeps its peers in a hash map, in another order in every process.
        waiting.sort_unstable();
        waiting.into_iter().for_each(|id| self.raw.raft.send_append(id));
    }

    /// Where the log begins that those who live still need. Were it cut regardless, a member that is being sent the
    /// whole state would need all of it again when it has it.
    pub(super) fn log_wanted(&self) -> Option<LogIndex> {
        if !self.leads() {
            return None;
        }
        let lives = |id: &RaftId| self.heard.get(id).is_some_and(|at| at + PRESENT_TICKS >= self.ticks);
        let needs = |(_, progress): (&RaftId, &Progress)| match progress.state {
            ProgressState::Snapshot => progress.pending_snapshot,
            ProgressState::Probe | ProgressState::Replicate => progress.matched,
        };
        self.raw.raft.prs().iter().filter(|(id, _)| lives(id)).map(needs).min()
    }

    fn stamp(&self) -> Stamp {
        let passed_ms = self.now.monotonic_ms.saturating_sub(self.age_at_ms);
        Stamp { wall_ms: self.now.wall_ms, age_ms: self.age_ms + passed_ms }
    }

    /// The leader gives everybody the place they should have; one change at a time.
    pub(super) fn seat_members(&mut self) {
        let raft = &self.raw.raft;
        if raft.has_pending_conf() || raft.lead_transferee.is_some() {
            return;
        }
        let configuration = raft.store().configuration();
        let mut proposed = ConfChangeV2::new();
        // In a joint state the empty change proposes to leave it.
        let mut what = "leaving the joint configuration".to_string();
        if !configuration.is_joint() {
            let next = membership::next_change(self.options.me, &self.seats(&configuration));
            let Some(next) = next else { return };
            what = format!("{next:?}");
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
            Ok(()) => log::info!("the group changes: {what}"),
            Err(error) => log::debug!("the change was put off: {error}"),
        }
    }

    fn seats(&self, configuration: &Configuration) -> Vec<Seat> {
        self.members.iter().map(|(raft_id, member)| self.seat(configuration, *raft_id, member)).collect()
    }

    fn seat(&self, configuration: &Configuration, raft_id: RaftId, member: &Member) -> Seat {
        let raft = &self.raw.raft;
        let since = self.heard.get(&raft_id).copied().max(self.led_since).unwrap_or(self.ticks);
        let silent_ticks = if raft_id == self.options.me { 0 } else { self.ticks - since };
        let heard_lately = self.heard.get(&raft_id).is_some_and(|at| self.ticks - at <= PRESENT_TICKS);
        // Whoever has acknowledged nothing does not know yet that it belongs, and would vote for nothing.
        let close = |matched: u64| matched > 0 && matched + PROMOTE_LAG_MAX >= raft.raft_log.committed;
        Seat {
            raft_id,
            role: member.role,
            // A member of another cluster has all the data and no vote, as one that is drained.
            standing: if member.site == HOME {
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

    /// A coordinator serves nobody, and a member that should go must not lead: they leave leading to a backend.
    pub(super) fn hand_over(&mut self) {
        let unwanted = self
            .members
            .iter()
            .any(|(id, member)| *id == self.options.me && member.standing != Standing::Wanted);
        // People wait for a member that they remove or drain, however lately it led before.
        let coordinates =
            self.options.role == Role::Coordinator && self.ticks >= self.coordinator_handover_tick;
        if (unwanted || coordinates) && self.ticks >= self.handover_tick && self.step_aside(unwanted) {
            // It may come to nothing; once it has worked, a coordinator does not do it again for a while.
            self.handover_tick = self.ticks + HANDOVER_RETRY_TICKS;
        }
    }

    /// Hands leadership to the voting backend that has most, if one is close; else to a coordinator where leading on is
    /// worse (it goes on to whichever backend gets the seat); else to nobody. Under load there is
    /// always an entry that nobody has acknowledged yet: the engine takes no more proposals, waits until the heir has
    /// everything, and only then lets it stand.
    pub(super) fn step_aside(&mut self, to_coordinator: bool) -> bool {
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
        let Some((.., heir)) = close.max() else { return false };
        log::info!("handing leadership to member {heir}");
        self.raw.transfer_leader(heir);
        true
    }
}

fn single(kind: ConfChangeType, id: RaftId) -> ConfChangeSingle {
    let mut change = ConfChangeSingle::new();
    change.set_change_type(kind);
    change.node_id = id;
    change
}
