//! Tests of the log: after every kind of crash and damage, its segments contain what was acknowledged, or are refused.

use super::contents;
use crate::journal::{Journal, SyncPoint};
use crate::spans::{Spans, entries_from};
use crate::{DbError, Disk, EntryKind, FileDisk, HardState, LogEntry, Position, StoreFile};
use redb::{Database, StorageBackend};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::{fs, io};

/// Number of entries after which the log begins another segment in these tests.
const FILE_ENTRIES: u64 = 4;
const BASE: Position = Position { index: 1, term: 1 };
const PROMISED: HardState = HardState { term: 1, vote: 0, commit: 1 };

fn read_only(folder: &Path, epoch: u64) -> Result<Journal, DbError> {
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::new(folder));
    let note =
        fs::read(folder.join("note")).ok().map(|bytes| postcard::from_bytes::<SyncPoint>(&bytes).unwrap());
    let note = note.filter(|note| note.epoch == epoch);
    Journal::open(disk, epoch, (BASE, PROMISED), note, Arc::new(RwLock::new(Spans::default())))
}

/// Opens the log as a store does. `note` stands for the record in `meta`.
fn open_epoch(folder: &Path, epoch: u64) -> Result<Log, DbError> {
    let mut journal = read_only(folder, epoch)?;
    journal.start()?;
    let mut log = Log { journal, folder: folder.to_path_buf() };
    log.note();
    Ok(log)
}

fn open(folder: &Path) -> Log {
    open_epoch(folder, 1).unwrap()
}

/// A log that records its newest segment as a store does.
struct Log {
    journal: Journal,
    folder: PathBuf,
}

impl Log {
    fn note(&mut self) {
        fs::write(self.folder.join("note"), postcard::to_stdvec(&self.journal.note()).unwrap()).unwrap();
    }

    fn append(&mut self, entries: &[LogEntry], hard_state: Option<HardState>, segment_entries: u64) {
        let before = self.journal.note().number;
        self.journal.append(entries, hard_state, segment_entries).unwrap();
        if self.journal.note().number != before {
            self.note();
        }
    }
}

impl std::ops::Deref for Log {
    type Target = Journal;
    fn deref(&self) -> &Journal {
        &self.journal
    }
}

impl std::ops::DerefMut for Log {
    fn deref_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }
}

fn entry(index: u64, term: u64) -> LogEntry {
    LogEntry { index, term, kind: EntryKind::Normal, data: vec![index as u8; 40].into() }
}

fn append(journal: &mut Log, from: u64, to: u64, term: u64) {
    let entries: Vec<LogEntry> = (from..=to).map(|index| entry(index, term)).collect();
    journal.append(&entries, None, FILE_ENTRIES);
}

/// Returns every entry behind the floor, as (index, term).
fn all(journal: &Journal) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    for index in journal.floor().index + 1..=journal.last().index {
        let entries = entries_from(&journal.spans(), index).unwrap();
        assert_eq!(entries[0], entry(index, entries[0].term));
        found.push((index, entries[0].term));
    }
    found
}

/// Restores the folder to exactly these files.
fn put_back(folder: &Path, files: &[(PathBuf, Vec<u8>)]) {
    contents(folder).iter().for_each(|(path, _)| fs::remove_file(path).unwrap());
    files.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap() != "note");
    files.sort();
    files
}

#[test]
fn appended_entries_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    append(&mut journal, 2, 3, 1);
    append(&mut journal, 4, 9, 2);
    journal.append(&[], Some(HardState { term: 3, vote: 2, commit: 4 }), FILE_ENTRIES);
    append(&mut journal, 10, 10, 3);
    let before = all(&journal);
    assert_eq!(before.len(), 9);
    drop(journal);
    let journal = open(folder.path());
    assert_eq!(all(&journal), before);
    assert_eq!(journal.hard_state(), HardState { term: 3, vote: 2, commit: 4 });
    assert_eq!((journal.floor(), journal.last()), (BASE, Position { index: 10, term: 3 }));
}

#[test]
fn another_leaders_entries_replace_what_follows() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    append(&mut journal, 2, 8, 1);
    append(&mut journal, 9, 12, 1);
    append(&mut journal, 6, 7, 2);
    append(&mut journal, 8, 8, 2);
    let expected = [(2, 1), (3, 1), (4, 1), (5, 1), (6, 2), (7, 2), (8, 2)];
    assert_eq!(all(&journal), expected);
    drop(journal);
    assert_eq!(all(&open(folder.path())), expected);
}

#[test]
fn older_segments_are_removed_whole_and_the_floor_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    append(&mut journal, 2, 6, 1);
    // The next segment begins behind 6, of term 1. Then 5 and the entries after it are replaced.
    append(&mut journal, 7, 7, 1);
    append(&mut journal, 5, 8, 2);
    append(&mut journal, 9, 11, 2);
    append(&mut journal, 12, 14, 2);
    assert_eq!(files(folder.path()).len(), 3);
    journal.cut(5).unwrap();
    assert_eq!((journal.floor(), files(folder.path()).len()), (BASE, 3));
    journal.cut(6).unwrap();
    assert_eq!(journal.floor(), Position { index: 6, term: 2 });
    assert!(entries_from(&journal.spans(), 6).unwrap().is_empty());
    let before = all(&journal);
    journal.cut(11).unwrap();
    assert_eq!(
        files(folder.path()).len(),
        2,
        "the newest segment that is no longer needed is kept for recycling"
    );
    drop(journal);
    // When the log is opened again, that segment is part of it.
    let mut journal = open(folder.path());
    assert_eq!((journal.floor(), all(&journal)), (Position { index: 6, term: 2 }, before));
    journal.cut(100).unwrap();
    assert_eq!(
        (journal.floor().index, files(folder.path()).len()),
        (11, 2),
        "the newest segment is never removed"
    );
    assert!(entries_from(&journal.spans(), 3).unwrap().is_empty());
}

#[test]
fn a_segment_that_is_no_longer_needed_is_recycled() {
    let folder = tempfile::tempdir().unwrap();
    let inode = |path: &PathBuf| fs::metadata(path).unwrap().ino();
    let mut journal = open(folder.path());
    append(&mut journal, 2, 6, 1);
    append(&mut journal, 7, 11, 1);
    let oldest = inode(&files(folder.path())[0]);
    let before = fs::read(&files(folder.path())[0]).unwrap();
    journal.cut(6).unwrap();
    let note = fs::read(folder.path().join("note")).unwrap();
    append(&mut journal, 12, 13, 2);
    let names = files(folder.path());
    assert_eq!((names.len(), inode(&names[1])), (2, oldest));
    let whole = all(&journal);
    let end = journal.end() as usize;
    drop(journal);
    let (first, bytes) = (fs::read(&names[0]).unwrap(), fs::read(&names[1]).unwrap());
    assert!(bytes[end..] == before[end..], "the rest is the old content");
    assert_eq!(all(&open(folder.path())), whole);
    // Until `meta` records the segment no record of it was acknowledged, however much of the old content is overwritten.
    for length in 0..=end {
        let torn = [&bytes[..length], &before[length..]].concat();
        fs::write(&names[1], torn).unwrap();
        fs::write(folder.path().join("note"), &note).unwrap();
        let mut journal = open(folder.path());
        assert_eq!(journal.last().index, 11, "{length}");
        append(&mut journal, 12, 15, 3);
        let whole = all(&journal);
        drop(journal);
        assert_eq!(all(&open(folder.path())), whole, "{length}");
        files(folder.path()).iter().skip(1).for_each(|file| fs::remove_file(file).unwrap());
        fs::write(&names[0], &first).unwrap();
    }
}

#[test]
fn a_segment_recycled_while_it_is_read_has_no_entries() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disturbed { disk: FileDisk::new(folder.path()), before_read: Arc::default() };
    let before_read = disk.before_read.clone();
    let spans = Arc::new(RwLock::new(Spans::default()));
    let mut journal = Journal::open(Arc::new(disk), 1, (BASE, PROMISED), None, spans.clone()).unwrap();
    journal.start().unwrap();
    let mut journal = Log { journal, folder: folder.path().to_path_buf() };
    append(&mut journal, 2, 6, 1);
    append(&mut journal, 7, 11, 1);
    *before_read.lock().unwrap() = Some(Box::new(move || {
        journal.cut(6).unwrap();
        append(&mut journal, 12, 16, 1);
    }));
    assert!(entries_from(&spans, 3).unwrap().is_empty());
    assert!(before_read.lock().unwrap().is_none(), "it was read");
    assert_eq!(entries_from(&spans, 12).unwrap().len(), 5);
}

/// A disk that runs a hook just before the next read of a log segment.
struct Disturbed {
    disk: FileDisk,
    before_read: BeforeRead,
}

type BeforeRead = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

struct DisturbedFile(Box<dyn StorageBackend>, BeforeRead);

impl std::fmt::Debug for DisturbedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl StorageBackend for DisturbedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disturbance = self.1.lock().unwrap().take();
        disturbance.into_iter().for_each(|disturb| disturb());
        self.0.read(offset, out)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write(offset, bytes)
    }
}

impl Disk for Disturbed {
    fn open(&self, which: StoreFile) -> Result<Database, DbError> {
        self.disk.open(which)
    }
    fn discard_incoming(&self) -> Result<(), DbError> {
        self.disk.discard_incoming()
    }
    fn promote_incoming(&self) -> Result<(), DbError> {
        self.disk.promote_incoming()
    }
    fn log_segments(&self) -> Result<Vec<u64>, DbError> {
        self.disk.log_segments()
    }
    fn open_segment(&self, number: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        Ok(Box::new(DisturbedFile(self.disk.open_segment(number)?, self.before_read.clone())))
    }
    fn recycle_segment(&self, number: u64, next: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        Ok(Box::new(DisturbedFile(self.disk.recycle_segment(number, next)?, self.before_read.clone())))
    }
    fn remove_segment(&self, number: u64) -> Result<(), DbError> {
        self.disk.remove_segment(number)
    }
}

#[test]
fn a_write_that_was_cut_off_anywhere_was_never_promised() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    append(&mut journal, 2, 3, 1);
    let whole = journal.end();
    append(&mut journal, 4, 4, 1);
    let end = journal.end() as usize;
    drop(journal);
    let before = contents(folder.path());
    let path = files(folder.path()).remove(0);
    let bytes = fs::read(&path).unwrap()[..end].to_vec();
    for length in whole as usize..bytes.len() {
        let mut torn = bytes[..length].to_vec();
        torn.resize(fs::metadata(&path).unwrap().len() as usize, 0);
        put_back(folder.path(), &before);
        fs::write(&path, torn).unwrap();
        let mut journal = open(folder.path());
        assert_eq!(all(&journal), [(2, 1), (3, 1)], "{length}");
        append(&mut journal, 4, 5, 7);
        drop(journal);
        assert_eq!(all(&open(folder.path())), [(2, 1), (3, 1), (4, 7), (5, 7)]);
    }
}

/// Bug: a file cut short in the middle of synced records was taken for a torn write, and up to a checkpoint's worth of
/// acknowledged entries were lost silently.
#[test]
fn a_segment_that_was_cut_short_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    let mut ends = vec![journal.end() as usize];
    for index in 2..=40 {
        journal.append(&[entry(index, 1)], None, 1_000);
        ends.push(journal.end() as usize);
    }
    drop(journal);
    let path = files(folder.path()).remove(0);
    let bytes = fs::read(&path).unwrap();
    // The head and the first batch may be a segment that was just begun, until `meta` records more of it.
    for length in ends[1]..bytes.len().min(ends[39] + 600) {
        fs::write(&path, &bytes[..length]).unwrap();
        let opened = read_only(folder.path(), 1);
        assert!(opened.is_err_and(|error| error.is_damage()), "{length}");
    }
}

/// A record for which the file grew may be torn, and the file have any length from its former end on.
#[test]
fn a_crash_while_a_segment_grows_is_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    let step = fs::metadata(&files(folder.path())[0]).unwrap().len() as usize;
    let long = |index| LogEntry { data: vec![7; 3_000].into(), ..entry(index, 1) };
    let mut index = 2;
    while journal.end() as usize + 3_200 < step {
        journal.append(&[long(index)], None, 1_000);
        index += 1;
    }
    journal.note();
    let before = all_terms(&journal);
    let old_end = journal.end() as usize;
    journal.append(&[long(index)], None, 1_000);
    let end = journal.end() as usize;
    drop(journal);
    assert!(old_end <= step && end > step);
    let path = files(folder.path()).remove(0);
    let (bytes, note) = (fs::read(&path).unwrap(), fs::read(folder.path().join("note")).unwrap());
    for length in [step, step + 1, step + 700, end - 1, end, end + 1, end + 700, bytes.len()] {
        fs::write(&path, &bytes[..length]).unwrap();
        let mut journal = open(folder.path());
        let whole = before + u64::from(length >= end);
        assert_eq!(all_terms(&journal), whole, "{length}");
        // It goes on in this file, or in another one.
        for more in 1..=3 {
            let next = journal.last().index + 1;
            journal.append(&[entry(next, 1)], None, 1_000);
            assert_eq!(all_terms(&read_only(folder.path(), 1).unwrap()), whole + more, "{length}");
        }
        drop(journal);
        files(folder.path()).iter().skip(1).for_each(|file| fs::remove_file(file).unwrap());
        fs::write(folder.path().join("note"), &note).unwrap();
    }
}

fn all_terms(journal: &Journal) -> u64 {
    journal.last().index - journal.floor().index
}

#[test]
fn a_segment_that_was_just_begun_may_have_any_content() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    append(&mut journal, 2, 6, 1);
    let before = contents(folder.path());
    append(&mut journal, 7, 7, 1);
    drop(journal);
    let second = files(folder.path()).remove(1);
    let bytes = fs::read(&second).unwrap();
    for length in [0, 5, 20, bytes.len()] {
        // The state before `meta` records the segment.
        put_back(folder.path(), &before);
        fs::write(&second, &bytes[..length]).unwrap();
        let mut journal = open(folder.path());
        assert_eq!(journal.last().index, 6);
        append(&mut journal, 7, 7, 2);
        assert_eq!(all(&journal).last(), Some(&(7, 2)));
        let first = files(folder.path()).remove(0);
        assert!(before.contains(&(first.clone(), fs::read(first).unwrap())));
    }
}

#[test]
fn a_flipped_bit_behind_which_something_follows_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    append(&mut journal, 2, 3, 1);
    let end_of_first = journal.end() as usize;
    append(&mut journal, 4, 4, 1);
    append(&mut journal, 5, 6, 1);
    let end = journal.end() as usize;
    append(&mut journal, 7, 7, 1);
    drop(journal);
    let first = files(folder.path()).remove(0);
    let bytes = fs::read(&first).unwrap();
    for at in end_of_first..end {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        fs::write(&first, &damaged).unwrap();
        assert!(open_epoch(folder.path(), 1).is_err_and(|error| error.is_damage()), "byte {at}");
    }
    // The same in the newest segment, where only the records after it distinguish it from a torn write.
    fs::remove_file(&files(folder.path())[1]).unwrap();
    let mut damaged = bytes;
    damaged[end_of_first + 20] ^= 4;
    fs::write(&first, &damaged).unwrap();
    assert!(open_epoch(folder.path(), 1).is_err_and(|error| error.is_damage()));
}

/// Found by the fuzzers: entries with a gap were accepted because their checksum was right.
#[test]
fn entries_that_leave_a_hole_are_damage() {
    for holes in
        [vec![entry(5, 1)], vec![entry(4, 1), entry(6, 1)], vec![entry(4, 1), entry(4, 1)], vec![entry(0, 1)]]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = open(folder.path());
        append(&mut journal, 2, 3, 1);
        // The writer trusts the engine. The reader checks everything.
        let written = std::panic::AssertUnwindSafe(|| journal.append(&holes, None, FILE_ENTRIES));
        let _ = std::panic::catch_unwind(written);
        let opened = open_epoch(folder.path(), 1);
        assert!(opened.is_err_and(|error| error.is_damage()), "{holes:?}");
    }
}

#[test]
fn a_missing_segment_leaves_the_entries_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    append(&mut journal, 2, 6, 1);
    append(&mut journal, 7, 11, 1);
    append(&mut journal, 12, 13, 1);
    drop(journal);
    fs::remove_file(&files(folder.path())[1]).unwrap();
    // The store decides if that is enough, because it knows the applied index.
    let journal = open(folder.path());
    assert_eq!((journal.floor().index, journal.last().index), (11, 13));
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn another_epoch_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut open(folder.path()), 2, 9, 1);
    let journal = open_epoch(folder.path(), 2).unwrap();
    assert_eq!((journal.floor(), journal.last(), journal.hard_state()), (BASE, BASE, PROMISED));
    assert_eq!(files(folder.path()).len(), 1);
}

/// Damage inside the newest segment, with intact records after it, must never be treated as a torn tail.
#[test]
fn damage_in_the_middle_of_the_newest_segment_is_reported_and_nothing_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path());
    let mut places = Vec::new();
    for index in 2..=61 {
        places.push(journal.end() as usize);
        journal.append(&[entry(index, 1)], None, 1_000);
    }
    drop(journal);
    let path = files(folder.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    let middle = places[20];
    let page = |bytes: &mut Vec<u8>| {
        let from = middle.next_multiple_of(1_024);
        bytes[from..from + 1_024].fill(0);
    };
    let mut cases: Vec<(String, Vec<u8>)> = (0..32)
        .map(|bit| {
            let mut bytes = whole.clone();
            bytes[middle + bit / 8] ^= 1 << (bit % 8);
            (format!("bit {bit} of the length"), bytes)
        })
        .collect();
    let mut head = whole.clone();
    head[middle..middle + 8].fill(0);
    cases.push(("zeroed frame head".into(), head));
    let mut zeroed = whole.clone();
    page(&mut zeroed);
    cases.push(("zeroed page".into(), zeroed));
    for (what, bytes) in cases {
        fs::write(&path, &bytes).unwrap();
        let opened = open_epoch(folder.path(), 1);
        assert!(opened.as_ref().err().is_some_and(DbError::is_damage), "{what}: {:?}", opened.err());
        assert!(fs::read(&path).unwrap() == bytes, "{what}: the file was changed");
    }
}

/// A disk with a page cache. A process that dies leaves the cache unchanged; a power cut keeps only the bytes that were
/// synced. A failed sync marks pages as clean that were never written.
#[derive(Debug, Clone, Default)]
struct CachedDisk {
    files: Arc<Mutex<BTreeMap<u64, Arc<Mutex<Cached>>>>>,
    failing: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Cached {
    current: Vec<u8>,
    durable: Vec<u8>,
    dirty: Vec<std::ops::Range<usize>>,
}

#[derive(Debug)]
struct CachedFile(Arc<Mutex<Cached>>, Arc<AtomicBool>);

impl StorageBackend for CachedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().current.len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        out.copy_from_slice(&self.0.lock().unwrap().current[offset as usize..][..out.len()]);
        Ok(())
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().current.resize(length as usize, 0);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut file = self.0.lock().unwrap();
        let dirty = std::mem::take(&mut file.dirty);
        if self.1.swap(false, Ordering::Relaxed) {
            return Err(io::Error::other("the disk failed"));
        }
        let length = file.current.len();
        file.durable.resize(length, 0);
        for range in dirty {
            let bytes = file.current[range.clone()].to_vec();
            file.durable[range].copy_from_slice(&bytes);
        }
        Ok(())
    }
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.0.lock().unwrap();
        let range = offset as usize..offset as usize + bytes.len();
        file.current[range.clone()].copy_from_slice(bytes);
        file.dirty.push(range);
        Ok(())
    }
}

impl Disk for CachedDisk {
    fn open(&self, _: StoreFile) -> Result<Database, DbError> {
        unreachable!("this disk has only a log")
    }
    fn discard_incoming(&self) -> Result<(), DbError> {
        Ok(())
    }
    fn promote_incoming(&self) -> Result<(), DbError> {
        Ok(())
    }
    fn log_segments(&self) -> Result<Vec<u64>, DbError> {
        Ok(self.files.lock().unwrap().keys().copied().collect())
    }
    fn open_segment(&self, number: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        let file = self.files.lock().unwrap().entry(number).or_default().clone();
        Ok(Box::new(CachedFile(file, self.failing.clone())))
    }
    fn recycle_segment(&self, number: u64, next: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        let mut files = self.files.lock().unwrap();
        let file = files.remove(&number).unwrap();
        files.insert(next, file);
        drop(files);
        self.open_segment(next)
    }
    fn remove_segment(&self, number: u64) -> Result<(), DbError> {
        self.files.lock().unwrap().remove(&number);
        Ok(())
    }
}

impl CachedDisk {
    fn power_cut(&self) {
        for file in self.files.lock().unwrap().values() {
            let mut file = file.lock().unwrap();
            file.current = file.durable.clone();
            file.dirty.clear();
        }
    }

    /// Opens and starts the log as a store does, and records its newest segment in `note`.
    fn open(&self, note: &mut Option<SyncPoint>) -> Journal {
        let spans = Arc::new(RwLock::new(Spans::default()));
        let mut journal = Journal::open(Arc::new(self.clone()), 1, (BASE, PROMISED), *note, spans).unwrap();
        journal.start().unwrap();
        *note = Some(journal.note());
        journal
    }
}

/// After a failed sync the kernel considers the pages clean, so a later sync of the same file does not write them.
#[test]
fn a_batch_that_was_never_synced_is_written_again_before_it_is_trusted() {
    for replaced in [false, true] {
        let (disk, mut note) = (CachedDisk::default(), None);
        let mut journal = disk.open(&mut note);
        journal.append(&[entry(2, 1), entry(3, 1)], None, 100).unwrap();
        disk.failing.store(true, Ordering::Relaxed);
        let vote = Some(HardState { term: 2, vote: 3, commit: 2 });
        let last = if replaced { vec![entry(3, 2)] } else { vec![entry(4, 1), entry(5, 1)] };
        assert!(journal.append(&last, vote, 100).is_err());
        let refused = journal.append(&last, vote, 100).expect_err("this journal is not appended to again");
        assert!(matches!(refused, DbError::Suspect), "{refused}");
        drop(journal);

        // The process restarts on the same page cache and will acknowledge whatever it reads back.
        let journal = disk.open(&mut note);
        let read_back = (all(&journal), journal.hard_state());
        assert_eq!((journal.last().index, journal.last().term), (last[last.len() - 1].index, last[0].term));
        drop(journal);
        disk.power_cut();
        let mut journal = disk.open(&mut note);
        assert_eq!((all(&journal), journal.hard_state()), read_back, "replaced: {replaced}");
        journal.append(&[entry(journal.last().index + 1, 3)], None, 100).unwrap();
        let whole = all(&journal);
        drop(journal);
        disk.power_cut();
        assert_eq!(all(&disk.open(&mut note)), whole);
    }
}

#[test]
fn starting_again_and_again_writes_nothing_when_everything_is_synced() {
    let (disk, mut note) = (CachedDisk::default(), None);
    let mut journal = disk.open(&mut note);
    journal.append(&[entry(2, 1)], None, 100).unwrap();
    drop(journal);
    let files = || disk.log_segments().unwrap();
    drop(disk.open(&mut note));
    let after_first = files();
    for _ in 0..10 {
        drop(disk.open(&mut note));
    }
    assert_eq!(files(), after_first);
}

/// A crash at any point while the last batch is written again: the next start finds the same log.
#[test]
fn a_power_cut_while_the_last_batch_is_written_again_loses_nothing() {
    let (disk, mut note) = (CachedDisk::default(), None);
    let mut journal = disk.open(&mut note);
    journal.append(&[entry(2, 1)], None, 100).unwrap();
    journal.append(&[entry(3, 1)], None, 100).unwrap();
    let whole = all(&journal);
    drop(journal);
    // The segment is begun and not synced: once its name is durable, once it is not.
    for _ in 0..2 {
        disk.failing.store(true, Ordering::Relaxed);
        let spans = Arc::new(RwLock::new(Spans::default()));
        let mut journal = Journal::open(Arc::new(disk.clone()), 1, (BASE, PROMISED), note, spans).unwrap();
        assert!(journal.start().is_err());
        drop(journal);
        disk.power_cut();
    }
    assert_eq!(all(&disk.open(&mut note)), whole);
}
