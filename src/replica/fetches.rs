//! Log entries that are no longer in memory, read from disk for followers that lag far behind.
//!
//! ```text
//!   engine asks ──▶ wanted ──▶ under way ──▶ read on another thread ──▶ pieces ──▶ engine asks again
//! ```
//!
//! Meanwhile the engine is told that the entries are temporarily unavailable. The entries read are verified: the log may
//! have been truncated, overwritten or replaced by a snapshot since. An entry with the term that this log has at its index
//! is this log's entry, no matter when it was read.

use super::limits::{FETCH_KEEP_TICKS, FETCHED_PIECES_MAX, FETCHES_MAX};
use ribbit_db::LogEntry;
use ribbit_db::terms::Terms;
use ribbit_state::LogIndex;
use std::collections::{BTreeMap, VecDeque};

/// Request for the entries `low <= index < high` of the log on disk: as many as fit `bytes_max`, but at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    pub low: LogIndex,
    pub high: LogIndex,
    pub bytes_max: u64,
}

/// Result of a [`Fetch`]: entries from `low` on; fewer if the log has been truncated meanwhile.
#[derive(Debug)]
pub struct Fetched {
    pub low: LogIndex,
    pub entries: Vec<LogEntry>,
}

/// Contiguous entries from `low` on.
#[derive(Debug)]
struct FetchedPiece<E> {
    low: LogIndex,
    entries: Vec<E>,
    /// Ticks since the engine last asked for this piece.
    unused_ticks: u64,
}

/// Wanted, running and finished reads of entries.
#[derive(Debug)]
pub(crate) struct Fetches<E> {
    /// Wanted reads by their first index. Sorted, because the engine asks in the order of a hash map, which differs between
    /// processes.
    wanted: BTreeMap<LogIndex, Fetch>,
    /// First indexes of the reads under way.
    under_way: Vec<LogIndex>,
    /// Finished reads, the newest last.
    pieces: VecDeque<FetchedPiece<E>>,
}

impl<E> Default for Fetches<E> {
    fn default() -> Fetches<E> {
        Fetches { wanted: BTreeMap::new(), under_way: Vec::new(), pieces: VecDeque::new() }
    }
}

impl<E> Fetches<E> {
    /// Returns the entries from `low` on if they are in memory. Otherwise records them as wanted, unless they are being
    /// read or enough earlier ones are wanted; the engine asks again with the next heartbeat.
    pub(crate) fn get(&mut self, fetch: Fetch) -> Option<&[E]> {
        let Fetch { low, .. } = fetch;
        if let Some(at) = self.pieces.iter().position(|piece| piece.low == low) {
            let piece = &mut self.pieces[at];
            piece.unused_ticks = 0;
            return Some(&piece.entries);
        }
        if !self.under_way.contains(&low) {
            let wanted = self.wanted.entry(low).or_insert(fetch);
            wanted.high = wanted.high.max(fetch.high);
            if self.wanted.len() > FETCHES_MAX {
                self.wanted.pop_last();
            }
        }
        None
    }

    /// Returns the reads to start now: the earliest wanted since the last call, as many as may be under way. The choice
    /// does not depend on the order in which the engine asked.
    pub(crate) fn take_wanted(&mut self) -> Vec<Fetch> {
        let room = FETCHES_MAX.saturating_sub(self.under_way.len());
        let wanted: Vec<Fetch> = std::mem::take(&mut self.wanted).into_values().take(room).collect();
        self.under_way.extend(wanted.iter().map(|fetch| fetch.low));
        wanted
    }

    /// Takes in the result of a read and keeps the entries that belong to this log. Returns true if there is one.
    pub(crate) fn fetched(
        &mut self,
        fetched: Fetched,
        terms: &Terms,
        convert: impl Fn(LogEntry) -> E,
    ) -> bool {
        let Fetched { low, entries } = fetched;
        self.under_way.retain(|other| *other != low);
        let is_ours = |(entry, index): &(LogEntry, LogIndex)| {
            entry.index == *index && *index > terms.floor().index && terms.at(*index) == Some(entry.term)
        };
        let ours = entries.into_iter().zip(low..).take_while(is_ours);
        let entries: Vec<E> = ours.map(|(entry, _)| convert(entry)).collect();
        if entries.is_empty() {
            return false;
        }
        if self.pieces.len() >= FETCHED_PIECES_MAX {
            self.pieces.pop_front();
        }
        self.pieces.push_back(FetchedPiece { low, entries, unused_ticks: 0 });
        true
    }

    /// Drops the entries from this index on, which were overwritten.
    pub(crate) fn cut_back(&mut self, from: LogIndex) {
        for piece in &mut self.pieces {
            piece.entries.truncate(from.saturating_sub(piece.low) as usize);
        }
        self.pieces.retain(|piece| !piece.entries.is_empty());
    }

    /// Counts ticks, and drops pieces that were not used for `FETCH_KEEP_TICKS`.
    pub(crate) fn tick(&mut self, ticks: u64) {
        for piece in &mut self.pieces {
            piece.unused_ticks += ticks;
        }
        self.pieces.retain(|piece| piece.unused_ticks < FETCH_KEEP_TICKS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_db::{EntryKind, Position};

    fn terms() -> Terms {
        let mut terms = Terms::behind(Position { index: 10, term: 1 });
        (11..=20).for_each(|index| terms.push(Position { index, term: if index < 15 { 1 } else { 3 } }));
        terms
    }

    fn entries(from: u64, to: u64, term: u64) -> Vec<LogEntry> {
        let entry = |index| LogEntry { index, term, kind: EntryKind::Normal, data: Default::default() };
        (from..=to).map(entry).collect()
    }

    fn want(fetches: &mut Fetches<u64>, low: u64) -> Option<Vec<u64>> {
        fetches.get(Fetch { low, high: 20, bytes_max: 1 }).map(<[u64]>::to_vec)
    }

    fn come(fetches: &mut Fetches<u64>, low: u64, entries: Vec<LogEntry>) -> bool {
        fetches.fetched(Fetched { low, entries }, &terms(), |entry| entry.index)
    }

    #[test]
    fn an_index_is_read_once_at_a_time_and_concurrent_reads_are_bounded() {
        let mut fetches = Fetches::default();
        for low in (11..).take(FETCHES_MAX + 2).chain([11]) {
            assert_eq!(want(&mut fetches, low), None);
        }
        let wanted: Vec<u64> = fetches.take_wanted().iter().map(|fetch| fetch.low).collect();
        assert_eq!(wanted, (11..).take(FETCHES_MAX).collect::<Vec<_>>());
        assert!(come(&mut fetches, 11, entries(11, 12, 1)));
        assert_eq!(want(&mut fetches, 11), Some(vec![11, 12]));
        assert_eq!(fetches.take_wanted(), []);
    }

    #[test]
    fn the_reads_do_not_depend_on_the_order_in_which_the_engine_asks() {
        let lows = [18, 12, 17, 11, 14, 16, 13];
        assert!(lows.len() > FETCHES_MAX);
        let mut orders = [lows.to_vec(), lows.iter().rev().copied().collect(), lows.to_vec()];
        orders[2].sort_unstable();
        let started = orders.map(|order| {
            let mut fetches = Fetches::default();
            // One read is under way already and counts towards the bound.
            assert_eq!(want(&mut fetches, 15), None);
            let first = fetches.take_wanted();
            for low in order {
                assert_eq!(want(&mut fetches, low), None);
            }
            [first, fetches.take_wanted()].concat().iter().map(|fetch| fetch.low).collect::<Vec<_>>()
        });
        let expected: Vec<u64> = [15].into_iter().chain(11..).take(FETCHES_MAX).collect();
        assert_eq!(started, [expected.clone(), expected.clone(), expected]);
    }

    #[test]
    fn entries_that_no_longer_belong_to_the_log_are_dropped() {
        let mut fetches = Fetches::default();
        assert_eq!(want(&mut fetches, 13), None);
        assert!(come(&mut fetches, 13, entries(13, 18, 1)));
        assert_eq!(want(&mut fetches, 13), Some(vec![13, 14]), "from 15 on it is of term 3");
        assert!(!come(&mut fetches, 16, entries(16, 18, 1)));
        assert!(!come(&mut fetches, 9, entries(9, 12, 1)), "9 and 10 were truncated");
        assert!(!come(&mut fetches, 11, Vec::new()));
        assert!(!come(&mut fetches, 11, entries(12, 13, 1)));
    }

    #[test]
    fn overwritten_and_unused_entries_are_dropped() {
        let mut fetches = Fetches::default();
        assert!(come(&mut fetches, 11, entries(11, 14, 1)));
        assert!(come(&mut fetches, 15, entries(15, 18, 3)));
        fetches.cut_back(13);
        assert_eq!(want(&mut fetches, 11), Some(vec![11, 12]));
        assert_eq!(want(&mut fetches, 15), None);
        fetches.tick(FETCH_KEEP_TICKS - 1);
        fetches.tick(1);
        assert_eq!(want(&mut fetches, 11), None);
    }
}
