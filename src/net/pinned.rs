//! What is said about a pin: a member's rows as they were at one index, kept for an asker for a while.
//!
//! ```text
//!   Begin ──▶ Held { pin, … } │ Passed            then, with that pin, on any connection of the control plane:
//!   Rows, Sum, Marks ──▶ a step of them each      a step is short: who takes none for a while finds the pin Gone
//!   End ──▶ Ended
//! ```
//!
//! The asker pulls: nothing waits for it at the member but the pin itself, and pins are few and end by themselves
//! (`limits::PINS_MAX`, `PIN_IDLE_MAX`, `PIN_TIME_MAX`). All of it is for those who have the cluster's key: rows come as
//! they are stored, hashes of passwords among them.
//!
//! Enum variants are numbered by their position: new ones go at the end.

use ribbit_state::{ClusterId, HistoryId, LogIndex, Token};
use serde::{Deserialize, Serialize};

/// Chosen by the member, by chance.
pub type PinId = u64;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PinAsk {
    /// Pin what is applied: at least this much.
    Begin { at_least: Option<Token> },
    /// Pin at this very index, once it is reached.
    BeginAt { at: Token },
    /// The next rows behind this key.
    Rows { pin: PinId, after: Vec<u8> },
    /// What the rows behind `after`, up to and with `to`, add up to.
    Sum { pin: PinId, after: Vec<u8>, to: Option<Vec<u8>> },
    /// The keys of these rows, each with a hash of its row.
    Marks { pin: PinId, after: Vec<u8>, to: Option<Vec<u8>> },
    /// It is not needed any more.
    End { pin: PinId },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PinAnswer {
    Held(PinHead),
    /// That index is not to be had: this one is applied.
    Passed {
        applied: LogIndex,
    },
    /// None: there are no more.
    Rows(Vec<(Vec<u8>, Vec<u8>)>),
    /// `stopped_at`: the last key that is in it; there is more.
    Sum {
        rows: u64,
        sum: u64,
        stopped_at: Option<Vec<u8>>,
    },
    Marks {
        marks: Vec<(Vec<u8>, u64)>,
        more: bool,
    },
    Ended,
    /// There is no such pin any more.
    Gone,
    /// What is stored is not what was written.
    Damaged {
        why: String,
    },
}

/// What is pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinHead {
    pub pin: PinId,
    pub cluster: ClusterId,
    pub history: HistoryId,
    pub index: LogIndex,
    pub term: u64,
    pub rules_level: u32,
    pub rows: u64,
    pub digest: u64,
}
