//! Heartbeats, leases and masters with their fencing tokens.

use crate::test_cluster::{Status, TestCluster, ask, asked, awaited, awaited_within, tree};
use crate::writers::session_of;
use ribbit_net::protocol::{Answer, Ask, NodeStatus};
use ribbit_state::rows::NodeKind;
use ribbit_state::{Code, Denied, LeaseCommand, Reply, Request, RequestId, TokenHash};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Returns the address and the fencing token of a region's master, as a member reports it.
pub fn master_of(pond: &TestCluster, cluster: u32) -> Option<(String, u64)> {
    let addresses = pond.try_status()?.members.into_iter().filter(|member| member.alive);
    let path = format!("/clusters/{cluster}/master");
    let entries = addresses.into_iter().find_map(|member| tree(&member.address, &path))?;
    let lock = entries.first().filter(|entry| entry.node.kind == NodeKind::Lock)?;
    Some((String::from_utf8_lossy(&lock.node.content).into_owned(), lock.node.fence?))
}

#[track_caller]
pub fn await_master(pond: &TestCluster, what: &str, wanted: impl Fn(&str, u64) -> bool) -> (String, u64) {
    awaited(what, || master_of(pond, 1).filter(|(address, fence)| wanted(address, *fence)))
}

fn slaves(pond: &TestCluster, address: &str) -> Vec<String> {
    let entries = tree(address, "/clusters/1/slaves").unwrap_or_default();
    let _ = pond;
    entries.iter().skip(1).map(|entry| entry.path.name().to_string()).collect()
}

fn said(address: &str) -> NodeStatus {
    awaited("it answers", || asked(address))
}

#[test]
fn a_master_that_dies_is_replaced_under_a_higher_fence_and_is_a_slave_when_it_is_back() {
    let pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let leader = pond.status().member(&leader).clone();
    // The leader is preferred as master; the previous master steps down.
    let (_, fence) = await_master(&pond, "the leader is master", |address, _| address == leader.address);
    let others: Vec<_> = pond.status().members.into_iter().filter(|it| it.name != leader.name).collect();
    let witness = &others.iter().find(|it| it.role == "coordinator").expect("one of two").address;
    awaited("the other two are slaves", || (slaves(&pond, witness).len() == 2).then_some(()));

    pond.kill(&[&leader.name]);
    let killed = Instant::now();
    let (address, higher) = awaited_within(Duration::from_secs(20), "another master", || {
        let entries = tree(witness, "/clusters/1/master")?;
        let node = &entries.first()?.node;
        let address = String::from_utf8_lossy(&node.content).into_owned();
        (address != leader.address).then_some((address, node.fence?))
    });
    println!("another master after {} ms", killed.elapsed().as_millis());
    assert!(higher > fence, "{higher} after {fence}");
    assert!(others.iter().any(|it| it.role == "backend" && it.address == address), "{address}");

    let mut pond = pond;
    pond.backend_by_hand(leader.id);
    awaited("it is a slave again", || slaves(&pond, witness).contains(&leader.id.to_string()).then_some(()));
    awaited("the witness knows of all five and of one master", || {
        let leases = said(witness).leases;
        (leases.holds && leases.masters.len() == 1 && leases.active.len() == 5).then_some(())
    });
    pond.kill_all();
}

#[test]
fn with_all_coordinators_dead_the_group_still_notices_who_is_gone() {
    let pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let status = pond.status();
    let victim = status.backends().find(|it| it.name != leader).expect("one of three").clone();
    let witness = status.member(&leader).address.clone();
    awaited("all five are there", || (said(&witness).leases.active.len() == 5).then_some(()));
    pond.kill(&["coordinator-1", "coordinator-2"]);
    awaited("the leader lets go of both", || (said(&witness).leases.active.len() == 3).then_some(()));
    // Three of five voters are left, so the next one is only stopped for a while: without it there would be no quorum.
    pond.signal(&[&victim.name], rustix::process::Signal::STOP);
    std::thread::sleep(Duration::from_secs(3));
    pond.signal(&[&victim.name], rustix::process::Signal::CONT);
    awaited("it was let go, or is back", || (said(&witness).leases.active.len() == 3).then_some(()));
}

#[test]
fn who_is_cut_from_the_leader_is_heard_by_way_of_the_coordinators() {
    let mut pond = TestCluster::empty();
    // Raft id 1 belongs to the founder, a coordinator.
    pond.environment.push(("RIBBIT_TEST_DEAF", "3".into()));
    pond.up(&["--restart", "never"]);
    pond.await_leading_backend_of(Status::is_whole);
    let leads = || pond.status().leader.and_then(|name| asked(&pond.status().member(&name).address));
    let mut leader = awaited("a member leads", leads);
    if leader.me.raft_id == 3 {
        // A leader always hears itself, so another member must lead.
        let heir =
            pond.status().backends().find(|it| it.name != leader.me.name()).expect("another").name.clone();
        let (code, said) = pond.typed(&["transfer", &heir]);
        assert_eq!(code, 0, "{said}");
        leader = awaited("another one leads", || leads().filter(|status| status.me.raft_id != 3));
    }
    let address = leader.me.address;
    awaited("all five are there", || (said(&address).leases.active.len() == 5).then_some(()));
    // Longer than the lease.
    std::thread::sleep(Duration::from_secs(4));
    assert!(said(&address).leases.active.contains(&3));
    pond.kill(&["coordinator-1", "coordinator-2"]);
    awaited("no member relays its heartbeat", || (!said(&address).leases.active.contains(&3)).then_some(()));
    assert!(pond.status().members.iter().any(|it| it.alive && it.role == "backend" && it.in_sync));
}

#[test]
fn a_coordinator_that_is_cut_from_nobody_but_dead_costs_no_backend_its_lease() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let (_, fence) = await_master(&pond, "a master", |_, _| true);
    let address = pond.status().member(&leader).address.clone();
    await_master(&pond, "the leader is master", |master, _| master == address);
    let fence = fence.max(master_of(&pond, 1).expect("a master").1);
    for id in [1, 2] {
        let name = format!("coordinator-{id}");
        pond.kill(&[&name]);
        awaited("it is let go", || (said(&address).leases.active.len() == 4).then_some(()));
        pond.by_hand(&["coordinator", "--id", &id.to_string()]);
        awaited("it is back", || (said(&address).leases.active.len() == 5).then_some(()));
    }
    assert_eq!(master_of(&pond, 1), Some((address, fence)), "the master kept its lock all along");
}

#[test]
fn a_chat_place_belongs_to_its_client_and_outlives_the_backend_that_it_hangs_on() {
    let pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let mut browser = pond.browser();
    browser.join("ada");
    let session = session_of(&browser);
    let status = pond.status();
    let backends: Vec<_> = status.backends().map(|it| it.address.clone()).collect();
    let other = status.backends().find(|it| it.name != leader).expect("one of three").clone();
    let enter = |address: &str, number: u128, client: u8, take_over| {
        let words = format!("client {client}");
        let token = TokenHash([client; 32]);
        let command = LeaseCommand::EnterChat { session, token, description: words, take_over }.into();
        let submitted_at = said(address).me.applied;
        match ask(address, Ask::Write(Request { id: RequestId(number), submitted_at, origin: None, command }))
        {
            Answer::Written { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    };
    let renew = |address: &str, client: u8| ask(address, Ask::Renew { token: TokenHash([client; 32]) });
    let Ok(Reply::Fenced { fence }) = enter(&other.address, 1, 1, false) else { panic!("not entered") };
    assert!(matches!(renew(&other.address, 1), Answer::Renewed { lease_ms: 2_000 }));

    // The backend of the client dies; the lease continues through another one.
    pond.kill(&[&other.name]);
    let left: Vec<_> = backends.iter().filter(|address| **address != other.address).collect();
    for address in &left {
        assert!(matches!(renew(address, 1), Answer::Renewed { .. }));
    }
    assert_eq!(enter(left[0], 2, 1, false), Ok(Reply::Fenced { fence }));
    assert_eq!(enter(left[1], 3, 2, false), Err(Denied::new(Code::LockHeld)));
    let taken = enter(left[1], 4, 2, true);
    assert!(matches!(taken, Ok(Reply::Fenced { fence: higher }) if higher > fence), "{taken:?}");
    assert_eq!(renew(left[0], 1), Answer::Refused(Denied::new(Code::LeaseOver)));

    // Without renewals the slot is free after the lease.
    awaited("it is let go", || (tree(left[0], "/people")?.len() == 1).then_some(()));
    assert_eq!(renew(left[0], 2), Answer::Refused(Denied::new(Code::LeaseOver)));
}

#[test]
fn a_server_with_a_taken_number_is_refused_and_one_that_is_started_again_is_not() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    pond.await_whole();
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let cluster_file = pond.folder().join("cluster.ribbit");
    let address = pond.status().member("backend-2").address.clone();
    let second = |folder: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ribbit"));
        command.args(["backend", "--id", "2", "--listen", "127.0.0.1:0", "--coordinator", &address]);
        command.arg("--cluster-file").arg(&cluster_file).arg("--data-dir").arg(folder);
        let output = command.stdin(Stdio::null()).output().expect("the binary starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, words) = second(elsewhere.path());
    assert_eq!(code, Some(78), "{words}");
    assert!(words.contains("backend-2 is already running") && words.contains(&address), "{words}");

    // The same with a copy of its store.
    let copy = elsewhere.path().join("backend-2");
    let _ = std::fs::remove_dir_all(&copy);
    std::fs::create_dir_all(&copy).expect("a folder");
    for entry in std::fs::read_dir(pond.folder().join("backend-2")).expect("a store").flatten() {
        if entry.path().is_file() {
            std::fs::copy(entry.path(), copy.join(entry.file_name())).expect("a copy");
        }
    }
    let (code, words) = second(elsewhere.path());
    assert_eq!(code, Some(78), "{words}");
    assert!(words.contains("backend-2 is already running"), "{words}");

    pond.kill(&["backend-2"]);
    pond.backend_by_hand(2);
    pond.await_whole();
}
