//! State that a node has acknowledged, recorded beside its store. Whenever the store is opened, it must hold this state
//! or report that it is damaged. A log that silently lost entries fails the seed, even if other nodes have the entries.
//!
//! Opening a store acknowledges its content, because the process may report its position at once.

use ribbit_db::store::StoreContents;
use ribbit_db::{LogEntry, Reader};
use ribbit_replica::Install;
use ribbit_replica::StoreJob;
use ribbit_state::{LogIndex, RaftId};
use std::collections::BTreeMap;

/// Term and vote.
type Vote = (u64, RaftId);

#[derive(Debug, Default)]
pub struct Promised {
    entries: BTreeMap<LogIndex, LogEntry>,
    /// `None` until the store is opened for the first time.
    vote: Option<Vote>,
    /// Votes that were written and may not be durable yet.
    maybe: Vec<Vote>,
}

impl Promised {
    /// Records the start of a write: entries that it overwrites are no longer required.
    pub fn appending(&mut self, job: &StoreJob) {
        if let Some(first) = job.entries.first() {
            self.entries.split_off(&first.index);
        }
        self.maybe.extend(job.hard_state.map(|state| (state.term, state.vote)));
    }

    /// Records the end of a write: its entries and its vote are durable.
    pub fn appended(&mut self, job: &StoreJob) {
        self.entries.extend(job.entries.iter().map(|entry| (entry.index, entry.clone())));
        if let Some(state) = job.hard_state {
            self.vote = Some((state.term, state.vote));
            self.maybe.clear();
        }
    }

    /// Records the start of a snapshot installation, which replaces the whole store.
    pub fn installing(&mut self, install: Install) {
        self.entries.split_off(&(install.position.index + 1));
        self.maybe.push((install.hard_state.term, install.hard_state.vote));
    }

    /// Records the end of a snapshot installation.
    pub fn installed(&mut self, through: LogIndex) {
        self.entries.retain(|index, _| *index > through);
        if let Some(vote) = self.maybe.pop() {
            self.vote = Some(vote);
            self.maybe.clear();
        }
    }

    /// Drops the entries that the store no longer has: the disk lost synced writes, or the last batch is damaged, which looks like
    /// a batch that a crash has torn. Entries that this batch had overwritten are there again and stay.
    pub fn forget_unless(&mut self, has: impl Fn(LogIndex, u64) -> bool) {
        self.entries.retain(|index, entry| has(*index, entry.term));
    }

    /// Returns true if this entry, index and term, was acknowledged.
    pub fn has(&self, (index, term): (LogIndex, u64)) -> bool {
        self.entries.get(&index).is_some_and(|entry| entry.term == term)
    }

    /// Returns true if this term and vote are durable, and no other was written since.
    pub fn has_vote(&self, vote: (u64, RaftId)) -> bool {
        self.vote == Some(vote) && self.maybe.is_empty()
    }

    /// Returns the term of the durable vote, if no other was written since.
    pub fn vote_term(&self) -> Option<u64> {
        self.vote.filter(|_| self.maybe.is_empty()).map(|(term, _)| term)
    }

    /// Compares an opened store with the acknowledged state. Its content is acknowledged from now on.
    pub fn check(&mut self, node: usize, loaded: &StoreContents, reader: &Reader) {
        let (floor, last) = (loaded.floor.index, loaded.last.index);
        let found =
            reader.entries(floor + 1, last + 1, u64::MAX).expect("a store that was opened can be read");
        let found: BTreeMap<LogIndex, LogEntry> =
            found.into_iter().map(|entry| (entry.index, entry)).collect();
        assert_eq!(found.len() as u64, last - floor, "the log of node {node} has a hole");
        for (index, promised) in self.entries.range(floor + 1..) {
            match found.get(index) {
                Some(found) => assert_eq!(found, promised, "node {node} has another entry than it promised"),
                None => panic!(
                    "node {node} lost entries in silence: it promised up to {:?}, and its log ends at {last}",
                    self.entries.last_key_value().map(|(index, _)| index)
                ),
            }
        }
        let vote = (loaded.hard_state.term, loaded.hard_state.vote);
        assert!(
            self.vote.is_none_or(|promised| promised == vote) || self.maybe.contains(&vote),
            "node {node} forgot its vote in silence: it promised {:?} (perhaps {:?}), and has {vote:?}",
            self.vote,
            self.maybe
        );
        *self = Promised { entries: found, vote: Some(vote), maybe: Vec::new() };
    }
}
