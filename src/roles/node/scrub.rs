//! Scrub: reads and verifies everything stored, one range a minute, so that decayed data on a card is found while other
//! members still have it. A damaged store counts as lost.

use super::NodeState;
use ribbit_db::limits::{SCRUB_CHUNK_BYTES, SCRUB_STEP_BYTES};
use ribbit_replica::ReplicaFailure;
use ribbit_state::sync::MutexExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pause between two ranges. At 1 MiB a minute, a store of 1 GiB is read in 17 hours.
pub(crate) const PAUSE: Duration = Duration::from_secs(60);

/// Pause between two chunks of a range, so that other reads wait for one chunk at most.
const CHUNK_PAUSE: Duration = Duration::from_millis(20);

/// Scrubs the store for as long as the process lives. Ends the process when it finds damage.
pub(crate) async fn run(node: Arc<NodeState>, pause: Duration) {
    let Some(member) = node.membership.get() else { return };
    loop {
        smol::Timer::after(pause).await;
        for _ in 0..SCRUB_STEP_BYTES.div_ceil(SCRUB_CHUNK_BYTES) {
            let reader = member.replica.reader().clone();
            match smol::unblock(move || ribbit_db::catch_read_panics(|| reader.scrub())).await {
                Ok(None) => {}
                Ok(Some(pass)) => {
                    log::info!("scrub complete, no damage: {} rows, {} log entries", pass.rows, pass.entries);
                    *member.scrubbed.locked() = Some(Instant::now());
                    break;
                }
                Err(error) => {
                    log::error!("scrub failed: {error}");
                    let _ = node.failed.try_send(ReplicaFailure::from(error));
                    return;
                }
            }
            smol::Timer::after(CHUNK_PAUSE).await;
        }
    }
}
