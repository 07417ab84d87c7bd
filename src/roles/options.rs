//! What a role is told: the second stage of the flags, validated, with every default filled in.

use crate::state::{ClusterId, Role};
use std::path::PathBuf;

/// For `backend` and `coordinator`.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    pub role: Role,
    pub id: u32,
    /// Where to listen, HOST:PORT; port 0 takes a free one.
    pub listen: String,
    /// What to tell others; derived from `listen` when nothing is given.
    pub advertise: Option<String>,
    /// The parent: this member's store is `data_dir/backend-2`.
    pub data_dir: PathBuf,
    pub cluster: ClusterId,
    /// Where coordinators, or any members, may be found. Without this member's own address.
    pub coordinators: Vec<String>,
    /// Found the group if the store is empty.
    pub found: bool,
}

impl NodeOptions {
    /// `backend-2`.
    pub fn name(&self) -> String {
        crate::state::rows::member_name(self.role, self.id)
    }
    /// The folder of this member's store.
    pub fn store_dir(&self) -> PathBuf {
        self.data_dir.join(self.name())
    }
}

/// For `balancer`.
#[derive(Debug, Clone)]
pub struct BalancerOptions {
    /// Where to listen, HOST:PORT; port 0 takes a free one.
    pub listen: String,
    /// Where any members may be found; they name the others.
    pub seeds: Vec<String>,
}

/// For `client web`.
#[derive(Debug, Clone)]
pub struct WebOptions {
    /// Where browsers come, HOST:PORT.
    pub listen: String,
    /// Balancers or backends, HOST:PORT; any one that answers will do.
    pub servers: Vec<String>,
}
