//! Backup files, which contain the whole state: written by `ribbit backup`, read by `ribbit restore`.
//!
//! ```text
//!   "ribbit backup\n"  version u8
//!   block 0            the head: cluster and history, index, number of rows, their digest
//!   block 1 …          rows as they are stored, their checksums included, in the order of their keys
//!   last block         the end: number of rows, and a checksum over all of them
//!
//!   block: kind u8 · length u32 · xxh3 u64 over the block's number, kind and bytes · bytes (postcard)
//!   numbers are little-endian
//! ```
//!
//! A file is valid if every block is, the number and digest of its rows are those in the head, the end repeats them, and no
//! byte follows. A missing, repeated, moved, truncated or changed block or row is therefore detected. The checksums are no
//! signature: they detect damage, not forgery.
//!
//! Version 1 stays readable: `tests/formats/backup-1.txt` is an example. A backup contains no keys, and contains passwords
//! and tokens only as hashes.

use super::DbError;
use super::digest::weight;
use super::record::{Position, unseal};
use super::snapshot::{Chunk, RowSums, SnapshotSum};
use ribbit_state::{ClusterId, HistoryId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use xxhash_rust::xxh3::Xxh3;

/// First bytes of a backup.
const MAGIC: &[u8] = b"ribbit backup\n";
/// Format version that is written, and the newest one that is read.
pub(crate) const BACKUP_VERSION: u8 = 1;
/// Maximum length of a block, in bytes: more than the rows of one step take.
pub(crate) const BLOCK_BYTES_MAX: u32 = 1024 * 1024;

/// Kind of the first block.
const HEAD: u8 = 1;
/// Kind of a block of rows.
const ROWS: u8 = 2;
/// Kind of the last block.
const END: u8 = 3;

/// Description of the state in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHead {
    pub cluster: ClusterId,
    pub history: HistoryId,
    pub position: Position,
    pub rules_level: u32,
    pub rows: u64,
    /// Digest of all rows, as members maintain it.
    pub digest: u64,
}

/// Reason why a backup cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("it is not a backup of ribbit")]
    Foreign,
    #[error(
        "it was written by a newer version of ribbit (format {0}; this version reads up to {BACKUP_VERSION})"
    )]
    Newer(u8),
    #[error("it is truncated")]
    Cut,
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error(transparent)]
    Io(io::Error),
}

fn damaged(what: impl Into<String>) -> BackupError {
    BackupError::Damaged(what.into())
}

/// Running sums of the rows, and a check of their order.
#[derive(Default)]
struct RowCheck {
    summing: RowSums,
    last: Vec<u8>,
}

impl RowCheck {
    fn add(&mut self, chunk: &Chunk) -> Result<(), BackupError> {
        for (key, value) in chunk {
            unseal(key, value).map_err(|error: DbError| damaged(error.to_string()))?;
            if *key <= self.last {
                return Err(damaged("its rows are out of order"));
            }
            self.summing.add(key, value);
            self.last.clone_from(key);
        }
        Ok(())
    }

    /// Checks that the rows are those that the head announces.
    fn check(&self, head: &BackupHead) -> Result<SnapshotSum, BackupError> {
        let sum = self.summing.sum();
        if (sum.rows, self.summing.digest) != (head.rows, head.digest) {
            return Err(damaged(format!(
                "it has {} rows with digest {:016x} instead of {} with {:016x}",
                sum.rows, self.summing.digest, head.rows, head.digest
            )));
        }
        Ok(sum)
    }
}

fn checksum(number: u64, kind: u8, bytes: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&number.to_le_bytes());
    hash.update(&[kind]);
    hash.update(bytes);
    hash.digest()
}

/// Writes a backup, block by block.
pub struct BackupWriter<W> {
    out: W,
    head: BackupHead,
    number: u64,
    rows_check: RowCheck,
}

impl<W: Write> BackupWriter<W> {
    /// Begins a backup by writing its head.
    ///
    /// # Errors
    /// `Io` if it cannot be written.
    pub fn begin(mut out: W, head: BackupHead) -> Result<BackupWriter<W>, BackupError> {
        out.write_all(MAGIC).map_err(BackupError::Io)?;
        out.write_all(&[BACKUP_VERSION]).map_err(BackupError::Io)?;
        let mut writer = BackupWriter { out, head: head.clone(), number: 0, rows_check: RowCheck::default() };
        writer.block(HEAD, &head)?;
        Ok(writer)
    }

    fn block<T: Serialize>(&mut self, kind: u8, what: &T) -> Result<(), BackupError> {
        let bytes = postcard::to_extend(what, Vec::new()).expect("records are plain data");
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= BLOCK_BYTES_MAX);
        let length = length.ok_or_else(|| damaged("a block of rows is too long"))?;
        let mut block = vec![kind];
        block.extend(length.to_le_bytes());
        block.extend(checksum(self.number, kind, &bytes).to_le_bytes());
        block.extend(bytes);
        self.number += 1;
        self.out.write_all(&block).map_err(BackupError::Io)
    }

    /// Writes the next rows, whose keys must follow those before.
    ///
    /// # Errors
    /// `Damaged` if a checksum or the order is wrong; `Io` if the backup cannot be written.
    pub fn rows(&mut self, chunk: &Chunk) -> Result<(), BackupError> {
        self.rows_check.add(chunk)?;
        self.block(ROWS, chunk)
    }

    /// Returns the number of rows written so far.
    pub fn so_far(&self) -> u64 {
        self.rows_check.summing.sum().rows
    }

    /// Writes the end. Returns the output, which the caller must make durable.
    ///
    /// # Errors
    /// `Damaged` if the rows are not those that the head announces; `Io` if the backup cannot be written.
    pub fn finish(mut self) -> Result<W, BackupError> {
        let sum = self.rows_check.check(&self.head)?;
        self.block(END, &sum)?;
        self.out.flush().map_err(BackupError::Io)?;
        Ok(self.out)
    }
}

/// Reads a backup, block by block.
pub struct BackupReader<R> {
    file: R,
    head: BackupHead,
    number: u64,
    rows_check: RowCheck,
}

impl<R: Read> BackupReader<R> {
    /// Begins to read a backup.
    ///
    /// # Errors
    /// `Foreign` or `Newer` if it is not a backup or has a newer format; `Damaged`, `Cut` or `Io` if its head cannot be read.
    pub fn begin(mut file: R) -> Result<BackupReader<R>, BackupError> {
        let mut magic = [0; MAGIC.len() + 1];
        file.read_exact(&mut magic).map_err(|error| match cut(error) {
            BackupError::Cut => BackupError::Foreign,
            other => other,
        })?;
        match magic.split_last() {
            Some((&BACKUP_VERSION, MAGIC)) => {}
            Some((0, MAGIC)) => return Err(damaged("its version is 0")),
            Some((version, MAGIC)) => return Err(BackupError::Newer(*version)),
            _ => return Err(BackupError::Foreign),
        }
        let (kind, bytes) = read_block(&mut file, 0)?;
        if kind != HEAD {
            return Err(damaged("its first block is not a head"));
        }
        let head = understood(&bytes)?;
        Ok(BackupReader { file, head, number: 1, rows_check: RowCheck::default() })
    }

    pub fn head(&self) -> &BackupHead {
        &self.head
    }

    /// Returns the number of rows read so far.
    pub fn so_far(&self) -> u64 {
        self.rows_check.summing.sum().rows
    }

    /// Returns the next rows, or `None` after the last one, once the whole file is known to be intact.
    ///
    /// # Errors
    /// `Damaged`, `Cut` or `Io` if the file is damaged, truncated or unreadable.
    pub fn next_rows(&mut self) -> Result<Option<Chunk>, BackupError> {
        let (kind, bytes) = read_block(&mut self.file, self.number)?;
        self.number += 1;
        match kind {
            ROWS => {
                let chunk: Chunk = understood(&bytes)?;
                self.rows_check.add(&chunk)?;
                Ok(Some(chunk))
            }
            END => {
                let sum: SnapshotSum = understood(&bytes)?;
                if self.rows_check.check(&self.head)? != sum {
                    return Err(damaged("its rows do not match its checksum"));
                }
                match self.file.read(&mut [0]).map_err(BackupError::Io)? {
                    0 => Ok(None),
                    _ => Err(damaged("data follows its end")),
                }
            }
            _ => Err(damaged(format!("block {} has an unknown kind", self.number - 1))),
        }
    }
}

fn read_block(file: &mut impl Read, number: u64) -> Result<(u8, Vec<u8>), BackupError> {
    let mut start = [0; 13];
    file.read_exact(&mut start).map_err(cut)?;
    let (kind, length) = (start[0], u32::from_le_bytes([start[1], start[2], start[3], start[4]]));
    if length > BLOCK_BYTES_MAX {
        return Err(damaged(format!("block {number} claims a length of {length} bytes")));
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes).map_err(cut)?;
    if start[5..] != checksum(number, kind, &bytes).to_le_bytes() {
        return Err(damaged(format!("the checksum of block {number} is wrong")));
    }
    Ok((kind, bytes))
}

fn understood<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BackupError> {
    match postcard::take_from_bytes(bytes) {
        Ok((what, [])) => Ok(what),
        _ => Err(damaged("an intact block cannot be decoded")),
    }
}

fn cut(error: io::Error) -> BackupError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => BackupError::Cut,
        _ => BackupError::Io(error),
    }
}

/// Returns the digest of some rows. The digest of a backup without them is the difference.
pub fn digest_of(chunk: &[(Vec<u8>, Vec<u8>)]) -> u64 {
    chunk.iter().fold(0, |digest, (_, value)| digest.wrapping_add(weight(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::seal;

    fn rows(count: u8) -> Chunk {
        (1..=count).map(|number| (vec![5, number], seal(&[5, number], vec![1, number, number]))).collect()
    }

    fn head(rows: &Chunk) -> BackupHead {
        BackupHead {
            cluster: ClusterId(7),
            history: HistoryId(8),
            position: Position { index: 300, term: 4 },
            rules_level: 3,
            rows: rows.len() as u64,
            digest: digest_of(rows),
        }
    }

    fn written(rows: &Chunk) -> Vec<u8> {
        let mut writer = BackupWriter::begin(Vec::new(), head(rows)).unwrap();
        rows.chunks(3).for_each(|chunk| writer.rows(&chunk.to_vec()).unwrap());
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Chunk, BackupError> {
        let mut reader = BackupReader::begin(bytes)?;
        let mut all = Chunk::new();
        while let Some(chunk) = reader.next_rows()? {
            all.extend(chunk);
        }
        Ok(all)
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let rows = rows(10);
        let bytes = written(&rows);
        assert_eq!(read(&bytes).unwrap(), rows);
        for length in 0..bytes.len() {
            let error = read(&bytes[..length]).unwrap_err();
            assert!(matches!(error, BackupError::Cut | BackupError::Foreign), "{length}: {error}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&changed).is_err(), "bit {bit}");
        }
        assert!(matches!(read(&[bytes.as_slice(), b"x"].concat()), Err(BackupError::Damaged(_))));
        let mut newer = bytes;
        newer[MAGIC.len()] = BACKUP_VERSION + 1;
        assert!(matches!(read(&newer), Err(BackupError::Newer(_))));
        assert!(matches!(read(b"SQLite format 3\0 and more"), Err(BackupError::Foreign)));
    }

    #[test]
    fn rows_that_the_head_does_not_announce_are_not_finished() {
        let (all, fewer) = (rows(10), rows(9));
        let mut writer = BackupWriter::begin(Vec::new(), head(&all)).unwrap();
        writer.rows(&fewer).unwrap();
        assert!(matches!(writer.finish(), Err(BackupError::Damaged(_))));
        let mut writer = BackupWriter::begin(Vec::new(), head(&all)).unwrap();
        writer.rows(&fewer).unwrap();
        assert!(matches!(writer.rows(&fewer), Err(BackupError::Damaged(_))), "a piece that came twice");
        let mut wrong = all;
        wrong[0].1[0] ^= 1;
        let mut writer = BackupWriter::begin(Vec::new(), head(&wrong)).unwrap();
        assert!(matches!(writer.rows(&wrong), Err(BackupError::Damaged(_))), "a row that is not whole");
    }
}
