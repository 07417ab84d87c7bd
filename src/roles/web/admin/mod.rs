//! `/admin` and below: the pages of moderators and admins.
//!
//! ```text
//!   form ──▶ password in it? ──▶ Confirm ──▶ Govern { session, change } ──▶ done ──▶ the page again, with a note
//!                                                      └──▶ ConfirmPassword ──▶ a page that asks for the password and
//!                                                                               carries the fields of the form
//! ```
//!
//! The rules decide by the role that the account has when the command is applied; nothing here is a permission. Each act is a row
//! of the audit log.
//!
//! The pages are linearizable reads, so the role that is checked is the newest one. Without a majority there is none, and of these
//! pages only the overview is shown.
//!
//! - here: shared steps of all pages; `overview`, `reports`, `people`, `requests`, `invitations`, `rooms`, `members`, `backups`, `site`,
//!   `audit`: one page each

pub(in crate::web) mod audit;
pub(in crate::web) mod backups;
pub(in crate::web) mod invitations;
pub(in crate::web) mod members;
pub(in crate::web) mod overview;
pub(in crate::web) mod people;
pub(in crate::web) mod reports;
pub(in crate::web) mod requests;
pub(in crate::web) mod rooms;
pub(in crate::web) mod site;

use crate::web::error_pages::{self, NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::{PageError, ReadPage, RequestContext};
use hyper::StatusCode;
use ribbit_net::protocol::{Ask, Password};
use ribbit_state::command::{OperatorCommand, Reply};
use ribbit_state::query::OperatorQuery;
use ribbit_state::{AccountRole, Code, Command, Denied, Field, Page, Query};
use ribbit_ui::form::{Form, FormRequest, REQUEST_FIELD};
use ribbit_ui::pages::admin::{AdminHead, AdminTab, ConfirmPage};
use ribbit_ui::pages::{NavEntry, PageFrame, lacks_session};
use ribbit_ui::words::{Note, Refusals, refusal};

const HERE: NavEntry = NavEntry::Settings;

/// Read that is allowed to admins only, for pages whose content does not come from the replicated state.
const ADMINS_ONLY: OperatorQuery = OperatorQuery::Audit { after: None, before: None, limit: 1 };

/// Result of reading a page: its frame, its tabs and its content.
struct AdminRead {
    frame: PageFrame,
    head: AdminHead,
    page: Page,
}

/// Reads the content of a page, and the viewer's account and role.
async fn read(
    context: &mut RequestContext,
    query: OperatorQuery,
    (title, tab): (&str, AdminTab),
    asked: &Form,
) -> Result<AdminRead, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let got = context.read_newest(Query::Govern { session, query }, READ_DEADLINE).await?;
    around(context, got, (title, tab), asked).await
}

/// Adds the frame and the tabs to what was read for a page.
async fn around(
    context: &mut RequestContext,
    got: ReadPage,
    (title, tab): (&str, AdminTab),
    asked: &Form,
) -> Result<AdminRead, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let Page::Account(own) = context.read(Query::Account { session }, READ_DEADLINE).await?.page else {
        return Err(WRONG_PAGE);
    };
    let mut frame = context.frame(title, HERE);
    frame.old = got.old;
    frame.me = Some(own.person.username);
    frame.take_note(asked);
    context.count_unread(&mut frame).await;
    let head = AdminHead { tab, admin: own.role == AccountRole::Admin, refusals: Vec::new() };
    Ok(AdminRead { frame, head, page: got.page })
}

/// Returns the pattern that a search for names means: names that begin with the text, if it has no wildcard character.
fn pattern(names: &str) -> String {
    if names.contains(['*', '?', '[']) { names.to_string() } else { format!("{names}*") }
}

/// Returns the address of the next page of a search.
fn next_page(path: &str, names: &str, after: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("names", names)
        .append_pair("after", after)
        .finish();
    format!("{path}?{query}")
}

/// Answers a GET whose page cannot be read.
fn unreadable(context: &RequestContext, error: PageError) -> WebResponse {
    match error {
        PageError::Denied(denied) if denied.code == Code::NotAllowed => {
            error_pages::message(StatusCode::FORBIDDEN, "Not allowed", &refusal(denied), true)
        }
        error => error_page(context, HERE, error),
    }
}

/// Makes the change of a form.
async fn govern(
    context: &mut RequestContext,
    form: &Form,
    change: OperatorCommand,
) -> Result<Reply, PageError> {
    let request = confirmed(context, form).await?;
    carry_out(context, request, change).await
}

/// Checks the password in the form, if there is one, and returns the request id for the change.
async fn confirmed(context: &mut RequestContext, form: &Form) -> Result<FormRequest, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    if let Some(password) = form.get(Field::Password.name()) {
        let FormRequest { id, submitted_at } = context.new_request().await?;
        let password = Password(password.to_string());
        context.write(Ask::Confirm { id, submitted_at, session, password }).await?;
    }
    context.request_of(form).await
}

async fn carry_out(
    context: &mut RequestContext,
    request: FormRequest,
    change: OperatorCommand,
) -> Result<Reply, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    context.command(request, Command::Govern { session, change }).await
}

/// Answers a form of `action` after its change: leads to `to` with a note, or tells why the change failed.
async fn answered(
    context: &mut RequestContext,
    form: &Form,
    action: &str,
    (to, note): (&str, Note),
    done: Result<Reply, PageError>,
) -> WebResponse {
    match done {
        Ok(_) => response::see_other(&format!("{to}?note={}", note.name())),
        Err(error) => refused(context, form, action, error).await,
    }
}

/// Answers a form whose change failed: asks for the password if the session needs a confirmation, else tells the reason.
async fn refused(context: &mut RequestContext, form: &Form, action: &str, error: PageError) -> WebResponse {
    let asks = error.denied().iter().any(|denied| {
        matches!(denied.code, Code::ConfirmPassword | Code::WrongPassword)
            || denied.field == Some(Field::Password)
    });
    let tried = form.get(Field::Password.name()).is_some() && error.service_error().is_some();
    if lacks_session(error.denied()) || !(asks || tried) {
        return unreadable(context, error);
    }
    let request = context.request_again(form, None, &error).await;
    let first = |denied: &&Denied| denied.code == Code::ConfirmPassword;
    let told: Vec<Denied> = error.denied().iter().filter(|denied| !first(denied)).copied().collect();
    let mut frame = context.frame("Confirm it's you", HERE);
    frame.service_error = error.service_error();
    let carried = |(name, _): &(&str, &str)| *name != REQUEST_FIELD && *name != Field::Password.name();
    let page = ConfirmPage {
        frame,
        words: CONFIRM_WORDS.to_string(),
        asks_password: true,
        button: "Go on",
        action: action.to_string(),
        back: "/admin",
        fields: form.fields().filter(carried).map(|(name, value)| (name.into(), value.into())).collect(),
        request,
        refusals: Refusals::on(&[Field::Password.name()], &told),
    };
    response::page(status(&error), &page)
}

/// Text above the field of a password.
const CONFIRM_WORDS: &str = "You are about to act for those who run this place. Enter your password; then you are not asked again for ten minutes.";

/// Answers a form that no page of the site makes.
fn unknown_form(context: &RequestContext) -> WebResponse {
    error_page(context, HERE, PageError::Denied(Denied::new(Code::InvalidEntry)))
}
