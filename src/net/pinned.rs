//! Requests about a pin: the rows of a member as of one index, kept for a client for a while. Backups and comparisons of
//! members use them.
//!
//! ```text
//!   Begin ──▶ Held { pin, … } │ Passed            then, with that pin, on any connection of the control plane:
//!   Rows, Sum, Marks ──▶ a short step each        an idle pin ends, and further steps are answered with Gone
//!   End ──▶ Ended
//! ```
//!
//! The client pulls, so the member keeps nothing for it but the pin. Pins are few and expire (`limits::PINS_MAX`,
//! `PIN_IDLE_MAX`, `PIN_TIME_MAX`). They are for holders of the cluster key only: rows are returned as they are stored,
//! including password hashes.
//!
//! The wire format numbers enum variants by their position, so new variants go at the end.

use ribbit_state::{ClusterId, HistoryId, LogIndex, Token};
use serde::{Deserialize, Serialize};

/// Id of a pin; a random number chosen by the member.
pub type PinId = u64;

/// Request about a pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PinAsk {
    /// Pins the applied state, at least as new as `at_least`.
    Begin { at_least: Option<Token> },
    /// Pins the state at exactly this index, once it is applied.
    BeginAt { at: Token },
    /// Returns the next rows behind the key `after`.
    Rows { pin: PinId, after: Vec<u8> },
    /// Returns the number and the digest of the rows behind `after`, up to and including `to`.
    Sum { pin: PinId, after: Vec<u8>, to: Option<Vec<u8>> },
    /// Returns the keys of these rows, each with a hash of its row.
    Marks { pin: PinId, after: Vec<u8>, to: Option<Vec<u8>> },
    /// Ends the pin.
    End { pin: PinId },
}

/// Answer to a [`PinAsk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PinAnswer {
    /// The state is pinned.
    Held(PinHead),
    /// The requested index is no longer available: the member has applied this one.
    Passed { applied: LogIndex },
    /// Keys and values of rows; empty behind the last row.
    Rows(Vec<(Vec<u8>, Vec<u8>)>),
    /// Number and digest of rows. If there are further rows, `stopped_at` is the last key that is included.
    Sum { rows: u64, sum: u64, stopped_at: Option<Vec<u8>> },
    /// Keys of rows with hashes; `more` is set if there are further rows.
    Marks { marks: Vec<(Vec<u8>, u64)>, more: bool },
    /// The pin has been ended.
    Ended,
    /// The pin does not exist (any more).
    Gone,
    /// The stored rows are damaged, for this reason.
    Damaged { why: String },
}

/// Description of a pinned state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinHead {
    pub pin: PinId,
    pub cluster: ClusterId,
    pub history: HistoryId,
    /// Index up to which the log is applied.
    pub index: LogIndex,
    /// Term of the entry at `index`.
    pub term: u64,
    pub rules_level: u32,
    /// Number of rows.
    pub rows: u64,
    /// Digest of the state.
    pub digest: u64,
}
