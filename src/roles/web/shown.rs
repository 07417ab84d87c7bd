//! `/shown`: the read receipt, an empty image. A browser loads it once it has a page, which marks the page's content as read:
//! messages of a conversation (`with`, `through`) or croaks of the feed (`feed`).
//!
//! A request from another site marks nothing (`foreign`). Marks only rise, so a repeated or late request does no harm.

use super::answer::{self, Answer};
use super::feed::status;
use super::visit::Visit;
use hyper::{HeaderMap, StatusCode};
use ribbit_state::{AccountId, Command, MessageCommand, TokenHash};
use ribbit_ui::form::Form;

/// An empty image.
const NOTHING: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\"/>";

/// Marks messages or croaks as read and answers with an empty image.
pub async fn show(visit: &mut Visit, query: &Form, headers: &HeaderMap) -> Answer {
    // Pages load this address; nobody types it.
    if headers.get("sec-fetch-site").is_some_and(|site| site == "none") {
        return answer::plain(StatusCode::FORBIDDEN, "only pages can load this");
    }
    let Some(session) = visit.session() else { return answer::plain(StatusCode::FORBIDDEN, "not logged in") };
    let Some(command) = command(session, query) else {
        return answer::plain(StatusCode::BAD_REQUEST, "a parameter is missing or wrong");
    };
    let written = match visit.new_request().await {
        Ok(request) => visit.command(request, command).await,
        Err(stop) => Err(stop),
    };
    match written {
        Ok(_) => answer::text(StatusCode::OK, "image/svg+xml", NOTHING.to_string()),
        Err(stop) if stop.trouble().is_some() => answer::plain(status(&stop), "not available right now"),
        Err(_) => answer::plain(StatusCode::FORBIDDEN, "refused"),
    }
}

fn command(session: TokenHash, query: &Form) -> Option<Command> {
    let number = |name| query.get(name).and_then(|number| number.parse().ok());
    if let Some(through) = number("feed") {
        return Some(MessageCommand::ReadFeed { session, through }.into());
    }
    let (with, through) = (AccountId(number("with")?), number("through")?);
    // `read=no`: the page is open but not looked at, so the messages are delivered and not read.
    let read_through = if query.get("read") == Some("no") { 0 } else { through };
    Some(MessageCommand::Mark { session, with, delivered_through: through, read_through }.into())
}
