//! Clients whose histories must be linearizable: files, a lock with a file that is guarded by its fencing token, croaks, a room,
//! and who follows whom. Each object has a few clients of its own, which talk to any server. Their reads are linearizable.
//!
//! An object lives for a round: then its history is checked ([`testkit::linearizability`]) and another one begins. Some writes
//! are given up early, so their outcome is unknown. The others are repeated under the same idempotency key.

use super::Options;
use super::progress::Progress;
use super::writers::{self, Decided, PAUSE, decide, submitted_at};
use ribbit_net::client::Client;
use ribbit_net::frame::Plane;
use ribbit_net::keys::Keys;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::{new_request_id, new_token, to_hex, token_hash};
use ribbit_replica::random::Random;
use ribbit_state::command::Guard;
use ribbit_state::limits::LEASE_MS_MAX;
use ribbit_state::query::RoomBody;
use ribbit_state::{
    Code, Command, Consistency, LeaseCommand, Page, Query, Reply, Request, RoomCommand, TokenHash,
    TreeCommand, TreePath,
};
use smol::Timer;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use testkit::linearizability::{
    ListOp, ListSpec, LockedFileOp, LockedFileSpec, Record, RegisterOp, RegisterSpec, SetOp, SetSpec, check,
};
use todc_utils::specifications::Specification;

/// Number of clients of an object.
const CLIENTS: usize = 3;
/// Number of operations of a client in a round. The checker takes time that grows with its square.
const OPERATIONS: u32 = 30;
/// One in this many writes is given up after at most `GIVEN_UP_MS_MAX` milliseconds, without a repetition.
const GIVEN_UP_ONCE_IN: u64 = 8;
const GIVEN_UP_MS_MAX: u64 = 20;
/// Time limit of an operation that is repeated. A round is shorter than the longest lease.
const DECIDED_MAX: Duration = Duration::from_secs(8);
/// Size of a page, larger than all appends of a round.
const PAGE: u16 = 50;
/// Size of the stack of the oracles' thread, in bytes.
const STACK_BYTES: usize = 64 << 20;
/// Number of accounts that are followed.
const FOLLOWED: u8 = 4;

/// What the checks found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Histories, operations and writes without an answer, by kind of object.
    counts: BTreeMap<&'static str, (usize, usize, usize)>,
    pub wrong: Vec<String>,
}

impl Findings {
    pub fn summary(&self) -> String {
        let row = |(name, (histories, operations, unanswered)): (&&str, &(usize, usize, usize))| {
            format!(
                "\n  {name}: {histories} histories, {operations} operations, {unanswered} without an answer"
            )
        };
        format!("linearizable, by todc-utils:{}", self.counts.iter().map(row).collect::<String>())
    }
}

/// An object of one round.
trait Object {
    type Spec: Specification;
    const NAME: &'static str;

    /// Returns true if writes may be given up. Their effect may come in a later round, which must not matter.
    fn gives_up(&self) -> bool {
        true
    }

    /// Returns what is written before the round, and what each client with this lease writes before and after it.
    fn preparation(&self) -> Vec<Command> {
        Vec::new()
    }
    fn before(&self, _lease: TokenHash) -> Option<Command> {
        None
    }
    fn after(&self, _lease: TokenHash) -> Option<Command> {
        None
    }

    /// Returns the next operation of a client: what it is without an answer, which a read does not have, and the request.
    fn next(&self, client: &mut OracleClient) -> (Option<OperationOf<Self>>, Step);

    /// Returns what the operation turned out to be; `None` if that is unknown.
    fn answered(
        &self,
        client: &mut OracleClient,
        asked: Option<OperationOf<Self>>,
        answer: StepAnswer,
    ) -> Option<OperationOf<Self>>;
}

type OperationOf<T> = <<T as Object>::Spec as Specification>::Operation;

enum Step {
    Write(Command),
    Read(Query),
}

enum StepAnswer {
    Done,
    /// A lock was granted under this fencing token.
    Fenced(u64),
    Refused(Code),
    Page(Box<Page>),
}

/// One client of an object.
struct OracleClient {
    number: usize,
    client: Client,
    random: Random,
    /// Number of its operations.
    count: u32,
    /// Lease of its locks.
    lease: TokenHash,
    /// Fencing token of its lock, or of the last one.
    fence: Option<u64>,
    holds: bool,
}

impl OracleClient {
    /// Returns a value that no other write of the round has.
    fn value(&self) -> u32 {
        1_000 * self.count + self.number as u32
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.random.draw().is_multiple_of(count)
    }
}

/// Starts the clients on a thread of their own. `members` serve the namespace, `backends` people.
pub fn start(
    members: Vec<String>,
    backends: Vec<String>,
    keys: Keys,
    options: &Options,
    time: Duration,
    progress: Arc<Progress>,
) -> JoinHandle<Findings> {
    let pause_ms = (options.pause_ms as f64 / options.pace) as u64;
    let (seed, pause_ms) = (options.seed, pause_ms.max(1));
    // Futures of a debug build are large.
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let work = move || {
        smol::block_on(async {
            let end = Instant::now() + time;
            let people = || Client::new(backends.clone(), keys.clone());
            let operators = || Client::on(Plane::Control, members.clone(), keys.clone());
            let (tag, mut names) = (to_hex(&new_token())[..6].to_string(), Vec::new());
            let mut session = None;
            for number in 0..=FOLLOWED {
                let name = format!("oracle-{tag}-{number}");
                session = session.or(Some(writers::account(people(), name.clone()).await.2));
                names.push(name);
            }
            let session = session.expect("at least one account");
            let room = format!("oracle-{tag}");
            let create = RoomCommand::Create {
                session,
                room: room.clone(),
                topic: String::new(),
                open: false,
                history: true,
            };
            settled(&people(), create.into()).await;
            let folder = "/oracles".parse().expect("letters make a path");
            settled(&operators(), TreeCommand::MakeFolder { path: folder, parents: true }.into()).await;
            let findings = RefCell::new(Findings::default());
            let rounds = Rounds { findings: &findings, progress: &progress, seed, pause_ms, end };
            let path = |kind: &str, round: u32| -> TreePath {
                format!("/oracles/{kind}-{round}").parse().expect("letters and digits make a path")
            };
            let files = rounds.run(operators, |round| File(path("file", round)));
            let locks = rounds.run(operators, |round| LockedFile {
                lock: path("lock", round),
                file: path("guarded", round),
            });
            let croaks = rounds.run(people, |round| Croaks { session, author: names[0].clone(), round });
            let rooms = rounds.run(people, |round| Room { session, room: room.clone(), round });
            let follows = rounds.run(people, |_| Follows { session, names: names[1..].to_vec() });
            let namespace = smol::future::zip(files, locks);
            let lists = smol::future::zip(croaks, rooms);
            smol::future::zip(namespace, smol::future::zip(lists, follows)).await;
            findings.into_inner()
        })
    };
    thread.spawn(work).expect("a thread starts")
}

/// The rounds of all objects.
struct Rounds<'a> {
    findings: &'a RefCell<Findings>,
    progress: &'a Progress,
    seed: u64,
    /// Longest pause between two operations of a client.
    pause_ms: u64,
    end: Instant,
}

impl Rounds<'_> {
    /// Runs one round after the other until the end, each with new clients on another object.
    async fn run<T: Object>(&self, client: impl Fn() -> Client, object: impl Fn(u32) -> T)
    where
        OperationOf<T>: Send + 'static,
    {
        let mut round = 0;
        while Instant::now() < self.end {
            round += 1;
            let (object, record) = (object(round), RefCell::new(Record::default()));
            let clients: Vec<OracleClient> =
                (0..CLIENTS).map(|number| self.client(client(), round, number)).collect();
            for command in object.preparation() {
                settled(&clients[0].client, command).await;
            }
            for client in &clients {
                settle(client, object.before(client.lease)).await;
            }
            // Polled together: the clients of a round share its record.
            let operate = |client| self.operate(&object, client, &record);
            let [first, second, third] = clients.try_into().map_err(|_| ()).expect("as many as CLIENTS");
            let both = smol::future::zip(operate(first), operate(second));
            let ((first, second), third) = smol::future::zip(both, operate(third)).await;
            for client in [first, second, third] {
                settle(&client, object.after(client.lease)).await;
            }
            let record = record.into_inner();
            let verdict = smol::unblock({
                let record = record.clone();
                move || check::<T::Spec>(&record)
            });
            let verdict = verdict.await;
            let mut findings = self.findings.borrow_mut();
            let counts = findings.counts.entry(T::NAME).or_default();
            *counts = (counts.0 + 1, counts.1 + record.calls(), counts.2 + record.unanswered());
            self.progress.judged(verdict.is_ok());
            findings.wrong.extend(verdict.err().map(|why| format!("{} {round}: {why}", T::NAME)));
        }
    }

    fn client(&self, client: Client, round: u32, number: usize) -> OracleClient {
        let seed = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(round) << 8 ^ number as u64;
        let lease = token_hash(&new_token());
        OracleClient { number, client, random: Random(seed), count: 0, lease, fence: None, holds: false }
    }

    async fn operate<T: Object>(
        &self,
        object: &T,
        mut client: OracleClient,
        record: &RefCell<Record<OperationOf<T>>>,
    ) -> OracleClient {
        while client.count < OPERATIONS && Instant::now() < self.end {
            client.count += 1;
            let (unanswered, step) = object.next(&mut client);
            // Asked for before the call, because it takes time.
            let submitted_at = submitted_at(&client.client).await;
            let call = record.borrow_mut().call(unanswered.clone());
            let answer = match step {
                Step::Write(command) => {
                    let id = new_request_id();
                    let ask = Ask::Write(Request { id, submitted_at, origin: None, command });
                    let given_up = object.gives_up() && client.one_in(GIVEN_UP_ONCE_IN);
                    let limit = Duration::from_millis(client.random.draw() % GIVEN_UP_MS_MAX);
                    written(&client.client, ask, given_up.then_some(limit)).await
                }
                Step::Read(query) => read(&client.client, query).await,
            };
            if let Some(operation) =
                answer.and_then(|answer| object.answered(&mut client, unanswered, answer))
            {
                record.borrow_mut().answer(call, operation);
            }
            let pause = client.random.draw() % self.pause_ms;
            Timer::after(Duration::from_millis(pause)).await;
        }
        client
    }
}

async fn settle(client: &OracleClient, command: Option<Command>) {
    if let Some(command) = command {
        settled(&client.client, command).await;
    }
}

/// Repeats a write that is no part of a history until it is decided.
async fn settled(client: &Client, command: Command) {
    let submitted_at = submitted_at(client).await;
    let ask = Ask::Write(Request { id: new_request_id(), submitted_at, origin: None, command });
    decide(client, ask, None).await;
}

async fn written(client: &Client, ask: Ask, given_up: Option<Duration>) -> Option<StepAnswer> {
    let decided = if let Some(limit) = given_up {
        match client.ask(ask, limit).await {
            Ok(Answer::Written { outcome: Ok(reply), .. }) => Decided::Done(reply, 1),
            Ok(Answer::Written { outcome: Err(denied), .. }) => Decided::Refused(denied.code),
            _ => Decided::Undecided,
        }
    } else {
        decide(client, ask, Some(Instant::now() + DECIDED_MAX)).await
    };
    match decided {
        Decided::Done(Reply::Fenced { fence, .. }, _) => Some(StepAnswer::Fenced(fence)),
        Decided::Done(..) => Some(StepAnswer::Done),
        Decided::Refused(code) => Some(StepAnswer::Refused(code)),
        Decided::Undecided => None,
    }
}

async fn read(client: &Client, query: Query) -> Option<StepAnswer> {
    let ask = Ask::Read { seen: None, consistency: Consistency::Linearizable, query };
    match client.ask(ask, DECIDED_MAX).await {
        Ok(Answer::Read { page: Ok(page), .. }) => Some(StepAnswer::Page(Box::new(page))),
        Ok(Answer::Read { page: Err(denied), .. }) => Some(StepAnswer::Refused(denied.code)),
        _ => {
            Timer::after(PAUSE).await;
            None
        }
    }
}

/// Returns the number in a file; the outer `None` if the answer is no file.
fn number_in(answer: StepAnswer) -> Option<Option<u32>> {
    match answer {
        StepAnswer::Page(page) => {
            let Page::Tree { entries, .. } = *page else { return None };
            let text = String::from_utf8(entries.first()?.node.content.clone()).ok()?;
            Some(text.parse().ok())
        }
        StepAnswer::Refused(Code::NoSuchNode) => Some(None),
        _ => None,
    }
}

fn cat(path: &TreePath) -> Step {
    Step::Read(Query::Tree { path: path.clone(), depth: Some(0), after: None, limit: 1 })
}

fn write(path: &TreePath, value: u32, guard: Option<Guard>) -> Step {
    let (path, content) = (path.clone(), value.to_string().into_bytes());
    Step::Write(TreeCommand::Write { path, content, append: false, lease: None, guard }.into())
}

struct File(TreePath);

impl Object for File {
    type Spec = RegisterSpec;
    const NAME: &'static str = "files";

    fn next(&self, client: &mut OracleClient) -> (Option<RegisterOp>, Step) {
        if client.one_in(2) {
            return (None, cat(&self.0));
        }
        (Some(RegisterOp::Write(client.value())), write(&self.0, client.value(), None))
    }

    fn answered(
        &self,
        _: &mut OracleClient,
        asked: Option<RegisterOp>,
        answer: StepAnswer,
    ) -> Option<RegisterOp> {
        match asked {
            Some(written) => matches!(answer, StepAnswer::Done).then_some(written),
            None => number_in(answer).map(RegisterOp::Read),
        }
    }
}

struct LockedFile {
    lock: TreePath,
    file: TreePath,
}

impl Object for LockedFile {
    type Spec = LockedFileSpec;
    const NAME: &'static str = "locks and guarded files";

    fn before(&self, lease: TokenHash) -> Option<Command> {
        let lease_ms = Some(LEASE_MS_MAX);
        Some(LeaseCommand::Open { token: lease, description: "an oracle".into(), lease_ms }.into())
    }

    /// Ends the lease once all clients are done, because that releases the lock.
    fn after(&self, lease: TokenHash) -> Option<Command> {
        Some(LeaseCommand::Close { token: lease }.into())
    }

    fn next(&self, client: &mut OracleClient) -> (Option<LockedFileOp>, Step) {
        let (number, lease, path) = (client.number, client.lease, self.lock.clone());
        match client.random.draw() % 4 {
            0 => (None, cat(&self.file)),
            // Also with an old token, which must be refused.
            1 if client.fence.is_some() => {
                let (fence, value) = (client.fence.unwrap_or_default(), client.value());
                let unanswered = LockedFileOp::Write { fence, value, took: None };
                (Some(unanswered), write(&self.file, value, Some(Guard { lock: path, fence })))
            }
            2 if client.holds => {
                client.holds = false;
                let unanswered = LockedFileOp::Release { client: number, took: None };
                (Some(unanswered), Step::Write(TreeCommand::Release { path, lease }.into()))
            }
            _ => {
                client.holds = true;
                let acquire = TreeCommand::Acquire { path, lease, content: Vec::new() };
                (Some(LockedFileOp::AcquireUnanswered { client: number }), Step::Write(acquire.into()))
            }
        }
    }

    fn answered(
        &self,
        client: &mut OracleClient,
        asked: Option<LockedFileOp>,
        answer: StepAnswer,
    ) -> Option<LockedFileOp> {
        let took = match &answer {
            StepAnswer::Done => Some(true),
            StepAnswer::Refused(Code::NotHeld | Code::StaleFence | Code::LockHeld) => Some(false),
            _ => None,
        };
        match asked {
            None => number_in(answer).map(LockedFileOp::Read),
            Some(LockedFileOp::AcquireUnanswered { client: number }) => match answer {
                StepAnswer::Fenced(fence) => {
                    client.fence = Some(fence);
                    Some(LockedFileOp::Acquired { client: number, fence })
                }
                StepAnswer::Refused(Code::LockHeld) => {
                    client.holds = false;
                    Some(LockedFileOp::Held { client: number })
                }
                _ => None,
            },
            Some(LockedFileOp::Release { client, .. }) => {
                took.map(|took| LockedFileOp::Release { client, took: Some(took) })
            }
            Some(LockedFileOp::Write { fence, value, .. }) => {
                took.map(|took| LockedFileOp::Write { fence, value, took: Some(took) })
            }
            Some(_) => None,
        }
    }
}

/// Returns the value in a text of this round.
fn value_of(text: &str, round: u32) -> Option<u32> {
    text.strip_prefix(&format!("round {round} value "))?.parse().ok()
}

fn text_of(value: u32, round: u32) -> String {
    format!("round {round} value {value}")
}

/// Appends now and then, so that a round fits a page.
fn appends(client: &mut OracleClient) -> bool {
    client.one_in(3)
}

fn list_answered(
    asked: Option<ListOp>,
    answer: StepAnswer,
    texts: impl FnOnce(Page) -> Vec<u32>,
) -> Option<ListOp> {
    match (asked, answer) {
        (Some(append), StepAnswer::Done) => Some(append),
        (None, StepAnswer::Page(page)) => Some(ListOp::Read(texts(*page))),
        _ => None,
    }
}

struct Croaks {
    session: TokenHash,
    author: String,
    round: u32,
}

impl Object for Croaks {
    type Spec = ListSpec;
    const NAME: &'static str = "croaks of an author";

    fn next(&self, client: &mut OracleClient) -> (Option<ListOp>, Step) {
        let session = self.session;
        if appends(client) {
            let text = text_of(client.value(), self.round);
            return (Some(ListOp::Append(client.value())), Step::Write(Command::croak(session, text)));
        }
        let username = self.author.clone();
        (None, Step::Read(Query::Profile { session, username, before: None, limit: PAGE }))
    }

    fn answered(&self, _: &mut OracleClient, asked: Option<ListOp>, answer: StepAnswer) -> Option<ListOp> {
        list_answered(asked, answer, |page| match page {
            Page::Profile { croaks, .. } => {
                croaks.iter().rev().filter_map(|croak| value_of(&croak.body.text, self.round)).collect()
            }
            _ => panic!("the answer does not fit the request"),
        })
    }
}

struct Room {
    session: TokenHash,
    room: String,
    round: u32,
}

impl Object for Room {
    type Spec = ListSpec;
    const NAME: &'static str = "rooms";

    fn next(&self, client: &mut OracleClient) -> (Option<ListOp>, Step) {
        let (session, room) = (self.session, self.room.clone());
        if appends(client) {
            let text = text_of(client.value(), self.round);
            return (
                Some(ListOp::Append(client.value())),
                Step::Write(RoomCommand::Say { session, room, text }.into()),
            );
        }
        (None, Step::Read(Query::Room { session, room, before: None, limit: PAGE }))
    }

    fn answered(&self, _: &mut OracleClient, asked: Option<ListOp>, answer: StepAnswer) -> Option<ListOp> {
        list_answered(asked, answer, |page| match page {
            Page::Room(page) => {
                let texts = page.messages.iter().rev().filter_map(|message| match &message.body {
                    RoomBody::Text(text) => value_of(text, self.round),
                    RoomBody::Removed { .. } => None,
                });
                texts.collect()
            }
            _ => panic!("the answer does not fit the request"),
        })
    }
}

struct Follows {
    session: TokenHash,
    names: Vec<String>,
}

impl Object for Follows {
    type Spec = SetSpec;
    const NAME: &'static str = "follows";

    fn gives_up(&self) -> bool {
        false
    }

    /// A round begins with an empty set.
    fn preparation(&self) -> Vec<Command> {
        let session = self.session;
        self.names.iter().cloned().map(|username| Command::RemoveFriend { session, username }).collect()
    }

    fn next(&self, client: &mut OracleClient) -> (Option<SetOp>, Step) {
        let session = self.session;
        let member = (client.random.draw() % u64::from(FOLLOWED)) as u8;
        let username = self.names[usize::from(member)].clone();
        match client.random.draw() % 4 {
            0 => (Some(SetOp::Add(member)), Step::Write(Command::AddFriend { session, username })),
            1 => (Some(SetOp::Remove(member)), Step::Write(Command::RemoveFriend { session, username })),
            _ => (None, Step::Read(Query::Friends { session, after: None })),
        }
    }

    fn answered(&self, _: &mut OracleClient, asked: Option<SetOp>, answer: StepAnswer) -> Option<SetOp> {
        match (asked, answer) {
            // Refused where there is nothing to do, which leaves the set as it would be.
            (Some(change), StepAnswer::Done | StepAnswer::Refused(_)) => Some(change),
            (None, StepAnswer::Page(page)) => {
                let Page::Friends { friends, .. } = *page else {
                    panic!("the answer does not fit the request")
                };
                let bit = |(at, name): (usize, &String)| {
                    u64::from(friends.iter().any(|friend| friend.username == *name)) << at
                };
                Some(SetOp::Read(self.names.iter().enumerate().map(bit).sum()))
            }
            _ => None,
        }
    }
}
