//! A disk with write and read errors: the member stops and reports it, the others continue, and it recovers.

use crate::preload::FailingCalls;
use crate::test_cluster::{Status, TestCluster, awaited, is_alive};
use crate::writers::{Writers, stores_agree};
use std::time::Duration;

#[test]
fn a_failing_disk_ends_its_member_alone_and_a_sector_that_cannot_be_read_is_damage() {
    let Some(calls) = FailingCalls::new() else { return };
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let id = if leader == "backend-1" { 2 } else { 1 };
    let name = format!("backend-{id}");
    let folder = pond.folder().join(&name);
    let breaks = |call: &str, file: &str| {
        calls.fail(&[format!("{call} {}/{file} EIO 0 -1", folder.display())]);
    };
    let writers = Writers::start(&pond.web(), 4);
    writers.await_progress();
    pond.kill(&[&name]);
    pond.environment = calls.environment();
    let start = ["backend", "--id", &id.to_string()];
    let in_sync = |status: &Status| status.member(&name).alive && status.member(&name).in_sync;

    // A write error while the member runs.
    let (code, said) = std::thread::scope(|scope| {
        let ended = scope.spawn(|| pond.typed(&start));
        pond.await_status("it is in sync", in_sync);
        breaks("write", "log-*");
        ended.join().expect("it ends")
    });
    let line = said.lines().last().expect("something").to_string();
    println!("{code}: {line}");
    assert_eq!(code, 74, "{said}");
    assert!(line.contains("Input/output error") && line.contains("Make room on the disk of"), "{said}");
    writers.await_progress();
    calls.mend();
    pond.backend_by_hand(id);
    pond.await_status("it is in sync again", in_sync);
    assert!(!folder.join("aside").join("store.redb").exists(), "it went on where it was");

    // A read error at the start.
    let pid = pond.pid(&name);
    breaks("pread", "store.redb");
    pond.kill(&[&name]);
    awaited("dead", || (!is_alive(pid)).then_some(()));
    let (code, said) = pond.typed(&start);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("Input/output error") && said.contains("joins as a new member"), "{said}");
    calls.mend();
    pond.backend_by_hand(id);
    pond.await_status("it is back as a new one", |status| {
        status.members.len() == 5 && status.members.iter().all(|member| member.alive && member.in_sync)
    });
    assert!(folder.join("aside").join("store.redb").exists());
    std::thread::sleep(Duration::from_millis(100));
    writers.await_progress();
    let mut written = writers.stop();
    written.nobody_noticed();
    pond.await_whole();
    written.judge_pages();
    pond.kill_all();
    stores_agree(&pond);
}
