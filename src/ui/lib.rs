//! WHAT PEOPLE SEE: pages, tables and their words. Pure: no sockets, no clock; the roles fetch, this shows.
//!
//! - [`form`]: what a browser sends, and the request id that a form carries
//! - [`pages`]: the pages, as templates (in `templates/`); escaping is askama's alone
//! - [`words`]: refusals beside their fields, and the notes after something worked
//! - [`time`]: the wall clock of a croak
//! - [`export`]: everything that is kept of one person, as JSON
//! - [`directory`]: what a balancer says about where to go
//! - [`status`]: the group at a glance, as a table and as JSON
//! - [`health`]: whether it is well, in words and as JSON
//! - [`doctor`]: what is wrong with a board, and what to type
//! - [`metrics`]: figures for programs that watch
//! - [`status_page`]: the same as a page
//! - [`watch`]: the same for a terminal that is looked at again and again
//! - [`table`]: columns that line up; [`tree`]: the lock namespace, drawn
//! - [`demo`]: a demonstration's words
//! - [`verify`]: whether the members have the same rows
//! - [`version`]: which ribbit this is
//! - [`nearest`]: what a typing error may have been meant for
//! - [`lines`]: croaks, messages and people in a terminal; [`person_json`]: the same for scripts
//! - [`plain`]: what others wrote, as it may stand in a terminal
//!
//! Knows the rules' types and the protocol's, nothing of the roles that use it.

pub mod demo;
pub mod directory;
pub mod doctor;
pub mod export;
pub mod form;
pub mod health;
pub mod lines;
pub mod metrics;
pub mod nearest;
pub mod pages;
pub mod person_json;
pub mod plain;
pub mod status;
pub mod status_page;
pub mod table;
pub mod time;
pub mod tree;
pub mod verify;
pub mod version;
pub mod watch;
pub mod words;
