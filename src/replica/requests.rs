//! This node's own requests, from asking to outcome.
//!
//! A request waits here until this node has applied it, its deadline passes, or the process ends. Meanwhile it is
//! proposed (if this node leads) or forwarded to the leader, once per leader and term, and again after
//! `RESEND_TICKS` because messages get lost. Nothing is ever forwarded twice: a node proposes what was forwarded
//! to it, or drops it.

use super::limits::{REQUESTS_MAX, RESEND_TICKS};
use crate::state::{RaftId, Request, RequestId};
use std::collections::BTreeMap;

struct Waiting {
    request: Request,
    deadline_tick: u64,
    /// To which leader, in which term, and when it was last sent.
    sent: Option<(RaftId, u64, u64)>,
}

/// Ordered by id, so that everything here is the same in every run.
#[derive(Default)]
pub struct Requests {
    waiting: BTreeMap<RequestId, Waiting>,
    /// Those that were never sent, so that an ordinary turn does not look at all.
    fresh: Vec<RequestId>,
}

impl Requests {
    /// Takes a request in; `false` when too many are under way. The same id is the same command: who asks sees to it.
    pub fn add(&mut self, request: Request, deadline_tick: u64) -> bool {
        if let Some(waiting) = self.waiting.get_mut(&request.id) {
            waiting.deadline_tick = waiting.deadline_tick.max(deadline_tick);
            return true;
        }
        if self.waiting.len() >= REQUESTS_MAX {
            return false;
        }
        self.fresh.push(request.id);
        self.waiting.insert(request.id, Waiting { request, deadline_tick, sent: None });
        true
    }

    /// The outcome is known.
    pub fn finish(&mut self, id: RequestId) {
        self.waiting.remove(&id);
    }

    /// Requests that were never sent, now sent to this leader.
    pub fn take_fresh(&mut self, leader: RaftId, term: u64, now: u64) -> Vec<Request> {
        let fresh = std::mem::take(&mut self.fresh);
        let mut due = Vec::with_capacity(fresh.len());
        for id in fresh {
            if let Some(waiting) = self.waiting.get_mut(&id) {
                waiting.sent = Some((leader, term, now));
                due.push(waiting.request.clone());
            }
        }
        due
    }

    /// Requests to send again: those sent to another leader, in another term, or long ago.
    pub fn take_due(&mut self, leader: RaftId, term: u64, now: u64) -> Vec<Request> {
        let mut due = self.take_fresh(leader, term, now);
        for waiting in self.waiting.values_mut() {
            let sent = match waiting.sent {
                Some((to, in_term, at)) => to == leader && in_term == term && now < at + RESEND_TICKS,
                None => false,
            };
            if !sent {
                waiting.sent = Some((leader, term, now));
                due.push(waiting.request.clone());
            }
        }
        due
    }

    /// Requests that could not be sent after all: they are due again.
    pub fn unsend(&mut self, requests: &[Request]) {
        for request in requests {
            if let Some(waiting) = self.waiting.get_mut(&request.id) {
                waiting.sent = None;
            }
        }
    }

    /// Gives up those whose deadline has passed.
    pub fn expire(&mut self, now: u64) -> Vec<RequestId> {
        let expired: Vec<RequestId> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.deadline_tick <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in &expired {
            self.waiting.remove(id);
        }
        if !expired.is_empty() {
            // Without a leader nobody takes them from here.
            self.fresh.retain(|id| self.waiting.contains_key(id));
        }
        expired
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Command;

    fn request(id: u128) -> Request {
        Request { id: RequestId(id), born: 0, command: Command::IndexCroaks }
    }

    #[test]
    fn a_request_is_sent_once_a_leader_and_again_when_it_may_be_lost() {
        let mut requests = Requests::default();
        assert!(requests.add(request(1), 100));
        assert_eq!(requests.take_fresh(7, 2, 0).len(), 1);
        assert!(requests.take_due(7, 2, 1).is_empty());
        assert_eq!(requests.take_due(7, 2, RESEND_TICKS).len(), 1);
        assert_eq!(requests.take_due(8, 3, RESEND_TICKS + 1).len(), 1);
        assert_eq!(requests.expire(100), vec![RequestId(1)]);
        assert!(requests.is_empty());
    }

    #[test]
    fn what_nobody_took_is_forgotten_when_it_expires() {
        let mut requests = Requests::default();
        for round in 0..10 {
            assert!(requests.add(request(1), round + 1));
            assert_eq!(requests.expire(round + 1), vec![RequestId(1)]);
            assert!(requests.fresh.is_empty(), "a group without a leader must not fill the memory");
        }
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let mut requests = Requests::default();
        for id in 0..REQUESTS_MAX as u128 {
            assert!(requests.add(request(id), 1));
        }
        assert!(!requests.add(request(u128::MAX), 1));
        assert!(requests.add(request(0), 2), "one that is under way is no new one");
    }
}
