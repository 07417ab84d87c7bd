//! Questions as people and operators may put them, to a real store: what is refused is refused before the store is
//! touched, everything else has an answer, and that is the one of the plain map. What is not refused, and is a command,
//! is applied to both, and both do the same.
//!
//! A query that is refused is put to the store all the same: there is no row under such a key, and no more.

use super::Parts;
use super::journal::FOUNDED;
use super::memory::MemoryDisk;
use super::rules::{self, ADA, BOB};
use ribbit_db::{EntryKind, LogEntry, Reader, Store};
use ribbit_net::admission::{self, Admission};
use ribbit_net::protocol::Ask;
use ribbit_state::command::{Command, Proposal, Request, Stamp};
use ribbit_state::limits::RULES_LEVEL;
use ribbit_state::model::Model;
use ribbit_state::query::{FollowSide, OperatorQuery, TalkPartner};
use ribbit_state::{
    AccountId, LeaseCommand, LogIndex, MessageCommand, Owner, Query, RequestId, TokenHash, TreeCommand,
    TreePath,
};
use std::sync::{LazyLock, Mutex};

/// More show nothing new, and take long.
const STEPS_MAX: usize = 32;
const LEASE: TokenHash = TokenHash([3; 32]);
const WALL_MS: u64 = 1_700_000_000_000;

/// A store on a disk in memory and a plain map, with the same in them.
struct Pond {
    store: Store,
    model: Model,
    at: LogIndex,
}

impl Pond {
    fn apply(&mut self, id: RequestId, submitted_at: LogIndex, command: Command) {
        // A store of a higher level is one that this version ends on.
        if command.raised_level().is_some_and(|level| level > RULES_LEVEL) {
            return;
        }
        self.at += 1;
        let index = self.at;
        let stamp = Stamp { wall_ms: WALL_MS, age_ms: index };
        let proposal = Proposal { stamp, request: Request { id, submitted_at, origin: None, command } };
        let data = postcard::to_stdvec(&proposal).expect("plain data").into();
        let entry = LogEntry { index, term: 1, kind: EntryKind::Normal, data };
        self.store.append(std::slice::from_ref(&entry), None).expect("a good disk");
        let applied = self.store.apply(&[entry], None).expect("a store applies what was not refused");
        let outcome = self.model.apply(index, &proposal);
        assert_eq!(applied[0].outcome, outcome, "{proposal:?}");
    }

    fn new(disk: &MemoryDisk, model: Model) -> Pond {
        let store = Store::open(disk.clone()).expect("it was written by us");
        let at = store.loaded().expect("it was written by us").last.index;
        Pond { store, model, at }
    }
}

/// The state that every input begins with: a founded store, and two people in it who have written something.
struct Begun {
    disk: MemoryDisk,
    model: Model,
    at: LogIndex,
    /// For those who only read.
    reader: Reader,
    /// Open for as long as the process runs.
    _store: Mutex<Store>,
}

static BEGUN: LazyLock<Begun> = LazyLock::new(|| {
    let disk = FOUNDED.copy();
    let mut pond = Pond::new(&disk, Model::new());
    let path = |text: &str| -> TreePath { text.parse().expect("a path") };
    let (lease, words) = (LEASE, String::new());
    for command in rules::beginning(pond.at) {
        next(&mut pond, command);
    }
    for number in 0..8 {
        next(&mut pond, Command::croak(ADA, format!("croak {number}")));
        let send = MessageCommand::Send { session: BOB, username: "ada".into(), text: format!("{number}") };
        next(&mut pond, send.into());
    }
    for command in [
        Command::AddFriend { session: BOB, username: "ada".into() },
        Command::IndexCroaks,
        LeaseCommand::Open { token: lease, description: words, lease_ms: None }.into(),
        TreeCommand::MakeFolder { path: path("/a/b"), parents: true }.into(),
        TreeCommand::Touch { path: path("/a/b/c"), lease: Some(lease) }.into(),
        TreeCommand::Acquire { path: path("/a/lock"), lease, content: vec![0; 9] }.into(),
    ] {
        next(&mut pond, command);
    }
    pond.store.checkpoint().expect("a good disk");
    let (model, at) = (pond.model.clone(), pond.at);
    drop(pond);
    let kept = disk.copy();
    let store = Store::open(disk).expect("it was written by us");
    Begun { disk: kept, model, at, reader: store.reader(), _store: Mutex::new(store) }
});

fn next(pond: &mut Pond, command: Command) {
    command.check().expect("within its bounds");
    pond.apply(RequestId(u128::from(pond.at) << 64), pond.at, command);
}

pub fn run(data: &[u8]) {
    let mut parts = Parts(data);
    // Made when something is written for the first time.
    let mut own: Option<Pond> = None;
    for step in 0..STEPS_MAX {
        if parts.is_empty() {
            break;
        }
        match parts.byte() % 4 {
            0 => {
                if let Ok(query) = postcard::from_bytes::<Query>(parts.part()) {
                    ask(own.as_ref(), &query);
                }
            }
            1 => match smol::block_on(admission::read(&mut parts.part())) {
                Ok(Admission::Ask(asked)) => match asked.ask {
                    Ask::Read { query, .. } => {
                        assert_eq!(query.check(), Ok(()));
                        ask(own.as_ref(), &query);
                    }
                    Ask::Write(request) => write(&mut own, request),
                    _ => {}
                },
                Ok(Admission::Refused { .. }) | Err(_) => {}
            },
            2 => {
                let back = u64::from(parts.byte());
                let id = RequestId(step as u128);
                if let Ok(command) = postcard::from_bytes::<Command>(parts.part()) {
                    let submitted_at = own.as_ref().map_or(BEGUN.at, |pond| pond.at).saturating_sub(back);
                    write(&mut own, Request { id, submitted_at, origin: None, command });
                }
            }
            _ => ask(own.as_ref(), &filled(&mut parts)),
        }
    }
    if let Some(pond) = own {
        let rows = |model: &Model| model.rows().count();
        let (_, stored) = ribbit_db::snapshot::digest(&pond.store.reader()).expect("a good disk");
        assert_eq!(stored.rows, rows(&pond.model) as u64);
    }
}

/// Asserts that the store answers each query as the map does.
fn ask(own: Option<&Pond>, query: &Query) {
    let _ = (query.check(), query.is_public());
    let (reader, model) = match own {
        Some(pond) => (pond.store.reader(), &pond.model),
        None => (BEGUN.reader.clone(), &BEGUN.model),
    };
    let (_, answer) = reader.answer(query).expect("a good store can be read");
    assert_eq!(answer, model.answer(query), "{query:?}");
}

fn write(own: &mut Option<Pond>, request: Request) {
    if request.check().is_err() {
        return;
    }
    let _ =
        (request.command.facts().sender.allows_people(), request.command.facts().sender.allows_operators());
    let pond = own.get_or_insert_with(|| {
        let Begun { disk, model, .. } = &*BEGUN;
        Pond::new(&disk.copy(), model.clone())
    });
    pond.apply(request.id, request.submitted_at, request.command);
}

/// A query of each kind with texts, numbers and paths of the input in it.
fn filled(parts: &mut Parts<'_>) -> Query {
    let session = *parts.of(&[ADA, BOB, TokenHash([9; 32])]);
    let kind = parts.byte() % 15;
    let number = number(parts);
    let limit = number as u16;
    let before = parts.byte().is_multiple_of(2).then_some(number);
    let text = String::from_utf8_lossy(parts.part()).into_owned();
    let after = parts.byte().is_multiple_of(2).then(|| String::from_utf8_lossy(parts.part()).into_owned());
    match kind {
        0 => Query::People { session, names: text, after },
        1 => OperatorQuery::Accounts { names: text, after }.into(),
        2 => Query::Profile { session, username: text, before, limit },
        3 => Query::Talk { session, with: TalkPartner::Named(text), before, limit },
        4 => Query::Talk { session, with: TalkPartner::Account(AccountId(number)), before: None, limit: 9 },
        5 => Query::Friends { session, after: before.map(AccountId) },
        6 => Query::Followers { session, after: before.map(AccountId) },
        7 => Query::Leases {
            after: before.map(if limit.is_multiple_of(2) { Owner::Member } else { Owner::Client }),
        },
        8 => Query::Talks { session, before, limit },
        9 => Query::Waiting { session, after: before, limit },
        10 => {
            let side = FollowSide::Followers;
            Query::FollowsOf { session, username: text, side, after: before.map(AccountId) }
        }
        11 => Query::Follows { session, side: FollowSide::Followed, after: before.map(AccountId) },
        12 => Query::Persons { session, usernames: text.split(' ').map(str::to_string).collect() },
        13 => Query::Profiles { session, accounts: [number, 1, 2].map(AccountId).to_vec() },
        _ => {
            let path = |text: &str| text.parse().unwrap_or_else(|_| TreePath::root());
            let after = after.map(|after| path(&after));
            Query::Tree { path: path(&text), depth: before.map(|depth| depth as u8), after, limit }
        }
    }
}

/// A number, often one at an edge.
fn number(parts: &mut Parts<'_>) -> u64 {
    let near = u64::from(parts.byte());
    match parts.byte() % 4 {
        0 => near,
        1 => u64::MAX - near,
        2 => u64::MAX / 2 + near,
        _ => u64::from(parts.number()) << 32 | u64::from(parts.number()),
    }
}
