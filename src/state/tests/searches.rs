//! Searches give the same answers with the index and without it.

use super::{Log, token};
use crate::code::{Code, Field};
use crate::ids::LogIndex;
use crate::model::Model;
use crate::query::{Found, Page, Query};

/// Searches page by page, and returns the ids of all croaks found.
fn all_found(log: &Log, words: &str, limit: u16) -> Vec<LogIndex> {
    let (mut before, mut ids) = (None, Vec::new());
    loop {
        let query = Query::Search { session: token("ada"), words: words.into(), before, limit };
        let Ok(Page::Found(page)) = log.model.answer(&query) else { panic!("ada is logged in") };
        let Found { croaks, older, .. } = *page;
        ids.extend(croaks.iter().map(|croak| croak.id));
        match older {
            Some(older) => before = Some(older),
            None => return ids,
        }
    }
}

#[test]
fn the_index_changes_no_answer() {
    let mut log = Log::new(Model::new());
    log.person("ada");
    log.person("bob");
    let mut expected: [Vec<LogIndex>; 4] = Default::default();
    let searches = ["rare", "every thir", "#tag7", "croak 1"];
    for number in 0..700 {
        let mut text = format!("Croak {number}");
        if number % 3 == 0 {
            text += " every THÍRD";
        }
        if number % 7 == 0 {
            text += " #tag7";
        }
        if [5, 300, 699].contains(&number) {
            text += " rarely";
        }
        let id = log.croak(if number % 2 == 0 { "ada" } else { "bob" }, &text);
        let matches =
            [text.contains("rare"), number % 3 == 0, number % 7 == 0, number.to_string().starts_with('1')];
        expected
            .iter_mut()
            .zip(matches)
            .filter(|(_, matches)| *matches)
            .for_each(|(ids, _)| ids.insert(0, id));
    }
    for limit in [1, 50] {
        for (words, ids) in searches.iter().zip(&expected) {
            assert_eq!(all_found(&log, words, limit), *ids, "{words} without the index");
        }
    }
    log.model.extend_search();
    for number in 0..70 {
        // New croaks, some of them not covered.
        let id = log.croak("bob", &format!("Later {number} rarest"));
        expected[0].insert(0, id);
        if number == 66 {
            log.model.extend_search();
        }
    }
    for limit in [1, 50] {
        for (words, ids) in searches.iter().zip(&expected) {
            assert_eq!(all_found(&log, words, limit), *ids, "{words} with the index");
        }
    }
    log.delete("bob");
    // Ada wrote the croaks with even numbers. The first croak has the id of those that follow the accounts and sessions.
    let first = expected[3].last().expect("croak 1") - 1;
    let left: Vec<LogIndex> =
        expected[1].iter().copied().filter(|id| (id - first).is_multiple_of(2)).collect();
    assert_eq!(all_found(&log, "every third", 50), left);
}

#[test]
fn what_is_no_search_is_refused() {
    let mut log = Log::new(Model::new());
    log.person("ada");
    for words in ["", "  ", "!?", "a b c d e f g h i"] {
        let query = Query::Search { session: token("ada"), words: words.into(), before: None, limit: 10 };
        let denied = log.model.answer(&query).unwrap_err();
        assert_eq!((denied.code, denied.field), (Code::InvalidEntry, Some(Field::Search)), "{words:?}");
    }
}
