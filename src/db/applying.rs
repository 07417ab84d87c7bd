//! Committed entries through the rules, into the rows of one write transaction.

use super::DbError;
use super::digest::{DigestAt, weight};
use super::known::KnownRows;
use super::read::{ApplyView, row_key};
use super::record::{LogEntry, seal};
use super::scrub::Scrub;
use super::store::AppliedEntry;
use redb::Table;
use ribbit_state::Command;
use ribbit_state::command::Proposal;
use ribbit_state::events::happened;
use ribbit_state::ring::News;
use ribbit_state::rows::{Change, Members, Table as StateTable};
use ribbit_state::window::Window;

pub(super) struct Applying<'a, 't> {
    /// The highest rules level that this version knows.
    pub level: u32,
    pub rows: &'a mut Table<'t, &'static [u8], &'static [u8]>,
    pub window: &'a mut Window,
    /// Rows that rules have read before.
    pub known: &'a mut KnownRows,
    /// Follows what changes behind it.
    pub scrub: &'a mut Scrub,
    /// Of the rows as they are now.
    pub digest: u64,
    /// The digest behind each entry.
    pub digests: Vec<DigestAt>,
    /// What the ring follows, once the rows are committed.
    pub noted: Vec<News>,
}

/// Reads an entry's command. Its checksum was right when it was read: what is not understood was written by a newer
/// version, and is no damage.
///
/// # Errors
/// `TooNew`: this version, which knows rules levels up to `known`, does not know the command, or the level that it raises
/// the cluster to.
pub(super) fn understood(entry: &LogEntry, known: u32) -> Result<Proposal, DbError> {
    let proposal: Proposal = postcard::from_bytes(&entry.data).map_err(|_| {
        DbError::TooNew(format!("log entry {} holds a command that this version does not know", entry.index))
    })?;
    match proposal.request.command {
        Command::RaiseRules { level } if level > known => Err(too_new(level, known)),
        _ => Ok(proposal),
    }
}

/// The refusal of what a cluster of rules level `level` has written, by a version that knows levels up to `known`.
pub(super) fn too_new(level: u32, known: u32) -> DbError {
    DbError::TooNew(format!(
        "the cluster has rules level {level}, and this version knows no level above {known}"
    ))
}

impl Applying<'_, '_> {
    /// Applies one entry's command.
    pub fn entry(&mut self, entry: &LogEntry) -> Result<AppliedEntry, DbError> {
        let proposal = understood(entry, self.level)?;
        let view = ApplyView { rows: &*self.rows, window: &*self.window, known: &*self.known };
        let applied = ribbit_state::apply(&view, entry.index, &proposal)?;
        let happened = happened(&proposal.request.command, &applied);
        let mut changed_members = false;
        for change in applied.changes {
            let (Change::Put { table, .. } | Change::Remove { table, .. }) = &change;
            changed_members |= *table == Members::ID;
            self.change(change)?;
        }
        Ok(AppliedEntry {
            index: entry.index,
            id: proposal.request.id,
            outcome: applied.outcome,
            changed_members,
            happened,
        })
    }

    /// Puts or removes one row.
    pub fn change(&mut self, change: Change) -> Result<(), DbError> {
        self.window.note(&change);
        self.noted.extend(News::of(&change));
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
        self.known.forget(&key);
        Ok(())
    }
}
