//! `/api/v1/conversations…`: talks.

use super::error::{ApiError, json};
use super::paging::{ListPage, Range, page, with_links};
use super::request::ApiRequest;
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::WebResponse;
use crate::web::limits::page_len;
use ribbit_state::query::{Person, Talk, TalkPartner, TalkSummary};
use ribbit_state::{AccountId, MessageCommand, Page, Query};
use ribbit_ui::api::ConversationEntity;

/// Answers with the talks, the one with the newest message first.
pub(super) async fn list(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let mut me: Option<Person> = None;
    let ListPage { items, older, newest } = page(
        Range::of(request),
        |talk: &TalkSummary| talk.newest.id,
        async |before, limit| {
            let limit = page_len(limit);
            match request.read(|session| Query::Talks { session, before, limit }).await? {
                Page::Talks { me: reader, talks, older } => {
                    me = Some(reader);
                    Ok((talks, older))
                }
                _ => Err(WRONG_PAGE),
            }
        },
    )
    .await?;
    let me = me.ok_or(WRONG_PAGE)?;
    let entities = request.entities(items.iter().map(|talk| talk.newest.text.as_str())).await?;
    let talks: Vec<_> = items.iter().map(|talk| ConversationEntity::new(&entities, &me, talk)).collect();
    Ok(with_links(json(&talks), request, older, newest))
}

/// Marks a talk as read, and answers with it.
pub(super) async fn read(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let with = AccountId(request.id());
    let partner = TalkPartner::Account(with);
    let Page::Talk(Talk { me, with: person, mut messages, .. }) =
        request.read(|session| Query::Talk { session, with: partner, before: None, limit: 1 }).await?
    else {
        return Err(WRONG_PAGE.into());
    };
    let Some(newest) = messages.pop() else {
        return Err(ApiError::not_found("There is no such conversation."));
    };
    let (session, delivered_through, read_through) = (request.session()?, newest.id, newest.id);
    request.write(MessageCommand::Mark { session, with, delivered_through, read_through }.into()).await?;
    let entities = request.entities([newest.text.as_str()]).await?;
    let talk = TalkSummary { with: person, with_account: with, newest, waiting: 0 };
    Ok(json(&ConversationEntity::new(&entities, &me, &talk)))
}
