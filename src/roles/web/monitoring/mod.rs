//! State of the cluster, for people, operators and programs.
//!
//! - `cluster`: its state, read once for all; `status`: the page; `health`, `metrics`: for programs

pub(in crate::web) mod cluster;
pub(in crate::web) mod health;
pub(in crate::web) mod metrics;
pub(in crate::web) mod status;
