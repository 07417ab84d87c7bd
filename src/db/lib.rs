//! Durable storage of a node: the log in segment files of its own, and the rows of the state in one redb file.
//!
//! ```text
//!   log-*         entries and the hard state of Raft          appended durably: one write and one fsync per batch
//!   store.redb
//!     rows        table id + key → row    written by applying; durable once in thousands of entries (checkpoint)
//!     meta        name → record           identity, applied index, configuration, epoch of the log
//! ```
//!
//! Invariants:
//! - Rows, applied index and configuration change in one transaction. A crash therefore leaves a consistent state at some
//!   applied index, and the log from there on still exists: it is never cut past the durably applied index.
//! - Every value carries a checksum over its key and bytes, because redb checks its pages when it repairs a file, not when
//!   it reads it.
//! - An error here is fatal for the process: the caller reports it and ends.
//!
//! Modules:
//!
//! - [`journal`]: the write-ahead log, [`segment`]: one file of it, [`terms`]: the term of each of its entries
//! - [`format`]: refusal of a store of another format
//! - [`store`]: opening, appending, applying, and installing a snapshot; the only writer. [`identity`]: the owner of a
//!   store. [`applying`], [`ring_load`], [`row_cache`] and [`meta`]: parts of the writer
//! - [`recover`]: a new history on the rows of an old one
//! - [`digest`]: a digest of the whole state at every index, [`scrub`]: a slow check of everything that is stored
//! - [`read`]: views of the rows and of the log, concurrent with the writer
//! - [`snapshot`]: the whole state as a stream, out and in
//! - [`pin`]: the rows at one index, kept readable for a while, [`backup`]: the whole state as a file, out and in
//! - [`tables`]: the redb tables and their keys, [`rows_view`]: the rows of one transaction,
//!   [`reader_cache`]: rows that are read often
//! - [`spans`]: the location of every log entry
//! - [`disk`]: the location of the files; the simulator injects crashes here. [`boot_note`]: whether a power cut came between.
//!   [`files`]: creating files
//! - [`faults`]: fault injection, to show that the simulator finds such bugs; absent from a normal build
//! - [`record`]: checksummed values and the records of `meta`
//!
//! Not here: the meaning of a row (state), the time to write (replica), the handling of a damaged store (roles).

#![warn(unreachable_pub)]

mod applying;
pub mod backup;
mod boot_note;
pub mod digest;
pub mod disk;
pub mod faults;
pub mod files;
pub mod format;
mod identity;
mod journal;
pub mod limits;
mod meta;
pub mod pin;
mod read;
mod reader_cache;
pub mod record;
mod recover;
mod ring_load;
mod row_cache;
mod rows_view;
mod scrub;
mod segment;
pub mod snapshot;
mod spans;
pub mod store;
mod tables;
pub mod terms;
#[cfg(test)]
mod tests;

pub use applying::AppliedEntry;
pub use disk::{Disk, FileDisk, StoreFile};
pub use files::{FileAction, FileError};
pub use read::Reader;
pub use record::{Configuration, EntryKind, HardState, Identity, LogEntry, Position};
pub use store::Store;

use self::tables::FORMAT_VERSION;
use std::cell::Cell;
use std::io::ErrorKind;
use std::panic::PanicHookInfo;

/// Failure of a store. Every one is fatal for the process that meets it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("cannot read or write the store: {0}")]
    Redb(Box<redb::Error>),
    #[error("the store is damaged: {0}")]
    Damaged(String),
    #[error("the store is damaged: {0}")]
    BadRow(#[from] ribbit_state::rows::BadRow),
    #[error(transparent)]
    File(FileError),
    #[error("another process has the store {0} open")]
    InUse(String),
    #[error("an earlier write to the log failed")]
    Suspect,
    /// The store has another format. None of its files was changed.
    #[error("{}", refusal_of_format(*.0))]
    Format(Option<u32>),
    /// The store is intact, and its cluster runs a newer version.
    #[error("{0}; start a version of ribbit that does: what is stored is whole")]
    TooNew(String),
}

/// Returns the reason why a store of another format is refused: the build that wrote it, as far as the store notes that.
fn refusal_of_format(format: Option<u32>) -> String {
    match format {
        None => "a version of ribbit before 0.2.0 wrote it, and this version starts a new format".into(),
        Some(format) => {
            format!("it has format {format}, and this version of ribbit reads format {FORMAT_VERSION}")
        }
    }
}

impl DbError {
    /// Returns true if the files themselves are wrong, so that a restart cannot help; false for a disk that is full, absent
    /// or failing.
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
                // Not the tables that a store has.
                redb::Error::TableTypeMismatch { .. }
                | redb::Error::TypeDefinitionChanged { .. }
                | redb::Error::TableIsMultimap(_)
                | redb::Error::TableIsNotMultimap(_)
                | redb::Error::TableDoesNotExist(_) => true,
                _ => false,
            },
            DbError::File(error) => {
                error.action == FileAction::Read
                    && matches!(error.source.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
            }
            DbError::InUse(_) | DbError::Suspect | DbError::Format(_) | DbError::TooNew(_) => false,
        }
    }
}

impl DbError {
    /// Returns true if the device reported an I/O error for stored bytes. An error of a write or a sync is none: what is
    /// stored may be whole, and the member goes on once the disk is repaired.
    pub fn is_unreadable(&self) -> bool {
        let DbError::File(FileError { action: FileAction::Open | FileAction::Read, source, .. }) = self
        else {
            return false;
        };
        source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
    }

    /// Returns true if there was no space to write.
    pub fn is_full(&self) -> bool {
        let kind = match self {
            DbError::Redb(error) => match error.as_ref() {
                redb::Error::Io(error) => error.kind(),
                _ => return false,
            },
            DbError::File(error) => error.source.kind(),
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

/// Returns true if a panic means damage rather than a bug, for use in a panic hook. Such a panic happens on a thread that
/// reads a possibly damaged store, or inside redb, which trusts its own pages when it writes, too.
pub fn is_damage(panic: &PanicHookInfo<'_>) -> bool {
    READING.get() || panic.location().is_some_and(|at| is_of_redb(at.file()))
}

/// Returns true for a source file of redb, as the compiler names it.
fn is_of_redb(file: &str) -> bool {
    file.split('/').any(|part| part.starts_with("redb-"))
}

/// Runs `work`, which reads a possibly damaged store, and turns its panics into errors: redb trusts its pages and panics on
/// some impossible ones. A process that ended with such a panic would meet it again at every start. Where panics abort
/// the process, a panic hook therefore checks [`is_damage`]; where they unwind, as in tests, the panic becomes an error.
///
/// # Errors
/// The error of `work`, or `Damaged` when it panicked.
pub fn catch_read_panics<T>(work: impl FnOnce() -> Result<T, DbError>) -> Result<T, DbError> {
    READING.set(true);
    // State that the panic left half done is not used again: a damaged store ends its process.
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
                of_redb(error.into())
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

fn of_redb(error: redb::Error) -> DbError {
    match error {
        redb::Error::Io(error) => error.into(),
        error => DbError::Redb(Box::new(error)),
    }
}

/// The files of a store are read and written through redb's `StorageBackend`, whose errors are those of the system.
impl From<std::io::Error> for DbError {
    fn from(error: std::io::Error) -> DbError {
        match error.downcast::<FileError>() {
            Ok(error) => DbError::File(error),
            Err(error) => DbError::Redb(Box::new(redb::Error::Io(error))),
        }
    }
}
