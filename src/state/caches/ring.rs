//! Authors of the newest croaks, in memory: a ring of (croak, author) pairs. And the accounts whose follows changed last.
//!
//! A feed page filters them by the accounts that the reader follows. A croak is therefore neither fanned out to
//! followers nor indexed when it is written.
//!
//! Older croaks are found through the index `CroaksBy`, which `Command::IndexCroaks` fills in bulk while they are still
//! in the ring. Every croak is in the ring, in the index, or in both.

use crate::croaks;
use crate::ids::{AccountId, LogIndex};
use crate::limits::{FOLLOW_CHANGES_KEPT, RING_CROAKS};
use crate::rows::{Bookkeeping, Books, Change, Friends, Key, Mutes, Table, decode};
use std::collections::VecDeque;

/// Effect of a row change on a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingChange {
    Croak(LogIndex, AccountId),
    /// All croaks up to this one are in the index by author.
    Indexed(LogIndex),
    /// The account followed, unfollowed, muted or unmuted another one at this index.
    Followed(LogIndex, AccountId),
}

impl RingChange {
    /// Returns the effect of a change that the log entry at `index` makes.
    pub fn of(index: LogIndex, change: &Change) -> Option<RingChange> {
        if let Some((croak, author)) = croaks::croak_put(change) {
            return Some(RingChange::Croak(croak, author));
        }
        let (Change::Put { table, key, .. } | Change::Remove { table, key }) = change;
        if *table == Friends::ID || *table == Mutes::ID {
            let (account, _) = <(AccountId, u64)>::from_bytes(key)?;
            return Some(RingChange::Followed(index, account));
        }
        let Change::Put { table, row, .. } = change else { return None };
        let books = (*table == Books::ID).then(|| decode::<Bookkeeping>(row)).flatten();
        books.map(|books| RingChange::Indexed(books.indexed_through))
    }
}

/// The newest croaks with their authors, oldest first. 16 bytes per croak: 1 MiB when full.
#[derive(Debug, Clone)]
pub struct Ring {
    croaks: VecDeque<(LogIndex, AccountId)>,
    capacity: usize,
    /// The newest follow changes, oldest first.
    followed: VecDeque<(LogIndex, AccountId)>,
    /// Follow changes up to this index may be missing.
    followed_floor: LogIndex,
}

impl Default for Ring {
    fn default() -> Ring {
        Ring::with_capacity(RING_CROAKS)
    }
}

impl Ring {
    /// Returns an empty ring that holds this many croaks.
    pub fn with_capacity(capacity: usize) -> Ring {
        Ring { croaks: VecDeque::new(), capacity, followed: VecDeque::new(), followed_floor: 0 }
    }

    /// Follows a change. Croaks and follow changes are entered before their transaction is committed: a [`RingView`]
    /// hides croaks from older views, and a reader of a newer view must not miss a follow change. An `Indexed` must be
    /// committed first: a croak that has left the ring is found only by a view that contains its index row.
    pub fn follow(&mut self, news: RingChange) {
        match news {
            RingChange::Croak(croak, author) => self.push(croak, author),
            RingChange::Indexed(through) => self.trim(through),
            RingChange::Followed(index, account) => self.follow_changed(index, account),
        }
    }

    /// Adds a croak that is newer than all in the ring.
    pub fn push(&mut self, croak: LogIndex, author: AccountId) {
        debug_assert!(self.croaks.back().is_none_or(|(newest, _)| *newest < croak));
        // A full ring is a little longer than its capacity, and doubling it would waste as much again.
        if self.croaks.len() == self.croaks.capacity() && self.croaks.len() >= self.capacity {
            self.croaks.reserve_exact(self.capacity / 8 + 1);
        }
        self.croaks.push_back((croak, author));
    }

    fn follow_changed(&mut self, index: LogIndex, account: AccountId) {
        self.followed.push_back((index, account));
        if self.followed.len() > FOLLOW_CHANGES_KEPT
            && let Some((dropped, _)) = self.followed.pop_front()
        {
            self.followed_floor = dropped;
        }
    }

    /// Drops the oldest croaks down to the capacity, but only those in the index by author.
    pub fn trim(&mut self, indexed_through: LogIndex) {
        while self.croaks.len() > self.capacity && self.oldest().is_some_and(|croak| croak <= indexed_through)
        {
            self.croaks.pop_front();
        }
        // A ring that grew while croaks waited to be indexed gives the memory back.
        if self.croaks.capacity() > 4 * self.capacity.max(self.croaks.len()) {
            self.croaks.shrink_to(2 * self.capacity.max(self.croaks.len()));
        }
    }

    /// Returns the capacity. The ring is longer while croaks wait to be indexed.
    pub fn capacity(&self) -> usize {
        self.capacity
    }
    pub fn len(&self) -> usize {
        self.croaks.len()
    }
    /// Returns the number of croaks with an id of at least `from`.
    pub fn len_from(&self, from: LogIndex) -> usize {
        self.croaks.len() - self.croaks.partition_point(|(croak, _)| *croak < from)
    }
    pub fn is_empty(&self) -> bool {
        self.croaks.is_empty()
    }

    /// Returns the ring as a view at index `at` sees it.
    pub fn seen_at(&self, at: LogIndex) -> RingView<'_> {
        RingView { ring: self, at }
    }

    /// Returns the oldest croak in the ring. All older ones are in the index.
    pub fn oldest(&self) -> Option<LogIndex> {
        self.croaks.front().map(|(croak, _)| *croak)
    }
}

/// The ring as seen at one index. Croaks that a view at that index does not contain are hidden.
#[derive(Debug, Clone, Copy)]
pub struct RingView<'a> {
    ring: &'a Ring,
    at: LogIndex,
}

impl<'a> RingView<'a> {
    /// Returns the index of the view.
    pub(crate) fn at(self) -> LogIndex {
        self.at
    }

    /// Returns the first index that the view does not contain.
    pub(crate) fn end(self) -> LogIndex {
        self.at.saturating_add(1)
    }

    /// Returns true if all croaks after `index` are in the ring.
    pub(crate) fn covers(self, index: LogIndex) -> bool {
        self.ring.oldest().is_none_or(|oldest| oldest <= index.saturating_add(1))
    }

    /// Returns true if the account may have followed or unfollowed another one after `index`.
    pub(crate) fn followed_since(self, account: AccountId, index: LogIndex) -> bool {
        let newer = self.ring.followed.iter().rev().take_while(|(at, _)| *at > index);
        index < self.ring.followed_floor || newer.into_iter().any(|(_, one)| *one == account)
    }

    /// Iterates over the croaks before `before`, newest first.
    pub fn before(self, before: LogIndex) -> impl Iterator<Item = (LogIndex, AccountId)> + 'a {
        let before = before.min(self.at.saturating_add(1));
        let end = self.ring.croaks.partition_point(|(croak, _)| *croak < before);
        self.ring.croaks.range(..end).rev().copied()
    }
}
