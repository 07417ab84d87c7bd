//! Duplicate-id check: a server does not start while another process with the same role and number answers.
//!
//! The other process must answer now, at its last known address. A process that was restarted on the same machine takes
//! over at once, because only it answers at that address. The check costs one status query, and only when the known
//! address is not this process's own.

use super::NodeState;
use crate::common::failure::{Exit, Failure};
use ribbit_db::Store;
use ribbit_net::frame::Plane;
use ribbit_net::oneshot::ask_status;
use ribbit_net::protocol::MemberInfo;
use ribbit_state::cluster::members;

/// Refuses a store that was copied while its member runs elsewhere.
///
/// # Errors
/// `Configuration` when the member that the store belongs to answers elsewhere.
pub(crate) async fn refuse_copied_store(node: &NodeState, store: &Store) -> Result<(), Failure> {
    let Some(identity) = store.identity() else { return Ok(()) };
    let row = store.reader().view().and_then(|view| members::get(&view, identity.raft_id));
    // A read error is not reported here: the next reader of the store meets and reports it.
    let Ok(Some(row)) = row else { return Ok(()) };
    match other_process_at(node, &row.address).await {
        Some(other) if other.raft_id == identity.raft_id => Err(refusal(node, &other)),
        _ => Ok(()),
    }
}

/// Refuses to start if a running server of the cluster has this node's role and number.
///
/// # Errors
/// `Configuration` when such a server answers.
pub(crate) async fn refuse_duplicate_id(node: &NodeState) -> Result<(), Failure> {
    for address in &node.seed_addresses() {
        let Ok(status) = ask_status(address, Plane::Control, &node.options.keys).await else { continue };
        let known = status
            .others
            .iter()
            .chain([&status.me])
            .find(|info| info.member_name() == node.options.member_name());
        if let Some(known) = known
            && let Some(other) = other_process_at(node, &known.address).await
        {
            return Err(refusal(node, &other));
        }
    }
    Ok(())
}

/// Returns another process with this node's role and number, if one answers at this address now.
async fn other_process_at(node: &NodeState, address: &str) -> Option<MemberInfo> {
    if address.is_empty() || address == node.advertised.address() {
        return None;
    }
    let status = ask_status(address, Plane::Control, &node.options.keys).await.ok()?;
    let same =
        status.cluster == node.options.cluster && status.me.member_name() == node.options.member_name();
    (same && status.me.incarnation != node.incarnation).then_some(status.me)
}

fn refusal(node: &NodeState, other: &MemberInfo) -> Failure {
    let host = if other.host.is_empty() { String::new() } else { format!(" on {}", other.host) };
    let text = format!(
        "{} is already running: process {}{host} answers at {}. Each server of a cluster needs its own number: choose \
         another --id, or stop that server first",
        node.options.name(),
        other.pid,
        other.address
    );
    Failure::new(Exit::Configuration, text)
}
