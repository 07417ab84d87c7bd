//! Waiting for what other processes do: asked again and again, within a bound.

use std::time::{Duration, Instant};

/// Whatever is awaited comes within this, also on a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(40);
pub const PAUSE: Duration = Duration::from_millis(20);

/// Asks again and again until there is something. Panics with `what` when nothing came.
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
