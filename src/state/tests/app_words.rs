//! Words of the golden scripts for apps: commands, queries and rows.

use super::row_words::label;
use super::scripts::{first, session};
use super::token;
use crate::command::{AppCommand, AppLogIn, Command};
use crate::ids::{AccountId, AppId, LogIndex, TokenHash};
use crate::query::{AppInfo, Page, Query};
use crate::rows::{App, AppCode, AppCodes, AppCodesOf, AppOrder, Apps, Key, Table, TableId, decode};
use crate::scopes::Scopes;
use goldenscript::ArgumentConsumer;
use std::error::Error;

type Parsed<T> = Result<T, Box<dyn Error>>;

fn text(args: &mut ArgumentConsumer, key: &str, default: &str) -> String {
    args.lookup(key).map_or(default.to_string(), |arg| arg.value.clone())
}

fn app(args: &mut ArgumentConsumer) -> Parsed<AppId> {
    Ok(AppId(first(args)?.parse()?))
}

/// Parses `scopes="…"`.
fn scopes(args: &mut ArgumentConsumer) -> Parsed<Scopes> {
    text(args, "scopes", "read").parse().map_err(|denied| format!("{denied}").into())
}

/// Parses `NAME=LETTER`, which stands for 32 of its letters.
fn proof(args: &mut ArgumentConsumer, key: &str) -> Option<[u8; 32]> {
    args.lookup(key).and_then(|arg| arg.value.as_bytes().first().copied()).map(|letter| [letter; 32])
}

/// Parses the app of a log-in: `app=ID key=LABEL scopes="…"`.
pub(super) fn log_in(args: &mut ArgumentConsumer) -> Parsed<Option<AppLogIn>> {
    let Some(app) = args.lookup_parse("app")?.map(AppId) else { return Ok(None) };
    Ok(Some(AppLogIn { app, key: token(&text(args, "key", "key")), scopes: scopes(args)? }))
}

/// Returns the command that a line names, if this module knows it.
pub(super) fn command(name: &str, args: &mut ArgumentConsumer) -> Parsed<Option<Command>> {
    let command = match name {
        // `register NAME [to="URI URI"] [scopes=] [website=] [key=]`
        "registerapp" => AppCommand::Register {
            name: first(args)?,
            website: text(args, "website", ""),
            redirects: text(args, "to", "toot:back").split(' ').map(str::to_string).collect(),
            scopes: scopes(args)?,
            key: token(&text(args, "key", "key")),
        },
        // `authorize PERSON APP CODE [to=] [scopes=] [challenge=]`
        "authorize" => AppCommand::Authorize {
            session: session(args)?,
            app: app(args)?,
            code: token(&first(args)?),
            redirect: text(args, "to", "toot:back"),
            scopes: scopes(args)?,
            challenge: proof(args, "challenge").map(Box::new),
        },
        // `exchange APP CODE SESSION [key=] [to=] [verifier=]`
        "exchange" => AppCommand::Exchange {
            app: app(args)?,
            code: token(&first(args)?),
            session: token(&first(args)?),
            key: token(&text(args, "key", "key")),
            redirect: text(args, "to", "toot:back"),
            verifier: proof(args, "verifier").map(Box::new),
        },
        // `revoke APP SESSION [key=]`
        "revoke" => AppCommand::Revoke {
            app: app(args)?,
            session: token(&first(args)?),
            key: token(&text(args, "key", "key")),
        },
        _ => return Ok(None),
    };
    Ok(Some(command.into()))
}

/// Returns the query that a line names, if this module knows it.
pub(super) fn query(name: &str, args: &mut ArgumentConsumer) -> Parsed<Option<Query>> {
    Ok(Some(match name {
        "app" => Query::App { app: app(args)? },
        "ownapp" => Query::OwnApp { app: app(args)?, key: token(&first(args)?) },
        "caller" => Query::Caller { session: session(args)? },
        _ => return Ok(None),
    }))
}

/// Returns the text of a page, if this module knows it.
pub(super) fn page(page: &Page) -> Option<String> {
    Some(match page {
        Page::App(AppInfo { app, name, website, redirects, scopes }) => {
            format!("app {} {name:?} {website:?} {redirects:?} may {scopes}\n", app.0)
        }
        Page::Caller { me, access: Some(access), device } => {
            format!("{} with app {} {device:?}, may {}\n", me.username, access.app.0, access.scopes)
        }
        Page::Caller { me, access: None, .. } => format!("{} alone\n", me.username),
        _ => return None,
    })
}

/// Returns the text of a key, if this module knows the table.
pub(super) fn key(table: TableId, key: &[u8]) -> Option<String> {
    Some(match table {
        AppCodes::ID => label(TokenHash::from_bytes(key)?),
        AppOrder::ID => {
            let (authorised, used) = <(u64, LogIndex)>::from_bytes(key)?;
            format!("{authorised} {used}")
        }
        AppCodesOf::ID => {
            let (account, made) = <(AccountId, u64)>::from_bytes(key)?;
            format!("{} {made}", account.0)
        }
        _ => return None,
    })
}

/// Returns the text of a row, if this module knows the table.
pub(super) fn row(table: TableId, row: &[u8]) -> Option<String> {
    Some(match table {
        Apps::ID => {
            let App { name, redirects, scopes, key, authorised, used, .. } = decode(row)?;
            let mark = if authorised { "authorised" } else { "registered" };
            format!(": {name:?} {redirects:?} may {scopes}, key {}, {mark} at {used}", label(key))
        }
        AppOrder::ID => format!(": {}", decode::<AppId>(row)?.0),
        AppCodes::ID => {
            let AppCode { account, made, made_age_ms, access, redirect, challenge, session } = decode(row)?;
            let challenge =
                challenge.map_or(String::new(), |it| format!(", challenge {}", char::from(it[0])));
            let session = session.map_or(String::new(), |session| format!(", gave {}", label(session)));
            format!(
                ": account {} lets app {} {}, back to {redirect}, made at {made}, age {made_age_ms}{challenge}{session}",
                account.0, access.app.0, access.scopes
            )
        }
        AppCodesOf::ID => format!(": {}", label(decode::<TokenHash>(row)?)),
        _ => return None,
    })
}
