//! An older version on the stores of a newer one: it says so and ends with 78, and the stores stay as they were.

use crate::test_cluster::TestCluster;
use ribbit_db::{EntryKind, FileDisk, LogEntry, Store};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Returns the log files of a member's folder with their content, and the names of all other files.
fn kept(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let name = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let bytes = |entry: &fs::DirEntry| match name(entry).starts_with("log-") {
        true => fs::read(entry.path()).expect("a file"),
        false => Vec::new(),
    };
    // The note of the boot says only that the store is in use: a process that closes the store removes it.
    entries.map(|entry| (name(&entry), bytes(&entry))).filter(|(name, _)| name != "boot").collect()
}

const MEMBERS: [&str; 5] = ["backend-1", "backend-2", "backend-3", "coordinator-1", "coordinator-2"];

#[track_caller]
fn each_refuses(pond: &TestCluster, members: &[&str], words: &str) {
    for member in members {
        let (role, id) = member.split_once('-').expect("a role and a number");
        let before = kept(&pond.folder().join(member));
        let (code, said) = pond.typed(&[role, "--id", id]);
        assert_eq!(code, 78, "{member}: {said}");
        assert!(
            said.contains(words) && said.contains("start a version of ribbit that does"),
            "{member}: {said}"
        );
        assert_eq!(kept(&pond.folder().join(member)), before, "{member}");
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
    each_refuses(&pond, &MEMBERS, "rules level 1, and this version supports levels up to 0");
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
    let mut store = Store::open(FileDisk::new(&folder).expect("a folder")).expect("a store");
    let last = store.loaded().expect("a store").last;
    let data = vec![0xee; 40].into();
    let entry = LogEntry { index: last.index + 1, term: last.term, kind: EntryKind::Normal, data };
    store.append(&[entry], None).expect("a disk");
    drop(store);
    let before = kept(&folder).keys().cloned().collect::<Vec<_>>();
    let (code, said) = pond.typed(&["backend", "--id", "1"]);
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("contains a command that this version does not know"), "{said}");
    assert_eq!(kept(&folder).keys().cloned().collect::<Vec<_>>(), before, "no mark, nothing set aside");
}
