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
//! items below it grows by one at most, so there is one with exactly `limit` items. A page that was not read to its lower end,
//! because what was read was not wanted, counts as one with too many.

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
    if let Some(min) = min {
        return directly_after(min, max, limit, &id, &mut read).await;
    }
    let (items, older) = collect(max, since, limit, &id, &mut read).await?;
    let newest = items.first().map(&id);
    Ok(ListPage { items, older, newest })
}

/// Returns up to `limit` items before `max` and after `since`, and the `before` of the rest, if not everything was read.
async fn collect<T>(
    max: Option<LogIndex>,
    since: Option<LogIndex>,
    limit: usize,
    id: &impl Fn(&T) -> LogIndex,
    read: &mut impl AsyncFnMut(Option<LogIndex>, usize) -> Result<Step<T>, PageError>,
) -> Result<Step<T>, PageError> {
    let is_wanted = |index: LogIndex| since.is_none_or(|since| index > since);
    let (mut items, mut before) = (Vec::new(), max);
    for query in 0..QUERIES_MAX {
        // A page that was short has few items of the kind that is wanted.
        let (step, older) = read(before, if query == 0 { limit } else { LIMIT_MAX }).await?;
        let is_cut = step.iter().any(|item| !is_wanted(id(item)));
        items.extend(step.into_iter().filter(|item| is_wanted(id(item))));
        before = older.filter(|older| !is_cut && is_wanted(*older));
        if items.len() > limit {
            items.truncate(limit);
            before = items.last().map(id);
        }
        if before.is_none() || items.len() == limit {
            break;
        }
    }
    Ok((items, before))
}

/// Returns the page directly after `min`. The bisection looks for the highest upper end below which everything was read and fits. If
/// there is nothing wanted below it, it goes on from there, and at last the client does, by the `min_id` of the next newer page.
async fn directly_after<T>(
    min: LogIndex,
    max: Option<LogIndex>,
    limit: usize,
    id: &impl Fn(&T) -> LogIndex,
    read: &mut impl AsyncFnMut(Option<LogIndex>, usize) -> Result<Step<T>, PageError>,
) -> Result<ListPage<T>, PageError> {
    let older = Some(min.saturating_add(1));
    let (newest, rest) = collect(max, Some(min), limit + 1, id, read).await?;
    let all_of = |items: Vec<T>| {
        let newest = items.first().map(id);
        Ok(ListPage { items, older, newest })
    };
    if rest.is_none() && newest.len() <= limit {
        return all_of(newest);
    }
    // Nothing that is wanted lies above.
    let end = newest.first().map(id).or(rest).unwrap_or(min);
    let mut from = min;
    for _ in 0..QUERIES_MAX {
        // Everything between `from` and `low` was read and fits. With what lies up to `high` it does not, unless that is beyond `end`.
        let (mut low, mut high, mut found) = (from.saturating_add(1), end.saturating_add(1), Vec::new());
        while low + 1 < high && found.len() < limit {
            let middle = low + (high - low) / 2;
            let (items, rest) = collect(Some(middle), Some(from), limit + 1, id, read).await?;
            if rest.is_none() && items.len() <= limit {
                (low, found) = (middle, items);
            } else {
                high = middle;
            }
        }
        if !found.is_empty() {
            return all_of(found);
        }
        if low >= end {
            return all_of(newest);
        }
        from = low - 1;
    }
    Ok(ListPage { items: Vec::new(), older, newest: Some(from) })
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

    /// Reads upwards by `min_id`, as a client that follows the links, and returns all items, oldest first.
    async fn read_upwards(
        ids: &[LogIndex],
        wanted: impl Fn(LogIndex) -> bool,
        limit: usize,
    ) -> Vec<LogIndex> {
        let (mut all, mut min) = (Vec::new(), Some(0));
        while let Some(after) = min {
            let got = page(
                Range { min: Some(after), limit, ..Range::default() },
                |id| *id,
                async |before: Option<LogIndex>, limit: usize| {
                    let below = ids.partition_point(|id| before.is_none_or(|before| *id < before));
                    let read: Vec<LogIndex> = ids[..below].iter().rev().take(limit).copied().collect();
                    let older = read.last().copied().filter(|last| *last != ids[0]);
                    Ok((read.into_iter().filter(|id| wanted(*id)).collect(), older))
                },
            )
            .await
            .unwrap();
            all.extend(got.items.iter().rev());
            min = got.newest;
        }
        all
    }

    #[test]
    fn nothing_is_skipped_upwards_where_most_items_are_not_wanted() {
        smol::block_on(async {
            let ids: Vec<LogIndex> = (1..=2_000).map(|id| id * 7).collect();
            for limit in [3, 40] {
                let each_ninth = |id: LogIndex| id.is_multiple_of(9);
                let expected: Vec<LogIndex> = ids.iter().copied().filter(|id| each_ninth(*id)).collect();
                assert_eq!(read_upwards(&ids, each_ninth, limit).await, expected, "limit {limit}");
                // Longer than all that is read for one page.
                let ends = |id: LogIndex| !(100..13_500).contains(&id);
                let expected: Vec<LogIndex> = ids.iter().copied().filter(|id| ends(*id)).collect();
                assert_eq!(read_upwards(&ids, ends, limit).await, expected, "limit {limit}");
            }
            assert!(read_upwards(&ids, |_| false, 20).await.is_empty());
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
