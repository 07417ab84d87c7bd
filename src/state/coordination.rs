//! The rows of what coordinators look after: nodes of the namespace, leases, counts; and their keys.
//!
//! The rules are in [`super::namespace`] and [`super::leases`]; the tables are listed in [`super::rows`], which gives these
//! names out again.

use super::ids::{AccountId, LogIndex, RaftId, TokenHash};
use super::path::TreePath;
use super::rows::Key;
use serde::{Deserialize, Serialize};

/// What nodes of the namespace and leases belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Owner {
    Member(RaftId),
    /// By the index at which its lease began.
    Client(LogIndex),
}

impl Owner {
    /// The one behind it.
    pub fn next(self) -> Owner {
        match self {
            Owner::Member(RaftId::MAX) => Owner::Client(0),
            Owner::Member(raft_id) => Owner::Member(raft_id + 1),
            Owner::Client(opened) => Owner::Client(opened.saturating_add(1)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Folder,
    File,
    /// There while it is held.
    Lock,
}

/// One node of the namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub kind: Kind,
    #[serde(with = "serde_bytes")]
    pub content: Vec<u8>,
    /// The index at which it was made,
    pub made: LogIndex,
    /// and at which it was last written or touched.
    pub changed: LogIndex,
    pub changed_wall_ms: u64,
    /// It goes when its owner's lease ends.
    pub owner: Option<Owner>,
    /// Of a lock: the index of its grant.
    pub fence: Option<LogIndex>,
}

impl Node {
    /// An empty folder without an owner, made at this index.
    pub fn folder(made: LogIndex, wall_ms: u64) -> Node {
        let (changed, changed_wall_ms) = (made, wall_ms);
        Node {
            kind: Kind::Folder,
            content: Vec::new(),
            made,
            changed,
            changed_wall_ms,
            owner: None,
            fence: None,
        }
    }
}

/// That somebody is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The index at which it began: who ends it says which one it judged.
    pub version: LogIndex,
    /// A member's lease stays when it has ended.
    pub active: bool,
    /// Of a member: its process.
    pub incarnation: u64,
    /// How long its owner may be silent; nothing for what the leader was started with.
    pub lease_ms: Option<u32>,
    /// A member's address, or what a client says of itself.
    pub words: String,
    /// Of a client.
    pub token: Option<TokenHash>,
    /// Whose chat it is for.
    pub account: Option<AccountId>,
}

impl Lease {
    pub fn of_client(token: TokenHash, words: &str, version: LogIndex) -> Lease {
        let (words, token) = (words.to_string(), Some(token));
        Lease { version, active: true, incarnation: 0, lease_ms: None, words, token, account: None }
    }
    pub fn of_member(incarnation: u64, address: &str, version: LogIndex) -> Lease {
        let words = address.to_string();
        Lease { version, active: true, incarnation, lease_ms: None, words, token: None, account: None }
    }
}

/// Counts and settings; written when one of them changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordination {
    /// Rows of `Nodes`.
    pub nodes: u64,
    /// Leases of clients.
    pub client_leases: u64,
    /// The clusters that clients are spread over.
    pub clusters: u32,
    /// The id that the next client gets.
    pub next_client: u64,
}

impl Default for Coordination {
    fn default() -> Coordination {
        Coordination { nodes: 0, client_leases: 0, clusters: 1, next_client: 1 }
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
