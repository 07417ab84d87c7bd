//! `/main`: the feed, and posting a croak.

use super::limits::{AROUND_DEADLINE, READ_DEADLINE};
use super::request_context::{PageError, RequestContext};
use super::response::{self, WebResponse};
use hyper::StatusCode;
use ribbit_state::limits::{CROAK_CHARS_MAX, FEED_PAGE_MAX};
use ribbit_state::text::{check_croak, croak_chars};
use ribbit_state::{Code, Command, Denied, Field, LogIndex, Page, Query};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::pages::{CroakView, Feed, MainPage, MessagePage, NavEntry, PageFrame, lacks_session};
use ribbit_ui::words::{Note, Refusals, ServiceError, refusal};
use std::time::Duration;

/// Shows a page of the feed.
pub(super) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    let before = query.get("before").and_then(|before| before.parse().ok());
    let mut frame = context.frame("Feed", NavEntry::Main);
    frame.note = query.get("note").and_then(Note::from_name).map(|note| note.words().to_string());
    let mut feed = match read(context, &mut frame, before, READ_DEADLINE).await {
        Ok(feed) => feed,
        Err(error) => return error_page(context, NavEntry::Main, error),
    };
    if let Some(unread) = context.unread().await {
        frame.unread = Some(unread.messages);
        feed.note_unread(unread);
    }
    frame.old |= context.is_old();
    let page = MainPage {
        frame,
        request: Some(context.request_here()),
        post: String::new(),
        refusals: Refusals::default(),
        too_long: None,
        log_in: false,
        feed: Some(feed),
    };
    response::page(StatusCode::OK, &page)
}

/// Reads one page of the feed. Sets the username and the out-of-date mark of the frame.
async fn read(
    context: &mut RequestContext,
    frame: &mut PageFrame,
    before: Option<LogIndex>,
    limit: Duration,
) -> Result<Feed, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let page_len = u16::try_from(FEED_PAGE_MAX).expect("a page is short");
    let got = context.read(Query::Feed { session, before, limit: page_len }, limit).await?;
    let Page::Feed { me, croaks, older } = got.page else { return Err(WRONG_PAGE) };
    frame.me = Some(me.username);
    frame.old = got.old;
    let now_ms = context.now_ms();
    let croaks = croaks.into_iter().map(|croak| CroakView::new(croak, now_ms)).collect();
    let newest = before.is_none();
    Ok(Feed {
        croaks,
        older,
        newest,
        cursor: context.answered().filter(|_| newest),
        new: None,
        receipt: None,
    })
}

/// Posts a croak.
pub(super) async fn croak(context: &mut RequestContext, form: &Form) -> WebResponse {
    let text = form.text(Field::Post.name());
    let Some(session) = context.session() else { return again(context, form, None, NO_SESSION).await };
    if let Err(denied) = check_croak(text) {
        return again(context, form, None, denied.into()).await;
    }
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(context, form, None, error).await,
    };
    match context.command(request, Command::Croak { session, text: text.to_string() }).await {
        Ok(_) => response::see_other("/main"),
        Err(error) => again(context, form, Some(request), error).await,
    }
}

/// Shows the page again with the text and the reason.
async fn again(
    context: &mut RequestContext,
    form: &Form,
    tried: Option<FormRequest>,
    error: PageError,
) -> WebResponse {
    let text = form.text(Field::Post.name());
    let request = context.request_again(form, tried, &error).await;
    let mut frame = context.frame("Feed", NavEntry::Main);
    frame.service_error = error.service_error();
    let feed = match error {
        // The servers did not answer; another read would only use up the time that is left.
        PageError::Service(_) => None,
        PageError::Denied(_) => read(context, &mut frame, None, AROUND_DEADLINE).await.ok(),
    };
    let chars = croak_chars(text);
    let page = MainPage {
        frame,
        request,
        post: text.to_string(),
        refusals: Refusals::on(&[Field::Post.name()], error.denied()),
        too_long: (chars > CROAK_CHARS_MAX).then_some(chars),
        log_in: lacks_session(error.denied()),
        feed,
    };
    response::page(status(&error), &page)
}

/// Refusal of a request without a session.
pub(super) const NO_SESSION: PageError = PageError::Denied(Denied::new(Code::NotLoggedIn));
/// Error for a server that answered another query than it was sent, which is a bug there.
pub(super) const WRONG_PAGE: PageError = PageError::Service(ServiceError::Undecided);

/// Returns the HTTP status of a form that is shown again.
pub(super) fn status(error: &PageError) -> StatusCode {
    match error {
        PageError::Denied(denied) if denied.code.is_rate_limit() => StatusCode::TOO_MANY_REQUESTS,
        PageError::Denied(_) => StatusCode::UNPROCESSABLE_ENTITY,
        PageError::Service(ServiceError::RateLimited { .. }) => StatusCode::TOO_MANY_REQUESTS,
        PageError::Service(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Answers a GET whose page cannot be read: leads to the log-in page without a session, else shows the reason.
pub(super) fn error_page(context: &RequestContext, here: NavEntry, error: PageError) -> WebResponse {
    match error {
        error if error.lacks_session() => response::see_other("/login"),
        PageError::Service(service_error) => {
            let page = MessagePage::service_error(here, context.has_session(), service_error);
            response::page(status(&error), &page)
        }
        PageError::Denied(denied) => {
            let frame = context.frame("That didn't work", here);
            let page = MessagePage { frame, words: refusal(denied) };
            response::page(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}
