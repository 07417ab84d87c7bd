//! The shapes of answers about rooms.

use crate::ids::{AccountId, LogIndex, RoomId};
use crate::person::Person;
use crate::room_rows::RoomRank;
use serde::{Deserialize, Serialize};

/// Facts about a room for all who may know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomInfo {
    pub id: RoomId,
    pub name: String,
    pub topic: String,
    pub open: bool,
    pub history: bool,
    /// Number of members.
    pub members: u32,
    pub created_wall_ms: u64,
}

/// A room as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedRoom {
    pub room: RoomInfo,
    pub owner: Option<Person>,
    /// Time of the newest message; `None` if there is none.
    pub newest_wall_ms: Option<u64>,
}

/// Relation of the reader to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomStanding {
    Member {
        rank: RoomRank,
        /// Messages up to here were read.
        read_through: LogIndex,
    },
    Invited,
    /// May not join without an invitation.
    Removed,
    /// May join.
    Stranger,
}

impl RoomStanding {
    /// Returns the rank of a member.
    pub fn rank(self) -> Option<RoomRank> {
        match self {
            RoomStanding::Member { rank, .. } => Some(rank),
            RoomStanding::Invited | RoomStanding::Removed | RoomStanding::Stranger => None,
        }
    }
}

/// One of the reader's rooms, in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomSummary {
    pub room: RoomInfo,
    pub rank: RoomRank,
    /// Unread messages of others. `UNREAD_ROOM_MESSAGES_MAX` means that many or more.
    pub unread: u32,
    pub newest: Option<RoomText>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomInvitation {
    pub room: RoomInfo,
    /// `None` if the account is deleted.
    pub by: Option<Person>,
}

/// A message in a room, as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomText {
    /// Log index of the message; also the cursor of the next page, which contains what is older.
    pub id: LogIndex,
    pub from: AccountId,
    /// `None` if the account is deleted.
    pub author: Option<Person>,
    pub wall_ms: u64,
    pub body: RoomBody,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomBody {
    Text(String),
    Removed {
        /// True if the author removed it, false if the owner or a moderator of the room did.
        by_author: bool,
    },
}

/// A room with one page of its messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomPage {
    pub me: Person,
    pub room: RoomInfo,
    pub standing: RoomStanding,
    /// Newest first; empty unless the reader is a member.
    pub messages: Vec<RoomText>,
    /// The `before` of the next older page, if there is one.
    pub older: Option<LogIndex>,
    /// Unread messages of others, on this page or not. `UNREAD_ROOM_MESSAGES_MAX` means that many or more.
    pub unread: u32,
}

/// The members of a room, one page of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomPeople {
    pub me: Person,
    pub room: RoomInfo,
    /// Rank of the reader.
    pub rank: RoomRank,
    /// In the order of their ids. Deleted accounts are left out, so a page may be short although `more` is set.
    pub members: Vec<RoomMemberEntry>,
    /// The `after` of the next page, if there is one.
    pub more: Option<AccountId>,
    /// People who are invited or were removed, at most `ROOM_MEMBERS_PAGE_MAX`; on the first page.
    pub guests: Vec<RoomGuestEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomMemberEntry {
    pub person: Person,
    pub rank: RoomRank,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomGuestEntry {
    pub person: Person,
    /// False if the person is invited.
    pub removed: bool,
}
