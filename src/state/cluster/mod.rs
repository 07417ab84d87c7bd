//! The processes of the cluster: their leases, the members of the Raft group, and the codes with which new servers join.

pub mod join_codes;
pub mod leases;
pub mod members;
