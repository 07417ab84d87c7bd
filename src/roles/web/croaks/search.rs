//! `/search` and `/tag/NAME`: people and croaks that match some words.

use crate::web::error_pages::{NO_SESSION, WRONG_PAGE, error_page};
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{READ_DEADLINE, page_len};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::limits::FEED_PAGE_MAX;
use ribbit_state::{Code, Field, LogIndex, Page, Query};
use ribbit_ui::form::Form;
use ribbit_ui::pages::people::PersonRow;
use ribbit_ui::pages::search::{SearchPage, SearchResults};
use ribbit_ui::pages::{CroakView, NavEntry};
use ribbit_ui::words::Refusals;

/// Shows the form, and what it finds.
pub(in crate::web) async fn show(context: &mut RequestContext, query: &Form) -> WebResponse {
    let words = query.text(Field::Search.name()).trim().to_string();
    find(context, "Search", words, query).await
}

/// Shows the croaks with a tag.
pub(in crate::web) async fn tag(context: &mut RequestContext, name: &str, query: &Form) -> WebResponse {
    let name = percent_decoded(name);
    find(context, &format!("#{name}"), format!("#{name}"), query).await
}

/// Returns the text of a part of a path.
pub(in crate::web) fn percent_decoded(part: &str) -> String {
    // `+` stands for itself in a path.
    let escaped = part.replace('+', "%2B");
    form_urlencoded::parse(escaped.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
}

async fn find(context: &mut RequestContext, title: &str, words: String, query: &Form) -> WebResponse {
    let Some(session) = context.session() else { return error_page(context, NavEntry::Search, NO_SESSION) };
    let mut frame = context.frame(title, NavEntry::Search);
    let before: Option<LogIndex> = query.get("before").and_then(|before| before.parse().ok());
    let read = if words.is_empty() {
        context.read(Query::Me { session }, READ_DEADLINE).await
    } else {
        let limit = page_len(FEED_PAGE_MAX);
        context.read(Query::Search { session, words: words.clone(), before, limit }, READ_DEADLINE).await
    };
    let (results, refusals, status) = match read.map(|read| read.page) {
        Ok(Page::Me(me)) => {
            frame.me = Some(me.username);
            (None, Refusals::default(), StatusCode::OK)
        }
        Ok(Page::Found(found)) => {
            let people = found.people.into_iter();
            let people =
                people.map(|one| PersonRow::new(one, &found.me.username, context.request_here())).collect();
            let croaks = found
                .croaks
                .into_iter()
                .map(|croak| CroakView::new(croak, frame.now_ms, &found.me.username))
                .collect();
            let older = found.older.map(|older| {
                let mut address = form_urlencoded::Serializer::new("/search?".to_string());
                address.append_pair(Field::Search.name(), &words).append_pair("before", &older.to_string());
                address.finish()
            });
            frame.me = Some(found.me.username);
            let first = before.is_none();
            let results = SearchResults { people, all_people: found.all_people, croaks, older, first };
            (Some(results), Refusals::default(), StatusCode::OK)
        }
        Ok(_) => return error_page(context, NavEntry::Search, WRONG_PAGE),
        Err(PageError::Denied(denied)) if denied.code == Code::InvalidEntry => {
            (None, Refusals::on(&[Field::Search.name()], &[denied]), StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(error) => return error_page(context, NavEntry::Search, error),
    };
    context.count_unread(&mut frame).await;
    response::page(status, &SearchPage { frame, words, refusals, log_in: false, results })
}
