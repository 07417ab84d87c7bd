//! What clients and joining processes do when it is their turn.

use super::history::Done;
use super::world::{Event, PATIENCE, World, trace};
use ribbit::db::Store;
use ribbit::replica::Input;
use ribbit::state::{Command, Outcome, Reply, Request};

impl World {
    /// The client's next turn, instead of any that was planned.
    pub fn client_turn_at(&mut self, client: usize, time: u64) {
        self.clients[client].turn += 1;
        let turn = self.clients[client].turn;
        self.at(time, Event::ClientTurn { client, turn });
    }

    pub fn client_turn(&mut self, client: usize) {
        if self.clients[client].pending.is_none() {
            if !self.faulty && self.has_done_enough(&self.clients[client]) {
                return;
            }
            let clients = self.clients.len();
            self.clients[client].begin(clients, &mut self.random, &self.checker);
            let asks = self.clients[client].pending.as_ref().map(|pending| &pending.ask);
            trace!(self, "client {client} begins operation {}: {asks:?}", self.clients[client].operation);
        }
        let again = self.now + self.random.between(100, 400);
        self.client_turn_at(client, again);
        let Some(pending) = &mut self.clients[client].pending else { return };
        if pending.at.is_some_and(|(_, since)| self.now - since < PATIENCE) {
            return;
        }
        pending.tries += 1;
        self.faults.retries += u64::from(pending.tries > 1);
        let members: Vec<usize> = self.raft_ids.values().copied().collect();
        let node = members[self.random.between(0, members.len() as u64) as usize];
        if self.nodes[node].running.is_some() {
            pending.at = Some((node, self.now));
            let operation = self.clients[client].operation;
            self.at(self.now, Event::Ask { client, operation, node });
        } else {
            pending.at = None;
        }
    }

    /// A client has its answer, thinks a little, and goes on.
    pub fn finish(&mut self, client: usize, done: Option<Done>) {
        self.checker.done(done.expect("only what was asked is answered"));
        let pause = self.random.between(1, self.plan.think_max);
        self.client_turn_at(client, self.now + pause);
    }

    pub fn ask_to_join(&mut self, node: usize, command: Command) {
        if self.joining.contains_key(&node) {
            return;
        }
        let id = self.fresh_id();
        self.nodes[node].join = Some(Request { id, born: 0, command });
        self.joining.insert(node, (id, None));
        self.at(self.now, Event::JoinTurn { node });
    }

    /// Asks somebody, again and again, under one request id.
    pub fn join_turn(&mut self, node: usize) {
        if !self.joining.contains_key(&node) {
            return;
        }
        let members: Vec<usize> = self.raft_ids.values().copied().collect();
        let asked = members[self.random.between(0, members.len() as u64) as usize];
        let Some(request) = self.nodes[node].join.clone() else { return };
        if self.nodes[asked].running.is_some() && self.nodes[asked].paused_until <= self.now {
            self.joining.insert(node, (request.id, Some(asked)));
            self.feed(asked, Input::Request { request, ticks: 50 });
        }
        let again = self.now + self.random.between(300, PATIENCE);
        self.at(again, Event::JoinTurn { node });
    }

    pub fn joined(&mut self, node: usize, outcome: &Outcome) {
        let Ok(Reply::Joined { raft_id, .. }) = outcome else {
            panic!("node {node} may not join: {outcome:?}")
        };
        trace!(self, "node {node} is member {raft_id}");
        self.joining.remove(&node);
        if node != 0 {
            let mut store = Store::open(self.nodes[node].disk.clone()).expect("an empty disk opens");
            store.identify(self.identity(node, *raft_id), None).expect("a good disk");
            drop(store);
            self.raft_ids.insert(*raft_id, node);
            self.start(node);
        }
    }
}
