//! `/complete`: names for what is being typed, `@bo` or `#po`, as JSON: `[{"text": "@bob", "about": "Bob"}]`.

use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{AROUND_DEADLINE, COMPLETIONS_MAX};
use crate::web::request_context::RequestContext;
use hyper::StatusCode;
use ribbit_state::text::{fold_room_name, fold_username};
use ribbit_state::{Page, Query, TokenHash};
use ribbit_ui::form::Form;
use serde::Serialize;

/// A name that completes what was typed.
#[derive(Debug, Serialize)]
struct Completion {
    text: String,
    /// Shown name of a person, or topic of a room.
    about: String,
}

/// Returns the names that begin with `?q=`. Without any, or without servers, the list is empty.
pub(in crate::web) async fn list(context: &mut RequestContext, query: &Form) -> WebResponse {
    let typed = query.text("q");
    let found = match (context.session(), typed.split_at_checked(1)) {
        (Some(session), Some(("@", begin))) => people(context, session, begin).await,
        (Some(session), Some(("#", begin))) => rooms(context, session, begin).await,
        _ => Vec::new(),
    };
    let json = serde_json::to_string(&found).expect("names are written as text");
    response::text(StatusCode::OK, "application/json", json)
}

async fn people(context: &mut RequestContext, session: TokenHash, begin: &str) -> Vec<Completion> {
    let Ok(begin) = fold_username(begin) else { return Vec::new() };
    let query = Query::People { session, names: format!("{begin}*"), after: None };
    let Ok(Page::People { people, .. }) = context.read(query, AROUND_DEADLINE).await.map(|got| got.page)
    else {
        return Vec::new();
    };
    let names = people.into_iter().map(|one| one.person);
    names
        .take(COMPLETIONS_MAX)
        .map(|person| Completion { text: format!("@{}", person.username), about: person.name })
        .collect()
}

async fn rooms(context: &mut RequestContext, session: TokenHash, begin: &str) -> Vec<Completion> {
    let Ok(begin) = fold_room_name(begin) else { return Vec::new() };
    let mine = context.read(Query::Rooms { session }, AROUND_DEADLINE).await.map(|got| got.page);
    // The names from this one on. The room of exactly this name needs no completion.
    let open = Query::OpenRooms { session, after: Some(begin.clone()) };
    let open = context.read(open, AROUND_DEADLINE).await.map(|got| got.page);
    let (Ok(Page::Rooms { rooms, .. }), Ok(Page::OpenRooms { rooms: open, .. })) = (mine, open) else {
        return Vec::new();
    };
    let mine = rooms.into_iter().map(|one| one.room);
    let mut found: Vec<_> = mine.chain(open.into_iter().map(|(room, _)| room)).collect();
    found.retain(|room| room.name.starts_with(&begin));
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| a.name == b.name);
    found.truncate(COMPLETIONS_MAX);
    found.into_iter().map(|room| Completion { text: format!("#{}", room.name), about: room.topic }).collect()
}
