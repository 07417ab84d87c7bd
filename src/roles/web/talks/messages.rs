//! `/messages` and below: the list of conversations, one conversation, and sending a message.
//!
//! The page of a conversation holds an empty image (`/shown`), the read receipt. The browser loads it once it has the page, so
//! the sender learns without a script that a message was read. A page that never arrived marks nothing.

use crate::web::error_pages::no_such_user;
use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page, status};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{AROUND_DEADLINE, READ_DEADLINE, page_len};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::limits::{MESSAGE_CHARS_MAX, TALK_PAGE_MAX, TALKS_PAGE_MAX};
use ribbit_state::query::Talk;
use ribbit_state::query::TalkPartner;
use ribbit_state::text::{check_message, fold_username};
use ribbit_state::{AccountId, Code, Denied, Field, LogIndex, MessageCommand, Page, Query};
use ribbit_ui::form::{Form, FormRequest};
use ribbit_ui::length::TextLength;
use ribbit_ui::pages::messages::{MessageView, Partner, TalkPage, TalkRow, TalkView, TalksPage};
use ribbit_ui::pages::{NavEntry, PageFrame, lacks_session};
use ribbit_ui::words::Refusals;
use std::time::Duration;

/// Shows the list of conversations, or leads to the one with `?to=`.
pub(in crate::web) async fn list(context: &mut RequestContext, query: &Form) -> WebResponse {
    let Some(session) = context.session() else { return error_page(context, NavEntry::Messages, NO_SESSION) };
    let to = query.text("to");
    let mut refusals = Refusals::default();
    if query.get("to").is_some() {
        match fold_username(to) {
            Ok(username) => return response::see_other(&format!("/messages/{username}")),
            Err(denied) => refusals = Refusals::on(&[Field::Username.name()], &[denied]),
        }
    }
    let before = query.get("before").and_then(|before| before.parse().ok());
    let limit = page_len(TALKS_PAGE_MAX);
    let got = match context.read(Query::Talks { session, before, limit }, READ_DEADLINE).await {
        Ok(got) => got,
        Err(error) => return error_page(context, NavEntry::Messages, error),
    };
    let Page::Talks { me, talks, older } = got.page else {
        return error_page(context, NavEntry::Messages, WRONG_PAGE);
    };
    let mut frame = context.frame("Messages", NavEntry::Messages);
    frame.take_note(query);
    frame.old = got.old;
    frame.me = Some(me.username);
    context.count_unread(&mut frame).await;
    let now_ms = frame.now_ms;
    let talks = talks.into_iter().map(|talk| TalkRow::new(talk, now_ms)).collect();
    let username = to.to_string();
    let newest = before.is_none();
    response::page(
        StatusCode::OK,
        &TalksPage { frame, username, refusals, log_in: false, talks, older, newest },
    )
}

/// Returns the person that a path names: `bob`, or `~57` for a deleted account.
fn whom(name: &str) -> TalkPartner {
    match name.strip_prefix('~').and_then(|account| account.parse().ok()) {
        Some(account) => TalkPartner::Account(AccountId(account)),
        None => TalkPartner::Named(name.to_string()),
    }
}

/// Shows one conversation.
pub(in crate::web) async fn show(context: &mut RequestContext, name: &str, query: &Form) -> WebResponse {
    let before = query.get("before").and_then(|before| before.parse().ok());
    let mut frame = context.frame("Messages", NavEntry::Messages);
    let (talk, waiting) = match read(context, &mut frame, name, before, READ_DEADLINE).await {
        Ok(read) => read,
        Err(PageError::Denied(denied)) if denied.code == Code::NoSuchUser => {
            return no_such_user(context, NavEntry::Messages);
        }
        Err(error) => return error_page(context, NavEntry::Messages, error),
    };
    context.count_unread(&mut frame).await;
    // The messages on this page are about to be read.
    if let Some(unread) = &mut frame.unread {
        unread.messages = unread.messages.saturating_sub(waiting);
    }
    let page = TalkPage {
        frame,
        action: talk.with.username.as_ref().map_or(String::new(), |_| talk.with.path.clone()),
        request: Some(context.request_here()),
        message: String::new(),
        refusals: Refusals::default(),
        too_long: None,
        log_in: false,
        talk: Some(talk),
    };
    response::page(StatusCode::OK, &page)
}

/// Reads a page of a conversation. Returns it with the number of its unread messages that the read receipt will mark.
async fn read(
    context: &mut RequestContext,
    frame: &mut PageFrame,
    name: &str,
    before: Option<LogIndex>,
    limit: Duration,
) -> Result<(TalkView, u32), PageError> {
    let session = context.session().ok_or(NO_SESSION)?;
    let got = context
        .read(Query::Talk { session, with: whom(name), before, limit: page_len(TALK_PAGE_MAX) }, limit)
        .await?;
    let Page::Talk(talk) = got.page else { return Err(WRONG_PAGE) };
    frame.old = got.old;
    frame.me = Some(talk.me.username.clone());
    let newest = before.is_none();
    let receipt = receipt(&talk).filter(|_| newest);
    let waiting = if receipt.is_some() { talk.waiting } else { 0 };
    let Talk { with, with_account, mut messages, older, .. } = talk;
    let with = Partner::new(with, with_account);
    frame.title.clone_from(&with.name);
    messages.reverse();
    let messages = MessageView::list(messages, frame.now_ms, &with.avatar);
    frame.cursor = context.answered();
    Ok((TalkView { with, messages, older, newest, receipt }, waiting))
}

/// Returns the address of the read receipt, if the page shows messages that are not marked as read.
fn receipt(talk: &Talk) -> Option<String> {
    let newest = talk.messages.iter().find(|message| !message.mine)?;
    (newest.id > talk.read_through)
        .then(|| format!("/shown?with={}&through={}", talk.with_account.0, newest.id))
}

/// Sends a message.
pub(in crate::web) async fn send(context: &mut RequestContext, name: &str, form: &Form) -> WebResponse {
    let text = form.text(Field::Message.name());
    let Some(session) = context.session() else { return again(context, name, form, None, NO_SESSION).await };
    let checked = fold_username(name).and_then(|username| check_message(text).map(|()| username));
    let username = match checked {
        Ok(username) => username,
        Err(denied) => return again(context, name, form, None, denied.into()).await,
    };
    let request = match context.request_of(form).await {
        Ok(request) => request,
        Err(error) => return again(context, name, form, None, error).await,
    };
    let path = format!("/messages/{username}");
    let send = MessageCommand::Send { session, username, text: text.to_string() };
    match context.command(request, send.into()).await {
        Ok(_) => response::see_other(&path),
        Err(error) => again(context, name, form, Some(request), error).await,
    }
}

/// Shows the page again with the text and the reason.
async fn again(
    context: &mut RequestContext,
    name: &str,
    form: &Form,
    tried: Option<FormRequest>,
    error: PageError,
) -> WebResponse {
    let text = form.text(Field::Message.name());
    let request = context.request_again(form, tried, &error).await;
    let mut frame = context.frame("Messages", NavEntry::Messages);
    frame.service_error = error.service_error();
    let talk = match error {
        PageError::Service(_) => None,
        PageError::Denied(_) => {
            read(context, &mut frame, name, None, AROUND_DEADLINE).await.ok().map(|(talk, _)| talk)
        }
    };
    let denied: Vec<Denied> = error.denied().to_vec();
    // The recipient is in the path, so the form is only shown for a valid username.
    let action = fold_username(name).map_or(String::new(), |username| format!("/messages/{username}"));
    let page = TalkPage {
        frame,
        action,
        request,
        message: text.to_string(),
        refusals: Refusals::on(&[Field::Message.name()], &denied),
        too_long: TextLength::over(text, MESSAGE_CHARS_MAX),
        log_in: lacks_session(&denied),
        talk,
    };
    response::page(status(&error), &page)
}
