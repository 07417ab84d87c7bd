//! The lock namespace without a quorum: a read fails with an error that names the alternatives, and a stale read is marked as
//! such.

use crate::test_cluster::TestCluster;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Time limit of a command: all its reads, and the search for the remaining members.
const COMMAND_MAX: Duration = Duration::from_secs(9);

#[test]
fn a_read_without_a_majority_is_an_error_and_a_stale_one_is_marked() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    assert_eq!(pond.shell(&["mkdir", "/jobs"]).0, 0);
    assert_eq!(pond.shell(&["write", "/jobs/count", "7"]).0, 0);
    pond.signal(&["backend-2", "backend-3", "coordinator-2"], Signal::STOP);

    let reads: [&[&str]; 9] = [
        &["cat", "/jobs/count"],
        &["cat", "/jobs/missing"],
        &["stat", "/jobs/count"],
        &["stat", "/jobs/missing"],
        &["test", "/jobs/count"],
        &["test", "/jobs/missing"],
        &["ls", "/jobs"],
        &["holders"],
        &["save", "/jobs", "saved"],
    ];
    for words in reads {
        let began = Instant::now();
        let (code, said) = pond.shell(words);
        let took = began.elapsed();
        assert_eq!(code, 5, "{words:?} after {took:?}: {said}");
        assert!(said.contains("cannot agree") && said.contains("--stale"), "{words:?}: {said}");
        assert!(took < COMMAND_MAX, "{words:?} took {took:?}");
    }

    // An operator's change of an account is not based on a stale read.
    let (code, said) = pond.typed(&["user", "suspend", "nobody"]);
    assert!(code == 3 && !said.contains("no user with that name"), "{code}: {said}");

    let stale: [(&[&str], i32, &str); 7] = [
        (&["cat", "--stale", "/jobs/count"], 0, "7"),
        (&["cat", "--stale", "/jobs/missing"], 1, "/jobs/missing: no such file or folder"),
        (&["stat", "--stale", "/jobs/count"], 0, "/jobs/count"),
        (&["test", "--stale", "/jobs/count"], 0, ""),
        (&["test", "--stale", "/jobs/missing"], 1, ""),
        (&["ls", "--stale", "/jobs"], 0, "count"),
        (&["holders", "--stale"], 0, "/clusters/1/master"),
    ];
    for (words, expected, part) in stale {
        let (code, said) = pond.shell(words);
        assert_eq!(code, expected, "{words:?}: {said}");
        assert!(said.contains("this may be out of date") && said.contains(part), "{words:?}: {said}");
    }
    pond.signal(&["backend-2", "backend-3", "coordinator-2"], Signal::CONT);
}
