//! `/status`: the state of the servers; `/about`: description of the service. Open to everyone, logged in or not.

use crate::web::http::response::{self, WebResponse};
use crate::web::monitoring::cluster::ClusterMonitor;
use crate::web::request_context::RequestContext;
use hyper::StatusCode;
use ribbit_ui::form::Form;
use ribbit_ui::pages::{AboutPage, NavEntry};
use ribbit_ui::status_page::StatusPage;

/// Shows the state of the servers. 503 when none answers.
pub(in crate::web) async fn show(
    context: &RequestContext,
    cluster: &ClusterMonitor,
    query: &Form,
) -> WebResponse {
    let seen = cluster.look().await;
    let frame = context.frame("Server status", NavEntry::Status);
    let status = if seen.survey.has_answers() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    response::page(status, &StatusPage::new(frame, &seen.survey, &seen.history, query.get("still").is_some()))
}

/// Shows what ribbit is.
pub(in crate::web) fn about(context: &RequestContext) -> WebResponse {
    let frame = context.frame("About", NavEntry::About);
    response::page(StatusCode::OK, &AboutPage { frame, version: env!("CARGO_PKG_VERSION") })
}
