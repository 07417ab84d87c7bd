//! What a member shows to programs that watch, on the port it has anyway: `/metrics`, and `/health` in a line.
//!
//! It speaks for itself alone and asks nobody: how the whole group is, `ribbit health` finds out.

use super::Node;
use crate::net::http::{Page, Status};
use crate::net::protocol::NodeStatus;
use crate::roles::process;
use crate::ui::metrics::{self, Connections};

pub fn page(node: &Node, status: &NodeStatus, path: &str) -> Option<Page> {
    match path {
        "/metrics" => {
            let (accepted, refused) = node.gate.totals();
            let connections = Connections { open: node.gate.connections() as u64, accepted, refused };
            Some(Page::metrics(metrics::member(status, process::now(), connections)))
        }
        "/health" => Some(health(status)),
        _ => None,
    }
}

/// Whether this member does what it is there for.
fn health(status: &NodeStatus) -> Page {
    if status.history.is_none() {
        Page::words(Status::Unavailable, "down: it does not belong to a group yet, or its store is not open")
    } else if status.leader.is_none() {
        Page::words(Status::Unavailable, "down: nobody leads, nothing can be written")
    } else if !status.in_sync {
        Page::words(Status::Unavailable, "down: it is behind the others")
    } else if status.store.full {
        Page::words(Status::Ok, "degraded: its disk is full")
    } else {
        Page::words(Status::Ok, "fine")
    }
}
