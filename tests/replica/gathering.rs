//! A leader proposes once what came while it waited for a majority.

use crate::rig::{Rig, message, request, sent};
use raft::eraftpb::MessageType;
use ribbit_replica::{Input, Output};

const NOTHING: [usize; 0] = [];

/// A leader of three, everything committed.
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

/// The entries that this follower is sent.
fn entries(outputs: &[Output], to: u64) -> Vec<usize> {
    let appends = sent(outputs).filter(|it| it.msg_type() == MessageType::MsgAppend && it.to == to);
    appends.map(|append| append.entries.len()).filter(|entries| *entries > 0).collect()
}

/// 2 has taken all of this, the leader's disk too. Answers what follows.
fn followed(rig: &mut Rig, outputs: Vec<Output>) -> Vec<Output> {
    let mut follows = rig.store();
    let takes = |it: &&raft::eraftpb::Message| it.to == 2 && it.msg_type() == MessageType::MsgAppend;
    for append in sent(&outputs).filter(takes) {
        follows.extend(taken(rig, append.term, append.index + append.entries.len() as u64));
    }
    follows
}

/// 2 says that it has everything through there.
fn taken(rig: &mut Rig, term: u64, index: u64) -> Vec<Output> {
    let mut taken = message(MessageType::MsgAppendResponse, 2);
    (taken.term, taken.index) = (term, index);
    let mut follows = rig.feed(Input::Message { from: 2, message: taken });
    follows.extend(rig.store());
    follows
}

#[test]
fn what_comes_while_a_proposal_is_under_way_goes_with_the_next() {
    let mut rig = leader();
    let first = ask(&mut rig, 1);
    assert_eq!(entries(&first, 2), [1], "a lone one waits for nothing");
    for number in 2..10 {
        assert_eq!(entries(&ask(&mut rig, number), 2), NOTHING);
    }
    let next = followed(&mut rig, first);
    assert_eq!(entries(&next, 2), [8], "all of them at once");
    followed(&mut rig, next);
    assert_eq!(entries(&ask(&mut rig, 10), 2), [1]);
}

#[test]
fn nothing_waits_for_longer_than_a_tick() {
    let mut rig = leader();
    ask(&mut rig, 1);
    assert_eq!(entries(&ask(&mut rig, 2), 2), NOTHING);
    let late = rig.tick();
    assert_eq!(entries(&late, 2), [1], "those who are far away answer when they can");
}

#[test]
fn no_more_is_gathered_than_one_proposal_holds() {
    let mut rig = leader();
    ask(&mut rig, 1);
    let sent: Vec<usize> = (2..=700).flat_map(|number| entries(&ask(&mut rig, number), 2)).collect();
    assert_eq!(sent, [512]);
}

#[test]
fn what_was_gathered_by_who_leads_no_more_is_asked_for_elsewhere() {
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
    assert_eq!(forwarded, Some(2), "the one that was proposed, too: its fate is unknown");
}
