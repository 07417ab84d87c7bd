//! Regions: groups of servers in one place, all with the same data.

use crate::masters::master_of;
use crate::test_cluster::{TestCluster, ask, asked, awaited, keys, tree};
use ribbit_net::frame::Plane;
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{Answer, Ask, AssignedServer};
use std::time::Duration;

const CLUSTER: &str = "2";

/// Returns the server for a client, as a coordinator answers.
fn server_of(coordinator: &str, client: u64, before: Option<&str>) -> Option<(AssignedServer, bool)> {
    let ask = Ask::GetServer { client, before: before.map(str::to_string) };
    match smol::block_on(ask_once(coordinator, Plane::Control, &keys(), ask, Duration::from_secs(1))) {
        Ok(Answer::Server { server, changed }) => Some((server?, changed)),
        _ => None,
    }
}

fn begin(pond: &mut TestCluster, id: u32) {
    pond.by_hand(&["backend", "--cluster", CLUSTER, "--id", &id.to_string(), "--listen", "127.0.0.1:0"]);
}

#[test]
fn a_second_cluster_serves_its_clients_has_a_master_and_never_votes() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    pond.await_leading_backend();
    let coordinator = pond.status().member("coordinator-1").address.clone();
    pond.kill(&["coordinator-2"]);
    pond.by_hand(&["coordinator", "--id", "2", "--clusters", "2"]);
    (1..=3).for_each(|id| begin(&mut pond, id));
    let names: Vec<String> = (1..=3).map(|id| format!("backend-{id}@{CLUSTER}")).collect();
    let status = pond.await_status("three learners are in sync", |status| {
        let find = |name: &String| status.members.iter().find(|member| member.name == *name);
        names.iter().all(|name| find(name).is_some_and(|it| it.in_sync && !it.voter && it.lag == 0))
    });
    let (address, fence) = awaited("it has a master", || master_of(&pond, 2));
    let master = status.members.iter().find(|it| it.address == address).expect("one of them").name.clone();
    assert!(names.contains(&master), "{master}");

    // A client of that region is served there, and writes there.
    let client = 1;
    let (server, changed) = awaited("served at home", || {
        server_of(&coordinator, client, None).filter(|(server, _)| server.name.region == 2)
    });
    assert!(changed && server.home == 2, "{server:?}");
    let (kept, changed) = server_of(&coordinator, client, Some(&server.address)).expect("an answer");
    assert!(kept == server && !changed);
    let other = awaited("served at its home", || {
        server_of(&coordinator, 2, None).map(|(server, _)| server).filter(|server| server.name.region == 1)
    });
    assert_eq!(other.home, 1);
    assert!(matches!(
        ask(&server.address, numbered(&coordinator, 76)),
        Answer::Written { outcome: Ok(_), .. }
    ));
    let another = ask(&other.address, numbered(&coordinator, 78));
    assert!(matches!(another, Answer::Written { outcome: Ok(_), .. }), "{another:?}");

    // Other members may learn of the second region a heartbeat later than the coordinator.
    for part in ["BACKEND_1", "BACKEND_2", "BACKEND_3", "COORDINATOR_1"] {
        awaited("known everywhere", || {
            server_of(&pond.address(part), client, None).filter(|(server, _)| server.name.region == 2)
        });
    }
    // Through the command line. Two ids are taken, so this is the third client, in the second region. The answer is stored.
    for changed in [true, false] {
        let (code, said) = pond.typed(&["client", "server", "--json"]);
        let said: serde_json::Value =
            serde_json::from_str(&said).unwrap_or_else(|_| panic!("{code}: {said}"));
        assert_eq!((&said["client"], &said["home"], &said["cluster"]), (&3.into(), &2.into(), &2.into()));
        assert_eq!(said["changed"], changed, "{said}");
    }

    // The master dies and is replaced by another member of the region.
    pond.kill(&[&master]);
    let (next, higher) =
        awaited("another master", || master_of(&pond, 2).filter(|(other, _)| *other != address));
    assert!(higher > fence && next != address);

    // The whole region dies: its clients are served by the next region, and at home again once it is back.
    let left: Vec<&str> = names.iter().filter(|name| **name != master).map(String::as_str).collect();
    pond.kill(&left);
    let (away, _) = awaited("served by the next", || {
        server_of(&coordinator, client, Some(&next)).filter(|(server, _)| server.name.region == 1)
    });
    assert_eq!(away.home, 2);
    awaited("no member of the region is alive", || {
        (tree(&coordinator, "/clusters/2/slaves")?.len() == 1 && master_of(&pond, 2).is_none()).then_some(())
    });
    (1..=3).for_each(|id| begin(&mut pond, id));
    let (back, changed) = awaited("home again", || {
        server_of(&coordinator, client, Some(&away.address)).filter(|(server, _)| server.name.region == 2)
    });
    assert!(changed);
    awaited("a master again", || master_of(&pond, 2));
    awaited("it has all the data", || {
        let (here, there) = (asked(&back.address)?, asked(&coordinator)?);
        (here.me.applied == there.me.applied && here.in_sync).then_some(())
    });
    let status = pond.await_status("a member leads", |status| status.leader.is_some());
    assert!(status.members.iter().filter(|it| names.contains(&it.name)).all(|it| !it.voter));
    assert!(status.leader.is_some_and(|leader| !names.contains(&leader)));
    assert!(matches!(ask(&back.address, numbered(&coordinator, 77)), Answer::Written { outcome: Ok(_), .. }));
}

/// Returns the write by which a client asks for an id.
fn numbered(coordinator: &str, id: u128) -> Ask {
    Ask::Write(ribbit_state::Request {
        id: ribbit_state::RequestId(id),
        submitted_at: asked(coordinator).expect("it answers").me.applied,
        origin: None,
        command: ribbit_state::LeaseCommand::NumberClient.into(),
    })
}
