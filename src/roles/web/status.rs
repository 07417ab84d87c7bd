//! `/status`: the state of the servers; `/about`: description of the service. Open to everyone, logged in or not.

use super::cluster::ClusterMonitor;
use super::request_context::RequestContext;
use super::response::{self, HttpResponse};
use hyper::StatusCode;
use ribbit_ui::form::Form;
use ribbit_ui::pages::{AboutPage, Place};
use ribbit_ui::status_page::StatusPage;

/// Shows the state of the servers. 503 when none answers.
pub async fn show(context: &RequestContext, cluster: &ClusterMonitor, query: &Form) -> HttpResponse {
    let seen = cluster.look().await;
    let shell = context.shell("Server status", Place::Status);
    let status = if seen.survey.has_answers() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    response::page(status, &StatusPage::new(shell, &seen.survey, &seen.history, query.get("still").is_some()))
}

/// Shows what ribbit is.
pub fn about(context: &RequestContext) -> HttpResponse {
    let shell = context.shell("About", Place::About);
    response::page(StatusCode::OK, &AboutPage { shell, version: env!("CARGO_PKG_VERSION") })
}
