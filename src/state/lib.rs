//! THE RULES: how a command changes the replicated data. Nothing else lives here.
//!
//! Every member of the Raft group applies the same commands in the same order through this module and must arrive at the
//! same state. Everything here is therefore a pure function of its arguments: no I/O, no clock, no randomness, no
//! floats, no `HashMap` iteration order. Random and time-dependent values are fixed in the [`Request`] or its [`Stamp`]
//! before the command is proposed. Stored rows are read through a [`View`].
//!
//! ```text
//!   Request ──┐
//!   Stamp   ──┼──▶ apply ──▶ Applied { changes: [put / remove a row], outcome: Reply or Denied }
//!   View    ──┘
//! ```
//!
//! Vocabulary, used by everything below:
//!
//! - [`ids`]: identifiers, one type each
//! - [`command`]: requests, commands and replies
//! - [`code`]: every refusal, with its number and its text
//! - [`limits`]: every bound of the rules
//! - [`rows`]: the tables, their keys and rows, and the [`View`] through which rules read them;
//!   [`coordination`]: the rows of the lock namespace and of leases; [`path`]: its paths
//!
//! Writes:
//!
//! - [`check`]: bounds of each field of a request, checked before it is proposed, and the commands each kind of client
//!   may send
//! - [`apply`]: the one entrance for writes: deduplicates requests, then dispatches to the rules
//! - [`dedup`]: the request deduplication window, in memory
//! - [`social`]: accounts, sessions, croaks and friendships; [`accounts`]: changes to existing accounts;
//!   [`messages`]: direct messages and read positions; [`members`]: membership of the cluster
//! - [`namespace`]: the tree of folders, files and locks; [`leases`]: the leases that own them
//! - [`croaks`]: the layout of a stored croak; [`text`]: normalising and checking text that people enter
//! - [`events`]: the event that a command produces, and the filter that decides which live subscribers receive it
//!
//! Reads:
//!
//! - [`query`]: every query, over the same view; [`people`], [`talks`] and [`listing`]: parts of it
//! - [`sync`]: locks, for all layers
//! - [`ring`]: authors of the newest croaks, in memory, so that a feed page needs no index
//!
//! [`model`] is an in-memory store for tests.
//!
//! A refusal ([`Denied`]) is a replicated value like any other reply. An error of the view (`View::Error`) means that the
//! store cannot be read, and the caller ends the process. The two never mix.

pub mod accounts;
pub mod apply;
pub mod check;
pub mod code;
pub mod command;
pub mod coordination;
pub mod croaks;
pub mod dedup;
pub mod events;
pub mod ids;
pub mod leases;
pub mod limits;
pub mod listing;
pub mod members;
pub mod messages;
pub mod model;
pub mod namespace;
pub mod path;
pub mod people;
pub mod query;
pub mod ring;
pub mod rows;
pub mod social;
pub mod sync;
pub mod talks;
#[cfg(test)]
mod tests;
pub mod text;

pub use accounts::{AccountCommand, OperatorCommand};
pub use apply::{Applied, apply};
pub use code::{Code, Denied, Field};
pub use command::{Command, HOME_REGION, MemberName, Outcome, Reply, Request, Role, Stamp};
pub use events::{Event, EventKind, Interest, Topic};
pub use ids::{AccountId, ClusterId, HistoryId, LogIndex, RaftId, RequestId, Token, TokenHash};
pub use leases::LeaseCommand;
pub use messages::MessageCommand;
pub use namespace::TreeCommand;
pub use path::TreePath;
pub use query::{Consistency, Page, Query};
pub use rows::{Change, Owner, View};
