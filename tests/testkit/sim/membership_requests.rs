//! Membership requests for a node, by its process or by an operator: to join, to be removed, to learn only. As in
//! `roles/node/{join,store_loss}` and `roles/operator/member`, a request is repeated at any node until it is decided.
//!
//! ```text
//!   empty store ──▶ Join ──▶ joined, starts under its new Raft id
//!                    │  ▲
//!     the name is    ▼  │ the cluster has removed the old member; only now is the old store set aside
//!     known        Leave ◀── the store is lost
//!
//!   Remove ──▶ a peer tells the process, which ends ──▶ the operator empties the folder ──▶ Join
//! ```
//!
//! Each node has at most one pending membership request.

use super::disk::Death;
use super::world::{Event, REQUEST_TIMEOUT, World, trace};
use ribbit_db::Store;
use ribbit_replica::Input;
use ribbit_state::command::{MemberChange, NewMember};
use ribbit_state::{
    Code, Command, HOME_REGION, HistoryId, MemberName, OperatorCommand, Outcome, Reply, Request, RequestId,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Found,
    Join,
    /// Removes the old member, because its store is lost.
    Leave,
    /// An operator removes the member, alive or not.
    Remove,
    /// An operator makes the member a learner, or lets it vote again.
    Drain(bool),
}

impl Want {
    /// Returns true if the process does nothing else until the request is decided.
    pub fn is_all(self) -> bool {
        matches!(self, Want::Join | Want::Leave)
    }
}

#[derive(Debug)]
pub struct MembershipRequest {
    pub want: Want,
    id: RequestId,
    /// Node to which the request was sent last.
    asked: Option<usize>,
    /// Number of the newest attempt; events of older attempts are ignored.
    turn: u64,
}

/// Shortest pause between two attempts, in virtual milliseconds.
const PAUSE: u64 = 300;

impl World {
    /// Starts a membership request, which replaces the pending request of the node.
    pub fn begin_membership_request(&mut self, node: usize, want: Want) {
        trace!(self, "node {node} wants: {want:?}");
        let turn = self.membership_requests.get(&node).map_or(0, |request| request.turn) + 1;
        let id = self.fresh_id();
        self.membership_requests.insert(node, MembershipRequest { want, id, asked: None, turn });
        self.at(self.now, Event::MembershipRequestDue { node, turn });
    }

    fn command(&self, node: usize, want: Want) -> Command {
        let (role, id) = (self.nodes[node].role, node as u32 + 1);
        match want {
            Want::Found => {
                // Under the first rules: every run sees them raised, by a background command.
                let member = NewMember { rules_level: 1, ..self.member(node) };
                Command::FoundCluster { history: HistoryId(2), member }
            }
            Want::Join => Command::Join { region: HOME_REGION, member: self.member(node) },
            Want::Leave => Command::MarkLost { name: MemberName::at_home(role, id) },
            Want::Remove | Want::Drain(_) => {
                let change = match want {
                    Want::Drain(true) => MemberChange::Drain,
                    Want::Drain(false) => MemberChange::Undrain,
                    _ => MemberChange::Remove { alive: true },
                };
                OperatorCommand::ChangeMember { name: MemberName::at_home(role, id), change }.into()
            }
        }
    }

    pub fn send_membership_request(&mut self, node: usize, turn: u64) {
        let Some(request) = self.membership_requests.get(&node).filter(|request| request.turn == turn) else {
            return;
        };
        let (want, id) = (request.want, request.id);
        let members: Vec<usize> = self.raft_ids.values().copied().collect();
        let asked = members[self.random.between(0, members.len() as u64) as usize];
        let command = self.command(node, want);
        if let Some(running) = &self.nodes[asked].running
            && self.nodes[asked].paused_until <= self.now
        {
            let submitted_at = running.writer.store().reader().applied();
            self.membership_requests.entry(node).and_modify(|request| request.asked = Some(asked));
            self.feed(
                asked,
                Input::Request { request: Request { id, submitted_at, origin: None, command }, ticks: 250 },
            );
        }
        let again = self.now + self.random.between(PAUSE, REQUEST_TIMEOUT);
        self.at(again, Event::MembershipRequestDue { node, turn });
    }

    /// Returns the node whose request this node has just carried out, if any.
    pub fn membership_request_of(&self, asked: usize, id: RequestId) -> Option<usize> {
        let found = self
            .membership_requests
            .iter()
            .find(|(_, request)| request.id == id && request.asked == Some(asked));
        found.map(|(node, _)| *node)
    }

    /// Handles the decision of the cluster.
    pub fn membership_request_decided(&mut self, node: usize, outcome: &Outcome) {
        let Some(request) = self.membership_requests.get_mut(&node) else { return };
        match (request.want, outcome) {
            (Want::Found | Want::Join, Ok(Reply::Joined { raft_id, .. })) => self.joined(node, *raft_id),
            (Want::Join, Err(denied)) if denied.code == Code::MemberExists => {
                self.begin_membership_request(node, Want::Leave);
            }
            (Want::Leave | Want::Remove, Ok(Reply::Stepped { .. })) => {
                let id = self.fresh_id();
                let Some(request) = self.membership_requests.get_mut(&node) else { return };
                (request.id, request.asked, request.turn) = (id, None, request.turn + 1);
                let turn = request.turn;
                self.at(self.now + PAUSE, Event::MembershipRequestDue { node, turn });
            }
            (Want::Leave, Ok(Reply::Done)) => {
                trace!(self, "the old member of node {node} is removed");
                self.faults.let_go += 1;
                self.replace_disk(node);
                self.begin_membership_request(node, Want::Join);
            }
            (Want::Remove, Ok(Reply::Done)) => {
                trace!(self, "node {node} is removed");
                self.membership_requests.remove(&node);
                self.faults.removed += 1;
            }
            (Want::Drain(drained), Ok(Reply::Done)) => {
                self.nodes[node].drained = drained;
                self.membership_requests.remove(&node);
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
            self.begin_membership_request(node, Want::Drain(false));
        }
    }

    fn joined(&mut self, node: usize, raft_id: u64) {
        trace!(self, "node {node} is member {raft_id}");
        let founded =
            self.membership_requests.remove(&node).is_some_and(|request| request.want == Want::Found);
        if founded {
            return;
        }
        // Joining is one step here. The tests of `roles/node/join` cover crashes within it.
        self.nodes[node].disk.mend();
        let mut store = Store::open(self.nodes[node].disk.clone()).expect("an empty disk opens");
        store.identify(self.identity(node, raft_id), None).expect("a good disk");
        drop(store);
        self.raft_ids.insert(raft_id, node);
        self.start(node);
    }

    /// Ends a process after a peer told it that it was removed. The operator empties its folder later.
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
        self.begin_membership_request(node, Want::Join);
    }

    /// Returns true if the node is not a member, has a pending membership request or waits for an empty folder.
    pub fn is_between(&self, node: usize) -> bool {
        !self.raft_ids.values().any(|known| *known == node)
            || self.membership_requests.contains_key(&node)
            || self.nodes[node].locked
    }
}
