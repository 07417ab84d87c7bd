//! Index of the words of croaks, in memory: it tells which croaks need not be looked at.
//!
//! ```text
//!   rows:    … ──────────┬──────────────── covered ────────────────┬──── newest
//!                        │ block │ block │ block │ … │ block       │
//!   search:  scanned     │ only blocks that may have all the terms │ scanned
//! ```
//!
//! - A block is a Bloom filter over the beginnings of the words of [`BLOCK_CROAKS`] croaks. It has no false negatives, so a
//!   search through the blocks finds the same as one through all rows.
//! - The index is made from the rows when the first search asks for it, a step at a time ([`SearchIndex::extend`]), and is
//!   bounded: the oldest croaks are not covered. It is never a second truth: what it does not cover is searched in the rows.
//! - A deleted croak stays in its block and costs a look at a row that is gone.

use super::words::{Word, words};
use crate::ids::LogIndex;
use crate::limits::SEARCH_BLOCKS_MAX;
use crate::rows::{Croaks, Order, View, scan};
use crate::sync::MutexExt;
use std::collections::VecDeque;
use std::sync::Mutex;
use xxhash_rust::xxh3::xxh3_64;

/// Number of croaks of a block.
const BLOCK_CROAKS: usize = 64;
/// Number of 64-bit words of a block's filter.
const BLOCK_WORDS: usize = 64;
/// Number of bits that an entry sets.
const HASHES: u32 = 3;
/// Lengths of the beginnings of a word that are entries, in characters.
const BEGINNINGS: [usize; 4] = [2, 3, 5, 8];
/// Number of log entries after which new croaks are looked for: as many croaks at most stay outside for a while.
const NEW_ENTRIES: u64 = 4 * BLOCK_CROAKS as u64;
/// Number of blocks made in one step.
const STEP_BLOCKS: usize = 16;

const _: () = assert!(BLOCK_WORDS.is_power_of_two());

/// Hashes of what a word adds to a filter: its beginnings, and a tag as a whole. A search for the same word asks for the same.
pub(crate) fn entries(word: &Word) -> impl Iterator<Item = u64> + '_ {
    let length = word.text.chars().count();
    let beginnings = BEGINNINGS.into_iter().filter(move |chars| !word.is_tag && *chars <= length);
    let beginnings = beginnings.map(|chars| {
        let end = word.text.char_indices().nth(chars).map_or(word.text.len(), |(end, _)| end);
        xxh3_64(&word.text.as_bytes()[..end])
    });
    let whole = word.is_tag.then(|| !xxh3_64(word.text.as_bytes()));
    beginnings.chain(whole)
}

/// Filter over consecutive croaks.
#[derive(Debug)]
struct Block {
    first: LogIndex,
    last: LogIndex,
    bits: Box<[u64; BLOCK_WORDS]>,
}

impl Block {
    /// Makes the filter of these croaks, which are in order and not none.
    fn of(croaks: &[(LogIndex, String)]) -> Block {
        let (first, last) = (croaks[0].0, croaks[croaks.len() - 1].0);
        let mut block = Block { first, last, bits: Box::new([0; BLOCK_WORDS]) };
        for word in croaks.iter().flat_map(|(_, text)| words(text)) {
            for entry in entries(&word) {
                bits(entry).for_each(|(at, bit)| block.bits[at] |= bit);
            }
        }
        block
    }

    fn may_have(&self, wanted: &[u64]) -> bool {
        wanted.iter().all(|entry| bits(*entry).all(|(at, bit)| self.bits[at] & bit != 0))
    }
}

/// Positions of the bits of an entry.
fn bits(entry: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..HASHES).map(move |number| {
        let hash = entry >> (number * 20);
        let at = (hash >> 6) as usize % BLOCK_WORDS;
        (at, 1 << (hash % 64))
    })
}

/// Index of the newest croaks, in the order of their ids.
#[derive(Debug, Default)]
pub struct SearchIndex(Mutex<Covered>);

#[derive(Debug, Default)]
struct Covered {
    blocks: VecDeque<Block>,
    /// True if no croak is older than the first block, or no more blocks are kept.
    ends: bool,
    /// Index up to which new croaks were looked for.
    looked_through: LogIndex,
    /// Rises when the index begins anew: a step that began before is dropped.
    round: u64,
}

/// A copy of a store begins without an index: it may continue differently.
impl Clone for SearchIndex {
    fn clone(&self) -> SearchIndex {
        SearchIndex::default()
    }
}

/// A part of the croaks that a search has to look at: ids with `from <= id < to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) from: LogIndex,
    pub(crate) to: LogIndex,
}

impl SearchIndex {
    /// Drops everything: another file took the store's place.
    pub fn clear(&self) {
        let mut covered = self.0.locked();
        *covered = Covered { round: covered.round + 1, ..Covered::default() };
    }

    /// Returns the parts with croaks before `before` that may have all these entries, newest first, and where to continue if
    /// there are more than `parts_max`.
    pub(crate) fn parts(
        &self,
        wanted: &[u64],
        before: LogIndex,
        parts_max: usize,
    ) -> (Vec<Part>, Option<LogIndex>) {
        let covered = self.0.locked();
        let mut parts = Vec::new();
        // The end of what has been decided about, from the newest down.
        let mut to = before;
        for block in covered.blocks.iter().rev().filter(|block| block.first < before) {
            if block.last.saturating_add(1) < to && parts.is_empty() && to == before {
                // Behind the newest block.
                parts.push(Part { from: block.last + 1, to });
            }
            if block.may_have(wanted) {
                if parts.len() >= parts_max {
                    return (parts, Some(to));
                }
                parts.push(Part { from: block.first, to: to.min(block.last + 1) });
            }
            to = block.first;
        }
        if to > 0 && !(covered.ends && covered.blocks.len() < SEARCH_BLOCKS_MAX && !covered.blocks.is_empty())
        {
            parts.push(Part { from: 0, to });
        }
        (parts, None)
    }

    /// Returns true if [`extend`](Self::extend) has enough to do to be called. `applied` is the newest index.
    pub fn wants_more(&self, applied: LogIndex) -> bool {
        let covered = self.0.locked();
        !covered.ends || applied >= covered.looked_through + NEW_ENTRIES
    }

    /// Covers more croaks: the new ones first, then older ones. Returns true while there is more to do. The view is at the
    /// index `applied`.
    ///
    /// # Errors
    /// Only the view's.
    pub fn extend<V: View>(&self, view: &V, applied: LogIndex) -> Result<bool, V::Error> {
        let (round, newest, oldest, ends) = {
            let covered = self.0.locked();
            let newest = covered.blocks.back().map(|block| block.last);
            (covered.round, newest, covered.blocks.front().map(|block| block.first), covered.ends)
        };
        let step = STEP_BLOCKS * BLOCK_CROAKS;
        if let Some(newest) = newest {
            let new = texts(view, newest + 1, LogIndex::MAX, Order::OldestFirst, step)?;
            if new.len() >= BLOCK_CROAKS {
                let blocks = new.chunks_exact(BLOCK_CROAKS).map(Block::of).collect();
                self.add(round, blocks, newest, true, false);
                return Ok(true);
            }
            self.0.locked().looked_through = applied;
        }
        if ends {
            return Ok(false);
        }
        let before = oldest.unwrap_or(LogIndex::MAX);
        let mut older = texts(view, 0, before, Order::NewestFirst, step)?;
        let all = older.len() < step;
        older.reverse();
        let blocks = older.chunks(BLOCK_CROAKS).map(Block::of).collect();
        self.add(round, blocks, before, false, all);
        Ok(true)
    }

    /// Adds blocks at the newer or the older end, unless the index has changed since `end` was its end.
    fn add(&self, round: u64, blocks: Vec<Block>, end: LogIndex, newer: bool, all: bool) {
        let mut covered = self.0.locked();
        let now = match newer {
            true => covered.blocks.back().map_or(0, |block| block.last),
            false => covered.blocks.front().map_or(LogIndex::MAX, |block| block.first),
        };
        if covered.round != round || now != end {
            return;
        }
        match newer {
            true => covered.blocks.extend(blocks),
            false => blocks.into_iter().rev().for_each(|block| covered.blocks.push_front(block)),
        }
        covered.ends |= all;
        while covered.blocks.len() > SEARCH_BLOCKS_MAX {
            covered.blocks.pop_front();
        }
        covered.ends |= covered.blocks.len() == SEARCH_BLOCKS_MAX;
    }
}

/// Returns ids and texts of croaks, in this order.
fn texts<V: View>(
    view: &V,
    from: LogIndex,
    to: LogIndex,
    order: Order,
    limit: usize,
) -> Result<Vec<(LogIndex, String)>, V::Error> {
    let rows = scan::<Croaks, V>(view, &from, &to, order, limit)?;
    Ok(rows.into_iter().map(|(id, stored)| (id, stored.croak.text)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_has_no_false_negatives_and_few_false_positives() {
        let text =
            |number: usize| format!("croak number{number} says word{} and #tag{}x", number * 7, number % 5);
        let croaks: Vec<(LogIndex, String)> = (0..64).map(|number| (number as u64, text(number))).collect();
        let block = Block::of(&croaks);
        let has = |entered: &str| {
            let wanted: Vec<u64> = words(entered)
                .iter()
                .filter(|word| word.is_tag || !entered.starts_with('#'))
                .flat_map(entries)
                .collect();
            block.may_have(&wanted)
        };
        for number in 0..64 {
            for word in text(number).split(' ') {
                assert!(has(word), "{word}");
                assert!(has(&word[..word.len().min(4)]) || word.starts_with('#'), "{word}");
            }
        }
        let strangers = (0..1_000).filter(|number| has(&format!("zq{number}zebra"))).count();
        assert!(strangers < 50, "{strangers} of 1 000 unknown words pass");
    }
}
