//! Stores that are missing, damaged, truncated or older than what the member has acknowledged: detected, set aside and
//! healed from the other members without an operator.

use crate::test_cluster::TestCluster;
use crate::writers::{Writers, stores_agree};
use ribbit_db::disk::segment_names;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

fn store(pond: &TestCluster, member: &str) -> PathBuf {
    pond.folder().join(member).join("store.redb")
}

/// Damages the store of a backend that is not the leader under load, and waits until the member has recovered by itself.
fn heals(mistreat: impl FnOnce(&mut TestCluster, &str)) -> TestCluster {
    let mut pond = TestCluster::start();
    pond.await_whole();
    let leader = pond.await_leading_backend();
    let member = if leader == "backend-2" { "backend-3" } else { "backend-2" };
    let writers = Writers::start(&pond.web(), 4);
    writers.await_progress();
    mistreat(&mut pond, member);
    let began = Instant::now();
    writers.await_progress();
    pond.await_status("it is back, votes and is in sync", |status| {
        let well =
            |member: &crate::test_cluster::MemberStatus| member.alive && member.voter && member.in_sync;
        status.members.len() == 5 && status.members.iter().all(well)
    });
    println!("{member} is back, votes and has caught up after {:?}, without help", began.elapsed());
    let mut written = writers.stop();
    pond.await_whole();
    written.judge_pages();
    pond.stop();
    stores_agree(&pond);
    pond
}

#[test]
fn a_wiped_store() {
    heals(|pond, member| {
        fs::remove_dir_all(pond.folder().join(member)).expect("a folder");
        pond.kill(&[member]);
    });
}

#[test]
fn a_damaged_store_is_set_aside() {
    let mut hurt = String::new();
    let pond = heals(|pond, member| {
        hurt = member.to_string();
        pond.signal(&[member], rustix::process::Signal::STOP);
        let path = store(pond, member);
        let mut bytes = fs::read(&path).expect("a store");
        let end = bytes.len().min(40 * 4096);
        bytes[64..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
        fs::write(&path, bytes).expect("a store");
        pond.kill(&[member]);
    });
    assert!(pond.folder().join(&hurt).join("aside").join("store.redb").exists());
    assert!(!pond.folder().join(&hurt).join("lost").exists());
}

#[test]
fn a_store_cut_short() {
    heals(|pond, member| {
        pond.signal(&[member], rustix::process::Signal::STOP);
        let path = store(pond, member);
        let file = fs::OpenOptions::new().write(true).open(&path).expect("a store");
        file.set_len(file.metadata().expect("a store").len() / 3).expect("a store");
        pond.kill(&[member]);
    });
}

/// Zeros at the end of a log look like a write that a crash has torn. The others know that more was committed.
#[test]
fn a_log_whose_last_blocks_are_zeroed() {
    let mut hurt = String::new();
    let pond = heals(|pond, member| {
        hurt = member.to_string();
        pond.signal(&[member], rustix::process::Signal::STOP);
        let folder = pond.folder().join(member);
        let newest = segment_names(&folder).expect("a folder").into_iter().max().expect("a log");
        let path = folder.join(newest);
        let mut bytes = fs::read(&path).expect("a log");
        let last = bytes.iter().rposition(|byte| *byte != 0).expect("something was written");
        // More than the member may have written and not acknowledged yet: losing that alone is no loss.
        bytes[(last / 512).saturating_sub(16) * 512..].fill(0);
        fs::write(&path, bytes).expect("a log");
        pond.kill(&[member]);
    });
    assert!(pond.folder().join(&hurt).join("aside").join("store.redb").exists(), "it must be noticed");
}

#[test]
fn a_store_of_a_while_ago_put_back() {
    let pond = heals(|pond, member| {
        // Like a backup of the SD card, taken while the process is stopped.
        pond.signal(&[member], rustix::process::Signal::STOP);
        let folder = pond.folder().join(member);
        let read = |file: std::io::Result<fs::DirEntry>| {
            let path = file.expect("a folder").path();
            (fs::read(&path).expect("a store"), path)
        };
        let old: Vec<_> = fs::read_dir(&folder).expect("a folder").map(read).collect();
        // What others know of a stopped member may be old. No log is longer than the leader's, except for what is being written.
        let newest = pond.status().members.iter().map(|member| member.applied).max().expect("members");
        pond.signal(&[member], rustix::process::Signal::CONT);
        pond.await_status("it has applied more", |status| status.member(member).applied > newest + 30);
        pond.signal(&[member], rustix::process::Signal::STOP);
        fs::remove_dir_all(&folder).expect("a folder");
        fs::create_dir(&folder).expect("a folder");
        old.into_iter().for_each(|(bytes, path)| fs::write(path, bytes).expect("a store"));
        pond.kill(&[member]);
    });
    let aside = ["backend-2", "backend-3"]
        .iter()
        .any(|member| pond.folder().join(member).join("aside").join("store.redb").exists());
    assert!(aside, "an older store must be noticed, not taken for one that is merely behind");
}
