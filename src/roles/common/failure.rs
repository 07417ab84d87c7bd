//! Failure of a command or server: a message for people and an exit code for scripts.

use ribbit_db::DbError;
use std::fmt;
use std::io;
use std::path::Path;

/// Exit codes of failures. Success is 0; 101 and signals are bugs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The cluster or this machine refused the operation.
    Refused = 1,
    /// The command line is wrong.
    Usage = 2,
    /// No server of the cluster could be reached.
    Unreachable = 3,
    /// There is no valid session.
    NotLoggedIn = 4,
    /// The cluster works, but an operator should act.
    Degraded = 5,
    /// The disk is full, missing or failing. Once that is fixed, a restart continues (`EX_IOERR`).
    Disk = 74,
    /// A lock was lost while its command ran; the command may be tried again (`EX_TEMPFAIL`).
    LockLost = 75,
    /// The configuration is wrong, or an operator has to act before a restart helps (`EX_CONFIG`; systemd does not restart
    /// on it).
    Configuration = 78,
}

/// Reason why a command or server ends.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// What happened, where, and what to do about it; printed after `ribbit: `. Empty if everything has been printed.
    pub message: String,
}

impl Failure {
    /// Returns a failure with this message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// Returns a failure without a message, for a command whose output on standard output has said what is wrong.
    pub fn said(exit: Exit) -> Failure {
        Failure { exit, message: String::new() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Failure {}

/// Returns the failure for a file or folder that cannot be written; `Disk` if it is full.
pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Exit::Disk,
        _ => Exit::Refused,
    };
    Failure::new(exit, format!("cannot write {}: {error}", path.display()))
}

/// Returns the failure for the store in `folder`, which a build of another format wrote.
pub fn other_format(folder: &Path, error: &DbError) -> Failure {
    let text = format!(
        "cannot use the store in {}: {error}; nothing in it was changed, and `ribbit client export` and `ribbit backup` \
         of the version that wrote it still work",
        folder.display()
    );
    Failure::new(Exit::Configuration, text)
}
