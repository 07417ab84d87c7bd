//! Plain HTTP pages for monitoring, served on the node's own port: `/metrics` and `/health`.
//!
//! They describe this member alone. `ribbit health` checks the whole cluster.

use super::NodeState;
use crate::common::process;
use ribbit_net::http::{HttpResponse, HttpStatus};
use ribbit_net::protocol::NodeStatus;
use ribbit_ui::metrics::{self, ConnectionMetrics};

/// Returns the page at `path`, or `None` if there is none.
pub(crate) fn page(node: &NodeState, status: &NodeStatus, path: &str) -> Option<HttpResponse> {
    match path {
        "/metrics" => {
            let (accepted, refused) = node.gate.totals();
            let connections = ConnectionMetrics { open: node.gate.connections() as u64, accepted, refused };
            Some(HttpResponse::metrics(metrics::member(status, process::now(), connections)))
        }
        "/health" => Some(health(status)),
        _ => None,
    }
}

/// Returns one line: `fine`, `degraded: …` (both with status 200) or `down: …` (with status 503).
fn health(status: &NodeStatus) -> HttpResponse {
    if status.history.is_none() {
        HttpResponse::text(
            HttpStatus::Unavailable,
            "down: not a member of a cluster yet, or the store is not open",
        )
    } else if status.leader.is_none() {
        HttpResponse::text(HttpStatus::Unavailable, "down: the cluster has no leader, writes are unavailable")
    } else if !status.in_sync {
        HttpResponse::text(HttpStatus::Unavailable, "down: catching up with the other members")
    } else if status.store.full {
        HttpResponse::text(HttpStatus::Ok, "degraded: the disk is full")
    } else {
        HttpResponse::text(HttpStatus::Ok, "fine")
    }
}
