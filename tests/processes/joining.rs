//! Join codes: a new board gets the cluster file with a one-time code, and nothing with a wrong, used, expired or dead one.

use crate::test_cluster::{TestCluster, awaited};
use crate::verbs::{Ran, ran};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A board without a cluster file.
struct Board {
    folder: TempDir,
    child: Option<Child>,
}

impl Board {
    fn new() -> Board {
        Board { folder: tempfile::tempdir().expect("a temporary folder"), child: None }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("cluster.ribbit")
    }

    fn command(&self, pond: &TestCluster, words: &[&str]) -> Command {
        let mut command = pond.plain(words);
        command.env("RIBBIT_DATA_DIR", self.folder.path());
        command
    }

    /// Gets the cluster file with a code, from the process at this part of the ports file.
    fn joins(&self, pond: &TestCluster, code: &str, part: &str) -> Ran {
        let join = format!("{code}@{}", pond.address(part));
        ran(self.command(pond, &["init", "--join", &join]), "")
    }

    /// Starts a backend, which stays until it is killed.
    fn starts(&mut self, pond: &TestCluster, id: &str, join: &str) {
        let mut command =
            self.command(pond, &["backend", "--id", id, "--listen", "127.0.0.1:0", "--join", join]);
        self.child = Some(command.stderr(Stdio::null()).spawn().expect("the binary starts"));
    }

    fn ends(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.ends();
    }
}

/// Makes a code, and returns it.
#[track_caller]
fn invited(pond: &TestCluster, more: &[&str]) -> String {
    let lines = ran(pond.plain(&[&["invite-board", "--json"], more].concat()), "").lines();
    lines[0]["code"].as_str().expect("a code").to_string()
}

/// Returns another code of the same slot.
fn other_than(code: &str) -> String {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bare: Vec<u8> = code.bytes().filter(|letter| *letter != b'-').collect();
    let value = |letter: u8| LETTERS.iter().position(|known| *known == letter).expect("a letter");
    let mut values: Vec<usize> = bare.into_iter().map(value).collect();
    values[4] = (values[4] + 1) % 31;
    values[9] = values[..9].iter().enumerate().map(|(at, value)| (at + 1) * value).sum::<usize>() % 31;
    values.into_iter().map(|value| char::from(LETTERS[value])).collect()
}

/// Returns the acts about join codes in the audit log.
fn acts(pond: &TestCluster) -> Vec<String> {
    let acts = ran(pond.plain(&["audit", "--json"]), "").lines();
    let acts = acts.iter().filter_map(|act| act["act"].as_str().map(str::to_string));
    acts.filter(|act| act.contains("join-code")).collect()
}

#[test]
fn a_new_board_joins_with_a_code_which_works_once() {
    let mut pond = TestCluster::start();
    pond.await_whole();
    let code = invited(&pond, &[]);
    let mut board = Board::new();
    // Through the balancer, as a person types it.
    let join = format!("{}@{}", code.to_lowercase().replace('-', ""), pond.address("BALANCER"));
    board.starts(&pond, "4", &join);
    pond.await_status("the new backend has everything", |status| {
        status.members.iter().any(|member| member.name == "backend-4" && member.alive && member.in_sync)
    });
    assert_eq!(fs::metadata(board.file()).unwrap().permissions().mode() & 0o777, 0o600);
    let key = |path| {
        let text = fs::read_to_string(path).expect("a cluster file");
        text.lines().find(|line| line.starts_with("KEY=")).expect("a key").to_string()
    };
    assert_eq!(key(board.file()), key(pond.folder().join("cluster.ribbit")));

    // A restart of the unit with the same flags needs no code, and the code is dead.
    board.ends();
    pond.await_status("the new backend is away", |status| !status.member("backend-4").alive);
    board.starts(&pond, "4", &join);
    pond.await_status("the new backend is back", |status| status.member("backend-4").in_sync);
    let other = Board::new();
    other.joins(&pond, &code, "BACKEND_1").fails(78, "(702)");
    assert!(!other.file().exists());
    assert_eq!(acts(&pond), ["make-join-code", "use-join-code"]);
    board.ends();
    pond.stop();
}

#[test]
fn a_code_that_is_wrong_three_times_expired_or_revoked_gives_nothing() {
    let mut pond = TestCluster::start_with(&["--backends", "3", "--coordinators", "2"]);
    pond.await_whole();
    let board = Board::new();
    let code = invited(&pond, &[]);
    board.joins(&pond, &code[..9], "BACKEND_1").fails(2, "ten letters");
    // Each try at another member, also across a failover: the state of the code is the cluster's.
    let wrong = other_than(&code);
    // What is mistyped does not count.
    board.joins(&pond, &format!("{}{}", &wrong[..9], &code[10..]), "BACKEND_1").fails(2, "mistyped");
    board.joins(&pond, &wrong, "BACKEND_1").fails(78, "(700)");
    let leader = pond.status().leader.expect("a leader");
    pond.kill(&[&leader]);
    pond.await_status("another member leads", |status| {
        status.leader.as_ref().is_some_and(|it| *it != leader)
    });
    let after = ["BACKEND_1", "BACKEND_2", "BACKEND_3"];
    let part = after.iter().find(|part| !part.eq_ignore_ascii_case(&leader.replace('-', "_")));
    let part = part.expect("another one");
    board.joins(&pond, &wrong, part).fails(78, "(700)");
    board.joins(&pond, &wrong, "COORDINATOR_1").fails(78, "(700)");
    board.joins(&pond, &wrong, part).fails(78, "(703)");
    board.joins(&pond, &code, part).fails(78, "(703)");
    let listed = ran(pond.plain(&["invite-board", "--list"]), "").succeeds();
    assert!(listed.starts_with(&code[..1]) && listed.contains("three times"), "{listed}");
    assert_eq!(acts(&pond).iter().filter(|act| *act == "fail-join-code").count(), 3);

    // The age of the cluster grows with what is written.
    let short = invited(&pond, &["--expires", "1s"]);
    awaited("the code has expired", || {
        std::thread::sleep(Duration::from_millis(300));
        invited(&pond, &[]);
        let codes = ran(pond.plain(&["invite-board", "--list", "--json"]), "").lines();
        codes.iter().any(|it| it["letter"] == short[..1] && it["over"] == 701).then_some(())
    });
    board.joins(&pond, &short, part).fails(78, "(701)");

    let revoked = invited(&pond, &[]);
    ran(pond.plain(&["invite-board", "--revoke", &revoked[..1]]), "").succeeds();
    ran(pond.plain(&["invite-board", "--revoke", &revoked[..1]]), "").fails(1, "(699)");
    board.joins(&pond, &revoked, part).fails(78, "(699)");
    assert!(!board.file().exists());
    pond.stop();
}

/// A code is the cluster's that has made it: another cluster gives nothing, and does not learn it.
#[test]
fn a_board_that_is_killed_before_it_writes_the_file_needs_another_code() {
    let mut pond = TestCluster::start_with(&["--backends", "1", "--coordinators", "0"]);
    let code = invited(&pond, &[]);
    let join = format!("{code}@{}", pond.address("BACKEND_1"));
    let mut board = Board::new();
    let mut command = board.command(&pond, &["init", "--join", &join]);
    command.env("RIBBIT_TEST_JOIN_PAUSE_MS", "60000");
    board.child = Some(command.stdout(Stdio::null()).spawn().expect("the binary starts"));
    awaited("the code is used", || acts(&pond).contains(&"use-join-code".to_string()).then_some(()));
    board.ends();
    assert!(fs::read_dir(board.folder.path()).unwrap().next().is_none(), "nothing is left");
    board.joins(&pond, &code, "BACKEND_1").fails(78, "(702)");

    // Two servers of one board start at once with one code.
    let code = invited(&pond, &[]);
    let join = format!("{code}@{}", pond.address("BACKEND_1"));
    let both = [(); 2].map(|()| {
        let mut command = board.command(&pond, &["init", "--join", &join]);
        command.stdout(Stdio::null()).spawn().expect("the binary starts")
    });
    for mut child in both {
        assert!(child.wait().expect("our child").success());
    }
    assert!(board.file().exists());
    // With the file the command goes on without the code.
    board.joins(&pond, &code, "BACKEND_1").succeeds();

    // A code from before a key rotation gives nothing.
    let old = invited(&pond, &[]);
    pond.environment.clear();
    ran(pond.plain(&["key", "rotate"]), "").succeeds();
    let late = Board::new();
    late.joins(&pond, &old, "BACKEND_1").fails(78, "(704)");
    let new = invited(&pond, &[]);
    late.joins(&pond, &new, "BACKEND_1");
    assert!(late.file().exists());
    // Nothing listens there.
    let lone = Board::new();
    ran(lone.command(&pond, &["init", "--join", &format!("{new}@127.0.0.1:1")]), "")
        .fails(3, "no member answers");
    pond.stop();
}
