//! A croak as every page shows it: `croak.html`, the only place where its markup stands.

use super::super::time::{self, When};
use super::text::{self, Part};
use askama::Template;
use ribbit_state::LogIndex;
use ribbit_state::query::FeedCroak;

/// Colours that faces come in; the stylesheet names as many.
const FACES: u32 = 8;

#[derive(Debug)]
pub struct ShownCroak {
    pub id: LogIndex,
    pub name: String,
    pub username: String,
    /// Nothing when the clock of who took it cannot be right.
    pub when: Option<When>,
    pub parts: Vec<Part>,
}

impl ShownCroak {
    /// `now_ms`: as [`super::Shell::now_ms`].
    pub fn new(croak: FeedCroak, now_ms: u64) -> ShownCroak {
        ShownCroak {
            id: croak.id,
            name: croak.author.name,
            username: croak.author.username,
            when: time::when(croak.wall_ms, now_ms),
            parts: text::parts(&croak.text),
        }
    }

    /// The letter on its author's face.
    pub fn letter(&self) -> String {
        letter(&self.name)
    }

    /// As [`face`].
    pub fn face(&self) -> u32 {
        face(&self.username)
    }
}

/// The letter on somebody's face: the first of the name.
pub fn letter(name: &str) -> String {
    name.chars().next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default()
}

/// The colour of somebody's face, always the same for the same user name.
pub fn face(username: &str) -> u32 {
    username.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % FACES
}

/// A croak by itself, for a page that is open already.
#[derive(Debug, Template)]
#[template(path = "croak.html")]
pub struct CroakFragment {
    pub croak: ShownCroak,
}
