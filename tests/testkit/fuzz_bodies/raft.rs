//! Messages of other members: their bytes, the checks before the engine, and the engine itself.
//!
//! The input is a list of turns: a message made of fields near what the member has, a message in bytes as a link
//! carries them, a tick, or the disk's turn. A member that cannot go on says so; none panics.

use super::Parts;
use crate::rig::{ME, Rig, message, request};
use raft::eraftpb::{ConfState, Entry, Message, MessageType};
use ribbit_db::DbError;
use ribbit_replica::{Input, Output, convert};

/// More show nothing new, and take long.
const TURNS_MAX: usize = 48;

const KINDS: &[MessageType] = &[
    MessageType::MsgAppend,
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
    MessageType::MsgReadIndexResp,
    MessageType::MsgTransferLeader,
    MessageType::MsgPropose,
    MessageType::MsgUnreachable,
    MessageType::MsgHup,
];

pub fn run(data: &[u8]) {
    // The same as on the wire, without a member.
    if let Some(message) = convert::message_from_bytes(&data.to_vec().into()) {
        let again = convert::message_from_bytes(&convert::message_to_bytes(&message).into());
        assert_eq!(again, Some(message));
    }
    let mut parts = Parts(data);
    let mut rig = member(&mut parts);
    for _ in 0..TURNS_MAX {
        if parts.is_empty() || !turn(&mut parts, &mut rig) {
            return;
        }
    }
}

fn member(parts: &mut Parts) -> Rig {
    let kind = parts.byte();
    let mut rig = match kind % 4 {
        0 => Rig::founded(&[1, 2], &[3]),
        1 => Rig::founded(&[2, 3], &[ME]),
        _ => Rig::founded(&[1, 2, 3], &[4]),
    };
    if kind % 4 != 1 && kind & 4 != 0 {
        rig.elect(&[2, 3]);
        for number in 0..u128::from(kind >> 5) {
            rig.feed(Input::Request { request: request(number), ticks: 1_000 });
        }
    }
    rig
}

/// Returns true if the member continues: it has no snapshot to install and has reported no failure.
fn turn(parts: &mut Parts, rig: &mut Rig) -> bool {
    let outputs = match parts.byte() % 8 {
        0 => rig.tick(),
        1 => match store(rig) {
            Some(outputs) => outputs,
            None => return false,
        },
        2 => {
            let from = u64::from(parts.byte() % 6);
            let bytes = parts.part();
            let Some(message) = convert::message_from_bytes(&bytes.to_vec().into()) else { return true };
            rig.feed(Input::Message { from, message })
        }
        _ => {
            let message = near(parts, rig);
            rig.feed(Input::Message { from: message.from, message })
        }
    };
    let installs = rig.waiting.iter().any(|job| job.install.is_some());
    !installs
        && !outputs
            .iter()
            .any(|output| matches!(output, Output::Fatal(_) | Output::Lost(_) | Output::Fork(_)))
}

/// Runs the jobs of the disk. Returns `None` if the group has committed an entry that is not a command: only a leader with the
/// cluster's key can cause that, and the member ends with a message.
fn store(rig: &mut Rig) -> Option<Vec<Output>> {
    let mut outputs = Vec::new();
    while !rig.waiting.is_empty() {
        let jobs = std::mem::take(&mut rig.waiting);
        let done = match rig.writer.apply(&jobs) {
            Ok(done) => done,
            Err(DbError::TooNew(_)) => return None,
            Err(error) => panic!("a good disk: {error}"),
        };
        outputs.extend(rig.feed(Input::Applied(done)));
        let done = rig.writer.append(jobs).expect("a good disk");
        outputs.extend(rig.feed(Input::Stored(done)));
    }
    Some(outputs)
}

/// A number near another: what is odd lies at the edges.
fn number(parts: &mut Parts, around: u64) -> u64 {
    match parts.byte() {
        byte @ 0..=63 => around.saturating_add(u64::from(byte)),
        byte @ 64..=127 => around.saturating_sub(u64::from(byte - 63)),
        byte @ 128..=191 => u64::from(byte - 128),
        byte @ 192..=223 => u64::MAX - u64::from(byte - 192),
        _ => u64::from(parts.number()) << 16,
    }
}

fn near(parts: &mut Parts, rig: &Rig) -> Message {
    let (term, last) = (rig.core.status().term, rig.core.status().last);
    let kind = *parts.of(KINDS);
    let flags = parts.byte();
    let mut message = message(kind, 2 + u64::from(flags % 4));
    message.term = number(parts, term);
    message.index = number(parts, last);
    message.log_term = number(parts, term);
    message.commit = number(parts, last);
    message.commit_term = number(parts, term);
    message.reject = flags & 4 != 0;
    message.reject_hint = number(parts, last);
    if flags & 8 != 0 {
        message.request_snapshot = number(parts, last);
        message.priority = i64::from(parts.byte());
    }
    if flags & 16 != 0 {
        message.context = b"CampaignTransfer".to_vec().into();
    }
    for at in 0..parts.byte() % 4 {
        let mut entry = Entry::new();
        entry.index = match parts.byte() % 8 {
            0 => number(parts, last),
            _ => message.index.wrapping_add(1 + u64::from(at)),
        };
        entry.term = number(parts, message.log_term);
        entry.data = parts.part().to_vec().into();
        message.entries.push(entry);
    }
    if kind == MessageType::MsgSnapshot || flags & 32 != 0 {
        let mut ids = || {
            let count = parts.byte() % 4;
            (0..count).map(|_| u64::from(parts.byte() % 6)).collect::<Vec<u64>>()
        };
        let mut state = ConfState::new();
        (state.voters, state.learners) = (ids(), ids());
        (state.voters_outgoing, state.learners_next) = (ids(), ids());
        state.auto_leave = flags & 64 != 0;
        let (index, term) = (number(parts, last), number(parts, term));
        let metadata = message.mut_snapshot().mut_metadata();
        (metadata.index, metadata.term) = (index, term);
        *metadata.mut_conf_state() = state;
    }
    message
}
