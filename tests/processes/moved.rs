//! Addresses are hints: a cluster forms again after other programs took its ports.

use crate::test_cluster::{TestCluster, awaited};
use std::net::TcpListener;
use testkit::page_text::whole_feed;

const FIVE: [&str; 5] = ["BACKEND_1", "BACKEND_2", "BACKEND_3", "COORDINATOR_1", "COORDINATOR_2"];

/// Occupies the ports of these parts until the listeners are dropped.
fn take(pond: &TestCluster, parts: &[&str]) -> Vec<TcpListener> {
    let take = |part: &&str| {
        let address = pond.address(part);
        // A process that was just stopped may release its port a moment later.
        awaited("its port", || TcpListener::bind(&address).ok())
    };
    parts.iter().map(take).collect()
}

#[test]
fn a_group_finds_itself_when_ports_were_taken_meanwhile() {
    let mut pond = TestCluster::start();
    let mut ada = pond.browser();
    ada.join("ada");
    ada.croak("at home");
    // Some ports, then all of them.
    for taken in [&["BACKEND_1", "COORDINATOR_1", "BALANCER"][..], &FIVE[..]] {
        pond.stop();
        let before: Vec<String> = taken.iter().map(|part| pond.address(part)).collect();
        let held = take(&pond, taken);
        pond.up(&[]);
        for (part, before) in taken.iter().zip(before) {
            assert_ne!(pond.address(part), before);
        }
        let status = pond.await_whole();
        for (member, part) in status.members.iter().zip(FIVE) {
            assert_eq!(member.address, pond.address(part));
        }
        ada.address = pond.web();
        ada.croak("moved");
        drop(held);
    }
    assert_eq!(whole_feed(&mut ada), ["moved", "moved", "at home"]);
}

#[test]
fn a_member_that_comes_back_elsewhere_is_found_by_all() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    pond.await_whole();
    let mut ada = pond.browser();
    ada.join("ada");
    let before = pond.address("BACKEND_2");
    pond.kill(&["backend-2"]);
    let _held = take(&pond, &["BACKEND_2"]);
    pond.by_hand(&["backend", "--id", "2", "--listen", "127.0.0.1:0"]);
    let status = pond.await_whole();
    let now = &status.member("backend-2").address;
    assert_ne!(*now, before);
    // The other members and the balancer use the new address: without this member, no backend is left to serve.
    pond.kill(&["backend-1", "backend-3"]);
    ada.croak("found you");
    let status = pond.status();
    assert_eq!(status.member("backend-2").address, *now);
    assert!(status.member("backend-2").clients > 0);
}
