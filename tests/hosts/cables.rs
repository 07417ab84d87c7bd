//! A cable is pulled and put back.

use crate::group::{Group, WEB, usual};
use crate::people::{People, all_backends};
use std::time::Duration;

const STUCK: Duration = Duration::from_secs(14);

#[test]
fn a_cable_is_pulled_and_put_back() {
    let Some(mut group) = Group::on(usual(), WEB) else { return };
    let people = People::arrive();
    for (what, member) in [("the leader's cable", "backend-1"), ("a follower's cable", "backend-2")] {
        group.lead("backend-1");
        let at = group.host_of(member);
        let pull = |is_out: bool| move |group: &mut Group| group.network.pull(at, is_out);
        people.meanwhile(&mut group, what, Duration::from_secs(6), pull(true), pull(false));
    }
    // Hosts see that a cable is out; that a switch forwards nothing they do not. So long that what TCP sends again it
    // sends seldom.
    let stuck = |group: &mut Group| group.all().for_each(|at| group.network.deafen(at));
    let heal = |group: &mut Group| group.network.hear_all();
    people.meanwhile(&mut group, "the switch is stuck", STUCK, stuck, heal);
    people.leave(&mut group, &all_backends());
}
