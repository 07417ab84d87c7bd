//! Byte-exact damage of a store: every 512-byte block of the log and a sample of the pages of `store.redb`, one at a time,
//! zeroed, with a flipped bit, as it was at an earlier time, or with the file truncated there.
//!
//! A store with acknowledged entries is copied as a kill, a power cut or a clean stop leaves it. Each damaged copy is opened,
//! and everything in it is compared with what was acknowledged. It must be there, or the store must say that it is damaged.
//!
//! Two kinds of damage cannot be told from something harmless by looking at one store, and are counted:
//!
//! - *The newest batches are gone*, in the block where the log ends, with nothing behind them. A write that a crash has torn
//!   looks the same. After a clean stop it is known for damage. The other members of a cluster know what was acknowledged.
//! - *A page as it was earlier*, with valid checksums in it. The rows are older or missing until the scrub has read all of
//!   them, and then the store is damaged.
//!
//! `scripts/faults damage` plays every block; `cargo test` plays a sample.

use ribbit_db::snapshot::SnapshotReader;
use ribbit_db::{DbError, EntryKind, HardState, LogEntry, Store, StoreFile, catch_read_panics};
use ribbit_state::command::{NewMember, Proposal};
use ribbit_state::sync::MutexExt;
use ribbit_state::{Command as Rule, HistoryId, LogIndex, Request, RequestId, Role, Stamp, TreeCommand};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use testkit::fuzz_bodies::journal::found;
use testkit::fuzz_bodies::memory::{MemoryDisk, Name};
use testkit::sim::random::Random;

/// Number of entries of the store.
const ENTRIES: u64 = 700;
/// The same when every block is damaged.
const ENTRIES_ALL: u64 = 6_000;
/// Number of log entries that the store keeps, so that its log has several segments and recycles them.
const KEPT: u64 = 96;
/// A sector of a disk.
const BLOCK: usize = 512;
/// A page of redb.
const PAGE: usize = 4_096;
/// Number of bytes by which a log segment grows.
const STEP: usize = 128 * 1024;
/// Every so manyth block and page is damaged when not all of them are.
const SAMPLE: usize = 29;
/// Entry of the tree whose content changes all the time.
const FILES: u64 = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Left {
    Kill,
    PowerCut,
    CleanStop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    Zeroed,
    BitFlipped,
    Earlier,
    Truncated,
}

const LEFT: [Left; 3] = [Left::Kill, Left::PowerCut, Left::CleanStop];
const HARMS: [Harm; 4] = [Harm::Zeroed, Harm::BitFlipped, Harm::Earlier, Harm::Truncated];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    /// Everything is served.
    Nothing,
    SaidAtStart,
    /// Applying the log, or reading the rows or the log, says that the store is damaged.
    SaidWhenRead,
    /// Rows are missing or old until the scrub has read all.
    SaidByScrub,
    /// The newest entries are gone, and nothing says so.
    NewestGone(u64),
    Wrong,
}

/// A store and what was acknowledged.
struct Truth {
    entries: BTreeMap<LogIndex, LogEntry>,
    digests: BTreeMap<LogIndex, u64>,
    hard_state: HardState,
    /// Copies of the disk at earlier times, newest last; the first of them just before the last entry.
    earlier: Vec<MemoryDisk>,
    killed: MemoryDisk,
    stopped: MemoryDisk,
}

fn command(index: LogIndex) -> Rule {
    let path = |number: u64| format!("/file-{number}").parse().expect("a path");
    match index % 3 {
        0 => {
            let username = format!("person-{index}");
            let (name, email) = (format!("Person {index}"), format!("{username}@example.org"));
            Rule::CreateAccount { username, name, email, password_hash: "$".into(), invitation: None }
        }
        1 if index % 30 == 1 => {
            Rule::Tree(TreeCommand::Remove { path: path(index % FILES), recursive: false, guard: None })
        }
        _ => {
            let content = vec![index as u8; (index * 37 % 700) as usize];
            let path = path(index % FILES);
            Rule::Tree(TreeCommand::Write { path, content, append: false, lease: None, guard: None })
        }
    }
}

fn entry(index: LogIndex, command: Rule) -> LogEntry {
    let request = Request { id: RequestId(index.into()), submitted_at: index - 1, origin: None, command };
    let proposal = Proposal { stamp: Stamp { wall_ms: 0, age_ms: index }, request };
    let data = postcard::to_stdvec(&proposal).expect("plain data");
    LogEntry { index, term: 1 + index / 50, kind: EntryKind::Normal, data: data.into() }
}

impl Truth {
    fn new(entries: u64) -> Truth {
        let disk = MemoryDisk::default();
        let mut store = Store::open(disk.clone()).expect("a good disk");
        store.set_log_keep_entries(KEPT);
        found(&mut store);
        let mut truth = Truth {
            entries: BTreeMap::new(),
            digests: BTreeMap::new(),
            hard_state: HardState::default(),
            earlier: Vec::new(),
            killed: MemoryDisk::default(),
            stopped: MemoryDisk::default(),
        };
        let first = store.applied().index + 1;
        for index in first..first + entries {
            let command = match index == first {
                true => {
                    let member = NewMember {
                        role: Role::Backend,
                        id: 1,
                        address: "a:1".into(),
                        machine: String::new(),
                        rules_level: 1,
                        key: Default::default(),
                    };
                    Rule::FoundCluster { history: HistoryId(2), member }
                }
                false => command(index),
            };
            let entry = entry(index, command);
            let hard_state =
                (index % 50 == 0).then(|| HardState { term: entry.term, vote: 1, commit: index - 1 });
            if index + 1 == first + entries || index % (entries / 16) == 0 || index + 20 > first + entries {
                truth.earlier.push(disk.copy());
            }
            store.append(std::slice::from_ref(&entry), hard_state).expect("a good disk");
            store.apply(std::slice::from_ref(&entry), None).expect("a good disk");
            truth.digests.insert(index, store.reader().digest_at(index).expect("just applied"));
            truth.entries.insert(index, entry);
            truth.hard_state = hard_state.unwrap_or(truth.hard_state);
        }
        truth.killed = disk.copy();
        store.settle().expect("a good disk");
        truth.stopped = disk.copy();
        truth
    }

    fn left(&self, left: Left) -> MemoryDisk {
        match left {
            Left::Kill => self.killed.copy(),
            Left::PowerCut => {
                let mut disk = self.killed.copy();
                disk.was_cut_off = true;
                disk
            }
            Left::CleanStop => self.stopped.copy(),
        }
    }

    fn newest_segment(&self) -> Name {
        self.killed.names().into_iter().filter(|name| matches!(name, Name::Log(_))).max().expect("a log")
    }

    /// Returns the offset of the last record of the log.
    fn last_record(&self) -> usize {
        let newest = self.newest_segment();
        let [before, after] =
            [self.earlier.last().expect("copies"), &self.killed].map(|disk| disk.bytes(newest));
        let differs = before.iter().zip(&after).position(|(before, after)| before != after);
        differs.expect("the last record is in the newest segment")
    }

    /// Returns the block as it was when it last differed.
    fn earlier(&self, file: Name, at: usize, length: usize) -> Option<Vec<u8>> {
        let now = self.killed.bytes(file);
        let now = &now[at..(at + length).min(now.len())];
        self.earlier.iter().rev().find_map(|disk| {
            let bytes = disk.names().contains(&file).then(|| disk.bytes(file))?;
            let block = bytes.get(at..(at + length).min(bytes.len())).filter(|block| *block != now)?;
            (block.len() == now.len()).then(|| block.to_vec())
        })
    }

    /// Opens the disk and compares everything in it with what was acknowledged.
    fn examine(&self, disk: MemoryDisk) -> Result<Found, DbError> {
        let (last, first_kept) = (*self.entries.keys().last().expect("entries"), disk.names().len());
        assert!(first_kept > 0);
        let mut store = catch_read_panics(|| Store::open(disk))?;
        let read = catch_read_panics(|| {
            store.apply_whole_log()?;
            let loaded = store.loaded()?;
            let (floor, end) = (loaded.floor.index, loaded.last.index);
            let entries = store.reader().entries(floor + 1, end + 1, u64::MAX)?;
            if entries.len() as u64 != end - floor {
                return Err(DbError::Damaged("entries are missing".into()));
            }
            if entries.iter().any(|entry| self.entries.get(&entry.index) != Some(entry)) {
                return Ok(Found::Wrong);
            }
            let mut rows = SnapshotReader::new(&store.reader())?;
            loop {
                match rows.next_chunk() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) if error.to_string().contains("do not match their digest") => {
                        return Ok(Found::SaidByScrub);
                    }
                    Err(error) => return Err(error),
                }
            }
            if self.digests.get(&loaded.applied.index) != Some(&loaded.digest) {
                return Ok(Found::Wrong);
            }
            let promised = |state: HardState| (state.term, state.vote);
            Ok(match last - end {
                0 if promised(loaded.hard_state) != promised(self.hard_state) => Found::Wrong,
                0 => Found::Nothing,
                gone => Found::NewestGone(gone),
            })
        });
        match read {
            Err(error) if error.is_damage() => Ok(Found::SaidWhenRead),
            read => read,
        }
    }

    /// Damages a block of a file, and returns what the store makes of it; `None` if nothing would change.
    fn play(&self, left: Left, file: Name, at: usize, harm: Harm, random: &mut Random) -> Option<Found> {
        let disk = self.left(left);
        let mut bytes = disk.bytes(file);
        let before = bytes.clone();
        let length = if let Name::Log(_) = file { BLOCK } else { PAGE };
        let block = at..(at + length).min(bytes.len());
        match harm {
            Harm::Zeroed => bytes[block].fill(0),
            Harm::BitFlipped => {
                let byte = random.between(block.start as u64, block.end as u64) as usize;
                bytes[byte] ^= 1 << random.between(0, 8);
            }
            Harm::Earlier => bytes[block.clone()].copy_from_slice(&self.earlier(file, at, length)?),
            Harm::Truncated => bytes.truncate(at),
        }
        if bytes == before {
            return None;
        }
        disk.put(file, bytes);
        Some(match self.examine(disk) {
            Ok(found) => found,
            Err(error) if error.is_damage() => Found::SaidAtStart,
            Err(error) => panic!("{left:?} {file:?} {at} {harm:?} is not known for damage: {error}"),
        })
    }
}

/// What a thread made of its case: an answer, or a panic.
type Played = Result<Option<Found>, String>;

thread_local! {
    static ANSWER: RefCell<Option<Sender<Played>>> = const { RefCell::new(None) };
}

/// From now on a panic ends the case of its thread, which stands still: in a real process the panic hook ends the process, and
/// nothing of it is unwound. A panic of redb over a damaged page marks the store as damaged there.
fn stand_still_at_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let answer = ANSWER.take();
        let said = match ribbit_db::is_damage(panic) {
            true => Ok(Some(Found::SaidWhenRead)),
            false => Err(panic.to_string()),
        };
        let Some(answer) = answer else { return };
        let _ = answer.send(said);
        loop {
            std::thread::park();
        }
    }));
}

/// Runs a case in a thread of its own.
fn guarded(case: impl FnOnce() -> Option<Found> + Send + 'static) -> Played {
    let (answer, answered) = channel();
    std::thread::spawn(move || {
        ANSWER.set(Some(answer.clone()));
        let _ = answer.send(Ok(case()));
    });
    answered.recv().expect("each case answers")
}

type Table = BTreeMap<(Left, bool, Harm), BTreeMap<Found, u64>>;

/// Returns all blocks of the log and the pages of the main file. Blocks behind the end of the log are sampled.
fn blocks(truth: &Truth, sample: usize) -> Vec<(Name, usize)> {
    let mut blocks = Vec::new();
    for name in truth.killed.names() {
        let length = truth.killed.bytes(name).len();
        let size = if let Name::Log(_) = name { BLOCK } else { PAGE };
        blocks.extend((0..length).step_by(size).map(|at| (name, at)));
    }
    // The end of the log is always among them.
    let (newest, last) = (truth.newest_segment(), truth.last_record());
    let is_end = |(name, at): &(Name, usize)| *name == newest && at.abs_diff(last) < 2 * BLOCK;
    let mut at = 0;
    blocks.retain(|block| {
        at += 1;
        at % sample == 0 || is_end(block)
    });
    blocks
}

#[test]
fn a_damaged_block_is_served_as_it_was_or_said_to_be_damaged() {
    let this_program = std::env::current_exe().expect("a test is a file");
    let mut other = Command::new(this_program);
    let arguments = ["--ignored", "--exact", "--nocapture", "damage::plays_every_case"];
    let output = other.args(arguments).output().expect("a test can be run again");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Threads that stood still keep the panic hook locked, so this process plays nothing else and ends at once.
#[test]
#[ignore = "the other process of a_damaged_block_is_served_as_it_was_or_said_to_be_damaged"]
fn plays_every_case() {
    let is_complete = std::env::var_os("RIBBIT_FAULTS").is_some();
    let (sample, entries) = if is_complete { (1, ENTRIES_ALL) } else { (SAMPLE, ENTRIES) };
    let truth = Truth::new(entries);
    for left in LEFT {
        assert_eq!(truth.examine(truth.left(left)).expect("it is whole"), Found::Nothing, "{left:?}");
    }
    let (newest, last_record) = (truth.newest_segment(), truth.last_record());
    let blocks = blocks(&truth, sample);
    let (table, failures) = (Mutex::new(Table::new()), Mutex::new(Vec::new()));
    let (truth, next) = (Arc::new(truth), AtomicUsize::new(0));
    stand_still_at_panics();
    let work = || {
        while let Some((file, at)) = blocks.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            for (left, harm) in LEFT.iter().flat_map(|left| HARMS.map(|harm| (*left, harm))) {
                let case = format!("{left:?} {file:?} {at} {harm:?}");
                let seed = (at * 16) as u64 + harm as u64;
                let truth = truth.clone();
                let found = guarded(move || truth.play(left, file, at, harm, &mut Random::new(seed)));
                let found = match found {
                    Ok(None) => continue,
                    Ok(Some(found)) if is_allowed(left, found, (file, at), harm, (newest, last_record)) => {
                        found
                    }
                    Ok(Some(found)) => {
                        failures.locked().push(format!("{case}: {found:?}"));
                        found
                    }
                    Err(panic) => {
                        failures.locked().push(format!("{case}: {panic}"));
                        continue;
                    }
                };
                let kind = (left, matches!(file, Name::Log(_)), harm);
                *table.locked().entry(kind).or_default().entry(found).or_default() += 1;
            }
        }
    };
    std::thread::scope(|scope| {
        (0..std::thread::available_parallelism().map_or(1, usize::from))
            .for_each(|_| drop(scope.spawn(work)));
    });
    print(&table.locked());
    let failures = failures.locked();
    failures.iter().take(30).for_each(|failure| eprintln!("{failure}"));
    std::process::exit(i32::from(!failures.is_empty()));
}

/// Returns true if a store may answer a damage in this way.
fn is_allowed(
    left: Left,
    found: Found,
    (file, at): (Name, usize),
    harm: Harm,
    (newest, last_record): (Name, usize),
) -> bool {
    match found {
        Found::Nothing | Found::SaidAtStart | Found::SaidWhenRead => true,
        // redb looks at no page of a file that was not cut off by a power cut.
        Found::SaidByScrub => left != Left::PowerCut && matches!(file, Name::Store(StoreFile::Main)),
        // Where the last record is, and nothing behind it.
        Found::NewestGone(_) if left != Left::CleanStop && file == newest => match harm {
            Harm::Truncated => at % STEP == 0,
            _ => at + BLOCK > last_record,
        },
        Found::NewestGone(_) | Found::Wrong => false,
    }
}

fn print(table: &Table) {
    println!(
        "| left by | file | damage | cases | nothing lost | said at start | said when read | said by the scrub | newest batches gone |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for ((left, is_log, harm), found) in table {
        let count = |wanted: &dyn Fn(&Found) -> bool| -> u64 {
            found.iter().filter(|(found, _)| wanted(found)).map(|(_, count)| count).sum()
        };
        let most =
            found.keys().map(|found| if let Found::NewestGone(gone) = found { *gone } else { 0 }).max();
        println!(
            "| {left:?} | {} | {harm:?} | {} | {} | {} | {} | {} | {} (at most {} entries) |",
            if *is_log { "log" } else { "store.redb" },
            count(&|_| true),
            count(&|found| *found == Found::Nothing),
            count(&|found| *found == Found::SaidAtStart),
            count(&|found| *found == Found::SaidWhenRead),
            count(&|found| *found == Found::SaidByScrub),
            count(&|found| matches!(found, Found::NewestGone(_))),
            most.unwrap_or(0),
        );
    }
}
