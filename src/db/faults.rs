//! Fault injection: deliberate bugs that show that the simulator finds such bugs (`scripts/planted-bugs`).
//!
//! Without the feature `planted`, [`injected`] is `false` at compile time. With it, a bug is active on the threads that
//! activated it, and only there.

/// A deliberate bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Acknowledgements are sent before the acknowledged entries are on disk.
    AckBeforeFsync,
    /// The vote is left out of the hard state, so a restarted member may vote twice in a term.
    ForgottenVote,
    /// The deduplication window is not loaded at start, so a retry is applied a second time.
    AppliedTwice,
    /// The last row of each snapshot chunk is counted but not written.
    SkippedRows,
    /// A leader answers a read index request without confirming that it still leads.
    StaleRead,
    /// The token of a page names an index before the one whose rows the page shows.
    EarlyToken,
    /// A damaged record in the middle of the newest log segment is treated as a torn tail.
    TornMiddle,
    /// The last batch that is read back when a store opens is trusted although it may never have been synced.
    UnsyncedTail,
    /// A vote for the successor of a leader whose process has ended is given without comparing the logs.
    HastyVote,
    /// A failed sync is retried, and its batch is trusted when the retry succeeds.
    FailedSync,
    /// The rows of a snapshot's last chunk are counted but not written.
    LostChunk,
    /// The deduplication window forgets everything at every 64th index.
    ShortWindow,
    /// The log is cut up to what is applied, not to what is applied durably.
    EarlyCut,
    /// A configuration that takes effect is not stored.
    ForgottenConfiguration,
    /// A snapshot is installed without another epoch of the log.
    SameEpoch,
    /// A leader confirms the renewal of leases without asking a majority whether it still leads.
    UnprovedLease,
    /// A member whose store is older than what it acknowledged goes on, and votes.
    RolledBackVote,
}

#[cfg(feature = "planted")]
mod awake {
    use super::Fault;
    use std::cell::Cell;

    pub const ALL: [Fault; 17] = [
        Fault::AckBeforeFsync,
        Fault::ForgottenVote,
        Fault::AppliedTwice,
        Fault::SkippedRows,
        Fault::StaleRead,
        Fault::EarlyToken,
        Fault::TornMiddle,
        Fault::UnsyncedTail,
        Fault::FailedSync,
        Fault::HastyVote,
        Fault::LostChunk,
        Fault::ShortWindow,
        Fault::EarlyCut,
        Fault::ForgottenConfiguration,
        Fault::SameEpoch,
        Fault::UnprovedLease,
        Fault::RolledBackVote,
    ];

    thread_local! {
        static AWAKE: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    /// Activates this bug on this thread, or none.
    pub fn inject(bug: Option<Fault>) {
        AWAKE.set(bug);
    }

    pub fn injected(bug: Fault) -> bool {
        AWAKE.get() == Some(bug)
    }
}

#[cfg(feature = "planted")]
pub use awake::{ALL, inject, injected};

#[cfg(not(feature = "planted"))]
pub const fn injected(_: Fault) -> bool {
    false
}
