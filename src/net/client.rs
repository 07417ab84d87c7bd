//! The failover client: sends a request to one server after another until one gives a final answer.
//!
//! ```text
//!              ┌─ open a connection to the next server ◀── unreachable: pause, 50 to 250 ms
//!   ask ──▶ connected? ──▶ attempt ──▶ answer ──▶ done
//!              ▲         ├─ connection lost, or silent for a second ──▶ next server
//!              │         └─ Unavailable: pause; the second time in a row ──▶ next server
//!              └─────────┘
//! ```
//!
//! - Requests are idempotent: every attempt carries the same request id. If a write was applied but its answer was lost,
//!   the next attempt gets the answer, and the write is not applied twice.
//! - A request beyond its bounds is refused here, as a server would refuse it, and never sent.
//! - A read that was lost with `LOST_READS_MAX` servers is not tried again: it may have crashed them, and might crash the
//!   next one.
//! - All clones share one connection. When it ends, each of them tries its requests again on the next one.
//!
//! A client in discovery mode ([`Client::discovering`]) serves one user, at a terminal or in a script. It asks every server
//! that it reaches for its status, and learns the other servers from it. It skips servers of another cluster and servers
//! that do not serve clients. It reports changes of its connection, and gives up after [`DISCOVERY_ROUNDS_MAX`] rounds
//! over all servers. Other clients try until the deadline.
//!
//! A client in direct mode ([`Client::direct`]) belongs to a server role. It asks balancers for a backend and connects to it,
//! see [`super::direct`]. Its connection runs on the executor of the thread that sends the requests, so a request wakes no
//! other thread.
//!
//! Not here: the contents of answers, except `Unavailable` and the token; and files.

use super::backoff::Backoff;
use super::direct::DirectMode;
use super::discovery::{ConnectionEvent, OnConnectionEvent, Target};
use super::frame::{self, FrameError, Plane};
use super::keys::Keys;
use super::limits::{
    ASKS_UNDER_WAY_MAX, ATTEMPT_DEADLINE, ATTEMPT_GRACE, DISCOVERY_PAUSE, DISCOVERY_ROUNDS_MAX,
    LOST_READS_MAX, PASSWORD_ATTEMPT_DEADLINE, REFUSALS_IN_A_ROW_MAX, RETRY_PAUSE_MAX, RETRY_PAUSE_MIN,
    STATUS_DEADLINE,
};
use super::multiplexed::MultiplexedConnection;
use super::protocol::{Answer, Ask, UnavailableReason};
use super::servers::Servers;
use super::subscription::Subscription;
use super::tasks;
use ribbit_state::sync::MutexExt;
use ribbit_state::{ClusterId, Consistency, Query, Role, Token, Topic};
use smol::Executor;
use smol::future::FutureExt;
use smol::lock::{Mutex, Semaphore};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

/// Client of a cluster, which uses any of its servers. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

/// Reason why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The request was never sent, so it was not carried out.
    #[error("no servers are running, or none can be reached")]
    Unreachable,
    /// The request was sent and no server gave a final answer. A write may or may not be applied.
    #[error("{}; what was asked may or may not have been done", undecided(*.0))]
    Undecided(UnavailableReason),
    /// Several servers ended during this read, so no further server was asked.
    #[error(
        "{LOST_READS_MAX} servers stopped while they answered this, so no other server was asked. Look at their logs \
         before you try again"
    )]
    Abandoned,
}

fn undecided(why: UnavailableReason) -> &'static str {
    match why {
        UnavailableReason::NoLeader => "the servers cannot agree at the moment, too few of them are running",
        UnavailableReason::Busy => "the servers are busy at the moment",
        UnavailableReason::Behind => "the servers that answer are catching up",
        UnavailableReason::NotServing => "no server answered in time",
        UnavailableReason::OtherHistory => "the servers have another history",
    }
}

/// State shared by the clones of a client.
#[derive(Debug)]
struct Inner {
    target: Arc<Target>,
    plane: Plane,
    /// Set in direct mode.
    direct: Option<DirectMode>,
    /// Executor of the connections; `None` for that of all sockets.
    executor: Option<Arc<Executor<'static>>>,
    /// Locked while connecting, so that one request connects and the others wait for it.
    route: Mutex<ServerRoute>,
    /// Limit of pending requests.
    slots: Semaphore,
    /// Newest position that an answer carried, and the time of the last answer that carried one.
    seen: std::sync::Mutex<Option<(Token, Instant)>>,
}

/// Backoff between attempts, and between rounds over the servers outside discovery mode.
const RETRY_BACKOFF: Backoff = Backoff::new(RETRY_PAUSE_MIN, RETRY_PAUSE_MAX);

/// Current connection, and the next server to try.
#[derive(Debug)]
struct ServerRoute {
    connection: Option<Arc<MultiplexedConnection>>,
    /// Address of the connection's server.
    server: String,
    /// Position of the next server to try.
    next: usize,
    /// Servers that were tried without success since the last connection, or since the last pause.
    tried: Vec<String>,
    backoff: Backoff,
    /// Last message about a mistrusted server, which is reported once.
    mistrusted: String,
}

/// Progress of a request, for the error when its deadline passes.
#[derive(Default)]
struct Delivery {
    /// True once the request was sent.
    sent: bool,
    /// Reason of the last failure.
    why: Option<UnavailableReason>,
}

impl Client {
    /// Creates a client on the client plane. It connects with the first request. It begins with a random server, so that
    /// clients spread over the servers.
    pub fn new(servers: Vec<String>, keys: Keys) -> Client {
        Client::on(Plane::Client, servers, keys)
    }

    /// Creates a client on a plane. On the control plane, for operators, every member answers.
    pub fn on(plane: Plane, servers: Vec<String>, keys: Keys) -> Client {
        Client::of(plane, Target::new(Servers::new(servers, Vec::new()), keys))
    }

    /// Creates a client for an operator, on the control plane, where every member answers. It begins with any of `first`,
    /// and uses `also` when those do not answer.
    pub fn operating(first: Vec<String>, also: Vec<String>, keys: Keys) -> Client {
        Client::of(Plane::Control, Target::new(Servers::new(first, also), keys))
    }

    /// Creates a client in discovery mode, for one user at a terminal or in a script. It begins with any of `first`, uses
    /// `also` and the servers that it learns of when those do not answer, and reports changes of its connection to `report`.
    pub fn discovering(
        first: Vec<String>,
        also: Vec<String>,
        keys: Keys,
        report: OnConnectionEvent,
    ) -> Client {
        Client::of(Plane::Client, Target::discovering(Servers::new(first, also), keys, report))
    }

    /// Creates a client in direct mode, whose connections run on `executor`.
    pub fn direct(servers: Vec<String>, keys: Keys, executor: Arc<Executor<'static>>) -> Client {
        let direct = DirectMode::new(&keys);
        let target = Target::new(Servers::new(servers, Vec::new()), keys);
        Client::with(Plane::Client, target, direct, Some(executor))
    }

    fn of(plane: Plane, target: Target) -> Client {
        Client::with(plane, target, None, None)
    }

    fn with(
        plane: Plane,
        target: Target,
        direct: Option<DirectMode>,
        executor: Option<Arc<Executor<'static>>>,
    ) -> Client {
        let route = ServerRoute {
            connection: None,
            server: String::new(),
            next: target.servers.random_start(),
            tried: Vec::new(),
            backoff: RETRY_BACKOFF,
            mistrusted: String::new(),
        };
        Client(Arc::new(Inner {
            target: Arc::new(target),
            plane,
            direct,
            executor,
            route: Mutex::new(route),
            slots: Semaphore::new(ASKS_UNDER_WAY_MAX),
            seen: std::sync::Mutex::default(),
        }))
    }

    /// Connects to any server and returns its cluster. Only for a client in discovery mode.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when no server that serves clients is reached before the deadline, or outside discovery
    /// mode.
    pub async fn connect(&self, deadline: Duration) -> Result<ClusterId, ClientError> {
        frame::with_timeout(deadline, async { self.0.connection().await.map_err(|_| FrameError::TimedOut) })
            .await
            .map_err(|_| ClientError::Unreachable)?;
        self.0.target.cluster().ok_or(ClientError::Unreachable)
    }

    /// Sends a request until there is a final answer or `deadline` has passed. Every answer is final except `Unavailable`;
    /// but `Unavailable(OtherHistory)` is final. Dropping the future abandons the request.
    ///
    /// # Errors
    /// - [`ClientError::Unreachable`] and [`ClientError::Undecided`] after the deadline; in discovery mode after
    ///   `DISCOVERY_ROUNDS_MAX` rounds over all servers at the latest.
    /// - [`ClientError::Abandoned`] for a read during which `LOST_READS_MAX` servers ended.
    pub async fn ask(&self, ask: Ask, deadline: Duration) -> Result<Answer, ClientError> {
        if let Err(denied) = ask.check() {
            return Ok(Answer::Refused(denied));
        }
        let end = Instant::now() + deadline;
        let mut delivery = Delivery::default();
        let answer = async { Some(self.0.attempts(&ask, end, &mut delivery).await) }
            .or(async {
                smol::Timer::at(end).await;
                None
            })
            .await;
        match answer {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(GaveUp::Abandoned)) => Err(ClientError::Abandoned),
            Some(Err(GaveUp::Unreachable)) | None if delivery.sent => {
                Err(ClientError::Undecided(delivery.why.unwrap_or(UnavailableReason::NotServing)))
            }
            Some(Err(GaveUp::Unreachable)) | None => {
                delivery.why.map_or(Err(ClientError::Unreachable), |why| Err(ClientError::Undecided(why)))
            }
        }
    }

    /// Returns the applied position of the server; never older than a position seen through this client.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn position(&self, deadline: Duration) -> Result<Token, ClientError> {
        let ask = Ask::Read { seen: None, consistency: Consistency::Stale, query: Query::Position };
        self.ask(ask, deadline).await?;
        self.seen().ok_or(ClientError::Undecided(UnavailableReason::NotServing))
    }

    /// Creates a subscription to the events behind the cursor. It connects with the first call of
    /// [`Subscription::next`]; dropping it closes its connection.
    pub fn subscribe(&self, cursor: Token, wanted: Topic) -> Subscription {
        Subscription::new(self.0.target.clone(), cursor, wanted)
    }

    /// Returns the newest position that an answer carried.
    pub fn seen(&self) -> Option<Token> {
        self.0.seen().map(|(token, _)| token)
    }

    /// Returns the newest position, if an answer has carried one for at most this long.
    pub fn seen_within(&self, age: Duration) -> Option<Token> {
        self.0.seen().filter(|(_, at)| at.elapsed() <= age).map(|(token, _)| token)
    }

    /// Records a position that another process of the same user has seen.
    pub fn record_seen(&self, token: Token) {
        self.0.record_seen(token);
    }

    /// Forgets the position seen, after its history has been replaced.
    pub fn forget_seen(&self) {
        *self.0.seen() = None;
    }
}

/// Reason why a client gives up before the deadline.
enum GaveUp {
    /// All rounds over the servers have failed.
    Unreachable,
    /// Several servers ended during this read.
    Abandoned,
}

impl Inner {
    /// Sends a request until there is a final answer. The caller enforces the deadline: `end` only bounds the deadlines
    /// that servers are told.
    async fn attempts(
        self: &Arc<Self>,
        ask: &Ask,
        end: Instant,
        delivery: &mut Delivery,
    ) -> Result<Answer, GaveUp> {
        delivery.why = Some(UnavailableReason::Busy);
        let _slot = self.slots.acquire().await;
        delivery.why = None;
        let mut backoff = RETRY_BACKOFF;
        let mut refused = 0;
        let (mut lost, mut ended) = (0, 0);
        loop {
            let connection = self.connection().await?;
            delivery.sent = true;
            let limit = attempt_limit(ask).min(end.saturating_duration_since(Instant::now()));
            match connection.ask(ask, limit, ATTEMPT_GRACE).await {
                Ok(Answer::Unavailable(why)) if why != UnavailableReason::OtherHistory => {
                    delivery.why = Some(why);
                    refused += if why == UnavailableReason::Busy { 0 } else { 1 };
                    if refused == REFUSALS_IN_A_ROW_MAX {
                        refused = 0;
                        self.leave(&connection, false).await;
                    }
                }
                Ok(answer) => {
                    self.record_position(&answer);
                    return Ok(answer);
                }
                Err(error) => {
                    self.leave(&connection, true).await;
                    ended += u32::from(matches!(error, FrameError::Closed));
                    if ask.is_read() && ended == LOST_READS_MAX {
                        log::warn!("gave up a read: {ended} servers ended while they answered it");
                        return Err(GaveUp::Abandoned);
                    }
                    lost += 1;
                    // A connection is lost when its server dies, so the next server is tried at once. After a second loss there
                    // is a pause.
                    if lost == 1 {
                        continue;
                    }
                }
            }
            backoff.wait().await;
        }
    }

    /// Returns the open connection, or opens one to the next server that accepts it. Gives up only in discovery mode.
    async fn connection(self: &Arc<Self>) -> Result<Arc<MultiplexedConnection>, GaveUp> {
        let mut route = self.route.lock().await;
        if let Some(connection) = route.connection.as_ref().filter(|connection| connection.is_open()) {
            let connection = connection.clone();
            if let Some(balancer) = self.direct.as_ref().and_then(DirectMode::take_renewal) {
                drop(route);
                self.renew(balancer);
            }
            return Ok(connection);
        }
        self.forget_connection(&mut route);
        let mut rounds = 0;
        loop {
            let Some((position, server)) = self.target.servers.next(route.next, &route.tried) else {
                route.tried.clear();
                rounds += 1;
                self.between_rounds(&mut route.backoff, rounds).await?;
                continue;
            };
            // Advanced before the attempt: if this request is dropped during it, the next one tries another server.
            route.next = position + 1;
            route.tried.push(server.clone());
            match self.open_near(&server).await {
                Ok((connection, server)) => {
                    log::debug!("connected to {server}");
                    let connection = Arc::new(connection);
                    route.connection = Some(connection.clone());
                    route.tried.clear();
                    route.backoff.reset();
                    route.server = server.clone();
                    self.target.report(ConnectionEvent::Reached(server));
                    return Ok(connection);
                }
                Err(error) if error.is_stranger() && route.mistrusted != error.to_string() => {
                    let why = error.to_string();
                    match self.target.discovers() {
                        true => self.target.report(ConnectionEvent::Mistrusted(why.clone())),
                        false => log::warn!("{why}"),
                    }
                    route.mistrusted = why;
                }
                Err(error) => log::debug!("cannot connect to {server}: {error}"),
            }
        }
    }

    /// Pauses after a round over all servers has failed. Gives up after the last round in discovery mode.
    async fn between_rounds(&self, backoff: &mut Backoff, rounds: u32) -> Result<(), GaveUp> {
        if !self.target.discovers() {
            backoff.wait().await;
            return Ok(());
        }
        self.target.report(ConnectionEvent::Unreachable { rounds });
        if rounds >= DISCOVERY_ROUNDS_MAX {
            return Err(GaveUp::Unreachable);
        }
        smol::Timer::after(DISCOVERY_PAUSE * rounds).await;
        Ok(())
    }

    /// Renews the lease of direct mode, beside the requests. Moves to another backend if the balancer names one.
    fn renew(self: &Arc<Self>, balancer: String) {
        let inner = self.clone();
        let renewing = async move {
            let Some(direct) = &inner.direct else { return };
            let Some(backend) = direct.backend(&balancer, &inner.target.keys).await else { return };
            if inner.route.lock().await.server == backend {
                return;
            }
            match inner.open_on(&backend).await {
                Ok(connection) => {
                    log::debug!("moved to {backend}");
                    let mut route = inner.route.lock().await;
                    (route.connection, route.server) = (Some(Arc::new(connection)), backend);
                }
                Err(error) => direct.is_unreachable(backend, &error),
            }
        };
        tasks::spawn_on(self.executor.as_deref(), renewing).detach();
    }

    /// Opens a connection to this address.
    async fn open_on(&self, address: &str) -> Result<MultiplexedConnection, FrameError> {
        let executor = self.executor.as_deref();
        MultiplexedConnection::open_on(address, self.plane, &self.target.keys, executor).await
    }

    /// Opens a connection to the server at this address, or to the backend that it names in direct mode. Returns the address
    /// of the connection, too.
    async fn open_near(&self, server: &str) -> Result<(MultiplexedConnection, String), FrameError> {
        if let Some(direct) = &self.direct
            && let Some(backend) = direct.backend(server, &self.target.keys).await
        {
            match self.open_on(&backend).await {
                Ok(connection) => return Ok((connection, backend)),
                Err(error) => direct.is_unreachable(backend, &error),
            }
        }
        Ok((self.open(server).await?, server.to_string()))
    }

    /// Opens a connection to a server. In discovery mode, the server must belong to the cluster and serve clients.
    async fn open(&self, server: &str) -> Result<MultiplexedConnection, FrameError> {
        let connection = self.open_on(server).await?;
        if !self.target.discovers() {
            return Ok(connection);
        }
        let Answer::NodeStatus(status) =
            connection.ask(&Ask::NodeStatus, STATUS_DEADLINE, ATTEMPT_GRACE).await?
        else {
            return Err(FrameError::Malformed);
        };
        // A coordinator names the other servers, but does not serve clients itself.
        if !self.target.learn(server, &status) || status.me.role != Role::Backend {
            return Err(FrameError::Closed);
        }
        if let Some(history) = status.history {
            self.record_seen(Token { history, index: status.me.applied });
        }
        Ok(connection)
    }

    /// Stops using this connection for new requests. It closes when its last request is answered.
    async fn leave(&self, connection: &Arc<MultiplexedConnection>, lost: bool) {
        let mut route = self.route.lock().await;
        if route.connection.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection)) {
            match lost {
                true => self.forget_connection(&mut route),
                false => route.connection = None,
            }
        }
    }

    /// Removes a connection that has ended, and reports its loss.
    fn forget_connection(&self, route: &mut ServerRoute) {
        if route.connection.take().is_none() {
            return;
        }
        // The configured addresses may be balancers, which know best which servers are alive.
        if self.target.discovers() {
            route.next = self.target.servers.random_start();
        }
        self.target.report(ConnectionEvent::Lost(route.server.clone()));
    }

    /// Records the position that an answer carries.
    fn record_position(&self, answer: &Answer) {
        let (Answer::Written { token, .. } | Answer::Read { token, .. }) = answer else { return };
        self.record_seen(*token);
    }

    /// Records a position that was seen.
    fn record_seen(&self, token: Token) {
        let mut seen = self.seen();
        *seen = Some((newest(seen.map(|(token, _)| token), token), Instant::now()));
    }

    fn seen(&self) -> MutexGuard<'_, Option<(Token, Instant)>> {
        self.seen.locked()
    }
}

/// Returns the newer of two positions. A position of another history replaces the one seen before.
fn newest(seen: Option<Token>, token: Token) -> Token {
    match seen {
        Some(seen) if token.is_before(seen) => seen,
        _ => token,
    }
}

/// Returns the timeout of one attempt for this request.
fn attempt_limit(ask: &Ask) -> Duration {
    match ask {
        Ask::CreateAccount { .. }
        | Ask::LogIn { .. }
        | Ask::DeleteAccount { .. }
        | Ask::Confirm { .. }
        | Ask::ChangePassword { .. }
        | Ask::SetPassword { .. }
        | Ask::ResetPassword { .. } => PASSWORD_ATTEMPT_DEADLINE,
        _ => ATTEMPT_DEADLINE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::HistoryId;

    #[test]
    fn the_newest_token_wins_within_a_history() {
        let at = |history, index| Token { history: HistoryId(history), index };
        assert_eq!(newest(None, at(1, 5)), at(1, 5));
        assert_eq!(newest(Some(at(1, 7)), at(1, 5)), at(1, 7));
        assert_eq!(newest(Some(at(1, 5)), at(1, 7)), at(1, 7));
        assert_eq!(newest(Some(at(1, 7)), at(2, 5)), at(2, 5));
    }
}
