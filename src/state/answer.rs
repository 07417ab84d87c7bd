//! Answers to queries, as pure functions over a view and the ring of newest croaks.

use super::code::{Code, Denied};
use super::ids::{AccountId, LogIndex, TokenHash};
use super::limits::{FEED_PAGE_MAX, LEASES_PAGE_MAX, PEOPLE_PAGE_MAX, TALK_PAGE_MAX, TALKS_PAGE_MAX};
use super::lookup::{person, session_account, settings};
use super::query::{FeedCroak, Page, Person, Query};
use super::ring::RingView;
use super::rows::{CroaksBy, Friends, Order, Owner, View, scan};
use super::{croaks, leases, listing, people, talks, tree};
use std::collections::{BTreeMap, BTreeSet};

/// Answers a query.
///
/// # Errors
/// The view's error: the store cannot be read. A refusal is the inner `Err`.
pub fn answer<V: View>(
    view: &V,
    ring: RingView<'_>,
    query: &Query,
) -> Result<Result<Page, Denied>, V::Error> {
    Ok(match query {
        Query::Position => Ok(Page::Position),
        Query::Tree { path, depth, after, limit } => {
            let listed = listing::list(view, path, *depth, after.as_ref(), usize::from(*limit))?;
            listed.map(|(entries, more)| Page::Tree { entries, more })
        }
        Query::Leases { after } => Ok(lease_page(view, *after)?),
        Query::Coordination => Ok(Page::Coordination(tree::coordination(view)?)),
        Query::Settings => Ok(Page::Settings(settings(view)?)),
        Query::Accounts { names, after } => people::accounts(view, names, after.as_deref())?,
        Query::Me { session }
        | Query::Feed { session, .. }
        | Query::Friends { session, .. }
        | Query::Croak { session, .. }
        | Query::Profile { session, .. }
        | Query::People { session, .. }
        | Query::Followers { session, .. }
        | Query::Chatting { session }
        | Query::Account { session }
        | Query::Sessions { session }
        | Query::Unread { session }
        | Query::Talks { session, .. }
        | Query::Talk { session, .. }
        | Query::Message { session, .. } => match owner(view, *session)? {
            Ok(me) => personal(view, ring, me, *session, query)?,
            Err(denied) => Err(denied),
        },
    })
}

/// Answers a query that needs a session.
fn personal<V: View>(
    view: &V,
    ring: RingView<'_>,
    me: Person,
    session: TokenHash,
    query: &Query,
) -> Result<Result<Page, Denied>, V::Error> {
    let page_len = |limit: u16, max: usize| usize::from(limit).clamp(1, max);
    let newest = |before: &Option<LogIndex>| before.unwrap_or(LogIndex::MAX);
    Ok(match query {
        Query::Feed { before, limit, .. } => {
            Ok(feed(view, ring, me, newest(before), page_len(*limit, FEED_PAGE_MAX))?)
        }
        Query::Friends { after, .. } => Ok(friends(view, me, *after)?),
        Query::Croak { id, .. } => croak(view, *id)?,
        Query::Profile { username, before, limit, .. } => {
            profile(view, ring, me, username, newest(before), page_len(*limit, FEED_PAGE_MAX))?
        }
        Query::People { names, after, .. } => people::named(view, me, names, after.as_deref())?,
        Query::Followers { after, .. } => Ok(people::followers(view, me, *after)?),
        Query::Chatting { .. } => Ok(people::chatting(view)?),
        Query::Account { .. } => people::own_account(view, me)?,
        Query::Sessions { .. } => Ok(people::sessions(view, &me, session)?),
        Query::Unread { .. } => Ok(Page::Unread(talks::unread(view, ring, &me)?)),
        Query::Talks { before, limit, .. } => {
            Ok(talks::list(view, me, newest(before), page_len(*limit, TALKS_PAGE_MAX))?)
        }
        Query::Talk { with, before, limit, .. } => {
            talks::talk(view, me, with, newest(before), page_len(*limit, TALK_PAGE_MAX))?
        }
        Query::Message { id, .. } => talks::message(view, &me, *id)?,
        _ => Ok(Page::Me(me)),
    })
}

/// Returns the owner of the session.
fn owner<V: View>(view: &V, session: TokenHash) -> Result<Result<Person, Denied>, V::Error> {
    let found = session_account(view, session, view.age_ms())?;
    let person = found.map(|(account, row)| Person { account, username: row.username, name: row.name });
    Ok(person.ok_or(Denied::new(Code::NotLoggedIn)))
}

/// Returns a page of leases without their tokens, which readers of the control plane must not learn.
fn lease_page<V: View>(view: &V, after: Option<Owner>) -> Result<Page, V::Error> {
    let mut leases = leases::page(view, after)?;
    leases.iter_mut().for_each(|(_, lease)| lease.token = None);
    let more = leases.last().filter(|_| leases.len() == LEASES_PAGE_MAX).map(|(owner, _)| *owner);
    Ok(Page::Leases { leases, more })
}

/// Returns one page of live accounts that `me` follows. Deleted accounts are skipped, so a page is full whenever there
/// are enough to fill it, and `more` is set only if another account follows.
fn friends<V: View>(view: &V, me: Person, after: Option<AccountId>) -> Result<Page, V::Error> {
    let mut friends = Vec::new();
    // `after` comes from the client and may be any number.
    let mut next = after.map_or(0, |account| account.0.saturating_add(1));
    // One row beyond the page tells if there is another page.
    let wanted = PEOPLE_PAGE_MAX + 1;
    while friends.len() < wanted {
        let (from, to) = ((me.account, next), (me.account, u64::MAX));
        let rows = scan::<Friends, V>(view, &from, &to, Order::OldestFirst, wanted)?;
        for ((_, friend), ()) in &rows {
            friends.extend(person(view, AccountId(*friend))?);
            next = friend + 1;
        }
        if rows.len() < wanted {
            break;
        }
    }
    let more = (friends.len() > PEOPLE_PAGE_MAX).then(|| friends[PEOPLE_PAGE_MAX - 1].account);
    friends.truncate(PEOPLE_PAGE_MAX);
    Ok(Page::Friends { me, friends, more })
}

/// Returns one page of the croaks of `me` and of the accounts they follow.
fn feed<V: View>(
    view: &V,
    ring: RingView<'_>,
    me: Person,
    before: LogIndex,
    limit: usize,
) -> Result<Page, V::Error> {
    let authors = people::feed_authors(view, me.account)?;
    let (croaks, older) = croaks_of(view, ring, authors, before, limit)?;
    Ok(Page::Feed { me, croaks, older })
}

fn profile<V: View>(
    view: &V,
    ring: RingView<'_>,
    me: Person,
    username: &str,
    before: LogIndex,
    limit: usize,
) -> Result<Result<Page, Denied>, V::Error> {
    let profile = match people::profile(view, &me, username)? {
        Ok(profile) => profile,
        Err(denied) => return Ok(Err(denied)),
    };
    let authors = BTreeSet::from([profile.relation.person.account]);
    let (croaks, older) = croaks_of(view, ring, authors, before, limit)?;
    Ok(Ok(Page::Profile { me, profile, croaks, older }))
}

fn croak<V: View>(view: &V, id: LogIndex) -> Result<Result<Page, Denied>, V::Error> {
    let no_such = Err(Denied::new(Code::NoSuchCroak));
    let Some(croak) = croaks::read(view, id)? else { return Ok(no_such) };
    let Some(author) = person(view, croak.author)? else { return Ok(no_such) };
    Ok(Ok(Page::Croak(FeedCroak { id, author, wall_ms: croak.wall_ms, text: croak.text })))
}

/// Returns one page of croaks: first from the ring, then from the index by author. Entries without a croak (its author
/// is deleted and not swept yet) are skipped, so a page is full whenever there are enough croaks to fill it.
fn croaks_of<V: View>(
    view: &V,
    ring: RingView<'_>,
    mut authors: BTreeSet<AccountId>,
    before: LogIndex,
    limit: usize,
) -> Result<(Vec<FeedCroak>, Option<LogIndex>), V::Error> {
    let mut page = FeedPage { view, people: BTreeMap::new(), croaks: Vec::new() };
    // One croak beyond the page tells if there is an older page.
    let wanted = limit + 1;
    let mut cursor = before;
    for (croak, author) in ring.before(before) {
        if page.croaks.len() == wanted {
            break;
        }
        if authors.contains(&author) {
            page.add(croak, author)?;
        }
        cursor = croak;
    }
    if page.croaks.len() < wanted {
        page.retain_live(&mut authors)?;
    }
    while page.croaks.len() < wanted {
        let older = indexed_before(view, &authors, cursor, wanted)?;
        let Some((oldest, _)) = older.last() else { break };
        cursor = *oldest;
        for (croak, author) in older {
            if page.croaks.len() < wanted {
                page.add(croak, author)?;
            }
        }
    }
    let mut croaks = page.croaks;
    let older = (croaks.len() > limit).then(|| croaks[limit - 1].id);
    croaks.truncate(limit);
    Ok((croaks, older))
}

/// Returns the newest `limit` indexed croaks of these authors before `before`, newest first.
fn indexed_before<V: View>(
    view: &V,
    authors: &BTreeSet<AccountId>,
    before: LogIndex,
    limit: usize,
) -> Result<Vec<(LogIndex, AccountId)>, V::Error> {
    let mut found = Vec::new();
    for author in authors {
        let rows = scan::<CroaksBy, V>(view, &(*author, 0), &(*author, before), Order::NewestFirst, limit)?;
        found.extend(rows.into_iter().map(|((author, croak), ())| (croak, author)));
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.truncate(limit);
    Ok(found)
}

struct FeedPage<'a, V> {
    view: &'a V,
    /// Authors met so far; `None` for a deleted account.
    people: BTreeMap<AccountId, Option<Person>>,
    croaks: Vec<FeedCroak>,
}

impl<V: View> FeedPage<'_, V> {
    fn add(&mut self, id: LogIndex, author: AccountId) -> Result<(), V::Error> {
        let Some(author) = self.person(author)? else { return Ok(()) };
        if let Some(croak) = croaks::read(self.view, id)? {
            self.croaks.push(FeedCroak { id, author, wall_ms: croak.wall_ms, text: croak.text });
        }
        Ok(())
    }

    /// Drops deleted accounts from `authors`. They may have many indexed croaks, all of which would be skipped.
    fn retain_live(&mut self, authors: &mut BTreeSet<AccountId>) -> Result<(), V::Error> {
        for author in std::mem::take(authors) {
            if self.person(author)?.is_some() {
                authors.insert(author);
            }
        }
        Ok(())
    }

    fn person(&mut self, account: AccountId) -> Result<Option<Person>, V::Error> {
        if let Some(person) = self.people.get(&account) {
            return Ok(person.clone());
        }
        let person = person(self.view, account)?;
        self.people.insert(account, person.clone());
        Ok(person)
    }
}
