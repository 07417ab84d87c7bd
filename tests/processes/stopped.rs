//! A backend stopped by SIGSTOP: alive for the kernel, unresponsive for clients.

use crate::test_cluster::{TestCluster, awaited_within, keys};
use rustix::process::Signal;
use std::time::{Duration, Instant};

#[test]
fn a_stopped_backend_is_left_out_and_used_again_once_it_goes_on() {
    let pond = TestCluster::start();
    let leader = pond.await_leading_backend();
    let mut ada = pond.browser();
    ada.join("ada");
    // First the leader, then another backend.
    for round in 0..3 {
        let status = pond.await_whole();
        let serving = status.backends().max_by_key(|backend| backend.clients).expect("three");
        assert!(serving.clients > 0, "{status:#?}");
        let name = serving.name.clone();
        let was = if name == leader { "the first leader" } else { "another" };
        pond.signal(&[&name], Signal::STOP);
        let began = Instant::now();
        ada.croak(&format!("croak {round}"));
        let took = began.elapsed();
        println!("{name}, {was}, was stopped: answered after {took:?}");
        assert!(took < Duration::from_secs(4), "{took:?}");
        let status = pond.await_status("left out", |status| {
            !status.member(&name).alive
                && status.backends().any(|backend| backend.alive && backend.clients > 0)
        });
        assert!(status.leader.is_some_and(|leader| leader != name));
        // From now on no request waits for it.
        let began = Instant::now();
        ada.croak("and at once");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());

        pond.signal(&[&name], Signal::CONT);
        pond.await_whole();
        used_again(&pond, &name);
    }
}

/// Asserts that new connections through the balancer go to this backend, which has the fewest.
fn used_again(pond: &TestCluster, name: &str) {
    use ribbit_net::frame::Plane;
    use ribbit_net::handshake::connect;
    let balancer = pond.address("BALANCER");
    let mut held = Vec::new();
    awaited_within(Duration::from_secs(20), "used again", || {
        held.push(smol::block_on(connect(&balancer, Plane::Client, &keys())).expect("the balancer splices"));
        let status = pond.status();
        (status.member(name).clients > 0).then_some(())
    });
    assert!(held.len() <= 6, "{} connections went elsewhere", held.len());
}
