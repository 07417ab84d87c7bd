//! Read access to the rows and to the log, concurrent with the writer.
//!
//! A view is one redb read transaction. It sees the state at one applied index and never waits for the writer.

use super::DbError;
use super::digest::{DigestAt, Digests};
use super::faults::{Fault, injected};
use super::meta::read_meta;
use super::pin::{Pin, PinRequests};
use super::reader_cache::ReaderCache;
use super::record::{LogEntry, Position};
use super::rows_view::{CachedView, RowsView};
use super::scrub::{Scrub, ScrubPass};
use super::spans::{Spans, entries_from};
use super::tables::APPLIED;
use super::tables::{META, ROWS};
use redb::{Database, ReadOnlyTable, ReadableDatabase};
use ribbit_state::answer::answer;
use ribbit_state::caches::ring::{Ring, RingChange};
use ribbit_state::caches::search_index::SearchIndex;
use ribbit_state::caches::timelines::{Caches, Timelines};
use ribbit_state::dedup::DedupWindow;
use ribbit_state::sync::{MutexExt, RwLockExt};
use ribbit_state::{Denied, LogIndex, Outcome, Page, Query, RequestId, croaks};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockWriteGuard};

/// State that the writer shares with readers.
#[derive(Debug)]
pub(super) struct StoreShared {
    /// Replaced together with the ring when a snapshot is installed. Readers of the old file finish undisturbed.
    pub database: RwLock<Arc<Database>>,
    /// Lock order: before `database`.
    pub ring: RwLock<Ring>,
    /// Feeds of active readers. Locked last.
    pub timelines: Timelines,
    /// Index of the words of croaks. Locked last.
    pub search: SearchIndex,
    /// Rows that answers read often. Locked last.
    pub reader_cache: ReaderCache,
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

impl StoreShared {
    pub(crate) fn follow(&self, news: Vec<RingChange>) {
        if !news.is_empty() {
            let mut ring = self.ring.write_locked();
            news.into_iter().for_each(|news| ring.follow(news));
        }
    }
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
        let database = self.database();
        let rows = database.begin_read()?.open_table(ROWS)?;
        Ok(RowsView { rows, age_ms, _database: Some(database) })
    }

    /// Returns a view of the current rows, with their applied index.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn view_at(
        &self,
    ) -> Result<(LogIndex, RowsView<ReadOnlyTable<&'static [u8], &'static [u8]>>), DbError> {
        let age_ms = self.age_ms();
        let database = self.database();
        let transaction = database.begin_read()?;
        let applied: Position = read_meta(&transaction.open_table(META)?, APPLIED)?.unwrap_or_default();
        let rows = transaction.open_table(ROWS)?;
        Ok((applied.index, RowsView { rows, age_ms, _database: Some(database) }))
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
        let view = CachedView { view, at: index, cache: &self.shared.reader_cache };
        let StoreShared { timelines, search, .. } = &*self.shared;
        let caches = Caches { ring: ring.seen_at(index), timelines, search };
        let page = answer(&view, caches, query)?;
        Ok((if injected(Fault::EarlyToken) { index.saturating_sub(1) } else { index }, page))
    }

    /// Returns true if the search index should cover more croaks.
    pub fn search_wants_more(&self) -> bool {
        self.shared.search.wants_more(self.applied())
    }

    /// Lets the search index cover some more croaks. Returns true while there is more to do.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn extend_search(&self) -> Result<bool, DbError> {
        let (applied, view) = self.view_at()?;
        self.shared.search.extend(&view, applied)
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

    /// Pins the current rows.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn pin(&self) -> Result<Pin, DbError> {
        Pin::new(self.database())
    }

    /// Requests a pin at this index. The writer stops there, unless it has passed it already.
    pub fn request_pin(&self, index: LogIndex) -> PinRequest {
        self.shared.pins.add(index);
        PinRequest { reader: self.clone(), index }
    }

    /// Reads and checks the next range, of about `SCRUB_CHUNK_BYTES`, while the writer waits. Returns the pass if it ended
    /// with this range.
    ///
    /// # Errors
    /// Fatal: the store is damaged or cannot be read.
    pub fn scrub(&self) -> Result<Option<ScrubPass>, DbError> {
        let mut scrub = self.shared.scrub.locked();
        scrub.step(&self.database(), &self.shared.log)
    }
}

/// A request for a pin at one index. Dropping it withdraws the request.
pub struct PinRequest {
    reader: Reader,
    index: LogIndex,
}

impl Drop for PinRequest {
    fn drop(&mut self) {
        self.reader.shared.pins.remove(self.index);
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
        if let Some(pin) = self.reader.shared.pins.take(self.index) {
            return Ok((Some(pin), self.index));
        }
        let pin = self.reader.pin()?;
        let at = pin.position.index;
        Ok(((at == self.index).then_some(pin), at))
    }
}
