//! Honest clients: one posts through the web pages, one through the client protocol, one croak per second each.

use super::Options;
use ribbit_net::client::Client;
use ribbit_net::protocol::{Answer, Ask, NewAccount, Password};
use ribbit_net::secret::{new_request_id, new_token, to_hex, token_hash};
use ribbit_state::sync::MutexExt;
use ribbit_state::{Command, HistoryId, Request, TokenHash};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::http::Browser;

/// Interval between two croaks.
const EACH: Duration = Duration::from_secs(1);
/// Timeout of a request; the web pages promise an answer within four seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests of one client, and their answers.
#[derive(Debug, Clone, Default)]
pub struct Served {
    asked: usize,
    /// Latencies of successful requests, in milliseconds.
    took_ms: Vec<f64>,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut took = self.took_ms.clone();
        took.sort_by(f64::total_cmp);
        let median = took.get(took.len() / 2).copied().unwrap_or_default();
        let worst = took.last().copied().unwrap_or_default();
        write!(f, "{} of {}, {median:.0} ms, {worst:.0} ms", took.len(), self.asked)
    }
}

type Log = Arc<Mutex<(Served, Vec<Option<Duration>>)>>;

pub struct Honest {
    browser: Log,
    client: Log,
    /// A valid session, for attacks that need one.
    pub session: TokenHash,
    pub history: HistoryId,
}

impl Honest {
    /// Creates the two accounts and starts the clients.
    pub fn begin(options: &Options) -> Honest {
        let tag = &to_hex(&new_token())[..8];
        let (browser, client) = (Log::default(), Log::default());
        let mut page = Browser::new(&options.web);
        page.join(&format!("browser-{tag}"));
        std::thread::spawn({
            let log = browser.clone();
            move || {
                go_about(&log, |text| {
                    page.try_post("/main", &[("post", text)]).is_ok_and(|reply| reply.status == 303)
                });
            }
        });
        let balancer = address_of(options, "BALANCER");
        let asking = Client::new(vec![balancer], options.keys());
        let session = smol::block_on(join(&asking, &format!("client-{tag}")));
        let history = asking.seen().expect("a server has answered").history;
        std::thread::spawn({
            let log = client.clone();
            move || go_about(&log, |text| smol::block_on(croak(&asking, session, text)))
        });
        Honest { browser, client, session, history }
    }

    /// Returns the results since the last call: of the browser and of the client.
    pub fn take(&self) -> (Served, Served) {
        let take = |log: &Log| std::mem::take(&mut log.locked().0);
        (take(&self.browser), take(&self.client))
    }

    /// Returns whether the last requests of both were answered within that time.
    pub fn served_in_a_row(&self, count: usize, within: Duration) -> bool {
        let well = |log: &Log| {
            let log = log.locked();
            log.0.asked >= count
                && log.1.iter().rev().take(count).all(|took| took.is_some_and(|took| took <= within))
        };
        well(&self.browser) && well(&self.client)
    }
}

/// Returns the address of a process from the ports file.
pub fn address_of(options: &Options, part: &str) -> String {
    let text = std::fs::read_to_string(options.data_dir.join("ports")).expect("a ports file");
    let found = text.lines().find_map(|line| line.strip_prefix(part)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {part} in {text}")).to_string()
}

fn go_about(log: &Log, mut croak: impl FnMut(&str) -> bool) {
    for number in 0.. {
        let began = Instant::now();
        let done = croak(&format!("still here, for the {number}th time"));
        let took = began.elapsed();
        let mut log = log.locked();
        log.0.asked += 1;
        log.1.push(done.then_some(took));
        if done {
            log.0.took_ms.push(took.as_secs_f64() * 1_000.0);
        }
        drop(log);
        std::thread::sleep(EACH.saturating_sub(took));
    }
}

async fn join(client: &Client, username: &str) -> TokenHash {
    let password = || Password("frogs all the way".into());
    let form = NewAccount {
        name: "Honest".into(),
        username: username.into(),
        email: "honest@localhost".into(),
        password: password(),
        invitation: None,
    };
    let submitted_at = client.position(PATIENCE).await.expect("the cluster answers").index;
    let create = Ask::CreateAccount { id: new_request_id(), submitted_at, form };
    let answer = client.ask(create, PATIENCE).await.expect("the cluster answers");
    assert!(matches!(answer, Answer::Written { outcome: Ok(_), .. }), "{answer:?}");
    let token = token_hash(&new_token());
    let log_in = Ask::LogIn {
        id: new_request_id(),
        submitted_at,
        username: username.into(),
        password: password(),
        token,
        device: String::new(),
        app: None,
    };
    let answer = client.ask(log_in, PATIENCE).await.expect("the cluster answers");
    assert!(matches!(answer, Answer::Written { outcome: Ok(_), .. }), "{answer:?}");
    token
}

async fn croak(client: &Client, session: TokenHash, text: &str) -> bool {
    let submitted_at = client.seen().map_or(0, |token| token.index);
    let command = Command::croak(session, text);
    let ask = Ask::Write(Request { id: new_request_id(), submitted_at, origin: None, command });
    matches!(client.ask(ask, PATIENCE).await, Ok(Answer::Written { outcome: Ok(_), .. }))
}
