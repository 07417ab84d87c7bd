//! `/messages` and `/messages/name`: the list of conversations, and one conversation.

use super::super::avatar;
use super::super::form::FormRequest;
use super::super::length::TextLength;
use super::super::time::{self, RelativeTime};
use super::super::words::Refusals;
use super::bubble::BubblePlace;
use super::text::{self, TextPart};
use super::{NavEntry, PageFrame};
use askama::Template;
use ribbit_state::query::Person;
use ribbit_state::query::{DeliveryStatus, TalkMessage, TalkSummary};
use ribbit_state::{AccountId, LogIndex};

/// Name shown for a deleted account.
pub const DELETED: &str = "[deleted]";
/// Maximum length of a preview in the list of conversations, in characters.
const PREVIEW_CHARS_MAX: usize = 80;

/// The other person in a conversation.
#[derive(Debug)]
pub struct Partner {
    /// `None` if the account was deleted.
    pub username: Option<String>,
    pub name: String,
    /// Path of the picture.
    pub avatar: String,
    pub account: AccountId,
    /// Path of the page with this conversation.
    pub path: String,
}

impl Partner {
    /// Makes the partner of a conversation; `person` is `None` if the account was deleted.
    pub fn new(person: Option<Person>, account: AccountId) -> Partner {
        let avatar = avatar::path(person.as_ref());
        match person {
            Some(Person { username, name, .. }) => Partner {
                avatar,
                path: format!("/messages/{username}"),
                username: Some(username),
                name,
                account,
            },
            // Unambiguous, because a username cannot contain a tilde.
            None => Partner {
                username: None,
                name: DELETED.to_string(),
                avatar,
                account,
                path: format!("/messages/~{}", account.0),
            },
        }
    }
}

/// A message on any page. Its only markup is `talk-message.html`.
#[derive(Debug)]
pub struct MessageView {
    pub id: LogIndex,
    pub mine: bool,
    pub place: BubblePlace,
    pub when: Option<RelativeTime>,
    pub parts: Vec<TextPart>,
    /// Delivery status; only shown to the sender.
    pub state: Option<&'static str>,
    /// Path of the picture of the other person; `None` for the user's own messages.
    pub face: Option<String>,
}

impl MessageView {
    /// Prepares a message for display. `now_ms` is the one of [`PageFrame::now_ms`], `avatar` that of the other person.
    pub fn new(message: TalkMessage, now_ms: u64, avatar: &str) -> MessageView {
        MessageView {
            id: message.id,
            mine: message.mine,
            place: BubblePlace::alone(message.wall_ms),
            when: time::when(message.wall_ms, now_ms),
            parts: text::parts(&message.text),
            state: message.mine.then(|| delivery_status(message.status)),
            face: (!message.mine).then(|| avatar.to_string()),
        }
    }

    /// Prepares the messages of a page, oldest first: grouped by author, with separators of days.
    pub fn list(messages: Vec<TalkMessage>, now_ms: u64, avatar: &str) -> Vec<MessageView> {
        let mut views: Vec<MessageView> = Vec::with_capacity(messages.len());
        for message in messages {
            let wall_ms = message.wall_ms;
            let mut view = MessageView::new(message, now_ms, avatar);
            let before = views.last();
            let same = before.is_some_and(|before| before.mine == view.mine);
            view.place = view.place.behind(before.map(|before| &before.place), same, wall_ms);
            views.push(view);
        }
        views
    }
}

/// Returns a delivery status in one word.
pub fn delivery_status(fate: DeliveryStatus) -> &'static str {
    match fate {
        DeliveryStatus::Saved => "saved",
        DeliveryStatus::Delivered => "delivered",
        DeliveryStatus::Read => "read",
    }
}

/// The markup of a single message.
#[derive(Debug, Template)]
#[template(path = "talk-message.html")]
pub struct MessageFragment {
    pub message: MessageView,
}

/// A conversation in the list.
#[derive(Debug)]
pub struct TalkRow {
    pub with: Partner,
    /// Beginning of the newest message.
    pub preview: String,
    /// True if the user sent the newest message.
    pub mine: bool,
    pub when: Option<RelativeTime>,
    /// Number of unread messages.
    pub waiting: u32,
}

impl TalkRow {
    /// Prepares a conversation for the list. `now_ms` is the one of [`PageFrame::now_ms`].
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

/// `/messages`: the list of conversations, and a form to start one.
#[derive(Debug, Template)]
#[template(path = "messages.html")]
pub struct TalksPage {
    pub frame: PageFrame,
    /// Text from the form that is not a valid username.
    pub username: String,
    pub refusals: Refusals,
    /// Always false: this page is not shown without a session.
    pub log_in: bool,
    pub talks: Vec<TalkRow>,
    /// Start of the next older page.
    pub older: Option<LogIndex>,
    /// True on the newest page.
    pub newest: bool,
}

/// One page of a conversation.
#[derive(Debug)]
pub struct TalkView {
    pub with: Partner,
    /// Oldest first.
    pub messages: Vec<MessageView>,
    /// Start of the next older page.
    pub older: Option<LogIndex>,
    /// True on the newest page.
    pub newest: bool,
    /// Address of the read-receipt image. The browser loads it once it has the page. `None` if there is nothing new.
    pub receipt: Option<String>,
}

/// `/messages/name`: a conversation, and the form for a new message.
#[derive(Debug, Template)]
#[template(path = "talk.html")]
pub struct TalkPage {
    pub frame: PageFrame,
    /// Path that the form is posted to; without a form if empty.
    pub action: String,
    pub request: Option<FormRequest>,
    /// Text that could not be sent.
    pub message: String,
    pub refusals: Refusals,
    /// Length of `message`, if over the limit.
    pub too_long: Option<TextLength>,
    pub log_in: bool,
    /// `None` if the conversation could not be read.
    pub talk: Option<TalkView>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(mine: bool, text: &str) -> TalkMessage {
        TalkMessage { id: 7, mine, wall_ms: 0, text: text.into(), status: DeliveryStatus::Delivered }
    }

    #[test]
    fn only_the_sender_sees_the_delivery_status() {
        let show = |mine| {
            MessageFragment { message: MessageView::new(message(mine, "<b>"), 0, "/a") }.render().unwrap()
        };
        assert!(show(true).contains("delivered") && show(true).contains("&#60;b&#62;"));
        assert!(!show(false).contains("delivered"));
        assert!(show(false).contains("src=\"/a\"") && !show(true).contains("src="));
    }

    #[test]
    fn messages_are_grouped_by_sender_and_day() {
        let day = 1_709_251_199_999;
        let at = |mine, wall_ms| TalkMessage { wall_ms, ..message(mine, "") };
        let views =
            MessageView::list(vec![at(true, day), at(true, day), at(false, day), at(false, day + 1)], 0, "");
        let first: Vec<_> = views.iter().map(|view| view.place.first).collect();
        assert_eq!(first, [true, false, true, true]);
        let days: Vec<_> = views.iter().filter_map(|view| view.place.day_begins.clone()).collect();
        assert_eq!(days, ["29 February 2024", "1 March 2024"]);
    }

    #[test]
    fn a_conversation_with_a_deleted_account_has_a_page_and_no_name() {
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
