//! Tests of the soak test's checker, and one minute of the soak test itself (ignored by default: it takes long, and as root it
//! creates network namespaces). The long run is examples/soak.

use ribbit_state::{Code, LogIndex};
use std::fs::File;
use std::io::BufWriter;
use std::process::Command;
use std::time::Duration;
use testkit::history::{History, Kind, Outcome};
use testkit::linearizability::{
    ListOp, ListSpec, LockedFileOp, LockedFileSpec, Record, RegisterOp, RegisterSpec, SetOp, SetSpec, check,
};
use todc_utils::specifications::Specification;

/// Returns the history of one writer: the first croak was acknowledged as 5, the second as 9, the third was refused and the
/// fourth is undecided.
fn history(folder: &tempfile::TempDir) -> History {
    let mut history = History::new(1, BufWriter::new(File::create(folder.path().join("history")).unwrap()));
    let outcomes = [
        Outcome::Acknowledged(5, 1),
        Outcome::Acknowledged(9, 2),
        Outcome::Refused(Code::MailboxFull),
        Outcome::Undecided,
    ];
    for (number, outcome) in (1..).zip(outcomes) {
        history.add(0, number, Kind::Croak, outcome, Duration::from_millis(1));
    }
    history
}

/// Runs the checker on croaks given by id and number, and returns its findings.
fn said(found: &[(LogIndex, u32)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut history = history(&folder);
    let found: Vec<(LogIndex, String)> =
        found.iter().map(|(id, number)| (*id, History::text(0, *number, Kind::Croak))).collect();
    history.found(0, Kind::Croak, &found);
    history.wrong().to_vec()
}

#[test]
fn what_is_as_it_was_answered_is_fine() {
    assert_eq!(said(&[(5, 1), (9, 2)]), [] as [&str; 0]);
    assert_eq!(
        said(&[(5, 1), (9, 2), (12, 4)]),
        [] as [&str; 0],
        "an undecided croak may exist once or not at all"
    );
}

#[test]
fn what_is_lost_doubled_moved_or_made_up_is_noticed() {
    for (found, word) in [
        (vec![(5, 1)], "is lost"),
        (vec![(5, 1), (8, 2)], "is lost"),
        (vec![(5, 1), (9, 2), (11, 2)], "there twice"),
        (vec![(5, 1), (9, 2), (11, 4), (12, 4)], "there twice"),
        (vec![(5, 2), (9, 1)], "is another"),
        (vec![(4, 4), (5, 1), (9, 2)], "stands behind"),
        (vec![(5, 1), (9, 2), (11, 3)], "was refused and is there"),
    ] {
        let said = said(&found);
        assert!(said.iter().any(|what| what.contains(word)), "{found:?}: {said:?}");
    }
}

#[test]
fn a_session_that_travels_back_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut history = history(&folder);
    assert_eq!(history.newest_croak(0), Some(9));
    history.looked(0, 9, 9);
    assert!(history.wrong().is_empty());
    history.looked(0, 9, 5);
    assert_eq!(history.wrong().len(), 1);
}

/// Returns whether operations, each answered before the next is called, are linearizable.
fn in_turn<S: Specification<Operation: Send + 'static>>(operations: &[S::Operation]) -> bool {
    let mut record = Record::default();
    for operation in operations {
        let call = record.call(Some(operation.clone()));
        record.answer(call, operation.clone());
    }
    check::<S>(&record).is_ok()
}

#[test]
fn a_stale_read_and_a_lost_write_are_refused() {
    use RegisterOp::{Read, Write};
    assert!(in_turn::<RegisterSpec>(&[Read(None), Write(1), Read(Some(1)), Write(2), Read(Some(2))]));
    assert!(!in_turn::<RegisterSpec>(&[Write(1), Write(2), Read(Some(1))]), "a stale read");
    assert!(!in_turn::<RegisterSpec>(&[Write(1), Read(None)]), "a lost write");
    assert!(in_turn::<ListSpec>(&[ListOp::Append(1), ListOp::Append(2), ListOp::Read(vec![1, 2])]));
    assert!(!in_turn::<ListSpec>(&[ListOp::Append(1), ListOp::Append(2), ListOp::Read(vec![2])]));
    assert!(!in_turn::<ListSpec>(&[ListOp::Append(1), ListOp::Append(2), ListOp::Read(vec![2, 1])]));
    assert!(in_turn::<SetSpec>(&[SetOp::Add(1), SetOp::Read(2), SetOp::Remove(1), SetOp::Read(0)]));
    assert!(!in_turn::<SetSpec>(&[SetOp::Add(1), SetOp::Remove(1), SetOp::Read(2)]));
}

#[test]
fn two_holders_of_a_lock_and_a_write_under_an_old_token_are_refused() {
    use LockedFileOp::{Acquired, Held, Read, Release, Write};
    let (first, second) = (Acquired { client: 0, fence: 5 }, Acquired { client: 1, fence: 9 });
    let released = Release { client: 0, took: Some(true) };
    assert!(in_turn::<LockedFileSpec>(&[first, Held { client: 1 }, released, second]));
    assert!(!in_turn::<LockedFileSpec>(&[first, second]), "two holders");
    let smaller = Acquired { client: 1, fence: 4 };
    assert!(!in_turn::<LockedFileSpec>(&[first, released, smaller]), "a token that does not grow");
    let written = |took| Write { fence: 5, value: 1, took: Some(took) };
    assert!(in_turn::<LockedFileSpec>(&[first, written(true), Read(Some(1)), released, written(false)]));
    assert!(!in_turn::<LockedFileSpec>(&[first, released, second, written(true)]), "an old token");
    assert!(!in_turn::<LockedFileSpec>(&[first, written(false)]), "refused to the holder");
}

#[test]
fn a_write_without_an_answer_may_take_effect_late_or_never() {
    let mut record = Record::default();
    let read = |record: &mut Record<RegisterOp>, value| {
        let call = record.call(None);
        record.answer(call, RegisterOp::Read(value));
    };
    record.call(Some(RegisterOp::Write(1)));
    record.call(None);
    read(&mut record, None);
    assert!(check::<RegisterSpec>(&record).is_ok(), "never");
    read(&mut record, Some(1));
    assert!(check::<RegisterSpec>(&record).is_ok(), "late");
    assert_eq!((record.calls(), record.unanswered()), (4, 2));
    read(&mut record, None);
    assert!(check::<RegisterSpec>(&record).is_err(), "not for a while");
}

#[test]
#[ignore = "takes a minute and a half"]
fn a_minute_of_it_holds() {
    let own = std::env::current_exe().unwrap();
    let soak = own.ancestors().nth(2).unwrap().join("examples/soak");
    let binary = env!("CARGO_BIN_EXE_ribbit");
    let ended = Command::new(soak).args(["--minutes", "1", "--seed", "7", "--binary", binary]).status();
    assert!(ended.unwrap().success());
}
