//! A network that delivers late: a follower waits as long as its leader's messages take there, and no longer where they are
//! prompt.

use raft::eraftpb::MessageType;
use ribbit_replica::Input;
use testkit::rig::{Rig, message, sent};

const LEADER: u64 = 2;

/// Lets so many milliseconds pass. Returns whether the member stood for election.
fn stands_within(rig: &mut Rig, ms: u64) -> bool {
    let mut stood = false;
    for _ in 0..ms / 25 {
        let outputs = rig.tick();
        stood |= sent(&outputs).any(|message| message.msg_type() == MessageType::MsgRequestPreVote);
        rig.store();
    }
    stood
}

fn heartbeat(rig: &mut Rig) {
    let mut heartbeat = message(MessageType::MsgHeartbeat, LEADER);
    heartbeat.term = 3;
    rig.feed(Input::Message { from: LEADER, message: heartbeat });
    rig.store();
}

fn follower() -> Rig {
    let mut rig = Rig::founded(&[1, 2, 3], &[]);
    heartbeat(&mut rig);
    rig
}

#[test]
fn a_follower_waits_longer_where_the_leader_was_heard_late() {
    let mut rig = follower();
    assert!(stands_within(&mut rig, 300), "usually it waits for at most 290 ms");
    heartbeat(&mut rig);
    assert!(!stands_within(&mut rig, 500), "it has learned that 300 ms are a delay");
    heartbeat(&mut rig);
    assert!(stands_within(&mut rig, 3_000), "it does not wait for ever");
}

#[test]
fn a_delay_is_forgotten_after_prompt_heartbeats_and_an_outage_is_none() {
    let mut rig = follower();
    stands_within(&mut rig, 300);
    for _ in 0..450 {
        heartbeat(&mut rig);
        stands_within(&mut rig, 100);
    }
    heartbeat(&mut rig);
    assert!(stands_within(&mut rig, 300), "the delay was 45 s ago");
    stands_within(&mut rig, 4_000);
    heartbeat(&mut rig);
    assert!(stands_within(&mut rig, 300), "silence of 4 s was an outage");
}
