//! All data of one user as one JSON document, made piece by piece. The caller sends the query from [`Export::query`], passes the
//! answer to [`Export::take`], and writes the returned text. Only one page is in memory at a time.
//!
//! ```text
//!   { "ribbit_export": 1, "account": {…}, "friends": […], "followers": […], "sessions": […], "croaks": […], "messages": […],
//!     "rooms": […], "room_messages": […] }
//! ```
//!
//! Each item has the form of `ribbit client … --json` ([`super::person_json`], [`super::rooms`]). Croaks are newest first; messages
//! are grouped by conversation, each newest first. `room_messages` are the user's own words in those rooms, grouped by room, each
//! newest first. The document contains neither the password nor anything that could take over a session.
//! Changes during the export may or may not be included. No conversation is left out because of a new message in it.

use super::{person_json, rooms};
use ribbit_state::limits::{FEED_PAGE_MAX, ROOM_PAGE_MAX, TALK_PAGE_MAX, TALKS_PAGE_MAX};
use ribbit_state::query::{RoomBody, RoomPage, RoomText, TalkPartner, TalkSummary};
use ribbit_state::{AccountId, LogIndex, Page, Query, TokenHash};
use std::collections::BTreeSet;

/// Version of the document's format.
const SHAPE: u32 = 1;

/// Error for an answer that does not match the query.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a server answered what was not asked")]
pub struct UnexpectedPage;

#[derive(Debug)]
enum ExportPart {
    Account,
    Friends(Option<AccountId>),
    Followers(Option<AccountId>),
    Sessions,
    Croaks(Option<LogIndex>),
    Talks(Option<LogIndex>),
    /// The other person of a conversation, and the start of its next page.
    Talk(AccountId, Option<LogIndex>),
    Rooms,
    /// Name of a room, and the start of its next page.
    Said(String, Option<LogIndex>),
    Done,
}

/// An export in progress.
#[derive(Debug)]
pub struct Export {
    session: TokenHash,
    /// Part that the next query asks for.
    part: ExportPart,
    username: String,
    /// True while the current list is empty.
    first: bool,
    /// Conversations of the current page that are still to be written, the next one last.
    talks: Vec<AccountId>,
    /// Start of the next page of conversations.
    older_talks: Option<LogIndex>,
    /// Conversations that are written or still to be written. A new message moves a conversation to the top of the list, so
    /// the top is read again at the end.
    known_talks: BTreeSet<AccountId>,
    /// Newest message when the list was first read.
    begun: Option<LogIndex>,
    /// True once the list is read for the second time.
    again: bool,
    /// Names of the rooms whose messages are still to be written.
    rooms: Vec<String>,
    /// Number of croaks and messages written so far.
    items: u64,
}

impl Export {
    /// Starts an export of the session's user.
    pub fn new(session: TokenHash) -> Export {
        Export {
            session,
            part: ExportPart::Account,
            username: String::new(),
            first: true,
            talks: Vec::new(),
            older_talks: None,
            known_talks: BTreeSet::new(),
            begun: None,
            again: false,
            rooms: Vec::new(),
            items: 0,
        }
    }

    /// Returns the number of croaks and messages written so far, as a measure of progress.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Returns the next query, or `None` when the document is complete.
    pub fn query(&self) -> Option<Query> {
        let session = self.session;
        let page = |max: usize| u16::try_from(max).unwrap_or(u16::MAX);
        Some(match &self.part {
            ExportPart::Account => Query::Account { session },
            ExportPart::Friends(after) => Query::Friends { session, after: *after },
            ExportPart::Followers(after) => Query::Followers { session, after: *after },
            ExportPart::Sessions => Query::Sessions { session },
            ExportPart::Croaks(before) => Query::Profile {
                session,
                username: self.username.clone(),
                before: *before,
                limit: page(FEED_PAGE_MAX),
            },
            ExportPart::Talks(before) => {
                Query::Talks { session, before: *before, limit: page(TALKS_PAGE_MAX) }
            }
            ExportPart::Talk(with, before) => Query::Talk {
                session,
                with: TalkPartner::Account(*with),
                before: *before,
                limit: page(TALK_PAGE_MAX),
            },
            ExportPart::Rooms => Query::Rooms { session },
            ExportPart::Said(room, before) => {
                Query::Room { session, room: room.clone(), before: *before, limit: page(ROOM_PAGE_MAX) }
            }
            ExportPart::Done => return None,
        })
    }

    /// Returns the next piece of the document.
    ///
    /// # Errors
    /// [`UnexpectedPage`] if the page does not answer [`Export::query`].
    pub fn take(&mut self, page: Page) -> Result<String, UnexpectedPage> {
        let part = std::mem::replace(&mut self.part, ExportPart::Done);
        let mut text = String::new();
        match (part, page) {
            (ExportPart::Account, Page::Account(account)) => {
                self.username.clone_from(&account.person.username);
                let shown = person_json::own_account(&account);
                text = format!("{{\n\"ribbit_export\": {SHAPE},\n\"account\": {shown},\n\"friends\": [");
                self.begin(ExportPart::Friends(None));
            }
            (ExportPart::Friends(_), Page::Friends { friends, more, .. }) => {
                friends.iter().for_each(|friend| self.item(&mut text, &person_json::person(friend)));
                match more {
                    Some(more) => self.part = ExportPart::Friends(Some(more)),
                    None => self.next_list(&mut text, "followers", ExportPart::Followers(None)),
                }
            }
            (ExportPart::Followers(_), Page::Followers { people, more, .. }) => {
                people.iter().for_each(|who| self.item(&mut text, &person_json::person(&who.person)));
                match more {
                    Some(more) => self.part = ExportPart::Followers(Some(more)),
                    None => self.next_list(&mut text, "sessions", ExportPart::Sessions),
                }
            }
            (ExportPart::Sessions, Page::Sessions(sessions)) => {
                sessions.iter().for_each(|session| self.item(&mut text, &person_json::session(session)));
                self.next_list(&mut text, "croaks", ExportPart::Croaks(None));
            }
            (ExportPart::Croaks(_), Page::Profile { croaks, older, .. }) => {
                self.items += croaks.len() as u64;
                croaks.iter().for_each(|croak| self.item(&mut text, &person_json::croak(croak)));
                match older {
                    Some(older) => self.part = ExportPart::Croaks(Some(older)),
                    None => self.next_list(&mut text, "messages", ExportPart::Talks(None)),
                }
            }
            (ExportPart::Talks(_), Page::Talks { talks, older, .. }) => {
                self.note_talks(&talks, older);
                self.next_talk(&mut text);
            }
            (ExportPart::Talk(with, _), Page::Talk(talk)) => {
                self.items += talk.messages.len() as u64;
                for message in &talk.messages {
                    self.item(&mut text, &person_json::message(message, talk.with.as_ref(), &talk.me));
                }
                match talk.older {
                    Some(older) => self.part = ExportPart::Talk(with, Some(older)),
                    None => self.next_talk(&mut text),
                }
            }
            (ExportPart::Rooms, Page::Rooms { rooms: mine, .. }) => {
                for one in &mine {
                    self.item(&mut text, &rooms::room_json(one));
                }
                self.rooms = mine.into_iter().map(|one| one.room.name).collect();
                self.next_list(&mut text, "room_messages", ExportPart::Done);
                self.next_room(&mut text);
            }
            (ExportPart::Said(room, _), Page::Room(page)) => {
                let RoomPage { me, messages, older, .. } = page;
                let is_own =
                    |said: &&RoomText| said.from == me.account && matches!(said.body, RoomBody::Text(_));
                for said in messages.iter().filter(is_own) {
                    self.items += 1;
                    self.item(&mut text, &rooms::text_json(&room, said));
                }
                match older {
                    Some(older) => self.part = ExportPart::Said(room, Some(older)),
                    None => self.next_room(&mut text),
                }
            }
            _ => return Err(UnexpectedPage),
        }
        Ok(text)
    }

    fn begin(&mut self, part: ExportPart) {
        self.part = part;
        self.first = true;
    }

    fn item(&mut self, text: &mut String, item: &str) {
        *text += if std::mem::take(&mut self.first) { "\n" } else { ",\n" };
        *text += item;
    }

    /// Notes the conversations of a page that are not yet known.
    fn note_talks(&mut self, talks: &[TalkSummary], older: Option<LogIndex>) {
        let newest = talks.first().map(|talk| talk.newest.id);
        self.begun = self.begun.or(newest);
        let new = talks.iter().filter(|talk| self.known_talks.insert(talk.with_account));
        self.talks = new.map(|talk| talk.with_account).collect();
        self.talks.reverse();
        self.older_talks = match self.again {
            false => older,
            // The second reading ends at the newest message of the first one.
            true => older.filter(|oldest| Some(*oldest) > self.begun),
        };
    }

    fn next_list(&mut self, text: &mut String, name: &str, part: ExportPart) {
        *text += &format!("\n],\n\"{name}\": [");
        self.begin(part);
    }

    fn next_talk(&mut self, text: &mut String) {
        self.part = match (self.talks.pop(), self.older_talks.take()) {
            (Some(with), older) => {
                self.older_talks = older;
                ExportPart::Talk(with, None)
            }
            (None, Some(older)) => ExportPart::Talks(Some(older)),
            (None, None) if !std::mem::replace(&mut self.again, true) => ExportPart::Talks(None),
            (None, None) => return self.next_list(text, "rooms", ExportPart::Rooms),
        };
    }

    fn next_room(&mut self, text: &mut String) {
        self.part = match self.rooms.pop() {
            Some(room) => ExportPart::Said(room, None),
            None => {
                *text += "\n]\n}\n";
                ExportPart::Done
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::command::Proposal;
    use ribbit_state::model::Model;
    use ribbit_state::{Command, MessageCommand, Request, RequestId, RoomCommand, Stamp};
    use serde_json::{Value, json};

    const ADA: TokenHash = TokenHash([1; 32]);
    const BOB: TokenHash = TokenHash([2; 32]);

    struct Group(Model, LogIndex);

    impl Group {
        fn run(&mut self, command: Command) {
            self.1 += 1;
            let request = Request {
                id: RequestId(u128::from(self.1)),
                submitted_at: self.1 - 1,
                origin: None,
                command,
            };
            let stamp = Stamp { wall_ms: 1_782_900_000_000, age_ms: 0 };
            self.0.apply(self.1, &Proposal { stamp, request }).unwrap();
        }

        fn person(&mut self, username: &str, token: TokenHash) {
            let (name, email) = (username.to_uppercase(), "a@b".to_string());
            let password_hash = "secret".to_string();
            let username = username.to_string();
            self.run(Command::CreateAccount { username, name, email, password_hash, invitation: None });
            let account = AccountId(self.1);
            self.run(Command::LogIn {
                account,
                credential_version: 1,
                token,
                device: String::new(),
                app: None,
            });
        }

        fn export(&self, session: TokenHash) -> Value {
            let (mut export, mut text) = (Export::new(session), String::new());
            while let Some(query) = export.query() {
                text += &export.take(self.0.answer(&query).unwrap()).unwrap();
            }
            assert!(!text.contains("secret"));
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
        }
    }

    #[test]
    fn an_export_of_many_pages_is_one_document() {
        let mut group = Group(Model::new(), 0);
        group.person("ada", ADA);
        group.person("bob", BOB);
        let nothing = group.export(ADA);
        assert_eq!((&nothing["friends"], &nothing["messages"]), (&json!([]), &json!([])));
        assert_eq!(nothing["account"]["email"], "a@b");
        group.run(Command::AddFriend { session: ADA, username: "bob".into() });
        for number in 0..120 {
            group.run(Command::croak(ADA, format!("\"croak\" {number}")));
        }
        for number in 0..60 {
            let (session, username) = (ADA, "bob".to_string());
            group.run(MessageCommand::Send { session, username, text: format!("message {number}") }.into());
        }
        let all = group.export(ADA);
        assert_eq!(all["friends"], json!([{ "account": 3, "username": "bob", "name": "BOB" }]));
        let croaks = all["croaks"].as_array().unwrap();
        assert_eq!((croaks.len(), &croaks[0]["text"]), (120, &json!("\"croak\" 119")));
        assert_eq!(croaks[0]["time"], "2026-07-01T10:00:00Z");
        let messages = all["messages"].as_array().unwrap();
        assert_eq!((messages.len(), &messages[59]["text"]), (60, &json!("message 0")));
        assert_eq!((&messages[0]["to"]["username"], &messages[0]["fate"]), (&json!("bob"), &json!("saved")));
        let others = group.export(BOB);
        assert_eq!(others["followers"], json!([{ "account": 1, "username": "ada", "name": "ADA" }]));
        // A deleted account has no name.
        group.run(Command::DeleteAccount { session: ADA, credential_version: 1 });
        assert_eq!(group.export(BOB)["messages"][0]["from"], Value::Null);
    }

    /// The list of conversations has two pages, and the oldest conversation moves to the top while the first page is read.
    #[test]
    fn a_conversation_that_moves_during_the_export_is_included_once() {
        let mut group = Group(Model::new(), 0);
        group.person("ada", ADA);
        let others = TALKS_PAGE_MAX + 10;
        for number in 0..others {
            group.person(&format!("frog-{number}"), TokenHash([number as u8 + 10; 32]));
        }
        for number in 0..others {
            let username = format!("frog-{number}");
            group.run(MessageCommand::Send { session: ADA, username, text: "one".into() }.into());
        }
        let (mut export, mut text, mut moved) = (Export::new(ADA), String::new(), false);
        while let Some(query) = export.query() {
            text += &export.take(group.0.answer(&query).unwrap()).unwrap();
            if matches!(query, Query::Talks { .. }) && !std::mem::replace(&mut moved, true) {
                let username = "frog-0".to_string();
                group.run(MessageCommand::Send { session: ADA, username, text: "two".into() }.into());
            }
        }
        let all: Value = serde_json::from_str(&text).unwrap();
        let ids: Vec<u64> =
            all["messages"].as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()).collect();
        let once: BTreeSet<u64> = ids.iter().copied().collect();
        assert_eq!((ids.len(), once.len()), (others + 1, others + 1));
    }

    #[test]
    fn own_words_in_rooms_are_included_and_those_of_others_are_not() {
        let mut group = Group(Model::new(), 0);
        group.person("ada", ADA);
        group.person("bob", BOB);
        let room = || "pond".to_string();
        let (topic, open, history) = (String::new(), true, true);
        group.run(RoomCommand::Create { session: BOB, room: room(), topic, open, history }.into());
        group.run(RoomCommand::Join { session: ADA, room: room() }.into());
        let said = |session, text: String| RoomCommand::Say { session, room: room(), text }.into();
        for number in 0..ROOM_PAGE_MAX {
            group.run(said(ADA, format!("ada {number}")));
            group.run(said(BOB, format!("bob {number}")));
        }
        let removed = group.1 - 1;
        group.run(RoomCommand::RemoveMessage { session: ADA, room: room(), message: removed }.into());
        let export = group.export(ADA);
        assert_eq!(
            (&export["rooms"][0]["room"], &export["rooms"][0]["rank"]),
            (&json!("pond"), &json!("member"))
        );
        let texts: Vec<&str> = export["room_messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["text"].as_str().expect("a text"))
            .collect();
        let expected: Vec<String> =
            (0..ROOM_PAGE_MAX - 1).rev().map(|number| format!("ada {number}")).collect();
        assert_eq!(texts, expected, "two pages, without the one that was removed");
        assert_eq!(group.export(BOB)["room_messages"].as_array().unwrap().len(), ROOM_PAGE_MAX);
    }

    #[test]
    fn a_page_that_was_not_asked_for_is_an_error() {
        assert_eq!(Export::new(ADA).take(Page::Position), Err(UnexpectedPage));
    }
}
