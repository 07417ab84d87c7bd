//! Read access to the rows and to the log, concurrent with the writer.
//!
//! A view is one redb read transaction. It sees the state at one applied index and never waits for the writer.

use super::DbError;
use super::digest::{DigestAt, Digests};
use super::faults::{Fault, injected};
use super::journal::{Spans, entries_from};
use super::limits::KEY_BYTES_MAX;
use super::meta::{APPLIED, read_meta};
use super::pin::PinRequests;
use super::record::{LogEntry, Position, unseal};
use super::row_cache::RowCache;
use super::scrub::Scrub;
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition};
use ribbit_state::answer::answer;
use ribbit_state::dedup::DedupWindow;
use ribbit_state::dedup::WriteView;
use ribbit_state::ring::Ring;
use ribbit_state::rows::{Order, RawRow, TableId, View};
use ribbit_state::sync::{MutexExt, RwLockExt};
use ribbit_state::{Denied, LogIndex, Outcome, Page, Query, RequestId, croaks};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockWriteGuard};

pub(super) const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// State that the writer shares with readers.
#[derive(Debug)]
pub(super) struct StoreShared {
    /// Replaced together with the ring when a snapshot is installed. Readers of the old file finish undisturbed.
    pub database: RwLock<Arc<Database>>,
    /// Lock order: before `database`.
    pub ring: RwLock<Ring>,
    /// Request deduplication window. The writer locks it while it applies.
    pub dedup: RwLock<DedupWindow>,
    /// Digests of the indexes that readers see.
    pub digests: Mutex<Digests>,
    /// The writer locks it while it applies, so that the scrub follows changes to rows it has already read.
    pub scrub: Mutex<Scrub>,
    /// Indexes at which the writer has to stop and pin the rows.
    pub pins: PinRequests,
    /// Locations of the log's entries.
    pub log: Arc<RwLock<Spans>>,
    pub applied: AtomicU64,
    pub age_ms: AtomicU64,
}

/// Handle for reading. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) shared: Arc<StoreShared>,
}

impl Reader {
    pub(super) fn database(&self) -> Arc<Database> {
        self.shared.database.read_locked().clone()
    }

    /// Returns the newest index whose rows are visible to every view taken from now on.
    pub fn applied(&self) -> LogIndex {
        self.shared.applied.load(Ordering::Acquire)
    }

    /// Returns the cluster age at the newest applied command, in milliseconds.
    pub fn age_ms(&self) -> u64 {
        self.shared.age_ms.load(Ordering::Acquire)
    }

    /// Returns the digest of the state after this index, if it is still kept.
    pub fn digest_at(&self, index: LogIndex) -> Option<u64> {
        self.shared.digests.locked().at(index)
    }

    /// Returns the one or two digests to send to other members for comparison.
    pub fn digests_to_publish(&self) -> Vec<DigestAt> {
        self.shared.digests.locked().to_publish()
    }

    /// Returns a view of the current rows.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn view(&self) -> Result<RowsView<ReadOnlyTable<&'static [u8], &'static [u8]>>, DbError> {
        let age_ms = self.age_ms();
        let rows = self.database().begin_read()?.open_table(ROWS)?;
        Ok(RowsView { rows, age_ms })
    }

    /// Returns a view of the current rows, with their applied index.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn view_at(
        &self,
    ) -> Result<(LogIndex, RowsView<ReadOnlyTable<&'static [u8], &'static [u8]>>), DbError> {
        let age_ms = self.age_ms();
        let transaction = self.database().begin_read()?;
        let applied: Position = read_meta(&transaction.open_table(META)?, APPLIED)?.unwrap_or_default();
        Ok((applied.index, RowsView { rows: transaction.open_table(ROWS)?, age_ms }))
    }

    /// Returns the index and outcome of a request in the deduplication window.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn first_outcome(&self, id: RequestId) -> Result<Option<(LogIndex, Outcome)>, DbError> {
        let dedup = self.shared.dedup.read_locked();
        let Some(index) = dedup.index_of(id) else { return Ok(None) };
        drop(dedup);
        Ok(croaks::request_record(&self.view()?, index)?.map(|row| (index, row.outcome)))
    }

    /// Locks the deduplication window like a writer that waits for its disk. Test hook.
    pub fn lock_dedup_window(&self) -> RwLockWriteGuard<'_, DedupWindow> {
        self.shared.dedup.write_locked()
    }

    /// Answers a query. The returned index is exactly that of the rows in the answer.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn answer(&self, query: &Query) -> Result<(LogIndex, Result<Page, Denied>), DbError> {
        // The ring first, then the view. The writer adds croaks to the ring before it commits them and drops indexed ones
        // after the commit. The ring therefore contains every croak that the view does not find in the index, and perhaps
        // newer ones, which `seen_at` hides.
        let ring = self.shared.ring.read_locked();
        let (index, view) = self.view_at()?;
        let page = answer(&view, ring.seen_at(index), query)?;
        Ok((if injected(Fault::EarlyToken) { index.saturating_sub(1) } else { index }, page))
    }

    /// Returns the entries with `from <= index < to`, as many as fit `bytes_max` but at least one. Stops at a gap.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn entries(&self, from: LogIndex, to: LogIndex, bytes_max: u64) -> Result<Vec<LogEntry>, DbError> {
        let mut entries: Vec<LogEntry> = Vec::new();
        let mut bytes = 0u64;
        loop {
            let next = from + entries.len() as u64;
            let batch = if next < to { entries_from(&self.shared.log, next)? } else { Vec::new() };
            if batch.is_empty() {
                return Ok(entries);
            }
            for entry in batch.into_iter().take_while(|entry| entry.index < to) {
                bytes += entry.data.len() as u64 + 24;
                if !entries.is_empty() && bytes > bytes_max {
                    return Ok(entries);
                }
                entries.push(entry);
            }
        }
    }

    /// Returns the number of croaks in the ring with an id of at least `from`.
    pub fn ring_len_from(&self, from: LogIndex) -> usize {
        self.shared.ring.read_locked().len_from(from)
    }
}

/// View of the rows of one transaction.
pub struct RowsView<T> {
    pub(super) rows: T,
    pub(super) age_ms: u64,
}

/// Stored form of a row's key: table id and key bytes. On the stack, because every read and write makes one.
pub(super) type StoredKey = heapless::Vec<u8, { 1 + KEY_BYTES_MAX }>;

/// Returns the stored form of a row's key, or `None` for a key longer than `KEY_BYTES_MAX`: no row has such a key.
fn stored_key(table: TableId, key: &[u8]) -> Option<StoredKey> {
    let mut bytes = StoredKey::new();
    (bytes.push(table.0).is_ok() && bytes.extend_from_slice(key).is_ok()).then_some(bytes)
}

/// Returns the stored form of the key of a row to be written. `state::check` bounds the parts of all keys, so that none is
/// longer than `KEY_BYTES_MAX`.
pub(super) fn row_key(table: TableId, key: &[u8]) -> StoredKey {
    stored_key(table, key).expect("no table has keys longer than KEY_BYTES_MAX")
}

/// Returns the stored form of the bound of a range, which may be longer than any row's key.
fn bound(table: TableId, key: &[u8]) -> Vec<u8> {
    [&[table.0][..], key].concat()
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
    let (from, to) = (bound(table, from), bound(table, to));
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

/// View of the rows of a write transaction, with the deduplication window and the cache.
pub(super) struct ApplyView<'a, T> {
    pub rows: &'a T,
    pub dedup: &'a DedupWindow,
    pub row_cache: &'a RowCache,
}

impl<T: ReadableTable<&'static [u8], &'static [u8]>> View for ApplyView<'_, T> {
    type Error = DbError;

    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Vec<u8>>, DbError> {
        if !RowCache::holds(table) {
            return get_row(self.rows, table, key);
        }
        let Some(stored) = stored_key(table, key) else { return Ok(None) };
        if let Some(row) = self.row_cache.get(&stored) {
            return Ok(Some(row));
        }
        let row = get_row(self.rows, table, key)?;
        row.iter().for_each(|row| self.row_cache.learn(&stored, row));
        Ok(row)
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
