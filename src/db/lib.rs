//! What a node keeps: the log in files of its own, the rows of the state in one redb file.
//!
//! ```text
//!   log-*         entries, and what this node has promised    appended durably: one write, one fsync a batch
//!   store.redb
//!     rows        table id + key → row    written by applying; durable once in thousands of entries
//!     meta        name → record           identity, applied index, configuration, epoch of the log
//! ```
//!
//! Invariants:
//! - rows, applied index and configuration change in one transaction: a crash leaves a whole state at some
//!   applied index, and the log from there on is still there (the log is never cut past the durably applied
//!   index);
//! - every value carries a checksum over its key and bytes, because redb checks its pages when it repairs, not
//!   when it reads;
//! - an error here is fatal for the process: the caller reports it and ends.
//!
//! - [`journal`]: the log, [`segment`]: one file of it; [`terms`]: which term each of its entries is of
//! - [`store`]: opening, appending, applying, installing a snapshot: the writer's side, one owner; [`identity`]:
//!   whose store it is; [`applying`], [`load`], [`meta`] help it
//! - [`recover`]: another history on what a store holds
//! - [`digest`]: of the whole state, at every index; [`scrub`]: everything read again, slowly
//! - [`read`]: views for readers and for the Raft log, beside the writer
//! - [`snapshot`]: the whole state as a stream, out and in
//! - [`pin`]: the rows at one index, kept for a while; [`backup`]: the whole state as a file, out and in
//! - [`disk`]: where the files are; the seam at which the simulator injects crashes
//! - [`planted`]: bugs on purpose, for showing that the simulator finds them; none in a normal build
//! - [`record`]: checksummed values and the records of `meta`
//!
//! Not here: what a row means (state), when to write (replica), what becomes of a damaged store (roles).

mod applying;
pub mod backup;
pub mod digest;
pub mod disk;
mod identity;
mod journal;
mod known;
pub mod limits;
mod load;
mod meta;
pub mod pin;
pub mod planted;
pub mod read;
pub mod record;
mod recover;
pub mod scrub;
mod segment;
pub mod snapshot;
pub mod store;
pub mod terms;
#[cfg(test)]
mod tests;

pub use disk::{Disk, FileDisk, Which};
pub use read::Reader;
pub use record::{Configuration, EntryKind, HardState, Identity, LogEntry, Position};
pub use store::{AppliedEntry, Store};

use std::cell::Cell;
use std::io::ErrorKind;
use std::panic::PanicHookInfo;

/// What can go wrong with a store. All of it is fatal for the process that meets it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("the store cannot be read or written: {0}")]
    Redb(Box<redb::Error>),
    #[error("the store is damaged: {0}")]
    Damaged(String),
    #[error("the store is damaged: {0}")]
    BadRow(#[from] ribbit_state::rows::BadRow),
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error("another process has the store {0} open")]
    InUse(String),
    #[error("an earlier write to the log failed")]
    Suspect,
    /// The store has another format; nothing in it was changed.
    #[error(
        "its format is {}, and this version of ribbit reads format {}", .0.map_or("that of a version before 0.2.0".into(), |found| found.to_string()), meta::FORMAT_VERSION
    )]
    Format(Option<u32>),
    /// The store is whole, and its cluster is of a newer version.
    #[error("{0}; start a version of ribbit that does: what is stored is whole")]
    TooNew(String),
}

impl DbError {
    /// Whether the file itself is wrong, as opposed to a disk that is full, away or failing: then starting again
    /// does not help.
    pub fn is_damage(&self) -> bool {
        match self {
            DbError::Damaged(_) | DbError::BadRow(_) => true,
            DbError::Redb(error) => match error.as_ref() {
                redb::Error::Corrupted(_) | redb::Error::UpgradeRequired(_) | redb::Error::RepairAborted => {
                    true
                }
                redb::Error::Io(error) => {
                    matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
                }
                // A file that is not of this shape, as far as this version knows.
                redb::Error::TableTypeMismatch { .. }
                | redb::Error::TypeDefinitionChanged { .. }
                | redb::Error::TableIsMultimap(_)
                | redb::Error::TableIsNotMultimap(_)
                | redb::Error::TableDoesNotExist(_) => true,
                _ => false,
            },
            DbError::File { .. }
            | DbError::InUse(_)
            | DbError::Suspect
            | DbError::Format(_)
            | DbError::TooNew(_) => false,
        }
    }
}

impl DbError {
    /// Whether the disk says that it cannot give, or take, these bytes.
    pub fn is_unreadable(&self) -> bool {
        let code = match self {
            DbError::Redb(error) => match error.as_ref() {
                redb::Error::Io(error) => error.raw_os_error(),
                _ => None,
            },
            DbError::File { source, .. } => source.raw_os_error(),
            DbError::Damaged(_)
            | DbError::BadRow(_)
            | DbError::InUse(_)
            | DbError::Suspect
            | DbError::Format(_)
            | DbError::TooNew(_) => None,
        };
        code == Some(rustix::io::Errno::IO.raw_os_error())
    }

    /// Whether there was no room to write.
    pub fn is_full(&self) -> bool {
        let kind = match self {
            DbError::Redb(error) => match error.as_ref() {
                redb::Error::Io(error) => error.kind(),
                _ => return false,
            },
            DbError::File { source, .. } => source.kind(),
            DbError::Damaged(_)
            | DbError::BadRow(_)
            | DbError::InUse(_)
            | DbError::Suspect
            | DbError::Format(_)
            | DbError::TooNew(_) => return false,
        };
        matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
    }
}

thread_local! {
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic is damage, and no bug: of this thread while it reads a store that may be damaged, or of redb, which
/// trusts what it has noted of its own pages as well, when it writes. For a panic hook.
pub fn is_damage(panic: &PanicHookInfo<'_>) -> bool {
    READING.get() || panic.location().is_some_and(|at| is_of_redb(at.file()))
}

/// Whether this is one of redb's files, as the compiler saw it.
fn is_of_redb(file: &str) -> bool {
    file.split('/').any(|part| part.starts_with("redb-"))
}

/// Runs what reads a store that may be damaged: redb trusts its pages and panics on some that cannot be. A process that
/// ended with that panic would meet it again at its next start, so where panics end the process a hook looks at
/// [`is_damage`]; where they unwind, in tests, it is an error like any other.
///
/// # Errors
/// What `work` answers, or `Damaged` when it panicked.
pub fn reading<T>(work: impl FnOnce() -> Result<T, DbError>) -> Result<T, DbError> {
    READING.set(true);
    // What it leaves half done is not used any more: a damaged store ends its process.
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("for no reason given");
        Err(DbError::Damaged(format!("reading it panicked: {text}")))
    });
    READING.set(false);
    read
}

/// Implements `From` for the error types of redb that this package meets.
macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for DbError {
            fn from(error: redb::$error) -> DbError {
                DbError::Redb(Box::new(error.into()))
            }
        }
    )*};
}
from_redb!(
    CommitError,
    CompactionError,
    DatabaseError,
    SetDurabilityError,
    StorageError,
    TableError,
    TransactionError
);

/// The files of a store are read and written through redb's `StorageBackend`, whose errors are those of the system.
impl From<std::io::Error> for DbError {
    fn from(error: std::io::Error) -> DbError {
        DbError::Redb(Box::new(redb::Error::Io(error)))
    }
}
