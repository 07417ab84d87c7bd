//! One file of the log: records, each with its length and a checksum over its bytes, its file and its place.
//!
//! ```text
//!   length u32 │ checksum u32 │ version u8 │ postcard
//! ```
//!
//! What was cut off in the middle, or written for another file, is no record: reading answers nothing there.
//!
//! Not here: which records a file holds and in what order, and what it means when one is missing (journal).

use super::limits::LOG_RECORD_BYTES_MAX;
use super::record::Position;
use super::{DbError, Disk};
use redb::StorageBackend;
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::Xxh3;

const VERSION: u8 = 1;
/// Length and checksum.
const FRAME_BYTES: u64 = 8;
/// A batch under load is about as long: room for it is made at once.
const RECORD_BYTES_USUAL: usize = 8 * 1024;

#[derive(Debug)]
pub(super) struct LogFile {
    pub number: u64,
    /// The log's last position when it was begun.
    pub start: Position,
    pub backend: Box<dyn StorageBackend>,
}

impl LogFile {
    pub fn open(disk: &dyn Disk, number: u64) -> Result<LogFile, DbError> {
        Ok(LogFile { number, start: Position::default(), backend: disk.open_log(number)? })
    }

    /// Begins another file: of `spare`, which is no file of the log any more, or a new one.
    pub fn begin(
        disk: &dyn Disk,
        number: u64,
        spare: Option<u64>,
        start: Position,
    ) -> Result<LogFile, DbError> {
        let backend = match spare {
            Some(spare) => disk.reuse_log(spare, number)?,
            None => {
                let backend = disk.open_log(number)?;
                // One of this number may have been begun, and never used.
                backend.set_len(0)?;
                backend
            }
        };
        Ok(LogFile { number, start, backend })
    }

    fn checksum(&self, at: u64, bytes: &[u8]) -> u32 {
        let mut hash = Xxh3::new();
        hash.update(&self.number.to_le_bytes());
        hash.update(&at.to_le_bytes());
        hash.update(bytes);
        hash.digest() as u32
    }

    /// A record as it lies at this place.
    pub fn frame<R: Serialize>(&self, at: u64, record: &R) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(RECORD_BYTES_USUAL);
        bytes.extend([0; FRAME_BYTES as usize]);
        bytes.push(VERSION);
        let mut bytes = postcard::to_extend(record, bytes).expect("records are plain data");
        let body = &bytes[FRAME_BYTES as usize..];
        let (length, sum) = (body.len() as u32, self.checksum(at, body));
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The record at this place and the place behind it; nothing when there is none that is whole.
    pub fn read<R: DeserializeOwned>(&self, at: u64) -> Result<Option<(R, u64)>, DbError> {
        let Some((length, sum)) = self.read_frame(at)? else { return Ok(None) };
        let mut body = vec![0; length as usize];
        self.backend.read(at + FRAME_BYTES, &mut body)?;
        if sum != self.checksum(at, &body) {
            return Ok(None);
        }
        let record = match body.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).ok(),
            _ => None,
        };
        match record {
            Some(record) => Ok(Some((record, at + FRAME_BYTES + u64::from(length)))),
            // Whole, and nothing that this version knows.
            None => Err(self.damaged(at)),
        }
    }

    fn read_frame(&self, at: u64) -> Result<Option<(u32, u32)>, DbError> {
        let end = self.backend.len()?;
        if at + FRAME_BYTES > end {
            return Ok(None);
        }
        let mut frame = [0; FRAME_BYTES as usize];
        self.backend.read(at, &mut frame)?;
        let number = |from: usize| u32::from_le_bytes(std::array::from_fn(|i| frame[from + i]));
        let (length, sum) = (number(0), number(4));
        // Checked before anything is allocated.
        let fits = u64::from(length) <= LOG_RECORD_BYTES_MAX && at + FRAME_BYTES + u64::from(length) <= end;
        Ok((length > 0 && fits).then_some((length, sum)))
    }

    /// Whether nothing was ever written at this place.
    pub fn is_blank_from(&self, at: u64) -> Result<bool, DbError> {
        let rest = self.backend.len()?.saturating_sub(at).min(FRAME_BYTES) as usize;
        let mut frame = [0; FRAME_BYTES as usize];
        self.backend.read(at, &mut frame[..rest])?;
        Ok(frame == [0; FRAME_BYTES as usize])
    }

    /// Whether a whole record follows the one at this place, which is not whole.
    pub fn goes_on_behind<R: DeserializeOwned>(&self, at: u64) -> Result<bool, DbError> {
        match self.read_frame(at)? {
            Some((length, _)) => Ok(self.read::<R>(at + FRAME_BYTES + u64::from(length))?.is_some()),
            None => Ok(false),
        }
    }

    pub fn damaged(&self, at: u64) -> DbError {
        DbError::Damaged(format!("the log's file {} cannot be read at {at}", self.number))
    }
}
