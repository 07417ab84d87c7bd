//! Snapshots: the whole state as a stream of chunks, from one read transaction into a second file.
//!
//! ```text
//!   sender                                         receiver
//!   SnapshotReader (one read transaction)          SnapshotWriter (incoming.redb)
//!     position, configuration ──────────────────▶    begin
//!     next_chunk: [(key, value)…] ──────────────▶    write_chunk, for each chunk
//!     number and digest of all rows ────────────▶    finish: compares them; then the file is complete
//!                                                  Store::install, when the Raft engine requests it
//! ```
//!
//! Rows are sent as they are stored, with their checksums, and each is checked before it is written. A receiver that is
//! killed in between leaves a file that its next start discards.

use super::digest::{DigestAt, stored, weight};
use super::disk::begin_durable;
use super::faults::{Fault, injected};
use super::limits::SNAPSHOT_CHUNK_BYTES;
use super::meta::{make_tables, read_position, write_meta, write_position};
use super::read::Reader;
use super::record::{Configuration, Position, unseal};
pub use super::tables::Chunk;
use super::tables::{DIGEST, META, ROWS};
use super::{DbError, StoreFile};
use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase};
use ribbit_state::sync::RwLockExt;
use serde::{Deserialize, Serialize};
use std::ops::Bound;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Position of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHead {
    pub applied: Position,
    pub configuration: Configuration,
}

/// Sum over all rows of a complete snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotSum {
    pub rows: u64,
    pub digest: u64,
}

/// Running sums of the rows of a snapshot or backup.
#[derive(Default)]
pub(super) struct RowSums {
    rows: u64,
    hash: Xxh3,
    /// Digest of the state, for the rows so far.
    pub digest: u64,
}

impl RowSums {
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.rows += 1;
        self.hash.update(&(key.len() as u32).to_le_bytes());
        self.hash.update(key);
        self.hash.update(value);
        self.digest = self.digest.wrapping_add(weight(value));
    }
    pub(crate) fn sum(&self) -> SnapshotSum {
        SnapshotSum { rows: self.rows, digest: self.hash.digest() }
    }
}

/// Reads a snapshot of one index.
pub struct SnapshotReader {
    rows: ReadOnlyTable<&'static [u8], &'static [u8]>,
    /// Keeps the database open, as in `RowsView`.
    _database: Arc<Database>,
    head: SnapshotHead,
    /// Expected digest of the rows, if the store has a current one.
    digest: u64,
    after: Option<Vec<u8>>,
    summing: RowSums,
}

impl SnapshotReader {
    /// Returns a reader of the current state.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn new(reader: &Reader) -> Result<SnapshotReader, DbError> {
        let database = reader.shared.database.read_locked().clone();
        let transaction = database.begin_read()?;
        let meta = transaction.open_table(META)?;
        let (applied, configuration) = read_position(&meta)?;
        let rows = transaction.open_table(ROWS)?;
        Ok(SnapshotReader {
            rows,
            _database: database,
            head: SnapshotHead { applied, configuration },
            digest: stored(&meta, applied)?,
            after: None,
            summing: RowSums::default(),
        })
    }

    pub fn head(&self) -> &SnapshotHead {
        &self.head
    }

    /// Returns the next rows, or `None` at the end.
    ///
    /// # Errors
    /// Fatal: the store cannot be read or is damaged.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, DbError> {
        let from = self.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut chunk = Chunk::new();
        let mut bytes = 0;
        for row in self.rows.range::<&[u8]>((from, Bound::Unbounded))? {
            let (key, value) = row?;
            let (key, value) = (key.value().to_vec(), value.value().to_vec());
            unseal(&key, &value)?;
            self.summing.add(&key, &value);
            bytes += key.len() + value.len();
            chunk.push((key, value));
            if bytes >= SNAPSHOT_CHUNK_BYTES {
                break;
            }
        }
        self.after = chunk.last().map(|(key, _)| key.clone()).or(self.after.take());
        if chunk.is_empty() && self.digest != self.summing.digest {
            return Err(DbError::Damaged("the rows do not match their digest".into()));
        }
        Ok((!chunk.is_empty()).then_some(chunk))
    }

    /// Returns the sum of all chunks read so far.
    pub fn sum(&self) -> SnapshotSum {
        self.summing.sum()
    }
}

/// Reads all rows and returns their sum, which is equal on members that applied the same log.
///
/// # Errors
/// Fatal: the store cannot be read.
pub fn digest(reader: &Reader) -> Result<(Position, SnapshotSum), DbError> {
    let mut snapshot = SnapshotReader::new(reader)?;
    while snapshot.next_chunk()?.is_some() {}
    Ok((snapshot.head.applied, snapshot.sum()))
}

/// Returns true for the last chunk of a snapshot. All others are full.
fn is_last(chunk: &Chunk) -> bool {
    chunk.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() < SNAPSHOT_CHUNK_BYTES
}

/// Writes a received snapshot to the incoming file, beside the store in use.
pub struct SnapshotWriter {
    database: Database,
    applied: Position,
    summing: RowSums,
}

impl SnapshotWriter {
    /// Begins the incoming file and discards an unfinished older one.
    ///
    /// # Errors
    /// Fatal: the file cannot be created or written.
    pub fn begin(disk: &dyn super::Disk, head: &SnapshotHead) -> Result<SnapshotWriter, DbError> {
        disk.discard_incoming()?;
        let database = disk.open(StoreFile::Incoming)?;
        make_tables(&database)?;
        let transaction = begin_durable(&database)?;
        write_position(&mut transaction.open_table(META)?, head.applied, &head.configuration)?;
        transaction.commit()?;
        Ok(SnapshotWriter { database, applied: head.applied, summing: RowSums::default() })
    }

    /// Writes one chunk.
    ///
    /// # Errors
    /// `Damaged` if a row's checksum is wrong; otherwise the file cannot be written.
    pub fn write_chunk(&mut self, chunk: &Chunk) -> Result<(), DbError> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::None)?;
        {
            let mut rows = transaction.open_table(ROWS)?;
            for (key, value) in chunk {
                unseal(key, value)?;
                self.summing.add(key, value);
                if injected(Fault::LostChunk) && is_last(chunk) {
                    continue;
                }
                rows.insert(key.as_slice(), value.as_slice())?;
            }
            let _ = injected(Fault::SkippedRows) && rows.pop_last()?.is_some();
        }
        transaction.commit()?;
        Ok(())
    }

    /// Returns the sum of the rows written so far.
    pub fn sum(&self) -> SnapshotSum {
        self.summing.sum()
    }

    /// Completes the file: compares its sum with that of the sender and makes it durable.
    ///
    /// # Errors
    /// `Damaged` if the sums differ; otherwise the file cannot be written.
    pub fn finish(self, sum: SnapshotSum) -> Result<(), DbError> {
        if self.summing.sum() != sum {
            return Err(DbError::Damaged("a received snapshot is incomplete".into()));
        }
        let transaction = begin_durable(&self.database)?;
        let digest: DigestAt = (self.applied.index, self.summing.digest);
        write_meta(&mut transaction.open_table(META)?, DIGEST, &digest)?;
        transaction.commit()?;
        Ok(())
    }
}
