//! Changes of a host's address: while it is off, and while its processes run.

use crate::group::{CENTRE, Group, WEB, usual};
use crate::people::{People, all_backends};
use std::time::Duration;

#[test]
fn a_host_that_changes_its_address_comes_back_under_the_new_one() {
    let Some(mut group) = Group::on(usual(), WEB) else { return };
    let people = People::arrive();
    let at = group.host_of("backend-1");
    let (first, second, third) = ("10.77.0.1", "10.77.0.101", "10.77.0.102");

    group.lead("backend-1");
    let off = |group: &mut Group| group.power_cut(&[at]);
    let moved_off = |group: &mut Group| {
        group.network.move_host(at, first, second);
        group.power_on(&[at]);
    };
    people.meanwhile(
        &mut group,
        "a host comes back at another address",
        Duration::from_secs(2),
        off,
        moved_off,
    );
    is_at(&group, second);

    group.lead("backend-1");
    let moves = |group: &mut Group| group.network.move_host(at, second, third);
    people.meanwhile(&mut group, "a running host changes its address", Duration::from_secs(2), moves, |_| {});
    is_at(&group, third);
    let mut backends = all_backends();
    backends[0] = format!("{third}:10001");
    people.leave(&mut group, &backends);
}

/// Asserts that the cluster knows backend 1 under this address.
#[track_caller]
fn is_at(group: &Group, address: &str) {
    let status = group.try_status(CENTRE).expect("a server answers");
    assert_eq!(status.member("backend-1").address, format!("{address}:10001"), "{status:#?}");
}
