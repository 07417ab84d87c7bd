//! Pages of lists by `max_id`, `since_id`, `min_id` and `limit`, with the `Link` header to the pages beside them.
//!
//! ```text
//!   newest ◀────────────────────────────────────────────────────────▶ oldest
//!                 max_id │ limit ──▶                                    before `max_id`: the newest of them
//!   limit ──▶                              │ since_id                   the newest, none beyond `since_id`
//!                         ◀── limit │ min_id                            directly after `min_id`
//! ```
//!
//! Queries read downwards alone. For `min_id` the upper end of the page is searched by bisection: with each id, the number of
//! items below it grows by one at most, so there is one with exactly `limit` items.

use super::request::ApiRequest;
use crate::web::http::response::WebResponse;
use crate::web::request_context::PageError;
use hyper::header::{HeaderValue, LINK};
use ribbit_state::LogIndex;

/// Number of items of a page if the client names none.
const LIMIT_DEFAULT: usize = 20;
/// Maximum number of items of a page.
pub(super) const LIMIT_MAX: usize = 40;
/// Maximum number of queries for one page: a query may give a short page.
const QUERIES_MAX: usize = 5;

/// The part of a list that a client asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Range {
    /// Items before this one.
    pub(super) max: Option<LogIndex>,
    /// The newest items, none up to this one.
    pub(super) since: Option<LogIndex>,
    /// The items directly after this one.
    pub(super) min: Option<LogIndex>,
    pub(super) limit: usize,
}

impl Range {
    /// Reads the range of a request. An id that is no number is that of no item: it is left out.
    pub(super) fn of(request: &ApiRequest<'_>) -> Range {
        let id = |name: &str| request.params.get(name).and_then(|id| id.trim().parse().ok());
        let limit = request.params.get("limit").and_then(|limit| limit.trim().parse().ok());
        Range {
            max: id("max_id"),
            since: id("since_id"),
            min: id("min_id"),
            limit: limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX),
        }
    }
}

/// A page that a query gave: items, newest first, and the `before` of the next older page, if there may be one.
pub(super) type Step<T> = (Vec<T>, Option<LogIndex>);

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListPage<T> {
    /// Newest first.
    pub(super) items: Vec<T>,
    /// The `max_id` of the next older page, if there may be one.
    pub(super) older: Option<LogIndex>,
    /// The `min_id` of the next newer page.
    pub(super) newest: Option<LogIndex>,
}

/// Reads a range of a list. `read` answers with the items before an index, up to a number; `id` returns the id of an item.
///
/// # Errors
/// The error of `read`.
pub(super) async fn page<T>(
    range: Range,
    id: impl Fn(&T) -> LogIndex,
    mut read: impl AsyncFnMut(Option<LogIndex>, usize) -> Result<Step<T>, PageError>,
) -> Result<ListPage<T>, PageError> {
    let Range { max, since, min, limit } = range;
    let (items, older) = match min {
        None => collect(max, since, limit, &id, &mut read).await?,
        Some(min) => directly_after(min, max, limit, &id, &mut read).await?,
    };
    let newest = items.first().map(&id);
    Ok(ListPage { items, older, newest })
}

/// Returns up to `limit` items before `max` and after `since`.
async fn collect<T>(
    max: Option<LogIndex>,
    since: Option<LogIndex>,
    limit: usize,
    id: &impl Fn(&T) -> LogIndex,
    read: &mut impl AsyncFnMut(Option<LogIndex>, usize) -> Result<Step<T>, PageError>,
) -> Result<Step<T>, PageError> {
    let is_wanted = |index: LogIndex| since.is_none_or(|since| index > since);
    let (mut items, mut before) = (Vec::new(), max);
    for _ in 0..QUERIES_MAX {
        let (step, older) = read(before, limit - items.len()).await?;
        let is_cut = step.iter().any(|item| !is_wanted(id(item)));
        items.extend(step.into_iter().filter(|item| is_wanted(id(item))));
        before = older.filter(|older| !is_cut && is_wanted(*older));
        if before.is_none() || items.len() >= limit {
            break;
        }
    }
    Ok((items, before))
}

/// Returns the `limit` items directly after `min`.
async fn directly_after<T>(
    min: LogIndex,
    max: Option<LogIndex>,
    limit: usize,
    id: &impl Fn(&T) -> LogIndex,
    read: &mut impl AsyncFnMut(Option<LogIndex>, usize) -> Result<Step<T>, PageError>,
) -> Result<Step<T>, PageError> {
    let (items, _) = collect(max, Some(min), limit + 1, id, read).await?;
    let Some(newest) = items.first().filter(|_| items.len() > limit).map(id) else {
        return Ok((items, Some(min.saturating_add(1))));
    };
    // There are fewer than `limit` items between `min` and `low`, and at least as many up to `high`.
    let (mut low, mut high) = (min.saturating_add(1), newest);
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        let (items, _) = collect(Some(middle), Some(min), limit + 1, id, read).await?;
        match items.len() {
            fewer if fewer < limit => low = middle,
            exactly if exactly == limit => return Ok((items, Some(min.saturating_add(1)))),
            _ => high = middle,
        }
    }
    let (items, _) = collect(Some(high), Some(min), limit, id, read).await?;
    Ok((items, Some(min.saturating_add(1))))
}

/// Adds the header with the addresses of the next older page (`next`) and the next newer one (`prev`).
pub(super) fn with_links(
    mut answer: WebResponse,
    request: &ApiRequest<'_>,
    older: Option<LogIndex>,
    newest: Option<LogIndex>,
) -> WebResponse {
    let address = |cursor: &str, id: LogIndex| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in request.params.iter() {
            if !["max_id", "since_id", "min_id", "access_token"].contains(&name) {
                query.append_pair(name, value);
            }
        }
        query.append_pair(cursor, &id.to_string());
        format!("<{}?{}>", request.site().at(request.path), query.finish())
    };
    let links: Vec<String> = [(older, "max_id", "next"), (newest, "min_id", "prev")]
        .into_iter()
        .filter_map(|(id, cursor, rel)| Some(format!("{}; rel=\"{rel}\"", address(cursor, id?))))
        .collect();
    // An address that is no header value, for example because of an odd path, is left out.
    if let Ok(value) = HeaderValue::from_str(&links.join(", "))
        && !links.is_empty()
    {
        answer.headers_mut().insert(LINK, value);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads of a list of ids, in pages of at most three, and the number of queries.
    async fn read(ids: &[LogIndex], range: Range) -> (Vec<LogIndex>, Option<LogIndex>, usize) {
        let mut queries = 0;
        let got = page(
            range,
            |id| *id,
            async |before: Option<LogIndex>, limit: usize| {
                queries += 1;
                let mut below = ids.iter().rev().filter(|id| before.is_none_or(|before| **id < before));
                let items: Vec<LogIndex> = below.by_ref().take(limit.min(30)).copied().collect();
                let older = items.last().copied().filter(|_| below.next().is_some());
                Ok((items, older))
            },
        )
        .await
        .unwrap();
        (got.items, got.older, queries)
    }

    #[test]
    fn a_page_has_the_items_that_its_cursors_name() {
        smol::block_on(async {
            let ids: Vec<LogIndex> = (1..=100).map(|id| id * 10).collect();
            let limit = 4;
            let none = Range { limit, ..Range::default() };
            assert_eq!(read(&ids, none).await, (vec![1000, 990, 980, 970], Some(970), 1));
            let below = Range { max: Some(970), ..none };
            assert_eq!(read(&ids, below).await.0, [960, 950, 940, 930]);
            let last = Range { max: Some(30), ..none };
            assert_eq!(read(&ids, last).await, (vec![20, 10], None, 1));
            let since = Range { since: Some(980), ..none };
            assert_eq!(read(&ids, since).await.0, [1000, 990]);
            let since = Range { since: Some(0), ..none };
            assert_eq!(read(&ids, since).await.0, [1000, 990, 980, 970]);
            let huge = Range { max: Some(u64::MAX), min: Some(u64::MAX), limit, since: Some(u64::MAX) };
            assert_eq!(read(&ids, huge).await.0, Vec::<u64>::new());
        });
    }

    #[test]
    fn the_page_directly_after_an_item_is_found_wherever_it_is() {
        smol::block_on(async {
            // Items at irregular distances.
            let ids: Vec<LogIndex> = (1..=200_u64).map(|id| id * id * id % 7_919 + id * 8_000).collect();
            for limit in [1, 7, 40] {
                for at in [0, 1, 50, 150, 195, 199] {
                    let range = Range { min: Some(ids[at]), limit, ..Range::default() };
                    let (items, _, queries) = read(&ids, range).await;
                    let mut expected: Vec<LogIndex> = ids[at + 1..].iter().take(limit).copied().collect();
                    expected.reverse();
                    assert_eq!(items, expected, "after {at}, limit {limit}");
                    assert!(queries < 64, "{queries}");
                }
            }
            let both = Range { min: Some(ids[10]), max: Some(ids[14]), limit: 20, since: None };
            assert_eq!(read(&ids, both).await.0, [ids[13], ids[12], ids[11]]);
        });
    }
}
