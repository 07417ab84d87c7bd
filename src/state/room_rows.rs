//! The rows of rooms (group chats), and the keys of their tables.

use super::ids::{AccountId, LogIndex, RoomId};
use super::view::Key;
use serde::{Deserialize, Serialize};

/// A room. Its id is the log index of the command that created it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Folded as a user name is.
    pub name: String,
    /// One line; may be empty.
    pub topic: String,
    /// True if every person may join; false if only invited people may.
    pub open: bool,
    /// True if members may read what was said before they joined.
    pub history: bool,
    pub created_wall_ms: u64,
    /// Readers treat a closed room as absent. Its rows are removed step by step.
    pub closed: bool,
}

/// Counts of all rooms together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomTotals {
    /// Rooms that are not closed.
    pub rooms: u32,
    /// Stored messages, those of closed rooms included.
    pub messages: u32,
}

/// Counts of one room. They change with each message, so they are a row apart from the texts of the room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomCounts {
    pub members: u32,
    /// Rows of `RoomGuests`.
    pub guests: u32,
    /// Stored messages.
    pub messages: u32,
    /// The newest message; 0 before the first. It may be removed by now.
    pub newest: LogIndex,
}

/// Rank of a member. A higher rank may do everything that a lower one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoomRank {
    Member,
    /// May remove messages and members, and invite people.
    Moderator,
    /// Each room has one.
    Owner,
}

impl RoomRank {
    pub fn name(self) -> &'static str {
        match self {
            RoomRank::Member => "member",
            RoomRank::Moderator => "moderator",
            RoomRank::Owner => "owner",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomMember {
    /// Index of the command by which the account joined.
    pub joined: LogIndex,
    pub rank: RoomRank,
    /// Messages up to here were read.
    pub read_through: LogIndex,
}

/// Standing of an account that is no member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomGuest {
    Invited {
        by: AccountId,
    },
    /// Removed from an open room: may join again after an invitation only.
    Removed,
}

/// Relation of an account to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomTie {
    Member,
    Invited,
    Removed,
}

/// A message in a room. The author may be deleted, or have left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomMessage {
    pub from: AccountId,
    pub wall_ms: u64,
    /// The account that removed it. The text is empty then.
    pub removed: Option<AccountId>,
    pub text: String,
}

/// A room, and an account that belongs to it.
impl Key for (RoomId, AccountId) {
    fn bytes(&self) -> Vec<u8> {
        (AccountId(self.0.0), self.1.0).bytes()
    }
    fn from_bytes(bytes: &[u8]) -> Option<(RoomId, AccountId)> {
        let (room, account) = <(AccountId, u64)>::from_bytes(bytes)?;
        Some((RoomId(room.0), AccountId(account)))
    }
}

/// An account, and a room that it belongs to.
impl Key for (AccountId, RoomId) {
    fn bytes(&self) -> Vec<u8> {
        (self.0, self.1.0).bytes()
    }
    fn from_bytes(bytes: &[u8]) -> Option<(AccountId, RoomId)> {
        let (account, room) = <(AccountId, u64)>::from_bytes(bytes)?;
        Some((account, RoomId(room)))
    }
}

/// A room, and the index of something in it: all rows of one room are adjacent.
impl Key for (RoomId, LogIndex) {
    fn bytes(&self) -> Vec<u8> {
        (AccountId(self.0.0), self.1).bytes()
    }
    fn from_bytes(bytes: &[u8]) -> Option<(RoomId, LogIndex)> {
        let (room, index) = <(AccountId, u64)>::from_bytes(bytes)?;
        Some((RoomId(room.0), index))
    }
}

impl Key for RoomId {
    fn bytes(&self) -> Vec<u8> {
        self.0.bytes()
    }
    fn from_bytes(bytes: &[u8]) -> Option<RoomId> {
        u64::from_bytes(bytes).map(RoomId)
    }
}
