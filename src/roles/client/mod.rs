//! Clients of a cluster: the interactive terminal ([`terminal`]) and single actions for scripts ([`verbs`]). Both use a user
//! [`session`]. [`server`] prints the server that a client should use.

pub mod server;
pub mod session;
pub mod terminal;
pub mod verbs;
