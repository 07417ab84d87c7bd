//! Answers to queries, as functions of a view. What is kept in memory beside the rows makes them faster.

use super::account_role::AccountRole;
use super::accounts::access::reset_link_person;
use super::accounts::announcements;
use super::accounts::apps;
use super::accounts::govern;
use super::accounts::invitations;
use super::accounts::registration;
use super::accounts::reports;
use super::audit;
use super::caches::timelines::Caches;
use super::cluster::join_codes;
use super::cluster::leases;
use super::code::{Code, Denied};
use super::ids::{AccountId, LogIndex, TokenHash};
use super::limits::{
    FEED_PAGE_MAX, LEASES_PAGE_MAX, NOTICES_PAGE_MAX, PEOPLE_COUNTED_MAX, PEOPLE_PAGE_MAX, REPLIES_PAGE_MAX,
    ROOM_PAGE_MAX, TALK_PAGE_MAX, TALKS_PAGE_MAX,
};
use super::lookup::{session_person, settings};
use super::notices;
use super::pages::feed;
use super::pages::feed_addresses;
use super::pages::front;
use super::pages::listing;
use super::pages::lookups;
use super::pages::people;
use super::pages::rooms;
use super::pages::search;
use super::pages::shown;
use super::pages::talks;
use super::pages::thread;
use super::query::{Figures, FollowSide, OperatorQuery, Page, Person, Query};
use super::rooms::ties::totals;
use super::rows::{Followers, Friends, Names, Order, Owner, Table, View, scan};
use super::rule::checked;
use super::tree;
use super::visibility::Reader;

/// Answers a query.
///
/// # Errors
/// The view's error: the store cannot be read. A refusal is the inner `Err`.
pub fn answer<V: View>(
    view: &V,
    caches: Caches<'_>,
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
        Query::Announcements => Ok(announcements::shown(view, None)?),
        Query::ResetLink { code } => match reset_link_person(view, *code, view.age_ms())? {
            Some(person) => Ok(Page::ResetLink(person)),
            None => Err(Denied::new(Code::LinkNotValid)),
        },
        Query::App { app } => apps::app(view, *app, None)?,
        Query::OwnApp { app, key } => apps::app(view, *app, Some(*key))?,
        Query::Invitation { code } => invitations::shown(view, *code)?,
        Query::Operator(query) => operated(view, caches, query)?,
        Query::Govern { session, query } => governed(view, caches, *session, query)?,
        Query::AddressedFeed { address } => feed_addresses::read(view, caches, *address)?,
        Query::PublicCroaks { username } => feed_addresses::public_croaks(view, caches.ring, username)?,
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
        | Query::Message { session, .. }
        | Query::Front { session, .. }
        | Query::Notices { session, .. }
        | Query::Muted { session, .. }
        | Query::Blocked { session, .. }
        | Query::Rooms { session }
        | Query::OpenRooms { session, .. }
        | Query::Room { session, .. }
        | Query::RoomPeople { session, .. }
        | Query::RoomMessage { session, .. }
        | Query::Thread { session, .. }
        | Query::Everyone { session, .. }
        | Query::Search { session, .. }
        | Query::MyAnnouncements { session }
        | Query::FeedAddresses { session }
        | Query::Invitations { session }
        | Query::Caller { session }
        | Query::Waiting { session, .. }
        | Query::FollowsOf { session, .. }
        | Query::Croaks { session, .. }
        | Query::Profiles { session, .. }
        | Query::Persons { session, .. }
        | Query::Liked { session, .. }
        | Query::Follows { session, .. }
        | Query::Reactions { session, .. } => match owner(view, *session)? {
            Ok(me) => personal(view, caches, me, *session, query)?,
            Err(denied) => Err(denied),
        },
    })
}

/// Answers a query of operators.
fn operated<V: View>(
    view: &V,
    caches: Caches<'_>,
    query: &OperatorQuery,
) -> Result<Result<Page, Denied>, V::Error> {
    match query {
        OperatorQuery::Accounts { names, after } => people::accounts(view, names, after.as_deref()),
        OperatorQuery::Reports { after } => Ok(Ok(reports::list(view, *after)?)),
        OperatorQuery::RoomNames { of, after } => Ok(Ok(rooms::names(view, *of, after.as_deref())?)),
        OperatorQuery::Audit { after, before, limit } => Ok(Ok(audit::list(view, *after, *before, *limit)?)),
        OperatorQuery::JoinRequests { after } => Ok(Ok(registration::list(view, after.as_deref())?)),
        OperatorQuery::Invitations { after } => Ok(Ok(invitations::list(view, *after)?)),
        OperatorQuery::JoinCodes => Ok(Ok(join_codes::list(view)?)),
        OperatorQuery::Rooms { names, after } => rooms::all(view, names, after.as_deref()),
        OperatorQuery::Figures => Ok(Ok(Page::Figures(Box::new(figures(view, caches)?)))),
    }
}

/// Counts the whole cluster. Nothing is counted in the rows, so that no write costs another one: croaks are counted in the ring.
fn figures<V: View>(view: &V, caches: Caches<'_>) -> Result<Figures, V::Error> {
    let names = view.scan(Names::ID, b"", b"~", Order::OldestFirst, PEOPLE_COUNTED_MAX)?;
    Ok(Figures {
        people: names.len() as u32,
        croaks: caches.ring.before(LogIndex::MAX).count() as u32,
        rooms: totals(view)?.rooms,
        backup: audit::newest_backup(view)?,
        age_ms: view.age_ms(),
    })
}

/// Answers a query of operators for an account with a role.
fn governed<V: View>(
    view: &V,
    caches: Caches<'_>,
    session: TokenHash,
    query: &OperatorQuery,
) -> Result<Result<Page, Denied>, V::Error> {
    let role = checked!(govern::may_read(view, session, query)?);
    let mut page = checked!(operated(view, caches, query)?);
    if let Page::Accounts { accounts, .. } = &mut page
        && role < AccountRole::Admin
    {
        accounts.iter_mut().for_each(|account| account.email.clear());
    }
    Ok(Ok(page))
}

/// Answers a query that needs a session.
fn personal<V: View>(
    view: &V,
    caches: Caches<'_>,
    me: Person,
    session: TokenHash,
    query: &Query,
) -> Result<Result<Page, Denied>, V::Error> {
    let page_len = |limit: u16, max: usize| usize::from(limit).clamp(1, max);
    let newest = |before: &Option<LogIndex>| before.unwrap_or(LogIndex::MAX);
    Ok(match query {
        Query::Feed { before, limit, .. } => {
            Ok(feed::feed(view, caches, me, *before, page_len(*limit, FEED_PAGE_MAX))?)
        }
        Query::Friends { after, .. } => {
            let whose = me.account;
            Ok(listed::<Friends, V>(view, me, whose, *after)?)
        }
        Query::FollowsOf { username, side, after, .. } => follows_of(view, me, username, *side, *after)?,
        Query::Croaks { ids, .. } => Ok(lookups::croaks(view, me.account, ids)?),
        Query::Profiles { accounts, .. } => Ok(lookups::profiles(view, caches.ring, me, accounts)?),
        Query::Persons { usernames, .. } => Ok(lookups::persons(view, me.account, usernames)?),
        Query::Liked { before, limit, .. } => {
            Ok(lookups::liked(view, me, newest(before), page_len(*limit, FEED_PAGE_MAX))?)
        }
        Query::Follows { side, after, .. } => Ok(people::follows(view, me, *side, *after)?),
        Query::Croak { id, .. } => croak(view, me.account, *id)?,
        Query::Profile { username, before, limit, .. } => {
            profile(view, caches, me, username, *before, page_len(*limit, FEED_PAGE_MAX))?
        }
        Query::People { names, after, .. } => people::named(view, me, names, after.as_deref())?,
        Query::Followers { after, .. } => Ok(people::followers(view, me, *after)?),
        Query::Chatting { .. } => Ok(people::chatting(view, me.account)?),
        Query::Account { .. } => people::own_account(view, me)?,
        Query::Sessions { .. } => Ok(people::sessions(view, &me, session)?),
        Query::Unread { .. } => Ok(Page::Unread(talks::unread(view, caches, &me)?)),
        Query::Talks { before, limit, .. } => {
            Ok(talks::list(view, me, newest(before), page_len(*limit, TALKS_PAGE_MAX))?)
        }
        Query::Talk { with, before, limit, .. } => {
            talks::talk(view, me, with, newest(before), page_len(*limit, TALK_PAGE_MAX))?
        }
        Query::Message { id, .. } => talks::message(view, &me, *id)?,
        Query::Waiting { after, limit, .. } => {
            Ok(talks::waiting(view, me, *after, page_len(*limit, TALK_PAGE_MAX))?)
        }
        Query::Front { before, limit, known, .. } => {
            Ok(front::page(view, caches, me, *before, page_len(*limit, FEED_PAGE_MAX), *known)?)
        }
        Query::Notices { before, limit, .. } => {
            Ok(notices::list(view, me, newest(before), page_len(*limit, NOTICES_PAGE_MAX))?)
        }
        Query::Rooms { .. } => Ok(rooms::mine(view, me)?),
        Query::OpenRooms { after, .. } => Ok(rooms::open(view, me, after.as_deref())?),
        Query::Room { room, before, limit, .. } => {
            rooms::room(view, me, room, newest(before), page_len(*limit, ROOM_PAGE_MAX))?
        }
        Query::RoomPeople { room, after, .. } => rooms::people(view, me, room, *after)?,
        Query::RoomMessage { room, id, .. } => rooms::message(view, &me, *room, *id)?,
        Query::Muted { after, .. } => Ok(people::muted(view, me, *after)?),
        Query::Blocked { after, .. } => Ok(people::blocked(view, me, *after)?),
        Query::Thread { id, after, limit, .. } => {
            thread::thread(view, me, *id, *after, page_len(*limit, REPLIES_PAGE_MAX))?
        }
        Query::Everyone { before, limit, .. } => {
            Ok(thread::everyone(view, me, newest(before), page_len(*limit, FEED_PAGE_MAX))?)
        }
        Query::Search { words, before, limit, .. } => {
            search::search(view, caches.search, me, words, *before, page_len(*limit, FEED_PAGE_MAX))?
        }
        Query::Reactions { croak, kind, .. } => thread::reactions(view, me, *croak, *kind)?,
        Query::MyAnnouncements { .. } => Ok(announcements::shown(view, Some(me.account))?),
        Query::FeedAddresses { .. } => Ok(feed_addresses::list(view, me.account)?),
        Query::Invitations { .. } => Ok(invitations::own(view, me.account)?),
        Query::Caller { .. } => Ok(apps::caller(view, me, session)?),
        Query::Me { .. } => Ok(Page::Me(me)),
        // Answered above: these need no session.
        Query::Position
        | Query::Tree { .. }
        | Query::Leases { .. }
        | Query::Coordination
        | Query::Settings
        | Query::Announcements
        | Query::ResetLink { .. }
        | Query::AddressedFeed { .. }
        | Query::PublicCroaks { .. }
        | Query::App { .. }
        | Query::OwnApp { .. }
        | Query::Invitation { .. }
        | Query::Operator(_)
        | Query::Govern { .. } => Ok(Page::Me(me)),
    })
}

/// Returns the owner of the session.
fn owner<V: View>(view: &V, session: TokenHash) -> Result<Result<Person, Denied>, V::Error> {
    Ok(session_person(view, session, view.age_ms())?.ok_or(Denied::new(Code::NotLoggedIn)))
}

/// Returns a page of leases without their tokens, which readers of the control plane must not learn.
fn lease_page<V: View>(view: &V, after: Option<Owner>) -> Result<Page, V::Error> {
    let mut leases = leases::page(view, after)?;
    leases.iter_mut().for_each(|(_, lease)| lease.token = None);
    let more = leases.last().filter(|_| leases.len() == LEASES_PAGE_MAX).map(|(owner, _)| *owner);
    Ok(Page::Leases { leases, more })
}

/// As [`listed`], of another person. A person who has blocked the reader, or whom the reader has blocked, is shown without.
fn follows_of<V: View>(
    view: &V,
    me: Person,
    username: &str,
    side: FollowSide,
    after: Option<AccountId>,
) -> Result<Result<Page, Denied>, V::Error> {
    let (relation, _) = checked!(people::relation_to(view, &me, username)?);
    if relation.blocked || relation.blocks {
        return Ok(Ok(Page::Friends { me, friends: Vec::new(), more: None }));
    }
    let whose = relation.person.account;
    match side {
        FollowSide::Followed => listed::<Friends, V>(view, me, whose, after).map(Ok),
        FollowSide::Followers => listed::<Followers, V>(view, me, whose, after).map(Ok),
    }
}

/// Returns one page of the accounts that a table relates to `whose`. Those that the reader does not see are skipped, so a page
/// is full whenever there are enough to fill it, and `more` is set only if another account follows.
fn listed<T, V>(view: &V, me: Person, whose: AccountId, after: Option<AccountId>) -> Result<Page, V::Error>
where
    T: Table<Key = (AccountId, u64)>,
    V: View,
{
    let mut reader = Reader::new(view, me.account);
    let mut friends = Vec::new();
    // `after` comes from the client and may be any number.
    let mut next = after.map_or(0, |account| account.0.saturating_add(1));
    // One row beyond the page tells if there is another page.
    let wanted = PEOPLE_PAGE_MAX + 1;
    while friends.len() < wanted {
        let (from, to) = ((whose, next), (whose, u64::MAX));
        let rows = scan::<T, V>(view, &from, &to, Order::OldestFirst, wanted)?;
        for ((_, friend), _) in &rows {
            friends.extend(reader.person(AccountId(*friend))?);
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

fn profile<V: View>(
    view: &V,
    caches: Caches<'_>,
    me: Person,
    username: &str,
    before: Option<LogIndex>,
    limit: usize,
) -> Result<Result<Page, Denied>, V::Error> {
    let (profile, pinned) = checked!(people::profile(view, caches.ring, &me, username)?);
    let author = profile.relation.person.account;
    // The newest page alone begins with it.
    let pinned = match pinned.filter(|_| before.is_none()) {
        Some(croak) => shown::entry(&mut Reader::new(view, me.account), croak)?.map(Box::new),
        None => None,
    };
    let before = before.unwrap_or(LogIndex::MAX);
    let (croaks, older) = feed::croaks_by(view, caches.ring, me.account, author, before, limit)?;
    Ok(Ok(Page::Profile { me, profile, pinned, croaks, older }))
}

fn croak<V: View>(view: &V, me: AccountId, id: LogIndex) -> Result<Result<Page, Denied>, V::Error> {
    let found = shown::entry(&mut Reader::new(view, me), id)?;
    Ok(found.map(Page::Croak).ok_or(Denied::new(Code::NoSuchCroak)))
}
