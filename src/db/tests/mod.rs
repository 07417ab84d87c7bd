//! Tests of the store through its public interface: writing, reading, damage, and restarts.

mod consistency;
mod journal;

use super::digest;
use super::meta::write_meta;
use super::record::{HardState, seal};
use super::snapshot::SnapshotReader;
use super::tables::{FORMAT, FORMAT_VERSION, META, ROWS};
use super::{
    Configuration, DbError, Disk, EntryKind, FileDisk, Identity, LogEntry, Position, Store, StoreFile,
    catch_read_panics,
};
use redb::{ReadableDatabase, ReadableTable};
use ribbit_state::cluster::members;
use ribbit_state::command::{NewMember, Proposal};
use ribbit_state::limits::{PATH_BYTES_MAX, RULES_LEVEL};
use ribbit_state::pages::listing;
use ribbit_state::{
    ClusterId, Command, HOME_REGION, HistoryId, LeaseCommand, LogIndex, OperatorCommand, Request, RequestId,
    Role, Stamp, TokenHash, TreeCommand, TreePath, tree,
};
use std::fs;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

fn open(folder: &Path) -> Store {
    Store::open(FileDisk::new(folder)).unwrap()
}

/// Returns the store of a founder.
fn founded(folder: &Path) -> Store {
    found(open(folder))
}

/// Turns an empty store into a founder's.
fn found(mut store: Store) -> Store {
    let identity = Identity {
        cluster: ClusterId(1),
        history: HistoryId(2),
        raft_id: 1,
        role: Role::Backend,
        region: 1,
        id: 1,
    };
    let alone = Configuration { voters: vec![1], ..Configuration::default() };
    store.identify(identity, Some(&alone)).unwrap();
    let member = NewMember {
        role: Role::Backend,
        id: 1,
        address: "a:1".into(),
        machine: String::new(),
        rules_level: 1,
        key: Default::default(),
    };
    apply(&mut store, Command::FoundCluster { history: HistoryId(2), member });
    store
}

fn apply(store: &mut Store, command: Command) {
    let index = store.applied().index + 1;
    let request = Request { id: RequestId(index.into()), submitted_at: index - 1, origin: None, command };
    let proposal = Proposal { stamp: Stamp { wall_ms: 0, age_ms: index }, request };
    let data = postcard::to_stdvec(&proposal).unwrap();
    let entry = LogEntry { index, term: 1, kind: EntryKind::Normal, data: data.into() };
    store.append(std::slice::from_ref(&entry), None).unwrap();
    store.apply(&[entry], None).unwrap();
}

fn join(store: &mut Store, number: u64) {
    let username = format!("person-{number}");
    let (name, email) = ("Somebody".to_string(), format!("{username}@example.org"));
    apply(
        store,
        Command::CreateAccount { username, name, email, password_hash: "$".into(), invitation: None },
    );
}

fn counted(store: &Store) -> u64 {
    digest::count(&store.reader().view().unwrap().rows).unwrap()
}

fn kept_at(store: &Store, index: LogIndex) -> u64 {
    store.reader().digest_at(index).unwrap()
}

/// Scrubs until a pass ends, with people joining between the ranges.
fn scrub(store: &mut Store, joining: &mut dyn Iterator<Item = u64>) -> Result<u64, DbError> {
    loop {
        if let Some(pass) = store.reader().scrub()? {
            return Ok(pass.rows);
        }
        if let Some(number) = joining.next() {
            join(store, number);
        }
    }
}

/// Replaces one row on disk by another with a correct checksum, bypassing the store.
fn tamper(folder: &Path) {
    let database = FileDisk::new(folder).open(StoreFile::Main).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut rows = transaction.open_table(ROWS).unwrap();
        let key = rows.iter().unwrap().next().unwrap().unwrap().0.value().to_vec();
        rows.insert(key.as_slice(), seal(&key, b"something else".to_vec()).as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

/// Sessions expire by the cluster age, which continues from its last value after a pause of any length.
#[test]
fn the_clusters_age_stands_still_while_everything_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = founded(folder.path());
    (0..5).for_each(|number| join(&mut store, number));
    let age_ms = store.reader().age_ms();
    assert_eq!(age_ms, store.applied().index, "the age of the last stamp");
    store.checkpoint().unwrap();
    drop(store);
    let store = Store::open(FileDisk::new(folder.path())).unwrap();
    assert_eq!(store.reader().age_ms(), age_ms);
    assert_eq!(store.reader().view().unwrap().age_ms, age_ms, "readers see the same age");
}

#[test]
fn the_digest_is_that_of_the_rows_at_every_index() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = founded(folder.path());
    let mut digests = Vec::new();
    for number in 0..50 {
        // Some of these names are taken.
        join(&mut store, number % 40);
        let at = (store.applied().index, kept_at(&store, store.applied().index));
        assert_eq!(at.1, counted(&store));
        digests.push(at);
    }
    assert!(digests.iter().all(|(index, digest)| kept_at(&store, *index) == *digest));
    assert_eq!(store.reader().digests_to_publish().last(), digests.last());
    drop(store);
    let store = open(folder.path());
    assert_eq!(Some(&(store.applied().index, kept_at(&store, store.applied().index))), digests.last());
}

#[test]
fn a_store_without_the_digest_of_its_applied_index_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = founded(folder.path());
    join(&mut store, 1);
    let transaction = store.database().begin_write().unwrap();
    transaction.open_table(META).unwrap().remove("digest".as_bytes()).unwrap();
    transaction.commit().unwrap();
    drop(store);
    let opened = Store::open(FileDisk::new(folder.path()));
    assert!(matches!(&opened, Err(DbError::Damaged(text)) if text.contains("digest")));
}

/// Frames of earlier builds had one checksum, over number, offset and body.
#[test]
fn a_store_of_an_earlier_build_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    drop(founded(folder.path()));
    let log = contents(folder.path()).remove(0).0;
    let number: u64 = log.to_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
    let body = [&[1u8][..], b"any head"].concat();
    let mut hash = Xxh3::new();
    [&number.to_le_bytes()[..], &0u64.to_le_bytes(), &body].iter().for_each(|part| hash.update(part));
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    let sum = (hash.digest() as u32).to_le_bytes();
    fs::write(&log, [&length[..], &sum, &body, &[0; 100]].concat()).unwrap();
    let before = contents(folder.path());
    for _ in 0..2 {
        let refused = Store::open(FileDisk::new(folder.path())).err().expect("it is refused");
        assert!(matches!(refused, DbError::Format(None)), "{refused}");
        assert!(!refused.is_damage());
    }
    assert!(contents(folder.path()) == before);
}

#[test]
fn a_store_of_a_later_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = founded(folder.path());
    let transaction = store.database().begin_write().unwrap();
    write_meta(&mut transaction.open_table(META).unwrap(), FORMAT, &(FORMAT_VERSION + 1)).unwrap();
    transaction.commit().unwrap();
    drop(store);
    let refused = Store::open(FileDisk::new(folder.path())).err().expect("it is refused");
    assert!(matches!(refused, DbError::Format(Some(found)) if found == FORMAT_VERSION + 1), "{refused}");
    assert!(!refused.is_damage());
}

/// Returns every file with its bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn rows_that_were_not_durable_are_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = founded(folder.path());
    (0..20).for_each(|number| join(&mut store, number));
    let (applied, digest) = (store.applied(), counted(&store));
    // As after a power cut: rows that were not synced are lost.
    let copy = copied(folder.path());
    let mut store = open(copy.path());
    let loaded = store.loaded().unwrap();
    assert_eq!(loaded.last, applied);
    assert!(loaded.applied.index < applied.index, "the copy contains only durable rows");
    let rest = store.reader().entries(loaded.applied.index + 1, applied.index + 1, u64::MAX).unwrap();
    store.apply(&rest, None).unwrap();
    assert_eq!((store.applied(), counted(&store)), (applied, digest));
}

#[test]
fn another_history_begins_behind_all_that_the_log_holds() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = founded(folder.path());
    (0..5).for_each(|number| join(&mut store, number));
    // In the log, but not applied.
    let index = store.applied().index + 1;
    let request =
        Request { id: RequestId(7), submitted_at: index - 1, origin: None, command: Command::IndexCroaks };
    let data = postcard::to_stdvec(&Proposal { stamp: Stamp { wall_ms: 0, age_ms: 9 }, request }).unwrap();
    let kinds = [EntryKind::Configuration, EntryKind::Normal];
    let entries: Vec<LogEntry> = (index..index + 40)
        .map(|index| LogEntry { index, term: 3, kind: kinds[(index % 2) as usize], data: Default::default() })
        .chain([LogEntry { index: index + 40, term: 4, kind: EntryKind::Normal, data: data.into() }])
        .collect();
    store.append(&entries, None).unwrap();
    assert_eq!(store.apply_whole_log().unwrap(), 41);
    assert_eq!(store.apply_whole_log().unwrap(), 0);

    let view = store.reader().view().unwrap();
    let (raft_id, changes) =
        members::begin_history(&view, HistoryId(9), Role::Backend, 3, Default::default()).unwrap().unwrap();
    drop(view);
    let cluster = ClusterId(1);
    let identity =
        Identity { cluster, history: HistoryId(9), raft_id, role: Role::Backend, region: 1, id: 3 };
    store.begin_history(&identity, changes).unwrap();
    drop(store);
    let mut store = open(folder.path());
    let loaded = store.loaded().unwrap();
    let start = Position { index: index + 41, term: 5 };
    assert_eq!((loaded.applied, loaded.floor, loaded.last), (start, start, start));
    assert_eq!((loaded.identity, loaded.configuration.voters), (Some(identity), vec![2]));
    assert_eq!(kept_at(&store, start.index), counted(&store));
    let names: Vec<_> = members::all(&store.reader().view().unwrap()).unwrap();
    assert_eq!(names.iter().map(|(id, it)| (*id, it.name())).collect::<Vec<_>>(), [(2, "backend-3".into())]);
    join(&mut store, 6);
    assert_eq!(kept_at(&store, start.index + 1), counted(&store));
}

#[test]
fn a_scrub_reads_everything_while_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = founded(folder.path());
    (0..600).for_each(|number| join(&mut store, number));
    let mut joining = 600..;
    for _ in 0..3 {
        let rows = scrub(&mut store, &mut joining).unwrap();
        assert!(rows > 1_800, "{rows}");
    }
    assert!(joining.start > 605, "a pass has many ranges");
    let nobody = &mut std::iter::empty();
    let all = store.database().begin_read().unwrap().open_table(ROWS).unwrap().iter().unwrap().count();
    scrub(&mut store, nobody).unwrap();
    assert_eq!(scrub(&mut store, nobody).unwrap(), all as u64);
}

/// Returns a copy of all files of a store.
fn copied(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

/// Opens a store and reads all of it.
fn read_all(folder: &Path) -> Result<(), DbError> {
    catch_read_panics(|| {
        let store = Store::open(FileDisk::new(folder))?;
        while store.reader().scrub()?.is_none() {}
        Ok(())
    })
}

#[test]
fn damage_anywhere_in_a_store_is_reported_as_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = founded(folder.path());
    // Frequent checkpoints, and several log segments.
    store.set_log_keep_entries(64);
    (0..200).for_each(|number| join(&mut store, number));
    // Once as after a power cut, and once closed properly, so that redb checks no page when it opens the file.
    let cut = copied(folder.path());
    drop(store);
    let closed = copied(folder.path());
    let log = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
    let log = log.max_by_key(|name| name.to_str().is_some_and(|name| name.starts_with("log-"))).unwrap();
    let mut called = 0;
    for number in 0..400usize {
        let hurt = copied(if number % 8 < 4 { cut.path() } else { closed.path() });
        let path = match number % 5 {
            0 => hurt.path().join(&log),
            _ => hurt.path().join("store.redb"),
        };
        let mut bytes = fs::read(&path).unwrap();
        // At any offset in the used part of the file, from one byte to a page.
        let at = number.wrapping_mul(7_919 * 31) % bytes.len().min(256 * 1024);
        let length = [1, 16, 512, 4_096][number % 4];
        bytes.iter_mut().skip(at).take(length).for_each(|byte| *byte ^= 0x5a);
        fs::write(&path, &bytes).unwrap();
        // Much of the file is unused, so not every change is damage.
        if let Err(error) = read_all(hurt.path()) {
            assert!(error.is_damage(), "{number}: {error}");
            called += 1;
        }
    }
    assert!(called > 20, "{called}");
}

/// A flipped bit in redb's metadata turns a table into one of another type (found by the simulator, seed 6959).
#[test]
fn a_table_of_another_shape_is_damage() {
    let name = || "rows".to_string();
    let (alignment, width) = (67_108_865, None);
    let definition = redb::TypeName::new("&str");
    for error in [
        redb::Error::TableIsMultimap(name()),
        redb::Error::TableIsNotMultimap(name()),
        redb::Error::TypeDefinitionChanged { name: definition, alignment, width },
    ] {
        assert!(DbError::Redb(Box::new(error)).is_damage());
    }
}

#[test]
fn a_row_that_is_whole_and_was_not_written_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = founded(folder.path());
    join(&mut store, 1);
    drop(store);
    tamper(folder.path());
    let mut store = open(folder.path());
    assert!(scrub(&mut store, &mut std::iter::empty()).is_err_and(|error| error.is_damage()));
    // A snapshot does not spread it either.
    let mut snapshot = SnapshotReader::new(&store.reader()).unwrap();
    assert!(snapshot.next_chunk().unwrap().is_some());
    assert!(snapshot.next_chunk().is_err_and(|error| error.is_damage()));
}

/// The longest names, path and owner at once: a key that does not fit would end the process of every member, again and
/// again.
#[test]
fn the_longest_path_that_the_rules_allow_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = founded(folder.path());
    let (address, machine) = ("a:1".to_string(), String::new());
    apply(
        &mut store,
        Command::DescribeMember {
            raft_id: 1,
            address,
            machine,
            rules_level: RULES_LEVEL,
            key: Default::default(),
        },
    );
    apply(&mut store, OperatorCommand::RaiseRules { level: RULES_LEVEL }.into());
    let name = format!("/{}", "n".repeat(127));
    let path: TreePath = name.repeat(PATH_BYTES_MAX / name.len()).parse().unwrap();
    assert_eq!(path.as_str().len(), PATH_BYTES_MAX);
    let lease = TokenHash([7; 32]);
    apply(&mut store, LeaseCommand::Open { token: lease, description: String::new(), lease_ms: None }.into());
    apply(&mut store, TreeCommand::Acquire { path: path.clone(), lease, content: Vec::new() }.into());
    let reader = store.reader();
    let view = reader.view().unwrap();
    let (entries, more) = listing::list(&view, &TreePath::root(), None, None, 100).unwrap().unwrap();
    assert_eq!((entries.last().map(|entry| &entry.path), more), (Some(&path), None));
    let (behind, _) = listing::list(&view, &path, None, Some(&path), 100).unwrap().unwrap();
    assert!(behind.is_empty());
    assert!(scrub(&mut store, &mut std::iter::empty()).is_ok());
    apply(&mut store, LeaseCommand::Close { token: lease }.into());
    assert_eq!(tree::node(&store.reader().view().unwrap(), &path).unwrap(), None);
}

#[test]
fn the_writer_stops_where_a_pin_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = founded(folder.path());
    let (reader, begin) = (store.reader(), store.applied().index);
    let wanted = |behind: LogIndex| reader.request_pin(begin + behind);
    let (third, again, fifth, beyond) = (wanted(3), wanted(3), wanted(5), wanted(6));
    let entries: Vec<LogEntry> = (1..=5)
        .map(|number| {
            let member = NewMember {
                role: Role::Backend,
                id: 1 + number,
                address: "a:1".into(),
                machine: String::new(),
                rules_level: 1,
                key: Default::default(),
            };
            let index = begin + u64::from(number);
            let request = Request {
                id: RequestId(index.into()),
                submitted_at: begin,
                origin: None,
                command: Command::Join { region: HOME_REGION, member },
            };
            let proposal = Proposal { stamp: Stamp { wall_ms: 0, age_ms: index }, request };
            let data = postcard::to_stdvec(&proposal).unwrap();
            LogEntry { index, term: 1, kind: EntryKind::Normal, data: data.into() }
        })
        .collect();
    store.append(&entries, None).unwrap();
    assert_eq!(store.apply(&entries, None).unwrap().len(), 5, "every outcome exactly once");
    let digest = |behind| store.reader().digest_at(begin + behind).unwrap();
    let pin = third.take().unwrap().0.unwrap();
    assert_eq!((pin.position.index, pin.digest), (begin + 3, digest(3)));
    let chunk = pin.next_rows(&[]).unwrap();
    assert_eq!((chunk.len() as u64, super::backup::digest_of(&chunk)), (pin.rows, pin.digest));
    // A pin is taken once. Another requester has to request another index.
    assert!(matches!(again.take(), Ok((None, at)) if at == begin + 5));
    let last = fifth.take().unwrap().0.unwrap();
    assert_eq!((last.position.index, last.digest), (begin + 5, digest(5)));
    assert!(matches!(beyond.take(), Ok((None, at)) if at == begin + 5));
    // Steps add up to the same sum, and a step ends at the requested key.
    let (whole, hashes) = (last.sum(&[], None).unwrap(), last.hashes(&[], None).unwrap());
    assert_eq!((whole.rows, whole.stopped_at, hashes.1), (last.rows, None, false));
    assert_eq!(hashes.0.iter().fold(0u64, |sum, (_, mark)| sum.wrapping_add(*mark)), whole.sum);
    let middle = &hashes.0[hashes.0.len() / 2].0;
    let (head, tail) =
        (last.sum(&[], Some(middle.as_slice())).unwrap(), last.sum(middle.as_slice(), None).unwrap());
    assert_eq!((head.rows + tail.rows, head.sum.wrapping_add(tail.sum)), (whole.rows, whole.sum));
    drop((third, again, fifth, beyond));
    assert_eq!(reader.shared.pins.next_stop(0, LogIndex::MAX), None, "no pin is requested");
}

#[test]
fn a_log_that_is_gone_or_blank_is_no_log_that_was_never_begun() {
    let log = |folder: &Path| {
        let names = super::disk::segment_names(folder).unwrap();
        folder.join(names.iter().max().unwrap())
    };
    let harms: [(&str, fn(&Path)); 4] = [
        ("gone", |file| fs::remove_file(file).unwrap()),
        ("empty", |file| fs::write(file, b"").unwrap()),
        ("zeros", |file| {
            fs::write(file, vec![0; fs::metadata(file).unwrap().len() as usize]).unwrap();
        }),
        ("nonsense", |file| fs::write(file, vec![0x5a; 4_096]).unwrap()),
    ];
    for (what, harm) in harms {
        let folder = tempfile::tempdir().unwrap();
        drop(founded(folder.path()));
        harm(&log(folder.path()));
        let error = Store::open(FileDisk::new(folder.path())).err().unwrap();
        assert!(error.is_damage(), "{what}: {error}");
        // The next attempt finds the same.
        assert!(Store::open(FileDisk::new(folder.path())).err().unwrap().is_damage(), "{what}");
    }
    // Missing rows, or an empty file in their place, beside a log.
    for empty in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        drop(founded(folder.path()));
        let store = folder.path().join(super::disk::STORE_FILE);
        fs::remove_file(&store).unwrap();
        if empty {
            fs::write(&store, b"").unwrap();
        }
        for _ in 0..2 {
            let error = Store::open(FileDisk::new(folder.path())).err().unwrap();
            assert!(error.is_damage() && error.to_string().contains("its rows are missing"), "{error}");
        }
        assert!(log(folder.path()).exists(), "the log was not removed");
    }
}
