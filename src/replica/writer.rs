//! Carries out what the core wants stored. Jobs that wait together become one durable commit.
//!
//! Order inside a run: install a snapshot if there is one, apply what is committed (no fsync, so that answers go
//! out at once), then append with the fsync that makes both durable.

use crate::db::{AppliedEntry, Configuration, DbError, HardState, LogEntry, Position, Store};
use crate::state::members;
use crate::state::rows::Member;
use crate::state::{LogIndex, RaftId};

/// One turn of the core.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// The engine's number for it; jobs come in its order.
    pub number: u64,
    /// The incoming file becomes the store.
    pub install: Option<Install>,
    pub entries: Vec<LogEntry>,
    /// With `entries`, or when a vote or term must be durable.
    pub hard_state: Option<HardState>,
    pub committed: Vec<LogEntry>,
    /// The configuration that took effect among `committed`.
    pub configuration: Option<Configuration>,
    /// Somebody who catches up still needs the log behind this.
    pub log_wanted: Option<LogIndex>,
}

/// A snapshot that was received, and what this node has promised meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Install {
    pub position: Position,
    pub hard_state: HardState,
}

impl Job {
    /// Whether nothing of it has to reach the disk before its messages go out.
    pub fn is_volatile(&self) -> bool {
        self.install.is_none() && self.entries.is_empty() && self.hard_state.is_none()
    }

    /// As few jobs as these can be carried out in, in their order: each but the first begins with an installed snapshot.
    pub fn joined(jobs: impl IntoIterator<Item = Job>) -> Vec<Job> {
        let mut joined: Vec<Job> = Vec::new();
        for next in jobs {
            match joined.last_mut() {
                Some(last) if next.install.is_none() => last.join(next),
                _ => joined.push(next),
            }
        }
        joined
    }

    /// Takes the next job in: carried out, they are the same as one after the other. `next` installs nothing.
    pub fn join(&mut self, next: Job) {
        debug_assert!(next.install.is_none());
        self.number = next.number;
        if let Some(first) = next.entries.first() {
            // It may overwrite the end of this one.
            self.entries.retain(|entry| entry.index < first.index);
        }
        self.entries.extend(next.entries);
        self.hard_state = next.hard_state.or(self.hard_state);
        self.committed.extend(next.committed);
        self.configuration = next.configuration.or(self.configuration.take());
        self.log_wanted = next.log_wanted;
    }

    pub fn is_empty(&self) -> bool {
        self.is_volatile() && self.committed.is_empty() && self.configuration.is_none()
    }
}

/// What was carried out.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// All jobs up to this one are durable.
    pub number: u64,
    /// The last entry that is on disk, if any was appended.
    pub durable: Option<LogIndex>,
    /// The term that is on disk, if it was written.
    pub durable_term: Option<u64>,
    pub applied: Position,
    pub floor: Position,
    pub outcomes: Vec<AppliedEntry>,
    /// The cluster's age at the newest applied command, if any was applied.
    pub age_ms: Option<u64>,
    /// A snapshot up to here took the place of everything before.
    pub installed: Option<LogIndex>,
    /// The members, when they may have changed.
    pub members: Option<Vec<(RaftId, Member)>>,
}

pub struct Writer {
    store: Store,
}

impl Writer {
    pub fn new(store: Store) -> Writer {
        Writer { store }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The members as they are stored now.
    ///
    /// # Errors
    /// Fatal: the store cannot be read.
    pub fn members(&self) -> Result<Vec<(RaftId, Member)>, DbError> {
        members::all(&self.store.reader().view()?)
    }

    /// Applies what is committed in these jobs, in order. Nothing of it waits for the disk.
    ///
    /// # Errors
    /// Fatal: see [`DbError`].
    pub fn apply(&mut self, jobs: &[Job]) -> Result<Done, DbError> {
        let mut done = Done::default();
        for job in jobs {
            if let Some(Install { position, hard_state }) = job.install {
                self.store.install(hard_state)?;
                if self.store.applied().index < position.index {
                    return Err(DbError::Damaged(
                        "the snapshot received is older than the one announced".into(),
                    ));
                }
                done.members = Some(self.members()?);
                done.durable_term = Some(hard_state.term);
                done.installed = Some(self.store.applied().index);
            }
            if !job.committed.is_empty() || job.configuration.is_some() {
                done.outcomes.extend(self.store.apply(&job.committed, job.configuration.as_ref())?);
            }
        }
        if done.outcomes.iter().any(|entry| entry.changed_members) {
            done.members = Some(self.members()?);
        }
        if !done.outcomes.is_empty() || done.members.is_some() {
            done.age_ms = Some(self.store.reader().age_ms());
        }
        done.applied = self.store.applied();
        done.floor = self.store.floor();
        Ok(done)
    }

    /// Makes the rows durable.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn checkpoint(&mut self) -> Result<(), DbError> {
        self.store.checkpoint()
    }

    /// Makes the entries and hard states of these jobs durable, with everything applied before: one commit.
    ///
    /// # Errors
    /// Fatal: see [`DbError`].
    pub fn append(&mut self, jobs: Vec<Job>) -> Result<Done, DbError> {
        // What came before an installed snapshot is part of it, and its hard state is on disk already.
        let last = Job::joined(jobs).pop().unwrap_or_default();
        let Job { number, entries, hard_state, log_wanted, .. } = last;
        self.store.want_log_behind(log_wanted.unwrap_or(LogIndex::MAX));
        if !entries.is_empty() || hard_state.is_some() {
            self.store.append(&entries, hard_state)?;
        }
        Ok(Done {
            number,
            durable: entries.last().map(|entry| entry.index),
            durable_term: hard_state.map(|state| state.term),
            applied: self.store.applied(),
            floor: self.store.floor(),
            ..Done::default()
        })
    }
}
