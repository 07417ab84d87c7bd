//! The client's side of a subscription: follows the events of the cluster, with failover between servers.
//!
//! ```text
//!              ┌─ open a connection to the next server, Subscribe { cursor } ◀── unreachable: pause
//!   task ──────┼─ Live: batches into a bounded queue, the cursor advances
//!              ├─ lost, silent for LIVE_SILENCE, or Unavailable ──▶ next server, from the cursor
//!              └─ Lapsed, Refused: the last message
//! ```
//!
//! The cursor advances with the received events, and every server sends the same events behind a cursor. So events arrive in
//! order, none is missed and none arrives twice, no matter which servers fail. If a server cannot continue from the cursor,
//! the subscription reports [`SubscriptionMessage::ReadAgain`]: its reader reads its view again and continues from there
//! ([`Subscription::resume`]).
//!
//! A slow reader causes back pressure: the queue fills, then the connection, until the server closes it. Then it is opened
//! again. A subscription never gives up.
//!
//! Not here: reading the view again (the caller).

use super::backoff::Backoff;
use super::channel::Channel;
use super::discovery::Target;
use super::frame::{self, FrameError, Plane};
use super::handshake;
use super::keys::Keys;
use super::limits::{
    FRAME_BYTES_MAX, LIVE_PIECES_MAX, LIVE_READ_BYTES, LIVE_SILENCE, RETRY_PAUSE_MAX, RETRY_PAUSE_MIN,
};
use super::oneshot::ask_status;
use super::protocol::{Answer, AnswerFrame, Ask, AskFrame, LapseReason};
use super::tasks;
use ribbit_state::{Denied, Event, Token, Topic};
use smol::channel::{self, Receiver, Sender};
use std::collections::VecDeque;
use std::sync::Arc;

/// Tag of the only request on a connection.
const TAG: u32 = 1;

/// Message of a subscription to its reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionMessage {
    Event(Event),
    /// There is no matching event up to the new cursor.
    Heartbeat,
    /// Events behind the cursor are missing. The reader reads its view again, at least as new as `at_least`, and continues
    /// with [`Subscription::resume`]. Until then there are no further events.
    ReadAgain {
        at_least: Token,
        why: LapseReason,
    },
    /// The session has ended. There are no further events.
    Ended(Denied),
}

/// Subscription to events.
#[derive(Debug)]
pub struct Subscription {
    target: Arc<Target>,
    wanted: Topic,
    /// Position up to which the reader has taken the events.
    cursor: Token,
    /// Events of the last batch that the reader has not taken yet.
    waiting: VecDeque<Event>,
    /// Cursor behind the last batch.
    batch_cursor: Token,
    /// Last message, after which there is none.
    last_message: Option<SubscriptionMessage>,
    /// Queue of the task that follows the servers, and the task.
    queue: Option<(Receiver<QueueItem>, smol::Task<()>)>,
}

/// Item in the queue of a subscription.
#[derive(Debug)]
enum QueueItem {
    /// Batch of events, with the cursor behind it.
    Live(Token, Vec<Event>),
    /// Last message.
    Last(SubscriptionMessage),
}

impl Subscription {
    /// Creates a subscription behind this cursor. It connects with the first call of [`Subscription::next`].
    pub(super) fn new(target: Arc<Target>, cursor: Token, wanted: Topic) -> Subscription {
        let (waiting, last_message, queue) = (VecDeque::new(), None, None);
        Subscription { target, wanted, cursor, waiting, batch_cursor: cursor, last_message, queue }
    }

    /// Returns the position up to which the reader has taken the events.
    pub fn cursor(&self) -> Token {
        self.cursor
    }

    /// Continues from another position, after the reader has read its view again.
    pub fn resume(&mut self, cursor: Token) {
        *self = Subscription::new(self.target.clone(), cursor, self.wanted.clone());
    }

    /// Waits for the next message. The future may be dropped at any time without losing one.
    pub async fn next(&mut self) -> SubscriptionMessage {
        if let Some(event) = self.waiting.pop_front() {
            self.cursor = if self.waiting.is_empty() { self.batch_cursor } else { self.at(&event) };
            return SubscriptionMessage::Event(event);
        }
        if let Some(last) = &self.last_message {
            return last.clone();
        }
        let (target, cursor, wanted) = (&self.target, self.cursor, &self.wanted);
        let (queue, _) = self.queue.get_or_insert_with(|| {
            let (sender, receiver) = channel::bounded(LIVE_PIECES_MAX);
            (receiver, tasks::spawn(follow(target.clone(), cursor, wanted.clone(), sender)))
        });
        match queue.recv().await {
            Ok(QueueItem::Live(cursor, events)) => {
                self.batch_cursor = cursor;
                self.waiting = events.into();
                match self.waiting.pop_front() {
                    Some(event) => {
                        self.cursor = if self.waiting.is_empty() { cursor } else { self.at(&event) };
                        SubscriptionMessage::Event(event)
                    }
                    None => {
                        self.cursor = cursor;
                        SubscriptionMessage::Heartbeat
                    }
                }
            }
            Ok(QueueItem::Last(news)) => {
                (self.last_message, self.queue) = (Some(news.clone()), None);
                news
            }
            // The task ends only after the last message. A new task continues from the cursor.
            Err(_) => {
                self.queue = None;
                SubscriptionMessage::Heartbeat
            }
        }
    }

    /// Returns the position of an event.
    fn at(&self, event: &Event) -> Token {
        Token { index: event.index, ..self.batch_cursor }
    }
}

/// Follows one server after another until there is a last message or the subscription is dropped.
async fn follow(target: Arc<Target>, mut cursor: Token, wanted: Topic, queue: Sender<QueueItem>) {
    let mut backoff = Backoff::new(RETRY_PAUSE_MIN, RETRY_PAUSE_MAX);
    let mut next = target.servers.random_start();
    loop {
        let Some((server, learned)) = target.servers.get(next) else { return smol::future::pending().await };
        let mut served = false;
        let followed = async {
            // A learned address may lead to any process, so its server is verified.
            if learned && !is_of_cluster(&target, &server).await? {
                return Ok(None);
            }
            follow_one(&server, &target.keys, &mut cursor, &mut served, &wanted, &queue).await
        };
        match followed.await {
            Ok(Some(last)) => {
                // Sending fails when the subscription has been dropped.
                let _ = queue.send(QueueItem::Last(last)).await;
                return;
            }
            Ok(None) => log::debug!("{server} does not serve subscriptions now"),
            Err(error) => log::debug!("the subscription on {server} ended: {error}"),
        }
        // After a server that has sent events, the next one is tried at once. Otherwise there is a pause.
        next =
            if served && target.discovers() { target.servers.random_start() } else { next.wrapping_add(1) };
        if served {
            backoff.reset();
        } else {
            backoff.wait().await;
        }
    }
}

/// Returns true if this server belongs to the cluster of the subscription.
async fn is_of_cluster(target: &Target, server: &str) -> Result<bool, FrameError> {
    let status = ask_status(server, Plane::Client, &target.keys).await?;
    Ok(target.learn(server, &status))
}

/// Returns the plane for these events: those of the namespace are for operators only.
fn plane_of(wanted: &Topic) -> Plane {
    match wanted {
        Topic::Feed { .. } => Plane::Client,
        Topic::Tree { .. } => Plane::Control,
    }
}

/// Follows one server. Returns the last message of the subscription, or `None` to try another server.
async fn follow_one(
    server: &str,
    keys: &Keys,
    cursor: &mut Token,
    served: &mut bool,
    wanted: &Topic,
    queue: &Sender<QueueItem>,
) -> Result<Option<SubscriptionMessage>, FrameError> {
    let channel = handshake::connect(server, plane_of(wanted), keys).await?;
    let Channel { mut reader, mut writer } = channel;
    reader.read_ahead(LIVE_READ_BYTES);
    let ask = Ask::Subscribe { cursor: *cursor, wanted: wanted.clone() };
    frame::write(&mut writer, &AskFrame { tag: TAG, deadline_ms: 0, ask }).await?;
    loop {
        let said = frame::with_timeout(LIVE_SILENCE, frame::read(&mut reader, FRAME_BYTES_MAX)).await?;
        let AnswerFrame { tag: TAG, answer } = said else { return Err(FrameError::Malformed) };
        match answer {
            Answer::Live { cursor: behind, events } => {
                if !continues(*cursor, &events, behind) {
                    return Err(FrameError::Malformed);
                }
                (*cursor, *served) = (behind, true);
                queue.send(QueueItem::Live(behind, events)).await.map_err(|_| FrameError::Closed)?;
            }
            Answer::Lapsed { resume_at, why } => {
                return Ok(Some(SubscriptionMessage::ReadAgain { at_least: resume_at, why }));
            }
            Answer::Refused(denied) => return Ok(Some(SubscriptionMessage::Ended(denied))),
            Answer::Unavailable(why) => {
                log::debug!("{server} refused a subscription: {why:?}");
                return Ok(None);
            }
            _ => {
                return Err(FrameError::Malformed);
            }
        }
    }
}

/// Returns true if a batch continues from the cursor up to the next one, in order.
fn continues(cursor: Token, events: &[Event], behind: Token) -> bool {
    let rising = events.is_sorted_by(|a, b| a.index < b.index);
    let first = events.first().is_none_or(|event| event.index > cursor.index);
    let last = events.last().is_none_or(|event| event.index <= behind.index);
    rising && first && last && behind.history == cursor.history && behind.index >= cursor.index
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::{AccountId, EventKind, HistoryId};

    #[test]
    fn a_batch_that_does_not_continue_from_the_cursor_is_refused() {
        let at = |index| Token { history: HistoryId(1), index };
        let events = |indexes: &[u64]| -> Vec<Event> {
            let what = EventKind::Croaked { author: AccountId(1) };
            indexes.iter().map(|index| Event::new(*index, what.clone())).collect()
        };
        assert!(continues(at(5), &events(&[6, 9]), at(9)) && continues(at(5), &[], at(5)));
        assert!(!continues(at(5), &events(&[5, 9]), at(9)), "an event is repeated");
        assert!(!continues(at(5), &events(&[9, 6]), at(9)), "out of order");
        assert!(!continues(at(5), &events(&[6, 9]), at(8)), "an event is beyond the new cursor");
        assert!(!continues(at(5), &[], at(4)), "the cursor goes back");
        assert!(!continues(at(5), &[], Token { history: HistoryId(2), index: 6 }), "another history");
    }
}
