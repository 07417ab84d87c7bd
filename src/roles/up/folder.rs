//! Data folder of `up`: created, locked against a second `up`, and removed on exit if it is temporary.

use super::arguments::DataDir;
use super::ports;
use crate::common::cluster_file::ClusterFile;
use crate::common::failure::{Exit, Failure};
use crate::common::systemd;
use crate::common::write_file;
use ribbit_db::files::private_file;
use ribbit_net::secret;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Name of the lock file in the folder.
const LOCK_NAME: &str = "up.lock";

/// The locked data folder of a running `up`.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    ephemeral: bool,
    /// Lock file; the kernel releases the lock when it is closed, however the process ends.
    _lock: File,
}

impl Folder {
    /// Creates and locks the folder.
    ///
    /// # Errors
    /// 1: another `up` uses the folder, or it cannot be created.
    pub(crate) fn open(wanted: &DataDir) -> Result<Folder, Failure> {
        let (path, ephemeral) = match wanted {
            DataDir::Kept(path) => (path.clone(), false),
            DataDir::Ephemeral => (temporary_path(), true),
        };
        let made = match ephemeral {
            // Without parents, and only if it does not exist: in a folder shared by all users it must be ours.
            true => fs::DirBuilder::new().mode(0o700).create(&path),
            false => write_file::make_folder(&path),
        };
        made.map_err(|error| refused(format!("cannot create the data folder {}: {error}", path.display())))?;
        let lock = lock(&path)?;
        Ok(Folder { path, ephemeral, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// Reads the cluster file of the folder, or creates one.
    ///
    /// # Errors
    /// 1: it cannot be created. 78: it is malformed, or it is missing although members have stores.
    pub(crate) fn cluster_file(&self) -> Result<ClusterFile, Failure> {
        let path = ClusterFile::path_in(&self.path);
        if path.exists() {
            return ClusterFile::read(&path);
        }
        // The existing stores belong to the cluster of the lost file, and a new cluster would refuse them.
        if ports::any_store(&self.path) {
            let text = format!(
                "{} is missing, but the folder has members' stores: put it back from a copy. If there is no copy, restore \
                 a backup into another folder",
                path.display()
            );
            return Err(Failure::new(Exit::Configuration, text));
        }
        let file = ClusterFile::new("up".to_string(), Vec::new());
        file.create(&path)
            .map_err(|error| refused(format!("cannot write the cluster file {}: {error}", path.display())))?;
        Ok(file)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.ephemeral {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            log::warn!("cannot remove the temporary folder {}: {error}", self.path.display());
        }
    }
}

fn lock(folder: &Path) -> Result<File, Failure> {
    let path = folder.join(LOCK_NAME);
    let file =
        private_file(&path).map_err(|error| refused(format!("cannot open {}: {error}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(refused(format!(
            "another `ribbit up` is running on {}: stop it first, or choose another folder with --data-dir",
            folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(refused(format!("cannot lock {}: {error}", path.display()))),
    }
}

/// Returns a new path in the unit's runtime folder of systemd, else in the system's temporary folder.
fn temporary_path() -> PathBuf {
    let random: String = secret::new_token()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    systemd::runtime_directory().unwrap_or_else(std::env::temp_dir).join(format!("ribbit-up-{random}"))
}

fn refused(message: String) -> Failure {
    Failure::new(Exit::Refused, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_up_on_the_same_folder_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let wanted = DataDir::Kept(parent.path().join("a/b"));
        let first = Folder::open(&wanted).unwrap();
        let failure = Folder::open(&wanted).unwrap_err();
        assert!(failure.message.contains("another `ribbit up`"), "{failure}");
        let made = first.cluster_file().unwrap();
        drop(first);
        assert_eq!(Folder::open(&wanted).unwrap().cluster_file().unwrap(), made);
    }

    #[test]
    fn a_temporary_folder_is_removed() {
        let folder = Folder::open(&DataDir::Ephemeral).unwrap();
        let path = folder.path().to_path_buf();
        fs::create_dir(path.join("backend-1")).unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
