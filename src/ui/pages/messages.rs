//! `/messages` and `/messages/name`: with whom one has talked, and one talk.

use super::super::form::FormRequest;
use super::super::time::{self, When};
use super::super::words::Refusals;
use super::croak::{face, letter};
use super::text::{self, Part};
use super::{Place, Shell};
use askama::Template;
use ribbit_state::query::Person;
use ribbit_state::talks::{Fate, TalkMessage, TalkSummary};
use ribbit_state::{AccountId, LogIndex, Token};

/// What a deleted person is called.
pub const DELETED: &str = "[deleted]";
/// Characters of a message in a list of talks.
const PREVIEW_CHARS_MAX: usize = 80;

/// The other one of a talk.
#[derive(Debug)]
pub struct Partner {
    /// Nothing: deleted.
    pub username: Option<String>,
    pub name: String,
    pub letter: String,
    pub face: u32,
    pub account: AccountId,
    /// Of the page with this talk.
    pub path: String,
}

impl Partner {
    pub fn new(person: Option<Person>, account: AccountId) -> Partner {
        match person {
            Some(Person { username, name, .. }) => Partner {
                letter: letter(&name),
                face: face(&username),
                path: format!("/messages/{username}"),
                username: Some(username),
                name,
                account,
            },
            // A user name has no tilde.
            None => Partner {
                username: None,
                name: DELETED.to_string(),
                letter: "?".to_string(),
                face: 0,
                account,
                path: format!("/messages/~{}", account.0),
            },
        }
    }
}

/// A message as every page shows it: `talk-message.html`, the only place where its markup stands.
#[derive(Debug)]
pub struct ShownMessage {
    pub id: LogIndex,
    pub mine: bool,
    pub when: Option<When>,
    pub parts: Vec<Part>,
    /// How far one of one's own has come.
    pub state: Option<&'static str>,
}

impl ShownMessage {
    /// `now_ms`: as [`Shell::now_ms`].
    pub fn new(message: TalkMessage, now_ms: u64) -> ShownMessage {
        ShownMessage {
            id: message.id,
            mine: message.mine,
            when: time::when(message.wall_ms, now_ms),
            parts: text::parts(&message.text),
            state: message.mine.then(|| fate_words(message.fate)),
        }
    }
}

/// How far a message has come, in a word.
pub fn fate_words(fate: Fate) -> &'static str {
    match fate {
        Fate::Saved => "saved",
        Fate::Delivered => "delivered",
        Fate::Read => "read",
    }
}

/// A message by itself, for a page that is open already.
#[derive(Debug, Template)]
#[template(path = "talk-message.html")]
pub struct MessageFragment {
    pub message: ShownMessage,
}

/// A talk in the list.
#[derive(Debug)]
pub struct TalkRow {
    pub with: Partner,
    /// The newest message begins so.
    pub preview: String,
    pub mine: bool,
    pub when: Option<When>,
    /// How many messages wait to be read.
    pub waiting: u32,
}

impl TalkRow {
    pub fn new(line: TalkSummary, now_ms: u64) -> TalkRow {
        let text = line.newest.text;
        let mut preview: String = text.chars().take(PREVIEW_CHARS_MAX).collect();
        if preview.len() < text.len() {
            preview.push('…');
        }
        TalkRow {
            with: Partner::new(line.with, line.with_account),
            preview,
            mine: line.newest.mine,
            when: time::when(line.newest.wall_ms, now_ms),
            waiting: line.waiting,
        }
    }
}

/// `/messages`: to whom one may write, and with whom one has talked.
#[derive(Debug, Template)]
#[template(path = "messages.html")]
pub struct TalksPage {
    pub shell: Shell,
    /// What was typed and is nobody's name.
    pub username: String,
    pub refusals: Refusals,
    /// Always false: who has no session does not come here.
    pub log_in: bool,
    pub talks: Vec<TalkRow>,
    /// Where the next older page begins.
    pub older: Option<LogIndex>,
    /// This is the newest page.
    pub newest: bool,
    /// Where a live stream goes on behind this page.
    pub cursor: Option<Token>,
}

/// One page of a talk.
#[derive(Debug)]
pub struct TalkView {
    pub with: Partner,
    /// Oldest first.
    pub messages: Vec<ShownMessage>,
    /// Where the next older page begins.
    pub older: Option<LogIndex>,
    /// This is the newest page.
    pub newest: bool,
    /// Where a live stream goes on behind the newest page.
    pub cursor: Option<Token>,
    /// The address of a picture that the browser asks for once it has the page: that it was read up to here. Nothing
    /// when there is nothing new.
    pub receipt: Option<String>,
}

/// `/messages/name`: a talk, and a place to write.
#[derive(Debug, Template)]
#[template(path = "talk.html")]
pub struct TalkPage {
    pub shell: Shell,
    /// Where the form goes.
    pub action: String,
    pub request: Option<FormRequest>,
    /// What was typed and could not be sent.
    pub message: String,
    pub refusals: Refusals,
    /// Characters in `message`, when that is too many.
    pub too_long: Option<usize>,
    pub log_in: bool,
    /// Nothing when it could not be read.
    pub talk: Option<TalkView>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(mine: bool, text: &str) -> TalkMessage {
        TalkMessage { id: 7, mine, wall_ms: 0, text: text.into(), fate: Fate::Delivered }
    }

    #[test]
    fn only_ones_own_messages_say_how_far_they_came() {
        let show =
            |mine| MessageFragment { message: ShownMessage::new(message(mine, "<b>"), 0) }.render().unwrap();
        assert!(show(true).contains("delivered") && show(true).contains("&#60;b&#62;"));
        assert!(!show(false).contains("delivered"));
    }

    #[test]
    fn somebody_deleted_has_a_page_and_no_name() {
        let partner = Partner::new(None, AccountId(57));
        assert_eq!((partner.path.as_str(), partner.name.as_str()), ("/messages/~57", "[deleted]"));
    }

    #[test]
    fn a_preview_is_cut_between_characters() {
        let newest = message(true, &"🐸".repeat(200));
        let line = TalkSummary { with: None, with_account: AccountId(1), newest, waiting: 0 };
        assert_eq!(TalkRow::new(line, 0).preview.chars().count(), PREVIEW_CHARS_MAX + 1);
    }
}
