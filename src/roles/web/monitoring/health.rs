//! `/readyz`: readiness probe for load balancers: 200 while writes would be accepted. `/health`: health of the cluster, as
//! `ribbit health --json` prints it; 503 when it is down.

use crate::web::http::response::{self, WebResponse};
use crate::web::limits::READY_DEADLINE;
use hyper::StatusCode;
use ribbit_net::client::Client;
use ribbit_net::health::{Health, overall, problems};
use ribbit_net::protocol::{self, Ask};
use ribbit_net::survey::Survey;

/// Answers `/health`.
pub(in crate::web) fn health(survey: &Survey) -> WebResponse {
    let status = match overall(&problems(survey)) {
        Health::Fine | Health::Degraded => StatusCode::OK,
        Health::Down | Health::Unknown => StatusCode::SERVICE_UNAVAILABLE,
    };
    response::text(status, "application/json", ribbit_ui::health::json(survey))
}

/// Answers `/readyz`: ready if the answering member has a leader and is in sync.
pub(in crate::web) async fn ready(client: &Client) -> WebResponse {
    match client.ask(Ask::NodeStatus, READY_DEADLINE).await {
        Ok(protocol::Answer::NodeStatus(node)) if node.leader.is_some() && node.in_sync => {
            response::plain(StatusCode::OK, "ready")
        }
        Ok(_) => response::plain(StatusCode::SERVICE_UNAVAILABLE, "no leader, or not in sync"),
        Err(_) => response::plain(StatusCode::SERVICE_UNAVAILABLE, "no servers are running"),
    }
}
