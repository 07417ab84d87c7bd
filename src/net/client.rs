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
//! Every attempt carries the very same ask with the same request id, so a write that was done by an attempt
//! whose answer got lost is answered, not done again. All clones share one line and its questions; when the
//! line ends, each of them asks again on the next one.
//!
//! It does not look into answers beyond `Unavailable` and the token, and keeps nothing on disk.

use super::frame::{self, FrameError, Plane};
use super::limits::{
    ASKS_UNDER_WAY_MAX, ATTEMPT_DEADLINE, ATTEMPT_GRACE, FRAME_BYTES_MAX, PASSWORD_ATTEMPT_DEADLINE,
    REFUSALS_IN_A_ROW_MAX, RETRY_PAUSE_MAX, RETRY_PAUSE_MIN,
};
use super::line::Line;
use super::protocol::{Answer, AnswerFrame, Ask, AskFrame, Why};
use super::subscription::Subscription;
use crate::state::{Consistency, Query, Token, Wanted};
use smol::future::FutureExt;
use smol::lock::{Mutex, Semaphore};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use super::socket::connect;

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

#[derive(Debug)]
struct Shared {
    servers: Arc<[String]>,
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
    next: usize,
    /// Connects that failed in a row.
    failed: usize,
    pause: Pause,
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
    pub fn new(servers: Vec<String>) -> Client {
        Client::on(Plane::Client, servers)
    }

    /// On another plane: of those who run the group, on `Control`, where every member answers.
    pub fn on(plane: Plane, servers: Vec<String>) -> Client {
        let next = any_of(&servers);
        Client(Arc::new(Shared {
            servers: servers.into(),
            plane,
            route: Mutex::new(Route { line: None, next, failed: 0, pause: Pause::default() }),
            places: Semaphore::new(ASKS_UNDER_WAY_MAX),
            seen: std::sync::Mutex::default(),
        }))
    }

    /// Asks until there is a final answer (any but `Unavailable`; `OtherHistory` is one) or `deadline` is over.
    /// Dropping the future gives up the question.
    ///
    /// # Errors
    /// [`Unreachable`], after the whole `deadline`.
    pub async fn ask(&self, ask: Ask, deadline: Duration) -> Result<Answer, Unreachable> {
        let end = Instant::now() + deadline;
        let mut fate = Fate::default();
        let answer = async { Some(self.0.attempts(&ask, end, &mut fate).await) }
            .or(async {
                smol::Timer::at(end).await;
                None
            })
            .await;
        match answer {
            Some(answer) => Ok(answer),
            None if fate.sent => Err(Unreachable::Undecided(fate.why.unwrap_or(Why::NotServing))),
            None => fate.why.map_or(Err(Unreachable::Nobody), |why| Err(Unreachable::Undecided(why))),
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
        Subscription::new(self.0.servers.clone(), cursor, wanted)
    }

    /// The newest position that any answer carried.
    pub fn seen(&self) -> Option<Token> {
        *self.0.seen.lock().expect("nothing panics while it holds this lock")
    }
}

impl Shared {
    /// Asks until there is a final answer. The caller keeps the time: `end` only bounds what servers are told.
    async fn attempts(&self, ask: &Ask, end: Instant, fate: &mut Fate) -> Answer {
        fate.why = Some(Why::Busy);
        let _place = self.places.acquire().await;
        fate.why = None;
        let mut pause = Pause::default();
        let mut refused = 0;
        let mut lost = 0;
        loop {
            let line = self.line().await;
            fate.sent = true;
            let limit = attempt_limit(ask).min(end.saturating_duration_since(Instant::now()));
            match line.ask(ask, limit, ATTEMPT_GRACE).await {
                Ok(Answer::Unavailable(why)) if why != Why::OtherHistory => {
                    fate.why = Some(why);
                    refused += if why == Why::Busy { 0 } else { 1 };
                    if refused == REFUSALS_IN_A_ROW_MAX {
                        refused = 0;
                        self.leave(&line).await;
                    }
                }
                Ok(answer) => {
                    self.note(&answer);
                    return answer;
                }
                Err(_) => {
                    self.leave(&line).await;
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

    /// The line that is open, or a new one to the next server that takes one. Never gives up.
    async fn line(&self) -> Arc<Line> {
        let mut route = self.route.lock().await;
        if let Some(line) = route.line.as_ref().filter(|line| line.is_open()) {
            return line.clone();
        }
        route.line = None;
        loop {
            if route.failed >= self.servers.len() {
                route.failed = 0;
                route.pause.wait().await;
            }
            let Some(server) = self.servers.get(route.next) else { return smol::future::pending().await };
            // Moved on before the try: an asker that gives up in the middle does not bring the next one here.
            route.next = (route.next + 1) % self.servers.len();
            route.failed += 1;
            match Line::open(server, self.plane).await {
                Ok(line) => {
                    log::debug!("connected to {server}");
                    let line = Arc::new(line);
                    route.line = Some(line.clone());
                    (route.failed, route.pause) = (0, Pause::default());
                    return line;
                }
                Err(error) => log::debug!("cannot connect to {server}: {error}"),
            }
        }
    }

    /// Asks no more on this line. It closes when the last question on it is answered.
    async fn leave(&self, line: &Arc<Line>) {
        let mut route = self.route.lock().await;
        if route.line.as_ref().is_some_and(|current| Arc::ptr_eq(current, line)) {
            route.line = None;
        }
    }

    fn note(&self, answer: &Answer) {
        let (Answer::Written { token, .. } | Answer::Read { token, .. }) = answer else { return };
        let mut seen = self.seen.lock().expect("nothing panics while it holds this lock");
        *seen = Some(newest(*seen, *token));
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

/// Where to begin, so that many clients spread over the servers.
pub(super) fn any_of(servers: &[String]) -> usize {
    let any = getrandom::u32().unwrap_or(0) as usize;
    any.checked_rem(servers.len()).unwrap_or(0)
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

/// Opens a connection, asks one question, closes.
///
/// # Errors
/// `TimedOut` after `limit`; else as [`connect`] and reading a frame.
pub async fn ask_once(address: &str, plane: Plane, ask: Ask, limit: Duration) -> Result<Answer, FrameError> {
    frame::within(limit, async {
        let mut stream = connect(address, plane).await?;
        let deadline_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        frame::write(&mut stream, &AskFrame { tag: 1, deadline_ms, ask }).await?;
        let AnswerFrame { answer, .. } = frame::read(&mut stream, FRAME_BYTES_MAX).await?;
        Ok(answer)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::HistoryId;

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
