//! Pending requests of this node's clients.
//!
//! A request is pending until this node has applied it, its deadline passes, or the process ends. Meanwhile it is proposed
//! (if this node leads) or forwarded to the leader: once per leader and term, and again after `RESEND_TICKS`, or later on a
//! bad network, because messages may be lost. Forwarding takes at most one hop: a node proposes the requests forwarded to it, or drops them.

use super::limits::REQUESTS_MAX;
use ribbit_state::{RaftId, Request, RequestId};
use std::collections::BTreeMap;

/// A pending request.
struct PendingRequest {
    request: Request,
    deadline_tick: u64,
    /// Leader, term and tick of the last time the request was sent.
    sent: Option<(RaftId, u64, u64)>,
}

/// Pending requests of this node.
#[derive(Default)]
pub(crate) struct Requests {
    /// Ordered by id, so that every run of the simulator is the same.
    waiting: BTreeMap<RequestId, PendingRequest>,
    /// Requests that were never sent; an ordinary turn examines only these.
    fresh: Vec<RequestId>,
}

impl Requests {
    /// Adds a request, or extends the deadline of a pending one with the same id. Returns false when `REQUESTS_MAX` are
    /// pending. The caller ensures that the same id means the same command.
    pub(crate) fn add(&mut self, request: Request, deadline_tick: u64) -> bool {
        if let Some(waiting) = self.waiting.get_mut(&request.id) {
            waiting.deadline_tick = waiting.deadline_tick.max(deadline_tick);
            return true;
        }
        if self.waiting.len() >= REQUESTS_MAX {
            return false;
        }
        self.fresh.push(request.id);
        self.waiting.insert(request.id, PendingRequest { request, deadline_tick, sent: None });
        true
    }

    /// Returns true if no request is pending.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Removes a request with a known outcome.
    pub(crate) fn finish(&mut self, id: RequestId) {
        self.waiting.remove(&id);
    }

    /// Returns the requests that were never sent, and marks them as sent to this leader.
    pub(crate) fn take_fresh(&mut self, leader: RaftId, term: u64, now: u64) -> Vec<Request> {
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

    /// Returns the requests to send now, and marks them as sent: new ones, and those last sent to another leader, in
    /// another term, or so many ticks ago.
    pub(crate) fn take_due(
        &mut self,
        leader: RaftId,
        term: u64,
        now: u64,
        resend_ticks: u64,
    ) -> Vec<Request> {
        let mut due = self.take_fresh(leader, term, now);
        for waiting in self.waiting.values_mut() {
            let sent = match waiting.sent {
                Some((to, in_term, at)) => to == leader && in_term == term && now < at + resend_ticks,
                None => false,
            };
            if !sent {
                waiting.sent = Some((leader, term, now));
                due.push(waiting.request.clone());
            }
        }
        due
    }

    /// Marks requests that could not be sent as due.
    pub(crate) fn unsend(&mut self, requests: &[Request]) {
        for request in requests {
            if let Some(waiting) = self.waiting.get_mut(&request.id) {
                waiting.sent = None;
            }
        }
    }

    /// Removes the requests with an expired deadline and returns their ids.
    pub(crate) fn expire(&mut self, now: u64) -> Vec<RequestId> {
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
            // Without a leader, `take_fresh` is not called and the list would grow.
            self.fresh.retain(|id| self.waiting.contains_key(id));
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RESEND_TICKS;
    use ribbit_state::Command;

    fn request(id: u128) -> Request {
        Request { id: RequestId(id), submitted_at: 0, origin: None, command: Command::IndexCroaks }
    }

    #[test]
    fn a_request_is_sent_once_per_leader_and_again_when_it_may_be_lost() {
        let mut requests = Requests::default();
        assert!(requests.add(request(1), 100));
        assert_eq!(requests.take_fresh(7, 2, 0).len(), 1);
        assert!(requests.take_due(7, 2, 1, RESEND_TICKS).is_empty());
        assert_eq!(requests.take_due(7, 2, RESEND_TICKS, RESEND_TICKS).len(), 1);
        assert_eq!(requests.take_due(8, 3, RESEND_TICKS + 1, RESEND_TICKS).len(), 1);
        assert_eq!(requests.expire(100), vec![RequestId(1)]);
        assert!(requests.waiting.is_empty());
    }

    #[test]
    fn requests_that_no_leader_took_are_removed_when_they_expire() {
        let mut requests = Requests::default();
        for round in 0..10 {
            assert!(requests.add(request(1), round + 1));
            assert_eq!(requests.expire(round + 1), vec![RequestId(1)]);
            assert!(requests.fresh.is_empty(), "a cluster without a leader must not fill the memory");
        }
    }

    #[test]
    fn the_number_of_pending_requests_is_bounded() {
        let mut requests = Requests::default();
        for id in 0..REQUESTS_MAX as u128 {
            assert!(requests.add(request(id), 1));
        }
        assert!(!requests.add(request(u128::MAX), 1));
        assert!(requests.add(request(0), 2), "a pending request does not count twice");
    }
}
