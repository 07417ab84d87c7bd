//! The request deduplication window and the bookkeeping row, in memory.
//!
//! Both are built from the rows when a store is opened, and [`DedupWindow::note`] updates them with every change. They are the
//! same on every member at every index, because they decide which requests expire next.
//!
//! ```text
//!   Requests: refusals, and all requests but croaks ─┐
//!                                                    ├─▶ oldest … newest, and id → index
//!   Croaks after Books::forgotten_through ────────────┘
//! ```

pub(crate) mod request_table;

use self::request_table::{DedupEntry, RequestTable};
use crate::croaks::{self, CroakHeader};
use crate::ids::{LogIndex, RequestId};
use crate::rows::{
    Bookkeeping, Books, Change, Croaks, InlineRecord, Key, Order, RequestRecord, Requests, Table, View,
    books, decode, scan,
};

/// Rows read at a time while a window is built.
const LOAD_STEP: usize = 1_024;

/// Read access for applying a command: the rows, and the deduplication window that is kept in memory.
pub trait WriteView: View {
    fn dedup_window(&self) -> &DedupWindow;
}

/// The requests that a retry is recognised by, and the bookkeeping row.
#[derive(Debug, Clone, Default)]
pub struct DedupWindow {
    requests: RequestTable,
    age_ms: u64,
    books: Bookkeeping,
}

impl DedupWindow {
    /// Builds the window from the rows.
    ///
    /// # Errors
    /// The view's error.
    pub fn load<V: View>(view: &V) -> Result<DedupWindow, V::Error> {
        let mut dedup = DedupWindow { books: books(view)?, ..DedupWindow::default() };
        let through = dedup.books.expired_through;
        let mut entries = Vec::new();
        let mut from = 0;
        loop {
            let step = scan::<Requests, V>(view, &from, &LogIndex::MAX, Order::OldestFirst, LOAD_STEP)?;
            entries.extend(step.iter().map(|(index, row)| DedupEntry::of_row(*index, row)));
            match step.last() {
                Some((index, _)) if step.len() == LOAD_STEP => from = index + 1,
                _ => break,
            }
        }
        // Without their texts: half a million croaks after a minute at full speed.
        let mut from = through + 1;
        loop {
            let step = croaks::between(view, from, LogIndex::MAX, Order::OldestFirst, LOAD_STEP)?;
            entries.extend(step.iter().map(|croak| DedupEntry::of_croak(croak.index, &croak.record)));
            match step.last() {
                Some(croak) if step.len() == LOAD_STEP => from = croak.index + 1,
                _ => break,
            }
        }
        entries.sort_unstable_by_key(|entry| entry.index);
        entries.into_iter().for_each(|entry| dedup.record(entry));
        Ok(dedup)
    }

    /// Returns the window without its requests. Fault injection: a broken state that tests must detect.
    pub fn emptied(self) -> DedupWindow {
        DedupWindow { books: self.books, age_ms: self.age_ms, ..DedupWindow::default() }
    }

    /// Returns the index at which the request was applied, if it is in the window.
    pub fn index_of(&self, id: RequestId) -> Option<LogIndex> {
        self.requests.index_of(id)
    }
    /// Returns the number of requests in the window.
    pub fn len(&self) -> usize {
        self.requests.len()
    }
    pub fn is_empty(&self) -> bool {
        self.requests.len() == 0
    }
    /// Returns the cluster age at the newest request.
    pub fn age_ms(&self) -> u64 {
        self.age_ms
    }
    /// Returns the bookkeeping row, or its defaults if it was never written.
    pub fn books(&self) -> Bookkeeping {
        self.books
    }
    /// Iterates over the requests, oldest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = DedupEntry> + '_ {
        self.requests.iter()
    }

    /// Follows a change that is about to be applied. The removal of a single record needs no action: the requests that
    /// expire are those up to `expired_through` in the bookkeeping row.
    pub fn note(&mut self, change: &Change) {
        let Change::Put { table, key, row } = change else { return };
        match *table {
            Croaks::ID => {
                if let (Some(index), Some(row)) = (LogIndex::from_bytes(key), CroakHeader::of(row)) {
                    self.record(DedupEntry::of_croak(index, &row.record));
                }
            }
            Requests::ID => {
                if let (Some(index), Some(row)) = (LogIndex::from_bytes(key), decode::<RequestRecord>(row)) {
                    self.record(DedupEntry::of_row(index, &row));
                }
            }
            Books::ID => {
                if let Some(books) = decode::<Bookkeeping>(row) {
                    self.books = books;
                    self.expire(books.expired_through);
                }
            }
            _ => {}
        }
    }

    fn record(&mut self, entry: DedupEntry) {
        self.age_ms = self.age_ms.max(entry.age_ms);
        if self.requests.last().is_none_or(|newest| newest.index < entry.index) {
            self.requests.push(entry);
        } else {
            // The croak is removed, and the record gets a row of its own. It may have expired in the same command.
            self.requests.replace(entry);
        }
    }

    fn expire(&mut self, through: LogIndex) {
        while self.requests.first().is_some_and(|oldest| oldest.index <= through) {
            self.requests.pop();
        }
    }
}

impl DedupEntry {
    fn of_row(index: LogIndex, row: &RequestRecord) -> DedupEntry {
        DedupEntry { id: row.id, index, age_ms: row.age_ms, in_croak_row: false }
    }
    fn of_croak(index: LogIndex, record: &InlineRecord) -> DedupEntry {
        DedupEntry { id: RequestId(record.id), index, age_ms: record.age_ms, in_croak_row: true }
    }
}
