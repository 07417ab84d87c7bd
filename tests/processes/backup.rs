//! Backup under load, and a new cluster restored from it.

use crate::pty::Terminal;
use crate::test_cluster::{Status, TestCluster, awaited};
use crate::writers::Writers;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;
use std::process::Stdio;
use testkit::page_text::whole_feed;

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// Returns the names of all files in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Starts a cluster of three backends.
fn three(pond: &mut TestCluster) {
    pond.up(&["--backends", "3", "--coordinators", "0"]);
    pond.await_status("three vote", |status: &Status| status.members.len() == 3 && status.is_whole());
}

#[test]
fn what_was_backed_up_while_people_wrote_is_there_in_a_new_cluster() {
    let mut pond = TestCluster::empty();
    three(&mut pond);
    let kept = tempfile::tempdir().expect("a temporary folder");
    let file = kept.path().join("ribbit.backup");
    let mut ada = pond.browser();
    ada.join("ada");
    (0..60).for_each(|number| ada.croak(&format!("croak {number}")));
    for words in [&["mkdir", "/jobs"][..], &["write", "/jobs/a", "hello"]] {
        let (code, said) = pond.shell(words);
        assert_eq!(code, 0, "{said}");
    }
    // A client holds a lock all the time.
    let mut held = pond.plain(&["lock", "/jobs/held", "--", "sh", "-c", "echo held; sleep 1000"]);
    let mut holder = held.stdout(Stdio::piped()).spawn().expect("the binary starts");
    let mut first = [0; 5];
    holder.stdout.as_mut().expect("piped").read_exact(&mut first).expect("it holds the lock");
    let writers = Writers::start(&pond.web(), 4);
    writers.await_progress();
    // The second backup replaces the first.
    for _ in 0..2 {
        let (code, said) = pond.typed(&["backup", text(&file)]);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("rows") && said.contains("hashes of all passwords"), "{said}");
        println!("{said}");
    }
    writers.await_progress();
    let written = writers.stop();
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(names(kept.path()), ["ribbit.backup"], "nothing half is left");

    // A backup can go through a pipe, but not to a terminal.
    let output = pond.ribbit(&["backup", "-"]).output().expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.starts_with(b"ribbit backup\n\x01"));
    let mut terminal = Terminal::of(pond.ribbit(&["backup", "-"]));
    terminal.await_text("cannot be written to a terminal");
    assert_eq!(terminal.ended(), 2);

    // A backup needs the cluster file.
    let address = pond.address("BACKEND_1");
    for words in [&["backup", text(&kept.path().join("stolen"))][..], &["verify"]] {
        let command = [words, &["--server", &address, "--data-dir", text(kept.path())]].concat();
        let (code, said) = pond.ended(pond.plain(&command), "");
        assert!(code == 78 && said.contains("needs the cluster file"), "{said}");
    }
    assert_eq!(names(kept.path()), ["ribbit.backup"]);

    // The old cluster is gone; the new one uses another folder.
    crate::test_cluster::send(holder.id(), rustix::process::Signal::TERM);
    holder.wait().expect("our child");
    let session = ada.clone();
    pond.stop();
    let old = pond.cluster();
    pond.wipe();
    if rustix::process::geteuid().is_root() {
        // Other users could read and change a file restored into such a folder.
        let mut work = pond.folder().as_os_str().to_owned();
        work.push(".restoring");
        for theirs in [pond.folder().to_path_buf(), work.into()] {
            let was_there = theirs.exists();
            fs::create_dir_all(&theirs).expect("a folder");
            lchown(&theirs, Some(64_001), Some(64_001)).expect("root gives it away");
            let (code, said) = pond.typed(&["restore", text(&file)]);
            assert!(code == 1 && said.contains("it belongs to another user"), "{said}");
            assert_eq!(names(&theirs), Vec::<String>::new());
            lchown(&theirs, Some(0), Some(0)).expect("root takes it back");
            if !was_there {
                fs::remove_dir(&theirs).expect("it is left as it was");
            }
        }
    }
    let (code, said) = pond.typed(&["restore", text(&file)]);
    assert_eq!(code, 0, "{said}");
    println!("{said}");
    assert!(said.contains("6 accounts") && said.contains("ribbit up --data-dir"), "{said}");
    assert!(said.contains("all users have to log in again"), "{said}");
    assert_eq!(names(pond.folder()), ["backend-1", "cluster.ribbit"]);
    let cluster = pond.folder().join("cluster.ribbit");
    assert_eq!(fs::metadata(&cluster).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(pond.folder()).expect("a folder").permissions().mode() & 0o077, 0);
    assert!(pond.cluster().iter().zip(&old).all(|(new, old)| new != old), "no secret and no id is shared");
    // An existing folder is not overwritten.
    let (code, said) = pond.typed(&["restore", text(&file)]);
    assert!(code == 1 && said.contains("is not empty"), "{said}");

    three(&mut pond);
    let mut stranger = session;
    stranger.address = pond.web();
    stranger.get("/main").leads_to("/login");
    let mut ada = pond.browser();
    ada.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
    let feed = whole_feed(&mut ada);
    assert_eq!((feed.len(), &*feed[0], &*feed[59]), (60, "croak 59", "croak 0"));
    let (code, said) = pond.shell(&["cat", "/jobs/a"]);
    assert!(code == 0 && said.contains("hello"), "{said}");
    // The holder does not exist in the new cluster, so the lock is free.
    let (code, said) = pond.ended(pond.plain(&["lock", "/jobs/held", "--wait", "30s", "--", "true"]), "");
    assert_eq!(code, 0, "{said}");
    ada.croak("life goes on");
    pond.browser().join("eve");
    drop(written);
    pond.stop();
}

#[test]
fn a_member_that_dies_in_the_middle_is_left_for_another() {
    let mut pond = TestCluster::empty();
    pond.environment = vec![("RIBBIT_TEST_PIN_STEP_MS", "1500".into())];
    three(&mut pond);
    let mut ada = pond.browser();
    ada.join("ada");
    ada.croak("one");
    let leader = pond.await_leading_backend_of(|status| status.members.len() == 3 && status.is_whole());
    let first = if leader == "backend-1" { "backend-2" } else { "backend-1" };
    let kept = tempfile::tempdir().expect("a temporary folder");
    let (file, beside) = (kept.path().join("b"), kept.path().join("b.new"));
    let mut child = pond.ribbit(&["backup", text(&file)]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    awaited("its head is written", || (fs::metadata(&beside).ok()?.len() > 0).then_some(()));
    pond.kill(&[first]);
    let ended = child.wait_with_output().expect("our child");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success() && said.contains(&format!("{first}: the connection failed")), "{said}");
    assert_eq!(names(kept.path()), ["b"]);
    let elsewhere = kept.path().join("new");
    let (code, said) = pond.restore(&file, &elsewhere);
    assert_eq!(code, 0, "{said}");

    // An interrupted backup leaves no file.
    let mut child = pond.ribbit(&["backup", text(&kept.path().join("c"))]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    awaited("some of it is written", || kept.path().join("c.new").exists().then_some(()));
    crate::test_cluster::send(child.id(), rustix::process::Signal::TERM);
    let ended = child.wait_with_output().expect("our child");
    assert_eq!(ended.status.code(), Some(1), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(names(kept.path()), ["b", "new"]);
    pond.stop();
}

#[test]
fn a_file_that_is_no_whole_backup_is_refused_and_nothing_is_touched() {
    let mut pond = TestCluster::empty();
    pond.up(&["--backends", "1", "--coordinators", "0"]);
    pond.browser().join("ada");
    let kept = tempfile::tempdir().expect("a temporary folder");
    let file = kept.path().join("good");
    let (code, said) = pond.typed(&["backup", text(&file)]);
    assert_eq!(code, 0, "{said}");
    pond.stop();
    let good = fs::read(&file).expect("a backup");
    let changed = |at: usize, by: u8| {
        let mut bytes = good.clone();
        bytes[at] ^= by;
        bytes
    };
    let (bad, new) = (kept.path().join("bad"), kept.path().join("new"));
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("empty", Vec::new(), "it is not a backup of ribbit"),
        ("a text", b"Dear diary, today I saw a frog.".to_vec(), "it is not a backup of ribbit"),
        ("zeros", vec![0; good.len()], "it is not a backup of ribbit"),
        ("newer", changed(14, 3), "by a newer version of ribbit"),
        ("a changed head", changed(30, 1), "the checksum of block 0 is wrong"),
        ("a changed row", changed(good.len() / 2, 1), "it is damaged"),
        ("cut in the middle", good[..good.len() / 2].to_vec(), "it is truncated"),
        ("without its end", good[..good.len() - 1].to_vec(), "it is truncated"),
        ("twice", good.repeat(2), "data follows its end"),
    ];
    for (what, bytes, words) in cases {
        fs::write(&bad, bytes).expect("a file");
        let (code, said) = pond.restore(&bad, &new);
        let expected = if what == "newer" { 78 } else { 1 };
        assert!(code == expected && said.contains(words), "{what}: {code} {said}");
        assert_eq!(names(kept.path()), ["bad", "good"], "{what}");
    }
    let (code, said) = pond.restore(&kept.path().join("none"), &new);
    assert!(code == 1 && said.contains("cannot read"), "{said}");
    // Existing files stay as they are.
    fs::create_dir(&new).expect("a folder");
    fs::write(new.join("diary"), "frogs").expect("a file");
    let (code, said) = pond.restore(&file, &new);
    assert!(code == 1 && said.contains("is not empty"), "{said}");
    assert_eq!(
        (names(&new), names(kept.path())),
        (vec!["diary".into()], ["bad", "good", "new"].map(String::from).to_vec())
    );
    fs::remove_dir_all(&new).expect("a folder");
    // A valid backup through a pipe.
    let mut command = pond.plain(&["restore", "-", "--data-dir", text(&new)]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the binary starts");
    child.stdin.take().expect("piped").write_all(&good).expect("it reads");
    assert!(child.wait().expect("our child").success());
    assert_eq!(names(&new), ["backend-1", "cluster.ribbit"]);
}

impl TestCluster {
    fn restore(&self, file: &Path, new: &Path) -> (i32, String) {
        let output = self.plain(&["restore", text(file), "--data-dir", text(new)]).output();
        let output = output.expect("the binary starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// Returns the id and the secrets of the cluster file.
    fn cluster(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder().join("cluster.ribbit")).expect("a cluster file");
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let secret = lines.filter(|(name, _)| !["NAME", "COORDINATORS"].contains(name));
        secret.map(|(_, value)| value.to_string()).collect()
    }
}
