//! One segment of the log: a file of framed records.
//!
//! ```text
//!   length u32 │ body checksum u32 │ frame checksum u32 │ version u8 │ postcard
//!                                                         └──────── body ────────┘
//! ```
//!
//! Both checksums cover the segment's salt, its number and the record's offset, so bytes that were written for another
//! segment or offset never pass for a record. The frame has a checksum of its own, so a damaged length is recognized,
//! and the rest of a segment can be searched for records without trusting any length in between.
//!
//! The salt is stored in the head, the record at offset 0, which is therefore not salted itself. It depends on
//! everything the log has held so far, so a client cannot write a text that passes for a record.
//!
//! Not here: the order of the records and the meaning of a missing one (journal).

use super::limits::{LOG_RECORD_BYTES_MAX, LOG_SCAN_BYTES};
use super::record::{HardState, Position};
use super::{DbError, Disk};
use redb::StorageBackend;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// Format version of a record.
const VERSION: u8 = 1;
/// Length of a frame, in bytes: a length and two checksums.
const FRAME_BYTES: usize = 12;
/// Initial capacity of a record's buffer, in bytes: the usual size of a batch under load.
const RECORD_BYTES_USUAL: usize = 8 * 1024;

/// The first record of a segment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SegmentHead {
    pub(crate) epoch: u64,
    pub number: u64,
    /// Last position of the log before this segment.
    pub start: Position,
    /// Hard state before this segment.
    pub hard_state: HardState,
    /// Offset at which the records of the previous segment end; later ones do not count. 0 for the first segment.
    pub(crate) previous_end: u64,
    pub salt: u64,
}

/// A record that was read, the offset after it and its body's checksum.
#[derive(Debug)]
pub(super) struct Record<R> {
    pub value: R,
    pub behind: u64,
    pub sum: u32,
}

/// Length and body checksum of a record, from a frame whose own checksum is right.
struct Frame {
    length: u32,
    body_sum: u32,
}

/// An open log segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub number: u64,
    salt: u64,
    /// The last position of the log before this segment.
    pub start: Position,
    pub backend: Box<dyn StorageBackend>,
}

impl Segment {
    /// Opens an existing segment and reads its head. Returns no head if the segment has none that is intact.
    ///
    /// # Errors
    /// `Format` if a build of another format wrote it, `Damaged` if the head is intact but unreadable; otherwise the disk failed.
    pub(crate) fn open(
        disk: &dyn Disk,
        number: u64,
    ) -> Result<(Segment, Option<Record<SegmentHead>>), DbError> {
        let backend = disk.open_segment(number)?;
        let mut segment = Segment { number, salt: 0, start: Position::default(), backend };
        let head = segment.read::<SegmentHead>(0)?;
        if head.is_none() && segment.is_of_earlier_build()? {
            return Err(DbError::Format(None));
        }
        if let Some(Record { value: head, .. }) = &head {
            (segment.salt, segment.start) = (head.salt, head.start);
        }
        Ok((segment, head))
    }

    /// Begins a segment: recycles `spare`, a segment that the log no longer needs, or creates a file.
    ///
    /// # Errors
    /// Fatal: the disk fails or is full.
    pub(crate) fn begin(disk: &dyn Disk, head: &SegmentHead, spare: Option<u64>) -> Result<Segment, DbError> {
        let backend = match spare {
            Some(spare) => disk.recycle_segment(spare, head.number)?,
            None => {
                let backend = disk.open_segment(head.number)?;
                // A segment with this number may have been begun before and never used.
                backend.set_len(0)?;
                backend
            }
        };
        Ok(Segment { number: head.number, salt: head.salt, start: head.start, backend })
    }

    /// Returns true if a build before format 1 wrote this segment. The frames of those builds had no checksum of their own.
    fn is_of_earlier_build(&self) -> Result<bool, DbError> {
        let mut frame = [0; 8];
        let end = self.backend.len()?;
        if end < frame.len() as u64 {
            return Ok(false);
        }
        self.backend.read(0, &mut frame)?;
        let length = u64::from(u32::from_le_bytes(std::array::from_fn(|i| frame[i])));
        if length == 0 || length > LOG_RECORD_BYTES_MAX.min(end - frame.len() as u64) {
            return Ok(false);
        }
        let mut hash = Xxh3::new();
        hash.update(&self.number.to_le_bytes());
        hash.update(&0u64.to_le_bytes());
        let mut body = vec![0; length as usize];
        self.backend.read(frame.len() as u64, &mut body)?;
        hash.update(&body);
        Ok(frame[4..] == (hash.digest() as u32).to_le_bytes())
    }

    fn hash(&self, at: u64) -> Xxh3 {
        let salt = if at == 0 { 0 } else { self.salt };
        let mut hash = Xxh3::new();
        hash.update(&salt.to_le_bytes());
        hash.update(&self.number.to_le_bytes());
        hash.update(&at.to_le_bytes());
        hash
    }

    fn body_sum(&self, at: u64, body: &[u8]) -> u32 {
        let mut hash = self.hash(at);
        hash.update(body);
        hash.digest() as u32
    }

    fn frame_sum(&self, at: u64, length_and_body_sum: &[u8]) -> u32 {
        let mut hash = self.hash(at);
        hash.update(length_and_body_sum);
        hash.digest() as u32
    }

    /// Returns the bytes of a record that is to be stored at offset `at`.
    pub(crate) fn frame<R: Serialize>(&self, at: u64, record: &R) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(RECORD_BYTES_USUAL);
        bytes.extend([0; FRAME_BYTES]);
        bytes.push(VERSION);
        let mut bytes = postcard::to_extend(record, bytes).expect("records are plain data");
        let body = &bytes[FRAME_BYTES..];
        let (length, body_sum) = (body.len() as u32, self.body_sum(at, body));
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4..8].copy_from_slice(&body_sum.to_le_bytes());
        let frame_sum = self.frame_sum(at, &bytes[..8]);
        bytes[8..FRAME_BYTES].copy_from_slice(&frame_sum.to_le_bytes());
        bytes
    }

    /// Reads the record at offset `at`. Returns `None` if there is no intact record.
    ///
    /// # Errors
    /// `Format` if the record is intact but has another version, `Damaged` if it is intact but has an unknown shape; otherwise the
    /// disk failed.
    pub(crate) fn read<R: DeserializeOwned>(&self, at: u64) -> Result<Option<Record<R>>, DbError> {
        let Some((body, sum)) = self.read_body(at)? else { return Ok(None) };
        let value = match body.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).ok(),
            // Its checksums are right, so another build wrote it.
            Some((version, _)) => return Err(DbError::Format(Some(u32::from(*version)))),
            None => None,
        };
        match value {
            Some(value) => Ok(Some(Record { value, behind: at + (FRAME_BYTES + body.len()) as u64, sum })),
            None => Err(self.damaged(at)),
        }
    }

    fn read_body(&self, at: u64) -> Result<Option<(Vec<u8>, u32)>, DbError> {
        let end = self.backend.len()?;
        let Some(body_at) = at.checked_add(FRAME_BYTES as u64).filter(|body| *body <= end) else {
            return Ok(None);
        };
        let mut frame = [0; FRAME_BYTES];
        self.backend.read(at, &mut frame)?;
        let Some(Frame { length, body_sum }) = self.parse_frame(at, &frame) else { return Ok(None) };
        // Checked before the body is allocated.
        if u64::from(length) > end - body_at {
            return Ok(None);
        }
        let mut body = vec![0; length as usize];
        self.backend.read(body_at, &mut body)?;
        Ok((body_sum == self.body_sum(at, &body)).then_some((body, body_sum)))
    }

    /// Returns the length and body checksum in a frame, if the frame's own checksum is right.
    fn parse_frame(&self, at: u64, frame: &[u8; FRAME_BYTES]) -> Option<Frame> {
        let number = |from: usize| u32::from_le_bytes(std::array::from_fn(|i| frame[from + i]));
        let length = number(0);
        let fits = length > 0 && u64::from(length) <= LOG_RECORD_BYTES_MAX;
        (fits && number(8) == self.frame_sum(at, &frame[..8])).then(|| Frame { length, body_sum: number(4) })
    }

    /// Returns the offset of the first intact record at any offset from `from` on.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn find_record(&self, from: u64) -> Result<Option<u64>, DbError> {
        let end = self.backend.len()?;
        let mut bytes = vec![0; LOG_SCAN_BYTES];
        let mut at = from;
        while at.saturating_add(FRAME_BYTES as u64) <= end {
            let length = (end - at).min(LOG_SCAN_BYTES as u64) as usize;
            self.backend.read(at, &mut bytes[..length])?;
            for (offset, frame) in bytes[..length].array_windows::<FRAME_BYTES>().enumerate() {
                let place = at + offset as u64;
                if self.parse_frame(place, frame).is_some() && self.read_body(place)?.is_some() {
                    return Ok(Some(place));
                }
            }
            // Consecutive chunks overlap, so that a frame across their boundary is found.
            at += (length - FRAME_BYTES + 1) as u64;
        }
        Ok(None)
    }

    /// Returns the error for a record at offset `at` that cannot be read.
    pub(crate) fn damaged(&self, at: u64) -> DbError {
        DbError::Damaged(format!("log segment {} cannot be read at byte {at}", self.number))
    }
}

/// Returns the body checksum in a framed record.
pub(super) fn sum_of(record: &[u8]) -> u32 {
    record[4..].first_chunk::<4>().map_or(0, |sum| u32::from_le_bytes(*sum))
}
