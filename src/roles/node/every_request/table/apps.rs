//! Apps: what they register, and their log-ins.

use super::{Expected, NUMBERS, RequestTable, SESSION, TOKEN, denied, write};
use ribbit_net::frame::Plane;
use ribbit_state::limits::{APP_NAME_CHARS_MAX, REDIRECT_BYTES_MAX, REDIRECTS_MAX};
use ribbit_state::{AppCommand, AppId, Code, Query, Scopes};

/// Adds commands and queries about apps.
pub(super) fn apps(table: &mut RequestTable) {
    let (session, key, code, scopes) = (SESSION, TOKEN, TOKEN, Scopes::all());
    let challenge = || Some(Box::new([7; 32]));
    for app in NUMBERS.map(AppId) {
        for query in [Query::App { app }, Query::OwnApp { app, key }] {
            table.query(query);
        }
        table.command(AppCommand::Revoke { app, key, session });
    }
    table.query(Query::Caller { session });
    let app = AppId(1);
    let fits = |text: &str| text.len() <= REDIRECT_BYTES_MAX;
    let unknown = denied(Code::RedirectNotRegistered, None);
    table.command_text(REDIRECT_BYTES_MAX, fits, unknown, |redirect| {
        AppCommand::Authorize { session, app, redirect, scopes, challenge: challenge(), code }.into()
    });
    table.command_text(REDIRECT_BYTES_MAX, fits, unknown, |redirect| {
        AppCommand::Exchange { app, key, code, redirect, verifier: challenge(), session }.into()
    });
    let odd = denied(Code::InvalidEntry, None);
    let (name, long) = ("🐸".repeat(APP_NAME_CHARS_MAX), format!("a:{}", "b".repeat(REDIRECT_BYTES_MAX)));
    for (name, website, redirects, refusal) in [
        (name.clone(), "https://a", vec!["a:b".to_string(); REDIRECTS_MAX], None),
        (name.clone() + "🐸", "", vec!["a:b".to_string()], Some(odd)),
        (String::new(), "", vec!["a:b".to_string()], Some(odd)),
        (name.clone(), "toot", vec!["a:b".to_string()], Some(odd)),
        (name.clone(), "", vec![], Some(odd)),
        (name.clone(), "", vec!["a:b".to_string(); REDIRECTS_MAX + 1], Some(odd)),
        (name.clone(), "", vec![long], Some(odd)),
        (name, "", vec!["javascript:alert(1)".to_string()], Some(odd)),
    ] {
        let expected = refusal.map_or(Expected::Answered, Expected::Refused);
        let register = AppCommand::Register { name, website: website.to_string(), redirects, scopes, key };
        table.0.push((Plane::Client, write(register.into()), expected));
    }
}
