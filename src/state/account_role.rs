//! Roles of accounts.

use serde::{Deserialize, Serialize};

/// Permissions of an account beside those of every person. A greater role includes the lesser ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountRole {
    #[default]
    Person,
    /// Decides reports, removes croaks and messages of rooms, and suspends people without a role.
    Moderator,
    /// Makes every change that operators make, except those that need the cluster file.
    Admin,
}

impl AccountRole {
    /// Every role, the least first.
    pub const ALL: [AccountRole; 3] = [AccountRole::Person, AccountRole::Moderator, AccountRole::Admin];

    /// Returns it with its article, for a sentence.
    pub fn with_article(self) -> &'static str {
        match self {
            AccountRole::Person => "a person like everyone",
            AccountRole::Moderator => "a moderator",
            AccountRole::Admin => "an admin",
        }
    }

    /// Returns the word for it on the command line, in JSON and on pages.
    pub fn name(self) -> &'static str {
        match self {
            AccountRole::Person => "person",
            AccountRole::Moderator => "moderator",
            AccountRole::Admin => "admin",
        }
    }
}
