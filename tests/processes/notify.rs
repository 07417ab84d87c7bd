//! `ribbit health --notify`.

use crate::test_cluster::{TestCluster, awaited};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

struct Watching(Child);

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_program_is_told_each_change_of_the_health_once() {
    let pond = TestCluster::start();
    pond.await_whole();
    let (told, tell) = (pond.folder().join("told"), pond.folder().join("tell"));
    let script = "#!/bin/sh\nread -r line\necho \"$1|$RIBBIT_HEALTH_BEFORE|$RIBBIT_HEALTH_STATE|$RIBBIT_HEALTH_TROUBLES|$line\" >> \"$2\"\nexit 1\n";
    fs::write(&tell, script).expect("a script");
    fs::set_permissions(&tell, fs::Permissions::from_mode(0o700)).expect("ours");
    let tell = tell.to_str().expect("text");
    let odd = "$(touch x); 'two words'";
    let arguments = ["health", "--every", "1s", "--notify", tell, "--", odd, told.to_str().expect("text")];
    let begin = || {
        Watching(
            pond.plain(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts"),
        )
    };
    let watching = begin();
    let lines =
        || fs::read_to_string(&told).unwrap_or_default().lines().map(str::to_string).collect::<Vec<String>>();
    let told = |count: usize, before: &str, state: &str, words: &str| {
        awaited("the change is told", || (lines().len() >= count).then_some(()));
        let lines = lines();
        assert_eq!(lines.len(), count, "{lines:?}");
        let begins = format!("{odd}|{before}|{state}|");
        assert!(lines[count - 1].starts_with(&begins) && lines[count - 1].contains(words), "{lines:?}");
    };

    // A healthy cluster is not told. A member that is gone for a moment may be; one that stays away is.
    let stop = |name: &str| pond.signal(&[name], Signal::STOP);
    stop("backend-2");
    told(1, "fine", "degraded", "|DEGRADED: it works, but something needs attention. backend-2 is offline.");
    pond.signal(&["backend-2"], Signal::CONT);
    told(2, "degraded", "fine", "|All is well.");
    stop("coordinator-1");
    told(3, "fine", "degraded", "coordinator-1 is offline.");
    // Another one has started meanwhile, which is told the state that it finds.
    drop(watching);
    let _watching = begin();
    told(4, "fine", "degraded", "coordinator-1 is offline.");
    pond.signal(&["coordinator-1"], Signal::CONT);
    told(5, "degraded", "fine", "All is well.");
    assert!(!pond.folder().join("x").exists());
}
