//! Load of writers on the web pages, and the check of every croak afterwards.
//!
//! A writer sends each croak under its own request id and repeats it under the same id until it succeeds, as a browser does with
//! a returned form. So each croak must be in the feed exactly once, across all failures. Only the last one of each writer may
//! be undecided, and is then there at most once.

use crate::http::Browser;
use crate::page_text as pages;
use crate::timeouts::{PATIENCE, awaited_within};
use ribbit_net::client::Client;
use ribbit_net::keys::Keys;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::token_hash;
use ribbit_state::sync::MutexExt;
use ribbit_state::{Consistency, LogIndex, Page, Query, TokenHash};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Pause of a writer before it repeats a failed request.
const PAUSE: Duration = Duration::from_millis(50);
/// Size of a feed page read from one server.
const FEED_PAGE_MAX: Duration = Duration::from_secs(10);

/// Returns the hash of the browser's session token.
pub fn session_of(browser: &Browser) -> TokenHash {
    let hex = &browser.cookies["session"];
    let digits = hex.as_bytes().chunks_exact(2).map(|pair| std::str::from_utf8(pair).expect("hex"));
    let bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect();
    token_hash(&bytes)
}

/// Results of one writer.
#[derive(Debug, Default)]
struct Log {
    acknowledged: Vec<String>,
    undecided: Option<String>,
    /// Number of failed requests and of requests without an answer.
    troubles: Vec<String>,
    /// Longest time to an answer.
    slowest: Duration,
}

struct Shared {
    /// HOST:PORT of the web pages.
    web: Mutex<String>,
    stop: AtomicBool,
    /// Pause between two croaks of a writer.
    pace: Duration,
    acknowledged: Vec<AtomicUsize>,
    /// Time of each success.
    times: Mutex<Vec<Instant>>,
}

pub struct Writers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Log>>,
    /// Follows all writers and writes nothing.
    pub reader: Browser,
}

/// Results of all writers.
pub struct Written {
    logs: Vec<Log>,
    pub reader: Browser,
}

impl Writers {
    /// Creates `count` writers and a reader that follows them all, and starts. The threads stay in the network namespace of the
    /// calling thread.
    pub fn start(web: &str, count: usize) -> Writers {
        Writers::at_pace(web, count, Duration::ZERO)
    }

    /// Starts writers with a pause between two croaks.
    pub fn at_pace(web: &str, count: usize, pace: Duration) -> Writers {
        // One after the other: passwords are hashed one at a time, and a long queue would be refused.
        let join = |username: &str| {
            let mut browser = Browser::new(web);
            browser.join(username);
            browser
        };
        let mut reader = join("reader");
        let browsers: Vec<Browser> = (0..count).map(|number| join(&format!("writer{number}"))).collect();
        for number in 0..count {
            let friend = [("username", &*format!("writer{number}")), ("choice", "add")];
            reader.post("/manage", &friend).leads_to("/manage?note=added");
        }
        let shared = Arc::new(Shared {
            web: Mutex::new(web.to_string()),
            stop: AtomicBool::new(false),
            pace,
            acknowledged: (0..count).map(|_| AtomicUsize::new(0)).collect(),
            times: Mutex::default(),
        });
        let threads = browsers.into_iter().enumerate().map(|(number, browser)| {
            let shared = shared.clone();
            std::thread::spawn(move || write(number, browser, &shared))
        });
        let threads = threads.collect();
        Writers { shared, threads, reader }
    }

    /// Returns the number of acknowledged croaks of each writer.
    pub fn counts(&self) -> Vec<usize> {
        self.shared.acknowledged.iter().map(|count| count.load(Ordering::SeqCst)).collect()
    }

    /// Returns the number of acknowledged croaks.
    pub fn acknowledged(&self) -> usize {
        self.counts().iter().sum()
    }

    /// Waits until every writer has started another croak and succeeded.
    #[track_caller]
    pub fn await_progress(&self) {
        self.await_progress_within(PATIENCE);
    }

    #[track_caller]
    pub fn await_progress_within(&self, limit: Duration) {
        let before = self.counts();
        awaited_within(limit, "every writer goes on", || {
            let now = self.counts();
            before.iter().zip(now).all(|(before, now)| now >= before + 2).then_some(())
        });
    }

    /// Returns the longest time without a success since `begin`.
    pub fn gap_since(&self, begin: Instant) -> Duration {
        let times = self.shared.times.locked().clone();
        let marks = times.into_iter().filter(|time| *time > begin).chain([Instant::now()]);
        let mut last = begin;
        marks.map(|mark| mark.duration_since(std::mem::replace(&mut last, mark))).max().unwrap_or_default()
    }

    /// Changes the address of the web pages.
    pub fn move_to(&self, web: String) {
        *self.shared.web.locked() = web;
    }

    /// Waits until all writers have finished their croak.
    pub fn stop(self) -> Written {
        self.shared.stop.store(true, Ordering::SeqCst);
        let logs = self.threads.into_iter().map(|thread| thread.join().expect("no writer was refused"));
        let mut reader = self.reader;
        reader.address = self.shared.web.locked().clone();
        Written { logs: logs.collect(), reader }
    }
}

/// Returns the text of a writer's croak, which is acknowledged before the next one is sent.
pub fn text_of(number: usize, count: usize) -> String {
    format!("croak {count} of writer {number}")
}

fn write(number: usize, mut browser: Browser, shared: &Shared) -> Log {
    let mut log = Log::default();
    for count in 0.. {
        let text = text_of(number, count);
        let submitted_at = browser.cookies["seen"].split('.').nth(1).expect("a position").to_string();
        let id = ((number as u128) << 64) + count as u128 + 1;
        let request = format!("{id:032x}.{submitted_at}");
        loop {
            browser.address = shared.web.locked().clone();
            let began = Instant::now();
            let reply = browser.try_post("/main", &[("post", &text), ("request", &request)]);
            log.slowest = log.slowest.max(began.elapsed());
            match reply {
                Ok(reply) if reply.status == 303 => {
                    reply.leads_to("/main");
                    log.acknowledged.push(text);
                    shared.acknowledged[number].fetch_add(1, Ordering::SeqCst);
                    shared.times.locked().push(Instant::now());
                    break;
                }
                Ok(reply) => {
                    assert_eq!(reply.status, 503, "{}", reply.body);
                    log.troubles.push(format!("{text}: 503 after {:?}", began.elapsed()));
                }
                Err(error) => log.troubles.push(format!("{text}: {error}")),
            }
            if shared.stop.load(Ordering::SeqCst) {
                log.undecided = Some(text);
                return log;
            }
            std::thread::sleep(PAUSE);
        }
        if shared.stop.load(Ordering::SeqCst) {
            return log;
        }
        std::thread::sleep(shared.pace);
    }
    log
}

impl Written {
    /// Asserts that every croak succeeded at the first attempt and in time.
    #[track_caller]
    pub fn nobody_noticed(&self) {
        for log in &self.logs {
            assert_eq!(log.troubles, [""; 0]);
            assert!(log.slowest < Duration::from_secs(4), "{:?}", log.slowest);
        }
    }

    /// Returns the longest time to an answer.
    pub fn slowest(&self) -> Duration {
        self.logs.iter().map(|log| log.slowest).max().unwrap_or_default()
    }

    pub fn acknowledged(&self) -> usize {
        self.logs.iter().map(|log| log.acknowledged.len()).sum()
    }

    /// Reads the feed through the web pages and checks it.
    #[track_caller]
    pub fn judge_pages(&mut self) {
        let feed = pages::whole_feed(&mut self.reader);
        self.judge(&feed);
    }

    /// Checks a feed, newest first: it contains each acknowledged croak exactly once and nothing else, and each writer's croaks
    /// are in order.
    #[track_caller]
    pub fn judge(&self, feed: &[String]) {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        feed.iter().for_each(|text| *times.entry(text).or_default() += 1);
        let doubled: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
        assert!(doubled.is_empty(), "doubled: {doubled:?}");
        let acknowledged = self.logs.iter().flat_map(|log| &log.acknowledged);
        let lost: Vec<_> = acknowledged.filter(|text| !times.contains_key(text.as_str())).collect();
        assert!(lost.is_empty(), "lost of {}: {lost:?}", self.acknowledged());
        for (number, log) in self.logs.iter().enumerate() {
            let own = |text: &&String| text.ends_with(&format!("of writer {number}"));
            let mut read: Vec<&String> = feed.iter().filter(own).collect();
            read.reverse();
            let mut written: Vec<&String> = log.acknowledged.iter().collect();
            written.extend(log.undecided.iter().filter(|text| times.contains_key(text.as_str())));
            assert_eq!(read, written);
        }
    }
}

/// Returns the whole feed of one server: ids and texts, newest first.
#[track_caller]
pub fn feed_of(address: &str, keys: &Keys, session: TokenHash) -> Vec<(LogIndex, String)> {
    feed_after(address, keys, session, 0)
}

/// Returns the feed of one server behind the log index `after`: ids and texts, newest first.
#[track_caller]
pub fn feed_after(
    address: &str,
    keys: &Keys,
    session: TokenHash,
    after: LogIndex,
) -> Vec<(LogIndex, String)> {
    let client = Client::new(vec![address.to_string()], keys.clone());
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let query = Query::Feed { session, before, limit: 50 };
        let read = Ask::Read { seen: None, consistency: Consistency::Stale, query };
        let answer = smol::block_on(client.ask(read, FEED_PAGE_MAX)).expect("it answers");
        let Answer::Read { page: Ok(Page::Feed { croaks, older, .. }), .. } = answer else {
            panic!("{address}: {answer:?}")
        };
        let count = croaks.len();
        let newer = croaks.into_iter().take_while(|croak| croak.id > after);
        let had = all.len();
        all.extend(newer.map(|croak| (croak.id, croak.body.text)));
        match older.filter(|_| all.len() == had + count) {
            None => return all,
            older => before = older,
        }
    }
}
