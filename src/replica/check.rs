//! Refuses messages that would make the engine panic, or that no honest member sends.
//!
//! The engine trusts its input. A message gets here decrypted and from a known connection; a bug or a disk that
//! lost what it promised can still make it impossible.

use super::limits::{INDEX_MAX, TERM_JUMP_MAX};
use super::reads::CONTEXT_BYTES;
use crate::db::Position;
use crate::state::LogIndex;
use raft::eraftpb::{ConfState, Message, MessageType, SnapshotMetadata};
use std::collections::BTreeSet;

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    /// Drop it.
    Bad(&'static str),
    /// The leader knows that we had more than we have: our disk lost what it promised.
    LostLog,
    /// The leader has another entry at this index, where ours is committed: a majority lost what it acknowledged.
    Fork {
        index: LogIndex,
    },
}

/// What the node knows when a message comes in.
#[derive(Debug, Clone, Copy)]
pub struct Knowledge {
    pub me: u64,
    pub last_index: u64,
    pub term: u64,
    /// The term that is on disk: of a later one nobody has heard from us.
    pub durable_term: u64,
    /// Whom we take for the leader of our term, 0 for nobody.
    pub leader: u64,
    pub applied: Position,
    /// The newest index that this member knows to be committed.
    pub committed: LogIndex,
}

/// Judges a message of `from`. `term_at` returns the term of an entry of this member's log, if it has one there.
pub fn check(
    message: &Message,
    from: u64,
    known: Knowledge,
    term_at: impl Fn(LogIndex) -> Option<u64>,
) -> Verdict {
    if message.to != known.me || message.from != from || from == known.me || from == 0 {
        return Verdict::Bad("it is not for us, or not from whom it says");
    }
    // Sent without a term; the engine panics when it has to forward one that has any.
    if message.msg_type() == MessageType::MsgReadIndex {
        return if message.term == 0 {
            check_context(message)
        } else {
            Verdict::Bad("a question with a term")
        };
    }
    // The engine takes term 0 for a message of its own.
    if message.term == 0 || message.term > known.term.saturating_add(TERM_JUMP_MAX) {
        return Verdict::Bad("its term cannot be");
    }
    if message.index > INDEX_MAX || message.request_snapshot != 0 || message.priority != 0 {
        return Verdict::Bad("members do not send such values");
    }
    match message.msg_type() {
        // The engine looks no further than the term.
        kind if message.term < known.term && is_known(kind) => Verdict::Fine,
        MessageType::MsgAppend => check_append(message, known, term_at),
        MessageType::MsgHeartbeat if message.commit > known.last_index => Verdict::LostLog,
        MessageType::MsgAppendResponse if message.index.max(message.reject_hint) > known.last_index => {
            match message.reject && message.reject_hint <= known.last_index {
                // Stale: what was sent then has been replaced.
                true => Verdict::Fine,
                false => Verdict::Bad("it answers more than was sent"),
            }
        }
        MessageType::MsgRequestVoteResponse if known.durable_term < known.term => {
            Verdict::Bad("nobody was asked for a vote yet")
        }
        MessageType::MsgSnapshot => check_snapshot(message),
        // It lets its receiver stand for election past everybody's patience with the leader: only that one may.
        MessageType::MsgTimeoutNow | MessageType::MsgReadIndexResp
            if message.term != known.term || message.from != known.leader =>
        {
            Verdict::Bad("it is not from the leader")
        }
        MessageType::MsgReadIndexResp => check_context(message),
        kind if is_known(kind) => Verdict::Fine,
        _ => Verdict::Bad("members do not send messages of this type"),
    }
}

/// Whether members send messages of this type.
fn is_known(kind: MessageType) -> bool {
    matches!(
        kind,
        MessageType::MsgAppend
            | MessageType::MsgAppendResponse
            | MessageType::MsgHeartbeat
            | MessageType::MsgHeartbeatResponse
            | MessageType::MsgRequestVote
            | MessageType::MsgRequestVoteResponse
            | MessageType::MsgRequestPreVote
            | MessageType::MsgRequestPreVoteResponse
            | MessageType::MsgSnapshot
            | MessageType::MsgTimeoutNow
            | MessageType::MsgReadIndexResp
    )
}

fn check_append(message: &Message, known: Knowledge, term_at: impl Fn(LogIndex) -> Option<u64>) -> Verdict {
    // The engine takes the term of what it does not have for 0.
    if (message.log_term == 0) != (message.index == 0) || message.log_term > message.term {
        return Verdict::Bad("it follows an entry that cannot be");
    }
    let mut term = message.log_term;
    for (entry, index) in message.entries.iter().zip(message.index + 1..) {
        if entry.index != index {
            return Verdict::Bad("its entries are not contiguous");
        }
        if entry.term < term || entry.term > message.term {
            return Verdict::Bad("its entries' terms do not rise");
        }
        term = entry.term;
    }
    fork(message, known, term_at).map_or(Verdict::Fine, |index| Verdict::Fork { index })
}

/// Returns an index at which the leader of this term has another entry than the one that is committed here. The engine
/// would panic on some of these, and on others acknowledge what it does not have.
fn fork(message: &Message, known: Knowledge, term_at: impl Fn(LogIndex) -> Option<u64>) -> Option<LogIndex> {
    if message.index >= known.applied.index && message.log_term < known.applied.term {
        return Some(known.applied.index);
    }
    let before = std::iter::once((message.index, message.log_term));
    let sent = before.chain(message.entries.iter().map(|entry| (entry.index, entry.term)));
    let mut committed = sent.take_while(|(index, _)| *index <= known.committed);
    committed.find(|(index, term)| term_at(*index).is_some_and(|ours| ours != *term)).map(|(index, _)| index)
}

/// A question for the read index, or the answer to one: the engine reads the first entry unasked, and keeps its
/// data until a majority has confirmed.
fn check_context(message: &Message) -> Verdict {
    match message.entries.as_slice() {
        [entry] if entry.data.len() == CONTEXT_BYTES => Verdict::Fine,
        _ => Verdict::Bad("its question for the read index is not one of ours"),
    }
}

fn check_snapshot(message: &Message) -> Verdict {
    let SnapshotMetadata { index, term, .. } = *message.snapshot.metadata;
    if index == 0 || index > INDEX_MAX || term == 0 || term > message.term {
        return Verdict::Bad("a snapshot of a position that cannot be");
    }
    match message.snapshot.metadata.conf_state.as_ref() {
        Some(state) if is_configuration(state) => Verdict::Fine,
        _ => Verdict::Bad("a snapshot of a configuration that cannot be"),
    }
}

/// Whether a group can have this configuration.
fn is_configuration(state: &ConfState) -> bool {
    let set = |ids: &[u64]| {
        let set: BTreeSet<u64> = ids.iter().copied().collect();
        (set.len() == ids.len() && !set.contains(&0)).then_some(set)
    };
    let sets =
        (set(&state.voters), set(&state.learners), set(&state.voters_outgoing), set(&state.learners_next));
    let (Some(voters), Some(learners), Some(outgoing), Some(next)) = sets else { return false };
    let joint = !outgoing.is_empty();
    !voters.is_empty()
        && learners.is_disjoint(&voters)
        && learners.is_disjoint(&outgoing)
        && next.is_subset(&outgoing)
        && next.is_disjoint(&voters)
        && (joint || !state.auto_leave)
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft::eraftpb::Entry;

    const KNOWN: Knowledge = Knowledge {
        me: 1,
        last_index: 10,
        term: 3,
        durable_term: 3,
        leader: 2,
        applied: Position { index: 3, term: 1 },
        committed: 5,
    };

    /// The log has entries of term 1 up to 3 and of term 2 up to 10.
    fn check(message: &Message, from: u64, known: Knowledge) -> Verdict {
        super::check(message, from, known, |index| {
            (1..=10).contains(&index).then_some(if index > 3 { 2 } else { 1 })
        })
    }

    fn message(kind: MessageType) -> Message {
        let mut message = Message::new();
        message.set_msg_type(kind);
        message.to = 1;
        message.from = 2;
        message.term = 3;
        message
    }

    #[test]
    fn entries_must_follow_each_other() {
        let mut append = message(MessageType::MsgAppend);
        append.index = 4;
        append.log_term = 2;
        append.entries.push(Entry { index: 5, term: 2, ..Entry::default() });
        append.entries.push(Entry { index: 6, term: 3, ..Entry::default() });
        assert_eq!(check(&append, 2, KNOWN), Verdict::Fine);
        append.entries[1].index = 7;
        assert!(matches!(check(&append, 2, KNOWN), Verdict::Bad(_)));
        append.entries[1].index = 6;
        append.entries[1].term = 1;
        assert!(matches!(check(&append, 2, KNOWN), Verdict::Bad(_)));
    }

    /// The engine acknowledged such a message, or took it for a follower that has to be probed, for ever.
    #[test]
    fn a_leader_with_other_entries_where_ours_are_committed_is_a_fork() {
        let append = |index, log_term, entries: &[(u64, u64)]| {
            let mut append = message(MessageType::MsgAppend);
            (append.index, append.log_term) = (index, log_term);
            append.entries = entries
                .iter()
                .map(|(index, term)| Entry { index: *index, term: *term, ..Entry::default() })
                .collect();
            append
        };
        let verdict = |append: &Message| check(append, 2, KNOWN);
        assert_eq!(verdict(&append(5, 3, &[])), Verdict::Fork { index: 5 });
        assert_eq!(verdict(&append(4, 2, &[(5, 3)])), Verdict::Fork { index: 5 });
        assert_eq!(verdict(&append(3, 1, &[(4, 2), (5, 2), (6, 3)])), Verdict::Fine, "6 is not committed");
        assert_eq!(verdict(&append(6, 3, &[])), Verdict::Fine, "the engine asks for earlier entries");
        assert_eq!(verdict(&append(20, 2, &[])), Verdict::Fine);
        let late = Knowledge { applied: Position { index: 5, term: 2 }, ..KNOWN };
        assert_eq!(check(&append(20, 1, &[]), 2, late), Verdict::Fork { index: 5 });
        let mut old = append(5, 1, &[]);
        old.term = 2;
        assert_eq!(verdict(&old), Verdict::Fine, "a leader of an earlier term is not listened to");
    }

    #[test]
    fn a_commit_beyond_our_log_means_a_lost_log() {
        let mut beat = message(MessageType::MsgHeartbeat);
        beat.commit = 10;
        assert_eq!(check(&beat, 2, KNOWN), Verdict::Fine);
        beat.commit = 11;
        assert_eq!(check(&beat, 2, KNOWN), Verdict::LostLog);
    }

    #[test]
    fn the_read_index_is_asked_and_answered_in_one_form() {
        let mut ask = message(MessageType::MsgReadIndex);
        ask.term = 0;
        assert!(matches!(check(&ask, 2, KNOWN), Verdict::Bad(_)), "no context");
        ask.entries.push(Entry { data: vec![0; CONTEXT_BYTES].into(), ..Entry::default() });
        assert_eq!(check(&ask, 2, KNOWN), Verdict::Fine);
        ask.term = 3;
        assert!(matches!(check(&ask, 2, KNOWN), Verdict::Bad(_)));
        ask.set_msg_type(MessageType::MsgReadIndexResp);
        assert_eq!(check(&ask, 2, KNOWN), Verdict::Fine);
        ask.entries[0].data = vec![0; 1 << 16].into();
        assert!(matches!(check(&ask, 2, KNOWN), Verdict::Bad(_)));
    }

    #[test]
    fn strangers_and_local_messages_are_refused() {
        assert!(matches!(check(&message(MessageType::MsgHup), 2, KNOWN), Verdict::Bad(_)));
        assert!(matches!(check(&message(MessageType::MsgPropose), 2, KNOWN), Verdict::Bad(_)));
        assert!(matches!(check(&message(MessageType::MsgHeartbeat), 3, KNOWN), Verdict::Bad(_)));
    }
}
