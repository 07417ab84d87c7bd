//! The writer of a store: one owner, one transaction at a time.
//!
//! ```text
//!   open ──▶ Store ──▶ append(entries, hard state)   one write to the log, one fsync
//!                 ├──▶ apply(entries)                one commit of the rows, rarely with fsync; returns outcomes
//!                 ├──▶ identify(identity)            once, when the node founds or joins a cluster
//!                 └──▶ install(snapshot)             replaces the file by the received one
//! ```

use super::applying::{AppliedEntry, Applying, check_level, is_command, understood};
use super::disk::begin_durable;
use super::faults::{Fault, injected};
use super::format::{self, FormatMissing};
use super::journal::{Journal, SyncPoint};
use super::limits::{
    CHECKPOINT_ENTRIES, CHECKPOINT_TURNS, LOG_KEEP_ENTRIES, LOG_KEEP_STRETCH, LOG_SEGMENT_ENTRIES,
};
use super::meta::{has_tables, make_tables, read_identity, read_meta, write_identity, write_meta};
use super::pin::PinRequests;
use super::read::{Reader, StoreShared};
use super::reader_cache::ReaderCache;
use super::record::{Configuration, HardState, Identity, LogEntry, Position};
use super::ring_load::load_ring;
use super::row_cache::RowCache;
use super::rows_view::RowsView;
use super::scrub::Scrub;
use super::spans::Spans;
use super::tables::{APPLIED, CONFIGURATION, DIGEST, EPOCH, FLOOR, HARD_STATE, META, NEWEST_LOG, ROWS};
use super::terms::Terms;
use super::{DbError, Disk, StoreFile, digest};
use redb::{Database, Durability, ReadableDatabase};
use ribbit_state::LogIndex;
use ribbit_state::caches::ring::RingChange;
use ribbit_state::caches::search_index::SearchIndex;
use ribbit_state::caches::timelines::Timelines;
use ribbit_state::dedup::DedupWindow;
use ribbit_state::limits::RULES_LEVEL;
use ribbit_state::sync::{MutexExt, RwLockExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

/// Number of bytes of log entries that are checked at a time when a store is opened.
const CHECK_BYTES: u64 = 1024 * 1024;

/// Content of a store when it is opened, from which a node starts.
#[derive(Debug, Clone, Default)]
pub struct StoreContents {
    pub identity: Option<Identity>,
    pub hard_state: HardState,
    pub applied: Position,
    pub configuration: Configuration,
    pub floor: Position,
    pub last: Position,
    /// Terms of the log's entries.
    pub terms: Terms,
    /// Digest of the rows, if the store has a current one.
    pub digest: u64,
}

/// A node's durable storage, opened for writing.
pub struct Store {
    /// Highest rules level that this version understands.
    pub(super) level: u32,
    disk: Arc<dyn Disk>,
    shared: Arc<StoreShared>,
    pub(super) identity: Option<Identity>,
    journal: Journal,
    applied: Position,
    row_cache: RowCache,
    /// Applied index of the last durable commit of the rows. The log is never cut past it.
    applied_durable: LogIndex,
    log_keep_entries: u64,
    /// A member that catches up still needs the entries after this index.
    log_wanted: LogIndex,
    /// The newest log segment that `meta` names durably.
    log_noted: Option<SyncPoint>,
}

impl Store {
    /// Opens the main file, or creates an empty one.
    ///
    /// # Errors
    /// Fatal: the store cannot be read, is damaged or of another format, or another process has it open.
    pub fn open(disk: impl Disk) -> Result<Store, DbError> {
        Store::open_at_level(disk, RULES_LEVEL)
    }

    /// As [`Store::open`], for a version that understands rules levels up to `level`.
    ///
    /// # Errors
    /// As [`Store::open`]. `TooNew` if the cluster has a higher level; nothing is changed then.
    pub fn open_at_level(disk: impl Disk, level: u32) -> Result<Store, DbError> {
        super::catch_read_panics(|| Store::open_trusting(disk, level))
    }

    fn open_trusting(disk: impl Disk, level: u32) -> Result<Store, DbError> {
        // Before any file is opened for writing: a store of another format or a newer level is not changed.
        format::check_untouched(&disk, level)?;
        disk.claim()?;
        let database = disk.open(StoreFile::Main)?;
        format::check(&database, FormatMissing::IsDamage)?;
        check_level(&database, level)?;
        disk.discard_incoming()?;
        // The rows are always created before the log. A log without rows is useless, and starting an empty store over it
        // would hide the loss.
        if !has_tables(&database)? && !disk.log_segments()?.is_empty() {
            return Err(DbError::Damaged("its rows are missing, but its log exists".into()));
        }
        make_tables(&database)?;
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let (journal, log_noted) = open_journal(&disk, &database, Arc::default())?;
        let shared = Arc::new(StoreShared {
            database: RwLock::new(Arc::new(database)),
            ring: RwLock::default(),
            timelines: Timelines::default(),
            search: SearchIndex::default(),
            reader_cache: ReaderCache::default(),
            dedup: RwLock::default(),
            digests: Mutex::default(),
            scrub: Mutex::default(),
            pins: PinRequests::default(),
            log: journal.spans(),
            applied: AtomicU64::new(0),
            age_ms: AtomicU64::new(0),
        });
        let mut store = Store {
            level,
            disk,
            shared,
            identity: None,
            journal,
            applied: Position::default(),
            row_cache: RowCache::default(),
            applied_durable: 0,
            log_keep_entries: LOG_KEEP_ENTRIES,
            log_wanted: LogIndex::MAX,
            log_noted,
        };
        store.load()?;
        store.check_entries()?;
        store.start_log()?;
        Ok(store)
    }

    /// Refuses a log with unapplied entries that this version does not understand, before this node makes any promise.
    fn check_entries(&self) -> Result<(), DbError> {
        let (reader, end) = (self.reader(), self.journal.last().index + 1);
        let mut next = self.applied.index + 1;
        loop {
            let entries = reader.entries(next, end, CHECK_BYTES)?;
            for entry in entries.iter().filter(|entry| is_command(entry)) {
                understood(entry, self.level)?;
            }
            match entries.last() {
                Some(last) => next = last.index + 1,
                None => return Ok(()),
            }
        }
    }

    /// Sets the number of entries kept behind the applied index. Test hook: a short log makes members catch up by
    /// snapshot.
    pub fn set_log_keep_entries(&mut self, entries: u64) {
        self.log_keep_entries = entries;
    }

    /// Makes the log keep the entries after `index` for members that catch up, within `LOG_KEEP_STRETCH`.
    pub fn keep_log_after(&mut self, index: LogIndex) {
        self.log_wanted = index;
    }

    pub fn reader(&self) -> Reader {
        Reader { shared: self.shared.clone() }
    }

    pub(super) fn shared(&self) -> Arc<StoreShared> {
        self.shared.clone()
    }

    pub(super) fn database(&self) -> Arc<Database> {
        self.shared.database.read_locked().clone()
    }

    /// Rebuilds everything kept in memory from the file.
    pub(super) fn load(&mut self) -> Result<(), DbError> {
        self.show(self.database())
    }

    /// Makes `database` visible to readers and rebuilds everything kept in memory from it. Its rows and its ring become
    /// visible together: a page that mixed old and new ones would not match its token.
    fn show(&mut self, database: Arc<Database>) -> Result<(), DbError> {
        let loaded = self.loaded_from(&database)?;
        let rows = database.begin_read()?.open_table(ROWS)?;
        let view = RowsView { rows, age_ms: 0, _database: None };
        let digest = loaded.digest;
        let mut dedup = DedupWindow::load(&view)?;
        if injected(Fault::AppliedTwice) {
            dedup = dedup.emptied();
        }
        let age_ms = dedup.age_ms();
        let loaded_ring = load_ring(&view)?;
        {
            let mut ring = self.shared.ring.write_locked();
            let mut shown = self.shared.database.write_locked();
            (*ring, *shown) = (loaded_ring, database);
            // Under the lock of the ring: a reader of the old file has added what it read, or will add nothing.
            self.shared.timelines.clear();
            self.shared.search.clear();
            self.shared.reader_cache.clear();
        }
        let position = (loaded.applied.index, digest);
        self.shared.digests.locked().reset(position);
        *self.shared.scrub.locked() = Scrub::default();
        *self.shared.dedup.write_locked() = dedup;
        self.row_cache.clear();
        self.identity = loaded.identity;
        self.applied = loaded.applied;
        self.applied_durable = loaded.applied.index;
        self.shared.age_ms.store(age_ms, Ordering::Release);
        self.shared.applied.store(loaded.applied.index, Ordering::Release);
        Ok(())
    }

    /// Opens the log that the `meta` of this file names, makes the file visible to readers, and makes the log ready for
    /// appending.
    pub(super) fn reopen(&mut self, database: Arc<Database>) -> Result<(), DbError> {
        (self.journal, self.log_noted) = open_journal(&self.disk, &database, self.shared.log.clone())?;
        self.show(database)?;
        self.start_log()
    }

    /// Makes the log durable as it was read. Called only once the log is known to fit the rows; until then no file of it
    /// is changed.
    fn start_log(&mut self) -> Result<(), DbError> {
        self.journal.start()?;
        self.note_log()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.journal.epoch()
    }

    /// Returns the content of the store from which a node starts.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn loaded(&self) -> Result<StoreContents, DbError> {
        self.loaded_from(&self.database())
    }

    fn loaded_from(&self, database: &Database) -> Result<StoreContents, DbError> {
        let transaction = database.begin_read()?;
        let meta = transaction.open_table(META)?;
        let (floor, last) = (self.journal.floor(), self.journal.last());
        let applied: Position = read_meta(&meta, APPLIED)?.unwrap_or_default();
        let mut hard_state = self.journal.hard_state();
        // A commit index alone is not worth a write to the log. Every applied entry was committed.
        hard_state.commit = hard_state.commit.max(applied.index);
        if hard_state.commit > last.index {
            return Err(DbError::Damaged(format!(
                "the log ends at {}, but {} is committed",
                last.index, hard_state.commit
            )));
        }
        if applied.index < floor.index {
            return Err(DbError::Damaged(format!(
                "{} is applied, but the log begins behind {}",
                applied.index, floor.index
            )));
        }
        Ok(StoreContents {
            identity: read_identity(&meta)?,
            hard_state,
            applied,
            configuration: read_meta(&meta, CONFIGURATION)?.unwrap_or_default(),
            floor,
            last,
            terms: self.journal.terms(),
            digest: digest::stored(&meta, applied)?,
        })
    }

    /// Appends entries and the hard state durably. The entries replace those from their first index on. Also cuts the head
    /// of the log when the log has grown long enough.
    ///
    /// # Errors
    /// Fatal: the store cannot be written.
    pub fn append(&mut self, entries: &[LogEntry], hard_state: Option<HardState>) -> Result<(), DbError> {
        let keep = self.log_keep_entries;
        self.journal.append(entries, hard_state, self.segment_entries())?;
        if self.log_noted.is_none_or(|noted| noted.number != self.journal.note().number) {
            self.note_log()?;
        }
        if injected(Fault::EarlyCut) {
            return self.journal.cut(self.applied.index);
        }
        let least = self.applied_durable.saturating_sub(keep.saturating_mul(LOG_KEEP_STRETCH));
        let wanted = self.applied_durable.saturating_sub(keep).min(self.log_wanted.max(least));
        self.journal.cut(wanted.max(self.journal.surplus().min(self.applied_durable)))
    }

    /// Returns the number of entries after which the next log segment begins, together with a checkpoint. A checkpoint
    /// takes a while, so each member does it at other indexes than the rest; otherwise no majority could answer in the
    /// meantime.
    fn segment_entries(&self) -> u64 {
        let entries = LOG_SEGMENT_ENTRIES.min(self.log_keep_entries.max(1));
        let member = self.identity.as_ref().map_or(0, |identity| identity.raft_id);
        let turn = member % CHECKPOINT_TURNS * entries / CHECKPOINT_TURNS;
        entries - (self.journal.newest_start() + turn) % entries
    }

    /// Records in `meta` the newest log segment and the offset up to which it is synced, before anything in it is
    /// acknowledged. A segment that is missing or shorter later is therefore recognised as damage.
    fn note_log(&mut self) -> Result<(), DbError> {
        let note = self.journal.note();
        if self.log_noted == Some(note) {
            return Ok(());
        }
        let transaction = begin_durable(&self.database())?;
        write_meta(&mut transaction.open_table(META)?, NEWEST_LOG, &note)?;
        transaction.commit()?;
        (self.applied_durable, self.log_noted) = (self.applied.index, Some(note));
        Ok(())
    }

    /// Returns the position just before the first entry of the log.
    pub fn floor(&self) -> Position {
        self.journal.floor()
    }

    /// Returns the newest applied position.
    pub fn applied(&self) -> Position {
        self.applied
    }

    /// Applies committed entries through the rules in one commit, together with the configuration in effect after them.
    /// The commit has an fsync only when `CHECKPOINT_ENTRIES` entries wait for it; until then the log has them. Entries at
    /// or below the applied index are skipped.
    ///
    /// # Errors
    /// Fatal: the store cannot be read or written, or this version does not understand an entry.
    pub fn apply(
        &mut self,
        entries: &[LogEntry],
        configuration: Option<&Configuration>,
    ) -> Result<Vec<AppliedEntry>, DbError> {
        let shared = self.shared.clone();
        let (mut rest, mut outcomes) = (entries, Vec::new());
        // A configuration change applies at the last entry, so the batch is not split for pinned snapshots; a caller that
        // asked to pin in between retries.
        while let (None, [.., last]) = (configuration, rest)
            && let Some(stop) = shared.pins.next_stop(self.applied.index, last.index)
        {
            let before;
            (before, rest) = rest.split_at(rest.partition_point(|entry| entry.index <= stop));
            assert!(!before.is_empty(), "entries follow the applied index without a gap");
            outcomes.append(&mut self.apply_batch(before, None)?);
            shared.pins.pin_if_requested(stop, self.database())?;
        }
        if !rest.is_empty() || configuration.is_some() || entries.is_empty() {
            outcomes.append(&mut self.apply_batch(rest, configuration)?);
        }
        Ok(outcomes)
    }

    fn apply_batch(
        &mut self,
        entries: &[LogEntry],
        configuration: Option<&Configuration>,
    ) -> Result<Vec<AppliedEntry>, DbError> {
        let through = entries.last().map_or(0, |entry| entry.index);
        let waiting = through.saturating_sub(self.applied_durable);
        // A configuration is durable as soon as it takes effect.
        let checkpoint =
            configuration.is_some() || waiting >= CHECKPOINT_ENTRIES.min(self.log_keep_entries.max(1));
        let database = self.database();
        let transaction = match checkpoint {
            true => begin_durable(&database)?,
            false => {
                let mut transaction = database.begin_write()?;
                transaction.set_durability(Durability::None)?;
                transaction
            }
        };
        let mut outcomes = Vec::with_capacity(entries.len());
        let shared = self.shared.clone();
        let mut dedup = shared.dedup.write_locked();
        let mut scrub = shared.scrub.locked();
        let digests = || shared.digests.locked();
        let (noted, behind_each);
        {
            let mut rows = transaction.open_table(ROWS)?;
            let mut applying = Applying {
                level: self.level,
                rows: &mut rows,
                dedup: &mut dedup,
                row_cache: &mut self.row_cache,
                reader_cache: &shared.reader_cache,
                scrub: &mut scrub,
                digest: digests().last().1,
                digests: Vec::with_capacity(entries.len()),
                noted: Vec::new(),
            };
            let before = self.applied.index;
            for entry in entries.iter().filter(|entry| entry.index > before) {
                self.applied = Position { index: entry.index, term: entry.term };
                if injected(Fault::ShortWindow) && entry.index % 64 == 0 {
                    *applying.dedup = std::mem::take(applying.dedup).emptied();
                }
                if is_command(entry) {
                    outcomes.push(applying.entry(entry)?);
                }
                applying.digests.push((entry.index, applying.digest));
            }
            let digest = applying.digest;
            (noted, behind_each) = (applying.noted, applying.digests);
            let mut meta = transaction.open_table(META)?;
            write_meta(&mut meta, APPLIED, &self.applied)?;
            write_meta(&mut meta, DIGEST, &(self.applied.index, digest))?;
            if let Some(configuration) = configuration.filter(|_| !injected(Fault::ForgottenConfiguration)) {
                write_meta(&mut meta, CONFIGURATION, configuration)?;
            }
            if checkpoint {
                write_meta(&mut meta, NEWEST_LOG, &self.journal.note())?;
            }
        }
        let (indexed, news): (Vec<RingChange>, Vec<RingChange>) =
            noted.into_iter().partition(|news| matches!(news, RingChange::Indexed(_)));
        // Readers take the ring first, then a view ([`Reader::answer`]). The ring must therefore contain croaks and follow
        // changes before a view does, and may drop indexed croaks only once every new view finds them in the index.
        shared.follow(news);
        transaction.commit()?;
        shared.follow(indexed);
        if checkpoint {
            (self.applied_durable, self.log_noted) = (self.applied.index, Some(self.journal.note()));
        }
        drop(scrub);
        let mut digests = digests();
        behind_each.into_iter().for_each(|at| digests.note(at));
        drop(digests);
        self.shared.age_ms.store(dedup.age_ms(), Ordering::Release);
        self.shared.applied.store(self.applied.index, Ordering::Release);
        Ok(outcomes)
    }

    /// Makes the current rows durable and records how far the log is synced.
    ///
    /// # Errors
    /// Fatal: the store cannot be written.
    pub fn checkpoint(&mut self) -> Result<(), DbError> {
        if self.applied_durable < self.applied.index {
            self.log_noted = None;
        }
        self.note_log()
    }

    /// Makes the current rows durable, and notes that nothing more is written. For a clean stop, while readers still have
    /// the store open.
    ///
    /// # Errors
    /// Fatal: the store cannot be written.
    pub fn settle(&mut self) -> Result<(), DbError> {
        self.checkpoint()?;
        self.disk.settled()
    }

    /// Returns the disk of the store, for a `SnapshotWriter`.
    pub fn disk(&self) -> Arc<dyn Disk> {
        self.disk.clone()
    }

    /// Replaces the main file by the incoming one, which must be complete and checked. The node's own identity and hard
    /// state are carried over.
    ///
    /// # Errors
    /// Fatal: a file cannot be read or written.
    pub fn install(&mut self, hard_state: HardState) -> Result<(), DbError> {
        let incoming = self.disk.open(StoreFile::Incoming)?;
        check_level(&incoming, self.level)?;
        let transaction = begin_durable(&incoming)?;
        {
            let mut meta = transaction.open_table(META)?;
            let Some(applied) = read_meta::<Position>(&meta, APPLIED)? else {
                return Err(DbError::Damaged("a snapshot without a position".into()));
            };
            write_meta(&mut meta, FLOOR, &applied)?;
            write_meta(&mut meta, HARD_STATE, &hard_state)?;
            let step = if injected(Fault::SameEpoch) { 0 } else { 1 };
            write_meta(&mut meta, EPOCH, &(self.journal.epoch() + step))?;
            if let Some(identity) = &self.identity {
                write_identity(&mut meta, identity)?;
            }
        }
        transaction.commit()?;
        drop(incoming);
        self.disk.promote_incoming()?;
        let database = Arc::new(self.disk.open(StoreFile::Main)?);
        self.reopen(database)
    }
}

/// Opens the log of the epoch that `meta` names. Returns it with the segment that `meta` records.
fn open_journal(
    disk: &Arc<dyn Disk>,
    database: &Database,
    spans: Arc<RwLock<Spans>>,
) -> Result<(Journal, Option<SyncPoint>), DbError> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?;
    let floor: Position = read_meta(&meta, FLOOR)?.unwrap_or_default();
    let base = (floor, read_meta(&meta, HARD_STATE)?.unwrap_or_default());
    let epoch =
        read_meta(&meta, EPOCH)?.ok_or_else(|| DbError::Damaged("a store without an epoch".into()))?;
    let note = read_meta::<SyncPoint>(&meta, NEWEST_LOG)?.filter(|note| note.epoch == epoch);
    Ok((Journal::open(disk.clone(), epoch, base, note, spans)?, note))
}
