//! The shapes of answers about direct messages.

use crate::ids::{AccountId, LogIndex};
use crate::person::Person;
use serde::{Deserialize, Serialize};

/// The other participant of a talk. A deleted account has no name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TalkPartner {
    Named(String),
    Account(AccountId),
}

/// A message that its recipient has not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingMessage {
    pub id: LogIndex,
    pub from: AccountId,
    /// User name of the sender when the message was sent.
    pub username: String,
    /// The account of the sender is deleted.
    pub deleted: bool,
    pub wall_ms: u64,
    pub text: String,
}

/// One talk in a list of talks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkSummary {
    /// `None` if the account is deleted.
    pub with: Option<Person>,
    pub with_account: AccountId,
    pub newest: TalkMessage,
    /// Number of the other's messages that are unread.
    pub waiting: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkMessage {
    /// Log index of the message; also the cursor of the next page, which contains what is older.
    pub id: LogIndex,
    /// True if the reader wrote it.
    pub mine: bool,
    pub wall_ms: u64,
    pub text: String,
    /// Delivery status, as reported by the recipient's client.
    pub status: DeliveryStatus,
}

/// Delivery status of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// On the disks of a majority of the voters, and not displayed yet.
    Saved,
    /// Displayed by the recipient's client.
    Delivered,
    Read,
}

/// One page of a talk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    pub me: Person,
    /// `None` if the account is deleted.
    pub with: Option<Person>,
    pub with_account: AccountId,
    /// Newest first.
    pub messages: Vec<TalkMessage>,
    /// The `before` of the next older page, if there is one.
    pub older: Option<LogIndex>,
    /// Number of the other's messages that are unread, on this page or not.
    pub waiting: u32,
    /// The other's messages up to here were read.
    pub read_through: LogIndex,
}
