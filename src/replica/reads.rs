//! Linearizable reads that wait for the leader's word: which index is new enough for them.
//!
//! A read may be answered from a state at index `i` if nothing beyond `i` was acknowledged before the read was
//! asked. The leader knows such an index: its commit, once a majority has confirmed, after the question came,
//! that it still leads (Raft thesis, 6.4; the engine's `ReadOnlyOption::Safe`).
//!
//! ```text
//!   read 7 ─┐                                       ┌─▶ 7, 8: index 41
//!   read 8 ─┴─ context 3 ──▶ leader ──▶ a majority ─┘
//!   read 9 ─── waits for context 4, which is asked once context 3 is answered or given up
//! ```
//!
//! Many reads share one question. The engine drops questions silently (no leader, nothing committed in the term
//! yet, a lost message), so one without an answer is asked again under a new context. An answer to a context is
//! good for every read that came before the context was made: also for those of older contexts.
//!
//! A context is never used twice, not even after a restart: an acknowledgement that was meant for an older use
//! and came late would confirm what it knows nothing of.

use super::limits::{READ_RESEND_TICKS, READS_MAX};
use crate::state::{LogIndex, RaftId};
use std::collections::VecDeque;

/// Chosen by whoever asks; unique among the reads under way on this node.
pub type ReadId = u64;

struct Waiting {
    id: ReadId,
    deadline_tick: u64,
    /// The first context that was made after this read came.
    context: u64,
}

/// In the order of arrival.
pub struct Reads {
    origin: [u64; 2],
    waiting: VecDeque<Waiting>,
    /// The number of the newest context.
    asked: u64,
    /// Whom it was sent to, in which term, and when; nothing once it is answered.
    sent: Option<(RaftId, u64, u64)>,
}

/// Contexts are three numbers: who, which of its starts, which question.
pub const CONTEXT_BYTES: usize = 24;

impl Reads {
    /// `start` differs between any two starts of this member.
    pub fn new(me: RaftId, start: u64) -> Reads {
        Reads { origin: [me, start], waiting: VecDeque::new(), asked: 0, sent: None }
    }

    /// Takes a read in; `false` when too many are under way.
    pub fn add(&mut self, id: ReadId, deadline_tick: u64) -> bool {
        let room = self.waiting.len() < READS_MAX;
        if room {
            self.waiting.push_back(Waiting { id, deadline_tick, context: self.asked + 1 });
        }
        room
    }

    /// The context to ask now, if any.
    pub fn take_due(&mut self, leader: RaftId, term: u64, now: u64) -> Option<Vec<u8>> {
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

    /// The leader's answer to a context: the reads that it is good for.
    pub fn confirmed(&mut self, context: &[u8]) -> Vec<ReadId> {
        let Some(number) = self.number(context) else { return Vec::new() };
        if number == self.asked {
            self.sent = None;
        }
        let good = self.waiting.partition_point(|read| read.context <= number);
        self.waiting.drain(..good).map(|read| read.id).collect()
    }

    /// Gives up those whose deadline has passed.
    pub fn expire(&mut self, now: u64) -> Vec<ReadId> {
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

    fn context(&self, number: u64) -> Vec<u8> {
        [self.origin[0], self.origin[1], number].iter().flat_map(|part| part.to_le_bytes()).collect()
    }

    fn number(&self, context: &[u8]) -> Option<u64> {
        let number = context.last_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))?;
        (self.context(number) == context).then_some(number)
    }
}

/// An index from which on a read that was asked before is linearizable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadAnswer {
    pub reads: Vec<ReadId>,
    /// Nothing when it was not confirmed in time.
    pub index: Option<LogIndex>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_good_for_what_came_before_its_question() {
        let mut reads = Reads::new(1, 77);
        assert!(reads.take_due(2, 1, 0).is_none(), "nobody waits");
        reads.add(10, 100);
        let first = reads.take_due(2, 1, 0).expect("one waits");
        reads.add(11, 100);
        assert!(reads.take_due(2, 1, 1).is_none(), "one question at a time");
        assert_eq!(reads.confirmed(&first), vec![10]);
        let second = reads.take_due(2, 1, 1).expect("another waits");
        reads.add(12, 100);
        let third = reads.take_due(3, 2, 2).expect("another leader is asked at once");
        assert_eq!(reads.confirmed(&second), vec![11]);
        assert_eq!(reads.confirmed(&second), Vec::<ReadId>::new());
        assert_eq!(reads.confirmed(&third), vec![12]);
    }

    #[test]
    fn a_question_without_an_answer_is_asked_again_under_another_context() {
        let mut reads = Reads::new(1, 77);
        reads.add(10, 100);
        let first = reads.take_due(2, 1, 0).expect("one waits");
        let second = reads.take_due(2, 1, READ_RESEND_TICKS).expect("the answer is late");
        assert_ne!(first, second);
        assert_eq!(reads.confirmed(&second), vec![10]);
        reads.add(11, 20);
        assert!(reads.expire(19).is_empty());
        assert_eq!(reads.expire(20), vec![11]);
    }

    #[test]
    fn contexts_of_others_and_of_former_starts_are_not_ours() {
        let mut reads = Reads::new(1, 77);
        reads.add(10, 100);
        reads.take_due(2, 1, 0);
        for context in [Reads::new(1, 78).context(1), Reads::new(2, 77).context(1), vec![1; 8], vec![]] {
            assert!(reads.confirmed(&context).is_empty());
        }
        assert_eq!(Reads::new(1, 77).context(1).len(), CONTEXT_BYTES);
    }

    #[test]
    fn there_is_room_for_so_many_reads() {
        let mut reads = Reads::new(1, 77);
        assert!((0..READS_MAX as u64).all(|id| reads.add(id, 1)));
        assert!(!reads.add(u64::MAX, 1));
    }
}
