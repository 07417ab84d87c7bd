//! Refuses messages that would make the engine panic, or that no honest member sends.
//!
//! The engine trusts its input. A message gets here decrypted and from a known connection; a bug or a disk that
//! lost what it promised can still make it impossible.

use super::reads::CONTEXT_BYTES;
use raft::eraftpb::{Message, MessageType};

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    /// Drop it.
    Bad(&'static str),
    /// The leader knows that we had more than we have: our disk lost what it promised.
    LostLog,
}

/// What the node knows when a message comes in.
#[derive(Debug, Clone, Copy)]
pub struct Knowledge {
    pub me: u64,
    pub last_index: u64,
    pub term: u64,
}

pub fn check(message: &Message, from: u64, known: Knowledge) -> Verdict {
    if message.to != known.me || message.from != from || from == known.me {
        return Verdict::Bad("it is not for us, or not from whom it says");
    }
    match message.msg_type() {
        MessageType::MsgAppend => check_append(message),
        MessageType::MsgHeartbeat if message.term >= known.term && message.commit > known.last_index => {
            Verdict::LostLog
        }
        MessageType::MsgAppendResponse if !message.reject && message.index > known.last_index => {
            Verdict::Bad("it acknowledges more than was sent")
        }
        MessageType::MsgReadIndex | MessageType::MsgReadIndexResp => check_read_index(message),
        MessageType::MsgSnapshot if message.snapshot.metadata.index == 0 => Verdict::Bad("an empty snapshot"),
        MessageType::MsgHeartbeat
        | MessageType::MsgHeartbeatResponse
        | MessageType::MsgAppendResponse
        | MessageType::MsgRequestVote
        | MessageType::MsgRequestVoteResponse
        | MessageType::MsgRequestPreVote
        | MessageType::MsgRequestPreVoteResponse
        | MessageType::MsgSnapshot
        | MessageType::MsgTimeoutNow => Verdict::Fine,
        _ => Verdict::Bad("members do not send messages of this type"),
    }
}

fn check_append(message: &Message) -> Verdict {
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
    Verdict::Fine
}

/// The engine reads the first entry unasked, and keeps its data until a majority has confirmed.
fn check_read_index(message: &Message) -> Verdict {
    if message.entries.len() != 1 || message.entries[0].data.len() != CONTEXT_BYTES {
        return Verdict::Bad("its question for the read index is not one of ours");
    }
    match message.msg_type() {
        // The engine sends the question without a term, and panics when it forwards one that has any.
        MessageType::MsgReadIndex if message.term != 0 => Verdict::Bad("a question with a term"),
        // Without one it would be taken for a message of this member to itself.
        MessageType::MsgReadIndexResp if message.term == 0 => Verdict::Bad("an answer without a term"),
        _ => Verdict::Fine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft::eraftpb::Entry;

    const KNOWN: Knowledge = Knowledge { me: 1, last_index: 10, term: 3 };

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
