//! Stored session: the file `session-CLUSTER` in the user's configuration folder, readable only by its owner. It carries the
//! session of a cluster from one process to the next.
//!
//! ```text
//!   USERNAME=ada
//!   TOKEN=<64 hexadecimal digits>
//!   SEEN=HISTORY.INDEX
//! ```
//!
//! The file is replaced atomically. Several processes of one user may use it at once, so each change locks the folder and
//! applies only if the file still holds the same session. A session that was closed meanwhile is not restored.

use crate::common::env_file;
use crate::common::failure::{Exit, Failure};
use crate::common::write_file;
use ribbit_net::secret::{TOKEN_BYTES, from_hex, to_hex};
use ribbit_state::{ClusterId, Token};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Mode of the folder.
const FOLDER_MODE: u32 = 0o700;

/// A session, and the newest log position that its owner has seen.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StoredSession {
    pub(crate) username: String,
    pub(crate) token: [u8; TOKEN_BYTES],
    pub(crate) seen: Option<Token>,
}

/// Leaves out the token, which is a secret.
impl std::fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredSession")
            .field("username", &self.username)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// The session file of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct SessionFile {
    file: PathBuf,
}

impl SessionFile {
    /// Returns the session file of `cluster` in `folder`. The folder need not exist yet.
    ///
    /// # Errors
    /// `Configuration` (78) when `folder` is `None`.
    pub(crate) fn of(folder: Option<&Path>, cluster: ClusterId) -> Result<SessionFile, Failure> {
        let folder = folder.ok_or_else(|| {
            let message = "no place to store the session: set XDG_CONFIG_HOME or HOME";
            Failure::new(Exit::Configuration, message)
        })?;
        Ok(SessionFile { file: folder.join(format!("session-{cluster}")) })
    }

    /// Reads the stored session, if there is one.
    ///
    /// # Errors
    /// `Configuration` (78) when the file exists and is damaged or cannot be read.
    pub(crate) fn read(&self) -> Result<Option<StoredSession>, Failure> {
        let unreadable = |why: &dyn std::fmt::Display| {
            let file = self.file.display();
            let message =
                format!("cannot read the session in {file}: {why}; delete the file and log in again");
            Failure::new(Exit::Configuration, message)
        };
        match fs::read_to_string(&self.file) {
            Ok(text) => match parse(&text) {
                Some(kept) => Ok(Some(kept)),
                None => Err(unreadable(&"it is damaged")),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Stores a session, in place of any other.
    ///
    /// # Errors
    /// `Refused` (1) when the file cannot be written.
    pub(crate) fn replace(&self, kept: &StoredSession) -> Result<(), Failure> {
        self.locked(|| write_file::replace(&self.file, &format(kept)))
    }

    /// Stores the new state of a session, if the file still holds that session.
    ///
    /// # Errors
    /// `Refused` (1) when the file cannot be written.
    pub(crate) fn update(&self, kept: &StoredSession) -> Result<(), Failure> {
        self.locked(|| match self.is_of(kept) {
            true => write_file::replace(&self.file, &format(kept)),
            false => Ok(()),
        })
    }

    /// Removes the file, if it still holds this session.
    ///
    /// # Errors
    /// `Refused` (1) when the file cannot be removed.
    pub(crate) fn remove(&self, kept: &StoredSession) -> Result<(), Failure> {
        self.locked(|| match self.is_of(kept) {
            true => fs::remove_file(&self.file),
            false => Ok(()),
        })
    }

    fn is_of(&self, kept: &StoredSession) -> bool {
        let there = fs::read_to_string(&self.file).ok().and_then(|text| parse(&text));
        there.is_some_and(|there| there.token == kept.token)
    }

    /// Runs `change` under an exclusive lock on the folder.
    fn locked(&self, change: impl FnOnce() -> io::Result<()>) -> Result<(), Failure> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let done = || {
            write_file::make_folder(folder)?;
            // A folder that existed before may be readable by others.
            fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))?;
            let lock = File::open(folder)?;
            flock(&lock, FlockOperation::LockExclusive)?;
            change()
        };
        done().map_err(|error| {
            let message = format!("cannot store the session in {}: {error}", self.file.display());
            Failure::new(Exit::Refused, message)
        })
    }
}

fn parse(text: &str) -> Option<StoredSession> {
    let entries = env_file::parse(text).ok()?;
    let value = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    Some(StoredSession {
        username: value("USERNAME")?.to_string(),
        token: from_hex(value("TOKEN")?)?,
        seen: value("SEEN").and_then(|text| text.parse().ok()),
    })
}

fn format(kept: &StoredSession) -> String {
    let mut entries = vec![("USERNAME", kept.username.clone()), ("TOKEN", to_hex(&kept.token))];
    entries.extend(kept.seen.map(|seen| ("SEEN", seen.to_string())));
    env_file::format(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::HistoryId;

    fn kept(username: &str, token: u8, index: u64) -> StoredSession {
        let seen = Some(Token { history: HistoryId(10), index });
        StoredSession { username: username.to_string(), token: [token; TOKEN_BYTES], seen }
    }

    #[test]
    fn a_session_is_stored_per_cluster_and_readable_only_by_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("ribbit");
        let keeper = SessionFile::of(Some(&folder), ClusterId(1)).unwrap();
        assert_eq!(keeper.read().unwrap(), None);
        keeper.replace(&kept("ada", 1, 7)).unwrap();
        assert_eq!(keeper.read().unwrap(), Some(kept("ada", 1, 7)));
        assert_eq!(SessionFile::of(Some(&folder), ClusterId(2)).unwrap().read().unwrap(), None);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&keeper.file)), (0o700, 0o600));
        assert!(!format!("{:?}", kept("ada", 0xab, 7)).contains("ab, "), "the token is not printed");
    }

    #[test]
    fn a_session_that_was_closed_is_not_restored() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = SessionFile::of(Some(folder.path()), ClusterId(1)).unwrap();
        keeper.replace(&kept("ada", 1, 7)).unwrap();
        keeper.update(&kept("ada", 1, 8)).unwrap();
        assert_eq!(keeper.read().unwrap(), Some(kept("ada", 1, 8)));
        keeper.update(&kept("bob", 2, 9)).unwrap();
        keeper.remove(&kept("bob", 2, 9)).unwrap();
        assert_eq!(keeper.read().unwrap(), Some(kept("ada", 1, 8)), "changes of another session are ignored");
        keeper.remove(&kept("ada", 1, 8)).unwrap();
        keeper.update(&kept("ada", 1, 9)).unwrap();
        assert_eq!(keeper.read().unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = SessionFile::of(Some(folder.path()), ClusterId(1)).unwrap();
        for text in ["", "USERNAME=ada\n", "USERNAME=ada\nTOKEN=xyz\n", "USERNAME"] {
            fs::write(&keeper.file, text).unwrap();
            assert_eq!(keeper.read().unwrap_err().exit, Exit::Configuration, "{text:?}");
        }
        assert_eq!(SessionFile::of(None, ClusterId(1)).unwrap_err().exit, Exit::Configuration);
    }
}
