//! Reads the log for followers that are far behind, on threads that may wait and that end when nobody needs them.

use super::inbox::Inbox;
use super::{Message, Shared};
use crate::db::{self, Reader};
use crate::replica::core::Input;
use crate::replica::fetches::{Fetch, Fetched};
use std::sync::Arc;

pub(super) struct Reading {
    pub reader: Reader,
    pub inbox: Inbox<Message>,
    pub shared: Arc<Shared>,
}

impl Reading {
    /// Begins to read; the Raft task is told when it is done. No more than `FETCHES_MAX` are under way.
    pub fn begin(&self, fetch: Fetch) {
        let (reader, inbox, shared) = (self.reader.clone(), self.inbox.clone(), self.shared.clone());
        let Fetch { low, high, bytes_max } = fetch;
        let read = move || match db::reading(|| reader.entries(low, high, bytes_max)) {
            // Never dropped: the core asks for the same again only once it has an answer.
            Ok(entries) => {
                let _ = inbox.put(Message::Input(Input::Fetched(Fetched { low, entries })));
            }
            Err(error) => {
                let _ = shared.failed.try_send(error.into());
            }
        };
        smol::unblock(read).detach();
    }
}
