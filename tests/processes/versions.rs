//! Old beside new: the binary of the last release and this one in one cluster, in both directions, with people writing; and versions
//! that do not exist yet.
//!
//! `tests/versions/last-release` names the commit of the last release, and `scripts/last-release` builds it. Without its binary the
//! tests say so and pass.

use crate::fleet::{Fleet, ROLES, Version};
use crate::test_cluster::{TestCluster, awaited};
use crate::verbs::CliUser;
use crate::writers::Writers;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

/// Orders in which all processes are replaced: by the new version, and back.
const ORDERS: [(&str, bool, [&str; 8]); 3] = [
    (
        "up, what people reach first",
        true,
        [
            "web",
            "gateway",
            "balancer",
            "backend-1",
            "backend-2",
            "backend-3",
            "coordinator-1",
            "coordinator-2",
        ],
    ),
    (
        "back, backends and coordinators in turn",
        false,
        [
            "backend-3",
            "coordinator-2",
            "backend-1",
            "coordinator-1",
            "backend-2",
            "balancer",
            "web",
            "gateway",
        ],
    ),
    ("up, as `upgrade plan` says", true, ROLES),
];

/// Returns the last release, or prints why there is none to run.
fn last_release() -> Option<Version> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = Command::new(root.join("scripts/last-release")).output().expect("the script starts");
    if !built.status.success() {
        println!("skipped: {}", String::from_utf8_lossy(&built.stderr));
        return None;
    }
    let binary = String::from_utf8(built.stdout).expect("a path").trim_end().into();
    Some(Version { binary, environment: Vec::new() })
}

/// Croaks and reads by the client of each version.
#[track_caller]
fn both_clients_work(fleet: &mut Fleet, ada: &CliUser, versions: [&Version; 2], step: &str) {
    for (number, version) in versions.into_iter().enumerate() {
        fleet.runs(version);
        let text = format!("{step}, by client {number}");
        ada.runs(&fleet.pond, &["post", &text]).succeeds();
        let feed = ada.runs(&fleet.pond, &["feed"]).succeeds();
        assert!(feed.contains(&text), "{feed}");
    }
}

#[test]
fn every_role_is_replaced_by_the_new_version_and_back_while_people_write() {
    let Some(old) = last_release() else { return };
    let new = Version::of_this_build();
    let mut fleet = Fleet::start(&old);
    let ada = CliUser::called(&fleet.pond, "ada");
    let writers = Writers::start(&fleet.web(), 2);
    for (name, up, order) in ORDERS {
        let version = if up { &new } else { &old };
        for role in order {
            fleet.replace(role, version);
            let step = format!("{name}: {role}");
            println!("{step}");
            writers.await_progress();
            both_clients_work(&mut fleet, &ada, [&old, &new], &step);
        }
        awaited("the gateway is shown", || {
            fleet.pond.typed(&["status"]).1.contains("serves chat=").then_some(())
        });
        let said = fleet.typed(version, "verify", 0);
        assert!(said.contains("identical"), "{said}");
    }
    let mut written = writers.stop();
    // The reader's session asks for nothing newer than it has seen.
    fleet.pond.await_whole();
    written.judge_pages();
}

#[test]
fn stores_and_backups_of_the_last_release_are_read() {
    let Some(old) = last_release() else { return };
    let new = Version::of_this_build();
    let alone = ["--backends", "1", "--coordinators", "0"];
    let backups = tempfile::tempdir().expect("a temporary folder");
    let backup = |number: usize| backups.path().join(number.to_string()).to_string_lossy().into_owned();
    let mut pond = TestCluster::empty();
    pond.binary.clone_from(&old.binary);
    pond.up(&alone);
    let ada = CliUser::called(&pond, "ada");
    ada.runs(&pond, &["post", "from the old version"]).succeeds();
    let has_all = |pond: &TestCluster| {
        // A restored cluster has another cluster file, so the log-in of the one before does not count there.
        ada.runs_with(pond, &["login", "ada"], "password\n").succeeds();
        let feed = ada.runs(pond, &["feed"]).succeeds();
        assert!(feed.contains("from the old version"), "{feed}");
    };
    // The store in place, and then a backup of each version, restored by the other one.
    pond.stop();
    for (number, (by, other)) in [(&new, &old), (&old, &new)].into_iter().enumerate() {
        pond.binary.clone_from(&by.binary);
        pond.up(&alone);
        has_all(&pond);
        let (code, said) = pond.typed(&["backup", &backup(number)]);
        assert_eq!(code, 0, "{said}");
        pond.stop();
        pond.wipe();
        pond.binary.clone_from(&other.binary);
        let (code, said) = pond.typed(&["restore", &backup(number)]);
        assert_eq!(code, 0, "{said}");
        pond.up(&alone);
        has_all(&pond);
        pond.stop();
    }
}

/// Starts a server that speaks the next version of the protocol, and returns its address.
fn server_of_the_next_version() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    // The thread ends with the test process.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 8];
            if stream.read_exact(&mut head).is_ok() {
                let _ = stream.write_all(&[&b"ribbit\x02\x02"[..], &[0; 24]].concat());
            }
        }
    });
    address
}

#[test]
fn a_wire_version_that_does_not_exist_yet_is_refused_in_plain_words() {
    let words = "speaks version 2 of the protocol, this one 1";
    let mut pond = TestCluster::empty();
    pond.up(&["--backends", "1", "--coordinators", "0"]);
    let newer = server_of_the_next_version();

    // A client and a member of this version, and a newer server.
    let (code, said) = pond.typed(&["status", "--server", &newer]);
    assert!(code == 3 && said.contains(words), "{code} {said}");
    pond.by_hand(&["backend", "--id", "2", "--coordinator", &newer]);
    awaited("the member says it", || pond.log_text().contains(words).then_some(()));

    // A newer client or member, and a server of this version: its answer has its own version, so that the other side can say both.
    for plane in [1, 2, 3] {
        let mut stream = TcpStream::connect(pond.address("BACKEND_1")).expect("it listens");
        stream.write_all(&[b'r', b'i', b'b', b'b', b'i', b't', 2, plane]).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers and ends the connection");
        assert_eq!(&answer[..7], b"ribbit\x01");
    }
    assert_eq!(pond.typed(&["status"]).0, 0);
}
