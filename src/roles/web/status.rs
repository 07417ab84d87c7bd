//! `/status`: the state of the servers; `/about`: description of the service. Open to everyone, logged in or not.

use super::answer::{self, Answer};
use super::group::Group;
use super::visit::Visit;
use hyper::StatusCode;
use ribbit_ui::form::Form;
use ribbit_ui::pages::{AboutPage, Place};
use ribbit_ui::status_page::StatusPage;

/// Shows the state of the servers. 503 when none answers.
pub async fn show(visit: &Visit, group: &Group, query: &Form) -> Answer {
    let seen = group.look().await;
    let shell = visit.shell("Server status", Place::Status);
    let status = if seen.survey.has_answers() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer::page(status, &StatusPage::new(shell, &seen.survey, &seen.history, query.get("still").is_some()))
}

/// Shows what ribbit is.
pub fn about(visit: &Visit) -> Answer {
    let shell = visit.shell("About", Place::About);
    answer::page(StatusCode::OK, &AboutPage { shell, version: env!("CARGO_PKG_VERSION") })
}
