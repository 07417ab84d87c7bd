//! The rules of join codes: one-time codes with which new servers get the cluster file.
//!
//! ```text
//!   MakeJoinCode ──▶ JoinCodes ── TryJoinCode, proven ──▶ used: the member sends the file
//!                             ├─ TryJoinCode, wrong ───▶ one try less; the third one ends it
//!                             └─ RevokeJoinCode, its time
//! ```
//!
//! - A member proposes `TryJoinCode` for each try before it tells the other side the result. So the tries count for the whole
//!   cluster, also across a failover, and no result is known that is not counted.
//! - A code begins with its slot, one of 32. A code that is over keeps its slot until another one needs it, so that its
//!   refusal says why.

use crate::code::{Code, Denied};
use crate::command::Reply;
use crate::limits::{JOIN_CODE_MS_MAX, JOIN_CODE_SLOTS, JOIN_CODE_TRIES};
use crate::query::{JoinCodeItem, Page};
use crate::rows::{Change, JoinCode, JoinCodes, Order, Rows, View, get, scan};
use crate::rule::{ApplyContext, Decision, checked, or_deny};

/// Letters of a join code, in the order of their values: Crockford's base32.
pub const LETTERS: &[u8; JOIN_CODE_SLOTS] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Returns the letter with which the join code in a slot begins.
pub fn letter(slot: u8) -> char {
    LETTERS.get(usize::from(slot)).map_or('?', |letter| char::from(*letter))
}

const NO_SUCH_CODE: Denied = Denied::new(Code::NoSuchJoinCode);

fn all<V: View>(view: &V) -> Result<Rows<JoinCodes>, V::Error> {
    scan::<JoinCodes, V>(view, &0, &u64::MAX, Order::OldestFirst, JOIN_CODE_SLOTS)
}

/// Makes a join code. It gets the next free slot after those of the last ones.
pub(crate) fn make<V: View>(
    view: &V,
    context: ApplyContext,
    nonce: u128,
    key: u64,
    for_ms: u64,
) -> Result<Decision, V::Error> {
    if !(1..=JOIN_CODE_MS_MAX).contains(&for_ms) {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    let rows = all(view)?;
    let slots = (0..JOIN_CODE_SLOTS as u64).map(|step| (context.index + step) % JOIN_CODE_SLOTS as u64);
    let row_of = |slot: &u64| rows.iter().find(|(key, _)| key == slot).map(|(_, row)| row);
    let is_over = |slot: &u64| row_of(slot).is_some_and(|row| row.over_at(context.age_ms()).is_some());
    let slot = slots.clone().find(|slot| row_of(slot).is_none()).or_else(|| slots.clone().find(is_over));
    let slot = or_deny!(slot, Denied::new(Code::TooManyJoinCodes));
    let row = JoinCode {
        made: context.index,
        made_wall_ms: context.wall_ms,
        until_age_ms: context.age_ms().saturating_add(for_ms),
        nonce,
        key,
        tries_left: JOIN_CODE_TRIES,
        used: false,
    };
    Ok(Ok((vec![Change::put::<JoinCodes>(&slot, &row)], Reply::Invited { invitation: slot })))
}

/// Ends a join code.
pub(crate) fn revoke<V: View>(view: &V, slot: u8) -> Result<Decision, V::Error> {
    let slot = u64::from(slot);
    or_deny!(get::<JoinCodes, V>(view, &slot)?, NO_SUCH_CODE);
    Ok(Ok((vec![Change::remove::<JoinCodes>(&slot)], Reply::Done)))
}

/// Returns the join code in a slot if it works at this cluster age, else why it does not.
///
/// # Errors
/// The view's error.
pub fn working<V: View>(view: &V, slot: u8, age_ms: u64) -> Result<Result<JoinCode, Denied>, V::Error> {
    let row = or_deny!(get::<JoinCodes, V>(view, &u64::from(slot))?, NO_SUCH_CODE);
    Ok(row.over_at(age_ms).map_or(Ok(row), |code| Err(Denied::new(code))))
}

/// Records a try. `nonce` is the one of the code that was tried: the slot may have another one by now.
pub(crate) fn record_try<V: View>(
    view: &V,
    context: ApplyContext,
    slot: u8,
    nonce: u128,
    proven: bool,
) -> Result<Decision, V::Error> {
    let row = checked!(working(view, slot, context.age_ms())?);
    if row.nonce != nonce {
        return Ok(Err(NO_SUCH_CODE));
    }
    let row = match proven {
        true => JoinCode { used: true, ..row },
        false => JoinCode { tries_left: row.tries_left - 1, ..row },
    };
    Ok(Ok((vec![Change::put::<JoinCodes>(&u64::from(slot), &row)], Reply::Done)))
}

/// Answers with all join codes, in the order of their slots.
pub(crate) fn list<V: View>(view: &V) -> Result<Page, V::Error> {
    let age_ms = view.age_ms();
    let item = |(slot, row): (u64, JoinCode)| JoinCodeItem {
        // There are no others.
        slot: slot as u8,
        over: row.over_at(age_ms),
        left_ms: row.until_age_ms.saturating_sub(age_ms),
        row,
    };
    Ok(Page::JoinCodes(all(view)?.into_iter().map(item).collect()))
}
