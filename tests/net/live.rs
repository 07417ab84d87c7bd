//! The client's side of a subscription over real sockets, with servers that send events and then fail.

use async_net::TcpListener;
use ribbit_net::channel::Channel;
use ribbit_net::client::Client;
use ribbit_net::frame::{FrameError, Plane};
use ribbit_net::limits::{LIVE_PIECES_MAX, LIVE_SILENCE};
use ribbit_net::listener::{Caller, ConnectionLimits, Service, SubscriptionSink, serve};
use ribbit_net::protocol::{Answer, Ask, LapseReason, UnavailableReason};
use ribbit_net::subscription::{Subscription, SubscriptionMessage};
use ribbit_state::{AccountId, Code, Denied, Event, EventKind, HistoryId, LogIndex, Token, TokenHash, Topic};
use smol::future::FutureExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use testkit::keys::keys;

const WANTED: Topic = Topic::feed(TokenHash([1; 32]));

fn at(index: LogIndex) -> Token {
    Token { history: HistoryId(1), index }
}

fn event(index: LogIndex) -> Event {
    Event::new(index, EventKind::Croaked { author: AccountId(1) })
}

/// Behaviour of a server after its last batch.
#[derive(Debug, Clone, Copy)]
enum Then {
    Close,
    /// Keeps the connection open and sends nothing.
    Hang,
    Say(UnavailableReason),
    /// Sends an event again.
    Repeat,
    Lapse(LapseReason),
    Refuse,
}

/// Service that sends `pieces` batches of three events, one at every index.
struct Teller {
    pieces: usize,
    then: Then,
    streams: AtomicUsize,
    sent: AtomicUsize,
}

impl Service for Teller {
    async fn answer(self: Arc<Self>, _: Caller, _: Ask, _: Instant) -> Answer {
        Answer::Unavailable(UnavailableReason::NotServing)
    }

    async fn stream(
        self: Arc<Self>,
        cursor: Token,
        wanted: Topic,
        mut outlet: SubscriptionSink,
    ) -> Result<(), FrameError> {
        assert_eq!(wanted, WANTED);
        self.streams.fetch_add(1, Ordering::SeqCst);
        let mut index = cursor.index;
        for _ in 0..self.pieces {
            let events = (1..=3).map(|step| event(index + step)).collect();
            index += 3;
            outlet.send(Answer::Live { cursor: at(index), events }).await?;
            self.sent.fetch_add(1, Ordering::SeqCst);
        }
        outlet
            .send(match self.then {
                Then::Close => return Ok(()),
                Then::Hang => smol::future::pending().await,
                Then::Say(why) => Answer::Unavailable(why),
                Then::Repeat => Answer::Live { cursor: at(index), events: vec![event(index)] },
                Then::Lapse(why) => Answer::Lapsed { resume_at: at(1_000), why },
                Then::Refuse => Answer::Refused(Denied::new(Code::NotLoggedIn)),
            })
            .await
    }

    async fn peer(self: Arc<Self>, _: Plane, _: Channel) {}
}

struct Server {
    address: String,
    node: Arc<Teller>,
    gate: Arc<ConnectionLimits>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.gate.close();
    }
}

async fn server(pieces: usize, then: Then) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let node = Arc::new(Teller { pieces, then, streams: AtomicUsize::new(0), sent: AtomicUsize::new(0) });
    let gate = ConnectionLimits::new();
    smol::spawn(serve(listener, node.clone(), gate.clone(), keys())).detach();
    Server { address, node, gate }
}

fn subscribe(servers: &[&Server], cursor: LogIndex) -> Subscription {
    let addresses = servers.iter().map(|server| server.address.clone()).collect();
    Client::new(addresses, keys()).subscribe(at(cursor), WANTED)
}

async fn next(subscription: &mut Subscription) -> SubscriptionMessage {
    let late = async {
        smol::Timer::after(3 * LIVE_SILENCE).await;
        panic!("no message in time");
    };
    subscription.next().or(late).await
}

#[test]
fn events_arrive_once_and_in_order_however_the_servers_fail() {
    smol::block_on(async {
        for then in [Then::Close, Then::Hang, Then::Say(UnavailableReason::Behind), Then::Repeat] {
            let servers = [server(2, then).await, server(3, Then::Close).await];
            let mut subscription = subscribe(&[&servers[0], &servers[1]], 10);
            for index in 11..=40 {
                assert_eq!(
                    next(&mut subscription).await,
                    SubscriptionMessage::Event(event(index)),
                    "{then:?}"
                );
                assert_eq!(subscription.cursor(), at(index));
            }
            let streams = servers.each_ref().map(|server| server.node.streams.load(Ordering::SeqCst));
            assert!(streams.iter().all(|count| *count > 0), "{then:?}: {streams:?}");
        }
    });
}

#[test]
fn servers_that_do_not_serve_are_skipped() {
    smol::block_on(async {
        let full = server(0, Then::Say(UnavailableReason::Busy)).await;
        let gone = server(0, Then::Close).await;
        let well = server(100, Then::Hang).await;
        let mut subscription = subscribe(&[&full, &gone, &well], 0);
        for index in 1..=100 {
            assert_eq!(next(&mut subscription).await, SubscriptionMessage::Event(event(index)));
        }
        assert!(full.node.streams.load(Ordering::SeqCst) <= 1);
    });
}

#[test]
fn a_lapsed_cursor_is_reported_until_the_reader_resumes() {
    smol::block_on(async {
        let server = server(1, Then::Lapse(LapseReason::Compacted)).await;
        let mut subscription = subscribe(&[&server], 10);
        let lapsed = SubscriptionMessage::ReadAgain { at_least: at(1_000), why: LapseReason::Compacted };
        for expected in [
            SubscriptionMessage::Event(event(11)),
            SubscriptionMessage::Event(event(12)),
            SubscriptionMessage::Event(event(13)),
            lapsed.clone(),
            lapsed,
        ] {
            assert_eq!(next(&mut subscription).await, expected);
        }
        assert_eq!((subscription.cursor(), server.node.streams.load(Ordering::SeqCst)), (at(13), 1));
        subscription.resume(at(2_000));
        assert_eq!(next(&mut subscription).await, SubscriptionMessage::Event(event(2_001)));
    });
}

#[test]
fn the_end_of_the_session_is_the_last_message() {
    smol::block_on(async {
        let server = server(0, Then::Refuse).await;
        let mut subscription = subscribe(&[&server], 10);
        let over = SubscriptionMessage::Ended(Denied::new(Code::NotLoggedIn));
        assert_eq!((next(&mut subscription).await, next(&mut subscription).await), (over.clone(), over));
        assert_eq!(server.node.streams.load(Ordering::SeqCst), 1, "the server is not asked again");
    });
}

/// A page waits for other things as well.
#[test]
fn waiting_for_the_next_message_may_be_given_up_at_any_time() {
    smol::block_on(async {
        let server = server(200, Then::Close).await;
        let mut subscription = subscribe(&[&server], 0);
        let mut index = 0;
        while index < 300 {
            let given_up = async {
                smol::Timer::after(Duration::from_micros(50)).await;
                None
            };
            let news = async { Some(subscription.next().await) };
            if let Some(SubscriptionMessage::Event(told)) = given_up.or(news).await {
                index += 1;
                assert_eq!(told, event(index));
            }
        }
        assert_eq!(server.node.streams.load(Ordering::SeqCst), 1, "the connection is kept");
    });
}

#[test]
fn a_slow_reader_causes_back_pressure() {
    smol::block_on(async {
        let server = server(1_000_000, Then::Close).await;
        let mut subscription = subscribe(&[&server], 0);
        assert_eq!(next(&mut subscription).await, SubscriptionMessage::Event(event(1)));
        let pause = Duration::from_millis(300);
        let mut sent = 0;
        // Waits until the queue of the subscription and the buffers of both kernels are full.
        while sent != server.node.sent.load(Ordering::SeqCst) {
            sent = server.node.sent.load(Ordering::SeqCst);
            smol::Timer::after(pause).await;
        }
        assert!(sent < 100_000, "{sent} batches wait for a reader that takes none");
        for index in 2..=(3 * LIVE_PIECES_MAX as u64 + 300) {
            assert_eq!(next(&mut subscription).await, SubscriptionMessage::Event(event(index)));
        }
    });
}

#[test]
fn dropping_a_subscription_closes_its_connection() {
    smol::block_on(async {
        let server = server(1, Then::Hang).await;
        let mut subscription = subscribe(&[&server], 0);
        assert_eq!(next(&mut subscription).await, SubscriptionMessage::Event(event(1)));
        assert_eq!(server.gate.clients(), 1);
        drop(subscription);
        let begin = Instant::now();
        while server.gate.clients() > 0 {
            assert!(begin.elapsed() < Duration::from_secs(5), "the connection is left open");
            smol::Timer::after(Duration::from_millis(10)).await;
        }
    });
}
