//! The rules of access to an account by other means than its password: one-time links, and accounts without a password.
//!
//! ```text
//!   operator: MakeResetLink ──▶ code ──▶ the person: ResetPassword ──▶ a password; the link and all sessions end
//!   gateway:  CreateByName  ──▶ an account without a password ── OpenByName ──▶ a session
//! ```
//!
//! A link is stored under a hash of its code and ends with its use, with a newer link, with any other change of the
//! password, and after a day of the cluster's age. An account without a password is open by its name alone until a password
//! is set. From then on it is open by the password alone.

use super::feed_addresses;
use super::sessions::{end_reset_link, end_sessions};
use super::social::{new_account, open_session};
use crate::code::{Code, Denied, Field};
use crate::command::{AccessCommand, Reply};
use crate::ids::{AccountId, TokenHash};
use crate::limits::{FEED_ADDRESSES_MAX, RESET_LINK_AGE_MS_MAX};
use crate::lookup::{is_live, live_account, named, person};
use crate::query::Person;
use crate::rows::{Account, Accounts, Change, LinkPurpose, OneTimeLink, OneTimeLinks, ResetLinks, View, get};
use crate::rule::{ApplyContext, Bounds, Decision, checked, or_deny};

/// Name of the device of a session that a gateway opened by a name.
const GATEWAY_DEVICE: &str = "An older client";

const NOT_VALID: Denied = Denied::new(Code::LinkNotValid);

pub(crate) fn change<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    command: &AccessCommand,
) -> Result<Decision, V::Error> {
    match command {
        AccessCommand::MakeResetLink { account, code } => make_reset_link(view, context, *account, *code),
        AccessCommand::ResetPassword { code, password_hash } => {
            let owner = or_deny!(reset_link_owner(view, *code, context.age_ms())?, NOT_VALID);
            let account = or_deny!(live_account(view, owner)?, NOT_VALID);
            new_password(bounds, view, owner, account, password_hash, None)
        }
        AccessCommand::CreateByName { username } => {
            new_account(view, context, username, username, None, None)
        }
        AccessCommand::OpenByName { username, session } => {
            let (id, account) = checked!(named(view, username)?);
            if account.password_hash.is_some() {
                return Ok(Err(Denied::of(Code::HasPassword, Field::Username)));
            }
            open_session(bounds, view, context, id, (*session, GATEWAY_DEVICE))
        }
    }
}

fn make_reset_link<V: View>(
    view: &V,
    context: ApplyContext,
    account: AccountId,
    code: TokenHash,
) -> Result<Decision, V::Error> {
    if !is_live(view, account)? {
        return Ok(Err(Denied::new(Code::NoSuchUser)));
    }
    // Codes are random, so another link has this one only if a program made it twice.
    if get::<OneTimeLinks, V>(view, &code)?.is_some() {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    let mut changes = Vec::new();
    end_reset_link(view, account, &mut changes)?;
    let link = OneTimeLink { purpose: LinkPurpose::Reset { account }, made_age_ms: context.age_ms() };
    changes.push(Change::put::<OneTimeLinks>(&code, &link));
    changes.push(Change::put::<ResetLinks>(&account, &code));
    Ok(Ok((changes, Reply::Done)))
}

/// Replaces the password of an account, ends its sessions except `keep`, its feed addresses, and its link to set a password.
pub(super) fn new_password<V: View>(
    bounds: &Bounds,
    view: &V,
    owner: AccountId,
    account: Account,
    password_hash: &str,
    keep: Option<TokenHash>,
) -> Result<Decision, V::Error> {
    let credential_version = account.credential_version + 1;
    let account = Account { password_hash: Some(password_hash.to_string()), credential_version, ..account };
    let mut changes = vec![Change::put::<Accounts>(&owner, &account)];
    end_reset_link(view, owner, &mut changes)?;
    changes.extend(end_sessions(bounds, view, owner, keep)?);
    feed_addresses::end_all(view, owner, FEED_ADDRESSES_MAX, &mut changes)?;
    Ok(Ok((changes, Reply::Done)))
}

/// Returns the account whose password a link may set at this cluster age.
fn reset_link_owner<V: View>(view: &V, code: TokenHash, age_ms: u64) -> Result<Option<AccountId>, V::Error> {
    Ok(get::<OneTimeLinks, V>(view, &code)?.and_then(|link| match link.purpose {
        LinkPurpose::Reset { account } => {
            (link.made_age_ms.saturating_add(RESET_LINK_AGE_MS_MAX) > age_ms).then_some(account)
        }
    }))
}

/// Returns the person whose password a link may set at this cluster age.
///
/// # Errors
/// The view's error.
pub fn reset_link_person<V: View>(
    view: &V,
    code: TokenHash,
    age_ms: u64,
) -> Result<Option<Person>, V::Error> {
    match reset_link_owner(view, code, age_ms)? {
        Some(account) => person(view, account),
        None => Ok(None),
    }
}
