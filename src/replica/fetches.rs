//! Log entries that are not in memory any more, read from the disk for followers that are far behind.
//!
//! ```text
//!   engine asks ──▶ wanted ──▶ under way ──▶ read, on a thread that may wait ──▶ pieces ──▶ engine asks again
//! ```
//!
//! The engine is told that the entries are not there yet. What comes back is looked at, not trusted: the log may have
//! been cut, overwritten or replaced by a snapshot meanwhile. An entry whose term is that of our log at its index is
//! our log's entry, whenever it was read.

use super::limits::{FETCH_KEEP_TICKS, FETCHED_PIECES_MAX, FETCHES_MAX};
use crate::db::LogEntry;
use crate::db::terms::Terms;
use crate::state::LogIndex;
use std::collections::{BTreeMap, VecDeque};

/// Entries `low <= index < high` of the log on disk, as many as fit `bytes_max`, but one at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    pub low: LogIndex,
    pub high: LogIndex,
    pub bytes_max: u64,
}

/// What was read: entries from `low` on, fewer where the log ends or begins later by now.
#[derive(Debug)]
pub struct Fetched {
    pub low: LogIndex,
    pub entries: Vec<LogEntry>,
}

/// Entries from `low` on.
#[derive(Debug)]
struct Piece<E> {
    low: LogIndex,
    entries: Vec<E>,
    unused_ticks: u64,
}

#[derive(Debug)]
pub struct Fetches<E> {
    /// By where they begin, the lowest: the engine asks in the order of a hash map, another one in every process.
    wanted: BTreeMap<LogIndex, Fetch>,
    under_way: Vec<LogIndex>,
    /// The newest last.
    pieces: VecDeque<Piece<E>>,
}

impl<E> Default for Fetches<E> {
    fn default() -> Fetches<E> {
        Fetches { wanted: BTreeMap::new(), under_way: Vec::new(), pieces: VecDeque::new() }
    }
}

impl<E> Fetches<E> {
    /// Returns the entries from `low` on if they are here. Otherwise notes them as wanted, unless they are on their way
    /// or enough earlier ones are wanted: the engine asks again with the next heartbeat.
    pub fn get(&mut self, fetch: Fetch) -> Option<&[E]> {
        let Fetch { low, .. } = fetch;
        if let Some(at) = self.pieces.iter().position(|piece| piece.low == low) {
            let piece = &mut self.pieces[at];
            piece.unused_ticks = 0;
            return Some(&piece.entries);
        }
        if !self.under_way.contains(&low) {
            let wish = self.wanted.entry(low).or_insert(fetch);
            wish.high = wish.high.max(fetch.high);
            if self.wanted.len() > FETCHES_MAX {
                self.wanted.pop_last();
            }
        }
        None
    }

    /// Returns the reads to start now: the earliest of those wanted since the last call, as many as may be under way.
    /// Which these are does not depend on the order in which the engine asked.
    pub fn take_wanted(&mut self) -> Vec<Fetch> {
        let room = FETCHES_MAX.saturating_sub(self.under_way.len());
        let wanted: Vec<Fetch> = std::mem::take(&mut self.wanted).into_values().take(room).collect();
        self.under_way.extend(wanted.iter().map(|fetch| fetch.low));
        wanted
    }

    /// Takes in what was read. Answers whether there is anything to send.
    pub fn fetched(&mut self, fetched: Fetched, terms: &Terms, convert: impl Fn(LogEntry) -> E) -> bool {
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
        self.pieces.push_back(Piece { low, entries, unused_ticks: 0 });
        true
    }

    /// Entries from here on are others now.
    pub fn cut_back(&mut self, from: LogIndex) {
        for piece in &mut self.pieces {
            piece.entries.truncate(from.saturating_sub(piece.low) as usize);
        }
        self.pieces.retain(|piece| !piece.entries.is_empty());
    }

    /// Lets go of what nobody has asked for lately.
    pub fn tick(&mut self) {
        for piece in &mut self.pieces {
            piece.unused_ticks += 1;
        }
        self.pieces.retain(|piece| piece.unused_ticks < FETCH_KEEP_TICKS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{EntryKind, Position};

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
    fn the_same_is_read_once_at_a_time_and_not_too_much_at_once() {
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
    fn the_same_is_read_in_whichever_order_the_engine_asks() {
        let lows = [18, 12, 17, 11, 14, 16, 13];
        assert!(lows.len() > FETCHES_MAX);
        let mut orders = [lows.to_vec(), lows.iter().rev().copied().collect(), lows.to_vec()];
        orders[2].sort_unstable();
        let started = orders.map(|order| {
            let mut fetches = Fetches::default();
            // One is under way already, and takes a place.
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
    fn what_is_not_our_logs_any_more_is_dropped() {
        let mut fetches = Fetches::default();
        assert_eq!(want(&mut fetches, 13), None);
        assert!(come(&mut fetches, 13, entries(13, 18, 1)));
        assert_eq!(want(&mut fetches, 13), Some(vec![13, 14]), "from 15 on it is of term 3");
        assert!(!come(&mut fetches, 16, entries(16, 18, 1)));
        assert!(!come(&mut fetches, 9, entries(9, 12, 1)), "it begins behind the floor");
        assert!(!come(&mut fetches, 11, Vec::new()));
        assert!(!come(&mut fetches, 11, entries(12, 13, 1)));
    }

    #[test]
    fn what_was_overwritten_or_is_not_asked_for_goes() {
        let mut fetches = Fetches::default();
        assert!(come(&mut fetches, 11, entries(11, 14, 1)));
        assert!(come(&mut fetches, 15, entries(15, 18, 3)));
        fetches.cut_back(13);
        assert_eq!(want(&mut fetches, 11), Some(vec![11, 12]));
        assert_eq!(want(&mut fetches, 15), None);
        (0..FETCH_KEEP_TICKS).for_each(|_| fetches.tick());
        assert_eq!(want(&mut fetches, 11), None);
    }
}
