//! Requests that name croaks and people, many at once, at and beyond their bounds.

use super::table::{Expected, NUMBERS, RequestTable, SESSION, is_username, read};
use ribbit_net::frame::Plane;
use ribbit_net::protocol::Ask;
use ribbit_state::limits::{CROAKS_NAMED_MAX, PERSONS_NAMED_MAX, PROFILES_NAMED_MAX, USERNAME_CHARS_MAX};
use ribbit_state::query::FollowSide;
use ribbit_state::*;

/// Returns the requests, as the table of requests does.
pub(super) fn table() -> Vec<(Plane, Ask, Expected)> {
    let (session, mut table) = (SESSION, RequestTable(Vec::new()));
    for number in NUMBERS {
        let (before, limit, account) = (Some(number), number as u16, AccountId(number));
        for side in [FollowSide::Followed, FollowSide::Followers] {
            table.query(Query::FollowsOf { session, username: "ada".into(), side, after: Some(account) });
        }
        table.query(Query::Croaks { session, ids: vec![number; CROAKS_NAMED_MAX] });
        table.query(Query::Profiles { session, accounts: vec![account; PROFILES_NAMED_MAX] });
        table.query(Query::Liked { session, before, limit });
    }
    table.query(Query::Persons { session, usernames: vec!["nobody".into(); PERSONS_NAMED_MAX] });
    let invalid = |field: Option<Field>| Expected::Refused(Denied { code: Code::InvalidEntry, field });
    for query in [
        Query::Croaks { session, ids: vec![1; CROAKS_NAMED_MAX + 1] },
        Query::Profiles { session, accounts: vec![AccountId(1); PROFILES_NAMED_MAX + 1] },
        Query::Persons { session, usernames: vec!["ada".into(); PERSONS_NAMED_MAX + 1] },
    ] {
        table.0.push((Plane::Client, read(query), invalid(None)));
    }
    let username = Denied::of(Code::InvalidEntry, Field::Username);
    table.text(Plane::Client, USERNAME_CHARS_MAX, is_username, username, |username| {
        read(Query::Persons { session, usernames: vec!["ada".into(), username] })
    });
    table.0
}
