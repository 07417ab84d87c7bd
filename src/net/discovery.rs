//! The cluster that a client talks to: its servers and keys, and what discovery mode learns about them.
//!
//! In discovery mode a client asks every server that it reaches for its status. It learns the other servers from it, and
//! skips servers of another cluster than the first one that answered. It reports changes of its connection.

use super::keys::Keys;
use super::protocol::NodeStatus;
use super::servers::Servers;
use ribbit_state::sync::MutexExt;
use ribbit_state::{ClusterId, Role};
use std::fmt;
use std::sync::Mutex;

/// Change in the connection of a client in discovery mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// The connection to this server has ended.
    Lost(String),
    /// This server answers. Pending requests go on there.
    Reached(String),
    /// No server has answered in this many rounds over all servers.
    Unreachable { rounds: u32 },
    /// A server may not belong to the cluster, with the reason for the user. No request was sent to it.
    Mistrusted(String),
}

/// Callback for every [`ConnectionEvent`]. It is called during a request, so it must not wait for one.
pub type OnConnectionEvent = Box<dyn Fn(ConnectionEvent) + Send + Sync>;

/// Servers and keys of a cluster, shared by a client and its subscriptions.
pub(crate) struct Target {
    pub(crate) servers: Servers,
    pub(crate) keys: Keys,
    /// Set in discovery mode.
    discovery: Option<Discovery>,
}

/// State of discovery mode.
struct Discovery {
    report: OnConnectionEvent,
    /// Cluster of the first server that answered.
    cluster: Mutex<Option<ClusterId>>,
}

impl Target {
    /// Creates a target without discovery mode.
    pub(crate) fn new(servers: Servers, keys: Keys) -> Target {
        Target { servers, keys, discovery: None }
    }

    /// Creates a target in discovery mode, which reports changes of the connection to `report`.
    pub(crate) fn discovering(servers: Servers, keys: Keys, report: OnConnectionEvent) -> Target {
        Target { servers, keys, discovery: Some(Discovery { report, cluster: Mutex::default() }) }
    }

    /// Returns true in discovery mode.
    pub(crate) fn discovers(&self) -> bool {
        self.discovery.is_some()
    }

    /// Returns the cluster of the first server that answered, in discovery mode.
    pub(crate) fn cluster(&self) -> Option<ClusterId> {
        *self.discovery.as_ref()?.cluster.locked()
    }

    /// Reports a change of the connection, in discovery mode.
    pub(crate) fn report(&self, event: ConnectionEvent) {
        if let Some(discovery) = &self.discovery {
            (discovery.report)(event);
        }
    }

    /// Learns the servers that a status names. Returns false if its server belongs to another cluster than the first one
    /// that answered. Does nothing and returns true outside discovery mode.
    pub(crate) fn learn(&self, address: &str, status: &NodeStatus) -> bool {
        let Some(discovery) = &self.discovery else { return true };
        let cluster = *discovery.cluster.locked().get_or_insert(status.cluster);
        if cluster != status.cluster {
            log::warn!("skipped the server at {address}: its cluster is {}, not {cluster}", status.cluster);
            return false;
        }
        let all = std::iter::once(&status.me).chain(&status.others);
        let backends = all.filter(|member| member.role == Role::Backend);
        self.servers.learn(backends.map(|member| member.address.clone()));
        true
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("servers", &self.servers).finish_non_exhaustive()
    }
}
