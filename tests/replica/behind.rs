//! A follower that is far behind needs entries that only the disk has, and the disk takes its time.

use crate::rig::{Rig, message, request, sent};
use raft::eraftpb::MessageType;
use ribbit_replica::{Fetch, Fetched, Input, Output};

/// A leader of three that keeps nothing in memory but what is not applied; 2 follows, 3 has nothing but the first entry.
/// Answers it with what is asked of the disk.
fn leader_with_a_straggler() -> (Rig, Fetch) {
    let mut rig = Rig::founded(&[1, 2, 3], &[]);
    rig.core.set_tail_bytes_max(0);
    rig.elect(&[2, 3]);
    let mut fetches = Vec::new();
    let mut outputs = rig.store();
    for number in 0..40 {
        outputs.extend(rig.feed(Input::Request { request: request(number), ticks: 1_000 }));
        outputs.extend(rig.store());
        answer(&mut rig, std::mem::take(&mut outputs), &mut fetches);
    }
    for _ in 0..20 {
        outputs = rig.tick();
        answer(&mut rig, outputs, &mut fetches);
    }
    assert_eq!(rig.core.status().applied, rig.core.status().last);
    assert_eq!(fetches.len(), 1, "the same is not asked for twice: {fetches:?}");
    (rig, fetches[0])
}

/// 2 takes everything; 3 is there, but nothing that was sent to it arrives.
fn answer(rig: &mut Rig, mut outputs: Vec<Output>, fetches: &mut Vec<Fetch>) {
    while let Some(output) = outputs.pop() {
        if let Output::Fetch(fetch) = output {
            fetches.push(fetch);
        }
        let Output::Send(sent) = output else { continue };
        let kind = match sent.msg_type() {
            MessageType::MsgAppend => MessageType::MsgAppendResponse,
            MessageType::MsgHeartbeat => MessageType::MsgHeartbeatResponse,
            _ => continue,
        };
        let mut back = message(kind, sent.to);
        back.term = sent.term;
        back.index = sent.index + sent.entries.len() as u64;
        if sent.to == 3 && kind == MessageType::MsgAppendResponse {
            continue;
        }
        outputs.extend(rig.feed(Input::Message { from: sent.to, message: back }));
        outputs.extend(rig.store());
    }
}

#[test]
fn a_leader_goes_on_while_its_disk_does_not_answer() {
    let (mut rig, fetch) = leader_with_a_straggler();
    let term = rig.core.status().term;
    let (mut beats, mut fetches) = (0, Vec::new());
    // Three seconds.
    for _ in 0..120 {
        let outputs = rig.tick();
        beats += sent(&outputs).filter(|it| it.msg_type() == MessageType::MsgHeartbeat && it.to == 3).count();
        answer(&mut rig, outputs, &mut fetches);
    }
    let status = rig.core.status();
    assert!(status.leads && status.term == term);
    assert!(beats >= 39, "{beats} heartbeats");
    assert_eq!(fetches, [], "it is on its way already");
    let entries =
        rig.writer.store().reader().entries(fetch.low, fetch.high, fetch.bytes_max).expect("a good disk");
    let outputs = rig.feed(Input::Fetched(Fetched { low: fetch.low, entries }));
    let append = sent(&outputs).find(|it| it.to == 3).expect("3 is sent what it needs");
    assert_eq!((append.index, append.entries[0].index), (1, 2));
    answer(&mut rig, outputs, &mut fetches);
}

/// Found by the soak: a member that had been cut off took a hundred megabytes, a hundred times the same entries.
#[test]
fn heartbeats_that_are_answered_all_at_once_bring_entries_once() {
    let mut rig = Rig::founded(&[1, 2, 3], &[]);
    rig.elect(&[2, 3]);
    let mut outputs = rig.store();
    for number in 0..40 {
        outputs.extend(rig.feed(Input::Request { request: request(number), ticks: 1_000 }));
        outputs.extend(rig.store());
        answer(&mut rig, std::mem::take(&mut outputs), &mut Vec::new());
    }
    let term = rig.core.status().term;
    let entries_sent = |rig: &mut Rig| {
        let mut count = 0;
        for _ in 0..100 {
            let mut back = message(MessageType::MsgHeartbeatResponse, 3);
            back.term = term;
            let outputs = rig.feed(Input::Message { from: 3, message: back });
            count += sent(&outputs).filter(|it| it.to == 3 && !it.entries.is_empty()).count();
        }
        count
    };
    assert!(entries_sent(&mut rig) <= 1);
    (0..7).for_each(|_| drop(rig.tick()));
    assert_eq!(entries_sent(&mut rig), 1, "what may have been lost is sent again");
}

#[test]
fn what_comes_back_too_late_does_no_harm() {
    let (mut rig, fetch) = leader_with_a_straggler();
    let entries =
        rig.writer.store().reader().entries(fetch.low, fetch.high, fetch.bytes_max).expect("a good disk");
    // Another leads by now.
    let mut beat = message(MessageType::MsgHeartbeat, 2);
    beat.term = rig.core.status().term + 1;
    rig.feed(Input::Message { from: 2, message: beat });
    rig.store();
    let outputs = rig.feed(Input::Fetched(Fetched { low: fetch.low, entries }));
    assert_eq!(sent(&outputs).count(), 0);
    // It leads again, and what it reads was cut off meanwhile: nothing to send, and it is asked for again.
    rig.elect(&[2, 3]);
    let mut fetches = Vec::new();
    for _ in 0..20 {
        let outputs = rig.tick();
        answer(&mut rig, outputs, &mut fetches);
    }
    rig.feed(Input::Fetched(Fetched { low: fetch.low, entries: Vec::new() }));
    for _ in 0..20 {
        let outputs = rig.tick();
        answer(&mut rig, outputs, &mut fetches);
    }
    assert!(rig.core.status().leads);
}
