//! Where a store's files are. The store itself only knows this trait, so the simulator can put a disk under it
//! that loses what was not synced.

use super::DbError;
use super::limits::CACHE_BYTES;
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The two files a store may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    Main,
    /// A snapshot being received.
    Incoming,
}

pub trait Disk: Send + Sync + 'static {
    /// Opens a file, creating it when it is not there.
    fn open(&self, which: Which) -> Result<Database, DbError>;
    /// Removes the incoming file if there is one.
    fn discard_incoming(&self) -> Result<(), DbError>;
    /// The incoming file, closed and complete, takes the main one's place: durably, all or nothing.
    fn promote_incoming(&self) -> Result<(), DbError>;
    /// The numbers of the log's files, in order.
    fn log_files(&self) -> Result<Vec<u64>, DbError>;
    /// Opens a file of the log, creating it when it is not there.
    fn open_log(&self, number: u64) -> Result<Box<dyn StorageBackend>, DbError>;
    /// A file of the log gets another number, durably, and is opened with all that is in it.
    fn reuse_log(&self, number: u64, next: u64) -> Result<Box<dyn StorageBackend>, DbError>;
    fn remove_log(&self, number: u64) -> Result<(), DbError>;
}

/// The name of the store's main file in its folder.
pub const STORE_FILE: &str = "store.redb";
/// What the names of the log's files begin with.
pub const LOG_PREFIX: &str = "log-";

/// redb's settings, the same for every file.
pub fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// A folder on a real disk.
#[derive(Debug, Clone)]
pub struct FileDisk {
    folder: PathBuf,
}

impl FileDisk {
    /// Makes the folder, readable by its owner alone, if it is not there.
    pub fn new(folder: &Path) -> Result<FileDisk, DbError> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| file(folder, source))?;
        Ok(FileDisk { folder: folder.to_path_buf() })
    }

    fn path(&self, which: Which) -> PathBuf {
        self.folder.join(match which {
            Which::Main => STORE_FILE,
            Which::Incoming => "incoming.redb",
        })
    }

    fn log_path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{LOG_PREFIX}{number:08}"))
    }
}

impl Disk for FileDisk {
    fn open(&self, which: Which) -> Result<Database, DbError> {
        let path = self.path(which);
        let is_new = !path.exists();
        let database = builder().create(&path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => DbError::InUse(path.display().to_string()),
            other => other.into(),
        })?;
        if is_new && which == Which::Main {
            // A file whose name is not durable is lost with everything in it: the folder's name neither.
            sync_folder(&self.folder)?;
            if let Some(parent) = self.folder.parent().filter(|parent| *parent != Path::new("")) {
                sync_folder(parent)?;
            }
        }
        Ok(database)
    }

    fn discard_incoming(&self) -> Result<(), DbError> {
        let path = self.path(Which::Incoming);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file(&path, error)),
            _ => Ok(()),
        }
    }

    fn promote_incoming(&self) -> Result<(), DbError> {
        let main = self.path(Which::Main);
        fs::rename(self.path(Which::Incoming), &main).map_err(|source| file(&main, source))?;
        // The rename itself is durable only once the folder is.
        sync_folder(&self.folder)
    }

    fn log_files(&self) -> Result<Vec<u64>, DbError> {
        let names = log_names(&self.folder).map_err(|source| file(&self.folder, source))?;
        let number = |name: &OsString| name.to_str()?.strip_prefix(LOG_PREFIX)?.parse::<u64>().ok();
        let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn open_log(&self, number: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        let path = self.log_path(number);
        let is_new = !path.exists();
        let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let opened = opened.map_err(|source| file(&path, source))?;
        if is_new {
            sync_folder(&self.folder)?;
        }
        Ok(Box::new(FileBackend::new(opened)?))
    }

    fn reuse_log(&self, number: u64, next: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        let path = self.log_path(next);
        fs::rename(self.log_path(number), &path).map_err(|source| file(&path, source))?;
        // Before anything in it is written over: under its old name it would be damaged.
        sync_folder(&self.folder)?;
        self.open_log(next)
    }

    fn remove_log(&self, number: u64) -> Result<(), DbError> {
        let path = self.log_path(number);
        fs::remove_file(&path).map_err(|source| file(&path, source))
    }
}

/// The names of the log's files in a store's folder.
///
/// # Errors
/// The folder cannot be read.
pub fn log_names(folder: &Path) -> io::Result<Vec<OsString>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    Ok(names.into_iter().filter(|name| name.as_encoded_bytes().starts_with(LOG_PREFIX.as_bytes())).collect())
}

fn sync_folder(folder: &Path) -> Result<(), DbError> {
    File::open(folder).and_then(|open| open.sync_all()).map_err(|source| file(folder, source))
}

fn file(path: &Path, source: io::Error) -> DbError {
    DbError::File { path: path.display().to_string(), source }
}
