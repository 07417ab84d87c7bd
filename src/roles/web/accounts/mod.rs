//! Pages of accounts, their settings, and the people that they know.
//!
//! - `account`: sign-up, log-in, log-out, deletion; `reset`: one-time links; `settings`, `export`
//! - `people`, `friends`, `keep_away`: profiles, who follows whom, mutes, blocks and reports
//! - `feed_addresses`: feeds for feed readers, and the page that makes their secret addresses; `links`: what it shares with
//!   `invitations`
//! - `invitations`: links with which others sign up
//! - `authorize`: consent to apps; `known_tokens`: tokens of apps that were lately used

pub(in crate::web) mod account;
pub(in crate::web) mod authorize;
pub(in crate::web) mod export;
pub(in crate::web) mod feed_addresses;
pub(in crate::web) mod friends;
pub(in crate::web) mod invitations;
pub(in crate::web) mod keep_away;
pub(in crate::web) mod known_tokens;
mod links;
pub(in crate::web) mod people;
pub(in crate::web) mod reset;
pub(in crate::web) mod settings;
