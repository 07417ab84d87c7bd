//! The balancer's directory of servers for reading and writing.

use crate::test_cluster::{TestCluster, awaited};
use serde_json::Value;
use std::collections::BTreeSet;

#[track_caller]
fn told(pond: &TestCluster, line: &str, code: i32) -> Value {
    let words: Vec<&str> = line.split_whitespace().chain(["--json"]).collect();
    let (ended, said) = pond.typed(&words);
    assert_eq!(ended, code, "ribbit {line}: {said}");
    serde_json::from_str(said.lines().next().unwrap_or_default()).unwrap_or(Value::Null)
}

#[test]
fn the_balancer_says_where_to_read_and_write_and_believes_what_it_sees() {
    let pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let write = awaited("all three may be written to", || {
        // The balancer may learn of the leader a moment later than the cluster.
        let (code, said) = pond.typed(&["balancer", "write", "--json"]);
        let write: Value = if code == 0 { serde_json::from_str(&said).expect("JSON") } else { Value::Null };
        let known = write["backends"].as_array().is_some_and(|all| all.len() == 3);
        let first = &write["backends"][0];
        (known && first["name"] == *leader && first["leader"] == true).then_some(write)
    });

    // Three clients get three different backends.
    let readers: Vec<Value> = (0..3).map(|_| told(&pond, "balancer read", 0)).collect();
    let names: BTreeSet<&str> = readers.iter().filter_map(|read| read["backend"]["name"].as_str()).collect();
    assert_eq!(names.len(), 3, "{readers:?}");
    let client = readers[1]["client"].as_u64().expect("a number");
    let again = told(&pond, &format!("balancer read --client {client}"), 0);
    assert_eq!(again["backend"]["name"], readers[1]["backend"]["name"]);
    assert_eq!(told(&pond, &format!("balancer left {client}"), 0)["known"], true);
    let (code, said) = pond.typed(&["balancer", "read"]);
    assert!(code == 0 && said.contains("Read from backend-"), "{said}");

    // A wrong report has no effect; a correct one takes effect at once.
    let address = write["backends"][0]["address"].as_str().expect("an address").to_string();
    assert_eq!(told(&pond, &format!("balancer down {address}"), 1)["answers"], true);
    assert_eq!(told(&pond, "balancer down 127.0.0.1:1", 1)["known"], false);
    assert_eq!(told(&pond, "balancer write", 0)["backends"].as_array().map(Vec::len), Some(3));
    pond.signal(&[&leader], rustix::process::Signal::STOP);
    assert_eq!(told(&pond, &format!("balancer down {address}"), 0)["answers"], false);
    for _ in 0..4 {
        assert_ne!(told(&pond, "balancer read", 0)["backend"]["name"], *leader);
    }
    pond.signal(&[&leader], rustix::process::Signal::CONT);
    awaited("it is used again", || {
        (told(&pond, "balancer read", 0)["backend"]["name"] == *leader).then_some(())
    });

    // A backend is not a balancer.
    let (code, said) = pond.typed(&["balancer", "read", "--server", &pond.address("BACKEND_1")]);
    assert!(code == 3 && said.contains("is not a balancer"), "{code}: {said}");
    // No backend is left.
    pond.kill(&["backend-1", "backend-2", "backend-3"]);
    awaited("no backend serves", || {
        let (code, said) = pond.typed(&["balancer", "read"]);
        (code == 3 && said.contains("no backend serves clients")).then_some(())
    });
}

#[test]
fn who_was_given_the_lead_is_named_for_writing_at_once() {
    let pond = TestCluster::start();
    let mut leader = pond.await_leading_backend();
    for _ in 0..3 {
        let heir = if leader == "backend-2" { "backend-3" } else { "backend-2" };
        let (code, said) = pond.typed(&["transfer", heir]);
        assert_eq!(code, 0, "{said}");
        let write = told(&pond, "balancer write", 0);
        let first = &write["backends"][0];
        assert!(first["name"] == *heir && first["leader"] == true, "{heir} leads: {write}");
        leader = heir.to_string();
    }
}
