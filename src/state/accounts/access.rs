//! The rules of access to an account by other means than its password: one-time links, and accounts without a password.
//!
//! ```text
//!   operator: MakeResetLink ──▶ code ──▶ the person: ResetPassword ──▶ a password; the link and all sessions end
//!   operator: CreateWithLink ──▶ an account that nothing opens, and a code ──▶ the person: ResetPassword
//!   gateway:  CreateByName  ──▶ an account that its name opens ── OpenByName ──▶ a session
//! ```
//!
//! A link is stored under a hash of its code and ends with its use, with a newer link, with any other change of the
//! password, and with its time in the cluster's age: a day, or 30 days if nothing opens the account yet. Once an account has
//! a password, the password alone opens it.

use super::registration;
use super::sessions::{end_reset_link, end_sessions, open_session, remove_all};
use super::social::{account_rows, checked_account, new_account};
use crate::code::{Code, Denied, Field};
use crate::command::{AccessCommand, NewPerson, Reply};
use crate::ids::{AccountId, TokenHash};
use crate::limits::{FEED_ADDRESSES_MAX, FIRST_LINK_AGE_MS_MAX, RESET_LINK_AGE_MS_MAX};
use crate::lookup::{is_live, live_account, named, person_of};
use crate::query::Person;
use crate::rooms::enter_all;
use crate::rows::{
    Account, Accounts, Change, Credential, FeedAddresses, FeedAddressesOf, LinkPurpose, OneTimeLink,
    OneTimeLinks, ResetLinks, View, get,
};
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
        AccessCommand::ResetPassword { code, password_hash } => {
            let (owner, account) = or_deny!(reset_link_owner(view, *code, context.age_ms())?, NOT_VALID);
            new_password(bounds, view, owner, account, password_hash, None)
        }
        AccessCommand::CreateByName { username } => {
            checked!(registration::is_open(view)?);
            new_account(view, context, username, username, None, Credential::Name)
        }
        AccessCommand::OpenByName { username, session } => {
            let (id, account) = checked!(named(view, username)?);
            let refused = match account.credential {
                Credential::Name => None,
                Credential::Password(_) => Some(Code::HasPassword),
                Credential::Nothing => Some(Code::NoPassword),
            };
            if let Some(code) = refused {
                return Ok(Err(Denied::of(code, Field::Username)));
            }
            open_session(bounds, view, context, id, (*session, GATEWAY_DEVICE), None, false)
        }
    }
}

pub(super) fn create_with_link<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    person: &NewPerson,
    code: TokenHash,
) -> Result<Decision, V::Error> {
    let NewPerson { username, name, email, rooms, role } = person;
    let created = checked_account(view, context, username, name, email.as_deref(), Credential::Nothing)?;
    let row = Account { role: *role, ..checked!(created) };
    let account = AccountId(context.index);
    let mut changes = account_rows(account, &row).to_vec();
    changes.extend(checked!(link_to(view, context, account, code)?));
    changes.extend(checked!(enter_all(bounds, view, context, account, rooms)?));
    Ok(Ok((changes, Reply::Created { account })))
}

pub(super) fn make_reset_link<V: View>(
    view: &V,
    context: ApplyContext,
    account: AccountId,
    code: TokenHash,
) -> Result<Decision, V::Error> {
    if !is_live(view, account)? {
        return Ok(Err(Denied::new(Code::NoSuchUser)));
    }
    let mut changes = Vec::new();
    end_reset_link(view, account, &mut changes)?;
    changes.extend(checked!(link_to(view, context, account, code)?));
    Ok(Ok((changes, Reply::Done)))
}

pub(super) fn revoke_reset_link<V: View>(view: &V, account: AccountId) -> Result<Decision, V::Error> {
    if !is_live(view, account)? {
        return Ok(Err(Denied::new(Code::NoSuchUser)));
    }
    let mut changes = Vec::new();
    end_reset_link(view, account, &mut changes)?;
    Ok(Ok((changes, Reply::Done)))
}

/// Returns the changes that add a link to an account that has none.
fn link_to<V: View>(
    view: &V,
    context: ApplyContext,
    account: AccountId,
    code: TokenHash,
) -> Result<Result<[Change; 2], Denied>, V::Error> {
    // Codes are random, so another link has this one only if a program made it twice.
    if get::<OneTimeLinks, V>(view, &code)?.is_some() {
        return Ok(Err(Denied::new(Code::InvalidEntry)));
    }
    let link = OneTimeLink { purpose: LinkPurpose::Reset { account }, made_age_ms: context.age_ms() };
    Ok(Ok([Change::put::<OneTimeLinks>(&code, &link), Change::put::<ResetLinks>(&account, &code)]))
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
    let credential = Credential::Password(password_hash.to_string());
    let account = Account { credential, credential_version, ..account };
    let mut changes = vec![Change::put::<Accounts>(&owner, &account)];
    end_reset_link(view, owner, &mut changes)?;
    changes.extend(end_sessions(bounds, view, owner, keep)?);
    remove_all::<FeedAddresses, FeedAddressesOf, V>(view, owner, FEED_ADDRESSES_MAX, &mut changes)?;
    Ok(Ok((changes, Reply::Done)))
}

/// Returns the account whose password a link may set at this cluster age.
fn reset_link_owner<V: View>(
    view: &V,
    code: TokenHash,
    age_ms: u64,
) -> Result<Option<(AccountId, Account)>, V::Error> {
    let Some(link) = get::<OneTimeLinks, V>(view, &code)? else { return Ok(None) };
    let LinkPurpose::Reset { account } = link.purpose;
    let Some(row) = live_account(view, account)? else { return Ok(None) };
    let valid_ms = match row.credential {
        Credential::Password(_) | Credential::Name => RESET_LINK_AGE_MS_MAX,
        Credential::Nothing => FIRST_LINK_AGE_MS_MAX,
    };
    Ok((link.made_age_ms.saturating_add(valid_ms) > age_ms).then_some((account, row)))
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
    Ok(reset_link_owner(view, code, age_ms)?.map(|(account, row)| person_of(account, &row)))
}
