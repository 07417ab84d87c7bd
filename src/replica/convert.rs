//! Conversions between the types of the engine, the types of the store, and bytes.

use bytes::Bytes;
use protobuf::Message as _;
use raft::eraftpb;
use ribbit_db::faults::{Fault, injected};
use ribbit_db::{Configuration, EntryKind, HardState, LogEntry};

/// Converts a log entry of the engine to one of the store.
pub(crate) fn entry_to_store(entry: &eraftpb::Entry) -> LogEntry {
    let kind = match entry.entry_type() {
        eraftpb::EntryType::EntryNormal => EntryKind::Normal,
        eraftpb::EntryType::EntryConfChange | eraftpb::EntryType::EntryConfChangeV2 => {
            EntryKind::Configuration
        }
    };
    LogEntry { index: entry.index, term: entry.term, kind, data: entry.data.clone() }
}

/// Converts a log entry of the store to one of the engine.
pub(crate) fn entry_from_store(entry: LogEntry) -> eraftpb::Entry {
    let mut converted = eraftpb::Entry::new();
    converted.index = entry.index;
    converted.term = entry.term;
    converted.data = entry.data;
    // Only the second version of configuration changes is ever proposed.
    converted.set_entry_type(match entry.kind {
        EntryKind::Normal => eraftpb::EntryType::EntryNormal,
        EntryKind::Configuration => eraftpb::EntryType::EntryConfChangeV2,
    });
    converted
}

/// Converts a hard state of the engine to one of the store.
pub(crate) fn hard_state_to_store(state: &eraftpb::HardState) -> HardState {
    let vote = if injected(Fault::ForgottenVote) { 0 } else { state.vote };
    HardState { term: state.term, vote, commit: state.commit }
}

/// Converts a hard state of the store to one of the engine.
pub(crate) fn hard_state_from_store(state: HardState) -> eraftpb::HardState {
    let mut converted = eraftpb::HardState::new();
    converted.term = state.term;
    converted.vote = state.vote;
    converted.commit = state.commit;
    converted
}

/// Converts a configuration of the engine to one of the store. The ids are sorted, because the engine's order comes from a
/// hash map and differs between processes.
pub(crate) fn configuration_to_store(state: &eraftpb::ConfState) -> Configuration {
    let sorted = |ids: &[u64]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids
    };
    Configuration {
        voters: sorted(&state.voters),
        learners: sorted(&state.learners),
        voters_outgoing: sorted(&state.voters_outgoing),
        learners_next: sorted(&state.learners_next),
        auto_leave: state.auto_leave,
    }
}

/// Converts a configuration of the store to one of the engine.
pub(crate) fn configuration_from_store(configuration: &Configuration) -> eraftpb::ConfState {
    let mut converted = eraftpb::ConfState::new();
    converted.voters = configuration.voters.clone();
    converted.learners = configuration.learners.clone();
    converted.voters_outgoing = configuration.voters_outgoing.clone();
    converted.learners_next = configuration.learners_next.clone();
    converted.auto_leave = configuration.auto_leave;
    converted
}

/// Encodes a message for the wire.
pub fn message_to_bytes(message: &eraftpb::Message) -> Vec<u8> {
    message.write_to_bytes().expect("a message in memory always serialises")
}

/// Decodes a message from the wire, or returns `None` if it is malformed. The data of its entries is not copied.
pub fn message_from_bytes(bytes: &Bytes) -> Option<eraftpb::Message> {
    eraftpb::Message::parse_from_tokio_bytes(bytes).ok()
}

/// Decodes a configuration change, or returns `None` if it is malformed.
pub(crate) fn conf_change_from_bytes(bytes: &[u8]) -> Option<eraftpb::ConfChangeV2> {
    eraftpb::ConfChangeV2::parse_from_bytes(bytes).ok()
}

/// Returns true if a message announces a snapshot.
pub(crate) fn is_snapshot(message: &eraftpb::Message) -> bool {
    message.msg_type() == eraftpb::MessageType::MsgSnapshot
}
