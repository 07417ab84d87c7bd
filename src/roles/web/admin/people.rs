//! `/admin/people` and `/admin/people/NAME`: accounts and the forms that change them.

use super::{
    AdminRead, answered, carry_out, confirmed, govern, next_page, pattern, read, refused, unknown_form,
    unreadable,
};
use crate::web::error_pages::{self, NO_SESSION, WRONG_PAGE};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_net::secret::{link_code, to_hex, token_hash};
use ribbit_state::command::OperatorCommand;
use ribbit_state::query::{AccountSummary, OperatorQuery};
use ribbit_state::text::fold_username;
use ribbit_state::{AccountId, AccountRole, Code, Denied, Field, Page, Query};
use ribbit_ui::form::Form;
use ribbit_ui::pages::admin::{AccountPage, AccountRow, AccountsPage, AdminTab};
use ribbit_ui::words::Note;

const NO_SUCH_USER: Denied = Denied::of(Code::NoSuchUser, Field::Username);

/// Lists accounts.
pub(in crate::web) async fn list(context: &mut RequestContext, query: &Form) -> WebResponse {
    match accounts(context, query).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(error) => unreadable(context, error),
    }
}

async fn accounts(context: &mut RequestContext, query: &Form) -> Result<AccountsPage, PageError> {
    let names = query.text("names").trim();
    let after = query.get("after").and_then(|after| fold_username(after).ok());
    let asked = OperatorQuery::Accounts { names: pattern(names), after };
    let AdminRead { frame, head, page } = read(context, asked, ("Accounts", AdminTab::People), query).await?;
    let Page::Accounts { accounts, more } = page else { return Err(WRONG_PAGE) };
    let now_ms = frame.now_ms;
    Ok(AccountsPage {
        names: names.to_string(),
        accounts: accounts.into_iter().map(|account| AccountRow::new(account, now_ms)).collect(),
        more: more.map(|after| next_page("/admin/people", names, &after)),
        frame,
        head,
    })
}

/// Shows an account.
pub(in crate::web) async fn show(context: &mut RequestContext, name: &str, query: &Form) -> WebResponse {
    match page(context, name, query).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(error) => not_shown(context, error),
    }
}

fn not_shown(context: &RequestContext, error: PageError) -> WebResponse {
    match error {
        PageError::Denied(denied) if denied.code == Code::NoSuchUser => {
            error_pages::no_such_user(context, super::HERE)
        }
        error => unreadable(context, error),
    }
}

/// Returns the query for the account with this user name. It contains no wildcard character, so it matches itself only.
fn named(name: &str) -> Result<OperatorQuery, Denied> {
    let names = fold_username(name).map_err(|_| NO_SUCH_USER)?;
    Ok(OperatorQuery::Accounts { names, after: None })
}

/// Returns the account in the answer to [`named`].
fn found(page: Page) -> Result<AccountSummary, PageError> {
    let Page::Accounts { mut accounts, .. } = page else { return Err(WRONG_PAGE) };
    Ok(accounts.pop().ok_or(NO_SUCH_USER)?)
}

async fn page(context: &mut RequestContext, name: &str, query: &Form) -> Result<AccountPage, PageError> {
    let AdminRead { mut frame, head, page } =
        read(context, named(name)?, ("Account", AdminTab::People), query).await?;
    let account = AccountRow::new(found(page)?, frame.now_ms);
    frame.title = format!("@{}", account.username);
    Ok(AccountPage {
        account,
        link: None,
        suspend_request: context.request_if_read(),
        role_request: context.request_if_read(),
        link_request: context.request_if_read(),
        delete_request: context.request_if_read(),
        frame,
        head,
    })
}

/// Reads the id and the user name of an account.
async fn account(context: &mut RequestContext, name: &str) -> Result<(AccountId, String), PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let got = context.read_newest(Query::Govern { session, query: named(name)? }, READ_DEADLINE).await?;
    let person = found(got.page)?.person;
    Ok((person.account, person.username))
}

/// Makes the change of a form.
pub(in crate::web) async fn change(context: &mut RequestContext, name: &str, form: &Form) -> WebResponse {
    let (account, username) = match account(context, name).await {
        Ok(account) => account,
        Err(error) => return not_shown(context, error),
    };
    let path = format!("/admin/people/{username}");
    let here = |note| (path.as_str(), note);
    let (command, to) = match form.get("choice") {
        Some("suspend") => (OperatorCommand::Suspend { account, suspended: true }, here(Note::Suspended)),
        Some("resume") => (OperatorCommand::Suspend { account, suspended: false }, here(Note::Resumed)),
        Some("role") => {
            let role = AccountRole::ALL.into_iter().find(|role| role.name() == form.text("role"));
            let Some(role) = role else { return unknown_form(context) };
            (OperatorCommand::SetRole { account, role }, here(Note::Saved))
        }
        Some("link") => {
            return match make_link(context, form, account).await {
                Ok(link) => {
                    let made = |page| AccountPage { link: Some(link), ..page };
                    again(context, &username, StatusCode::OK, made).await
                }
                Err(error) => refused(context, form, &path, error).await,
            };
        }
        Some("unlink") => (OperatorCommand::RevokeResetLink { account }, here(Note::LinkRevoked)),
        Some("delete") if fold_username(form.text("confirm")).as_ref() != Ok(&username) => {
            let words = format!("Type {username} to delete the account.");
            let refused = |mut page: AccountPage| {
                page.head.refusals.push(words);
                page
            };
            return again(context, &username, StatusCode::UNPROCESSABLE_ENTITY, refused).await;
        }
        Some("delete") => {
            (OperatorCommand::RemoveAccount { account }, ("/admin/people", Note::AccountDeleted))
        }
        _ => return unknown_form(context),
    };
    let done = govern(context, form, command).await;
    answered(context, form, &path, to, done).await
}

/// Shows the account again, with a change to its page.
async fn again(
    context: &mut RequestContext,
    username: &str,
    status: StatusCode,
    change: impl FnOnce(AccountPage) -> AccountPage,
) -> WebResponse {
    match page(context, username, &Form::default()).await {
        Ok(page) => response::page(status, &change(page)),
        Err(error) => not_shown(context, error),
    }
}

/// Makes a one-time link to set a password. Its code derives from the session and the request id, so a repeated form gives the
/// same link.
async fn make_link(
    context: &mut RequestContext,
    form: &Form,
    account: AccountId,
) -> Result<String, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let request = confirmed(context, form).await?;
    let code = link_code(session, request.id);
    carry_out(context, request, OperatorCommand::MakeResetLink { account, code: token_hash(&code) }).await?;
    Ok(format!("{}/reset/{}", context.site_address(), to_hex(&code)))
}
