//! A leader gathers requests while a proposal is under way, and proposes them together.

use raft::eraftpb::MessageType;
use ribbit_replica::{Input, Output};
use testkit::rig::{Rig, message, request, sent};

const NOTHING: [usize; 0] = [];

/// Returns a leader of three with everything committed.
fn leader() -> Rig {
    let mut rig = Rig::founded(&[1, 2, 3], &[]);
    rig.elect(&[2, 3]);
    let status = rig.core.status();
    taken(&mut rig, status.term, status.last);
    assert_eq!(rig.core.status().commit, rig.core.status().last);
    rig
}

fn ask(rig: &mut Rig, number: u128) -> Vec<Output> {
    rig.feed(Input::Request { request: request(number), ticks: 1_000 })
}

/// Returns the number of entries in each append to this follower.
fn entries(outputs: &[Output], to: u64) -> Vec<usize> {
    let appends = sent(outputs).filter(|it| it.msg_type() == MessageType::MsgAppend && it.to == to);
    appends.map(|append| append.entries.len()).filter(|entries| *entries > 0).collect()
}

/// Makes the disk and member 2 acknowledge these appends. Returns the outputs.
fn followed(rig: &mut Rig, outputs: Vec<Output>) -> Vec<Output> {
    let mut follows = rig.store();
    let takes = |it: &&raft::eraftpb::Message| it.to == 2 && it.msg_type() == MessageType::MsgAppend;
    for append in sent(&outputs).filter(takes) {
        follows.extend(taken(rig, append.term, append.index + append.entries.len() as u64));
    }
    follows
}

/// Makes member 2 acknowledge the log up to this index.
fn taken(rig: &mut Rig, term: u64, index: u64) -> Vec<Output> {
    let mut taken = message(MessageType::MsgAppendResponse, 2);
    (taken.term, taken.index) = (term, index);
    let mut follows = rig.feed(Input::Message { from: 2, message: taken });
    follows.extend(rig.store());
    follows
}

#[test]
fn requests_during_a_proposal_go_with_the_next_one() {
    let mut rig = leader();
    let first = ask(&mut rig, 1);
    assert_eq!(entries(&first, 2), [1], "a single request is proposed at once");
    for number in 2..10 {
        assert_eq!(entries(&ask(&mut rig, number), 2), NOTHING);
    }
    let next = followed(&mut rig, first);
    assert_eq!(entries(&next, 2), [8], "all of them at once");
    followed(&mut rig, next);
    assert_eq!(entries(&ask(&mut rig, 10), 2), [1]);
}

#[test]
fn a_request_waits_for_a_tick_at_most() {
    let mut rig = leader();
    ask(&mut rig, 1);
    assert_eq!(entries(&ask(&mut rig, 2), 2), NOTHING);
    let late = rig.tick();
    assert_eq!(entries(&late, 2), [1], "distant followers do not delay it");
}

#[test]
fn the_number_of_gathered_requests_is_bounded() {
    let mut rig = leader();
    ask(&mut rig, 1);
    let sent: Vec<usize> = (2..=700).flat_map(|number| entries(&ask(&mut rig, number), 2)).collect();
    assert_eq!(sent, [512]);
}

#[test]
fn requests_gathered_by_a_former_leader_are_forwarded_to_the_new_one() {
    let mut rig = leader();
    ask(&mut rig, 1);
    assert_eq!(entries(&ask(&mut rig, 2), 2), NOTHING);
    let mut heartbeat = message(MessageType::MsgHeartbeat, 3);
    heartbeat.term = rig.core.status().term + 1;
    let mut outputs = rig.feed(Input::Message { from: 3, message: heartbeat });
    outputs.extend(rig.tick());
    let forwarded = outputs.iter().find_map(|output| match output {
        Output::Forward { to: 3, requests } => Some(requests.len()),
        _ => None,
    });
    assert_eq!(forwarded, Some(2), "the proposed request as well, because its outcome is unknown");
}
