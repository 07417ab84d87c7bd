//! Tests of the soak test's checker, and one minute of the soak test itself (ignored by default: it takes long, and as root it
//! creates network namespaces). The long run is examples/soak.

use ribbit_state::{Code, LogIndex};
use std::fs::File;
use std::io::BufWriter;
use std::process::Command;
use std::time::Duration;
use testkit::history::{History, Kind, Outcome};

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

#[test]
#[ignore = "takes a minute and a half"]
fn a_minute_of_it_holds() {
    let own = std::env::current_exe().unwrap();
    let soak = own.ancestors().nth(2).unwrap().join("examples/soak");
    let binary = env!("CARGO_BIN_EXE_ribbit");
    let ended = Command::new(soak).args(["--minutes", "1", "--seed", "7", "--binary", binary]).status();
    assert!(ended.unwrap().success());
}
