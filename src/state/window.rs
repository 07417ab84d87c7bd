//! What the rules keep in memory: the requests that are remembered, in the order in which they were applied, and the
//! bookkeeping row. Built from the rows when a store is opened, kept up by [`Window::note`] with every change; the same
//! on every member at every index, because what is forgotten next depends on it.
//!
//! ```text
//!   Requests: refusals, and all that is no croak ─┐
//!                                                 ├─▶ oldest … newest, and id → index
//!   Croaks behind Books::forgotten_through ────────┘
//! ```

use super::croaks::{CroakStart, Marks};
use super::ids::{LogIndex, RequestId};
use super::rows::{
    Bookkeeping, Books, Change, Croaks, Key, Order, Remembered, Requests, Table, View, books, decode, scan,
};
use std::collections::{HashMap, VecDeque};

/// Rows read at a time when a window is built.
const LOAD_STEP: usize = 1_024;

/// One remembered request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub id: RequestId,
    pub index: LogIndex,
    pub age_ms: u64,
    /// Its record is part of a croak, and not a row of its own.
    pub in_post: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Window {
    index_of: HashMap<RequestId, LogIndex>,
    /// By index, oldest first.
    entries: VecDeque<Entry>,
    age_ms: u64,
    books: Bookkeeping,
}

impl Window {
    /// Builds it from the rows.
    ///
    /// # Errors
    /// Only the view's.
    pub fn load<V: View>(view: &V) -> Result<Window, V::Error> {
        let mut window = Window { books: books(view)?, ..Window::default() };
        let through = window.books.forgotten_through;
        let mut entries = Vec::new();
        each::<Requests, V>(view, 0, |index, row| entries.push(Entry::of_row(index, &row)))?;
        each::<Croaks, V>(view, through + 1, |index, row| entries.push(Entry::of_croak(index, &row.marks)))?;
        entries.sort_unstable_by_key(|entry| entry.index);
        entries.into_iter().for_each(|entry| window.remember(entry));
        Ok(window)
    }

    /// One that has forgotten all requests: what must never be, for showing that it is noticed.
    pub fn emptied(self) -> Window {
        Window { books: self.books, age_ms: self.age_ms, ..Window::default() }
    }

    pub fn index_of(&self, id: RequestId) -> Option<LogIndex> {
        self.index_of.get(&id).copied()
    }
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    /// The cluster's age at the newest remembered request.
    pub fn age_ms(&self) -> u64 {
        self.age_ms
    }
    /// The bookkeeping row, or its defaults before it was first written.
    pub fn books(&self) -> Bookkeeping {
        self.books
    }
    /// Oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Follows a change that is about to be applied. Removals of single records need no following: what is forgotten
    /// is what lies before the bookkeeping's `forgotten_through`.
    pub fn note(&mut self, change: &Change) {
        let Change::Put { table, key, row } = change else { return };
        match *table {
            Croaks::ID => {
                if let (Some(index), Some(row)) = (LogIndex::from_bytes(key), CroakStart::of(row)) {
                    self.remember(Entry::of_croak(index, &row.marks));
                }
            }
            Requests::ID => {
                if let (Some(index), Some(row)) = (LogIndex::from_bytes(key), decode::<Remembered>(row)) {
                    self.remember(Entry::of_row(index, &row));
                }
            }
            Books::ID => {
                if let Some(books) = decode::<Bookkeeping>(row) {
                    self.books = books;
                    self.forget(books.forgotten_through);
                }
            }
            _ => {}
        }
    }

    fn remember(&mut self, entry: Entry) {
        self.age_ms = self.age_ms.max(entry.age_ms);
        if self.entries.back().is_none_or(|newest| newest.index < entry.index) {
            self.index_of.insert(entry.id, entry.index);
            self.entries.push_back(entry);
        } else if let Ok(at) = self.entries.binary_search_by_key(&entry.index, |known| known.index) {
            // Its croak goes: the record has a row of its own from now on.
            self.entries[at] = entry;
        }
    }

    fn forget(&mut self, through: LogIndex) {
        while let Some(entry) = self.entries.front().filter(|entry| entry.index <= through) {
            self.index_of.remove(&entry.id);
            self.entries.pop_front();
        }
    }
}

impl Entry {
    fn of_row(index: LogIndex, row: &Remembered) -> Entry {
        Entry { id: row.id, index, age_ms: row.age_ms, in_post: false }
    }
    fn of_croak(index: LogIndex, marks: &Marks) -> Entry {
        Entry { id: RequestId(marks.id), index, age_ms: marks.age_ms, in_post: true }
    }
}

/// Hands on every row of a table from this index on.
fn each<T: Table<Key = LogIndex>, V: View>(
    view: &V,
    mut from: LogIndex,
    mut found: impl FnMut(LogIndex, T::Row),
) -> Result<(), V::Error> {
    loop {
        let step = scan::<T, V>(view, &from, &LogIndex::MAX, Order::OldestFirst, LOAD_STEP)?;
        let full = step.len() == LOAD_STEP;
        for (index, row) in step {
            from = index + 1;
            found(index, row);
        }
        if !full {
            return Ok(());
        }
    }
}
