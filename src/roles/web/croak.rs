//! `/croak/ID`: one croak, and its deletion by its author.

use super::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use super::limits::{AROUND_DEADLINE, READ_DEADLINE};
use super::request_context::{PageError, RequestContext};
use super::response::{self, WebResponse};
use hyper::StatusCode;
use ribbit_state::query::FeedCroak;
use ribbit_state::{AccountCommand, Code, LogIndex, Page, Query};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::people::CroakPage;
use ribbit_ui::pages::{CroakView, FormPage, MessagePage, NavEntry};
use ribbit_ui::words::{Note, Refusals};
use std::time::Duration;

/// Shows one croak.
pub(super) async fn show(context: &mut RequestContext, id: &str) -> WebResponse {
    let Ok(id) = id.parse() else { return no_such(context) };
    match page(context, id, READ_DEADLINE, None).await {
        Ok(page) => page,
        Err(PageError::Denied(denied)) if denied.code == Code::NoSuchCroak => no_such(context),
        Err(error) => error_page(context, NavEntry::Nowhere, error),
    }
}

fn no_such(context: &RequestContext) -> WebResponse {
    let frame = context.frame("Croak not found", NavEntry::Nowhere);
    let words = "It may have been deleted.".to_string();
    response::page(StatusCode::NOT_FOUND, &MessagePage { frame, words })
}

/// Returns the viewer's username, whether the answer may be out of date, and the croak.
async fn read(
    context: &mut RequestContext,
    id: LogIndex,
    limit: Duration,
) -> Result<(String, bool, FeedCroak), PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let got = context.read(Query::Croak { session, id }, limit).await?;
    let Page::Croak(croak) = got.page else { return Err(WRONG_PAGE) };
    match context.read(Query::Me { session }, limit).await?.page {
        Page::Me(me) => Ok((me.username, got.old, croak)),
        _ => Err(WRONG_PAGE),
    }
}

/// Makes the page. After a refusal it shows the reason and carries the request id for the next try.
///
/// # Errors
/// The reason why the croak cannot be read.
async fn page(
    context: &mut RequestContext,
    id: LogIndex,
    limit: Duration,
    refused: Option<(PageError, Option<FormRequest>)>,
) -> Result<WebResponse, PageError> {
    let (me, old, croak) = read(context, id, limit).await?;
    let mut frame = context.frame("Croak", NavEntry::Nowhere);
    frame.old = old;
    context.count_unread(&mut frame).await;
    let mine = croak.author.username == me;
    let (error, request) = refused.unzip();
    let removal = mine.then(|| request.flatten().unwrap_or_else(|| context.request_here()));
    let croak = CroakView::new(croak, frame.now_ms);
    frame.me = Some(me);
    let refusals = error.map_or(Vec::new(), |error| Refusals::on(&[], error.denied()).general);
    let code = error.map_or(StatusCode::OK, |error| status(&error));
    Ok(response::page(code, &CroakPage { frame, croak, removal, refusals }))
}

/// Deletes the user's own croak.
pub(super) async fn take_back(context: &mut RequestContext, id: &str, form: &Form) -> WebResponse {
    let Ok(croak) = id.parse() else { return no_such(context) };
    let Some(session) = context.session() else { return error_page(context, NavEntry::Nowhere, NO_SESSION) };
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(context, croak, form, None, error).await,
    };
    match context.command(request, AccountCommand::RemoveCroak { session, croak }.into()).await {
        Ok(_) => response::see_other(&format!("/main?note={}", Note::TakenBack.name())),
        Err(error) => again(context, croak, form, Some(request), error).await,
    }
}

/// Shows the croak's page again with the reason, or only the form if the croak cannot be read.
async fn again(
    context: &mut RequestContext,
    croak: LogIndex,
    form: &Form,
    tried: Option<FormRequest>,
    error: PageError,
) -> WebResponse {
    let request = context.request_again(form, tried, &error).await;
    if let PageError::Denied(_) = error {
        match page(context, croak, AROUND_DEADLINE, Some((error, request))).await {
            Ok(page) => return page,
            Err(PageError::Denied(denied)) if denied.code == Code::NoSuchCroak => return no_such(context),
            Err(_) => {}
        }
    }
    let mut page =
        FormPage::take_back(context.frame("Croak", NavEntry::Nowhere), croak).refused(error.denied());
    page.frame.service_error = error.service_error();
    page.request = request;
    response::page(status(&error), &page)
}
