//! `/admin/people` and `/admin/people/NAME`: accounts and the forms that change them.

use super::{AdminRead, answered, govern, read, refused, unknown_form, unreadable};
use crate::web::error_pages::{self, NO_SESSION, WRONG_PAGE};
use crate::web::http::response::{self, WebResponse};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_net::secret::{link_code, to_hex, token_hash};
use ribbit_state::command::OperatorCommand;
use ribbit_state::query::{AccountSummary, OperatorQuery};
use ribbit_state::text::fold_username;
use ribbit_state::{AccountId, AccountRole, Code, Denied, Field, Page};
use ribbit_ui::form::Form;
use ribbit_ui::pages::admin::{AccountPage, AccountRow, AccountsPage, AdminTab};
use ribbit_ui::words::Note;

/// Lists accounts.
pub(in crate::web) async fn list(context: &mut RequestContext, query: &Form) -> WebResponse {
    match accounts(context, query).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(error) => unreadable(context, error),
    }
}

async fn accounts(context: &mut RequestContext, query: &Form) -> Result<AccountsPage, PageError> {
    let names = query.text("names").trim();
    let pattern = if names.contains(['*', '?', '[']) { names.to_string() } else { format!("{names}*") };
    let after = query.get("after").and_then(|after| fold_username(after).ok());
    let asked = OperatorQuery::Accounts { names: pattern, after };
    let AdminRead { frame, head, page } = read(context, asked, ("Accounts", AdminTab::People), query).await?;
    let Page::Accounts { accounts, more } = page else { return Err(WRONG_PAGE) };
    let now_ms = frame.now_ms;
    let next = |after: String| {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("names", names)
            .append_pair("after", &after)
            .finish();
        format!("/admin/people?{query}")
    };
    Ok(AccountsPage {
        names: names.to_string(),
        accounts: accounts.into_iter().map(|account| AccountRow::new(account, now_ms)).collect(),
        more: more.map(next),
        frame,
        head,
    })
}

/// Shows an account.
pub(in crate::web) async fn show(context: &mut RequestContext, name: &str, query: &Form) -> WebResponse {
    match account(context, name, query).await {
        Ok((got, account)) => response::page(StatusCode::OK, &page(context, got, account)),
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

/// Reads the account with this user name.
async fn account(
    context: &mut RequestContext,
    name: &str,
    query: &Form,
) -> Result<(AdminRead, AccountSummary), PageError> {
    let no_such = Denied::of(Code::NoSuchUser, Field::Username);
    let username = fold_username(name).map_err(|_| no_such)?;
    // A user name contains no wildcard character, so it matches itself only.
    let asked = OperatorQuery::Accounts { names: username.clone(), after: None };
    let mut got = read(context, asked, (&format!("@{username}"), AdminTab::People), query).await?;
    let Page::Accounts { accounts, .. } = &mut got.page else { return Err(WRONG_PAGE) };
    let account = accounts.pop().ok_or(no_such)?;
    Ok((got, account))
}

fn page(context: &RequestContext, got: AdminRead, account: AccountSummary) -> AccountPage {
    AccountPage {
        account: AccountRow::new(account, got.frame.now_ms),
        link: None,
        suspend_request: context.request_if_read(),
        role_request: context.request_if_read(),
        link_request: context.request_if_read(),
        delete_request: context.request_if_read(),
        frame: got.frame,
        head: got.head,
    }
}

/// Makes the change of a form.
pub(in crate::web) async fn change(context: &mut RequestContext, name: &str, form: &Form) -> WebResponse {
    let (got, found) = match account(context, name, &Form::default()).await {
        Ok(found) => found,
        Err(error) => return not_shown(context, error),
    };
    let (account, username) = (found.person.account, found.person.username.clone());
    let path = format!("/admin/people/{username}");
    let (command, to, note) = match form.get("choice") {
        Some("suspend") => {
            (OperatorCommand::Suspend { account, suspended: true }, path.as_str(), Note::Suspended)
        }
        Some("resume") => {
            (OperatorCommand::Suspend { account, suspended: false }, path.as_str(), Note::Resumed)
        }
        Some("role") => {
            let role = AccountRole::ALL.into_iter().find(|role| role.name() == form.text("role"));
            let Some(role) = role else { return unknown_form(context) };
            (OperatorCommand::SetRole { account, role }, path.as_str(), Note::Saved)
        }
        Some("link") => {
            return match make_link(context, form, account).await {
                Ok(link) => {
                    let page = AccountPage { link: Some(link), ..page(context, got, found) };
                    response::page(StatusCode::OK, &page)
                }
                Err(error) => refused(context, form, &path, error).await,
            };
        }
        Some("delete") if fold_username(form.text("confirm")).as_ref() != Ok(&username) => {
            let mut page = page(context, got, found);
            page.head.refusals.general.push(format!("Type {username} to delete the account."));
            return response::page(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
        Some("delete") => (OperatorCommand::RemoveAccount { account }, "/admin/people", Note::AccountDeleted),
        _ => return unknown_form(context),
    };
    let done = govern(context, form, command).await;
    match done {
        Err(error) => refused(context, form, &path, error).await,
        done => answered(context, form, (to, note), done).await,
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
    let request = context.request_of(form).await?;
    let code = link_code(session, request.id);
    let command = OperatorCommand::MakeResetLink { account, code: token_hash(&code) };
    govern(context, form, command).await?;
    Ok(format!("{}/reset/{}", context.site_address(), to_hex(&code)))
}
