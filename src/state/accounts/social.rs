//! The rules of accounts, sessions and friendships.
//!
//! Each rule reads the view and decides on rows to change and a reply, or on a refusal. Passwords are checked outside
//! the rules. The command carries what the check was made against (account id and credential version), and the rule
//! compares it, so that a check against an old password or against a deleted account's successor is refused.
//!
//! Deleting an account marks it and enters it in `Sweeps`. [`sweep`] then removes its sessions, friendships and indexed
//! croaks in bounded steps, and [`index_croaks`] drops its remaining croaks instead of indexing them. The account's
//! messages are swept by [`crate::messages`] and its notices by [`crate::notices`]. Changes made by the owner are in [`super`].

use super::app_keys::logged_in_with;
use super::relations;
use super::sessions::{end_reset_link, ended, open_session, remove_all};
use crate::account_role::AccountRole;
use crate::avatar::Avatar;
use crate::code::{Code, Denied, Field};
use crate::command::{AppLogIn, Reply};
use crate::conversation::removal::Tally;
use crate::croaks;
use crate::ids::{AccountId, LogIndex, RoomId, TokenHash};
use crate::lookup::{is_live, live_account, me_and, range_of, session_account};
use crate::messages;
use crate::notices;
use crate::rooms;
use crate::rows::{
    Account, Accounts, AppCodes, AppCodesOf, Bookkeeping, Books, Change, Credential, CroaksBy, Dismissals,
    FeedAddresses, FeedAddressesOf, Followers, Friends, Invitations, InvitationsOf, JoinRequests, LikedBy,
    Names, NoticeKind, Order, Profiles, Rooms, Sessions, SessionsOf, Sweeps, View, get, scan,
};
use crate::rule::{ApplyContext, Bounds, Decision, checked, or_deny};
use crate::text;
use crate::visibility::blocks::check_contact;

const NOT_LOGGED_IN: Denied = Denied::new(Code::NotLoggedIn);

pub(super) fn new_account<V: View>(
    view: &V,
    context: ApplyContext,
    username: &str,
    name: &str,
    email: Option<&str>,
    credential: Credential,
) -> Result<Decision, V::Error> {
    let id = AccountId(context.index);
    let account = checked!(checked_account(view, context, username, name, email, credential)?);
    Ok(Ok((account_rows(id, &account).to_vec(), Reply::Created { account: id })))
}

/// Returns the changes that add an account.
pub(super) fn account_rows(id: AccountId, account: &Account) -> [Change; 2] {
    [Change::put::<Accounts>(&id, account), Change::put::<Names>(&account.username, &id)]
}

/// Returns a new account, if its texts are valid and no other account has the name or asks for it.
pub(super) fn checked_account<V: View>(
    view: &V,
    context: ApplyContext,
    username: &str,
    name: &str,
    email: Option<&str>,
    credential: Credential,
) -> Result<Result<Account, Denied>, V::Error> {
    let name = checked!(text::check_name(name));
    let username = checked!(text::fold_username(username));
    let email = match email {
        Some(email) => checked!(text::check_email(email)),
        None => String::new(),
    };
    if get::<Names, V>(view, &username)?.is_some() || get::<JoinRequests, V>(view, &username)?.is_some() {
        return Ok(Err(Denied::of(Code::UsernameTaken, Field::Username)));
    }
    Ok(Ok(Account {
        username,
        name,
        email,
        credential,
        credential_version: 1,
        created_wall_ms: context.wall_ms,
        avatar: Avatar::Drawn,
        role: AccountRole::Person,
        deleted: false,
    }))
}

pub(crate) fn log_in<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    id: AccountId,
    credential_version: u32,
    (token, device): (TokenHash, &str),
    app: Option<AppLogIn>,
) -> Result<Decision, V::Error> {
    checked!(text::check_device(device));
    let changed = Denied::new(Code::CredentialsChanged);
    let account = or_deny!(live_account(view, id)?, changed);
    if account.credential.password_hash().is_none() {
        return Ok(Err(Denied::new(Code::NoPassword)));
    }
    if account.credential_version != credential_version {
        return Ok(Err(changed));
    }
    let Some(app) = app else {
        return open_session(bounds, view, context, id, (token, device), None, true);
    };
    let (access, name, noted) = checked!(logged_in_with(view, context, app)?);
    let (mut changes, reply) =
        checked!(open_session(bounds, view, context, id, (token, &name), Some(access), true)?);
    changes.extend(noted);
    Ok(Ok((changes, reply)))
}

pub(crate) fn log_out<V: View>(view: &V, token: TokenHash) -> Result<Decision, V::Error> {
    let session = or_deny!(get::<Sessions, V>(view, &token)?, NOT_LOGGED_IN);
    Ok(Ok((ended((session.account, session.opened), token).to_vec(), Reply::Done)))
}

pub(crate) fn add_friend<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    session: TokenHash,
    username: &str,
) -> Result<Decision, V::Error> {
    let (me, friend) = checked!(me_and(view, context, session, username)?);
    if friend == me {
        return Ok(Err(Denied::of(Code::Yourself, Field::Username)));
    }
    checked!(check_contact(view, me, friend)?);
    if get::<Friends, V>(view, &(me, friend.0))?.is_some() {
        return Ok(Err(Denied::of(Code::AlreadyFriend, Field::Username)));
    }
    let (from, to) = range_of(me);
    if scan::<Friends, V>(view, &from, &to, Order::OldestFirst, bounds.friends_max)?.len()
        == bounds.friends_max
    {
        return Ok(Err(Denied::of(Code::TooManyFriends, Field::Username)));
    }
    let mut changes = vec![
        Change::put::<Friends>(&(me, friend.0), &context.index),
        Change::put::<Followers>(&(friend, me.0), &()),
    ];
    notices::notify(bounds, view, context, &mut changes, (friend, me), NoticeKind::Follow)?;
    Ok(Ok((changes, Reply::Done)))
}

pub(crate) fn remove_friend<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    session: TokenHash,
    username: &str,
) -> Result<Decision, V::Error> {
    let (me, friend) = checked!(me_and(view, context, session, username)?);
    if get::<Friends, V>(view, &(me, friend.0))?.is_none() {
        return Ok(Err(Denied::of(Code::NotAFriend, Field::Username)));
    }
    let mut changes =
        vec![Change::remove::<Friends>(&(me, friend.0)), Change::remove::<Followers>(&(friend, me.0))];
    notices::withdraw(bounds, view, &mut changes, (friend, me), NoticeKind::Follow)?;
    Ok(Ok((changes, Reply::Done)))
}

pub(crate) fn delete_account<V: View>(
    view: &V,
    context: ApplyContext,
    session: TokenHash,
    credential_version: u32,
) -> Result<Decision, V::Error> {
    let (id, account) = or_deny!(session_account(view, session, context.age_ms())?, NOT_LOGGED_IN);
    if account.credential_version != credential_version {
        return Ok(Err(Denied::new(Code::CredentialsChanged)));
    }
    Ok(Ok((deleted(id, account), Reply::Done)))
}

/// Returns the changes that delete an account for every reader. Its texts are cleared at once; its row stays as a mark.
pub(crate) fn deleted(id: AccountId, account: Account) -> Vec<Change> {
    let name = account.username;
    let marked = Account {
        username: String::new(),
        name: String::new(),
        email: String::new(),
        credential: Credential::Nothing,
        avatar: Avatar::Drawn,
        role: AccountRole::Person,
        deleted: true,
        ..account
    };
    vec![
        Change::put::<Accounts>(&id, &marked),
        Change::remove::<Names>(&name),
        Change::remove::<Profiles>(&id),
        Change::put::<Sweeps>(&id, &()),
    ]
}

/// Removes up to `sweep_step` rows of a deleted account; the last step also removes its entry in `Sweeps`. Croaks that
/// are not in the index by author yet are left to [`index_croaks`].
pub(crate) fn sweep<V: View>(
    bounds: &Bounds,
    view: &V,
    books: &Bookkeeping,
    account: AccountId,
) -> Result<Decision, V::Error> {
    if get::<Sweeps, V>(view, &account)?.is_none() {
        return Ok(Ok((Vec::new(), Reply::Stepped { more: false })));
    }
    // The id of a closed room is entered there, too.
    let room = RoomId(account.0);
    if let Some(row) = get::<Rooms, V>(view, &room)? {
        return rooms::messages::sweep_room(bounds, view, room, &row);
    }
    let (from, to) = range_of(account);
    let mut changes = Vec::new();
    end_reset_link(view, account, &mut changes)?;
    if get::<Dismissals, V>(view, &account)?.is_some() {
        changes.push(Change::remove::<Dismissals>(&account));
    }
    // Each row found removes a second row elsewhere, so a step looks up half as many. A croak that is still in the
    // deduplication window adds a third change: the record of its request.
    let left = |changes: &Vec<Change>| bounds.sweep_step.saturating_sub(changes.len()) / 2;
    remove_all::<AppCodes, AppCodesOf, V>(view, account, left(&changes), &mut changes)?;
    remove_all::<Sessions, SessionsOf, V>(view, account, left(&changes), &mut changes)?;
    remove_all::<FeedAddresses, FeedAddressesOf, V>(view, account, left(&changes), &mut changes)?;
    remove_all::<Invitations, InvitationsOf, V>(view, account, left(&changes), &mut changes)?;
    for (key, _) in scan::<Friends, V>(view, &from, &to, Order::OldestFirst, left(&changes))? {
        changes.push(Change::remove::<Friends>(&key));
        changes.push(Change::remove::<Followers>(&(AccountId(key.1), account.0)));
    }
    for (key, ()) in scan::<Followers, V>(view, &from, &to, Order::OldestFirst, left(&changes))? {
        changes.push(Change::remove::<Followers>(&key));
        changes.push(Change::remove::<Friends>(&(AccountId(key.1), account.0)));
    }
    let mut tally = Tally::new(view);
    for (key, ()) in scan::<CroaksBy, V>(view, &from, &to, Order::OldestFirst, left(&changes))? {
        changes.push(Change::remove::<CroaksBy>(&key));
        if let Some(found) = croaks::find(view, key.1)? {
            tally.remove(books, &found, &mut changes)?;
        }
    }
    for ((_, croak), like) in scan::<LikedBy, V>(view, &from, &to, Order::OldestFirst, left(&changes))? {
        tally.remove_like(account, croak, like, &mut changes)?;
    }
    tally.finish(&mut changes);
    let finished = messages::sweep(view, account, left(&changes), &mut changes)?
        && notices::sweep(view, account, left(&changes), &mut changes)?
        && relations::sweep(view, account, left(&changes), &mut changes)?
        && rooms::messages::sweep_account(view, account, left(&changes), &mut changes)?;
    let more = !finished || left(&changes) == 0;
    if !more {
        changes.push(Change::remove::<Sweeps>(&account));
    }
    Ok(Ok((changes, Reply::Stepped { more })))
}

/// Moves the oldest unindexed croaks into the index by author, or drops them when their author is deleted.
pub(crate) fn index_croaks<V: View>(
    bounds: &Bounds,
    view: &V,
    books: &mut Bookkeeping,
) -> Result<Decision, V::Error> {
    let from = books.indexed_through + 1;
    let found = croaks::between(view, from, LogIndex::MAX, Order::OldestFirst, bounds.index_step)?;
    let Some(last) = found.last() else {
        return Ok(Ok((Vec::new(), Reply::Stepped { more: false })));
    };
    books.indexed_through = last.index;
    let mut changes = Vec::with_capacity(found.len() + 1);
    let mut tally = Tally::new(view);
    for one in &found {
        let author = one.author;
        if is_live(view, author)? {
            changes.push(Change::put::<CroaksBy>(&(author, one.index), &()));
        } else {
            tally.remove(books, one, &mut changes)?;
        }
    }
    tally.finish(&mut changes);
    changes.push(Change::put::<Books>(&(), books));
    Ok(Ok((changes, Reply::Stepped { more: found.len() == bounds.index_step })))
}
