//! `ribbit shell` with single commands and scripts: output, errors and exit codes.

use crate::test_cluster::{TestCluster, awaited, keys};
use ribbit_net::client::Client;
use ribbit_net::frame::Plane;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::{new_request_id, new_token, token_hash};
use ribbit_state::sync::MutexExt;
use ribbit_state::{Command, LeaseCommand, Request, TreeCommand};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Runs a shell command, asserts its exit code and returns its output.
#[track_caller]
fn shell(pond: &TestCluster, words: &[&str], code: i32) -> String {
    let (ended, said) = pond.shell(words);
    assert_eq!(ended, code, "ribbit shell {words:?}: {said}");
    said
}

/// Runs a shell command with a lock and a fencing token in its environment.
#[track_caller]
fn guarded(pond: &TestCluster, words: &[&str], lock: &str, fence: u64) -> (i32, String) {
    let mut command = pond.plain(&[&["shell"], words].concat());
    command.env("RIBBIT_LOCK", lock).env("RIBBIT_FENCE", fence.to_string());
    pond.ended(command, "")
}

/// Waits until the tree shows a master and two slaves.
pub fn await_servers(pond: &TestCluster) {
    awaited("a master and two slaves", || {
        let said = pond.shell(&["ls", "/clusters/1"]).1;
        (said.contains("master  lock, held by backend-") && said.matches("  file of backend-").count() == 2)
            .then_some(())
    });
}

#[test]
fn every_command_does_what_it_says_and_says_what_is_in_the_way() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    await_servers(&pond);

    assert_eq!(shell(&pond, &["mkdir", "/jobs"], 0), "");
    assert_eq!(shell(&pond, &["mkdir", "/jobs"], 1), "ribbit: /jobs: it already exists\n");
    assert_eq!(shell(&pond, &["mkdir", "/a/b"], 1), "ribbit: /a: no such file or folder\n");
    shell(&pond, &["mkdir", "-p", "/a/b"], 0);
    shell(&pond, &["mkdir", "-p", "/a/b"], 0);
    shell(&pond, &["touch", "/jobs/seen"], 0);
    let long = format!("/a/b/{}", "n".repeat(128));
    shell(&pond, &["write", &long, "long names too"], 0);
    assert_eq!(shell(&pond, &["cat", &long], 0), "long names too");
    assert_eq!(
        shell(&pond, &["touch", "/clusters/x"], 1),
        "ribbit: /clusters/x: that part of the tree is managed by ribbit\n"
    );

    shell(&pond, &["write", "/jobs/state", "one", "two"], 0);
    shell(&pond, &["write", "--append", "/jobs/state", " three"], 0);
    assert_eq!(shell(&pond, &["cat", "/jobs/state"], 0), "one two three");
    let input = "a\nb\x1b[31m\u{202e}\n";
    assert_eq!(pond.ended(pond.plain(&["shell", "write", "/jobs/input"]), input), (0, String::new()));
    assert_eq!(shell(&pond, &["cat", "/jobs/input"], 0), input, "bytes as they are, into a file");
    let big = "x".repeat(5_000);
    let (code, said) = pond.ended(pond.plain(&["shell", "write", "/jobs/big"]), &big);
    assert_eq!((code, said.as_str()), (1, "ribbit: /jobs/big: a node holds at most 3072 bytes\n"));
    assert_eq!(shell(&pond, &["write", "/jobs", "x"], 1), "ribbit: /jobs: it is a folder\n");
    assert_eq!(shell(&pond, &["write", "/jobs/seen/x", "y"], 1), "ribbit: /jobs/seen: it is not a folder\n");
    assert_eq!(shell(&pond, &["cat", "/jobs/x/y"], 1), "ribbit: /jobs/x: no such file or folder\n");
    assert_eq!(shell(&pond, &["cat", "/jobs"], 1), "ribbit: /jobs: it is a folder\n");

    let drawn = "/jobs/\n├── input\n├── seen\n└── state\n";
    assert_eq!(shell(&pond, &["ls", "/jobs"], 0), drawn);
    let drawn = shell(&pond, &["ls", "--depth", "1"], 0);
    assert_eq!(drawn, "/\n├── a/\n├── clusters/\n└── jobs/\n");
    let long = shell(&pond, &["ls", "-l", "/jobs"], 0);
    assert!(
        long.contains("folder   0") && long.contains("file    13") && long.contains("└── state"),
        "{long}"
    );
    assert_eq!(shell(&pond, &["ls", "/nowhere"], 1), "ribbit: /nowhere: no such file or folder\n");
    let stat = shell(&pond, &["stat", "/clusters/1/master"], 0);
    assert!(
        stat.contains("kind     lock") && stat.contains("owner    backend-") && stat.contains("fence "),
        "{stat}"
    );

    for (words, code) in [
        ("test /jobs", 0),
        ("test -e /jobs", 0),
        ("test -d /jobs", 0),
        ("test -f /jobs", 1),
        ("test -f /jobs/seen", 0),
        ("test -l /clusters/1/master", 0),
        ("test -l /jobs/seen", 1),
        ("test /nowhere", 1),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        assert_eq!(shell(&pond, &words, code), "");
    }

    assert_eq!(
        shell(&pond, &["rm", "/a"], 1),
        "ribbit: /a: the folder is not empty; `rm -r` removes everything in it\n"
    );
    shell(&pond, &["rm", "-r", "/a"], 0);
    shell(&pond, &["rm", "/jobs/seen"], 0);
    assert_eq!(shell(&pond, &["rm", "/jobs/seen"], 1), "ribbit: /jobs/seen: no such file or folder\n");
    let said = shell(&pond, &["rm", "-r", "/clusters"], 1);
    assert_eq!(said, "ribbit: /clusters: that part of the tree is managed by ribbit\n");

    let said = shell(&pond, &["acquire", "/jobs/x"], 1);
    assert!(said.contains("`ribbit lock /jobs/x -- CMD`"), "{said}");
    shell(&pond, &["release", "/jobs/x"], 1);
    assert!(shell(&pond, &["holders", "/clusters"], 0).starts_with("/clusters/1/master  backend-"));
    assert_eq!(shell(&pond, &["holders", "/jobs"], 0), "/jobs: no locks are held\n");

    // Usage errors.
    assert!(shell(&pond, &["sl", "/"], 2).contains("unknown command `sl`; did you mean `ls`?"));
    assert!(shell(&pond, &["cat", "jobs"], 2).contains("a path starts with a slash: /jobs"));
    assert!(shell(&pond, &["cat"], 2).contains("<PATH>"));
    assert!(shell(&pond, &["write", "--fence", "5", "/jobs/x", "y"], 2).contains("--lock"));
    let help = shell(&pond, &["help"], 0);
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    let expected = [
        "ls", "cat", "stat", "test", "touch", "mkdir", "rm", "write", "save", "acquire", "release",
        "holders", "watch", "exit", "help",
    ];
    assert_eq!(names, expected, "{help}");
    assert!(shell(&pond, &["help", "write"], 0).contains("write --append /jobs/log"));
    let nobody = pond.plain(&["shell", "--server", "127.0.0.1:1", "ls"]);
    assert_eq!(pond.ended(nobody, "").0, 3);
}

#[test]
fn a_copy_is_saved_with_safe_names_and_nothing_is_overwritten() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    for line in
        ["mkdir -p /jobs/.deep", "write /jobs/.deep/one 1", "write /jobs/a%b 2", "write /jobs/\u{202e}c 3"]
    {
        shell(&pond, &line.split(' ').collect::<Vec<_>>(), 0);
    }
    assert_eq!(
        shell(&pond, &["ls", "/jobs"], 0),
        "/jobs/\n├── .deep/\n│   └── one\n├── a%b\n└── \\u{202e}c\n"
    );
    let copy = pond.folder().join("copy");
    let place = copy.to_str().expect("text");
    assert!(shell(&pond, &["save", "/jobs", place], 0).contains(": 5 files and folders"));
    let read = |name: &str| fs::read_to_string(copy.join(name)).expect(name);
    assert_eq!(
        (read("jobs/%2edeep/one"), read("jobs/a%25b"), read("jobs/%e2%80%aec")),
        ("1".into(), "2".into(), "3".into())
    );
    let said = shell(&pond, &["save", "/jobs", place], 1);
    assert!(said.contains("copy/jobs already exists; choose another folder"), "{said}");
    assert!(shell(&pond, &["save", "/jobs/a%b", place], 0).contains(": 1 file or folder"));
    std::os::unix::fs::symlink(pond.folder().join("elsewhere"), copy.join("one")).expect("a link");
    shell(&pond, &["save", "/jobs/.deep/one", place], 1);
    assert!(!pond.folder().join("elsewhere").exists());
}

#[test]
fn a_guard_lets_only_the_holder_write_and_words_of_others_are_only_shown() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    // A lease whose description contains control characters.
    let client =
        Client::on(Plane::Control, vec![pond.address("BACKEND_1"), pond.address("BACKEND_2")], keys());
    let token = token_hash(&new_token());
    let write = |command: Command| {
        let (id, submitted_at) =
            (new_request_id(), smol::block_on(client.position(Duration::from_secs(10))).expect("it answers"));
        let ask = Ask::Write(Request { id, submitted_at: submitted_at.index, origin: None, command });
        match smol::block_on(client.ask(ask, Duration::from_secs(10))) {
            Ok(Answer::Written { token, outcome: Ok(_) }) => token.index,
            other => panic!("{other:?}"),
        }
    };
    let words = "evil\x1b[2J\u{202e}words".to_string();
    let lease = write(LeaseCommand::Open { token, description: words, lease_ms: Some(300_000) }.into());
    let path: ribbit_state::TreePath = "/jobs/it".parse().expect("a path");
    let content = b"\x1b[31mred".to_vec();
    let fence = write(TreeCommand::Acquire { path: path.clone(), lease: token, content }.into());

    let holder = format!("client {lease} (evil\\x1b[2J\\u{{202e}}words)");
    assert_eq!(shell(&pond, &["holders", "/jobs"], 0), format!("/jobs/it  {holder}  fence {fence}\n"));
    let drawn = format!("/jobs/\n└── it  lock, held by {holder}, fence {fence}\n");
    assert_eq!(shell(&pond, &["ls", "/jobs"], 0), drawn);
    let held = format!("ribbit: /jobs/it: it is locked by {holder}, fence {fence}\n");
    assert_eq!(shell(&pond, &["rm", "-r", "/jobs"], 1), held);
    assert_eq!(shell(&pond, &["rm", "/jobs/it"], 1), held);
    assert_eq!(shell(&pond, &["write", "/jobs/it", "x"], 1), "ribbit: /jobs/it: it is a lock\n");
    assert_eq!(
        pond.ended(pond.plain(&["shell"]), "acquire /jobs/it").1,
        held.replace("ribbit: ", "ribbit: line 1: ")
    );
    assert_eq!(pond.ended(pond.plain(&["shell"]), "release /jobs/it").0, 1);

    assert_eq!(guarded(&pond, &["write", "/jobs/state", "x"], "/jobs/it", fence), (0, String::new()));
    let (code, said) = guarded(&pond, &["write", "/jobs/state", "y"], "/jobs/it", fence - 1);
    let stale = format!(
        "ribbit: /jobs/state: the fencing token {} of /jobs/it is out of date: it is locked by {holder}, fence {fence}\n",
        fence - 1
    );
    assert_eq!((code, said), (1, stale));
    assert_eq!(guarded(&pond, &["rm", "/jobs/state"], "/jobs/it", fence - 1).0, 1);
    let typed = ["write", "--lock", "/jobs/it", "--fence", &fence.to_string(), "/jobs/state", "z"];
    assert_eq!(guarded(&pond, &typed, "/jobs/it", 1), (0, String::new()), "what is typed counts");
    write(LeaseCommand::Close { token }.into());
    let (code, said) = guarded(&pond, &["write", "/jobs/state", "y"], "/jobs/it", fence);
    assert_eq!(
        (code, said),
        (
            1,
            format!(
                "ribbit: /jobs/state: the fencing token {fence} of /jobs/it is out of date: it is not locked\n"
            )
        )
    );
    assert_eq!(shell(&pond, &["cat", "/jobs/state"], 0), "z");
}

#[test]
fn a_script_holds_locks_until_it_ends_and_stops_where_something_fails() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    let script = "# a comment\n\nacquire /jobs/it\nholders /jobs\nwrite '/jobs/two words' it\\'s\nls /jobs\n\
                  test -f /jobs/it\nwrite /jobs/never x\n";
    let (code, said) = pond.ended(pond.plain(&["shell"]), script);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("/jobs/it: acquired, fence ") && said.contains("(shell on "), "{said}");
    assert!(said.ends_with("└── two words\n"), "{said}");
    assert_eq!(shell(&pond, &["holders", "/jobs"], 0), "/jobs: no locks are held\n", "let go at once");
    assert_eq!(shell(&pond, &["cat", "/jobs/two words"], 0), "it's");
    shell(&pond, &["test", "/jobs/never"], 1);
    let (code, said) = pond.ended(pond.plain(&["shell"]), "ls /\nfrog\n");
    assert!(
        code == 2 && said.contains("line 2") && said.contains("unknown command `frog`"),
        "{code}: {said}"
    );
    let (code, said) = pond.ended(pond.plain(&["shell"]), "write /x\n");
    assert!(code == 2 && said.contains("the text is missing"), "{code}: {said}");
    assert_eq!(pond.ended(pond.plain(&["shell"]), "exit\nfrog\n"), (0, String::new()));
}

/// A running `ribbit shell watch PATH` and its output.
struct Watch {
    child: Child,
    told: Arc<Mutex<Vec<String>>>,
}

impl Watch {
    fn start(pond: &TestCluster, path: &str) -> Watch {
        let mut command = pond.plain(&["shell", "watch", path]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let told = Arc::new(Mutex::new(Vec::new()));
        let out: Box<dyn BufRead + Send> = Box::new(BufReader::new(child.stdout.take().expect("piped")));
        let err: Box<dyn BufRead + Send> = Box::new(BufReader::new(child.stderr.take().expect("piped")));
        for pipe in [out, err] {
            let tells = told.clone();
            // The thread ends when the pipe is closed.
            std::thread::spawn(move || {
                for line in pipe.lines().map_while(Result::ok) {
                    tells.locked().push(line);
                }
            });
        }
        let watch = Watch { child, told };
        watch.await_line("watching ");
        watch
    }

    fn lines(&self) -> Vec<String> {
        self.told.locked().clone()
    }

    #[track_caller]
    fn await_line(&self, wanted: &str) {
        awaited(wanted, || self.lines().iter().any(|line| line.contains(wanted)).then_some(()));
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("our child");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("watch told {:#?}", self.lines());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_watch_goes_on_where_it_was_when_members_die() {
    let mut pond = TestCluster::start();
    pond.await_leading_backend();
    shell(&pond, &["mkdir", "/jobs"], 0);
    let watch = Watch::start(&pond, "/jobs");
    let mut number = 0;
    let mut write = |pond: &TestCluster| {
        for _ in 0..5 {
            number += 1;
            awaited("written", || {
                (pond.shell(&["touch", &format!("/jobs/{number:03}")]).0 == 0).then_some(())
            });
        }
        number
    };
    write(&pond);
    // The member that serves the watch is among them.
    for name in ["coordinator-1", "coordinator-2", "backend-1", "backend-2", "backend-3"] {
        pond.kill(&[name]);
        let last = write(&pond);
        watch.await_line(&format!("/jobs/{last:03}: created"));
        pond.await_whole();
    }
    let code = pond.ended(pond.plain(&["lock", "/jobs/it", "--", "true"]), "").0;
    assert_eq!(code, 0);
    watch.await_line("/jobs/it: acquired");
    watch.await_line("/jobs/it: removed (client ");
    let made: Vec<String> = watch
        .lines()
        .iter()
        .filter_map(|line| Some(line.split_once("/jobs/")?.1.strip_suffix(": created")?.to_string()))
        .collect();
    let expected: Vec<String> = (1..=number).map(|number| format!("{number:03}")).collect();
    assert_eq!(made, expected, "each once, in order");
    pond.stop();
}

#[test]
fn a_watch_that_missed_too_much_says_so_and_shows_how_it_is() {
    let mut pond = TestCluster::start();
    pond.await_leading_backend();
    shell(&pond, &["mkdir", "/jobs"], 0);
    let watch = Watch::start(&pond, "/jobs");
    watch.signal(Signal::STOP);
    // The stopped watch receives no events, and members forget the events from before their restart.
    pond.stop();
    pond.up(&[]);
    pond.await_leading_backend();
    shell(&pond, &["write", "/jobs/missed", "x"], 0);
    pond.await_whole();
    pond.stop();
    pond.up(&[]);
    pond.await_leading_backend();
    watch.signal(Signal::CONT);
    watch.await_line("some changes were missed; this is the current state:");
    watch.await_line("└── missed");
    shell(&pond, &["write", "/jobs/after", "x"], 0);
    watch.await_line("/jobs/after: created");
    pond.stop();
}
