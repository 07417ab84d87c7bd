//! `/api/v2/search` and `/api/v1/accounts/search`.

use super::error::{ApiError, json};
use super::paging::Range;
use super::reading::{FoundStatus, number};
use super::request::ApiRequest;
use crate::web::error_pages::WRONG_PAGE;
use crate::web::http::response::WebResponse;
use crate::web::limits::page_len;
use crate::web::request_context::PageError;
use ribbit_state::caches::words::tag_named;
use ribbit_state::limits::FEED_PAGE_MAX;
use ribbit_state::query::{FeedCroak, Found, PersonRelation};
use ribbit_state::{Code, Denied, LogIndex, Page, Query};
use ribbit_ui::api::{AccountEntity, FoundEntities, FoundTag};

/// Maximum number of queries of one search. Results behind those that these give are not found.
const QUERIES_MAX: usize = 5;

/// Finds people by any part of their names.
pub(super) async fn accounts(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let words = request.params.get("q").unwrap_or_default().to_string();
    let people = people(request, &words).await?;
    Ok(json(&people))
}

async fn people(request: &mut ApiRequest<'_>, words: &str) -> Result<Vec<AccountEntity>, PageError> {
    let site = request.site();
    let Some(name) = site.username(words) else { return Ok(Vec::new()) };
    let (followed_only, offset) = (request.is_set("following"), offset(request));
    let Some(found) = found(request, name, None, 1).await? else { return Ok(Vec::new()) };
    let wanted = |known: &&PersonRelation| known.followed || !followed_only;
    let people = found.people.iter().filter(wanted).map(|known| &known.person);
    Ok(request.accounts(people.skip(offset).take(Range::of(request).limit)))
}

/// Searches. `None` if there is no word in what was entered, or there are too many.
async fn found(
    request: &mut ApiRequest<'_>,
    words: &str,
    before: Option<LogIndex>,
    limit: usize,
) -> Result<Option<Found>, PageError> {
    let (words, limit) = (words.to_string(), page_len(limit));
    match request.read(|session| Query::Search { session, words, before, limit }).await {
        Ok(Page::Found(found)) => Ok(Some(*found)),
        Ok(_) => Err(WRONG_PAGE),
        Err(PageError::Denied(Denied { code: Code::InvalidEntry, .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

fn offset(request: &ApiRequest<'_>) -> usize {
    request.params.get("offset").and_then(|offset| offset.parse().ok()).unwrap_or(0)
}

/// Finds people, croaks and tags. An address of this site finds what it shows.
pub(super) async fn all(request: &mut ApiRequest<'_>) -> Result<WebResponse, ApiError> {
    let words = request.params.get("q").unwrap_or_default().trim().to_string();
    let kind = request.params.get("type").unwrap_or_default().to_string();
    let wants = |name: &str| kind.is_empty() || kind == name;
    let site = request.site();
    let mut result = FoundEntities::default();
    if let Some(id) = words.strip_prefix(&site.croak(0).trim_end_matches('0').to_string()) {
        if wants("statuses") {
            match request.find(number(id)).await {
                Ok(FoundStatus::Croak(croak)) => result.statuses = request.statuses(&[croak]).await?,
                Ok(FoundStatus::Message { .. }) | Err(PageError::Denied(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        return Ok(json(&result));
    }
    let named = words.strip_prefix(&site.person("")).unwrap_or(&words);
    if wants("accounts") {
        result.accounts = people(request, named).await?;
    }
    if wants("statuses") && named == words {
        let croaks = croaks(request, &words).await?;
        result.statuses = request.statuses(&croaks).await?;
    }
    if wants("hashtags") && offset(request) == 0 {
        result.hashtags.extend(tag_named(&words).map(|name| FoundTag::new(&site, name)));
    }
    Ok(json(&result))
}

async fn croaks(request: &mut ApiRequest<'_>, words: &str) -> Result<Vec<FeedCroak>, PageError> {
    let Range { max, since, limit, .. } = Range::of(request);
    let offset = offset(request).min(QUERIES_MAX * FEED_PAGE_MAX);
    let author = request.params.get("account_id").map(number);
    let (mut croaks, mut before) = (Vec::new(), max);
    for _ in 0..QUERIES_MAX {
        let Some(mut found) = found(request, words, before, FEED_PAGE_MAX).await? else { break };
        found.croaks.retain(|croak| author.is_none_or(|author| croak.author.account.0 == author));
        croaks.extend(found.croaks);
        before = found.older.filter(|_| croaks.len() < offset + limit);
        if before.is_none() {
            break;
        }
    }
    croaks.retain(|croak: &FeedCroak| since.is_none_or(|since| croak.id > since));
    Ok(croaks.into_iter().skip(offset).take(limit).collect())
}
