//! Scheduled actions of the clients.

use super::history::Done;
use super::world::{Event, REQUEST_TIMEOUT, World, trace};

/// Longest pause of a contender between two operations, in virtual milliseconds.
const CONTENDERS_THINK_MAX: u64 = 150;

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
            let people = self.plan.clients;
            self.clients[client].begin(people, self.now, &mut self.random, &self.checker);
            let asks = self.clients[client].pending.as_ref().map(|pending| &pending.ask);
            trace!(self, "client {client} begins operation {}: {asks:?}", self.clients[client].operation);
        }
        let again = self.now + self.random.between(100, 400);
        self.client_turn_at(client, again);
        let Some(pending) = &mut self.clients[client].pending else { return };
        if pending.at.is_some_and(|(_, since)| self.now - since < REQUEST_TIMEOUT) {
            return;
        }
        pending.tries += 1;
        self.faults.retries += u64::from(pending.tries > 1);
        let members: Vec<usize> = self.raft_ids.values().copied().collect();
        let node = members[self.random.between(0, members.len() as u64) as usize];
        self.trace.note("client", &[client as u64, pending.tries, node as u64], &[]);
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
        self.faults.accounts_deleted += u64::from(std::mem::take(&mut self.clients[client].has_deleted));
        let contends = self.clients[client].contender.is_some();
        let pause = self.random.between(1, if contends { CONTENDERS_THINK_MAX } else { self.plan.think_max });
        self.client_turn_at(client, self.now + pause);
    }
}
