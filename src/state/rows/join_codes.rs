//! Rows of join codes, with which new servers get the cluster file.

use crate::code::Code;
use crate::ids::LogIndex;
use serde::{Deserialize, Serialize};

/// A join code. Members derive the code itself from a key of the cluster and `nonce`, so the row has no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinCode {
    /// Index of the command that made it.
    pub made: LogIndex,
    pub made_wall_ms: u64,
    /// Cluster age at which it ends.
    pub until_age_ms: u64,
    /// Random number that the code is derived from.
    pub nonce: u128,
    /// First bytes of the public key of the cluster key that the code is derived from.
    pub key: u64,
    /// Number of wrong tries that are left.
    pub tries_left: u8,
    /// A server has got the cluster file with it.
    pub used: bool,
}

impl JoinCode {
    /// Returns why the code does not work any more at this cluster age; `None` if it works.
    pub fn over_at(&self, age_ms: u64) -> Option<Code> {
        match self {
            JoinCode { used: true, .. } => Some(Code::JoinCodeUsed),
            JoinCode { tries_left: 0, .. } => Some(Code::JoinCodeDead),
            JoinCode { until_age_ms, .. } if *until_age_ms <= age_ms => Some(Code::JoinCodeExpired),
            _ => None,
        }
    }
}
