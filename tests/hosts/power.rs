//! Power cuts of one host and of all hosts, which come back in several orders.

use crate::group::{CENTRE, Group, WEB, usual};
use crate::people::{People, all_backends};
use std::time::Duration;

/// Pause between hosts that come back one after the other.
const APART: Duration = Duration::from_secs(2);

#[test]
fn the_cluster_survives_power_cuts_of_one_host_and_of_all_in_any_order_of_return() {
    let Some(mut group) = Group::on(usual(), WEB) else { return };
    let people = People::arrive();
    for (what, member) in [("power cut of the leader's host", 1), ("power cut of a follower's host", 2)] {
        group.lead("backend-1");
        let at = group.host_of(&format!("backend-{member}"));
        let cut = |group: &mut Group| group.power_cut(&[at]);
        let back = |group: &mut Group| group.power_on(&[at]);
        people.meanwhile(&mut group, what, Duration::from_secs(4), cut, back);
    }
    let orders: [(&str, &[&[usize]]); 3] = [
        ("everything off, then on at once", &[&[0, 1, 2, CENTRE, WEB]]),
        ("everything off, then the backends, the others later", &[&[0, 1, 2], &[WEB], &[CENTRE]]),
        ("everything off, then one after the other", &[&[CENTRE], &[WEB], &[2], &[1], &[0]]),
    ];
    for (what, order) in orders {
        let cut = |group: &mut Group| group.power_cut(&[0, 1, 2, CENTRE, WEB]);
        let back = |group: &mut Group| {
            for (number, hosts) in order.iter().enumerate() {
                if number > 0 {
                    std::thread::sleep(APART);
                }
                group.power_on(hosts);
            }
        };
        people.meanwhile(&mut group, what, Duration::from_secs(1), cut, back);
    }
    people.leave(&mut group, &all_backends());
}
