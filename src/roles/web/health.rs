//! `/readyz`: would a write be accepted? For programs that decide where to send people. `/health`: how the whole group
//! is, as `ribbit health --json` says it; 503 when it is down.

use super::answer::{self, Answer};
use super::limits::READY_DEADLINE;
use crate::net::client::Client;
use crate::net::health::{State, judge, state};
use crate::net::protocol::{self, Ask};
use crate::net::survey::Survey;
use crate::ui;
use hyper::StatusCode;

pub fn health(survey: &Survey) -> Answer {
    let status = match state(&judge(survey)) {
        State::Fine | State::Degraded => StatusCode::OK,
        State::Down | State::Unknown => StatusCode::SERVICE_UNAVAILABLE,
    };
    answer::text(status, "application/json", ui::health::json(survey))
}

pub async fn ready(client: &Client) -> Answer {
    match client.ask(Ask::NodeStatus, READY_DEADLINE).await {
        Ok(protocol::Answer::NodeStatus(node)) if node.leader.is_some() && node.in_sync => {
            answer::plain(StatusCode::OK, "ready")
        }
        Ok(_) => answer::plain(StatusCode::SERVICE_UNAVAILABLE, "the servers cannot agree"),
        Err(_) => answer::plain(StatusCode::SERVICE_UNAVAILABLE, "no servers are running"),
    }
}
