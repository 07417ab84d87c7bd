//! The failover client: asks whichever server lives, again and again, until there is an answer.
//!
//! ```text
//!              ┌─ open a line to the next server ◀── nobody there: pause, 50 to 250 ms
//!   ask ──▶ line? ──▶ attempt ──▶ answer ──▶ done
//!              ▲         ├─ line lost, or silent for a second ──▶ next server
//!              │         └─ Unavailable: pause; the second time in a row ──▶ next server
//!              └─────────┘
//! ```
//!
//! A question beyond its bounds is refused here, as a server would refuse it, and never sent. A read that `LOST_READS_MAX`
//! servers ended over is not asked again: what ended them may end the next.
//!
//! Every attempt carries the very same ask with the same request id, so a write that was done by an attempt
//! whose answer got lost is answered, not done again. All clones share one line and its questions; when the
//! line ends, each of them asks again on the next one.
//!
//! One that goes about for a person ([`Client::sociable`]) asks whom it reaches who they are: it learns the other servers
//! from them, passes over who belongs to another cluster or serves nobody, tells what becomes of its connection, and
//! after [`TRIES_MAX`] tries over all servers it gives up. The others try until the deadline.
//!
//! It does not look into answers beyond `Unavailable` and the token, and keeps nothing on disk.

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

/// Asks a group through any of its servers. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Client(Arc<Shared>);

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The question never left: it was certainly not done.
    #[error("no servers are running, or none can be reached")]
    Nobody,
    /// Somebody was asked, nobody answered for good: a write may or may not be done yet.
    #[error("{}; what was asked may or may not have been done", undecided(*.0))]
    Undecided(Why),
    /// A read that several servers ended over: the next one is spared.
    #[error(
        "{LOST_READS_MAX} servers stopped while they answered this, so no other one was asked: look at their logs \
         before you ask the same again"
    )]
    Spared,
}

fn undecided(why: Why) -> &'static str {
    match why {
        Why::NoLeader => "the servers cannot agree at the moment, too few of them are running",
        Why::Busy => "too much is going on at the moment",
        Why::Behind => "the servers that answer are catching up",
        Why::NotServing => "no server answered in time",
        Why::OtherHistory => "the servers have another history",
    }
}

/// What becomes of the connection of a client that goes about for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// This server has gone, or ended the connection.
    Lost(String),
    /// This one answers: what was under way goes on there.
    Reached(String),
    /// Nobody answers; the first, second… try over all servers.
    Nobody { tried: u32 },
    /// Somebody answers who may not be one of the group's servers, in words for people: nothing was told to it.
    Mistrusted(String),
}

/// Hears of every [`Contact`]. Called in the middle of an ask: it must not wait for one.
pub type Tell = Box<dyn Fn(Contact) + Send + Sync>;

/// Which group a client asks, and how.
pub(super) struct Company {
    pub(super) servers: Servers,
    pub(super) keys: Keys,
    /// Of a client that goes about for a person.
    manner: Option<Manner>,
}

struct Manner {
    tell: Tell,
    /// Whose servers these are, once somebody has said.
    cluster: std::sync::Mutex<Option<ClusterId>>,
}

impl Company {
    fn of(servers: Vec<String>, keys: Keys) -> Company {
        Company { servers: Servers::new(servers, Vec::new()), keys, manner: None }
    }

    pub(super) fn is_sociable(&self) -> bool {
        self.manner.is_some()
    }

    fn tell(&self, contact: Contact) {
        if let Some(manner) = &self.manner {
            (manner.tell)(contact);
        }
    }

    /// Takes notice of who answers. Whether it belongs here: the first one says where that is.
    pub(super) fn belongs(&self, address: &str, status: &NodeStatus) -> bool {
        let Some(manner) = &self.manner else { return true };
        let cluster = *held(&manner.cluster).get_or_insert(status.cluster);
        if cluster != status.cluster {
            log::warn!("{address} belongs to the cluster {}, not to {cluster}: passed over", status.cluster);
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
    lock.lock().expect("nothing panics while it holds this lock")
}

#[derive(Debug)]
struct Shared {
    company: Arc<Company>,
    plane: Plane,
    /// Held while connecting, so that one asker connects and the others wait for it.
    route: Mutex<Route>,
    places: Semaphore,
    seen: std::sync::Mutex<Option<Token>>,
}

/// Where questions go now, and where next.
#[derive(Debug)]
struct Route {
    line: Option<Arc<Line>>,
    /// Who is at its other end.
    server: String,
    next: usize,
    /// Who was tried in vain since somebody answered, or since the last pause.
    tried: Vec<String>,
    pause: Pause,
    /// What was last said of somebody who is not trusted: said once.
    mistrusted: String,
}

/// What is known of an ask so far, for when its time is over.
#[derive(Default)]
struct Fate {
    sent: bool,
    why: Option<Why>,
}

impl Client {
    /// Of people. Nothing is opened before the first question. It begins with any of the servers, so that many
    /// clients spread over them.
    pub fn new(servers: Vec<String>, keys: Keys) -> Client {
        Client::on(Plane::Client, servers, keys)
    }

    /// On another plane: of those who run the group, on `Control`, where every member answers.
    pub fn on(plane: Plane, servers: Vec<String>, keys: Keys) -> Client {
        Client::among(plane, Company::of(servers, keys))
    }

    /// For operators, on the control plane, where every member answers: begins with any of `first`, and asks `also` when
    /// those do not answer.
    pub fn operating(first: Vec<String>, also: Vec<String>, keys: Keys) -> Client {
        Client::among(Plane::Control, Company { servers: Servers::new(first, also), keys, manner: None })
    }

    /// Of one person, at a terminal or in a script: begins with any of `first`, asks `also` and whomever it learns of
    /// when those do not answer, and tells of it.
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

    /// Reaches anybody, and says which cluster this is. Of a sociable client only: the others do not ask.
    ///
    /// # Errors
    /// Nobody serves.
    pub async fn meet(&self, deadline: Duration) -> Result<ClusterId, Unreachable> {
        frame::within(deadline, async { self.0.line().await.map_err(|_| FrameError::TimedOut) })
            .await
            .map_err(|_| Unreachable::Nobody)?;
        let manner = self.0.company.manner.as_ref();
        manner.and_then(|manner| *held(&manner.cluster)).ok_or(Unreachable::Nobody)
    }

    /// Asks until there is a final answer (any but `Unavailable`; `OtherHistory` is one) or `deadline` is over.
    /// Dropping the future gives up the question.
    ///
    /// # Errors
    /// [`Unreachable`], after the whole `deadline`; of a sociable client after `TRIES_MAX` tries at the latest; `Spared` at
    /// once.
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

    /// Where the log is now, as far as the server asked knows; never before anything seen through this client.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn position(&self, deadline: Duration) -> Result<Token, Unreachable> {
        let ask = Ask::Read { seen: None, consistency: Consistency::Stale, query: Query::Position };
        self.ask(ask, deadline).await?;
        self.seen().ok_or(Unreachable::Undecided(Why::NotServing))
    }

    /// Follows what happens behind the cursor, on whichever server lives. Nothing is opened before it is asked for
    /// the first news; dropping it closes its connection.
    pub fn subscribe(&self, cursor: Token, wanted: Wanted) -> Subscription {
        Subscription::new(self.0.company.clone(), cursor, wanted)
    }

    /// The newest position that any answer carried.
    pub fn seen(&self) -> Option<Token> {
        *held(&self.0.seen)
    }

    /// This was seen, by another process of the same person.
    pub fn saw(&self, token: Token) {
        self.0.saw(token);
    }

    /// What was seen is in a history that is no more.
    pub fn start_afresh(&self) {
        *held(&self.0.seen) = None;
    }
}

/// Why a client asks no more before the time is over.
enum GaveUp {
    /// Every server was tried as often as one may.
    Tired,
    /// Servers ended over this very question.
    Spared,
}

impl Shared {
    /// Asks until there is a final answer. The caller keeps the time: `end` only bounds what servers are told.
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
                        log::warn!("{ended} servers ended while they answered a read: no other one is asked");
                        return Err(GaveUp::Spared);
                    }
                    lost += 1;
                    // A line is lost when its server dies: the next one is asked at once. Twice is a pattern.
                    if lost == 1 {
                        continue;
                    }
                }
            }
            pause.wait().await;
        }
    }

    /// The line that is open, or a new one to the next server that takes one. Gives up only if it is a person's.
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
            // Moved on before the try: an asker that gives up in the middle does not bring the next one here.
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

    /// After all servers were tried in vain.
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

    /// A line to a server that belongs here and serves.
    async fn open(&self, server: &str) -> Result<Line, FrameError> {
        let line = Line::open(server, self.plane, &self.company.keys).await?;
        if !self.company.is_sociable() {
            return Ok(line);
        }
        let Answer::NodeStatus(status) = line.ask(&Ask::NodeStatus, STATUS_DEADLINE, ATTEMPT_GRACE).await?
        else {
            return Err(FrameError::Malformed);
        };
        // A coordinator knows who serves, and serves nobody.
        if !self.company.belongs(server, &status) || status.me.role != Role::Backend {
            return Err(FrameError::Closed);
        }
        if let Some(history) = status.history {
            self.saw(Token { history, index: status.me.applied });
        }
        Ok(line)
    }

    /// Asks no more on this line. It closes when the last question on it is answered.
    async fn leave(&self, line: &Arc<Line>, lost: bool) {
        let mut route = self.route.lock().await;
        if route.line.as_ref().is_some_and(|current| Arc::ptr_eq(current, line)) {
            match lost {
                true => self.forget_line(&mut route),
                false => route.line = None,
            }
        }
    }

    /// The line has ended.
    fn forget_line(&self, route: &mut Route) {
        if route.line.take().is_none() {
            return;
        }
        // Those who were given may be balancers, which know best who lives.
        if self.company.is_sociable() {
            route.next = self.company.servers.any();
        }
        self.company.tell(Contact::Lost(route.server.clone()));
    }

    fn note(&self, answer: &Answer) {
        let (Answer::Written { token, .. } | Answer::Read { token, .. }) = answer else { return };
        self.saw(*token);
    }

    fn saw(&self, token: Token) {
        let mut seen = held(&self.seen);
        *seen = Some(newest(*seen, token));
    }
}

/// The newer of two positions; one of another history replaces what was seen before.
fn newest(seen: Option<Token>, token: Token) -> Token {
    match seen {
        Some(seen) if seen.history == token.history && seen.index > token.index => seen,
        _ => token,
    }
}

/// How long one server may take over this ask.
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

/// A wait that doubles, within its bounds.
#[derive(Debug, Default)]
pub(super) struct Pause(Duration);

impl Pause {
    pub(super) async fn wait(&mut self) {
        self.0 = (self.0 * 2).clamp(RETRY_PAUSE_MIN, RETRY_PAUSE_MAX);
        smol::Timer::after(self.0).await;
    }
}

/// How one member is: it has [`STATUS_DEADLINE`] to answer, once it is connected.
///
/// # Errors
/// As [`handshake::connect`] and reading a frame; `TimedOut`.
pub async fn ask_status(address: &str, plane: Plane, keys: &Keys) -> Result<NodeStatus, FrameError> {
    let channel = handshake::connect(address, plane, keys).await?;
    match frame::within(STATUS_DEADLINE, ask_on(channel, Ask::NodeStatus, STATUS_DEADLINE)).await? {
        Answer::NodeStatus(status) => Ok(*status),
        _ => Err(FrameError::Malformed),
    }
}

/// Opens a connection, asks one question, closes.
///
/// # Errors
/// `TimedOut` after `limit`; else as [`handshake::connect`] and reading a frame.
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
