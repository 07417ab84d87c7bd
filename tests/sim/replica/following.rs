//! Members that do not follow: a leader whose log contradicts what is committed, and members that make no progress.

use raft::eraftpb::{Entry, Message, MessageType};
use ribbit_replica::{Input, Output};
use ribbit_state::RaftId;
use testkit::rig::{ME, Rig, message, request, sent};

/// Ten seconds in ticks.
const FOLLOW_TICKS: u64 = 400;

fn append(from: RaftId, term: u64, before: (u64, u64), entries: &[(u64, u64)], commit: u64) -> Input {
    let mut append = message(MessageType::MsgAppend, from);
    (append.term, append.index, append.log_term, append.commit) = (term, before.0, before.1, commit);
    let entry = |(index, term): &(u64, u64)| Entry { index: *index, term: *term, ..Entry::default() };
    append.entries = entries.iter().map(entry).collect();
    Input::Message { from, message: append }
}

fn heartbeat(from: RaftId, term: u64) -> Input {
    let mut beat = message(MessageType::MsgHeartbeat, from);
    beat.term = term;
    Input::Message { from, message: beat }
}

/// Returns a follower of member 2, which leads term 2. It has applied the entries 2 and 3.
fn follower() -> Rig {
    let mut rig = Rig::founded(&[1, 2, 3], &[]);
    rig.feed(append(2, 2, (1, 1), &[(2, 2), (3, 2)], 3));
    rig.store();
    assert_eq!(rig.core.status().applied, 3);
    rig
}

fn forks(outputs: &[Output]) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Fork(_)))
}

/// Two backends had applied a croak that the disk of the new leader had lost. The engine acknowledged entries that it did
/// not have, the leader probed it for ever, and the member reported to be in sync.
#[test]
fn a_leader_without_an_entry_that_is_committed_here_is_reported_as_a_fork() {
    let cases: [(&str, (u64, u64), &[(u64, u64)]); 3] = [
        ("it probes behind another entry", (3, 3), &[]),
        ("it replaces a committed entry", (2, 2), &[(3, 3)]),
        ("it appends behind another entry", (3, 3), &[(4, 3)]),
    ];
    for (what, before, entries) in cases {
        let mut rig = follower();
        let outputs = rig.feed(append(3, 3, before, entries, 2));
        assert!(forks(&outputs), "{what}: {outputs:?}");
        assert_eq!(sent(&outputs).count(), 0, "{what}: nothing is acknowledged");
    }
    let mut rig = follower();
    let outputs = rig.feed(append(3, 3, (3, 2), &[(4, 3)], 3));
    assert!(!forks(&outputs), "a new leader that has everything");
    let outputs = rig.feed(append(2, 2, (2, 1), &[], 3));
    assert!(!forks(&outputs), "a leader of an earlier term is ignored");
}

/// A cluster that was rolled back and wrote nothing afterwards ended before the entries that another member had committed.
/// Its leader dropped that member's acknowledgements for ever, and the member did not halt.
#[test]
fn an_idle_leader_whose_log_ends_before_what_is_committed_here_is_reported_as_a_fork() {
    let mut leader = Rig::founded(&[1, 2, 3], &[]);
    leader.elect(&[2, 3]);
    leader.store();
    let (term, last) = (leader.core.status().term, leader.core.status().last);
    let mut ahead = message(MessageType::MsgAppendResponse, 2);
    (ahead.term, ahead.index) = (term, last + 1);
    let outputs = leader.feed(Input::Message { from: 2, message: ahead });
    let answers: Vec<Message> = sent(&outputs).cloned().collect();
    assert_eq!(answers.len(), 1, "{outputs:?}");
    assert_eq!((answers[0].to, answers[0].index, answers[0].reject_hint), (2, last, last + 1));
    assert!(leader.core.status().leads);

    // The other side, with the roles exchanged: member 2 leads, and member 1 has committed more.
    let answer = |index, acknowledged| {
        let mut answer = message(MessageType::MsgHeartbeat, 2);
        (answer.term, answer.index, answer.reject_hint, answer.reject) = (2, index, acknowledged, true);
        Input::Message { from: 2, message: answer }
    };
    let mut rig = follower();
    assert!(!forks(&rig.feed(answer(3, 4))), "4 is not committed here");
    assert!(!forks(&rig.feed(answer(3, 3))), "the leader has it");
    assert!(forks(&rig.feed(answer(2, 3))));
}

#[test]
fn a_member_that_applies_nothing_while_the_leader_does_is_not_in_sync() {
    let mut rig = follower();
    rig.feed(heartbeat(2, 2));
    assert!(rig.core.status().in_sync);
    rig.feed(Input::PeerApplied { from: 3, applied: 50 });
    rig.feed(Input::PeerApplied { from: 2, applied: 5 });
    for tick in 0..2 * FOLLOW_TICKS {
        rig.feed(heartbeat(2, 2));
        rig.tick();
        let status = rig.core.status();
        assert_eq!(status.in_sync, tick < FOLLOW_TICKS, "tick {tick}: {status:?}");
        assert_eq!(status.stalled_ms >= 10_000, !status.in_sync);
    }
    rig.feed(append(2, 2, (3, 2), &[(4, 2), (5, 2)], 5));
    rig.store();
    rig.feed(heartbeat(2, 2));
    rig.tick();
    let status = rig.core.status();
    assert!(status.in_sync && status.stalled_ms == 0, "{status:?}");
}

#[test]
fn a_leader_names_the_members_that_acknowledge_nothing() {
    let mut rig = Rig::founded(&[1, 2, 3], &[]);
    rig.elect(&[2, 3]);
    let mut outputs = rig.store();
    outputs.extend(rig.feed(Input::Request { request: request(1), ticks: 1_000 }));
    outputs.extend(rig.store());
    for tick in 0..FOLLOW_TICKS + 20 {
        // Both answer heartbeats, and 3 acknowledges no entries.
        let messages: Vec<Message> = sent(&outputs).cloned().collect();
        outputs.clear();
        for sent in messages {
            let kind = match sent.msg_type() {
                MessageType::MsgAppend if sent.to == 2 => MessageType::MsgAppendResponse,
                MessageType::MsgHeartbeat => MessageType::MsgHeartbeatResponse,
                _ => continue,
            };
            let mut back = message(kind, sent.to);
            (back.term, back.index) = (sent.term, sent.index + sent.entries.len() as u64);
            outputs.extend(rig.feed(Input::Message { from: sent.to, message: back }));
            outputs.extend(rig.store());
        }
        outputs.extend(rig.tick());
        outputs.extend(rig.store());
        if tick < FOLLOW_TICKS - 20 {
            assert!(rig.core.status().lagging.is_empty(), "tick {tick}");
        }
    }
    let status = rig.core.status();
    assert!(status.leads && status.me == ME && status.in_sync);
    assert_eq!(status.lagging, [3u64]);
}
