//! Tail of a member's log: damage before the tail is reported, and a batch that may not be synced is written again.

use crate::preload::FailingCalls;
use crate::test_cluster::{TestCluster, awaited};
use std::fs;
use std::path::{Path, PathBuf};

fn segments(folder: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut segments: Vec<PathBuf> = names.filter(|path| path.to_string_lossy().contains("/log-")).collect();
    segments.sort();
    segments
}

/// Bug: zeros over a record's frame were taken for a torn write, and 20 to 46 of 60 acknowledged croaks were lost silently.
#[test]
fn a_lone_backend_never_takes_damage_in_the_middle_of_its_log_for_a_torn_write() {
    let mut pond = TestCluster::start_with(&["--backends", "1", "--coordinators", "0", "--restart", "never"]);
    let mut ada = pond.browser();
    ada.join("ada");
    for number in 0..60 {
        ada.croak(&format!("croak {number}"));
    }
    pond.kill(&["backend-1"]);
    let folder = pond.folder().join("backend-1");
    let path = segments(&folder).pop().expect("a log");
    let whole = fs::read(&path).expect("a log");
    let used = whole.iter().rposition(|byte| *byte != 0).expect("something was written");
    let text = |bytes: &[u8], words: &str| bytes.windows(words.len()).position(|at| at == words.as_bytes());
    let middle = text(&whole, "croak 30").expect("it was written");
    assert!(used > middle);
    // The end of a record with the next frame, and a whole page.
    for (what, from, length) in
        [("zeros", middle, 64), ("a zeroed page", middle.saturating_sub(4_096).max(512), 4_096)]
    {
        let mut bytes = whole.clone();
        bytes[from..from + length].fill(0);
        fs::write(&path, &bytes).expect("a log");
        let (code, said) = pond.typed(&["backend", "--id", "1"]);
        assert!(code == 1 && said.contains("cannot be read at byte"), "{what}: {code} {said}");
        assert!(fs::read(&path).expect("a log") == bytes, "{what}: nothing is cut off");
        fs::remove_file(folder.join("lost")).expect("it was marked");
    }
    // With the original bytes, all croaks are there.
    fs::write(&path, &whole).expect("a log");
    pond.backend_by_hand(1);
    pond.await_status("it leads again", |status| status.leader.is_some());
    assert!(ada.get("/main").body.contains("croak 59"));
}

/// A member that is killed between the write and the fsync reads the batch back from the page cache. It must not
/// acknowledge it before it is synced, so it is written again, into another segment.
#[test]
fn a_member_that_is_killed_before_its_fsync_writes_the_batch_again() {
    let Some(calls) = FailingCalls::new() else { return };
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let id = if leader == "backend-1" { 2 } else { 1 };
    let name = format!("backend-{id}");
    let folder = pond.folder().join(&name);
    let mut ada = pond.browser();
    ada.join("ada");

    pond.kill(&[&name]);
    pond.environment = calls.environment();
    pond.backend_by_hand(id);
    pond.await_whole();
    let newest = segments(&folder).pop().expect("a log");
    calls.fail(&[format!("fdatasync {} stall 0 -1", newest.display())]);
    ada.croak("written, and synced by the others");
    // The batch of the croak, or one from the restart just before it.
    awaited("a sync stalls", || (!calls.fired().is_empty()).then_some(()));
    pond.kill(&[&name]);
    calls.mend();
    // A new segment ends in zeros; before them is the end of the last batch, which is in the page cache.
    let bytes = fs::read(&newest).expect("a log");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("something was written") + 1;
    let batch = &bytes[end - 24..end];
    let holds = |path: &Path| fs::read(path).expect("a log").windows(batch.len()).any(|at| at == batch);
    pond.backend_by_hand(id);
    pond.await_whole();
    let again = segments(&folder).pop().expect("a log");
    assert!(again > newest && holds(&again), "{} holds the batch", again.display());
}
