//! The writer carries out the store jobs of the core. Jobs that wait together are carried out together, with one fsync.
//!
//! The order within a run: install a snapshot if there is one; apply the committed entries, without an fsync, so that
//! clients are answered at once; then append the new entries to the log with an fsync. Applied rows become durable at the
//! next checkpoint; after a crash before it, their entries are applied again from the log.

use ribbit_db::{AppliedEntry, Configuration, DbError, HardState, LogEntry, Position, Store};
use ribbit_state::cluster::members;
use ribbit_state::rows::Member;
use ribbit_state::{LogIndex, RaftId};

/// Store job: the changes of one turn of the core.
#[derive(Debug, Clone, Default)]
pub struct StoreJob {
    /// Number given by the engine. Jobs are carried out in this order.
    pub number: u64,
    /// Received snapshot that replaces the store.
    pub install: Option<Install>,
    /// Entries to append to the log.
    pub entries: Vec<LogEntry>,
    /// Hard state to store: set with `entries`, or when a vote or term must be durable.
    pub hard_state: Option<HardState>,
    /// Committed entries to apply.
    pub committed: Vec<LogEntry>,
    /// Configuration that took effect among `committed`.
    pub configuration: Option<Configuration>,
    /// Index behind which a member that is catching up still needs the log.
    pub log_wanted: Option<LogIndex>,
}

/// Received snapshot, with the hard state that this node has reached meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Install {
    /// Announced position of the snapshot.
    pub position: Position,
    pub hard_state: HardState,
}

impl StoreJob {
    /// Returns true if nothing in the job has to be durable before its messages are sent.
    pub(crate) fn is_volatile(&self) -> bool {
        self.install.is_none() && self.entries.is_empty() && self.hard_state.is_none()
    }

    /// Joins jobs into as few as possible, in their order: each but the first begins with installing a snapshot.
    pub fn joined(jobs: impl IntoIterator<Item = StoreJob>) -> Vec<StoreJob> {
        let mut joined: Vec<StoreJob> = Vec::new();
        for next in jobs {
            match joined.last_mut() {
                Some(last) if next.install.is_none() => last.join(next),
                _ => joined.push(next),
            }
        }
        joined
    }

    /// Appends the next job to this one. Carrying out the result has the same effect as carrying out both. `next` must not
    /// install a snapshot.
    pub fn join(&mut self, next: StoreJob) {
        debug_assert!(next.install.is_none());
        self.number = next.number;
        if let Some(first) = next.entries.first() {
            // The next job may overwrite the last entries of this one.
            self.entries.retain(|entry| entry.index < first.index);
        }
        self.entries.extend(next.entries);
        self.hard_state = next.hard_state.or(self.hard_state);
        self.committed.extend(next.committed);
        self.configuration = next.configuration.or(self.configuration.take());
        self.log_wanted = next.log_wanted;
    }

    /// Returns true if there is nothing to carry out.
    pub fn is_empty(&self) -> bool {
        self.is_volatile() && self.committed.is_empty() && self.configuration.is_none()
    }
}

/// Result of jobs.
#[derive(Debug, Clone, Default)]
pub struct JobResult {
    /// Number of the newest durable job.
    pub number: u64,
    /// Last durable index of the log, if entries were appended.
    pub durable: Option<LogIndex>,
    /// Durable term, if a hard state was written.
    pub durable_term: Option<u64>,
    /// Position up to which the log is applied.
    pub applied: Position,
    /// Position behind which the log begins.
    pub floor: Position,
    /// Outcomes of the applied entries.
    pub outcomes: Vec<AppliedEntry>,
    /// Age of the cluster at the newest applied command, in milliseconds, if one was applied.
    pub age_ms: Option<u64>,
    /// Applied index of an installed snapshot, which replaced everything before.
    pub installed: Option<LogIndex>,
    /// Members of the cluster, if they may have changed.
    pub members: Option<Vec<(RaftId, Member)>>,
}

/// Owner of the store, which carries out jobs.
pub struct Writer {
    store: Store,
}

impl Writer {
    /// Creates a writer for this store.
    pub fn new(store: Store) -> Writer {
        Writer { store }
    }

    /// Returns the store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Reads the members from the store.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read, which is fatal.
    pub fn members(&self) -> Result<Vec<(RaftId, Member)>, DbError> {
        members::all(&self.store.reader().view()?)
    }

    /// Installs the snapshots and applies the committed entries of these jobs, in order. Applying does not wait for the
    /// disk.
    ///
    /// # Errors
    /// [`DbError`] when the store fails, or `Damaged` when a received snapshot is older than announced. All are fatal.
    pub fn apply(&mut self, jobs: &[StoreJob]) -> Result<JobResult, DbError> {
        let mut done = JobResult::default();
        for job in jobs {
            if let Some(Install { position, hard_state }) = job.install {
                self.store.install(hard_state)?;
                if self.store.applied().index < position.index {
                    return Err(DbError::Damaged(
                        "the received snapshot is older than the announced one".into(),
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

    /// Makes the applied state durable (a checkpoint) before a clean stop. Nothing may be written afterwards.
    ///
    /// # Errors
    /// [`DbError`] when the disk is full or fails.
    pub fn settle(&mut self) -> Result<(), DbError> {
        self.store.settle()
    }

    /// Appends the entries and hard states of these jobs to the log, and makes them durable with one fsync.
    ///
    /// # Errors
    /// [`DbError`] when the store fails, which is fatal.
    pub fn append(&mut self, jobs: Vec<StoreJob>) -> Result<JobResult, DbError> {
        // Entries from before an installed snapshot are part of it, and its hard state is on disk already.
        let last = StoreJob::joined(jobs).pop().unwrap_or_default();
        let StoreJob { number, entries, hard_state, log_wanted, .. } = last;
        self.store.keep_log_after(log_wanted.unwrap_or(LogIndex::MAX));
        if !entries.is_empty() || hard_state.is_some() {
            self.store.append(&entries, hard_state)?;
        }
        Ok(JobResult {
            number,
            durable: entries.last().map(|entry| entry.index),
            durable_term: hard_state.map(|state| state.term),
            applied: self.store.applied(),
            floor: self.store.floor(),
            ..JobResult::default()
        })
    }
}
