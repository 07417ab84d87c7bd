//! A croak on any page. Its only markup is `croak.html`.

use super::super::time::{self, RelativeTime};
use super::text::{self, TextPart};
use askama::Template;
use ribbit_state::LogIndex;
use ribbit_state::query::FeedCroak;

/// Number of avatar colours; the stylesheet defines classes `f0` to `f7`.
const FACES: u32 = 8;

/// A croak, prepared for display.
#[derive(Debug)]
pub struct CroakView {
    pub id: LogIndex,
    pub name: String,
    pub username: String,
    /// `None` if the clock of the server that accepted it was not set.
    pub when: Option<RelativeTime>,
    pub parts: Vec<TextPart>,
}

impl CroakView {
    /// Prepares a croak for display. `now_ms` is the one of [`super::PageFrame::now_ms`].
    pub fn new(croak: FeedCroak, now_ms: u64) -> CroakView {
        CroakView {
            id: croak.id,
            name: croak.author.name,
            username: croak.author.username,
            when: time::when(croak.wall_ms, now_ms),
            parts: text::parts(&croak.text),
        }
    }

    /// Returns the letter on its author's avatar.
    pub fn letter(&self) -> String {
        letter(&self.name)
    }

    /// Returns the colour of its author's avatar.
    pub fn face(&self) -> u32 {
        face(&self.username)
    }
}

/// Returns the letter on an avatar: the first of the name, in upper case.
pub fn letter(name: &str) -> String {
    name.chars().next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default()
}

/// Returns the colour of an avatar, from 0 to 7: always the same for the same username.
pub fn face(username: &str) -> u32 {
    username.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % FACES
}

/// The markup of a single croak, for the live stream.
#[derive(Debug, Template)]
#[template(path = "croak.html")]
pub struct CroakFragment {
    pub croak: CroakView,
}
