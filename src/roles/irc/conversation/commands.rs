//! The commands of a client that has logged in.

use super::Conversation;
use crate::irc::codec::message::Message;
use crate::irc::registration::capability_replies;
use crate::irc::replies::pong;
use crate::irc::{End, SERVER};
use ribbit_state::text::fold_username;
use smol::Timer;
use smol::future::or;
use std::time::Duration;

/// Time in which a client that leaves marks what it has shown as read.
const LEAVE_DEADLINE: Duration = Duration::from_secs(2);

/// Returns the number of parameters that a command needs. `None` if it is unknown.
fn params_min(command: &str) -> Option<usize> {
    Some(match command {
        "ADMIN" | "AWAY" | "CAP" | "INFO" | "LIST" | "LUSERS" | "MOTD" | "NAMES" | "NICK" | "NOTICE"
        | "PING" | "PONG" | "PRIVMSG" | "QUIT" | "TAGMSG" | "VERSION" | "WHO" => 0,
        "AUTHENTICATE" | "CHATHISTORY" | "ISON" | "JOIN" | "MODE" | "PART" | "PASS" | "TOPIC" | "USER"
        | "USERHOST" | "WHOIS" => 1,
        "INVITE" | "KICK" => 2,
        _ => return None,
    })
}

impl Conversation<'_> {
    /// Serves one line of the client.
    ///
    /// # Errors
    /// The end of the connection: QUIT, or a client that does not read.
    pub(super) async fn serve_line(&mut self, line: &str) -> Result<(), End> {
        let Some(message) = Message::parse(line) else { return Ok(()) };
        let command = message.command.as_str();
        match params_min(command) {
            None => {
                let line = self.reply("421").with(command).text("Unknown command");
                self.out.push(&line);
                return Ok(());
            }
            Some(min) if message.params.len() < min => {
                let line = self.reply("461").with(command).text("Not enough parameters");
                self.out.push(&line);
                return Ok(());
            }
            Some(_) => {}
        }
        match command {
            "PRIVMSG" | "NOTICE" => self.say(&message).await,
            "JOIN" => self.join(&message).await?,
            "PART" => self.part(&message).await,
            "TOPIC" => self.topic(&message).await,
            "NAMES" => self.names(&message).await,
            "LIST" => self.list(&message).await?,
            "WHO" => self.who(&message).await?,
            "WHOIS" => self.whois(&message).await,
            "MODE" => self.mode(&message).await,
            "INVITE" => self.invite(&message).await,
            "KICK" => self.kick(&message).await,
            "CHATHISTORY" => self.chat_history(&message).await,
            "USERHOST" => self.userhost(&message).await,
            "ISON" => self.ison(&message).await,
            "MOTD" => self.message_of_the_day().await,
            "QUIT" => return Err(self.quit().await),
            _ => self.serve_small(&message),
        }
        Ok(())
    }

    /// Serves a command that needs no server.
    fn serve_small(&mut self, message: &Message) {
        match message.command.as_str() {
            "PING" => self.out.push(&pong(message)),
            "CAP" => {
                let reply = capability_replies(&mut self.capabilities, Some(&self.me.username), message);
                reply.iter().for_each(|line| self.out.push(line));
            }
            "NICK" => self.nick(message.param(0).unwrap_or_default()),
            "AWAY" => match message.param(0).is_some_and(|words| !words.is_empty()) {
                true => self.numeric("306", "You are marked as away here; others do not see it"),
                false => self.numeric("305", "You are no longer marked as away"),
            },
            "PASS" | "USER" => self.numeric("462", "You are logged in already"),
            "AUTHENTICATE" => self.numeric("907", "You are logged in already"),
            "VERSION" => {
                let version = concat!("ribbit-", env!("CARGO_PKG_VERSION"));
                let line = self.reply("351").with(version).with(SERVER).text("rooms, messages and croaks");
                self.out.push(&line);
            }
            "LUSERS" => self.numeric("251", "People are not counted here"),
            "ADMIN" | "INFO" => self.numeric("374", "See `ribbit client irc --help`"),
            // Typing notes and the like are not carried; PONG has served its purpose by arriving.
            _ => {}
        }
    }

    /// A nick is a user name and cannot be changed.
    fn nick(&mut self, wanted: &str) {
        if fold_username(wanted).is_ok_and(|wanted| wanted == self.me.username) {
            return;
        }
        let line = self.reply("432").with(wanted);
        self.out.push(&line.text("Your nick is your user name and cannot be changed"));
    }

    /// Appends the announcements as the message of the day.
    pub(super) async fn message_of_the_day(&mut self) {
        let announcements = self.operations().announcements(&self.session).await.unwrap_or_default();
        if announcements.is_empty() {
            return self.numeric("422", "There are no announcements");
        }
        self.numeric("375", &format!("- {SERVER} announcements -"));
        for announcement in &announcements {
            for line in announcement.text.lines() {
                self.numeric("372", &format!("- {line}"));
            }
        }
        self.numeric("376", "End of /MOTD command");
    }

    async fn quit(&mut self) -> End {
        let late = async {
            Timer::after(LEAVE_DEADLINE).await;
        };
        or(self.mark_all_shown(), late).await;
        End::Told("Bye".to_string())
    }
}
