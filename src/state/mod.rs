//! THE RULES: what a command does to the data, and nothing else.
//!
//! Every member of a group applies the same commands in the same order through this module, so everything
//! here is a pure function of its arguments: no I/O, no clock, no randomness, no floats, no `HashMap`
//! iteration order. What is random or timed is fixed in the [`Request`] or its [`Stamp`] before it is
//! proposed; what is stored comes in through a [`View`].
//!
//! ```text
//!   Request ──┐
//!   Stamp   ──┼──▶ apply ──▶ Applied { changes: [put / remove a row], outcome: Reply or Denied }
//!   View    ──┘
//! ```
//!
//! - [`command`]: what can be asked of the group, and what it answers
//! - [`code`]: every refusal, with its number and its words
//! - [`check`]: bounds of what may be asked, and who may give which command
//! - [`rows`]: the tables, their keys and rows, and the [`View`] through which rules read them
//! - [`apply`]: the one entrance for writes: remembers requests, dispatches to the rules
//! - [`window`]: the remembered requests and the bookkeeping, in memory
//! - [`croaks`]: where croaks lie
//! - [`social`]: accounts, sessions, croaks, friends; [`accounts`]: what is changed of them; [`messages`]: direct
//!   messages, and what was read; [`members`]: who belongs to the group
//! - [`namespace`]: the tree of folders, files and locks, [`path`]s in it; [`leases`]: whose locks they are;
//!   [`coordination`]: their rows; [`listing`]: pages of the tree
//! - [`events`]: what commands made happen, for live readers, and who wants to know
//! - [`query`]: the reads that people ask for, over the same view; [`people`] and [`talks`]: two parts of it
//! - [`ring`]: the newest croaks' authors, kept in memory so that a feed needs no index
//! - [`limits`]: every number that bounds something
//! - [`model`]: a store that is a plain map, for tests
//!
//! A refusal ([`Denied`]) is a value, replicated like any other reply. An error of the view (`View::Error`)
//! means that the store cannot be read: the caller ends the process. The two never mix.

pub mod accounts;
pub mod apply;
pub mod check;
pub mod code;
pub mod command;
pub mod coordination;
pub mod croaks;
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
pub mod talks;
#[cfg(test)]
mod tests;
pub mod text;
pub mod window;

pub use accounts::{AccountCommand, OperatorCommand};
pub use apply::{Applied, apply};
pub use code::{Code, Denied, Field};
pub use command::{Command, HOME, MemberName, Outcome, Reply, Request, Role, Stamp};
pub use events::{Event, Happening, Interest, Wanted};
pub use ids::{AccountId, ClusterId, HistoryId, LogIndex, RaftId, RequestId, Token, TokenHash};
pub use leases::LeaseCommand;
pub use messages::MessageCommand;
pub use namespace::TreeCommand;
pub use path::TreePath;
pub use query::{Consistency, Page, Query};
pub use rows::{Change, Owner, View};
