//! `ribbit doctor`: finds problems, and the commands it suggests fix them.

use crate::test_cluster::{PATIENCE, TestCluster, awaited_within};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Runs the doctor and returns its exit code and checks.
#[track_caller]
fn doctor(pond: &TestCluster, more: &[&str]) -> (i32, Vec<Value>) {
    let mut command = pond.ribbit(&["doctor", "--json"]);
    // Ignore the sessions of the user who runs the tests.
    command.args(more).env("XDG_CONFIG_HOME", pond.folder().join("settings"));
    let output = command.output().expect("the binary starts");
    assert!(output.stderr.is_empty(), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let (code, state) = (output.status.code().expect("no signal"), said["state"].as_str().expect("a state"));
    assert_eq!(
        code,
        match state {
            "fine" => 0,
            "degraded" => 5,
            _ => 1,
        },
        "{said}"
    );
    (code, said["checks"].as_array().expect("checks").clone())
}

/// Returns the failed checks of one kind.
fn of<'a>(checks: &'a [Value], what: &str) -> Vec<&'a Value> {
    checks.iter().filter(|check| check["what"] == what && check["verdict"] != "ok").collect()
}

fn all<'a>(checks: &'a [Value], what: &str) -> Vec<&'a Value> {
    checks.iter().filter(|check| check["what"] == what).collect()
}

/// Runs the command between the first two backticks of a fix.
#[track_caller]
fn type_fix(check: &Value) {
    let fix = check["fix"].as_str().expect("a fix");
    let line = fix.split('`').nth(1).unwrap_or_else(|| panic!("nothing to type: {fix}"));
    assert!(Command::new("sh").args(["-c", line]).status().expect("a shell").success(), "{line}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn a_group_is_looked_at_from_its_board() {
    let pond = TestCluster::start_with(&["--restart", "never"]);
    pond.await_whole();
    let (_, checks) = doctor(&pond, &[]);
    for (what, count) in
        [("reachable", 5), ("version", 5), ("store", 5), ("port", 7), ("mode", 6), ("clock", 1)]
    {
        assert_eq!((of(&checks, what).len(), all(&checks, what).len()), (0, count), "{what}: {checks:?}");
    }
    assert_eq!(all(&checks, "disk speed").len(), 1, "{checks:?}");
    assert!(of(&checks, "key").is_empty() && of(&checks, "cluster file").is_empty(), "{checks:?}");

    // The cluster file of another cluster.
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let foreign = elsewhere.path().join("foreign.ribbit");
    let foreign = foreign.to_str().expect("text");
    let made = Command::new(env!("CARGO_BIN_EXE_ribbit"))
        .args(["init", "--coordinator", &pond.address("COORDINATOR_1"), "--cluster-file", foreign])
        .output();
    assert!(made.expect("the binary starts").status.success());
    let (code, checks) = doctor(&pond, &["--cluster-file", foreign]);
    let wrong = of(&checks, "key");
    assert!(code == 1 && !wrong.is_empty(), "{checks:?}");
    assert!(wrong[0]["fix"].as_str().expect("a fix").contains("ribbit key"), "{wrong:?}");

    // A dead member.
    pond.kill(&["coordinator-1"]);
    let address = pond.address("COORDINATOR_1");
    awaited_within(PATIENCE, "it is missed", || {
        let (code, checks) = doctor(&pond, &[]);
        let missing = of(&checks, "reachable");
        let is_it = missing.len() == 1 && missing[0]["words"].as_str()?.starts_with(&address);
        (code == 5 && is_it).then_some(())
    });
}

#[test]
fn without_a_group_what_lies_there_is_looked_at() {
    let pond = TestCluster::empty();
    let nowhere = pond.folder().join("nowhere");
    let mut command = pond.plain(&["doctor", "--data-dir"]);
    let output = command.arg(&nowhere).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.code() == Some(1) && said.contains("does not exist") && said.contains("`ribbit init`"),
        "{said}"
    );

    let init = pond.ribbit(&["init", "--coordinator", "127.0.0.1:1,no-such-board.invalid:9000"]).output();
    assert!(init.expect("the binary starts").status.success());
    // Other programs on this machine may use the default ports.
    let any = ["--listen", "127.0.0.1:0"];
    let (code, checks) = doctor(&pond, &any);
    let missing: Vec<_> = of(&checks, "reachable").iter().map(|it| it["words"].to_string()).collect();
    assert!(code == 5 && missing.len() == 2 && missing[0].contains("nothing listens"), "{missing:?}");
    let left = fs::read_dir(pond.folder()).expect("a folder").count();
    assert_eq!(left, 1, "nothing but the cluster file is there");

    // The file is readable by others: members refuse it, and the doctor's fix works.
    let file = pond.folder().join("cluster.ribbit");
    set_mode(&file, 0o644);
    let (code, checks) = doctor(&pond, &[]);
    let open = of(&checks, "mode");
    assert!(code == 1 && open.len() == 1, "{checks:?}");
    type_fix(open[0]);
    assert_eq!(of(&doctor(&pond, &[]).1, "mode").len(), 0);

    // Another program uses a port.
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = holder.local_addr().expect("an address").to_string();
    let (code, checks) = doctor(&pond, &["--listen", &address]);
    let held = of(&checks, "port");
    assert!(
        code == 1 && held.len() == 1 && held[0]["words"].to_string().contains("another program"),
        "{checks:?}"
    );
    drop(holder);
    assert_eq!(of(&doctor(&pond, &["--listen", &address]).1, "port").len(), 0);

    let ports = pond.folder().join("ports");
    fs::write(&ports, "FROG=1\n").expect("it is ours");
    let (code, checks) = doctor(&pond, &any);
    let wrong = of(&checks, "ports file");
    assert!(code == 5 && wrong.len() == 1, "{checks:?}");
    type_fix(wrong[0]);
    assert!(!ports.exists());

    fs::write(&file, "NAME=frogs\n").expect("it is ours");
    let (code, checks) = doctor(&pond, &[]);
    assert!(code == 1 && of(&checks, "cluster file").len() == 1, "{checks:?}");
}
