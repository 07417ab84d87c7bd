//! Subscriptions: streams of the events that this backend applies.
//!
//! ```text
//!   Subscribe { cursor, wanted } ─▶ slot free? ─▶ same history? ─▶ applied up to cursor? ─▶ session open? ─▶ cursor in ring?
//!                                                                            │
//!       Live { cursor, events }* ◀── one per read of the ring that finds events, and heartbeats ◀─────────┘
//!       Lapsed | Refused | Unavailable: the last answer
//! ```
//!
//! A stream depends only on the log, the session and the cursor, so another backend can resume it at exactly the next
//! event. One batch is buffered per subscriber; all other events stay in the shared ring. A subscriber that the ring has
//! overtaken gets `Lapsed` and reads its page again. A subscriber that takes nothing for `WRITE_STALL` loses its connection.
//!
//! The session is looked up again after each event that concerns it, and its age is checked on every read of the ring. A
//! stream ends with `Unavailable` when its node has been out of sync with the cluster for `LIVE_OLD_MAX`, because another
//! backend may be newer.

use super::consistency::READ_WAIT;
use super::request::store_unreadable;
use super::{Membership, NodeState};
use ribbit_db::DbError;
use ribbit_net::frame::FrameError;
use ribbit_net::limits::{LIVE_BEAT, LIVE_GATHER, LIVE_OLD_MAX};
use ribbit_net::listener::SubscriptionSink;
use ribbit_net::protocol::{Answer, LapseReason, UnavailableReason};
use ribbit_replica::ReachError;
use ribbit_replica::event_ring::{EventReader, Lapsed};
use ribbit_state::{Code, Denied, Interest, LogIndex, Role, Token, Topic};
use smol::future::FutureExt;
use std::time::Instant;

/// Streams the wanted events after the cursor until the subscription or the connection ends.
///
/// # Errors
/// The connection is lost, or the subscriber has stopped reading.
pub(crate) async fn serve(
    node: &NodeState,
    cursor: Token,
    wanted: Topic,
    outlet: &mut SubscriptionSink,
) -> Result<(), FrameError> {
    // Users are served by backends only, the namespace by coordinators too.
    let serves = node.options.role == Role::Backend || matches!(wanted, Topic::Tree { .. });
    let Some(member) = node.membership.get().filter(|_| serves) else {
        return outlet.send(Answer::Unavailable(UnavailableReason::NotServing)).await;
    };
    let Some(_place) = node.subscribers.try_acquire() else {
        return outlet.send(Answer::Unavailable(UnavailableReason::Busy)).await;
    };
    let subscription = ServedSubscription { member };
    let end = match subscription.begin(cursor, wanted).await {
        Ok(mut follower) => subscription.follow(&mut follower, outlet).await?,
        Err(answer) => answer,
    };
    outlet.send(end).await
}

/// One subscription while it is served.
struct ServedSubscription<'a> {
    member: &'a Membership,
}

impl ServedSubscription<'_> {
    fn token(&self, index: LogIndex) -> Token {
        Token { history: self.member.identity.history, index }
    }

    fn lapsed(&self, why: LapseReason, resume_at: LogIndex) -> Answer {
        Answer::Lapsed { resume_at: self.token(resume_at), why }
    }

    /// Returns a follower at the cursor.
    ///
    /// # Errors
    /// The answer to send instead: the cursor is of another history, ahead of this node or no longer in the ring, the session
    /// is not open, or the store cannot be read.
    async fn begin(&self, cursor: Token, wanted: Topic) -> Result<EventReader, Answer> {
        let replica = &self.member.replica;
        let live = replica.events();
        if cursor.history != self.member.identity.history {
            return Err(self.lapsed(LapseReason::OtherHistory, live.through()));
        }
        match replica.reach(cursor.index, Instant::now() + READ_WAIT).await {
            Ok(()) => {}
            Err(ReachError::Late) => return Err(Answer::Unavailable(UnavailableReason::Behind)),
            Err(ReachError::NeverCommitted) => {
                return Err(self.lapsed(LapseReason::OtherHistory, live.through()));
            }
        }
        let (at, view) = replica.reader().view_at().map_err(|error| store_unreadable(&error))?;
        let interest = Interest::load(&view, &wanted).map_err(|error| store_unreadable(&error))?;
        let Some(interest) = interest else { return Err(Answer::Refused(Denied::new(Code::NotLoggedIn))) };
        // Applied events are published a moment later.
        live.beyond(at.saturating_sub(1)).await;
        EventReader::begin(live, interest, at, cursor.index)
            .map_err(|Lapsed { resume_at }| self.lapsed(LapseReason::Compacted, resume_at))
    }

    /// Streams events until the subscription ends. Returns the last answer.
    ///
    /// # Errors
    /// The connection is lost, or the subscriber has stopped reading.
    async fn follow(
        &self,
        follower: &mut EventReader,
        outlet: &mut SubscriptionSink,
    ) -> Result<Answer, FrameError> {
        let live = self.member.replica.events();
        let mut in_touch = Instant::now();
        // The first answer is sent at once, even without events, to confirm the subscription.
        let mut beat = Instant::now();
        loop {
            let batch = match follower.take(live) {
                Ok(batch) => batch,
                Err(Lapsed { resume_at }) => return Ok(self.lapsed(LapseReason::Behind, resume_at)),
            };
            if !batch.events.is_empty() || beat <= Instant::now() {
                let cursor = self.token(batch.cursor);
                outlet.send(Answer::Live { cursor, events: batch.events.to_vec() }).await?;
                beat = Instant::now() + LIVE_BEAT;
            }
            match self.is_over(follower, batch.doubtful) {
                Ok(false) => {}
                Ok(true) => return Ok(Answer::Refused(Denied::new(Code::NotLoggedIn))),
                Err(error) => return Ok(store_unreadable(&error)),
            }
            if self.member.replica.status().in_sync {
                in_touch = Instant::now();
            } else if in_touch.elapsed() >= LIVE_OLD_MAX {
                return Ok(Answer::Unavailable(UnavailableReason::Behind));
            }
            if !batch.more {
                smol::Timer::after(LIVE_GATHER).await;
                live.beyond(batch.cursor).or(until(beat)).await;
            }
        }
    }

    /// Returns true if the session has ended. `doubtful`: an event in the last batch may have ended it.
    ///
    /// # Errors
    /// The store cannot be read.
    fn is_over(&self, follower: &EventReader, doubtful: bool) -> Result<bool, DbError> {
        let reader = self.member.replica.reader();
        Ok(follower.interest().is_expired(reader.age_ms())
            || (doubtful && !follower.interest().is_open(&reader.view()?)?))
    }
}

async fn until(moment: Instant) {
    smol::Timer::at(moment).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::service::{NodeService, tests::backend};
    use crate::node::session_tokens;
    use async_net::TcpListener;
    use ribbit_net::channel::Channel;
    use ribbit_net::client::Client;
    use ribbit_net::frame::{self, Plane};
    use ribbit_net::keys::Keys;
    use ribbit_net::limits::{FRAME_BYTES_MAX, SUBSCRIBERS_MAX};
    use ribbit_net::protocol::{AnswerFrame, Ask, AskFrame};
    use ribbit_net::secret::stored_token;
    use ribbit_net::subscription::{Subscription as Following, SubscriptionMessage};
    use ribbit_net::{handshake, listener, tasks};
    use ribbit_replica::limits::EVENT_RING_MAX;
    use ribbit_state::{
        AccountId, Command, Consistency, Event, EventKind, HistoryId, Page, Query, Reply, Request, RequestId,
        TokenHash,
    };
    use std::sync::Arc;
    use std::time::Duration;

    const SESSION: TokenHash = TokenHash([1; 32]);
    const WANTED: Topic = Topic::feed(SESSION);

    /// A founded backend with a listener.
    struct Pond {
        service: Arc<NodeService>,
        address: String,
        next: u128,
        _folder: tempfile::TempDir,
    }

    fn keys(service: &NodeService) -> Keys {
        service.node.options.keys.clone()
    }

    impl Pond {
        async fn new() -> Pond {
            let folder = tempfile::tempdir().unwrap();
            let service = backend(folder.path(), &[1]);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            tasks::spawn(listener::serve(
                listener,
                service.clone(),
                service.node.gate.clone(),
                keys(&service),
            ))
            .detach();
            Pond { service, address, next: 1, _folder: folder }
        }

        fn member(&self) -> &Membership {
            self.service.node.membership.get().unwrap()
        }

        fn client(&self) -> Client {
            Client::new(vec![self.address.clone()], keys(&self.service))
        }

        async fn run(&mut self, command: Command) -> (LogIndex, Reply) {
            self.next += 1;
            let replica = &self.member().replica;
            let request = Request {
                id: RequestId(self.next),
                submitted_at: replica.reader().applied(),
                origin: None,
                command,
            };
            let Ask::Write(request) = session_tokens::stored(Ask::Write(request)) else { panic!("a write") };
            let (index, outcome) =
                replica.submit(request, Instant::now() + Duration::from_secs(10)).await.unwrap();
            (index, outcome.unwrap())
        }

        /// Creates an account and opens a session.
        async fn person(&mut self, username: &str, session: TokenHash) -> AccountId {
            let create = Command::CreateAccount {
                username: username.into(),
                name: username.into(),
                email: "a@b".into(),
                password_hash: String::new(),
                invitation: None,
            };
            let (_, Reply::Created { account }) = self.run(create).await else { panic!("not created") };
            self.run(Command::LogIn {
                account,
                credential_version: 1,
                token: stored_token(session),
                device: String::new(),
                app: None,
            })
            .await;
            account
        }

        async fn croak(&mut self, session: TokenHash) -> LogIndex {
            self.run(Command::croak(session, "ribbit")).await.0
        }

        fn now(&self) -> Token {
            Token { history: self.member().identity.history, index: self.member().replica.reader().applied() }
        }

        async fn connect(&self, plane: Plane) -> Channel {
            handshake::connect(&self.address, plane, &keys(&self.service)).await.unwrap()
        }

        /// Opens a stream on a bare connection, without the client.
        async fn subscribe(&self, cursor: Token, wanted: Topic) -> Channel {
            let mut stream = self.connect(Plane::Client).await;
            let ask = Ask::Subscribe { cursor, wanted };
            frame::write(&mut stream.writer, &AskFrame { tag: 7, deadline_ms: 0, ask }).await.unwrap();
            stream
        }
    }

    async fn said(stream: &mut Channel) -> Answer {
        let AnswerFrame { tag, answer } =
            frame::with_timeout(Duration::from_secs(10), frame::read(&mut stream.reader, FRAME_BYTES_MAX))
                .await
                .unwrap();
        assert_eq!(tag, 7);
        answer
    }

    /// Returns the next news that is not empty.
    async fn news(following: &mut Following) -> SubscriptionMessage {
        let next = async {
            loop {
                match following.next().await {
                    SubscriptionMessage::Heartbeat => {}
                    news => return news,
                }
            }
        };
        let late = async {
            smol::Timer::after(Duration::from_secs(10)).await;
            panic!("no news");
        };
        next.or(late).await
    }

    async fn croak_of(following: &mut Following) -> (LogIndex, AccountId) {
        match news(following).await {
            SubscriptionMessage::Event(event) => match event.what {
                EventKind::Croaked { author } => (event.index, author),
                what => panic!("{what:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn past_and_live_events_come_in_order_and_the_filter_follows_the_friends() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            let (bobs, carls) = (TokenHash([2; 32]), TokenHash([3; 32]));
            let ada = pond.person("ada", SESSION).await;
            let bob = pond.person("bob", bobs).await;
            pond.person("carl", carls).await;
            let start = pond.now();
            pond.croak(bobs).await; // not followed yet
            let first = pond.croak(SESSION).await;
            pond.run(Command::AddFriend { session: SESSION, username: "bob".into() }).await;
            let second = pond.croak(bobs).await;
            let mut following = pond.client().subscribe(start, WANTED);
            assert_eq!(croak_of(&mut following).await, (first, ada));
            let added = EventKind::FriendAdded { account: ada, friend: bob };
            assert!(
                matches!(news(&mut following).await, SubscriptionMessage::Event(event) if event.what == added)
            );
            assert_eq!(croak_of(&mut following).await, (second, bob));
            // Live from here on.
            pond.croak(carls).await;
            let third = pond.croak(bobs).await;
            assert_eq!(croak_of(&mut following).await, (third, bob));
            pond.run(Command::RemoveFriend { session: SESSION, username: "bob".into() }).await;
            let removed = EventKind::FriendRemoved { account: ada, friend: bob };
            assert!(
                matches!(news(&mut following).await, SubscriptionMessage::Event(event) if event.what == removed)
            );
            pond.croak(bobs).await;
            let last = pond.croak(SESSION).await;
            assert_eq!(croak_of(&mut following).await, (last, ada));
            assert_eq!(following.cursor().index, last);
        });
    }

    #[test]
    fn a_closed_session_ends_its_stream_with_a_last_answer() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            let ada = pond.person("ada", SESSION).await;
            let mut following = pond.client().subscribe(pond.now(), WANTED);
            let croak = pond.croak(SESSION).await;
            assert_eq!(croak_of(&mut following).await, (croak, ada));
            pond.run(Command::LogOut { session: SESSION }).await;
            let closed = EventKind::SessionClosed { account: ada };
            assert!(
                matches!(news(&mut following).await, SubscriptionMessage::Event(event) if event.what == closed)
            );
            let over = SubscriptionMessage::Ended(Denied::new(Code::NotLoggedIn));
            assert_eq!(news(&mut following).await, over);
            assert_eq!(news(&mut following).await, over);
            let mut unknown = pond.client().subscribe(pond.now(), Topic::feed(TokenHash([9; 32])));
            assert_eq!(news(&mut unknown).await, over);

            let other = TokenHash([2; 32]);
            pond.person("bob", other).await;
            let mut following = pond.client().subscribe(pond.now(), Topic::feed(other));
            assert_eq!(following.next().await, SubscriptionMessage::Heartbeat);
            pond.run(Command::DeleteAccount { session: other, credential_version: 1 }).await;
            assert!(matches!(news(&mut following).await, SubscriptionMessage::Event(_)));
            assert_eq!(news(&mut following).await, over);
        });
    }

    #[test]
    fn a_cursor_that_is_too_old_or_of_another_history_is_read_again_and_resumed() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            let ada = pond.person("ada", SESSION).await;
            let early = pond.now();
            let croak = pond.croak(SESSION).await;
            // Overwrites the ring with events that are not in the log and belong to no account here.
            let flood = (1..=EVENT_RING_MAX as u64 + 1)
                .map(|_| Event::new(croak, EventKind::Croaked { author: AccountId(77) }));
            pond.member().replica.events().publish(None, flood, croak);
            let client = pond.client();
            let elsewhere = Token { history: HistoryId(99), index: 1 };
            for (cursor, expected) in
                [(early, LapseReason::Compacted), (elsewhere, LapseReason::OtherHistory)]
            {
                let mut following = client.subscribe(cursor, WANTED);
                let SubscriptionMessage::ReadAgain { at_least, why } = news(&mut following).await else {
                    panic!("no answer")
                };
                assert_eq!((why, at_least), (expected, pond.now()));
                let query = Query::Feed { session: SESSION, before: None, limit: 50 };
                let read = Ask::Read { seen: Some(at_least), consistency: Consistency::Session, query };
                let Ok(Answer::Read { token, page: Ok(Page::Feed { croaks, .. }), .. }) =
                    client.ask(read, Duration::from_secs(5)).await
                else {
                    panic!("not read")
                };
                assert!(croaks.iter().any(|shown| shown.id == croak));
                following.resume(token);
                let next = pond.croak(SESSION).await;
                assert_eq!(croak_of(&mut following).await, (next, ada));
            }
        });
    }

    #[test]
    fn a_cursor_ahead_of_this_node_waits_unless_no_such_entry_was_committed() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            pond.person("ada", SESSION).await;
            let ahead = Token { index: pond.now().index + 1, ..pond.now() };
            let mut stream = pond.subscribe(ahead, WANTED).await;
            let lapsed = Answer::Lapsed { resume_at: pond.now(), why: LapseReason::OtherHistory };
            assert_eq!(said(&mut stream).await, lapsed);
            let mut stream = pond.subscribe(ahead, WANTED).await;
            pond.croak(SESSION).await;
            assert_eq!(said(&mut stream).await, Answer::Live { cursor: ahead, events: Vec::new() });
        });
    }

    #[test]
    fn a_quiet_stream_has_heartbeats_and_a_client_that_writes_in_it_loses_it() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            pond.person("ada", SESSION).await;
            let mut stream = pond.subscribe(pond.now(), WANTED).await;
            let quiet = Answer::Live { cursor: pond.now(), events: Vec::new() };
            let begin = Instant::now();
            for _ in 0..3 {
                assert_eq!(said(&mut stream).await, quiet);
            }
            let heard = begin.elapsed();
            assert!(LIVE_BEAT <= heard && heard < 4 * LIVE_BEAT, "{heard:?}");
            frame::write(&mut stream.writer, &AskFrame { tag: 8, deadline_ms: 0, ask: Ask::NodeStatus })
                .await
                .unwrap();
            let end = frame::read::<AnswerFrame, _>(&mut stream.reader, FRAME_BYTES_MAX).await;
            assert!(matches!(end, Err(FrameError::Closed | FrameError::Io(_))), "{end:?}");
        });
    }

    #[test]
    fn a_stream_needs_a_connection_of_its_own() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            pond.person("ada", SESSION).await;
            let ask = Ask::Subscribe { cursor: pond.now(), wanted: WANTED };
            let mut stream = pond.connect(Plane::Client).await;
            let frame = |ask: &Ask| AskFrame { tag: 7, deadline_ms: 1_000, ask: ask.clone() };
            frame::write(&mut stream.writer, &frame(&Ask::NodeStatus)).await.unwrap();
            assert!(matches!(said(&mut stream).await, Answer::NodeStatus(_)));
            frame::write(&mut stream.writer, &frame(&ask)).await.unwrap();
            assert_eq!(said(&mut stream).await, Answer::Refused(Denied::new(Code::InvalidEntry)));
            let mut stream = pond.connect(Plane::Control).await;
            frame::write(&mut stream.writer, &frame(&ask)).await.unwrap();
            assert_eq!(said(&mut stream).await, Answer::Refused(Denied::new(Code::InvalidEntry)));
        });
    }

    #[test]
    fn subscriptions_are_bounded_and_a_closed_one_frees_its_slot() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            pond.person("ada", SESSION).await;
            let mut streams = Vec::new();
            for _ in 0..SUBSCRIBERS_MAX {
                let mut stream = pond.subscribe(pond.now(), WANTED).await;
                assert!(matches!(said(&mut stream).await, Answer::Live { .. }));
                streams.push(stream);
            }
            let mut one_more = pond.subscribe(pond.now(), WANTED).await;
            assert_eq!(said(&mut one_more).await, Answer::Unavailable(UnavailableReason::Busy));
            drop(streams.pop());
            let begin = Instant::now();
            loop {
                let mut stream = pond.subscribe(pond.now(), WANTED).await;
                if matches!(said(&mut stream).await, Answer::Live { .. }) {
                    break;
                }
                assert!(begin.elapsed() < Duration::from_secs(5), "the slot is not free again");
            }
        });
    }

    #[test]
    fn a_slow_subscriber_lapses_and_does_not_delay_publishing() {
        smol::block_on(async {
            let mut pond = Pond::new().await;
            let ada = pond.person("ada", SESSION).await;
            let start = pond.now();
            let mut slow = pond.subscribe(start, WANTED).await;
            assert!(matches!(said(&mut slow).await, Answer::Live { .. }));
            let live = pond.member().replica.events();
            let mut index = start.index;
            // The subscriber does not read meanwhile, and the ring is overwritten many times. A fixed number of rounds, because
            // a busy machine publishes too little in a fixed time: the sockets' buffers hold it, and nothing ever lapses.
            for _ in 0..300 {
                let events = (index + 1..=index + 1_000)
                    .map(|index| Event::new(index, EventKind::Croaked { author: ada }));
                live.publish(None, events, index + 1_000);
                index += 1_000;
                smol::Timer::after(Duration::from_millis(5)).await;
            }
            let mut cursor = start.index;
            loop {
                match said(&mut slow).await {
                    Answer::Live { cursor: behind, events } => {
                        // Without a gap up to the index at which it was overtaken.
                        let indexes: Vec<_> = events.iter().map(|event| event.index).collect();
                        assert_eq!(indexes, (cursor + 1..=behind.index).collect::<Vec<_>>());
                        cursor = behind.index;
                    }
                    end => {
                        let Answer::Lapsed { resume_at, why: LapseReason::Behind } = end else {
                            panic!("{end:?}")
                        };
                        assert!(resume_at.index > cursor + EVENT_RING_MAX as u64);
                        assert!(resume_at.history == start.history && resume_at.index <= index);
                        break;
                    }
                }
            }
        });
    }
}
