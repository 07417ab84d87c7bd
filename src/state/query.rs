//! Queries and their answers, as pure functions over a view and the ring.

use super::accounts;
use super::code::{Code, Denied};
use super::croaks;
use super::ids::{AccountId, LogIndex, TokenHash};
use super::leases;
use super::limits::{FEED_PAGE_MAX, LEASES_PAGE_MAX, PEOPLE_PAGE_MAX, TALK_PAGE_MAX, TALKS_PAGE_MAX};
use super::listing::{self, TreeEntry};
use super::namespace;
use super::path::TreePath;
use super::people::{self, AccountSummary, OpenSession, OwnAccount, PersonRelation, Profile};
use super::ring::RingView;
use super::rows::{Coordination, CroaksBy, Friends, Lease, Order, Owner, Settings, View, scan};
use super::social::{live_account, session_account};
use super::talks::{self, Talk, TalkMessage, TalkSummary, Unread};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Required freshness of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Consistency {
    /// At least as new as the newest state that the client has seen: reads its own writes and never goes back in time.
    #[default]
    Session,
    /// The state of this node, at once.
    Stale,
    /// Contains every write acknowledged to any client before the query. Costs a round among the voters (a read index)
    /// and has no answer without a leader.
    Linearizable,
}

/// A read, as the client sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// Only the token of the answer: the current position of the log.
    Position,
    /// The owner of the session.
    Me { session: TokenHash },
    /// Croaks of the session's owner and of the accounts they follow, newest first, starting before `before` if it is
    /// given. `limit` is lowered to `FEED_PAGE_MAX`.
    Feed { session: TokenHash, before: Option<LogIndex>, limit: u16 },
    /// Accounts that the session's owner follows, in the order of their ids, starting after `after` if it is given.
    Friends { session: TokenHash, after: Option<AccountId> },
    /// The node at a path of the lock namespace and the nodes up to `depth` names below it, starting after `after` if it
    /// is given. Control plane only.
    Tree { path: TreePath, depth: Option<u8>, after: Option<TreePath>, limit: u16 },
    /// All leases, starting after `after` if it is given. Control plane only.
    Leases { after: Option<Owner> },
    /// Counts and settings of the coordinators. Control plane only.
    Coordination,
    /// One croak of any author.
    Croak { session: TokenHash, id: LogIndex },
    /// A person's profile and their croaks, newest first.
    Profile { session: TokenHash, username: String, before: Option<LogIndex>, limit: u16 },
    /// People with matching user names in the order of the names, starting after `after` if it is given. A page may be
    /// short or empty although `more` is set, because each page compares a bounded number of names.
    People { session: TokenHash, names: String, after: Option<String> },
    /// Followers of the session's owner, in the order of their ids, starting after `after` if it is given.
    Followers { session: TokenHash, after: Option<AccountId> },
    /// People in the live chat now.
    Chatting { session: TokenHash },
    /// Account details of the session's owner.
    Account { session: TokenHash },
    /// Open sessions of the session's owner.
    Sessions { session: TokenHash },
    /// Unread counts of the session's owner.
    Unread { session: TokenHash },
    /// Talks of the session's owner, the one with the newest message first.
    Talks { session: TokenHash, before: Option<LogIndex>, limit: u16 },
    /// Messages of one talk, newest first.
    Talk { session: TokenHash, with: TalkPartner, before: Option<LogIndex>, limit: u16 },
    /// One message that the session's owner sent or received.
    Message { session: TokenHash, id: LogIndex },
    /// Settings of the installation. Needs no session.
    Settings,
    /// All accounts with matching user names, for operators. Control plane only.
    Accounts { names: String, after: Option<String> },
}

/// The other participant of a talk. A deleted account has no name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TalkPartner {
    Named(String),
    Account(AccountId),
}

impl Query {
    /// Returns the session that authorises the query, if it needs one.
    pub fn session_mut(&mut self) -> Option<&mut TokenHash> {
        match self {
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
            | Query::Message { session, .. } => Some(session),
            Query::Position
            | Query::Tree { .. }
            | Query::Leases { .. }
            | Query::Coordination
            | Query::Settings
            | Query::Accounts { .. } => None,
        }
    }

    /// Returns true if the query is allowed on the public plane.
    pub fn is_public(&self) -> bool {
        !matches!(
            self,
            Query::Tree { .. } | Query::Leases { .. } | Query::Coordination | Query::Accounts { .. }
        )
    }
}

/// Identity of a live account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub account: AccountId,
    pub username: String,
    pub name: String,
}

/// A croak in a feed or profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedCroak {
    /// Log index of the croak; also the cursor of the next page, which contains what is older.
    pub id: LogIndex,
    pub author: Person,
    /// Wall clock of the leader when it proposed the croak. It may be wrong.
    pub wall_ms: u64,
    pub text: String,
}

/// Answer to a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Page {
    Position,
    Me(Person),
    Feed {
        me: Person,
        croaks: Vec<FeedCroak>,
        /// The `before` of the next older page, if there is one.
        older: Option<LogIndex>,
    },
    Friends {
        me: Person,
        friends: Vec<Person>,
        /// The `after` of the next page, if there is one.
        more: Option<AccountId>,
    },
    Tree {
        /// In tree order, starting with the node at the path itself.
        entries: Vec<TreeEntry>,
        /// The `after` of the next page, if there is one.
        more: Option<TreePath>,
    },
    Leases {
        leases: Vec<(Owner, Lease)>,
        /// The `after` of the next page, if there is one.
        more: Option<Owner>,
    },
    Coordination(Coordination),
    Croak(FeedCroak),
    Profile {
        me: Person,
        profile: Profile,
        croaks: Vec<FeedCroak>,
        /// The `before` of the next older page, if there is one.
        older: Option<LogIndex>,
    },
    People {
        me: Person,
        people: Vec<PersonRelation>,
        /// The `after` of the next page, if there is one.
        more: Option<String>,
    },
    Followers {
        me: Person,
        people: Vec<PersonRelation>,
        /// The `after` of the next page, if there is one.
        more: Option<AccountId>,
    },
    Chatting {
        people: Vec<Person>,
    },
    Account(OwnAccount),
    Sessions(Vec<OpenSession>),
    Unread(Unread),
    Talks {
        me: Person,
        talks: Vec<TalkSummary>,
        /// The `before` of the next older page, if there is one.
        older: Option<LogIndex>,
    },
    Talk(Talk),
    Message {
        /// `None` if the account is deleted.
        with: Option<Person>,
        with_account: AccountId,
        message: TalkMessage,
    },
    Settings(Settings),
    Accounts {
        accounts: Vec<AccountSummary>,
        /// The `after` of the next page, if there is one.
        more: Option<String>,
    },
}

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
        Query::Coordination => Ok(Page::Coordination(namespace::coordination(view)?)),
        Query::Settings => Ok(Page::Settings(accounts::settings(view)?)),
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

pub(super) fn person<V: View>(view: &V, account: AccountId) -> Result<Option<Person>, V::Error> {
    Ok(live_account(view, account)?.map(|row| Person { account, username: row.username, name: row.name }))
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
