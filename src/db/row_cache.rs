//! A cache of rows that the rules read for nearly every command: the session and account of an author who writes again are
//! found without walking the B-tree and without computing the row's checksum again.
//!
//! The cache belongs to the writer, which invalidates every row that it changes. Only tables that are read by key and
//! change rarely are cached. A full cache is cleared.

use super::limits::ROW_CACHE_ROWS_MAX;
use ribbit_state::rows::{Accounts, Sessions, Table, TableId};
use std::cell::RefCell;
use std::collections::HashMap;

/// Cached rows by stored key.
#[derive(Debug, Default)]
pub(super) struct RowCache(RefCell<HashMap<Vec<u8>, Vec<u8>>>);

impl RowCache {
    /// Returns true if rows of this table are cached.
    pub(crate) fn holds(table: TableId) -> bool {
        [Sessions::ID, Accounts::ID].contains(&table)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.borrow().get(key).cloned()
    }

    pub(crate) fn learn(&self, key: &[u8], row: &[u8]) {
        let mut rows = self.0.borrow_mut();
        if rows.len() >= ROW_CACHE_ROWS_MAX {
            rows.clear();
        }
        rows.insert(key.to_vec(), row.to_vec());
    }

    /// Invalidates a row that has changed.
    pub(crate) fn invalidate(&mut self, key: &[u8]) {
        if key.first().is_some_and(|table| RowCache::holds(TableId(*table))) {
            self.0.get_mut().remove(key);
        }
    }

    /// Clears the cache: another file took the store's place.
    pub(crate) fn clear(&mut self) {
        self.0.get_mut().clear();
    }
}
