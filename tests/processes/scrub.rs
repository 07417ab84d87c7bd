//! Damage in rarely read data: found by the scrub, which reads everything range by range.

use crate::test_cluster::{TestCluster, awaited, is_alive};
use ribbit_db::{FileDisk, Store};
use rustix::process::Signal;
use std::fs;
use std::path::PathBuf;

const EMAIL: &[u8] = b"eve@example.org";

/// Flips a bit in each occurrence of `EMAIL` in a file, and returns their number.
fn damage(path: &std::path::Path) -> usize {
    let mut bytes = fs::read(path).expect("a store");
    let places: Vec<usize> =
        (0..bytes.len() - EMAIL.len()).filter(|at| bytes[*at..].starts_with(EMAIL)).collect();
    places.iter().for_each(|at| bytes[*at] ^= 1);
    fs::write(path, bytes).expect("a store");
    places.len()
}

/// Stops a member and closes its store cleanly, because a store that was not is checked completely when it is opened.
fn stop_well(pond: &TestCluster, name: &str) -> PathBuf {
    let pid = pond.pid(name);
    pond.signal(&[name], Signal::TERM);
    awaited("ended", || (!is_alive(pid)).then_some(()));
    let folder = pond.folder().join(name);
    let mut store = Store::open(FileDisk::new(&folder)).expect("a store");
    store.apply_whole_log().expect("a store");
    folder
}

#[test]
fn a_store_whose_pages_cannot_be_is_damaged_and_no_reason_to_crash_again_and_again() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let mut ada = pond.browser();
    ada.join("ada");
    pond.await_whole();
    let id = if leader == "backend-1" { 2 } else { 1 };
    let folder = stop_well(&pond, &format!("backend-{id}"));
    let path = folder.join("store.redb");
    let mut bytes = fs::read(&path).expect("a store");
    // The header is valid, and all pages after it are overwritten.
    bytes[4096..].iter_mut().for_each(|byte| *byte = 0x5a);
    fs::write(&path, bytes).expect("a store");
    let (code, said) = pond.typed(&["backend", "--id", &id.to_string()]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the store is damaged") && said.contains("joins as a new member"), "{said}");
    pond.backend_by_hand(id);
    pond.await_whole();
    ada.croak("all five again");
}

#[test]
fn damage_that_nobody_reads_is_found_said_and_healed() {
    let mut pond = TestCluster::empty();
    pond.environment = vec![("RIBBIT_TEST_SCRUB_MS", "200".into()), ("RUST_LOG", "ribbit=info".into())];
    pond.up(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let mut ada = pond.browser();
    ada.join("ada");
    let eve = [("name", "Eve"), ("email", "eve@example.org"), ("username", "eve"), ("password", "password")];
    pond.browser().post("/create", &eve).leads_to("/main?note=welcome");
    ada.croak("one");
    ada.croak("two");
    pond.await_whole();
    pond.await_status("every member has read everything", |status| {
        status.members.iter().all(|member| member.scrubbed_s.is_some())
    });

    let id = if leader == "backend-1" { 2 } else { 1 };
    let name = format!("backend-{id}");
    let folder = stop_well(&pond, &name);
    assert!(damage(&folder.join("store.redb")) > 0);

    let (code, said) = pond.typed(&["backend", "--id", &id.to_string()]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("scrub failed: the store is damaged: a checksum is wrong"), "{said}");
    assert!(said.contains("Start it again: it then leaves the cluster"), "{said}");
    // The member had started well, so only the scrub can have found the damage.
    assert!(said.contains("is member"), "{said}");

    pond.backend_by_hand(id);
    pond.await_whole();
    assert!(folder.join("aside").join("store.redb").exists());
    ada.croak("three");
}
