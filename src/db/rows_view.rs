//! Views of the rows of one redb transaction, as the rules read them.

use super::DbError;
use super::reader_cache::ReaderCache;
use super::record::unseal;
use super::row_cache::RowCache;
use super::tables::{range_bound, stored_key};
use redb::{Database, ReadableTable};
use ribbit_state::LogIndex;
use ribbit_state::dedup::{DedupWindow, WriteView};
use ribbit_state::rows::{Order, Projection, RawRow, TableId, View};
use std::sync::Arc;

/// View of the rows of one transaction.
pub struct RowsView<T> {
    pub(super) rows: T,
    pub(super) age_ms: u64,
    /// Keeps the database open while the view is read: redb closes it with its last handle, even under an open transaction.
    /// `None` where the caller holds it.
    pub(super) _database: Option<Arc<Database>>,
}

fn get_row<T: ReadableTable<&'static [u8], &'static [u8]>>(
    rows: &T,
    table: TableId,
    key: &[u8],
) -> Result<Option<Vec<u8>>, DbError> {
    let Some(key) = stored_key(table, key) else { return Ok(None) };
    match rows.get(key.as_slice())? {
        None => Ok(None),
        Some(value) => Ok(Some(unseal(&key, value.value())?.to_vec())),
    }
}

/// Reads a row through a cache of rows by stored key: `cached` looks it up, `keep` adds it after it was read.
fn read_through<T: ReadableTable<&'static [u8], &'static [u8]>>(
    rows: &T,
    table: TableId,
    key: &[u8],
    cached: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    keep: impl FnOnce(&[u8], &[u8]),
) -> Result<Option<Vec<u8>>, DbError> {
    let Some(stored) = stored_key(table, key) else { return Ok(None) };
    if let Some(row) = cached(&stored) {
        return Ok(Some(row));
    }
    let row = get_row(rows, table, key)?;
    if let Some(row) = &row {
        keep(&stored, row);
    }
    Ok(row)
}

fn scan_rows<T: ReadableTable<&'static [u8], &'static [u8]>>(
    rows: &T,
    table: TableId,
    from: &[u8],
    to: &[u8],
    order: Order,
    limit: usize,
) -> Result<Vec<RawRow>, DbError> {
    if from >= to || limit == 0 {
        return Ok(Vec::new());
    }
    let (from, to) = (range_bound(table, from), range_bound(table, to));
    let mut range = rows.range::<&[u8]>(from.as_slice()..to.as_slice())?;
    let mut found = Vec::new();
    while found.len() < limit {
        let row = match order {
            Order::OldestFirst => range.next(),
            Order::NewestFirst => range.next_back(),
        };
        let Some(row) = row else { break };
        let (key, value) = row?;
        let key = key.value();
        found.push((key[1..].to_vec(), unseal(key, value.value())?.to_vec()));
    }
    Ok(found)
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> View for RowsView<T> {
    type Error = DbError;

    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
        get_row(&self.rows, table, key)
    }
    fn scan(
        &self,
        table: TableId,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<RawRow>, DbError> {
        scan_rows(&self.rows, table, from, to, order, limit)
    }
    fn age_ms(&self) -> u64 {
        self.age_ms
    }
}

/// View of the rows of one transaction at a known index, with the rows that are cached for readers.
pub(super) struct CachedView<'a, T> {
    pub(crate) view: RowsView<T>,
    pub(crate) at: LogIndex,
    pub(crate) cache: &'a ReaderCache,
}

impl<T> CachedView<'_, T> {
    /// Returns a row or its projection from the cache, or else from `read`.
    fn cached(
        &self,
        table: TableId,
        key: &[u8],
        read: impl FnOnce() -> Result<Option<Vec<u8>>, DbError>,
    ) -> Result<Option<Vec<u8>>, DbError> {
        let Some(stored) = stored_key(table, key) else { return Ok(None) };
        if let Some(row) = self.cache.get(&stored, self.at) {
            return Ok(row);
        }
        let row = read()?;
        if row.is_some() || ReaderCache::holds_absent(table) {
            self.cache.offer(&stored, row.as_deref(), self.at);
        }
        Ok(row)
    }
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> View for CachedView<'_, T> {
    type Error = DbError;

    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
        if !ReaderCache::holds(table) {
            return self.view.get(table, key);
        }
        self.cached(table, key, || self.view.get(table, key))
    }
    fn get_projected(
        &self,
        table: TableId,
        key: &[u8],
        project: Projection,
    ) -> Result<Option<Vec<u8>>, DbError> {
        if !ReaderCache::holds_projected(table) {
            return self.view.get_projected(table, key, project);
        }
        self.cached(table, key, || self.view.get_projected(table, key, project))
    }
    fn scan(
        &self,
        table: TableId,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<RawRow>, DbError> {
        self.view.scan(table, from, to, order, limit)
    }
    fn age_ms(&self) -> u64 {
        self.view.age_ms()
    }
}

/// View of the rows of a write transaction, with the deduplication window and the cache.
pub(super) struct ApplyView<'a, T> {
    pub rows: &'a T,
    pub dedup: &'a DedupWindow,
    pub(crate) row_cache: &'a RowCache,
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> View for ApplyView<'_, T> {
    type Error = DbError;

    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
        if !RowCache::holds(table) {
            return get_row(self.rows, table, key);
        }
        let cache = self.row_cache;
        read_through(self.rows, table, key, |key| cache.get(key), |key, row| cache.learn(key, row))
    }
    fn scan(
        &self,
        table: TableId,
        from: &[u8],
        to: &[u8],
        order: Order,
        limit: usize,
    ) -> Result<Vec<RawRow>, DbError> {
        scan_rows(self.rows, table, from, to, order, limit)
    }
    fn age_ms(&self) -> u64 {
        self.dedup.age_ms()
    }
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> WriteView for ApplyView<'_, T> {
    fn dedup_window(&self) -> &DedupWindow {
        self.dedup
    }
}
