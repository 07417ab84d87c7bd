//! The reads that people ask for, as pure functions over a view and the ring.

use super::code::{Code, Denied};
use super::croaks;
use super::ids::{AccountId, LogIndex, TokenHash};
use super::leases;
use super::limits::{FEED_PAGE_MAX, FRIENDS_MAX, LEASES_PAGE_MAX, PEOPLE_PAGE_MAX};
use super::listing::{self, TreeEntry};
use super::namespace;
use super::path::TreePath;
use super::ring::Ring;
use super::rows::{Coordination, CroaksBy, Friends, Lease, Order, Owner, View, scan};
use super::social::{live_account, session_account};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How new an answer has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Consistency {
    /// At least as new as what the asker has seen: people read their own writes, and never travel back.
    #[default]
    Session,
    /// Whatever this node has, at once.
    Stale,
    /// As new as everything that anybody was acknowledged before it was asked: costs a round among the voters,
    /// and has no answer without a leader.
    Linearizable,
}

/// What can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// Nothing but a token: where the log is now.
    Position,
    /// Whose session this is.
    Me { session: TokenHash },
    /// The croaks of the session's owner and of their friends, newest first, those before `before` if given.
    /// `limit` is lowered to `FEED_PAGE_MAX`.
    Feed { session: TokenHash, before: Option<LogIndex>, limit: u16 },
    /// Whom the session's owner follows, in the order of their accounts, those after `after` if given.
    Friends { session: TokenHash, after: Option<AccountId> },
    /// A place of the lock namespace and what lies below it, down to `depth` names below, behind `after` if given.
    /// Control plane only, as what follows.
    Tree { path: TreePath, depth: Option<u8>, after: Option<TreePath>, limit: u16 },
    /// Who has a lease, those behind `after` if given.
    Leases { after: Option<Owner> },
    /// What coordinators keep count of.
    Coordination,
}

impl Query {
    /// Whether people may ask it.
    pub fn is_public(&self) -> bool {
        !matches!(self, Query::Tree { .. } | Query::Leases { .. } | Query::Coordination)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub account: AccountId,
    pub username: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedCroak {
    /// The croak's log index; also the cursor: the next page is what lies before it.
    pub id: LogIndex,
    pub author: Person,
    /// Wall clock of the leader at the time; may be wrong.
    pub wall_ms: u64,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Page {
    Position,
    Me(Person),
    Feed {
        me: Person,
        croaks: Vec<FeedCroak>,
        /// Where the next older page begins, if there is one: its `before`.
        older: Option<LogIndex>,
    },
    Friends {
        me: Person,
        friends: Vec<Person>,
        /// Where the next page begins, if there is one: its `after`.
        more: Option<AccountId>,
    },
    Tree {
        /// In the order of the tree, itself first.
        entries: Vec<TreeEntry>,
        /// Where the next page begins, if there is one: its `after`.
        more: Option<TreePath>,
    },
    Leases {
        leases: Vec<(Owner, Lease)>,
        more: Option<Owner>,
    },
    Coordination(Coordination),
}

/// Answers a query.
///
/// # Errors
/// Only the view's: the store cannot be read. A refusal is the inner `Err`.
pub fn answer<V: View>(view: &V, ring: &Ring, query: &Query) -> Result<Result<Page, Denied>, V::Error> {
    Ok(match query {
        Query::Position => Ok(Page::Position),
        Query::Tree { path, depth, after, limit } => {
            let listed = listing::list(view, path, *depth, after.as_ref(), usize::from(*limit))?;
            listed.map(|(entries, more)| Page::Tree { entries, more })
        }
        Query::Leases { after } => Ok(lease_page(view, *after)?),
        Query::Coordination => Ok(Page::Coordination(namespace::coordination(view)?)),
        Query::Me { session } => owner(view, *session)?.map(Page::Me),
        Query::Feed { session, before, limit } => match owner(view, *session)? {
            Ok(me) => {
                let limit = usize::from(*limit).clamp(1, FEED_PAGE_MAX);
                Ok(feed(view, ring, me, before.unwrap_or(LogIndex::MAX), limit)?)
            }
            Err(denied) => Err(denied),
        },
        Query::Friends { session, after } => match owner(view, *session)? {
            Ok(me) => Ok(friends(view, me, *after)?),
            Err(denied) => Err(denied),
        },
    })
}

/// Whose session this is.
fn owner<V: View>(view: &V, session: TokenHash) -> Result<Result<Person, Denied>, V::Error> {
    let found = session_account(view, session, view.age_ms())?;
    let person = found.map(|(account, row)| Person { account, username: row.username, name: row.name });
    Ok(person.ok_or(Denied::new(Code::NotLoggedIn)))
}

/// Whoever reads it does not learn the token by which a client is known.
fn lease_page<V: View>(view: &V, after: Option<Owner>) -> Result<Page, V::Error> {
    let mut leases = leases::page(view, after)?;
    leases.iter_mut().for_each(|(_, lease)| lease.token = None);
    let more = leases.last().filter(|_| leases.len() == LEASES_PAGE_MAX).map(|(owner, _)| *owner);
    Ok(Page::Leases { leases, more })
}

/// One page of live friends. Deleted ones are passed over, so a page is full whenever there is enough to fill
/// it, and `more` is set only when somebody follows.
fn friends<V: View>(view: &V, me: Person, after: Option<AccountId>) -> Result<Page, V::Error> {
    let mut friends = Vec::new();
    // `after` comes from outside and may be any number.
    let mut next = after.map_or(0, |account| account.0.saturating_add(1));
    // One more than a page holds tells whether there is another.
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

fn person<V: View>(view: &V, account: AccountId) -> Result<Option<Person>, V::Error> {
    Ok(live_account(view, account)?.map(|row| Person { account, username: row.username, name: row.name }))
}

/// One page: first from the ring, then from the index by author. Rows that are gone (their author deleted, not
/// swept yet) are passed over, so a page is full whenever there is enough to fill it.
fn feed<V: View>(
    view: &V,
    ring: &Ring,
    me: Person,
    before: LogIndex,
    limit: usize,
) -> Result<Page, V::Error> {
    let mut authors = BTreeSet::from([me.account]);
    let (from, to) = ((me.account, 0), (me.account, u64::MAX));
    for ((_, friend), ()) in scan::<Friends, V>(view, &from, &to, Order::OldestFirst, FRIENDS_MAX)? {
        authors.insert(AccountId(friend));
    }
    let mut page =
        FeedPage { view, people: BTreeMap::from([(me.account, Some(me.clone()))]), croaks: Vec::new() };
    // One more than asked for tells whether there is an older page.
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
    Ok(Page::Feed { me, croaks, older })
}

/// The newest `limit` indexed croaks of these authors before `before`, newest first.
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
    /// Authors met so far; nothing for a deleted one.
    people: BTreeMap<AccountId, Option<Person>>,
    croaks: Vec<FeedCroak>,
}

impl<V: View> FeedPage<'_, V> {
    fn add(&mut self, id: LogIndex, author: AccountId) -> Result<(), V::Error> {
        let Some(author) = self.person(author)? else { return Ok(()) };
        if let Some(croaks::Found { croak, .. }) = croaks::find(self.view, id)? {
            self.croaks.push(FeedCroak { id, author, wall_ms: croak.wall_ms, text: croak.text });
        }
        Ok(())
    }

    /// Leaves out the deleted, whose indexed croaks may be many and are all passed over.
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
