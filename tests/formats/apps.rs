//! Samples of apps: rows, commands and pages.

use crate::records::{TOKEN, line};
use ribbit_state::command::{AppCommand, AppLogIn, Command};
use ribbit_state::ids::{AccountId, AppId};
use ribbit_state::query::{AppInfo, Page, Person};
use ribbit_state::rows::*;
use ribbit_state::{Scope, Scopes};

pub(crate) const APP: AppId = AppId(300);

pub(crate) fn scopes() -> Scopes {
    [Scope::Read, Scope::WriteStatuses].into_iter().collect()
}

pub(crate) fn access() -> AppAccess {
    AppAccess { app: APP, scopes: scopes() }
}

pub(crate) fn log_in() -> AppLogIn {
    AppLogIn { app: APP, key: TOKEN, scopes: scopes() }
}

fn redirects() -> Vec<String> {
    vec!["toot:back".into(), "https://toot.example/back".into()]
}

pub(crate) fn rows(id: AccountId) -> Vec<String> {
    let app = App {
        name: "Toot".into(),
        website: "https://toot.example".into(),
        redirects: redirects(),
        scopes: scopes(),
        key: TOKEN,
        authorised: true,
        used: 301,
    };
    let code = AppCode {
        account: id,
        made: 302,
        made_age_ms: 70_000,
        access: access(),
        redirect: 1,
        challenge: Some([7; 32]),
        session: Some(TOKEN),
    };
    vec![
        line::<Apps>("Apps", APP, app),
        line::<AppOrder>("AppOrder", (1, 301), APP),
        line::<AppCodes>("AppCodes", TOKEN, code),
        line::<AppCodesOf>("AppCodesOf", (id, 302), TOKEN),
    ]
}

pub(crate) fn commands() -> Vec<Command> {
    let (name, website, redirects, scopes) =
        ("Toot".into(), "https://toot.example".into(), redirects(), scopes());
    let (app, key, code, session) = (APP, TOKEN, TOKEN, TOKEN);
    let redirect = || "toot:back".to_string();
    vec![
        AppCommand::Register { name, website, redirects, scopes, key }.into(),
        AppCommand::Authorize {
            session,
            app,
            redirect: redirect(),
            scopes,
            challenge: Some(Box::new([7; 32])),
            code,
        }
        .into(),
        AppCommand::Exchange {
            app,
            key,
            code,
            redirect: redirect(),
            verifier: Some(Box::new([7; 32])),
            session,
        }
        .into(),
        AppCommand::Revoke { app, key, session }.into(),
    ]
}

pub(crate) fn info() -> AppInfo {
    let (name, website) = ("Toot".into(), "https://toot.example".into());
    AppInfo { app: APP, name, website, redirects: redirects(), scopes: scopes() }
}

pub(crate) fn caller(me: Person) -> Page {
    Page::Caller { me, access: Some(access()), device: "Toot".into() }
}
