//! `/shown`: a picture of nothing. A browser asks for it once it has a page, and so says that the page was shown: messages
//! of a talk (`with`, `through`), or croaks of the feed (`feed`).
//!
//! Asked for from another site it marks nothing (`foreign`).
//! What it marks only rises, so that asking twice, or late, does no harm.

use super::answer::{self, Answer};
use super::feed::status;
use super::visit::Visit;
use hyper::{HeaderMap, StatusCode};
use ribbit_state::{AccountId, Command, MessageCommand, TokenHash};
use ribbit_ui::form::Form;

const NOTHING: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\"/>";

pub async fn show(visit: &mut Visit, query: &Form, headers: &HeaderMap) -> Answer {
    // Nobody types this address: where it leads somewhere, it does so from a page.
    if headers.get("sec-fetch-site").is_some_and(|site| site == "none") {
        return answer::plain(StatusCode::FORBIDDEN, "not from here");
    }
    let Some(session) = visit.session() else { return answer::plain(StatusCode::FORBIDDEN, "not logged in") };
    let Some(command) = command(session, query) else {
        return answer::plain(StatusCode::BAD_REQUEST, "what was shown?");
    };
    let written = match visit.new_request().await {
        Ok(request) => visit.command(request, command).await,
        Err(stop) => Err(stop),
    };
    match written {
        Ok(_) => answer::text(StatusCode::OK, "image/svg+xml", NOTHING.to_string()),
        Err(stop) if stop.trouble().is_some() => answer::plain(status(&stop), "not now"),
        Err(_) => answer::plain(StatusCode::FORBIDDEN, "refused"),
    }
}

fn command(session: TokenHash, query: &Form) -> Option<Command> {
    let number = |name| query.get(name).and_then(|number| number.parse().ok());
    if let Some(through) = number("feed") {
        return Some(MessageCommand::ReadFeed { session, through }.into());
    }
    let (with, through) = (AccountId(number("with")?), number("through")?);
    // A page that is open and not looked at has shown it; it is not read yet.
    let read_through = if query.get("read") == Some("no") { 0 } else { through };
    Some(MessageCommand::Mark { session, with, delivered_through: through, read_through }.into())
}
