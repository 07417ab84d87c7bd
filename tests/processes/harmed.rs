//! Damage to every file that ribbit reads back: reported, healed where other members have the data, and never a crash loop.

use crate::test_cluster::{Status, TestCluster};
use crate::verbs::CliUser;
use std::fs;
use std::path::{Path, PathBuf};

/// Kind of damage to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Gone,
    Empty,
    /// Truncated to the first half.
    Cut,
    Zeros,
    Nonsense,
}

impl Harm {
    fn to(self, path: &Path) {
        let bytes = fs::read(path).expect("a file");
        match self {
            Harm::Gone => fs::remove_file(path),
            Harm::Empty => fs::write(path, ""),
            Harm::Cut => fs::write(path, &bytes[..bytes.len() / 2]),
            Harm::Zeros => fs::write(path, vec![0; bytes.len()]),
            Harm::Nonsense => fs::write(path, bytes.iter().map(|byte| byte ^ 0xa5).collect::<Vec<u8>>()),
        }
        .expect("a file");
    }
}

/// Returns the newest log segment of a member.
fn log(folder: &Path) -> PathBuf {
    let names = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    let is_log = |path: &PathBuf| path.file_name().is_some_and(|it| it.to_string_lossy().starts_with("log-"));
    names.filter(is_log).max().expect("a log")
}

fn whole(status: &Status) -> bool {
    status.members.len() == 3 && status.is_whole()
}

#[test]
fn a_store_that_something_has_become_of_is_said_and_healed_and_started_once() {
    use Harm::{Cut, Empty, Gone, Nonsense, Zeros};
    let mut pond = TestCluster::start_with(&["--backends", "3", "--coordinators", "0", "--restart", "never"]);
    pond.await_status("three vote", whole);
    let mut ada = pond.browser();
    ada.join("ada");
    ada.croak("one");
    let leader = pond.status().leader.expect("one leads");
    let id = if leader == "backend-1" { 2 } else { 1 };
    let name = format!("backend-{id}");
    let folder = pond.folder().join(&name);
    let store = |folder: &Path| folder.join("store.redb");
    let cases: [(&str, fn(&Path) -> PathBuf, &[Harm], &str); 4] = [
        ("rows", store, &[Gone, Empty], "its rows are missing, but its log exists"),
        ("rows", store, &[Cut, Zeros, Nonsense], "the store"),
        ("log", log, &[Gone], "is missing"),
        ("log", log, &[Empty, Zeros, Nonsense], "cannot be read at byte 0"),
    ];
    for (what, file, harms, words) in cases {
        for harm in harms {
            pond.kill(&[&name]);
            harm.to(&file(&folder));
            let (code, said) = pond.typed(&["backend", "--id", &id.to_string()]);
            assert!(code == 1 && said.contains(words), "{what} {harm:?}: {code} {said}");
            assert!(said.contains("joins as a new member"), "{what} {harm:?}: {said}");
            pond.backend_by_hand(id);
            pond.await_status("all three again", whole);
            ada.croak(&format!("after {what} {harm:?}"));
        }
    }
    // A partly received snapshot is started again.
    pond.kill(&[&name]);
    fs::write(folder.join("incoming.redb"), "frogs").expect("a file");
    pond.backend_by_hand(id);
    pond.await_status("all three again", whole);

    // Marker files count by their presence, not by their content.
    for text in [&b"\xff\xfe\0"[..], b""] {
        pond.kill(&[&name]);
        fs::write(folder.join("halted"), text).expect("a file");
        for _ in 0..2 {
            let (code, said) = pond.typed(&["backend", "--id", &id.to_string()]);
            assert!(code == 78 && said.contains("this store is not used again"), "{said}");
        }
        fs::remove_file(folder.join("halted")).expect("a file");
        fs::write(folder.join("lost"), text).expect("a file");
        pond.backend_by_hand(id);
        pond.await_status("all three again", whole);
        assert!(!folder.join("lost").exists() && folder.join("aside").join("store.redb").exists());
    }
    ada.croak("all is well");
    let (code, said) = pond.typed(&["verify"]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_small_file_that_something_has_become_of_is_named_with_what_to_do() {
    use Harm::{Cut, Empty, Nonsense, Zeros};
    let mut pond = TestCluster::start_with(&["--backends", "1", "--coordinators", "0"]);
    let ada = CliUser::called(&pond, "ada");
    ada.runs(&pond, &["feed"]).succeeds();
    pond.typed(&["client", "server"]);
    let session = ada.kept()[0].clone();
    let folder = pond.folder().to_path_buf();
    let everything = [Empty, Cut, Zeros, Nonsense];

    for harm in everything {
        let (path, kept) = (&session, fs::read(&session).expect("a session"));
        harm.to(path);
        let ran = ada.runs(&pond, &["feed"]);
        assert!(ran.code == 78 && ran.err.contains("delete the file and log in again"), "{harm:?}: {ran:?}");
        fs::write(path, kept).expect("a file");
    }
    ada.runs(&pond, &["feed"]).succeeds();

    let path = folder.join("client");
    for harm in everything {
        let kept = fs::read(&path).expect("an id");
        harm.to(&path);
        let (code, said) = pond.typed(&["client", "server"]);
        assert!(code == 78 && said.contains("delete the file to get a new id"), "{harm:?}: {said}");
        fs::write(&path, kept).expect("a file");
    }
    let (code, said) = pond.typed(&["client", "server"]);
    assert_eq!(code, 0, "{said}");

    pond.stop();
    let path = folder.join("ports");
    for harm in everything {
        let kept = fs::read(&path).expect("ports");
        harm.to(&path);
        for words in [&["status"][..], &["up", "--web", "127.0.0.1:0"]] {
            let (code, said) = pond.typed(words);
            assert!(
                code == 78 && said.contains("you can delete the file"),
                "{harm:?} {words:?}: {code} {said}"
            );
        }
        fs::write(&path, kept).expect("a file");
    }
    let path = folder.join("cluster.ribbit");
    for harm in everything {
        let kept = fs::read(&path).expect("a cluster file");
        harm.to(&path);
        for words in [&["backend", "--id", "1"][..], &["up", "--web", "127.0.0.1:0"]] {
            let (code, said) = pond.typed(words);
            assert!(code == 78 && said.contains("cluster.ribbit"), "{harm:?} {words:?}: {code} {said}");
        }
        fs::write(&path, kept).expect("a file");
    }
    // A missing cluster file is not created anew next to existing stores.
    let kept = fs::read(&path).expect("a cluster file");
    let mode = fs::metadata(&path).expect("a file").permissions();
    fs::remove_file(&path).expect("a file");
    let (code, said) = pond.typed(&["up", "--web", "127.0.0.1:0"]);
    assert!(code == 78 && said.contains("put it back from a copy") && !path.exists(), "{code} {said}");
    fs::write(&path, kept).expect("a file");
    fs::set_permissions(&path, mode).expect("a file");
    pond.up(&["--backends", "1", "--coordinators", "0"]);
}
