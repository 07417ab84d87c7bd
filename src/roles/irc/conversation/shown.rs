//! How a message becomes lines.

use super::Conversation;
use crate::irc::capabilities::Capability;
use crate::irc::codec::clock;
use crate::irc::codec::line::Line;
use crate::irc::codec::pieces::pieces;
use crate::irc::replies::source;
use crate::operations::messages::Message;
use ribbit_state::LogIndex;
use ribbit_state::query::{FeedCroak, Person, RoomBody, RoomText};
use ribbit_ui::time;

/// Nick of people whose account is deleted. No account can have it.
const DELETED: &str = "[deleted]";
/// Channel of the feed.
pub(super) const FEED: &str = "&feed";

/// A message of a channel or a talk, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// Log index, which is its id and its place in the order.
    pub(super) id: LogIndex,
    pub(super) wall_ms: u64,
    /// Nick of the author.
    pub(super) from: String,
    /// Channel, or nick of the recipient.
    pub(super) to: String,
    pub(super) text: String,
    /// Id of the message that it answers.
    pub(super) reply_to: Option<LogIndex>,
}

impl Shown {
    /// Returns a message of a room, unless it was removed.
    pub(super) fn in_room(room: &str, message: RoomText) -> Option<Shown> {
        let RoomText { id, author, wall_ms, body, .. } = message;
        let RoomBody::Text(text) = body else { return None };
        let from = author.map_or(DELETED.to_string(), |author| author.username);
        Some(Shown { id, wall_ms, from, to: format!("#{room}"), text, reply_to: None })
    }

    /// Returns a direct message.
    pub(super) fn direct(me: &Person, message: Message) -> Shown {
        let Message { with, message, .. } = message;
        let (me, other) = (me.username.clone(), with.map_or(DELETED.to_string(), |with| with.username));
        let (from, to) = if message.mine { (me, other) } else { (other, me) };
        Shown { id: message.id, wall_ms: message.wall_ms, from, to, text: message.text, reply_to: None }
    }

    /// Returns a croak of the feed.
    pub(super) fn in_feed(croak: FeedCroak) -> Shown {
        let (author, to) = (croak.author.username, FEED.to_string());
        let (text, wall_ms) = (croak.body.text, croak.body.wall_ms);
        match croak.share {
            None => Shown { id: croak.id, wall_ms, from: author, to, text, reply_to: croak.body.reply_to },
            // Its place and time are those of the share.
            Some(share) => {
                let (from, text) = (share.by.username, format!("shared @{author}: {text}"));
                Shown { id: share.id, wall_ms: share.wall_ms, from, to, text, reply_to: Some(croak.id) }
            }
        }
    }
}

impl Conversation<'_> {
    /// Appends the lines of a message: each of its lines, in pieces that fit a line of IRC. `batch` is that of which it is a part.
    /// An old message has its time in the text for clients that know no times.
    pub(super) fn show(&mut self, shown: &Shown, is_old: bool, batch: Option<&str>) {
        let source = source(&shown.from);
        let time = Some(shown.wall_ms).filter(|_| is_old && !self.has(Capability::ServerTime));
        let text = match time.and_then(time::shown) {
            Some(time) => format!("[{}] {}", time.people, shown.text),
            None => shown.text.clone(),
        };
        let room = Line::room(&source, "PRIVMSG", &shown.to);
        for (number, piece) in pieces(&text, room).into_iter().enumerate() {
            let tags = self.has(Capability::MessageTags);
            let id = if number == 0 { shown.id.to_string() } else { format!("{}.{number}", shown.id) };
            let batch = batch.filter(|_| self.has(Capability::Batch)).map(str::to_string);
            let time = self.has(Capability::ServerTime).then(|| clock::format(shown.wall_ms));
            let reply_to = shown.reply_to.filter(|_| tags).map(|id| id.to_string());
            let line = Line::new(&source, "PRIVMSG").with(&shown.to).text(piece);
            let line = line.tagged("batch", batch).tagged("time", time);
            let line = line.tagged("msgid", tags.then_some(id)).tagged("+draft/reply", reply_to);
            self.out.push(&line);
        }
    }

    /// Appends a message that was just said, unless it was said on this connection and the client does not want it back.
    pub(super) fn show_new(&mut self, shown: &Shown) {
        if !self.is_silent(shown.id) {
            self.show(shown, false, None);
        }
    }

    /// Returns true if a message was said on this connection and the client does not want it back. Its event has arrived then.
    pub(super) fn is_silent(&mut self, id: LogIndex) -> bool {
        self.own.remove(&id) && !self.has(Capability::EchoMessage)
    }

    /// Appends messages of one channel or talk as one batch, oldest first.
    pub(super) fn show_batch(&mut self, target: &str, messages: &[Shown]) {
        let name = self.open_batch("chathistory", Some(target));
        for message in messages {
            self.show(message, true, Some(&name));
        }
        self.close_batch(&name);
    }

    /// Begins a batch, for clients that know batches, and returns its name.
    pub(super) fn open_batch(&mut self, kind: &str, target: Option<&str>) -> String {
        self.batch += 1;
        let name = format!("b{}", self.batch);
        if self.has(Capability::Batch) {
            let line = Line::new(crate::irc::SERVER, "BATCH").with(format!("+{name}")).with(kind);
            let line = target.into_iter().fold(line, Line::with);
            self.out.push(&line);
        }
        name
    }

    pub(super) fn close_batch(&mut self, name: &str) {
        if self.has(Capability::Batch) {
            self.out.push(&Line::new(crate::irc::SERVER, "BATCH").with(format!("-{name}")));
        }
    }
}
