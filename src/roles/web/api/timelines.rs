//! `/api/v1/timelines/…` and other lists of croaks.

use super::error::{ApiError, json};
use super::paging::{ListPage, Range, page, with_links};
use super::request::ApiRequest;
use crate::web::croaks::search::percent_decoded;
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::WebResponse;
use crate::web::limits::page_len;
use crate::web::request_context::PageError;
use ribbit_state::caches::words::tag_named;
use ribbit_state::query::FeedCroak;
use ribbit_state::{LogIndex, Page, Query, TokenHash};

/// The croaks of those whom the client follows.
pub(super) async fn home(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    list(request, |session, before, limit| Query::Feed { session, before, limit }).await
}

/// The croaks of everyone. There are no other servers.
pub(super) async fn public(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    if request.is_set("remote") || request.is_set("only_media") {
        return Ok(empty());
    }
    list(request, |session, before, limit| Query::Everyone { session, before, limit }).await
}

/// The croaks with a tag, and with all of those that `all[]` names.
pub(super) async fn tag(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let all = request.params.all("all").map(str::to_string);
    let names = [percent_decoded(request.named)].into_iter().chain(all);
    let words: Option<Vec<String>> =
        names.map(|name| tag_named(&name).map(|name| format!("#{name}"))).collect();
    let Some(words) = words.filter(|_| !request.is_set("remote") && !request.is_set("only_media")) else {
        return Ok(empty());
    };
    let words = words.join(" ");
    list(request, |session, before, limit| Query::Search { session, words: words.clone(), before, limit })
        .await
}

/// The croaks that the client likes.
pub(super) async fn favourites(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    list(request, |session, before, limit| Query::Liked { session, before, limit }).await
}

/// A list that is always empty: ribbit has none of these.
pub(super) fn empty() -> WebResponse {
    json(&[(); 0])
}

async fn list(
    request: &mut ApiRequest<'_>,
    query: impl Fn(TokenHash, Option<LogIndex>, u16) -> Query,
) -> Result<WebResponse, ApiError> {
    let found = croaks(request, query, |_| true).await?;
    answer(request, found).await
}

/// Reads a range of croaks. Those that `wanted` refuses are left out.
pub(super) async fn croaks(
    request: &mut ApiRequest<'_>,
    query: impl Fn(TokenHash, Option<LogIndex>, u16) -> Query,
    wanted: impl Fn(&FeedCroak) -> bool,
) -> Result<ListPage<FeedCroak>, PageError> {
    let range = Range::of(request);
    page(range, FeedCroak::cursor, async |before, limit| {
        let (mut croaks, older) =
            step(request.read(|session| query(session, before, page_len(limit))).await?)?;
        croaks.retain(|croak| wanted(croak));
        Ok((croaks, older))
    })
    .await
}

/// Takes croaks and the cursor of the next page out of any page of croaks.
fn step(page: Page) -> Result<(Vec<FeedCroak>, Option<LogIndex>), PageError> {
    match page {
        Page::Feed { croaks, older, .. }
        | Page::Everyone { croaks, older, .. }
        | Page::Profile { croaks, older, .. }
        | Page::Liked { croaks, older, .. } => Ok((croaks, older)),
        Page::Found(found) => Ok((found.croaks, found.older)),
        _ => Err(WRONG_PAGE),
    }
}

/// Answers with the statuses of a page, and with the addresses of those beside it.
pub(super) async fn answer(
    request: &mut ApiRequest<'_>,
    found: ListPage<FeedCroak>,
) -> Result<WebResponse, ApiError> {
    let statuses = request.statuses(&found.items).await?;
    Ok(with_links(json(&statuses), request, found.older, found.newest))
}
