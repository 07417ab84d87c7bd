//! Croaks, profiles and people that a client names, many at once, and the croaks that it likes.

use super::people;
use super::shown;
use crate::caches::ring::RingView;
use crate::ids::{AccountId, LogIndex};
use crate::lookup::{live_account, named, person_of};
use crate::query::{Page, Person};
use crate::rows::{LikedBy, Order, View, scan};
use crate::visibility::Reader;

/// Answers `Query::Croaks`.
pub(crate) fn croaks<V: View>(view: &V, me: AccountId, ids: &[LogIndex]) -> Result<Page, V::Error> {
    let mut reader = Reader::new(view, me);
    let mut croaks = Vec::with_capacity(ids.len());
    for id in ids {
        croaks.extend(shown::entry(&mut reader, *id)?);
    }
    Ok(Page::Croaks(croaks))
}

/// Answers `Query::Profiles`.
pub(crate) fn profiles<V: View>(
    view: &V,
    ring: RingView<'_>,
    me: Person,
    accounts: &[AccountId],
) -> Result<Page, V::Error> {
    let mut profiles = Vec::with_capacity(accounts.len());
    for account in accounts {
        let Some(row) = live_account(view, *account)? else { continue };
        let person = person_of(*account, &row);
        let relation = people::relation(view, me.account, person)?;
        let (profile, _) = people::described(view, ring, relation, row.created_wall_ms)?;
        profiles.push(profile);
    }
    Ok(Page::Profiles { me, profiles })
}

/// Answers `Query::Persons`.
pub(crate) fn persons<V: View>(view: &V, me: AccountId, usernames: &[String]) -> Result<Page, V::Error> {
    let mut reader = Reader::new(view, me);
    let mut persons = Vec::with_capacity(usernames.len());
    for username in usernames {
        if let Ok((account, _)) = named(view, username)? {
            persons.extend(reader.person(account)?);
        }
    }
    Ok(Page::Persons(persons))
}

/// Answers `Query::Liked`. Croaks that the reader may no longer see are skipped, so a page is full whenever there are enough to
/// fill it.
pub(crate) fn liked<V: View>(view: &V, me: Person, before: LogIndex, limit: usize) -> Result<Page, V::Error> {
    let mut reader = Reader::new(view, me.account);
    let (mut croaks, mut to, wanted) = (Vec::new(), before, limit + 1);
    while croaks.len() < wanted {
        let (from, until) = ((me.account, 0), (me.account, to));
        let rows = scan::<LikedBy, V>(view, &from, &until, Order::NewestFirst, wanted)?;
        let all = rows.len() < wanted;
        for ((_, croak), _) in rows {
            to = croak;
            croaks.extend(shown::entry(&mut reader, croak)?);
        }
        if all {
            break;
        }
    }
    let older = (croaks.len() > limit).then(|| croaks[limit - 1].id);
    croaks.truncate(limit);
    Ok(Page::Liked { me, croaks, older })
}
