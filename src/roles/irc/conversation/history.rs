//! CHATHISTORY (IRCv3): what was said, by ids or times, in pages.
//!
//! ```text
//!   LATEST, BEFORE ──▶ a page before a place
//!   AFTER, AROUND, BETWEEN ──▶ the page right behind a place: a search for the place before which that page lies
//!   a time ──▶ a place: a search for the first message that is not older
//! ```
//!
//! ribbit pages from new to old, so what lies behind a place is searched by halves: as many reads as the log's index has digits.

use super::Conversation;
use super::shown::{FEED, Shown};
use crate::irc::SERVER;
use crate::irc::codec::clock;
use crate::irc::codec::line::Line;
use crate::irc::codec::message::Message;
use crate::irc::limits::{HISTORY_MAX, HISTORY_READS_MAX, TALK_PAGES_MAX};
use crate::operations::Refusal;
use crate::operations::messages::Message as DirectMessage;
use ribbit_state::query::TalkPartner;
use ribbit_state::text::{fold_room_name, fold_username};
use ribbit_state::{Code, LogIndex};

/// Something that has a history.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Feed,
    Room(String),
    Person(String),
}

/// A place in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The message with this id.
    Id(LogIndex),
    /// Milliseconds since 1970.
    Time(u64),
}

/// Reason why a request of history has no answer.
enum Wrong {
    /// Word of the standard reply, and what it is about.
    Params(&'static str, &'static str),
    Refused(Refusal),
}

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Wrong {
        Wrong::Refused(refusal)
    }
}

/// Messages of a page, newest first, and where the next page begins.
type Page = (Vec<Shown>, Option<LogIndex>);

impl Target {
    fn parse(text: &str) -> Option<Target> {
        match text.strip_prefix('#') {
            _ if text.eq_ignore_ascii_case(FEED) => Some(Target::Feed),
            Some(name) => fold_room_name(name).ok().map(Target::Room),
            None => fold_username(text).ok().map(Target::Person),
        }
    }

    fn name(&self) -> String {
        match self {
            Target::Feed => FEED.to_string(),
            Target::Room(name) => format!("#{name}"),
            Target::Person(name) => name.clone(),
        }
    }
}

impl Place {
    fn parse(text: &str) -> Result<Place, Wrong> {
        let malformed = Wrong::Params("INVALID_PARAMS", "Malformed reference: msgid=ID or timestamp=TIME");
        match text.split_once('=') {
            // A message in several lines has an id for each.
            Some(("msgid", id)) => {
                id.split('.').next().and_then(|id| id.parse().ok()).map(Place::Id).ok_or(malformed)
            }
            Some(("timestamp", time)) => clock::parse(time).map(Place::Time).ok_or(malformed),
            _ => Err(Wrong::Params("INVALID_MSGREFTYPE", "References are msgid=ID or timestamp=TIME")),
        }
    }
}

impl Conversation<'_> {
    pub(super) async fn chat_history(&mut self, message: &Message) {
        let subcommand = message.param(0).unwrap_or_default().to_ascii_uppercase();
        let answered = match subcommand.as_str() {
            "TARGETS" => self.history_targets(message).await,
            "LATEST" | "BEFORE" | "AFTER" | "AROUND" | "BETWEEN" => {
                self.history_of(&subcommand, message).await
            }
            _ => Err(Wrong::Params("UNKNOWN_COMMAND", "Unknown command")),
        };
        let about = [subcommand.as_str(), message.param(1).unwrap_or("*")];
        match answered {
            Ok(()) => {}
            Err(Wrong::Params(code, words)) => self.fail("CHATHISTORY", code, &about[..1], words),
            Err(Wrong::Refused(Refusal::Unavailable)) => {
                self.fail("CHATHISTORY", "MESSAGE_ERROR", &about, "Messages could not be retrieved");
            }
            Err(Wrong::Refused(_)) => {
                self.fail("CHATHISTORY", "INVALID_TARGET", &about, "Messages could not be retrieved");
            }
        }
    }

    async fn history_of(&mut self, subcommand: &str, message: &Message) -> Result<(), Wrong> {
        let missing = Wrong::Params("INVALID_PARAMS", "Insufficient parameters");
        let places = if subcommand == "BETWEEN" { 2 } else { 1 };
        let (Some(target), Some(limit)) = (message.param(1), message.param(2 + places)) else {
            return Err(missing);
        };
        let target = Target::parse(target).ok_or(Refusal::Denied(Code::NoSuchUser))?;
        let limit = limit_of(limit)?;
        let place = |position: usize| Place::parse(message.param(position).unwrap_or_default());
        let history = History { conversation: self, target: &target };
        let messages = match subcommand {
            "LATEST" if message.param(2) == Some("*") => history.before(None, limit).await?,
            "LATEST" => {
                let after = history.after_place(place(2)?).await?;
                let mut newest = history.before(None, limit).await?;
                newest.retain(|message| message.id > after);
                newest
            }
            "BEFORE" => history.before(Some(history.before_place(place(2)?).await?), limit).await?,
            "AFTER" => history.after(history.after_place(place(2)?).await?, limit).await?,
            "AROUND" => {
                let middle = history.before_place(place(2)?).await?;
                let mut messages = history.before(Some(middle), limit / 2).await?;
                let rest = limit - messages.len().min(limit);
                messages.extend(history.after(middle.saturating_sub(1), rest).await?);
                messages
            }
            _ => history.between(place(2)?, place(3)?, limit).await?,
        };
        self.show_batch(&target.name(), &messages);
        Ok(())
    }

    /// Lists rooms and talks by their newest messages.
    async fn history_targets(&mut self, message: &Message) -> Result<(), Wrong> {
        let time = |position: usize| match Place::parse(message.param(position).unwrap_or_default())? {
            Place::Time(time) => Ok(time),
            Place::Id(_) => Err(Wrong::Params("INVALID_PARAMS", "TARGETS needs two timestamps")),
        };
        let (from, to) = (time(1)?, time(2)?);
        let limit = limit_of(message.param(3).unwrap_or_default())?;
        let (rooms, _) = self.operations().rooms(&self.session).await?;
        let newest = |room: &str, at: u64| (format!("#{room}"), at);
        let rooms = rooms.into_iter().filter_map(|one| Some(newest(&one.room.name, one.newest?.wall_ms)));
        let mut targets: Vec<(String, u64)> = rooms.collect();
        let mut before = None;
        for _ in 0..TALK_PAGES_MAX {
            let (talks, older) = self.operations().talks(&self.session, before).await?;
            targets.extend(
                talks.into_iter().filter_map(|talk| Some((talk.with?.username, talk.newest.wall_ms))),
            );
            before = older;
            if before.is_none() {
                break;
            }
        }
        let (first, last) = (from.min(to), from.max(to));
        targets.retain(|(_, at)| *at > first && *at < last);
        targets.sort_by_key(|(_, at)| *at);
        // Those nearest to the first time that was given.
        if from > to {
            targets = targets.split_off(targets.len().saturating_sub(limit));
        }
        targets.truncate(limit);
        let name = self.open_batch("draft/chathistory-targets", None);
        for (target, at) in targets {
            let line = Line::new(SERVER, "CHATHISTORY").with("TARGETS").with(target).with(clock::format(at));
            self.out.push(&line.tagged("batch", Some(name.clone())));
        }
        self.close_batch(&name);
        Ok(())
    }

    /// Reads a page of a history.
    async fn history_page(
        &self,
        target: &Target,
        before: Option<LogIndex>,
        limit: usize,
    ) -> Result<Page, Refusal> {
        let (operations, session) = (self.operations(), &self.session);
        match target {
            Target::Feed => {
                let (croaks, older) = operations.feed_croaks(session, before, limit).await?;
                Ok((croaks.into_iter().map(Shown::in_feed).collect(), older))
            }
            Target::Room(name) => {
                let page = operations.room(session, name, before, limit).await?;
                if page.standing.rank().is_none() {
                    return Err(Refusal::Denied(Code::NotInRoom));
                }
                let messages = page.messages.into_iter();
                Ok((messages.filter_map(|message| Shown::in_room(name, message)).collect(), page.older))
            }
            Target::Person(name) => {
                let talk = operations.talk(session, TalkPartner::Named(name.clone()), before, limit).await?;
                let (with, with_account) = (talk.with, talk.with_account);
                let shown = talk.messages.into_iter().map(|message| {
                    let message = DirectMessage { with: with.clone(), with_account, message };
                    Shown::direct(&self.me, message)
                });
                Ok((shown.collect(), talk.older))
            }
        }
    }
}

/// The history of one target. Messages are given oldest first.
struct History<'a, 'b> {
    conversation: &'a Conversation<'b>,
    target: &'a Target,
}

impl History<'_, '_> {
    /// Reads up to `limit` messages before a place, newest first, down to `since`. Pages may be short, because messages of people who
    /// are kept away and those that were removed are left out, so further ones are read, at most `HISTORY_READS_MAX`.
    async fn page(&self, before: Option<LogIndex>, since: LogIndex, limit: usize) -> Result<Page, Refusal> {
        let read = |before, limit| self.conversation.history_page(self.target, before, limit);
        let (mut messages, mut older) = read(before, limit).await?;
        for _ in 1..HISTORY_READS_MAX {
            let Some(next) = older.filter(|older| messages.len() < limit && *older > since) else { break };
            let (further, rest) = read(Some(next), HISTORY_MAX).await?;
            messages.extend(further);
            older = rest;
            if messages.len() > limit {
                messages.truncate(limit);
                older = messages.last().map(|last| last.id);
            }
        }
        Ok((messages, older))
    }

    /// Returns the newest messages before a place.
    async fn before(&self, before: Option<LogIndex>, limit: usize) -> Result<Vec<Shown>, Refusal> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let (mut messages, _) = self.page(before, 0, limit).await?;
        messages.reverse();
        Ok(messages)
    }

    /// Returns the oldest messages after a place.
    async fn after(&self, after: LogIndex, limit: usize) -> Result<Vec<Shown>, Refusal> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        // One more than is answered, so that a page with all of them is told from one with too many.
        let (newest, older) = self.page(None, after, limit + 1).await?;
        let Some(end) = newest.first().map(|newest| newest.id + 1) else { return Ok(Vec::new()) };
        let is_whole = |older: Option<LogIndex>| older.is_none_or(|older| older <= after);
        let mut found = newest;
        if !is_whole(older) {
            // The page before `low` is whole, the one before `high` is not.
            let (mut low, mut high) = (after + 1, end);
            found = Vec::new();
            while low + 1 < high {
                let middle = low + (high - low) / 2;
                let (page, older) = self.page(Some(middle), after, limit + 1).await?;
                if is_whole(older) {
                    (low, found) = (middle, page);
                } else {
                    high = middle;
                }
            }
        }
        found.retain(|message| message.id > after);
        found.reverse();
        found.truncate(limit);
        Ok(found)
    }

    async fn between(&self, from: Place, to: Place, limit: usize) -> Result<Vec<Shown>, Refusal> {
        let (after, end) = (self.after_place(from).await?, self.before_place(to).await?);
        if after < end {
            let mut messages = self.after(after, limit).await?;
            messages.retain(|message| message.id < end);
            return Ok(messages);
        }
        let (end, after) = (self.before_place(from).await?, self.after_place(to).await?);
        let mut messages = self.before(Some(end), limit).await?;
        messages.retain(|message| message.id > after);
        Ok(messages)
    }

    /// Returns the index before which everything before the place lies.
    async fn before_place(&self, place: Place) -> Result<LogIndex, Refusal> {
        match place {
            Place::Id(id) => Ok(id),
            Place::Time(time) => self.first_from(time).await,
        }
    }

    /// Returns the index after which everything after the place lies.
    async fn after_place(&self, place: Place) -> Result<LogIndex, Refusal> {
        match place {
            Place::Id(id) => Ok(id),
            Place::Time(time) => Ok(self.first_from(time.saturating_add(1)).await?.saturating_sub(1)),
        }
    }

    /// Returns the id of the first message at or after a time, or an index behind all of them. Times rise with the ids, unless a
    /// clock was wrong.
    async fn first_from(&self, time: u64) -> Result<LogIndex, Refusal> {
        let (newest, _) = self.page(None, 0, 1).await?;
        let Some(newest) = newest.first() else { return Ok(0) };
        // Everything before `low` is older; the message before `high` is not, unless nothing is that new.
        let (mut low, mut high) = (0, newest.id + 1);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let (page, _) = self.page(Some(middle), 0, 1).await?;
            match page.first() {
                Some(message) if message.wall_ms >= time => high = message.id,
                _ => low = middle,
            }
        }
        Ok(low)
    }
}

/// Parses the number of messages that a client wants; it gets at most `HISTORY_MAX`.
fn limit_of(text: &str) -> Result<usize, Wrong> {
    match text.parse::<usize>() {
        Ok(limit) => Ok(if limit == 0 { HISTORY_MAX } else { limit.min(HISTORY_MAX) }),
        Err(_) => Err(Wrong::Params("INVALID_PARAMS", "The last parameter is a number of messages")),
    }
}
