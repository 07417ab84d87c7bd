//! Delivery and read marks of the terminal client.
//!
//! - A message is delivered once it was printed on the screen.
//! - A message is read once its conversation was opened with `/dm NAME`, or answered while all unread messages were on the
//!   screen.
//! - The feed is read up to the newest croak that was on the screen when the next line was typed.
//!
//! [`ReadMarks`] only collects; [`super::messages`] writes the marks to the servers.

use event_listener::{Event, EventListener};
use ribbit_state::query::DeliveryStatus;
use ribbit_state::{AccountId, LogIndex};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of shown messages remembered per sender. With more unread messages than this, only `/dm NAME` marks them as
/// read.
const SHOWN_MAX: usize = 256;
/// Maximum number of conversations in which the delivery status of sent messages is reported.
const SENT_MAX: usize = 64;

/// Marks of conversations: delivered through, read through.
type ConversationMarks = BTreeMap<AccountId, (LogIndex, LogIndex)>;

/// Delivery and read marks of this terminal.
#[derive(Default)]
pub(crate) struct ReadMarks {
    /// Marks not yet written.
    unwritten: RefCell<ConversationMarks>,
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
    pub(super) fn mark_feed_shown(&self, croak: LogIndex) {
        self.feed_shown.set(self.feed_shown.get().max(croak));
    }

    /// Records that the user typed a line, which marks the croaks on the screen as read.
    pub(super) fn line_typed(&self) {
        if self.feed_shown.get() > self.feed_read.get() {
            self.feed_read.set(self.feed_shown.get());
            self.due.notify(usize::MAX);
        }
    }

    /// Records that the servers have the read mark of the feed up to `croak`.
    pub(super) fn mark_feed_written(&self, croak: LogIndex) {
        self.feed_written.set(croak);
    }

    /// Marks the conversation with an account as delivered and read up to the given messages.
    pub(super) fn mark(&self, with: AccountId, delivered: LogIndex, read: LogIndex) {
        let mut unwritten = self.unwritten.borrow_mut();
        let mark = unwritten.entry(with).or_default();
        *mark = (mark.0.max(delivered), mark.1.max(read));
        self.due.notify(usize::MAX);
    }

    /// Records that a received message is on the screen, which marks it as delivered.
    pub(super) fn mark_shown(&self, with: AccountId, message: LogIndex) {
        let mut shown = self.shown.borrow_mut();
        let ids = shown.entry(with).or_default();
        ids.insert(message);
        if ids.len() > SHOWN_MAX {
            ids.pop_first();
        }
        self.mark(with, message, 0);
    }

    /// Records a reply. It marks the conversation as read if all `unread` messages after `read_through` are on the screen.
    pub(super) fn mark_answered(&self, with: AccountId, read_through: LogIndex, unread: u32) {
        let newest = {
            let shown = self.shown.borrow();
            let Some(ids) = shown.get(&with).map(|ids| ids.range(read_through + 1..)) else { return };
            if u32::try_from(ids.clone().count()) != Ok(unread) {
                return;
            }
            ids.max().copied()
        };
        if let Some(newest) = newest {
            self.mark(with, newest, newest);
        }
    }

    /// Records the newest message that was sent to an account.
    pub(super) fn record_sent(&self, with: AccountId, message: LogIndex) {
        let mut sent = self.sent.borrow_mut();
        if sent.len() < SENT_MAX || sent.contains_key(&with) {
            sent.insert(with, (message, DeliveryStatus::Saved));
        }
    }

    /// Records the delivery status that was reported for a sent message.
    pub(super) fn record_reported(&self, with: AccountId, message: LogIndex, status: DeliveryStatus) {
        self.sent.borrow_mut().insert(with, (message, status));
    }

    /// Returns the newest message sent to an account, and its last reported delivery status.
    pub(super) fn sent_to(&self, with: AccountId) -> Option<(LogIndex, DeliveryStatus)> {
        self.sent.borrow().get(&with).copied()
    }

    /// Completes when a new mark is due.
    pub(super) fn due(&self) -> EventListener {
        self.due.listen()
    }

    /// Returns true if there is a mark to write.
    pub(super) fn is_due(&self) -> bool {
        !self.unwritten.borrow().is_empty() || self.feed_read.get() > self.feed_written.get()
    }

    /// Takes the marks to write: those of conversations, and the one of the feed.
    pub(super) fn take(&self) -> (ConversationMarks, Option<LogIndex>) {
        let feed = (self.feed_read.get() > self.feed_written.get()).then(|| self.feed_read.get());
        (std::mem::take(&mut *self.unwritten.borrow_mut()), feed)
    }
}
