//! Clients of a cluster: the interactive terminal ([`terminal`]) and single actions for scripts ([`verbs`]). Both use a user
//! [`session`]. [`server`] prints the server that a client should use.

pub(crate) mod arguments;
pub(crate) mod conversation_arguments;
pub(crate) mod keep_away_arguments;
pub(crate) mod profile_arguments;
pub(crate) mod room_arguments;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod shared_arguments;
pub mod terminal;
pub(crate) mod verbs;
