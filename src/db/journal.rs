//! The write-ahead log: segments that are only appended to, with one write and one fsync per batch.
//!
//! ```text
//!   log-00000006   head │ batch │ batch │ batch      no longer needed: to be recycled as log-00000009
//!   log-00000007   head │ batch │ batch │ 00000      complete
//!   log-00000008   head │ batch │ bat  old bytes     the newest; its last batch may be torn, and was then never
//!                                                    acknowledged
//!   head, batch:   a record of segment.rs
//! ```
//!
//! - A batch is the unit of writing: entries, a hard state, or both. Entries whose first index is not beyond the last one
//!   replace the entries from there on, as those of a new leader do. The segment keeps both, and replaying it gives the
//!   same result.
//! - A head stores the position and the hard state before its segment, so that older segments can be removed whole. A
//!   segment is removed only when everything before the next one is committed ([`Journal::cut`]). A head also stores
//!   the offset at which the previous segment ends, so a missing record there is detected.
//! - An epoch numbers the logs that a store has had. Founding a cluster and installing a snapshot begin the next epoch by
//!   a record of `meta` that changes in the same transaction as the rows. Segments of another epoch are leftovers.
//! - **Recycling.** A batch overwrites blocks that its file already has: on ext4 with a journal a batch that needs a new
//!   block costs 12 KB more and three times the time. The newest segment that is no longer needed is therefore renamed to
//!   be the next one, with its old content. Without such a segment a file is created and grows in steps of zeros.
//! - **Torn tail.** Each batch is durable before the next one is written, so only the last one of the newest segment can
//!   be torn, and no intact record follows it. A broken record that is followed by an intact one, anywhere in the segment,
//!   is damage.
//! - **Unsynced tail.** The last batch that is read back may exist only in the page cache: its process died before the
//!   fsync, or the fsync failed. [`Journal::start`] therefore writes that batch again, into a new segment, and syncs it
//!   before anything is acknowledged. A segment whose fsync failed is never appended to again.
//! - **A segment that was cut short**, by a repair of the file system for example, ends within a step in which other records
//!   begin. A crash leaves that only where a single record made the file grow, so it is damage.
//! - `meta` stores a [`SyncPoint`]: a segment and the offset up to which it was synced. A segment that ends before that
//!   offset, or is missing, is damage.
//!
//! Why not a redb table: a durable redb commit rewrites every page that changed, about 48 KB for a single croak with its
//! rows. A batch here takes only its own length, and the rows become durable once in thousands of entries.
//!
//! Not here: the time of an append and the commit index (replica), checkpoints of the rows (store).

use super::faults::{Fault, injected};
use super::limits::{LOG_BATCH_BYTES, LOG_SEGMENT_BYTES, LOG_SEGMENT_STEP_BYTES, LOG_SEGMENTS_MAX};
use super::record::{HardState, LogEntry, Position};
use super::segment::{Record, Segment, SegmentHead, sum_of};
use super::spans::{Batch, Spans};
use super::terms::Terms;
use super::{DbError, Disk};
use ribbit_state::LogIndex;
use ribbit_state::sync::RwLockExt;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, RwLock};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// An offset in a segment up to which everything is known to be synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SyncPoint {
    pub(crate) epoch: u64,
    pub number: u64,
    pub end: u64,
}

/// A batch to be written; see [`Batch`].
#[derive(Serialize)]
struct BatchRef<'a> {
    hard_state: Option<HardState>,
    entries: &'a [LogEntry],
}

/// Last batch of the newest segment, with the end of the log before it.
struct LastBatch {
    at: u64,
    batch: Batch,
    start: Position,
    hard_state: HardState,
}

/// The log, opened for writing.
pub(super) struct Journal {
    disk: Arc<dyn Disk>,
    epoch: u64,
    segments: VecDeque<Arc<Segment>>,
    /// The segment before them, which is no longer needed and will be recycled as the next one. A restarted process reads
    /// it as part of the log.
    spare: Option<Arc<Segment>>,
    /// Offset of the next batch in the newest segment.
    end: u64,
    /// Length of the newest segment's file.
    length: u64,
    hard_state: HardState,
    /// Hash over all records: the salt of the next segment.
    digest: u64,
    spans: Arc<RwLock<Spans>>,
    /// True during a write or sync, and from then on if it failed.
    is_suspect: bool,
    /// Last batch that was read back, if it may never have been synced.
    unsynced: Option<LastBatch>,
    /// Segments that are not part of the log.
    leftovers: Vec<u64>,
}

impl Journal {
    /// Reads the segments of this epoch without changing them. If there are none, the log begins at `base`, the position
    /// and hard state in `meta`. `note` must be of this epoch too. [`Journal::start`] must be called before any append or
    /// acknowledgement.
    ///
    /// # Errors
    /// Fatal: the log is damaged, or the disk failed.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        epoch: u64,
        base: (Position, HardState),
        note: Option<SyncPoint>,
        spans: Arc<RwLock<Spans>>,
    ) -> Result<Journal, DbError> {
        let mut journal = Journal {
            disk,
            epoch,
            segments: VecDeque::new(),
            spare: None,
            end: 0,
            length: 0,
            hard_state: base.1,
            digest: 0,
            spans,
            is_suspect: false,
            unsynced: None,
            leftovers: Vec::new(),
        };
        *journal.spans.write_locked() = Spans::behind(base.0);
        let heads = journal.find_segments(note)?;
        for (at, head) in heads.iter().enumerate() {
            let end = heads.get(at + 1).map(|next| next.value.previous_end);
            journal.read_segment(at, head, end, note.filter(|note| note.number == head.value.number))?;
        }
        Ok(journal)
    }

    /// Makes the log durable as it was read: removes leftovers, and writes the last batch again if it may not be synced.
    ///
    /// # Errors
    /// Fatal: the disk is full or failed.
    pub(crate) fn start(&mut self) -> Result<(), DbError> {
        let newest = self.leftovers.last().copied().unwrap_or(0);
        for number in mem::take(&mut self.leftovers) {
            self.remove(number)?;
        }
        if self.segments.is_empty() {
            self.begin_segment(newest + 1, self.last(), self.hard_state)?;
            self.sync()?;
        }
        let Some(LastBatch { at, batch, start, hard_state }) = self.unsynced.take() else { return Ok(()) };
        if injected(Fault::UnsyncedTail) {
            return Ok(());
        }
        self.end = at;
        self.begin_segment(self.newest().number + 1, start, hard_state)?;
        self.write(&batch.entries, batch.hard_state)
    }

    /// Finds the consecutive segments of this log and returns their heads. All other segments become leftovers.
    fn find_segments(&mut self, note: Option<SyncPoint>) -> Result<Vec<Record<SegmentHead>>, DbError> {
        let numbers = self.disk.log_segments()?;
        let noted = note.map(|note| note.number);
        if let Some(gone) = noted.filter(|number| !numbers.contains(number)) {
            return Err(DbError::Damaged(format!("log segment {gone} is missing")));
        }
        let newest = numbers.last().copied();
        let mut heads: Vec<Record<SegmentHead>> = Vec::new();
        for number in numbers {
            let (segment, head) = Segment::open(self.disk.as_ref(), number)?;
            let is_noted = noted == Some(number);
            let may_be_unused = newest == Some(number) && !is_noted;
            match head {
                Some(head) if (head.value.epoch, head.value.number) == (self.epoch, number) => {
                    if may_be_unused && is_unused(&segment, head.behind)? {
                        self.leftovers.push(number);
                        continue;
                    }
                    if heads.last().is_some_and(|before| before.value.number + 1 != number) {
                        // The removal of a file is not synced, so an old segment may reappear without its successor.
                        self.leftovers.extend(heads.drain(..).map(|head| head.value.number));
                        self.segments.clear();
                    }
                    heads.push(head);
                    self.segments.push_back(Arc::new(segment));
                }
                Some(_) if !is_noted => self.leftovers.push(number),
                None if may_be_unused => self.leftovers.push(number),
                Some(_) | None => return Err(segment.damaged(0)),
            }
        }
        self.leftovers.sort_unstable();
        if let Some(head) = heads.first() {
            *self.spans.write_locked() = Spans::behind(head.value.start);
        }
        Ok(heads)
    }

    fn remove(&self, number: u64) -> Result<(), DbError> {
        self.disk.remove_segment(number)
    }

    /// Reads a segment; called for each in order. Its records end at `end`; those of the newest segment end with the last
    /// intact one.
    fn read_segment(
        &mut self,
        which: usize,
        Record { value: head, behind, .. }: &Record<SegmentHead>,
        end: Option<u64>,
        note: Option<SyncPoint>,
    ) -> Result<(), DbError> {
        let segment = self.segments[which].clone();
        let spans = self.spans.clone();
        let mut spans = spans.write_locked();
        let before = spans.last();
        if before != head.start {
            return Err(DbError::Damaged(format!(
                "log segment {} begins behind {}, but the previous one ends at {}",
                head.number, head.start.index, before.index
            )));
        }
        let mut at = *behind;
        self.hard_state = head.hard_state;
        let mut last = None;
        while end.is_none_or(|end| at < end)
            && let Some(Record { value: batch, behind, sum }) = segment.read::<Batch>(at)?
        {
            self.digest = mixed(self.digest, sum);
            if !goes_on(&batch.entries, spans.last().index) {
                return Err(segment.damaged(at));
            }
            let (start, hard_state) = (spans.last(), self.hard_state);
            spans.add(&batch.entries, &segment, at);
            self.hard_state = batch.hard_state.unwrap_or(hard_state);
            last = Some(LastBatch { at, batch, start, hard_state });
            at = behind;
        }
        drop(spans);
        let synced = note.map_or(0, |note| note.end);
        if at < synced || end.is_some_and(|end| at != end) {
            return Err(segment.damaged(at));
        }
        if end.is_none() {
            if !injected(Fault::TornMiddle) && segment.find_record(at)?.is_some() {
                return Err(segment.damaged(at));
            }
            (self.end, self.length) = (at, segment.backend.len()?);
            if last.as_ref().is_some_and(|last| self.is_cut_short(last.at)) {
                return Err(segment.damaged(self.length));
            }
            self.unsynced = last.filter(|_| at > synced);
        }
        Ok(())
    }

    /// Returns true if the newest segment is shorter than it was synced. It grows in steps, and a crash while it grows may leave
    /// any length. The record for which it grew begins before its former end, so one that begins behind the last whole step was
    /// written to a longer file.
    fn is_cut_short(&self, last_record: u64) -> bool {
        last_record > self.length - self.length % LOG_SEGMENT_STEP_BYTES
    }

    /// Begins the next segment behind `start`; the newest one ends at `self.end`. Does not sync it.
    fn begin_segment(&mut self, number: u64, start: Position, hard_state: HardState) -> Result<(), DbError> {
        let spare = self.spare.take().map(|spare| spare.number);
        let head = SegmentHead {
            epoch: self.epoch,
            number,
            start,
            hard_state,
            previous_end: self.end,
            salt: self.digest,
        };
        self.is_suspect = true;
        let segment = Arc::new(Segment::begin(self.disk.as_ref(), &head, spare)?);
        self.length = segment.backend.len()?;
        self.end = self.put(&segment, 0, segment.frame(0, &head))?;
        self.segments.push_back(segment);
        self.is_suspect = false;
        Ok(())
    }

    /// Writes a record to the newest segment, whose file it extends if necessary. Returns the offset after the record.
    fn put(&mut self, segment: &Segment, at: u64, mut record: Vec<u8>) -> Result<u64, DbError> {
        let end = at + record.len() as u64;
        self.digest = mixed(self.digest, sum_of(&record));
        // A crash while the file grew may have left it within a step, which would count as cut short.
        if end > self.length || !self.length.is_multiple_of(LOG_SEGMENT_STEP_BYTES) {
            self.length = self.length.max(end).next_multiple_of(LOG_SEGMENT_STEP_BYTES);
            segment.backend.set_len(self.length)?;
            record.resize((self.length - at) as usize, 0);
        }
        segment.backend.write(at, &record)?;
        Ok(end)
    }

    fn newest(&self) -> &Arc<Segment> {
        self.segments.back().expect("a started journal has a segment")
    }

    fn sync(&self) -> Result<(), DbError> {
        Ok(self.newest().backend.sync_data()?)
    }

    /// Appends durably. Begins another segment first if the newest has `segment_entries` entries or `LOG_SEGMENT_BYTES`.
    ///
    /// # Errors
    /// Fatal: the disk is full or failed. No part of the append may be acknowledged, and every later append fails with
    /// `Suspect`.
    pub(crate) fn append(
        &mut self,
        entries: &[LogEntry],
        hard_state: Option<HardState>,
        segment_entries: u64,
    ) -> Result<(), DbError> {
        if self.is_suspect {
            return Err(DbError::Suspect);
        }
        let newest = self.newest();
        let held = self.last().index.saturating_sub(newest.start.index);
        if held >= segment_entries || self.end >= LOG_SEGMENT_BYTES {
            self.begin_segment(newest.number + 1, self.last(), self.hard_state)?;
        }
        let mut rest = entries;
        let mut hard_state = hard_state;
        loop {
            let (batch, behind) = rest.split_at(batch_len(rest));
            self.write(batch, hard_state.take())?;
            rest = behind;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn write(&mut self, entries: &[LogEntry], hard_state: Option<HardState>) -> Result<(), DbError> {
        let (segment, at) = (self.newest().clone(), self.end);
        self.is_suspect = true;
        let end = self.put(&segment, at, segment.frame(at, &BatchRef { hard_state, entries }))?;
        // Each batch is durable before the next one is written: only the last one of a segment can be torn.
        match segment.backend.sync_data() {
            Err(_) if injected(Fault::FailedSync) => segment.backend.sync_data()?,
            synced => synced?,
        }
        self.is_suspect = false;
        self.end = end;
        self.hard_state = hard_state.unwrap_or(self.hard_state);
        self.spans.write_locked().add(entries, &segment, at);
        Ok(())
    }

    /// Removes the segments without entries behind `through`, which must be durably applied. The newest of them is kept for
    /// recycling.
    ///
    /// # Errors
    /// Fatal: the disk failed.
    pub(crate) fn cut(&mut self, through: LogIndex) -> Result<(), DbError> {
        while let Some(next) = self.segments.get(1).filter(|next| next.start.index <= through) {
            let index = next.start.index;
            let mut spans = self.spans.write_locked();
            // The last entry at the time when the next segment began may have been replaced since.
            let term = spans.terms.at(index).unwrap_or(next.start.term);
            spans.cut(Position { index, term });
            drop(spans);
            if let Some(older) = mem::replace(&mut self.spare, self.segments.pop_front()) {
                self.remove(older.number)?;
            }
        }
        Ok(())
    }

    /// Returns the last index before the newest `LOG_SEGMENTS_MAX` segments. The log may be cut up to it even if it keeps
    /// fewer entries than usual.
    pub(crate) fn surplus(&self) -> LogIndex {
        let first = self.segments.len().saturating_sub(LOG_SEGMENTS_MAX);
        self.segments.get(first).filter(|_| first > 0).map_or(0, |segment| segment.start.index)
    }

    pub(crate) fn spans(&self) -> Arc<RwLock<Spans>> {
        self.spans.clone()
    }

    #[cfg(test)]
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns the newest segment and the offset up to which it is synced.
    pub(crate) fn note(&self) -> SyncPoint {
        SyncPoint { epoch: self.epoch, number: self.newest().number, end: self.end }
    }

    /// Returns the last index before the newest segment.
    pub(crate) fn newest_start(&self) -> LogIndex {
        self.newest().start.index
    }

    pub(crate) fn hard_state(&self) -> HardState {
        self.hard_state
    }

    /// Returns the terms of the entries.
    pub(crate) fn terms(&self) -> Terms {
        self.spans.read_locked().terms.clone()
    }

    /// Returns the position just before the first entry.
    pub(crate) fn floor(&self) -> Position {
        self.spans.read_locked().floor()
    }

    pub(crate) fn last(&self) -> Position {
        self.spans.read_locked().last()
    }
}

/// Returns true if no record of this segment, the newest, was ever acknowledged. `meta` records a segment once its first
/// batch is synced, and before that no batch is acknowledged. If there is a second batch, that record must have been lost.
fn is_unused(segment: &Segment, behind_head: u64) -> Result<bool, DbError> {
    let first = segment.read::<Batch>(behind_head)?.map_or(behind_head, |first| first.behind);
    Ok(segment.find_record(first)?.is_none())
}

fn mixed(digest: u64, sum: u32) -> u64 {
    xxh3_64_with_seed(&sum.to_le_bytes(), digest)
}

/// Returns true if these entries continue a log that ends at `last`, or replace its end, without a gap.
fn goes_on(entries: &[LogEntry], last: LogIndex) -> bool {
    let Some(first) = entries.first() else { return true };
    let follows = |(entry, before): (&LogEntry, &LogEntry)| before.index.checked_add(1) == Some(entry.index);
    first.index > 0 && first.index - 1 <= last && entries.iter().skip(1).zip(entries).all(follows)
}

/// Returns the number of leading entries that form one batch.
fn batch_len(entries: &[LogEntry]) -> usize {
    let mut bytes = 0;
    let fits = entries.iter().take_while(|entry| {
        bytes += entry.data.len() + 32;
        bytes <= LOG_BATCH_BYTES
    });
    fits.count().max(1).min(entries.len())
}
