//! What a disk that stalls, or a kill before it has written, must not break.

use crate::rig::{Rig, message, request, sent};
use raft::eraftpb::MessageType;
use ribbit::replica::Input;

/// A lone voter elects itself without asking. Were its first entries sent before its new term is on disk, then
/// after a kill it would lead the same term again, with other entries under the same indexes.
#[test]
fn a_lone_voter_sends_nothing_of_a_term_that_is_not_on_its_disk() {
    let mut rig = Rig::founded(&[1], &[2]);
    let mut outputs = rig.poll();
    outputs.extend(rig.feed(Input::Request { request: request(1), ticks: 100 }));
    for _ in 0..10 {
        outputs.extend(rig.tick());
    }
    assert!(rig.core.status().leads);
    assert_eq!(sent(&outputs).count(), 0, "{:?}", sent(&outputs).collect::<Vec<_>>());
    assert!(sent(&rig.store()).count() > 0, "once it is on disk it says so");
}

/// Three seconds are a hundred and twenty ticks; a leader whose disk stalls goes on leading through them however
/// much is asked of it meanwhile.
#[test]
fn a_leader_whose_disk_stalls_under_load_is_heard() {
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
        assert!(heard || tick % 3 != 2 || tick < 6, "no heartbeat in tick {tick}");
    }
}
