//! The rules of who may create an account.
//!
//! ```text
//!   CreateAccount ── with an invitation that works ──────▶ an account, in a room if the invitation says so
//!                 └─ open ───────────────────────────────▶ an account
//!                 └─ by request ─▶ JoinRequests ── DecideRequest ──▶ an account, or nothing
//!                 └─ by invitation, closed ──────────────▶ refused
//! ```
//!
//! A request that waits is no account: it is in no list, has no id, and opens no session. It has its name, though, so no account
//! and no other request gets it. Accounts that a gateway opens by a name are created while registration is open only.

use super::invitations;
use super::social::{account_rows, checked_account, new_account};
use crate::code::{Code, Denied};
use crate::command::Reply;
use crate::ids::{AccountId, TokenHash};
use crate::limits::JOIN_REQUESTS_PAGE_MAX;
use crate::lookup::settings;
use crate::query::{JoinRequestItem, Page};
use crate::rows::{Account, Change, Credential, JoinRequests, Order, Registration, View, get, scan};
use crate::rule::{ApplyContext, Bounds, Decision, checked, or_deny};
use crate::text;

/// Behind all user names, which consist of a-z 0-9 _ - only.
const BEHIND_NAMES: &str = "~";

/// Creates an account for a person, or stores their request for one.
pub(crate) fn create_account<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    (username, name, email): (&str, &str, &str),
    password_hash: &str,
    invitation: Option<TokenHash>,
) -> Result<Decision, V::Error> {
    let credential = Credential::Password(password_hash.to_string());
    if let Some(code) = invitation {
        let created = new_account(view, context, username, name, Some(email), credential)?;
        let (mut changes, reply) = checked!(created);
        changes.extend(checked!(invitations::used(bounds, view, context, code)?));
        return Ok(Ok((changes, reply)));
    }
    match settings(view)?.registration {
        Registration::Open => new_account(view, context, username, name, Some(email), credential),
        Registration::Request => {
            let account = checked!(checked_account(view, context, username, name, Some(email), credential)?);
            ask(bounds, view, account)
        }
        Registration::Invitation => Ok(Err(Denied::new(Code::InvitationNeeded))),
        Registration::Closed => Ok(Err(Denied::new(Code::RegistrationClosed))),
    }
}

/// Refuses unless everyone may create an account.
pub(super) fn is_open<V: View>(view: &V) -> Result<Result<(), Denied>, V::Error> {
    Ok(match settings(view)?.registration {
        Registration::Open => Ok(()),
        Registration::Invitation | Registration::Request | Registration::Closed => {
            Err(Denied::new(Code::RegistrationClosed))
        }
    })
}

fn ask<V: View>(bounds: &Bounds, view: &V, account: Account) -> Result<Decision, V::Error> {
    let waiting = requests(view, None, bounds.join_requests_max)?.len();
    if waiting == bounds.join_requests_max {
        return Ok(Err(Denied::new(Code::TooManyJoinRequests)));
    }
    let change = Change::put::<JoinRequests>(&account.username.clone(), &account);
    Ok(Ok((vec![change], Reply::Requested)))
}

/// Creates the account that a request asks for, or removes the request.
pub(super) fn decide<V: View>(
    view: &V,
    context: ApplyContext,
    username: &str,
    approved: bool,
) -> Result<Decision, V::Error> {
    let username = checked!(text::fold_username(username));
    let row = or_deny!(get::<JoinRequests, V>(view, &username)?, Denied::new(Code::NoSuchJoinRequest));
    let mut changes = vec![Change::remove::<JoinRequests>(&username)];
    if !approved {
        return Ok(Ok((changes, Reply::Done)));
    }
    let id = AccountId(context.index);
    changes.extend(account_rows(id, &Account { created_wall_ms: context.wall_ms, ..row }));
    Ok(Ok((changes, Reply::Created { account: id })))
}

fn requests<V: View>(view: &V, after: Option<&str>, max: usize) -> Result<Vec<(String, Account)>, V::Error> {
    // Directly behind that name, before all longer names that begin with it.
    let from = after.map_or_else(String::new, |after| format!("{after}\0"));
    scan::<JoinRequests, V>(view, &from, &BEHIND_NAMES.to_string(), Order::OldestFirst, max)
}

/// Returns a page of the requests that wait, in the order of their user names.
pub(crate) fn list<V: View>(view: &V, after: Option<&str>) -> Result<Page, V::Error> {
    let rows = requests(view, after, JOIN_REQUESTS_PAGE_MAX)?;
    let more = rows.last().filter(|_| rows.len() == JOIN_REQUESTS_PAGE_MAX).map(|(name, _)| name.clone());
    let items = rows.into_iter().map(|(username, row)| {
        let Account { name, email, created_wall_ms: wall_ms, .. } = row;
        JoinRequestItem { username, name, email, wall_ms }
    });
    Ok(Page::JoinRequests { requests: items.collect(), more })
}
