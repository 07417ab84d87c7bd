//! `/reset/CODE`: the one-time link by which a person sets a new password. It needs no session.

use crate::web::accounts::account::{again, open_session};
use crate::web::error_pages::{WRONG_PAGE, error_page};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::READ_DEADLINE;
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_net::protocol::{Ask, Password};
use ribbit_net::secret::code_hash;
use ribbit_state::text::{check_password, fold_username};
use ribbit_state::{Code, Denied, Field, Page, Query};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::{FormPage, MessagePage, NavEntry};
use ribbit_ui::words::{Note, refusal};

const NOT_VALID: Denied = Denied::new(Code::LinkNotValid);

fn reset_page(context: &RequestContext, code: &str, username: &str) -> FormPage {
    let frame = context.frame("Set a new password", NavEntry::Nowhere);
    let page = FormPage::reset(frame, format!("/reset/{code}"), username);
    FormPage { in_the_clear: context.origin().is_unencrypted(), ..page }
}

/// Answers that the link does not work, for every reason alike.
fn not_valid(context: &RequestContext) -> WebResponse {
    let frame = context.frame("This link doesn't work", NavEntry::Nowhere);
    response::page(StatusCode::NOT_FOUND, &MessagePage { frame, words: refusal(NOT_VALID) })
}

/// Shows the form.
pub(in crate::web) async fn show(context: &mut RequestContext, typed: &str) -> WebResponse {
    let Some(code) = code_hash(typed) else { return not_valid(context) };
    match context.read(Query::ResetLink { code }, READ_DEADLINE).await {
        Ok(read) => match read.page {
            Page::ResetLink(person) => {
                let page = reset_page(context, typed, &person.username);
                let request = Some(context.request_here());
                response::page(StatusCode::OK, &FormPage { request, ..page })
            }
            _ => error_page(context, NavEntry::Nowhere, WRONG_PAGE),
        },
        Err(PageError::Denied(denied)) if denied == NOT_VALID => not_valid(context),
        Err(error) => error_page(context, NavEntry::Nowhere, error),
    }
}

/// Sets the password and logs in.
pub(in crate::web) async fn set(context: &mut RequestContext, typed: &str, form: &Form) -> WebResponse {
    let Some(code) = code_hash(typed) else { return not_valid(context) };
    let username = fold_username(form.text(Field::Username.name())).unwrap_or_default();
    let password = Password(form.text(Field::NewPassword.name()).to_string());
    let page = reset_page(context, typed, &username);
    if check_password(&password.0).is_err() {
        let denied = Denied::of(Code::InvalidEntry, Field::NewPassword);
        return again(context, page, form, None, denied.into()).await;
    }
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(context, page, form, None, error).await,
    };
    let FormRequest { id, submitted_at } = request;
    let ask = Ask::ResetPassword { id, submitted_at, code, password: password.clone() };
    match context.write(ask).await {
        Ok(_) => match open_session(context, &username, password).await {
            Ok(()) => response::see_other(&format!("/main?note={}", Note::NewPassword.name())),
            // The password is set: what is left is to log in, now or later.
            Err(_) => response::see_other(&format!("/login?note={}", Note::NewPassword.name())),
        },
        Err(PageError::Denied(denied)) if denied == NOT_VALID => not_valid(context),
        Err(error) => again(context, page, form, Some(request), error).await,
    }
}
