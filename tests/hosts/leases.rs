//! A lease has one holder at a time, even when a leader is cut off, stopped and resumed: it must not confirm leases then.

use crate::group::{Group, HEAL_MAX, WEB, backend, usual};
use ribbit_net::frame::Plane;
use ribbit_net::oneshot::ask_status;
use ribbit_net::protocol::NodeStatus;
use rustix::process::Signal;
use std::time::{Duration, Instant};
use testkit::timeouts::awaited_within;

/// Time that the resumed leader is watched, longer than an election and a whole lease.
const WATCHED: Duration = Duration::from_secs(4);

/// Pause between two status queries.
const PAUSE: Duration = Duration::from_millis(10);

/// Arguments of the leader's process.
const LEADER: &str = "backend --id 1 --posts-per-minute 0";

/// Returns the status of a backend as seen from its own host.
fn status(group: &Group, id: usize) -> Option<NodeStatus> {
    let (name, keys) = (group.network.name(group.host_of(&format!("backend-{id}"))), group.keys());
    let asking = std::thread::spawn(move || {
        testkit::network::enter(&name);
        smol::block_on(ask_status(&backend(id), Plane::Status, &keys)).ok()
    });
    asking.join().expect("the question ends")
}

fn master(status: &NodeStatus) -> Option<u64> {
    status.leases.masters.iter().find(|master| master.region == 1).map(|master| master.raft_id)
}

#[test]
fn a_leader_that_resumes_without_a_majority_confirms_no_lease_not_even_its_own() {
    let Some(mut group) = Group::on(usual(), WEB) else { return };
    group.lead("backend-1");
    let old = awaited_within(HEAL_MAX, "the leader is master and holds its lease", || {
        let status = status(&group, 1)?;
        (status.leases.holds && master(&status) == Some(status.me.raft_id)).then_some(status.me.raft_id)
    });
    let at = group.host_of("backend-1");
    group.network.pull(at, true);
    group.signal(at, LEADER, Signal::STOP);
    awaited_within(HEAL_MAX, "another one is master", || {
        status(&group, 2).and_then(|status| master(&status)).filter(|master| *master != old)
    });
    group.signal(at, LEADER, Signal::CONT);
    let (began, mut overlap, mut led) = (Instant::now(), Duration::ZERO, false);
    let mut before = began;
    while began.elapsed() < WATCHED {
        let seen = status(&group, 1);
        let now = Instant::now();
        if let Some(status) = seen {
            led |= status.leader == Some(old);
            overlap += if status.leases.holds { now - before } else { Duration::ZERO };
        }
        before = now;
        std::thread::sleep(PAUSE);
    }
    println!("the old leader believed that it leads: {led}; two held the lease for {overlap:?}");
    assert!(overlap.is_zero(), "two held the lease for {overlap:?}");
    group.network.pull(at, false);
    group.await_together();
    group.nobody_gave_up();
}
