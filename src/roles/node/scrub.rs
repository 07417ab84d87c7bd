//! Everything that is stored is read and checked again, a range a minute: what a card forgets is noticed while the
//! others still have it. What is found goes the way of lost stores.

use super::Node;
use crate::db;
use crate::db::limits::{SCRUB_CHUNK_BYTES, SCRUB_STEP_BYTES};
use crate::replica::Failing;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two ranges: 1 MiB a minute reads a store of 1 GiB in 17 hours.
pub const PAUSE: Duration = Duration::from_secs(60);
/// Between two chunks of a range, so that nobody waits for more than one.
const CHUNK_PAUSE: Duration = Duration::from_millis(20);

pub async fn run(node: Arc<Node>, pause: Duration) {
    let Some(member) = node.member.get() else { return };
    loop {
        smol::Timer::after(pause).await;
        for _ in 0..SCRUB_STEP_BYTES.div_ceil(SCRUB_CHUNK_BYTES) {
            let reader = member.replica.reader().clone();
            match smol::unblock(move || db::reading(|| reader.scrub())).await {
                Ok(None) => {}
                Ok(Some(pass)) => {
                    log::info!("all is as it was written: {} rows, {} entries", pass.rows, pass.entries);
                    *member.scrubbed.lock().expect("nobody panics while it holds this lock") =
                        Some(Instant::now());
                    break;
                }
                Err(error) => {
                    log::error!("the scrub found: {error}");
                    let _ = node.failed.try_send(Failing::from(error));
                    return;
                }
            }
            smol::Timer::after(CHUNK_PAUSE).await;
        }
    }
}
