//! The requests of the deduplication window, in 24 bytes each and a table of four-byte slots that finds them by id.
//!
//! ```text
//!   id ── keyed hash ──▶ slot ──▶ number ──▶ chunk, offset ──▶ id, index, age
//! ```
//!
//! At the window's maximum of half a million requests that is 17 MB. A map from ids to indexes beside a queue of entries took
//! 81, and moved all of them whenever it grew.

use crate::ids::{LogIndex, RequestId};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

/// Number of requests per chunk; a power of two.
const CHUNK: usize = 256;
/// Number of chunk numbers, which wrap around: a number of a request is 32 bits long. No window has as many chunks.
const CHUNK_NUMBERS: u32 = u32::MAX / CHUNK as u32;
/// A slot without a request. No request has this number: it would be in a chunk behind the last chunk number.
const EMPTY: u32 = u32::MAX;
/// Smallest number of slots; a power of two.
const SLOTS_MIN: usize = 64;
/// Bit of a packed index that says that the record is part of a croak's row.
const IN_CROAK_ROW: u32 = 1 << 31;

/// Request in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DedupEntry {
    pub id: RequestId,
    pub index: LogIndex,
    pub age_ms: u64,
    /// True if its record is part of a croak's row, and not a row of its own.
    pub(crate) in_croak_row: bool,
}

/// An entry relative to the first of its chunk.
#[derive(Debug, Clone, Copy)]
struct Packed {
    /// The halves of the id, so that an entry is aligned to eight bytes.
    id: [u64; 2],
    /// Difference of the indexes, with `IN_CROAK_ROW`.
    index: u32,
    age: u32,
}

/// Up to `CHUNK` entries in ascending order. A chunk ends early when a difference does not fit.
#[derive(Debug, Clone)]
struct Chunk {
    index: LogIndex,
    age_ms: u64,
    entries: Vec<Packed>,
}

impl Chunk {
    fn pack(&self, entry: &DedupEntry) -> Option<Packed> {
        let index = u32::try_from(entry.index - self.index).ok().filter(|index| index & IN_CROAK_ROW == 0)?;
        let age = u32::try_from(entry.age_ms.checked_sub(self.age_ms)?).ok()?;
        let id = [entry.id.0 as u64, (entry.id.0 >> 64) as u64];
        Some(Packed { id, index: index | if entry.in_croak_row { IN_CROAK_ROW } else { 0 }, age })
    }

    fn unpack(&self, packed: &Packed) -> DedupEntry {
        DedupEntry {
            id: packed.id(),
            index: self.index + u64::from(packed.index & !IN_CROAK_ROW),
            age_ms: self.age_ms + u64::from(packed.age),
            in_croak_row: packed.index & IN_CROAK_ROW != 0,
        }
    }
}

impl Packed {
    fn id(&self) -> RequestId {
        RequestId(u128::from(self.id[1]) << 64 | u128::from(self.id[0]))
    }
}

/// Requests by index, oldest first, that are found by id.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestTable {
    chunks: VecDeque<Chunk>,
    /// Number of the oldest chunk.
    first: u32,
    /// Number of entries that were removed from the oldest chunk.
    gone: usize,
    len: usize,
    /// Numbers of requests by hash, probed linearly. A power of two; at most two thirds are in use.
    slots: Vec<u32>,
    /// Keyed, because clients choose the ids.
    hasher: RandomState,
}

impl RequestTable {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Iterates over the requests, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = DedupEntry> + '_ {
        let all = self.chunks.iter().flat_map(|chunk| chunk.entries.iter().map(|one| chunk.unpack(one)));
        all.skip(self.gone)
    }

    pub(crate) fn first(&self) -> Option<DedupEntry> {
        let chunk = self.chunks.front()?;
        chunk.entries.get(self.gone).map(|packed| chunk.unpack(packed))
    }

    pub(crate) fn last(&self) -> Option<DedupEntry> {
        let chunk = self.chunks.back().filter(|_| self.len > 0)?;
        chunk.entries.last().map(|packed| chunk.unpack(packed))
    }

    /// Returns the index of a request.
    pub(crate) fn index_of(&self, id: RequestId) -> Option<LogIndex> {
        let slot = self.probe(id).find(|slot| {
            let number = self.slots[*slot];
            number == EMPTY || self.at(number).1.id() == id
        })?;
        let (chunk, packed) =
            Some(self.slots[slot]).filter(|number| *number != EMPTY).map(|it| self.at(it))?;
        Some(chunk.unpack(packed).index)
    }

    /// Adds a request with a greater index than all others. Of two with the same id, the newer one is found.
    pub(crate) fn push(&mut self, entry: DedupEntry) {
        if (self.len + 1) * 3 > self.slots.len() * 2 {
            self.resize(self.slots.len() * 2);
        }
        let packed = self.chunks.back().filter(|chunk| chunk.entries.len() < CHUNK);
        let packed = packed.and_then(|chunk| chunk.pack(&entry));
        let packed = packed.unwrap_or_else(|| {
            let chunk =
                Chunk { index: entry.index, age_ms: entry.age_ms, entries: Vec::with_capacity(CHUNK) };
            let packed = chunk.pack(&entry).expect("no difference to itself");
            self.chunks.push_back(chunk);
            packed
        });
        let newest = self.chunks.len() - 1;
        let offset = self.chunks[newest].entries.len();
        self.chunks[newest].entries.push(packed);
        self.len += 1;
        self.set(entry.id, self.number(newest, offset));
    }

    /// Replaces the request at this index, which has the same id. Returns false if there is none.
    pub(crate) fn replace(&mut self, entry: DedupEntry) -> bool {
        let after = self.chunks.partition_point(|chunk| chunk.index <= entry.index);
        let Some(chunk) = after.checked_sub(1).map(|at| &mut self.chunks[at]) else { return false };
        let Some(packed) = chunk.pack(&entry) else { return false };
        let difference = |one: &Packed| one.index & !IN_CROAK_ROW;
        match chunk.entries.binary_search_by_key(&difference(&packed), difference) {
            Ok(at) => {
                chunk.entries[at] = packed;
                true
            }
            Err(_) => false,
        }
    }

    /// Removes the oldest request.
    pub(crate) fn pop(&mut self) {
        let Some(entry) = self.first() else { return };
        self.unset(entry.id, self.number(0, self.gone));
        (self.gone, self.len) = (self.gone + 1, self.len - 1);
        if self.gone == self.chunks[0].entries.len() {
            self.chunks.pop_front();
            (self.first, self.gone) = ((self.first + 1) % CHUNK_NUMBERS, 0);
        }
        if self.slots.len() > SLOTS_MIN && self.len * 8 < self.slots.len() {
            self.resize(self.slots.len() / 2);
        }
    }

    fn number(&self, chunk: usize, offset: usize) -> u32 {
        (self.first + chunk as u32) % CHUNK_NUMBERS * CHUNK as u32 + offset as u32
    }

    fn at(&self, number: u32) -> (&Chunk, &Packed) {
        let (chunk, offset) = (number / CHUNK as u32, number as usize % CHUNK);
        let chunk = &self.chunks[((chunk + CHUNK_NUMBERS - self.first) % CHUNK_NUMBERS) as usize];
        (chunk, &chunk.entries[offset])
    }

    fn home(&self, id: RequestId) -> usize {
        self.hasher.hash_one(id.0) as usize & (self.slots.len().max(1) - 1)
    }

    /// Iterates over the slots in which an id may be.
    fn probe(&self, id: RequestId) -> impl Iterator<Item = usize> + use<> {
        let (home, slots) = (self.home(id), self.slots.len());
        (0..slots).map(move |step| (home + step) & (slots - 1))
    }

    fn set(&mut self, id: RequestId, number: u32) {
        let taken = |slot: &usize| {
            let found = self.slots[*slot];
            found == EMPTY || self.at(found).1.id() == id
        };
        let slot = self.probe(id).find(taken).expect("a third of the slots is empty");
        self.slots[slot] = number;
    }

    /// Empties the slot of a request, and moves those behind it that it kept from their homes.
    fn unset(&mut self, id: RequestId, number: u32) {
        // It has no slot if a newer request has the same id.
        let end = |slot: &usize| [EMPTY, number].contains(&self.slots[*slot]);
        let Some(mut hole) = self.probe(id).find(end).filter(|slot| self.slots[*slot] == number) else {
            return;
        };
        let mask = self.slots.len() - 1;
        let mut slot = hole;
        loop {
            slot = (slot + 1) & mask;
            if self.slots[slot] == EMPTY {
                break;
            }
            let home = self.home(self.at(self.slots[slot]).1.id());
            // It may move if its home is not between the hole and its slot.
            if (slot.wrapping_sub(home) & mask) >= (slot.wrapping_sub(hole) & mask) {
                self.slots[hole] = self.slots[slot];
                hole = slot;
            }
        }
        self.slots[hole] = EMPTY;
    }

    fn resize(&mut self, slots: usize) {
        self.slots = vec![EMPTY; slots.max(SLOTS_MIN)];
        for chunk in 0..self.chunks.len() {
            let start = if chunk == 0 { self.gone } else { 0 };
            for offset in start..self.chunks[chunk].entries.len() {
                let id = self.chunks[chunk].entries[offset].id();
                self.set(id, self.number(chunk, offset));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn entry(id: u128, index: LogIndex, age_ms: u64) -> DedupEntry {
        DedupEntry { id: RequestId(id), index, age_ms, in_croak_row: index.is_multiple_of(3) }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn it_holds_what_a_queue_and_a_map_hold(
            steps in proptest::collection::vec((0..4u8, 0..600u64, 0..1u64 << 34), 1..20),
            first in prop_oneof![Just(0u32), Just(CHUNK_NUMBERS - 2)],
        ) {
            let mut table = RequestTable { first, ..RequestTable::default() };
            let (mut queue, mut map) = (VecDeque::new(), HashMap::new());
            let (mut index, mut age) = (0, 0);
            for (kind, number, jump) in steps {
                for step in 0..number {
                    if kind == 3 {
                        let Some(DedupEntry { id, index, .. }) = queue.pop_front() else { break };
                        if map.get(&id) == Some(&index) {
                            map.remove(&id);
                        }
                        table.pop();
                    } else {
                        index += if step == 0 { 1 + jump } else { 1 };
                        age += if step == 0 { jump } else { 1 };
                        let one = entry(u128::from(index) << 64 | u128::from(number), index, age);
                        queue.push_back(one);
                        map.insert(one.id, index);
                        table.push(one);
                    }
                }
                if let Some(one) = queue.get_mut(queue.len() / 2) {
                    one.in_croak_row = !one.in_croak_row;
                    prop_assert!(table.replace(*one));
                }
                prop_assert!(!table.replace(entry(7, index + 1, age)));
                prop_assert_eq!(table.len(), queue.len());
                prop_assert_eq!((table.first(), table.last()), (queue.front().copied(), queue.back().copied()));
                prop_assert!(table.iter().eq(queue.iter().copied()));
                prop_assert!(queue.iter().all(|one| table.index_of(one.id) == map.get(&one.id).copied()));
                prop_assert_eq!(table.index_of(RequestId(u128::MAX)), None);
            }
        }
    }

    #[test]
    fn the_newer_of_two_requests_with_one_id_is_found() {
        let mut table = RequestTable::default();
        table.push(entry(1, 5, 0));
        table.push(entry(1, 6, 0));
        assert_eq!(table.index_of(RequestId(1)), Some(6));
        table.pop();
        assert_eq!((table.index_of(RequestId(1)), table.len()), (Some(6), 1));
    }
}
