//! `/create`, `/login`, `/logout` and `/delete`: accounts and sessions.

use super::answer::{self, Answer};
use super::feed::{NO_SESSION, WRONG_PAGE, status, stopped};
use super::limits::READ_DEADLINE;
use super::visit::{Got, Stop, Visit};
use hyper::StatusCode;
use ribbit_net::protocol::{Ask, NewAccount, Password};
use ribbit_net::secret::{new_token, token_hash};
use ribbit_state::rows::Settings;
use ribbit_state::text::{check_email, check_name, check_password, fold_username};
use ribbit_state::{Code, Command, Denied, Field, Page, Query};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::{FormPage, MessagePage, Place};
use ribbit_ui::words::{Note, refusal};

fn create_page(visit: &Visit, form: &Form) -> FormPage {
    let shell = visit.shell("Sign up", Place::Create);
    let text = |field: Field| form.text(field.name());
    let page = FormPage::create(shell, text(Field::Name), text(Field::Username), text(Field::Email));
    FormPage { in_the_clear: visit.way().in_the_clear(), ..page }
}

fn login_page(visit: &Visit, username: &str) -> FormPage {
    let page = FormPage::login(visit.shell("Log in", Place::Login), username);
    FormPage { in_the_clear: visit.way().in_the_clear(), ..page }
}

fn logout_page(visit: &Visit) -> FormPage {
    FormPage::logout(visit.shell("Log out", Place::Logout))
}

fn delete_page(visit: &Visit) -> FormPage {
    FormPage::delete(visit.shell("Delete account", Place::Delete))
}

/// Shows the form again with the reason, and with the request id for the next try.
async fn again(
    visit: &mut Visit,
    mut page: FormPage,
    form: &Form,
    tried: Option<FormRequest>,
    stop: Stop,
) -> Answer {
    page.request = visit.request_again(form, tried, &stop).await;
    back(visit, page, stop)
}

/// Shows the form again with the reason, and with the request id that it has.
fn back(visit: &Visit, page: FormPage, stop: Stop) -> Answer {
    let mut page = page.refused(stop.denied());
    page.shell.trouble = stop.trouble();
    // This answer may have ended the session.
    page.shell.logged_in = visit.has_session();
    answer::page(status(&stop), &page)
}

/// Shows the sign-up page.
pub async fn show_create(visit: &mut Visit) -> Answer {
    match visit.read(Query::Settings, READ_DEADLINE).await {
        Ok(Got { page: Page::Settings(Settings { registration_open: false }), .. }) => {
            let words = refusal(Denied::new(Code::RegistrationClosed));
            let shell = visit.shell("Sign-up is closed", Place::Create);
            answer::page(StatusCode::OK, &MessagePage { shell, words })
        }
        Ok(_) => {
            let page = create_page(visit, &Form::default());
            answer::page(StatusCode::OK, &FormPage { request: Some(visit.request_here()), ..page })
        }
        Err(stop) => stopped(visit, Place::Create, stop),
    }
}

/// Creates an account.
pub async fn create(visit: &mut Visit, form: &Form) -> Answer {
    let page = create_page(visit, form);
    let text = |field: Field| form.text(field.name()).to_string();
    let password = text(Field::Password);
    // The backends check the same, but stop at the first error. Checked here too, all fields are reported at once.
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
        let stop = Stop::Denied(Denied::new(Code::InvalidEntry));
        page.request = visit.request_again(form, None, &stop).await;
        return answer::page(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    let request = match visit.request_of(form).await {
        Ok(request) => request,
        Err(stop) => return again(visit, page, form, None, stop).await,
    };
    let FormRequest { id, submitted_at } = request;
    let account = NewAccount {
        name: text(Field::Name),
        username: text(Field::Username),
        email: text(Field::Email),
        password: Password(password),
    };
    match visit.write(Ask::CreateAccount { id, submitted_at, form: account }).await {
        Ok(_) => answer::see_other(&format!("/login?created={username}")),
        Err(stop) => again(visit, page, form, Some(request), stop).await,
    }
}

/// Shows the log-in page.
pub async fn show_login(visit: &mut Visit, query: &Form) -> Answer {
    if let Err(stop) = visit.read(Query::Position, READ_DEADLINE).await {
        return stopped(visit, Place::Login, stop);
    }
    // Only a valid username, so that a link cannot put an arbitrary text on this page.
    let created = query.get("created").and_then(|name| fold_username(name).ok());
    let mut page = login_page(visit, created.as_deref().unwrap_or_default());
    page.shell.note = match (created, query.get("note").and_then(Note::from_name)) {
        (Some(username), _) => {
            Some(format!("Welcome, @{username}! Your account is ready. Log in to get started."))
        }
        (None, note) => note.map(|note| note.words().to_string()),
    };
    answer::page(StatusCode::OK, &page)
}

/// Logs in. Each try has a new request id, because its session token is made here and must not be used twice.
pub async fn login(visit: &mut Visit, form: &Form) -> Answer {
    let username = form.text(Field::Username.name());
    let page = login_page(visit, username);
    if let Err(denied) = fold_username(username) {
        return back(visit, page, denied.into());
    }
    let FormRequest { id, submitted_at } = match visit.new_request().await {
        Ok(request) => request,
        Err(stop) => return back(visit, page, stop),
    };
    let token = new_token();
    let password = Password(form.text(Field::Password.name()).to_string());
    let ask =
        Ask::LogIn { id, submitted_at, username: username.to_string(), password, token: token_hash(&token) };
    match visit.write(ask).await {
        Ok(_) => {
            end_the_one_before(visit).await;
            visit.open_session(token);
            answer::see_other("/main")
        }
        Err(stop) => back(visit, page, stop),
    }
}

/// Ends the browser's previous session after a new log-in: nobody but a thief would use it again. If that fails, the session
/// ends with its age, and `/settings` shows it until then.
async fn end_the_one_before(visit: &mut Visit) {
    let Some(session) = visit.session() else { return };
    let request = visit.request_here();
    if let Err(stop) = visit.command(request, Command::LogOut { session }).await
        && !stop.lacks_session()
    {
        log::warn!("could not end the previous session after a log-in: {stop:?}");
    }
}

/// Returns the username of the session.
///
/// # Errors
/// `NotLoggedIn` without a session, or the reason why it could not be read.
async fn me(visit: &mut Visit) -> Result<String, Stop> {
    let session = visit.session().ok_or(NO_SESSION)?;
    match visit.read(Query::Me { session }, READ_DEADLINE).await?.page {
        Page::Me(person) => Ok(person.username),
        _ => Err(WRONG_PAGE),
    }
}

/// Shows a page that asks for confirmation of something that a link alone must not do.
async fn ask_first(visit: &mut Visit, here: Place, page: fn(&Visit) -> FormPage) -> Answer {
    match me(visit).await {
        Ok(username) => {
            let mut page = page(visit);
            page.shell.me = Some(username);
            page.request = Some(visit.request_here());
            answer::page(StatusCode::OK, &page)
        }
        Err(stop) => stopped(visit, here, stop),
    }
}

/// Shows the page that asks for confirmation of a log-out.
pub async fn show_logout(visit: &mut Visit) -> Answer {
    ask_first(visit, Place::Logout, logout_page).await
}

/// Shows the page that deletes the account.
pub async fn show_delete(visit: &mut Visit) -> Answer {
    ask_first(visit, Place::Delete, delete_page).await
}

/// Ends the session.
pub async fn logout(visit: &mut Visit, form: &Form) -> Answer {
    // Already logged out.
    let Some(session) = visit.session() else { return answer::see_other("/login") };
    let page = logout_page(visit);
    let request = match visit.request_of(form).await {
        Ok(request) => request,
        Err(stop) => return again(visit, page, form, None, stop).await,
    };
    match visit.command(request, Command::LogOut { session }).await {
        Ok(_) => {
            visit.drop_session();
            answer::see_other("/login")
        }
        Err(stop) if stop.lacks_session() => answer::see_other("/login"),
        // The session is still open on the servers, so the cookie stays for the next try.
        Err(stop) => again(visit, page, form, Some(request), stop).await,
    }
}

/// Deletes the account, after a check of its password.
pub async fn delete(visit: &mut Visit, form: &Form) -> Answer {
    let page = delete_page(visit);
    let Some(session) = visit.session() else { return again(visit, page, form, None, NO_SESSION).await };
    let request = match visit.request_of(form).await {
        Ok(request) => request,
        Err(stop) => return again(visit, page, form, None, stop).await,
    };
    let FormRequest { id, submitted_at } = request;
    let password = Password(form.text(Field::Password.name()).to_string());
    match visit.write(Ask::DeleteAccount { id, submitted_at, session, password }).await {
        Ok(_) => {
            visit.drop_session();
            answer::see_other(&format!("/login?note={}", Note::Deleted.name()))
        }
        Err(stop) => again(visit, page, form, Some(request), stop).await,
    }
}
