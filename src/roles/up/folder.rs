//! The data folder of `up`: made, locked against a second `up`, and removed at the end if it is a temporary one.

use super::ports;
use crate::common::cluster_file::ClusterFile;
use crate::common::failure::{Exit, Failure};
use crate::common::options::DataDir;
use crate::common::systemd;
use crate::common::write_file;
use ribbit_db::disk::private_file;
use ribbit_net::secret;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const LOCK_NAME: &str = "up.lock";

/// Held while `up` runs.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    ephemeral: bool,
    /// The lock lasts as long as this is open, and is gone with the process however it ends.
    _lock: File,
}

impl Folder {
    /// # Errors
    /// 1: another `up` runs there, or the folder cannot be made.
    pub fn open(wanted: &DataDir) -> Result<Folder, Failure> {
        let (path, ephemeral) = match wanted {
            DataDir::Kept(path) => (path.clone(), false),
            DataDir::Ephemeral => (temporary_path(), true),
        };
        let made = match ephemeral {
            // Not with parents, and not if it exists: in a folder for everybody it must be ours.
            true => fs::DirBuilder::new().mode(0o700).create(&path),
            false => write_file::make_folder(&path),
        };
        made.map_err(|error| refused(format!("cannot make the data folder {}: {error}", path.display())))?;
        let lock = lock(&path)?;
        Ok(Folder { path, ephemeral, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// The cluster file in it, made if there is none.
    ///
    /// # Errors
    /// 78: there is one and it is wrong, or there is none and there was one. 1: it cannot be made.
    pub fn cluster_file(&self) -> Result<ClusterFile, Failure> {
        let path = ClusterFile::path_in(&self.path);
        if path.exists() {
            return ClusterFile::read(&path);
        }
        // Members whose stores are there belong to a cluster: another one would refuse them all.
        if ports::any_store(&self.path) {
            let text = format!(
                "{} is gone, and there are members' stores: put it back from a copy. Where there is none, restore a \
                 backup into another folder",
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
            log::warn!("the temporary folder {} stays: {error}", self.path.display());
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
            "another `ribbit up` runs on {}: stop it first, or take another folder with --data-dir",
            folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(refused(format!("cannot lock {}: {error}", path.display()))),
    }
}

/// Where systemd keeps what goes with a unit, or else where everybody keeps such things.
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
    fn two_on_one_folder_are_refused() {
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
    fn a_temporary_folder_goes() {
        let folder = Folder::open(&DataDir::Ephemeral).unwrap();
        let path = folder.path().to_path_buf();
        fs::create_dir(path.join("backend-1")).unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
