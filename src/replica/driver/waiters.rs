//! Clients that wait for the answer to a request or a read index query.

use super::SubmitError;
use crate::limits::WAITERS_PER_REQUEST_MAX;
use futures_channel::oneshot::{self, Receiver, Sender};
use ribbit_state::sync::MutexExt;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard};

/// Waiting clients by the id of their request; `None` once the replica has ended.
pub(super) struct Waiters<Id, A>(Mutex<Option<HashMap<Id, PendingAnswer<A>>>>);

/// Clients that wait for one answer.
struct PendingAnswer<A> {
    /// Digest of the command: a client with another command under the same id must not get this answer.
    digest: u64,
    clients: Vec<Sender<A>>,
}

impl<Id: Eq + Hash, A: Clone> Waiters<Id, A> {
    /// Creates an empty table.
    pub fn new() -> Waiters<Id, A> {
        Waiters(Mutex::new(Some(HashMap::new())))
    }

    fn table(&self) -> MutexGuard<'_, Option<HashMap<Id, PendingAnswer<A>>>> {
        self.0.locked()
    }

    /// Adds a client that waits for the answer to `id`.
    ///
    /// # Errors
    /// - [`SubmitError::Ending`] when the replica has ended.
    /// - [`SubmitError::Reused`] when clients wait under this id with another digest.
    /// - [`SubmitError::Busy`] when `WAITERS_PER_REQUEST_MAX` clients wait under this id.
    pub fn add(&self, id: Id, digest: u64) -> Result<Receiver<A>, SubmitError> {
        let (sender, receiver) = oneshot::channel();
        let mut table = self.table();
        let fresh = || PendingAnswer { digest, clients: Vec::new() };
        let waiting = table.as_mut().ok_or(SubmitError::Ending)?.entry(id).or_insert_with(fresh);
        if waiting.digest != digest {
            return Err(SubmitError::Reused);
        }
        let clients = &mut waiting.clients;
        if clients.len() >= WAITERS_PER_REQUEST_MAX {
            // Clients that have given up are removed only here.
            clients.retain(|client| !client.is_canceled());
        }
        if clients.len() >= WAITERS_PER_REQUEST_MAX {
            return Err(SubmitError::Busy);
        }
        clients.push(sender);
        Ok(receiver)
    }

    /// Answers the clients that wait under `id`. Returns true if there was one.
    pub fn answer(&self, id: Id, answer: &A) -> bool {
        let waiting = self.table().as_mut().and_then(|table| table.remove(&id));
        let Some(PendingAnswer { clients, .. }) = waiting else { return false };
        for client in clients {
            // Sending fails when the client has given up, which does not matter.
            let _ = client.send(answer.clone());
        }
        true
    }

    /// Drops all clients, which then see the end of their channel, and refuses new ones.
    pub fn close(&self) {
        *self.table() = None;
    }
}
