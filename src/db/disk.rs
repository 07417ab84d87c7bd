//! Files of a store. The store only knows the [`Disk`] trait, so that the simulator can give it a disk that loses writes
//! that were not synced.

use super::DbError;
use super::boot_note::BootNote;
use super::files::{FileAction, failed, file, private_file, sync_folder};
use super::limits::CACHE_BYTES;
use redb::backends::FileBackend;
use redb::{BackendError, Builder, Database, DatabaseError, StorageBackend, WriteTransaction};
use ribbit_state::sync::MutexExt;
use std::ffi::OsString;
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::{DirBuilderExt, FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The redb files that a store may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreFile {
    /// The rows and `meta` in use.
    Main,
    /// A snapshot that is being received.
    Incoming,
}

/// Access to the files of one store.
pub trait Disk: Send + Sync + 'static {
    /// Makes the folder ready for writing, once it is known to hold no store of another version: it exists, and it and everything
    /// in it are accessible to the owner alone. A disk without other users need do nothing.
    ///
    /// # Errors
    /// The folder cannot be created, read or changed.
    fn claim(&self) -> Result<(), DbError> {
        Ok(())
    }
    /// Opens a redb file, or creates it if it does not exist. Everything that can be read in it is durable. After a power
    /// cut, all of its pages were checked ([`check_pages`]).
    fn open(&self, which: StoreFile) -> Result<Database, DbError>;
    /// Removes the incoming file if there is one.
    fn discard_incoming(&self) -> Result<(), DbError>;
    /// Replaces the main file by the incoming one, which must be closed and complete. Durable and atomic.
    fn promote_incoming(&self) -> Result<(), DbError>;
    /// Notes that everything written to the main file is synced, at a clean stop. A start after a power cut then trusts the
    /// file, unless it is written to again. A disk without power cuts needs no note.
    ///
    /// # Errors
    /// The disk fails.
    fn settled(&self) -> Result<(), DbError> {
        Ok(())
    }
    /// Returns the numbers of the log segments in ascending order.
    fn log_segments(&self) -> Result<Vec<u64>, DbError>;
    /// Opens a log segment, or creates it if it does not exist.
    fn open_segment(&self, number: u64) -> Result<Box<dyn StorageBackend>, DbError>;
    /// Renames a log segment to the number `next`, durably, and opens it with its content.
    fn recycle_segment(&self, number: u64, next: u64) -> Result<Box<dyn StorageBackend>, DbError>;
    /// Removes a log segment. The removal need not be durable.
    fn remove_segment(&self, number: u64) -> Result<(), DbError>;
    /// Opens the main file as it is, without a change to it. Returns `None` if there is no such file, when another process has
    /// it open, or when it is no file of redb's: then opening the file itself tells more. A disk that never holds a store of
    /// another version need not be able to.
    ///
    /// # Errors
    /// The disk fails.
    fn look(&self) -> Result<Option<Database>, DbError> {
        Ok(None)
    }
}

/// Name of the main file in the store's folder.
pub const STORE_FILE: &str = "store.redb";
/// Name of a snapshot that is being received, or of a copy of the main file.
const INCOMING_FILE: &str = "incoming.redb";
/// Name of the marker file that a sync of the main file has failed.
const SUSPECT_FILE: &str = "suspect";
/// Prefix of the names of log segments.
pub const LOG_PREFIX: &str = "log-";
/// Mode of every folder: access for the owner alone.
const FOLDER_MODE: u32 = 0o700;

/// Returns redb's settings, the same for every file.
pub fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Begins a transaction whose commit is durable. The commit also stores which pages are free, so that the file is opened
/// after a crash without reading all of it.
///
/// # Errors
/// The store cannot be read.
pub(super) fn begin_durable(database: &Database) -> Result<WriteTransaction, DbError> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// Reads all pages of a file and compares their checksums. A power cut may have damaged them, whereas the end of a process
/// alone leaves them as they were.
///
/// # Errors
/// `Corrupted` if a page is damaged, or the file cannot be read.
pub fn check_pages(database: &mut Database) -> Result<(), DbError> {
    database.check_integrity()?;
    Ok(())
}

/// A store's folder in the file system.
#[derive(Debug, Clone)]
pub struct FileDisk {
    folder: PathBuf,
    pub(super) boot: Arc<BootNote>,
}

impl FileDisk {
    /// Returns the disk of a folder, which stays as it is until [`Disk::claim`]. It need not exist.
    pub fn new(folder: &Path) -> FileDisk {
        FileDisk { folder: folder.to_path_buf(), boot: Arc::new(BootNote::new(folder)) }
    }

    fn path(&self, which: StoreFile) -> PathBuf {
        self.folder.join(match which {
            StoreFile::Main => STORE_FILE,
            StoreFile::Incoming => INCOMING_FILE,
        })
    }

    fn log_path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{LOG_PREFIX}{number:08}"))
    }

    fn open_synced(&self, path: &Path) -> Result<StoreBackend, DbError> {
        let action = if path.exists() { FileAction::Open } else { FileAction::Create };
        let opened = private_file(path).map_err(|source| file(action, path, source))?;
        let mark = Some(self.folder.join(SUSPECT_FILE));
        // A process that died may have left writes that were never synced, and everything read from now on is trusted.
        if let Err(source) = opened.sync_all() {
            mark.iter().for_each(|mark| set_mark(mark));
            return Err(file(FileAction::Sync, path, source));
        }
        Ok(StoreBackend { mark, ..StoreBackend::new(opened, path)? })
    }

    /// Copies the main file if a sync of it has failed in an earlier process. Some of its pages may then exist only in the
    /// page cache, and no later sync would write them.
    fn renew_suspect(&self) -> Result<(), DbError> {
        let (mark, main) = (self.folder.join(SUSPECT_FILE), self.path(StoreFile::Main));
        if !mark.exists() {
            return Ok(());
        }
        if main.exists() {
            let opened = File::open(&main);
            let mut from = opened.map_err(|source| file(FileAction::Open, &main, source))?;
            // The process that set the marker may still have the file open. redb locks it the same way.
            from.try_lock().map_err(|error| match error {
                TryLockError::WouldBlock => DbError::InUse(main.display().to_string()),
                TryLockError::Error(source) => file(FileAction::Open, &main, source),
            })?;
            self.discard_incoming()?;
            let copy = self.path(StoreFile::Incoming);
            let copied = private_file(&copy).and_then(|mut to| {
                io::copy(&mut from, &mut to)?;
                to.sync_all()
            });
            copied.map_err(|source| file(FileAction::Write, &copy, source))?;
            self.promote_incoming()?;
        }
        fs::remove_file(&mark).map_err(|source| file(FileAction::Remove, &mark, source))
    }
}

/// A file of a store, which is named in its errors. A redb file sets the marker when a sync of it fails, so that later
/// processes know. The main file is noted as in use before it is written to.
#[derive(Debug)]
struct StoreBackend {
    backend: FileBackend,
    path: PathBuf,
    mark: Option<PathBuf>,
    /// The note that the main file is in use.
    boot: Option<Arc<BootNote>>,
    /// Set once the main file was opened and its handle is counted.
    counted: Arc<AtomicBool>,
}

impl StoreBackend {
    fn new(opened: File, path: &Path) -> Result<StoreBackend, DbError> {
        let backend = FileBackend::new(opened)?;
        Ok(StoreBackend { backend, path: path.into(), mark: None, boot: None, counted: Arc::default() })
    }

    fn before_write(&self) -> io::Result<()> {
        self.boot.as_ref().map_or(Ok(()), |note| note.before_write())
    }

    fn named<T>(&self, action: FileAction, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|source| failed(action, &self.path, source))
    }
}

impl StorageBackend for StoreBackend {
    fn len(&self) -> io::Result<u64> {
        self.named(FileAction::Read, self.backend.len())
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.named(FileAction::Read, self.backend.read(offset, out))
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.before_write()?;
        self.named(FileAction::Resize, self.backend.set_len(length))
    }
    fn sync_data(&self) -> io::Result<()> {
        let synced =
            self.backend.sync_data().inspect_err(|_| self.mark.iter().for_each(|mark| set_mark(mark)));
        self.named(FileAction::Sync, synced)
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.before_write()?;
        self.named(FileAction::Write, self.backend.write(offset, bytes))
    }
    fn close(&self) -> io::Result<()> {
        self.backend.close()?;
        let counted = self.boot.as_ref().filter(|_| self.counted.load(Ordering::Acquire));
        counted.map_or(Ok(()), |note| note.closed())
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_range(start, end)
    }
    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_shared_range(start, end)
    }
    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_range(start, end)
    }
    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_shared_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.unlock_range(start, end)
    }
    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.query_lock_range(start, end)
    }
}

/// Sets the marker of a failed sync. The marker needs no sync: it has to last only as long as the page cache.
fn set_mark(mark: &Path) {
    if let Err(error) = private_file(mark) {
        log::error!("{}: {error}; cannot mark the store after a failed sync", mark.display());
    }
}

/// Removes the access of group and others from a folder and everything in it. Symbolic links are not followed.
fn restrict(path: &Path) -> Result<(), DbError> {
    let read = |source| file(FileAction::Read, path, source);
    let metadata = fs::symlink_metadata(path).map_err(read)?;
    if metadata.is_symlink() {
        return Ok(());
    }
    let mode = metadata.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(mode & FOLDER_MODE))
            .map_err(|source| file(FileAction::Write, path, source))?;
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(path).map_err(read)? {
            restrict(&entry.map_err(read)?.path())?;
        }
    }
    Ok(())
}

impl Disk for FileDisk {
    fn claim(&self) -> Result<(), DbError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(&self.folder)
            .map_err(|source| file(FileAction::Create, &self.folder, source))?;
        restrict(&self.folder)
    }

    fn open(&self, which: StoreFile) -> Result<Database, DbError> {
        let path = self.path(which);
        if which == StoreFile::Main {
            self.renew_suspect()?;
        }
        let is_new = !path.exists();
        let was_cut_off = which == StoreFile::Main && !is_new && self.boot.was_cut_off();
        let mut opened = self.open_synced(&path)?;
        opened.boot = (which == StoreFile::Main).then(|| self.boot.clone());
        let counted = opened.counted.clone();
        let mut database = builder().create_with_backend(opened).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => DbError::InUse(path.display().to_string()),
            other => other.into(),
        })?;
        if was_cut_off {
            check_pages(&mut database)?;
            self.boot.checked()?;
        }
        if which == StoreFile::Main {
            self.boot.opened();
            counted.store(true, Ordering::Release);
        }
        if is_new && which == StoreFile::Main {
            // Makes the names of the file and of its folder durable: without them the file would be lost with its content.
            sync_folder(&self.folder)?;
            if let Some(parent) = self.folder.parent().filter(|parent| *parent != Path::new("")) {
                sync_folder(parent)?;
            }
        }
        Ok(database)
    }

    fn discard_incoming(&self) -> Result<(), DbError> {
        let path = self.path(StoreFile::Incoming);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(file(FileAction::Remove, &path, error))
            }
            _ => Ok(()),
        }
    }

    fn promote_incoming(&self) -> Result<(), DbError> {
        let (from, main) = (self.path(StoreFile::Incoming), self.path(StoreFile::Main));
        fs::rename(&from, main).map_err(|source| file(FileAction::Rename, &from, source))?;
        // The rename is durable only once the folder is synced.
        Ok(sync_folder(&self.folder)?)
    }

    fn settled(&self) -> Result<(), DbError> {
        self.boot.settled()
    }

    fn log_segments(&self) -> Result<Vec<u64>, DbError> {
        let names = match segment_names(&self.folder) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(file(FileAction::Read, &self.folder, source)),
        };
        let number = |name: &OsString| name.to_str()?.strip_prefix(LOG_PREFIX)?.parse::<u64>().ok();
        let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn open_segment(&self, number: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        let path = self.log_path(number);
        let is_new = !path.exists();
        // An existing segment keeps its mode here: the format of a store is checked before anything in it is changed.
        let (action, opened) = match is_new {
            true => (FileAction::Create, private_file(&path)),
            false => (FileAction::Open, File::options().read(true).write(true).open(&path)),
        };
        let opened = opened.map_err(|source| file(action, &path, source))?;
        if is_new {
            sync_folder(&self.folder)?;
        }
        Ok(Box::new(StoreBackend::new(opened, &path)?))
    }

    fn recycle_segment(&self, number: u64, next: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        let path = self.log_path(number);
        fs::rename(&path, self.log_path(next)).map_err(|source| file(FileAction::Rename, &path, source))?;
        // Synced before its content is overwritten: under its old name the segment would count as damaged.
        sync_folder(&self.folder)?;
        self.open_segment(next)
    }

    fn remove_segment(&self, number: u64) -> Result<(), DbError> {
        let path = self.log_path(number);
        fs::remove_file(&path).map_err(|source| file(FileAction::Remove, &path, source))
    }

    fn look(&self) -> Result<Option<Database>, DbError> {
        let path = self.path(StoreFile::Main);
        let opened = match File::open(&path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(file(FileAction::Open, &path, source)),
        };
        // Redb locks its file the same way: a file that is being written to would be read in the middle of a change.
        if opened.try_lock().is_err() {
            return Ok(None);
        }
        let length = opened.metadata().map_err(|source| file(FileAction::Read, &path, source))?.len();
        let unchanged = UnchangedFile { file: opened, written: Mutex::new((length, Vec::new())) };
        Ok(if length == 0 { None } else { builder().create_with_backend(unchanged).ok() })
    }
}

/// A file that stays as it is: what is written to it is kept in memory. Redb writes a little when it opens and closes a file.
#[derive(Debug)]
struct UnchangedFile {
    file: File,
    /// Length of the file, and offset and bytes of each write.
    written: Mutex<(u64, Vec<(u64, Vec<u8>)>)>,
}

impl StorageBackend for UnchangedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written.locked().0)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut at = 0;
        while at < out.len() {
            match self.file.read_at(&mut out[at..], offset + at as u64)? {
                0 => break,
                length => at += length,
            }
        }
        out[at..].fill(0);
        for (from, bytes) in &self.written.locked().1 {
            let start = offset.max(*from);
            let end = (offset + out.len() as u64).min(from + bytes.len() as u64);
            if start < end {
                let new = &bytes[(start - from) as usize..(end - from) as usize];
                out[(start - offset) as usize..(end - offset) as usize].copy_from_slice(new);
            }
        }
        Ok(())
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.written.locked().0 = length;
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.written.locked().1.push((offset, bytes.to_vec()));
        Ok(())
    }
}

/// Returns the file names of the log segments in a store's folder.
///
/// # Errors
/// The folder cannot be read.
pub fn segment_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    Ok(names.into_iter().filter(|name| name.as_encoded_bytes().starts_with(LOG_PREFIX.as_bytes())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use std::os::unix::fs::MetadataExt;

    fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
        let mut found = vec![(folder.to_path_buf(), fs::metadata(folder).unwrap().mode() & 0o777)];
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                found.extend(modes(&entry));
            } else {
                found.push((entry.clone(), fs::metadata(&entry).unwrap().mode() & 0o777));
            }
        }
        found
    }

    #[test]
    fn a_store_belongs_to_its_owner_alone_and_wider_modes_are_tightened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backend-1");
        drop(Store::open(FileDisk::new(&path)).unwrap());
        fs::create_dir(path.join("aside")).unwrap();
        fs::write(path.join("aside").join(STORE_FILE), "").unwrap();
        let is_private = |(at, mode): &(PathBuf, u32)| *mode == if at.is_dir() { 0o700 } else { 0o600 };
        for (at, mode) in modes(&path) {
            fs::set_permissions(&at, Permissions::from_mode(mode | 0o077)).unwrap();
        }
        FileDisk::new(&path).claim().unwrap();
        for (at, _) in modes(&path) {
            fs::set_permissions(&at, Permissions::from_mode(if at.is_dir() { 0o755 } else { 0o644 }))
                .unwrap();
        }
        drop(Store::open(FileDisk::new(&path)).unwrap());
        let modes = modes(&path);
        assert!(modes.len() >= 5 && modes.iter().all(is_private), "{modes:?}");
    }

    #[test]
    fn a_main_file_whose_sync_failed_is_copied_before_it_is_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let disk = FileDisk::new(folder.path());
        let store = Store::open(disk.clone()).unwrap();
        let main = folder.path().join(STORE_FILE);
        let inode = || fs::metadata(&main).unwrap().ino();
        let mark = folder.path().join(SUSPECT_FILE);
        fs::write(&mark, "").unwrap();
        // Refused while the process that has it open may still write to it.
        assert!(matches!(disk.open(StoreFile::Main), Err(DbError::InUse(_))));
        drop(store);
        let (before, first) = (fs::read(&main).unwrap(), inode());
        disk.renew_suspect().unwrap();
        assert!(fs::read(&main).unwrap() == before && inode() != first && !mark.exists());
        let second = inode();
        drop(Store::open(disk).unwrap());
        assert_eq!(inode(), second, "it is copied once");
    }
}
