//! `/api/v1/notifications…` and `/api/v1/markers`: what others have done, and how far lists were read.

use super::error::{ApiError, json};
use super::others::done;
use super::paging::{ListPage, Range, page, with_links};
use super::reading::number;
use super::request::ApiRequest;
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::WebResponse;
use crate::web::limits::page_len;
use crate::web::request_context::PageError;
use ribbit_state::limits::NOTICES_PAGE_MAX;
use ribbit_state::query::{FeedCroak, NoticeItem, Unread};
use ribbit_state::{AccountId, LogIndex, MessageCommand, NoticeCommand, Page, Query};
use ribbit_ui::api::notification::kind;
use ribbit_ui::api::{MarkerEntity, MarkersEntity, NotificationEntity};
use serde::Serialize;

/// Answers with the notifications, newest first.
pub(super) async fn list(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let types: Vec<String> = request.params.all("types").map(str::to_string).collect();
    let excluded: Vec<String> = request.params.all("exclude_types").map(str::to_string).collect();
    let from = request.params.get("account_id").map(|id| AccountId(number(id)));
    let wanted = |notice: &NoticeItem| {
        kind(notice.kind).is_some_and(|kind| {
            (types.is_empty() || types.iter().any(|one| one == kind))
                && !excluded.iter().any(|one| one == kind)
        }) && from.is_none_or(|from| notice.from.as_ref().is_some_and(|person| person.account == from))
    };
    let ListPage { items, older, newest } = page(
        Range::of(request),
        |notice: &NoticeItem| notice.id,
        async |before, limit| {
            let (mut notices, older) = notices(request, before, limit).await?;
            notices.retain(wanted);
            Ok((notices, older))
        },
    )
    .await?;
    let notifications = entities(request, &items).await?;
    Ok(with_links(json(&notifications), request, older, newest))
}

async fn notices(
    request: &mut ApiRequest<'_>,
    before: Option<LogIndex>,
    limit: usize,
) -> Result<(Vec<NoticeItem>, Option<LogIndex>), PageError> {
    let limit = page_len(limit);
    match request.read(|session| Query::Notices { session, before, limit }).await? {
        Page::Notices { notices, older, .. } => Ok((notices, older)),
        _ => Err(WRONG_PAGE),
    }
}

/// Makes notifications, with the croaks that they are about.
async fn entities(
    request: &mut ApiRequest<'_>,
    notices: &[NoticeItem],
) -> Result<Vec<NotificationEntity>, PageError> {
    let mut ids: Vec<LogIndex> = notices.iter().filter_map(|notice| notice.kind.croak()).collect();
    ids.sort_unstable();
    ids.dedup();
    let croaks = if ids.is_empty() {
        Vec::new()
    } else {
        match request.read(|session| Query::Croaks { session, ids }).await? {
            Page::Croaks(croaks) => croaks,
            _ => return Err(WRONG_PAGE),
        }
    };
    let texts = croaks.iter().map(|croak: &FeedCroak| croak.body.text.as_str());
    let entities = request.entities(texts).await?;
    Ok(notices.iter().filter_map(|notice| NotificationEntity::new(&entities, notice, &croaks)).collect())
}

pub(super) async fn show(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let id = request.id();
    let (mut found, _) = notices(request, Some(id.saturating_add(1)), 1).await?;
    found.retain(|notice| notice.id == id);
    let notification = entities(request, &found).await?.pop();
    notification
        .map(|notification| json(&notification))
        .ok_or_else(|| ApiError::not_found("There is no such notification."))
}

/// Removes all notices.
pub(super) async fn clear(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let session = request.session()?;
    request.write(NoticeCommand::Remove { session, notice: None }.into()).await?;
    Ok(done())
}

/// Removes one notice.
pub(super) async fn dismiss(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let (session, notice) = (request.session()?, Some(request.id()));
    request.write(NoticeCommand::Remove { session, notice }.into()).await?;
    Ok(done())
}

/// Number of unread notifications.
#[derive(Serialize)]
struct UnreadCount {
    count: u32,
}

pub(super) async fn unread_count(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let count = unread(request).await?.notices;
    Ok(json(&UnreadCount { count }))
}

async fn unread(request: &mut ApiRequest<'_>) -> Result<Unread, PageError> {
    match request.read(|session| Query::Unread { session }).await? {
        Page::Unread(unread) => Ok(unread),
        _ => Err(WRONG_PAGE),
    }
}

/// Answers with the read positions that `timeline[]` names.
pub(super) async fn markers(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let named = |name: &str| request.params.all("timeline").any(|one| one == name);
    let (home, notifications) = (named("home"), named("notifications"));
    Ok(json(&positions(request, home, notifications).await?))
}

async fn positions(
    request: &mut ApiRequest<'_>,
    home: bool,
    notifications: bool,
) -> Result<MarkersEntity, PageError> {
    let now_ms = request.context.now_ms();
    let mut markers = MarkersEntity::default();
    if home {
        let through = unread(request).await?.feed_read_through;
        markers.home = Some(MarkerEntity::new(through, now_ms));
    }
    if notifications {
        // The position is the newest notice that was read.
        let mut before = None;
        let through = loop {
            let (notices, older) = notices(request, before, NOTICES_PAGE_MAX).await?;
            match (notices.iter().find(|notice| !notice.unread), older) {
                (Some(read), _) => break read.id,
                (None, None) => break 0,
                (None, older) => before = older,
            }
        };
        markers.notifications = Some(MarkerEntity::new(through, now_ms));
    }
    Ok(markers)
}

/// Moves read positions forward, and answers with them.
pub(super) async fn set_markers(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let position = |name: &str| request.params.get(name).map(number);
    let (home, notifications) = (position("home[last_read_id]"), position("notifications[last_read_id]"));
    let session = request.session()?;
    if let Some(through) = home {
        request.write(MessageCommand::ReadFeed { session, through }.into()).await?;
    }
    if let Some(through) = notifications {
        request.write_part(1, NoticeCommand::Read { session, through }.into()).await?;
    }
    Ok(json(&positions(request, home.is_some(), notifications.is_some()).await?))
}
