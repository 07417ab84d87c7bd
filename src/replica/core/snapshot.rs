//! Messages of the engine that announce a snapshot, and the heads of the snapshots that they announce.

use crate::convert::{configuration_from_store, configuration_to_store, is_snapshot, message_from_bytes};
use bytes::Bytes;
use raft::eraftpb::Message;
use ribbit_db::Position;
use ribbit_db::snapshot::SnapshotHead;

/// Returns true if an encoded message announces the state that this snapshot head describes. Both have to agree: the
/// engine uses the message, the store uses the head.
pub fn announces(message: &Bytes, head: &SnapshotHead) -> bool {
    let Some(message) = message_from_bytes(message) else { return false };
    let metadata = &message.snapshot.metadata;
    is_snapshot(&message)
        && Position { index: metadata.index, term: metadata.term } == head.applied
        && metadata
            .conf_state
            .as_ref()
            .is_some_and(|state| configuration_to_store(state) == head.configuration)
}

/// Changes a snapshot message to describe the state that is streamed, which is at least as new as the one that the engine
/// announced.
pub fn describe_snapshot(message: &mut Message, head: &SnapshotHead) {
    let metadata = message.mut_snapshot().mut_metadata();
    metadata.index = head.applied.index;
    metadata.term = head.applied.term;
    *metadata.mut_conf_state() = configuration_from_store(&head.configuration);
}
