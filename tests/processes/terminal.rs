//! The interactive shell (`ribbit shell`) in a pty.

use crate::pty::Terminal;
use crate::shell::await_servers;
use crate::test_cluster::TestCluster;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_person_walks_the_tree() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    await_servers(&pond);
    let mut terminal = Terminal::of(pond.plain(&["shell"]));
    // Tab completes commands and paths of the tree; `ls` draws the tree.
    terminal.await_text("ribbit> ");
    terminal.press("hol\t");
    terminal.await_text("holders ");
    terminal.press("/clu\t");
    terminal.await_text("/clusters/");
    terminal.press("\r");
    terminal.await_text("/clusters/1/master  backend-");
    terminal.typed("ls /clusters", "    └── slaves/");
    terminal.await_text("        └── ");
    terminal.typed("mkdir '/two words'", "ribbit");
    terminal.press("ls /two\t");
    terminal.await_text(r"/two\ words/");
    terminal.press("\r");
    terminal.await_text("/two words/");
    // Errors suggest what to type.
    terminal.typed("lss /", "did you mean `ls`?");
    terminal.typed("cat /nowhere", "/nowhere: no such file or folder");
    terminal.typed("test /nowhere", "no");
    // Control characters in content are escaped.
    assert_eq!(pond.shell(&["write", "/evil", "a\x1b[2Jb"]).0, 0);
    terminal.typed("cat /evil", r"a\x1b[2Jb");
    // Removing a folder that is not empty needs a confirmation.
    assert_eq!(pond.shell(&["touch", "/two words/x"]).0, 0);
    terminal.typed("rm '/two words'", "remove /two words and everything in it (1)? [y/N] ");
    terminal.press("n\r");
    terminal.typed("rm '/two words'", "[y/N] ");
    terminal.press("y\r");
    terminal.typed("test '/two words'", "no");
    // Locks of this shell are visible to every client.
    terminal.typed("acquire /jobs/it", "/jobs/it: acquired, fence ");
    assert!(pond.shell(&["holders", "/jobs"]).1.contains("(shell on "));
    terminal.typed("acquire /jobs/other", "/jobs/other: acquired");
    terminal.typed("release /jobs/it", "ribbit> ");
    terminal.seen -= "ribbit> ".len();
    // Ctrl-C stops a watch and returns to the prompt.
    terminal.typed("watch /jobs", "watching /jobs from index ");
    assert_eq!(pond.shell(&["touch", "/jobs/new"]).0, 0);
    terminal.await_text("/jobs/new: created");
    kill_process(Pid::from_child(&terminal.child), Signal::INT).expect("our child");
    // Input history: two lines up is the command before the watch.
    terminal.await_text("ribbit> ");
    terminal.press("\x1b[A\x1b[A");
    terminal.await_text("release /jobs/it");
    terminal.press("\x03");
    terminal.typed("exit", "");
    assert_eq!(terminal.ended(), 0);
    assert_eq!(pond.shell(&["holders", "/jobs"]).1, "/jobs: no locks are held\n");

    let history = pond.folder().join("shell-history");
    assert_eq!(fs::metadata(&history).expect("it is kept").permissions().mode() & 0o777, 0o600);
    // The next shell loads the history.
    let mut terminal = Terminal::of(pond.plain(&["shell"]));
    terminal.await_text("ribbit> ");
    terminal.press("\x1b[A\x1b[A");
    terminal.await_text("watch /jobs");
    terminal.press("\x03");
    terminal.await_text("ribbit> ");
    terminal.press("\x04");
    assert_eq!(terminal.ended(), 0, "the end of input");
}

#[test]
fn a_lease_that_is_lost_is_said_above_the_prompt() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    let mut terminal = Terminal::of(pond.plain(&["shell"]));
    terminal.typed("acquire /jobs/it", "/jobs/it: acquired, fence ");
    terminal.await_text("ribbit> ");
    let members: Vec<String> = pond.status().members.into_iter().map(|member| member.name).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    terminal.press("ls /half");
    pond.signal(&members, Signal::STOP);
    terminal.await_text(
        "no longer held: /jobs/it: no server has confirmed the lease for 5 s, half of its length",
    );
    // The line being typed is redrawn.
    terminal.await_text("ls /half");
    pond.signal(&members, Signal::CONT);
    terminal.press("\x03");
    // SIGTERM ends the shell with 128 plus the signal number.
    terminal.typed("test /", "yes");
    kill_process(Pid::from_child(&terminal.child), Signal::TERM).expect("our child");
    assert_eq!(terminal.ended(), 143);
}
