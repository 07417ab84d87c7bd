//! ribbit: a small social network that survives pulled plugs.
//!
//! The map of the house; imports run one way, downwards (tests/house.rs holds it):
//!
//! ```text
//!   main.rs ──▶ roles ──▶ { ui, replica, net } ──▶ db ──▶ state
//!                           ui: net, state    net: state    replica: db, state
//! ```
//!
//! - [`state`]: the rules; pure
//! - [`db`]: one redb file per node
//! - [`replica`]: consensus; the only place that names the Raft crate
//! - [`net`]: bytes, sockets, the failover client
//! - [`ui`]: what people see
//! - [`roles`]: backend, coordinator, balancer, client, up: each wires the layers below

pub mod net;
pub mod roles;
pub mod state;
pub mod ui;
