//! `ribbit bench`: measures throughput, latency, and the longest time without any answer.
//!
//! A closed loop: each client has one request in flight, on a connection of its own, and sends the next one after the answer.
//! A request that gets no answer is retried with the same idempotency key, and its latency counts from the first attempt.
//! So a failed leader shows in `max` and in the gap, not as fewer samples.
//!
//! [`tree`] measures the lock namespace, this module everything else; [`figures`] counts and prints the results.
//!
//! The benchmark creates accounts with random names and passwords and leaves them and their croaks behind, so it is not meant
//! for a cluster in use.

pub(crate) mod arguments;
mod figures;
mod histogram;
mod tree;

use crate::common::failure::{Exit, Failure};
use crate::common::output;
use crate::common::survey;
use arguments::{BenchOp, BenchOptions, BenchServers};
use figures::{BenchCounters, BenchFigures};
use ribbit_net::channel::Channel;
use ribbit_net::client::Client;
use ribbit_net::frame::{self, FrameError, Plane};
use ribbit_net::handshake;
use ribbit_net::keys::Keys;
use ribbit_net::limits::{ATTEMPT_DEADLINE, FRAME_BYTES_MAX};
use ribbit_net::protocol::{Answer, AnswerFrame, Ask, AskFrame, MemberInfo, NewAccount, Password};
use ribbit_net::secret::{from_hex, new_request_id, new_token, to_hex, token_hash};
use ribbit_state::limits::{CROAK_CHARS_MAX, FEED_PAGE_MAX};
use ribbit_state::{Command, Consistency, LogIndex, Page, Query, Request, Role, Token, TokenHash};
use smol::future::or;
use smol::stream::StreamExt;
use smol::{LocalExecutor, Timer};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Number of accounts to create.
const ACCOUNTS: usize = 8;
/// Number of friends up to which each account follows the next accounts of this benchmark, in a circle.
const FRIENDS_OF_OUR_OWN_MAX: u32 = 3;
/// Croaks of each account before feeds are read, so that there is a page to fill.
const FEED_CROAKS: usize = 8;
/// Size of these croaks, in bytes.
const FEED_CROAK_BYTES: usize = 64;
/// Timeout of the setup: accounts, logins, friends, first croaks.
const SETUP_MAX: Duration = Duration::from_secs(60);
/// Timeout of a request during the setup.
const ANSWER_MAX: Duration = Duration::from_secs(4);
/// Tick of the timer that detects silent servers.
const SILENCE_STEP: Duration = Duration::from_millis(350);
/// Number of ticks without an answer after which a server is abandoned.
const SILENT_STEPS: usize = 4;
/// Pause before an unanswered request is retried.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs the benchmark and prints its results.
///
/// # Errors
/// 1: the accounts cannot be created. 3: no server is reachable, or no request was answered.
pub(crate) async fn run(options: &BenchOptions) -> Result<(), Failure> {
    let servers = servers(options).await?;
    let (tally, pages) = match options.op {
        BenchOp::Post | BenchOp::Feed => (social(options, &servers).await?, None),
        BenchOp::Lock | BenchOp::List => tree::run(options, &servers).await?,
    };
    let figures = BenchFigures::new(options, &tally, pages);
    output::line(&if options.json { figures.json() } else { figures.table() });
    match tally.latencies.count() {
        0 => Err(Failure::new(Exit::Unreachable, "no request was answered during the benchmark")),
        _ => Ok(()),
    }
}

async fn social(options: &BenchOptions, servers: &[String]) -> Result<BenchCounters, Failure> {
    let too_long = async {
        Timer::after(SETUP_MAX).await;
        let message = format!("the accounts could not be created within {} s", SETUP_MAX.as_secs());
        Err(Failure::new(Exit::Unreachable, message))
    };
    let people = match &options.sessions {
        Some(file) => sessions(file)?,
        None => or(prepare(servers, options), too_long).await?,
    };
    Ok(measure(options, servers, &people).await)
}

/// Returns the servers to measure.
async fn servers(options: &BenchOptions) -> Result<Vec<String>, Failure> {
    let survey = survey::reached(&options.cluster).await?;
    // The namespace is accessed on the control plane, which balancers do not forward.
    let balanced =
        matches!(options.op, BenchOp::Post | BenchOp::Feed) && options.servers == BenchServers::Balancer;
    if balanced && !options.cluster.servers.is_empty() {
        return Ok(options.cluster.servers.clone());
    }
    let leader = survey.leader.unwrap_or_default();
    let anyone = options.servers != BenchServers::Leader;
    let wanted = |info: &MemberInfo| info.role == Role::Backend && (anyone || info.name() == leader);
    let members = survey.members.into_iter().filter(|member| member.alive && wanted(&member.info));
    let addresses: Vec<String> = members.map(|member| member.info.address).collect();
    if addresses.is_empty() {
        let what = if anyone { "no backend answers" } else { "no backend is the leader" };
        return Err(Failure::new(Exit::Unreachable, what));
    }
    Ok(addresses)
}

/// Account of the benchmark.
struct BenchAccount {
    username: String,
    session: TokenHash,
}

/// Reads the sessions of accounts that exist, one per line in hexadecimal.
fn sessions(file: &Path) -> Result<Vec<BenchAccount>, Failure> {
    let wrong = |what: &str| Failure::new(Exit::Usage, format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error.to_string()))?;
    let sessions: Option<Vec<_>> = text.lines().map(from_hex).collect();
    match sessions {
        Some(sessions) if !sessions.is_empty() => Ok(sessions
            .into_iter()
            .map(|token| BenchAccount { username: String::new(), session: TokenHash(token) })
            .collect()),
        _ => Err(wrong("each line must be a session of 64 hexadecimal digits")),
    }
}

/// Creates the accounts, logs them in and lets them follow each other.
async fn prepare(servers: &[String], options: &BenchOptions) -> Result<Vec<BenchAccount>, Failure> {
    let client = Client::new(servers.to_vec(), options.cluster.keys.clone());
    let mut people = Vec::with_capacity(ACCOUNTS);
    for _ in 0..ACCOUNTS {
        people.push(new_person(&client).await?);
    }
    for (index, person) in people.iter().enumerate() {
        for step in 1..=options.friends as usize {
            let username = match options.friends {
                1..=FRIENDS_OF_OUR_OWN_MAX => people[(index + step) % ACCOUNTS].username.clone(),
                _ => format!("crowd-{step}"),
            };
            let command = Command::AddFriend { session: person.session, username };
            settle(&client, Ask::Write(request(command, 0))).await?;
        }
        let croaks = if options.op == BenchOp::Feed { FEED_CROAKS } else { 0 };
        for number in 0..croaks {
            settle(&client, Ask::Write(request(croak(person, number as u64, FEED_CROAK_BYTES), 0))).await?;
        }
    }
    Ok(people)
}

async fn new_person(client: &Client) -> Result<BenchAccount, Failure> {
    let random = to_hex(&new_token());
    let username = format!("bench-{}", &random[..8]);
    let password = Password(random[8..40].to_string());
    let form = NewAccount {
        name: "A benchmark".to_string(),
        username: username.clone(),
        email: "bench@localhost".to_string(),
        password: password.clone(),
        invitation: None,
    };
    settle(
        client,
        Ask::CreateAccount { id: new_request_id(), submitted_at: submitted_at(client).await, form },
    )
    .await?;
    let session = token_hash(&new_token());
    let submitted_at = submitted_at(client).await;
    let log_in = Ask::LogIn {
        id: new_request_id(),
        submitted_at,
        username: username.clone(),
        password,
        token: session,
        device: "ribbit bench".to_string(),
        app: None,
    };
    settle(client, log_in).await?;
    Ok(BenchAccount { username, session })
}

/// Returns the newest known log index for a request's submitted-at index; 0, which counts as very old, if it is unknown.
async fn submitted_at(client: &Client) -> LogIndex {
    client.position(ANSWER_MAX).await.map_or(0, |token| token.index)
}

/// Repeats a write until it is decided. The caller sets the timeout.
async fn settle(client: &Client, mut ask: Ask) -> Result<Token, Failure> {
    if let Ask::Write(request) = &mut ask {
        request.submitted_at = submitted_at(client).await;
    }
    loop {
        match outcome(client.ask(ask.clone(), ANSWER_MAX).await.ok()) {
            Attempt::Done(token) => return Ok(token),
            Attempt::Refused(what) => {
                return Err(Failure::new(
                    Exit::Refused,
                    format!("the cluster refused a request of the benchmark: {what}"),
                ));
            }
            Attempt::Again(_) => drop(Timer::after(PAUSE).await),
        }
    }
}

/// Result of one attempt.
enum Attempt {
    Done(Token),
    Again(&'static str),
    Refused(String),
}

fn outcome(answer: Option<Answer>) -> Attempt {
    match answer {
        Some(Answer::Written { token, outcome: Ok(_) } | Answer::Read { token, page: Ok(_), .. }) => {
            Attempt::Done(token)
        }
        Some(Answer::Written { outcome: Err(denied), .. } | Answer::Read { page: Err(denied), .. }) => {
            Attempt::Refused(denied.to_string())
        }
        Some(Answer::Refused(denied)) => Attempt::Refused(denied.to_string()),
        Some(Answer::Unavailable(_)) => Attempt::Again("no quorum"),
        Some(_) => Attempt::Refused("the answer does not fit the request".to_string()),
        None => Attempt::Again("no server answers"),
    }
}

async fn measure(options: &BenchOptions, servers: &[String], people: &[BenchAccount]) -> BenchCounters {
    let executor = LocalExecutor::new();
    let start = Instant::now();
    let end = start + options.time;
    let tally = Rc::new(RefCell::new(BenchCounters::new(start)));
    for number in 0..options.clients as usize {
        let client = BenchClient {
            connection: Connection::new(Plane::Client, servers, &options.cluster.keys, number),
            op: options.op,
            consistency: options.consistency,
            people,
            turn: number,
            clients: options.clients as usize,
            pages: options.pages,
            read: 0,
            before: None,
            number: number as u64,
            bytes: options.bytes as usize,
            seen: None,
            pause: options.pause,
            end,
        };
        executor.spawn(client.drive(Rc::clone(&tally))).detach();
    }
    // Requests that are still in flight then are dropped with the executor.
    executor.run(Timer::at(end)).await;
    drop(executor);
    let mut tally = Rc::into_inner(tally).expect("every client was dropped").into_inner();
    tally.end_gap(end);
    tally
}

/// One client in the closed loop.
struct BenchClient<'a> {
    connection: Connection<'a>,
    op: BenchOp,
    consistency: Consistency,
    people: &'a [BenchAccount],
    /// Position of the account that acts now. The clients share all accounts in turn.
    turn: usize,
    clients: usize,
    /// Number of pages to read one after the other.
    pages: u32,
    /// Number of pages read since the newest one.
    read: u32,
    /// Where the next page begins.
    before: Option<LogIndex>,
    number: u64,
    bytes: usize,
    seen: Option<Token>,
    pause: Duration,
    end: Instant,
}

impl BenchClient<'_> {
    async fn drive(mut self, tally: Rc<RefCell<BenchCounters>>) {
        self.seen = self.position().await;
        let mut count = 0;
        while Instant::now() < self.end {
            if !self.pause.is_zero() {
                Timer::after(self.pause).await;
            }
            let asked = Instant::now();
            let ask = self.question(count);
            count += 1;
            loop {
                let answer = self.connection.ask(ask.clone()).await.ok();
                let older = answer.as_ref().and_then(older_page);
                match outcome(answer) {
                    Attempt::Done(token) => {
                        self.seen = Some(token);
                        if self.op == BenchOp::Feed {
                            self.turn_page(older);
                        }
                        tally.borrow_mut().answered(asked, Instant::now());
                        break;
                    }
                    Attempt::Refused(what) => {
                        tally.borrow_mut().failed(what);
                        Timer::after(PAUSE).await;
                        break;
                    }
                    Attempt::Again(what) => {
                        tally.borrow_mut().failed(what.to_string());
                        Timer::after(PAUSE).await;
                    }
                }
            }
        }
    }

    /// Goes on to the next older page, or to the newest page of another account.
    fn turn_page(&mut self, older: Option<LogIndex>) {
        self.read += 1;
        self.before = older.filter(|_| self.read < self.pages);
        if self.before.is_none() {
            (self.read, self.turn) = (0, self.turn + self.clients);
        }
    }

    fn person(&self) -> &BenchAccount {
        &self.people[self.turn % self.people.len()]
    }

    async fn position(&mut self) -> Option<Token> {
        let ask = Ask::Read { seen: None, consistency: Consistency::Stale, query: Query::Position };
        while Instant::now() < self.end {
            if let Attempt::Done(token) = outcome(self.connection.ask(ask.clone()).await.ok()) {
                return Some(token);
            }
            Timer::after(PAUSE).await;
        }
        None
    }

    fn question(&self, count: u64) -> Ask {
        match self.op {
            BenchOp::Post => {
                let submitted_at = self.seen.map_or(0, |token| token.index);
                Ask::Write(request(
                    croak(self.person(), self.number * 1_000_000 + count, self.bytes),
                    submitted_at,
                ))
            }
            // Operations of the namespace are sent by `tree`.
            BenchOp::Feed | BenchOp::Lock | BenchOp::List => Ask::Read {
                seen: self.seen,
                consistency: self.consistency,
                query: Query::Feed {
                    session: self.person().session,
                    before: self.before,
                    limit: FEED_PAGE_MAX as u16,
                },
            },
        }
    }
}

/// Connection of one client, with one request at a time. It does less work per request than the failover client, so that the
/// benchmark measures the cluster and not the client.
struct Connection<'a> {
    plane: Plane,
    servers: &'a [String],
    /// Position of the next server to connect to; each client starts with another one.
    next: usize,
    keys: &'a Keys,
    open: Option<Channel>,
    /// One timer for all requests: setting a timer for each would cost more than the request.
    pulse: Timer,
}

impl<'a> Connection<'a> {
    fn new(plane: Plane, servers: &'a [String], keys: &'a Keys, number: usize) -> Connection<'a> {
        let pulse = Timer::interval(SILENCE_STEP);
        Connection { plane, servers, keys, next: number, open: None, pulse }
    }

    /// Sends a request to the connected server, or connects to the next one. After any error, the next request goes to another
    /// server.
    async fn ask(&mut self, ask: Ask) -> Result<Answer, FrameError> {
        let Channel { mut reader, mut writer } = match self.open.take() {
            Some(open) => open,
            None => {
                let server = &self.servers[self.next % self.servers.len()];
                self.next += 1;
                handshake::connect(server, self.plane, self.keys).await?
            }
        };
        let deadline_ms = u32::try_from(ATTEMPT_DEADLINE.as_millis()).unwrap_or(u32::MAX);
        frame::write(&mut writer, &AskFrame { tag: 1, deadline_ms, ask }).await?;
        let answer = async {
            let AnswerFrame { answer, .. } = frame::read(&mut reader, FRAME_BYTES_MAX).await?;
            Ok(answer)
        };
        let pulse = &mut self.pulse;
        let silence = async {
            for _ in 0..SILENT_STEPS {
                pulse.next().await;
            }
            Err(FrameError::TimedOut)
        };
        let answer = or(answer, silence).await?;
        // A server that is unavailable is abandoned, as the failover client does.
        if !matches!(answer, Answer::Unavailable(_)) {
            self.open = Some(Channel { reader, writer });
        }
        Ok(answer)
    }
}

/// Returns where the page behind this one begins.
fn older_page(answer: &Answer) -> Option<LogIndex> {
    match answer {
        Answer::Read { page: Ok(Page::Feed { older, .. }), .. } => *older,
        _ => None,
    }
}

fn croak(person: &BenchAccount, number: u64, bytes: usize) -> Command {
    Command::croak(person.session, text(number, bytes))
}

/// Returns a text of `bytes` bytes, with characters of three bytes where it would otherwise have too many characters.
fn text(number: u64, bytes: usize) -> String {
    let long = bytes.saturating_sub(CROAK_CHARS_MAX).div_ceil(2);
    let short = bytes - 3 * long;
    let words = format!("ribbit {number}: the pond is calm tonight, and so am I; who else is up? ");
    let words: String = words.chars().cycle().take(short).collect();
    // A croak must not start or end with a blank.
    let words = match words.strip_suffix(' ') {
        Some(words) => format!("{words}."),
        None => words,
    };
    words + &"…".repeat(long)
}

fn request(command: Command, submitted_at: LogIndex) -> Request {
    Request { id: new_request_id(), submitted_at, origin: None, command }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_the_requested_size_and_is_a_valid_croak() {
        for bytes in 1..=256 {
            let text = text(7_000_123, bytes);
            assert_eq!(text.len(), bytes);
            ribbit_state::text::check_croak(&text).unwrap();
        }
    }
}
