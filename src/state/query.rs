//! The reads that people ask for, as pure functions over a view and the ring.

use super::accounts;
use super::code::{Code, Denied};
use super::croaks;
use super::ids::{AccountId, LogIndex, TokenHash};
use super::leases;
use super::limits::{FEED_PAGE_MAX, LEASES_PAGE_MAX, PEOPLE_PAGE_MAX, TALK_PAGE_MAX, TALKS_PAGE_MAX};
use super::listing::{self, TreeEntry};
use super::namespace;
use super::path::TreePath;
use super::people::{self, AccountLine, Acquaintance, OpenSession, OwnAccount, Profile};
use super::ring::RingView;
use super::rows::{Coordination, CroaksBy, Friends, Lease, Order, Owner, Settings, View, scan};
use super::social::{live_account, session_account};
use super::talks::{self, Talk, TalkLine, TalkMessage, Unread};
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
    /// One croak, whoever wrote it.
    Croak { session: TokenHash, id: LogIndex },
    /// Somebody, and what they croaked, newest first.
    Profile { session: TokenHash, username: String, before: Option<LogIndex>, limit: u16 },
    /// Whose user names fit a pattern, in the order of the names, those after `after` if given. A page may hold less
    /// than the next one, or nothing, and yet say that there is more: few names fit.
    People { session: TokenHash, names: String, after: Option<String> },
    /// Who follows the session's owner, in the order of their accounts.
    Followers { session: TokenHash, after: Option<AccountId> },
    /// Who is in the live chat now.
    Chatting { session: TokenHash },
    /// What is kept of the session's owner.
    Account { session: TokenHash },
    /// The open sessions of the session's owner.
    Sessions { session: TokenHash },
    /// What waits for the session's owner.
    Unread { session: TokenHash },
    /// With whom the session's owner has talked, the newest first.
    Talks { session: TokenHash, before: Option<LogIndex>, limit: u16 },
    /// The messages of one talk, newest first.
    Talk { session: TokenHash, with: Whom, before: Option<LogIndex>, limit: u16 },
    /// One message that the session's owner wrote or got.
    Message { session: TokenHash, id: LogIndex },
    /// What those who run the group have decided. Anybody may know.
    Settings,
    /// All accounts whose user names fit, for those who run the group. Control plane only.
    Accounts { names: String, after: Option<String> },
}

/// The other one of a talk. Who was deleted has no name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whom {
    Named(String),
    Account(AccountId),
}

impl Query {
    /// In whose name it is asked, if in anybody's.
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

    /// Whether people may ask it.
    pub fn is_public(&self) -> bool {
        !matches!(
            self,
            Query::Tree { .. } | Query::Leases { .. } | Query::Coordination | Query::Accounts { .. }
        )
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
    Croak(FeedCroak),
    Profile {
        me: Person,
        profile: Profile,
        croaks: Vec<FeedCroak>,
        older: Option<LogIndex>,
    },
    People {
        me: Person,
        people: Vec<Acquaintance>,
        /// Where the next page begins, if there is one: its `after`.
        more: Option<String>,
    },
    Followers {
        me: Person,
        people: Vec<Acquaintance>,
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
        talks: Vec<TalkLine>,
        /// Where the next page begins, if there is one: its `before`.
        older: Option<LogIndex>,
    },
    Talk(Talk),
    Message {
        /// Nobody: deleted.
        with: Option<Person>,
        with_account: AccountId,
        message: TalkMessage,
    },
    Settings(Settings),
    Accounts {
        accounts: Vec<AccountLine>,
        more: Option<String>,
    },
}

/// Answers a query.
///
/// # Errors
/// Only the view's: the store cannot be read. A refusal is the inner `Err`.
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

/// What is asked under a session.
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

pub(super) fn person<V: View>(view: &V, account: AccountId) -> Result<Option<Person>, V::Error> {
    Ok(live_account(view, account)?.map(|row| Person { account, username: row.username, name: row.name }))
}

/// The croaks of oneself and of one's friends.
fn feed<V: View>(
    view: &V,
    ring: RingView<'_>,
    me: Person,
    before: LogIndex,
    limit: usize,
) -> Result<Page, V::Error> {
    let authors = people::heard_by(view, me.account)?;
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
    let authors = BTreeSet::from([profile.who.person.account]);
    let (croaks, older) = croaks_of(view, ring, authors, before, limit)?;
    Ok(Ok(Page::Profile { me, profile, croaks, older }))
}

fn croak<V: View>(view: &V, id: LogIndex) -> Result<Result<Page, Denied>, V::Error> {
    let no_such = Err(Denied::new(Code::NoSuchCroak));
    let Some(croak) = croaks::read(view, id)? else { return Ok(no_such) };
    let Some(author) = person(view, croak.author)? else { return Ok(no_such) };
    Ok(Ok(Page::Croak(FeedCroak { id, author, wall_ms: croak.wall_ms, text: croak.text })))
}

/// One page: first from the ring, then from the index by author. Rows that are gone (their author deleted, not
/// swept yet) are passed over, so a page is full whenever there is enough to fill it.
fn croaks_of<V: View>(
    view: &V,
    ring: RingView<'_>,
    mut authors: BTreeSet<AccountId>,
    before: LogIndex,
    limit: usize,
) -> Result<(Vec<FeedCroak>, Option<LogIndex>), V::Error> {
    let mut page = FeedPage { view, people: BTreeMap::new(), croaks: Vec::new() };
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
    Ok((croaks, older))
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
        if let Some(croak) = croaks::read(self.view, id)? {
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
