//! The user interface: pages, terminal output, JSON, and all texts for people.
//!
//! ```text
//!   roles fetch data ──▶ ui (pure: no sockets, no clock) ──▶ HTML, text or JSON
//! ```
//!
//! For the web:
//! - [`avatar`]: the pictures beside names; [`device`]: the name of a browser
//! - [`atom`]: feeds for feed readers
//! - [`pages`]: the pages, with their templates in `templates/`; askama escapes all text
//! - [`status_page`]: the page `/status`; [`overview_page`]: the page `/admin`; [`members_page`]: `/admin/members`
//! - [`form`]: form fields from a browser, and the request id of a form
//!
//! For programs of other makers:
//! - [`api`]: the Mastodon client API: parameters and entities
//!
//! For the terminal and scripts:
//! - [`lines`]: croaks, messages and people as text; [`person_json`]: the same as JSON; [`rooms`]: rooms as both
//! - [`export`]: all data of one user as JSON
//! - [`status`], [`health`], [`watch`], [`upgrade`]: state of the cluster
//! - [`doctor`]: problems of a board, and what to type
//! - [`directory`]: answers of a balancer; [`verify`]: comparison of members; [`demo`]: demonstrations
//! - [`metrics`]: figures for monitoring
//! - [`tree`]: the lock namespace, drawn
//!
//! For both:
//! - [`scope_words`]: what apps may do
//! - [`words`]: refusals, confirmations and errors; [`notice_words`]: notices; [`report_words`]: reports; [`audit`]: acts of operators
//! - [`time`]: wall-clock times; [`plain`]: escaping for terminals; [`length`]: lengths of texts; [`table`]: aligned columns
//! - [`nearest`]: suggestions for mistyped names; [`version`]: version and build
//!
//! Depends on the types of the rules and of the protocol, not on the roles that use it.

pub mod announcements;
pub mod api;
pub mod atom;
pub mod audit;
pub mod avatar;
pub mod demo;
pub mod device;
pub mod directory;
pub mod doctor;
pub mod export;
pub mod form;
pub mod health;
pub mod invitations;
pub mod length;
pub mod lines;
pub mod link_cards;
pub mod members_page;
pub mod metrics;
pub mod nearest;
pub mod notice_words;
pub mod overview_page;
pub mod pages;
pub mod person_json;
pub mod plain;
pub mod qr;
pub mod report_words;
pub mod rooms;
pub mod scope_words;
pub mod status;
pub mod status_page;
pub mod table;
pub mod time;
pub mod tree;
pub mod upgrade;
pub mod verify;
pub mod version;
pub mod watch;
pub mod words;
