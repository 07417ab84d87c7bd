//! Listener and failover client over real sockets, with a service that the test controls.

use async_net::{TcpListener, TcpStream};
use ribbit_net::channel::Channel;
use ribbit_net::client::{Client, ClientError};
use ribbit_net::frame::{self, FrameError, Plane};
use ribbit_net::handshake::{PREFACE_BYTES, Preface, connect};
use ribbit_net::limits::{ADDRESS_CONNECTIONS_MAX, ASK_BYTES_MAX, ASKS_UNDER_WAY_MAX, FRAME_BYTES_MAX};
use ribbit_net::listener::{Caller, ConnectionLimits, Service, serve};
use ribbit_net::multiplexed::MultiplexedConnection;
use ribbit_net::oneshot::ask_once;
use ribbit_net::protocol::{Answer, Ask, Password, UnavailableReason};
use ribbit_state::{
    Code, Command, Consistency, Denied, Field, HistoryId, Page, Query, Request, RequestId, Token, TokenHash,
};
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::keys::keys;

const LONG: Duration = Duration::from_secs(8);

/// Service that passes every request to the test, which may answer it.
struct Puppet {
    number: usize,
    asked: Sender<Asked>,
}

struct Asked {
    node: usize,
    ask: Ask,
    answer: Sender<Answer>,
}

impl Service for Puppet {
    async fn answer(self: Arc<Self>, _plane: Caller, ask: Ask, deadline: Instant) -> Answer {
        if ask == Ask::NodeStatus {
            return Answer::Unavailable(UnavailableReason::NotServing); // enough for a ping
        }
        let (answer, answered) = channel::bounded(1);
        self.asked.send(Asked { node: self.number, ask, answer }).await.expect("the test listens");
        let given =
            async { answered.recv().await.unwrap_or(Answer::Unavailable(UnavailableReason::NoLeader)) };
        let late = async {
            smol::Timer::at(deadline).await;
            Answer::Unavailable(UnavailableReason::Busy)
        };
        given.or(late).await
    }

    async fn peer(self: Arc<Self>, _plane: Plane, mut channel: Channel) {
        let _ = frame::write(&mut channel.writer, &"peer").await;
    }
}

struct Server {
    address: String,
    gate: Arc<ConnectionLimits>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.gate.close();
    }
}

async fn start(number: usize, asked: &Sender<Asked>, gate: Arc<ConnectionLimits>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let node = Arc::new(Puppet { number, asked: asked.clone() });
    smol::spawn(serve(listener, node, gate.clone(), keys())).detach();
    Server { address, gate }
}

async fn one_server() -> (Server, Receiver<Asked>) {
    let (asked, asks) = channel::unbounded();
    (start(0, &asked, ConnectionLimits::new()).await, asks)
}

/// Returns two servers and a client that knows both.
async fn two_servers() -> ([Server; 2], Client, Receiver<Asked>) {
    let (asked, asks) = channel::unbounded();
    let servers =
        [start(0, &asked, ConnectionLimits::new()).await, start(1, &asked, ConnectionLimits::new()).await];
    let client = Client::new(servers.iter().map(|server| server.address.clone()).collect(), keys());
    (servers, client, asks)
}

/// Returns a request with a number, which its answer repeats in the token.
fn question(number: u64) -> Ask {
    let seen = Some(Token { history: HistoryId(1), index: number });
    Ask::Read { seen, consistency: Consistency::Session, query: Query::Position }
}

fn answer_to(ask: &Ask) -> Answer {
    let Ask::Read { seen: Some(token), .. } = ask else { panic!("not a request of `question`: {ask:?}") };
    Answer::Read { token: *token, old: false, page: Ok(Page::Position) }
}

fn answer_everything(asks: Receiver<Asked>) -> smol::Task<()> {
    smol::spawn(async move {
        while let Ok(Asked { ask, answer, .. }) = asks.recv().await {
            let _ = answer.try_send(answer_to(&ask));
        }
    })
}

async fn reads_nothing_more(channel: &mut Channel) {
    let mut rest = Vec::new();
    let end = async { Some(channel.reader.read_to_end(&mut rest).await) };
    let ended = end
        .or(async {
            smol::Timer::after(LONG).await;
            None
        })
        .await;
    assert!(ended.is_some(), "the connection was left open");
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn a_thousand_requests_share_a_connection_and_are_answered_out_of_order() {
    smol::block_on(async {
        let (server, asks) = one_server().await;
        let client = Client::new(vec![server.address.clone()], keys());
        let askers: Vec<_> = (0..1_000)
            .map(|number| {
                let client = client.clone();
                smol::spawn(async move { (number, client.ask(question(number), LONG).await) })
            })
            .collect();
        let answering = smol::spawn(async move {
            loop {
                // Answers the waiting requests, the newest first.
                let mut heap = vec![asks.recv().await.unwrap()];
                while heap.len() < 200
                    && let Ok(asked) = asks.try_recv()
                {
                    heap.push(asked);
                }
                for Asked { ask, answer, .. } in heap.into_iter().rev() {
                    answer.try_send(answer_to(&ask)).unwrap();
                }
            }
        });
        for asker in askers {
            let (number, answer) = asker.await;
            assert_eq!(answer.unwrap(), answer_to(&question(number)));
        }
        drop(answering);
        assert_eq!(client.seen().unwrap().index, 999);
        assert_eq!((server.gate.connections(), server.gate.clients()), (1, 1));
    });
}

#[test]
fn a_server_that_stops_answering_costs_about_a_second() {
    smol::block_on(async {
        let (live, asks) = one_server().await;
        let _answering = answer_everything(asks);
        // One server sends its preface and nothing more; the other sends nothing.
        let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
        let servers = [address(&hole), address(&silent), live.address.clone()];
        let _hello = smol::spawn(async move {
            let mut open = Vec::new();
            loop {
                let (mut stream, _) = hole.accept().await.unwrap();
                stream
                    .write_all(&Preface { plane: Plane::Client, cluster: None, key: 0 }.to_bytes())
                    .await
                    .unwrap();
                open.push(stream);
            }
        });
        let clients: Vec<_> = (0..12)
            .map(|number| {
                let client = Client::new(servers.to_vec(), keys());
                smol::spawn(async move {
                    let begin = Instant::now();
                    (client.ask(question(number), LONG).await, begin.elapsed())
                })
            })
            .collect();
        for client in clients {
            let (answer, took) = client.await;
            answer.unwrap();
            assert!(took < Duration::from_millis(2_500), "{took:?}"); // both bad servers in a row, at worst
        }
    });
}

#[test]
fn a_slow_answer_is_not_a_dead_server() {
    smol::block_on(async {
        let (server, asks) = one_server().await;
        let client = Client::new(vec![server.address.clone()], keys());
        let ask = Ask::LogIn {
            id: RequestId(1),
            submitted_at: 0,
            username: "ada".into(),
            password: Password("correct horse".into()),
            token: TokenHash([0; 32]),
            device: String::new(),
            app: None,
        };
        let asking = smol::spawn(async move { client.ask(ask, LONG).await });
        let Asked { answer, .. } = asks.recv().await.unwrap();
        // Longer than the client waits for a silent server.
        smol::Timer::after(Duration::from_millis(1_600)).await;
        let token = Token { history: HistoryId(1), index: 1 };
        let written = Answer::Written { token, outcome: Ok(ribbit_state::Reply::Done) };
        answer.try_send(written.clone()).unwrap();
        assert_eq!(asking.await.unwrap(), written);
        assert!(asks.is_empty(), "the request was sent again");
    });
}

#[test]
fn a_request_is_sent_unchanged_to_another_server_when_its_server_dies() {
    smol::block_on(async {
        let (servers, client, asks) = two_servers().await;
        let asking = smol::spawn(async move { client.ask(question(7), LONG).await });
        let first = asks.recv().await.unwrap();
        servers[first.node].gate.close();
        let second = asks.recv().await.unwrap();
        assert_ne!(first.node, second.node);
        assert_eq!(first.ask, second.ask);
        assert!(first.answer.is_closed(), "the first attempt was not dropped");
        second.answer.try_send(answer_to(&second.ask)).unwrap();
        asking.await.unwrap();
    });
}

/// A read that crashes one server may crash every server.
#[test]
fn a_read_that_was_lost_with_two_servers_is_not_sent_to_a_third() {
    smol::block_on(async {
        let (asked, asks) = channel::unbounded();
        let mut servers = Vec::new();
        for number in 0..4 {
            servers.push(start(number, &asked, ConnectionLimits::new()).await);
        }
        let client = Client::new(servers.iter().map(|server| server.address.clone()).collect(), keys());
        let reader = client.clone();
        let reading = smol::spawn(async move { reader.ask(question(7), LONG).await });
        // Kept until the end, because dropping a request answers it.
        let mut unanswered = Vec::new();
        for _ in 0..2 {
            let asked = asks.recv().await.unwrap();
            servers[asked.node].gate.close();
            unanswered.push(asked);
        }
        assert_eq!(reading.await, Err(ClientError::Abandoned));
        assert!(asks.is_empty(), "a third server was asked");

        // A write is sent until it has an outcome.
        let (id, session, token) = (RequestId(1), TokenHash([1; 32]), question(9));
        let write =
            Ask::Write(Request { id, submitted_at: 0, origin: None, command: Command::LogOut { session } });
        let asking = smol::spawn(async move { client.ask(write, LONG).await });
        let asked = asks.recv().await.unwrap();
        servers[asked.node].gate.close();
        unanswered.push(asked);
        let last = asks.recv().await.unwrap();
        last.answer.try_send(answer_to(&token)).unwrap();
        assert_eq!(asking.await.unwrap(), answer_to(&token));
    });
}

/// Many callers share a line, so a request that no server accepts must not end it.
#[test]
fn a_request_beyond_its_bounds_is_refused_before_it_is_sent() {
    smol::block_on(async {
        let (server, asks) = one_server().await;
        let client = Client::new(vec![server.address.clone()], keys());
        let session = TokenHash([1; 32]);
        let long = |bytes: usize| Ask::Read {
            seen: None,
            consistency: Consistency::Session,
            query: Query::People { session, names: "a".repeat(bytes), after: None },
        };
        let refused = Answer::Refused(Denied::of(Code::InvalidEntry, Field::Names));
        for bytes in [65, ASK_BYTES_MAX + 1, FRAME_BYTES_MAX] {
            assert_eq!(client.ask(long(bytes), LONG).await.as_ref(), Ok(&refused));
            let once = ask_once(&server.address, Plane::Client, &keys(), long(bytes), LONG).await;
            assert_eq!(once.unwrap(), refused);
        }
        assert!(asks.is_empty(), "the request was sent");

        // On a line used directly, the line stays open.
        let line = MultiplexedConnection::open(&server.address, Plane::Client, &keys()).await.unwrap();
        let too_long = line.ask(&long(ASK_BYTES_MAX + 1), LONG, LONG).await;
        assert!(matches!(too_long, Err(FrameError::TooLong { .. })), "{too_long:?}");
        let _answering = answer_everything(asks);
        assert_eq!(line.ask(&question(1), LONG, LONG).await.unwrap(), answer_to(&question(1)));
    });
}

#[test]
fn two_unavailable_answers_in_a_row_lead_to_another_server() {
    smol::block_on(async {
        let (_servers, client, asks) = two_servers().await;
        let asking = smol::spawn(async move { client.ask(question(7), LONG).await });
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let asked = asks.recv().await.unwrap();
            nodes.push(asked.node);
            let answer = match nodes.len() {
                3 => answer_to(&asked.ask),
                _ => Answer::Unavailable(UnavailableReason::NoLeader),
            };
            asked.answer.try_send(answer).unwrap();
        }
        asking.await.unwrap();
        assert!(nodes[0] == nodes[1] && nodes[1] != nodes[2], "{nodes:?}");
    });
}

#[test]
fn another_history_is_a_final_answer() {
    smol::block_on(async {
        let (server, asks) = one_server().await;
        let client = Client::new(vec![server.address.clone()], keys());
        let asking = smol::spawn(async move { client.ask(question(1), LONG).await });
        let asked = asks.recv().await.unwrap();
        asked.answer.try_send(Answer::Unavailable(UnavailableReason::OtherHistory)).unwrap();
        assert_eq!(asking.await, Ok(Answer::Unavailable(UnavailableReason::OtherHistory)));
    });
}

#[test]
fn unreachable_and_undecided_are_distinguished() {
    smol::block_on(async {
        let short = Duration::from_millis(400);
        assert_eq!(
            Client::new(Vec::new(), keys()).ask(question(1), short).await,
            Err(ClientError::Unreachable)
        );

        // A balancer without backends accepts connections and closes them.
        let empty = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = empty.local_addr().unwrap().to_string();
        let _hang_up = smol::spawn(async move {
            loop {
                drop(empty.accept().await.unwrap());
            }
        });
        assert_eq!(
            Client::new(vec![address], keys()).ask(question(1), short).await,
            Err(ClientError::Unreachable)
        );

        let (server, asks) = one_server().await;
        let client = Client::new(vec![server.address.clone()], keys());
        // The server and the client have the same deadline, and either may be first.
        assert!(matches!(client.ask(question(1), short).await, Err(ClientError::Undecided(_))));
        let _first = asks.recv().await.unwrap();

        let asking = smol::spawn(async move { client.ask(question(1), short).await });
        let _refusing = smol::spawn(async move {
            while let Ok(asked) = asks.recv().await {
                asked.answer.try_send(Answer::Unavailable(UnavailableReason::NoLeader)).unwrap();
            }
        });
        let answer = asking.await;
        assert!(
            matches!(
                answer,
                Err(ClientError::Undecided(UnavailableReason::NoLeader | UnavailableReason::Busy))
            ),
            "{answer:?}"
        );
    });
}

#[test]
fn abandoned_requests_do_not_count_as_pending() {
    smol::block_on(async {
        let (server, asks) = one_server().await;
        let client = Client::new(vec![server.address.clone()], keys());
        let given_up: Vec<_> = (0..2 * ASKS_UNDER_WAY_MAX as u64)
            .map(|number| {
                let client = client.clone();
                smol::spawn(async move { client.ask(question(number), Duration::from_millis(200)).await })
            })
            .collect();
        for asking in given_up {
            assert!(matches!(asking.await, Err(ClientError::Undecided(_))));
        }
        let _answering = answer_everything(asks);
        assert_eq!(client.ask(question(7), LONG).await.unwrap(), answer_to(&question(7)));
    });
}

#[test]
fn garbage_ends_its_connection_and_no_other() {
    smol::block_on(async {
        let (server, asks) = one_server().await;
        let _answering = answer_everything(asks);
        let mut good = connect(&server.address, Plane::Client, &keys()).await.unwrap();

        let mut bad = TcpStream::connect(&server.address).await.unwrap();
        bad.write_all(b"PUT / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        let _ = bad.read_to_end(&mut rest).await; // an end or a reset, depending on the kernel
        assert!(rest.is_empty());

        // An HTTP request is answered once, and then the connection is closed.
        let mut watcher = TcpStream::connect(&server.address).await.unwrap();
        watcher.write_all(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut page = String::new();
        let _ = watcher.read_to_string(&mut page).await;
        assert!(page.starts_with("HTTP/1.0 404 ") && page.matches("HTTP/").count() == 1, "{page}");

        let mut long = connect(&server.address, Plane::Client, &keys()).await.unwrap();
        long.writer.write_all(&u32::MAX.to_le_bytes()).await.unwrap();
        long.writer.flush().await.unwrap();
        reads_nothing_more(&mut long).await;

        let mut wrong = connect(&server.address, Plane::Control, &keys()).await.unwrap();
        wrong.writer.write_all(&[3, 0, 0, 0, 0xff, 0xff, 0xff]).await.unwrap();
        wrong.writer.flush().await.unwrap();
        reads_nothing_more(&mut wrong).await;

        let ask = ribbit_net::protocol::AskFrame { tag: 5, deadline_ms: 1_000, ask: question(3) };
        frame::write(&mut good.writer, &ask).await.unwrap();
        let answer: ribbit_net::protocol::AnswerFrame =
            frame::read(&mut good.reader, FRAME_BYTES_MAX).await.unwrap();
        assert_eq!((answer.tag, answer.answer), (5, answer_to(&question(3))));
    });
}

#[test]
fn a_client_that_half_closes_still_gets_its_answers() {
    smol::block_on(async {
        let (server, asks) = one_server().await;
        let mut stream = connect(&server.address, Plane::Client, &keys()).await.unwrap();
        let ask = ribbit_net::protocol::AskFrame { tag: 5, deadline_ms: 5_000, ask: question(3) };
        frame::write(&mut stream.writer, &ask).await.unwrap();
        stream.writer.socket().shutdown(std::net::Shutdown::Write).unwrap();
        let asked = asks.recv().await.unwrap();
        asked.answer.try_send(answer_to(&asked.ask)).unwrap();
        let answer: ribbit_net::protocol::AnswerFrame =
            frame::read(&mut stream.reader, FRAME_BYTES_MAX).await.unwrap();
        assert_eq!(answer.answer, answer_to(&question(3)));
        reads_nothing_more(&mut stream).await;
    });
}

#[test]
fn the_number_of_idle_connections_is_bounded_and_closing_them_makes_room() {
    smol::block_on(async {
        let (asked, asks) = channel::unbounded();
        let server = start(0, &asked, ConnectionLimits::with_max(300, 300, |_| false)).await;
        let _answering = answer_everything(asks);
        let mut idle = Vec::new();
        for _ in 0..300 {
            idle.push(connect(&server.address, Plane::Client, &keys()).await.unwrap());
        }
        assert_eq!(server.gate.clients(), 300);
        let refused = connect(&server.address, Plane::Client, &keys()).await;
        assert!(matches!(refused, Err(FrameError::Closed | FrameError::Io(_))), "{refused:?}");
        idle.truncate(10);
        // The failover client tries until there is room.
        let client = Client::new(vec![server.address.clone()], keys());
        client.ask(question(1), LONG).await.unwrap();
    });
}

#[test]
fn the_connections_of_an_address_are_bounded_except_those_of_members() {
    smol::block_on(async {
        let (asked, asks) = channel::unbounded();
        let server = start(0, &asked, ConnectionLimits::with_address_limit(|_| false)).await;
        let _answering = answer_everything(asks);
        let mut people = Vec::new();
        for _ in 0..ADDRESS_CONNECTIONS_MAX {
            people.push(connect(&server.address, Plane::Client, &keys()).await.unwrap());
        }
        // The address is only known after the handshake, so the connection ends behind it.
        let mut one_more = connect(&server.address, Plane::Status, &keys()).await.unwrap();
        reads_nothing_more(&mut one_more).await;
        let _member = connect(&server.address, Plane::Control, &keys()).await.unwrap();
        people.pop();
        let client = Client::new(vec![server.address.clone()], keys());
        client.ask(question(1), LONG).await.unwrap();
        // The limit does not apply to shared addresses.
        let crowded =
            start(1, &asked, ConnectionLimits::with_address_limit(|address| address.is_loopback())).await;
        for _ in 0..=ADDRESS_CONNECTIONS_MAX {
            people.push(connect(&crowded.address, Plane::Client, &keys()).await.unwrap());
        }
    });
}

#[test]
fn clients_do_not_take_the_connections_reserved_for_members() {
    smol::block_on(async {
        let (asked, _asks) = channel::unbounded();
        let server = start(0, &asked, ConnectionLimits::with_max(8, 3, |_| false)).await;
        let mut people = Vec::new();
        for _ in 0..3 {
            people.push(connect(&server.address, Plane::Client, &keys()).await.unwrap());
        }
        let refused = connect(&server.address, Plane::Client, &keys()).await;
        assert!(matches!(refused, Err(FrameError::Closed | FrameError::Io(_))), "{refused:?}");
        let _one = connect(&server.address, Plane::Peer, &keys()).await.unwrap();
        let _other = connect(&server.address, Plane::Control, &keys()).await.unwrap();
        assert_eq!(server.gate.clients(), 3);
    });
}

#[test]
fn planes_are_kept_apart_and_the_gate_closes_them_all() {
    smol::block_on(async {
        let (server, asks) = one_server().await;
        let _answering = answer_everything(asks);
        let mut peer = connect(&server.address, Plane::Peer, &keys()).await.unwrap();
        assert_eq!(frame::read::<String, _>(&mut peer.reader, FRAME_BYTES_MAX).await.unwrap(), "peer");
        let answer = ask_once(&server.address, Plane::Control, &keys(), question(4), LONG).await.unwrap();
        assert_eq!(answer, answer_to(&question(4)));
        assert_eq!(server.gate.clients(), 0);
        let mut client = connect(&server.address, Plane::Client, &keys()).await.unwrap();
        let mut nothing = [0; PREFACE_BYTES];
        server.gate.close();
        assert_eq!(client.reader.read(&mut nothing).await.unwrap(), 0);
        assert!(connect(&server.address, Plane::Client, &keys()).await.is_err());
    });
}
