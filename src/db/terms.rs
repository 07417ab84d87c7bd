//! Terms of the log's entries, known without reading the log: the index at which each term begins.
//!
//! ```text
//!   floor ─┬─ term 3 ─────┬─ term 4 ─┬─ term 9 ─┐
//!          │ begins       │ begins   │ begins   last
//! ```
//!
//! One position is stored per election that happened while the log grew: a few bytes for thousands of entries.

use super::record::Position;
use ribbit_state::LogIndex;
use std::collections::VecDeque;

/// Terms of a contiguous range of entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Position just before the first entry.
    floor: Position,
    last: LogIndex,
    /// First entry of each term, in ascending order.
    begins: VecDeque<Position>,
}

impl Terms {
    /// Returns the terms of an empty log that begins behind `floor`.
    pub fn behind(floor: Position) -> Terms {
        Terms { floor, last: floor.index, begins: VecDeque::new() }
    }

    pub fn floor(&self) -> Position {
        self.floor
    }

    pub fn last(&self) -> Position {
        let term = self.begins.back().map_or(self.floor.term, |begin| begin.term);
        Position { index: self.last, term }
    }

    /// Returns the term at an index from the floor to the last entry, or `None` outside this range.
    pub fn at(&self, index: LogIndex) -> Option<u64> {
        if index == self.floor.index {
            return Some(self.floor.term);
        }
        let known = index > self.floor.index && index <= self.last;
        let run =
            self.begins.partition_point(|begin| begin.index <= index).checked_sub(1).filter(|_| known)?;
        self.begins.get(run).map(|begin| begin.term)
    }

    /// Adds the next entry, or one that replaces the entries from its index on.
    pub fn push(&mut self, entry: Position) {
        while self.begins.back().is_some_and(|begin| begin.index >= entry.index) {
            self.begins.pop_back();
        }
        if entry.index <= self.floor.index {
            // The last entry at the time when the oldest segment began was replaced later.
            if entry.index == self.floor.index {
                self.floor.term = entry.term;
            }
            self.last = self.floor.index;
            return;
        }
        self.last = entry.index;
        if self.begins.back().is_none_or(|begin| begin.term != entry.term) {
            self.begins.push_back(entry);
        }
    }

    /// Drops the entries up to this position, which becomes the floor.
    pub fn cut(&mut self, floor: Position) {
        self.floor = floor;
        self.last = self.last.max(floor.index);
        let first = floor.index + 1;
        let ended = self.begins.partition_point(|begin| begin.index <= first).saturating_sub(1);
        self.begins.drain(..ended);
        if self.last == floor.index {
            self.begins.clear();
        } else if let Some(begin) = self.begins.front_mut() {
            begin.index = begin.index.max(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Position = Position { index: 10, term: 3 };

    fn terms(list: &[(u64, u64)]) -> Terms {
        let mut terms = Terms::behind(FLOOR);
        list.iter().for_each(|(index, term)| terms.push(Position { index: *index, term: *term }));
        terms
    }

    fn all(terms: &Terms) -> Vec<Option<u64>> {
        (9..=16).map(|index| terms.at(index)).collect()
    }

    #[test]
    fn every_entry_has_its_term() {
        let terms = terms(&[(11, 3), (12, 4), (13, 4), (14, 9)]);
        assert_eq!(all(&terms), [None, Some(3), Some(3), Some(4), Some(4), Some(9), None, None]);
        assert_eq!(terms.last(), Position { index: 14, term: 9 });
        assert_eq!(Terms::behind(FLOOR).last(), FLOOR);
    }

    #[test]
    fn replaced_entries_lose_their_terms() {
        let mut terms = terms(&[(11, 3), (12, 4), (13, 4), (14, 5)]);
        terms.push(Position { index: 13, term: 6 });
        assert_eq!(all(&terms), [None, Some(3), Some(3), Some(4), Some(6), None, None, None]);
        terms.push(Position { index: 11, term: 7 });
        assert_eq!(all(&terms), [None, Some(3), Some(7), None, None, None, None, None]);
        terms.push(Position { index: 10, term: 8 });
        assert_eq!(terms.last(), Position { index: 10, term: 8 });
    }

    #[test]
    fn cut_entries_lose_their_terms() {
        let whole = terms(&[(11, 3), (12, 4), (13, 4), (14, 9)]);
        for floor in 10..=14 {
            let mut cut = whole.clone();
            let position = Position { index: floor, term: whole.at(floor).unwrap() };
            cut.cut(position);
            let left: Vec<_> = (floor..=16).map(|index| whole.at(index)).collect();
            assert_eq!((floor..=16).map(|index| cut.at(index)).collect::<Vec<_>>(), left);
            assert_eq!((cut.at(floor - 1), cut.last(), cut.floor()), (None, whole.last(), position));
        }
        let mut beyond = whole.clone();
        beyond.cut(Position { index: 20, term: 9 });
        assert_eq!(beyond, Terms::behind(Position { index: 20, term: 9 }));
    }
}
