//! People in answers: their identity, their profile, and what only they themselves see.

use super::account_role::AccountRole;
use super::audience::Audience;
use super::avatar::Avatar;
use super::ids::{AccountId, LogIndex};
use super::scopes::Scopes;
use serde::{Deserialize, Serialize};

/// Identity of a live account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub account: AccountId,
    pub username: String,
    pub name: String,
    pub avatar: Avatar,
}

/// A person, with their relation to the reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRelation {
    pub person: Person,
    /// The reader follows them.
    pub followed: bool,
    /// They follow the reader.
    pub follows: bool,
    /// The reader has muted them.
    pub muted: bool,
    /// The reader has blocked them.
    pub blocked: bool,
    /// They have blocked the reader.
    pub blocks: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    pub relation: PersonRelation,
    pub created_wall_ms: u64,
    /// Empty if one has blocked the other. Then the links are, too, and the numbers are 0.
    pub bio: String,
    /// http and https addresses.
    pub links: Vec<String>,
    /// Number of their croaks, counted up to `CROAKS_COUNT_MAX`.
    pub croaks: u32,
    /// Number of accounts they follow.
    pub friends: u32,
    /// Number of their followers, counted up to `FOLLOWERS_COUNT_MAX`.
    pub followers: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAccount {
    pub person: Person,
    pub email: String,
    pub created_wall_ms: u64,
    pub bio: String,
    /// http and https addresses.
    pub links: Vec<String>,
    /// Audience of croaks that name none.
    pub audience: Audience,
    pub role: AccountRole,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSession {
    /// Index of its log-in, by which it can be ended.
    pub opened: LogIndex,
    pub opened_wall_ms: u64,
    /// Name of the device that logged in, as it calls itself; may be empty.
    pub device: String,
    /// Wall clock of a moment on the day of the last write.
    pub used_wall_ms: u64,
    /// True for the session that sent the query.
    pub this: bool,
    /// What the person lets an app do. `None` for a session that is not an app's.
    pub scopes: Option<Scopes>,
}

/// A feed address as its owner sees it, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedAddressItem {
    /// Index of the command that made it, by which it can be ended.
    pub made: LogIndex,
    pub made_wall_ms: u64,
    pub leads_to: AddressedThing,
}

/// What a feed address leads to, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AddressedThing {
    Home,
    /// A room, by its name.
    Room(String),
    /// A room that is closed, or that the owner is no longer in.
    Gone,
}
