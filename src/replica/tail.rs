//! The log as the engine reads it, without access to the disk. The newest entries are in memory, and so are all entries
//! that are not applied yet and the term of every entry. Older entries are requested and arrive later (see
//! [`super::fetches`]).
//!
//! ```text
//!   floor ─┬─ entries only in the store ─┬─ entries in memory ─┐
//!          │                             │ (durable or not)    last
//! ```
//!
//! Entries are added when the engine hands them out, before they are durable, so that the engine goes on at once. Beyond
//! `TAIL_BYTES_MAX` the oldest are dropped, but only durable and applied ones. So the entries that the engine needs at once
//! (to apply them, or to look for configuration changes before an election) are always in memory. Only sending to followers
//! has to wait for the disk.

use super::convert::{configuration_from_store, entry_from_store, hard_state_from_store};
use super::fetches::{Fetch, Fetched, Fetches};
use super::limits::{MESSAGE_BYTES_MAX, TAIL_BYTES_MAX};
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};
use ribbit_db::store::StoreContents;
use ribbit_db::terms::Terms;
use ribbit_db::{Configuration, DbError, Position, Reader};
use std::cell::RefCell;
use std::collections::VecDeque;

/// Storage of the engine: the newest entries, and the terms of all entries.
pub(crate) struct Tail {
    entries: VecDeque<Entry>,
    /// Size of `entries`, in bytes.
    bytes: usize,
    /// Size beyond which the oldest entries are dropped, in bytes.
    bytes_max: usize,
    /// Terms of the whole log, from floor to last.
    terms: Terms,
    /// In a cell, because the engine asks for entries through `&self`.
    fetches: RefCell<Fetches<Entry>>,
    /// Index up to which the log is durable.
    durable: u64,
    applied: Position,
    /// Hard state and configuration at the start.
    initial: (HardState, ConfState),
    /// Current configuration.
    configuration: ConfState,
}

/// Returns the approximate memory that an entry takes, in bytes.
fn cost(entry: &Entry) -> usize {
    entry.data.len() + 64
}

impl Tail {
    /// Reads the entries that are not applied.
    ///
    /// # Errors
    /// [`DbError`] when the log cannot be read; `Damaged` when entries are missing. Both are fatal.
    pub(crate) fn new(reader: &Reader, loaded: &StoreContents) -> Result<Tail, DbError> {
        let (first, last) = (loaded.applied.index + 1, loaded.last.index);
        let entries: VecDeque<Entry> =
            reader.entries(first, last + 1, u64::MAX)?.into_iter().map(entry_from_store).collect();
        if entries.len() as u64 + loaded.applied.index != last {
            return Err(DbError::Damaged(format!("entries from {first} to {last} are missing from the log")));
        }
        let configuration = configuration_from_store(&loaded.configuration);
        Ok(Tail {
            bytes: entries.iter().map(cost).sum(),
            entries,
            bytes_max: TAIL_BYTES_MAX,
            terms: loaded.terms.clone(),
            fetches: RefCell::default(),
            durable: last,
            applied: loaded.applied,
            initial: (hard_state_from_store(loaded.hard_state), configuration.clone()),
            configuration,
        })
    }

    /// Sets the size beyond which entries are dropped, in bytes.
    pub(crate) fn set_bytes_max(&mut self, bytes: usize) {
        self.bytes_max = bytes;
    }

    /// Adds entries that the engine handed out, and drops the ones that they overwrite.
    pub(crate) fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        while self.entries.back().is_some_and(|last| last.index >= first.index) {
            if let Some(dropped) = self.entries.pop_back() {
                self.bytes -= cost(&dropped);
            }
        }
        self.durable = self.durable.min(first.index - 1);
        self.fetches.get_mut().cut_back(first.index);
        for entry in entries {
            self.bytes += cost(entry);
            self.entries.push_back(entry.clone());
            self.terms.push(Position { index: entry.index, term: entry.term });
        }
    }

    /// Replaces the log by a snapshot at this position.
    pub(crate) fn reset(&mut self, position: Position, configuration: ConfState) {
        self.entries.clear();
        self.bytes = 0;
        self.terms = Terms::behind(position);
        self.fetches.get_mut().cut_back(0);
        self.durable = position.index;
        self.configuration = configuration;
    }

    /// Sets the current configuration.
    pub(crate) fn set_configuration(&mut self, configuration: ConfState) {
        self.configuration = configuration;
    }

    /// Records the state of the store: it is durable up to `durable`, has applied up to `applied`, and its log begins
    /// behind `floor`.
    pub(crate) fn stored(&mut self, durable: u64, applied: Position, floor: Position) {
        self.durable = self.durable.max(durable.min(self.last().index));
        self.applied = applied;
        if floor.index > self.terms.floor().index {
            self.terms.cut(floor);
        }
    }

    /// Drops the oldest entries while they exceed the size limit. `applied` is the index that the engine knows to be
    /// applied: it needs later entries at once.
    pub(crate) fn trim(&mut self, applied: u64) {
        let leaves = applied.min(self.durable);
        while self.bytes > self.bytes_max
            && let Some(dropped) = self.entries.pop_front_if(|entry| entry.index <= leaves)
        {
            self.bytes -= cost(&dropped);
        }
    }

    /// Returns the reads from disk to start now.
    pub(crate) fn take_wanted(&mut self) -> Vec<Fetch> {
        self.fetches.get_mut().take_wanted()
    }

    /// Takes in the result of a read. Returns true if there are entries to send.
    pub(crate) fn fetched(&mut self, fetched: Fetched) -> bool {
        self.fetches.get_mut().fetched(fetched, &self.terms, entry_from_store)
    }

    /// Counts ticks, after which unused fetched entries may be dropped.
    pub(crate) fn tick(&mut self, ticks: u64) {
        self.fetches.get_mut().tick(ticks);
    }

    /// Returns the last position of the log, durable or not.
    pub(crate) fn last(&self) -> Position {
        self.terms.last()
    }

    /// Returns the position up to which the store has applied the log.
    pub(crate) fn applied(&self) -> Position {
        self.applied
    }

    /// Returns the current configuration.
    pub(crate) fn configuration(&self) -> Configuration {
        super::convert::configuration_to_store(&self.configuration)
    }

    /// Returns the index of the first entry in memory, or the one behind the log.
    fn memory_first(&self) -> u64 {
        self.entries.front().map_or(self.last().index + 1, |entry| entry.index)
    }
}

impl Storage for Tail {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState { hard_state: self.initial.0.clone(), conf_state: self.initial.1.clone() })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        let first = self.memory_first();
        // A caller that cannot wait never needs an entry that is not in memory: see the head of this module.
        if low <= self.terms.floor().index || (low < first && !context.can_async()) {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        let max_size = max_size.into().unwrap_or(u64::MAX);
        if low < first {
            let high = high.min(first);
            let fetch = Fetch { low, high, bytes_max: max_size.min(MESSAGE_BYTES_MAX) };
            let mut fetches = self.fetches.borrow_mut();
            let found = fetches.get(fetch).ok_or(StorageError::LogTemporarilyUnavailable)?;
            return Ok(found.iter().take_while(|entry| entry.index < high).cloned().collect());
        }
        let mut found: Vec<Entry> = Vec::new();
        let mut size = 0;
        for entry in self.entries.iter().skip((low - first) as usize).take_while(|entry| entry.index < high) {
            size += cost(entry) as u64;
            if !found.is_empty() && size > max_size {
                break;
            }
            found.push(entry.clone());
        }
        Ok(found)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        let missing = || match index < self.terms.floor().index {
            true => raft::Error::Store(StorageError::Compacted),
            false => raft::Error::Store(StorageError::Unavailable),
        };
        self.terms.at(index).ok_or_else(missing)
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.terms.floor().index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last().index)
    }

    /// Returns the metadata of a snapshot without its data. The sender replaces the metadata by that of the state that it
    /// streams, which is at least as new.
    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        if self.applied.index < request_index {
            return Err(raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable));
        }
        let mut snapshot = Snapshot::new();
        let metadata = snapshot.mut_metadata();
        metadata.index = self.applied.index;
        metadata.term = self.applied.term;
        *metadata.mut_conf_state() = self.configuration.clone();
        Ok(snapshot)
    }
}
