//! The rules of apps: programs of others that act for a person through the API (OAuth 2).
//!
//! ```text
//!   app: Register ──▶ id and key
//!   person: Authorize ──▶ code ── app, with its key: Exchange ──▶ a session of the app ── Revoke ──▶ ended
//!   person: LogIn with an app ─────────────────────────────────▶ a session of the app
//! ```
//!
//! An app's session is a session like any other, with the app and its scopes. Which scope a command needs of it, and what an app must
//! never do, is in the table of commands ([`crate::facts`]); [`crate::apply`] refuses the rest.
//!
//! A code is stored under its hash and bound to the account, the app, the redirect address, the scopes and the challenge. It works
//! once, for ten minutes of the cluster's age. The second exchange of a code ends the session of the first, because one of the two
//! has stolen it.

use super::app_codes::make_code;
use super::app_keys::{app_with_key, check_scopes, place, used};
use super::sessions::{ended, open_session, removed};
use crate::code::{Code, Denied};
use crate::command::{AppCommand, Reply};
use crate::ids::{AppId, LogIndex, TokenHash};
use crate::limits::APP_CODE_AGE_MS_MAX;
use crate::lookup::{is_live, session_owner};
use crate::query::{AppInfo, Page, Person};
use crate::redirect;
use crate::rows::{
    App, AppAccess, AppCode, AppCodes, AppCodesOf, AppOrder, Apps, Change, Order, Sessions, View, get, scan,
};
use crate::rule::{ApplyContext, Bounds, Decision, checked, or_deny};
use crate::text;

const NOT_VALID: Denied = Denied::new(Code::CodeNotValid);

pub(crate) fn change<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    command: &AppCommand,
) -> Result<Decision, V::Error> {
    match command {
        AppCommand::Register { name, website, redirects, scopes, key } => {
            let (name, website) =
                (checked!(text::check_app_name(name)), checked!(text::check_website(website)));
            checked!(redirect::check_redirects(redirects));
            checked!(check_scopes(*scopes, *scopes));
            let redirects = redirects.clone();
            let (scopes, key, used) = (*scopes, *key, context.index);
            let app = App { name, website, redirects, scopes, key, authorised: false, used };
            register(bounds, view, AppId(context.index), &app)
        }
        AppCommand::Authorize { session, app, redirect, scopes, challenge, code } => {
            let owner = session_owner(view, *session, context.age_ms())?;
            let me = or_deny!(owner, Denied::new(Code::NotLoggedIn));
            let row = or_deny!(get::<Apps, V>(view, app)?, Denied::new(Code::NoSuchApp));
            let redirect = or_deny!(position(&row, redirect), Denied::new(Code::RedirectNotRegistered));
            checked!(check_scopes(*scopes, row.scopes));
            let code_row = AppCode {
                account: me,
                made: context.index,
                made_age_ms: context.age_ms(),
                access: AppAccess { app: *app, scopes: *scopes },
                redirect,
                challenge: challenge.as_deref().copied(),
                session: None,
            };
            let mut changes = checked!(make_code(bounds, view, *code, code_row)?);
            changes.extend(used(context, *app, row));
            Ok(Ok((changes, Reply::Done)))
        }
        AppCommand::Exchange { app, key, code, redirect, verifier, session } => {
            let row = checked!(app_with_key(view, *app, *key)?);
            let found = or_deny!(get::<AppCodes, V>(view, code)?, NOT_VALID);
            let fits = found.access.app == *app
                && position(&row, redirect) == Some(found.redirect)
                && found.challenge.as_ref() == verifier.as_deref()
                && found.made_age_ms.saturating_add(APP_CODE_AGE_MS_MAX) > context.age_ms();
            if !fits {
                return Ok(Err(NOT_VALID));
            }
            exchange(bounds, view, context, (*code, found), (*session, row))
        }
        AppCommand::Revoke { app, key, session } => {
            checked!(app_with_key(view, *app, *key)?);
            match get::<Sessions, V>(view, session)? {
                None => Ok(Ok((Vec::new(), Reply::Done))),
                Some(row) if row.app.is_some_and(|access| access.app == *app) => {
                    Ok(Ok((ended((row.account, row.opened), *session).to_vec(), Reply::Done)))
                }
                Some(_) => Ok(Err(Denied::new(Code::NotYours))),
            }
        }
    }
}

/// Adds an app, in place of the one that was not used for longest if there are too many. One that no person has logged in with goes
/// before all others, so that registering alone drops no app in use.
fn register<V: View>(bounds: &Bounds, view: &V, id: AppId, app: &App) -> Result<Decision, V::Error> {
    let (from, to) = ((0, 0), (u64::MAX, LogIndex::MAX));
    let known = scan::<AppOrder, V>(view, &from, &to, Order::OldestFirst, bounds.apps_max)?;
    let mut changes = Vec::new();
    if known.len() == bounds.apps_max {
        let (place, oldest) = &known[0];
        changes.push(Change::remove::<AppOrder>(place));
        changes.push(Change::remove::<Apps>(oldest));
    }
    changes.push(Change::put::<Apps>(&id, app));
    changes.push(Change::put::<AppOrder>(&place(app), &id));
    Ok(Ok((changes, Reply::Registered { app: id })))
}

/// Returns the position of a redirect address, which must be the same byte for byte.
fn position(app: &App, redirect: &str) -> Option<u8> {
    let at = app.redirects.iter().position(|registered| registered == redirect)?;
    u8::try_from(at).ok()
}

/// Opens the session of a code, or ends it if the code was exchanged before.
fn exchange<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    (code, found): (TokenHash, AppCode),
    (session, app): (TokenHash, App),
) -> Result<Decision, V::Error> {
    if let Some(given) = found.session {
        let mut changes = removed::<AppCodes, AppCodesOf>((found.account, found.made), code).to_vec();
        if let Some(row) = get::<Sessions, V>(view, &given)? {
            changes.extend(ended((row.account, row.opened), given));
        }
        return Ok(Ok((changes, Reply::Done)));
    }
    if !is_live(view, found.account)? {
        return Ok(Err(NOT_VALID));
    }
    let (mut changes, reply) = checked!(open_session(
        bounds,
        view,
        context,
        found.account,
        (session, &app.name),
        Some(found.access),
        false
    )?);
    changes.push(Change::put::<AppCodes>(&code, &AppCode { session: Some(session), ..found }));
    Ok(Ok((changes, reply)))
}

/// Answers with an app, if there is one; only its owner shows a key.
pub(crate) fn app<V: View>(
    view: &V,
    id: AppId,
    key: Option<TokenHash>,
) -> Result<Result<Page, Denied>, V::Error> {
    let row = match key {
        Some(key) => checked!(app_with_key(view, id, key)?),
        None => or_deny!(get::<Apps, V>(view, &id)?, Denied::new(Code::NoSuchApp)),
    };
    let App { name, website, redirects, scopes, .. } = row;
    Ok(Ok(Page::App(AppInfo { app: id, name, website, redirects, scopes })))
}

/// Answers with the owner of a session and its permissions.
pub(crate) fn caller<V: View>(view: &V, me: Person, session: TokenHash) -> Result<Page, V::Error> {
    let row = get::<Sessions, V>(view, &session)?;
    let (access, device) = row.map_or((None, String::new()), |row| (row.app, row.device));
    Ok(Page::Caller { me, access, device })
}
