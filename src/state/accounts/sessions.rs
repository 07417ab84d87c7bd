//! Sessions of an account: ending them, the day of their last use, and its link to set a new password.

use super::feed_addresses;
use crate::ids::{AccountId, LogIndex, TokenHash};
use crate::limits::FEED_ADDRESSES_MAX;
use crate::lookup::range_of;
use crate::rows::{
    Change, Key, OneTimeLinks, Order, ResetLinks, Session, Sessions, SessionsOf, Suspended, Table, View, get,
    scan,
};
use crate::rule::{ApplyContext, Bounds};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Notes the day on which a session was used, when its first command of a day is applied. So it costs each session one row
/// a day, and reading writes nothing. A session that the command ends is left alone.
pub(crate) fn note_use<V: View>(
    view: &V,
    context: ApplyContext,
    token: TokenHash,
    changes: &mut Vec<Change>,
) -> Result<(), V::Error> {
    let Some(session) = get::<Sessions, V>(view, &token)? else { return Ok(()) };
    let key = token.bytes();
    let ends = |change: &Change| matches!(change, Change::Remove { table, key: removed } if *table == Sessions::ID && *removed == key);
    if session.used_wall_ms / DAY_MS != context.wall_ms / DAY_MS && !changes.iter().any(ends) {
        let used = Session { used_wall_ms: context.wall_ms, ..session };
        changes.push(Change::put::<Sessions>(&token, &used));
    }
    Ok(())
}

/// Returns the changes that end a session.
pub(super) fn ended(key: (AccountId, LogIndex), token: TokenHash) -> [Change; 2] {
    [Change::remove::<Sessions>(&token), Change::remove::<SessionsOf>(&key)]
}

/// Ends all sessions of an account except `keep`.
pub(crate) fn end_sessions<V: View>(
    bounds: &Bounds,
    view: &V,
    owner: AccountId,
    keep: Option<TokenHash>,
) -> Result<Vec<Change>, V::Error> {
    let (from, to) = range_of(owner);
    let open = scan::<SessionsOf, V>(view, &from, &to, Order::OldestFirst, bounds.sessions_max)?;
    let others = open.into_iter().filter(|(_, token)| Some(*token) != keep);
    Ok(others.flat_map(|(key, token)| ended(key, token)).collect())
}

/// Returns the changes that suspend an account.
pub(crate) fn suspended<V: View>(
    bounds: &Bounds,
    view: &V,
    account: AccountId,
) -> Result<Vec<Change>, V::Error> {
    let mut changes = vec![Change::put::<Suspended>(&account, &())];
    changes.extend(end_sessions(bounds, view, account, None)?);
    feed_addresses::end_all(view, account, FEED_ADDRESSES_MAX, &mut changes)?;
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
