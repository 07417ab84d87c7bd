//! The names of things, each a type of its own so that one is never taken for another.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A position in the replicated log; the only clock ribbit trusts. 0 means "before everything".
pub type LogIndex = u64;

/// A member's number inside the Raft group: handed out by the group, never used twice.
pub type RaftId = u64;

/// An account: the log index of the command that created it, so no two ever share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountId(pub LogIndex);

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
    /// Made by whoever asks, 128 random bits, kept through every retry: what makes a write happen once.
    RequestId
}
hex_id! {
    /// One installation of ribbit: all boards that share a cluster file.
    ClusterId
}
hex_id! {
    /// One unbroken history of one cluster's log. Founding makes one; `recover` makes another.
    HistoryId
}

/// The hash of a session token. The token itself never enters the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenHash(pub [u8; 32]);

/// What a client has seen: carried with reads (read-your-writes), with writes (`born`) and in `seen` cookies.
///
/// Text form: `HISTORY.INDEX`, the history in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub history: HistoryId,
    pub index: LogIndex,
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
