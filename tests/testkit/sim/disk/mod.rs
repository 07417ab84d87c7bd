//! The disk of one node: what its processes wrote to the page cache, and what of it has reached the platter.
//!
//! ```text
//!   write ──▶ cache, dirty ───── sync ─────▶ platter
//!                    └──── failed sync ───▶ cache, clean, and never written ("fsyncgate")
//! ```
//!
//! - A *kill* ends the process: the next one reads the cache, whose dirty pages wait for a later sync of their file.
//! - A *power cut* leaves the platter and an arbitrary part of the dirty pages, some of them torn.
//! - A *failed sync* marks the pages that it could not write clean: the process reads them back, a later sync does not
//!   write them, and a power cut, or the kernel, which may drop clean pages, takes them.
//! - Names work in the same way: creating, renaming and removing is durable once the folder is synced.
//!
//! Handles from before a death are dead: writes of a dropped database fail.

mod file;
mod names;

use self::file::{File, MiddleDamage};
use self::names::{Name, Names};
use super::random::Random;
use super::trace::Trace;
use redb::{Database, StorageBackend};
use ribbit_db::disk::{builder, check_pages};
use ribbit_db::{DbError, Disk, StoreFile};
use ribbit_state::sync::MutexExt;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// Number of a file, which stays the same when the file is renamed.
type FileId = u64;

/// Fault that is about to occur.
#[derive(Debug, Clone)]
enum Fault {
    /// So many more changes succeed, then every one fails until the process is dead. Of the first write that fails, some
    /// bytes reach the cache.
    After { left: u64, torn: usize },
    /// The next sync of a file of this kind fails. Later ones succeed, for a process that goes on.
    Sync { log: bool, random: Random },
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<FileId, File>,
    next_file: FileId,
    names: Names,
    /// Counts deaths: handles of an earlier process are dead.
    generation: u64,
    fault: Option<Fault>,
    /// The fault has hit this process.
    has_failed: bool,
    /// It was a sync: of the log, or of the rows.
    failed_sync: Option<bool>,
    /// The mark that a sync of the rows has failed; it is in the page cache, and lives as long.
    is_suspect: bool,
    /// The main file is open, or its process died.
    is_in_use: bool,
    /// The power was cut since the main file was opened.
    was_cut_off: bool,
    /// Number of log segments that were recycled.
    reused: u64,
}

impl State {
    /// Lets a change happen, or fail.
    fn change(&mut self) -> io::Result<()> {
        match &mut self.fault {
            Some(Fault::After { left: 0, .. }) => {
                self.has_failed = true;
                Err(io::Error::other("the process dies here"))
            }
            Some(Fault::After { left, .. }) => {
                *left -= 1;
                Ok(())
            }
            Some(Fault::Sync { .. }) | None => Ok(()),
        }
    }

    fn file(&mut self, id: FileId) -> &mut File {
        self.files.get_mut(&id).expect("a file lives as long as its names and handles")
    }

    /// Ends the process and forgets the files that no name leads to.
    fn die(&mut self) {
        self.generation += 1;
        (self.fault, self.has_failed, self.failed_sync) = (None, false, None);
        let named: BTreeSet<FileId> = self.names.files().collect();
        self.files.retain(|id, _| named.contains(id));
    }
}

/// Where the operations of a node's disk are noted; copies of a disk are only looked at, and note nothing.
#[derive(Debug, Clone, Default)]
struct Traced(Option<(Trace, usize)>);

impl Traced {
    fn note(&self, what: &str, name: Name, number: u64, bytes: &[u8]) {
        if let Some((trace, node)) = &self.0 {
            trace.note(what, &[*node as u64, name.number(), number], bytes);
        }
    }
}

/// Disk of a node. Clones share the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    traced: Traced,
}

#[derive(Debug)]
struct Handle {
    state: Arc<Mutex<State>>,
    generation: u64,
    id: FileId,
    name: Name,
    traced: Traced,
}

impl Handle {
    fn live(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state.locked();
        if state.generation != self.generation {
            return Err(io::Error::other("the process that had this open is dead"));
        }
        Ok(state)
    }
}

impl StorageBackend for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.live()?.file(self.id).len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.live()?.file(self.id).read(offset as usize, out)
    }
    fn close(&self) -> io::Result<()> {
        // A dead process closes nothing.
        let Ok(mut state) = self.live() else { return Ok(()) };
        if state.names.find(Name::MAIN) == Some(self.id) {
            state.is_in_use = false;
        }
        Ok(())
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.live()?;
        self.traced.note("set_len", self.name, length, &[]);
        state.change()?;
        state.file(self.id).set_len(length as usize);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.live()?;
        self.traced.note("sync", self.name, 0, &[]);
        state.change()?;
        if let Some(Fault::Sync { log, random }) = &mut state.fault
            && *log == self.name.is_log()
        {
            let mut random = random.clone();
            state.file(self.id).fail_sync(&mut random);
            state.fault = None;
            state.has_failed = true;
            state.failed_sync = Some(self.name.is_log());
            state.is_suspect |= !self.name.is_log();
            return Err(io::Error::other("the disk could not write"));
        }
        state.file(self.id).sync();
        Ok(())
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.live()?;
        self.traced.note("write", self.name, offset, bytes);
        let failed = state.change();
        let mut written = bytes;
        if let (Err(_), Some(Fault::After { torn, .. })) = (&failed, &mut state.fault) {
            written = &bytes[..std::mem::take(torn).min(bytes.len())];
        }
        state.file(self.id).write(offset as usize, written);
        failed
    }
}

/// Way in which a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// The page cache outlives it.
    Kill,
    /// The page cache is lost.
    PowerCut,
}

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

    /// Ends the process that uses this disk, if there is one.
    pub fn die(&self, death: Death, random: &mut Random) {
        let mut state = self.state.locked();
        if death == Death::PowerCut {
            state.is_suspect = false;
            state.was_cut_off = true;
            state.names.cut_power(random);
            state.files.values_mut().for_each(|file| file.cut_power(random));
        }
        state.die();
    }

    /// Drops clean pages of the log from the cache, or of everything: those that a failed sync has not written read as
    /// they were before.
    pub fn drop_clean_pages(&self, rows: bool) {
        let mut state = self.state.locked();
        let logs: BTreeSet<FileId> = state.names.logs().collect();
        let files = state.files.iter_mut().filter(|(id, _)| rows || logs.contains(id));
        files.for_each(|(_, file)| file.drop_clean_pages());
    }

    /// Returns a disk that holds what this one would after a power cut that nothing dirty survives.
    pub fn after_power_cut(&self) -> SimDisk {
        let state = self.state.locked();
        let files = state.files.iter().map(|(id, file)| (*id, file.copy_of_platter())).collect();
        let marks = State { is_in_use: state.is_in_use, was_cut_off: true, ..State::default() };
        SimDisk::holding(files, state.names.after_power_cut(), state.next_file, marks)
    }

    /// Returns a disk that holds what the next process would find after a kill.
    pub fn after_kill(&self) -> SimDisk {
        let state = self.state.locked();
        let files = state.files.iter().map(|(id, file)| (*id, file.copy_of_cache())).collect();
        let State { is_suspect, is_in_use, was_cut_off, .. } = *state;
        let marks = State { is_suspect, is_in_use, was_cut_off, ..State::default() };
        SimDisk::holding(files, state.names.after_kill(), state.next_file, marks)
    }

    fn holding(files: BTreeMap<FileId, File>, names: Names, next_file: FileId, marks: State) -> SimDisk {
        let mut state = State { files, names, next_file, ..marks };
        state.die();
        SimDisk { state: Arc::new(Mutex::new(state)), traced: Traced::default() }
    }

    /// The newest segment of the log, or any file.
    fn with_any(&self, random: &mut Random, change: impl FnOnce(&mut File, &mut Random)) {
        let mut state = self.state.locked();
        let all: Vec<FileId> = state.names.in_order();
        let newest = all.last().copied().filter(|_| random.permille(500));
        let picked = newest.or_else(|| all.get(random.between(0, all.len().max(1) as u64) as usize).copied());
        if let Some(id) = picked {
            change(state.file(id), random);
        }
    }

    /// The last syncs of a file, one or several, turn out to have been lies.
    pub fn turn_back(&self, random: &mut Random) {
        self.with_any(random, File::turn_back);
    }

    /// Some of one file is not any more what was written, while no process has it open.
    pub fn damage(&self, random: &mut Random) {
        self.with_any(random, File::damage);
    }

    /// Damages the newest segment of the log so that something whole follows the damage. Returns how, if there is enough in
    /// it.
    pub fn damage_middle(&self, random: &mut Random) -> Option<MiddleDamage> {
        let mut state = self.state.locked();
        let newest = state.names.newest_log()?;
        state.file(newest).damage_middle(random)
    }

    /// Returns true if an intact record follows a damaged one in a log segment.
    pub fn has_whole_behind_damage(&self) -> bool {
        let state = self.state.locked();
        state.names.logs().any(|id| state.files[&id].has_whole_behind_damage())
    }

    /// Returns the number of log segments that were recycled.
    pub fn reused(&self) -> u64 {
        self.state.locked().reused
    }

    /// Returns true if an injected failure has occurred: the process that uses this disk is about to die.
    pub fn has_failed(&self) -> bool {
        self.state.locked().has_failed
    }

    /// Returns the failed sync, if any: true if it was a sync of the log.
    pub fn failed_sync(&self) -> Option<bool> {
        self.state.locked().failed_sync
    }

    /// Cancels the planned failure.
    pub fn mend(&self) {
        self.state.locked().fault = None;
    }

    /// The next changes succeed, then every one fails until the process is dead.
    pub fn fail_after(&self, operations: u64, torn: usize) {
        self.state.locked().fault = Some(Fault::After { left: operations, torn });
    }

    /// The next sync of a segment of the log, or of a file of rows, fails.
    pub fn fail_next_sync(&self, log: bool, random: Random) {
        self.state.locked().fault = Some(Fault::Sync { log, random });
    }
}

impl SimDisk {
    /// Opens a file; one that is made has a durable name only after the next sync of the folder.
    fn handle(&self, name: Name) -> (Handle, bool) {
        let mut state = self.state.locked();
        let found = state.names.find(name);
        let id = found.unwrap_or_else(|| {
            let id = state.next_file;
            state.next_file += 1;
            state.files.insert(id, File::default());
            state.names.create(name, id);
            id
        });
        let generation = state.generation;
        let traced = self.traced.clone();
        (Handle { state: self.state.clone(), generation, id, name, traced }, found.is_none())
    }

    fn sync_folder(&self) -> Result<(), DbError> {
        self.traced.note("sync folder", Name::MAIN, 0, &[]);
        let mut state = self.state.locked();
        state.change().map_err(failed)?;
        state.names.sync();
        Ok(())
    }

    /// Renames a file and syncs the folder. A death comes before the rename, before the sync, or later.
    fn rename(&self, from: Name, to: Name) -> Result<(), DbError> {
        self.traced.note("rename", from, to.number(), &[]);
        let mut state = self.state.locked();
        state.change().map_err(failed)?;
        let id = state.names.rename(from, to).expect("there is a file to rename");
        state.file(id).renamed();
        drop(state);
        self.sync_folder()
    }

    fn remove(&self, name: Name) {
        self.traced.note("remove", name, 0, &[]);
        self.state.locked().names.remove(name);
    }
}

impl SimDisk {
    /// Copies the main file if a sync of it has failed, as [`ribbit_db::FileDisk`] does.
    fn renew_suspect(&self) -> Result<(), DbError> {
        let mut state = self.state.locked();
        let main = state.names.find(Name::MAIN).filter(|_| state.is_suspect);
        let bytes = main.map(|id| state.file(id).cached().to_vec());
        drop(state);
        if let Some(bytes) = bytes {
            self.discard_incoming()?;
            let (copy, _) = self.handle(Name::INCOMING);
            copy.write(0, &bytes).and_then(|()| copy.sync_data()).map_err(failed)?;
            self.promote_incoming()?;
        }
        self.state.locked().is_suspect = false;
        Ok(())
    }
}

fn failed(source: io::Error) -> DbError {
    source.into()
}

/// Syncs files and the folder where [`ribbit_db::FileDisk`] does.
impl Disk for SimDisk {
    fn open(&self, which: StoreFile) -> Result<Database, DbError> {
        if which == StoreFile::Main {
            self.renew_suspect()?;
        }
        let (handle, is_new) = self.handle(Name::Store(which));
        handle.sync_data().map_err(failed)?;
        let mut database = builder().create_with_backend(handle)?;
        if which == StoreFile::Main {
            let was_cut_off = self.state.locked().was_cut_off;
            if was_cut_off && self.state.locked().is_in_use {
                check_pages(&mut database)?;
            }
            let mut state = self.state.locked();
            (state.is_in_use, state.was_cut_off) = (true, false);
        }
        if is_new && which == StoreFile::Main {
            self.sync_folder()?;
        }
        Ok(database)
    }
    fn log_segments(&self) -> Result<Vec<u64>, DbError> {
        Ok(self.state.locked().names.log_numbers())
    }
    fn open_segment(&self, number: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        let (handle, is_new) = self.handle(Name::Log(number));
        if is_new {
            self.sync_folder()?;
        }
        Ok(Box::new(handle))
    }
    fn remove_segment(&self, number: u64) -> Result<(), DbError> {
        self.remove(Name::Log(number));
        Ok(())
    }
    fn discard_incoming(&self) -> Result<(), DbError> {
        self.remove(Name::INCOMING);
        Ok(())
    }
    fn recycle_segment(&self, number: u64, next: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        self.rename(Name::Log(number), Name::Log(next))?;
        self.state.locked().reused += 1;
        self.open_segment(next)
    }
    fn promote_incoming(&self) -> Result<(), DbError> {
        self.rename(Name::INCOMING, Name::MAIN)
    }
}
