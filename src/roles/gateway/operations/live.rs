//! Events of a person as they come.

use super::{Operations, Refusal, Session};
use ribbit_net::subscription::{Subscription, SubscriptionMessage};
use ribbit_state::{EventKind, LogIndex, Token, Topic};

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

    /// Waits for news. Reads after it are at least as new as the event. Cancel safe.
    pub(crate) async fn news(&self, live: &mut LiveEvents) -> News {
        loop {
            match live.events.next().await {
                SubscriptionMessage::Event(event) => {
                    let at = Token { history: live.events.cursor().history, index: event.index };
                    let news = match event.what {
                        EventKind::Croaked { .. } | EventKind::Shared { .. } => News::Croaks,
                        EventKind::Messaged { .. } | EventKind::Marked { .. } => News::Messages,
                        _ => continue,
                    };
                    self.requests.record_seen(at);
                    return news;
                }
                SubscriptionMessage::Heartbeat => {}
                SubscriptionMessage::ReadAgain { at_least, .. } => {
                    self.requests.record_seen(at_least);
                    live.events.resume(at_least);
                    return News::Anything;
                }
                SubscriptionMessage::Ended(_) => return News::Ended,
            }
        }
    }
}
