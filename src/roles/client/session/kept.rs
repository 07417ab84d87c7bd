//! The file that keeps a person's session from one process to the next: `session-CLUSTER` in the folder of the user's
//! configuration, nobody else's to read.
//!
//! ```text
//!   USERNAME=ada
//!   TOKEN=<64 hexadecimal digits>
//!   SEEN=HISTORY.INDEX
//! ```
//!
//! It is there as a whole or not at all. Several processes of one person may use it at once: who changes it locks the
//! folder meanwhile, and changes only the session that it knows; one that was closed is not brought back.

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

const FOLDER_MODE: u32 = 0o700;

/// A session, and what its owner has seen.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    pub username: String,
    pub token: [u8; TOKEN_BYTES],
    pub seen: Option<Token>,
}

/// The token is a secret.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("username", &self.username)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// Where the session of a cluster is kept.
#[derive(Debug, Clone)]
pub struct Keeper {
    file: PathBuf,
}

impl Keeper {
    /// In `folder`, which need not be there yet.
    ///
    /// # Errors
    /// 78: there is no such place.
    pub fn of(folder: Option<&Path>, cluster: ClusterId) -> Result<Keeper, Failure> {
        let folder = folder.ok_or_else(|| {
            let message = "no place to keep a session: neither XDG_CONFIG_HOME nor HOME says where";
            Failure::new(Exit::Configuration, message)
        })?;
        Ok(Keeper { file: folder.join(format!("session-{cluster}")) })
    }

    /// The session that is kept, if there is one.
    ///
    /// # Errors
    /// 78: the file is there and cannot be read.
    pub fn read(&self) -> Result<Option<Kept>, Failure> {
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

    /// Keeps this session in the place of any other.
    ///
    /// # Errors
    /// 1: it cannot be written.
    pub fn replace(&self, kept: &Kept) -> Result<(), Failure> {
        self.locked(|| write_file::replace(&self.file, &format(kept)))
    }

    /// Keeps what was seen of this session, if it is the one that is kept.
    ///
    /// # Errors
    /// 1: it cannot be written.
    pub fn update(&self, kept: &Kept) -> Result<(), Failure> {
        self.locked(|| match self.is_of(kept) {
            true => write_file::replace(&self.file, &format(kept)),
            false => Ok(()),
        })
    }

    /// Removes this session, if it is the one that is kept.
    ///
    /// # Errors
    /// 1: it cannot be removed.
    pub fn remove(&self, kept: &Kept) -> Result<(), Failure> {
        self.locked(|| match self.is_of(kept) {
            true => fs::remove_file(&self.file),
            false => Ok(()),
        })
    }

    fn is_of(&self, kept: &Kept) -> bool {
        let there = fs::read_to_string(&self.file).ok().and_then(|text| parse(&text));
        there.is_some_and(|there| there.token == kept.token)
    }

    /// Nobody else changes the file meanwhile.
    fn locked(&self, change: impl FnOnce() -> io::Result<()>) -> Result<(), Failure> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let done = || {
            write_file::make_folder(folder)?;
            // One that was there already may be anybody's to read.
            fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))?;
            let lock = File::open(folder)?;
            flock(&lock, FlockOperation::LockExclusive)?;
            change()
        };
        done().map_err(|error| {
            let message = format!("the session cannot be kept in {}: {error}", self.file.display());
            Failure::new(Exit::Refused, message)
        })
    }
}

fn parse(text: &str) -> Option<Kept> {
    let entries = env_file::parse(text).ok()?;
    let value = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    Some(Kept {
        username: value("USERNAME")?.to_string(),
        token: from_hex(value("TOKEN")?)?,
        seen: value("SEEN").and_then(|text| text.parse().ok()),
    })
}

fn format(kept: &Kept) -> String {
    let mut entries = vec![("USERNAME", kept.username.clone()), ("TOKEN", to_hex(&kept.token))];
    entries.extend(kept.seen.map(|seen| ("SEEN", seen.to_string())));
    env_file::format(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::HistoryId;

    fn kept(username: &str, token: u8, index: u64) -> Kept {
        let seen = Some(Token { history: HistoryId(10), index });
        Kept { username: username.to_string(), token: [token; TOKEN_BYTES], seen }
    }

    #[test]
    fn a_session_is_kept_for_its_owner_and_its_cluster_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("ribbit");
        let keeper = Keeper::of(Some(&folder), ClusterId(1)).unwrap();
        assert_eq!(keeper.read().unwrap(), None);
        keeper.replace(&kept("ada", 1, 7)).unwrap();
        assert_eq!(keeper.read().unwrap(), Some(kept("ada", 1, 7)));
        assert_eq!(Keeper::of(Some(&folder), ClusterId(2)).unwrap().read().unwrap(), None);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&keeper.file)), (0o700, 0o600));
        assert!(!format!("{:?}", kept("ada", 0xab, 7)).contains("ab, "), "the token is not shown");
    }

    #[test]
    fn a_session_that_was_closed_is_not_brought_back() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = Keeper::of(Some(folder.path()), ClusterId(1)).unwrap();
        keeper.replace(&kept("ada", 1, 7)).unwrap();
        keeper.update(&kept("ada", 1, 8)).unwrap();
        assert_eq!(keeper.read().unwrap(), Some(kept("ada", 1, 8)));
        keeper.update(&kept("bob", 2, 9)).unwrap();
        keeper.remove(&kept("bob", 2, 9)).unwrap();
        assert_eq!(keeper.read().unwrap(), Some(kept("ada", 1, 8)), "another's");
        keeper.remove(&kept("ada", 1, 8)).unwrap();
        keeper.update(&kept("ada", 1, 9)).unwrap();
        assert_eq!(keeper.read().unwrap(), None);
    }

    #[test]
    fn a_file_that_is_damaged_is_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = Keeper::of(Some(folder.path()), ClusterId(1)).unwrap();
        for text in ["", "USERNAME=ada\n", "USERNAME=ada\nTOKEN=xyz\n", "USERNAME"] {
            fs::write(&keeper.file, text).unwrap();
            assert_eq!(keeper.read().unwrap_err().exit, Exit::Configuration, "{text:?}");
        }
        assert_eq!(Keeper::of(None, ClusterId(1)).unwrap_err().exit, Exit::Configuration);
    }
}
