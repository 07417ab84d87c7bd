//! `/shown`: the read receipt, an empty image. A browser loads it once it has a page, which marks the page's content as read:
//! messages of a conversation (`with`, `through`) or of a room (`room`, `through`), croaks of the feed (`feed`) or notices
//! (`notices`).
//!
//! A request from another site marks nothing (`cross_site`). Marks only rise, so a repeated or late request does no harm.

use crate::web::error_pages::status;
use crate::web::http::response::{self, WebResponse};
use crate::web::request_context::RequestContext;
use hyper::{HeaderMap, StatusCode};
use ribbit_state::text::fold_room_name;
use ribbit_state::{AccountId, Command, MessageCommand, NoticeCommand, RoomCommand, TokenHash};
use ribbit_ui::form::Form;

/// An empty image.
const NOTHING: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\"/>";

/// Marks messages or croaks as read and answers with an empty image.
pub(in crate::web) async fn show(
    context: &mut RequestContext,
    query: &Form,
    headers: &HeaderMap,
) -> WebResponse {
    // Pages load this address; people do not type it.
    if headers.get("sec-fetch-site").is_some_and(|site| site == "none") {
        return response::plain(StatusCode::FORBIDDEN, "only pages can load this");
    }
    let Some(session) = context.session() else {
        return response::plain(StatusCode::FORBIDDEN, "not logged in");
    };
    let Some(command) = command(session, query) else {
        return response::plain(StatusCode::BAD_REQUEST, "a parameter is missing or wrong");
    };
    let written = match context.new_request().await {
        Ok(request) => context.command(request, command).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(_) => response::text(StatusCode::OK, "image/svg+xml", NOTHING.to_string()),
        Err(error) if error.service_error().is_some() => {
            response::plain(status(&error), "not available right now")
        }
        Err(_) => response::plain(StatusCode::FORBIDDEN, "refused"),
    }
}

fn command(session: TokenHash, query: &Form) -> Option<Command> {
    let number = |name| query.get(name).and_then(|number| number.parse().ok());
    if let Some(through) = number("feed") {
        return Some(MessageCommand::ReadFeed { session, through }.into());
    }
    if let Some(through) = number("notices") {
        return Some(NoticeCommand::Read { session, through }.into());
    }
    if let Some(room) = query.get("room") {
        let (room, read_through) = (fold_room_name(room).ok()?, number("through")?);
        return Some(RoomCommand::Mark { session, room, read_through }.into());
    }
    let (with, through) = (AccountId(number("with")?), number("through")?);
    // `read=no`: the page is open but not looked at, so the messages are delivered and not read.
    let read_through = if query.get("read") == Some("no") { 0 } else { through };
    Some(MessageCommand::Mark { session, with, delivered_through: through, read_through }.into())
}
