//! Identifiers. Each is a type of its own, so that the compiler keeps them apart.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A position in the replicated log, which is the only clock ribbit trusts. 0 means "before everything".
pub type LogIndex = u64;

/// Number of a member inside the Raft group. The cluster assigns it and never uses it twice.
pub type RaftId = u64;

/// Identifier of an account: the log index of the command that created it, so it is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountId(pub LogIndex);

/// Identifier of a room: the log index of the command that created it, so it is unique, also among accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoomId(pub LogIndex);

/// Identifier of an app that uses the API: the log index of the command that registered it, so it is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AppId(pub LogIndex);

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u128);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:032x})"), self.0)
            }
        }
        impl FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                u128::from_str_radix(text, 16).map($name)
            }
        }
    };
}

hex_id! {
    /// Idempotency key of a request: 128 random bits made by the client and kept through every retry.
    RequestId
}
hex_id! {
    /// Identifier of one installation of ribbit: all boards that share a cluster file.
    ClusterId
}
hex_id! {
    /// Identifier of one unbroken history of a cluster's log. Founding the cluster makes one; `recover` makes another.
    HistoryId
}

/// Identifier of one key of the cluster. The key itself never enters the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId {
    /// 1 for the first key of the cluster; 0 is no key.
    pub generation: u32,
    /// First bytes of its public key.
    pub tag: u64,
}

/// Hash of a session token. The token itself never enters the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenHash(pub [u8; 32]);

/// The newest state that a client has seen. It is sent with reads (read-your-writes) and with writes (`submitted_at`), and is
/// kept in `seen` cookies.
///
/// Text form: `HISTORY.INDEX`, the history in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub history: HistoryId,
    pub index: LogIndex,
}

impl Token {
    /// Returns true if this position is of the same history as another, and older.
    pub fn is_before(self, other: Token) -> bool {
        self.history == other.history && self.index < other.index
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.history, self.index)
    }
}

impl FromStr for Token {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (history, index) = text.split_once('.').ok_or(())?;
        Ok(Token { history: history.parse().map_err(drop)?, index: index.parse().map_err(drop)? })
    }
}
