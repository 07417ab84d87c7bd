//! `/notifications`, `/muted`, `/blocked` and `/report`: what people are told of, and what they keep away.

use super::super::form::FormRequest;
use super::super::notice_words;
use super::super::time::{self, RelativeTime};
use super::super::words::Refusals;
use super::croak::AuthorView;
use super::people::PersonRow;
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::LogIndex;
use ribbit_state::query::NoticeItem;

/// A notice, prepared for display.
#[derive(Debug)]
pub struct NoticeView {
    pub id: LogIndex,
    pub from: Option<AuthorView>,
    /// Text of the event, behind the name or alone.
    pub what: &'static str,
    /// Address of the page that shows it.
    pub address: Option<String>,
    pub text: Option<String>,
    /// Name of the room that it is about.
    pub room: Option<String>,
    /// `None` if the clock of the server that accepted it was not set.
    pub when: Option<RelativeTime>,
    pub unread: bool,
}

impl NoticeView {
    /// Prepares a notice for display. `now_ms` is the one of [`PageFrame::now_ms`].
    pub fn new(notice: NoticeItem, now_ms: u64) -> NoticeView {
        NoticeView {
            id: notice.id,
            what: notice_words::what(notice.kind),
            address: notice_words::address(&notice),
            when: time::when(notice.wall_ms, now_ms),
            unread: notice.unread,
            from: notice.from.map(AuthorView::new),
            text: notice.text,
            room: notice.room,
        }
    }
}

/// `/notifications`: the newest first.
#[derive(Debug, Template)]
#[template(path = "notifications.html")]
pub struct NotificationsPage {
    pub frame: PageFrame,
    pub notices: Vec<NoticeView>,
    /// Start of the next older page.
    pub older: Option<LogIndex>,
    /// True on the newest page.
    pub newest: bool,
    /// The newest notice on the page, if it has to be marked as read.
    pub receipt: Option<LogIndex>,
}

/// `/muted` and `/blocked`: lists with a button to undo.
#[derive(Debug, Template)]
#[template(path = "kept-away.html")]
pub struct KeptAwayPage {
    pub frame: PageFrame,
    /// True for the list of blocked people, false for that of muted people.
    pub blocked: bool,
    pub people: Vec<PersonRow>,
    /// Address of the next page.
    pub more: Option<String>,
    /// True on the first page.
    pub first: bool,
}

/// `/report`: a form that reports a person, a croak or a message.
#[derive(Debug, Template)]
#[template(path = "report.html")]
pub struct ReportPage {
    pub frame: PageFrame,
    /// Name of the reported thing: `@ada`, `this croak`.
    pub subject: String,
    /// Name and value of the field that says what is reported.
    pub field: &'static str,
    pub value: String,
    /// Name of the room of a message that was said in one; otherwise empty.
    pub room: String,
    pub words: String,
    pub request: Option<FormRequest>,
    pub refusals: Refusals,
    pub log_in: bool,
}
