//! Handover of leadership, also under load; and a leader that is removed from the cluster.

use protobuf::Message as _;
use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2, Entry, EntryType, MessageType};
use ribbit_replica::Input;
use ribbit_state::rows::{Member, Standing};
use ribbit_state::{RaftId, Role};
use testkit::rig::{ME, Rig, message, request, sent};

fn backend(raft_id: RaftId) -> (RaftId, Member) {
    let (address, machine) = (String::new(), String::new());
    let (id, standing) = (u32::try_from(raft_id).expect("small"), Standing::Wanted);
    (
        raft_id,
        Member {
            role: Role::Backend,
            id,
            address,
            machine,
            rules_level: 1,
            standing,
            region: 1,
            key: Default::default(),
        },
    )
}

fn acknowledge(rig: &mut Rig, from: RaftId, index: u64) -> Vec<u64> {
    let mut answer = message(MessageType::MsgAppendResponse, from);
    (answer.term, answer.index) = (rig.core.status().term, index);
    let mut outputs = rig.feed(Input::Message { from, message: answer });
    outputs.extend(rig.store());
    let told = sent(&outputs).filter(|message| message.msg_type() == MessageType::MsgTimeoutNow);
    told.map(|message| message.to).collect()
}

#[test]
fn leadership_goes_to_the_longest_log_once_it_is_complete() {
    let mut rig = Rig::among(&[ME, 2, 3], &[], vec![backend(ME), backend(2), backend(3)]);
    rig.elect(&[2, 3]);
    rig.store();
    let last = rig.core.status().last;
    acknowledge(&mut rig, 2, last);
    acknowledge(&mut rig, 3, last);
    // Under load no follower has acknowledged the newest entries.
    for number in 1..=3 {
        rig.feed(Input::Request { request: request(number), ticks: 100 });
    }
    rig.store();
    let last = rig.core.status().last;
    assert!(acknowledge(&mut rig, 3, last - 1).is_empty());
    rig.feed(Input::HandOver);
    // Nothing is appended meanwhile, and the first member to acknowledge is not the chosen one.
    rig.feed(Input::Request { request: request(4), ticks: 100 });
    rig.store();
    assert_eq!(rig.core.status().last, last);
    assert!(acknowledge(&mut rig, 2, last).is_empty());
    assert_eq!(acknowledge(&mut rig, 3, last), [3]);
}

/// Returns an entry that removes this member from the configuration.
fn removal() -> Entry {
    let mut remove = ConfChangeSingle::new();
    remove.set_change_type(ConfChangeType::RemoveNode);
    remove.node_id = ME;
    let mut change = ConfChangeV2::new();
    change.changes.push(remove);
    let mut entry = Entry { index: 2, term: 2, ..Entry::default() };
    entry.set_entry_type(EntryType::EntryConfChangeV2);
    entry.data = change.write_to_bytes().expect("plain data").into();
    entry
}

#[test]
fn a_leader_that_commits_its_own_removal_steps_down() {
    let mut rig = Rig::founded(&[ME, 2, 3], &[]);
    let mut append = message(MessageType::MsgAppend, 2);
    (append.term, append.index, append.log_term) = (2, 1, 1);
    append.entries.push(removal());
    rig.feed(Input::Message { from: 2, message: append });
    rig.store();
    rig.elect(&[2, 3]);
    rig.store();
    let last = rig.core.status().last;
    acknowledge(&mut rig, 2, last);
    rig.store();
    let status = rig.core.status();
    assert_eq!(status.configuration.voters, [2, 3]);
    assert!(!status.leads);
    // Its entries become durable, and are acknowledged, after that as well.
    acknowledge(&mut rig, 3, last);
    (0..100).for_each(|_| drop(rig.tick()));
    assert!(!rig.core.status().leads);
}
