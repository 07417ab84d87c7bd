//! Fault injection: deliberate bugs that show that the simulator finds such bugs (`scripts/planted-bugs`).
//!
//! Without the feature `planted`, [`planted`] is `false` at compile time. With it, a bug is active on the threads that
//! activated it, and only there.

/// A deliberate bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
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
    /// A failed sync is retried, and its batch is trusted when the retry succeeds.
    FailedSync,
}

#[cfg(feature = "planted")]
mod awake {
    use super::Bug;
    use std::cell::Cell;

    pub const ALL: [Bug; 9] = [
        Bug::AckBeforeFsync,
        Bug::ForgottenVote,
        Bug::AppliedTwice,
        Bug::SkippedRows,
        Bug::StaleRead,
        Bug::EarlyToken,
        Bug::TornMiddle,
        Bug::UnsyncedTail,
        Bug::FailedSync,
    ];

    thread_local! {
        static AWAKE: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Activates this bug on this thread, or none.
    pub fn plant(bug: Option<Bug>) {
        AWAKE.set(bug);
    }

    pub fn planted(bug: Bug) -> bool {
        AWAKE.get() == Some(bug)
    }
}

#[cfg(feature = "planted")]
pub use awake::{ALL, plant, planted};

#[cfg(not(feature = "planted"))]
pub const fn planted(_: Bug) -> bool {
    false
}
