//! Rows of coordination, and their keys: nodes of the lock namespace, leases, and counts.
//!
//! The rules are in [`super::tree::namespace`] and [`super::cluster::leases`]. [`super::rows`] lists the tables and re-exports these types.

use super::ids::{AccountId, LogIndex, RaftId, TokenHash};
use super::path::TreePath;
use super::view::Key;
use serde::{Deserialize, Serialize};

/// Owner of nodes and leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Owner {
    Member(RaftId),
    /// A client, identified by the index at which its lease began.
    Client(LogIndex),
}

impl Owner {
    /// Returns the smallest owner greater than this one.
    pub fn next(self) -> Owner {
        match self {
            Owner::Member(RaftId::MAX) => Owner::Client(0),
            Owner::Member(raft_id) => Owner::Member(raft_id + 1),
            Owner::Client(opened) => Owner::Client(opened.saturating_add(1)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeKind {
    Folder,
    File,
    /// Exists while it is held.
    Lock,
}

/// One node of the namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeNode {
    pub kind: NodeKind,
    #[serde(with = "serde_bytes")]
    pub content: Vec<u8>,
    /// Index at which it was made.
    pub made: LogIndex,
    /// Index at which it was last written or touched.
    pub changed: LogIndex,
    pub changed_wall_ms: u64,
    /// Owner of the node. The node is removed when the lease of its owner ends.
    pub owner: Option<Owner>,
    /// Fencing token of a lock: the index of its grant.
    pub fence: Option<LogIndex>,
}

impl TreeNode {
    /// Returns an empty folder without an owner, made at this index.
    pub fn folder(made: LogIndex, wall_ms: u64) -> TreeNode {
        let (changed, changed_wall_ms) = (made, wall_ms);
        TreeNode {
            kind: NodeKind::Folder,
            content: Vec::new(),
            made,
            changed,
            changed_wall_ms,
            owner: None,
            fence: None,
        }
    }
}

/// Lease of a member or a client: the claim that its process is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Index at which it began. A command that ends it names the version that was judged.
    pub version: LogIndex,
    /// False for the lease of a member that has ended; a client's lease is removed instead.
    pub active: bool,
    /// Process number of a member; it changes with every start. 0 for a client.
    pub incarnation: u64,
    /// Milliseconds that its owner may be silent. `None` stands for the leader's default.
    pub lease_ms: Option<u32>,
    /// Address of a member, or the description that a client gives of itself.
    pub description: String,
    /// Token of a client.
    pub token: Option<TokenHash>,
    /// Account in whose name the client takes part in the live chat.
    pub account: Option<AccountId>,
}

impl Lease {
    pub fn of_client(token: TokenHash, description: &str, version: LogIndex) -> Lease {
        let (description, token) = (description.to_string(), Some(token));
        Lease { version, active: true, incarnation: 0, lease_ms: None, description, token, account: None }
    }
    pub fn of_member(incarnation: u64, address: &str, version: LogIndex) -> Lease {
        let description = address.to_string();
        Lease { version, active: true, incarnation, lease_ms: None, description, token: None, account: None }
    }
}

/// Counts and settings. The row is written when one of them changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordination {
    /// Number of rows in `Nodes`.
    pub nodes: u64,
    /// Number of client leases.
    pub client_leases: u64,
    /// Number of regions that clients are spread over.
    pub regions: u32,
    /// Id of the next client.
    pub next_client: u64,
}

impl Default for Coordination {
    fn default() -> Coordination {
        Coordination { nodes: 0, client_leases: 0, regions: 1, next_client: 1 }
    }
}

impl Key for Owner {
    fn bytes(&self) -> Vec<u8> {
        let (kind, number) = match self {
            Owner::Member(raft_id) => (0, raft_id),
            Owner::Client(opened) => (1, opened),
        };
        [&[kind][..], &number.to_be_bytes()].concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Owner> {
        let (kind, number) = bytes.split_first()?;
        let number = u64::from_bytes(number)?;
        match kind {
            0 => Some(Owner::Member(number)),
            1 => Some(Owner::Client(number)),
            _ => None,
        }
    }
}

impl Key for (Owner, TreePath) {
    fn bytes(&self) -> Vec<u8> {
        [self.0.bytes(), self.1.bytes()].concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<(Owner, TreePath)> {
        let (owner, path) = bytes.split_at_checked(9)?;
        Some((Owner::from_bytes(owner)?, TreePath::from_bytes(path)?))
    }
}
