//! `/live`: what happens in a session's feed, as Server-Sent Events.
//!
//! ```text
//!   GET /live ──▶ session? ──▶ a place? ──▶ cursor: Last-Event-ID, else ?from=, else now ──▶ a stream, until it ends
//!
//!   id: CURSOR   event: beat                    every LIVE_BEAT: we are here, and everything up to here was told
//!   id: CURSOR   event: croak   data: markup    the croak as every page shows it
//!   id: CURSOR   event: gone    data: ID        a croak was taken back
//!   id: CURSOR   event: talk    data: WITH N    something was said in the talk with this account, or was shown or read
//!                                               there; N messages wait in all talks
//!                event: again                   what lies behind the cursor is not known: read the page again
//!                event: ended                   the session is over
//! ```
//!
//! A cursor is a place in the log, so a browser that lost its stream goes on with the next one, at any web process,
//! behind any backend: it names the last cursor it was told, and misses nothing and gets nothing twice. That is also
//! how every trouble here ends: the stream ends, the browser comes back from its cursor.
//!
//! Browsers pull: a stream is asked for its next piece when the last one is written, and holds no more than one. A
//! browser that does not take its piece is cut off by `patience`; meanwhile what happens waits in the subscription,
//! then in the backend's ring, and a subscription that falls out of that is told to read again. A croak is read once
//! for all who follow it ([`Readings`]), since its markup is the same for everybody.

use super::answer::{self, Answer};
use super::limits::{
    LIVE_BEAT, LIVE_READ_DEADLINE, LIVE_READINGS_MAX, LIVE_RETRY, LIVE_STREAMS_MAX,
    LIVE_STREAMS_PER_ADDRESS_MAX, READ_DEADLINE,
};
use super::visit::{self, Visit};
use askama::Template;
use event_listener::Event;
use hyper::body::Bytes;
use ribbit_net::address_limit::{AddressLimit, AddressSlot};
use ribbit_net::client::Client;
use ribbit_net::protocol::{self, Ask};
use ribbit_net::subscription::{Subscription, SubscriptionMessage};
use ribbit_state::{
    AccountId, Consistency, Event as Happened, EventKind, LogIndex, Page, Query, Token, TokenHash, Topic,
};
use ribbit_ui::pages::ShownCroak;
use ribbit_ui::pages::croak::CroakFragment;
use smol::future::FutureExt;
use smol::lock::Mutex;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

/// What all streams of this process share.
pub struct Streams {
    client: Client,
    /// Open now.
    open: Cell<usize>,
    crowd: AddressLimit,
    readings: Mutex<Readings>,
    stopping: Rc<Stopping>,
}

/// Whether the role is being stopped. Connections and streams wait for it.
#[derive(Default)]
pub struct Stopping {
    began: Cell<bool>,
    changed: Event,
}

impl Stopping {
    pub fn begin(&self) {
        self.began.set(true);
        self.changed.notify(usize::MAX);
    }
    pub fn began(&self) -> bool {
        self.began.get()
    }
    pub async fn wait(&self) {
        while !self.began() {
            self.changed.listen().await;
        }
    }
}

/// The newest croaks that were told, as they were told: whoever follows their author gets the same bytes.
#[derive(Default)]
struct Readings {
    newest: VecDeque<(Token, Bytes)>,
    /// When reading failed the last time: those who waited for their turn since before that do not try again.
    failed: Option<Instant>,
}

/// The stream could not be continued here. Its browser comes back from its cursor.
struct CutOff;

impl Streams {
    pub fn new(client: Client, stopping: Rc<Stopping>) -> Rc<Streams> {
        let crowd = AddressLimit::new(LIVE_STREAMS_PER_ADDRESS_MAX);
        Rc::new(Streams { client, open: Cell::new(0), crowd, readings: Mutex::default(), stopping })
    }

    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// Begins a stream. `last` is what the browser was told last, `from` what the page knew that asks.
    pub async fn begin(
        self: &Rc<Self>,
        visit: &mut Visit,
        last: Option<Token>,
        from: Option<Token>,
    ) -> Answer {
        let Some(session) = visit.session() else { return answer::events(smol::stream::once(ended())) };
        if self.open.get() >= LIVE_STREAMS_MAX || self.stopping.began() {
            return answer::later("too many live connections; try again in a moment");
        }
        let way = visit.way();
        let Some(presence) = self.crowd.enter(way.person, !way.is_local()) else {
            return answer::later("too many live connections from your address; try again in a moment");
        };
        let place = Place::take(self.clone(), presence);
        let cursor = match last.or(from) {
            Some(cursor) => cursor,
            None => match visit.read(Query::Position, READ_DEADLINE).await {
                Ok(_) => visit.answered().expect("an answer was read"),
                Err(_) => return answer::later("no servers are running"),
            },
        };
        let subscription = self.client.subscribe(cursor, Topic::Feed { session });
        let stream = Stream { place, session, me: None, subscription, beat: Instant::now(), over: false };
        answer::events(smol::stream::unfold(stream, Stream::next))
    }

    /// A croak that this session's feed has, ready to be sent; nothing when it is gone.
    async fn reading(&self, session: TokenHash, croak: Token) -> Result<Option<Bytes>, CutOff> {
        let asked = Instant::now();
        let mut readings = self.readings.lock().await;
        if let Some((_, bytes)) = readings.newest.iter().find(|(token, _)| *token == croak) {
            return Ok(Some(bytes.clone()));
        }
        if readings.failed.is_some_and(|failed| failed >= asked) {
            return Err(CutOff);
        }
        let found = match self.ask(croak, Query::Croak { session, id: croak.index }).await {
            Ok(Some(Page::Croak(found))) => found,
            Ok(_) => return Ok(None),
            Err(CutOff) => {
                readings.failed = Some(Instant::now());
                return Err(CutOff);
            }
        };
        let fragment = CroakFragment { croak: ShownCroak::new(found, visit::wall_ms()) };
        let html = fragment.render().expect("writing to a string cannot fail");
        let bytes = event(Some(croak), "croak", &html);
        if readings.newest.len() == LIVE_READINGS_MAX {
            readings.newest.pop_front();
        }
        readings.newest.push_back((croak, bytes.clone()));
        Ok(Some(bytes))
    }

    /// What is read is at least as new as `at`. Nothing when it is refused.
    async fn ask(&self, at: Token, query: Query) -> Result<Option<Page>, CutOff> {
        let ask = Ask::Read { seen: Some(at), consistency: Consistency::Session, query };
        match self.client.ask(ask, LIVE_READ_DEADLINE).await {
            Ok(protocol::Answer::Read { page, .. }) => Ok(page.ok()),
            _ => Err(CutOff),
        }
    }

    async fn forget(&self, croak: LogIndex) {
        self.readings.lock().await.newest.retain(|(token, _)| token.index != croak);
    }
}

/// One of the places for streams; free again when it is dropped.
struct Place(Rc<Streams>, #[expect(dead_code, reason = "held, not read")] AddressSlot);

impl Place {
    fn take(streams: Rc<Streams>, presence: AddressSlot) -> Place {
        streams.open.set(streams.open.get() + 1);
        Place(streams, presence)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

struct Stream {
    place: Place,
    session: TokenHash,
    /// Once it was needed.
    me: Option<AccountId>,
    subscription: Subscription,
    /// When it is time to say something; at once when nothing was said yet.
    beat: Instant,
    over: bool,
}

/// What a stream waits for.
enum Heard {
    News(SubscriptionMessage),
    Beat,
    Stop,
}

impl Stream {
    /// The next piece. Nothing when the stream ends.
    async fn next(mut self) -> Option<(Bytes, Stream)> {
        let streams = self.place.0.clone();
        while !self.over {
            let beat = async {
                smol::Timer::at(self.beat).await;
                Heard::Beat
            };
            let stop = async {
                streams.stopping.wait().await;
                Heard::Stop
            };
            let news = async { Heard::News(self.subscription.next().await) };
            let piece = match news.or(beat).or(stop).await {
                Heard::Stop => return None,
                Heard::Beat => event(Some(self.subscription.cursor()), "beat", "-"),
                Heard::News(SubscriptionMessage::Heartbeat) => continue,
                Heard::News(SubscriptionMessage::Ended(_)) => self.last(ended()),
                Heard::News(SubscriptionMessage::ReadAgain { .. }) => {
                    self.last(event(None, "again", "read again"))
                }
                Heard::News(SubscriptionMessage::Event(event)) => match self.told(&streams, event).await {
                    Ok(Some(piece)) => piece,
                    Ok(None) => continue,
                    Err(CutOff) => return None,
                },
            };
            self.beat = Instant::now() + LIVE_BEAT;
            return Some((piece, self));
        }
        None
    }

    /// What a browser is told of this, if anything.
    async fn told(&mut self, streams: &Streams, happened: Happened) -> Result<Option<Bytes>, CutOff> {
        let at = Token { index: happened.index, ..self.subscription.cursor() };
        match happened.what {
            EventKind::Croaked { .. } => streams.reading(self.session, at).await,
            EventKind::CroakRemoved { croak } => {
                streams.forget(croak).await;
                Ok(Some(event(Some(at), "gone", &croak.to_string())))
            }
            EventKind::Messaged { from: one, to: other }
            | EventKind::Marked { account: one, with: other } => {
                let Some(me) = self.me(streams, at).await? else { return Ok(None) };
                let with = if one == me { other } else { one };
                let read = streams.ask(at, Query::Unread { session: self.session }).await?;
                let Some(Page::Unread(unread)) = read else { return Ok(None) };
                let data = format!("{} {}", with.0, unread.messages);
                Ok(Some(event(Some(at), "talk", &data)))
            }
            // Shown by the next page that is read.
            _ => Ok(None),
        }
    }

    /// Whose session this is.
    async fn me(&mut self, streams: &Streams, at: Token) -> Result<Option<AccountId>, CutOff> {
        if self.me.is_none() {
            let read = streams.ask(at, Query::Me { session: self.session }).await?;
            self.me = read.and_then(|page| if let Page::Me(me) = page { Some(me.account) } else { None });
        }
        Ok(self.me)
    }

    fn last(&mut self, piece: Bytes) -> Bytes {
        self.over = true;
        piece
    }
}

fn ended() -> Bytes {
    event(None, "ended", "the session is over")
}

/// One event as it is written. Its cursor becomes the browser's.
fn event(cursor: Option<Token>, name: &str, data: &str) -> Bytes {
    let mut text = format!("retry: {}\n", LIVE_RETRY.as_millis());
    if let Some(cursor) = cursor {
        text += &format!("id: {cursor}\n");
    }
    text += &format!("event: {name}\n");
    // A line break of any kind ends a field.
    for line in data.split(['\n', '\r']) {
        text += &format!("data: {line}\n");
    }
    text += "\n";
    text.into()
}

/// A cursor as browsers give it back: nothing for what is none.
pub fn cursor(text: Option<&str>) -> Option<Token> {
    text?.parse().ok()
}
