//! A cable is pulled and put back.

use crate::group::{Group, WEB, usual};
use crate::people::{People, all_backends};
use std::time::Duration;

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
    people.leave(&mut group, &all_backends());
}
