//! A cache of rows that answers read often: croaks of the pages that are read, their counts and authors, and sessions. Of
//! croaks and accounts it has only the part that pages show ([`ribbit_state::rows::View::get_projected`]). Most croaks have no
//! counts, so it also knows which have none.
//!
//! redb caches pages of 4 KiB. The croaks of a feed lie in as many pages as there are croaks, so a row here takes a thirtieth
//! of the memory, and neither a walk through the B-tree nor a checksum.
//!
//! ```text
//!   rows are appended:  │ oldest chunk │ … │ newest chunk ──▶ │     index: hash of the key ──▶ chunk and offset
//!                       └ emptied when the newest is full; a row that is read in the older half is appended again
//! ```
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
use ribbit_state::rows::{Accounts, CroakCounts, Croaks, Sessions, Table, TableId};
use ribbit_state::sync::MutexExt;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::Mutex;

/// Number of parts with a lock of their own.
const PARTS: usize = 16;
/// Number of chunks of each part.
const CHUNKS: usize = 8;
/// Size of a chunk, in bytes.
const CHUNK_BYTES: usize = READER_CACHE_BYTES_MAX / PARTS / CHUNKS;
/// Maximum size of a cached row with its key, in bytes.
const ENTRY_BYTES_MAX: usize = CHUNK_BYTES / 16;
/// A full cache takes one of so many rows that it is offered. Readers that go round more rows than fit would otherwise
/// replace each row before it is read again.
const OFFERS_PER_ADMISSION: u32 = 4;

const _: () = assert!(READER_CACHE_BYTES_MAX <= u32::MAX as usize && ENTRY_BYTES_MAX < u16::MAX as usize);

/// Rows by stored key.
#[derive(Debug)]
pub(super) struct ReaderCache {
    parts: [Mutex<Part>; PARTS],
    hasher: std::hash::RandomState,
}

#[derive(Debug, Default)]
struct Part {
    chunks: [Vec<u8>; CHUNKS],
    /// Number of the chunk that grows. The next one is the oldest.
    newest: usize,
    /// True once every chunk was filled.
    is_full: bool,
    /// Half of the hash of a key → position of its entry.
    index: HashMap<u32, u32, BuildHasherDefault<Spread>>,
    /// Number of rows that were offered while the part was full.
    offered: u32,
    /// The newest changes of cached tables: index and hash of the key, oldest first.
    changes: VecDeque<(LogIndex, u64)>,
    /// Changes up to this index may be missing.
    floor: LogIndex,
}

/// A row in a chunk: the length of its key, that of the row, the index of the view it was read from, key, row.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    key: &'a [u8],
    /// `None` if there is no such row.
    row: Option<&'a [u8]>,
    at: LogIndex,
}

/// Stored length of a row that does not exist.
const ABSENT: u16 = u16::MAX;

/// Bytes of an entry beside key and row.
const ENTRY_OVERHEAD_BYTES: usize = 1 + 2 + 8;

impl Entry<'_> {
    /// Returns the entry at the start of these bytes.
    fn first(bytes: &[u8]) -> Option<Entry<'_>> {
        let (key_len, bytes) = bytes.split_first()?;
        let (row_len, bytes) = bytes.split_first_chunk()?;
        let (at, bytes) = bytes.split_first_chunk()?;
        let (key, bytes) = bytes.split_at_checked(usize::from(*key_len))?;
        let row = match u16::from_le_bytes(*row_len) {
            ABSENT => None,
            row_len => Some(bytes.get(..row_len.into())?),
        };
        Some(Entry { key, row, at: u64::from_le_bytes(*at) })
    }

    fn bytes(&self) -> usize {
        ENTRY_OVERHEAD_BYTES + self.key.len() + self.row.map_or(0, <[u8]>::len)
    }

    /// Appends the entry. Returns false if it is too long.
    fn write(&self, chunk: &mut Vec<u8>) -> bool {
        let row_len = self.row.map_or(Ok(ABSENT), |row| u16::try_from(row.len()));
        let (Ok(key_len), Ok(row_len)) = (u8::try_from(self.key.len()), row_len) else { return false };
        chunk.push(key_len);
        chunk.extend_from_slice(&row_len.to_le_bytes());
        chunk.extend_from_slice(&self.at.to_le_bytes());
        chunk.extend_from_slice(self.key);
        chunk.extend_from_slice(self.row.unwrap_or_default());
        true
    }
}

/// Hasher of numbers that are hashes already: spreads their bits over 64.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32((*byte).into()));
    }
    fn write_u32(&mut self, number: u32) {
        // 2^64 divided by the golden ratio.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

impl Default for ReaderCache {
    fn default() -> ReaderCache {
        ReaderCache { parts: Default::default(), hasher: std::hash::RandomState::new() }
    }
}

impl ReaderCache {
    /// Returns true if whole rows of this table are cached.
    pub(crate) fn holds(table: TableId) -> bool {
        [Sessions::ID, CroakCounts::ID].contains(&table)
    }

    /// Returns true if the cache also knows which rows of this table do not exist. A row that is put is then reported by
    /// [`ReaderCache::changed`], too.
    pub(crate) fn holds_absent(table: TableId) -> bool {
        table == CroakCounts::ID
    }

    /// Returns true if the projections of this table's rows are cached.
    pub(crate) fn holds_projected(table: TableId) -> bool {
        [Accounts::ID, Croaks::ID].contains(&table)
    }

    fn part(&self, key: &[u8]) -> (u64, &Mutex<Part>) {
        let hash = self.hasher.hash_one(key);
        // The lower half is the key of the part's index.
        (hash, &self.parts[(hash >> 32) as usize % PARTS])
    }

    /// Returns a row as a view at index `at` has it, if that is cached. The row is `None` if it does not exist.
    pub(crate) fn get(&self, key: &[u8], at: LogIndex) -> Option<Option<Vec<u8>>> {
        let (hash, part) = self.part(key);
        let mut part = part.locked();
        let position = *part.index.get(&(hash as u32))? as usize;
        let entry = part.entry(position)?;
        if entry.key != key || entry.at > at {
            return None;
        }
        let (row, read_at) = (entry.row.map(<[u8]>::to_vec), entry.at);
        if part.is_old(position / CHUNK_BYTES) {
            part.append(self, hash, Entry { key, row: row.as_deref(), at: read_at });
        }
        Some(row)
    }

    /// Adds a row that was read from a view at index `at`, unless it has changed since. `None`: it does not exist.
    pub(crate) fn offer(&self, key: &[u8], row: Option<&[u8]>, at: LogIndex) {
        let (hash, part) = self.part(key);
        let mut part = part.locked();
        let changed =
            part.changes.iter().rev().take_while(|(index, _)| *index > at).any(|(_, one)| *one == hash);
        if at >= part.floor && !changed && !part.index.contains_key(&(hash as u32)) && part.admits() {
            part.append(self, hash, Entry { key, row, at });
        }
    }

    /// Drops a row that the entry at `index` changes. Called before the change is committed.
    pub(crate) fn changed(&self, key: &[u8], index: LogIndex) {
        let table = key.first().map(|table| TableId(*table));
        if !table.is_some_and(|table| ReaderCache::holds(table) || ReaderCache::holds_projected(table)) {
            return;
        }
        let (hash, part) = self.part(key);
        let mut part = part.locked();
        part.index.remove(&(hash as u32));
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
    fn entry(&self, position: usize) -> Option<Entry<'_>> {
        let chunk = self.chunks.get(position / CHUNK_BYTES)?;
        Entry::first(chunk.get(position % CHUNK_BYTES..)?)
    }

    /// Returns true if the chunk is in the older half.
    fn is_old(&self, chunk: usize) -> bool {
        (self.newest + CHUNKS - chunk) % CHUNKS >= CHUNKS / 2
    }

    /// Returns true if a row that is offered is taken.
    fn admits(&mut self) -> bool {
        if self.is_full {
            self.offered = self.offered.wrapping_add(1);
        }
        !self.is_full || self.offered.is_multiple_of(OFFERS_PER_ADMISSION)
    }

    fn append(&mut self, cache: &ReaderCache, hash: u64, entry: Entry<'_>) {
        if entry.bytes() > ENTRY_BYTES_MAX {
            return;
        }
        if self.chunks[self.newest].len() + entry.bytes() > CHUNK_BYTES {
            self.begin_chunk(cache);
        }
        let chunk = &mut self.chunks[self.newest];
        chunk.reserve_exact(CHUNK_BYTES - chunk.len());
        let position = self.newest * CHUNK_BYTES + chunk.len();
        if entry.write(chunk) {
            self.index.insert(hash as u32, position as u32);
        }
    }

    /// Empties the oldest chunk, which becomes the newest.
    fn begin_chunk(&mut self, cache: &ReaderCache) {
        self.newest = (self.newest + 1) % CHUNKS;
        self.is_full |= self.newest == 0;
        let mut chunk = std::mem::take(&mut self.chunks[self.newest]);
        let mut offset = 0;
        while let Some(entry) = Entry::first(&chunk[offset..]) {
            let (hash, position) = (cache.part(entry.key).0 as u32, self.newest * CHUNK_BYTES + offset);
            if self.index.get(&hash).is_some_and(|known| *known as usize == position) {
                self.index.remove(&hash);
            }
            offset += entry.bytes();
        }
        chunk.clear();
        self.chunks[self.newest] = chunk;
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
        cache.offer(&key(1), Some(b"former"), 7);
        assert_eq!(cache.get(&key(1), 7), Some(Some(b"former".to_vec())));
        assert_eq!(cache.get(&key(1), 6), None, "a view from before may lack the row");
        cache.changed(&key(1), 8);
        assert_eq!(cache.get(&key(1), 8), None);
        cache.offer(&key(1), Some(b"former"), 7);
        assert_eq!(cache.get(&key(1), 8), None, "read before the change");
        cache.offer(&key(1), Some(b"newer"), 8);
        assert_eq!(cache.get(&key(1), 9), Some(Some(b"newer".to_vec())));
        cache.clear();
        assert_eq!(cache.get(&key(1), 9), None);
    }

    #[test]
    fn a_view_older_than_the_known_changes_adds_nothing() {
        let cache = ReaderCache::default();
        for index in 1..=(READER_CACHE_CHANGES_KEPT * PARTS * 2) as u64 {
            cache.changed(&key(index), index);
        }
        cache.offer(&key(0), Some(b"row"), 1);
        assert_eq!(cache.get(&key(0), u64::MAX), None);
    }

    #[test]
    fn the_size_is_bounded_and_rows_in_use_stay() {
        let cache = ReaderCache::default();
        let row = [7; 200];
        for number in 1..200_000 {
            cache.offer(&key(number), Some(&row), 1);
            cache.offer(&key(0), Some(&row), 1);
            assert_eq!(cache.get(&key(0), 1), Some(Some(row.to_vec())));
        }
        let (mut rows, mut bytes) = (0, 0);
        for part in &cache.parts {
            let part = part.locked();
            rows += part.index.len();
            bytes += part.chunks.iter().map(Vec::capacity).sum::<usize>();
        }
        assert!(bytes <= READER_CACHE_BYTES_MAX, "{bytes}");
        let row_bytes = ENTRY_OVERHEAD_BYTES + 9 + row.len();
        assert!(rows * row_bytes > READER_CACHE_BYTES_MAX / 10 * 7, "{rows}");
    }

    /// Readers that go round twice as many rows as fit find a part of them, and after a turn to other rows those.
    #[test]
    fn more_rows_than_fit_are_cached_in_part() {
        let cache = ReaderCache::default();
        let fit = READER_CACHE_BYTES_MAX / (ENTRY_OVERHEAD_BYTES + 9 + 80);
        for (round, first) in [0, 1_000_000].into_iter().enumerate() {
            let mut found = 0;
            for _ in 0..6 {
                found = 0;
                for number in first..first + 2 * fit as u64 {
                    match cache.get(&key(number), 1) {
                        Some(row) => {
                            assert_eq!(row, Some(vec![number as u8; 80]));
                            found += 1;
                        }
                        None => cache.offer(&key(number), Some(&[number as u8; 80]), 1),
                    }
                }
            }
            assert!(found > fit / 2, "{found} of {fit} in round {round}");
        }
    }

    #[test]
    fn a_row_that_is_too_long_is_not_cached() {
        let cache = ReaderCache::default();
        cache.offer(&key(1), Some(&[7; ENTRY_BYTES_MAX]), 1);
        cache.offer(&[&[Accounts::ID.0][..], &[7; 300]].concat(), Some(&[7]), 1);
        assert_eq!(cache.get(&key(1), 1), None);
        assert!(cache.parts.iter().all(|part| part.locked().index.is_empty()));
    }

    #[test]
    fn a_row_that_does_not_exist_is_known_until_it_is_put() {
        let cache = ReaderCache::default();
        let key = [&[CroakCounts::ID.0][..], &7u64.to_be_bytes()].concat();
        cache.offer(&key, None, 7);
        assert_eq!(cache.get(&key, 7), Some(None));
        cache.changed(&key, 8);
        cache.offer(&key, None, 7);
        assert_eq!(cache.get(&key, 8), None);
    }
}
