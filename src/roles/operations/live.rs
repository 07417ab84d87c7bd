//! Events of a person as they come.

use super::{Operations, Refusal, Session};
use ribbit_net::protocol::LapseReason;
use ribbit_net::subscription::{Subscription, SubscriptionMessage};
use ribbit_state::{Event, EventKind, LogIndex, Token, Topic};

/// News for a person. Each only says what to read: a duplicate or a gap makes no difference to a reader that reads on from
/// where it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// The feed has a new croak, or may have: read it with [`Operations::timeline`].
    Croaks,
    /// A message was sent to or by the person, or was read: look with [`Operations::waiting`].
    Messages,
    /// Either of the two may have happened.
    Anything,
    /// The session has ended, for example because the account was deleted. There is no further news.
    Ended,
}

/// Something that happened to a person's feed, messages or rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Happened {
    Event(Event),
    /// Events are missing: what was shown has to be read again from where it stopped. The log may be another one, whose positions do
    /// not compare with earlier ones.
    Missed {
        other_history: bool,
    },
    /// The session has ended, for example because the account was deleted. There are no further events.
    Ended,
}

/// Events of one person, with failover between backends.
#[derive(Debug)]
pub(crate) struct LiveEvents {
    events: Subscription,
}

impl LiveEvents {
    /// Returns the position up to which the events were taken.
    pub(crate) fn position(&self) -> LogIndex {
        self.events.cursor().index
    }
}

impl Operations {
    /// Follows a person's events from now on: what is read after this call and what the events report together miss
    /// nothing.
    pub(crate) async fn live(&self, session: &Session) -> Result<LiveEvents, Refusal> {
        let now = self.requests.position().await?;
        let topic = Topic::feed(session.token);
        Ok(LiveEvents { events: self.requests.subscribe(now, topic) })
    }

    /// Waits for the next event. Reads after it are at least as new as the event. Cancel safe.
    pub(crate) async fn happened(&self, live: &mut LiveEvents) -> Happened {
        loop {
            match live.events.next().await {
                SubscriptionMessage::Event(event) => {
                    let history = live.events.cursor().history;
                    self.requests.record_seen(Token { history, index: event.index });
                    return Happened::Event(event);
                }
                SubscriptionMessage::Heartbeat => {}
                SubscriptionMessage::ReadAgain { at_least, why } => {
                    let other_history = why == LapseReason::OtherHistory;
                    if other_history {
                        self.requests.forget_seen();
                    }
                    self.requests.record_seen(at_least);
                    live.events.resume(at_least);
                    return Happened::Missed { other_history };
                }
                SubscriptionMessage::Ended(_) => return Happened::Ended,
            }
        }
    }

    /// As [`Operations::happened`], for readers to whom it only matters where there is news.
    pub(crate) async fn news(&self, live: &mut LiveEvents) -> News {
        loop {
            match self.happened(live).await {
                Happened::Event(event) => match event.what {
                    EventKind::Croaked { .. } | EventKind::Shared { .. } => return News::Croaks,
                    EventKind::Messaged { .. } | EventKind::Marked { .. } => return News::Messages,
                    _ => {}
                },
                Happened::Missed { .. } => return News::Anything,
                Happened::Ended => return News::Ended,
            }
        }
    }
}
