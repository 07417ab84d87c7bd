//! Applying committed entries: runs the rules and writes their changes to the rows of one write transaction.

use super::DbError;
use super::digest::{DigestAt, weight};
use super::reader_cache::ReaderCache;
use super::record::{EntryKind, LogEntry, seal};
use super::row_cache::RowCache;
use super::rows_view::{ApplyView, RowsView};
use super::scrub::Scrub;
use super::tables::{ROWS, row_key};
use redb::{Database, ReadableDatabase, Table};
use ribbit_state::caches::ring::RingChange;
use ribbit_state::command::Proposal;
use ribbit_state::dedup::DedupWindow;
use ribbit_state::facts::event;
use ribbit_state::rows::{Change, Croaks, Members, Table as StateTable, books};
use ribbit_state::{Event, LogIndex, Outcome, RequestId};

/// Result of applying one log entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedEntry {
    pub index: LogIndex,
    pub id: RequestId,
    pub outcome: Outcome,
    /// True if the member list changed.
    pub changed_members: bool,
    /// Event for live subscribers.
    pub event: Option<Event>,
}

/// One write transaction into which entries are applied.
pub(super) struct Applying<'a, 't> {
    /// Highest rules level that this version understands.
    pub level: u32,
    pub rows: &'a mut Table<'t, &'static [u8], &'static [u8]>,
    pub dedup: &'a mut DedupWindow,
    /// Cache of rows that rules have read before.
    pub(crate) row_cache: &'a mut RowCache,
    /// Rows cached for readers.
    pub(crate) reader_cache: &'a ReaderCache,
    /// Scrub in progress, which must follow changes to rows it has already read.
    pub scrub: &'a mut Scrub,
    /// Digest of the rows as they are now.
    pub digest: u64,
    /// Digest after each entry.
    pub digests: Vec<DigestAt>,
    /// Changes that the ring follows around the commit.
    pub(crate) noted: Vec<RingChange>,
}

/// Decodes the command of an entry. Its checksum was checked when the entry was read, so a command that cannot be decoded
/// was written by a newer version and is not damage.
///
/// # Errors
/// `TooNew` if this version, which understands rules levels up to `known`, does not know the command or the level to which
/// it raises the cluster.
pub(super) fn understood(entry: &LogEntry, known: u32) -> Result<Proposal, DbError> {
    let proposal: Proposal = postcard::from_bytes(&entry.data).map_err(|_| {
        DbError::TooNew(format!(
            "log entry {} contains a command that this version does not know",
            entry.index
        ))
    })?;
    match proposal.request.command.raised_level() {
        Some(level) if level > known => Err(too_new(level, known)),
        _ => Ok(proposal),
    }
}

/// Returns the error of a version that understands levels up to `known`, for a store of a cluster with rules level `level`.
pub(super) fn too_new(level: u32, known: u32) -> DbError {
    DbError::TooNew(format!(
        "the cluster has rules level {level}, and this version supports levels up to {known}"
    ))
}

/// Returns true if the entry contains a command. A leader begins its term with an empty entry.
pub(super) fn is_command(entry: &LogEntry) -> bool {
    entry.kind == EntryKind::Normal && !entry.data.is_empty()
}

/// Refuses rows that a cluster of a higher rules level has written. A store without rows has no level.
pub(super) fn check_level(database: &Database, known: u32) -> Result<(), DbError> {
    let Ok(rows) = database.begin_read()?.open_table(ROWS) else { return Ok(()) };
    match books(&RowsView { rows, age_ms: 0, _database: None })?.rules_level {
        level if level > known => Err(too_new(level, known)),
        _ => Ok(()),
    }
}

impl Applying<'_, '_> {
    /// Applies the command of one entry.
    pub(crate) fn entry(&mut self, entry: &LogEntry) -> Result<AppliedEntry, DbError> {
        let proposal = understood(entry, self.level)?;
        let view = ApplyView { rows: &*self.rows, dedup: &*self.dedup, row_cache: &*self.row_cache };
        let applied = ribbit_state::apply(&view, entry.index, &proposal)?;
        let event = event(entry.index, &proposal.request.command, &applied.outcome, &applied.changes);
        let mut changed_members = false;
        for change in applied.changes {
            let (Change::Put { table, .. } | Change::Remove { table, .. }) = &change;
            changed_members |= *table == Members::ID;
            self.change(entry.index, change)?;
        }
        Ok(AppliedEntry {
            index: entry.index,
            id: proposal.request.id,
            outcome: applied.outcome,
            changed_members,
            event,
        })
    }

    /// Puts or removes one row for the log entry at `index`.
    pub(crate) fn change(&mut self, index: LogIndex, change: Change) -> Result<(), DbError> {
        self.dedup.note(&change);
        self.noted.extend(RingChange::of(index, &change));
        // Every other row may be cached already.
        let is_new_croak = matches!(change, Change::Put { table: Croaks::ID, .. });
        let (before, now, key) = match change {
            Change::Put { table, key, row } => {
                let key = row_key(table, &key);
                let value = seal(&key, row);
                let before = self.rows.insert(key.as_slice(), value.as_slice())?;
                (before.map_or(0, |before| weight(before.value())), weight(&value), key)
            }
            Change::Remove { table, key } => {
                let key = row_key(table, &key);
                let before = self.rows.remove(key.as_slice())?;
                (before.map_or(0, |before| weight(before.value())), 0, key)
            }
        };
        let difference = now.wrapping_sub(before);
        self.digest = self.digest.wrapping_add(difference);
        self.scrub.changed(&key, difference);
        self.row_cache.invalidate(&key);
        if !is_new_croak {
            self.reader_cache.changed(&key, index);
        }
        Ok(())
    }
}
