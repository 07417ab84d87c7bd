//! Two servers of one name: the second is refused, while the first is there.
//!
//! There means that it answers now, at the address where it was last known: a process that was started again on the
//! same board takes the place of the old one at once, since nobody answers there but itself. What it costs is one
//! question, and only where that address is not this process's own.

use super::Node;
use crate::db::Store;
use crate::net::client::ask_status;
use crate::net::frame::Plane;
use crate::net::protocol::MemberInfo;
use crate::roles::failure::{Exit, Failure};
use crate::state::members;

/// A store that was copied: its member runs elsewhere already.
///
/// # Errors
/// 78: it does.
pub async fn refuse_copy(node: &Node, store: &Store) -> Result<(), Failure> {
    let Some(identity) = store.identity() else { return Ok(()) };
    let row = store.reader().view().and_then(|view| members::get(&view, identity.raft_id));
    // A store that cannot be read is found out by who reads it next.
    let Ok(Some(row)) = row else { return Ok(()) };
    match at(node, &row.address).await {
        Some(twin) if twin.raft_id == identity.raft_id => Err(refusal(node, &twin)),
        _ => Ok(()),
    }
}

/// A name that the group knows: somebody who has it answers.
///
/// # Errors
/// 78: it does.
pub async fn refuse_name(node: &Node) -> Result<(), Failure> {
    for address in &node.seed_addresses() {
        let Ok(status) = ask_status(address, Plane::Control, &node.options.keys).await else { continue };
        let known = status.others.iter().chain([&status.me]).find(|info| info.who() == node.options.who());
        if let Some(known) = known
            && let Some(twin) = at(node, &known.address).await
        {
            return Err(refusal(node, &twin));
        }
    }
    Ok(())
}

/// Another process of this node's name that answers at this address now.
async fn at(node: &Node, address: &str) -> Option<MemberInfo> {
    if address.is_empty() || address == node.whereabouts.address() {
        return None;
    }
    let status = ask_status(address, Plane::Control, &node.options.keys).await.ok()?;
    let same = status.cluster == node.options.cluster && status.me.who() == node.options.who();
    (same && status.me.incarnation != node.incarnation).then_some(status.me)
}

fn refusal(node: &Node, twin: &MemberInfo) -> Failure {
    let host = if twin.host.is_empty() { String::new() } else { format!(" on {}", twin.host) };
    let text = format!(
        "{} is there already: process {}{host} answers at {}. Two servers of a cluster cannot share a number: choose \
         another --id, or stop that one first",
        node.options.name(),
        twin.pid,
        twin.address
    );
    Failure::new(Exit::Configuration, text)
}
