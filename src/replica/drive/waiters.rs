//! Those who wait for an answer, until the replica ends.

use super::Undecided;
use crate::replica::limits::WAITERS_PER_REQUEST_MAX;
use futures_channel::oneshot::{self, Receiver, Sender};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard};

/// Who waits for what becomes of `Id`; nobody any more once the replica has ended.
pub(super) struct Waiters<Id, A>(Mutex<Option<HashMap<Id, Waiting<A>>>>);

struct Waiting<A> {
    /// A digest of what was asked: who asks something else under the same id must not get its answer.
    asked: u64,
    askers: Vec<Sender<A>>,
}

impl<Id: Eq + Hash, A: Clone> Waiters<Id, A> {
    pub fn new() -> Waiters<Id, A> {
        Waiters(Mutex::new(Some(HashMap::new())))
    }
    fn table(&self) -> MutexGuard<'_, Option<HashMap<Id, Waiting<A>>>> {
        self.0.lock().expect("nobody panics while it holds this lock")
    }
    pub fn add(&self, id: Id, asked: u64) -> Result<Receiver<A>, Undecided> {
        let (sender, receiver) = oneshot::channel();
        let mut table = self.table();
        let fresh = || Waiting { asked, askers: Vec::new() };
        let waiting = table.as_mut().ok_or(Undecided::Ending)?.entry(id).or_insert_with(fresh);
        if waiting.asked != asked {
            return Err(Undecided::Reused);
        }
        let askers = &mut waiting.askers;
        if askers.len() >= WAITERS_PER_REQUEST_MAX {
            // Those who have gone leave their places only here.
            askers.retain(|asker| !asker.is_canceled());
        }
        if askers.len() >= WAITERS_PER_REQUEST_MAX {
            return Err(Undecided::Busy);
        }
        askers.push(sender);
        Ok(receiver)
    }
    /// Whether anybody had asked.
    pub fn answer(&self, id: Id, answer: &A) -> bool {
        let waiting = self.table().as_mut().and_then(|table| table.remove(&id));
        let Some(Waiting { askers, .. }) = waiting else { return false };
        for asker in askers {
            // One that has gone does not matter.
            let _ = asker.send(answer.clone());
        }
        true
    }
    pub fn close(&self) {
        *self.table() = None;
    }
}
