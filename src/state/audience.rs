//! Audience of a croak: a field of commands, rows and answers.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Readers for whom an author meant a croak. [`super::visibility`] decides by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    #[default]
    Everyone,
    /// The author's followers and the accounts that the text mentions.
    Followers,
}

impl Audience {
    /// Returns its word in forms, flags and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Audience::Everyone => "everyone",
            Audience::Followers => "followers",
        }
    }
}

impl FromStr for Audience {
    type Err = ();
    fn from_str(text: &str) -> Result<Audience, ()> {
        [Audience::Everyone, Audience::Followers].into_iter().find(|known| known.name() == text).ok_or(())
    }
}
