//! Damage that nobody would read into: found by reading everything, a range at a time.

use crate::pond::{Pond, awaited, is_alive};
use ribbit::db::{FileDisk, Store};
use rustix::process::Signal;
use std::fs;

const EMAIL: &[u8] = b"eve@example.org";

/// Flips a bit of everything in this file that looks like `EMAIL`.
fn damage(path: &std::path::Path) -> usize {
    let mut bytes = fs::read(path).expect("a store");
    let places: Vec<usize> =
        (0..bytes.len() - EMAIL.len()).filter(|at| bytes[*at..].starts_with(EMAIL)).collect();
    places.iter().for_each(|at| bytes[*at] ^= 1);
    fs::write(path, bytes).expect("a store");
    places.len()
}

#[test]
fn damage_that_nobody_reads_is_found_said_and_healed() {
    let mut pond = Pond::dry();
    pond.environment = vec![("RIBBIT_TEST_SCRUB_MS", "200".into()), ("RUST_LOG", "ribbit=info".into())];
    pond.up(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let mut ada = pond.browser();
    ada.join("ada");
    let eve = [("name", "Eve"), ("email", "eve@example.org"), ("username", "eve"), ("password", "password")];
    pond.browser().post("/create", &eve).leads_to("/login?created=eve");
    ada.croak("one");
    ada.croak("two");
    pond.await_whole();
    pond.await_status("everybody has read everything", |status| {
        status.members.iter().all(|member| member.scrubbed_s.is_some())
    });

    let id = if leader == "backend-1" { 2 } else { 1 };
    let name = format!("backend-{id}");
    let pid = pond.pid(&name);
    pond.signal(&[&name], Signal::TERM);
    awaited("ended", || (!is_alive(pid)).then_some(()));
    let folder = pond.folder().join(&name);
    // Opened and closed properly: a store that was not is checked as a whole when it is opened.
    drop(Store::open(FileDisk::new(&folder).expect("a folder")).expect("a store"));
    assert!(damage(&folder.join("store.redb")) > 0);

    let (code, said) = pond.typed(&["backend", "--id", &id.to_string()]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the scrub found: the store is damaged: a checksum is wrong"), "{said}");
    assert!(said.contains("Started again, it asks the group to let it go"), "{said}");
    // It had started well, so nothing else has found it.
    assert!(said.contains("is member"), "{said}");

    pond.backend_by_hand(id);
    pond.await_whole();
    assert!(folder.join("aside").join("store.redb").exists());
    ada.croak("three");
}
