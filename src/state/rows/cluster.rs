//! Rows about the members, and the bookkeeping of the state.

use super::Books;
use crate::command::{MemberName, Role};
use crate::ids::{KeyId, LogIndex, RaftId};
use crate::view::{View, get};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub role: Role,
    pub id: u32,
    /// HOST:PORT where it was last reachable; a hint.
    pub address: String,
    /// The machine it runs on; empty if unknown.
    pub machine: String,
    /// The newest rules level that it understands.
    pub rules_level: u32,
    pub standing: Standing,
    /// The region that it serves.
    pub region: u32,
    /// The newest key of the cluster that it has stored.
    pub key: KeyId,
}

/// Role that the cluster intends for a member in the Raft group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// To vote as soon as there is a seat.
    Wanted,
    /// To be a learner without a vote, as decided by an operator.
    Drained,
    /// To leave: its store is lost. Its Raft id is never used again.
    Lost,
}

impl Member {
    /// Returns its name for people, such as `backend-2`.
    pub fn name(&self) -> String {
        self.member_name().to_string()
    }
    pub fn member_name(&self) -> MemberName {
        MemberName { role: self.role, region: self.region, id: self.id }
    }
}

/// The only row of `Books`. Only infrequent steps rewrite it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookkeeping {
    /// Requests applied up to here may be expired; all later ones are in the deduplication window.
    pub expired_through: LogIndex,
    /// Croaks up to here are in `CroaksBy`.
    pub indexed_through: LogIndex,
    /// The next Raft id to assign; 0 before the cluster is founded.
    pub next_raft_id: RaftId,
    /// History of this log; 0 before the cluster is founded.
    pub history: u128,
    /// Commands up to this rules level are accepted; 0 before the cluster is founded.
    pub rules_level: u32,
    /// The key of the cluster that every member has. Earlier ones are refused.
    pub key: KeyId,
    /// True if upgrades finish by themselves: the leader raises the rules level once every member has been in sync for a while.
    pub auto_finish: bool,
}

/// Returns the bookkeeping row, or its defaults if it was never written.
///
/// # Errors
/// The view's error.
pub fn books<V: View>(view: &V) -> Result<Bookkeeping, V::Error> {
    Ok(get::<Books, V>(view, &())?.unwrap_or_default())
}
