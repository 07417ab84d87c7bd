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
//!   [`text`]: normalising and checking text that people enter; [`mentions`]: mentions in a text
//! - [`command`]: requests, commands and replies
//! - [`rows`]: the tables with their keys and rows; [`coordination`]: the rows of the lock namespace and of leases;
//!   [`room_rows`]: the rows of rooms
//! - [`query`]: queries and the shapes of their answers; [`room_query`]: those of rooms; [`person`]: a person in them
//! - [`events`]: events, and the one that each command produces; [`facts`]: a table of all facts about each command and query
//! - [`rule`]: the context that every rule receives, and its decision
//! - [`lookup`]: lookups that rules and queries share; [`croaks`]: the layout of a stored croak; [`tree`]: reading and
//!   changing the tree of the lock namespace; [`blocks`]: who has muted or blocked whom; [`visibility`]: who may see a croak;
//!   [`room_access`]: who may see what of a room
//! - [`sync`]: locking, for all layers
//!
//! Writes:
//!
//! - [`check`]: bounds of each field of a request, checked before it is proposed
//! - [`social`]: accounts, sessions and friendships; [`accounts`]: changes to existing accounts; [`sessions`]: ending sessions
//! - [`conversation`]: croaks and replies; [`reactions`]: likes and shares; [`removal`]: what goes with a croak that is deleted
//! - [`notices`]: what people are notified of; [`relations`]: muting and blocking; [`reports`]: reports to the operators
//! - [`messages`]: direct messages and read positions
//! - [`rooms`]: rooms; [`room_people`]: inviting and removing; [`room_messages`]: what is said in rooms; [`room_ties`]: what
//!   these share
//! - [`leases`]: the leases of members and clients; [`members`]: membership of the cluster; [`namespace`]: the tree of
//!   folders, files and locks
//! - [`request_table`]: requests by id and by index; [`dedup`]: the request deduplication window, in memory
//! - [`apply`]: the one entrance for writes: deduplicates requests, then dispatches to the rules
//!
//! Reads:
//!
//! - [`interest`]: the filter that decides which live subscribers receive an event
//! - [`ring`]: authors of the newest croaks, in memory, so that a feed page needs no index
//! - [`words`]: words and tags of a text; [`search_index`]: the words of croaks, in memory
//! - [`timelines`]: feeds of active readers, in memory; [`shown`]: a croak with its author and counts; [`feed`]: pages of
//!   croaks; [`thread`]: threads, the croaks of everyone, and who likes or shared a croak; [`search`]: people and croaks by words
//! - [`people`], [`talks`], [`room_pages`], [`front`] and [`listing`]: parts of [`answer`], which answers every query
//!
//! [`model`] is an in-memory store for tests.
//!
//! A refusal ([`Denied`]) is a replicated value like any other reply. An error of the view (`View::Error`) means that the
//! store cannot be read, and the caller ends the process. The two never mix.

#![warn(unreachable_pub)]

pub mod accounts;
pub mod answer;
pub mod apply;
mod blocks;
pub mod check;
pub mod code;
pub mod command;
mod command_groups;
mod conversation;
mod coordination;
pub mod croaks;
pub mod dedup;
pub mod events;
pub mod facts;
mod feed;
mod front;
pub mod ids;
pub mod interest;
pub mod leases;
pub mod limits;
pub mod listing;
pub mod lookup;
pub mod members;
pub mod mentions;
mod messages;
pub mod model;
mod namespace;
mod notices;
pub mod path;
mod people;
mod person;
pub mod query;
mod reactions;
mod relations;
mod removal;
mod reports;
mod request_table;
pub mod ring;
mod room_access;
mod room_messages;
mod room_pages;
mod room_people;
mod room_query;
mod room_rows;
mod room_ties;
mod rooms;
pub mod rows;
mod rule;
pub mod search;
pub mod search_index;
mod sessions;
mod shown;
mod social;
pub mod sync;
mod talks;
#[cfg(test)]
mod tests;
pub mod text;
mod thread;
pub mod timelines;
pub mod tree;
mod view;
mod visibility;
pub mod words;

pub use apply::{Applied, apply};
pub use code::{Code, Denied, Field};
pub use command::{
    AccountCommand, Audience, Command, ConversationCommand, HOME_REGION, LeaseCommand, MemberName,
    MessageCommand, NoticeCommand, OperatorCommand, Outcome, RelationCommand, Reply, Request, Role,
    RoomCommand, Stamp, TreeCommand,
};
pub use events::{Event, EventKind};
pub use ids::{AccountId, ClusterId, HistoryId, LogIndex, RaftId, RequestId, RoomId, Token, TokenHash};
pub use interest::{Interest, Topic};
pub use path::TreePath;
pub use query::{Consistency, Page, Query};
pub use rows::{Change, Owner, View};
