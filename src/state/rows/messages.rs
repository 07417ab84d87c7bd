//! Rows about direct messages.

use crate::ids::{AccountId, LogIndex};
use serde::{Deserialize, Serialize};

/// A direct message. The accounts may be deleted in the meantime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub from: AccountId,
    pub to: AccountId,
    pub wall_ms: u64,
    pub text: String,
}

/// Read position of one account in a talk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkState {
    /// The newest message of either account: the key in `TalksByAge`.
    pub newest: LogIndex,
    /// Number of the other's messages that are unread.
    pub waiting: u32,
    /// The other's messages up to here were displayed by this account's client.
    pub delivered_through: LogIndex,
    /// The other's messages up to here were read. Never beyond `delivered_through`.
    pub read_through: LogIndex,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// Number of unread messages from all senders.
    pub waiting: u32,
    /// Croaks up to here were seen in the feed.
    pub feed_read_through: LogIndex,
}
