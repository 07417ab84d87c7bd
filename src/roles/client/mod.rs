//! A person at a terminal ([`terminal`]) or in a script ([`verbs`]); both use [`session`]. [`server`] asks where a client
//! is served.

pub mod server;
pub mod session;
pub mod terminal;
pub mod verbs;
