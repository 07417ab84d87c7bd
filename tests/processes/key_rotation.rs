//! Key rotation: the cluster gets another key while people write, members die, or one is away.

use crate::test_cluster::{TestCluster, awaited, keys};
use crate::writers::Writers;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const MEMBERS: [&str; 5] = ["backend-1", "backend-2", "backend-3", "coordinator-1", "coordinator-2"];

/// Starts a cluster in which both keys are valid for six seconds after every member has the new one.
fn cluster() -> TestCluster {
    let mut pond = TestCluster::empty();
    pond.environment.push(("RIBBIT_TEST_KEY_OVERLAP_MS", "6000".into()));
    pond.up(&[]);
    pond.await_whole();
    pond
}

/// Runs a command, asserts its exit code and returns its output.
#[track_caller]
fn typed(pond: &TestCluster, line: &str, code: i32) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (ended, said) = pond.typed(&words);
    assert_eq!(ended, code, "ribbit {line}: {said}");
    said
}

/// Returns the generation of each member's key, and whether it accepts the one before.
#[track_caller]
fn member_keys(pond: &TestCluster) -> Vec<(u64, bool)> {
    let json: Value = serde_json::from_str(&typed(pond, "key status --json", 0)).expect("JSON");
    let members = json["members"].as_array().expect("an array");
    members.iter().map(|it| (it["key"].as_u64().unwrap(), it["accepts_old"].as_bool().unwrap())).collect()
}

fn cluster_file(pond: &TestCluster) -> String {
    fs::read_to_string(pond.folder().join("cluster.ribbit")).expect("a cluster file")
}

/// Returns an entry of a cluster file, if it has it.
fn entry<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

/// Returns a command of a client without the cluster file, which keeps what it knows in `home`.
fn stranger(pond: &TestCluster, home: &Path, more: &[&str]) -> Command {
    let mut command = pond.plain(&["status", "--server", &pond.address("BALANCER")]);
    command.args(more).env_remove("RIBBIT_DATA_DIR").env("XDG_CONFIG_HOME", home).current_dir(home);
    command
}

/// Runs an operator's command with this cluster file.
fn with_file(pond: &TestCluster, file: &Path) -> (i32, String) {
    let mut command = pond.plain(&["user", "list", "--server", &pond.address("BACKEND_1")]);
    command.arg("--cluster-file").arg(file).env_remove("RIBBIT_DATA_DIR");
    pond.ended(command, "")
}

/// Asserts that no store, log or output contains a secret, as bytes or as text.
fn no_trace_of(pond: &TestCluster, secret: &str) {
    let bytes: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&secret[2 * at..2 * at + 2], 16).expect("hex")).collect();
    let mut looked_at = 0;
    for name in MEMBERS {
        for file in fs::read_dir(pond.folder().join(name)).expect("a store").flatten() {
            let content = fs::read(file.path()).expect("readable");
            let has = |wanted: &[u8]| content.windows(wanted.len()).any(|piece| piece == wanted);
            assert!(!has(&bytes) && !has(secret.as_bytes()), "the key is in {}", file.path().display());
            looked_at += 1;
        }
    }
    assert!(looked_at >= 10, "{looked_at} files");
    assert!(!pond.log_text().contains(secret));
}

#[test]
fn the_key_changes_while_people_write_and_clients_follow_once() {
    let mut pond = cluster();
    let home = tempfile::tempdir().unwrap();
    let old_text = cluster_file(&pond);
    let old_file = home.path().join("old.ribbit");
    fs::write(&old_file, &old_text).unwrap();
    fs::set_permissions(&old_file, fs::Permissions::from_mode(0o600)).unwrap();
    let old_key = typed(&pond, "key", 0).trim().to_string();
    assert_eq!(member_keys(&pond), [(1, false); 5]);
    assert_eq!(pond.ended(stranger(&pond, home.path(), &[]), "").0, 0);

    let writers = Writers::start(&pond.web(), 4);
    writers.await_progress();
    let said = typed(&pond, "key rotate", 0);
    for name in MEMBERS {
        assert!(said.contains(&format!("{name} has key 2")), "{said}");
    }
    writers.await_progress();
    let mut written = writers.stop();
    written.nobody_noticed();
    written.judge_pages();

    let new_text = cluster_file(&pond);
    let new_key = typed(&pond, "key", 0).trim().to_string();
    assert!(new_key != old_key && said.contains(&new_key), "{said}");
    assert_eq!(entry(&new_text, "KEY_GENERATION"), Some("2"));
    assert_eq!(entry(&new_text, "FORMER_KEY"), entry(&old_text, "KEY"));
    assert_eq!(entry(&new_text, "OLD_KEY"), None);
    assert_eq!(member_keys(&pond), [(2, false); 5]);
    for name in MEMBERS {
        let path = pond.folder().join(format!("{name}.key"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(entry(&fs::read_to_string(&path).unwrap(), "KEY"), entry(&new_text, "KEY"));
    }
    no_trace_of(&pond, entry(&new_text, "KEY").unwrap());

    // The old cluster file opens nothing, and the refusal says what to do.
    let (code, refused) = with_file(&pond, &old_file);
    assert!(code != 0 && refused.contains("key rotate"), "{code}: {refused}");
    let new_file = pond.folder().join("cluster.ribbit");
    assert_eq!(with_file(&pond, &new_file).0, 0);

    // Clients that know the old public key follow and say so once.
    let (code, first) = pond.ended(stranger(&pond, home.path(), &[]), "");
    assert!(code == 0 && first.matches("new key").count() == 1 && first.contains(&new_key), "{first}");
    let (code, second) = pond.ended(stranger(&pond, home.path(), &[]), "");
    assert!(code == 0 && !second.contains("new key"), "{second}");
    let pinned = stranger(&pond, home.path(), &["--public-key", &old_key]);
    let (code, said) = pond.ended(pinned, "");
    assert!(code == 0 && said.matches("new key").count() == 1 && said.contains("--public-key"), "{said}");
    let pinned = stranger(&pond, home.path(), &["--public-key", &new_key]);
    let (code, said) = pond.ended(pinned, "");
    assert!(code == 0 && !said.contains("new key"), "{said}");

    // The processes of the pages and the balancer have followed, and a start reads the new files.
    pond.browser().join("bob");
    pond.stop();
    pond.up(&[]);
    pond.await_whole();
    assert_eq!(member_keys(&pond), [(2, false); 5]);
    pond.stop();

    // A member that lost its file and has the old cluster file knows from its store that the key is older.
    fs::remove_file(pond.folder().join("backend-2.key")).unwrap();
    let mut command = pond.ribbit(&["backend", "--id", "2", "--listen", "127.0.0.1:0"]);
    command.arg("--cluster-file").arg(&old_file);
    let (code, said) = pond.ended(command, "");
    assert!(code == 78 && said.contains("copy the cluster file"), "{code}: {said}");
}

#[test]
fn a_member_that_is_away_or_dies_takes_the_key_over_later() {
    let pond = cluster();
    let home = tempfile::tempdir().unwrap();
    let old_text = cluster_file(&pond);
    let old_file = home.path().join("old.ribbit");
    fs::write(&old_file, &old_text).unwrap();
    fs::set_permissions(&old_file, fs::Permissions::from_mode(0o600)).unwrap();
    let away = "coordinator-2";
    pond.signal(&[away], Signal::STOP);
    pond.await_status("one is missed", |status| !status.member(away).alive);
    let said = typed(&pond, "key rotate --wait 4s", 5);
    assert!(said.contains(&format!("{away} does not have it yet")), "{said}");

    // Both keys are valid, also for members that die at any moment.
    assert_eq!(with_file(&pond, &old_file).0, 0);
    assert_eq!(with_file(&pond, &pond.folder().join("cluster.ribbit")).0, 0);
    pond.kill(&["backend-1", "backend-2", "coordinator-1"]);
    pond.await_status("they are back", |status| {
        status.leader.is_some() && status.members.iter().filter(|member| member.alive).count() == 4
    });
    assert_eq!(with_file(&pond, &old_file).0, 0);

    // It returns, and the rotation completes while each member is killed as soon as it has written its file.
    pond.signal(&[away], Signal::CONT);
    let file = |name: &str| pond.folder().join(format!("{name}.key"));
    awaited("the last member has the key", || file(away).exists().then_some(()));
    pond.kill(&[away]);
    for name in MEMBERS {
        let settled = || fs::read_to_string(file(name)).ok().filter(|text| text.contains("FORMER_KEY="));
        awaited("the old key is refused", settled);
        pond.kill(&[name]);
    }
    pond.await_whole();
    let said = typed(&pond, "key rotate", 0);
    assert!(said.contains("refuses the one before it"), "{said}");
    assert_eq!(entry(&cluster_file(&pond), "KEY_GENERATION"), Some("2"), "the same rotation");
    assert_eq!(member_keys(&pond), [(2, false); 5]);
    assert_ne!(with_file(&pond, &old_file).0, 0);
    assert_eq!(keys().id().generation, 2);

    // An operator who lost the file on the way gets a refusal that names the file to copy.
    fs::write(pond.folder().join("cluster.ribbit"), old_text).unwrap();
    let said = typed(&pond, "key rotate", 78);
    assert!(said.contains("copy the cluster file"), "{said}");
}
