//! Cables that are unplugged and plugged in again.

use crate::group::{Group, WEB, usual};
use crate::people::{People, all_backends};
use std::time::Duration;

/// Time that the switch is stuck, long enough for TCP to back off to long pauses between retransmissions.
const STUCK: Duration = Duration::from_secs(14);

#[test]
fn the_cluster_survives_an_unplugged_cable_and_a_stuck_switch() {
    let Some(mut group) = Group::on(usual(), WEB) else { return };
    let people = People::arrive();
    for (what, member) in [("the leader's cable", "backend-1"), ("a follower's cable", "backend-2")] {
        group.lead("backend-1");
        let at = group.host_of(member);
        let pull = |is_out: bool| move |group: &mut Group| group.network.pull(at, is_out);
        people.meanwhile(&mut group, what, Duration::from_secs(6), pull(true), pull(false));
    }
    // A host notices an unplugged cable, but not a switch that forwards nothing.
    let stuck = |group: &mut Group| group.all().for_each(|at| group.network.deafen(at));
    let heal = |group: &mut Group| group.network.hear_all();
    people.meanwhile(&mut group, "the switch is stuck", STUCK, stuck, heal);
    people.leave(&mut group, &all_backends());
}
