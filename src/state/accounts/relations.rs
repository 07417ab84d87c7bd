//! The rules that keep people away from one another: muting and blocking.
//!
//! ```text
//!   mute   one way: the muter does not see them in feeds and notices; they do not learn it
//!   block  both ways: neither sees the other; follows and notices between them are removed
//! ```
//!
//! - Reading: [`crate::visibility`] hides the croaks and names of a blocked pair from each other. A mute leaves people out
//!   of the feed ([`crate::pages::people::feed_authors`]) and of notices; what the muter opens is still shown.
//! - Writing: [`crate::visibility::blocks::check_contact`] refuses commands that would reach the other one of a blocked pair.
//! - A talk from before stays readable: the messages are the mail of both.
//! - Every row has its inverse, so that deleting either account removes both.

use super::reports;
use crate::code::{Code, Denied, Field};
use crate::command::{RelationCommand, Reply};
use crate::ids::{AccountId, TokenHash};
use crate::lookup::{me_and, range_of};
use crate::notices;
use crate::rows::{
    BlockedBy, Blocks, Change, Followers, Friends, Key, MutedBy, Mutes, Order, Table, View, get, scan,
};
use crate::rule::{ApplyContext, Bounds, Decision, checked};

pub(crate) fn change<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    command: &RelationCommand,
) -> Result<Decision, V::Error> {
    match command {
        RelationCommand::Mute { session, username, muted } => {
            mute(bounds, view, context, *session, username, *muted)
        }
        RelationCommand::Block { session, username, blocked } => {
            block(bounds, view, context, *session, username, *blocked)
        }
        RelationCommand::Report { session, subject, words } => {
            reports::report(bounds, view, context, *session, subject, words)
        }
    }
}

/// Mutes or unmutes an account. Changes nothing if it is so already.
fn mute<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    session: TokenHash,
    username: &str,
    muted: bool,
) -> Result<Decision, V::Error> {
    let (me, other) = checked!(me_and(view, context, session, username)?);
    let mut changes = Vec::new();
    let most = (bounds.mutes_max, Code::TooManyMuted);
    let added = checked!(relate::<Mutes, MutedBy, V>(view, (me, other), muted, most, &mut changes)?);
    if added {
        notices::withdraw_all(bounds, view, &mut changes, (me, other))?;
    }
    Ok(Ok((changes, Reply::Done)))
}

/// Blocks or unblocks an account. Changes nothing if it is so already. Follows do not come back.
fn block<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    session: TokenHash,
    username: &str,
    blocked: bool,
) -> Result<Decision, V::Error> {
    let (me, other) = checked!(me_and(view, context, session, username)?);
    let mut changes = Vec::new();
    let most = (bounds.blocks_max, Code::TooManyBlocked);
    let added = checked!(relate::<Blocks, BlockedBy, V>(view, (me, other), blocked, most, &mut changes)?);
    if added {
        for (one, two) in [(me, other), (other, me)] {
            if get::<Friends, V>(view, &(one, two.0))?.is_some() {
                changes.push(Change::remove::<Friends>(&(one, two.0)));
                changes.push(Change::remove::<Followers>(&(two, one.0)));
            }
            notices::withdraw_all(bounds, view, &mut changes, (one, two))?;
        }
    }
    Ok(Ok((changes, Reply::Done)))
}

/// Adds or removes a row of `T` and its inverse. Returns true if it was added. Refused for oneself, and with the given code
/// beyond the maximum.
fn relate<T, Inverse, V>(
    view: &V,
    (me, other): (AccountId, AccountId),
    on: bool,
    (max, too_many): (usize, Code),
    changes: &mut Vec<Change>,
) -> Result<Result<bool, Denied>, V::Error>
where
    T: Table<Key = (AccountId, u64), Row = ()>,
    Inverse: Table<Key = (AccountId, u64), Row = ()>,
    V: View,
{
    if me == other {
        return Ok(Err(Denied::of(Code::Yourself, Field::Username)));
    }
    let (key, inverse) = ((me, other.0), (other, me.0));
    match (get::<T, V>(view, &key)?.is_some(), on) {
        (true, false) => changes.extend([Change::remove::<T>(&key), Change::remove::<Inverse>(&inverse)]),
        (false, true) => {
            let (from, to) = range_of(me);
            if view.scan(T::ID, &from.bytes(), &to.bytes(), Order::OldestFirst, max)?.len() == max {
                return Ok(Err(Denied::of(too_many, Field::Username)));
            }
            changes.extend([Change::put::<T>(&key, &()), Change::put::<Inverse>(&inverse, &())]);
            return Ok(Ok(true));
        }
        (true, true) | (false, false) => {}
    }
    Ok(Ok(false))
}

/// Removes the mutes, blocks and reports of a deleted account, at most `rows_max` of them. Returns true when none are left.
pub(crate) fn sweep<V: View>(
    view: &V,
    gone: AccountId,
    rows_max: usize,
    changes: &mut Vec<Change>,
) -> Result<bool, V::Error> {
    let mut left = rows_max;
    sweep_pairs::<Mutes, MutedBy, V>(view, gone, &mut left, changes)?;
    sweep_pairs::<MutedBy, Mutes, V>(view, gone, &mut left, changes)?;
    sweep_pairs::<Blocks, BlockedBy, V>(view, gone, &mut left, changes)?;
    sweep_pairs::<BlockedBy, Blocks, V>(view, gone, &mut left, changes)?;
    if left > 0 {
        left -= reports::sweep(view, gone, left, changes)?;
    }
    Ok(left > 0)
}

fn sweep_pairs<T, Inverse, V>(
    view: &V,
    gone: AccountId,
    left: &mut usize,
    changes: &mut Vec<Change>,
) -> Result<(), V::Error>
where
    T: Table<Key = (AccountId, u64), Row = ()>,
    Inverse: Table<Key = (AccountId, u64), Row = ()>,
    V: View,
{
    let (from, to) = range_of(gone);
    let rows = scan::<T, V>(view, &from, &to, Order::OldestFirst, *left)?;
    *left -= rows.len();
    for (key, ()) in rows {
        changes.push(Change::remove::<T>(&key));
        changes.push(Change::remove::<Inverse>(&(AccountId(key.1), gone.0)));
    }
    Ok(())
}
