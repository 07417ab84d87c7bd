//! Direct messages in the terminal client, and the read marks that it writes.
//!
//! - A message is delivered once it was printed on the screen.
//! - A message is read once its conversation was opened with `/dm NAME`, or answered while all unread messages were on the
//!   screen.
//! - The feed is read up to the newest croak that was on the screen when the next line was typed.
//!
//! Marks are collected for a moment and written in one batch.

use super::client::{CommandError, TerminalClient};
use super::formatting;
use crate::client::session::request_error::RequestError;
use event_listener::Event;
use ribbit_state::limits::{MESSAGE_CHARS_MAX, TALK_PAGE_MAX, UNREAD_CROAKS_MAX};
use ribbit_state::query::{Person, TalkPartner};
use ribbit_state::talks::{DeliveryStatus, TalkMessage};
use ribbit_state::text::{check_message, croak_chars};
use ribbit_state::{AccountId, Code, Command, Denied, LogIndex, MessageCommand, Page, Query, Reply};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Time during which marks are collected before they are written.
const GATHER: Duration = Duration::from_millis(300);
/// Maximum number of shown messages remembered per sender. With more unread messages than this, only `/dm NAME` marks them as
/// read.
const SHOWN_MAX: usize = 256;
/// Maximum number of conversations in which the delivery status of sent messages is reported.
const SENT_MAX: usize = 64;

/// Read and delivery marks of this terminal.
#[derive(Default)]
pub(crate) struct ReadMarks {
    /// Marks not yet written, per conversation: delivered through, read through.
    talks: RefCell<BTreeMap<AccountId, (LogIndex, LogIndex)>>,
    /// Newest croak printed on the screen.
    feed_shown: Cell<LogIndex>,
    /// Newest croak considered read.
    feed_read: Cell<LogIndex>,
    /// Newest croak whose read mark the servers have.
    feed_written: Cell<LogIndex>,
    /// Notified when there is a mark to write.
    due: Event,
    /// Received messages that were printed on this screen, per sender.
    shown: RefCell<BTreeMap<AccountId, BTreeSet<LogIndex>>>,
    /// Newest message sent from here, per recipient, and its last reported delivery status.
    sent: RefCell<BTreeMap<AccountId, (LogIndex, DeliveryStatus)>>,
}

impl ReadMarks {
    /// Records that the croaks up to `croak` are on the screen.
    pub(crate) fn mark_feed_shown(&self, croak: LogIndex) {
        self.feed_shown.set(self.feed_shown.get().max(croak));
    }

    /// Records that the user typed a line, which marks the croaks on the screen as read.
    pub(crate) fn line_typed(&self) {
        if self.feed_shown.get() > self.feed_read.get() {
            self.feed_read.set(self.feed_shown.get());
            self.due.notify(usize::MAX);
        }
    }

    fn mark(&self, with: AccountId, delivered: LogIndex, read: LogIndex) {
        let mut talks = self.talks.borrow_mut();
        let mark = talks.entry(with).or_default();
        *mark = (mark.0.max(delivered), mark.1.max(read));
        self.due.notify(usize::MAX);
    }

    fn take(&self) -> (BTreeMap<AccountId, (LogIndex, LogIndex)>, Option<LogIndex>) {
        let feed = (self.feed_read.get() > self.feed_written.get()).then(|| self.feed_read.get());
        (std::mem::take(&mut *self.talks.borrow_mut()), feed)
    }

    fn is_due(&self) -> bool {
        !self.talks.borrow().is_empty() || self.feed_read.get() > self.feed_written.get()
    }
}

impl TerminalClient {
    /// Writes marks as they become due; returns only on an error.
    ///
    /// # Errors
    /// The [`RequestError`] of a write when no server can be reached or the session is over.
    pub(crate) async fn write_marks_as_due(&self) -> Result<(), RequestError> {
        loop {
            let due = self.marks.due.listen();
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
        if let Some(through) = feed {
            match self.user.write(Command::Message(MessageCommand::ReadFeed { session, through })).await {
                Err(error) if error.is_unanswered() => return Err(error),
                _ => self.marks.feed_written.set(through),
            }
        }
        Ok(())
    }

    /// Sends a message. [`TerminalClient::tell_fate`] reports its delivery status later.
    pub(crate) async fn send(&self, name: &str, text: &str) -> Result<(), CommandError> {
        if let Err(Denied { code: Code::MessageTooLong, .. }) = check_message(text) {
            let chars = croak_chars(text);
            let words =
                format!("not sent: your message has {chars} characters, the limit is {MESSAGE_CHARS_MAX}");
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
            self.remember_sent(talk.with_account, message);
            let shown = self.marks.shown.borrow();
            let unread = shown.get(&talk.with_account).map(|ids| ids.range(talk.read_through + 1..));
            if let Some(unread) = unread
                && let (count, Some(newest)) = (unread.clone().count(), unread.max())
                && u32::try_from(count) == Ok(talk.waiting)
            {
                self.marks.mark(talk.with_account, *newest, *newest);
            }
        }
        Ok(())
    }

    fn remember_sent(&self, with: AccountId, message: LogIndex) {
        let mut sent = self.marks.sent.borrow_mut();
        if sent.len() < SENT_MAX || sent.contains_key(&with) {
            sent.insert(with, (message, DeliveryStatus::Saved));
        }
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
            let mut shown = self.marks.shown.borrow_mut();
            let ids = shown.entry(with).or_default();
            ids.insert(message.id);
            if ids.len() > SHOWN_MAX {
                ids.pop_first();
            }
            self.marks.mark(with, message.id, 0);
        }
    }

    /// Reports the new delivery status of the last message that was sent to `with` from here.
    pub(crate) async fn report_delivery(&self, with: AccountId) -> Result<(), RequestError> {
        let Some((message, before)) = self.marks.sent.borrow().get(&with).copied() else { return Ok(()) };
        let query = Query::Message { session: self.token()?, id: message };
        let Page::Message { with: who, message: TalkMessage { status, .. }, .. } =
            self.read_patiently(query).await?
        else {
            return Ok(());
        };
        if status != before {
            self.marks.sent.borrow_mut().insert(with, (message, status));
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

    /// Shows the unread messages and croaks. With `asked`, also reports that there are none.
    pub(crate) async fn show_unread(&self, asked: bool) -> Result<(), RequestError> {
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
        if unread.croaks > 0 {
            let more = if unread.croaks == UNREAD_CROAKS_MAX { " or more" } else { "" };
            shown.push(format!("{}{more}: `/feed`", formatting::count(unread.croaks, "new croak")));
        }
        if asked && shown.is_empty() {
            shown.push("nothing unread".to_string());
        }
        if !shown.is_empty() {
            self.screen.show(shown.join("\n")).await;
        }
        Ok(())
    }
}
