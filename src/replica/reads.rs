//! Linearizable reads that wait for a read index from the leader.
//!
//! A read may be answered from the state at index `i` if no later entry was acknowledged before the read began. The leader
//! provides such a read index: its commit index, once a quorum has confirmed, after the query arrived, that it still leads
//! (Raft thesis, 6.4; `ReadOnlyOption::Safe` of the engine).
//!
//! ```text
//!   read 7 ─┐                                     ┌─▶ 7, 8: index 41
//!   read 8 ─┴─ context 3 ──▶ leader ──▶ a quorum ─┘
//!   read 9 ─── waits for context 4, which is sent once context 3 is answered or has timed out
//! ```
//!
//! Many reads share one query, which carries a context that identifies it. The engine drops queries silently (no leader,
//! nothing committed in the term yet, a lost message), so an unanswered query is repeated under a new context. The answer
//! to a context is valid for every read that arrived before the context was made, including reads of older contexts.
//!
//! A context is never used twice, not even after a restart: a delayed acknowledgement of the first use would confirm the
//! second one, of which it knows nothing.

use super::limits::{READ_RESEND_TICKS, READS_MAX};
use ribbit_state::{LogIndex, RaftId};
use std::collections::VecDeque;

/// Id of a read, chosen by the caller; unique among the pending reads of this node.
pub type ReadId = u64;

/// A pending read.
struct PendingRead {
    id: ReadId,
    deadline_tick: u64,
    /// Number of the first context that was made after this read arrived.
    context: u64,
}

/// Pending reads of this node.
pub(crate) struct Reads {
    /// Member and start that contexts carry.
    origin: [u64; 2],
    /// Pending reads in the order of arrival.
    waiting: VecDeque<PendingRead>,
    /// Number of the newest context.
    asked: u64,
    /// Receiver, term and tick of the newest query; `None` once it is answered.
    sent: Option<(RaftId, u64, u64)>,
}

/// Size of a context, in bytes: three little-endian `u64`, for the member, its start and the number of the query.
pub(crate) const CONTEXT_BYTES: usize = 24;

impl Reads {
    /// Creates an empty list. `start` differs between any two starts of this member.
    pub(crate) fn new(me: RaftId, start: u64) -> Reads {
        Reads { origin: [me, start], waiting: VecDeque::new(), asked: 0, sent: None }
    }

    /// Adds a read. Returns false when `READS_MAX` are pending.
    pub(crate) fn add(&mut self, id: ReadId, deadline_tick: u64) -> bool {
        let room = self.waiting.len() < READS_MAX;
        if room {
            self.waiting.push_back(PendingRead { id, deadline_tick, context: self.asked + 1 });
        }
        room
    }

    /// Returns true if no read is pending.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the context of the query to send now, if one is due.
    pub(crate) fn take_due(&mut self, leader: RaftId, term: u64, now: u64) -> Option<Vec<u8>> {
        let under_way = self
            .sent
            .is_some_and(|(to, in_term, at)| to == leader && in_term == term && now < at + READ_RESEND_TICKS);
        if self.waiting.is_empty() || under_way {
            return None;
        }
        self.asked += 1;
        self.sent = Some((leader, term, now));
        Some(self.context(self.asked))
    }

    /// Removes and returns the reads that the leader's answer to a context confirms.
    pub(crate) fn confirmed(&mut self, context: &[u8]) -> Vec<ReadId> {
        let Some(number) = self.number(context) else { return Vec::new() };
        if number == self.asked {
            self.sent = None;
        }
        let good = self.waiting.partition_point(|read| read.context <= number);
        self.waiting.drain(..good).map(|read| read.id).collect()
    }

    /// Removes and returns the reads with an expired deadline.
    pub(crate) fn expire(&mut self, now: u64) -> Vec<ReadId> {
        let mut expired = Vec::new();
        self.waiting.retain(|read| {
            let late = read.deadline_tick <= now;
            if late {
                expired.push(read.id);
            }
            !late
        });
        expired
    }

    /// Encodes the context of this number.
    fn context(&self, number: u64) -> Vec<u8> {
        [self.origin[0], self.origin[1], number].iter().flat_map(|part| part.to_le_bytes()).collect()
    }

    /// Returns the number of a context, if it belongs to this start of this member.
    fn number(&self, context: &[u8]) -> Option<u64> {
        let number = context.last_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))?;
        (self.context(number) == context).then_some(number)
    }
}

/// Answer to pending reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadAnswer {
    pub reads: Vec<ReadId>,
    /// Read index; `None` when it was not confirmed in time or too many reads are pending.
    pub index: Option<LogIndex>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_confirms_the_reads_that_arrived_before_its_query() {
        let mut reads = Reads::new(1, 77);
        assert!(reads.take_due(2, 1, 0).is_none(), "no read is pending");
        reads.add(10, 100);
        let first = reads.take_due(2, 1, 0).expect("a read is pending");
        reads.add(11, 100);
        assert!(reads.take_due(2, 1, 1).is_none(), "one query at a time");
        assert_eq!(reads.confirmed(&first), vec![10]);
        let second = reads.take_due(2, 1, 1).expect("another read is pending");
        reads.add(12, 100);
        let third = reads.take_due(3, 2, 2).expect("a new leader is asked at once");
        assert_eq!(reads.confirmed(&second), vec![11]);
        assert_eq!(reads.confirmed(&second), Vec::<ReadId>::new());
        assert_eq!(reads.confirmed(&third), vec![12]);
    }

    #[test]
    fn an_unanswered_query_is_repeated_under_another_context() {
        let mut reads = Reads::new(1, 77);
        reads.add(10, 100);
        let first = reads.take_due(2, 1, 0).expect("a read is pending");
        let second = reads.take_due(2, 1, READ_RESEND_TICKS).expect("the answer is late");
        assert_ne!(first, second);
        assert_eq!(reads.confirmed(&second), vec![10]);
        reads.add(11, 20);
        assert!(reads.expire(19).is_empty());
        assert_eq!(reads.expire(20), vec![11]);
    }

    #[test]
    fn contexts_of_other_members_and_of_former_starts_are_ignored() {
        let mut reads = Reads::new(1, 77);
        reads.add(10, 100);
        reads.take_due(2, 1, 0);
        for context in [Reads::new(1, 78).context(1), Reads::new(2, 77).context(1), vec![1; 8], vec![]] {
            assert!(reads.confirmed(&context).is_empty());
        }
        assert_eq!(Reads::new(1, 77).context(1).len(), CONTEXT_BYTES);
    }

    #[test]
    fn the_number_of_pending_reads_is_bounded() {
        let mut reads = Reads::new(1, 77);
        assert!((0..READS_MAX as u64).all(|id| reads.add(id, 1)));
        assert!(!reads.add(u64::MAX, 1));
    }
}
