//! Starting a new history from the content of one store: the last resort when the majority is lost.
//!
//! The unapplied entries of the log are applied too. They may have been acknowledged, and in the new history no other log
//! contradicts them. Indexes continue after the end of the log, so that indexes that clients have from the old history
//! still compare correctly. The log itself starts empty behind the first index of the new history, as a founder's does.

use super::applying::Applying;
use super::disk::begin_durable;
use super::meta::{write_identity, write_meta, write_position};
use super::record::{Configuration, HardState, Identity, Position};
use super::row_cache::RowCache;
use super::tables::{DIGEST, EPOCH, FLOOR, HARD_STATE, JOINING, META, ROWS};
use super::{DbError, Store};
use ribbit_state::LogIndex;
use ribbit_state::rows::Change;
use ribbit_state::sync::{MutexExt, RwLockExt};

/// Number of bytes of log entries applied at a time.
const STEP_BYTES: u64 = 1024 * 1024;

impl Store {
    /// Applies all entries of the log. Returns the number of entries applied.
    ///
    /// # Errors
    /// Fatal: the store is damaged, or cannot be read or written.
    pub fn apply_whole_log(&mut self) -> Result<u64, DbError> {
        let (from, last) = (self.applied().index, self.loaded()?.last.index);
        while self.applied().index < last {
            let next = self.applied().index + 1;
            let entries = self.reader().entries(next, LogIndex::MAX, STEP_BYTES)?;
            if entries.is_empty() {
                return Err(DbError::Damaged(format!(
                    "the log has no entry {next}, although it ends at {last}"
                )));
            }
            self.apply(&entries, None)?;
        }
        Ok(last.saturating_sub(from))
    }

    /// Begins the history named in `identity` by applying `changes` to the rows. Its member becomes the only voter. All
    /// entries of the log must have been applied.
    ///
    /// # Errors
    /// Fatal: the store cannot be read or written.
    pub fn begin_history(&mut self, identity: &Identity, changes: Vec<Change>) -> Result<(), DbError> {
        let last = self.loaded()?.last;
        assert!(self.applied().index >= last.index, "all entries of the log are applied first");
        let start =
            Position { index: self.applied().index + 1, term: last.term.max(self.applied().term) + 1 };
        let alone = Configuration { voters: vec![identity.raft_id], ..Configuration::default() };
        let shared = self.shared();
        let transaction = begin_durable(&shared.database.read_locked())?;
        {
            let mut rows = transaction.open_table(ROWS)?;
            let mut dedup = shared.dedup.write_locked();
            let mut row_cache = RowCache::default();
            let mut scrub = shared.scrub.locked();
            let digest = shared.digests.locked().last().1;
            let mut applying = Applying {
                level: self.level,
                rows: &mut rows,
                dedup: &mut dedup,
                row_cache: &mut row_cache,
                reader_cache: &shared.reader_cache,
                scrub: &mut scrub,
                digest,
                digests: Vec::new(),
                noted: Vec::new(),
            };
            for change in changes {
                applying.change(start.index, change)?;
            }
            let digest = applying.digest;
            let mut meta = transaction.open_table(META)?;
            write_position(&mut meta, start, &alone)?;
            write_meta(&mut meta, DIGEST, &(start.index, digest))?;
            write_meta(&mut meta, FLOOR, &start)?;
            write_meta(&mut meta, EPOCH, &(self.epoch() + 1))?;
            write_meta(&mut meta, HARD_STATE, &HardState { term: start.term, vote: 0, commit: start.index })?;
            write_identity(&mut meta, identity)?;
            meta.remove(JOINING.as_bytes())?;
        }
        transaction.commit()?;
        self.reopen(self.database())
    }
}
