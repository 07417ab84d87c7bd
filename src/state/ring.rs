//! The newest croaks' (id, author) pairs, in memory: a feed page filters them by whom one follows, so nothing
//! is fanned out when somebody croaks and no index is written per croak.
//!
//! Older croaks are found through `CroaksBy`, which the group writes in bulk (`Command::IndexCroaks`) while
//! they are still in the ring: every croak is in the ring, in the index, or in both.

use super::croaks;
use super::ids::{AccountId, LogIndex};
use super::limits::RING_CROAKS;
use super::rows::{Bookkeeping, Books, Change, Table, decode};
use std::collections::VecDeque;

/// What a change is to a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    Croak(LogIndex, AccountId),
    /// Croaks up to here are indexed by author.
    Indexed(LogIndex),
}

impl News {
    pub fn of(change: &Change) -> Option<News> {
        if let Some((croak, author)) = croaks::put_by(change) {
            return Some(News::Croak(croak, author));
        }
        let Change::Put { table, row, .. } = change else { return None };
        let books = (*table == Books::ID).then(|| decode::<Bookkeeping>(row)).flatten();
        books.map(|books| News::Indexed(books.indexed_through))
    }
}

/// Oldest first. 16 bytes a croak: 1 MiB when full.
#[derive(Debug, Clone)]
pub struct Ring {
    croaks: VecDeque<(LogIndex, AccountId)>,
    croaks_max: usize,
}

impl Default for Ring {
    fn default() -> Ring {
        Ring::holding(RING_CROAKS)
    }
}

impl Ring {
    /// A ring that settles at this many croaks.
    pub fn holding(croaks_max: usize) -> Ring {
        Ring { croaks: VecDeque::new(), croaks_max }
    }

    /// Follows a change. A croak may be entered before it is committed, since a [`RingView`] hides it from older views. An
    /// `Indexed` must be committed first: a croak that has left the ring is found only by a view with its index row.
    pub fn follow(&mut self, news: News) {
        match news {
            News::Croak(croak, author) => self.push(croak, author),
            News::Indexed(through) => self.settle(through),
        }
    }

    /// Enters a croak newer than all in the ring.
    pub fn push(&mut self, croak: LogIndex, author: AccountId) {
        debug_assert!(self.croaks.back().is_none_or(|(newest, _)| *newest < croak));
        self.croaks.push_back((croak, author));
    }

    /// Drops the oldest down to what the ring holds, but only croaks that are indexed by author.
    pub fn settle(&mut self, indexed_through: LogIndex) {
        while self.croaks.len() > self.croaks_max
            && self.oldest().is_some_and(|croak| croak <= indexed_through)
        {
            self.croaks.pop_front();
        }
    }

    /// How many croaks it settles at.
    pub fn croaks_max(&self) -> usize {
        self.croaks_max
    }
    pub fn len(&self) -> usize {
        self.croaks.len()
    }
    /// Croaks with an id of at least `from`.
    pub fn len_from(&self, from: LogIndex) -> usize {
        self.croaks.len() - self.croaks.partition_point(|(croak, _)| *croak < from)
    }
    pub fn is_empty(&self) -> bool {
        self.croaks.is_empty()
    }

    /// Returns the ring as a view at index `at` may see it.
    pub fn seen_at(&self, at: LogIndex) -> RingView<'_> {
        RingView { ring: self, at }
    }

    /// The oldest croak here; everything older is in the index.
    pub fn oldest(&self) -> Option<LogIndex> {
        self.croaks.front().map(|(croak, _)| *croak)
    }
}

/// The ring as a view at one index sees it: croaks that the view does not have yet are hidden.
#[derive(Debug, Clone, Copy)]
pub struct RingView<'a> {
    ring: &'a Ring,
    at: LogIndex,
}

impl<'a> RingView<'a> {
    /// Croaks before `before`, newest first.
    pub fn before(self, before: LogIndex) -> impl Iterator<Item = (LogIndex, AccountId)> + 'a {
        let before = before.min(self.at.saturating_add(1));
        let end = self.ring.croaks.partition_point(|(croak, _)| *croak < before);
        self.ring.croaks.range(..end).rev().copied()
    }
}
