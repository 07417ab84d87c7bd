//! A disk that stalls, and a kill before the disk has written.

use raft::eraftpb::{Entry, MessageType};
use ribbit_replica::{Input, Output};
use testkit::rig::{Rig, message, request, sent};

/// A single voter elects itself without votes of others. If it sent its first entries before its new term is on disk, then
/// after a kill it would lead the same term again, with other entries at the same indexes.
#[test]
fn a_single_voter_sends_nothing_of_a_term_that_is_not_on_its_disk() {
    let mut rig = Rig::founded(&[1], &[2]);
    let mut outputs = rig.poll();
    outputs.extend(rig.feed(Input::Request { request: request(1), ticks: 100 }));
    for _ in 0..10 {
        outputs.extend(rig.tick());
    }
    assert!(rig.core.status().leads);
    assert_eq!(sent(&outputs).count(), 0, "{:?}", sent(&outputs).collect::<Vec<_>>());
    assert!(sent(&rig.store()).count() > 0, "the messages are sent once the term is on disk");
}

/// A leader with a stalled disk leads on for three seconds (120 steps of 25 ms) under load.
#[test]
fn a_leader_with_a_stalled_disk_sends_heartbeats_under_load() {
    let mut rig = Rig::founded(&[1, 2, 3], &[]);
    rig.elect(&[2, 3]);
    rig.store();
    let mut number = 0;
    for tick in 0..120 {
        for _ in 0..40 {
            number += 1;
            rig.feed(Input::Request { request: request(number), ticks: 1_000 });
        }
        let outputs = rig.tick();
        for beat in sent(&outputs).filter(|message| message.msg_type() == MessageType::MsgHeartbeat) {
            let mut answer = message(MessageType::MsgHeartbeatResponse, beat.to);
            answer.term = beat.term;
            let from = beat.to;
            rig.feed(Input::Message { from, message: answer });
        }
        assert!(rig.core.status().leads, "it stopped leading in tick {tick}");
        let heard = sent(&outputs).any(|message| message.msg_type() == MessageType::MsgHeartbeat);
        assert!(heard || tick % 4 != 3 || tick < 8, "no heartbeat in step {tick}");
    }
}

/// A leader's heartbeats to a lagging follower carry a commit index within that follower's log, but its appends carry the
/// commit index of the cluster.
#[test]
fn a_member_that_is_catching_up_is_not_in_sync() {
    let mut rig = Rig::founded(&[1, 2, 3], &[]);
    let mut beat = message(MessageType::MsgHeartbeat, 2);
    (beat.term, beat.commit) = (2, 1);
    rig.feed(Input::Message { from: 2, message: beat });
    rig.store();
    assert!(rig.core.status().in_sync);
    let mut append = message(MessageType::MsgAppend, 2);
    (append.term, append.index, append.log_term, append.commit) = (2, 1, 1, 100_000);
    let mut entry = Entry::new();
    (entry.index, entry.term) = (2, 2);
    append.entries.push(entry);
    rig.feed(Input::Message { from: 2, message: append });
    rig.store();
    let status = rig.core.status();
    assert_eq!((status.commit, status.applied, status.in_sync), (2, 2, false));
}

/// Under load, the log must not be truncated past a member that is receiving a snapshot: it would need another snapshot
/// after this one.
#[test]
fn the_log_is_kept_for_a_member_that_receives_a_snapshot() {
    let mut rig = Rig::keeping(64, &[1, 2, 3]);
    rig.elect(&[2, 3]);
    let mut outputs = rig.store();
    let mut announced = 0;
    for number in 0..400 {
        outputs.extend(rig.feed(Input::Request { request: request(number), ticks: 1_000 }));
        outputs.extend(rig.tick());
        outputs.extend(rig.store());
        for output in std::mem::take(&mut outputs) {
            let sent = match output {
                Output::SendSnapshot(message) => {
                    announced = message.snapshot.metadata.index;
                    continue;
                }
                Output::Send(sent) => sent,
                _ => continue,
            };
            let kind = match sent.msg_type() {
                MessageType::MsgAppend => MessageType::MsgAppendResponse,
                MessageType::MsgHeartbeat => MessageType::MsgHeartbeatResponse,
                _ => continue,
            };
            let from = sent.to;
            let mut back = message(kind, from);
            back.term = sent.term;
            back.index = sent.index + if from == 2 { sent.entries.len() as u64 } else { 0 };
            back.reject = from == 3 && kind == MessageType::MsgAppendResponse;
            outputs.extend(rig.feed(Input::Message { from, message: back }));
        }
    }
    assert!(announced > 0, "member 3 needs a snapshot");
    assert!(rig.writer.store().applied().index > announced + 100, "writes go on meanwhile");
    assert!(rig.writer.store().floor().index <= announced, "the entries behind the snapshot are kept");
    // The member falls silent, and the log is not kept for it any more.
    for number in 400..800 {
        rig.feed(Input::Request { request: request(number), ticks: 1_000 });
        let mut outputs = rig.tick();
        outputs.extend(rig.store());
        while let Some(output) = outputs.pop() {
            let Output::Send(sent) = output else { continue };
            if sent.to == 2 && sent.msg_type() == MessageType::MsgAppend {
                let mut back = message(MessageType::MsgAppendResponse, 2);
                (back.term, back.index) = (sent.term, sent.index + sent.entries.len() as u64);
                outputs.extend(rig.feed(Input::Message { from: 2, message: back }));
                outputs.extend(rig.store());
            }
        }
    }
    assert!(rig.writer.store().floor().index > announced);
}
