//! What the engine reads of the log: the newest entries from memory, older ones from the store.
//!
//! ```text
//!   floor ─┬─ entries only in the store ─┬─ entries in memory ─┐
//!          │                             │ (durable or not)    last
//! ```
//!
//! Entries enter memory when the engine hands them out, before they are durable, so that it can go on at once.
//! Only durable ones leave it, oldest first, beyond `TAIL_BYTES_MAX`.

use super::convert::{configuration_from_store, entry_from_store, hard_state_from_store};
use super::limits::TAIL_BYTES_MAX;
use crate::db::store::Loaded;
use crate::db::{Configuration, Position, Reader};
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};
use std::collections::VecDeque;

pub struct Tail {
    reader: Reader,
    entries: VecDeque<Entry>,
    bytes: usize,
    floor: Position,
    /// The last entry when nothing is in memory.
    last: Position,
    durable: u64,
    applied: Position,
    initial: (HardState, ConfState),
    configuration: ConfState,
}

fn cost(entry: &Entry) -> usize {
    entry.data.len() + 64
}

fn engine_error(error: crate::db::DbError) -> raft::Error {
    raft::Error::Store(StorageError::Other(Box::new(error)))
}

impl Tail {
    pub fn new(reader: Reader, loaded: &Loaded) -> Tail {
        let configuration = configuration_from_store(&loaded.configuration);
        Tail {
            reader,
            entries: VecDeque::new(),
            bytes: 0,
            floor: loaded.floor,
            last: loaded.last,
            durable: loaded.last.index,
            applied: loaded.applied,
            initial: (hard_state_from_store(loaded.hard_state), configuration.clone()),
            configuration,
        }
    }

    /// Takes entries that the engine handed out; what conflicts with them is dropped.
    pub fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        while self.entries.back().is_some_and(|last| last.index >= first.index) {
            if let Some(dropped) = self.entries.pop_back() {
                self.bytes -= cost(&dropped);
            }
        }
        self.durable = self.durable.min(first.index - 1);
        for entry in entries {
            self.bytes += cost(entry);
            self.entries.push_back(entry.clone());
        }
        if let Some(last) = self.entries.back() {
            self.last = Position { index: last.index, term: last.term };
        }
    }

    /// A snapshot took the place of everything.
    pub fn reset(&mut self, position: Position, configuration: ConfState) {
        self.entries.clear();
        self.bytes = 0;
        self.floor = position;
        self.last = position;
        self.durable = position.index;
        self.configuration = configuration;
    }

    /// Who votes from now on.
    pub fn set_configuration(&mut self, configuration: ConfState) {
        self.configuration = configuration;
    }

    /// The store has everything up to `durable` on disk, has applied up to `applied`, and begins behind `floor`.
    pub fn stored(&mut self, durable: u64, applied: Position, floor: Position) {
        self.durable = self.durable.max(durable.min(self.last.index));
        self.applied = applied;
        if floor.index > self.floor.index {
            self.floor = floor;
        }
        while self.bytes > TAIL_BYTES_MAX
            && self.entries.len() > 1
            && self.entries.front().is_some_and(|entry| entry.index <= self.durable)
        {
            if let Some(dropped) = self.entries.pop_front() {
                self.bytes -= cost(&dropped);
            }
        }
    }

    pub fn last(&self) -> Position {
        self.last
    }

    pub fn applied(&self) -> Position {
        self.applied
    }

    pub fn configuration(&self) -> Configuration {
        super::convert::configuration_to_store(&self.configuration)
    }

    fn memory_first(&self) -> u64 {
        self.entries.front().map_or(self.last.index + 1, |entry| entry.index)
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
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.floor.index {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        let max_size = max_size.into().unwrap_or(u64::MAX);
        let first = self.memory_first();
        let mut found: Vec<Entry> = Vec::new();
        if low < first {
            let stored = self.reader.entries(low, high.min(first), max_size).map_err(engine_error)?;
            found.extend(stored.into_iter().map(entry_from_store));
            if found.is_empty() {
                // Cut off meanwhile: the store thread is ahead of what it has reported.
                return Err(raft::Error::Store(StorageError::Compacted));
            }
            if found.len() as u64 != high.min(first) - low {
                return Ok(found);
            }
        }
        let mut size: u64 = found.iter().map(|entry| cost(entry) as u64).sum();
        let skip = low.max(first) - first;
        for entry in self.entries.iter().skip(skip as usize).take_while(|entry| entry.index < high) {
            size += cost(entry) as u64;
            if !found.is_empty() && size > max_size {
                break;
            }
            found.push(entry.clone());
        }
        Ok(found)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.floor.index {
            return Ok(self.floor.term);
        }
        if index < self.floor.index {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        if index == self.last.index {
            return Ok(self.last.term);
        }
        if index > self.last.index {
            return Err(raft::Error::Store(StorageError::Unavailable));
        }
        let first = self.memory_first();
        if index >= first {
            return Ok(self.entries[(index - first) as usize].term);
        }
        match self.reader.entries(index, index + 1, 0).map_err(engine_error)?.first() {
            Some(entry) => Ok(entry.term),
            None => Err(raft::Error::Store(StorageError::Compacted)),
        }
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.floor.index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last.index)
    }

    /// Only says that there is one: whoever streams it replaces the metadata by that of the state it streams,
    /// which is at least as new.
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
