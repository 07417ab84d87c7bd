//! Changes that are on their way through this gateway: accounts that are being created or deleted, and connections whose end has
//! arrived.
//!
//! A list shows what was sent before it, and nothing is refused because of something that is about to change.

use event_listener::Event;
use ribbit_state::sync::MutexExt;
use smol::Timer;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Time for which a list waits, so that requests which other connections sent before it are read.
const READ_PAUSE: Duration = Duration::from_millis(50);

/// Changes in progress, by number.
#[derive(Debug, Default)]
pub(super) struct Changes {
    under_way: Mutex<UnderWay>,
    ended: Event,
}

#[derive(Debug, Default)]
struct UnderWay {
    next: u64,
    numbers: BTreeSet<u64>,
}

/// A change in progress. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Change {
    changes: Arc<Changes>,
    number: u64,
}

impl Changes {
    /// Begins a change.
    pub(super) fn begin(self: &Arc<Self>) -> Change {
        let mut under_way = self.under_way.locked();
        let number = under_way.next;
        under_way.next += 1;
        under_way.numbers.insert(number);
        Change { changes: self.clone(), number }
    }

    /// Returns true if a change is in progress.
    pub(super) fn any(&self) -> bool {
        !self.under_way.locked().numbers.is_empty()
    }

    /// Waits until all changes have ended that were sent before this call.
    pub(super) async fn earlier_ended(&self) {
        Timer::after(READ_PAUSE).await;
        let before = self.under_way.locked().next;
        loop {
            // Listening begins before the look, so that an end in between is noticed.
            let ended = self.ended.listen();
            if self.under_way.locked().numbers.range(..before).next().is_none() {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        self.changes.under_way.locked().numbers.remove(&self.number);
        self.changes.ended.notify(usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::{or, poll_once};

    #[test]
    fn a_list_waits_for_the_changes_before_it_alone() {
        smol::block_on(async {
            let changes = Arc::new(Changes::default());
            changes.earlier_ended().await;
            assert!(!changes.any());
            let before = changes.begin();
            assert!(changes.any());
            let list = changes.earlier_ended();
            smol::pin!(list);
            let late = async {
                Timer::after(4 * READ_PAUSE).await;
            };
            assert!(poll_once(&mut list).await.is_none());
            or(&mut list, late).await;
            let _after = changes.begin();
            assert!(poll_once(&mut list).await.is_none(), "the change is in progress");
            drop(before);
            list.await;
        });
    }
}
