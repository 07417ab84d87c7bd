//! `ribbit recover`: a new history from the data of one store.

use crate::test_cluster::TestCluster;
use crate::writers::Writers;
use std::fs;
use std::path::{Path, PathBuf};
use testkit::page_text::{croaks, whole_feed};

fn store(pond: &TestCluster, name: &str) -> PathBuf {
    pond.folder().join(name).join("store.redb")
}

fn recover(pond: &TestCluster, from: &Path, more: &[&str]) -> (i32, String) {
    pond.typed(&[&["recover", "--from", from.to_str().expect("text")], more].concat())
}

#[test]
fn when_two_of_three_stores_are_gone_the_third_founds_a_new_history() {
    let mut pond = TestCluster::empty();
    let options = ["--backends", "3", "--coordinators", "0"];
    pond.up(&options);
    let whole = |status: &crate::test_cluster::Status| status.members.len() == 3 && status.is_whole();
    pond.await_status("three vote", whole);
    let mut ada = pond.browser();
    ada.join("ada");
    (0..60).for_each(|number| ada.croak(&format!("croak {number}")));
    let writers = Writers::start(&pond.web(), 4);
    writers.await_progress();
    let mut written = writers.stop();
    let term = pond.await_status("all have all", whole).term;

    // Refused while the cluster runs; nothing is changed.
    let (code, said) = recover(&pond, &store(&pond, "backend-3"), &["--id", "9"]);
    assert!(code == 1 && said.contains("is in use"), "{said}");
    assert!(
        !pond.folder().join("backend-9").exists() && !pond.folder().join("backend-9.recovering").exists()
    );
    let (old, kept) = (pond.folder().join("backend-3"), pond.folder().join("kept"));
    // Killed, not stopped: the rows may lag behind the log, which is durable.
    pond.kill(&["backend-3"]);
    pond.stop();

    // An existing store is not overwritten.
    let (code, said) = recover(&pond, &old, &["--id", "1"]);
    assert!(code == 1 && said.contains("is not empty"), "{said}");

    for name in ["backend-1", "backend-2"] {
        fs::remove_dir_all(pond.folder().join(name)).expect("a folder");
    }
    fs::rename(&old, &kept).expect("a store");

    // The store of another cluster, and a damaged store.
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let other = elsewhere.path().join("other.ribbit");
    let made = pond.typed(&["init", "--coordinator", "a:1", "--cluster-file", other.to_str().expect("text")]);
    assert_eq!(made.0, 0, "{}", made.1);
    let (code, said) = recover(&pond, &kept, &["--id", "1", "--cluster-file", other.to_str().expect("text")]);
    assert!(code == 78 && said.contains("belongs to cluster"), "{said}");
    let damaged = pond.folder().join("damaged");
    fs::create_dir(&damaged).expect("a folder");
    let mut bytes = fs::read(kept.join("store.redb")).expect("a store");
    fs::write(damaged.join("store.redb"), &bytes).expect("a store");
    // Without its log, acknowledged writes would be missing.
    let (code, said) = recover(&pond, &damaged, &["--id", "1"]);
    assert!(code == 1 && said.contains("no log segments (log-"), "{said}");
    for file in fs::read_dir(&kept).expect("a folder").flatten() {
        fs::copy(file.path(), damaged.join(file.file_name())).expect("a file of the store");
    }
    bytes[4096..].iter_mut().for_each(|byte| *byte ^= 0x5a);
    fs::write(damaged.join("store.redb"), bytes).expect("a store");
    let (code, said) = recover(&pond, &damaged, &["--id", "1"]);
    assert!(code == 1 && said.contains("cannot be used"), "{said}");
    assert!(
        !pond.folder().join("backend-1").exists() && !pond.folder().join("backend-1.recovering").exists()
    );

    let original = fs::read(kept.join("store.redb")).expect("a store");
    let (code, said) = recover(&pond, &kept, &["--id", "1"]);
    println!("{said}");
    assert_eq!(code, 0, "{said}");
    let count = 60 + written.acknowledged();
    assert!(said.contains(&format!("6 accounts and {count} croaks")), "{count}: {said}");
    assert!(said.contains("starts history") && said.contains("ribbit backend --id 1"), "{said}");
    assert_eq!(fs::read(kept.join("store.redb")).expect("a store"), original, "it is only read");

    pond.up(&options);
    assert!(pond.await_status("three vote", whole).term > term);
    // Sessions stay valid, and seen positions of the old history are ignored.
    (ada.address, written.reader.address) = (pond.web(), pond.web());
    let feed = whole_feed(&mut ada);
    assert_eq!((feed.len(), &*feed[0], &*feed[59]), (60, "croak 59", "croak 0"));
    written.judge_pages();
    ada.croak("life goes on");
    let mut again = pond.browser();
    again.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
    assert_eq!(croaks(&again.get("/main"))[..2], ["life goes on", "croak 59"]);
    again.join("eve");
    pond.stop();
}
