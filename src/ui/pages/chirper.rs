//! Pages under Chirper's addresses: `/register`, `/home`, `/browse`, `/user/NAME`. They show ribbit's people and croaks.

use super::super::form::FormRequest;
use super::super::time;
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::query::FeedCroak;

/// `/register`, and the log-in page after a refused log-in.
#[derive(Debug, Template)]
#[template(path = "chirper-form.html")]
pub struct ChirperFormPage {
    pub frame: PageFrame,
    /// Path that the form is posted to.
    pub action: &'static str,
    pub username: String,
    pub error: Option<String>,
    pub request: Option<FormRequest>,
    /// True if the connection is not encrypted: a warning is shown.
    pub in_the_clear: bool,
}

/// A post.
#[derive(Debug)]
pub struct ChirperPost {
    /// The time in words; empty if the clock was not set.
    pub time: String,
    pub text: String,
}

impl From<FeedCroak> for ChirperPost {
    fn from(croak: FeedCroak) -> ChirperPost {
        ChirperPost { time: time::twelve_hour(croak.body.wall_ms), text: croak.body.text }
    }
}

/// Button that follows a person, or unfollows them.
#[derive(Debug)]
pub struct ChirperFollow {
    pub username: String,
    pub followed: bool,
    pub request: FormRequest,
}

/// `/home`, `/browse`, `/user/NAME`.
#[derive(Debug, Template)]
#[template(path = "chirper.html")]
pub struct ChirperPage {
    pub frame: PageFrame,
    /// Request id of the form for a post, on `/home`.
    pub post: Option<FormRequest>,
    /// On `/user/NAME`.
    pub follow: Option<ChirperFollow>,
    /// Oldest first; `None` on `/browse`.
    pub posts: Option<Vec<ChirperPost>>,
    /// Heading of the list of people.
    pub heading: &'static str,
    /// User names.
    pub people: Vec<String>,
}
