//! Messages of the client: PRIVMSG and NOTICE to rooms, people and the feed.

use super::Conversation;
use super::shown::FEED;
use crate::irc::codec::message::Message;
use crate::irc::codec::pieces::Said;
use crate::irc::limits::{OWN_LINES_MAX, RECIPIENTS_MAX};
use crate::operations::Refusal;
use ribbit_state::{Code, LogIndex};

impl Conversation<'_> {
    /// Serves PRIVMSG and NOTICE, which make no difference here.
    pub(super) async fn say(&mut self, message: &Message) {
        let command = message.command.as_str();
        let Some(targets) = message.param(0).filter(|targets| !targets.is_empty()) else {
            return self.numeric("411", &format!("No recipient given ({command})"));
        };
        let Some(text) = message.param(1).filter(|text| !text.is_empty()) else {
            return self.numeric("412", "No text to send");
        };
        let text = match Said::read(text) {
            Said::Text(text) => text,
            // Clients send replies by themselves, so a refusal would reach no person.
            Said::Ctcp if command == "NOTICE" => return,
            Said::Ctcp => {
                return self.refuse(
                    command,
                    "NO_CTCP",
                    &[targets],
                    "CTCP requests other than ACTION are not carried",
                );
            }
        };
        let targets: Vec<&str> = targets.split(',').filter(|target| !target.is_empty()).collect();
        if targets.len() > RECIPIENTS_MAX {
            let line = self.reply("407").with(targets.join(","));
            return self.out.push(
                &line.text(format!("Too many recipients, at most {RECIPIENTS_MAX}; nothing was sent")),
            );
        }
        let reply_to = message.tag("+draft/reply").or_else(|| message.tag("+reply"));
        let reply_to = reply_to.and_then(|id| id.split('.').next()?.parse::<LogIndex>().ok());
        for target in targets {
            match self.say_to(target, &text, reply_to).await {
                Ok(id) => {
                    self.own.insert(id);
                    if self.own.len() > OWN_LINES_MAX {
                        self.own.pop_first();
                    }
                    self.mark_shown(target).await;
                }
                Err(Refusal::Denied(Code::NotInRoom | Code::RemovedFromRoom)) => {
                    let line = self.reply("404").with(target);
                    self.out.push(&line.text("You are not in this room; join it first"));
                }
                // A line without a decision is not repeated: it may have been posted.
                Err(Refusal::Unavailable) => {
                    let words =
                        "The servers did not answer in time, so this line may or may not have been posted";
                    self.refuse(command, "UNDECIDED", &[target], words);
                }
                Err(refusal) => self.refused(command, &[target], refusal),
            }
        }
    }

    async fn say_to(
        &mut self,
        target: &str,
        text: &str,
        reply_to: Option<LogIndex>,
    ) -> Result<LogIndex, Refusal> {
        let (operations, from, session) = (self.operations(), self.from, &self.session);
        if target.eq_ignore_ascii_case(FEED) {
            return match reply_to {
                Some(to) => operations.reply(from, session, to, text).await,
                None => operations.post(from, session, text).await,
            };
        }
        match target.strip_prefix('#') {
            Some(room) => operations.say(from, session, room, text).await,
            None => operations.send(from, session, target, text).await,
        }
    }

    /// Marks what was shown of a channel as read: a person who says something there has read it.
    pub(super) async fn mark_shown(&mut self, target: &str) {
        let (operations, session) = (self.operations(), &self.session);
        let through = if target.eq_ignore_ascii_case(FEED) {
            self.feed.as_mut()
        } else {
            let name = target.strip_prefix('#').unwrap_or_default().to_ascii_lowercase();
            self.rooms.get_mut(&name).map(|open| &mut open.through)
        };
        let Some(through) = through.filter(|through| through.shown > through.marked) else { return };
        let marked = match target.strip_prefix('#') {
            Some(room) => operations.mark_room(session, room, through.shown).await,
            None => operations.read_feed(session, through.shown).await,
        };
        match marked {
            // A refusal needs no retry: the room is gone.
            Ok(()) | Err(Refusal::Denied(_)) => through.marked = through.shown,
            Err(refusal) => log::debug!("what was shown is not marked as read: {refusal}"),
        }
    }

    /// Marks what was shown of all channels as read, when the client leaves in order.
    pub(super) async fn mark_all_shown(&mut self) {
        let rooms: Vec<String> = self.rooms.keys().map(|name| format!("#{name}")).collect();
        for target in rooms.iter().map(String::as_str).chain([FEED]) {
            self.mark_shown(target).await;
        }
    }
}
