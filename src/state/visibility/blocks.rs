//! Lookups of mutes and blocks, which rules and queries share. [`crate::accounts::relations`] has the rules.

use crate::code::{Code, Denied, Field};
use crate::ids::AccountId;
use crate::lookup::range_of;
use crate::rows::{BlockedBy, Blocks, Key, Mutes, Order, Table, View, get};

/// Returns true if `me` has muted the other account.
pub(crate) fn is_muted<V: View>(view: &V, me: AccountId, other: AccountId) -> Result<bool, V::Error> {
    Ok(get::<Mutes, V>(view, &(me, other.0))?.is_some())
}

/// Returns true if `me` has blocked the other account.
pub(crate) fn has_blocked<V: View>(view: &V, me: AccountId, other: AccountId) -> Result<bool, V::Error> {
    Ok(get::<Blocks, V>(view, &(me, other.0))?.is_some())
}

/// Returns true if one of the two has blocked the other.
pub(crate) fn is_blocked_pair<V: View>(view: &V, one: AccountId, other: AccountId) -> Result<bool, V::Error> {
    Ok(has_blocked(view, one, other)? || has_blocked(view, other, one)?)
}

/// Returns true if the account has blocked, or is blocked by, anyone at all. Spares most readers the search for each pair.
pub(crate) fn blocks_anyone<V: View>(view: &V, me: AccountId) -> Result<bool, V::Error> {
    Ok(has_row::<Blocks, V>(view, me)? || has_row::<BlockedBy, V>(view, me)?)
}

fn has_row<T, V>(view: &V, account: AccountId) -> Result<bool, V::Error>
where
    T: Table<Key = (AccountId, u64), Row = ()>,
    V: View,
{
    let (from, to) = range_of(account);
    Ok(!view.scan(T::ID, &from.bytes(), &to.bytes(), Order::OldestFirst, 1)?.is_empty())
}

/// Checks that neither of the two has blocked the other. Every rule by which one reaches the other calls it.
///
/// # Errors
/// 667 if `me` has blocked the other, else 668 if the other has blocked `me`; both on the field `username`.
pub(crate) fn check_contact<V: View>(
    view: &V,
    me: AccountId,
    other: AccountId,
) -> Result<Result<(), Denied>, V::Error> {
    let code = match (has_blocked(view, me, other)?, has_blocked(view, other, me)?) {
        (true, _) => Code::YouBlocked,
        (false, true) => Code::BlockedByThem,
        (false, false) => return Ok(Ok(())),
    };
    Ok(Err(Denied::of(code, Field::Username)))
}
