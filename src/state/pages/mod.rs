//! The answers of queries, one module for each subject. [`answer`](crate::answer) chooses among them.
//!
//! ```text
//!   ids of croaks (feed, thread, search) ──▶ shown: croak, author and counts, if the reader may see them ──▶ page
//! ```

pub(crate) mod feed;
pub(crate) mod feed_addresses;
pub(crate) mod front;
pub mod listing;
pub(crate) mod lookups;
pub(crate) mod people;
pub(crate) mod rooms;
pub mod search;
pub(crate) mod shown;
pub(crate) mod talks;
pub(crate) mod thread;
