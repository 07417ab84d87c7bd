//! A client in discovery mode over real sockets: it learns the servers from each server that it reaches, skips servers of
//! another cluster, reports changes of its connection, and gives up after three rounds over all servers.

use async_net::TcpListener;
use ribbit_net::channel::Channel;
use ribbit_net::client::{Client, ClientError};
use ribbit_net::discovery::ConnectionEvent;
use ribbit_net::frame::Plane;
use ribbit_net::keys::Keys;
use ribbit_net::listener::{Caller, ConnectionLimits, Service, SubscriptionSink, serve};
use ribbit_net::protocol::{
    Answer, Ask, LeaseStatus, MemberInfo, NodeStatus, StoreStatus, UnavailableReason,
};
use ribbit_net::subscription::SubscriptionMessage;
use ribbit_state::{
    AccountId, ClusterId, Consistency, Event, EventKind, HistoryId, LogIndex, Page, Query, Role, Token,
    TokenHash, Topic,
};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::keys::{keys, keys_of};

const LONG: Duration = Duration::from_secs(20);
const OURS: ClusterId = ClusterId(7);

/// Member that answers every request with its applied position, and sends one croak to each subscription.
struct Puppet {
    cluster: ClusterId,
    role: Role,
    address: String,
    others: Vec<String>,
    applied: LogIndex,
    asked: Mutex<Vec<Ask>>,
}

fn member(role: Role, address: &str, applied: LogIndex) -> MemberInfo {
    MemberInfo { role, address: address.to_string(), applied, ..MemberInfo::default() }
}

impl Service for Puppet {
    async fn answer(self: Arc<Self>, _plane: Caller, ask: Ask, _deadline: Instant) -> Answer {
        if ask == Ask::NodeStatus {
            return Answer::NodeStatus(Box::new(NodeStatus {
                cluster: self.cluster,
                history: Some(HistoryId(1)),
                me: member(self.role, &self.address, self.applied),
                leader: None,
                term: 1,
                voters: Vec::new(),
                learners: Vec::new(),
                in_sync: true,
                stalled_s: 0,
                lagging: Vec::new(),
                others: self.others.iter().map(|address| member(Role::Backend, address, 0)).collect(),
                store: StoreStatus::default(),
                leases: LeaseStatus::default(),
                accepts_old_key: false,
                build: String::new(),
                rules_level: 1,
                auto_finish: false,
            }));
        }
        self.asked.lock().unwrap().push(ask);
        Answer::Read { token: at(self.applied), old: false, page: Ok(Page::Position) }
    }

    async fn stream(
        self: Arc<Self>,
        cursor: Token,
        _wanted: Topic,
        mut outlet: SubscriptionSink,
    ) -> Result<(), ribbit_net::frame::FrameError> {
        let index = self.applied;
        let what = EventKind::Croaked { author: AccountId(1) };
        let events = if index > cursor.index { vec![Event::new(index, what)] } else { Vec::new() };
        outlet.send(Answer::Live { cursor: at(index.max(cursor.index)), events }).await?;
        smol::future::pending().await
    }

    async fn peer(self: Arc<Self>, _plane: Plane, _channel: Channel) {}
}

fn at(index: LogIndex) -> Token {
    Token { history: HistoryId(1), index }
}

struct Server {
    puppet: Arc<Puppet>,
    gate: Arc<ConnectionLimits>,
}

impl Server {
    async fn start(cluster: ClusterId, role: Role, applied: LogIndex, others: &[&Server]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let others = others.iter().map(|server| server.puppet.address.clone()).collect();
        let puppet = Arc::new(Puppet { cluster, role, address, others, applied, asked: Mutex::default() });
        let gate = ConnectionLimits::new();
        smol::spawn(serve(listener, puppet.clone(), gate.clone(), keys_of(cluster))).detach();
        Server { puppet, gate }
    }

    fn address(&self) -> String {
        self.puppet.address.clone()
    }

    /// Stops the server and closes every connection to it.
    async fn stop(self) {
        self.gate.close();
        while self.gate.connections() > 0 {
            smol::Timer::after(Duration::from_millis(2)).await;
        }
    }

    fn asked(&self) -> usize {
        self.puppet.asked.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.gate.close();
    }
}

/// Returns the keys of a client that does not know the cluster id.
fn pinned() -> Keys {
    Keys::pinned(keys().public().unwrap())
}

/// Returns a client that begins with these servers, and the events that it reports.
fn client_of(servers: &[&Server]) -> (Client, Arc<Mutex<Vec<ConnectionEvent>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let reported = told.clone();
    let report = Box::new(move |event| reported.lock().unwrap().push(event));
    let addresses = servers.iter().map(|server| server.address()).collect();
    (Client::discovering(addresses, Vec::new(), pinned(), report), told)
}

fn question() -> Ask {
    Ask::Read { seen: None, consistency: Consistency::Stale, query: Query::Position }
}

#[test]
fn other_servers_are_learned_from_the_one_that_was_reached() {
    smol::block_on(async {
        let two = Server::start(OURS, Role::Backend, 12, &[]).await;
        let coordinator = Server::start(OURS, Role::Coordinator, 11, &[&two]).await;
        let one = Server::start(OURS, Role::Backend, 10, &[&coordinator, &two]).await;
        let (client, told) = client_of(&[&one]);
        assert_eq!(client.connect(LONG).await, Ok(OURS));
        assert_eq!(client.seen(), Some(at(10)), "the status carries the applied position");
        client.ask(question(), LONG).await.unwrap();
        let (first, second) = (one.address(), two.address());
        one.stop().await;
        client.ask(question(), LONG).await.unwrap();
        assert_eq!((two.asked(), client.seen()), (1, Some(at(12))));
        let told = told.lock().unwrap().clone();
        assert_eq!(
            told,
            [
                ConnectionEvent::Reached(first.clone()),
                ConnectionEvent::Lost(first),
                ConnectionEvent::Reached(second)
            ]
        );
        // A client that knows only a coordinator learns the backends from it.
        let (client, _) = client_of(&[&coordinator]);
        client.ask(question(), LONG).await.unwrap();
        assert_eq!((two.asked(), coordinator.asked()), (2, 0));
    });
}

#[test]
fn servers_of_another_cluster_are_skipped() {
    smol::block_on(async {
        let foreign = Server::start(ClusterId(8), Role::Backend, 99, &[]).await;
        let two = Server::start(OURS, Role::Backend, 12, &[]).await;
        let one = Server::start(OURS, Role::Backend, 10, &[&foreign, &two]).await;
        let (client, _) = client_of(&[&one]);
        client.connect(LONG).await.unwrap();
        one.stop().await;
        client.ask(question(), LONG).await.unwrap();
        assert_eq!((foreign.asked(), two.asked()), (0, 1));
        // A subscription skips the foreign server as well.
        let mut following = client.subscribe(at(10), Topic::feed(TokenHash([1; 32])));
        let SubscriptionMessage::Event(event) = following.next().await else { panic!() };
        assert_eq!(event.index, 12);
    });
}

#[test]
fn the_client_gives_up_after_three_rounds_over_all_servers() {
    smol::block_on(async {
        let two = Server::start(OURS, Role::Backend, 12, &[]).await;
        let one = Server::start(OURS, Role::Backend, 10, &[&two]).await;
        let (client, told) = client_of(&[&one]);
        client.connect(LONG).await.unwrap();
        let first = one.address();
        one.stop().await;
        two.stop().await;
        // The request may have been sent before the client noticed the end of the connection.
        let end = client.ask(question(), LONG).await;
        assert!(
            matches!(
                end,
                Err(ClientError::Unreachable | ClientError::Undecided(UnavailableReason::NotServing))
            ),
            "{end:?}"
        );
        let told = told.lock().unwrap().clone();
        let unreachable = [1, 2, 3].map(|rounds| ConnectionEvent::Unreachable { rounds });
        assert_eq!(told[..2], [ConnectionEvent::Reached(first.clone()), ConnectionEvent::Lost(first)]);
        assert_eq!(told[2..], unreachable);
        // Once a server is back, the next request finds it.
        let three = Server::start(OURS, Role::Backend, 14, &[]).await;
        let (client, _) = client_of(&[&three]);
        client.ask(question(), LONG).await.unwrap();
        assert_eq!(three.asked(), 1);
    });
}
