//! Live feed of a user: every croak once and in order, also across server failures.
//!
//! ```text
//!   event: "new croak at index 41" ──▶ read the feed after the last reported croak ──▶ 40, 41
//! ```
//!
//! An event only signals that there is something new. The feed is then read at a position at least as new as the event, and
//! all croaks after the last reported one are reported. Duplicate and missed events therefore make no difference.
//!
//! After a silence the client sends a query. The live feed ends with an error when no server answers in three rounds over all
//! servers.

use super::UserSession;
use super::request_error::RequestError;
use ribbit_net::limits::LIVE_SILENCE;
use ribbit_net::protocol::{LapseReason, UnavailableReason};
use ribbit_net::subscription::{Subscription, SubscriptionMessage};
use ribbit_state::query::FeedCroak;
use ribbit_state::{Event, EventKind, LogIndex, Query, Token};
use smol::future::FutureExt;
use std::time::Duration;

/// Silence of the event stream after which a query checks that a server answers. A healthy stream sends something every
/// second.
const SILENCE_MAX: Duration = LIVE_SILENCE.saturating_mul(2);

/// An update of the live feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FeedUpdate {
    /// No news; a server is reachable.
    Nothing,
    /// New croaks, oldest first; never empty.
    Croaks(Vec<FeedCroak>),
    /// Any other event that concerns this user.
    Happened(Event),
    /// The event stream has a gap. Croaks are still complete, unless the cluster has another history now.
    Missed(LapseReason),
}

/// A live feed.
#[derive(Debug)]
pub(crate) struct LiveFeed {
    person: UserSession,
    events: Subscription,
    /// Cursor of the newest entry that was reported.
    reported: LogIndex,
    /// Position of an event whose croaks must be read before the next event is taken.
    pending: Option<Token>,
}

impl LiveFeed {
    /// Starts after the croak `reported`, which the caller has read together with everything before it.
    ///
    /// # Errors
    /// `NotLoggedIn` (609) without a session; unreachable when no server answers.
    pub(crate) async fn start(person: &UserSession, reported: LogIndex) -> Result<LiveFeed, RequestError> {
        // Any position after `reported` works: the first read finds the croaks between the two.
        let now = match person.client().seen() {
            Some(seen) => seen,
            None => {
                person.read(Query::Position).await?;
                person.client().seen().ok_or(RequestError::undecided_write(UnavailableReason::NotServing))?
            }
        };
        let events = person.subscribe(now)?;
        Ok(LiveFeed { person: person.clone(), events, reported, pending: Some(now) })
    }

    /// Waits for the next update. Cancel safe.
    ///
    /// # Errors
    /// `NotLoggedIn` (609) when the session is over; unreachable when no server answers.
    pub(crate) async fn next(&mut self) -> Result<FeedUpdate, RequestError> {
        loop {
            if let Some(at_least) = self.pending {
                self.person.client().record_seen(at_least);
                let croaks = self.person.feed_after(self.reported).await?;
                self.reported = croaks.last().map_or(self.reported, FeedCroak::cursor);
                self.pending = None;
                return Ok(if croaks.is_empty() { FeedUpdate::Nothing } else { FeedUpdate::Croaks(croaks) });
            }
            match next_event(&mut self.events, &self.person).await? {
                None | Some(SubscriptionMessage::Heartbeat) => return Ok(FeedUpdate::Nothing),
                Some(SubscriptionMessage::Event(event)) => {
                    let at_least = Token { history: self.events.cursor().history, index: event.index };
                    match event.what {
                        // Already reported by the read for an earlier event.
                        EventKind::Croaked { .. } | EventKind::Shared { .. }
                            if event.index <= self.reported => {}
                        EventKind::Croaked { .. } | EventKind::Shared { .. } => {
                            self.pending = Some(at_least);
                        }
                        _ => {
                            self.person.client().record_seen(at_least);
                            return Ok(FeedUpdate::Happened(event));
                        }
                    }
                }
                Some(SubscriptionMessage::ReadAgain { at_least, why }) => {
                    self.restart(at_least, why);
                    return Ok(FeedUpdate::Missed(why));
                }
                Some(SubscriptionMessage::Ended(denied)) => return Err(denied.into()),
            }
        }
    }

    fn restart(&mut self, at_least: Token, why: LapseReason) {
        if why == LapseReason::OtherHistory {
            // Log indexes of another history cannot be compared, so all existing croaks count as reported.
            self.person.client().forget_seen();
            self.reported = at_least.index;
        }
        self.events.resume(at_least);
        self.pending = Some(at_least);
    }
}

/// Returns the next event, or `None` after a silence if a server still answers.
pub(super) async fn next_event(
    events: &mut Subscription,
    user: &UserSession,
) -> Result<Option<SubscriptionMessage>, RequestError> {
    let silence = async {
        smol::Timer::after(SILENCE_MAX).await;
        None
    };
    let news = async { Some(events.next().await) }.or(silence).await;
    if news.is_none() {
        user.read(Query::Position).await?;
    }
    Ok(news)
}
