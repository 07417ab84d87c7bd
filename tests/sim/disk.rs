//! A disk that forgets what was not synced.
//!
//! Writes reach `current`, which readers see, and wait in `pending` until `sync_data` makes them durable. A crash
//! keeps an arbitrary subset of what was pending, the last of it perhaps torn, as a disk with a reordering cache
//! does. Handles of before the crash are dead: whatever a dropped database still tries to write fails.

use super::random::Random;
use super::trace::Trace;
use redb::{Database, StorageBackend};
use ribbit::db::{DbError, Disk, Which, disk::builder};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

const SECTOR: usize = 512;
/// A disk goes back by so many syncs at most.
const UNDO_MAX: usize = 12;

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
    /// What the last syncs changed, oldest first: the way back.
    undo: VecDeque<Undo>,
    generation: u64,
    /// Fails for good after so many more operations: a crash in the middle of a transaction.
    fail_after: Option<u64>,
}

/// What a sync has overwritten: the length before, and bytes by offset, in the order of the writes.
#[derive(Debug, Clone)]
struct Undo {
    length: usize,
    bytes: Vec<(usize, Vec<u8>)>,
}

impl FileState {
    /// These writes become durable.
    fn sync(&mut self, writes: impl IntoIterator<Item = (Write, usize)>) {
        let mut undo = Undo { length: self.durable.len(), bytes: Vec::new() };
        for (write, length) in writes {
            let (from, to) = match &write {
                Write::Bytes { offset, bytes } => (*offset, offset + bytes.len()),
                Write::Length(length) => (*length, self.durable.len()),
            };
            let to = to.min(self.durable.len());
            undo.bytes.push((from, self.durable.get(from..to).unwrap_or_default().to_vec()));
            carry_out(&mut self.durable, &write, length);
        }
        self.undo.push_back(undo);
        if self.undo.len() > UNDO_MAX {
            self.undo.pop_front();
        }
    }

    /// The newest of what was synced is not there after all.
    fn turn_back(&mut self) {
        let Some(undo) = self.undo.pop_back() else { return };
        for (offset, bytes) in undo.bytes.into_iter().rev() {
            carry_out(&mut self.durable, &Write::Bytes { offset, bytes }, usize::MAX);
        }
        self.durable.resize(undo.length, 0);
        self.current.clone_from(&self.durable);
    }
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

/// One sector that holds something is wiped, holds noise, or has a bit turned.
fn spoil(bytes: &mut [u8], random: &mut Random) {
    let is_used = |sector: &usize| bytes[sector * SECTOR..][..SECTOR].iter().any(|byte| *byte != 0);
    let used: Vec<usize> = (0..bytes.len() / SECTOR).filter(is_used).collect();
    if used.is_empty() {
        return;
    }
    let sector = used[random.between(0, used.len() as u64) as usize];
    let sector = &mut bytes[sector * SECTOR..][..SECTOR];
    match random.between(0, 3) {
        0 => sector.fill(0),
        1 => sector.fill_with(|| random.next() as u8),
        _ => sector[random.between(0, SECTOR as u64) as usize] ^= 1 << random.between(0, 8),
    }
}

#[derive(Debug)]
struct Handle {
    state: Arc<Mutex<FileState>>,
    generation: u64,
    name: Name,
    traced: Traced,
}

/// Where the operations of a node's disk are noted; copies of a disk are only looked at, and note nothing.
#[derive(Debug, Clone, Default)]
struct Traced(Option<(Trace, usize)>);

impl Traced {
    fn note(&self, what: &str, name: Name, number: u64, bytes: &[u8]) {
        if let Some((trace, node)) = &self.0 {
            let name = match name {
                Name::Store(Which::Main) => 0,
                Name::Store(Which::Incoming) => 1,
                Name::Log(number) => 2 + number,
            };
            trace.note(what, &[*node as u64, name, number], bytes);
        }
    }
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
        self.traced.note("set_len", self.name, length, &[]);
        let mut state = self.changing()?;
        let write = Write::Length(length as usize);
        carry_out(&mut state.current, &write, 0);
        state.pending.push(write);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        self.traced.note("sync", self.name, 0, &[]);
        let mut state = self.changing()?;
        let pending = std::mem::take(&mut state.pending);
        state.sync(pending.into_iter().map(|write| (write, usize::MAX)));
        Ok(())
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.traced.note("write", self.name, offset, bytes);
        let mut state = self.changing()?;
        let write = Write::Bytes { offset: offset as usize, bytes: bytes.to_vec() };
        carry_out(&mut state.current, &write, usize::MAX);
        state.pending.push(write);
        Ok(())
    }
}

/// The newest file of the log, or any file.
fn any<'a>(files: &'a Files, random: &mut Random) -> Option<&'a Arc<Mutex<FileState>>> {
    let newest = files.last_key_value().filter(|_| random.permille(500)).map(|(_, file)| file);
    newest.or_else(|| files.values().nth(random.between(0, files.len().max(1) as u64) as usize))
}

type Files = BTreeMap<Name, Arc<Mutex<FileState>>>;

/// One node's disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimDisk {
    files: Arc<Mutex<Files>>,
    /// Files of the log that became others.
    reused: Arc<AtomicU64>,
    traced: Traced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Store(Which),
    Log(u64),
}

const MAIN: Name = Name::Store(Which::Main);
const INCOMING: Name = Name::Store(Which::Incoming);

impl SimDisk {
    /// Returns the empty disk of this node, whose operations are noted.
    pub fn new(node: usize, trace: &Trace) -> SimDisk {
        SimDisk { traced: Traced(Some((trace.clone(), node))), ..SimDisk::default() }
    }

    /// Notes the operations on this disk where those on `other` are noted.
    pub fn traced_like(mut self, other: &SimDisk) -> SimDisk {
        self.traced = other.traced.clone();
        self
    }

    /// The process dies; what was not synced survives by chance.
    pub fn crash(&self, random: &mut Random) {
        for file in self.files.lock().expect("one thread").values() {
            let mut state = file.lock().expect("one thread");
            state.generation += 1;
            state.fail_after = None;
            let pending = std::mem::take(&mut state.pending);
            // Most often all or nothing of the cache survives; sometimes any part of it.
            let survival = [0, 1000, random.between(0, 1000)][random.between(0, 3) as usize];
            let mut survives = |write| {
                let torn = random.permille(50);
                let length = if torn { random.between(0, 4096) as usize } else { usize::MAX };
                random.permille(survival).then_some((write, length))
            };
            let survivors: Vec<_> = pending.into_iter().filter_map(&mut survives).collect();
            state.sync(survivors);
            state.current = state.durable.clone();
        }
    }

    /// Another disk that holds what this one has synced.
    pub fn copy(&self) -> SimDisk {
        let copy = |file: &Arc<Mutex<FileState>>| {
            let file = file.lock().expect("one thread");
            let (durable, undo) = (file.durable.clone(), file.undo.clone());
            let state = FileState { current: durable.clone(), durable, undo, ..FileState::default() };
            Arc::new(Mutex::new(state))
        };
        let files = self.files.lock().expect("one thread");
        let files = files.iter().map(|(which, file)| (*which, copy(file))).collect();
        SimDisk { files: Arc::new(Mutex::new(files)), ..SimDisk::default() }
    }

    /// The last syncs of the log, one or several, turn out to have been lies; sometimes those of the rows too.
    pub fn turn_back(&self, random: &mut Random) {
        let files = self.files.lock().expect("one thread");
        let Some(file) = any(&files, random) else { return };
        let mut state = file.lock().expect("one thread");
        (0..random.between(1, UNDO_MAX as u64)).for_each(|_| state.turn_back());
    }

    /// Some of one file is not any more what was written, while nobody has it open.
    pub fn damage(&self, random: &mut Random) {
        let files = self.files.lock().expect("one thread");
        let Some(file) = any(&files, random) else { return };
        let mut state = file.lock().expect("one thread");
        let mut bytes = std::mem::take(&mut state.durable);
        if random.permille(100) {
            bytes.truncate(random.between(0, bytes.len() as u64 + 1) as usize);
        }
        for _ in 0..random.between(1, 4) {
            spoil(&mut bytes, random);
        }
        state.current.clone_from(&bytes);
        state.durable = bytes;
    }

    /// How often a file of the log became another.
    pub fn reused(&self) -> u64 {
        self.reused.load(Ordering::Relaxed)
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
        Handle { state, generation, name, traced: self.traced.clone() }
    }

    /// A crash comes before the rename, or after it.
    fn rename(&self, from: Name, to: Name) -> Result<(), DbError> {
        let number = if let Name::Log(number) = to { number } else { 0 };
        self.traced.note("rename", from, number, &[]);
        let mut files = self.files.lock().expect("one thread");
        let file = files.get(&from).expect("there is a file to rename").clone();
        let left = file.lock().expect("one thread").fail_after;
        let crashed = |source| DbError::File { path: "store".into(), source };
        if left == Some(0) {
            return Err(crashed(io::Error::other("crashed before the rename")));
        }
        file.lock().expect("one thread").fail_after = left.map(|left| left - 1);
        files.remove(&from);
        files.insert(to, file);
        if left == Some(1) {
            return Err(crashed(io::Error::other("crashed after the rename")));
        }
        Ok(())
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
        self.traced.note("remove", Name::Log(number), 0, &[]);
        self.files.lock().expect("one thread").remove(&Name::Log(number));
        Ok(())
    }
    fn discard_incoming(&self) -> Result<(), DbError> {
        self.traced.note("remove", INCOMING, 0, &[]);
        self.files.lock().expect("one thread").remove(&INCOMING);
        Ok(())
    }
    fn reuse_log(&self, number: u64, next: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        self.rename(Name::Log(number), Name::Log(next))?;
        self.reused.fetch_add(1, Ordering::Relaxed);
        self.open_log(next)
    }
    fn promote_incoming(&self) -> Result<(), DbError> {
        self.rename(INCOMING, MAIN)
    }
}
