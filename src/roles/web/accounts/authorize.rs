//! `/oauth/authorize`: a person lets an app act for them (OAuth 2, authorization code).
//!
//! ```text
//!   app known, address registered, parameters right? ── no ──▶ a page that says so
//!   decision of the person ──▶ back to the app with `code` or `error`, and `state`
//! ```
//!
//! A browser is sent to an address only if the app has registered it, byte for byte, and only by a person's decision: everyone may
//! register an app, so a link to this page must not lead elsewhere by itself. The form has the guards of all forms; besides,
//! the code is of use to the app alone, which has to show its secret.

use crate::web::accounts::account::open_session;
use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page, message, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_net::protocol::Password;
use ribbit_net::secret::{app_code_hash, new_token, to_hex};
use ribbit_state::query::AppInfo;
use ribbit_state::redirect::{self, REDIRECT_BY_HAND};
use ribbit_state::text::fold_username;
use ribbit_state::{AppCommand, Code, Denied, Field, Page, Query, Scopes};
use ribbit_ui::api::oauth::{USUAL_SCOPES, app_id};
use ribbit_ui::api::pkce;
use ribbit_ui::form::Form;
use ribbit_ui::pages::NavEntry;
use ribbit_ui::pages::authorize::{AuthorizePage, CodePage};
use ribbit_ui::words::refusal;

/// Parameters of a request, which its form sends back.
const PARAMETERS: [&str; 8] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "force_login",
];
/// Maximum length of `state`, in bytes: it has to fit an address.
const STATE_BYTES_MAX: usize = 4_096;

/// What an app asks for.
struct Asked {
    app: AppInfo,
    redirect: String,
    scopes: Scopes,
    state: Option<String>,
    challenge: Option<Box<[u8; 32]>>,
    /// The person has to log in again.
    force_login: bool,
}

/// Reason why an app's request has no consent page.
enum Wrong {
    /// The app or its address is unknown, so the browser is sent to no address.
    Page(Box<WebResponse>),
    /// The app is told, once the person has decided.
    App { redirect: String, state: Option<String>, error: &'static str, words: &'static str },
}

fn asks_wrongly(words: &str) -> WebResponse {
    message(StatusCode::BAD_REQUEST, "The app asks wrongly", words, false)
}

/// Shows the page that asks for consent.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    let asked = match asked(context, query).await {
        Ok(asked) => asked,
        Err(Wrong::Page(page)) => return *page,
        Err(Wrong::App { words, .. }) => return asks_wrongly(words),
    };
    match consent_page(context, &asked, query, "").await {
        Ok(page) => answer(StatusCode::OK, &page, &asked),
        Err(error) => error_page(context, NavEntry::Nowhere, error),
    }
}

/// Carries out the decision of a person.
pub(in crate::web) async fn decide(context: &mut RequestContext, form: &Form) -> WebResponse {
    let asked = match asked(context, form).await {
        Ok(asked) => asked,
        Err(Wrong::Page(page)) => return *page,
        Err(Wrong::App { redirect, state, error, words }) => {
            return back(&redirect, state.as_deref(), Err((error, words)));
        }
    };
    if form.text("choice") != "allow" {
        let words = "You did not let the app act for you.";
        return back(&asked.redirect, asked.state.as_deref(), Err(("access_denied", words)));
    }
    match allow(context, &asked, form).await {
        Ok(code) if asked.redirect == REDIRECT_BY_HAND => {
            let frame = context.frame("Your code", NavEntry::Nowhere);
            response::page(StatusCode::OK, &CodePage { frame, app: asked.app.name, code })
        }
        Ok(code) => back(&asked.redirect, asked.state.as_deref(), Ok(&code)),
        Err(error) => again(context, &asked, form, error).await,
    }
}

/// Reads what an app asks for.
///
/// # Errors
/// What is wrong with it, and who is told.
async fn asked(context: &mut RequestContext, form: &Form) -> Result<Asked, Wrong> {
    let app = match app_id(form.text("client_id")) {
        Some(app) => match context.read(Query::App { app }, READ_DEADLINE).await {
            Ok(read) => match read.page {
                Page::App(app) => Ok(app),
                _ => Err(WRONG_PAGE),
            },
            Err(error) => Err(error),
        },
        None => Err(Denied::new(Code::NoSuchApp).into()),
    };
    let refuse = |code| Wrong::Page(Box::new(asks_wrongly(&refusal(Denied::new(code)))));
    let app = match app {
        Ok(app) => app,
        Err(PageError::Denied(denied)) => return Err(refuse(denied.code)),
        Err(error) => return Err(Wrong::Page(Box::new(error_page(context, NavEntry::Nowhere, error)))),
    };
    let redirect = match form.get("redirect_uri") {
        Some(asked) => app.redirects.iter().find(|known| *known == asked).cloned(),
        None if app.redirects.len() == 1 => app.redirects.first().cloned(),
        None => None,
    };
    let Some(redirect) = redirect else { return Err(refuse(Code::RedirectNotRegistered)) };
    let state = form.get("state").map(str::to_string);
    if state.as_ref().is_some_and(|state| state.len() > STATE_BYTES_MAX) {
        let words = "The app sent a state that is too long.";
        return Err(Wrong::App { redirect, state: None, error: "invalid_request", words });
    }
    let wrong =
        |error, words| Err(Wrong::App { redirect: redirect.clone(), state: state.clone(), error, words });
    if form.text("response_type") != "code" {
        return wrong("unsupported_response_type", "The response_type has to be code.");
    }
    let scopes: Result<Scopes, Denied> = form.get("scope").unwrap_or(USUAL_SCOPES).parse();
    let scopes = match scopes {
        Ok(scopes) if !scopes.is_empty() && scopes.is_within(app.scopes) => scopes,
        _ => return wrong("invalid_scope", "The app did not register for this scope."),
    };
    let challenge = match (form.get("code_challenge"), form.get("code_challenge_method")) {
        (None, None) => None,
        (None, Some(_)) => return wrong("invalid_request", "The code_challenge is missing."),
        (Some(challenge), method) => match pkce::expected(challenge, method) {
            Some(proof) => Some(Box::new(proof)),
            None => {
                return wrong(
                    "invalid_request",
                    "The code_challenge has to be S256 or plain, as RFC 7636 says.",
                );
            }
        },
    };
    let force_login = matches!(form.text("force_login"), "true" | "1");
    Ok(Asked { app, redirect, scopes, state, challenge, force_login })
}

/// Makes the page that asks for consent, and for the password unless the person is logged in.
///
/// # Errors
/// The reason why the session could not be read.
async fn consent_page(
    context: &mut RequestContext,
    asked: &Asked,
    form: &Form,
    username: &str,
) -> Result<AuthorizePage, PageError> {
    let me = match context.session().filter(|_| !asked.force_login) {
        None => None,
        Some(session) => match context.read(Query::Me { session }, READ_DEADLINE).await {
            Ok(read) => match read.page {
                Page::Me(me) => Some(me.username),
                _ => return Err(WRONG_PAGE),
            },
            Err(error) if error.lacks_session() => None,
            Err(error) => return Err(error),
        },
    };
    let mut frame = context.frame("Allow an app", NavEntry::Nowhere);
    frame.me.clone_from(&me);
    let parameter = |name: &'static str| form.get(name).map(|value| (name, value.to_string()));
    let hidden = PARAMETERS.into_iter().filter_map(parameter).collect();
    let page = AuthorizePage::new(frame, &asked.app.name, asked.scopes, &asked.redirect, hidden);
    Ok(match me {
        Some(_) => page,
        None => page.asking_for_password(username, context.origin().is_unencrypted()),
    })
}

/// Logs the person in if the form has a password, and makes a code.
///
/// # Errors
/// `Denied` if the password is wrong, there is no session, or the app may not; `Service` if it is not decided in time.
async fn allow(context: &mut RequestContext, asked: &Asked, form: &Form) -> Result<String, PageError> {
    if let Some(username) = form.get(Field::Username.name()) {
        let username = fold_username(username)?;
        let password = Password(form.text(Field::Password.name()).to_string());
        open_session(context, &username, password).await?;
    } else if asked.force_login {
        return Err(NO_SESSION);
    }
    let session = context.session().ok_or(NO_SESSION)?;
    let code = new_token();
    // Each try has a code and a request of its own. A code that no app gets ends after ten minutes.
    let made = context.new_request().await?;
    let command = AppCommand::Authorize {
        session,
        app: asked.app.app,
        redirect: asked.redirect.clone(),
        scopes: asked.scopes,
        challenge: asked.challenge.clone(),
        code: app_code_hash(&code),
    };
    context.command(made, command.into()).await?;
    Ok(to_hex(&code))
}

/// Shows the page again with the reason.
async fn again(context: &mut RequestContext, asked: &Asked, form: &Form, error: PageError) -> WebResponse {
    let code = if error.lacks_session() { StatusCode::OK } else { status(&error) };
    let username = form.text(Field::Username.name());
    match consent_page(context, asked, form, username).await {
        Ok(page) => {
            let denied = if error.lacks_session() { &[] } else { error.denied() };
            let mut page = page.refused(denied);
            page.frame.service_error = error.service_error();
            answer(code, &page, asked)
        }
        Err(error) => error_page(context, NavEntry::Nowhere, error),
    }
}

/// Answers with the page. Its form may lead to the app's address.
fn answer(code: StatusCode, page: &AuthorizePage, asked: &Asked) -> WebResponse {
    match redirect::origin(&asked.redirect) {
        Some(origin) => response::page_leading_to(code, page, &origin),
        None => response::page(code, page),
    }
}

/// Leads back to the app, at an address that it has registered. An app that has none is told nothing: its person reads a page.
fn back(redirect: &str, state: Option<&str>, result: Result<&str, (&str, &str)>) -> WebResponse {
    if redirect == REDIRECT_BY_HAND {
        let words = result.unwrap_or_else(|(_, words)| words);
        return message(StatusCode::BAD_REQUEST, "The app may not", words, false);
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    match result {
        Ok(code) => query.append_pair("code", code),
        Err((error, words)) => query.append_pair("error", error).append_pair("error_description", words),
    };
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    let joint = if redirect.contains('?') { '&' } else { '?' };
    response::see_other(&format!("{redirect}{joint}{}", query.finish()))
}
