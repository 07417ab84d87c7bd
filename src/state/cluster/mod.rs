//! The processes of the cluster: their leases, and the members of the Raft group.

pub mod leases;
pub mod members;
