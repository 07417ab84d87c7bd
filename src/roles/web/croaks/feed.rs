//! `/main`: the feed, and posting a croak.

use crate::web::croaks::front_cache::{FrontCache, RenderedFront};
use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::compression;
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{AROUND_DEADLINE, READ_DEADLINE, page_len};
use crate::web::request_context::{PageError, RequestContext};
use hyper::{HeaderMap, StatusCode};
use ribbit_state::limits::{CROAK_CHARS_MAX, FEED_PAGE_MAX};
use ribbit_state::text::{check_croak, check_reply};
use ribbit_state::{Audience, Command, Field, LogIndex, Page, Query, Reply};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::length::TextLength;
use ribbit_ui::pages::{Composer, Feed, MainPage, NavEntry, PageFrame, lacks_session};
use ribbit_ui::words::Refusals;
use std::sync::Arc;
use std::time::Duration;

/// Shows a page of the feed.
pub(in crate::web) async fn show(
    fronts: &FrontCache,
    context: &mut RequestContext,
    query: &Form,
    headers: &HeaderMap,
) -> WebResponse {
    let before = query.get("before").and_then(|before| before.parse().ok());
    let mut frame = context.frame("Home", NavEntry::Main);
    frame.take_note(query);
    let (feed, audience) = match read(fronts, context, &mut frame, before, READ_DEADLINE).await {
        Ok((mut feed, front)) => {
            feed.note_unread(front.unread);
            (feed, front.audience)
        }
        Err(error) => return error_page(context, NavEntry::Main, error),
    };
    let composer = Composer::empty(context.request_here(), audience);
    let page = MainPage { composer, ..MainPage::new(frame, feed) };
    compression::pack_page(response::page(StatusCode::OK, &page), headers)
}

/// Reads one page of the feed. Sets the username, the number of unread messages and the out-of-date mark of the frame.
async fn read(
    fronts: &FrontCache,
    context: &mut RequestContext,
    frame: &mut PageFrame,
    before: Option<LogIndex>,
    limit: Duration,
) -> Result<(Feed, Arc<RenderedFront>), PageError> {
    let front = read_front(fronts, context, before, limit).await?;
    frame.me = Some(front.me.clone());
    frame.unread = Some(front.unread);
    frame.old = context.is_old();
    frame.cursor = context.answered();
    let now_ms = context.now_ms();
    let newest = before.is_none();
    let feed = Feed {
        croaks: front.croaks.iter().map(|croak| croak.item(now_ms)).collect(),
        older: front.older,
        newest,
        new: None,
        receipt: None,
    };
    Ok((feed, front))
}

/// Asks for a page of the feed, without the texts and the state that are kept here.
async fn read_front(
    fronts: &FrontCache,
    context: &mut RequestContext,
    before: Option<LogIndex>,
    limit: Duration,
) -> Result<Arc<RenderedFront>, PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let mut last = fronts.page_of(session);
    loop {
        let known = last.as_ref().and_then(|last| last.range());
        let same = last.as_ref().filter(|last| before.is_none() && context.has_seen(last.token.history));
        let unless = same.map(|last| last.token.index);
        let query = Query::Front { session, before, limit: page_len(FEED_PAGE_MAX), known, unless };
        let got = context.read(query, limit).await?;
        match (got.page, &last) {
            (Page::Unchanged, Some(last)) if last.token == got.token && before.is_none() => {
                return Ok(last.clone());
            }
            (Page::Front(front), _) => {
                if let Ok(page) = fronts.render(got.token, front, last.as_deref()) {
                    if before.is_none() {
                        fronts.keep_page(session, &page);
                    }
                    return Ok(page);
                }
                // A text that this page needs is kept no longer. Without a known page the answer has all of them.
                if last.take().is_none() {
                    return Err(WRONG_PAGE);
                }
            }
            _ => return Err(WRONG_PAGE),
        }
    }
}

/// Posts a croak.
pub(in crate::web) async fn croak(
    fronts: &FrontCache,
    context: &mut RequestContext,
    form: &Form,
) -> WebResponse {
    let text = form.text(Field::Post.name());
    let Some(session) = context.session() else {
        return again(fronts, context, form, None, NO_SESSION).await;
    };
    let (reply_to, audience) = (reply_to(form), audience(form));
    // A reply is counted without its mention, which the rules know.
    let checked = if reply_to.is_some() { check_reply(text) } else { check_croak(text) };
    if let Err(denied) = checked {
        return again(fronts, context, form, None, denied.into()).await;
    }
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(fronts, context, form, None, error).await,
    };
    let command = Command::Croak { session, text: text.to_string(), reply_to, audience };
    match (context.command(request, command).await, reply_to) {
        (Ok(Reply::Croaked { croak }), Some(to)) => {
            response::see_other(&format!("/croak/{to}#croak-{croak}"))
        }
        (Ok(_), _) => response::see_other("/main"),
        (Err(error), _) => again(fronts, context, form, Some(request), error).await,
    }
}

/// Returns the croak that a form answers.
fn reply_to(form: &Form) -> Option<LogIndex> {
    form.get("reply_to").and_then(|to| to.parse().ok())
}

/// Returns the audience that a form names. Without one the account's usual audience applies.
fn audience(form: &Form) -> Option<Audience> {
    form.get("audience").and_then(|audience| audience.parse().ok())
}

/// Shows the page again with the text and the reason.
async fn again(
    fronts: &FrontCache,
    context: &mut RequestContext,
    form: &Form,
    tried: Option<FormRequest>,
    error: PageError,
) -> WebResponse {
    let text = form.text(Field::Post.name());
    let request = context.request_again(form, tried, &error).await;
    let mut frame = context.frame("Home", NavEntry::Main);
    frame.service_error = error.service_error();
    let feed = match error {
        // The servers did not answer; another read would only use up the time that is left.
        PageError::Service(_) => None,
        PageError::Denied(_) => {
            read(fronts, context, &mut frame, None, AROUND_DEADLINE).await.ok().map(|(feed, _)| feed)
        }
    };
    let page = MainPage {
        frame,
        composer: Composer {
            request,
            reply_to: reply_to(form),
            for_followers: audience(form) == Some(Audience::Followers),
            post: text.to_string(),
            too_long: TextLength::over(text, CROAK_CHARS_MAX),
        },
        refusals: Refusals::on(&[Field::Post.name()], error.denied()),
        log_in: lacks_session(error.denied()),
        feed,
    };
    response::page(status(&error), &page)
}
