//! Bugs planted on purpose, to show that the simulator finds them (`scripts/planted-bugs`).
//!
//! Without the feature `planted` every question here is answered `false` at compile time. With it, a bug is
//! awake on the threads that woke it, and only there.

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Promises leave before what they promise is on disk.
    AckBeforeFsync,
    /// The vote is left out of the hard state, so a restarted member may vote twice in a term.
    ForgottenVote,
    /// The remembered requests are not loaded at start, so a retry is applied a second time.
    AppliedTwice,
    /// The last row of each chunk of a snapshot is counted, and not written.
    SkippedRows,
    /// A leader answers for the read index without asking whether it still leads.
    StaleRead,
    /// The token of a page names an index before the one that the page shows.
    EarlyToken,
    /// A damaged record in the middle of the newest log segment is taken for a torn tail.
    TornMiddle,
    /// The last batch that is read back at open is trusted although it may never have been synced.
    UnsyncedTail,
    /// A failed sync is tried again, and its batch is trusted when that succeeds.
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

    /// From now on this thread has this bug, or none.
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
