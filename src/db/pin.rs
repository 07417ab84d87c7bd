//! Pins: the rows as they were at one index, kept readable for backups and for comparing members.
//!
//! ```text
//!   Reader::pin        now, at the current index
//!   Reader::want_pin   at a requested index: the writer stops there for a moment and pins
//! ```
//!
//! A pin is one redb read transaction. Neither it nor the writer waits for the other. However, the file keeps every page
//! that the pin sees and grows in the meantime, so a pin must be dropped after a bounded time (`roles::node::pins`).
//!
//! Rows are read in steps of bounded size, starting behind a key, and each is checked.

use super::DbError;
use super::digest::stored;
use super::limits::{PIN_HASHES_BYTES, PIN_SUM_BYTES, SNAPSHOT_CHUNK_BYTES};
use super::meta::read_position;
use super::record::{Position, unseal};
use super::rows_view::RowsView;
use super::tables::Chunk;
use super::tables::{META, ROWS};
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTableMetadata};
use ribbit_state::LogIndex;
use ribbit_state::rows::books;
use ribbit_state::sync::MutexExt;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};
use xxhash_rust::xxh3::Xxh3;

/// Stored key behind which a step begins. Empty for the first step.
pub(crate) type AfterKey<'a> = &'a [u8];

/// The rows at one index.
pub struct Pin {
    view: RowsView<ReadOnlyTable<&'static [u8], &'static [u8]>>,
    pub position: Position,
    /// Digest of all rows, as maintained by applying.
    pub digest: u64,
    pub rows: u64,
    /// Rules level of the cluster.
    pub rules_level: u32,
}

/// Sum of the rows of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSum {
    pub rows: u64,
    /// Wrapping sum of one xxh3 per row, over its key and value.
    pub sum: u64,
    /// Last key that is included, if the step ended before the requested range did.
    pub stopped_at: Option<Vec<u8>>,
}

/// Keys of a step, each with the xxh3 of its row.
pub type RowHashes = Vec<(Vec<u8>, u64)>;

impl Pin {
    pub(super) fn new(database: Arc<Database>) -> Result<Pin, DbError> {
        let transaction = database.begin_read()?;
        let meta = transaction.open_table(META)?;
        let (position, _) = read_position(&meta)?;
        let digest = stored(&meta, position)?;
        let rows = transaction.open_table(ROWS)?;
        let count = rows.len()?;
        let view = RowsView { rows, age_ms: 0, _database: Some(database) };
        let rules_level = books(&view)?.rules_level;
        Ok(Pin { view, position, digest, rows: count, rules_level })
    }

    /// Calls `each` with every row behind `after` and up to `to` until it returns true. Returns true if it did.
    fn walk(
        &self,
        after: AfterKey<'_>,
        to: Option<&[u8]>,
        mut each: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<bool, DbError> {
        let to = to.map_or(Bound::Unbounded, Bound::Included);
        if matches!(to, Bound::Included(to) if to <= after) {
            return Ok(false);
        }
        for row in self.view.rows.range::<&[u8]>((Bound::Excluded(after), to))? {
            let (key, value) = row?;
            unseal(key.value(), value.value())?;
            if each(key.value(), value.value()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the next rows as they are stored; none at the end.
    ///
    /// # Errors
    /// Fatal: the store cannot be read or is damaged.
    pub fn next_rows(&self, after: AfterKey<'_>) -> Result<Chunk, DbError> {
        let (mut chunk, mut bytes) = (Chunk::new(), 0);
        self.walk(after, None, |key, value| {
            bytes += key.len() + value.len();
            chunk.push((key.to_vec(), value.to_vec()));
            bytes >= SNAPSHOT_CHUNK_BYTES
        })?;
        Ok(chunk)
    }

    /// Returns the sum of the rows behind `after` and up to `to`, as far as one step goes.
    ///
    /// # Errors
    /// As [`Pin::next_rows`].
    pub fn sum(&self, after: AfterKey<'_>, to: Option<&[u8]>) -> Result<RowSum, DbError> {
        let (mut sum, mut bytes) = (RowSum { rows: 0, sum: 0, stopped_at: None }, 0);
        let mut last = Vec::new();
        let stopped = self.walk(after, to, |key, value| {
            sum.rows += 1;
            sum.sum = sum.sum.wrapping_add(row_hash(key, value));
            bytes += key.len() + value.len();
            let enough = bytes >= PIN_SUM_BYTES;
            if enough {
                last = key.to_vec();
            }
            enough
        })?;
        sum.stopped_at = stopped.then_some(last);
        Ok(sum)
    }

    /// Returns the keys behind `after` and up to `to` with the hashes of their rows, as far as one step goes. The second
    /// value is true if there are more.
    ///
    /// # Errors
    /// As [`Pin::next_rows`].
    pub fn hashes(&self, after: AfterKey<'_>, to: Option<&[u8]>) -> Result<(RowHashes, bool), DbError> {
        let (mut hashes, mut bytes) = (RowHashes::new(), 0);
        let more = self.walk(after, to, |key, value| {
            hashes.push((key.to_vec(), row_hash(key, value)));
            bytes += key.len() + 16;
            bytes >= PIN_HASHES_BYTES
        })?;
        Ok((hashes, more))
    }
}

fn row_hash(key: &[u8], value: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&(key.len() as u32).to_le_bytes());
    hash.update(key);
    hash.update(value);
    hash.digest()
}

/// Requests for pins by index, each with the number of requesters and, once the writer was there, the pin.
#[derive(Default)]
pub(super) struct PinRequests(Mutex<BTreeMap<LogIndex, (usize, Option<Pin>)>>);

impl std::fmt::Debug for PinRequests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PinRequests(…)")
    }
}

impl PinRequests {
    fn requests(&self) -> std::sync::MutexGuard<'_, BTreeMap<LogIndex, (usize, Option<Pin>)>> {
        self.0.locked()
    }

    /// Pins the rows if a pin is requested at this index, at which the writer has stopped.
    pub(crate) fn pin_if_requested(&self, index: LogIndex, database: Arc<Database>) -> Result<(), DbError> {
        if let Some((_, slot @ None)) = self.requests().get_mut(&index) {
            *slot = Some(Pin::new(database)?);
        }
        Ok(())
    }

    /// Adds a requester of a pin at this index.
    pub(crate) fn add(&self, index: LogIndex) {
        self.requests().entry(index).or_insert((0, None)).0 += 1;
    }

    /// Removes a requester of a pin at this index, and the pin with the last one.
    pub(crate) fn remove(&self, index: LogIndex) {
        let mut requests = self.requests();
        if let Some((requesters, _)) = requests.get_mut(&index) {
            *requesters -= 1;
            if *requesters == 0 {
                requests.remove(&index);
            }
        }
    }

    /// Takes the pin at this index, if the writer was there and the pin was not taken yet.
    pub(crate) fn take(&self, index: LogIndex) -> Option<Pin> {
        self.requests().get_mut(&index).and_then(|(_, slot)| slot.take())
    }

    /// Returns the first index in `applied + 1..=last` at which the writer has to stop.
    pub(crate) fn next_stop(&self, applied: LogIndex, last: LogIndex) -> Option<LogIndex> {
        let requests = self.requests();
        if applied >= last {
            return None;
        }
        requests.range(applied + 1..=last).next().map(|(index, _)| *index)
    }
}
