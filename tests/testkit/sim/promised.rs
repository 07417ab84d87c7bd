//! What a node has promised, kept beside its store: the store has to hold it whenever it is opened, or say that it is
//! damaged. A log that lost its end or something from its middle in silence fails the seed, whether or not others have
//! what it lost.
//!
//! Opening a store is a promise too: the process may tell at once that it has what it found.

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
    /// Nothing before the store is opened for the first time.
    vote: Option<Vote>,
    /// Written, and not durable for sure.
    maybe: Vec<Vote>,
}

impl Promised {
    /// These jobs are about to be written: what they overwrite is not promised any more.
    pub fn appending(&mut self, job: &StoreJob) {
        if let Some(first) = job.entries.first() {
            self.entries.split_off(&first.index);
        }
        self.maybe.extend(job.hard_state.map(|state| (state.term, state.vote)));
    }

    /// They are durable.
    pub fn appended(&mut self, job: &StoreJob) {
        self.entries.extend(job.entries.iter().map(|entry| (entry.index, entry.clone())));
        if let Some(state) = job.hard_state {
            self.vote = Some((state.term, state.vote));
            self.maybe.clear();
        }
    }

    /// A snapshot is about to take the place of everything.
    pub fn installing(&mut self, install: Install) {
        self.entries.split_off(&(install.position.index + 1));
        self.maybe.push((install.hard_state.term, install.hard_state.vote));
    }

    /// It has.
    pub fn installed(&mut self, through: LogIndex) {
        self.entries.retain(|index, _| *index > through);
        if let Some(vote) = self.maybe.pop() {
            self.vote = Some(vote);
            self.maybe.clear();
        }
    }

    /// Its disk has lied, or its last batch is damaged, which cannot be told from one that a crash has torn. What that batch
    /// had overwritten is there again, so only the entries are promised that the store still has.
    pub fn forget_unless(&mut self, has: impl Fn(LogIndex, u64) -> bool) {
        self.entries.retain(|index, entry| has(*index, entry.term));
    }

    /// Compares a store that was opened with what was promised. What it holds is promised from now on.
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
