//! Work beside consensus: processes report their positions to each other (`roles/node/links`), and the leader proposes
//! background commands (`roles/node/background_commands`). Members that lose their vote are counted here, too.

use super::world::{Event, World, trace};
use ribbit_db::{Configuration, Reader};
use ribbit_replica::{Input, has_lost_entries};
use ribbit_state::cluster::members;
use ribbit_state::limits::RULES_LEVEL;
use ribbit_state::rows::{CroakSweeps, Order, Standing, Sweeps, books, scan};
use ribbit_state::{AccountId, Command, ConversationCommand, LogIndex, OperatorCommand, RaftId, Request};
use std::collections::BTreeSet;

/// Interval at which a process reports its position and checks its membership, in virtual milliseconds.
pub const BEAT: u64 = 1_000;
/// Interval at which a leader looks for background commands, in virtual milliseconds.
const LOOK: u64 = 500;
/// Timeout of a background command, in ticks.
const BACKGROUND_COMMAND_TICKS: u64 = 1_000;

const READABLE: &str = "a live store can be read";

impl World {
    /// Reports the position of a process to its peers. Each peer answers whether the process is still a member. On the
    /// first contact after a start of either, it also answers the last position that it knew.
    pub fn beat(&mut self, node: usize, life: u64) {
        if self.nodes[node].running.is_none() || self.nodes[node].life != life {
            return;
        }
        self.at(self.now + BEAT, Event::Beat { node, life });
        for other in 0..self.nodes.len() {
            let linked =
                other != node && !self.network.is_cut(node, other) && !self.network.is_cut(other, node);
            if linked && self.nodes[other].paused_until <= self.now && self.meet(node, other) {
                return;
            }
        }
    }

    /// Returns true if the contact ended this process.
    fn meet(&mut self, node: usize, other: usize) -> bool {
        let me = self.raft_id(node);
        let there = self.nodes[other].life;
        let Some(peer) = &self.nodes[other].running else { return false };
        if has_forgotten(&peer.writer.store().reader(), me) {
            self.told_removed(node);
            return true;
        }
        let known = peer.heard.get(&me).copied().unwrap_or(0);
        let Some(running) = &mut self.nodes[node].running else { return false };
        let status = running.core.status();
        let met = running.linked.iter().any(|(met, life)| *met == other && *life < there);
        if running.linked.insert((other, there)) {
            if has_lost_entries(status.last, known) {
                self.lost(node, "a peer knows that it had applied more");
                return true;
            }
            if met {
                let (life, id) = (self.nodes[node].life, self.raft_id(other));
                self.ended(node, life, id);
            }
        }
        if let Some(peer) = &mut self.nodes[other].running {
            peer.heard.insert(me, status.applied);
        }
        false
    }

    /// Proposes background commands on the leader, as in `roles/node/background_commands`.
    pub fn propose_background_commands(&mut self) {
        self.at(self.now + LOOK, Event::BackgroundCommands);
        for node in 0..self.nodes.len() {
            let Some(running) = &self.nodes[node].running else { continue };
            let status = running.core.status();
            if !status.leads || self.nodes[node].paused_until > self.now {
                continue;
            }
            let Some(command) = background_command(&running.writer.store().reader(), &status.configuration)
            else {
                continue;
            };
            let request =
                Request { id: self.fresh_id(), submitted_at: status.applied, origin: None, command };
            self.feed(node, Input::Request { request, ticks: BACKGROUND_COMMAND_TICKS });
        }
    }

    /// Counts the members that lost their vote without being drained or removed: another member took the seat.
    pub fn reconfigured(&mut self, index: LogIndex, new: &Configuration) {
        if index <= self.configured.0 {
            return;
        }
        let old = std::mem::replace(&mut self.configured, (index, new.clone())).1;
        let learns: BTreeSet<RaftId> = new.learners.iter().chain(&new.learners_next).copied().collect();
        for id in old.voters.iter().filter(|id| !new.voters.contains(id) && learns.contains(id)) {
            let unsound = self.raft_ids.get(id).is_none_or(|node| self.nodes[*node].unsound);
            trace!(self, "member {id} learns");
            self.faults.evicted += u64::from(!unsound);
        }
    }
}

/// Returns true if this Raft id was assigned and its member was removed.
fn has_forgotten(reader: &Reader, id: RaftId) -> bool {
    let view = reader.view().expect(READABLE);
    let members = members::all(&view).expect(READABLE);
    id < books(&view).expect(READABLE).next_raft_id && !members.iter().any(|(other, _)| *other == id)
}

fn background_command(reader: &Reader, configuration: &Configuration) -> Option<Command> {
    let view = reader.view().expect(READABLE);
    let rows = members::all(&view).expect(READABLE);
    if let Some((raft_id, row)) = rows.iter().find(|(_, row)| row.rules_level < RULES_LEVEL) {
        let (address, machine) = (row.address.clone(), row.machine.clone());
        let raft_id = *raft_id;
        return Some(Command::DescribeMember {
            raft_id,
            address,
            machine,
            rules_level: RULES_LEVEL,
            key: Default::default(),
        });
    }
    if books(&view).expect(READABLE).rules_level < RULES_LEVEL {
        return Some(OperatorCommand::RaiseRules { level: RULES_LEVEL }.into());
    }
    let gone = rows.iter().find(|(id, row)| row.standing == Standing::Lost && !configuration.contains(*id));
    if let Some((raft_id, _)) = gone {
        return Some(Command::RemoveMember { raft_id: *raft_id });
    }
    let (first, last) = (AccountId(0), AccountId(u64::MAX));
    let sweeps = scan::<Sweeps, _>(&view, &first, &last, Order::OldestFirst, 1).expect(READABLE);
    if let Some((account, ())) = sweeps.first() {
        return Some(Command::Sweep { account: *account });
    }
    let sweeps = scan::<CroakSweeps, _>(&view, &0, &u64::MAX, Order::OldestFirst, 1).expect(READABLE);
    sweeps.first().map(|(croak, ())| ConversationCommand::SweepCroak { croak: *croak }.into())
}
