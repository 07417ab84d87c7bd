//! Backups that are encrypted, with our own program and with `age`; numbered backups in a folder.

use crate::backup::{names, text};
use crate::test_cluster::TestCluster;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Starts a cluster of one backend with one account.
fn with_ada() -> TestCluster {
    let mut pond = TestCluster::empty();
    pond.up(&["--backends", "1", "--coordinators", "0"]);
    pond.browser().join("ada");
    pond
}

/// Runs a command with these lines on standard input, and returns its output.
#[track_caller]
fn says(pond: &TestCluster, words: &[&str], input: &str, expected: (i32, &str)) -> String {
    let (code, said) = pond.ended(pond.plain(words), input);
    assert!(code == expected.0 && said.contains(expected.1), "{words:?}: {code} {said}");
    said
}

#[test]
fn a_backup_is_read_with_its_key_by_us_and_by_age() {
    let mut pond = with_ada();
    let kept = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| kept.path().join(name).to_str().expect("text").to_string();
    let (key, other, file, new) = (at("key"), at("other"), at("backup.age"), at("new"));
    let public = says(&pond, &["key", "for-backups", &key], "", (0, "age1"));
    let public = public.trim();
    says(&pond, &["key", "for-backups", &key], "", (1, "exists and was not changed"));
    says(&pond, &["key", "for-backups", &other], "", (0, "age1"));
    assert_eq!(fs::metadata(&key).expect("a file").permissions().mode() & 0o777, 0o600);

    let (code, said) = pond.typed(&["backup", &file, "--recipient", public]);
    assert!(code == 0 && said.contains("The backup is encrypted"), "{said}");
    let bytes = fs::read(&file).expect("a file");
    assert!(bytes.starts_with(b"age-encryption.org/v1\n-> X25519 "));
    assert!(!bytes.windows(3).any(|part| part == b"ada"), "no name is readable");
    let (code, said) = pond.typed(&["backup", &at("x"), "--recipient", "age1frog"]);
    assert!(code == 2 && said.contains("no public key of age"), "{said}");
    let (code, said) = pond.typed(&["backup", &at("x"), "--recipient", public, "--passphrase"]);
    assert!(code == 2 && said.contains("not both"), "{said}");

    let check = ["restore", &file, "--data-dir", &new, "--dry-run"];
    let with = |key: &str| [&check[..], &["--key", key]].concat().iter().map(ToString::to_string).collect();
    let with_key = |key: &str, expected| {
        let words: Vec<String> = with(key);
        says(&pond, &words.iter().map(String::as_str).collect::<Vec<_>>(), "", expected);
    };
    says(&pond, &check, "", (1, "it is encrypted: name the file of its key with --key"));
    with_key(&other, (1, "it is encrypted for another key"));
    with_key(&file, (1, "cannot use the key in"));
    with_key(&key, (0, "is an intact backup of cluster"));
    assert!(!Path::new(&new).exists(), "nothing is created");
    // A changed byte in the contents, and a file without its end.
    let mut changed = bytes.clone();
    *changed.last_mut().expect("bytes") ^= 1;
    for wrong in [&changed[..], &bytes[..bytes.len() - 1]] {
        fs::write(&file, wrong).expect("it is written");
        with_key(&key, (1, "damaged or truncated"));
    }
    fs::write(&file, &bytes).expect("it is written");

    // The program age reads it, and what it writes is read.
    let age = Command::new("age").args(["-d", "-i", &key, "-o", &at("plain"), &file]).status();
    match age {
        Err(error) => eprintln!("skipped: no age ({error})"),
        Ok(status) => {
            assert!(status.success(), "age decrypts it");
            assert!(fs::read(at("plain")).expect("a file").starts_with(b"ribbit backup\n"));
            let mut command = Command::new("age");
            command.args(["-r", public, "-o", &file, &at("plain")]);
            assert!(command.status().expect("age runs").success());
            with_key(&key, (0, "is an intact backup"));
        }
    }
    // From standard input, for real.
    pond.stop();
    let mut command = pond.plain(&["restore", "-", "--key", &key, "--data-dir", &new]);
    command.stdin(Stdio::from(fs::File::open(&file).expect("a file")));
    let said = command.output().expect("the binary starts");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(names(Path::new(&new)), ["backend-1", "cluster.ribbit"]);
}

#[test]
fn a_passphrase_is_asked_for() {
    let mut pond = with_ada();
    let kept = tempfile::tempdir().expect("a temporary folder");
    let (file, new) = (kept.path().join("backup.age"), kept.path().join("new"));
    let backup = |input: &str| pond.ended(pond.ribbit(&["backup", text(&file), "--passphrase"]), input);
    let (code, said) = backup("short\n");
    assert!(code == 1 && said.contains("use at least 12 characters"), "{said}");
    let (code, said) = backup("");
    assert!(code == 2 && said.contains("the passphrase is missing"), "{said}");
    assert!(names(kept.path()).is_empty());
    let (code, said) = backup("frogs sing at night\n");
    assert_eq!(code, 0, "{said}");
    pond.stop();
    let restore = ["restore", text(&file), "--data-dir", text(&new)];
    says(&pond, &restore, "toads sing at night\n", (1, "the passphrase is wrong"));
    let bytes = fs::read(&file).expect("a file");
    let header = String::from_utf8_lossy(&bytes);
    says(&pond, &["restore", "-", "--data-dir", text(&new)], &header, (1, "save it to a file"));
    assert_eq!(names(kept.path()), ["backup.age"]);
    says(&pond, &restore, "frogs sing at night\n", (0, "1 accounts"));
}

#[test]
fn the_newest_backups_are_kept_in_a_folder() {
    let mut pond = with_ada();
    let kept = tempfile::tempdir().expect("a temporary folder");
    let to = |words: &[&str]| pond.typed(&[&["backup"], words].concat());
    let dir = text(kept.path());
    for words in [&["x", "--to-dir", dir][..], &["x", "--keep", "2"], &[], &["--to-dir", dir, "--keep", "0"]]
    {
        assert_eq!(to(words).0, 2, "{words:?}");
    }
    let (code, said) = to(&["--to-dir", text(&kept.path().join("stick"))]);
    assert!(code == 1 && said.contains("plug in its disk"), "{said}");
    for removed in ["", "", "Removed 1 older backup."] {
        let (code, said) = to(&["--to-dir", dir, "--keep", "2"]);
        assert!(code == 0 && said.contains(removed), "{said}");
    }
    let left = names(kept.path());
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left[0].ends_with("-000002.backup") && left[1].ends_with("-000003.backup"), "{left:?}");
    pond.stop();
}
