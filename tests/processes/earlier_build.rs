//! A data folder that a build before version 0.2.0 wrote: refused with 78 and one sentence, and left as it is.

use crate::test_cluster::TestCluster;
use redb::{ReadableTable, TableDefinition};
use ribbit_db::{Disk, FileDisk, StoreFile};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
/// As those builds defined it.
const OLD_META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const VERBS_LEFT: &str = "nothing in it was changed, and `ribbit client export` and `ribbit backup` of the version that wrote \
                          it still work";

/// Every file of a folder, those in its folders included, with its mode and its bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        match path.is_dir() {
            true => found.extend(contents(&path)),
            false => drop(found.insert(path.clone(), (mode, fs::read(&path).expect("a file")))),
        }
    }
    found
}

/// A record of the log as the builds before 0.2.0 framed it: its length, one checksum over number, offset and body, the body.
fn old_record(number: u64, at: usize, body: &[u8]) -> Vec<u8> {
    let body = [&[1], body].concat();
    let mut hash = Xxh3::new();
    for part in [&number.to_le_bytes()[..], &(at as u64).to_le_bytes(), &body] {
        hash.update(part);
    }
    let length = u32::try_from(body.len()).expect("a short record");
    [&length.to_le_bytes()[..], &(hash.digest() as u32).to_le_bytes(), &body].concat()
}

/// A segment as those builds wrote it: a head (epoch, number, position before it, hard state), one batch with an entry, zeros.
fn old_segment(number: u64) -> Vec<u8> {
    let (position, hard_state) = ((1u64, 1u64), (1u64, 0u64, 1u64));
    let head = postcard::to_stdvec(&(2u64, number, position, hard_state)).expect("plain data");
    let mut bytes = old_record(number, 0, &head);
    let entries = [(2u64, 1u64, 0u8, b"an entry".to_vec())];
    let batch = postcard::to_stdvec(&(None::<(u64, u64, u64)>, entries)).expect("plain data");
    bytes.extend(old_record(number, bytes.len(), &batch));
    bytes.resize(64 * 1024, 0);
    bytes
}

/// Makes the store of a stopped member one of an earlier build: the names in its `meta` are text, none of them is the format, and its
/// log has the old frames.
fn make_old(store: &Path) {
    let disk = FileDisk::new(store);
    let database = disk.open(StoreFile::Main).expect("a store");
    let transaction = database.begin_write().expect("a store");
    let mut records = BTreeMap::new();
    for record in transaction.open_table(META).expect("meta").iter().expect("a disk") {
        let (name, value) = record.expect("a disk");
        records.insert(String::from_utf8(name.value().to_vec()).expect("text"), value.value().to_vec());
    }
    assert!(records.remove("format").is_some(), "a store of this build notes its format");
    transaction.delete_table(META).expect("a disk");
    for (name, value) in records {
        transaction
            .open_table(OLD_META)
            .expect("meta")
            .insert(name.as_str(), value.as_slice())
            .expect("a disk");
    }
    transaction.commit().expect("a disk");
    drop(database);
    for number in disk.log_segments().expect("a folder") {
        fs::write(store.join(format!("log-{number:08}")), old_segment(number)).expect("a disk");
    }
    // Those builds made no file private.
    for path in contents(store).keys() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("a disk");
    }
}

fn refuses(pond: &TestCluster, arguments: &[&str], words: &str) {
    let before = contents(pond.folder());
    for _ in 0..2 {
        let (code, said) = pond.typed(arguments);
        assert_eq!(code, 78, "{arguments:?}: {said}");
        assert!(said.contains(words) && said.contains(VERBS_LEFT), "{arguments:?}: {said}");
        assert_eq!(said.matches(VERBS_LEFT).count(), 1, "{arguments:?}: {said}");
        assert!(contents(pond.folder()) == before, "{arguments:?} changed the folder");
    }
}

#[test]
fn the_folder_of_an_earlier_build_is_refused_with_what_to_do_and_not_changed() {
    let mut pond = TestCluster::empty();
    let alone = ["--backends", "1", "--coordinators", "0"];
    pond.up(&alone);
    pond.stop();
    let store = pond.folder().join("backend-1");
    let from = store.to_str().expect("text").to_string();
    let up = [&["up", "--web", "127.0.0.1:0"][..], &alone].concat();
    let earlier = "a version of ribbit before 0.2.0 wrote it, and this version starts a new format";

    make_old(&store);
    refuses(&pond, &["backend", "--id", "1"], earlier);
    refuses(&pond, &["backend", "--id", "1", "--found-only"], earlier);
    refuses(&pond, &["recover", "--from", &from, "--id", "2"], earlier);
    refuses(&pond, &up, earlier);

    // Before its first log: the main file alone.
    for (log, _) in contents(&store).iter().filter(|(path, _)| path.to_string_lossy().contains("log-")) {
        fs::remove_file(log).expect("a file of the log");
    }
    refuses(&pond, &["backend", "--id", "1"], earlier);
    refuses(&pond, &up, earlier);
}
