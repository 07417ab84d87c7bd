//! Fills the store of a stopped single backend with accounts and croaks, as if they had been written through it. For
//! measuring memory, start-up and feeds of a cluster in use, without hashing ten thousand passwords.
//!
//! ```text
//!   ribbit up --backends 1 --coordinators 0 --data-dir DIR     once, then stop it
//!   cargo run --release --example crowd -- DIR/backend-1 [--people 10000] [--croaks 100000] [--follow 200,1000]
//! ```
//!
//! Creates accounts crowd-1, crowd-2, … that have no usable password, and croaks by each in turn, indexed as a leader indexes
//! them. For each number in `--follow`, `--readers` accounts follow that many others, spread over all. Their sessions are
//! written to DIR/backend-1.sessions-NUMBER for `ribbit bench --op feed --sessions FILE`.
//!
//! With `--vocabulary`, texts are of that many words, few of them frequent, and `--search N` prints how long N searches of each
//! kind take: for a rare word, a frequent one, the two together, and the beginning of a word.
//!
//! Everything in the log of a single voter is committed. In a cluster of several members, the members would detect the
//! difference and stop.

use clap::Parser;
use ribbit_db::{DbError, EntryKind, FileDisk, LogEntry, Reader, Store};
use ribbit_net::secret::stored_token;
use ribbit_state::command::Proposal;
use ribbit_state::limits::RING_CROAKS;
use ribbit_state::rows::books;
use ribbit_state::{Command, Page, Query, Reply, Request, RequestId, Stamp, TokenHash};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Debug, Parser)]
struct Options {
    /// The backend's folder
    folder: PathBuf,
    #[arg(long, default_value_t = 10_000)]
    people: u64,
    #[arg(long, default_value_t = 100_000)]
    croaks: u64,
    /// Numbers of accounts to follow; each makes a group of readers
    #[arg(long, value_delimiter = ',')]
    follow: Vec<u64>,
    /// Number of readers in each group
    #[arg(long, default_value_t = 64)]
    readers: u64,
    /// Number of different words in croaks; 0 for one text for all
    #[arg(long, default_value_t = 0)]
    vocabulary: u64,
    /// Number of searches of each kind, once the store is filled
    #[arg(long, default_value_t = 0, requires = "vocabulary")]
    search: u64,
}

/// Number of entries per append.
const BATCH: usize = 1_000;
/// Number of unindexed croaks in the ring above which a leader indexes them.
const UNINDEXED_MAX: usize = RING_CROAKS / 4 * 3;

struct Crowd {
    store: Store,
    waiting: Vec<LogEntry>,
    index: u64,
    term: u64,
    age_ms: u64,
}

impl Crowd {
    fn add(&mut self, command: Command) -> Result<Vec<Reply>, DbError> {
        self.index += 1;
        self.age_ms += 10;
        let request = Request {
            id: RequestId(u128::from(self.index) << 64),
            submitted_at: self.index - 1,
            origin: None,
            command,
        };
        let proposal = Proposal { stamp: Stamp { wall_ms: 0, age_ms: self.age_ms }, request };
        let data = postcard::to_stdvec(&proposal).expect("plain data");
        self.waiting.push(LogEntry {
            index: self.index,
            term: self.term,
            kind: EntryKind::Normal,
            data: data.into(),
        });
        if self.waiting.len() < BATCH { Ok(Vec::new()) } else { self.settle() }
    }

    fn settle(&mut self) -> Result<Vec<Reply>, DbError> {
        let entries = std::mem::take(&mut self.waiting);
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        self.store.append(&entries, None)?;
        let outcomes = self.store.apply(&entries, None)?;
        Ok(outcomes.into_iter().map(|entry| entry.outcome.expect("nothing here is refused")).collect())
    }

    /// Indexes croaks as a leader does, so that the ring does not grow with the store.
    fn index(&mut self) -> Result<(), DbError> {
        let reader = self.store.reader();
        while reader.ring_len_from(books(&reader.view()?)?.indexed_through + 1) > UNINDEXED_MAX {
            self.add(Command::IndexCroaks)?;
            self.settle()?;
        }
        Ok(())
    }

    /// Lets one account follow `friends` others, spread over all `people`.
    fn follow(&mut self, reader: u64, friends: u64, people: u64) -> Result<(), DbError> {
        let (mut followed, mut state) = (BTreeSet::from([reader]), reader);
        while (followed.len() as u64) <= friends.min(people - 1) {
            // A linear congruential generator: the same friends in every run.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let friend = (state >> 33) % people + 1;
            if followed.insert(friend) {
                let username = format!("crowd-{friend}");
                self.add(Command::AddFriend { session: token(reader), username })?;
            }
        }
        Ok(())
    }
}

/// Writes the sessions of a group of readers, one per line, as `bench --sessions` reads them.
fn write_sessions(folder: &Path, friends: u64, readers: std::ops::Range<u64>) -> std::io::Result<()> {
    let mut lines = String::new();
    for reader in readers {
        session(reader).0.iter().for_each(|byte| write!(lines, "{byte:02x}").expect("a string takes all"));
        lines.push('\n');
    }
    let mut path = folder.as_os_str().to_owned();
    path.push(format!(".sessions-{friends}"));
    std::fs::write(PathBuf::from(path), lines)
}

/// Number of words of a croak with `--vocabulary`.
const WORDS_OF_A_CROAK: u64 = 9;

/// Returns a word of a vocabulary of `words`; the first ones come most often, as in real texts.
fn word(seed: u64, words: u64) -> String {
    let random = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let random = (random ^ (random >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
    let share = random as f64 / f64::from(1 << 24);
    spelled((share * share * share * words as f64) as u64)
}

/// Returns the spelling of a word by its number.
fn spelled(mut number: u64) -> String {
    const SYLLABLES: [&str; 16] =
        ["ka", "ro", "mi", "su", "ten", "la", "po", "vi", "dra", "ne", "gu", "fo", "sha", "be", "ti", "wo"];
    let mut word = String::new();
    loop {
        word += SYLLABLES[(number % 16) as usize];
        number /= 16;
        if number == 0 {
            return word;
        }
    }
}

/// Prints how long searches take, with an index that covers all that it may.
fn measure_searches(reader: &Reader, options: &Options) -> Result<(), DbError> {
    let began = Instant::now();
    while reader.extend_search()? {}
    println!("index: {:.1} s", began.elapsed().as_secs_f64());
    for kind in ["rare", "frequent", "both", "beginning", "unknown"] {
        let mut times: Vec<f64> = Vec::new();
        let (mut croaks, mut unfinished) = (0, 0);
        for number in 0..options.search {
            let rare = spelled(options.vocabulary / 2 + number * 7 % (options.vocabulary / 2));
            let frequent = spelled(number % 20 + 16);
            let words = match kind {
                "rare" => rare,
                "frequent" => frequent,
                "both" => format!("{rare} {frequent}"),
                "beginning" => rare[..3].to_string(),
                _ => format!("x{rare}"),
            };
            let query = Query::Search { session: token(1), words, before: None, limit: 50 };
            let began = Instant::now();
            let (_, page) = reader.answer(&query)?;
            times.push(began.elapsed().as_secs_f64() * 1000.0);
            let Ok(Page::Found(found)) = page else { panic!("{page:?} for a search") };
            croaks += found.croaks.len();
            unfinished += u32::from(found.older.is_some() && found.croaks.len() < 50);
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "{kind}: {:.2} ms median, {:.2} ms 99th percentile, {:.1} croaks a search, {unfinished} pages not full",
            at(0.5),
            at(0.99),
            croaks as f64 / times.len() as f64
        );
    }
    Ok(())
}

/// Returns the session of an account as its client sends it.
fn session(person: u64) -> TokenHash {
    let mut bytes = [0xc0; 32];
    bytes[..8].copy_from_slice(&person.to_be_bytes());
    TokenHash(bytes)
}

/// Returns the session as it is stored.
fn token(person: u64) -> TokenHash {
    stored_token(session(person))
}

fn main() -> Result<(), DbError> {
    let options = Options::parse();
    let mut store = Store::open(FileDisk::new(&options.folder))?;
    // Everything in the log of a single voter is committed.
    store.apply_whole_log()?;
    let loaded = store.loaded()?;
    assert_eq!(loaded.configuration.voters.len(), 1, "only for a cluster of one member");
    let age_ms = store.reader().age_ms();
    let began = Instant::now();
    let (index, term) = (loaded.last.index, loaded.last.term);
    let mut crowd = Crowd { store, waiting: Vec::new(), index, term, age_ms };
    let mut accounts = Vec::new();
    for number in 1..=options.people {
        let username = format!("crowd-{number}");
        accounts.extend(
            crowd.add(Command::CreateAccount {
                name: format!("One of the crowd, {number}"),
                email: format!("{username}@localhost"),
                username,
                password_hash:
                    "$argon2id$v=19$m=7168,t=5,p=1$bm9ib2R5IGtub3dzIGl0$nobodyknowsitnobodyknowsitnobodyknow"
                        .into(),
                invitation: None,
            })?,
        );
    }
    accounts.extend(crowd.settle()?);
    for (number, reply) in (1..).zip(accounts) {
        let Reply::Created { account } = reply else { panic!("{reply:?} for an account") };
        crowd.add(Command::LogIn {
            account,
            credential_version: 1,
            token: token(number),
            device: String::new(),
            app: None,
        })?;
    }
    for number in 0..options.croaks {
        let session = token(number % options.people + 1);
        let text = match options.vocabulary {
            0 => format!("croak {number}: the pond is calm tonight, and so am I"),
            words => {
                (0..WORDS_OF_A_CROAK).map(|at| word(number * WORDS_OF_A_CROAK + at, words) + " ").collect()
            }
        };
        if !crowd.add(Command::croak(session, text))?.is_empty() {
            crowd.index()?;
        }
    }
    for (group, friends) in (0..).zip(&options.follow) {
        let readers = group * options.readers + 1..(group + 1) * options.readers + 1;
        for reader in readers.clone() {
            crowd.follow(reader, *friends, options.people)?;
        }
        write_sessions(&options.folder, *friends, readers)?;
    }
    crowd.settle()?;
    crowd.index()?;
    crowd.store.checkpoint()?;
    if options.search > 0 {
        measure_searches(&crowd.store.reader(), &options)?;
    }
    println!(
        "{} people and {} croaks, up to index {}, in {:.1} s",
        options.people,
        options.croaks,
        crowd.index,
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
