//! Signal that a role is being stopped, for its connections and streams.

use event_listener::Event;
use std::sync::atomic::{AtomicBool, Ordering};

/// Signal that the role is being stopped, which connections and streams wait for.
#[derive(Default)]
pub(crate) struct Shutdown {
    began: AtomicBool,
    changed: Event,
}

impl Shutdown {
    pub(crate) fn begin(&self) {
        self.began.store(true, Ordering::SeqCst);
        self.changed.notify(usize::MAX);
    }
    pub(crate) fn began(&self) -> bool {
        self.began.load(Ordering::SeqCst)
    }
    pub(crate) async fn wait(&self) {
        loop {
            // Listening begins before the look, so that a stop in between is noticed.
            let changed = self.changed.listen();
            if self.began() {
                return;
            }
            changed.await;
        }
    }
}
