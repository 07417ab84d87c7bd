//! Errors of a replica and of its requests.

use ribbit_db::DbError;

/// Reason why a node has not applied an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReachError {
    /// The deadline has passed. The index may still be valid.
    Late,
    /// The index lies beyond the commit index.
    NeverCommitted,
}

/// Reason why a request has no outcome. Except for `Reused`, it may still be applied, and may be submitted again under the
/// same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitError {
    /// The deadline passed before the request was applied.
    Late,
    /// Too many requests are pending.
    Busy,
    /// The process is ending.
    Ending,
    /// Another command with the same id is pending. This one was not submitted.
    Reused,
    /// Members of an earlier version may not know the command: the cluster has not risen to its rules level.
    TooNew,
}

/// Reason why a replica cannot go on. Its process has to end.
#[derive(Debug, Clone)]
pub enum ReplicaFailure {
    /// A bug. A restart may help.
    Broken(String),
    /// The disk is full, missing or failing. The member goes on once that is repaired.
    Disk(String),
    /// The store is damaged or lost synced data. The node has to join as a new member.
    Lost(String),
    /// The state differs from that of the other members and cannot be trusted.
    Differs(String),
    /// The cluster uses rules that this version does not know. The store is intact and needs a newer version.
    TooNew(String),
    /// The cluster has removed this member.
    Removed(String),
}

impl From<DbError> for ReplicaFailure {
    fn from(error: DbError) -> ReplicaFailure {
        match error {
            DbError::TooNew(_) => ReplicaFailure::TooNew(error.to_string()),
            error if error.is_damage() => ReplicaFailure::Lost(error.to_string()),
            error if error.is_full() => ReplicaFailure::Disk(format!("the disk is full: {error}")),
            error => ReplicaFailure::Disk(error.to_string()),
        }
    }
}
