//! `/create`, `/login`, `/logout` and `/delete`: accounts and sessions.

use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::{PageError, ReadPage, RequestContext};
use hyper::StatusCode;
use ribbit_net::protocol::{Ask, NewAccount, Password};
use ribbit_net::secret::{code_hash, new_token, token_hash};
use ribbit_state::query::InvitationItem;
use ribbit_state::rows::Settings;
use ribbit_state::text::{check_email, check_name, check_password, fold_username};
use ribbit_state::{Code, Command, Denied, Field, Page, Query, Registration, Reply};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::invitations::welcome as invitation_words;
use ribbit_ui::pages::{FormPage, LandingPage, MessagePage, NavEntry};
use ribbit_ui::words::{Note, refusal};

/// Field of the sign-up page with the code of an invitation, and its parameter in the address.
const INVITATION: &str = "invitation";

fn create_page(context: &RequestContext, form: &Form) -> FormPage {
    let frame = context.frame("Sign up", NavEntry::Create);
    let text = |field: Field| form.text(field.name());
    let page = FormPage::create(frame, text(Field::Name), text(Field::Username), text(Field::Email));
    let page = page.invited(form.text(INVITATION));
    FormPage { in_the_clear: context.origin().is_unencrypted(), ..page }
}

fn login_page(context: &RequestContext, username: &str) -> FormPage {
    let page = FormPage::login(context.frame("Log in", NavEntry::Login), username);
    FormPage { in_the_clear: context.origin().is_unencrypted(), ..page }
}

fn logout_page(context: &RequestContext) -> FormPage {
    FormPage::logout(context.frame("Log out", NavEntry::Logout))
}

fn delete_page(context: &RequestContext) -> FormPage {
    FormPage::delete(context.frame("Delete account", NavEntry::Delete))
}

/// Shows the form again with the reason, and with the request id for the next try.
pub(in crate::web) async fn again(
    context: &mut RequestContext,
    mut page: FormPage,
    form: &Form,
    tried: Option<FormRequest>,
    error: PageError,
) -> WebResponse {
    page.request = context.request_again(form, tried, &error).await;
    back(context, page, error)
}

/// Shows the form again with the reason, and with the request id that it has.
fn back(context: &RequestContext, page: FormPage, error: PageError) -> WebResponse {
    let mut page = page.refused(error.denied());
    page.frame.service_error = error.service_error();
    // This answer may have ended the session.
    page.frame.logged_in = context.has_session();
    response::page(status(&error), &page)
}

/// Shows the first page to visitors, and leads a person who is logged in to their feed.
pub(in crate::web) async fn show_landing(context: &mut RequestContext) -> WebResponse {
    if context.has_session() {
        return response::see_other("/main");
    }
    match context.read(Query::Settings, READ_DEADLINE).await {
        Ok(ReadPage { page: Page::Settings(settings), old, .. }) => {
            let name = if settings.site_name.is_empty() { "ribbit" } else { &settings.site_name };
            let mut frame = context.frame(name, NavEntry::Nowhere);
            frame.old = old;
            let Settings { registration, welcome, .. } = settings;
            response::page(StatusCode::OK, &LandingPage { frame, welcome, registration })
        }
        Ok(_) => error_page(context, NavEntry::Nowhere, WRONG_PAGE),
        Err(error) => error_page(context, NavEntry::Nowhere, error),
    }
}

/// Shows the sign-up page, or why there is none for this visitor.
pub(in crate::web) async fn show_create(context: &mut RequestContext, query: &Form) -> WebResponse {
    let invited = match query.get(INVITATION) {
        Some(typed) => match invitation(context, typed).await {
            Ok(item) => Some(item),
            Err(PageError::Denied(denied)) => return no_sign_up(context, denied.code),
            Err(error) => return error_page(context, NavEntry::Create, error),
        },
        None => None,
    };
    let registration = match context.read(Query::Settings, READ_DEADLINE).await {
        Ok(ReadPage { page: Page::Settings(settings), .. }) => settings.registration,
        Ok(_) => return error_page(context, NavEntry::Create, WRONG_PAGE),
        Err(error) => return error_page(context, NavEntry::Create, error),
    };
    let intro = match (invited, registration) {
        (Some(item), _) => invitation_words(&item).into(),
        (None, Registration::Open) => "".into(),
        (None, Registration::Request) => {
            "Someone who runs this place looks at every new account. You can log in once yours is approved."
                .into()
        }
        (None, Registration::Invitation) => return no_sign_up(context, Code::InvitationNeeded),
        (None, Registration::Closed) => return no_sign_up(context, Code::RegistrationClosed),
    };
    let page = create_page(context, query);
    let request = Some(context.request_here());
    response::page(StatusCode::OK, &FormPage { request, intro, ..page })
}

/// Returns the invitation with this code.
///
/// # Errors
/// `InvitationNotValid` if it does not work, or why it could not be read.
async fn invitation(context: &mut RequestContext, typed: &str) -> Result<InvitationItem, PageError> {
    let code = code_hash(typed).ok_or(PageError::Denied(Denied::new(Code::InvitationNotValid)))?;
    match context.read(Query::Invitation { code }, READ_DEADLINE).await?.page {
        Page::Invitation(item) => Ok(item),
        _ => Err(WRONG_PAGE),
    }
}

fn no_sign_up(context: &RequestContext, code: Code) -> WebResponse {
    let (title, status) = match code {
        Code::RegistrationClosed => ("Sign-up is closed", StatusCode::OK),
        Code::InvitationNeeded => ("Sign-up is by invitation", StatusCode::OK),
        _ => ("This invitation doesn't work", StatusCode::NOT_FOUND),
    };
    let frame = context.frame(title, NavEntry::Create);
    response::page(status, &MessagePage { frame, words: refusal(Denied::new(code)) })
}

/// Creates an account.
pub(in crate::web) async fn create(context: &mut RequestContext, form: &Form) -> WebResponse {
    let page = create_page(context, form);
    let text = |field: Field| form.text(field.name()).to_string();
    let password = text(Field::Password);
    // The backends check the same, but error at the first error. Checked here too, all fields are reported at once.
    let username = fold_username(form.text(Field::Username.name()));
    let denied: Vec<_> = [
        check_name(form.text(Field::Name.name())).err(),
        username.as_ref().err().copied(),
        check_email(form.text(Field::Email.name())).err(),
        check_password(&password).err(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (Ok(username), []) = (username, &denied[..]) else {
        let mut page = page.refused(&denied);
        let error = PageError::Denied(Denied::new(Code::InvalidEntry));
        page.request = context.request_again(form, None, &error).await;
        return response::page(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(context, page, form, None, error).await,
    };
    let FormRequest { id, submitted_at } = request;
    let invitation = match form.text(INVITATION) {
        "" => None,
        typed => match code_hash(typed) {
            Some(code) => Some(code),
            None => return no_sign_up(context, Code::InvitationNotValid),
        },
    };
    let account = NewAccount {
        name: text(Field::Name),
        username: text(Field::Username),
        email: text(Field::Email),
        password: Password(password),
        invitation,
    };
    let password = account.password.clone();
    match context.write(Ask::CreateAccount { id, submitted_at, form: account }).await {
        Ok(Reply::Requested) => response::see_other(&format!("/login?note={}", Note::Requested.name())),
        Ok(_) => match open_session(context, &username, password).await {
            Ok(()) => response::see_other(&format!("/main?note={}", Note::Welcome.name())),
            // The account is there: what is left is to log in, now or later.
            Err(_) => response::see_other(&format!("/login?created={username}")),
        },
        Err(error) => again(context, page, form, Some(request), error).await,
    }
}

/// Shows the log-in page.
pub(in crate::web) async fn show_login(context: &mut RequestContext, query: &Form) -> WebResponse {
    if let Err(error) = context.read(Query::Position, READ_DEADLINE).await {
        return error_page(context, NavEntry::Login, error);
    }
    // Only a valid username, so that a link cannot put an arbitrary text on this page.
    let created = query.get("created").and_then(|name| fold_username(name).ok());
    let mut page = login_page(context, created.as_deref().unwrap_or_default());
    page.frame.take_note(query);
    if let Some(username) = created {
        page.frame.note =
            Some(format!("Welcome, @{username}! Your account is ready. Log in to get started."));
    }
    response::page(StatusCode::OK, &page)
}

/// Logs in.
pub(in crate::web) async fn login(context: &mut RequestContext, form: &Form) -> WebResponse {
    let username = form.text(Field::Username.name());
    let page = login_page(context, username);
    if let Err(denied) = fold_username(username) {
        return back(context, page, denied.into());
    }
    let password = Password(form.text(Field::Password.name()).to_string());
    match open_session(context, username, password).await {
        Ok(()) => response::see_other("/main"),
        Err(error) => back(context, page, error),
    }
}

/// Opens a session for this browser. Each try has a new request id, because its session token is made here and must not be used
/// twice.
///
/// # Errors
/// `Denied` if the password is wrong or the account may not log in, `Service` if it is not decided in time.
pub(in crate::web) async fn open_session(
    context: &mut RequestContext,
    username: &str,
    password: Password,
) -> Result<(), PageError> {
    let FormRequest { id, submitted_at } = context.new_request().await?;
    let token = new_token();
    let (username, device) = (username.to_string(), context.device());
    let log_in =
        Ask::LogIn { id, submitted_at, username, password, token: token_hash(&token), device, app: None };
    context.write(log_in).await?;
    end_the_one_before(context).await;
    context.open_session(token);
    Ok(())
}

/// Ends the browser's previous session after a new log-in: only a thief would use it again. If that fails, the session
/// ends with its age, and `/settings` shows it until then.
async fn end_the_one_before(context: &mut RequestContext) {
    let Some(session) = context.session() else { return };
    let request = context.request_here();
    if let Err(error) = context.command(request, Command::LogOut { session }).await
        && !error.lacks_session()
    {
        log::warn!("could not end the previous session after a log-in: {error}");
    }
}

/// Returns the username of the session.
///
/// # Errors
/// `NotLoggedIn` without a session, or the reason why it could not be read.
async fn me(context: &mut RequestContext) -> Result<String, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    match context.read(Query::Me { session }, READ_DEADLINE).await?.page {
        Page::Me(person) => Ok(person.username),
        _ => Err(WRONG_PAGE),
    }
}

/// Shows a page that asks for confirmation of something that a link alone must not do.
async fn ask_first(
    context: &mut RequestContext,
    here: NavEntry,
    page: fn(&RequestContext) -> FormPage,
) -> WebResponse {
    match me(context).await {
        Ok(username) => {
            let mut page = page(context);
            page.frame.me = Some(username);
            page.request = Some(context.request_here());
            response::page(StatusCode::OK, &page)
        }
        Err(error) => error_page(context, here, error),
    }
}

/// Shows the page that asks for confirmation of a log-out.
pub(in crate::web) async fn show_logout(context: &mut RequestContext) -> WebResponse {
    ask_first(context, NavEntry::Logout, logout_page).await
}

/// Shows the page that deletes the account.
pub(in crate::web) async fn show_delete(context: &mut RequestContext) -> WebResponse {
    ask_first(context, NavEntry::Delete, delete_page).await
}

/// Ends the session.
pub(in crate::web) async fn logout(context: &mut RequestContext, form: &Form) -> WebResponse {
    // Already logged out.
    let Some(session) = context.session() else { return response::see_other("/login") };
    let page = logout_page(context);
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(context, page, form, None, error).await,
    };
    match context.command(request, Command::LogOut { session }).await {
        Ok(_) => {
            context.drop_session();
            response::see_other("/login")
        }
        Err(error) if error.lacks_session() => response::see_other("/login"),
        // The session is still open on the servers, so the cookie stays for the next try.
        Err(error) => again(context, page, form, Some(request), error).await,
    }
}

/// Deletes the account, after a check of its password.
pub(in crate::web) async fn delete(context: &mut RequestContext, form: &Form) -> WebResponse {
    let page = delete_page(context);
    let Some(session) = context.session() else { return again(context, page, form, None, NO_SESSION).await };
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(context, page, form, None, error).await,
    };
    let FormRequest { id, submitted_at } = request;
    let password = Password(form.text(Field::Password.name()).to_string());
    match context.write(Ask::DeleteAccount { id, submitted_at, session, password }).await {
        Ok(_) => {
            context.drop_session();
            response::see_other(&format!("/login?note={}", Note::Deleted.name()))
        }
        Err(error) => again(context, page, form, Some(request), error).await,
    }
}
