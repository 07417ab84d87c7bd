//! Waiting for signals.

use async_signal::{Signal, Signals};
use smol::stream::StreamExt;
use std::time::Duration;

/// Pause after a failed read of signals.
const PAUSE: Duration = Duration::from_millis(200);

/// Waits for one of these signals and returns it; `None` if none can arrive any more. A failed read, for want of memory for
/// example, is no signal.
pub(crate) async fn received(signals: &mut Signals) -> Option<Signal> {
    loop {
        match signals.next().await {
            Some(Ok(signal)) => return Some(signal),
            Some(Err(error)) => {
                log::warn!("cannot wait for signals: {error}");
                smol::Timer::after(PAUSE).await;
            }
            None => return None,
        }
    }
}
