//! Validation of messages from peers. It refuses messages that would make the engine panic, and messages that no correct
//! member sends.
//!
//! The engine trusts its input. A message arrives here decrypted, on the connection of a known member. It can still be
//! invalid, because of a bug or because a disk lost synced data.

use super::limits::{INDEX_MAX, TERM_JUMP_MAX};
use super::reads::CONTEXT_BYTES;
use raft::eraftpb::{ConfState, Message, MessageType, SnapshotMetadata};
use ribbit_db::Position;
use ribbit_db::faults::{Fault, injected};
use ribbit_state::LogIndex;
use std::collections::BTreeSet;

/// Returns true if a log that ends at `last` has lost entries, because its member has applied up to `applied` before. Applied
/// entries are durable in the log.
pub fn has_lost_entries(last: LogIndex, applied: LogIndex) -> bool {
    applied > last && !injected(Fault::RolledBackVote)
}

/// Result of the validation of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The message is valid.
    Valid,
    /// The message is invalid, for this reason, and is dropped.
    Invalid(&'static str),
    /// The leader knows that this log was longer: the disk of this member lost synced data.
    LostLog,
    /// The leader has another entry, or none, at this index, where this member's entry is committed: a majority of the
    /// members lost acknowledged writes.
    Fork { index: LogIndex },
    /// The sender has committed entries behind the end of this leader's log. It is told so with [`shorter_log`].
    Ahead,
}

/// State of the receiving member that the validation uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceiverState {
    /// Id of this member.
    pub(crate) me: u64,
    /// Last index of its log.
    pub(crate) last_index: u64,
    /// Its term.
    pub(crate) term: u64,
    /// Its term on disk. It has sent no message of a later term.
    pub(crate) durable_term: u64,
    /// Leader of its term, 0 if unknown.
    pub(crate) leader: u64,
    /// Position up to which it has applied the log.
    pub(crate) applied: Position,
    /// Newest index that it knows to be committed.
    pub(crate) committed: LogIndex,
}

/// Validates a message that arrived from `from`. `term_at` returns the term of the entry at an index of this member's log,
/// if the log has one there.
pub(crate) fn check(
    message: &Message,
    from: u64,
    known: ReceiverState,
    term_at: impl Fn(LogIndex) -> Option<u64>,
) -> Verdict {
    if message.to != known.me || message.from != from || from == known.me || from == 0 {
        return Verdict::Invalid("its sender or its receiver is wrong");
    }
    // Queries are sent without a term. The engine panics when it has to forward one that has a term.
    if message.msg_type() == MessageType::MsgReadIndex {
        return if message.term == 0 {
            check_context(message)
        } else {
            Verdict::Invalid("its read index query has a term")
        };
    }
    // The engine takes a message of term 0 for a local one.
    if message.term == 0 || message.term > known.term.saturating_add(TERM_JUMP_MAX) {
        return Verdict::Invalid("its term is invalid");
    }
    if message.index > INDEX_MAX || message.request_snapshot != 0 || message.priority != 0 {
        return Verdict::Invalid("it has values that members do not send");
    }
    match message.msg_type() {
        // The engine examines only the term of such a message.
        kind if message.term < known.term && is_known(kind) => Verdict::Valid,
        MessageType::MsgAppend => check_append(message, known, term_at),
        MessageType::MsgHeartbeat if message.commit > known.last_index => Verdict::LostLog,
        MessageType::MsgHeartbeat if message.reject => check_shorter_log(message, known),
        MessageType::MsgAppendResponse if message.index.max(message.reject_hint) > known.last_index => {
            match message.reject && message.reject_hint <= known.last_index {
                // Stale: the entries that it rejects have been replaced since.
                true => Verdict::Valid,
                // A follower answers an append that starts before its commit index with that index.
                false if known.leader == known.me => Verdict::Ahead,
                false => Verdict::Invalid("it acknowledges entries that were not sent"),
            }
        }
        MessageType::MsgRequestVoteResponse if known.durable_term < known.term => {
            Verdict::Invalid("it grants a vote that was not requested")
        }
        MessageType::MsgSnapshot => check_snapshot(message),
        // MsgTimeoutNow makes its receiver stand for election although the leader is alive: only the leader may send it.
        MessageType::MsgTimeoutNow | MessageType::MsgReadIndexResp
            if message.term != known.term || message.from != known.leader =>
        {
            Verdict::Invalid("its sender is not the leader")
        }
        MessageType::MsgReadIndexResp => check_context(message),
        kind if is_known(kind) => Verdict::Valid,
        _ => Verdict::Invalid("its type is not one that members send"),
    }
}

/// Returns the answer of a leader to a member that rejects an append because its log ends before entries that it has acknowledged to
/// this leader and that are committed: a heartbeat, which the member checks with its own log. `None` for any other message.
///
/// The engine would send the member what it has lost, so that neither would notice. A rejection that was sent before the
/// acknowledgement and arrives after it gets the same answer, which changes nothing then.
pub(crate) fn longer_log(
    rejection: &Message,
    known: ReceiverState,
    acknowledged: LogIndex,
) -> Option<Message> {
    let commit = acknowledged.min(known.committed);
    let rejects = rejection.msg_type() == MessageType::MsgAppendResponse && rejection.reject;
    let leads = known.leader == known.me && rejection.term == known.term;
    (rejects && leads && rejection.reject_hint < commit).then(|| Message {
        msg_type: MessageType::MsgHeartbeat.into(),
        from: known.me,
        to: rejection.from,
        term: known.term,
        commit,
        ..Message::default()
    })
}

/// Returns the answer of a leader to an acknowledgement of entries that its log does not have: a heartbeat with `reject` set,
/// which the engine never sends. `index` is the last index of the leader's log, `reject_hint` the acknowledged index.
///
/// An idle leader writes nothing at the acknowledged index, so without this answer neither member would notice.
pub(crate) fn shorter_log(acknowledged: &Message, known: ReceiverState) -> Message {
    Message {
        msg_type: MessageType::MsgHeartbeat.into(),
        from: known.me,
        to: acknowledged.from,
        term: known.term,
        index: known.last_index,
        reject: true,
        reject_hint: acknowledged.index.max(acknowledged.reject_hint),
        ..Message::default()
    }
}

/// Validates the answer that [`shorter_log`] makes. The acknowledged index has to be committed here: entries that the leader
/// has appended since its answer do not count.
fn check_shorter_log(message: &Message, known: ReceiverState) -> Verdict {
    let from_leader = message.term == known.term && message.from == known.leader;
    if from_leader && message.index < message.reject_hint && message.reject_hint <= known.committed {
        Verdict::Fork { index: message.index + 1 }
    } else {
        Verdict::Invalid("it names an acknowledgement that this member did not send")
    }
}

/// Returns true for the types of messages that members send to each other.
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

fn check_append(
    message: &Message,
    known: ReceiverState,
    term_at: impl Fn(LogIndex) -> Option<u64>,
) -> Verdict {
    // The engine assumes term 0 for entries that it does not have.
    if (message.log_term == 0) != (message.index == 0) || message.log_term > message.term {
        return Verdict::Invalid("the position before its entries is invalid");
    }
    let mut term = message.log_term;
    for (entry, index) in message.entries.iter().zip(message.index + 1..) {
        if entry.index != index {
            return Verdict::Invalid("its entries are not contiguous");
        }
        if entry.term < term || entry.term > message.term {
            return Verdict::Invalid("the terms of its entries are out of order");
        }
        term = entry.term;
    }
    fork(message, known, term_at).map_or(Verdict::Valid, |index| Verdict::Fork { index })
}

/// Returns an index at which the leader's entry differs from the one that is committed here, if the message shows one. The
/// engine would panic on some of these messages, and on others acknowledge entries that it does not have.
fn fork(
    message: &Message,
    known: ReceiverState,
    term_at: impl Fn(LogIndex) -> Option<u64>,
) -> Option<LogIndex> {
    if message.index >= known.applied.index && message.log_term < known.applied.term {
        return Some(known.applied.index);
    }
    let before = std::iter::once((message.index, message.log_term));
    let sent = before.chain(message.entries.iter().map(|entry| (entry.index, entry.term)));
    let mut committed = sent.take_while(|(index, _)| *index <= known.committed);
    committed.find(|(index, term)| term_at(*index).is_some_and(|ours| ours != *term)).map(|(index, _)| index)
}

/// Validates a read index query or its answer. The engine accesses the first entry unchecked, and keeps its data until a
/// quorum has confirmed.
fn check_context(message: &Message) -> Verdict {
    match message.entries.as_slice() {
        [entry] if entry.data.len() == CONTEXT_BYTES => Verdict::Valid,
        _ => Verdict::Invalid("its read index query has an invalid context"),
    }
}

fn check_snapshot(message: &Message) -> Verdict {
    let SnapshotMetadata { index, term, .. } = *message.snapshot.metadata;
    if index == 0 || index > INDEX_MAX || term == 0 || term > message.term {
        return Verdict::Invalid("its snapshot has an invalid position");
    }
    match message.snapshot.metadata.conf_state.as_ref() {
        Some(state) if is_configuration(state) => Verdict::Valid,
        _ => Verdict::Invalid("its snapshot has an invalid configuration"),
    }
}

/// Returns true for a valid configuration of a Raft group.
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

    const KNOWN: ReceiverState = ReceiverState {
        me: 1,
        last_index: 10,
        term: 3,
        durable_term: 3,
        leader: 2,
        applied: Position { index: 3, term: 1 },
        committed: 5,
    };

    /// Checks a message with a log of term 1 up to index 3 and of term 2 up to index 10.
    fn check(message: &Message, from: u64, known: ReceiverState) -> Verdict {
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
    fn entries_must_be_contiguous_with_rising_terms() {
        let mut append = message(MessageType::MsgAppend);
        append.index = 4;
        append.log_term = 2;
        append.entries.push(Entry { index: 5, term: 2, ..Entry::default() });
        append.entries.push(Entry { index: 6, term: 3, ..Entry::default() });
        assert_eq!(check(&append, 2, KNOWN), Verdict::Valid);
        append.entries[1].index = 7;
        assert!(matches!(check(&append, 2, KNOWN), Verdict::Invalid(_)));
        append.entries[1].index = 6;
        append.entries[1].term = 1;
        assert!(matches!(check(&append, 2, KNOWN), Verdict::Invalid(_)));
    }

    /// The engine acknowledged such a message, or answered so that the leader probed this follower for ever.
    #[test]
    fn a_leader_with_another_entry_at_a_committed_index_is_a_fork() {
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
        assert_eq!(verdict(&append(3, 1, &[(4, 2), (5, 2), (6, 3)])), Verdict::Valid, "6 is not committed");
        assert_eq!(verdict(&append(6, 3, &[])), Verdict::Valid, "the engine asks for earlier entries");
        assert_eq!(verdict(&append(20, 2, &[])), Verdict::Valid);
        let late = ReceiverState { applied: Position { index: 5, term: 2 }, ..KNOWN };
        assert_eq!(check(&append(20, 1, &[]), 2, late), Verdict::Fork { index: 5 });
        let mut old = append(5, 1, &[]);
        old.term = 2;
        assert_eq!(verdict(&old), Verdict::Valid, "the engine ignores a leader of an earlier term");
    }

    #[test]
    fn a_commit_index_beyond_the_log_means_a_lost_log() {
        let mut beat = message(MessageType::MsgHeartbeat);
        beat.commit = 10;
        assert_eq!(check(&beat, 2, KNOWN), Verdict::Valid);
        beat.commit = 11;
        assert_eq!(check(&beat, 2, KNOWN), Verdict::LostLog);
    }

    /// Bug: the engine sent a member what its store had lost before the next heartbeat could tell it.
    #[test]
    fn a_rejection_of_what_was_acknowledged_is_answered_with_what_was_lost() {
        let mut rejection = message(MessageType::MsgAppendResponse);
        (rejection.index, rejection.reject, rejection.reject_hint) = (9, true, 4);
        let leader = ReceiverState { leader: 1, committed: 8, ..KNOWN };
        let notice = longer_log(&rejection, leader, 9).expect("an answer");
        let peer = ReceiverState { me: 2, leader: 1, last_index: 4, ..KNOWN };
        assert_eq!(check(&notice, 1, peer), Verdict::LostLog);
        let whole = ReceiverState { last_index: 9, ..peer };
        assert_eq!(check(&notice, 1, whole), Verdict::Valid, "an old rejection changes nothing");
        assert_eq!(longer_log(&rejection, leader, 4), None, "it has what it acknowledged");
        assert_eq!(
            longer_log(&rejection, ReceiverState { committed: 4, ..leader }, 9),
            None,
            "not committed"
        );
        assert_eq!(longer_log(&rejection, KNOWN, 9), None, "this member does not lead");
        rejection.reject = false;
        assert_eq!(longer_log(&rejection, leader, 9), None);
    }

    #[test]
    fn an_acknowledgement_beyond_the_log_of_a_leader_is_answered() {
        let mut ahead = message(MessageType::MsgAppendResponse);
        ahead.index = 12;
        assert!(matches!(check(&ahead, 2, KNOWN), Verdict::Invalid(_)), "this member does not lead");
        let leader = ReceiverState { leader: 1, ..KNOWN };
        assert_eq!(check(&ahead, 2, leader), Verdict::Ahead);
        let answer = shorter_log(&ahead, leader);
        let peer = ReceiverState { me: 2, leader: 1, last_index: 12, committed: 12, ..KNOWN };
        assert_eq!(check(&answer, 1, peer), Verdict::Fork { index: 11 });
        let refused = [
            ("not committed", ReceiverState { committed: 11, ..peer }),
            ("another leader", ReceiverState { leader: 3, ..peer }),
            ("no leader yet", ReceiverState { leader: 0, ..peer }),
        ];
        for (what, state) in refused {
            assert!(matches!(check(&answer, 1, state), Verdict::Invalid(_)), "{what}");
        }
        let later = ReceiverState { term: 4, ..peer };
        assert_eq!(
            check(&answer, 1, later),
            Verdict::Valid,
            "the engine answers a leader of an earlier term"
        );
    }

    #[test]
    fn read_index_queries_and_answers_need_a_valid_context() {
        let mut ask = message(MessageType::MsgReadIndex);
        ask.term = 0;
        assert!(matches!(check(&ask, 2, KNOWN), Verdict::Invalid(_)), "no context");
        ask.entries.push(Entry { data: vec![0; CONTEXT_BYTES].into(), ..Entry::default() });
        assert_eq!(check(&ask, 2, KNOWN), Verdict::Valid);
        ask.term = 3;
        assert!(matches!(check(&ask, 2, KNOWN), Verdict::Invalid(_)));
        ask.set_msg_type(MessageType::MsgReadIndexResp);
        assert_eq!(check(&ask, 2, KNOWN), Verdict::Valid);
        ask.entries[0].data = vec![0; 1 << 16].into();
        assert!(matches!(check(&ask, 2, KNOWN), Verdict::Invalid(_)));
    }

    #[test]
    fn local_messages_and_wrong_senders_are_refused() {
        assert!(matches!(check(&message(MessageType::MsgHup), 2, KNOWN), Verdict::Invalid(_)));
        assert!(matches!(check(&message(MessageType::MsgPropose), 2, KNOWN), Verdict::Invalid(_)));
        assert!(matches!(check(&message(MessageType::MsgHeartbeat), 3, KNOWN), Verdict::Invalid(_)));
    }
}
