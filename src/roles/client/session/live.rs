//! What happens in a person's feed, as it happens: every croak once and in order, whatever dies meanwhile.
//!
//! ```text
//!   events: "somebody croaked at 41" ──▶ read the feed behind the last croak that was told ──▶ 40, 41
//! ```
//!
//! An event says that there is something, never what: the feed is read, at least as new as the event, and what is told
//! is whatever lies behind the last croak told. So what comes twice, or was missed, makes no difference.
//!
//! When nothing is heard for a while somebody is asked: if nobody answers in three tries over all servers, that is the
//! end of it.

use super::Person;
use super::stop::Stop;
use ribbit_net::limits::LIVE_SILENCE;
use ribbit_net::protocol::{Lapse, Why};
use ribbit_net::subscription::{News, Subscription};
use ribbit_state::query::FeedCroak;
use ribbit_state::{Event, Happening, LogIndex, Query, Token};
use smol::future::FutureExt;
use std::time::Duration;

/// A stream says something every second. After so long without a word, somebody is asked.
const SILENCE_MAX: Duration = LIVE_SILENCE.saturating_mul(2);

/// What is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tidings {
    /// Nothing but that somebody is there.
    Nothing,
    /// The oldest first; never empty.
    Croaks(Vec<FeedCroak>),
    /// Anything else that concerns this person.
    Happened(Event),
    /// What else happened meanwhile is not known any more; no croak is missing unless the history is another.
    Missed(Lapse),
}

#[derive(Debug)]
pub struct Live {
    person: Person,
    events: Subscription,
    /// The newest croak that was told.
    told: LogIndex,
    /// Something was heard of up to here, and is to be read before anything else is told.
    owed: Option<Token>,
}

impl Live {
    /// From the croak `told` on, which was read together with everything before it.
    ///
    /// # Errors
    /// 609; nobody answers.
    pub async fn begin(person: &Person, told: LogIndex) -> Result<Live, Stop> {
        // Any position behind what was read will do: croaks between the two are found by the first read.
        let now = match person.client().seen() {
            Some(seen) => seen,
            None => {
                person.read(Query::Position).await?;
                person.client().seen().ok_or(Stop::undecided(Why::NotServing))?
            }
        };
        let events = person.follow(now)?;
        Ok(Live { person: person.clone(), events, told, owed: Some(now) })
    }

    /// What comes next. May be given up and asked again at any time.
    ///
    /// # Errors
    /// 609: the session is over; nobody answers.
    pub async fn next(&mut self) -> Result<Tidings, Stop> {
        loop {
            if let Some(at_least) = self.owed {
                self.person.client().saw(at_least);
                let croaks = self.person.feed_behind(self.told).await?;
                self.told = croaks.last().map_or(self.told, |newest| newest.id);
                self.owed = None;
                return Ok(if croaks.is_empty() { Tidings::Nothing } else { Tidings::Croaks(croaks) });
            }
            match self.news().await? {
                None | Some(News::Nothing) => return Ok(Tidings::Nothing),
                Some(News::Event(event)) => {
                    let at_least = Token { history: self.events.cursor().history, index: event.index };
                    match event.what {
                        // Told already, with one before it.
                        Happening::Croaked { .. } if event.index <= self.told => {}
                        Happening::Croaked { .. } => self.owed = Some(at_least),
                        _ => {
                            self.person.client().saw(at_least);
                            return Ok(Tidings::Happened(event));
                        }
                    }
                }
                Some(News::ReadAgain { at_least, why }) => {
                    self.begin_again(at_least, why);
                    return Ok(Tidings::Missed(why));
                }
                Some(News::Ended(denied)) => return Err(denied.into()),
            }
        }
    }

    fn begin_again(&mut self, at_least: Token, why: Lapse) {
        if why == Lapse::OtherHistory {
            // Indexes of another history say nothing of this one: what is there now counts as told.
            self.person.client().start_afresh();
            self.told = at_least.index;
        }
        self.events.resume(at_least);
        self.owed = Some(at_least);
    }

    /// The next news; nothing when there was none for a while, though somebody is there.
    async fn news(&mut self) -> Result<Option<News>, Stop> {
        let silence = async {
            smol::Timer::after(SILENCE_MAX).await;
            None
        };
        let news = async { Some(self.events.next().await) }.or(silence).await;
        if news.is_none() {
            self.person.read(Query::Position).await?;
        }
        Ok(news)
    }
}
