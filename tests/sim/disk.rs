//! A disk that forgets what was not synced.
//!
//! Writes reach `current`, which readers see, and wait in `pending` until `sync_data` makes them durable. A crash
//! keeps an arbitrary subset of what was pending, the last of it perhaps torn, as a disk with a reordering cache
//! does. Handles of before the crash are dead: whatever a dropped database still tries to write fails.

use super::random::Random;
use redb::{Database, StorageBackend};
use ribbit::db::{DbError, Disk, Which, disk::builder};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Debug)]
enum Write {
    Bytes { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Default)]
struct FileState {
    current: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Write>,
    generation: u64,
    /// Fails for good after so many more operations: a crash in the middle of a transaction.
    fail_after: Option<u64>,
}

fn carry_out(bytes: &mut Vec<u8>, write: &Write, length: usize) {
    match write {
        Write::Bytes { offset, bytes: new } => {
            let new = &new[..length.min(new.len())];
            if bytes.len() < offset + new.len() {
                bytes.resize(offset + new.len(), 0);
            }
            bytes[*offset..offset + new.len()].copy_from_slice(new);
        }
        Write::Length(length) => bytes.resize(*length, 0),
    }
}

#[derive(Debug)]
struct Handle {
    state: Arc<Mutex<FileState>>,
    generation: u64,
}

impl Handle {
    fn live(&self) -> io::Result<MutexGuard<'_, FileState>> {
        let state = self.state.lock().expect("one thread");
        if state.generation != self.generation {
            return Err(io::Error::other("the process that had this open is dead"));
        }
        Ok(state)
    }

    /// The same, for an operation that changes something: those are what a crash comes in between of.
    fn changing(&self) -> io::Result<MutexGuard<'_, FileState>> {
        let mut state = self.live()?;
        match &mut state.fail_after {
            Some(0) => return Err(io::Error::other("crashed here")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(state)
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.live()?.current.len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.live()?;
        let offset = offset as usize;
        match state.current.get(offset..offset + out.len()) {
            Some(bytes) => {
                out.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.changing()?;
        let write = Write::Length(length as usize);
        carry_out(&mut state.current, &write, 0);
        state.pending.push(write);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.changing()?;
        for write in std::mem::take(&mut state.pending) {
            carry_out(&mut state.durable, &write, usize::MAX);
        }
        Ok(())
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.changing()?;
        let write = Write::Bytes { offset: offset as usize, bytes: bytes.to_vec() };
        carry_out(&mut state.current, &write, usize::MAX);
        state.pending.push(write);
        Ok(())
    }
}

/// One node's disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimDisk {
    files: Arc<Mutex<BTreeMap<Name, Arc<Mutex<FileState>>>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Store(Which),
    Log(u64),
}

const MAIN: Name = Name::Store(Which::Main);
const INCOMING: Name = Name::Store(Which::Incoming);

impl SimDisk {
    /// The process dies; what was not synced survives by chance.
    pub fn crash(&self, random: &mut Random) {
        for file in self.files.lock().expect("one thread").values() {
            let mut state = file.lock().expect("one thread");
            state.generation += 1;
            state.fail_after = None;
            let pending = std::mem::take(&mut state.pending);
            // Most often all or nothing of the cache survives; sometimes any part of it.
            let survival = [0, 1000, random.between(0, 1000)][random.between(0, 3) as usize];
            for write in pending {
                let torn = random.permille(50);
                if random.permille(survival) {
                    let length = if torn { random.between(0, 4096) as usize } else { usize::MAX };
                    carry_out(&mut state.durable, &write, length);
                }
            }
            state.current = state.durable.clone();
        }
    }

    /// Whether something has failed that was to: whoever uses this disk is about to die.
    pub fn is_failing(&self) -> bool {
        let files = self.files.lock().expect("one thread");
        files.values().any(|file| file.lock().expect("one thread").fail_after == Some(0))
    }

    /// What was about to fail does not.
    pub fn mend(&self) {
        for file in self.files.lock().expect("one thread").values() {
            file.lock().expect("one thread").fail_after = None;
        }
    }

    /// The next changes succeed, then every one fails until the crash.
    pub fn fail_after(&self, operations: u64) {
        for file in self.files.lock().expect("one thread").values() {
            file.lock().expect("one thread").fail_after = Some(operations);
        }
    }
}

impl SimDisk {
    fn handle(&self, name: Name) -> Handle {
        let mut files = self.files.lock().expect("one thread");
        let fail_after = files.values().find_map(|file| file.lock().expect("one thread").fail_after);
        // A crash that is about to come does not spare what is made meanwhile.
        let made = || Arc::new(Mutex::new(FileState { fail_after, ..FileState::default() }));
        let state = files.entry(name).or_insert_with(made).clone();
        let generation = state.lock().expect("one thread").generation;
        Handle { state, generation }
    }
}

impl Disk for SimDisk {
    fn open(&self, which: Which) -> Result<Database, DbError> {
        Ok(builder().create_with_backend(self.handle(Name::Store(which)))?)
    }
    fn log_files(&self) -> Result<Vec<u64>, DbError> {
        let files = self.files.lock().expect("one thread");
        let number = |name: &Name| if let Name::Log(number) = name { Some(*number) } else { None };
        Ok(files.keys().filter_map(number).collect())
    }
    fn open_log(&self, number: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        Ok(Box::new(self.handle(Name::Log(number))))
    }
    fn remove_log(&self, number: u64) -> Result<(), DbError> {
        self.files.lock().expect("one thread").remove(&Name::Log(number));
        Ok(())
    }
    fn discard_incoming(&self) -> Result<(), DbError> {
        self.files.lock().expect("one thread").remove(&INCOMING);
        Ok(())
    }
    fn promote_incoming(&self) -> Result<(), DbError> {
        let mut files = self.files.lock().expect("one thread");
        // A crash comes before the rename, or after it.
        let left = files.get(&MAIN).and_then(|main| main.lock().expect("one thread").fail_after);
        let crashed = |source| DbError::File { path: "store".into(), source };
        if left == Some(0) {
            return Err(crashed(io::Error::other("crashed before the rename")));
        }
        let incoming = files.remove(&INCOMING).expect("there is an incoming file to promote");
        incoming.lock().expect("one thread").fail_after = left.map(|left| left - 1);
        files.insert(MAIN, incoming);
        if left == Some(1) {
            return Err(crashed(io::Error::other("crashed after the rename")));
        }
        Ok(())
    }
}
