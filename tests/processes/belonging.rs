//! Founding a cluster and joining it.

use crate::test_cluster::{TestCluster, asked, awaited, keys};
use ribbit_net::frame::Plane;
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_state::command::NewMember;
use ribbit_state::limits::RULES_LEVEL;
use ribbit_state::{ClusterId, RequestId, Role};
use std::time::Duration;

fn join(address: &str, cluster: ClusterId, id: u32) -> Answer {
    let keys = keys();
    let member = NewMember {
        role: Role::Coordinator,
        id,
        address: "127.0.0.1:1".into(),
        machine: String::new(),
        rules_level: RULES_LEVEL,
        key: keys.id(),
    };
    let ask = Ask::Join { cluster, id: RequestId(u128::from(id)), region: 1, member };
    let answer = ask_once(address, Plane::Control, &keys, ask, Duration::from_secs(5));
    smol::block_on(answer).expect("it answers")
}

#[test]
fn one_that_joined_and_was_never_heard_gets_no_vote() {
    let pond = TestCluster::start_with(&["--coordinators", "0"]);
    let address = pond.address("BACKEND_1");
    let cluster = asked(&address).expect("it answers").cluster;
    for id in [8, 9] {
        let answer = join(&address, cluster, id);
        assert!(matches!(answer, Answer::Written { outcome: Ok(_), .. }), "{answer:?}");
    }
    awaited("both learn", || {
        let status = asked(&address)?;
        (status.learners.len() == 2).then_some(())
    });
    // Two voters without a heartbeat would leave no spare voter.
    pond.browser().join("ada");
    let status = pond.status();
    assert_eq!((status.can_lose_processes, status.members.len()), (1, 5), "{status:#?}");
    pond.kill(&[&status.leader.expect("a member leads")]);
    pond.browser().post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
}

#[test]
fn a_group_forms_every_time() {
    // Races: a member joins while the cluster is being founded, or becomes a voter before it knows of it.
    let mut pond = TestCluster::empty();
    for _ in 0..3 {
        pond.up(&["--restart", "never"]);
        pond.await_whole();
        pond.stop();
        pond.wipe();
    }
}
