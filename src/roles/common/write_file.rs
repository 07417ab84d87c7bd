//! Atomic file writes: a file exists completely or not at all, also after a power cut.
//!
//! The bytes are written to a temporary file beside the target and synced; the file is then renamed to the target and the
//! folder is synced. A reader sees the old bytes or the new ones. The caller prevents concurrent writers of one file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, lchown};
use std::path::{Path, PathBuf};

/// Mode of files: accessible to the owner only.
const FILE_MODE: u32 = 0o600;
/// Mode of folders: accessible to the owner only.
const FOLDER_MODE: u32 = 0o700;

/// Writes `path`, replacing its contents.
///
/// # Errors
/// An I/O error.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let beside = beside(path);
    write_synced(&beside, text)?;
    fs::rename(&beside, path)?;
    sync_folder(path)
}

/// Writes `path` unless it exists.
///
/// # Errors
/// `AlreadyExists` if the path exists, or an I/O error.
pub(crate) fn create(path: &Path, text: &str) -> io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let beside = beside(path);
    write_synced(&beside, text)?;
    // Linking, unlike renaming, fails if another process created the file meanwhile. A file system without links (FAT)
    // leaves only renaming.
    match fs::hard_link(&beside, path) {
        Ok(()) => fs::remove_file(&beside)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let _ = fs::remove_file(&beside);
            return Err(error);
        }
        Err(_) => fs::rename(&beside, path)?,
    }
    sync_folder(path)
}

/// Creates a folder and its parents; new ones are accessible to the owner only.
///
/// # Errors
/// An I/O error.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

/// Checks that a path does not exist, or is a folder owned by this process's user or by the owner of `beside`. Links are
/// refused, because their target may belong to any user.
///
/// # Errors
/// `PermissionDenied` with a message for the user, or an I/O error.
pub(crate) fn owned(path: &Path, beside: Option<&Path>) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let refused = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if !metadata.is_dir() {
        return refused("it is not a folder");
    }
    let owner = beside.map(fs::metadata).transpose()?.map(|metadata| metadata.uid());
    match metadata.uid() == rustix::process::geteuid().as_raw() || owner == Some(metadata.uid()) {
        true => Ok(()),
        false => refused("it belongs to another user"),
    }
}

/// Replaces a folder that [`owned`] has accepted by an empty one.
///
/// # Errors
/// `AlreadyExists` if another process creates it meanwhile, or an I/O error.
pub(crate) fn empty_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::DirBuilder::new().mode(FOLDER_MODE).create(path)
}

/// Gives `folder` and everything in it to the owner of `beside`. Root uses this for files of a unit's user, who could not
/// read them otherwise. Links are not followed.
///
/// # Errors
/// An I/O error.
pub(crate) fn give_to_owner_of(beside: &Path, folder: &Path) -> io::Result<()> {
    let owner = fs::metadata(beside)?;
    let is = fs::symlink_metadata(folder)?;
    if is.is_dir() {
        for entry in fs::read_dir(folder)? {
            give_to_owner_of(beside, &entry?.path())?;
        }
    }
    match (is.uid(), is.gid()) == (owner.uid(), owner.gid()) {
        true => Ok(()),
        false => lchown(folder, Some(owner.uid()), Some(owner.gid())),
    }
}

/// A long file that is being written beside its target and replaces it when complete. Dropped earlier, it is removed.
#[derive(Debug)]
pub(crate) struct Beside {
    file: File,
    beside: PathBuf,
    path: PathBuf,
    bytes: u64,
    done: bool,
}

impl Beside {
    /// Creates the temporary file.
    ///
    /// # Errors
    /// An I/O error.
    pub(crate) fn begin(path: &Path) -> io::Result<Beside> {
        let beside = beside(path);
        let file = fresh(&beside)?;
        Ok(Beside { file, beside, path: path.to_path_buf(), bytes: 0, done: false })
    }

    /// Syncs the file, moves it to the target and returns its size in bytes.
    ///
    /// # Errors
    /// An I/O error; the temporary file is removed then.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.file.sync_all()?;
        fs::rename(&self.beside, &self.path)?;
        self.done = true;
        sync_folder(&self.path)?;
        Ok(self.bytes)
    }
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.beside);
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Creates an empty file. A file that a crash left behind is removed first, because it may have any mode.
fn fresh(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

fn write_synced(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fresh(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Syncs the parent folder of `path`, which makes its name durable.
///
/// # Errors
/// An I/O error.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Returns true if this is a folder with something in it.
pub(crate) fn has_entries(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some())
}

/// Returns the folder of a path; of a bare name, the working folder.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// Renames a finished folder to its target, which must be missing or empty, and makes the name durable.
///
/// # Errors
/// An I/O error, also if the target exists and is not empty.
pub(crate) fn move_folder(work: &Path, target: &Path) -> io::Result<()> {
    File::open(work)?.sync_all()?;
    fs::rename(work, target)?;
    sync_folder(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_the_owners_and_is_not_created_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(beside(&path), "left by a crash").unwrap();
        create(&path, "one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(create(&path, "two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        replace(&path, "three").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_of_another_user_or_behind_a_link_is_refused() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can give files away");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("theirs");
        assert!(owned(&theirs, None).is_ok(), "it does not exist");
        make_folder(&theirs).unwrap();
        assert!(owned(&theirs, None).is_ok());
        lchown(&theirs, Some(64_001), Some(64_001)).unwrap();
        assert_eq!(owned(&theirs, None).unwrap_err().to_string(), "it belongs to another user");
        assert!(owned(&theirs, Some(&theirs)).is_ok(), "root writes there for its owner");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert_eq!(owned(&link, None).unwrap_err().to_string(), "it is not a folder");
    }

    #[test]
    fn files_made_by_root_are_given_to_the_folders_owner() {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can give files away");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("made");
        make_folder(&made.join("inner")).unwrap();
        fs::write(made.join("inner/file"), "").unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(outside.path(), made.join("link")).unwrap();
        lchown(folder.path(), Some(64_001), Some(64_002)).unwrap();
        give_to_owner_of(folder.path(), &made).unwrap();
        for path in ["", "inner", "inner/file", "link"] {
            let is = fs::symlink_metadata(made.join(path)).unwrap();
            assert_eq!((is.uid(), is.gid()), (64_001, 64_002), "{path}");
        }
        assert_eq!(fs::metadata(outside.path()).unwrap().uid(), 0, "links are not followed");
    }
}
