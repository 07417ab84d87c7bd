//! A member whose state differs from the others.

use crate::test_cluster::{TestCluster, awaited, is_alive};
use redb::{Database, ReadableTable, TableDefinition};
use ribbit_db::record::{seal, seal_record, unseal_record};
use ribbit_db::{FileDisk, Store};
use ribbit_state::rows::{Croaks, StoredCroak, Table, decode, encode};
use rustix::process::Signal;
use std::fs;
use std::path::Path;

const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
const META: TableDefinition<&[u8], &[u8]> = TableDefinition::new("meta");

/// Changes one croak in a member's store as a bug in the rules would, with valid checksums.
fn tamper(pond: &TestCluster, member: &str) {
    let folder = pond.folder().join(member);
    let mut store = Store::open(FileDisk::new(&folder)).expect("a store");
    // Closing the store checkpoints the entries that are only in the log.
    store.apply_whole_log().expect("a store");
    drop(store);
    let path = folder.join("store.redb");
    let database = Database::open(path).expect("a store that is not open");
    let transaction = database.begin_write().expect("a store");
    {
        let mut rows = transaction.open_table(ROWS).expect("rows");
        let is_croak = |key: &[u8]| key[0] == Croaks::ID.0;
        let found = rows.iter().expect("rows").flatten().find(|(key, _)| is_croak(key.value()));
        let (key, value) =
            found.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).expect("one");
        let mut post: StoredCroak = decode(&value[..value.len() - 4]).expect("a croak");
        post.croak.text.push('!');
        let changed = seal(&key, encode(&post));
        rows.insert(key.as_slice(), changed.as_slice()).expect("a store");
        let mut meta = transaction.open_table(META).expect("meta");
        let stored = meta.get(&b"digest"[..]).expect("meta").expect("a digest").value().to_vec();
        let (index, digest): (u64, u64) = unseal_record(b"digest", &stored).expect("a digest");
        // The digest is the wrapping sum of the checksums, which are the last four bytes of the values.
        let weight = |value: &[u8]| u64::from(u32::from_le_bytes(*value.last_chunk().expect("a checksum")));
        let digest = digest.wrapping_sub(weight(&value)).wrapping_add(weight(&changed));
        meta.insert(&b"digest"[..], seal_record(b"digest", &(index, digest)).as_slice()).expect("a store");
    }
    transaction.commit().expect("a store");
}

#[test]
fn a_member_whose_state_differs_halts_and_the_others_go_on() {
    let mut pond = TestCluster::empty();
    pond.environment = vec![("RUST_LOG", "ribbit=info".into())];
    pond.up(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let mut ada = pond.browser();
    ada.join("ada");
    ada.croak("one state for all");
    pond.await_whole();
    let id = if leader == "backend-1" { 2 } else { 1 };
    let name = format!("backend-{id}");
    let pid = pond.pid(&name);
    pond.signal(&[&name], Signal::TERM);
    awaited("ended", || (!is_alive(pid)).then_some(()));
    tamper(&pond, &name);

    let folder = pond.folder().join(&name);
    let start = ["backend", "--id", &id.to_string()];
    for time in ["noticed", "remembered"] {
        let (code, said) = pond.typed(&start);
        assert_eq!(code, 78, "{time}: {said}");
        assert!(said.contains("its state differs from that of") && said.contains("at index"), "{said}");
        assert!(said.contains(folder.to_str().expect("text")), "{said}");
    }
    // The others detect it, too, and keep serving.
    let told = format!("differs from that of {name}");
    let line = awaited("reported by another member", || {
        let log = fs::read_to_string(pond.folder().join("said.log")).expect("a log");
        log.lines().find(|line| line.contains(&told)).map(str::to_string)
    });
    assert!(line.contains("it goes on"), "{line}");
    println!("{line}");
    ada.croak("life goes on");
    let status = pond.status();
    assert_eq!(status.members.iter().filter(|member| member.alive && member.in_sync).count(), 4);

    // With an empty folder, it joins as a new member.
    fs::remove_dir_all(&folder).expect("a folder");
    pond.backend_by_hand(id);
    pond.await_whole();
    ada.croak("all five again");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a file");
    }
}

const ROLLED_BACK: [&str; 3] = ["backend-3", "coordinator-1", "coordinator-2"];

/// Returns a stopped cluster and the newest term of its members. The disks of three of the five were restored to a state
/// before a croak that all five had. The cluster was restarted `restarts` times in between, each with a later term.
fn rolled_back(restarts: usize) -> (TestCluster, u64) {
    let mut pond = TestCluster::start();
    pond.await_whole();
    pond.stop();
    let kept = tempfile::tempdir().expect("a temporary folder");
    ROLLED_BACK.iter().for_each(|name| copy(&pond.folder().join(name), &kept.path().join(name)));
    pond.up(&[]);
    let mut ada = pond.browser();
    ada.join("ada");
    ada.croak("acknowledged by all five");
    for _ in 0..restarts {
        pond.stop();
        pond.up(&[]);
    }
    pond.await_whole();
    let term = pond.status().term;
    pond.stop();
    for name in ROLLED_BACK {
        fs::remove_dir_all(pond.folder().join(name)).expect("a folder");
        copy(&kept.path().join(name), &pond.folder().join(name));
    }
    (pond, term)
}

fn start(pond: &mut TestCluster, name: &str) {
    let (role, id) = name.split_once('-').expect("a role and an id");
    pond.by_hand(&[role, "--id", id]);
}

/// Words of a member that halts. The first are about the leader's log, the others about a digest, whichever arrives first.
const FORKED: [&str; 2] =
    ["other members lost writes that were acknowledged", "its state differs from that of"];

/// Asserts that a member ends with exit code 78 and tells why.
#[track_caller]
fn halts(pond: &TestCluster, name: &str) {
    let (role, id) = name.split_once('-').expect("a role and an id");
    let (code, said) = pond.typed(&[role, "--id", id]);
    assert!(code == 78 && FORKED.iter().any(|words| said.contains(words)), "{name}: {code} {said}");
    assert!(said.contains("this store is not used again"), "{name}: {said}");
}

/// Three of five that were rolled back have a leader without a croak that two backends have applied. Before the fix, those
/// two reported "in sync" for ever and answered 503.
#[test]
fn members_that_have_what_a_majority_lost_halt_and_say_so() {
    let (mut pond, term) = rolled_back(0);
    ROLLED_BACK.iter().for_each(|name| start(&mut pond, name));
    // A member with a later term than the leader's would begin an election and might win it. The other test is about that.
    loop {
        let status = pond.await_status("three of five have a leader", |status| status.leader.is_some());
        if status.term > term {
            break;
        }
        let leader = status.leader.expect("awaited");
        pond.kill(&[&leader]);
        start(&mut pond, &leader);
        pond.await_status("they elect again", |now| now.leader.is_some() && now.term > status.term);
    }
    // Nothing is written meanwhile: an idle cluster has to detect it, too.
    halts(&pond, "backend-1");
    halts(&pond, "backend-1");
    halts(&pond, "backend-2");
}

/// If a member that has the croak has seen a later term than the three that lost it, it ends their leader's term, and either
/// side may win the next election. The members that do not follow from the new leader's log halt.
#[test]
fn one_of_two_sides_halts_whichever_leads() {
    let (mut pond, _) = rolled_back(3);
    ROLLED_BACK.iter().for_each(|name| start(&mut pond, name));
    // Had they committed nothing yet, they would catch up from the one that has the croak, and there would be no two sides.
    let (code, said) = pond.shell(&["mkdir", "/of-three"]);
    assert_eq!(code, 0, "{said}");
    start(&mut pond, "backend-1");
    let halted = awaited("one side halts", || {
        let log = fs::read_to_string(pond.folder().join("said.log")).expect("a log");
        let halts =
            |name: &str| log.contains(&format!("ribbit: {name}: ")) && !pond.pids().contains_key(name);
        let three = ROLLED_BACK.iter().all(|name| halts(name)).then(|| ROLLED_BACK.to_vec());
        three.or_else(|| halts("backend-1").then(|| vec!["backend-1"]))
    });
    println!("halted: {halted:?}");
    halted.iter().for_each(|name| halts(&pond, name));
}
