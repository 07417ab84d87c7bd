//! Rows about accounts: who they are, their sessions, links and feed addresses, and announcements for all of them.

use super::apps::AppAccess;
use crate::account_role::AccountRole;
use crate::audience::Audience;
use crate::avatar::Avatar;
use crate::ids::{AccountId, LogIndex, RoomId};
use crate::limits::{APP_SESSION_AGE_MS_MAX, SESSION_AGE_MS_MAX};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub username: String,
    /// Display name.
    pub name: String,
    pub email: String,
    pub credential: Credential,
    /// Rises with every change of the credentials.
    pub credential_version: u32,
    pub created_wall_ms: u64,
    /// It is shown wherever the name is, so it is read with the name.
    pub avatar: Avatar,
    pub role: AccountRole,
    /// Readers treat a deleted account as absent. Its texts are cleared at once and its other rows are removed step by
    /// step; this row stays.
    pub deleted: bool,
}

/// Credential that opens an account. A password can be set in every case, with a one-time link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential<Hash = String> {
    /// A password, as its argon2id hash in a PHC string.
    Password(Hash),
    /// The name alone, through gateways of older systems: one of them created the account.
    Name,
    /// Nothing: an operator created the account, and its owner has not used the link yet. Also of deleted accounts.
    Nothing,
}

impl Credential {
    /// Returns the hash of the password, if the account has one.
    pub fn password_hash(&self) -> Option<&str> {
        match self {
            Credential::Password(hash) => Some(hash),
            Credential::Name | Credential::Nothing => None,
        }
    }

    /// Returns the same without the hash.
    pub(crate) fn kind(&self) -> Credential<()> {
        match self {
            Credential::Password(_) => Credential::Password(()),
            Credential::Name => Credential::Name,
            Credential::Nothing => Credential::Nothing,
        }
    }
}

/// An [`Account`] that borrows its texts from the row's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct BorrowedAccount<'a> {
    pub username: &'a str,
    pub name: &'a str,
    pub email: &'a str,
    pub credential: Credential<&'a str>,
    pub credential_version: u32,
    pub created_wall_ms: u64,
    pub avatar: Avatar,
    pub role: AccountRole,
    pub deleted: bool,
}

/// Texts and settings of an account that are not read with its name. It is removed with the account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountProfile {
    /// Text of the person about themselves; may be empty.
    pub bio: String,
    /// http and https addresses, at most `PROFILE_LINKS_MAX`.
    pub links: Vec<String>,
    /// Croak of the account that stands first on its profile.
    pub pinned: Option<LogIndex>,
    /// Audience of croaks that name none.
    pub audience: Audience,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub account: AccountId,
    /// Index of the log-in: its key in `SessionsOf`.
    pub opened: LogIndex,
    /// Cluster age at the log-in, from which the session's age counts.
    pub opened_age_ms: u64,
    pub opened_wall_ms: u64,
    /// Name of the device that logged in, as it calls itself; may be empty. Of an app's session, the app's name.
    pub device: String,
    /// Wall clock of the first write on the day of the last write. Only its day is of use.
    pub used_wall_ms: u64,
    /// The app that the session is for, with its permissions. `None` for a person's own session, which permits everything.
    pub app: Option<AppAccess>,
    /// Cluster age when the password was last checked for this session: at the log-in, or by `Confirm`.
    pub confirmed_age_ms: Option<u64>,
}

impl Session {
    /// Returns the cluster age at which the session expires.
    pub(crate) fn ends_age_ms(&self) -> u64 {
        let age_max = if self.app.is_some() { APP_SESSION_AGE_MS_MAX } else { SESSION_AGE_MS_MAX };
        self.opened_age_ms.saturating_add(age_max)
    }

    /// Returns true if the session has not expired at this cluster age.
    pub(crate) fn is_open_at(&self, age_ms: u64) -> bool {
        self.ends_age_ms() > age_ms
    }
}

/// Text of the operators for everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    pub text: String,
    pub wall_ms: u64,
    /// Cluster age at which it is no longer shown, if it ends by itself.
    pub until_age_ms: Option<u64>,
}

impl Announcement {
    /// Returns true if it is no longer shown at this cluster age.
    pub(crate) fn is_over_at(&self, age_ms: u64) -> bool {
        self.until_age_ms.is_some_and(|until| until <= age_ms)
    }
}

/// A link that works once, with a secret code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneTimeLink {
    pub purpose: LinkPurpose,
    /// Cluster age at which the link was made, from which its age counts.
    pub made_age_ms: u64,
}

/// Permission that a one-time link gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkPurpose {
    /// To set a new password for this account.
    Reset { account: AccountId },
}

/// A secret address at which a feed reader reads what its owner sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedAddress {
    pub account: AccountId,
    pub source: FeedSource,
    /// Index of the command that made it: its key in `FeedAddressesOf`.
    pub made: LogIndex,
    pub made_wall_ms: u64,
}

/// Content of a feed address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeedSource {
    /// The feed of the account.
    Home,
    /// The messages of a room, as long as the account is in it.
    Room { room: RoomId },
}
