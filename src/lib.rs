//! ribbit: a small social network that survives pulled plugs.
//!
//! The map of the house; imports run one way, downwards (tests/house.rs holds it):
//!
//! ```text
//!   main.rs ──▶ roles ──▶ { ui, replica, net } ──▶ db ──▶ state
//!                           ui: net, state    net: state    replica: db, state
//! ```
//!
//! The lower four are the package `ribbit-core` (core/Cargo.toml, src/core.rs).
//!
//! - [`state`]: the rules; pure
//! - [`db`]: what a node keeps: the log's files, one redb file
//! - [`replica`]: consensus; the only place that names the Raft crate
//! - [`net`]: bytes, sockets, the failover client
//! - [`ui`]: what people see
//! - [`roles`]: backend, coordinator, balancer, client, up: each wires the layers below

pub use ribbit_core::{db, net, replica, state};

pub mod roles;
pub mod ui;
