//! Rows about croaks.

use super::requests::InlineRecord;
use crate::audience::Audience;
use crate::ids::{AccountId, LogIndex};
use serde::{Deserialize, Serialize};

/// A croak. The parts that are also read alone come first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Croak {
    pub author: AccountId,
    pub audience: Audience,
    pub kind: CroakKind,
    pub wall_ms: u64,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CroakKind {
    Original,
    /// An answer to another croak, which may be deleted in the meantime.
    Reply {
        to: LogIndex,
    },
    /// Another account's croak, passed on to the followers of the author. It has no text.
    Share {
        of: LogIndex,
    },
}

impl CroakKind {
    /// Returns the croak that this one answers.
    pub fn reply_to(self) -> Option<LogIndex> {
        match self {
            CroakKind::Reply { to } => Some(to),
            CroakKind::Original | CroakKind::Share { .. } => None,
        }
    }
}

/// Numbers of replies, likes and shares of a croak that has or had some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub author: AccountId,
    pub replies: u32,
    pub likes: u32,
    pub shares: u32,
    /// Set once the croak is deleted. It stays a gap in its thread while it has replies.
    pub gap: Option<Gap>,
}

/// A deleted croak between the one that it answered and its replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub reply_to: Option<LogIndex>,
}

/// A croak with the record of its request. The part that is also read alone comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCroak {
    pub record: InlineRecord,
    pub croak: Croak,
}
