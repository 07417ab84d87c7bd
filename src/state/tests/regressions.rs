//! Regression tests: faults that were found, and cases that are easy to get wrong.

use super::*;
use crate::code::Code;
use crate::command::{HOME_REGION, NewMember, Role};
use crate::ids::{HistoryId, KeyId};
use crate::limits::{ADDRESS_BYTES_MAX, PEOPLE_PAGE_MAX, SESSION_AGE_MS_MAX};
use crate::rows::{Accounts, Credential, Followers, Friends, Order, Requests, books};

fn friends_page(log: &Log, username: &str, after: Option<AccountId>) -> (usize, Option<AccountId>) {
    match log.model.answer(&Query::Friends { session: token(username), after }) {
        Ok(Page::Friends { friends, more, .. }) => (friends.len(), more),
        other => panic!("{other:?}"),
    }
}

/// `after` comes from the client: the largest number must not overflow.
#[test]
fn a_friends_page_after_the_last_possible_account_is_empty() {
    let mut log = Log::small();
    log.person("ada");
    log.person("bob");
    log.befriend("ada", "bob").unwrap();
    assert_eq!(friends_page(&log, "ada", Some(AccountId(u64::MAX))), (0, None));
}

#[test]
fn a_full_last_page_of_friends_promises_no_other() {
    let mut log = Log::new(Model::new());
    log.person("ada");
    for n in 0..PEOPLE_PAGE_MAX {
        let name = format!("friend-{n}");
        log.person(&name);
        log.befriend("ada", &name).unwrap();
    }
    assert_eq!(friends_page(&log, "ada", None), (PEOPLE_PAGE_MAX, None));
    log.person("zoe");
    log.befriend("ada", "zoe").unwrap();
    let (first, more) = friends_page(&log, "ada", None);
    assert_eq!((first, friends_page(&log, "ada", more)), (PEOPLE_PAGE_MAX, (1, None)));
    // Deleted friends that are not swept yet must not lead to an empty last page.
    log.delete("zoe");
    assert_eq!(friends_page(&log, "ada", None), (PEOPLE_PAGE_MAX, None));
}

#[test]
fn a_session_ends_at_its_age_and_not_after() {
    let mut log = Log::small();
    log.age_ms = 5;
    log.person("ada");
    log.age_ms = 5 + SESSION_AGE_MS_MAX - 1;
    log.croak("ada", "still here");
    log.age_ms += 1;
    let outcome = log.run(Command::croak(token("ada"), "too late"));
    assert_eq!(outcome.unwrap_err().code, Code::NotLoggedIn);
}

/// Such a request would be applied again after the window has moved on, because its age cannot be judged.
#[test]
fn a_request_submitted_after_its_own_entry_is_of_another_history() {
    let mut log = Log::small();
    let mut request = log.request(create("ada"));
    request.submitted_at = 1;
    assert_eq!(log.propose(request).unwrap_err().code, Code::OutcomeUnknown);
}

/// After a burst has filled the window it must shrink again, or a board keeps the memory for good.
#[test]
fn the_window_shrinks_after_a_burst() {
    let mut log = Log::small();
    for _ in 1..SMALL.dedup_requests_max {
        log.idle();
    }
    assert_eq!(table::<Requests>(&log.model).len(), SMALL.dedup_requests_max - 1);
    for _ in 0..SMALL.dedup_requests_max {
        log.age_ms += SMALL.dedup_age_ms;
        log.idle();
    }
    let left = table::<Requests>(&log.model).len();
    assert!(
        (SMALL.dedup_requests_min..SMALL.dedup_requests_min + 2 * SMALL.expire_step).contains(&left),
        "{left}"
    );
}

#[test]
fn the_window_never_exceeds_its_maximum() {
    let mut log = Log::small();
    for _ in 0..5 * SMALL.dedup_requests_max {
        log.idle();
        assert!(log.model.window_len() <= SMALL.dedup_requests_max);
    }
}

fn member(id: u32, address: &str) -> NewMember {
    NewMember {
        role: Role::Backend,
        id,
        address: address.into(),
        machine: String::new(),
        rules_level: 1,
        key: KeyId::default(),
    }
}

fn found(log: &mut Log, address: &str) -> Outcome {
    log.run(Command::FoundCluster { history: HistoryId(7), member: member(1, address) })
}

#[test]
fn founding_checks_what_joining_checks() {
    let mut log = Log::small();
    let outcome = found(&mut log, &"a".repeat(ADDRESS_BYTES_MAX + 1));
    assert_eq!(outcome.unwrap_err().code, Code::InvalidEntry);
    found(&mut log, "here:1").unwrap();
}

/// The rule and the expiry of requests both change the bookkeeping row in one command: the row that wins has both changes.
#[test]
fn a_join_that_expires_requests_keeps_both_changes() {
    let mut log = Log::small();
    found(&mut log, "here:1").unwrap();
    while log.model.window_len() + 1 < SMALL.dedup_requests_min + SMALL.expire_step {
        log.age_ms += SMALL.dedup_age_ms;
        log.idle();
    }
    assert_eq!(books(&log.model).unwrap().expired_through, 0);
    log.run(Command::Join { region: HOME_REGION, member: member(2, "there:1") }).unwrap();
    let books = books(&log.model).unwrap();
    assert_eq!((books.next_raft_id, books.history), (3, 7));
    assert_eq!(books.expired_through, SMALL.expire_step as LogIndex);
}

/// The row that marks a deleted account contains none of the texts that the person entered.
#[test]
fn the_mark_of_a_deleted_account_holds_nothing_personal() {
    let mut log = Log::small();
    let ada = log.person("ada");
    log.delete("ada");
    let rows = scan::<Accounts, _>(&log.model, &ada, &AccountId(u64::MAX), Order::OldestFirst, 1).unwrap();
    let mark = &rows[0].1;
    assert!(mark.deleted);
    assert_eq!([&mark.username, &mark.name, &mark.email], [""; 3]);
    assert_eq!(mark.credential, Credential::Nothing);
}

/// Unswept croaks of a deleted author must neither slow down a page of others' older croaks nor hide them.
#[test]
fn a_deleted_friends_croaks_do_not_hide_older_ones() {
    let mut log = Log::small();
    log.person("ada");
    log.person("bob");
    log.befriend("ada", "bob").unwrap();
    let first = log.croak("ada", "first");
    for _ in 0..20 {
        log.croak("bob", "noise");
    }
    log.steps(&Command::IndexCroaks);
    log.delete("bob");
    assert_eq!(log.feed("ada", None, 1), (vec![first], None));
}

/// Both accounts are deleted and their sweeps interleave: no row of either is left, and both sweeps end.
#[test]
fn two_mutual_friends_can_be_swept_at_once() {
    let mut log = Log::small();
    let (ada, bob) = (log.person("ada"), log.person("bob"));
    log.befriend("ada", "bob").unwrap();
    log.befriend("bob", "ada").unwrap();
    log.delete("ada");
    log.delete("bob");
    for _ in 0..4 {
        log.run(Command::Sweep { account: ada }).unwrap();
        log.run(Command::Sweep { account: bob }).unwrap();
    }
    assert_eq!(log.run(Command::Sweep { account: ada }), Ok(Reply::Stepped { more: false }));
    assert!(table::<Friends>(&log.model).is_empty() && table::<Followers>(&log.model).is_empty());
}
