//! `ribbit client VERB` with invalid input, failing servers and lost connections.

use crate::followed_output::FollowedOutput;
use crate::test_cluster::{TestCluster, awaited};
use crate::verbs::{CliUser, Ran};
use ribbit_net::handshake::PREFACE_BYTES;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

#[test]
fn exit_codes_tell_what_is_wrong() {
    let pond = TestCluster::start();
    let ada = CliUser::new();
    ada.runs(&pond, &["feed"]).fails(4, "you are not logged in (609); run `ribbit client login NAME` first");
    ada.runs(&pond, &["post", "x"]).fails(4, "609");
    ada.runs_with(&pond, &["delete"], "password\n").fails(4, "609");
    ada.runs_with(&pond, &["login", "ada"], "password\n").fails(1, "there is no user with that name (601)");
    ada.runs_with(&pond, &["login", "ada"], "").fails(2, "the password is missing");
    ada.runs_with(&pond, &["create", "ada"], "password\n").fails(2, "--email");
    ada.runs_with(&pond, &["create", "ada", "--email", "a"], "password\n").fails(1, "email: ");
    ada.runs_with(&pond, &["create", "a b", "--email", "a@b"], "password\n").fails(1, "username: ");
    ada.runs_with(&pond, &["create", "ada", "--email", "a@b"], "short\n").fails(1, "password: ");
    ada.runs_with(&pond, &["create", "ada", "--email", "a@b"], "password\n").succeeds();
    ada.runs_with(&pond, &["create", "Ada", "--email", "a@b"], "password\n").fails(1, "(607)");
    ada.runs_with(&pond, &["login", "ada"], "Password\n").fails(1, "the password is wrong (602)");
    ada.runs_with(&pond, &["delete"], "Password\n").fails(1, "the password is wrong (602)");
    assert_eq!(ada.kept().len(), 1, "still logged in");

    ada.runs(&pond, &["post", &"é".repeat(101)]).fails(1, "a croak has at most 100 characters (512)");
    ada.runs_with(&pond, &["post"], &"é".repeat(100_000)).fails(1, "(512)");
    ada.runs_with(&pond, &["post"], " \n").fails(1, "(606)");
    ada.runs(&pond, &["post", &"é".repeat(100)]).succeeds();
    ada.runs(&pond, &["dm", "ada", "x"]).fails(1, "that is your own account (611)");
    ada.runs_with(&pond, &["dm", "bob"], &"é".repeat(1_001)).fails(1, "(643)");
    ada.runs(&pond, &["add", "nobody"]).fails(1, "(601)");
    ada.runs(&pond, &["remove", "ada"]).fails(1, "you do not follow this person (610)");
    ada.runs(&pond, &["export", "--output", "/nonexistent/me.json"]).fails(1, "cannot write /nonexistent");

    for wrong in [
        &["pst"][..],
        &["feed", "--follow", "--before", "3"],
        &["feed", "--limit", "-1"],
        &["dm"],
        &["login", "ada", "password"],
        &["-u", "ada", "feed"],
    ] {
        assert_eq!(ada.runs(&pond, wrong).code, 2, "{wrong:?}");
    }
    // No server: three attempts, then a clear error.
    let nobody = ["feed", "--server", "127.0.0.1:1"];
    ada.runs(&pond, &nobody).fails(3, "no servers are running, or none can be reached; asked 127.0.0.1:1");
    let file = &ada.kept()[0];
    fs::write(file, "USERNAME=ada\n").expect("a session");
    ada.runs(&pond, &["feed"]).fails(78, "it is damaged");
}

#[test]
fn a_full_disk_behind_standard_output_is_no_success() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    ada.runs(&pond, &["dm", "bob", "read me"]).succeeds();
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").expect("it is always full");
    let output = bob.command(&pond, &["inbox"]).stdout(full()).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("standard output: "), "{said}");
    // The message that could not be written stays unread.
    assert!(bob.runs(&pond, &["inbox"]).succeeds().contains("read me"));
}

#[test]
fn whatever_dies_each_croak_is_done_once_and_told_once_and_in_order() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    bob.runs(&pond, &["add", "ada"]).succeeds();
    let following = FollowedOutput::of_feed(&pond, &bob, &[]);
    ada.runs(&pond, &["post", "0"]).succeeds();
    following.await_heard(1);
    let posts = 30;
    for leader_dies_at in [1, 11, 21] {
        let leader = pond.await_leading_backend();
        std::thread::scope(|scope| {
            let posting = scope.spawn(|| -> Vec<Ran> {
                let texts = leader_dies_at..leader_dies_at + 10;
                texts.map(|number: i32| ada.runs(&pond, &["post", &number.to_string()])).collect()
            });
            following.await_heard(leader_dies_at as usize + 2);
            pond.kill(&[&leader]);
            posting.join().expect("it ends").into_iter().for_each(|ran| drop(ran.succeeds()));
        });
    }
    let expected: Vec<String> = (0..=posts).map(|number| number.to_string()).collect();
    assert_eq!(following.await_heard(expected.len()), expected);
    let feed = bob.runs(&pond, &["feed", "--json", "--limit", "100"]).lines();
    let texts: Vec<&str> = feed.iter().map(|croak| croak["text"].as_str().expect("text")).collect();
    assert_eq!(texts, expected);
}

/// Number of bytes that a server sends before its first record: an ephemeral key, its sealed static key and the sealed
/// cluster id.
const HANDSHAKE_BYTES: usize = PREFACE_BYTES + 32 + 48 + 64;

/// Starts a proxy in front of a server. It cuts the first connection instead of forwarding the second answer. All later
/// connections are forwarded unchanged.
fn proxy_that_drops_an_answer(server: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    // The thread ends with the test process.
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let mut client = client.expect("a connection");
            let mut server = TcpStream::connect(&server).expect("the server is there");
            let (mut asks, mut asked) =
                (client.try_clone().expect("it is open"), server.try_clone().expect("it is open"));
            // The thread ends with its connection.
            std::thread::spawn(move || io::copy(&mut asks, &mut asked));
            if number > 0 {
                std::thread::spawn(move || io::copy(&mut server, &mut client));
                continue;
            }
            let mut handshake = [0; HANDSHAKE_BYTES];
            let handshaken = server.read_exact(&mut handshake).and_then(|()| client.write_all(&handshake));
            handshaken.expect("a handshake");
            let first = record_of(&mut server);
            client.write_all(&first).expect("the client reads");
            record_of(&mut server);
            for end in [&client, &server] {
                let _ = end.shutdown(Shutdown::Both);
            }
        }
    });
    address
}

/// Reads one record, which contains one frame here.
fn record_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut record = vec![0; 2];
    stream.read_exact(&mut record).expect("a length");
    let length = usize::from(u16::from_le_bytes([record[0], record[1]]));
    record.resize(2 + length, 0);
    stream.read_exact(&mut record[2..]).expect("a record");
    record
}

#[test]
fn an_answer_that_is_lost_is_asked_for_again_and_the_croak_is_there_once() {
    let pond = TestCluster::start();
    let ada = CliUser::called(&pond, "ada");
    let through = proxy_that_drops_an_answer(pond.address("BALANCER"));
    let [posted] = &ada.runs(&pond, &["post", "once", "--json", "--server", &through]).lines()[..] else {
        panic!()
    };
    let feed = ada.runs(&pond, &["feed", "--json"]).lines();
    assert_eq!((feed.len(), &feed[0]["id"]), (1, &posted["id"]));
}

#[test]
fn who_knew_one_backend_goes_on_with_the_others() {
    let pond = TestCluster::start_with(&["--restart", "never"]);
    pond.await_whole();
    let bob = CliUser::called(&pond, "bob");
    let following = FollowedOutput::of_feed(&pond, &bob, &["--server", &pond.address("BACKEND_2")]);
    bob.runs(&pond, &["post", "0"]).succeeds();
    following.await_heard(1);
    pond.kill(&["backend-2"]);
    bob.runs(&pond, &["post", "1"]).succeeds();
    assert_eq!(following.await_heard(2), ["0", "1"]);
    assert!(!pond.pids().contains_key("backend-2"), "it was not restarted");
}

#[test]
fn who_follows_ends_when_the_session_does_and_when_nobody_is_left() {
    let mut pond = TestCluster::start();
    let bob = CliUser::called(&pond, "bob");
    let mut following = FollowedOutput::of_feed(&pond, &bob, &[]);
    bob.runs(&pond, &["post", "there"]).succeeds();
    following.await_heard(1);
    bob.runs(&pond, &["logout"]).succeeds();
    let ended = awaited("it ends", || following.child.try_wait().expect("our child"));
    assert_eq!(ended.code(), Some(4));

    bob.runs_with(&pond, &["login", "bob"], "password").succeeds();
    let mut following = FollowedOutput::of_feed(&pond, &bob, &[]);
    bob.runs(&pond, &["post", "again"]).succeeds();
    following.await_heard(2);
    pond.kill_all();
    let ended = awaited("it ends", || following.child.try_wait().expect("our child"));
    assert_eq!(ended.code(), Some(3));
}
