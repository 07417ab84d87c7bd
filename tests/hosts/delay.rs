//! Networks with a long delay.

use crate::group::{Board, CENTRE, Group, PAGES, WEB};
use crate::people::{People, all_backends};
use crate::relay::{BEHIND, Relay};
use std::time::Duration;

/// Delay in one direction, half of the round trip.
const ONE_WAY: Duration = Duration::from_millis(100);

/// Number of users. Few, because each page takes several round trips.
const PEOPLE: usize = 2;

/// Time limit until all users are served again.
const AGAIN_MAX: Duration = Duration::from_secs(15);

/// Returns the hosts of [`crate::group::usual`] with every process behind a relay.
fn behind_relays() -> Vec<Board> {
    let listens = |at: usize, port: u16| {
        format!("--listen 127.0.0.1:{} --advertise {}:{port}", port + BEHIND, testkit::network::address(at))
    };
    let backend = |id: u16| {
        let typed =
            format!("backend --id {id} --posts-per-minute 0 {}", listens(usize::from(id) - 1, 10_000 + id));
        Board::new(["board1", "board2", "board3"][usize::from(id) - 1], &[&typed])
    };
    let first = format!("coordinator --id 1 {} --found", listens(CENTRE, 9_000));
    let second = format!("coordinator --id 2 {}", listens(CENTRE, 9_001));
    let balancer = format!("balancer --listen 127.0.0.1:{}", 8_081 + BEHIND);
    let server = testkit::network::address(CENTRE);
    let pages = format!("client web --listen {PAGES} --server {server}:8081 --public-key KEY");
    let mut web = Board::new("web", &[&pages]);
    web.has_cluster_file = false;
    vec![backend(1), backend(2), backend(3), Board::new("centre", &[&first, &second, &balancer]), web]
}

#[test]
fn the_cluster_works_and_fails_over_with_long_delays() {
    let Some(mut group) = Group::off(behind_relays(), WEB) else { return };
    let relay = |at: usize, ports: &[u16]| Relay::start(&group.network, at, ports, ONE_WAY);
    let relays = [
        relay(0, &[10_001]),
        relay(1, &[10_002]),
        relay(2, &[10_003]),
        relay(CENTRE, &[9_000, 9_001, 8_081]),
    ];
    let all: Vec<usize> = group.all().collect();
    group.power_on(&all);
    group.await_whole();
    let people = People::who_wait(PEOPLE, AGAIN_MAX);
    let nothing = |_: &mut Group| {};
    people.meanwhile(&mut group, "200 ms there and back", Duration::from_secs(10), nothing, nothing);
    let at = group.host_of("backend-1");
    group.lead("backend-1");
    let cut = |group: &mut Group| group.power_cut(&[at]);
    let back = |group: &mut Group| group.power_on(&[at]);
    people.meanwhile(
        &mut group,
        "the same, and the leader's host without power",
        Duration::from_secs(4),
        cut,
        back,
    );
    people.leave(&mut group, &all_backends());
    drop(relays);
}
