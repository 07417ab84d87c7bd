//! A subscriber of a feed gets each croak once and in order, across failures.

use crate::test_cluster::{Status, TestCluster, asked, awaited, keys};
use crate::writers::{Writers, feed_of, session_of};
use ribbit_net::client::Client;
use ribbit_net::frame::{self, Plane};
use ribbit_net::handshake::connect;
use ribbit_net::limits::FRAME_BYTES_MAX;
use ribbit_net::protocol::{Answer, AnswerFrame, Ask, AskFrame, LapseReason, UnavailableReason};
use ribbit_net::subscription::{Subscription, SubscriptionMessage};
use ribbit_state::sync::MutexExt;
use ribbit_state::{Consistency, EventKind, LogIndex, Page, Query, Token, TokenHash, Topic};
use rustix::process::Signal;
use smol::future::FutureExt;
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(20);

/// Model of an open page: shows events, and reads the feed again when told to.
struct Reader {
    client: Client,
    session: TokenHash,
    subscription: Subscription,
    croaks: Vec<LogIndex>,
    read_again: Vec<LapseReason>,
}

impl Reader {
    fn new(pond: &TestCluster, session: TokenHash) -> Reader {
        let client = Client::new(vec![pond.address("BALANCER")], keys());
        let start = smol::block_on(client.position(LONG)).expect("somebody answers");
        Reader::from(client, start, session)
    }

    fn from(client: Client, start: Token, session: TokenHash) -> Reader {
        let subscription = client.subscribe(start, Topic::feed(session));
        Reader { client, session, subscription, croaks: Vec::new(), read_again: Vec::new() }
    }

    /// Handles the next event.
    async fn take(&mut self) {
        match self.subscription.next().await {
            SubscriptionMessage::Event(event) => {
                if let EventKind::Croaked { .. } = event.what {
                    self.croaks.push(event.index);
                }
            }
            SubscriptionMessage::Heartbeat => {}
            SubscriptionMessage::ReadAgain { at_least, why } => {
                self.read_again.push(why);
                self.read(at_least).await;
            }
            SubscriptionMessage::Ended(denied) => panic!("{denied}"),
        }
    }

    /// Reads the feed back to the last known croak, and continues the stream from the newest page.
    async fn read(&mut self, at_least: Token) {
        let shown = self.subscription.cursor().index;
        let (mut seen, mut before, mut missed) = (Some(at_least), None, Vec::new());
        let mut newest = None;
        loop {
            let query = Query::Feed { session: self.session, before, limit: 50 };
            let read = Ask::Read { seen, consistency: Consistency::Session, query };
            let answer = self.client.ask(read, LONG).await.expect("somebody answers");
            let Answer::Read { token, page: Ok(Page::Feed { croaks, older, .. }), .. } = answer else {
                panic!("{answer:?}")
            };
            newest.get_or_insert(token);
            seen = Some(token);
            missed.extend(croaks.iter().map(|croak| croak.id).filter(|id| *id > shown));
            match older {
                Some(_) if croaks.last().is_some_and(|croak| croak.id > shown) => before = older,
                _ => break,
            }
        }
        missed.reverse();
        self.croaks.extend(missed);
        self.subscription.resume(newest.expect("at least one page"));
    }

    /// Runs until it has everything up to the index `end`.
    fn read_to(&mut self, end: LogIndex) {
        let reading = async {
            while self.subscription.cursor().index < end {
                self.take().await;
            }
        };
        let late = async {
            smol::Timer::after(LONG).await;
            panic!("nothing comes");
        };
        smol::block_on(reading.or(late));
    }
}

/// A reader on its own thread. It runs until it has everything up to a given index.
struct Following {
    end: Arc<AtomicU64>,
    told: Arc<Mutex<usize>>,
    thread: JoinHandle<Reader>,
}

impl Following {
    fn start(mut reader: Reader) -> Following {
        let (end, told) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::new(Mutex::new(0)));
        let (ends, tells) = (end.clone(), told.clone());
        let thread = std::thread::spawn(move || {
            smol::block_on(async {
                while reader.subscription.cursor().index < ends.load(Ordering::SeqCst) {
                    let late = async {
                        smol::Timer::after(LONG).await;
                        panic!("nothing comes, not even a beat");
                    };
                    reader.take().or(late).await;
                    *tells.locked() = reader.croaks.len();
                }
            });
            reader
        });
        Following { end, told, thread }
    }

    fn told(&self) -> usize {
        *self.told.locked()
    }

    #[track_caller]
    fn await_progress(&self) {
        let before = self.told();
        awaited("the reader is told more", || (self.told() > before + 20).then_some(()));
    }

    fn stop(self, end: LogIndex) -> Reader {
        self.end.store(end, Ordering::SeqCst);
        self.thread.join().expect("it got to the end")
    }
}

fn clients(status: &Status) -> BTreeMap<String, u32> {
    status.backends().map(|backend| (backend.name.clone(), backend.clients)).collect()
}

#[test]
fn a_follower_is_told_every_croak_once_and_in_order_while_its_backends_are_killed() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    pond.await_leading_backend();
    let writers = Writers::start(&pond.web(), 4);
    let session = session_of(&writers.reader);
    let reader = Reader::new(&pond, session);
    let start = reader.subscription.cursor();
    let before = clients(&pond.status());
    let following = Following::start(reader);
    following.await_progress();
    // The backend with one more client serves the reader.
    let now = clients(&pond.status());
    let serves = now.iter().filter(|(name, count)| **count > before[*name]).map(|(name, _)| name.clone());
    let serving: Vec<String> = serves.collect();
    assert_eq!(serving.len(), 1, "{before:?}, {now:?}");

    let killed = serving[0].clone();
    pond.kill(&[&killed]);
    following.await_progress();
    writers.await_progress();
    pond.backend_by_hand(killed.strip_prefix("backend-").and_then(|id| id.parse().ok()).expect("a backend"));
    pond.await_status("it is back and votes", |status| {
        let member = status.member(&killed);
        status.leader.is_some() && member.alive && member.in_sync && member.voter
    });
    following.await_progress();
    // The backend with the most clients, which may serve the reader now; not the one that has just come back.
    let second = pond
        .status()
        .backends()
        .filter(|it| it.name != killed)
        .max_by_key(|it| it.clients)
        .map(|it| it.name.clone());
    pond.kill(&[&second.expect("two others")]);
    following.await_progress();
    awaited("five hundred croaks", || (writers.acknowledged() >= 500).then_some(()));

    let mut written = writers.stop();
    written.judge_pages();
    let status = pond.await_status("two have everything", |status| {
        status.backends().filter(|backend| backend.alive && backend.lag == 0).count() == 2
    });
    let survivor = status.backends().find(|backend| backend.alive).expect("two");
    let mut feed: Vec<(LogIndex, String)> = feed_of(&survivor.address, session);
    feed.reverse();
    written.judge(&feed.iter().rev().map(|(_, text)| text.clone()).collect::<Vec<_>>());
    let expected: Vec<LogIndex> = feed.iter().map(|(id, _)| *id).filter(|id| *id > start.index).collect();
    let reader = following.stop(*expected.last().expect("many"));
    assert!(reader.croaks.len() > 200, "{}", reader.croaks.len());
    assert_eq!(reader.croaks, expected, "each once and in order");
    println!("{} croaks told, read again: {:?}", reader.croaks.len(), reader.read_again);
    pond.stop();
}

/// Uses a raw connection to one backend, because a client would silently switch to another one.
#[test]
fn a_stream_of_a_backend_that_has_lost_touch_ends_with_a_word() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    pond.await_leading_backend();
    let mut browser = pond.browser();
    browser.join("ada");
    let session = session_of(&browser);
    let cursor = Reader::new(&pond, session).subscription.cursor();
    smol::block_on(async {
        let mut stream =
            connect(&pond.address("BACKEND_1"), Plane::Client, &keys()).await.expect("it listens");
        let ask = Ask::Subscribe { cursor, wanted: Topic::feed(session) };
        frame::write(&mut stream.writer, &AskFrame { tag: 1, deadline_ms: 0, ask }).await.expect("open");
        pond.signal(&["backend-2", "backend-3", "coordinator-1", "coordinator-2"], Signal::STOP);
        let mut beats = 0;
        loop {
            let said = frame::with_timeout(LONG, frame::read(&mut stream.reader, FRAME_BYTES_MAX)).await;
            match said.map(|AnswerFrame { answer, .. }| answer) {
                Ok(Answer::Live { .. }) => beats += 1,
                Ok(Answer::Unavailable(UnavailableReason::Behind)) => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(beats > 1, "it is heard of until then");
    });
    pond.signal(&["backend-2", "backend-3", "coordinator-1", "coordinator-2"], Signal::CONT);
    pond.stop();
}

#[test]
fn a_cursor_from_before_a_snapshot_is_told_to_read_again_and_misses_nothing() {
    let mut pond = TestCluster::start();
    let leader = pond.await_leading_backend();
    let (member, part) =
        if leader == "backend-2" { ("backend-3", "BACKEND_3") } else { ("backend-2", "BACKEND_2") };
    let mut browser = pond.browser();
    browser.join("ada");
    let session = session_of(&browser);
    let start = Reader::new(&pond, session).subscription.cursor();
    let mut croak = |text: &str| browser.post("/main", &[("post", text)]).leads_to("/main");
    for text in ["one", "two", "three", "four", "five", "six"] {
        croak(text);
    }
    // The member comes back with a snapshot, which contains the state without the events before it.
    let raft_id = |pond: &TestCluster| asked(&pond.address(part)).map(|it| it.me.raft_id);
    let before = raft_id(&pond);
    fs::remove_dir_all(pond.folder().join(member)).expect("a folder");
    pond.kill(&[member]);
    awaited("it is another member now", || raft_id(&pond).filter(|id| *id > 0 && Some(*id) != before));
    pond.await_whole();
    croak("after");
    let client = Client::new(vec![pond.address(part)], keys());
    let mut reader = Reader::from(client.clone(), start, session);
    let feed = feed_of(&pond.address("BALANCER"), session);
    assert_eq!(feed.len(), 7);
    reader.read_to(feed[0].0);
    assert_eq!((reader.read_again.as_slice(), reader.croaks.len()), ([LapseReason::Compacted].as_slice(), 7));
    croak("live");
    let feed = feed_of(&pond.address("BALANCER"), session);
    assert_eq!(feed.len(), 8);
    reader.read_to(feed[0].0);
    let expected: Vec<LogIndex> = feed.iter().rev().map(|(id, _)| *id).collect();
    assert_eq!(reader.croaks, expected);
    assert_eq!(reader.read_again.len(), 1, "and from there on it follows");
    pond.stop();
}
