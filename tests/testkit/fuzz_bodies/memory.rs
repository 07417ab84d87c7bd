//! A disk in memory whose files can be put there as bytes.

use redb::{Database, StorageBackend};
use ribbit_db::disk::{builder, check_pages};
use ribbit_db::{DbError, Disk, StoreFile};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// A longer file is a disk that is full: what damaged pages ask for is refused somewhere in reality, too.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    Store(StoreFile),
    Log(u64),
}

/// Clones are the same file.
#[derive(Debug, Clone, Default)]
struct Bytes {
    bytes: Arc<Mutex<Vec<u8>>>,
    cut: Arc<AtomicBool>,
}

impl Bytes {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Fails after a panic, which ends a real process: later writes do not reach the disk.
    fn live(&self) -> io::Result<()> {
        let dead = self.cut.load(Ordering::Relaxed) || std::thread::panicking();
        if dead { Err(io::Error::other("the process is gone")) } else { Ok(()) }
    }
}

impl StorageBackend for Bytes {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.lock();
        let from = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let to = from.checked_add(out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes.get(from..to).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.live()?;
        if length > FILE_BYTES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.lock().resize(length as usize, 0);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        self.live()
    }
    fn write(&self, offset: u64, new: &[u8]) -> io::Result<()> {
        self.live()?;
        let end = offset.checked_add(new.len() as u64).filter(|end| *end <= FILE_BYTES_MAX);
        let end = end.ok_or(io::ErrorKind::StorageFull)? as usize;
        let mut bytes = self.lock();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[offset as usize..end].copy_from_slice(new);
        Ok(())
    }
}

/// Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    files: Arc<Mutex<BTreeMap<Name, Bytes>>>,
    cut: Arc<AtomicBool>,
    /// The power was cut while the main file was in use: its pages are checked when it is opened.
    pub was_cut_off: bool,
}

impl MemoryDisk {
    fn files(&self) -> MutexGuard<'_, BTreeMap<Name, Bytes>> {
        self.files.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn file(&self, name: Name) -> Bytes {
        let cut = self.cut.clone();
        self.files().entry(name).or_insert_with(|| Bytes { cut, ..Bytes::default() }).clone()
    }

    /// From now on nothing can be written, until [`MemoryDisk::mend`].
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    pub fn put(&self, name: Name, bytes: Vec<u8>) {
        *self.file(name).lock() = bytes;
    }

    pub fn bytes(&self, name: Name) -> Vec<u8> {
        self.file(name).lock().clone()
    }

    /// Returns the names of the files.
    pub fn names(&self) -> Vec<Name> {
        self.files().keys().copied().collect()
    }

    /// Another disk with the same in its files.
    pub fn copy(&self) -> MemoryDisk {
        let copy = MemoryDisk::default();
        self.files().iter().for_each(|(name, file)| copy.put(*name, file.lock().clone()));
        copy
    }
}

impl Disk for MemoryDisk {
    fn open(&self, which: StoreFile) -> Result<Database, DbError> {
        let mut database = builder().create_with_backend(self.file(Name::Store(which)))?;
        if self.was_cut_off && which == StoreFile::Main {
            check_pages(&mut database)?;
        }
        Ok(database)
    }
    fn discard_incoming(&self) -> Result<(), DbError> {
        self.files().remove(&Name::Store(StoreFile::Incoming));
        Ok(())
    }
    fn promote_incoming(&self) -> Result<(), DbError> {
        let incoming = self.files().remove(&Name::Store(StoreFile::Incoming)).unwrap_or_default();
        self.files().insert(Name::Store(StoreFile::Main), incoming);
        Ok(())
    }
    fn log_segments(&self) -> Result<Vec<u64>, DbError> {
        let number = |name: &Name| if let Name::Log(number) = name { Some(*number) } else { None };
        Ok(self.files().keys().filter_map(number).collect())
    }
    fn open_segment(&self, number: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        Ok(Box::new(self.file(Name::Log(number))))
    }
    fn recycle_segment(&self, number: u64, next: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        let file = self.files().remove(&Name::Log(number)).unwrap_or_default();
        self.files().insert(Name::Log(next), file);
        self.open_segment(next)
    }
    fn remove_segment(&self, number: u64) -> Result<(), DbError> {
        self.files().remove(&Name::Log(number));
        Ok(())
    }
}
