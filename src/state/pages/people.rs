//! Queries about people: search, profiles, followers, live chat, and the client's own account and sessions.

use super::listing;
use crate::caches::ring::RingView;
use crate::cluster::leases::chat_path;
use crate::code::{Code, Denied};
use crate::croaks;
use crate::ids::{AccountId, LogIndex, TokenHash};
use crate::limits::{
    CLIENT_LEASES_MAX, CROAKS_COUNT_MAX, FOLLOWERS_COUNT_MAX, FRIENDS_MAX, MUTES_MAX, NAMES_COMPARED_MAX,
    PEOPLE_PAGE_MAX, SESSIONS_PER_ACCOUNT_MAX,
};
use crate::lookup::{self, account_named, is_suspended, live_account, others, person, profile_of, range_of};
use crate::path::TreePath;
use crate::query::{
    AccountSummary, FollowSide, OpenSession, OwnAccount, Page, Person, PersonRelation, Profile,
};
use crate::rows::{
    Account, AccountProfile, Blocks, CroaksBy, Followers, Friends, Key, Mutes, Names, NodeKind, Order,
    Session, Sessions, SessionsOf, SharedBy, Table, View, books, get, scan,
};
use crate::rule::checked;
use crate::text;
use crate::visibility::blocks::{has_blocked, is_blocked_pair, is_muted};
use std::collections::BTreeSet;

/// Returns the accounts whose croaks are in the feed of `me`: those they follow and have not muted, and their own.
pub(crate) fn feed_authors<V: View>(view: &V, me: AccountId) -> Result<BTreeSet<AccountId>, V::Error> {
    let muted: BTreeSet<AccountId> = others::<Mutes, V>(view, me, MUTES_MAX)?.into_iter().collect();
    let friends = others::<Friends, V>(view, me, FRIENDS_MAX)?;
    Ok(friends.into_iter().filter(|friend| !muted.contains(friend)).chain([me]).collect())
}

pub(crate) fn relation<V: View>(view: &V, me: AccountId, person: Person) -> Result<PersonRelation, V::Error> {
    let followed = get::<Friends, V>(view, &(me, person.account.0))?.is_some();
    let follows = get::<Friends, V>(view, &(person.account, me.0))?.is_some();
    let muted = is_muted(view, me, person.account)?;
    let blocked = has_blocked(view, me, person.account)?;
    let blocks = has_blocked(view, person.account, me)?;
    Ok(PersonRelation { person, followed, follows, muted, blocked, blocks })
}

/// Returns the account of this user name with its relation to the reader.
pub(crate) fn relation_to<V: View>(
    view: &V,
    me: &Person,
    username: &str,
) -> Result<Result<(PersonRelation, Account), Denied>, V::Error> {
    let (account, row) = checked!(lookup::named(view, username)?);
    let relation = relation(view, me.account, lookup::person_of(account, &row))?;
    Ok(Ok((relation, row)))
}

/// Returns a profile, and the croak that its owner has pinned to it.
pub(crate) fn profile<V: View>(
    view: &V,
    ring: RingView<'_>,
    me: &Person,
    username: &str,
) -> Result<Result<(Profile, Option<LogIndex>), Denied>, V::Error> {
    let (relation, row) = checked!(relation_to(view, me, username)?);
    Ok(Ok(described(view, ring, relation, row.created_wall_ms)?))
}

/// As [`profile`], of an account that was found already.
pub(crate) fn described<V: View>(
    view: &V,
    ring: RingView<'_>,
    relation: PersonRelation,
    created_wall_ms: u64,
) -> Result<(Profile, Option<LogIndex>), V::Error> {
    let account = relation.person.account;
    let hidden = relation.blocked || relation.blocks;
    let counted = |max: usize| if hidden { 0 } else { max };
    let AccountProfile { bio, links, pinned, .. } =
        if hidden { AccountProfile::default() } else { profile_of(view, account)? };
    let profile = Profile {
        bio,
        links,
        croaks: if hidden { 0 } else { croak_count(view, ring, account)? },
        relation,
        created_wall_ms,
        friends: count::<Friends, V>(view, account, counted(FRIENDS_MAX))?,
        followers: count::<Followers, V>(view, account, counted(FOLLOWERS_COUNT_MAX))?,
    };
    Ok((profile, pinned))
}

/// Returns the number of croaks of an account, counted up to `CROAKS_COUNT_MAX`. Shares do not count.
fn croak_count<V: View>(view: &V, ring: RingView<'_>, account: AccountId) -> Result<u32, V::Error> {
    let max = u32::try_from(CROAKS_COUNT_MAX).unwrap_or(u32::MAX);
    let indexed = count::<CroaksBy, V>(view, account, CROAKS_COUNT_MAX)?;
    if indexed == max {
        return Ok(max);
    }
    let through = books(view)?.indexed_through;
    let mut newer = 0;
    for (croak, author) in ring.before(LogIndex::MAX).take_while(|(croak, _)| *croak > through) {
        // Croaks in the ring may have been deleted.
        if author == account && croaks::find(view, croak)?.is_some() {
            newer += 1;
        }
    }
    let shares = count::<SharedBy, V>(view, account, CROAKS_COUNT_MAX)?;
    Ok((indexed + newer).saturating_sub(shares).min(max))
}

/// Returns the number of rows that a table has for an account, counted up to `max`.
fn count<T, V>(view: &V, account: AccountId, max: usize) -> Result<u32, V::Error>
where
    T: Table<Key = (AccountId, u64)>,
    V: View,
{
    let (from, to) = range_of(account);
    let rows = view.scan(T::ID, &from.bytes(), &to.bytes(), Order::OldestFirst, max)?;
    Ok(u32::try_from(rows.len()).unwrap_or(u32::MAX))
}

/// Returns the live accounts with matching names in the order of the names, and the `after` of the next page.
fn fitting<V: View>(
    view: &V,
    names: &str,
    after: Option<&str>,
) -> Result<Result<(Vec<AccountId>, Option<String>), Denied>, V::Error> {
    let pattern = checked!(text::fold_pattern(names));
    // All matching names begin with the text before the first wildcard.
    let begin = pattern.split(['*', '?', '[', '\\', '!']).next().unwrap_or_default();
    let mut from = begin.to_string();
    if let Some(after) = after.filter(|after| **after >= *begin) {
        // Directly behind that name, before all longer names that begin with it.
        from = format!("{after}\0");
    }
    // Names consist of a-z 0-9 _ - only, so this sorts behind all of them with this beginning.
    let to = format!("{begin}~");
    let rows = scan::<Names, V>(view, &from, &to, Order::OldestFirst, NAMES_COMPARED_MAX)?;
    let looked_at_all = rows.len() < NAMES_COMPARED_MAX;
    let (mut found, mut last) = (Vec::new(), None);
    for (name, account) in rows {
        if found.len() == PEOPLE_PAGE_MAX {
            // The next page finds out if any of the rest match.
            return Ok(Ok((found, last)));
        }
        if fast_glob::glob_match(&pattern, &name) {
            found.push(account);
        }
        last = Some(name);
    }
    Ok(Ok((found, last.filter(|_| !looked_at_all))))
}

pub(crate) fn named<V: View>(
    view: &V,
    me: Person,
    names: &str,
    after: Option<&str>,
) -> Result<Result<Page, Denied>, V::Error> {
    let (found, more) = checked!(fitting(view, names, after)?);
    let people = seen(view, me.account, found)?;
    Ok(Ok(Page::People { me, people, more }))
}

/// As [`relations`], without those whom the reader does not see.
pub(crate) fn seen<V: View>(
    view: &V,
    me: AccountId,
    found: Vec<AccountId>,
) -> Result<Vec<PersonRelation>, V::Error> {
    let people = relations(view, me, found)?;
    Ok(people.into_iter().filter(|person| !person.blocked && !person.blocks).collect())
}

fn relations<V: View>(
    view: &V,
    me: AccountId,
    found: Vec<AccountId>,
) -> Result<Vec<PersonRelation>, V::Error> {
    let mut people = Vec::with_capacity(found.len());
    for account in found {
        if let Some(person) = person(view, account)? {
            people.push(relation(view, me, person)?);
        }
    }
    Ok(people)
}

/// Returns one page of the live accounts that `me` follows or that follow `me`, each with the index of the follow.
pub(crate) fn follows<V: View>(
    view: &V,
    me: Person,
    side: FollowSide,
    after: Option<AccountId>,
) -> Result<Page, V::Error> {
    let mut people = Vec::new();
    let more = match side {
        FollowSide::Followed => {
            let (rows, more) = rows_behind::<Friends, V>(view, me.account, after)?;
            for (account, index) in rows {
                people.extend(person(view, account)?.map(|person| (person, index)));
            }
            more
        }
        FollowSide::Followers => {
            let (rows, more) = rows_behind::<Followers, V>(view, me.account, after)?;
            for (account, ()) in rows {
                let follow = (account, me.account.0);
                if let (Some(person), Some(index)) =
                    (person(view, account)?, get::<Friends, V>(view, &follow)?)
                {
                    people.push((person, index));
                }
            }
            more
        }
    };
    Ok(Page::Follows { me, people, more })
}

pub(crate) fn followers<V: View>(view: &V, me: Person, after: Option<AccountId>) -> Result<Page, V::Error> {
    let (people, more) = related::<Followers, V>(view, &me, after)?;
    Ok(Page::Followers { me, people, more })
}

/// Returns a page of the accounts that `me` has muted.
pub(crate) fn muted<V: View>(view: &V, me: Person, after: Option<AccountId>) -> Result<Page, V::Error> {
    let (people, more) = related::<Mutes, V>(view, &me, after)?;
    Ok(Page::KeptAway { me, people, more })
}

/// Returns a page of the accounts that `me` has blocked.
pub(crate) fn blocked<V: View>(view: &V, me: Person, after: Option<AccountId>) -> Result<Page, V::Error> {
    let (people, more) = related::<Blocks, V>(view, &me, after)?;
    Ok(Page::KeptAway { me, people, more })
}

/// Returns one page of the people whom a table relates to `me`, in the order of their ids, and the `after` of the next page.
/// Deleted accounts are skipped, so a page may be short although there is a next one.
fn related<T, V>(
    view: &V,
    me: &Person,
    after: Option<AccountId>,
) -> Result<(Vec<PersonRelation>, Option<AccountId>), V::Error>
where
    T: Table<Key = (AccountId, u64)>,
    V: View,
{
    let (rows, more) = rows_behind::<T, V>(view, me.account, after)?;
    let found = rows.into_iter().map(|(account, _)| account).collect();
    Ok((relations(view, me.account, found)?, more))
}

/// Rows of one page, each with the other account, and the `after` of the next page.
type RowsBehind<Row> = (Vec<(AccountId, Row)>, Option<AccountId>);

/// Returns up to `PEOPLE_PAGE_MAX` rows of an account behind `after`.
fn rows_behind<T, V>(
    view: &V,
    account: AccountId,
    after: Option<AccountId>,
) -> Result<RowsBehind<T::Row>, V::Error>
where
    T: Table<Key = (AccountId, u64)>,
    V: View,
{
    // `after` comes from the client and may be any number.
    let next = after.map_or(0, |after| after.0.saturating_add(1));
    let (from, to) = ((account, next), (account, u64::MAX));
    let rows = scan::<T, V>(view, &from, &to, Order::OldestFirst, PEOPLE_PAGE_MAX)?;
    let rows: Vec<_> = rows.into_iter().map(|((_, other), row)| (AccountId(other), row)).collect();
    let more = rows.last().filter(|_| rows.len() == PEOPLE_PAGE_MAX).map(|(other, _)| *other);
    Ok((rows, more))
}

/// Returns the people in the live chat whom the reader sees, in the order of their names. Bounded by the number of leases.
pub(crate) fn chatting<V: View>(view: &V, me: AccountId) -> Result<Page, V::Error> {
    let folder: TreePath = "/people".parse().unwrap_or_else(|_| TreePath::root());
    let (mut people, mut after) = (Vec::new(), None);
    let most = usize::try_from(CLIENT_LEASES_MAX).unwrap_or(usize::MAX);
    loop {
        let listed = listing::list(view, &folder, Some(2), after.as_ref(), most)?;
        let Ok((entries, more)) = listed else { return Ok(Page::Chatting { people }) };
        for entry in entries.iter().filter(|entry| entry.node.kind == NodeKind::Lock) {
            let Some(username) = entry.path.names().nth(1) else { continue };
            if entry.path == chat_path(username)
                && let Some((account, row)) = account_named(view, username)?
                && !is_blocked_pair(view, me, account)?
            {
                people.push(lookup::person_of(account, &row));
            }
        }
        match more {
            Some(more) if people.len() < most => after = Some(more),
            _ => return Ok(Page::Chatting { people }),
        }
    }
}

pub(crate) fn own_account<V: View>(view: &V, me: Person) -> Result<Result<Page, Denied>, V::Error> {
    let Some(row) = live_account(view, me.account)? else {
        return Ok(Err(Denied::new(Code::NotLoggedIn)));
    };
    let AccountProfile { bio, links, audience, .. } = profile_of(view, me.account)?;
    let (email, created_wall_ms, role) = (row.email, row.created_wall_ms, row.role);
    Ok(Ok(Page::Account(OwnAccount { person: me, email, created_wall_ms, bio, links, audience, role })))
}

/// Returns the open sessions, newest first. Expired ones are left out.
pub(crate) fn sessions<V: View>(view: &V, me: &Person, this: TokenHash) -> Result<Page, V::Error> {
    let (from, to) = range_of(me.account);
    let rows = scan::<SessionsOf, V>(view, &from, &to, Order::NewestFirst, SESSIONS_PER_ACCOUNT_MAX)?;
    let mut open = Vec::with_capacity(rows.len());
    for ((_, opened), token) in rows {
        let Some(session) = get::<Sessions, V>(view, &token)? else { continue };
        if session.is_open_at(view.age_ms()) {
            let Session { opened_wall_ms, device, used_wall_ms, app, .. } = session;
            let (this, scopes) = (token == this, app.map(|access| access.scopes));
            open.push(OpenSession { opened, opened_wall_ms, device, used_wall_ms, this, scopes });
        }
    }
    Ok(Page::Sessions(open))
}

pub(crate) fn accounts<V: View>(
    view: &V,
    names: &str,
    after: Option<&str>,
) -> Result<Result<Page, Denied>, V::Error> {
    let (found, more) = checked!(fitting(view, names, after)?);
    let mut accounts = Vec::with_capacity(found.len());
    for account in found {
        let Some(row) = live_account(view, account)? else { continue };
        accounts.push(AccountSummary {
            person: lookup::person_of(account, &row),
            email: row.email,
            created_wall_ms: row.created_wall_ms,
            suspended: is_suspended(view, account)?,
            role: row.role,
            credential: row.credential.kind(),
            sessions: count::<SessionsOf, V>(view, account, SESSIONS_PER_ACCOUNT_MAX)?,
        });
    }
    Ok(Ok(Page::Accounts { accounts, more }))
}
