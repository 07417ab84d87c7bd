//! Consistency of reads: a page, its token and the ring belong to the same index, wherever the writer is.

use super::super::Reader;
use super::super::disk::builder;
use super::super::snapshot::SnapshotWriter;
use super::*;
use redb::backends::FileBackend;
use redb::{Database, StorageBackend};
use ribbit_state::limits::RULES_LEVEL;
use ribbit_state::rows::{Croaks, Order, scan};
use ribbit_state::{
    AccountChanges, AccountCommand, AccountId, Audience, ConversationCommand, OperatorCommand, Page, Query,
};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

const SESSION: TokenHash = TokenHash([7; 32]);

type Hook = Arc<Mutex<Option<Box<dyn FnMut() + Send>>>>;

/// A folder whose main file calls a hook once, in the middle of its next durable commit.
struct HookedDisk {
    files: FileDisk,
    path: PathBuf,
    hook: Hook,
}

impl HookedDisk {
    fn new(folder: &Path) -> (HookedDisk, Hook) {
        let hook = Hook::default();
        let files = FileDisk::new(folder);
        (HookedDisk { files, path: folder.join("hooked.redb"), hook: hook.clone() }, hook)
    }
}

impl Disk for HookedDisk {
    fn open(&self, which: StoreFile) -> Result<Database, DbError> {
        if which == StoreFile::Incoming {
            return self.files.open(which);
        }
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(&self.path).unwrap();
        let backend = HookedFile { file: FileBackend::new(file).unwrap(), hook: self.hook.clone() };
        Ok(builder().create_with_backend(backend)?)
    }
    fn discard_incoming(&self) -> Result<(), DbError> {
        self.files.discard_incoming()
    }
    fn promote_incoming(&self) -> Result<(), DbError> {
        self.files.promote_incoming()
    }
    fn log_segments(&self) -> Result<Vec<u64>, DbError> {
        self.files.log_segments()
    }
    fn open_segment(&self, number: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        self.files.open_segment(number)
    }
    fn recycle_segment(&self, number: u64, next: u64) -> Result<Box<dyn StorageBackend>, DbError> {
        self.files.recycle_segment(number, next)
    }
    fn remove_segment(&self, number: u64) -> Result<(), DbError> {
        self.files.remove_segment(number)
    }
}

struct HookedFile {
    file: FileBackend,
    hook: Hook,
}

impl std::fmt::Debug for HookedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.file.fmt(f)
    }
}

impl StorageBackend for HookedFile {
    fn len(&self) -> Result<u64, io::Error> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.file.set_len(len)
    }
    fn sync_data(&self) -> Result<(), io::Error> {
        let hook = self.hook.lock().unwrap().take();
        hook.into_iter().for_each(|mut hook| hook());
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.file.write(offset, data)
    }
    fn close(&self) -> Result<(), io::Error> {
        self.file.close()
    }
}

fn entry(index: LogIndex, command: Command) -> LogEntry {
    let request = Request { id: RequestId(index.into()), submitted_at: index - 1, origin: None, command };
    let proposal = Proposal { stamp: Stamp { wall_ms: 0, age_ms: index }, request };
    let data = postcard::to_stdvec(&proposal).unwrap();
    LogEntry { index, term: 1, kind: EntryKind::Normal, data: data.into() }
}

/// Creates one account and logs it in.
fn inhabit(store: &mut Store) {
    let (address, machine, level) = ("a:1".to_string(), String::new(), RULES_LEVEL);
    apply(
        store,
        Command::DescribeMember { raft_id: 1, address, machine, rules_level: level, key: Default::default() },
    );
    apply(store, OperatorCommand::RaiseRules { level }.into());
    join(store, 1);
    let account = AccountId(store.applied().index);
    apply(
        store,
        Command::LogIn { account, credential_version: 1, token: SESSION, device: String::new(), app: None },
    );
}

/// Returns a batch that every page of this account shows twice: in the name at its top, and in a croak. Both contain the
/// index of the batch's last entry.
fn change(at: LogIndex) -> [LogEntry; 2] {
    let name = Some(format!("name {}", at + 2));
    let changes = AccountChanges { name, ..AccountChanges::default() };
    let rename = AccountCommand::Describe { session: SESSION, changes };
    let croak = Command::croak(SESSION, format!("croak {}", at + 2));
    [entry(at + 1, rename.into()), entry(at + 2, croak)]
}

fn commit(store: &mut Store, durably: bool) {
    let entries = change(store.applied().index);
    let alone = Configuration { voters: vec![1], ..Configuration::default() };
    store.append(&entries, None).unwrap();
    store.apply(&entries, durably.then_some(&alone)).unwrap();
}

/// Reads the feed and asserts that name, newest croak and token agree. Returns the index in the token.
fn read_one_moment(reader: &Reader) -> LogIndex {
    let query = Query::Feed { session: SESSION, before: None, limit: 1 };
    let (index, page) = reader.answer(&query).unwrap();
    let Ok(Page::Feed { me, croaks, .. }) = page else { panic!("{page:?}") };
    assert_eq!(me.name, format!("name {index}"), "the name is of another index than the token");
    let newest = croaks.first().map(|croak| croak.id);
    assert_eq!(newest, Some(index), "the newest croak is of another index than the token");
    index
}

/// Stops the writer inside its commit, before it is visible, and again when it is visible but not yet followed in memory.
#[test]
fn a_page_and_its_token_are_of_one_moment_in_the_middle_of_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, hook) = HookedDisk::new(folder.path());
    let mut store = found(Store::open(disk).unwrap());
    inhabit(&mut store);
    commit(&mut store, false);
    let (reader, before) = (store.reader(), store.applied().index);
    let (to_syncing, syncing) = channel();
    let (to_stopped, stopped) = channel();
    *hook.lock().unwrap() = Some(Box::new(move || {
        to_syncing.send(()).unwrap();
        stopped.recv().unwrap();
    }));
    let shared = store.shared();
    let writer = thread::spawn(move || {
        commit(&mut store, true);
        store
    });
    syncing.recv().unwrap();
    assert_eq!(read_one_moment(&reader), before, "the batch is not visible before the commit");
    // The writer adds digests after the commit: it waits here for this lock.
    let digests = shared.digests.lock().unwrap();
    to_stopped.send(()).unwrap();
    while reader.view_at().unwrap().0 == before {
        thread::yield_now();
    }
    assert_eq!(read_one_moment(&reader), before + 2);
    drop(digests);
    assert_eq!(writer.join().unwrap().applied().index, before + 2);
    assert_eq!(read_one_moment(&reader), before + 2);
}

/// Stops the writer when a snapshot has replaced the rows but the memory still belongs to the old ones.
#[test]
fn a_page_and_its_token_are_of_one_moment_while_a_snapshot_is_installed() {
    let (folder, donor) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut ahead = founded(donor.path());
    inhabit(&mut ahead);
    commit(&mut ahead, false);
    let mut store = open(folder.path());
    let reader = store.reader();
    receive(&ahead, &mut store);
    let before = read_one_moment(&reader);
    (0..3).for_each(|_| commit(&mut ahead, false));
    prepare(&ahead, &store);
    let shared = store.shared();
    let digests = shared.digests.lock().unwrap();
    let installing = thread::spawn(move || {
        store.install(HardState::default()).unwrap();
        store
    });
    while reader.view_at().unwrap().0 == before {
        thread::yield_now();
    }
    assert_eq!(read_one_moment(&reader), before + 6);
    drop(digests);
    assert_eq!(installing.join().unwrap().applied().index, before + 6);
}

/// Views, pins and snapshots that were taken before an installation go on reading the replaced rows.
#[test]
fn what_is_being_read_outlives_the_installation_of_a_snapshot() {
    let (folder, donor) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut ahead = founded(donor.path());
    inhabit(&mut ahead);
    // More rows than redb has in memory once a table is open.
    (0..500).for_each(|_| commit(&mut ahead, false));
    let mut store = open(folder.path());
    receive(&ahead, &mut store);
    let reader = store.reader();
    let (index, view) = reader.view_at().unwrap();
    let mut snapshot = SnapshotReader::new(&reader).unwrap();
    let pin = reader.pin().unwrap();
    commit(&mut ahead, false);
    receive(&ahead, &mut store);
    assert_eq!(store.applied().index, index + 2);
    let croaks = scan::<Croaks, _>(&view, &0, &u64::MAX, Order::OldestFirst, usize::MAX).unwrap();
    assert_eq!(croaks.last().map(|(id, _)| *id), Some(index));
    let mut rows = 0;
    while let Some(chunk) = snapshot.next_chunk().unwrap() {
        rows += chunk.len();
    }
    let (mut pinned, mut after) = (0, Vec::new());
    loop {
        let chunk = pin.next_rows(&after).unwrap();
        let Some((last, _)) = chunk.last() else { break };
        (pinned, after) = (pinned + chunk.len(), last.clone());
    }
    assert_eq!((snapshot.head().applied.index, pinned), (index, rows));
}

/// Sends a snapshot of one store into the incoming file of another.
fn prepare(from: &Store, to: &Store) {
    let mut snapshot = SnapshotReader::new(&from.reader()).unwrap();
    let mut writer = SnapshotWriter::begin(&*to.disk(), snapshot.head()).unwrap();
    while let Some(chunk) = snapshot.next_chunk().unwrap() {
        writer.write_chunk(&chunk).unwrap();
    }
    writer.finish(snapshot.sum()).unwrap();
}

fn receive(from: &Store, to: &mut Store) {
    prepare(from, to);
    to.install(HardState::default()).unwrap();
}

/// The same without stopping the writer: a writer and readers, as fast as they can.
#[test]
fn a_page_and_its_token_are_of_one_moment_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = founded(folder.path());
    inhabit(&mut store);
    commit(&mut store, false);
    let (reader, ended) = (store.reader(), Arc::new(AtomicBool::new(false)));
    let reading = {
        let ended = ended.clone();
        thread::spawn(move || {
            let mut last = 0;
            while !ended.load(Ordering::Relaxed) {
                let index = read_one_moment(&reader);
                assert!(index >= last, "a token went back from {last} to {index}");
                last = index;
            }
        })
    };
    (0..1_000).for_each(|_| commit(&mut store, false));
    ended.store(true, Ordering::Relaxed);
    reading.join().unwrap();
}

/// The reader cache keeps that a croak has no counts. The first like of it has to be seen at once.
#[test]
fn a_like_is_seen_after_a_page_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = founded(folder.path());
    join(&mut store, 1);
    let (account, session) = (AccountId(store.applied().index), SESSION);
    apply(
        &mut store,
        Command::LogIn { account, credential_version: 1, token: session, device: String::new(), app: None },
    );
    let croak = store.applied().index + 1;
    let (text, audience) = ("quak".to_string(), Some(Audience::Everyone));
    apply(&mut store, Command::Croak { session, text, reply_to: None, audience });
    let likes = |store: &Store| {
        let query = Query::Feed { session, before: None, limit: 50 };
        let Ok(Page::Feed { croaks, .. }) = store.reader().answer(&query).unwrap().1 else {
            panic!("no feed")
        };
        assert_eq!(croaks.len(), 1);
        (croaks[0].numbers.likes, croaks[0].numbers.liked)
    };
    for _ in 0..2 {
        assert_eq!(likes(&store), (0, false));
        assert_eq!(likes(&store), (0, false));
        apply(&mut store, Command::Conversation(ConversationCommand::Like { session, croak }));
        assert_eq!(likes(&store), (1, true));
        assert_eq!(likes(&store), (1, true));
        apply(&mut store, Command::Conversation(ConversationCommand::Unlike { session, croak }));
    }
    assert_eq!(likes(&store), (0, false));
}
