//! The Mastodon client API with libraries of other makers, in `clients/`, and with a leader that dies.

use crate::test_cluster::TestCluster;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::api::ApiApp;
use testkit::http::{Browser, Reply};
use testkit::python::{self, installed};

/// Creates a person and returns a token for the API.
fn token(pond: &TestCluster, username: &str) -> String {
    pond.browser().join(username);
    ApiApp::register(&pond.web()).log_in(username, "read write follow").token
}

fn json(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap_or_else(|_| panic!("no JSON: {}", reply.body))
}

/// Names of the people of each client of one cluster.
const PEOPLE: [[&str; 3]; 3] = [["ada", "bob", "carl"], ["dora", "bobby", "carla"], ["ann", "ben", "cleo"]];

/// Runs clients of three people each until they have passed. `program` and `arguments` begin and go on in their command lines. The
/// leader is killed when a client asks for it.
#[track_caller]
fn run(program: &OsStr, clients: &[&str], arguments: &[&OsStr]) {
    let pond = TestCluster::start();
    let leader = pond.await_leading_backend();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes/mastodon/clients");
    for (client, people) in clients.iter().zip(PEOPLE) {
        let mut command = Command::new(program);
        command.arg(folder.join(client)).args(arguments).arg(format!("http://{}", pond.web()));
        command.args(people.map(|name| token(&pond, name)));
        python::until_passed(command, |what| {
            assert_eq!(what, "kill leader");
            pond.kill(&[&leader]);
            String::new()
        });
    }
}

#[test]
fn the_calls_and_streams_of_mastodon_py() {
    let Some(python) = python::with("Mastodon.py", "RIBBIT_MASTODON_PYTHON", "mastodon") else {
        return;
    };
    run(python.as_ref(), &["mastodon_py.py", "mastodon_py_streams.py", "mastodon_py_failover.py"], &[]);
}

#[test]
fn the_calls_and_streams_of_megalodon() {
    let Some(folder) = installed("megalodon", "RIBBIT_MEGALODON", "npm/node_modules/megalodon") else {
        return;
    };
    run(
        "node".as_ref(),
        &["megalodon.cjs", "megalodon_streams.cjs", "megalodon_failover.cjs"],
        &[folder.as_os_str()],
    );
}

/// Posts until there is a status, as clients do that lose their answers.
fn posted(address: &str, token: &str, key: &str, body: &str) -> Value {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Idempotency-Key", key),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match Browser::new(address).try_send("POST", "/api/v1/statuses", &headers, body) {
            Ok(reply) if reply.status == 200 => return json(&reply),
            Ok(reply) => assert_eq!(reply.status, 503, "{}", reply.body),
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        assert!(Instant::now() < end, "not posted in time");
    }
}

#[test]
fn a_status_posted_again_while_the_leader_dies_is_one_status() {
    let pond = TestCluster::start();
    pond.await_whole();
    let (web, ada) = (pond.web(), token(&pond, "ada"));
    token(&pond, "bob");
    let leader = pond.await_leading_backend();
    let ids: Vec<Value> = std::thread::scope(|scope| {
        let post = |number: usize| {
            let (web, ada) = (&web, &ada);
            scope.spawn(move || {
                // Each is posted three times, before, while and after the leader dies.
                let key = format!("key-{number}");
                let croak = format!("status=croak+{number}");
                let letter = format!("status=%40bob+letter+{number}&visibility=direct");
                let mut ids: Vec<Value> = Vec::new();
                for body in [croak, letter] {
                    let key = format!("{key}-{}", body.len());
                    let all: Vec<Value> =
                        (0..3).map(|_| posted(web, ada, &key, &body)["id"].clone()).collect();
                    assert!(all.iter().all(|id| *id == all[0]), "{all:?}");
                    ids.push(all[0].clone());
                }
                ids
            })
        };
        let posts: Vec<_> = (0..4).map(post).collect();
        pond.kill(&[&leader]);
        posts.into_iter().flat_map(|post| post.join().expect("posted")).collect()
    });
    let bearer = format!("Bearer {ada}");
    let get = |path: &str| json(&Browser::new(&web).send("GET", path, &[("Authorization", &bearer)], ""));
    let mine = get("/api/v1/timelines/home");
    let listed = mine.as_array().expect("a list").len();
    assert_eq!(listed, 4, "{mine}");
    let last = &ids[1];
    let around = get(&format!("/api/v1/statuses/{}/context", last.as_str().expect("an id")));
    let letters = around["ancestors"].as_array().map_or(0, Vec::len)
        + around["descendants"].as_array().map_or(0, Vec::len);
    assert_eq!(letters + 1, 4, "{around}");
}
