//! `/admin/requests`: people who wait for an account.

use super::{answered, govern, read, unknown_form, unreadable};
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::{self, WebResponse};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::Page;
use ribbit_state::command::OperatorCommand;
use ribbit_state::query::OperatorQuery;
use ribbit_state::text::fold_username;
use ribbit_ui::form::Form;
use ribbit_ui::pages::admin::{AdminTab, JoinRequestsPage, JoinRow};
use ribbit_ui::words::Note;

/// Shows the requests.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    match page(context, query).await {
        Ok(page) => response::page(StatusCode::OK, &page),
        Err(error) => unreadable(context, error),
    }
}

async fn page(context: &mut RequestContext, query: &Form) -> Result<JoinRequestsPage, PageError> {
    let after = query.get("after").and_then(|after| fold_username(after).ok());
    let asked = OperatorQuery::JoinRequests { after };
    let got = read(context, asked, ("Requests for accounts", AdminTab::Requests), query).await?;
    let Page::JoinRequests { requests, more } = got.page else { return Err(WRONG_PAGE) };
    let now_ms = got.frame.now_ms;
    let row = |item| JoinRow::new(item, now_ms, context.request_here());
    Ok(JoinRequestsPage {
        requests: requests.into_iter().map(row).collect(),
        more: more.map(|more| format!("/admin/requests?after={more}")),
        frame: got.frame,
        head: got.head,
    })
}

/// Approves a request, or turns it down.
pub(in crate::web) async fn decide(context: &mut RequestContext, form: &Form) -> WebResponse {
    let (approved, note) = match form.get("choice") {
        Some("approve") => (true, Note::Approved),
        Some("refuse") => (false, Note::TurnedDown),
        _ => return unknown_form(context),
    };
    let Ok(username) = fold_username(form.text("asked")) else { return unknown_form(context) };
    let done = govern(context, form, OperatorCommand::DecideRequest { username, approved }).await;
    answered(context, form, "/admin/requests", ("/admin/requests", note), done).await
}
