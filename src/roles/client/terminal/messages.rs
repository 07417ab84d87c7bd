//! Direct messages in the terminal client: commands, delivery reports, and writing the read marks in batches.

use super::client::{CommandError, TerminalClient};
use super::formatting;
use crate::client::session::request_error::RequestError;
use ribbit_state::limits::{MESSAGE_CHARS_MAX, TALK_PAGE_MAX, UNREAD_CROAKS_MAX};
use ribbit_state::query::{DeliveryStatus, TalkMessage};
use ribbit_state::query::{Person, TalkPartner};
use ribbit_state::text::check_message;
use ribbit_state::{AccountId, Code, Command, Denied, MessageCommand, Page, Query, Reply};
use ribbit_ui::length::TextLength;
use std::time::Duration;

/// Time during which marks are collected before they are written.
const GATHER: Duration = Duration::from_millis(300);

impl TerminalClient {
    /// Writes marks as they become due; returns only on an error.
    ///
    /// # Errors
    /// The [`RequestError`] of a write when no server can be reached or the session is over.
    pub(crate) async fn write_marks_as_due(&self) -> Result<(), RequestError> {
        loop {
            let due = self.marks.due();
            if !self.marks.is_due() {
                due.await;
            }
            smol::Timer::after(GATHER).await;
            match self.write_marks().await {
                // The marks remain due, so the next round retries.
                Err(error) if error.is_transient() => {}
                done => done?,
            }
        }
    }

    /// Writes the marks that are due.
    ///
    /// # Errors
    /// The [`RequestError`] of a write that no server decided; its marks remain due. `NotLoggedIn` without a session.
    pub(crate) async fn write_marks(&self) -> Result<(), RequestError> {
        let session = self.token()?;
        let (talks, feed) = self.marks.take();
        for (with, (delivered_through, read_through)) in talks {
            let mark = MessageCommand::Mark { session, with, delivered_through, read_through };
            match self.user.write(Command::Message(mark)).await {
                Err(error) if error.is_unanswered() => {
                    self.marks.mark(with, delivered_through, read_through);
                    return Err(error);
                }
                // A refusal needs no retry: the other account may have been deleted.
                _ => {}
            }
        }
        self.mark_room().await?;
        if let Some(through) = feed {
            match self.user.write(Command::Message(MessageCommand::ReadFeed { session, through })).await {
                Err(error) if error.is_unanswered() => return Err(error),
                _ => self.marks.mark_feed_written(through),
            }
        }
        Ok(())
    }

    /// Sends a message. [`TerminalClient::tell_fate`] reports its delivery status later.
    pub(crate) async fn send(&self, name: &str, text: &str) -> Result<(), CommandError> {
        if let Err(Denied { code: Code::MessageTooLong, .. }) = check_message(text) {
            let length = TextLength::of(text);
            let words = format!("not sent: your message has {length}, the limit is {MESSAGE_CHARS_MAX}");
            return Err(self.too_long(words));
        }
        let session = self.token()?;
        let username = ribbit_state::text::fold_username(name)?;
        let send = MessageCommand::Send { session, username: username.clone(), text: text.to_string() };
        let sending = self.user.write(Command::Message(send));
        let id = |written: &Result<Reply, RequestError>| match written {
            Ok(Reply::Sent { message }) => Some(*message),
            _ => None,
        };
        let written = self.recently_shown.while_writing(sending, id).await;
        let message = id(&written);
        written?;
        self.names.remember(&username);
        self.screen.show(format!("to @{username}: {}", ribbit_ui::lines::fate(DeliveryStatus::Saved))).await;
        let Some(message) = message else { return Ok(()) };
        // A reply marks the conversation as read if every unread message was on this screen.
        if let Ok(talk) = self.user.conversation(TalkPartner::Named(username), None, 1).await {
            self.marks.record_sent(talk.with_account, message);
            self.marks.mark_answered(talk.with_account, talk.read_through, talk.waiting);
        }
        Ok(())
    }

    /// Shows a conversation and marks it as read.
    pub(crate) async fn show_conversation(&self, name: &str) -> Result<(), RequestError> {
        let talk = self.user.conversation(TalkPartner::Named(name.to_string()), None, TALK_PAGE_MAX).await?;
        let with = ribbit_ui::lines::name_of(talk.with.as_ref());
        let Some(newest) = talk.messages.first().map(|message| message.id) else {
            self.screen
                .show(format!(
                    "no messages with {with} yet; `/dm {} TEXT` sends the first",
                    formatting::name(name)
                ))
                .await;
            return Ok(());
        };
        let mut shown = Vec::with_capacity(talk.messages.len() + 1);
        if talk.older.is_some() {
            shown.push(format!(
                "  (the latest {} messages; the web pages show older ones)",
                talk.messages.len()
            ));
        }
        for message in talk.messages.iter().rev() {
            self.recently_shown.insert(message.id);
            shown.push(ribbit_ui::lines::message(message, talk.with.as_ref(), &self.me, self.style));
        }
        if self.screen.shown(shown.join("\n")).await && talk.waiting > 0 {
            self.marks.mark(talk.with_account, newest, newest);
        }
        Ok(())
    }

    /// Shows an incoming message and marks it as delivered once it is on the screen.
    pub(crate) async fn show_message(&self, with: AccountId, who: Option<&Person>, message: &TalkMessage) {
        self.recently_shown.insert(message.id);
        if self.screen.shown(ribbit_ui::lines::message(message, who, &self.me, self.style)).await
            && !message.mine
        {
            self.marks.mark_shown(with, message.id);
        }
    }

    /// Reports the new delivery status of the last message that was sent to `with` from here.
    pub(crate) async fn report_delivery(&self, with: AccountId) -> Result<(), RequestError> {
        let Some((message, before)) = self.marks.sent_to(with) else { return Ok(()) };
        let query = Query::Message { session: self.token()?, id: message };
        let Page::Message { with: who, message: TalkMessage { status, .. }, .. } =
            self.read_patiently(query).await?
        else {
            return Ok(());
        };
        if status != before {
            self.marks.record_reported(with, message, status);
            self.screen
                .show(format!(
                    "to {}: {}",
                    ribbit_ui::lines::name_of(who.as_ref()),
                    ribbit_ui::lines::fate(status)
                ))
                .await;
        }
        Ok(())
    }

    /// Shows the unread messages and croaks. With `always`, also reports that there are none.
    pub(crate) async fn show_unread(&self, always: bool) -> Result<(), RequestError> {
        let unread = self.user.unread().await?;
        let mut shown = Vec::new();
        if unread.messages > 0 {
            let (talks, _) = self.user.conversations(None).await?;
            for talk in talks.iter().filter(|talk| talk.waiting > 0) {
                let who = ribbit_ui::lines::name_of(talk.with.as_ref());
                let name = talk.with.as_ref().map_or("NAME", |with| with.username.as_str());
                self.names.remember(name);
                shown.push(format!(
                    "{} from {who}: `/dm {name}`",
                    formatting::count(talk.waiting, "unread message")
                ));
            }
        }
        let (rooms, invitations) = self.user.rooms().await?;
        for one in rooms.iter().filter(|one| one.unread > 0) {
            let count = ribbit_ui::rooms::unread_words(one.unread);
            let messages = if one.unread == 1 { "message" } else { "messages" };
            shown.push(format!("{count} unread {messages} in #{}: `/join {}`", one.room.name, one.room.name));
        }
        for one in &invitations {
            let (by, name) = (ribbit_ui::lines::name_of(one.by.as_ref()), &one.room.name);
            shown.push(format!("{by} invited you to #{name}: `/join {name}`, or `/leave {name}` to decline"));
        }
        if unread.croaks > 0 {
            let more = if unread.croaks == UNREAD_CROAKS_MAX { " or more" } else { "" };
            shown.push(format!("{}{more}: `/feed`", formatting::count(unread.croaks, "new croak")));
        }
        if always && shown.is_empty() {
            shown.push("nothing unread".to_string());
        }
        if !shown.is_empty() {
            self.screen.show(shown.join("\n")).await;
        }
        Ok(())
    }
}
