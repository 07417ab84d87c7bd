//! Authorisation codes of an account.

use super::sessions::removed;
use crate::code::{Code, Denied};
use crate::ids::TokenHash;
use crate::lookup::range_of;
use crate::rows::{AppCode, AppCodes, AppCodesOf, Change, Order, View, get, scan};
use crate::rule::Bounds;

/// Stores a code, in place of the account's oldest if it has too many.
pub(super) fn make_code<V: View>(
    bounds: &Bounds,
    view: &V,
    code: TokenHash,
    row: AppCode,
) -> Result<Result<Vec<Change>, Denied>, V::Error> {
    // Codes are random, so another has this one only if a program made it twice.
    if get::<AppCodes, V>(view, &code)?.is_some() {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    let (from, to) = range_of(row.account);
    let open = scan::<AppCodesOf, V>(view, &from, &to, Order::OldestFirst, bounds.app_codes_max)?;
    let mut changes = Vec::new();
    if open.len() == bounds.app_codes_max {
        let (key, oldest) = open[0];
        changes.extend(removed::<AppCodes, AppCodesOf>(key, oldest));
    }
    changes.push(Change::put::<AppCodes>(&code, &row));
    changes.push(Change::put::<AppCodesOf>(&(row.account, row.made), &code));
    Ok(Ok(changes))
}
