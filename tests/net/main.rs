//! Clients and servers over real sockets, in this process.

// A test that cannot go on may panic where it stands.
#![allow(clippy::unwrap_used)]

mod balancer;
mod connections;
mod discovery;
mod live;
mod streams;
