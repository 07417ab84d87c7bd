//! The failover client: sends a request to one server after another until one gives a final answer.
//!
//! ```text
//!              ┌─ open a line to the next server ◀── unreachable: pause, 50 to 250 ms
//!   ask ──▶ line? ──▶ attempt ──▶ answer ──▶ done
//!              ▲         ├─ line lost, or silent for a second ──▶ next server
//!              │         └─ Unavailable: pause; the second time in a row ──▶ next server
//!              └─────────┘
//! ```
//!
//! - Requests are idempotent: every attempt carries the same request id. If a write was applied but its answer was lost,
//!   the next attempt gets the answer, and the write is not applied twice.
//! - A request beyond its bounds is refused here, as a server would refuse it, and never sent.
//! - A read that was lost with `LOST_READS_MAX` servers is not tried again: it may have crashed them, and might crash the
//!   next one.
//! - All clones share one line. When it ends, each of them tries its requests again on the next one.
//!
//! A client in discovery mode ([`Client::sociable`]) serves one user, at a terminal or in a script. It asks every server
//! that it reaches for its status, and learns the other servers from it. It skips servers of another cluster and servers
//! that do not serve clients. It reports changes of its connection, and gives up after [`TRIES_MAX`] rounds over all
//! servers. Other clients try until the deadline.
//!
//! Not here: the contents of answers, except `Unavailable` and the token; and files.

use super::channel::Channel;
use super::frame::{self, FrameError, Plane};
use super::handshake;
use super::keys::Keys;
use super::limits::{
    ASKS_UNDER_WAY_MAX, ATTEMPT_DEADLINE, ATTEMPT_GRACE, FRAME_BYTES_MAX, LOST_READS_MAX,
    PASSWORD_ATTEMPT_DEADLINE, REFUSALS_IN_A_ROW_MAX, RETRY_PAUSE_MAX, RETRY_PAUSE_MIN, STATUS_DEADLINE,
    TRIES_MAX, TRY_PAUSE,
};
use super::line::Line;
use super::protocol::{Answer, AnswerFrame, Ask, AskFrame, NodeStatus, Why};
use super::servers::Servers;
use super::subscription::Subscription;
use ribbit_state::{ClusterId, Consistency, Query, Role, Token, Wanted};
use smol::future::FutureExt;
use smol::lock::{Mutex, Semaphore};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Client of a cluster, which uses any of its servers. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Client(Arc<Shared>);

/// Reason why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The request was never sent, so it was not carried out.
    #[error("no servers are running, or none can be reached")]
    Nobody,
    /// The request was sent and no server gave a final answer. A write may or may not be applied.
    #[error("{}; what was asked may or may not have been done", undecided(*.0))]
    Undecided(Why),
    /// Several servers ended during this read, so no further server was asked.
    #[error(
        "{LOST_READS_MAX} servers stopped while they answered this, so no other server was asked. Look at their logs \
         before you try again"
    )]
    Spared,
}

fn undecided(why: Why) -> &'static str {
    match why {
        Why::NoLeader => "the servers cannot agree at the moment, too few of them are running",
        Why::Busy => "the servers are busy at the moment",
        Why::Behind => "the servers that answer are catching up",
        Why::NotServing => "no server answered in time",
        Why::OtherHistory => "the servers have another history",
    }
}

/// Change in the connection of a client in discovery mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// The connection to this server has ended.
    Lost(String),
    /// This server answers. Pending requests go on there.
    Reached(String),
    /// No server answers, in this many rounds over all servers.
    Nobody { tried: u32 },
    /// A server may not belong to the cluster, with the reason for the user. No request was sent to it.
    Mistrusted(String),
}

/// Callback for every [`Contact`]. It is called during a request, so it must not wait for one.
pub type Tell = Box<dyn Fn(Contact) + Send + Sync>;

/// Cluster of a client, shared with its subscriptions.
pub(super) struct Company {
    pub(super) servers: Servers,
    pub(super) keys: Keys,
    /// Set for a client in discovery mode.
    manner: Option<Manner>,
}

/// State of discovery mode.
struct Manner {
    tell: Tell,
    /// Cluster of the first server that answered.
    cluster: std::sync::Mutex<Option<ClusterId>>,
}

impl Company {
    fn of(servers: Vec<String>, keys: Keys) -> Company {
        Company { servers: Servers::new(servers, Vec::new()), keys, manner: None }
    }

    /// Returns true in discovery mode.
    pub(super) fn is_sociable(&self) -> bool {
        self.manner.is_some()
    }

    /// Reports a change of the connection, in discovery mode.
    fn tell(&self, contact: Contact) {
        if let Some(manner) = &self.manner {
            (manner.tell)(contact);
        }
    }

    /// Learns the servers that a status names. Returns false if its server belongs to another cluster than the first one
    /// that answered. Does nothing and returns true outside discovery mode.
    pub(super) fn belongs(&self, address: &str, status: &NodeStatus) -> bool {
        let Some(manner) = &self.manner else { return true };
        let cluster = *held(&manner.cluster).get_or_insert(status.cluster);
        if cluster != status.cluster {
            log::warn!("skipped the server at {address}: its cluster is {}, not {cluster}", status.cluster);
            return false;
        }
        let all = std::iter::once(&status.me).chain(&status.others);
        let backends = all.filter(|member| member.role == Role::Backend);
        self.servers.learn(backends.map(|member| member.address.clone()));
        true
    }
}

impl std::fmt::Debug for Company {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Company").field("servers", &self.servers).finish_non_exhaustive()
    }
}

fn held<T>(lock: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().expect("no thread panics while it holds this lock")
}

#[derive(Debug)]
struct Shared {
    company: Arc<Company>,
    plane: Plane,
    /// Locked while connecting, so that one request connects and the others wait for it.
    route: Mutex<Route>,
    /// Limit of pending requests.
    places: Semaphore,
    /// Newest position that an answer carried.
    seen: std::sync::Mutex<Option<Token>>,
}

/// Current line, and the next server to try.
#[derive(Debug)]
struct Route {
    line: Option<Arc<Line>>,
    /// Address of the line's server.
    server: String,
    /// Place of the next server to try.
    next: usize,
    /// Servers that were tried without success since the last connection, or since the last pause.
    tried: Vec<String>,
    pause: Pause,
    /// Last message about a mistrusted server, which is reported once.
    mistrusted: String,
}

/// Progress of a request, for the error when its deadline passes.
#[derive(Default)]
struct Fate {
    sent: bool,
    why: Option<Why>,
}

impl Client {
    /// Creates a client on the client plane. It connects with the first request. It begins with a random server, so that
    /// clients spread over the servers.
    pub fn new(servers: Vec<String>, keys: Keys) -> Client {
        Client::on(Plane::Client, servers, keys)
    }

    /// Creates a client on a plane. On the control plane, for operators, every member answers.
    pub fn on(plane: Plane, servers: Vec<String>, keys: Keys) -> Client {
        Client::among(plane, Company::of(servers, keys))
    }

    /// Creates a client for an operator, on the control plane, where every member answers. It begins with any of `first`,
    /// and uses `also` when those do not answer.
    pub fn operating(first: Vec<String>, also: Vec<String>, keys: Keys) -> Client {
        Client::among(Plane::Control, Company { servers: Servers::new(first, also), keys, manner: None })
    }

    /// Creates a client in discovery mode, for one user at a terminal or in a script. It begins with any of `first`, uses
    /// `also` and the servers that it learns of when those do not answer, and reports changes of its connection to `tell`.
    pub fn sociable(first: Vec<String>, also: Vec<String>, keys: Keys, tell: Tell) -> Client {
        let manner = Some(Manner { tell, cluster: std::sync::Mutex::default() });
        Client::among(Plane::Client, Company { servers: Servers::new(first, also), keys, manner })
    }

    fn among(plane: Plane, company: Company) -> Client {
        let (server, next) = (String::new(), company.servers.any());
        let (tried, pause) = (Vec::new(), Pause::default());
        let route = Route { line: None, server, next, tried, pause, mistrusted: String::new() };
        Client(Arc::new(Shared {
            company: Arc::new(company),
            plane,
            route: Mutex::new(route),
            places: Semaphore::new(ASKS_UNDER_WAY_MAX),
            seen: std::sync::Mutex::default(),
        }))
    }

    /// Connects to any server and returns its cluster. Only for a client in discovery mode.
    ///
    /// # Errors
    /// [`Unreachable::Nobody`] when no server that serves clients is reached before the deadline, or outside discovery
    /// mode.
    pub async fn meet(&self, deadline: Duration) -> Result<ClusterId, Unreachable> {
        frame::within(deadline, async { self.0.line().await.map_err(|_| FrameError::TimedOut) })
            .await
            .map_err(|_| Unreachable::Nobody)?;
        let manner = self.0.company.manner.as_ref();
        manner.and_then(|manner| *held(&manner.cluster)).ok_or(Unreachable::Nobody)
    }

    /// Sends a request until there is a final answer or `deadline` has passed. Every answer is final except `Unavailable`;
    /// but `Unavailable(OtherHistory)` is final. Dropping the future abandons the request.
    ///
    /// # Errors
    /// - [`Unreachable::Nobody`] and [`Unreachable::Undecided`] after the deadline; in discovery mode after `TRIES_MAX`
    ///   rounds over all servers at the latest.
    /// - [`Unreachable::Spared`] for a read during which `LOST_READS_MAX` servers ended.
    pub async fn ask(&self, ask: Ask, deadline: Duration) -> Result<Answer, Unreachable> {
        if let Err(denied) = ask.check() {
            return Ok(Answer::Refused(denied));
        }
        let end = Instant::now() + deadline;
        let mut fate = Fate::default();
        let answer = async { Some(self.0.attempts(&ask, end, &mut fate).await) }
            .or(async {
                smol::Timer::at(end).await;
                None
            })
            .await;
        match answer {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(GaveUp::Spared)) => Err(Unreachable::Spared),
            Some(Err(GaveUp::Tired)) | None if fate.sent => {
                Err(Unreachable::Undecided(fate.why.unwrap_or(Why::NotServing)))
            }
            Some(Err(GaveUp::Tired)) | None => {
                fate.why.map_or(Err(Unreachable::Nobody), |why| Err(Unreachable::Undecided(why)))
            }
        }
    }

    /// Returns the applied position of the server; never older than a position seen through this client.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn position(&self, deadline: Duration) -> Result<Token, Unreachable> {
        let ask = Ask::Read { seen: None, consistency: Consistency::Stale, query: Query::Position };
        self.ask(ask, deadline).await?;
        self.seen().ok_or(Unreachable::Undecided(Why::NotServing))
    }

    /// Creates a subscription to the events behind the cursor. It connects with the first call of
    /// [`Subscription::next`]; dropping it closes its connection.
    pub fn subscribe(&self, cursor: Token, wanted: Wanted) -> Subscription {
        Subscription::new(self.0.company.clone(), cursor, wanted)
    }

    /// Returns the newest position that an answer carried.
    pub fn seen(&self) -> Option<Token> {
        *held(&self.0.seen)
    }

    /// Records a position that another process of the same user has seen.
    pub fn saw(&self, token: Token) {
        self.0.saw(token);
    }

    /// Forgets the position seen, after its history has been replaced.
    pub fn start_afresh(&self) {
        *held(&self.0.seen) = None;
    }
}

/// Reason why a client gives up before the deadline.
enum GaveUp {
    /// All rounds over the servers have failed.
    Tired,
    /// Several servers ended during this read.
    Spared,
}

impl Shared {
    /// Sends a request until there is a final answer. The caller enforces the deadline: `end` only bounds the deadlines
    /// that servers are told.
    async fn attempts(&self, ask: &Ask, end: Instant, fate: &mut Fate) -> Result<Answer, GaveUp> {
        fate.why = Some(Why::Busy);
        let _place = self.places.acquire().await;
        fate.why = None;
        let mut pause = Pause::default();
        let mut refused = 0;
        let (mut lost, mut ended) = (0, 0);
        loop {
            let line = self.line().await?;
            fate.sent = true;
            let limit = attempt_limit(ask).min(end.saturating_duration_since(Instant::now()));
            match line.ask(ask, limit, ATTEMPT_GRACE).await {
                Ok(Answer::Unavailable(why)) if why != Why::OtherHistory => {
                    fate.why = Some(why);
                    refused += if why == Why::Busy { 0 } else { 1 };
                    if refused == REFUSALS_IN_A_ROW_MAX {
                        refused = 0;
                        self.leave(&line, false).await;
                    }
                }
                Ok(answer) => {
                    self.note(&answer);
                    return Ok(answer);
                }
                Err(error) => {
                    self.leave(&line, true).await;
                    ended += u32::from(matches!(error, FrameError::Closed));
                    if ask.is_read() && ended == LOST_READS_MAX {
                        log::warn!("gave up a read: {ended} servers ended while they answered it");
                        return Err(GaveUp::Spared);
                    }
                    lost += 1;
                    // A line is lost when its server dies, so the next server is tried at once. After a second loss there
                    // is a pause.
                    if lost == 1 {
                        continue;
                    }
                }
            }
            pause.wait().await;
        }
    }

    /// Returns the open line, or opens one to the next server that accepts it. Gives up only in discovery mode.
    async fn line(&self) -> Result<Arc<Line>, GaveUp> {
        let mut route = self.route.lock().await;
        if let Some(line) = route.line.as_ref().filter(|line| line.is_open()) {
            return Ok(line.clone());
        }
        self.forget_line(&mut route);
        let mut tries = 0;
        loop {
            let Some((place, server)) = self.company.servers.next(route.next, &route.tried) else {
                route.tried.clear();
                tries += 1;
                self.between_tries(&mut route.pause, tries).await?;
                continue;
            };
            // Advanced before the attempt: if this request is dropped during it, the next one tries another server.
            route.next = place + 1;
            route.tried.push(server.clone());
            match self.open(&server).await {
                Ok(line) => {
                    log::debug!("connected to {server}");
                    let line = Arc::new(line);
                    route.line = Some(line.clone());
                    route.tried.clear();
                    route.pause = Pause::default();
                    route.server = server.clone();
                    self.company.tell(Contact::Reached(server));
                    return Ok(line);
                }
                Err(FrameError::Mistrusted(why)) if route.mistrusted != why => {
                    match self.company.is_sociable() {
                        true => self.company.tell(Contact::Mistrusted(why.clone())),
                        false => log::warn!("{why}"),
                    }
                    route.mistrusted = why;
                }
                Err(error) => log::debug!("cannot connect to {server}: {error}"),
            }
        }
    }

    /// Pauses after a round over all servers has failed. Gives up after the last round in discovery mode.
    async fn between_tries(&self, pause: &mut Pause, tried: u32) -> Result<(), GaveUp> {
        if !self.company.is_sociable() {
            pause.wait().await;
            return Ok(());
        }
        self.company.tell(Contact::Nobody { tried });
        if tried >= TRIES_MAX {
            return Err(GaveUp::Tired);
        }
        smol::Timer::after(TRY_PAUSE * tried).await;
        Ok(())
    }

    /// Opens a line to a server. In discovery mode, the server must belong to the cluster and serve clients.
    async fn open(&self, server: &str) -> Result<Line, FrameError> {
        let line = Line::open(server, self.plane, &self.company.keys).await?;
        if !self.company.is_sociable() {
            return Ok(line);
        }
        let Answer::NodeStatus(status) = line.ask(&Ask::NodeStatus, STATUS_DEADLINE, ATTEMPT_GRACE).await?
        else {
            return Err(FrameError::Malformed);
        };
        // A coordinator names the other servers, but does not serve clients itself.
        if !self.company.belongs(server, &status) || status.me.role != Role::Backend {
            return Err(FrameError::Closed);
        }
        if let Some(history) = status.history {
            self.saw(Token { history, index: status.me.applied });
        }
        Ok(line)
    }

    /// Stops using this line for new requests. It closes when its last request is answered.
    async fn leave(&self, line: &Arc<Line>, lost: bool) {
        let mut route = self.route.lock().await;
        if route.line.as_ref().is_some_and(|current| Arc::ptr_eq(current, line)) {
            match lost {
                true => self.forget_line(&mut route),
                false => route.line = None,
            }
        }
    }

    /// Removes a line that has ended, and reports its loss.
    fn forget_line(&self, route: &mut Route) {
        if route.line.take().is_none() {
            return;
        }
        // The configured addresses may be balancers, which know best which servers are alive.
        if self.company.is_sociable() {
            route.next = self.company.servers.any();
        }
        self.company.tell(Contact::Lost(route.server.clone()));
    }

    /// Records the position that an answer carries.
    fn note(&self, answer: &Answer) {
        let (Answer::Written { token, .. } | Answer::Read { token, .. }) = answer else { return };
        self.saw(*token);
    }

    fn saw(&self, token: Token) {
        let mut seen = held(&self.seen);
        *seen = Some(newest(*seen, token));
    }
}

/// Returns the newer of two positions. A position of another history replaces the one seen before.
fn newest(seen: Option<Token>, token: Token) -> Token {
    match seen {
        Some(seen) if seen.history == token.history && seen.index > token.index => seen,
        _ => token,
    }
}

/// Returns the timeout of one attempt for this request.
fn attempt_limit(ask: &Ask) -> Duration {
    match ask {
        Ask::CreateAccount { .. }
        | Ask::LogIn { .. }
        | Ask::DeleteAccount { .. }
        | Ask::ChangePassword { .. }
        | Ask::SetPassword { .. } => PASSWORD_ATTEMPT_DEADLINE,
        _ => ATTEMPT_DEADLINE,
    }
}

/// Exponential backoff, from `RETRY_PAUSE_MIN` to `RETRY_PAUSE_MAX`.
#[derive(Debug, Default)]
pub(super) struct Pause(Duration);

impl Pause {
    /// Waits; each time twice as long as before.
    pub(super) async fn wait(&mut self) {
        self.0 = (self.0 * 2).clamp(RETRY_PAUSE_MIN, RETRY_PAUSE_MAX);
        smol::Timer::after(self.0).await;
    }
}

/// Requests the status of a member, which has [`STATUS_DEADLINE`] to answer once it is connected.
///
/// # Errors
/// `TimedOut` when it does not answer in time, `Malformed` when it answers something else, and the errors of
/// [`handshake::connect`] and [`frame::read`].
pub async fn ask_status(address: &str, plane: Plane, keys: &Keys) -> Result<NodeStatus, FrameError> {
    let channel = handshake::connect(address, plane, keys).await?;
    match frame::within(STATUS_DEADLINE, ask_on(channel, Ask::NodeStatus, STATUS_DEADLINE)).await? {
        Answer::NodeStatus(status) => Ok(*status),
        _ => Err(FrameError::Malformed),
    }
}

/// Opens a connection, sends one request, and closes the connection.
///
/// # Errors
/// `TimedOut` after `limit`, and the errors of [`handshake::connect`] and [`frame::read`].
pub async fn ask_once(
    address: &str,
    plane: Plane,
    keys: &Keys,
    ask: Ask,
    limit: Duration,
) -> Result<Answer, FrameError> {
    frame::within(limit, async {
        let channel = handshake::connect(address, plane, keys).await?;
        ask_on(channel, ask, limit).await
    })
    .await
}

/// Sends one request on a new channel and reads its answer.
async fn ask_on(channel: Channel, ask: Ask, limit: Duration) -> Result<Answer, FrameError> {
    if let Err(denied) = ask.check() {
        return Ok(Answer::Refused(denied));
    }
    let Channel { mut reader, mut writer } = channel;
    let deadline_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
    frame::write(&mut writer, &AskFrame { tag: 1, deadline_ms, ask }).await?;
    let AnswerFrame { answer, .. } = frame::read(&mut reader, FRAME_BYTES_MAX).await?;
    Ok(answer)
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

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let mut pause = Pause::default();
        let waited: Vec<u128> = (0..4)
            .map(|_| {
                smol::block_on(pause.wait());
                pause.0.as_millis()
            })
            .collect();
        assert_eq!(waited, [50, 100, 200, 250]);
    }
}
