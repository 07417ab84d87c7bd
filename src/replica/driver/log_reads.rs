//! Reads the log for followers that lag far behind, on the thread pool for blocking work.

use super::inbox::Inbox;
use super::{ReplicaState, TaskMessage};
use crate::core::Input;
use crate::fetches::{Fetch, Fetched};
use ribbit_db::{self, Reader};
use std::sync::Arc;

/// Starter of log reads, which send their results to the inbox.
pub(super) struct LogReads {
    pub reader: Reader,
    pub inbox: Inbox<TaskMessage>,
    pub shared: Arc<ReplicaState>,
}

impl LogReads {
    /// Starts a read, whose result goes to the Raft task. The core has at most `FETCHES_MAX` under way.
    pub fn begin(&self, fetch: Fetch) {
        let (reader, inbox, shared) = (self.reader.clone(), self.inbox.clone(), self.shared.clone());
        let Fetch { low, high, bytes_max } = fetch;
        let read = move || match ribbit_db::catch_read_panics(|| reader.entries(low, high, bytes_max)) {
            // Sent regardless of the bound: the core repeats a read only after its answer.
            Ok(entries) => {
                let _ = inbox.put(TaskMessage::Input(Input::Fetched(Fetched { low, entries })));
            }
            Err(error) => {
                let _ = shared.failed.try_send(error.into());
            }
        };
        smol::unblock(read).detach();
    }
}
