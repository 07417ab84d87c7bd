//! Acts of users besides croaks and messages: each in turn likes, follows, talks in a room, and reads pages and lists.
//!
//! A write is repeated under the same idempotency key until it is decided. A like or a follow must show on the next page that its
//! user reads.

use super::progress::{Outcome, Progress};
use super::writers::{Decided, Writer, decide, submitted_at};
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::new_request_id;
use ribbit_state::query::FollowSide;
use ribbit_state::{
    Command, Consistency, ConversationCommand, LogIndex, NoticeCommand, Page, Query, Request, RoomCommand,
};
use std::time::{Duration, Instant};

/// Name of the room in which all meet.
const ROOM: &str = "the-soak";
/// Timeout of a read.
const ANSWER_MAX: Duration = Duration::from_secs(4);
/// Number of items per page.
const PAGE: u16 = 20;

/// Creates the room.
pub async fn prepare(owner: &Writer) {
    let (session, room) = (owner.session, ROOM.to_string());
    let create = RoomCommand::Create { session, room, topic: String::new(), open: true, history: true };
    let Decided::Done(..) = write(owner, create.into(), None).await else {
        panic!("no room");
    };
}

/// The further activities of a writer.
#[derive(Debug, Default)]
pub struct Activities {
    turn: usize,
    is_in_room: bool,
    follows: bool,
    /// Croak that the writer likes.
    liked: Option<LogIndex>,
    /// A write had no answer, so later ones may be refused.
    is_unsure: bool,
}

impl Activities {
    /// Does the next activity. `croak` is the newest croak of the partner that was acknowledged.
    pub async fn next(
        &mut self,
        writer: &Writer,
        croak: Option<LogIndex>,
        end: Instant,
        progress: &Progress,
    ) {
        self.turn += 1;
        let session = writer.session;
        match self.turn % 12 {
            1 => self.talk(writer, end, progress).await,
            2 => self.like(writer, croak, end, progress).await,
            3 => self.follow(writer, end, progress).await,
            4 => {
                let read = NoticeCommand::Read { session, through: LogIndex::MAX };
                self.write(writer, "reads notifications", read.into(), end, progress).await;
            }
            turn => {
                let before = None;
                let username = writer.partner_name.clone();
                let (name, query) = match turn {
                    5 => ("opens the feed", Query::Feed { session, before, limit: PAGE }),
                    6 => ("opens notifications", Query::Notices { session, before, limit: PAGE }),
                    7 => (
                        "searches",
                        Query::Search { session, words: "pond rough".into(), before, limit: PAGE },
                    ),
                    8 => ("opens everyone's croaks", Query::Everyone { session, before, limit: PAGE }),
                    9 => {
                        let side = FollowSide::Followers;
                        ("lists followers", Query::FollowsOf { session, username, side, after: None })
                    }
                    10 => ("lists talks", Query::Talks { session, before, limit: PAGE }),
                    11 => ("lists rooms", Query::Rooms { session }),
                    _ => match croak {
                        Some(id) => {
                            ("opens a thread", Query::Thread { session, id, after: None, limit: PAGE })
                        }
                        None => return,
                    },
                };
                read(writer, name, query, progress).await;
            }
        }
    }

    /// Joins the room, and says something there from then on.
    async fn talk(&mut self, writer: &Writer, end: Instant, progress: &Progress) {
        let (session, room) = (writer.session, ROOM.to_string());
        if self.is_in_room || writer.number == 0 {
            let text = format!("{} is here", writer.username);
            let say = RoomCommand::Say { session, room: room.clone(), text };
            self.write(writer, "talks in a room", say.into(), end, progress).await;
            let page = Query::Room { session, room, before: None, limit: PAGE };
            read(writer, "opens a room", page, progress).await;
        } else {
            let join = RoomCommand::Join { session, room };
            self.is_in_room = self.write(writer, "joins a room", join.into(), end, progress).await;
        }
    }

    /// Likes a croak, and the next time takes that back.
    async fn like(&mut self, writer: &Writer, croak: Option<LogIndex>, end: Instant, progress: &Progress) {
        let session = writer.session;
        let (name, croak, command) = match (self.liked, croak) {
            (Some(croak), _) => ("unlikes", croak, ConversationCommand::Unlike { session, croak }),
            (None, Some(croak)) => ("likes", croak, ConversationCommand::Like { session, croak }),
            (None, None) => return,
        };
        if !self.write(writer, name, command.into(), end, progress).await {
            return;
        }
        self.liked = if self.liked.is_some() { None } else { Some(croak) };
        let page = read(writer, "opens a croak", Query::Croak { session, id: croak }, progress).await;
        if let Some(Page::Croak(shown)) = page
            && shown.numbers.liked != self.liked.is_some()
        {
            progress.say(format!("{} {name} {croak}, and its page does not say so", writer.username));
        }
    }

    /// Follows the partner, and the next time unfollows it.
    async fn follow(&mut self, writer: &Writer, end: Instant, progress: &Progress) {
        let (session, username) = (writer.session, writer.partner_name.clone());
        let (name, command) = match self.follows {
            true => ("unfollows", Command::RemoveFriend { session, username }),
            false => ("follows", Command::AddFriend { session, username }),
        };
        if !self.write(writer, name, command, end, progress).await {
            return;
        }
        self.follows = !self.follows;
        let page = read(writer, "lists follows", Query::Friends { session, after: None }, progress).await;
        if let Some(Page::Friends { friends, .. }) = page
            && friends.iter().any(|friend| friend.username == writer.partner_name) != self.follows
        {
            progress.say(format!("{} {name} its partner, and its list does not say so", writer.username));
        }
    }

    /// Returns true if the write was done.
    async fn write(
        &mut self,
        writer: &Writer,
        name: &'static str,
        command: Command,
        end: Instant,
        progress: &Progress,
    ) -> bool {
        let decided = write(writer, command, Some(end)).await;
        let outcome = match decided {
            Decided::Done(..) => Outcome::Done,
            Decided::Refused(code) => {
                if !self.is_unsure {
                    progress.say(format!("{} {name}: refused with {code:?}", writer.username));
                }
                Outcome::Refused
            }
            Decided::Undecided => {
                self.is_unsure = true;
                Outcome::Undecided
            }
        };
        progress.done(name, outcome);
        matches!(outcome, Outcome::Done)
    }
}

async fn write(writer: &Writer, command: Command, end: Option<Instant>) -> Decided {
    let submitted_at = submitted_at(&writer.client).await;
    let ask = Ask::Write(Request { id: new_request_id(), submitted_at, origin: None, command });
    decide(&writer.client, ask, end).await
}

async fn read(writer: &Writer, name: &'static str, query: Query, progress: &Progress) -> Option<Page> {
    // A thread is of another person's croak, which need not be on this session's backend yet.
    let consistency = match query {
        Query::Thread { .. } => Consistency::Linearizable,
        _ => Consistency::Session,
    };
    let ask = Ask::Read { seen: writer.client.seen(), consistency, query };
    let (outcome, page) = match writer.client.ask(ask, ANSWER_MAX).await {
        Ok(Answer::Read { page: Ok(page), .. }) => (Outcome::Done, Some(page)),
        Ok(Answer::Read { page: Err(denied), .. }) => {
            progress.say(format!("{} {name}: refused with {denied}", writer.username));
            (Outcome::Refused, None)
        }
        _ => (Outcome::Undecided, None),
    };
    progress.done(name, outcome);
    page
}
