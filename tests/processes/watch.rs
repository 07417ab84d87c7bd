//! `ribbit watch`, in a terminal and without one.

use crate::test_cluster::{TestCluster, awaited};
use ribbit_state::sync::MutexExt;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

/// A running `ribbit watch` and its output so far.
struct Watch {
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Watch {
    fn hearing(child: Child, mut from: impl Read + Send + 'static) -> Watch {
        let said = Arc::new(Mutex::new(String::new()));
        let heard = said.clone();
        // The thread ends when the pipe or the terminal is closed.
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(bytes @ 1..) = from.read(&mut piece) {
                heard.locked().push_str(&String::from_utf8_lossy(&piece[..bytes]));
            }
        });
        Watch { child, said }
    }

    fn said(&self) -> String {
        self.said.locked().clone()
    }

    #[track_caller]
    fn says(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        awaited(what, || wanted(&self.said()).then_some(()));
    }

    #[track_caller]
    fn ended(&mut self) -> ExitStatus {
        awaited("it ends", || self.child.try_wait().expect("our child"))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn looks(text: &str) -> usize {
    text.matches("Leader: ").count()
}

/// Both ends of a terminal.
fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&ours).expect("ours");
    unlockpt(&ours).expect("ours");
    let name = ptsname(&ours, Vec::new()).expect("its name").into_string().expect("text");
    let theirs = OpenOptions::new().read(true).write(true).open(name).expect("its other end");
    (File::from(ours), theirs)
}

#[test]
fn the_group_is_shown_again_and_again_until_one_has_seen_enough() {
    let pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let (code, said) = pond.typed(&["watch", "--once"]);
    assert!(code == 0 && looks(&said) == 1 && said.contains("Can survive the loss of 2 processes"), "{said}");
    for name in ["backend-1", "backend-2", "backend-3", "coordinator-1", "coordinator-2", "HEARTBEAT"] {
        assert!(said.contains(name), "{said}");
    }

    // Into a pipe, lines are appended, and the end of standard input ends the watch.
    let mut command = pond.ribbit(&["watch"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary starts");
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("piped"));
    let mut piped = Watch::hearing(child, stdout);
    piped.says("two looks", |said| looks(said) >= 2);
    drop(stdin);
    assert!(piped.ended().success());
    assert!(!piped.said().contains('\x1b'), "{}", piped.said());

    // On a terminal, the table is redrawn in place.
    for control_d in [true, false] {
        let (mut ours, theirs) = terminal();
        let mut command = pond.ribbit(&["watch"]);
        let end = || Stdio::from(theirs.try_clone().expect("a descriptor"));
        let child = command.stdin(end()).stdout(end()).spawn().expect("the binary starts");
        drop((theirs, command));
        let mut shown = Watch::hearing(child, ours.try_clone().expect("a descriptor"));
        shown.says("two looks", |said| looks(said) >= 2 && said.matches("\x1b[H").count() >= 2);
        if control_d {
            pond.kill(&[if leader == "backend-1" { "backend-2" } else { "backend-1" }]);
            shown.says("who died, and since when", |said| {
                said.contains("voter, DOWN") && said.contains(" s ago")
            });
            ours.write_all(b"\x04").expect("typed");
        } else {
            let pid =
                i32::try_from(shown.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
            rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("our child");
        }
        assert!(shown.ended().success());
    }

    // The reader closes the pipe.
    let mut command = pond.ribbit(&["watch"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary starts");
    drop(child.stdout.take());
    assert!(awaited("it ends", || child.try_wait().expect("our child")).success());
}
