//! Partial loss: one direction only, or a part of all packets.

use crate::group::{Group, WEB, usual};
use crate::people::{People, all_backends};
use std::time::Duration;

/// Loss rates: a bad radio link, and a worse one.
const LOSS_PERCENT: [u32; 2] = [10, 30];

#[test]
fn the_cluster_survives_loss_of_one_direction_and_of_packets_everywhere() {
    let Some(mut group) = Group::on(usual(), WEB) else { return };
    let people = People::arrive();
    let at = group.host_of("backend-1");
    let heal = |group: &mut Group| group.network.hear_all();
    group.lead("backend-1");
    let mute = |group: &mut Group| group.network.mute(at);
    people.meanwhile(&mut group, "the leader is not heard", Duration::from_secs(6), mute, heal);
    group.lead("backend-1");
    let deafen = |group: &mut Group| group.network.deafen(at);
    people.meanwhile(&mut group, "the leader does not hear", Duration::from_secs(6), deafen, heal);
    for percent in LOSS_PERCENT {
        let lose = |group: &mut Group| group.all().for_each(|at| group.network.lose(at, percent));
        let what = format!("{percent} percent of all packets lost");
        people.meanwhile(&mut group, &what, Duration::from_secs(12), lose, heal);
    }
    people.leave(&mut group, &all_backends());
}
