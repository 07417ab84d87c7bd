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
use super::read::{META, ROWS, Reader, RowsView, StoreShared};
use super::record::{Position, unseal};
use super::snapshot::Chunk;
use redb::{ReadOnlyTable, ReadableDatabase, ReadableTableMetadata};
use ribbit_state::LogIndex;
use ribbit_state::rows::books;
use ribbit_state::sync::{MutexExt, RwLockExt};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Mutex;
use xxhash_rust::xxh3::Xxh3;

/// Stored key behind which a step begins. Empty for the first step.
pub type AfterKey<'a> = &'a [u8];

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
    fn new(shared: &StoreShared) -> Result<Pin, DbError> {
        let database = shared.database.read_locked().clone();
        let transaction = database.begin_read()?;
        let meta = transaction.open_table(META)?;
        let (position, _) = read_position(&meta)?;
        let digest = stored(&meta, position)?;
        let rows = transaction.open_table(ROWS)?;
        let count = rows.len()?;
        let digest = match digest {
            Some(digest) => digest,
            // Last written by a version that did not maintain it.
            None => super::digest::count(&rows)?,
        };
        let view = RowsView { rows, age_ms: 0 };
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

    /// Returns the first index in `applied + 1..=last` at which the writer has to stop.
    pub fn next_stop(&self, applied: LogIndex, last: LogIndex) -> Option<LogIndex> {
        let requests = self.requests();
        if applied >= last {
            return None;
        }
        requests.range(applied + 1..=last).next().map(|(index, _)| *index)
    }
}

impl StoreShared {
    /// Pins the rows if a pin is requested at this index, at which the writer has stopped.
    pub(super) fn pin_if_wanted(&self, index: LogIndex) -> Result<(), DbError> {
        let mut requests = self.pins.requests();
        if let Some((_, slot @ None)) = requests.get_mut(&index) {
            *slot = Some(Pin::new(self)?);
        }
        Ok(())
    }
}

/// A request for a pin at one index. Dropping it withdraws the request.
pub struct PinRequest {
    reader: Reader,
    index: LogIndex,
}

impl Drop for PinRequest {
    fn drop(&mut self) {
        let mut requests = self.reader.shared.pins.requests();
        if let Some((requesters, _)) = requests.get_mut(&self.index) {
            *requesters -= 1;
            if *requesters == 0 {
                requests.remove(&self.index);
            }
        }
    }
}

impl PinRequest {
    /// Returns the pin once the index was reached. The pin is `None` before that, and for good if the writer had already
    /// passed the index when the request was made. The second value is the index of the pin or, without one, the current
    /// applied index.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn take(&self) -> Result<(Option<Pin>, LogIndex), DbError> {
        if let Some((_, slot)) = self.reader.shared.pins.requests().get_mut(&self.index)
            && let Some(pin) = slot.take()
        {
            return Ok((Some(pin), self.index));
        }
        let pin = self.reader.pin()?;
        let at = pin.position.index;
        Ok(((at == self.index).then_some(pin), at))
    }
}

impl Reader {
    /// Pins the current rows.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn pin(&self) -> Result<Pin, DbError> {
        Pin::new(&self.shared)
    }

    /// Requests a pin at this index. The writer stops there, unless it has passed it already.
    pub fn request_pin(&self, index: LogIndex) -> PinRequest {
        self.shared.pins.requests().entry(index).or_insert((0, None)).0 += 1;
        PinRequest { reader: self.clone(), index }
    }
}
