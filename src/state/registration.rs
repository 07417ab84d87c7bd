//! Settings of who may create an account, and who may invite people.

use crate::account_role::AccountRole;
use serde::{Deserialize, Serialize};

/// Registration mode: the people who may create an account. Operators always may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Everyone.
    #[default]
    Open,
    /// People with an invitation.
    Invitation,
    /// People with an invitation; others ask, and an operator decides.
    Request,
    /// People with an invitation by operators.
    Closed,
}

impl Registration {
    pub const ALL: [Registration; 4] =
        [Registration::Open, Registration::Invitation, Registration::Request, Registration::Closed];

    /// Returns the word for it on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Registration::Open => "open",
            Registration::Invitation => "invitation",
            Registration::Request => "request",
            Registration::Closed => "closed",
        }
    }
}

/// Accounts that may invite people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inviters {
    #[default]
    Admins,
    Moderators,
    Everyone,
}

impl Inviters {
    pub const ALL: [Inviters; 3] = [Inviters::Admins, Inviters::Moderators, Inviters::Everyone];

    /// Returns the word for it on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Inviters::Admins => "admins",
            Inviters::Moderators => "moderators",
            Inviters::Everyone => "everyone",
        }
    }

    /// Returns the least role that may invite.
    pub fn least_role(self) -> AccountRole {
        match self {
            Inviters::Admins => AccountRole::Admin,
            Inviters::Moderators => AccountRole::Moderator,
            Inviters::Everyone => AccountRole::Person,
        }
    }
}
