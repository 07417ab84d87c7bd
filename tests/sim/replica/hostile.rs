//! Random messages that no correct member sends: none of them may end the process.

use raft::eraftpb::{ConfState, Entry, Message, MessageType};
use ribbit_replica::{Input, Output};
use std::panic::{AssertUnwindSafe, catch_unwind};
use testkit::rig::{ME, Rig, message, request};
use testkit::sim::random::Random;

const KINDS: &[MessageType] = &[
    MessageType::MsgAppend,
    MessageType::MsgAppend,
    MessageType::MsgAppendResponse,
    MessageType::MsgAppendResponse,
    MessageType::MsgHeartbeat,
    MessageType::MsgHeartbeatResponse,
    MessageType::MsgRequestVote,
    MessageType::MsgRequestVoteResponse,
    MessageType::MsgRequestPreVote,
    MessageType::MsgRequestPreVoteResponse,
    MessageType::MsgSnapshot,
    MessageType::MsgTimeoutNow,
    MessageType::MsgReadIndex,
    MessageType::MsgTransferLeader,
    MessageType::MsgPropose,
    MessageType::MsgReadIndexResp,
];

fn near(random: &mut Random, around: u64) -> u64 {
    match random.between(0, 12) {
        0 => 0,
        1 => u64::MAX,
        2 => u64::MAX - 1,
        3 => random.draw(),
        4 => 1,
        5 => around.saturating_sub(1),
        6 | 7 => around.saturating_add(1),
        _ => around,
    }
}

fn ids(random: &mut Random) -> Vec<u64> {
    (0..random.between(0, 4)).map(|_| random.between(0, 6)).collect()
}

fn hostile(random: &mut Random, rig: &Rig) -> Message {
    let (term, last) = (rig.core.status().term, rig.core.status().last);
    let kind = KINDS[random.between(0, KINDS.len() as u64) as usize];
    let mut message = message(kind, random.between(2, 6));
    message.term = near(random, term);
    message.index = near(random, last);
    message.log_term = near(random, term);
    message.commit = near(random, last);
    message.commit_term = near(random, term);
    message.reject = random.permille(400);
    message.reject_hint = near(random, last);
    if random.permille(100) {
        message.request_snapshot = near(random, last);
        message.priority = random.draw() as i64;
        message.deprecated_priority = random.draw();
    }
    if random.permille(100) {
        message.context = b"CampaignTransfer".to_vec().into();
    }
    for number in 0..random.between(0, 4) {
        let mut entry = Entry::new();
        entry.index = match random.permille(950) {
            true => message.index.wrapping_add(1 + number),
            false => near(random, last),
        };
        entry.term = if random.permille(700) { message.log_term } else { near(random, term) };
        message.entries.push(entry);
    }
    if kind == MessageType::MsgSnapshot || random.permille(20) {
        let mut state = ConfState::new();
        state.voters = ids(random);
        state.learners = ids(random);
        if random.permille(300) {
            (state.voters_outgoing, state.learners_next) = (ids(random), ids(random));
            state.auto_leave = random.permille(500);
        }
        let metadata = message.mut_snapshot().mut_metadata();
        metadata.index = near(random, last);
        metadata.term = near(random, term);
        *metadata.mut_conf_state() = state;
    }
    message
}

/// Feeds random messages to a member. Ends early when the member reports a fatal error, or has a snapshot to install.
fn run(seed: u64) {
    let mut random = Random::new(seed);
    let mut rig = match random.between(0, 4) {
        0 => Rig::founded(&[1, 2], &[3]),
        1 => Rig::founded(&[2, 3], &[ME]),
        _ => Rig::founded(&[1, 2, 3], &[4]),
    };
    if random.permille(500) && rig.core.status().configuration.voters.contains(&ME) {
        rig.elect(&[2, 3]);
        for number in 0..random.between(0, 5) {
            rig.feed(Input::Request { request: request(number.into()), ticks: 1_000 });
        }
    }
    let mut last: Vec<Message> = Vec::new();
    for _ in 0..60 {
        let message = hostile(&mut random, &rig);
        last.push(message.clone());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let from = message.from;
            let mut outputs = rig.feed(Input::Message { from, message });
            if random.permille(300) {
                outputs.extend(rig.tick());
            }
            let installs = rig.waiting.iter().any(|job| job.install.is_some());
            if random.permille(500) && !installs {
                outputs.extend(rig.store());
            }
            installs || outputs.iter().any(|output| matches!(output, Output::Fatal(_)))
        }));
        match outcome {
            Ok(false) => {}
            Ok(true) => return,
            Err(_) => panic!("seed {seed}: the last of these ended it: {:#?}", &last[last.len() - 1]),
        }
    }
}

#[test]
fn no_message_ends_the_process() {
    let seeds = std::env::var("HOSTILE_SEEDS").map_or(150, |text| text.parse().expect("a number"));
    for seed in 0..seeds {
        run(seed);
    }
}
