//! Pages of croaks: feeds, threads, searches, and what is shown live.
//!
//! - `feed`: the feed and the composer; `croak`: one croak and its thread, everyone's croaks, likes and shares; `search`
//! - `front_cache`: rendered croaks and front pages; `complete`: names while one types
//! - `live`: live streams; `shared_pieces`: what is the same for many of them

pub(in crate::web) mod complete;
pub(in crate::web) mod croak;
pub(in crate::web) mod feed;
pub(in crate::web) mod front_cache;
pub(in crate::web) mod live;
pub(in crate::web) mod search;
pub(in crate::web) mod shared_pieces;
