//! Polling for a condition in other processes, with a time limit.

use std::time::{Duration, Instant};

/// Default time limit, long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(40);
pub const PAUSE: Duration = Duration::from_millis(20);

/// Polls until `something` returns a value. Panics with `what` after the time limit.
#[track_caller]
pub fn awaited<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    awaited_within(PATIENCE, what, ask)
}

#[track_caller]
pub fn awaited_within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(PAUSE);
    }
}
