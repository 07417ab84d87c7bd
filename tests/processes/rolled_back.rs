//! An older version on the stores of a newer one: it says so and ends with 78, and the stores stay as they were.

use crate::test_cluster::TestCluster;
use ribbit_db::backup::{BackupHead, BackupWriter};
use ribbit_db::{EntryKind, FileDisk, LogEntry, Position, Store};
use ribbit_state::{ClusterId, HistoryId};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use testkit::fuzz_bodies::journal::record;

/// Returns the files of a member's folder with their modes and content.
fn kept(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let file = |entry: &fs::DirEntry| {
        let mode = entry.metadata().expect("a file").permissions().mode();
        let bytes = if entry.path().is_file() { fs::read(entry.path()).expect("a file") } else { Vec::new() };
        (mode, bytes)
    };
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), file(&entry))).collect()
}

/// Returns the names of files of which the content differs.
fn changed(folder: &Path, before: &BTreeMap<String, (u32, Vec<u8>)>) -> Vec<String> {
    let now = kept(folder);
    let names = before.keys().chain(now.keys()).filter(|name| before.get(*name) != now.get(*name));
    names.cloned().collect()
}

const MEMBERS: [&str; 5] = ["backend-1", "backend-2", "backend-3", "coordinator-1", "coordinator-2"];

#[track_caller]
pub fn each_refuses(pond: &TestCluster, members: &[&str], words: &str) {
    for member in members {
        let (role, id) = member.split_once('-').expect("a role and a number");
        let folder = pond.folder().join(member);
        let before = kept(&folder);
        let (code, said) = pond.typed(&[role, "--id", id]);
        assert_eq!(code, 78, "{member}: {said}");
        assert!(!said.contains("damaged") && !said.contains("joins as a new member"), "{member}: {said}");
        assert!(said.contains(words), "{member}: {said}");
        assert_eq!(changed(&folder, &before), [""; 0], "{member}");
    }
}

#[test]
fn boards_that_are_rolled_back_end_with_78_and_their_stores_stay_whole() {
    let mut pond = TestCluster::start();
    let mut ada = pond.browser();
    ada.join("ada");
    ada.croak("before the rollback");
    pond.await_whole();
    pond.stop();

    // A version that supports one rules level less than the cluster uses.
    pond.environment = vec![("RIBBIT_TEST_RULES_LEVEL", "0".into())];
    let words =
        "rules level 1, and this version supports levels up to 0; start a version of ribbit that does";
    each_refuses(&pond, &MEMBERS, words);
    // The same for stores whose processes were killed, which redb repairs when it opens them.
    pond.environment.clear();
    pond.up(&[]);
    pond.await_whole();
    pond.kill_all();
    pond.environment = vec![("RIBBIT_TEST_RULES_LEVEL", "0".into())];
    each_refuses(&pond, &MEMBERS, words);
    pond.environment.clear();
    pond.up(&[]);
    ada.address = pond.web();
    ada.get("/main").says(200, "before the rollback");
    pond.await_whole();
    pond.stop();
}

#[test]
fn an_entry_of_a_newer_version_is_no_damage() {
    // A single member, so every entry in its log was committed.
    let mut pond = TestCluster::empty();
    pond.up(&["--backends", "1", "--coordinators", "0"]);
    pond.stop();
    let folder = pond.folder().join("backend-1");
    let mut store = Store::open(FileDisk::new(&folder)).expect("a store");
    let last = store.loaded().expect("a store").last;
    let data = vec![0xee; 40].into();
    let entry = LogEntry { index: last.index + 1, term: last.term, kind: EntryKind::Normal, data };
    store.append(&[entry], None).expect("a disk");
    drop(store);
    let names = || kept(&folder).keys().filter(|name| *name != "boot").cloned().collect::<Vec<_>>();
    let before = names();
    let (code, said) = pond.typed(&["backend", "--id", "1"]);
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("contains a command that this version does not know"), "{said}");
    assert_eq!(names(), before, "no mark, nothing set aside");
}

/// The next format has another version of the log's records, whose checksums are those of this one.
#[test]
fn a_store_of_the_next_format_is_refused_by_everything_that_opens_one() {
    let mut pond = TestCluster::start();
    let mut ada = pond.browser();
    ada.join("ada");
    pond.await_whole();
    pond.stop();
    for member in MEMBERS {
        let folder = pond.folder().join(member);
        let logs = kept(&folder).into_keys().filter(|name| name.starts_with("log-"));
        for name in logs {
            let number: u64 = name.trim_start_matches("log-").parse().expect("a number");
            fs::write(folder.join(&name), record(number, 0, &[2; 30])).expect("a log");
        }
    }
    each_refuses(&pond, &MEMBERS, "it has format 2, and this version of ribbit reads format 1");
    let from = pond.folder().join("backend-2");
    let before = kept(&from);
    let (code, said) = pond.typed(&["recover", "--from", from.to_str().expect("text"), "--id", "9"]);
    assert!(code == 78 && said.contains("it has format 2"), "{code} {said}");
    assert_eq!(changed(&from, &before), [""; 0]);
    let (code, said) = pond.typed(&["up", "--web", "127.0.0.1:0"]);
    assert!(code == 78 && said.contains("it has format 2"), "{code} {said}");
    assert_eq!(changed(&from, &before), [""; 0]);
}

/// Writes a backup whose head names rules level 9.
fn backup_of_level_9(path: &Path) {
    let head = BackupHead {
        cluster: ClusterId(1),
        history: HistoryId(2),
        position: Position { index: 1, term: 1 },
        rules_level: 9,
        rows: 0,
        digest: 0,
    };
    let writer = BackupWriter::begin(fs::File::create(path).expect("a file"), head).expect("a good disk");
    writer.finish().expect("a good disk");
}

#[test]
fn a_backup_of_a_newer_version_is_no_damaged_one() {
    let pond = TestCluster::empty();
    let file = pond.folder().join("b");
    backup_of_level_9(&file);
    let bytes = fs::read(&file).expect("a backup");
    let newer = [&b"ribbit backup\n\x02"[..], &bytes[15..]].concat();
    let new = pond.folder().join("new");
    for (bytes, words) in [
        (bytes, "rules level 9, and this version knows levels up to 1"),
        (newer, "format 2; this version reads up to 1"),
    ] {
        fs::write(&file, bytes).expect("a file");
        let arguments = ["restore", file.to_str().expect("text"), "--data-dir", new.to_str().expect("text")];
        let (code, said) = pond.ended(pond.plain(&arguments), "");
        assert!(code == 78 && said.contains(words) && !said.contains("damaged"), "{code} {said}");
        assert!(!new.exists());
    }
}
