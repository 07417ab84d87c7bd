//! A request deduplication window that is rebuilt from the rows in several steps.

use super::*;
use crate::dedup::DedupWindow;

/// More rows than three steps of a rebuild read.
const MANY: u64 = 3 * 1_024 + 7;

/// Returns a log with many croaks or many refused requests in its window.
fn filled(what: impl Fn(&mut Log)) -> Log {
    let mut log = Log::new(Model::default());
    log.person("ada");
    for _ in 0..MANY {
        log.age_ms += 1;
        what(&mut log);
    }
    log
}

/// Returns the position and the age of everything in a window.
fn contents(log: &Log) -> Vec<(Option<LogIndex>, usize, u64)> {
    let window = crate::dedup::WriteView::dedup_window(&log.model);
    let position = |id| (window.index_of(RequestId(id)), window.len(), window.age_ms());
    (0..=u128::from(log.index()) + 1).map(position).collect()
}

fn survives_a_rebuild(mut log: Log) {
    let before = contents(&log);
    assert_eq!(before[1..].iter().filter(|(index, ..)| index.is_some()).count() as u64, log.index());
    log.model.reopen();
    assert!(contents(&log) == before, "the window differs after it was rebuilt");
}

#[test]
fn a_window_of_many_croaks_is_rebuilt() {
    survives_a_rebuild(filled(|log| log.run(Command::croak(token("ada"), "rain")).map(drop).unwrap()));
}

#[test]
fn a_window_of_many_refusals_is_rebuilt() {
    survives_a_rebuild(filled(Log::idle));
}

#[test]
fn an_emptied_window_keeps_its_age_and_books() {
    let log = filled(|log| log.run(Command::croak(token("ada"), "rain")).map(drop).unwrap());
    let window = DedupWindow::load(&log.model).unwrap();
    let emptied = window.clone().emptied();
    assert!(emptied.is_empty() && !window.is_empty());
    assert_eq!((emptied.age_ms(), emptied.books()), (window.age_ms(), window.books()));
    assert_ne!(emptied.age_ms(), 0);
}
