//! `/live`: events of a session's feed, as Server-Sent Events.
//!
//! ```text
//!   GET /live ──▶ session? ──▶ free slot? ──▶ cursor: Last-Event-ID, else ?from=, else now ──▶ stream
//!                                             ?croaks= the croaks on the page, whose counts are wanted
//!                                             ?feed=everyone new croaks of all instead of those in the user's feed
//!
//!   id: CURSOR   event: beat                    heartbeat every LIVE_BEAT; everything up to the cursor was sent
//!   id: CURSOR   event: croak   data: markup    a new croak, or one that was shared into the feed
//!   id: CURSOR   event: gone    data: ID        a croak was deleted, or a share undone
//!   id: CURSOR   event: count   data: ID N N N  the croak's numbers of replies, likes and shares
//!   id: CURSOR   event: said    data: ROOM      a new message in the room with this id; its markup follows
//!   id: CURSOR   event: unsaid  data: ROOM ID   a message in a room was removed
//!   id: CURSOR   event: left    data: ROOM      the user is in the room no longer
//!   id: CURSOR   event: rooms   data: N         the user has read in a room: N messages are unread in all rooms
//!   id: CURSOR   event: invited data: ROOM      the invitations have changed
//!   id: CURSOR   event: talk    data: WITH N    new message or receipt in the conversation with this account; N messages
//!                                               are unread in total
//!                event: again                   the events after the cursor are lost: reload the page
//!                event: ended                   the session has ended
//! ```
//!
//! A cursor is a position in the log. A browser that loses its stream continues at any web process and any backend: it sends its last
//! cursor, and neither misses events nor gets one twice. Every error here is handled that way: the stream ends and the browser
//! reconnects with its cursor.
//!
//! Streams are pulled: the next event is requested when the last one is written, and a stream holds no more than one. A browser that
//! does not read is cut off by `timeouts`. Meanwhile events wait in the subscription, then in the backend's ring; a subscription
//! that falls out of the ring is told to read again. A croak and its counts are read and rendered once for all their readers
//! ([`SharedPieces`]), because they are the same for everyone who sees the croak.

use crate::common::machine::wall_ms;
use crate::common::shutdown::Shutdown;
use crate::web::croaks::shared_pieces::{MadePiece, SharedPieces, SharedStatuses, StreamCutOff};
use crate::web::http::client_origin::ClientOrigin;
use crate::web::http::response::{self, WebResponse};
use crate::web::limits::{
    API_STREAMS_PER_ACCOUNT_MAX, LIVE_BEAT, LIVE_READ_DEADLINE, LIVE_RETRY, LIVE_STREAMS_MAX,
    LIVE_STREAMS_PER_ADDRESS_MAX, READ_DEADLINE,
};
use crate::web::request_context::RequestContext;
use askama::Template;
use hyper::body::Bytes;
use ribbit_net::address_limit::{AddressLimit, AddressSlot, KeyedLimit, KeyedSlot};
use ribbit_net::client::Client;
use ribbit_net::protocol::{self, Ask};
use ribbit_net::subscription::{Subscription, SubscriptionMessage};
use ribbit_state::limits::COUNTED_CROAKS_MAX;
use ribbit_state::query::{CroakNumbers, FeedCroak};
use ribbit_state::{
    AccountId, Audience, Consistency, Event as Happened, EventKind, LogIndex, Page, Query, RoomId, Token,
    TokenHash, Topic,
};
use ribbit_ui::pages::CroakView;
use ribbit_ui::pages::croak::CroakFragment;
use ribbit_ui::pages::rooms::{SaidFragment, SaidView};
use ribbit_ui::rooms::rooms_badge;
use smol::future::FutureExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// State shared by all streams of this process.
pub(in crate::web) struct LiveStreams {
    client: Client,
    /// Number of open streams.
    open: AtomicUsize,
    address_limit: AddressLimit,
    /// Limit of the streams of the Mastodon API, of which the account is known before they begin.
    account_limit: KeyedLimit<AccountId>,
    /// Croaks, counts and messages of rooms, by position in the log and name of the event: all readers get the same bytes.
    rendered: SharedPieces<(Token, &'static str), Bytes>,
    /// Statuses of the Mastodon API.
    pub(in crate::web) statuses: SharedStatuses,
    shutdown: Arc<Shutdown>,
}

impl LiveStreams {
    pub(in crate::web) fn new(client: Client, shutdown: Arc<Shutdown>) -> Arc<LiveStreams> {
        let address_limit = AddressLimit::new(LIVE_STREAMS_PER_ADDRESS_MAX);
        Arc::new(LiveStreams {
            client,
            open: AtomicUsize::new(0),
            address_limit,
            rendered: SharedPieces::default(),
            statuses: SharedStatuses::default(),
            account_limit: KeyedLimit::new(API_STREAMS_PER_ACCOUNT_MAX),
            shutdown,
        })
    }

    pub(in crate::web) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Takes a slot for a stream, also in the limit of its account if that is known.
    ///
    /// # Errors
    /// There are too many streams, or the role is being stopped.
    pub(in crate::web) fn enter(
        self: &Arc<Self>,
        origin: ClientOrigin,
        account: Option<AccountId>,
    ) -> Result<StreamSlot, TooManyStreams> {
        if self.open() >= LIVE_STREAMS_MAX || self.shutdown.began() {
            return Err(TooManyStreams("too many live connections; try again in a moment"));
        }
        let Some(address) = self.address_limit.enter(origin.address, !origin.is_local()) else {
            return Err(TooManyStreams("too many live connections from your address; try again in a moment"));
        };
        let account = match account.map(|account| self.account_limit.take(account)) {
            Some(None) => {
                return Err(TooManyStreams("too many live connections of your account; close one first"));
            }
            account => account.flatten(),
        };
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(StreamSlot { streams: self.clone(), _address: address, _account: account })
    }

    /// Subscribes to events behind a cursor.
    pub(in crate::web) fn subscribe(&self, cursor: Token, topic: Topic) -> Subscription {
        self.client.subscribe(cursor, topic)
    }

    /// Returns the current position of the log, if a server answers and the session is open.
    pub(in crate::web) async fn position(&self, session: TokenHash) -> Option<Token> {
        let query = Query::Me { session };
        let ask = Ask::Read { seen: None, consistency: Consistency::Session, query };
        match self.client.ask(ask, LIVE_READ_DEADLINE).await {
            Ok(protocol::Answer::Read { token, page: Ok(_), .. }) => Some(token),
            _ => None,
        }
    }

    /// Waits until the role is being stopped.
    pub(in crate::web) async fn stopped(&self) {
        self.shutdown.wait().await;
    }

    /// Starts a stream. `last` is the browser's last cursor, `from` the cursor of the page, `croaks` are those on it,
    /// which lists those of everyone or of the user's feed.
    pub(in crate::web) async fn begin(
        self: &Arc<Self>,
        context: &mut RequestContext,
        last: Option<Token>,
        from: Option<Token>,
        croaks: Vec<LogIndex>,
        everyone: bool,
    ) -> WebResponse {
        let Some(session) = context.session() else { return response::events(smol::stream::once(ended())) };
        let place = match self.enter(context.origin(), None) {
            Ok(place) => place,
            Err(TooManyStreams(words)) => return response::later(words),
        };
        let cursor = match last.or(from) {
            Some(cursor) => cursor,
            None => match context.read(Query::Position, READ_DEADLINE).await {
                Ok(_) => context.answered().expect("an answer was read"),
                Err(_) => return response::later("no servers are running"),
            },
        };
        let subscription = self.client.subscribe(cursor, Topic::Feed { session, croaks, everyone });
        let beat = Instant::now();
        let stream = LiveStream { place, session, everyone, me: None, subscription, beat, over: false };
        response::events(smol::stream::unfold(stream, LiveStream::next))
    }

    /// Returns a rendered croak, or `None` if it no longer exists, or is for followers and not to be listed for everyone.
    async fn croak(
        &self,
        session: TokenHash,
        at: Token,
        everyone: bool,
    ) -> Result<Option<Bytes>, StreamCutOff> {
        let kept_as = if everyone { "croak for everyone" } else { "croak" };
        self.rendered(at, kept_as, Query::Croak { session, id: at.index }, |page| {
            let Page::Croak(mut found) = page else { return None };
            if everyone && found.body.audience != Audience::Everyone {
                return None;
            }
            // The markup is for all readers, so it shows no reader's own likes and shares.
            found.numbers = found.numbers.counts();
            let fragment = CroakFragment { croak: CroakView::new(found, wall_ms(), "") };
            let html = fragment.render().expect("writing to a string cannot fail");
            Some(event(Some(at), "croak", &html))
        })
        .await
    }

    /// Returns the counts of a croak, or `None` if it no longer exists.
    async fn counts(
        &self,
        session: TokenHash,
        at: Token,
        croak: LogIndex,
    ) -> Result<Option<Bytes>, StreamCutOff> {
        self.rendered(at, "count", Query::Croak { session, id: croak }, |page| {
            let Page::Croak(FeedCroak { id, numbers, .. }) = page else { return None };
            let CroakNumbers { replies, likes, shares, .. } = numbers;
            Some(event(Some(at), "count", &format!("{id} {replies} {likes} {shares}")))
        })
        .await
    }

    /// Returns a rendered message of a room, or `None` if it no longer exists.
    async fn said(&self, session: TokenHash, at: Token, room: RoomId) -> Result<Option<Bytes>, StreamCutOff> {
        self.rendered(at, "said", Query::RoomMessage { session, room, id: at.index }, |page| {
            let Page::RoomMessage { room: name, message } = page else { return None };
            let said = SaidView::new(message, wall_ms());
            let html = SaidFragment { said, room: name }.render().expect("writing to a string cannot fail");
            Some(event(Some(at), "said", &format!("{}\n{html}", room.0)))
        })
        .await
    }

    /// Returns the event that is kept under this name at an index, read with `query` and rendered once for all streams.
    async fn rendered(
        &self,
        at: Token,
        name: &'static str,
        query: Query,
        render: impl FnOnce(Page) -> Option<Bytes>,
    ) -> Result<Option<Bytes>, StreamCutOff> {
        let made = async {
            let page = self.ask(at, query).await?;
            Ok(page.and_then(render).map_or(MadePiece::Nothing, MadePiece::Shared))
        };
        self.rendered.get((at, name), made).await
    }

    /// Reads a state that is at least as new as `at`. Returns `None` if the query is refused.
    pub(in crate::web) async fn ask(&self, at: Token, query: Query) -> Result<Option<Page>, StreamCutOff> {
        let ask = Ask::Read { seen: Some(at), consistency: Consistency::Session, query };
        match self.client.ask(ask, LIVE_READ_DEADLINE).await {
            Ok(protocol::Answer::Read { page, .. }) => Ok(page.ok()),
            _ => Err(StreamCutOff),
        }
    }

    async fn forget(&self, croak: LogIndex) {
        self.rendered.forget(|(token, _)| token.index == croak).await;
    }
}

/// There is no slot for a stream, for this reason.
pub(in crate::web) struct TooManyStreams(pub(in crate::web) &'static str);

/// A slot of a live stream, released when dropped.
pub(in crate::web) struct StreamSlot {
    pub(in crate::web) streams: Arc<LiveStreams>,
    _address: AddressSlot,
    _account: Option<KeyedSlot<AccountId>>,
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.streams.open.fetch_sub(1, Ordering::Relaxed);
    }
}

struct LiveStream {
    place: StreamSlot,
    session: TokenHash,
    /// New croaks are those of everyone, for the page that lists these.
    everyone: bool,
    /// Account of the session, once it was needed.
    me: Option<AccountId>,
    subscription: Subscription,
    /// Time of the next heartbeat; the first is due at once.
    beat: Instant,
    over: bool,
}

/// Event that a stream waits for.
enum StreamEvent {
    News(SubscriptionMessage),
    Beat,
    Shutdown,
}

impl LiveStream {
    /// Returns the next piece, or `None` when the stream ends.
    async fn next(mut self) -> Option<(Bytes, LiveStream)> {
        let streams = self.place.streams.clone();
        while !self.over {
            let beat = async {
                smol::Timer::at(self.beat).await;
                StreamEvent::Beat
            };
            let stop = async {
                streams.shutdown.wait().await;
                StreamEvent::Shutdown
            };
            let news = async { StreamEvent::News(self.subscription.next().await) };
            let piece = match news.or(beat).or(stop).await {
                StreamEvent::Shutdown => return None,
                StreamEvent::Beat => event(Some(self.subscription.cursor()), "beat", "-"),
                StreamEvent::News(SubscriptionMessage::Heartbeat) => continue,
                StreamEvent::News(SubscriptionMessage::Ended(_)) => self.last(ended()),
                StreamEvent::News(SubscriptionMessage::ReadAgain { .. }) => {
                    self.last(event(None, "again", "read again"))
                }
                StreamEvent::News(SubscriptionMessage::Event(event)) => {
                    match self.told(&streams, event).await {
                        Ok(Some(piece)) => piece,
                        Ok(None) => continue,
                        Err(StreamCutOff) => return None,
                    }
                }
            };
            self.beat = Instant::now() + LIVE_BEAT;
            return Some((piece, self));
        }
        None
    }

    /// Returns what to send for an event, if anything.
    async fn told(
        &mut self,
        streams: &LiveStreams,
        happened: Happened,
    ) -> Result<Option<Bytes>, StreamCutOff> {
        let at = Token { index: happened.index, ..self.subscription.cursor() };
        let Happened { what, notified, counted, .. } = happened;
        let piece = self.piece(streams, at, what).await?;
        if notified.is_empty() && counted.is_none() {
            return Ok(piece);
        }
        let mut all = piece.map_or(Vec::new(), |piece| piece.to_vec());
        if let Some(counted) = counted {
            all.extend(streams.counts(self.session, at, counted.croak).await?.unwrap_or_default());
        }
        if !notified.is_empty()
            && let Some(Page::Unread(unread)) =
                streams.ask(at, Query::Unread { session: self.session }).await?
        {
            all.extend(event(Some(at), "notices", &unread.notices.to_string()));
        }
        Ok((!all.is_empty()).then(|| all.into()))
    }

    /// Returns what to send for an event, apart from the notices and counts that it changed.
    async fn piece(
        &mut self,
        streams: &LiveStreams,
        at: Token,
        what: EventKind,
    ) -> Result<Option<Bytes>, StreamCutOff> {
        match what {
            EventKind::Croaked { .. } | EventKind::Shared { .. } => {
                streams.croak(self.session, at, self.everyone).await
            }
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
            EventKind::RoomSaid { room, .. } => streams.said(self.session, at, room).await,
            EventKind::RoomMessageRemoved { room, message } => {
                streams.forget(message).await;
                Ok(Some(event(Some(at), "unsaid", &format!("{} {message}", room.0))))
            }
            EventKind::RoomClosed { room } => Ok(Some(event(Some(at), "left", &room.0.to_string()))),
            EventKind::RoomRead { .. } => {
                let read = streams.ask(at, Query::Unread { session: self.session }).await?;
                let Some(Page::Unread(unread)) = read else { return Ok(None) };
                Ok(Some(event(Some(at), "rooms", &rooms_badge(unread.rooms))))
            }
            EventKind::RoomLeft { room, account } => {
                let mine = self.me(streams, at).await? == Some(account);
                Ok(mine.then(|| event(Some(at), "left", &room.0.to_string())))
            }
            EventKind::RoomInvited { room, .. } => Ok(Some(event(Some(at), "invited", &room.0.to_string()))),
            // Shown by the next page that is loaded.
            _ => Ok(None),
        }
    }

    /// Returns the account of the session.
    async fn me(&mut self, streams: &LiveStreams, at: Token) -> Result<Option<AccountId>, StreamCutOff> {
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
    event(None, "ended", "the session has ended")
}

/// Formats an event. Its cursor becomes the browser's last cursor.
fn event(cursor: Option<Token>, name: &str, data: &str) -> Bytes {
    let mut text = format!("retry: {}\n", LIVE_RETRY.as_millis());
    if let Some(cursor) = cursor {
        text += &format!("id: {cursor}\n");
    }
    text += &format!("event: {name}\n");
    // Any kind of line break ends a field.
    for line in data.split(['\n', '\r']) {
        text += &format!("data: {line}\n");
    }
    text += "\n";
    text.into()
}

/// Parses the croaks on a page, `1,2,3`. Those beyond the limit are left out.
pub(in crate::web) fn croaks(text: Option<&str>) -> Vec<LogIndex> {
    let ids = text.unwrap_or_default().split(',').filter_map(|id| id.parse().ok());
    ids.take(COUNTED_CROAKS_MAX).collect()
}

/// Parses a cursor from a browser; `None` if it is invalid.
pub(in crate::web) fn cursor(text: Option<&str>) -> Option<Token> {
    text?.parse().ok()
}
