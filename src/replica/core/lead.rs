//! What a core does when it leads: proposing, giving members their places, handing over.

use super::Core;
use crate::db::Configuration;
use crate::replica::limits::{HANDOVER_TICKS, PROMOTE_LAG_MAX};
use crate::replica::membership::{self, Seat};
use crate::state::command::Proposal;
use crate::state::rows::Member;
use crate::state::{RaftId, Role, Stamp};
use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2, Entry, Message, MessageType};

impl Core {
    /// Everything that waits becomes one proposal of many entries: group commit.
    pub(super) fn propose_queued(&mut self) {
        if self.queued.is_empty() {
            return;
        }
        let queued = std::mem::take(&mut self.queued);
        if !self.leads() {
            return self.requests.unsend(&queued);
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
                entry.data = postcard::to_stdvec(&proposal).expect("commands are plain data").into();
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
    }

    fn stamp(&self) -> Stamp {
        let passed_ms = self.now.monotonic_ms.saturating_sub(self.age_at_ms);
        Stamp { wall_ms: self.now.wall_ms, age_ms: self.age_ms + passed_ms }
    }

    /// The leader gives everybody who joined a place; one change at a time.
    pub(super) fn seat_members(&mut self) {
        let raft = &self.raw.raft;
        if raft.has_pending_conf() {
            return;
        }
        let configuration = raft.store().configuration();
        let mut change = ConfChangeV2::new();
        if !configuration.is_joint() {
            let seats = self.seats(&configuration);
            let Some(next) = membership::next_change(&seats) else { return };
            log::info!("the group changes: {next:?}");
            change.changes = match next {
                membership::Change::AddLearner(id) => vec![single(ConfChangeType::AddLearnerNode, id)],
                membership::Change::Promote(ids) => {
                    ids.into_iter().map(|id| single(ConfChangeType::AddNode, id)).collect()
                }
            };
        }
        // In a joint state the empty change proposes to leave it.
        if let Err(error) = self.raw.propose_conf_change(Vec::new(), change) {
            log::debug!("the change was put off: {error}");
        }
    }

    fn seats(&self, configuration: &Configuration) -> Vec<Seat> {
        let raft = &self.raw.raft;
        let commit = raft.raft_log.committed;
        let seat = |(raft_id, member): &(RaftId, Member)| Seat {
            raft_id: *raft_id,
            role: member.role,
            voter: configuration.voters.contains(raft_id),
            learner: configuration.learners.contains(raft_id),
            caught_up: raft.prs().get(*raft_id).is_some_and(|progress| {
                // One that has acknowledged nothing may never have started: in a young group it would count as close.
                progress.recent_active && progress.matched > 0 && progress.matched + PROMOTE_LAG_MAX >= commit
            }),
        };
        self.members.iter().map(seat).collect()
    }

    /// A coordinator serves nobody: it leaves leading to a backend that has everything.
    pub(super) fn hand_over(&mut self) {
        if self.options.role == Role::Coordinator && self.ticks >= self.handover_tick && self.step_aside() {
            self.handover_tick = self.ticks + HANDOVER_TICKS;
        }
    }

    /// Hands leadership to the voting backend that has most, if one has everything; else to nobody.
    pub(super) fn step_aside(&mut self) -> bool {
        let raft = &self.raw.raft;
        if !self.leads() || raft.has_pending_conf() || raft.lead_transferee.is_some() {
            return false;
        }
        let configuration = raft.store().configuration();
        let last = raft.raft_log.last_index();
        let heir = self.members.iter().filter(|(id, member)| {
            *id != self.options.me
                && member.role == Role::Backend
                && configuration.voters.contains(id)
                && raft
                    .prs()
                    .get(*id)
                    .is_some_and(|progress| progress.recent_active && progress.matched == last)
        });
        let Some(&(heir, _)) = heir.clone().next() else { return false };
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
