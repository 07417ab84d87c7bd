//! Sessions of an account: opening and ending them, the day of their last use, and its link to set a new password.

use crate::code::{Code, Denied};
use crate::command::Reply;
use crate::facts::AppUse;
use crate::ids::{AccountId, LogIndex, TokenHash};
use crate::limits::FEED_ADDRESSES_MAX;
use crate::lookup::{is_suspended, range_of};
use crate::rows::{
    AppAccess, AppCodes, AppCodesOf, Change, FeedAddresses, FeedAddressesOf, Key, OneTimeLinks, Order,
    ResetLinks, Session, Sessions, SessionsOf, Suspended, Table, View, get, scan,
};
use crate::rule::{ApplyContext, Bounds, Decision};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Notes the day on which a session was used, when its first command of a day is applied. So it costs each session one row
/// a day, and reading writes nothing. A session that the command ends or writes itself is left alone.
pub(crate) fn note_use(context: ApplyContext, token: TokenHash, session: Session, changes: &mut Vec<Change>) {
    let key = token.bytes();
    let concerns = |change: &Change| match change {
        Change::Put { table, key: changed, .. } | Change::Remove { table, key: changed } => {
            *table == Sessions::ID && *changed == key
        }
    };
    if session.used_wall_ms / DAY_MS != context.wall_ms / DAY_MS && !changes.iter().any(concerns) {
        let used = Session { used_wall_ms: context.wall_ms, ..session };
        changes.push(Change::put::<Sessions>(&token, &used));
    }
}

/// Returns true if a session may send a command that needs this of an app. One that has ended is left to the rule of the command.
pub(crate) fn permits(session: &Session, needs: AppUse, age_ms: u64) -> bool {
    let Some(access) = session.app.filter(|_| session.is_open_at(age_ms)) else { return true };
    match needs {
        AppUse::Any => true,
        AppUse::Never => false,
        AppUse::Scope(scope) => access.scopes.allows(scope),
    }
}

/// Opens a session of an account, in place of the oldest if it has as many as possible. `checked`: its password was checked.
pub(super) fn open_session<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    id: AccountId,
    (token, device): (TokenHash, &str),
    app: Option<AppAccess>,
    checked: bool,
) -> Result<Decision, V::Error> {
    if get::<Sessions, V>(view, &token)?.is_some() {
        return Ok(Err(Denied::new(Code::CredentialsChanged)));
    }
    if is_suspended(view, id)? {
        return Ok(Err(Denied::new(Code::AccountSuspended)));
    }
    let (from, to) = range_of(id);
    let open = scan::<SessionsOf, V>(view, &from, &to, Order::OldestFirst, bounds.sessions_max)?;
    let mut changes = Vec::new();
    if open.len() == bounds.sessions_max {
        let (key, oldest) = open[0];
        changes.extend(ended(key, oldest));
    }
    let session = Session {
        account: id,
        opened: context.index,
        opened_age_ms: context.age_ms(),
        opened_wall_ms: context.wall_ms,
        device: device.trim().to_string(),
        used_wall_ms: context.wall_ms,
        app,
        confirmed_age_ms: checked.then(|| context.age_ms()),
    };
    changes.push(Change::put::<Sessions>(&token, &session));
    changes.push(Change::put::<SessionsOf>(&(id, context.index), &token));
    Ok(Ok((changes, Reply::LoggedIn { account: id })))
}

/// Returns the changes that end a session.
pub(super) fn ended(key: (AccountId, LogIndex), token: TokenHash) -> [Change; 2] {
    removed::<Sessions, SessionsOf>(key, token)
}

/// Returns the changes that remove a row under a hash, and the row of its account that leads to it: a session, a code of an app or a
/// feed address.
pub(super) fn removed<T, Of>(key: (AccountId, LogIndex), hash: TokenHash) -> [Change; 2]
where
    T: Table<Key = TokenHash>,
    Of: Table<Key = (AccountId, LogIndex), Row = TokenHash>,
{
    [Change::remove::<T>(&hash), Change::remove::<Of>(&key)]
}

/// Removes up to `max` such pairs of an account.
pub(super) fn remove_all<T, Of, V>(
    view: &V,
    account: AccountId,
    max: usize,
    changes: &mut Vec<Change>,
) -> Result<(), V::Error>
where
    T: Table<Key = TokenHash>,
    Of: Table<Key = (AccountId, LogIndex), Row = TokenHash>,
    V: View,
{
    let (from, to) = range_of(account);
    for (key, hash) in scan::<Of, V>(view, &from, &to, Order::OldestFirst, max)? {
        changes.extend(removed::<T, Of>(key, hash));
    }
    Ok(())
}

/// Ends all sessions of an account except `keep`, and all codes that apps have not exchanged yet.
pub(crate) fn end_sessions<V: View>(
    bounds: &Bounds,
    view: &V,
    owner: AccountId,
    keep: Option<TokenHash>,
) -> Result<Vec<Change>, V::Error> {
    let (from, to) = range_of(owner);
    let open = scan::<SessionsOf, V>(view, &from, &to, Order::OldestFirst, bounds.sessions_max)?;
    let others = open.into_iter().filter(|(_, token)| Some(*token) != keep);
    let mut changes: Vec<Change> = others.flat_map(|(key, token)| ended(key, token)).collect();
    remove_all::<AppCodes, AppCodesOf, V>(view, owner, bounds.app_codes_max, &mut changes)?;
    Ok(changes)
}

/// Returns the changes that suspend an account.
pub(crate) fn suspended<V: View>(
    bounds: &Bounds,
    view: &V,
    account: AccountId,
) -> Result<Vec<Change>, V::Error> {
    let mut changes = vec![Change::put::<Suspended>(&account, &())];
    changes.extend(end_sessions(bounds, view, account, None)?);
    remove_all::<FeedAddresses, FeedAddressesOf, V>(view, account, FEED_ADDRESSES_MAX, &mut changes)?;
    Ok(changes)
}

/// Removes an account's link to set a new password, if it has one.
pub(super) fn end_reset_link<V: View>(
    view: &V,
    account: AccountId,
    changes: &mut Vec<Change>,
) -> Result<(), V::Error> {
    if let Some(code) = get::<ResetLinks, V>(view, &account)? {
        changes.push(Change::remove::<OneTimeLinks>(&code));
        changes.push(Change::remove::<ResetLinks>(&account));
    }
    Ok(())
}
