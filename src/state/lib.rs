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
//! Each module uses only modules above it in this list.
//!
//! Vocabulary:
//!
//! - [`ids`]: identifiers, one type each; [`code`]: every refusal, with its number and its text; [`limits`]: every bound
//! - [`view`]: read access to stored rows, and the encoding of keys and rows; [`path`]: paths of the lock namespace;
//!   [`text`]: normalising and checking text that people enter
//! - [`audience`]: readers of a croak; [`avatar`]: the pictures beside names; [`account_role`]: roles of accounts;
//!   [`registration`]: who may create an account;
//!   [`command`]: requests, commands and replies
//! - [`rows`]: the tables with their keys and rows; [`coordination`]: the rows of the lock namespace and of leases;
//!   [`room_rows`]: the rows of rooms; [`croaks`]: the layout of a stored croak
//! - [`query`]: queries and the shapes of their answers; [`person`]: people in them
//! - [`events`]: events, and the one that each command produces; [`facts`]: a table of all facts about each command and query
//! - [`rule`]: the context that every rule receives, and its decision; [`lookup`]: lookups that rules and queries share
//! - [`sync`]: locking, for all layers
//!
//! In memory, made from rows:
//!
//! - [`dedup`]: the request deduplication window
//! - [`caches`]: the authors of the newest croaks, the feeds of active readers, the words of croaks
//!
//! Rules:
//!
//! - [`check`]: bounds of each field of a request, checked before it is proposed
//! - [`visibility`]: who may see a croak or a room, who has muted or blocked whom, who is mentioned
//! - [`notices`]: what people are notified of
//! - [`tree`]: the lock namespace of folders, files and locks; [`cluster`]: leases and members
//! - [`messages`]: direct messages and read positions; [`rooms`]: rooms and what is said in them
//! - [`conversation`]: croaks, replies, likes and shares
//! - `audit`: what operators have done, as rows
//! - [`accounts`]: accounts, sessions, apps, friendships, muting, blocking and reports
//! - [`scopes`]: what apps may do; [`redirect`]: where they have people sent back to
//! - [`apply`]: the one entrance for writes: deduplicates requests, then dispatches to the rules
//!
//! Reads:
//!
//! - [`interest`]: the filter that decides which live subscribers receive an event
//! - [`pages`]: the answers of queries; [`answer`]: the one entrance for queries
//!
//! [`model`] is an in-memory store for tests.
//!
//! A refusal ([`Denied`]) is a replicated value like any other reply. An error of the view (`View::Error`) means that the
//! store cannot be read, and the caller ends the process. The two never mix.

#![warn(unreachable_pub)]

mod account_role;
pub mod accounts;
pub mod answer;
pub mod apply;
mod audience;
mod audit;
mod avatar;
pub mod caches;
pub mod check;
pub mod cluster;
pub mod code;
pub mod command;
mod conversation;
mod coordination;
pub mod croaks;
pub mod dedup;
pub mod events;
pub mod facts;
pub mod ids;
pub mod interest;
pub mod limits;
pub mod lookup;
mod messages;
pub mod model;
mod notices;
pub mod pages;
pub mod path;
mod person;
pub mod query;
pub mod redirect;
mod registration;
mod room_rows;
mod rooms;
pub mod rows;
mod rule;
pub mod scopes;
pub mod sync;
#[cfg(test)]
mod tests;
pub mod text;
pub mod tree;
mod view;
pub mod visibility;

pub use account_role::AccountRole;
pub use apply::{Applied, apply};
pub use avatar::{Avatar, AvatarColour, Frog};
pub use code::{Code, Denied, Field};
pub use command::{
    AccessCommand, AccountChanges, AccountCommand, AppCommand, AppLogIn, Audience, Command,
    ConversationCommand, HOME_REGION, LeaseCommand, MemberName, MessageCommand, NoticeCommand,
    OperatorCommand, Outcome, RelationCommand, Reply, Request, Role, RoomCommand, Stamp, TreeCommand,
};
pub use events::{Event, EventKind};
pub use ids::{
    AccountId, AppId, ClusterId, HistoryId, KeyId, LogIndex, RaftId, RequestId, RoomId, Token, TokenHash,
};
pub use interest::{Interest, Topic};
pub use path::TreePath;
pub use query::{Consistency, Page, Query};
pub use registration::{Inviters, Registration};
pub use rows::{Change, Owner, View};
pub use scopes::{Scope, Scopes};
