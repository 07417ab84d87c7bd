//! Threads for work that gives way to requests: hashing passwords, covering croaks for searches.

use std::{io, thread};

/// Nice value of the threads, below those that serve requests.
pub(super) const NICENESS: i32 = 10;

/// Starts a thread of low priority.
///
/// # Errors
/// The system's, if there can be no further thread.
pub(super) fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let lowered = move || {
        // Where the system does not allow it, the thread runs at normal priority.
        let _ = rustix::process::nice(NICENESS);
        work();
    };
    thread::Builder::new().name(name).spawn(lowered).map(drop)
}
