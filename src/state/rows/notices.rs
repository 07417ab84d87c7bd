//! Rows about notices for people, and about their reports.

use crate::command::Verdict;
use crate::ids::{AccountId, LogIndex, RoomId};
use serde::{Deserialize, Serialize};

/// Sender of the notices that the people who run the servers cause. No account has this id.
pub const OPERATORS: AccountId = AccountId(0);

/// A notice for one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The account that caused it, or [`OPERATORS`].
    pub from: AccountId,
    pub wall_ms: u64,
    pub kind: NoticeKind,
}

/// Kind and subject of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeKind {
    /// The croak mentions the notified person.
    Mention { croak: LogIndex },
    /// The croak answers one of theirs.
    Reply { croak: LogIndex },
    /// Their croak was liked.
    Like { croak: LogIndex },
    /// Their croak was shared.
    Share { croak: LogIndex },
    /// They have a new follower.
    Follow,
    /// They are invited to the room that was made at this index.
    Invitation { room: LogIndex },
    /// The people who run the servers have decided about a report that the notified person made.
    ReportDecided { report: LogIndex, verdict: Verdict },
    /// The people who run the servers warn the notified person, because of this croak or in general.
    Warning { croak: Option<LogIndex> },
    /// A message in a room mentions the notified person.
    RoomMention { room: RoomId, message: LogIndex },
}

impl NoticeKind {
    /// Returns the croak that it is about.
    pub fn croak(self) -> Option<LogIndex> {
        match self {
            NoticeKind::Mention { croak }
            | NoticeKind::Reply { croak }
            | NoticeKind::Like { croak }
            | NoticeKind::Share { croak } => Some(croak),
            // The warning stays when the croak is gone.
            NoticeKind::Follow
            | NoticeKind::Invitation { .. }
            | NoticeKind::ReportDecided { .. }
            | NoticeKind::Warning { .. }
            | NoticeKind::RoomMention { .. } => None,
        }
    }

    /// Returns true if another account has done something to this croak of the notified person.
    pub(crate) fn is_done_to(self, croak: LogIndex) -> bool {
        self == NoticeKind::Like { croak } || self == NoticeKind::Share { croak }
    }
}

/// Counts and read position of a person's notices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeBook {
    /// Number of notices.
    pub count: u32,
    /// Number of those behind the read position.
    pub unread: u32,
    /// Notices up to here were read.
    pub read_through: LogIndex,
}

/// A report to the people who run the servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The account that reports.
    pub from: AccountId,
    pub about: AccountId,
    pub thing: ReportedThing,
    /// Words of `from` about it.
    pub words: String,
    /// Text of the thing when it was reported: a croak's, a message's, or a person's display name.
    pub text: String,
    pub wall_ms: u64,
}

/// Subject of a report, as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReportedThing {
    Person,
    Croak {
        croak: LogIndex,
    },
    /// A direct message to the person who reports it.
    Message {
        message: LogIndex,
    },
    RoomMessage {
        room: RoomId,
        message: LogIndex,
    },
}
