//! Hellos: the first frame on every link between members, and its check.

use super::NodeState;
use super::member_list::ReplicatedMembers;
use super::process_ends;
use ribbit_net::peer::PeerHello;
use ribbit_state::RaftId;

/// Returns this member's hello to the member `to`, or `None` before it belongs to a cluster.
pub(crate) fn to(node: &NodeState, to: RaftId) -> Option<PeerHello> {
    let member = node.membership.get()?;
    let (cluster, history) = (member.identity.cluster, member.identity.history);
    Some(PeerHello { cluster, history, from: node.info(), to })
}

/// Reason for refusing a hello.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelloRefusal {
    #[error("{name}, member {raft_id}, was removed from the cluster")]
    Removed { name: String, raft_id: RaftId },
    /// Any other reason. The text names both sides' cluster or history where those differ.
    #[error("{0}")]
    Refused(String),
}

/// Checks a hello and records the peer in the member list, under the address in the hello. Returns its Raft id.
///
/// # Errors
/// - `Removed` when the cluster has removed this peer
/// - `Refused` when the peer belongs to another cluster or history, dials another member, or the member list is full
pub(crate) fn check(node: &NodeState, hello: PeerHello) -> Result<RaftId, HelloRefusal> {
    let refused = |why: String| Err(HelloRefusal::Refused(why));
    let Some(member) = node.membership.get() else {
        return refused("this node does not belong to a cluster yet".into());
    };
    let (me, name, mine) = (&member.identity, hello.from.name(), node.options.name());
    if hello.cluster != me.cluster {
        return refused(format!("{name} belongs to cluster {}, {mine} to {}", hello.cluster, me.cluster));
    }
    if hello.history != me.history {
        return refused(format!("{name} belongs to history {}, {mine} to {}", hello.history, me.history));
    }
    let raft_id = hello.from.raft_id;
    if hello.to != me.raft_id || raft_id == me.raft_id || raft_id == 0 {
        return refused(format!("{name} dialled member {}, this is member {}", hello.to, me.raft_id));
    }
    if ReplicatedMembers::read(node).is_some_and(|replicated| replicated.has_removed(raft_id)) {
        return Err(HelloRefusal::Removed { name, raft_id });
    }
    if !process_ends::record(member, &hello.from) {
        return refused(format!("{name} does not fit the member list: it is full, or a field is too long"));
    }
    Ok(raft_id)
}
