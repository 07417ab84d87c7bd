//! Commands that write files once: `init`, `backup`, `restore` and `recover`. Each call that they make on a file of theirs
//! fails. Then they say so, leave no half of a result, and work when they are repeated.

use super::is_complete;
use crate::preload::FailingCalls;
use crate::test_cluster::TestCluster;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rows of each command that every test run plays.
const USUAL_MAX: usize = 2;

/// A command that makes `result` in the folder of the test.
struct Case {
    name: &'static str,
    arguments: Vec<String>,
    result: &'static str,
}

struct Bench {
    pond: TestCluster,
    calls: FailingCalls,
    work: PathBuf,
}

fn text(path: &Path) -> String {
    path.to_str().expect("text").to_string()
}

impl Bench {
    fn run(&self, case: &Case) -> (i32, String) {
        let mut command = self.pond.plain(&case.arguments.iter().map(String::as_str).collect::<Vec<_>>());
        command.envs(self.calls.environment()).envs(self.calls.tracing(&self.work));
        self.pond.ended(command, "")
    }

    fn clear(&self) {
        let _ = fs::remove_dir_all(&self.work);
        fs::create_dir(&self.work).expect("a folder");
    }

    /// Returns each call and file of a command, and asserts that it works.
    fn sites(&self, case: &Case) -> Vec<(String, String)> {
        self.clear();
        self.calls.mend();
        self.calls.traced();
        let (code, said) = self.run(case);
        assert_eq!(code, 0, "{}: {said}", case.name);
        let traced: BTreeSet<(String, String)> = self.calls.traced().into_iter().collect();
        traced.into_iter().filter(|(_, path)| !path.ends_with("(deleted)")).collect()
    }

    fn row(&self, case: &Case, call: &str, path: &str) {
        self.clear();
        self.calls.fail(&[format!("{call} {path} EIO 0 -1")]);
        let (code, said) = self.run(case);
        let was_hit = !self.calls.fired().is_empty();
        self.calls.mend();
        let line = said.lines().last().unwrap_or_default().replace(&text(&self.work), "FOLDER");
        let shown = path.replace(&text(&self.work), "FOLDER");
        let result = self.work.join(case.result);
        println!("{:8} {call:9} {shown:42} │ {} │ {line}", case.name, if was_hit { code } else { -1 });
        if code == 0 {
            assert!(result.exists(), "{said}");
            return;
        }
        assert!(said.contains("Input/output error"), "{call} {shown}: {said}");
        assert!(
            line.starts_with("ribbit: ") && line.contains("FOLDER"),
            "{call} {shown} names no file: {said}"
        );
        if result.exists() {
            // It is complete, and only its name may not be durable yet.
            let is_last = ["fsync", "open", "unlink"].contains(&call);
            assert!(is_last, "{call} {shown}: {} is there", case.result);
            self.clear();
        }
        let (code, said) = self.run(case);
        assert_eq!(code, 0, "{call} {shown}, repeated: {said}");
    }
}

#[test]
fn a_command_whose_files_cannot_be_written_says_so_and_leaves_no_half() {
    let Some(calls) = FailingCalls::new() else { return };
    let mut pond = TestCluster::empty();
    pond.up(&["--backends", "1", "--coordinators", "0"]);
    let mut ada = pond.browser();
    ada.join("ada");
    ada.croak("hello");
    let kept = tempfile::tempdir().expect("a temporary folder");
    let (work, backup, store) = (kept.path().join("work"), kept.path().join("b"), kept.path().join("store"));
    let (code, said) = pond.typed(&["backup", &text(&backup)]);
    assert_eq!(code, 0, "{said}");
    let bench = Bench { pond, calls, work: work.clone() };
    let words = |words: &[&str]| words.iter().copied().map(String::from).collect::<Vec<String>>();
    let cluster = bench.pond.folder().join("cluster.ribbit");
    let data = text(bench.pond.folder());
    let all = |case: &Case| {
        let mut sites = bench.sites(case);
        assert!(sites.len() >= USUAL_MAX, "{sites:?}");
        if !is_complete() {
            sites.retain(|(call, _)| call == "fsync" || call == "rename");
            sites.truncate(USUAL_MAX);
        }
        sites.iter().for_each(|(call, path)| bench.row(case, call, path));
    };
    let backup_arguments = words(&["backup", &text(&work.join("b")), "--data-dir", &data]);
    all(&Case { name: "backup", arguments: backup_arguments, result: "b" });
    let init = words(&["init", "--coordinator", "a:1", "--data-dir", &text(&work.join("new"))]);
    all(&Case { name: "init", arguments: init, result: "new/cluster.ribbit" });
    let restore = words(&["restore", &text(&backup), "--data-dir", &text(&work.join("new"))]);
    all(&Case { name: "restore", arguments: restore, result: "new/backend-1" });

    let Bench { mut pond, calls, .. } = bench;
    pond.stop();
    fs::create_dir(&store).expect("a folder");
    for entry in fs::read_dir(pond.folder().join("backend-1")).expect("a store").flatten() {
        fs::copy(entry.path(), store.join(entry.file_name())).expect("a store");
    }
    let bench = Bench { pond, calls, work: work.clone() };
    let (from, into) = (text(&store), text(&work.join("new")));
    let recover = words(&[
        "recover",
        "--from",
        &from,
        "--id",
        "1",
        "--data-dir",
        &into,
        "--cluster-file",
        &text(&cluster),
    ]);
    let case = Case { name: "recover", arguments: recover, result: "new/backend-1" };
    let mut sites = bench.sites(&case);
    if !is_complete() {
        sites.retain(|(call, _)| call == "fsync" || call == "rename");
        sites.truncate(USUAL_MAX);
    }
    sites.iter().for_each(|(call, path)| bench.row(&case, call, path));
}
