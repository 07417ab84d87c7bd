//! Rows about who may create an account: the settings of the installation, and invitations.

use crate::ids::{AccountId, LogIndex, RoomId};
pub use crate::registration::{Inviters, Registration};
use serde::{Deserialize, Serialize};

/// Settings of the installation, decided by its operators.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub registration: Registration,
    pub inviters: Inviters,
    /// Name of the installation on its first page, 1 to `NAME_CHARS_MAX` characters; empty for "ribbit".
    pub site_name: String,
    /// Sentence below the name, up to `WELCOME_CHARS_MAX` characters; may be empty.
    pub welcome: String,
}

/// A link with a secret code, with which people create accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The account that made it, or `OPERATORS`.
    pub by: AccountId,
    /// Index of the command that made it: its key in `InvitationsOf`.
    pub made: LogIndex,
    pub made_wall_ms: u64,
    /// Cluster age at which it ends.
    pub until_age_ms: u64,
    /// Number of accounts that it creates at most.
    pub uses_max: u16,
    pub used: u16,
    /// Room that the new accounts join.
    pub room: Option<RoomId>,
}

impl Invitation {
    /// Returns true if it creates no more accounts at this cluster age.
    pub(crate) fn is_over_at(&self, age_ms: u64) -> bool {
        self.used >= self.uses_max || self.until_age_ms <= age_ms
    }
}
