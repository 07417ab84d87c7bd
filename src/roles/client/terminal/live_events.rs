//! Live events on the screen: incoming croaks and messages, new followers, and the delivery status of sent messages.
//!
//! [`LiveFeed`] reports each event once and in order, also across server failures. Messages that arrived in a gap of the event
//! stream are found by reading the unread messages.

use super::client::TerminalClient;
use crate::client::session::live_feed::{FeedUpdate, LiveFeed};
use crate::client::session::request_error::RequestError;
use ribbit_net::protocol::LapseReason;
use ribbit_state::query::{FeedCroak, TalkPartner};
use ribbit_state::{AccountId, Code, Denied, EventKind, LogIndex, Page, Query};
use std::cell::Cell;
use std::time::Duration;

/// Pause before a failed read is repeated.
const PAUSE: Duration = Duration::from_secs(1);

impl TerminalClient {
    /// Shows everything after the log index `from`; returns only on an error.
    ///
    /// # Errors
    /// `NotLoggedIn` (609) when the session is over; unreachable when no server answers.
    pub(crate) async fn follow(&self, from: LogIndex) -> Result<(), RequestError> {
        // A script gets incoming events only while live chat is on.
        while !self.screen.is_terminal() && !self.is_live() {
            self.live_changed.listen().await;
        }
        let last_message = Cell::new(from);
        let mut live = LiveFeed::start(&self.user, from).await?;
        loop {
            let update = match live.next().await {
                Err(error) if error.is_transient() => {
                    smol::Timer::after(PAUSE).await;
                    continue;
                }
                update => update?,
            };
            match update {
                FeedUpdate::Nothing => {}
                FeedUpdate::Croaks(croaks) => {
                    for croak in croaks {
                        self.show_croak(&croak).await;
                    }
                }
                FeedUpdate::Happened(event) => {
                    self.show_event(event.index, &event.what, &last_message).await?;
                    if !event.notified.is_empty() {
                        self.show_notice_of(event.index).await?;
                    }
                }
                FeedUpdate::Missed(LapseReason::OtherHistory) => {
                    last_message.set(self.user.seen_index());
                    let words = "(the servers were restored from a backup; `/feed` and `/unread` show what is there now)";
                    self.screen.note(words).await;
                }
                FeedUpdate::Missed(_) => {
                    // Messages that cannot be read now stay unread, so they are not lost.
                    self.show_room_news().await.or_else(|error| match error.is_transient() {
                        true => Ok(()),
                        false => Err(error),
                    })?;
                    match self.show_missed_messages(&last_message).await {
                        Err(error) if error.is_transient() => {
                            self.screen.note(format!("(you may have new messages: {error})")).await;
                        }
                        done => done?,
                    }
                }
            }
        }
    }

    /// Repeats a read while the reached servers cannot answer, because an event is reported only once.
    pub(crate) async fn read_patiently(&self, query: Query) -> Result<Page, RequestError> {
        loop {
            match self.user.read(query.clone()).await {
                Err(error) if error.is_transient() => {}
                read => return Ok(read?.value),
            }
            smol::Timer::after(PAUSE).await;
        }
    }

    async fn show_croak(&self, croak: &FeedCroak) {
        if self.recently_shown.contains(croak.cursor(), croak.author.account == self.me.account).await {
            return;
        }
        self.recently_shown.insert(croak.cursor());
        self.names.remember(&croak.author.username);
        if self.screen.shown(ribbit_ui::lines::croak(croak, self.style)).await {
            self.marks.mark_feed_shown(croak.cursor());
        }
    }

    async fn show_event(
        &self,
        index: LogIndex,
        what: &EventKind,
        last_message: &Cell<LogIndex>,
    ) -> Result<(), RequestError> {
        let me = self.me.account;
        match what {
            EventKind::Messaged { .. } if index <= last_message.get() => Ok(()),
            EventKind::Messaged { from, .. } => {
                if !self.recently_shown.contains(index, *from == me).await {
                    self.show_message_of(index).await?;
                }
                last_message.set(index);
                Ok(())
            }
            EventKind::Announced => self.show_announcement_of(index).await,
            EventKind::RoomSaid { .. }
            | EventKind::RoomLeft { .. }
            | EventKind::RoomClosed { .. }
            | EventKind::RoomMessageRemoved { .. } => self.show_room_event(index, what).await,
            EventKind::Marked { account, with } if *with == me => self.report_delivery(*account).await,
            EventKind::FriendAdded { account, friend } if *friend == me => self.show_follower(*account).await,
            _ => Ok(()),
        }
    }

    async fn show_message_of(&self, id: LogIndex) -> Result<(), RequestError> {
        let what = match self.read_patiently(Query::Message { session: self.token()?, id }).await {
            Ok(what) => what,
            // The message is gone when both sides have deleted it with their accounts or their last conversation.
            Err(RequestError::Denied(Denied { code: Code::NoSuchMessage, .. })) => return Ok(()),
            Err(error) => return Err(error),
        };
        if let Page::Message { with, with_account, message } = what {
            if let Some(with) = &with {
                self.names.remember(&with.username);
            }
            self.show_message(with_account, with.as_ref(), &message).await;
        }
        Ok(())
    }

    async fn show_follower(&self, account: AccountId) -> Result<(), RequestError> {
        let with = TalkPartner::Account(account);
        let query = Query::Talk { session: self.token()?, with, before: None, limit: 1 };
        match self.read_patiently(query).await {
            Ok(Page::Talk(talk)) => {
                if let Some(person) = &talk.with {
                    self.names.remember(&person.username);
                    self.screen.show(format!("@{} now follows you", person.username)).await;
                }
                Ok(())
            }
            // The new follower has deleted the account meanwhile.
            Err(RequestError::Denied(Denied { code: Code::NoSuchUser, .. })) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Shows the unread messages after `last_message` that no event reported.
    async fn show_missed_messages(&self, last_message: &Cell<LogIndex>) -> Result<(), RequestError> {
        for waiting in self.user.unread_messages().await? {
            let (message, with) = (waiting.message, waiting.talk.with.as_ref());
            if message.id > last_message.get() {
                if !self.recently_shown.contains(message.id, false).await {
                    self.show_message(waiting.talk.with_account, with, &message).await;
                }
                last_message.set(message.id);
            }
        }
        Ok(())
    }
}
