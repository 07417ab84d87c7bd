//! `/croak/ID`: a croak in its thread. And the people who like or shared it.

use super::super::form::FormRequest;
use super::super::words::Refusals;
use super::composer::Composer;
use super::croak::{AuthorView, CroakView};
use super::text::TextPart;
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::LogIndex;
use ribbit_state::query::{Person, ThreadCroak, ThreadReply};

/// A croak of a thread, prepared for display.
#[derive(Debug)]
pub enum ThreadEntry {
    Croak(Box<CroakView>),
    /// A croak that is deleted or hidden.
    Gap,
}

impl ThreadEntry {
    /// Prepares a croak for display, as [`CroakView::new`].
    pub fn new(croak: ThreadCroak, now_ms: u64, me: &str) -> ThreadEntry {
        match croak {
            ThreadCroak::Croak(croak) => ThreadEntry::Croak(Box::new(CroakView::new(croak, now_ms, me))),
            ThreadCroak::Gap => ThreadEntry::Gap,
        }
    }
}

/// A reply with the first replies to it.
#[derive(Debug)]
pub struct ReplyView {
    pub id: LogIndex,
    pub entry: ThreadEntry,
    pub replies: Vec<CroakView>,
    /// There are more replies to it than these.
    pub more: bool,
}

impl ReplyView {
    /// Prepares a reply for display, as [`CroakView::new`].
    pub fn new(reply: ThreadReply, now_ms: u64, me: &str) -> ReplyView {
        let ThreadReply { id, croak, replies, more } = reply;
        let shown = replies.into_iter().filter_map(|reply| match reply {
            ThreadCroak::Croak(croak) => Some(CroakView::new(croak, now_ms, me)),
            ThreadCroak::Gap => None,
        });
        ReplyView { id, entry: ThreadEntry::new(croak, now_ms, me), replies: shown.collect(), more }
    }
}

/// `/croak/ID`: a croak in its thread, with a button to delete it for its author.
#[derive(Debug, Template)]
#[template(path = "one-croak.html")]
pub struct ThreadPage {
    pub frame: PageFrame,
    pub above: Vec<ThreadEntry>,
    pub more_above: bool,
    pub croak: CroakView,
    /// Request id of the button that deletes the croak; `None` for another person's.
    pub removal: Option<FormRequest>,
    pub replies: Vec<ReplyView>,
    /// The `after` of the next page.
    pub more: Option<LogIndex>,
    /// Reasons why the croak could not be deleted.
    pub refused: Vec<String>,
    pub composer: Composer,
    /// Always empty: a refused reply comes back on `/main`.
    pub refusals: Refusals,
    pub log_in: bool,
    /// Address of this page.
    pub back: String,
}

/// `/croak/ID/likes` and `/croak/ID/shares`.
#[derive(Debug, Template)]
#[template(path = "reactions.html")]
pub struct ReactionsPage {
    pub frame: PageFrame,
    pub croak: LogIndex,
    pub people: Vec<AuthorView>,
    pub total: usize,
    pub more: bool,
}

impl ReactionsPage {
    /// Makes a page of these people, who are the newest of `total`.
    pub fn new(frame: PageFrame, croak: LogIndex, people: Vec<Person>, total: u32) -> ReactionsPage {
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        let more = people.len() < total;
        let people = people.into_iter().map(AuthorView::new).collect();
        ReactionsPage { frame, croak, people, total, more }
    }
}
