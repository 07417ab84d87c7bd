//! Records of requests that were applied or refused.

use crate::command::Outcome;
use crate::ids::RequestId;
use serde::{Deserialize, Serialize};

/// Record of a croak's request: [`RequestRecord`] without the outcome, which the croak itself implies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlineRecord {
    /// A `RequestId`. It is random, so a fixed length is the shortest encoding.
    #[serde(with = "postcard::fixint::le")]
    pub id: u128,
    /// Digest of the command.
    #[serde(with = "postcard::fixint::le")]
    pub digest: u64,
    /// Cluster age when the request was applied.
    pub age_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    pub id: RequestId,
    /// Digest of the command: another command under the same id is refused.
    pub digest: u64,
    /// Cluster age when the request was applied.
    pub age_ms: u64,
    pub outcome: Outcome,
}
