//! Everything that is kept of one person, as one JSON document, piece by piece: whoever drives it asks what [`Export::query`]
//! says, gives the page to [`Export::take`], and writes the text that comes back. However much there is, one page is in
//! memory at a time.
//!
//! ```text
//!   { "ribbit_export": 1, "account": {…}, "friends": […], "followers": […], "sessions": […], "croaks": […], "messages": […] }
//! ```
//!
//! Each item is what `ribbit client … --json` shows ([`super::person_json`]). Croaks are newest first; messages come talk by
//! talk, each newest first. Neither the password nor anything that a session could be taken over with is in it. What
//! changes while it is made is in it or not; no talk is left out because somebody writes in it meanwhile.

use super::person_json;
use ribbit_state::limits::{FEED_PAGE_MAX, TALK_PAGE_MAX, TALKS_PAGE_MAX};
use ribbit_state::query::TalkPartner;
use ribbit_state::talks::TalkSummary;
use ribbit_state::{AccountId, LogIndex, Page, Query, TokenHash};
use std::collections::BTreeSet;

/// The version of the document's shape.
const SHAPE: u32 = 1;

/// A page that is none of what was asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a server answered what was not asked")]
pub struct Unexpected;

#[derive(Debug)]
enum Part {
    Account,
    Friends(Option<AccountId>),
    Followers(Option<AccountId>),
    Sessions,
    Croaks(Option<LogIndex>),
    Talks(Option<LogIndex>),
    /// With whom, from where on; and where the next page of talks begins.
    Talk(AccountId, Option<LogIndex>),
    Done,
}

#[derive(Debug)]
pub struct Export {
    session: TokenHash,
    part: Part,
    username: String,
    /// Nothing stands in the list that is being written yet.
    first: bool,
    /// Talks of this page that are still to come, the next one last.
    talks: Vec<AccountId>,
    /// Where the next page of talks begins.
    older_talks: Option<LogIndex>,
    /// Talks that are in it, or to come. What is written in a talk meanwhile moves it to the top of the list, so the top is
    /// looked at again at the end.
    known_talks: BTreeSet<AccountId>,
    /// The newest message when the list was first read.
    begun: Option<LogIndex>,
    again: bool,
    /// Croaks and messages so far.
    items: u64,
}

impl Export {
    pub fn new(session: TokenHash) -> Export {
        Export {
            session,
            part: Part::Account,
            username: String::new(),
            first: true,
            talks: Vec::new(),
            older_talks: None,
            known_talks: BTreeSet::new(),
            begun: None,
            again: false,
            items: 0,
        }
    }

    /// Croaks and messages so far: how far it is.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// What to ask next; nothing when the document is complete.
    pub fn query(&self) -> Option<Query> {
        let session = self.session;
        let page = |max: usize| u16::try_from(max).unwrap_or(u16::MAX);
        Some(match &self.part {
            Part::Account => Query::Account { session },
            Part::Friends(after) => Query::Friends { session, after: *after },
            Part::Followers(after) => Query::Followers { session, after: *after },
            Part::Sessions => Query::Sessions { session },
            Part::Croaks(before) => Query::Profile {
                session,
                username: self.username.clone(),
                before: *before,
                limit: page(FEED_PAGE_MAX),
            },
            Part::Talks(before) => Query::Talks { session, before: *before, limit: page(TALKS_PAGE_MAX) },
            Part::Talk(with, before) => Query::Talk {
                session,
                with: TalkPartner::Account(*with),
                before: *before,
                limit: page(TALK_PAGE_MAX),
            },
            Part::Done => return None,
        })
    }

    /// The next piece of the document.
    ///
    /// # Errors
    /// The page does not answer [`Export::query`].
    pub fn take(&mut self, page: Page) -> Result<String, Unexpected> {
        let part = std::mem::replace(&mut self.part, Part::Done);
        let mut text = String::new();
        match (part, page) {
            (Part::Account, Page::Account(account)) => {
                self.username.clone_from(&account.person.username);
                let shown = person_json::own_account(&account);
                text = format!("{{\n\"ribbit_export\": {SHAPE},\n\"account\": {shown},\n\"friends\": [");
                self.begin(Part::Friends(None));
            }
            (Part::Friends(_), Page::Friends { friends, more, .. }) => {
                friends.iter().for_each(|friend| self.item(&mut text, &person_json::person(friend)));
                match more {
                    Some(more) => self.part = Part::Friends(Some(more)),
                    None => self.next_list(&mut text, "followers", Part::Followers(None)),
                }
            }
            (Part::Followers(_), Page::Followers { people, more, .. }) => {
                people.iter().for_each(|who| self.item(&mut text, &person_json::person(&who.person)));
                match more {
                    Some(more) => self.part = Part::Followers(Some(more)),
                    None => self.next_list(&mut text, "sessions", Part::Sessions),
                }
            }
            (Part::Sessions, Page::Sessions(sessions)) => {
                sessions.iter().for_each(|session| self.item(&mut text, &person_json::session(session)));
                self.next_list(&mut text, "croaks", Part::Croaks(None));
            }
            (Part::Croaks(_), Page::Profile { croaks, older, .. }) => {
                self.items += croaks.len() as u64;
                croaks.iter().for_each(|croak| self.item(&mut text, &person_json::croak(croak)));
                match older {
                    Some(older) => self.part = Part::Croaks(Some(older)),
                    None => self.next_list(&mut text, "messages", Part::Talks(None)),
                }
            }
            (Part::Talks(_), Page::Talks { talks, older, .. }) => {
                self.note_talks(&talks, older);
                self.next_talk(&mut text);
            }
            (Part::Talk(with, _), Page::Talk(talk)) => {
                self.items += talk.messages.len() as u64;
                for message in &talk.messages {
                    self.item(&mut text, &person_json::message(message, talk.with.as_ref(), &talk.me));
                }
                match talk.older {
                    Some(older) => self.part = Part::Talk(with, Some(older)),
                    None => self.next_talk(&mut text),
                }
            }
            _ => return Err(Unexpected),
        }
        Ok(text)
    }

    fn begin(&mut self, part: Part) {
        self.part = part;
        self.first = true;
    }

    fn item(&mut self, text: &mut String, item: &str) {
        *text += if std::mem::take(&mut self.first) { "\n" } else { ",\n" };
        *text += item;
    }

    /// A page of the list of talks: those that are not known yet are to come.
    fn note_talks(&mut self, talks: &[TalkSummary], older: Option<LogIndex>) {
        let newest = talks.first().map(|talk| talk.newest.id);
        self.begun = self.begun.or(newest);
        let new = talks.iter().filter(|talk| self.known_talks.insert(talk.with_account));
        self.talks = new.map(|talk| talk.with_account).collect();
        self.talks.reverse();
        self.older_talks = match self.again {
            false => older,
            // Only what has moved since is of interest.
            true => older.filter(|oldest| Some(*oldest) > self.begun),
        };
    }

    fn next_list(&mut self, text: &mut String, name: &str, part: Part) {
        *text += &format!("\n],\n\"{name}\": [");
        self.begin(part);
    }

    fn next_talk(&mut self, text: &mut String) {
        self.part = match (self.talks.pop(), self.older_talks.take()) {
            (Some(with), older) => {
                self.older_talks = older;
                Part::Talk(with, None)
            }
            (None, Some(older)) => Part::Talks(Some(older)),
            (None, None) if !std::mem::replace(&mut self.again, true) => Part::Talks(None),
            (None, None) => {
                *text += "\n]\n}\n";
                Part::Done
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::command::Proposal;
    use ribbit_state::model::Model;
    use ribbit_state::{Command, MessageCommand, Request, RequestId, Stamp};
    use serde_json::{Value, json};

    const ADA: TokenHash = TokenHash([1; 32]);
    const BOB: TokenHash = TokenHash([2; 32]);

    struct Group(Model, LogIndex);

    impl Group {
        fn run(&mut self, command: Command) {
            self.1 += 1;
            let request = Request { id: RequestId(u128::from(self.1)), born: self.1 - 1, command };
            let stamp = Stamp { wall_ms: 1_782_900_000_000, age_ms: 0 };
            self.0.apply(self.1, &Proposal { stamp, request }).unwrap();
        }

        fn person(&mut self, username: &str, token: TokenHash) {
            let (name, email) = (username.to_uppercase(), "a@b".to_string());
            let password_hash = "secret".to_string();
            let username = username.to_string();
            self.run(Command::CreateAccount { username, name, email, password_hash });
            let account = AccountId(self.1);
            self.run(Command::LogIn { account, credential_version: 1, token });
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
    fn an_export_is_one_document_however_much_there_is() {
        let mut group = Group(Model::new(), 0);
        group.person("ada", ADA);
        group.person("bob", BOB);
        let nothing = group.export(ADA);
        assert_eq!((&nothing["friends"], &nothing["messages"]), (&json!([]), &json!([])));
        assert_eq!(nothing["account"]["email"], "a@b");
        group.run(Command::AddFriend { session: ADA, username: "bob".into() });
        for number in 0..120 {
            group.run(Command::Croak { session: ADA, text: format!("\"croak\" {number}") });
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
        // Who was deleted has no name.
        group.run(Command::DeleteAccount { session: ADA, credential_version: 1 });
        assert_eq!(group.export(BOB)["messages"][0]["from"], Value::Null);
    }

    /// There are more talks than a page holds, and the oldest moves to the top while the first page is read.
    #[test]
    fn a_talk_that_moves_while_it_is_made_is_in_it() {
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
    fn a_page_that_was_not_asked_for_is_no_part_of_it() {
        assert_eq!(Export::new(ADA).take(Page::Position), Err(Unexpected));
    }
}
