//! Membership requests for a node, by its process or by an operator: to join, to be removed, to learn only. As in
//! `roles/node/{join,store_loss}` and `roles/operator/member`, a request is repeated at any node until it is decided.
//!
//! ```text
//!   empty store ──▶ Join ──▶ joined, starts under its new Raft id
//!                    │  ▲
//!     the name is    ▼  │ the group has let go of the old member: only now the old store is set aside
//!     known        Leave ◀── the store is lost
//!
//!   Remove ──▶ its process learns it from a peer and ends ──▶ its people empty its folder ──▶ Join
//! ```
//!
//! One errand a node at a time.

use super::disk::Death;
use super::world::{Event, PATIENCE, World, trace};
use ribbit_db::Store;
use ribbit_replica::Input;
use ribbit_state::command::NewMember;
use ribbit_state::{Code, Command, HOME_REGION, HistoryId, MemberName, Outcome, Reply, Request, RequestId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Found,
    Join,
    /// Its store is lost: the group is to let the old member go.
    Leave,
    /// People take it out of the group, alive or not.
    Remove,
    /// People want it to learn and not to vote, or to vote again.
    Drain(bool),
}

impl Want {
    /// Whether the process does nothing else meanwhile.
    pub fn is_all(self) -> bool {
        matches!(self, Want::Join | Want::Leave)
    }
}

#[derive(Debug)]
pub struct Errand {
    pub want: Want,
    id: RequestId,
    /// The node that is asked now.
    asked: Option<usize>,
    /// Only the turn that was planned last happens.
    turn: u64,
}

/// Between one question of those who have to ask many and the next.
const PAUSE: u64 = 300;

impl World {
    /// Begins an errand, in place of the one that this node has, if any.
    pub fn begin_errand(&mut self, node: usize, want: Want) {
        trace!(self, "node {node} wants: {want:?}");
        let turn = self.errands.get(&node).map_or(0, |errand| errand.turn) + 1;
        let id = self.fresh_id();
        self.errands.insert(node, Errand { want, id, asked: None, turn });
        self.at(self.now, Event::ErrandTurn { node, turn });
    }

    fn command(&self, node: usize, want: Want) -> Command {
        let (role, id) = (self.nodes[node].role, node as u32 + 1);
        match want {
            Want::Found => {
                // Under the first rules: every run sees them raised, by a chore.
                let member = NewMember { rules_level: 1, ..self.member(node) };
                Command::FoundCluster { history: HistoryId(2), member }
            }
            Want::Join => Command::Join { region: HOME_REGION, member: self.member(node) },
            Want::Leave | Want::Remove => Command::MarkLost { name: MemberName::at_home(role, id) },
            Want::Drain(drained) => Command::Drain { name: MemberName::at_home(role, id), drained },
        }
    }

    pub fn errand_turn(&mut self, node: usize, turn: u64) {
        let Some(errand) = self.errands.get(&node).filter(|errand| errand.turn == turn) else { return };
        let (want, id) = (errand.want, errand.id);
        let members: Vec<usize> = self.raft_ids.values().copied().collect();
        let asked = members[self.random.between(0, members.len() as u64) as usize];
        let command = self.command(node, want);
        if let Some(running) = &self.nodes[asked].running
            && self.nodes[asked].paused_until <= self.now
        {
            let submitted_at = running.writer.store().reader().applied();
            self.errands.entry(node).and_modify(|errand| errand.asked = Some(asked));
            self.feed(asked, Input::Request { request: Request { id, submitted_at, command }, ticks: 250 });
        }
        let again = self.now + self.random.between(PAUSE, PATIENCE);
        self.at(again, Event::ErrandTurn { node, turn });
    }

    /// Returns the node whose request this node has just carried out, if any.
    pub fn errand_of(&self, asked: usize, id: RequestId) -> Option<usize> {
        let found = self.errands.iter().find(|(_, errand)| errand.id == id && errand.asked == Some(asked));
        found.map(|(node, _)| *node)
    }

    /// The group has decided.
    pub fn errand_decided(&mut self, node: usize, outcome: &Outcome) {
        let Some(errand) = self.errands.get_mut(&node) else { return };
        match (errand.want, outcome) {
            (Want::Found | Want::Join, Ok(Reply::Joined { raft_id, .. })) => self.joined(node, *raft_id),
            (Want::Join, Err(denied)) if denied.code == Code::MemberExists => {
                self.begin_errand(node, Want::Leave);
            }
            (Want::Leave | Want::Remove, Ok(Reply::Stepped { .. })) => {
                let id = self.fresh_id();
                let Some(errand) = self.errands.get_mut(&node) else { return };
                (errand.id, errand.asked, errand.turn) = (id, None, errand.turn + 1);
                let turn = errand.turn;
                self.at(self.now + PAUSE, Event::ErrandTurn { node, turn });
            }
            (Want::Leave, Ok(Reply::Done)) => {
                trace!(self, "the group has let node {node} go");
                self.faults.let_go += 1;
                self.replace_disk(node);
                self.begin_errand(node, Want::Join);
            }
            (Want::Remove, Ok(Reply::Done)) => {
                trace!(self, "node {node} is removed");
                self.errands.remove(&node);
                self.faults.removed += 1;
            }
            (Want::Drain(drained), Ok(Reply::Done)) => {
                self.nodes[node].drained = drained;
                self.errands.remove(&node);
                if drained {
                    let again = self.now + self.random.between(500, 5_000);
                    self.at(again, Event::Undrain { node });
                }
            }
            (want, outcome) => panic!("node {node} wanted {want:?} and was answered {outcome:?}"),
        }
    }

    pub fn undrain(&mut self, node: usize) {
        if self.nodes[node].drained {
            self.begin_errand(node, Want::Drain(false));
        }
    }

    fn joined(&mut self, node: usize, raft_id: u64) {
        trace!(self, "node {node} is member {raft_id}");
        let founded = self.errands.remove(&node).is_some_and(|errand| errand.want == Want::Found);
        if founded {
            return;
        }
        // Dying here is for those that join by themselves (`roles/node/join`): here it is one step.
        self.nodes[node].disk.mend();
        let mut store = Store::open(self.nodes[node].disk.clone()).expect("an empty disk opens");
        store.identify(self.identity(node, raft_id), None).expect("a good disk");
        drop(store);
        self.raft_ids.insert(raft_id, node);
        self.start(node);
    }

    /// A peer has told this process that the group removed it. It ends; its people empty its folder after a while.
    pub fn told_removed(&mut self, node: usize) {
        trace!(self, "node {node} is told that it was removed");
        self.end(node, Death::Kill);
        self.raft_ids.retain(|_, known| *known != node);
        self.nodes[node].locked = true;
        let emptied = self.now + self.random.between(100, 2_000);
        self.at(emptied, Event::Emptied { node });
    }

    pub fn emptied(&mut self, node: usize) {
        self.nodes[node].locked = false;
        self.replace_disk(node);
        self.begin_errand(node, Want::Join);
    }

    /// Whether this node does not belong, or is about to get a new place.
    pub fn is_between(&self, node: usize) -> bool {
        !self.raft_ids.values().any(|known| *known == node)
            || self.errands.contains_key(&node)
            || self.nodes[node].locked
    }
}
