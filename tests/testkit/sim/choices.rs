//! Choice of a person's next operation: every command and every page that people have, with arguments that often meet.
//!
//! People remember a few ids from the pages that they were shown, so a reply, a like or a removal meets a row that exists,
//! or one that was deleted since. There are few rooms, so that people meet in them.
//!
//! Not here: retries and tokens (`client`), and what the answers must be (`history`).

use super::random::Random;
use ribbit_state::command::ReportSubject;
use ribbit_state::query::{FeedCroak, ReactionKind, TalkPartner};
use ribbit_state::rows::RoomRank;
use ribbit_state::{
    AccountCommand, AccountId, Audience, Command, ConversationCommand, LogIndex, MessageCommand,
    NoticeCommand, Page, Query, RelationCommand, RoomCommand, RoomId, TokenHash,
};

/// Number of rooms that people know of.
const ROOMS: u64 = 3;
/// Number of ids of each kind that a person remembers.
const REMEMBERED: usize = 8;

/// State that a person remembers between two operations.
#[derive(Debug, Default)]
pub struct Memory {
    /// Croaks that the person was shown last.
    croaks: Vec<LogIndex>,
    /// Rooms that the person is in or invited to, as far as it knows.
    rooms: Vec<String>,
    /// Messages that the person was shown last in a room, and the room.
    said: Vec<(RoomId, String, LogIndex)>,
    /// Account that the person had messages from when it last read its talks.
    talked_with: Option<AccountId>,
    /// Number of texts that the person has written.
    texts: u32,
}

/// A person who decides what to do next.
pub struct Person<'a> {
    pub number: usize,
    pub session: TokenHash,
    /// The newest index that the person knows.
    pub seen: LogIndex,
    pub people: usize,
    pub memory: &'a mut Memory,
}

/// Returns the user name of a person.
pub fn name(number: usize) -> String {
    format!("frog-{number}")
}

impl Memory {
    /// Remembers the newest ids of a page that was shown.
    pub fn learn(&mut self, page: &Page) {
        match page {
            Page::Feed { croaks, .. } | Page::Everyone { croaks, .. } | Page::Profile { croaks, .. } => {
                self.learn_croaks(croaks);
            }
            Page::Thread(thread) => self.learn_croaks(std::slice::from_ref(&thread.croak)),
            Page::Talks { talks, .. } => self.talked_with = talks.first().map(|talk| talk.with_account),
            Page::Rooms { rooms, invitations, .. } => {
                let names = rooms.iter().map(|room| &room.room.name);
                let names = names.chain(invitations.iter().map(|invitation| &invitation.room.name));
                self.rooms = names.take(REMEMBERED).cloned().collect();
            }
            Page::Room(page) if !page.messages.is_empty() => {
                let said = page.messages.iter().take(REMEMBERED);
                self.said = said.map(|text| (page.room.id, page.room.name.clone(), text.id)).collect();
            }
            _ => {}
        }
    }

    /// Remembers an operation that was accepted.
    pub fn did(&mut self, command: &Command) {
        match command {
            Command::DeleteAccount { .. } => *self = Memory::default(),
            Command::Room(RoomCommand::Create { room, .. } | RoomCommand::Join { room, .. }) => {
                self.rooms.push(room.clone());
            }
            Command::Room(RoomCommand::Leave { room, .. } | RoomCommand::Close { room, .. }) => {
                self.rooms.retain(|known| known != room);
            }
            _ => {}
        }
    }

    fn learn_croaks(&mut self, croaks: &[FeedCroak]) {
        let new = croaks.iter().map(|croak| croak.id).filter(|id| !self.croaks.contains(id));
        let new: Vec<LogIndex> = new.take(REMEMBERED).collect();
        self.croaks.splice(0..0, new);
        self.croaks.truncate(REMEMBERED);
    }
}

impl Person<'_> {
    /// Returns the next write.
    pub fn write(&mut self, random: &mut Random) -> Command {
        let session = self.session;
        match random.between(0, 100) {
            0..40 => self.croak(random),
            40..52 => self.react(random),
            52..60 => {
                let username = self.someone(random);
                let text = self.text(random, "message");
                MessageCommand::Send { session, username, text }.into()
            }
            60..63 => match self.memory.talked_with {
                Some(with) => {
                    let (delivered_through, read_through) = (self.seen, random.between(0, self.seen + 1));
                    MessageCommand::Mark { session, with, delivered_through, read_through }.into()
                }
                None => NoticeCommand::Read { session, through: random.between(0, self.seen + 1) }.into(),
            },
            63..74 => {
                let username = self.someone(random);
                match random.permille(600) {
                    true => Command::AddFriend { session, username },
                    false => Command::RemoveFriend { session, username },
                }
            }
            74..92 => self.in_a_room(random).into(),
            92..96 => self.keep_away(random).into(),
            96 => Command::IndexCroaks,
            97 => Command::DeleteAccount { session, credential_version: 1 },
            _ => Command::LogOut { session },
        }
    }

    /// A croak, a reply to one that the person has seen, or the deletion of one.
    fn croak(&mut self, random: &mut Random) -> Command {
        let session = self.session;
        let known = self.known_croak(random);
        if let Some(croak) = known.filter(|_| random.permille(60)) {
            return AccountCommand::RemoveCroak { session, croak }.into();
        }
        let reply_to = known.filter(|_| random.permille(350));
        let audience = match random.between(0, 10) {
            0..3 => None,
            3..5 => Some(Audience::Followers),
            _ => Some(Audience::Everyone),
        };
        Command::Croak { session, text: self.text(random, "croak"), reply_to, audience }
    }

    fn react(&mut self, random: &mut Random) -> Command {
        let session = self.session;
        let Some(croak) = self.known_croak(random) else { return self.croak(random) };
        let command = match random.between(0, 8) {
            0..3 => ConversationCommand::Like { session, croak },
            3 => ConversationCommand::Unlike { session, croak },
            4..7 => ConversationCommand::Share { session, croak },
            _ => ConversationCommand::Unshare { session, croak },
        };
        command.into()
    }

    fn in_a_room(&mut self, random: &mut Random) -> RoomCommand {
        let session = self.session;
        let room = self.room(random);
        let username = self.someone(random);
        match random.between(0, 100) {
            0..6 => {
                let (open, history) = (random.permille(700), random.permille(500));
                RoomCommand::Create { session, room: any_room(random), topic: "frogs".into(), open, history }
            }
            6..24 => RoomCommand::Join { session, room: any_room(random) },
            24..26 => RoomCommand::Leave { session, room },
            26..27 => RoomCommand::Close { session, room },
            27..37 => RoomCommand::Invite { session, room, username },
            37..42 => RoomCommand::Withdraw { session, room, username },
            42..47 => RoomCommand::Remove { session, room, username },
            47..52 => {
                let rank = [RoomRank::Member, RoomRank::Moderator, RoomRank::Owner];
                let rank = rank[random.between(0, rank.len() as u64) as usize];
                RoomCommand::SetRank { session, room, username, rank }
            }
            52..55 => {
                let (open, history) = (Some(random.permille(700)), Some(random.permille(500)));
                RoomCommand::Change { session, room, topic: None, open, history }
            }
            55..60 => match self.memory.said.first() {
                Some((_, room, message)) => {
                    RoomCommand::RemoveMessage { session, room: room.clone(), message: *message }
                }
                None => RoomCommand::Join { session, room },
            },
            60..65 => RoomCommand::Mark { session, room, read_through: random.between(0, self.seen + 1) },
            _ => RoomCommand::Say { session, room, text: self.text(random, "line") },
        }
    }

    fn keep_away(&mut self, random: &mut Random) -> RelationCommand {
        let session = self.session;
        let username = self.someone(random);
        match random.between(0, 10) {
            0..4 => RelationCommand::Mute { session, username, muted: random.permille(500) },
            4..8 => RelationCommand::Block { session, username, blocked: random.permille(400) },
            _ => {
                let subject = match self.known_croak(random) {
                    Some(croak) => ReportSubject::Croak { croak },
                    None => ReportSubject::Person { username },
                };
                RelationCommand::Report { session, subject, words: "rude".into() }
            }
        }
    }

    /// Returns the next read.
    pub fn read(&self, random: &mut Random) -> Query {
        let session = self.session;
        match random.between(0, 20) {
            0 => Query::Me { session },
            1..3 => Query::Friends { session, after: None },
            3 => Query::Unread { session },
            4 => Query::Talks { session, before: None, limit: 3 },
            5 => match self.memory.talked_with {
                Some(with) => {
                    Query::Talk { session, with: TalkPartner::Account(with), before: None, limit: 5 }
                }
                None => Query::Notices { session, before: None, limit: 5 },
            },
            6 => Query::Feed { session, before: Some(random.between(0, self.seen + 2)), limit: 5 },
            7 => Query::Everyone { session, before: None, limit: 10 },
            8 => self.of_a_croak(random),
            9 => Query::Profile { session, username: self.someone(random), before: None, limit: 5 },
            10 => Query::Search { session, words: "croak".into(), before: None, limit: 5 },
            11..13 => self.of_rooms(random),
            13 => Query::Room { session, room: self.room(random), before: None, limit: 5 },
            14 => match random.permille(500) {
                true => Query::Muted { session, after: None },
                false => Query::Blocked { session, after: None },
            },
            _ => Query::Feed { session, before: None, limit: 10 },
        }
    }

    fn of_a_croak(&self, random: &mut Random) -> Query {
        let session = self.session;
        let Some(id) = self.known_croak(random) else { return Query::Followers { session, after: None } };
        match random.between(0, 4) {
            0 => Query::Croak { session, id },
            1 => Query::Reactions { session, croak: id, kind: ReactionKind::Like },
            2 => Query::Reactions { session, croak: id, kind: ReactionKind::Share },
            _ => Query::Thread { session, id, after: None, limit: 5 },
        }
    }

    fn of_rooms(&self, random: &mut Random) -> Query {
        let session = self.session;
        match (random.between(0, 4), self.memory.said.first()) {
            (0, Some((room, _, id))) => Query::RoomMessage { session, room: *room, id: *id },
            (1, _) => Query::OpenRooms { session, after: None },
            (2, _) => Query::RoomPeople { session, room: self.room(random), after: None },
            _ => Query::Rooms { session },
        }
    }

    /// Returns a room that the person has to do with, or any.
    fn room(&self, random: &mut Random) -> String {
        let known = &self.memory.rooms;
        if known.is_empty() || random.permille(200) {
            return any_room(random);
        }
        known[random.between(0, known.len() as u64) as usize].clone()
    }

    fn someone(&self, random: &mut Random) -> String {
        name(random.between(0, self.people as u64) as usize)
    }

    fn known_croak(&self, random: &mut Random) -> Option<LogIndex> {
        let known = &self.memory.croaks;
        (!known.is_empty()).then(|| known[random.between(0, known.len() as u64) as usize])
    }

    /// Returns a new text, sometimes with a mention.
    fn text(&mut self, random: &mut Random, what: &str) -> String {
        self.memory.texts += 1;
        let (texts, number) = (self.memory.texts, self.number);
        let mention =
            if random.permille(200) { format!(" @{}", self.someone(random)) } else { String::new() };
        format!("{what} {texts} of {number}{mention}")
    }
}

fn any_room(random: &mut Random) -> String {
    format!("room-{}", random.between(0, ROOMS))
}
