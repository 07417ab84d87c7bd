//! Attack of one kind: many connections at once, held or reopened until its time is over.

use super::honest::{Honest, address_of};
use super::{Options, http, wire};
use ribbit_net::keys::Keys;
use ribbit_state::sync::MutexExt;
use ribbit_state::{ClusterId, HistoryId, TokenHash};
use rustix::net::{AddressFamily, SocketAddrV4, SocketType, bind, connect, socket};
use smol::{Async, Timer};
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Target of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Pages,
    Backend,
    Balancer,
}

impl Target {
    /// Part of the target's command line.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Target::Pages => &["client web"],
            Target::Backend => &["backend --id 1"],
            Target::Balancer => &["balancer"],
        }
    }
}

pub const ALL: &[(&str, Target, fn(&Raid))] = &[
    ("wrk, 64 connections", Target::Pages, |raid| http::wrk(raid, 64)),
    ("wrk, 400 connections", Target::Pages, |raid| http::wrk(raid, 400)),
    ("slow heads", Target::Pages, http::slow_heads),
    ("slow bodies", Target::Pages, http::slow_bodies),
    ("idle connections", Target::Pages, http::idle),
    ("never reading", Target::Pages, http::never_reading),
    ("ten megabytes", Target::Pages, http::large_bodies),
    ("log-ins", Target::Pages, http::log_ins),
    ("garbage", Target::Backend, wire::garbage),
    ("garbage at the balancer", Target::Balancer, wire::garbage),
    ("strangers on the members' plane", Target::Backend, wire::strangers),
    ("handshakes", Target::Backend, wire::handshakes),
    ("half a preface", Target::Backend, wire::half_open),
    ("half records", Target::Backend, wire::half_records),
    ("idle, opened", Target::Backend, wire::idle),
    ("idle, opened, at the balancer", Target::Balancer, wire::idle),
    ("live, never read", Target::Backend, wire::never_read),
    ("connecting and leaving", Target::Backend, wire::comes_and_goes),
];

pub struct Raid {
    pub target: String,
    pub end: Instant,
    pub time: Duration,
    one_address: bool,
    network: [u8; 2],
    /// Id of the attacked cluster, which is public.
    pub cluster: ClusterId,
    pub keys: Keys,
    pub history: HistoryId,
    /// Session that may subscribe to a feed.
    pub session: TokenHash,
    held: AtomicUsize,
    held_most: AtomicUsize,
    done: AtomicU64,
    refused: AtomicU64,
    words: std::sync::Mutex<Option<String>>,
}

/// A connection, counted while it is held.
pub struct Held<'a> {
    raid: &'a Raid,
    pub stream: Async<TcpStream>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.raid.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Raid {
    /// Runs an attack to its end and returns its counts.
    pub fn run(
        options: &Options,
        honest: &Honest,
        target: Target,
        time: Duration,
        raid: fn(&Raid),
    ) -> String {
        let address = match target {
            Target::Pages => options.web.clone(),
            Target::Backend => address_of(options, "BACKEND_1"),
            Target::Balancer => address_of(options, "BALANCER"),
        };
        let running = Raid {
            target: address,
            end: Instant::now() + time,
            time,
            one_address: options.one_address,
            network: network(&options.network),
            keys: options.keys(),
            session: honest.session,
            history: honest.history,
            cluster: options.keys().cluster().expect("a cluster's keys know it"),
            held: AtomicUsize::new(0),
            held_most: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            words: std::sync::Mutex::default(),
        };
        raid(&running);
        running.to_string()
    }

    pub fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    /// Counts a completed action, whether answered or cut off.
    pub fn count(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Sets a text to print instead of the counts.
    pub fn say(&self, words: String) {
        *self.words.locked() = Some(words);
    }

    /// Opens a connection from the attacker of this number; `None` if it is not accepted.
    pub async fn connect(&self, number: usize) -> Option<Held<'_>> {
        let connected = self.dial(if self.one_address { 0 } else { number });
        // The kernel completes connections before they are accepted, as long as the backlog has room.
        let Ok(stream) = connected.and_then(Async::new) else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            Timer::after(Duration::from_millis(50)).await;
            return None;
        };
        let held = self.held.fetch_add(1, Ordering::Relaxed) + 1;
        self.held_most.fetch_max(held, Ordering::Relaxed);
        Some(Held { raid: self, stream })
    }

    fn dial(&self, number: usize) -> io::Result<TcpStream> {
        let target: SocketAddrV4 = self.target.parse().map_err(io::Error::other)?;
        let made = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        let [one, two] = self.network;
        let from = Ipv4Addr::new(one, two, (number / 250) as u8 + 1, (number % 250) as u8 + 1);
        bind(&made, &SocketAddrV4::new(from, 0))?;
        connect(&made, &target)?;
        Ok(TcpStream::from(made))
    }

    /// Counts a connection that was opened in another way.
    pub fn hold(&self) {
        let held = self.held.fetch_add(1, Ordering::Relaxed) + 1;
        self.held_most.fetch_max(held, Ordering::Relaxed);
    }

    pub fn let_go(&self) {
        self.held.fetch_sub(1, Ordering::Relaxed);
    }

    /// Runs many attackers concurrently, each with its number, on two threads.
    pub fn each<F>(&self, count: usize, attacker: impl Fn(usize) -> F + Sync)
    where
        F: Future<Output = ()>,
    {
        const THREADS: usize = 2;
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let attacker = &attacker;
                scope.spawn(move || {
                    let executor = smol::LocalExecutor::new();
                    for number in (thread..count).step_by(THREADS) {
                        executor.spawn(attacker(number)).detach();
                    }
                    let end = self.end;
                    smol::block_on(executor.run(Timer::at(end)));
                });
            }
        });
    }
}

impl fmt::Display for Raid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(words) = &*self.words.locked() {
            return f.write_str(words);
        }
        let (held, done) = (self.held_most.load(Ordering::Relaxed), self.done.load(Ordering::Relaxed));
        write!(f, "{held} held, {:.0} a second", done as f64 / self.time.as_secs_f64())
    }
}

/// Parses the first two numbers of an address.
fn network(text: &str) -> [u8; 2] {
    let numbers: Vec<u8> = text.split('.').filter_map(|number| number.parse().ok()).collect();
    numbers.try_into().expect("a network is two numbers, like 127.66")
}
