//! Rows that the rules read for nearly every command, remembered: who croaks again is found without walking the tree
//! and without checking the row's checksum once more.
//!
//! It belongs to the writer, which tells it of every row that changes. Only rows of tables that are read by key and
//! change rarely are worth a place. When it is full it begins anew.

use super::limits::KNOWN_ROWS_MAX;
use ribbit_state::rows::{Accounts, Sessions, Table, TableId};
use std::cell::RefCell;
use std::collections::HashMap;

/// Stored keys, and what is stored there.
#[derive(Debug, Default)]
pub(super) struct KnownRows(RefCell<HashMap<Vec<u8>, Vec<u8>>>);

impl KnownRows {
    /// Whether rows of this table are remembered.
    pub fn holds(table: TableId) -> bool {
        [Sessions::ID, Accounts::ID].contains(&table)
    }

    pub fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.borrow().get(key).cloned()
    }

    pub fn learn(&self, key: &[u8], row: &[u8]) {
        let mut rows = self.0.borrow_mut();
        if rows.len() >= KNOWN_ROWS_MAX {
            rows.clear();
        }
        rows.insert(key.to_vec(), row.to_vec());
    }

    /// The row has changed.
    pub fn forget(&mut self, key: &[u8]) {
        if key.first().is_some_and(|table| KnownRows::holds(TableId(*table))) {
            self.0.get_mut().remove(key);
        }
    }

    /// Another file took the store's place.
    pub fn clear(&mut self) {
        self.0.get_mut().clear();
    }
}
