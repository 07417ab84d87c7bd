//! Croaks in answers, alone, in lists and in threads.

use crate::audience::Audience;
use crate::ids::LogIndex;
use crate::person::Person;
use serde::{Deserialize, Serialize};

/// A croak in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedCroak {
    /// Log index of the croak.
    pub id: LogIndex,
    pub author: Person,
    pub body: CroakBody,
    pub numbers: CroakNumbers,
    /// Set if the croak is in the list because an account shared it.
    pub share: Option<Box<CroakShare>>,
}

impl FeedCroak {
    /// Returns the cursor of the next page, which contains what is older.
    pub fn cursor(&self) -> LogIndex {
        self.share.as_ref().map_or(self.id, |share| share.id)
    }
}

impl FeedCroak {
    /// Returns a croak without replies, likes and shares.
    pub fn original(id: LogIndex, author: Person, body: CroakBody) -> FeedCroak {
        FeedCroak { id, author, body, numbers: CroakNumbers::default(), share: None }
    }
}

/// The parts of a croak that never change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CroakBody {
    /// Wall clock of the leader when it proposed the croak. It may be wrong.
    pub wall_ms: u64,
    pub text: String,
    pub audience: Audience,
    /// The croak that this one answers. It may be deleted, or hidden from the reader.
    pub reply_to: Option<LogIndex>,
}

impl CroakBody {
    /// Returns a text for everyone that answers no croak.
    pub fn original(wall_ms: u64, text: impl Into<String>) -> CroakBody {
        CroakBody { wall_ms, text: text.into(), audience: Audience::Everyone, reply_to: None }
    }
}

/// A share of a croak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CroakShare {
    pub id: LogIndex,
    pub by: Person,
    /// As [`CroakBody::wall_ms`], of the share.
    pub wall_ms: u64,
}

/// Counts of a croak, and what the reader did with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CroakNumbers {
    pub replies: u32,
    pub likes: u32,
    pub shares: u32,
    /// The reader likes it.
    pub liked: bool,
    /// The reader shared it.
    pub shared: bool,
    /// The reader wrote it and has pinned it.
    pub pinned: bool,
}

impl CroakNumbers {
    /// Returns the counts alone, as all readers see them.
    pub fn counts(self) -> CroakNumbers {
        CroakNumbers { liked: false, shared: false, pinned: false, ..self }
    }
}

/// A croak in a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ThreadCroak {
    Croak(FeedCroak),
    /// A croak that is deleted, or that the reader may not see.
    Gap,
}

/// A reply in a thread, with the first replies to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadReply {
    pub id: LogIndex,
    pub croak: ThreadCroak,
    /// Oldest first.
    pub replies: Vec<ThreadCroak>,
    /// There are more replies to it than these.
    pub more: bool,
}

/// A croak with what it answers and its replies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    pub me: Person,
    /// The croaks above, the first of the thread first.
    pub above: Vec<ThreadCroak>,
    /// The thread begins further above.
    pub more_above: bool,
    pub croak: FeedCroak,
    /// Oldest first.
    pub replies: Vec<ThreadReply>,
    /// The `after` of the next page, if there is one.
    pub more: Option<LogIndex>,
    /// Audience of the reader's croaks that name none.
    pub audience: Audience,
}
