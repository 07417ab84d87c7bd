//! A cache of rows that answers read often: croaks of the newest pages, their authors, and sessions.
//!
//! redb caches pages of 4 KiB. The croaks of a feed lie in as many pages as there are croaks, so a row here takes a twentieth
//! of the memory, and neither a walk through the B-tree nor a checksum.
//!
//! A cached row is the newest one: the writer drops a row before it commits a change to it. A reader of an older view may
//! offer the former row afterwards. It is refused, because the index of the change is noted.
//!
//! ```text
//!   reader: get ── miss ──▶ read the view at index 7 ──▶ offer(row, 7) ── changed at 8? ──▶ refused
//!   writer:               changed(row, 8) ──▶ commit
//! ```

use super::limits::{READER_CACHE_BYTES_MAX, READER_CACHE_CHANGES_KEPT};
use ribbit_state::LogIndex;
use ribbit_state::rows::{Accounts, Croaks, Sessions, Table, TableId};
use ribbit_state::sync::MutexExt;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Mutex;

/// Number of parts with a lock of their own.
const PARTS: usize = 16;
/// Bytes that a cached row takes besides its key and content.
const ROW_OVERHEAD_BYTES: usize = 96;

/// Rows by stored key.
#[derive(Debug)]
pub(super) struct ReaderCache {
    parts: [Mutex<Part>; PARTS],
    hasher: std::hash::RandomState,
}

#[derive(Debug, Default)]
struct Part {
    /// Rows that were used since the generations changed.
    young: HashMap<Box<[u8]>, CachedRow>,
    /// Rows that were used in the generation before. They are dropped at the next change of generations.
    old: HashMap<Box<[u8]>, CachedRow>,
    /// Bytes of the young rows.
    bytes: usize,
    /// The newest changes of cached tables: index and hash of the key, oldest first.
    changes: VecDeque<(LogIndex, u64)>,
    /// Changes up to this index may be missing.
    floor: LogIndex,
}

#[derive(Debug)]
struct CachedRow {
    row: Box<[u8]>,
    /// Index of the view that it was read from.
    at: LogIndex,
}

impl Default for ReaderCache {
    fn default() -> ReaderCache {
        ReaderCache { parts: Default::default(), hasher: std::hash::RandomState::new() }
    }
}

impl ReaderCache {
    /// Returns true if rows of this table are cached.
    pub(crate) fn holds(table: TableId) -> bool {
        [Sessions::ID, Accounts::ID, Croaks::ID].contains(&table)
    }

    fn part(&self, key: &[u8]) -> (u64, &Mutex<Part>) {
        let hash = self.hasher.hash_one(key);
        // The lower bits choose the bucket of a map.
        (hash, &self.parts[(hash >> 32) as usize % PARTS])
    }

    /// Returns a row as a view at index `at` has it, if it is cached.
    pub(crate) fn get(&self, key: &[u8], at: LogIndex) -> Option<Vec<u8>> {
        let mut part = self.part(key).1.locked();
        if let Some(found) = part.young.get(key) {
            return (found.at <= at).then(|| found.row.to_vec());
        }
        let (key, found) = part.old.remove_entry(key)?;
        let row = (found.at <= at).then(|| found.row.to_vec());
        part.insert(key, found);
        row
    }

    /// Adds a row that was read from a view at index `at`, unless it has changed since.
    pub(crate) fn offer(&self, key: &[u8], row: &[u8], at: LogIndex) {
        let (hash, part) = self.part(key);
        let mut part = part.locked();
        let changed =
            part.changes.iter().rev().take_while(|(index, _)| *index > at).any(|(_, one)| *one == hash);
        if at >= part.floor && !changed && !part.young.contains_key(key) {
            part.insert(key.into(), CachedRow { row: row.into(), at });
        }
    }

    /// Drops a row that the entry at `index` changes. Called before the change is committed.
    pub(crate) fn changed(&self, key: &[u8], index: LogIndex) {
        if !key.first().is_some_and(|table| ReaderCache::holds(TableId(*table))) {
            return;
        }
        let (hash, part) = self.part(key);
        let mut part = part.locked();
        part.remove(key);
        part.changes.push_back((index, hash));
        if part.changes.len() > READER_CACHE_CHANGES_KEPT
            && let Some((dropped, _)) = part.changes.pop_front()
        {
            part.floor = dropped;
        }
    }

    /// Drops everything: another file took the store's place.
    pub(crate) fn clear(&self) {
        self.parts.iter().for_each(|part| *part.locked() = Part::default());
    }
}

impl Part {
    fn insert(&mut self, key: Box<[u8]>, row: CachedRow) {
        self.bytes += key.len() + row.row.len() + ROW_OVERHEAD_BYTES;
        self.young.insert(key, row);
        if self.bytes > READER_CACHE_BYTES_MAX / PARTS / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
    }

    fn remove(&mut self, key: &[u8]) {
        self.old.remove(key);
        if let Some((key, row)) = self.young.remove_entry(key) {
            self.bytes -= key.len() + row.row.len() + ROW_OVERHEAD_BYTES;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Vec<u8> {
        [&[Accounts::ID.0][..], &number.to_be_bytes()].concat()
    }

    #[test]
    fn a_row_that_has_changed_is_neither_served_nor_taken_from_an_older_view() {
        let cache = ReaderCache::default();
        cache.offer(&key(1), b"former", 7);
        assert_eq!(cache.get(&key(1), 7).as_deref(), Some(&b"former"[..]));
        assert_eq!(cache.get(&key(1), 6), None, "a view from before may lack the row");
        cache.changed(&key(1), 8);
        assert_eq!(cache.get(&key(1), 8), None);
        cache.offer(&key(1), b"former", 7);
        assert_eq!(cache.get(&key(1), 8), None, "read before the change");
        cache.offer(&key(1), b"newer", 8);
        assert_eq!(cache.get(&key(1), 9).as_deref(), Some(&b"newer"[..]));
        cache.clear();
        assert_eq!(cache.get(&key(1), 9), None);
    }

    #[test]
    fn a_view_older_than_the_known_changes_adds_nothing() {
        let cache = ReaderCache::default();
        for index in 1..=(READER_CACHE_CHANGES_KEPT * PARTS * 2) as u64 {
            cache.changed(&key(index), index);
        }
        cache.offer(&key(0), b"row", 1);
        assert_eq!(cache.get(&key(0), u64::MAX), None);
    }

    #[test]
    fn the_size_is_bounded_and_rows_in_use_stay() {
        let cache = ReaderCache::default();
        let row = [7; 200];
        for number in 1..200_000 {
            cache.offer(&key(number), &row, 1);
            cache.offer(&key(0), &row, 1);
            assert!(cache.get(&key(0), 1).is_some());
        }
        let rows = cache.parts.iter().map(|part| {
            let part = part.locked();
            part.young.len() + part.old.len()
        });
        let bytes = rows.sum::<usize>() * (9 + row.len() + ROW_OVERHEAD_BYTES);
        assert!(bytes <= READER_CACHE_BYTES_MAX + PARTS * 1024, "{bytes}");
        assert!(bytes > READER_CACHE_BYTES_MAX / 2, "{bytes}");
    }
}
