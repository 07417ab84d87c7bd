//! A croak on any page. Its only markup is `croak.html`.

use super::super::avatar;
use super::super::time::{self, RelativeTime};
use super::markup::Markup;
use super::text::{self, TextPart};
use askama::Template;
use ribbit_state::query::{CroakBody, CroakNumbers, CroakShare, FeedCroak, Person};
use ribbit_state::{Audience, LogIndex};
use std::sync::Arc;

/// A croak, prepared for display.
#[derive(Debug)]
pub struct CroakView {
    pub id: LogIndex,
    pub author: AuthorView,
    /// `None` if the clock of the server that accepted it was not set.
    pub when: Option<RelativeTime>,
    pub parts: Vec<TextPart>,
    pub reply_to: Option<LogIndex>,
    pub for_followers: bool,
    /// The share for which the page lists it.
    pub share: Option<Box<CroakShare>>,
    pub acts: CroakActs,
}

impl CroakView {
    /// Prepares a croak for display to the user with this name; empty if there is none. `now_ms` is the one of
    /// [`super::PageFrame::now_ms`].
    pub fn new(croak: FeedCroak, now_ms: u64, me: &str) -> CroakView {
        let FeedCroak { id, author, body, numbers, share } = croak;
        let mine = author.username == me;
        let for_followers = body.audience == Audience::Followers;
        CroakView {
            id,
            author: AuthorView::new(author),
            when: time::when(body.wall_ms, now_ms),
            parts: text::parts(&body.text),
            reply_to: body.reply_to,
            for_followers,
            share,
            acts: CroakActs { id, numbers, mine, shareable: !mine && !for_followers },
        }
    }
}

/// Buttons of a croak for its viewer, with their counts.
#[derive(Debug, Clone, Copy)]
pub struct CroakActs {
    pub id: LogIndex,
    pub numbers: CroakNumbers,
    /// True if the viewer wrote it.
    pub mine: bool,
    pub shareable: bool,
}

/// The author of a croak, prepared for display.
#[derive(Debug)]
pub struct AuthorView {
    pub name: String,
    pub username: String,
    /// Path of the picture.
    pub avatar: String,
}

impl AuthorView {
    pub(super) fn new(person: Person) -> AuthorView {
        let avatar = avatar::path(Some(&person));
        AuthorView { name: person.name, username: person.username, avatar }
    }
}

/// Markup of the parts of a croak that never change, each rendered by its template. It can be kept for as long as the
/// croak exists. Its author's name and the time since are no part of it.
#[derive(Debug)]
pub struct CroakMarkup {
    wall_ms: u64,
    for_followers: bool,
    pub(super) begin: Markup,
    pub(super) body: Markup,
    pub(super) end: Markup,
}

impl CroakMarkup {
    /// Renders a croak.
    pub fn new(id: LogIndex, croak: &CroakBody) -> CroakMarkup {
        let when = time::when(croak.wall_ms, 0);
        let croak_id = CroakId { id };
        CroakMarkup {
            wall_ms: croak.wall_ms,
            for_followers: croak.audience == Audience::Followers,
            begin: Markup::new(&CroakBegin { croak: &croak_id }),
            body: Markup::new(&CroakMiddle { croak: &croak_id, when: when.clone() }),
            end: Markup::new(&CroakEnd {
                when,
                parts: text::parts(&croak.text),
                reply_to: croak.reply_to,
                for_followers: croak.audience == Audience::Followers,
            }),
        }
    }

    /// Returns the number of bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        size_of::<CroakMarkup>() + self.begin.len() + self.body.len() + self.end.len()
    }
}

/// Markup of the line with a croak's author.
#[derive(Debug)]
pub struct AuthorMarkup(pub(super) Markup);

impl AuthorMarkup {
    /// Renders the line of an author.
    pub fn new(author: Person) -> AuthorMarkup {
        AuthorMarkup(Markup::new(&AuthorLine { author: AuthorView::new(author) }))
    }
}

/// A croak of a feed, made of rendered markup.
#[derive(Debug)]
pub struct FeedItem {
    pub id: LogIndex,
    pub croak: Arc<CroakMarkup>,
    pub author: Arc<AuthorMarkup>,
    pub numbers: CroakNumbers,
    /// The share by which the croak is in the feed.
    pub share: Option<Box<CroakShare>>,
    /// True if the viewer wrote it.
    pub mine: bool,
    /// As [`super::PageFrame::now_ms`].
    pub now_ms: u64,
}

impl FeedItem {
    /// Returns the position of the item in the feed.
    pub fn cursor(&self) -> LogIndex {
        self.share.as_ref().map_or(self.id, |share| share.id)
    }

    pub(super) fn acts(&self) -> CroakActs {
        let shareable = !self.mine && !self.croak.for_followers;
        CroakActs { id: self.id, numbers: self.numbers, mine: self.mine, shareable }
    }

    /// Returns how long ago the croak was written.
    pub(super) fn ago(&self) -> Option<String> {
        time::ago(self.croak.wall_ms, self.now_ms)
    }
}

/// The id of a croak, as the templates name it.
struct CroakId {
    id: LogIndex,
}

#[derive(Template)]
#[template(ext = "html", source = "{% include \"croak-begin.html\" %}\n")]
struct CroakBegin<'a> {
    croak: &'a CroakId,
}

#[derive(Template)]
#[template(path = "croak-author.html")]
struct AuthorLine {
    author: AuthorView,
}

#[derive(Template)]
#[template(ext = "html", source = "{% let when = when.as_ref() %}{% include \"croak-body.html\" %}")]
struct CroakMiddle<'a> {
    croak: &'a CroakId,
    when: Option<RelativeTime>,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = "{% let parts = parts.as_slice() %}{% let when = when.as_ref() %}{% include \"croak-end.html\" %}"
)]
struct CroakEnd {
    when: Option<RelativeTime>,
    parts: Vec<TextPart>,
    reply_to: Option<LogIndex>,
    for_followers: bool,
}

/// The markup of a single croak, for the live stream.
#[derive(Debug, Template)]
#[template(path = "croak.html")]
pub struct CroakFragment {
    pub croak: CroakView,
}
