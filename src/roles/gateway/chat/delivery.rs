//! Messages that wait for a person: handed out in their order, each once.
//!
//! ```text
//!   news ──▶ read what waits behind the last one ──▶ one write ──▶ after MARK_DELAY, if the client still lives: marked as read
//! ```
//!
//! A message waits until it is marked, also over a stop of everything. Marking comes a moment after the write: a connection
//! whose client vanished before the write is reset within that time, and its messages wait for the next connection.

use super::codec::{Reply, Status};
use crate::common::service::connection::Connection;
use crate::gateway::operations::GatewayOperations;
use crate::operations::live::{LiveEvents, News};
use crate::operations::messages::Waiting;
use crate::operations::{Refusal, Session};
use ribbit_state::LogIndex;
use rustix::net::sockopt::socket_error;
use smol::Timer;
use smol::future::or;
use std::io;
use std::time::{Duration, Instant};

/// Time after which a message that was written counts as read.
const MARK_DELAY: Duration = Duration::from_millis(20);
/// Time in which the reset of a connection arrives whose client was gone before the last write.
const RESET_DELAY: Duration = Duration::from_millis(5);
/// Pause before reading or marking is tried again when the servers did not decide it.
const AGAIN_PAUSE: Duration = Duration::from_secs(1);

/// Delivery to one person on one connection.
#[derive(Debug)]
pub(super) struct Delivery {
    live: LiveEvents,
    /// Newest message that was written.
    after: Option<LogIndex>,
    /// Messages that were written and not marked yet.
    unmarked: Vec<Waiting>,
    mark_at: Option<Instant>,
    /// Time at which reading is tried again.
    read_at: Option<Instant>,
}

/// Something to do for the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    HandOut,
    Mark,
    /// The session has ended, for example because the account was deleted.
    Ended,
}

/// Reason why waiting messages were not handed out.
#[derive(Debug)]
pub(super) enum NotHandedOut {
    Refused(Refusal),
    Lost(io::Error),
}

impl Delivery {
    /// Begins with everything that waits.
    pub(super) async fn begin(
        operations: &GatewayOperations,
        session: &Session,
    ) -> Result<Delivery, Refusal> {
        let live = operations.live(session).await?;
        Ok(Delivery { live, after: None, unmarked: Vec::new(), mark_at: None, read_at: None })
    }

    /// Waits until there is something to do. Cancel safe.
    pub(super) async fn due(&mut self, operations: &GatewayOperations) -> Due {
        let (mark_at, read_at) = (self.mark_at, self.read_at);
        let news = async {
            loop {
                match operations.news(&mut self.live).await {
                    News::Messages | News::Anything => return Due::HandOut,
                    News::Croaks => {}
                    News::Ended => return Due::Ended,
                }
            }
        };
        or(at(mark_at, Due::Mark), or(at(read_at, Due::HandOut), news)).await
    }

    /// Writes what waits, behind `first` and before a note on their number if `note` is set.
    ///
    /// # Errors
    /// [`NotHandedOut::Refused`] if it cannot be read, in which case `first` was not written unless other messages were.
    /// [`NotHandedOut::Lost`] if the connection does not take it.
    pub(super) async fn hand_out(
        &mut self,
        operations: &GatewayOperations,
        session: &Session,
        connection: &mut Connection,
        first: Vec<u8>,
        note: bool,
    ) -> Result<(), NotHandedOut> {
        let (mut bytes, mut count) = (first, 0);
        self.read_at = None;
        loop {
            let read = operations.waiting_after(session, self.after).await;
            let (messages, more) = match read {
                Ok(read) => read,
                Err(refusal) => {
                    self.read_at = Some(Instant::now() + AGAIN_PAUSE);
                    return Err(NotHandedOut::Refused(refusal));
                }
            };
            count += messages.len();
            for Waiting { from, deleted, text, .. } in &messages {
                let chat = Reply::Chat { sender: from.clone(), deleted: *deleted, text: text.clone() };
                bytes.extend(chat.encode());
            }
            if note && !more {
                bytes.extend(note_of(count).encode());
            }
            if !bytes.is_empty() {
                connection.send(&bytes).await.map_err(NotHandedOut::Lost)?;
                bytes.clear();
            }
            if let Some(newest) = messages.last() {
                self.after = Some(newest.id);
                self.unmarked.extend(messages);
                self.mark_at.get_or_insert_with(|| Instant::now() + MARK_DELAY);
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Marks what was written as read.
    pub(super) async fn mark(&mut self, operations: &GatewayOperations, session: &Session) {
        self.mark_at = None;
        match operations.handed_out(session, &self.unmarked).await {
            Ok(()) => self.unmarked.clear(),
            Err(refusal) => {
                log::debug!("messages are not marked yet: {refusal}");
                self.mark_at = Some(Instant::now() + AGAIN_PAUSE);
            }
        }
    }

    /// Marks what the client has received before it closed the connection.
    pub(super) async fn end(
        mut self,
        operations: &GatewayOperations,
        session: &Session,
        connection: &Connection,
    ) {
        if self.unmarked.is_empty() {
            return;
        }
        Timer::after(RESET_DELAY).await;
        if socket_error(&connection.stream).is_ok_and(|error| error.is_ok()) {
            self.mark(operations, session).await;
        }
    }
}

async fn at(time: Option<Instant>, due: Due) -> Due {
    match time {
        Some(time) => {
            Timer::at(time).await;
            due
        }
        None => smol::future::pending().await,
    }
}

fn note_of(count: usize) -> Reply {
    let text = match count {
        0 => "No new messages since you've been gone.".to_string(),
        count => format!("You have {count} missed messages above."),
    };
    Reply::Server { status: Status::Note, text }
}
