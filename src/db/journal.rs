//! The log on disk: files that are only ever appended to, one write and one fsync a batch.
//!
//! ```text
//!   log-00000006   head │ batch │ batch │ batch      nobody needs it: it becomes log-00000009
//!   log-00000007   head │ batch │ batch │ 00000      whole
//!   log-00000008   head │ batch │ bat  what was here before    the newest; its last batch may be torn: nobody was
//!                                                              promised it
//!   head, batch:   a record of log_file.rs
//! ```
//!
//! - A batch is what one append writes: entries, a hard state, or both. Entries that begin at or before the last one
//!   replace what follows there, as another leader's do: the file keeps both, reading it again comes to the same end.
//! - A head says where its file begins and what was promised by then, so that older files can go as a whole. It begins
//!   a file only where everything before is committed once the older file goes ([`Journal::cut`]). And it says where the
//!   file before has to end: what is missing there is noticed.
//! - An epoch is the life of a log: founding and installing a snapshot begin the next one, by a record of `meta` that
//!   changes together with the rows. Files of another epoch are leftovers.
//! - A batch overwrites blocks that the file system has given its file already: where ext4 keeps a journal, one that needs
//!   another block costs 12 KB more there, and three times the time. So the newest of the files that nobody needs stays,
//!   and becomes the next one, by another name, with what is in it; only without one a file is new, and grows by steps of
//!   zeros, which are written as well and then written over.
//! - Checksums cover the file's number and the place in it, so what a file held under another number is nothing. One that is
//!   wrong is damage, unless nothing follows it in the newest file.
//!
//! Why not a table of redb's: a durable commit rewrites every page that changed, about 48 KB for a lone croak with its
//! rows; a batch here is as long as what it says, and the rows are made durable once in thousands of entries.
//!
//! Not here: when to append, what is committed (replica), when the rows are durable (store).

use super::limits::{LOG_BATCH_BYTES, LOG_FILE_BYTES, LOG_FILE_STEP_BYTES};
use super::log_file::LogFile;
use super::record::{HardState, LogEntry, Position};
use super::terms::Terms;
use super::{DbError, Disk};
use crate::state::LogIndex;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, RwLock};

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    epoch: u64,
    number: u64,
    /// The log's last position when this file was begun.
    start: Position,
    hard_state: HardState,
}

#[derive(Serialize)]
struct Appended<'a> {
    hard_state: Option<HardState>,
    entries: &'a [LogEntry],
}

#[derive(Deserialize)]
struct Batch {
    hard_state: Option<HardState>,
    entries: Vec<LogEntry>,
}

/// Where the entries `first..=last` are.
#[derive(Debug, Clone)]
struct Span {
    first: LogIndex,
    last: LogIndex,
    file: Arc<LogFile>,
    at: u64,
}

/// Where everything is: what readers need.
#[derive(Debug, Default)]
pub(super) struct Spans {
    terms: Terms,
    spans: VecDeque<Span>,
}

impl Spans {
    fn behind(floor: Position) -> Spans {
        Spans { terms: Terms::behind(floor), spans: VecDeque::new() }
    }

    fn add(&mut self, entries: &[LogEntry], file: &Arc<LogFile>, at: u64) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        while self.spans.back().is_some_and(|span| span.first >= first.index) {
            self.spans.pop_back();
        }
        if let Some(span) = self.spans.back_mut() {
            span.last = span.last.min(first.index - 1);
        }
        for entry in entries {
            self.terms.push(Position { index: entry.index, term: entry.term });
        }
        self.spans.push_back(Span { first: first.index, last: last.index, file: file.clone(), at });
    }

    fn cut(&mut self, floor: Position) {
        self.terms.cut(floor);
        while self.spans.front().is_some_and(|span| span.last <= floor.index) {
            self.spans.pop_front();
        }
        if let Some(span) = self.spans.front_mut() {
            span.first = span.first.max(floor.index + 1);
        }
    }

    pub fn floor(&self) -> Position {
        self.terms.floor()
    }

    pub fn last(&self) -> Position {
        self.terms.last()
    }

    fn find(&self, index: LogIndex) -> Option<Span> {
        let at = self.spans.partition_point(|span| span.last < index);
        self.spans.get(at).filter(|span| span.first <= index).cloned()
    }
}

/// The entry at `from` and those that follow it in the same batch; nothing when it is not there. Reads and checks the
/// whole batch, beside the writer.
pub(super) fn entries_from(spans: &RwLock<Spans>, from: LogIndex) -> Result<Vec<LogEntry>, DbError> {
    let span = spans.read().expect("no writer panics while it holds this lock").find(from);
    let Some(Span { last, file, at, .. }) = span else { return Ok(Vec::new()) };
    let Some((batch, _)) = file.read::<Batch>(at)? else {
        // Let go of meanwhile, and another file by now? It was taken from the spans first.
        let is_gone = spans.read().expect("no writer panics while it holds this lock").find(from).is_none();
        return if is_gone { Ok(Vec::new()) } else { Err(file.damaged(at)) };
    };
    Ok(batch.entries.into_iter().filter(|entry| (from..=last).contains(&entry.index)).collect())
}

/// The writer's side.
pub(super) struct Journal {
    disk: Arc<dyn Disk>,
    epoch: u64,
    files: VecDeque<Arc<LogFile>>,
    /// The one before them, which nobody needs: the next file is made of it. When the store is opened again, it belongs
    /// to the others.
    spare: Option<Arc<LogFile>>,
    /// Where the next batch goes in the newest file.
    end: u64,
    /// What the newest file is long; behind the end there is nothing that was written under its number.
    length: u64,
    hard_state: HardState,
    spans: Arc<RwLock<Spans>>,
}

impl Journal {
    /// Opens the files of this epoch; without any, the log begins at `base`, where that was promised. In the file
    /// `promised`, if there is such a number, something was: it has to be there.
    ///
    /// # Errors
    /// Fatal: damage, or the disk fails.
    pub fn open(
        disk: Arc<dyn Disk>,
        epoch: u64,
        base: (Position, HardState),
        promised: Option<u64>,
        spans: Arc<RwLock<Spans>>,
    ) -> Result<Journal, DbError> {
        let files = VecDeque::new();
        let mut journal =
            Journal { disk, epoch, files, spare: None, end: 0, length: 0, hard_state: base.1, spans };
        *journal.spans.write().expect("no reader panics while it holds this lock") = Spans::behind(base.0);
        let newest = journal.find_files(promised)?;
        for at in 0..journal.files.len() {
            journal.read_file(at)?;
        }
        if journal.files.is_empty() {
            journal.begin_file(newest + 1)?;
            journal.sync()?;
        }
        Ok(journal)
    }

    /// Finds the files that belong together, and removes what does not belong. Answers the newest number seen.
    fn find_files(&mut self, promised: Option<u64>) -> Result<u64, DbError> {
        let numbers = self.disk.log_files()?;
        if let Some(gone) = promised.filter(|number| !numbers.contains(number)) {
            return Err(DbError::Damaged(format!("the log's file {gone} is gone")));
        }
        let newest = numbers.last().copied().unwrap_or(0);
        for number in numbers {
            let mut file = LogFile::open(self.disk.as_ref(), number)?;
            match file.read::<Head>(0)? {
                Some((head, _)) if (head.epoch, head.number) == (self.epoch, number) => {
                    file.start = head.start;
                    if self.files.back().is_some_and(|before| before.number + 1 != number) {
                        // Older ones went, and one of them came back: nobody needs it.
                        self.drop_files()?;
                    }
                    self.files.push_back(Arc::new(file));
                }
                Some(_) if promised != Some(number) => self.remove(number)?,
                // It was about to be begun: nothing in it was promised.
                None if number == newest && promised != Some(number) => self.remove(number)?,
                Some(_) | None => return Err(file.damaged(0)),
            }
        }
        if let Some(file) = self.files.front() {
            *self.spans.write().expect("no reader panics while it holds this lock") =
                Spans::behind(file.start);
        }
        Ok(newest)
    }

    fn drop_files(&mut self) -> Result<(), DbError> {
        while let Some(file) = self.files.pop_front() {
            self.remove(file.number)?;
        }
        Ok(())
    }

    fn remove(&self, number: u64) -> Result<(), DbError> {
        self.disk.remove_log(number)
    }

    /// Reads one of the files, in their order.
    fn read_file(&mut self, which: usize) -> Result<(), DbError> {
        let file = self.files[which].clone();
        let is_newest = which + 1 == self.files.len();
        let mut spans = self.spans.write().expect("no reader panics while it holds this lock");
        let before = spans.last();
        if before != file.start {
            return Err(DbError::Damaged(format!(
                "the log's file {} begins behind {}, the one before ends at {}",
                file.number, file.start.index, before.index
            )));
        }
        let Some((head, mut at)) = file.read::<Head>(0)? else { return Err(file.damaged(0)) };
        self.hard_state = head.hard_state;
        while let Some((batch, behind)) = file.read::<Batch>(at)? {
            if !goes_on(&batch.entries, spans.last().index) {
                return Err(file.damaged(at));
            }
            spans.add(&batch.entries, &file, at);
            self.hard_state = batch.hard_state.unwrap_or(self.hard_state);
            at = behind;
        }
        // Of another than the newest, the next one's head tells whether that is all.
        if is_newest {
            self.end = at;
            self.length = self.clear_behind(&file, at)?;
        }
        Ok(())
    }

    /// Takes away what lies behind the last whole record of the newest file: it may be a part of one that was cut off.
    /// Answers how long the file is.
    fn clear_behind(&self, file: &LogFile, at: u64) -> Result<u64, DbError> {
        if file.is_blank_from(at)? {
            return Ok(file.backend.len()?);
        }
        if file.goes_on_behind::<Batch>(at)? {
            return Err(file.damaged(at));
        }
        log::debug!("the log's file {} has something behind its end", file.number);
        file.backend.set_len(at)?;
        file.backend.sync_data()?;
        Ok(at)
    }

    /// Begins another file. Not durable yet.
    fn begin_file(&mut self, number: u64) -> Result<(), DbError> {
        let spare = self.spare.take().map(|spare| spare.number);
        let file = LogFile::begin(self.disk.as_ref(), number, spare, self.last())?;
        let head = Head { epoch: self.epoch, number, start: file.start, hard_state: self.hard_state };
        self.length = file.backend.len()?;
        let file = Arc::new(file);
        self.end = self.put(&file, 0, file.frame(0, &head))?;
        self.files.push_back(file);
        Ok(())
    }

    /// Writes a record to the newest file, which is made long enough. Answers where it ends.
    fn put(&mut self, file: &LogFile, at: u64, mut record: Vec<u8>) -> Result<u64, DbError> {
        let end = at + record.len() as u64;
        if end > self.length {
            self.length = end.next_multiple_of(LOG_FILE_STEP_BYTES);
            file.backend.set_len(self.length)?;
            record.resize((self.length - at) as usize, 0);
        }
        file.backend.write(at, &record)?;
        Ok(end)
    }

    fn newest(&self) -> &Arc<LogFile> {
        self.files.back().expect("an open journal has a file")
    }

    fn sync(&self) -> Result<(), DbError> {
        Ok(self.newest().backend.sync_data()?)
    }

    /// Appends, durably. Begins another file first when the newest has `file_entries` entries or is long.
    ///
    /// # Errors
    /// Fatal: the disk is full or fails; nothing of this was promised.
    pub fn append(
        &mut self,
        entries: &[LogEntry],
        hard_state: Option<HardState>,
        file_entries: u64,
    ) -> Result<(), DbError> {
        let newest = self.newest();
        let held = self.last().index.saturating_sub(newest.start.index);
        if held >= file_entries || self.end >= LOG_FILE_BYTES {
            let number = newest.number + 1;
            self.begin_file(number)?;
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
        let (file, at) = (self.newest().clone(), self.end);
        let end = self.put(&file, at, file.frame(at, &Appended { hard_state, entries }))?;
        // Each is durable before the next is written: only the last of a file can be torn.
        file.backend.sync_data()?;
        self.end = end;
        self.hard_state = hard_state.unwrap_or(self.hard_state);
        self.spans.write().expect("no reader panics while it holds this lock").add(entries, &file, at);
        Ok(())
    }

    /// Lets go of whole files that hold nothing behind `through`, which is applied durably. The newest of them is kept for
    /// its room.
    ///
    /// # Errors
    /// Fatal: the disk fails.
    pub fn cut(&mut self, through: LogIndex) -> Result<(), DbError> {
        while let Some(next) = self.files.get(1).filter(|next| next.start.index <= through) {
            let index = next.start.index;
            let mut spans = self.spans.write().expect("no reader panics while it holds this lock");
            // What was last when the next file began may have been replaced since.
            let term = spans.terms.at(index).unwrap_or(next.start.term);
            spans.cut(Position { index, term });
            drop(spans);
            if let Some(older) = mem::replace(&mut self.spare, self.files.pop_front()) {
                self.remove(older.number)?;
            }
        }
        Ok(())
    }

    pub fn spans(&self) -> Arc<RwLock<Spans>> {
        self.spans.clone()
    }

    #[cfg(test)]
    pub fn end(&self) -> u64 {
        self.end
    }

    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of the file in which the last batch is.
    pub fn newest_number(&self) -> u64 {
        self.newest().number
    }

    /// The last index before the newest file.
    pub fn newest_start(&self) -> LogIndex {
        self.newest().start.index
    }

    pub fn hard_state(&self) -> HardState {
        self.hard_state
    }

    /// Where each term begins.
    pub fn terms(&self) -> Terms {
        self.spans.read().expect("no writer panics while it holds this lock").terms.clone()
    }

    /// The position just before the first entry.
    pub fn floor(&self) -> Position {
        self.spans.read().expect("no writer panics while it holds this lock").floor()
    }

    pub fn last(&self) -> Position {
        self.spans.read().expect("no writer panics while it holds this lock").last()
    }
}

/// Whether these entries may stand behind a log that ends at `last`: at its end, or instead of some of it, with no hole.
fn goes_on(entries: &[LogEntry], last: LogIndex) -> bool {
    let Some(first) = entries.first() else { return true };
    let follows = |(entry, before): (&LogEntry, &LogEntry)| before.index.checked_add(1) == Some(entry.index);
    first.index > 0 && first.index - 1 <= last && entries.iter().skip(1).zip(entries).all(follows)
}

/// How many of the first entries make one batch.
fn batch_len(entries: &[LogEntry]) -> usize {
    let mut bytes = 0;
    let fits = entries.iter().take_while(|entry| {
        bytes += entry.data.len() + 32;
        bytes <= LOG_BATCH_BYTES
    });
    fits.count().max(1).min(entries.len())
}
