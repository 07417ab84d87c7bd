//! `/readyz`: would a write be accepted? For programs that decide where to send people.

use super::answer::{self, Answer};
use super::limits::READY_DEADLINE;
use crate::net::client::Client;
use crate::net::protocol::{self, Ask};
use hyper::StatusCode;

pub async fn ready(client: &Client) -> Answer {
    match client.ask(Ask::NodeStatus, READY_DEADLINE).await {
        Ok(protocol::Answer::NodeStatus(node)) if node.leader.is_some() && node.in_sync => {
            answer::plain(StatusCode::OK, "ready")
        }
        Ok(_) => answer::plain(StatusCode::SERVICE_UNAVAILABLE, "the servers cannot agree"),
        Err(_) => answer::plain(StatusCode::SERVICE_UNAVAILABLE, "no servers are running"),
    }
}
