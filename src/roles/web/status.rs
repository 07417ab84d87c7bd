//! `/status`: how the servers are. For everybody, logged in or not.

use super::answer::{self, Answer};
use super::group::Group;
use super::visit::Visit;
use crate::ui::pages::{Place, Shell};
use crate::ui::status_page::StatusPage;
use hyper::StatusCode;

pub async fn show(visit: &Visit, group: &Group) -> Answer {
    let seen = group.look().await;
    let shell = Shell::new("Servers", Place::Status, visit.has_session());
    let status = if seen.survey.anyone() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer::page(status, &StatusPage::new(shell, &seen.survey, &seen.history))
}
