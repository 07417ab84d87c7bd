//! A follower that lags far behind needs entries that are only on disk, and the disk is slow.

use raft::eraftpb::MessageType;
use ribbit_replica::{Fetch, Fetched, Input, Output};
use testkit::rig::{Rig, message, request, sent};

/// Returns a leader of three that keeps no applied entry in memory, with the read that it has requested from the disk.
/// Member 2 follows; member 3 has only the first entry.
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
    assert_eq!(fetches.len(), 1, "a read is requested once: {fetches:?}");
    (rig, fetches[0])
}

/// Plays the followers: 2 acknowledges everything; 3 answers heartbeats, but receives no entries.
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
fn a_leader_goes_on_while_a_read_from_its_disk_is_pending() {
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
    assert!(beats >= 29, "{beats} heartbeats");
    assert_eq!(fetches, [], "the read is under way already");
    let entries =
        rig.writer.store().reader().entries(fetch.low, fetch.high, fetch.bytes_max).expect("a good disk");
    let outputs = rig.feed(Input::Fetched(Fetched { low: fetch.low, entries }));
    let append = sent(&outputs).find(|it| it.to == 3).expect("3 is sent the entries that it needs");
    assert_eq!((append.index, append.entries[0].index), (1, 2));
    answer(&mut rig, outputs, &mut fetches);
}

/// Found by the soak test: after a partition, a member received a hundred megabytes, a hundred times the same entries.
#[test]
fn a_burst_of_heartbeat_responses_is_answered_with_entries_once() {
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
    (0..9).for_each(|_| drop(rig.tick()));
    assert_eq!(entries_sent(&mut rig), 1, "entries that may be lost are sent again");
}

#[test]
fn a_read_that_completes_after_a_change_of_leader_does_no_harm() {
    let (mut rig, fetch) = leader_with_a_straggler();
    let entries =
        rig.writer.store().reader().entries(fetch.low, fetch.high, fetch.bytes_max).expect("a good disk");
    // Another member leads by now.
    let mut beat = message(MessageType::MsgHeartbeat, 2);
    beat.term = rig.core.status().term + 1;
    rig.feed(Input::Message { from: 2, message: beat });
    rig.store();
    let outputs = rig.feed(Input::Fetched(Fetched { low: fetch.low, entries }));
    assert_eq!(sent(&outputs).count(), 0);
    // It leads again, and the entries of the read were truncated meanwhile: nothing is sent, and the read is repeated.
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
