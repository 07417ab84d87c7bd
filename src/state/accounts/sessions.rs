//! Ending the sessions of an account, and its link to set a new password.

use crate::ids::{AccountId, TokenHash};
use crate::lookup::range_of;
use crate::rows::{
    Change, OneTimeLinks, Order, ResetLinks, Sessions, SessionsOf, Suspended, View, get, scan,
};
use crate::rule::Bounds;

/// Ends all sessions of an account except `keep`.
pub(crate) fn end_sessions<V: View>(
    bounds: &Bounds,
    view: &V,
    owner: AccountId,
    keep: Option<TokenHash>,
) -> Result<Vec<Change>, V::Error> {
    let (from, to) = range_of(owner);
    let open = scan::<SessionsOf, V>(view, &from, &to, Order::OldestFirst, bounds.sessions_max)?;
    let ended = open.iter().filter(|(_, token)| Some(*token) != keep);
    Ok(ended
        .flat_map(|(key, token)| [Change::remove::<Sessions>(token), Change::remove::<SessionsOf>(key)])
        .collect())
}

/// Returns the changes that suspend an account.
pub(crate) fn suspended<V: View>(
    bounds: &Bounds,
    view: &V,
    account: AccountId,
) -> Result<Vec<Change>, V::Error> {
    let mut changes = vec![Change::put::<Suspended>(&account, &())];
    changes.extend(end_sessions(bounds, view, account, None)?);
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
