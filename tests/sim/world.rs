//! Nodes, events in virtual time, faults: the run of one seed.
//!
//! A run: node 0 founds, the others join and are seated without faults; then clients croak while faults happen;
//! then the faults stop, everything is started again and must come to rest, equal and complete, in bounded time.

use crate::check::Checker;
use crate::client::{Client, Stage};
use crate::disk::SimDisk;
use crate::random::Random;
use ribbit::db::snapshot::{Chunk, SnapshotHead, SnapshotReader, SnapshotSum, SnapshotWriter};
use ribbit::db::{Configuration, Disk, Identity, Store};
use ribbit::replica::core::Now;
use ribbit::replica::{
    Core, CoreOptions, Done, Input, Job, Output, RaftMessage, Writer, convert, limits::TICK_MS,
};
use ribbit::state::command::NewMember;
use ribbit::state::{ClusterId, Command, HistoryId, RaftId, Reply, Request, RequestId, Role};
use std::collections::{BTreeMap, VecDeque};

const NODES: usize = 5;
const CLIENTS: usize = 4;
const CROAKS: u32 = 40;
/// Virtual milliseconds.
const SEATED_BY: u64 = 20_000;
const FAULTS_FOR: u64 = 12_000;
const RESTED_WITHIN: u64 = 60_000;
/// A client asks somewhere else after this long.
const PATIENCE: u64 = 1_500;
const LOG_KEEP: u64 = 48;

/// How often each kind of fault happened.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pub crashes: u64,
    pub crashes_inside: u64,
    pub cuts: u64,
    pub stalls: u64,
    pub lost: u64,
    pub doubled: u64,
    pub snapshots: u64,
    pub retries: u64,
}

impl Faults {
    pub fn add(&mut self, other: &Faults) {
        self.crashes += other.crashes;
        self.crashes_inside += other.crashes_inside;
        self.cuts += other.cuts;
        self.stalls += other.stalls;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.snapshots += other.snapshots;
        self.retries += other.retries;
    }
    pub fn all_kinds_happened(&self) -> bool {
        let Faults { crashes, crashes_inside, cuts, stalls, lost, doubled, snapshots, retries } = *self;
        [crashes, crashes_inside, cuts, stalls, lost, doubled, snapshots, retries]
            .iter()
            .all(|count| *count > 0)
    }
}

pub struct Report {
    pub acknowledged: usize,
    pub faults: Faults,
    /// A digest of everything that happened, in order.
    pub history: u64,
}

enum Body {
    Raft(Vec<u8>),
    Forward(Vec<Request>),
    Snapshot { message: Vec<u8>, head: SnapshotHead, chunks: Vec<Chunk>, sum: SnapshotSum },
}

enum Event {
    Tick {
        node: usize,
        life: u64,
    },
    Deliver {
        from: usize,
        to: usize,
        body: Body,
    },
    SnapshotSent {
        node: usize,
        life: u64,
        to: usize,
        complete: bool,
    },
    /// The store thread takes what waits and applies it.
    StoreApply {
        node: usize,
        life: u64,
    },
    /// Its commit becomes durable.
    StoreSync {
        node: usize,
        life: u64,
    },
    Restart {
        node: usize,
    },
    ClientTurn {
        client: usize,
    },
    Fault,
    Heal {
        from: usize,
        to: usize,
    },
}

struct Node {
    disk: SimDisk,
    role: Role,
    running: Option<Running>,
    /// Counts starts: what was meant for an earlier life is dropped.
    life: u64,
    clock_ms: u64,
}

struct Running {
    core: Core,
    writer: Writer,
    waiting: VecDeque<Job>,
    /// Applied, on its way to the disk.
    syncing: Vec<Job>,
    store_busy: bool,
    /// An incoming snapshot is complete and the core has it.
    incoming_busy: bool,
}

struct World {
    random: Random,
    now: u64,
    order: u64,
    events: BTreeMap<(u64, u64), Event>,
    nodes: Vec<Node>,
    raft_ids: BTreeMap<RaftId, usize>,
    cut: BTreeMap<(usize, usize), u64>,
    clients: Vec<Client>,
    checker: Checker,
    faults: Faults,
    faulty: bool,
    trace: bool,
    history: u64,
    joining: Option<(usize, RequestId)>,
}

macro_rules! trace {
    ($world:expr, $($text:tt)*) => {{
        if $world.trace {
            eprintln!("{:>7} {}", $world.now, format!($($text)*));
        }
    }};
}

pub fn run(seed: u64) -> Report {
    let mut world = World::new(seed);
    world.found();
    world.seat_everybody();
    world.faulty = true;
    for client in 0..CLIENTS {
        world.at(world.now + 1, Event::ClientTurn { client });
    }
    world.at(world.now + 50, Event::Fault);
    let until = world.now + FAULTS_FOR;
    world.run_until(until, |_| false);
    world.rest();
    Report { acknowledged: world.checker.acknowledged(), faults: world.faults, history: world.history }
}

impl World {
    fn new(seed: u64) -> World {
        let nodes = (0..NODES)
            .map(|node| Node {
                disk: SimDisk::default(),
                role: if node < 3 { Role::Backend } else { Role::Coordinator },
                running: None,
                life: 0,
                clock_ms: 1 + 1_000 * node as u64,
            })
            .collect();
        let mut world = World {
            random: Random::new(seed),
            now: 0,
            order: 0,
            events: BTreeMap::new(),
            nodes,
            raft_ids: BTreeMap::new(),
            cut: BTreeMap::new(),
            clients: Vec::new(),
            checker: Checker::default(),
            faults: Faults::default(),
            faulty: false,
            trace: std::env::var("SIM_TRACE").is_ok(),
            history: 0,
            joining: None,
        };
        for number in 0..CLIENTS {
            let id = world.fresh_id();
            world.clients.push(Client::new(number, CROAKS, id));
        }
        world
    }

    fn fresh_id(&mut self) -> RequestId {
        RequestId((u128::from(self.random.next()) << 64) | u128::from(self.random.next()))
    }

    fn at(&mut self, time: u64, event: Event) {
        self.order += 1;
        self.events.insert((time.max(self.now), self.order), event);
    }

    fn note(&mut self, what: u64) {
        self.history = self.history.rotate_left(7) ^ what.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.now;
    }

    fn member(&self, node: usize) -> NewMember {
        NewMember {
            role: self.nodes[node].role,
            id: node as u32 + 1,
            address: format!("node-{node}:1"),
            machine: format!("machine-{node}"),
        }
    }

    fn identity(&self, node: usize, raft_id: RaftId) -> Identity {
        Identity {
            cluster: ClusterId(1),
            history: HistoryId(2),
            raft_id,
            role: self.nodes[node].role,
            id: node as u32 + 1,
        }
    }

    fn found(&mut self) {
        let mut store = Store::open(self.nodes[0].disk.clone()).expect("an empty disk opens");
        let founded = Configuration { voters: vec![1], ..Configuration::default() };
        store.identify(self.identity(0, 1), Some(&founded)).expect("a good disk");
        drop(store);
        self.raft_ids.insert(1, 0);
        self.start(0);
        let command = Command::Found { history: HistoryId(2), member: self.member(0) };
        self.ask_to_join(0, command);
    }

    fn ask_to_join(&mut self, node: usize, command: Command) {
        let id = self.fresh_id();
        self.joining = Some((node, id));
        let request = Request { id, born: 0, command };
        self.feed(0, Input::Request { request, ticks: 10_000 });
        let joined = |world: &World| world.joining.is_none();
        assert!(self.run_until(self.now + SEATED_BY, joined), "node {node} could not join");
    }

    fn seat_everybody(&mut self) {
        for node in 1..NODES {
            let command = Command::Join { member: self.member(node) };
            self.ask_to_join(node, command);
            self.start(node);
        }
        let seated = |world: &World| {
            world.nodes.iter().all(|node| {
                let running = node.running.as_ref().expect("all run");
                let configuration = running.core.status().configuration;
                configuration.voters.len() == NODES && !configuration.is_joint()
            })
        };
        assert!(self.run_until(self.now + SEATED_BY, seated), "not everybody was seated");
    }

    /// A process starts on what its disk holds.
    fn start(&mut self, node: usize) {
        let disk = self.nodes[node].disk.clone();
        let mut store = Store::open(disk).expect("a store opens after any crash");
        store.set_log_keep_entries(LOG_KEEP);
        let loaded = store.loaded().expect("a store opens after any crash");
        let identity = loaded.identity.clone().expect("only members are started");
        let reader = store.reader();
        let writer = Writer::new(store);
        let options = CoreOptions {
            me: identity.raft_id,
            role: identity.role,
            seed: self.random.next(),
            campaign: identity.raft_id == 1 && self.joining.is_none() && self.raft_ids.len() == 1,
        };
        let members = writer.members().expect("a good disk");
        let core =
            Core::new(options, reader.clone(), &loaded, members).expect("the engine takes what was stored");
        self.checker.digest(node, &reader);
        let life = self.nodes[node].life + 1;
        self.nodes[node].life = life;
        self.nodes[node].running = Some(Running {
            core,
            writer,
            waiting: VecDeque::new(),
            syncing: Vec::new(),
            store_busy: false,
            incoming_busy: false,
        });
        trace!(self, "node {node} starts, applied {}, last {}", loaded.applied.index, loaded.last.index);
        self.at(self.now + TICK_MS, Event::Tick { node, life });
    }

    fn crash(&mut self, node: usize) {
        if self.nodes[node].running.is_none() {
            return;
        }
        trace!(self, "node {node} crashes");
        self.note(100 + node as u64);
        self.faults.crashes += 1;
        // The disk forgets first: what the dropped database still wants to write must not reach it.
        self.nodes[node].disk.crash(&mut self.random);
        self.nodes[node].running = None;
        for client in &mut self.clients {
            if client.asking.is_some_and(|(asked, _)| asked == node) {
                client.asking = None;
            }
        }
        let back = self.now + self.random.between(10, 3_000);
        self.at(back, Event::Restart { node });
    }

    /// Runs until a time or until `enough`; answers whether it was enough.
    fn run_until(&mut self, until: u64, enough: impl Fn(&World) -> bool) -> bool {
        while !enough(self) {
            let Some(entry) = self.events.first_entry() else { return false };
            let time = entry.key().0;
            if time > until {
                self.now = until;
                return enough(self);
            }
            let event = entry.remove();
            self.now = time;
            self.happen(event);
        }
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick { node, life } => {
                if self.nodes[node].running.is_some() && self.nodes[node].life == life {
                    self.nodes[node].clock_ms += TICK_MS;
                    self.at(self.now + TICK_MS, Event::Tick { node, life });
                    self.feed(node, Input::Tick);
                }
            }
            Event::Deliver { from, to, body } => self.deliver(from, to, body),
            Event::SnapshotSent { node, life, to, complete } => {
                let raft_id = self.raft_id(to);
                if self.nodes[node].life == life {
                    self.feed(node, Input::SnapshotSent { to: raft_id, complete });
                }
            }
            Event::StoreApply { node, life } if self.nodes[node].life == life => self.store_apply(node),
            Event::StoreSync { node, life } if self.nodes[node].life == life => self.store_sync(node),
            Event::StoreApply { .. } | Event::StoreSync { .. } => {}
            Event::Restart { node } => {
                if self.nodes[node].running.is_none() {
                    self.start(node);
                }
            }
            Event::ClientTurn { client } => self.client_turn(client),
            Event::Fault => self.fault(),
            Event::Heal { from, to } => {
                self.cut.remove(&(from, to));
            }
        }
    }

    fn raft_id(&self, node: usize) -> RaftId {
        self.raft_ids.iter().find(|(_, at)| **at == node).map_or(0, |(id, _)| *id)
    }

    fn feed(&mut self, node: usize, input: Input) {
        let clock_ms = self.nodes[node].clock_ms;
        let Some(running) = &mut self.nodes[node].running else { return };
        running.core.feed(input);
        let outputs = running.core.poll(Now { wall_ms: clock_ms, monotonic_ms: clock_ms });
        let status = running.core.status();
        if status.leads {
            self.checker.leads(node, status.term);
        }
        for output in outputs {
            self.carry_out(node, output);
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Send(message) => {
                let Some(&to) = self.raft_ids.get(&message.to) else { return };
                self.send(node, to, convert::message_to_bytes(&message));
            }
            Output::Forward { to, requests } => {
                if let Some(&to) = self.raft_ids.get(&to) {
                    let delay = self.delay();
                    self.at(
                        self.now + delay,
                        Event::Deliver { from: node, to, body: Body::Forward(requests) },
                    );
                }
            }
            Output::SendSnapshot(message) => self.send_snapshot(node, message),
            Output::Store(job) => {
                let delay = self.disk_delay();
                let life = self.nodes[node].life;
                let Some(running) = &mut self.nodes[node].running else { return };
                running.waiting.push_back(job);
                if !running.store_busy {
                    running.store_busy = true;
                    self.at(self.now + delay, Event::StoreApply { node, life });
                }
            }
            Output::Expired(ids) => {
                for client in &mut self.clients {
                    if ids.contains(&client.request.id) && client.asking.is_some_and(|(at, _)| at == node) {
                        client.asking = None;
                    }
                }
            }
            Output::Refused(_) | Output::ReadIndex(_) => {}
            Output::Fatal(text) => panic!("node {node} cannot go on: {text}"),
        }
    }

    fn delay(&mut self) -> u64 {
        if self.faulty && self.random.permille(20) {
            self.random.between(5, 400)
        } else {
            self.random.between(0, 4)
        }
    }

    fn disk_delay(&mut self) -> u64 {
        if self.faulty && self.random.permille(8) {
            self.faults.stalls += 1;
            return self.random.between(200, 3_000);
        }
        self.random.between(0, 3)
    }

    fn send(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        self.note(bytes.len() as u64);
        if self.cut.contains_key(&(from, to)) || (self.faulty && self.random.permille(15)) {
            self.faults.lost += 1;
            return;
        }
        let delay = self.delay();
        if self.faulty && self.random.permille(10) {
            self.faults.doubled += 1;
            let later = self.now + delay + self.random.between(0, 50);
            self.at(later, Event::Deliver { from, to, body: Body::Raft(bytes.clone()) });
        }
        self.at(self.now + delay, Event::Deliver { from, to, body: Body::Raft(bytes) });
    }

    fn send_snapshot(&mut self, node: usize, mut message: RaftMessage) {
        let Some(&to) = self.raft_ids.get(&message.to) else { return };
        let life = self.nodes[node].life;
        let Some(running) = &self.nodes[node].running else { return };
        let mut reader = SnapshotReader::new(&running.writer.store().reader()).expect("a good disk");
        let head = reader.head().clone();
        let mut chunks = Vec::new();
        while let Some(chunk) = reader.next_chunk().expect("a good disk") {
            chunks.push(chunk);
        }
        let sum = reader.sum();
        ribbit::replica::core::describe_snapshot(&mut message, &head);
        trace!(self, "node {node} sends node {to} a snapshot at {}", head.applied.index);
        self.faults.snapshots += 1;
        let lost = self.cut.contains_key(&(node, to)) || (self.faulty && self.random.permille(200));
        let arrives = self.now + self.random.between(5, 300);
        if !lost {
            let message = convert::message_to_bytes(&message);
            self.at(
                arrives,
                Event::Deliver { from: node, to, body: Body::Snapshot { message, head, chunks, sum } },
            );
        }
        self.at(arrives + 10, Event::SnapshotSent { node, life, to, complete: !lost });
    }

    fn deliver(&mut self, from: usize, to: usize, body: Body) {
        if self.cut.contains_key(&(from, to)) {
            self.faults.lost += 1;
            return;
        }
        let raft_id = self.raft_id(from);
        match body {
            Body::Raft(bytes) => {
                let message = convert::message_from_bytes(&bytes).expect("what was sent arrives");
                self.feed(to, Input::Message { from: raft_id, message });
            }
            Body::Forward(requests) => self.feed(to, Input::Forwarded(requests)),
            Body::Snapshot { message, head, chunks, sum } => {
                let disk = self.nodes[to].disk.clone();
                let Some(running) = &mut self.nodes[to].running else { return };
                if running.incoming_busy {
                    return;
                }
                let written = receive(&disk, &head, &chunks, sum);
                if written.is_err() {
                    return self.crash_inside(to);
                }
                running.incoming_busy = true;
                let message = convert::message_from_bytes(&message).expect("what was sent arrives");
                self.feed(to, Input::Message { from: raft_id, message });
                self.forget_unused_incoming(to);
            }
        }
    }

    /// The core did not want the snapshot: the next one may come.
    fn forget_unused_incoming(&mut self, node: usize) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let wanted = running.waiting.iter().any(|job| job.install.is_some());
        running.incoming_busy = wanted;
    }

    fn store_apply(&mut self, node: usize) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let jobs: Vec<Job> = running.waiting.drain(..).collect();
        let installs = jobs.iter().any(|job| job.install.is_some());
        let Ok(done) = running.writer.apply(&jobs) else { return self.crash_inside(node) };
        if installs {
            running.incoming_busy = false;
        }
        running.syncing = jobs;
        self.applied(node, &done);
        self.feed(node, Input::Applied(done));
        let delay = self.disk_delay();
        let life = self.nodes[node].life;
        self.at(self.now + delay, Event::StoreSync { node, life });
    }

    fn store_sync(&mut self, node: usize) {
        let delay = self.disk_delay();
        let life = self.nodes[node].life;
        let Some(running) = &mut self.nodes[node].running else { return };
        let jobs = std::mem::take(&mut running.syncing);
        let Ok(done) = running.writer.append(&jobs) else { return self.crash_inside(node) };
        running.store_busy = !running.waiting.is_empty();
        if running.store_busy {
            self.at(self.now + delay, Event::StoreApply { node, life });
        }
        self.feed(node, Input::Stored(done));
    }

    fn crash_inside(&mut self, node: usize) {
        self.faults.crashes_inside += 1;
        self.crash(node);
    }

    fn applied(&mut self, node: usize, done: &Done) {
        for entry in &done.outcomes {
            self.note(entry.index);
            self.checker.applied(node, entry);
            if let Some((joiner, id)) = self.joining
                && id == entry.id
            {
                self.joined(joiner, &entry.outcome);
            }
            for client in 0..self.clients.len() {
                let asks_here = self.clients[client].asking.is_some_and(|(asked, _)| asked == node);
                if asks_here && self.clients[client].request.id == entry.id {
                    let fresh = self.fresh_id();
                    let acknowledged = self.clients[client].answered(entry.index, &entry.outcome, fresh);
                    if let Some((croak, text)) = acknowledged {
                        trace!(self, "node {node} acknowledges {text:?} at {croak}");
                        self.checker.acknowledge(croak, text);
                    }
                    let pause = self.random.between(1, 120);
                    self.at(self.now + pause, Event::ClientTurn { client });
                }
            }
        }
        let look = self.random.permille(40);
        if let (true, Some(running)) = (look, &self.nodes[node].running) {
            self.checker.digest(node, &running.writer.store().reader());
        }
    }

    fn joined(&mut self, node: usize, outcome: &ribbit::state::Outcome) {
        let Ok(Reply::Joined { raft_id, .. }) = outcome else {
            panic!("node {node} may not join: {outcome:?}")
        };
        self.joining = None;
        if node != 0 {
            let mut store = Store::open(self.nodes[node].disk.clone()).expect("an empty disk opens");
            store.identify(self.identity(node, *raft_id), None).expect("a good disk");
            self.raft_ids.insert(*raft_id, node);
        }
    }

    fn client_turn(&mut self, client: usize) {
        if self.clients[client].stage == Stage::Finished {
            return;
        }
        let waited = self.clients[client].asking.map(|(_, since)| self.now - since);
        if waited.is_none_or(|waited| waited >= PATIENCE) {
            let node = self.random.between(0, 3) as usize;
            self.clients[client].asking = Some((node, self.now));
            self.clients[client].tries += 1;
            if self.clients[client].tries > 1 {
                self.faults.retries += 1;
            }
            if self.nodes[node].running.is_some() {
                let request = self.clients[client].request.clone();
                self.feed(node, Input::Request { request, ticks: 50 });
            } else {
                self.clients[client].asking = None;
            }
        }
        let again = self.random.between(100, 400);
        if self.clients[client].stage != Stage::Finished {
            self.at(self.now + again, Event::ClientTurn { client });
        }
    }

    fn fault(&mut self) {
        if !self.faulty {
            return;
        }
        let node = self.random.between(0, NODES as u64) as usize;
        match self.random.between(0, 10) {
            0..3 => self.crash(node),
            3 if self.nodes[node].running.is_some() => {
                let operations = self.random.between(0, 60);
                trace!(self, "node {node} will crash inside a transaction");
                self.nodes[node].disk.fail_after(operations);
            }
            4 => {
                // Everybody at once: power.
                trace!(self, "power fails");
                (0..NODES).for_each(|node| self.crash(node));
            }
            _ => self.cut_off(node),
        }
        let next = self.now + self.random.between(50, 900);
        self.at(next, Event::Fault);
    }

    /// Cuts a node from some others, one way or both, for a while.
    fn cut_off(&mut self, node: usize) {
        let heals = self.now + self.random.between(100, 4_000);
        let both_ways = self.random.permille(600);
        for other in (0..NODES).filter(|other| *other != node) {
            if self.random.permille(700) {
                let pairs = [(node, other), (other, node)];
                for (from, to) in &pairs[..if both_ways { 2 } else { 1 }] {
                    self.cut.insert((*from, *to), heals);
                    self.at(heals, Event::Heal { from: *from, to: *to });
                }
            }
        }
        trace!(self, "node {node} is cut off until {heals}");
        self.faults.cuts += 1;
    }

    /// The faults stop. Everything is live again, equal and complete within bounded time.
    fn rest(&mut self) {
        trace!(self, "the faults stop");
        self.faulty = false;
        self.cut.clear();
        for node in 0..NODES {
            // A disk that was about to fail is replaced by a crash and a start.
            self.crash(node);
        }
        let still = |world: &World| {
            let applied: Vec<_> =
                world.nodes.iter().map(|node| node.running.as_ref().map(|it| it.core.status())).collect();
            world.clients.iter().all(|client| client.stage == Stage::Finished)
                && applied
                    .iter()
                    .all(|status| status.as_ref().is_some_and(|it| it.in_sync && it.applied == it.commit))
                && applied
                    .windows(2)
                    .all(|two| two[0].as_ref().map(|it| it.applied) == two[1].as_ref().map(|it| it.applied))
        };
        let rested = self.run_until(self.now + RESTED_WITHIN, still);
        if !rested {
            for (number, node) in self.nodes.iter().enumerate() {
                eprintln!("node {number}: {:?}", node.running.as_ref().map(|it| it.core.status()));
            }
            for client in &self.clients {
                eprintln!("client {}: {:?} after {} tries", client.number, client.stage, client.tries);
            }
            panic!("the group did not come to rest");
        }
        for (number, node) in self.nodes.iter().enumerate() {
            let reader = node.running.as_ref().expect("all run").writer.store().reader();
            self.checker.digest(number, &reader);
            self.checker.croaks(number, &reader);
        }
    }
}

fn receive(
    disk: &dyn Disk,
    head: &SnapshotHead,
    chunks: &[Chunk],
    sum: SnapshotSum,
) -> Result<(), ribbit::db::DbError> {
    let mut writer = SnapshotWriter::begin(disk, head)?;
    for chunk in chunks {
        writer.write_chunk(chunk)?;
    }
    writer.finish(sum)
}
