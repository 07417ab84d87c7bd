//! Pages that say only why a request has no other answer.

use super::request_context::RequestContext;
use super::response::{self, WebResponse};
use hyper::StatusCode;
use ribbit_ui::pages::{MessagePage, NavEntry, PageFrame};

/// Answers with a page of one sentence.
pub(super) fn message(status: StatusCode, title: &str, words: &str, logged_in: bool) -> WebResponse {
    let frame = PageFrame::new(title, NavEntry::Nowhere, logged_in);
    response::page(status, &MessagePage { frame, words: words.to_string() })
}

/// Answers 404.
pub(super) fn no_such_page(logged_in: bool) -> WebResponse {
    message(StatusCode::NOT_FOUND, "Page not found", "There is nothing at this address.", logged_in)
}

/// Answers 404 for a user name that no account has.
pub(super) fn no_such_user(context: &RequestContext, here: NavEntry) -> WebResponse {
    let frame = context.frame("Person not found", here);
    let words = "Nobody has this username. The account may have been deleted.".to_string();
    response::page(StatusCode::NOT_FOUND, &MessagePage { frame, words })
}
