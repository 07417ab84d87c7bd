//! The rules for changes to existing accounts, by their owners and by operators.
//!
//! Passwords are checked and hashed outside the rules. The command carries the credential version that the check was made
//! against. A password change ends the sessions and feed addresses that were opened with the old password. A suspended
//! account loses both and gets no new ones; nothing else of it changes, so lifting the suspension restores it completely.

pub mod access;
pub(crate) mod announcements;
mod app_codes;
mod app_keys;
pub(crate) mod apps;
pub(crate) mod feed_addresses;
pub mod govern;
pub(crate) mod invitations;
pub(crate) mod registration;
pub(crate) mod relations;
pub(crate) mod reports;
pub(crate) mod sessions;
pub(crate) mod social;

use self::access::new_password;
use self::sessions::{end_sessions, ended, suspended};
use self::social::deleted;
use crate::cluster::{join_codes, members};
use crate::code::{Code, Denied};
use crate::command::{AccountChanges, AccountCommand, OperatorCommand, Reply};
use crate::conversation::remove_croak;
use crate::ids::{AccountId, LogIndex, TokenHash};
use crate::lookup::{live_account, profile_of, session_account, settings};
use crate::rooms;
use crate::rooms::messages::remove_by_operators;
use crate::rows::{
    Account, AccountProfile, Accounts, Bookkeeping, Change, Credential, OPERATORS, Profiles, Session,
    Sessions, SessionsOf, Settings, SettingsRow, Suspended, View, get,
};
use crate::rule::{ApplyContext, Bounds, Decision, checked, or_deny};
use crate::text;
use crate::visibility::Reader;
use crate::visibility::rooms::room_id;

const NO_SUCH_USER: Denied = Denied::new(Code::NoSuchUser);

pub(crate) fn change<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    books: &Bookkeeping,
    command: &AccountCommand,
) -> Result<Decision, V::Error> {
    let session = match command {
        AccountCommand::Describe { session, .. }
        | AccountCommand::ChangePassword { session, .. }
        | AccountCommand::EndSession { session, .. }
        | AccountCommand::EndOtherSessions { session }
        | AccountCommand::RemoveCroak { session, .. }
        | AccountCommand::Dismiss { session, .. }
        | AccountCommand::MakeFeedAddress { session, .. }
        | AccountCommand::EndFeedAddress { session, .. }
        | AccountCommand::Confirm { session, .. }
        | AccountCommand::Invite { session, .. }
        | AccountCommand::Uninvite { session, .. }
        | AccountCommand::Pin { session, .. } => *session,
    };
    let Some((me, account)) = session_account(view, session, context.age_ms())? else {
        return Ok(Err(Denied::new(Code::NotLoggedIn)));
    };
    match command {
        AccountCommand::Describe { changes, .. } => describe(view, me, account, changes),
        AccountCommand::ChangePassword { credential_version, .. }
        | AccountCommand::Confirm { credential_version, .. }
            if *credential_version != account.credential_version =>
        {
            Ok(Err(Denied::new(Code::CredentialsChanged)))
        }
        AccountCommand::ChangePassword { .. } | AccountCommand::Confirm { .. }
            if account.credential.password_hash().is_none() =>
        {
            Ok(Err(Denied::new(Code::NoPassword)))
        }
        AccountCommand::Confirm { .. } => confirm(view, context, session),
        AccountCommand::ChangePassword { password_hash, .. } => {
            new_password(bounds, view, me, account, password_hash, Some(session))
        }
        AccountCommand::EndSession { opened, .. } => end_session(view, me, *opened),
        AccountCommand::EndOtherSessions { .. } => {
            Ok(Ok((end_sessions(bounds, view, me, Some(session))?, Reply::Done)))
        }
        AccountCommand::Dismiss { announcement, .. } => {
            announcements::dismiss(bounds, view, me, *announcement)
        }
        AccountCommand::RemoveCroak { croak, .. } => remove_croak(bounds, view, books, *croak, Some(me)),
        AccountCommand::Pin { croak, pinned, .. } => pin(view, me, *croak, *pinned),
        AccountCommand::MakeFeedAddress { address, room, .. } => {
            feed_addresses::make(bounds, view, context, me, *address, room.as_deref())
        }
        AccountCommand::EndFeedAddress { made, .. } => feed_addresses::end(view, me, *made),
        AccountCommand::Invite { code, terms, .. } => {
            invitations::make(bounds, view, context, me, *code, terms)
        }
        AccountCommand::Uninvite { invitation, .. } => invitations::end(bounds, view, Some(me), *invitation),
    }
}

/// Makes a change of operators. The caller has checked that the sender may make it.
pub(crate) fn operate<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    books: &mut Bookkeeping,
    command: &OperatorCommand,
) -> Result<Decision, V::Error> {
    match command {
        OperatorCommand::RemoveCroak { croak } => remove_croak(bounds, view, books, *croak, None),
        OperatorCommand::RemoveRoomMessage { room, message } => remove_room_message(view, room, *message),
        OperatorCommand::SetRegistration { registration } => {
            let settings = Settings { registration: *registration, ..settings(view)? };
            Ok(Ok((vec![Change::put::<SettingsRow>(&(), &settings)], Reply::Done)))
        }
        OperatorCommand::SetInviters { inviters } => {
            let settings = Settings { inviters: *inviters, ..settings(view)? };
            Ok(Ok((vec![Change::put::<SettingsRow>(&(), &settings)], Reply::Done)))
        }
        OperatorCommand::DecideRequest { username, approved } => {
            registration::decide(view, context, username, *approved)
        }
        OperatorCommand::Invite { code, terms } => {
            invitations::make(bounds, view, context, OPERATORS, *code, terms)
        }
        OperatorCommand::Uninvite { invitation } => invitations::end(bounds, view, None, *invitation),
        OperatorCommand::MakeJoinCode { nonce, key, for_ms } => {
            join_codes::make(view, context, *nonce, *key, *for_ms)
        }
        OperatorCommand::RevokeJoinCode { slot } => join_codes::revoke(view, *slot),
        OperatorCommand::DescribeSite { name, welcome } => {
            describe_site(view, name.as_deref(), welcome.as_deref())
        }
        OperatorCommand::DecideReport { report, verdict } => {
            reports::decide(bounds, view, context, books, *report, *verdict)
        }
        OperatorCommand::Announce { text, for_ms } => {
            announcements::announce(bounds, view, context, text, *for_ms)
        }
        OperatorCommand::WithdrawAnnouncement { announcement } => {
            announcements::withdraw(view, *announcement)
        }
        OperatorCommand::CreateWithLink { person, code } => {
            access::create_with_link(bounds, view, context, person, *code)
        }
        OperatorCommand::Record { .. } => Ok(Ok((Vec::new(), Reply::Done))),
        OperatorCommand::CloseRoom { room } => rooms::close_by_operators(view, room),
        OperatorCommand::ChangeMember { name, change } => members::change(view, *name, *change),
        OperatorCommand::RaiseRules { level } => members::raise_rules(view, books, *level),
        OperatorCommand::SetAutoFinish { auto } => Ok(members::set_auto_finish(books, *auto)),
        OperatorCommand::MakeResetLink { account, code } => {
            access::make_reset_link(view, context, *account, *code)
        }
        OperatorCommand::RevokeResetLink { account } => access::revoke_reset_link(view, *account),
        OperatorCommand::SetPassword { account, password_hash } => {
            let row = or_deny!(live_account(view, *account)?, NO_SUCH_USER);
            new_password(bounds, view, *account, row, password_hash, None)
        }
        OperatorCommand::Suspend { account, suspended: suspends } => {
            or_deny!(live_account(view, *account)?, NO_SUCH_USER);
            let changes = match suspends {
                true => suspended(bounds, view, *account)?,
                false => vec![Change::remove::<Suspended>(account)],
            };
            Ok(Ok((changes, Reply::Done)))
        }
        OperatorCommand::RemoveAccount { account } => {
            let row = or_deny!(live_account(view, *account)?, NO_SUCH_USER);
            let mut changes = deleted(*account, row);
            changes.push(Change::remove::<Suspended>(account));
            Ok(Ok((changes, Reply::Done)))
        }
        OperatorCommand::SetRole { account, role } => {
            let row = or_deny!(live_account(view, *account)?, NO_SUCH_USER);
            let row = Account { role: *role, ..row };
            Ok(Ok((vec![Change::put::<Accounts>(account, &row)], Reply::Done)))
        }
    }
}

fn remove_room_message<V: View>(view: &V, room: &str, message: LogIndex) -> Result<Decision, V::Error> {
    let room = checked!(room_id(view, room)?);
    let changes = remove_by_operators(view, room, message)?;
    Ok(if changes.is_empty() { Err(Denied::new(Code::NoSuchMessage)) } else { Ok((changes, Reply::Done)) })
}

/// Notes that the password was checked for a session. That is a use of it, too.
fn confirm<V: View>(view: &V, context: ApplyContext, token: TokenHash) -> Result<Decision, V::Error> {
    let session = or_deny!(get::<Sessions, V>(view, &token)?, Denied::new(Code::NotLoggedIn));
    let (confirmed_age_ms, used_wall_ms) = (Some(context.age_ms()), context.wall_ms);
    let session = Session { confirmed_age_ms, used_wall_ms, ..session };
    Ok(Ok((vec![Change::put::<Sessions>(&token, &session)], Reply::Done)))
}

/// Changes the fields of an account that are given. A row is written only if one of its fields is.
fn describe<V: View>(
    view: &V,
    me: AccountId,
    mut account: Account,
    given: &AccountChanges,
) -> Result<Decision, V::Error> {
    let AccountChanges { name, bio, links, avatar, email, audience } = given;
    let mut changes = Vec::new();
    if let Some(name) = name {
        account.name = checked!(text::check_name(name));
    }
    if let Some(email) = email {
        account.email = checked!(text::check_email(email));
    }
    account.avatar = avatar.unwrap_or(account.avatar);
    if name.is_some() || email.is_some() || avatar.is_some() {
        changes.push(Change::put::<Accounts>(&me, &account));
    }
    let mut profile = profile_of(view, me)?;
    if let Some(bio) = bio {
        profile.bio = checked!(text::check_bio(bio));
    }
    if let Some(links) = links {
        profile.links = checked!(text::check_links(links));
    }
    profile.audience = audience.unwrap_or(profile.audience);
    if bio.is_some() || links.is_some() || audience.is_some() {
        changes.push(Change::put::<Profiles>(&me, &profile));
    }
    Ok(Ok((changes, Reply::Done)))
}

/// Pins a croak of the account in place of another, or takes it down. Changes nothing if it is so already.
fn pin<V: View>(view: &V, me: AccountId, croak: LogIndex, pinned: bool) -> Result<Decision, V::Error> {
    let (_, author) = or_deny!(Reader::new(view, me).read(croak)?, Denied::new(Code::NoSuchCroak));
    if author.account != me {
        return Ok(Err(Denied::new(Code::NotYours)));
    }
    let profile = profile_of(view, me)?;
    let mut changes = Vec::new();
    if (profile.pinned == Some(croak)) != pinned {
        let profile = AccountProfile { pinned: pinned.then_some(croak), ..profile };
        changes.push(Change::put::<Profiles>(&me, &profile));
    }
    Ok(Ok((changes, Reply::Done)))
}

fn describe_site<V: View>(view: &V, name: Option<&str>, welcome: Option<&str>) -> Result<Decision, V::Error> {
    let mut settings = settings(view)?;
    if let Some(name) = name {
        settings.site_name = checked!(text::check_site_name(name));
    }
    if let Some(welcome) = welcome {
        settings.welcome = checked!(text::check_welcome(welcome));
    }
    Ok(Ok((vec![Change::put::<SettingsRow>(&(), &settings)], Reply::Done)))
}

/// Returns the digest by which `Command::Rehash` identifies the hash that it replaces.
pub fn hash_digest(password_hash: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(password_hash.as_bytes())
}

/// Replaces the hash of an unchanged password. Refused when the account has a different hash by now, for any reason.
pub(crate) fn rehash<V: View>(
    view: &V,
    owner: AccountId,
    credential_version: u32,
    before: u64,
    password_hash: &str,
) -> Result<Decision, V::Error> {
    let account = live_account(view, owner)?.filter(|account| {
        account.credential_version == credential_version
            && account.credential.password_hash().is_some_and(|hash| hash_digest(hash) == before)
    });
    let Some(account) = account else { return Ok(Err(Denied::new(Code::CredentialsChanged))) };
    let account = Account { credential: Credential::Password(password_hash.to_string()), ..account };
    Ok(Ok((vec![Change::put::<Accounts>(&owner, &account)], Reply::Done)))
}

fn end_session<V: View>(view: &V, owner: AccountId, opened: LogIndex) -> Result<Decision, V::Error> {
    let Some(token) = get::<SessionsOf, V>(view, &(owner, opened))? else {
        return Ok(Err(Denied::new(Code::NoSuchSession)));
    };
    Ok(Ok((ended((owner, opened), token).to_vec(), Reply::Done)))
}
