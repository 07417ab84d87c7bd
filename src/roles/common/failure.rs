//! How a role ends when it does not end well: a sentence for people and a code for scripts.

use ribbit_db::DbError;
use std::fmt;
use std::path::Path;

/// Exit codes. 0 is fine; 101 and signals are bugs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The group, or this machine, said no.
    Refused = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Nobody of the group could be reached.
    Unreachable = 3,
    NotLoggedIn = 4,
    /// It works, but not as it should.
    Degraded = 5,
    /// The disk is full, away or failing; once that is mended, a restart goes on where it was (EX_IOERR).
    Disk = 74,
    /// A lock was lost while it was relied on; it may be tried again (EX_TEMPFAIL).
    LockLost = 75,
    /// The configuration is wrong, or somebody has to look first; restarting does not help (EX_CONFIG; systemd does not restart on it).
    Configuration = 78,
}

/// Why a role ends.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// What and where, and what to do about it; printed behind `ribbit: `. Empty when all was said already.
    pub message: String,
}

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// What is wrong was said on standard output: it is what was asked for.
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

/// Returns the failure for the store in `folder`, which a build of another format wrote.
pub fn other_format(folder: &Path, error: &DbError) -> Failure {
    let text = format!(
        "cannot use the store in {}: {error}; nothing in it was changed, and `ribbit client export` and `ribbit backup` \
         of the version that wrote it still work",
        folder.display()
    );
    Failure::new(Exit::Configuration, text)
}
