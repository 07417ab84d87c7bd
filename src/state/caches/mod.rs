//! Data that each member keeps in memory beside the rows, so that a page reads few of them.
//!
//! Everything here is made from rows and can be dropped at any time; nothing here is a second truth.
//!
//! - [`ring`]: the authors of the newest croaks, so that a page of a feed needs no index
//! - [`words`]: words and tags of a text; [`search_index`]: which croaks may have which words
//! - [`timelines`]: the feeds of active readers

pub mod ring;
pub mod search_index;
pub mod timelines;
pub mod words;
