//! Pages that say only why a request has no other answer, and the status of forms that are shown again.

use crate::web::http::response::{self, WebResponse};
use crate::web::request_context::{PageError, RequestContext};
use hyper::StatusCode;
use ribbit_state::{Code, Denied};
use ribbit_ui::pages::{MessagePage, NavEntry, PageFrame};
use ribbit_ui::words::{ServiceError, refusal};

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

/// Refusal of a request without a session.
pub(super) const NO_SESSION: PageError = PageError::Denied(Denied::new(Code::NotLoggedIn));
/// Error for a server that answered another query than it was sent, which is a bug there.
pub(super) const WRONG_PAGE: PageError = PageError::Service(ServiceError::Undecided);

/// Returns the HTTP status of a form that is shown again.
pub(super) fn status(error: &PageError) -> StatusCode {
    match error {
        PageError::Denied(denied) if denied.code.is_rate_limit() => StatusCode::TOO_MANY_REQUESTS,
        PageError::Denied(_) => StatusCode::UNPROCESSABLE_ENTITY,
        PageError::Service(ServiceError::RateLimited { .. }) => StatusCode::TOO_MANY_REQUESTS,
        PageError::Service(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Answers a GET whose page cannot be read: leads to the log-in page without a session, else shows the reason.
pub(super) fn error_page(context: &RequestContext, here: NavEntry, error: PageError) -> WebResponse {
    match error {
        error if error.lacks_session() => response::see_other("/login"),
        PageError::Service(service_error) => {
            let page = MessagePage::service_error(here, context.has_session(), service_error);
            response::page(status(&error), &page)
        }
        PageError::Denied(denied) => {
            let frame = context.frame("That didn't work", here);
            let page = MessagePage { frame, words: refusal(denied) };
            response::page(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}
