//! One run: nodes, clients, events in virtual time.
//!
//! Node 0 founds, some others join and are seated without faults; then clients work while faults happen and the
//! rest join; then the faults stop, and everything must come to rest, equal and complete, in bounded time.

use super::check::{Checker, rows};
use super::client::Client;
use super::contenders::Grants;
use super::disk::{Death, SimDisk};
use super::faults::Faults;
use super::fetches::Reading;
use super::history::Kinds;
use super::membership_requests::{MembershipRequest, Want};
use super::network::{Body, Network};
use super::node::Node;
use super::plan::Plan;
use super::random::Random;
use super::restored_copies::Restoration;
use super::trace::Trace;
use ribbit_db::{Configuration, Store};
use ribbit_replica::limits::VOTERS_MAX;
use ribbit_state::{LogIndex, RaftId, RequestId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Virtual time by which every first member has joined, in milliseconds.
const SEATED_BY: u64 = 30_000;
/// Time after the faults within which every member has its place and every client has completed an operation.
const LIVELY_WITHIN: u64 = 20_000;
/// Time after that within which every client has finished and all nodes are equal, in virtual milliseconds.
const RESTED_WITHIN: u64 = 120_000;
/// Time after which a client or a joining process sends its request to another node, in virtual milliseconds.
pub const REQUEST_TIMEOUT: u64 = 1_500;
/// Time within which a restoration ends, in virtual milliseconds.
const RESTORED_WITHIN: u64 = 20_000;
/// Operations that a history has at least.
pub const OPERATIONS_MIN: usize = 1_000;

/// Options for observing a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch {
    /// Says what happens.
    pub trace: bool,
    /// And every message.
    pub messages: bool,
    /// Keep wall clocks from jumping, against the plan: to show that jumps change nothing.
    pub steady_clocks: bool,
}

#[derive(Debug)]
pub struct Report {
    pub operations: usize,
    pub linearizable_reads: usize,
    pub kinds: Kinds,
    pub entries: u64,
    pub faults: Faults,
    /// A digest of the order and the sizes of what happened; wall clocks do not change it.
    pub history: u64,
    /// The digest of the whole trace.
    pub trace: u128,
}

pub enum Event {
    /// Something is due in a process; a newer timer has a higher number.
    Timer {
        node: usize,
        life: u64,
        number: u64,
    },
    /// A process notices that another member's has ended.
    Ended {
        node: usize,
        life: u64,
        id: RaftId,
    },
    Deliver {
        from: usize,
        to: usize,
        body: Body,
    },
    SnapshotSent {
        node: usize,
        life: u64,
        to: RaftId,
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
    Dies {
        node: usize,
        life: u64,
    },
    PowerFails {
        node: usize,
    },
    ClientTurn {
        client: usize,
        turn: u64,
    },
    /// A client's lease is to be renewed.
    RenewLease {
        client: usize,
        attempt: u64,
    },
    /// A client's renewal reaches a node.
    AskToRenew {
        client: usize,
        attempt: u64,
        node: usize,
    },
    /// A process sends a heartbeat.
    Heartbeat {
        node: usize,
        life: u64,
        periodic: bool,
    },
    /// A leader confirms the heartbeats that it has heard.
    ConfirmLeases {
        node: usize,
        life: u64,
    },
    /// A round of the judge of leases.
    Judge {
        node: usize,
        life: u64,
    },
    /// The log is being read for a follower, or has been.
    Reads(Box<Reading>),
    /// A client's question reaches a node.
    Ask {
        client: usize,
        operation: u32,
        node: usize,
    },
    MembershipRequestDue {
        node: usize,
        turn: u64,
    },
    Undrain {
        node: usize,
    },
    /// Its people have emptied the folder of a member that was removed.
    Emptied {
        node: usize,
    },
    /// A process tells its peers how it is.
    Beat {
        node: usize,
        life: u64,
    },
    /// Leaders look for background commands to propose.
    BackgroundCommands,
    /// The next step of the restoration of an older copy.
    Restoration,
    Fault,
    Heal {
        from: usize,
        to: usize,
    },
}

impl Event {
    /// Returns the name under which the trace notes it.
    fn name(&self) -> &'static str {
        match self {
            Event::Timer { .. } => "timer",
            Event::Ended { .. } => "ended",
            Event::Deliver { .. } => "deliver",
            Event::SnapshotSent { .. } => "snapshot sent",
            Event::StoreApply { .. } => "store apply",
            Event::StoreSync { .. } => "store sync",
            Event::Restart { .. } => "restart",
            Event::Dies { .. } => "dies",
            Event::PowerFails { .. } => "power fails",
            Event::ClientTurn { .. } => "client turn",
            Event::RenewLease { .. } => "renew lease",
            Event::AskToRenew { .. } => "ask to renew",
            Event::Heartbeat { .. } => "heartbeat",
            Event::ConfirmLeases { .. } => "confirm leases",
            Event::Judge { .. } => "judge",
            Event::Reads(_) => "reads",
            Event::Ask { .. } => "ask",
            Event::MembershipRequestDue { .. } => "pending turn",
            Event::Undrain { .. } => "undrain",
            Event::Emptied { .. } => "emptied",
            Event::Beat { .. } => "beat",
            Event::BackgroundCommands => "background commands",
            Event::Restoration => "restoration",
            Event::Fault => "fault",
            Event::Heal { .. } => "heal",
        }
    }
}

pub struct World {
    pub random: Random,
    /// For the magnitudes of clock jumps alone, so that runs with and without them are otherwise the same.
    pub clock_random: Random,
    /// For what the log's readers do.
    pub fetch_random: Random,
    pub plan: Plan,
    pub watch: Watch,
    pub trace: Trace,
    pub now: u64,
    /// Beginning of virtual time, where the product's modules take an `Instant`.
    pub epoch: Instant,
    order: u64,
    events: BTreeMap<(u64, u64), Event>,
    pub nodes: Vec<Node>,
    pub raft_ids: BTreeMap<RaftId, usize>,
    /// Pending membership request per node.
    pub membership_requests: BTreeMap<usize, MembershipRequest>,
    /// The newest configuration that took effect anywhere, and the index from which on.
    pub configured: (LogIndex, Configuration),
    pub network: Network,
    pub clients: Vec<Client>,
    pub checker: Checker,
    pub grants: Grants,
    pub restoration: Option<Restoration>,
    pub faults: Faults,
    pub faulty: bool,
    history: u64,
}

macro_rules! trace {
    ($world:expr, $($text:tt)*) => {{
        if $world.watch.trace {
            eprintln!("{:>7} {}", $world.now, format!($($text)*));
        }
    }};
}
pub(super) use trace;

pub fn run(seed: u64, watch: Watch) -> Report {
    let mut world = World::new(seed, watch);
    world.found();
    world.seat();
    world.faulty = true;
    for client in 0..world.clients.len() {
        world.client_turn_at(client, world.now + 1);
    }
    world.at(world.now + 50, Event::Fault);
    let until = world.now + world.plan.faults_for;
    world.run_until(until, |_| false);
    let restored = world.run_until(until + RESTORED_WITHIN, |world| world.restoration.is_none());
    assert!(restored, "a member whose store is too old was not told");
    world.rest();
    world.report()
}

impl World {
    fn new(seed: u64, watch: Watch) -> World {
        let mut random = Random::new(seed);
        let mut fetch_random = Random::new(seed.rotate_left(32));
        let plan = Plan::draw(&mut random, &mut fetch_random);
        let trace = Trace::new(watch.messages);
        let nodes = plan.roles.iter().enumerate();
        let nodes = nodes.map(|(node, role)| Node::new(*role, SimDisk::new(node, &trace))).collect();
        let world = World {
            clock_random: Random::new(!seed),
            fetch_random,
            random,
            watch,
            now: 0,
            order: 0,
            events: BTreeMap::new(),
            nodes,
            trace,
            raft_ids: BTreeMap::new(),
            membership_requests: BTreeMap::new(),
            configured: (0, Configuration::default()),
            network: Network::default(),
            clients: (0..plan.clients + plan.contenders)
                .map(|number| Client::new(number, number >= plan.clients))
                .collect(),
            checker: Checker::default(),
            grants: Grants::default(),
            restoration: None,
            epoch: Instant::now(),
            faults: Faults::default(),
            faulty: false,
            history: 0,
            plan,
        };
        trace!(world, "seed {seed}: {:?}", world.plan);
        world
    }

    pub fn fresh_id(&mut self) -> RequestId {
        RequestId((u128::from(self.random.draw()) << 64) | u128::from(self.random.draw()))
    }

    pub fn at(&mut self, time: u64, event: Event) {
        self.order += 1;
        self.events.insert((time.max(self.now), self.order), event);
    }

    pub fn note(&mut self, what: u64) {
        self.history = self.history.rotate_left(7) ^ what.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.now;
    }

    fn found(&mut self) {
        let mut store = Store::open(self.nodes[0].disk.clone()).expect("an empty disk opens");
        let founded = Configuration { voters: vec![1], ..Configuration::default() };
        store.identify(self.identity(0, 1), Some(&founded)).expect("a good disk");
        drop(store);
        self.raft_ids.insert(1, 0);
        self.start(0);
        self.begin_membership_request(0, Want::Found);
        self.at(self.now, Event::BackgroundCommands);
        let joined = |world: &World| world.membership_requests.is_empty();
        assert!(self.run_until(self.now + SEATED_BY, joined), "the founder could not found");
    }

    fn seat(&mut self) {
        for node in 1..self.plan.seated {
            self.begin_membership_request(node, Want::Join);
        }
        let seated = |world: &World| world.membership_requests.is_empty() && world.all_nodes_are_members();
        assert!(self.run_until(self.now + SEATED_BY, seated), "not everybody was seated");
    }

    /// Returns true if every joined member learns, the largest odd number of them vote, and every node knows it.
    fn all_nodes_are_members(&self) -> bool {
        let joined = self.raft_ids.len();
        let voters = if joined.is_multiple_of(2) { joined - 1 } else { joined }.min(VOTERS_MAX);
        self.raft_ids.values().all(|node| {
            self.nodes[*node].running.as_ref().is_some_and(|running| {
                let status = running.core.status();
                let configuration = status.configuration;
                status.in_sync
                    && !configuration.is_joint()
                    && configuration.voters.len() == voters
                    && configuration.voters.len() + configuration.learners.len() == joined
            })
        })
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
            let node = self.subject(&event).map_or(u64::MAX, |node| node as u64);
            self.trace.note(event.name(), &[time, node], &[]);
            self.happen(event);
        }
        true
    }

    /// The process to which an event happens: it has to wait while that stands still.
    fn subject(&self, event: &Event) -> Option<usize> {
        match event {
            Event::Timer { node, .. }
            | Event::Ended { node, .. }
            | Event::SnapshotSent { node, .. }
            | Event::StoreApply { node, .. }
            | Event::Beat { node, .. }
            | Event::Ask { node, .. }
            | Event::AskToRenew { node, .. }
            | Event::Heartbeat { node, .. }
            | Event::ConfirmLeases { node, .. }
            | Event::Judge { node, .. }
            | Event::StoreSync { node, .. } => Some(*node),
            Event::Deliver { to, .. } => Some(*to),
            Event::Reads(reading) => Some(reading.node),
            _ => None,
        }
    }

    fn happen(&mut self, event: Event) {
        if let Some(node) = self.subject(&event)
            && self.nodes[node].paused_until > self.now
        {
            return self.at(self.nodes[node].paused_until, event);
        }
        match event {
            Event::Timer { node, life, number } => self.timer(node, life, number),
            Event::Ended { node, life, id } => self.ended(node, life, id),
            Event::Deliver { from, to, body } => self.deliver(from, to, body),
            Event::SnapshotSent { node, life, to, complete } => self.snapshot_sent(node, life, to, complete),
            Event::StoreApply { node, life } if self.nodes[node].life == life => self.store_apply(node),
            Event::StoreSync { node, life } if self.nodes[node].life == life => self.store_sync(node),
            Event::Dies { node, life } if self.nodes[node].life == life => self.crash(node),
            Event::PowerFails { node } if self.faulty => self.die(node, Death::PowerCut),
            Event::PowerFails { .. } => {}
            Event::StoreApply { .. } | Event::StoreSync { .. } | Event::Dies { .. } => {}
            Event::Restart { node } => {
                if self.nodes[node].running.is_none() {
                    self.start(node);
                }
            }
            Event::ClientTurn { client, turn } if self.clients[client].turn == turn => {
                self.client_turn(client);
            }
            Event::ClientTurn { .. } => {}
            Event::Ask { client, operation, node } => self.ask(client, operation, node),
            Event::RenewLease { client, attempt } => self.renew_lease(client, attempt),
            Event::AskToRenew { client, attempt, node } => self.ask_to_renew(client, attempt, node),
            Event::Heartbeat { node, life, periodic } => self.heartbeat(node, life, periodic),
            Event::ConfirmLeases { node, life } => self.confirm_leases(node, life),
            Event::Judge { node, life } => self.judge(node, life),
            Event::MembershipRequestDue { node, turn } => self.send_membership_request(node, turn),
            Event::Undrain { node } => self.undrain(node),
            Event::Emptied { node } => self.emptied(node),
            Event::Beat { node, life } => self.beat(node, life),
            Event::BackgroundCommands => self.propose_background_commands(),
            Event::Reads(reading) => self.reads(reading),
            Event::Restoration => self.restoration(),
            Event::Fault => self.fault(),
            Event::Heal { from, to } => self.network.heal(from, to, self.now),
        }
    }

    /// The faults stop. Everything is live again, equal and complete within bounded time.
    fn rest(&mut self) {
        trace!(self, "the faults stop");
        self.faulty = false;
        self.network.heal_all();
        for node in 0..self.nodes.len() {
            self.nodes[node].paused_until = 0;
            self.nodes[node].disk.mend();
            if self.plan.ends_in_the_dark {
                self.die(node, Death::PowerCut);
            }
            // Who has not joined yet may now.
            if node >= self.plan.seated && self.has_never_belonged(node) {
                self.begin_membership_request(node, Want::Join);
            }
            self.undrain(node);
        }
        let began = self.now;
        let before: Vec<u32> = self.clients.iter().map(|client| client.operation).collect();
        let lively = self.run_until(began + LIVELY_WITHIN, |world| {
            let mut clients = world.clients.iter().zip(&before);
            clients.all(|(client, before)| client.operation > *before || client.pending.is_none())
                && (0..world.nodes.len()).all(|node| !world.is_between(node))
                && world.all_nodes_are_members()
        });
        self.faults.lively_ms_max = self.now - began;
        let rested = lively
            && self.run_until(self.now + RESTED_WITHIN, |world| {
                world.clients.iter().all(|client| client.pending.is_none() && world.has_done_enough(client))
                    && world.all_nodes_are_members()
                    && world.indexes_applied() == BTreeSet::from([world.checker.last()])
            });
        if !rested {
            self.say_why_restless();
        }
        self.compare_everything();
    }

    pub fn has_done_enough(&self, client: &Client) -> bool {
        client.contender.is_some() || client.operation >= self.plan.operations
    }

    fn indexes_applied(&self) -> BTreeSet<u64> {
        let applied = |node: &Node| node.running.as_ref().map_or(0, |it| it.core.status().applied);
        self.nodes.iter().map(applied).collect()
    }

    fn say_why_restless(&self) -> ! {
        let mut text = String::from("the cluster did not come to rest, or did not make progress");
        for (number, node) in self.nodes.iter().enumerate() {
            let status = node.running.as_ref().map(|it| it.core.status());
            text += &format!("\n  node {number}: {status:?}");
        }
        for client in &self.clients {
            text += &format!(
                "\n  client {}: {} operations, {:?}",
                client.number, client.operation, client.pending
            );
        }
        panic!("{text}\n  wanted: {:?}", self.membership_requests);
    }

    /// Every node holds what the model makes of the log, and nothing acknowledged is missing from it.
    fn compare_everything(&mut self) {
        let Checker { log, outcomes, history, .. } = &self.checker;
        let model = history.replay(log, outcomes);
        let expected: BTreeMap<Vec<u8>, Vec<u8>> =
            model.rows().map(|(table, key, row)| ([&[table.0], key].concat(), row.to_vec())).collect();
        for (number, node) in self.nodes.iter().enumerate() {
            let running = node.running.as_ref().expect("all run");
            let applied = running.core.status().applied;
            assert_eq!(applied, self.checker.last(), "node {number} does not know what was committed once");
            let reader = running.writer.store().reader();
            while reader.scrub().expect("a live store is whole").is_none() {}
            let rows = rows(&reader);
            for (key, row) in &expected {
                assert_eq!(rows.get(key), Some(row), "node {number} has another row under {key:02x?}");
            }
            assert_eq!(rows.len(), expected.len(), "node {number} has rows that were never written");
        }
        self.check_guards();
        let done = history.len();
        assert!(done >= OPERATIONS_MIN, "a history of {done} operations is too short");
    }

    fn report(mut self) -> Report {
        self.faults.log_files_reused = self.nodes.iter().map(|node| node.disk.reused()).sum();
        Report {
            operations: self.checker.history.len(),
            linearizable_reads: self.checker.history.linearizable_reads(),
            kinds: self.checker.history.kinds(),
            entries: self.checker.last(),
            faults: self.faults,
            history: self.history,
            trace: self.trace.digest(),
        }
    }
}
