//! The processes: starting on what the disk holds, the two threads as events, dying.

use super::client::Ask;
use super::disk::{Death, SimDisk};
use super::leases::Coordination;
use super::maintenance::BEAT;
use super::membership_requests::Want;
use super::promised::Promised;
use super::world::{Event, World, trace};
use ribbit_db::{DbError, Identity, Store};
use ribbit_replica::Now;
use ribbit_replica::tick_clock::TickClock;
use ribbit_replica::{
    Core, CoreOptions, Input, JobResult, Output, ReadAnswer, ReadId, StoreJob, Writer, convert,
};
use ribbit_state::command::NewMember;
use ribbit_state::limits::RULES_LEVEL;
use ribbit_state::{ClusterId, HistoryId, LogIndex, RaftId, Role};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Wall-clock time at the beginning of a run: some time in 2023. They jump so that their time always takes the same
/// number of bytes in a log entry, so that a jump cannot change anything through sizes either.
const WALL_MS: u64 = 1_700_000_000_000;

/// A linearizable read is given up by its node after so long.
const READ_TICKS: u64 = 200;
/// A request is.
const REQUEST_TICKS: u64 = 250;

pub struct Node {
    pub disk: SimDisk,
    pub role: Role,
    pub running: Option<Running>,
    /// Counts starts: what was meant for an earlier life is dropped.
    pub life: u64,
    pub started: u64,
    pub paused_until: u64,
    /// Wall-clock time of this node at the beginning of virtual time.
    pub wall_ms: u64,
    /// Its board is suspended since then, and how much its monotonic clock has missed in this life.
    pub suspended_at: Option<u64>,
    missed_ms: u64,
    /// Earliest end of the next write to the disk.
    pub stalled_until: u64,
    /// True from a store fault until the member is caught up again (see `store_losses`).
    pub unsound: bool,
    /// Highest index applied on any node at the time of the store fault.
    pub was_told: LogIndex,
    /// Acknowledged state that the store must hold when it is opened again.
    pub promised: Promised,
    /// Its store is damaged, and its process does not know yet.
    pub damaged: bool,
    /// True if the store is older than the state that the node had acknowledged.
    pub forgetful: bool,
    /// Its process has ended for good, until its people have emptied its folder.
    pub locked: bool,
    pub drained: bool,
}

impl Node {
    pub fn new(role: Role, disk: SimDisk) -> Node {
        Node {
            disk,
            role,
            running: None,
            life: 0,
            started: 0,
            paused_until: 0,
            wall_ms: WALL_MS,
            suspended_at: None,
            missed_ms: 0,
            stalled_until: 0,
            unsound: false,
            was_told: 0,
            promised: Promised::default(),
            damaged: false,
            forgetful: false,
            locked: false,
            drained: false,
        }
    }
}

pub struct Running {
    pub core: Core,
    clock: TickClock,
    /// When its timer passes, and the number of that timer.
    timer: (u64, u64),
    pub writer: Writer,
    pub waiting: VecDeque<StoreJob>,
    /// Applied, on its way to the disk.
    syncing: Vec<StoreJob>,
    store_busy: bool,
    /// An incoming snapshot is complete and the core has it.
    pub incoming_busy: bool,
    pub next_read: ReadId,
    pub coordination: Coordination,
    /// Linearizable reads that wait for their index: client, its operation.
    pub asking_index: BTreeMap<ReadId, (usize, u32)>,
    /// Reads that wait until so much is applied: client, its operation, index.
    pub waiting_reads: Vec<(usize, u32, LogIndex)>,
    led_by: (Option<RaftId>, u64),
    /// Last reported position of each member.
    pub heard: BTreeMap<RaftId, LogIndex>,
    /// Processes that it has met: node, life.
    pub linked: BTreeSet<(usize, u64)>,
}

impl World {
    /// Gives a node an empty disk.
    pub fn replace_disk(&mut self, node: usize) {
        self.nodes[node].disk = SimDisk::new(node, &self.trace);
        self.nodes[node].promised = Promised::default();
    }

    pub fn member(&self, node: usize) -> NewMember {
        NewMember {
            role: self.nodes[node].role,
            id: node as u32 + 1,
            address: format!("node-{node}:1"),
            machine: format!("machine-{node}"),
            rules_level: RULES_LEVEL,
            key: Default::default(),
        }
    }

    pub fn identity(&self, node: usize, raft_id: RaftId) -> Identity {
        Identity {
            cluster: ClusterId(1),
            history: HistoryId(2),
            raft_id,
            role: self.nodes[node].role,
            id: node as u32 + 1,
            region: 1,
        }
    }

    pub fn raft_id(&self, node: usize) -> RaftId {
        self.raft_ids.iter().find(|(_, at)| **at == node).map_or(0, |(id, _)| *id)
    }

    /// A process starts on what its disk holds, unless it has to get a place first.
    pub fn start(&mut self, node: usize) {
        let waits = self.membership_requests.get(&node).is_some_and(|pending| pending.want.is_all());
        if waits || self.nodes[node].locked {
            return;
        }
        if self.nodes[node].damaged {
            return self.lost(node, "damage");
        }
        let disk = self.nodes[node].disk.clone();
        let mut store = match Store::open(disk) {
            Ok(store) => store,
            // It dies again while it repairs what the last death left.
            Err(_) if self.nodes[node].disk.has_failed() => return self.crash_inside(node),
            // A page of its rows was dropped from the cache that a failed sync has not written.
            Err(error) if error.is_damage() && self.nodes[node].unsound => {
                return self.lost(node, &error.to_string());
            }
            Err(error) => panic!("the store of node {node} does not open after a crash: {error}"),
        };
        store.set_log_keep_entries(self.plan.log_keep);
        let loaded = store.loaded().expect("a store opens after any crash");
        let Some(identity) = loaded.identity.clone() else {
            return self.begin_membership_request(node, Want::Join);
        };
        let reader = store.reader();
        self.nodes[node].promised.check(node, &loaded, &reader);
        let writer = Writer::new(store);
        let options = CoreOptions {
            me: identity.raft_id,
            role: identity.role,
            seed: self.random.draw(),
            evict_ticks: self.plan.evict_ticks,
            campaign: loaded.configuration.voters == [identity.raft_id],
        };
        let members = writer.members().expect("a good disk");
        let core = Core::new(options, reader.clone(), &loaded, members);
        let mut core = core.expect("the engine takes what was stored");
        core.set_tail_bytes_max(self.plan.tail_bytes);
        self.checker.digest(node, &reader);
        let life = self.nodes[node].life + 1;
        self.nodes[node].life = life;
        self.nodes[node].started = self.now;
        self.nodes[node].suspended_at = None;
        self.nodes[node].missed_ms = 0;
        self.nodes[node].running = Some(Running {
            core,
            clock: TickClock::new(0),
            timer: (u64::MAX, 0),
            writer,
            waiting: VecDeque::new(),
            syncing: Vec::new(),
            store_busy: false,
            incoming_busy: false,
            next_read: 0,
            coordination: Coordination::default(),
            asking_index: BTreeMap::new(),
            waiting_reads: Vec::new(),
            led_by: (None, 0),
            heard: BTreeMap::new(),
            linked: BTreeSet::new(),
        });
        trace!(self, "node {node} starts, applied {}, last {}", loaded.applied.index, loaded.last.index);
        self.turn(node, None);
        let met = self.now + self.random.between(5, BEAT);
        self.at(met, Event::Beat { node, life });
        self.begin_coordination(node);
    }

    /// A process dies, by itself or with its power.
    pub fn crash(&mut self, node: usize) {
        let death = if self.random.permille(500) { Death::Kill } else { Death::PowerCut };
        self.die(node, death);
    }

    /// A process dies, if there is one. Power fails for a disk that no process uses, too.
    pub fn die(&mut self, node: usize, death: Death) {
        trace!(self, "node {node} dies: {death:?}");
        let runs = self.nodes[node].running.is_some();
        match death {
            Death::Kill => self.faults.kills += u64::from(runs),
            Death::PowerCut => self.faults.power_cuts += 1,
        }
        self.leave_half_written(node);
        self.end(node, death);
        if runs {
            self.restart_soon(node);
        }
    }

    /// Half the time, what was on its way to the log has been written when a process dies, or some of it, and not synced.
    fn leave_half_written(&mut self, node: usize) {
        let (writes, torn) = (self.random.permille(500), self.random.between(0, 8_192));
        let operations = self.random.between(0, 3);
        let Node { running: Some(running), promised, disk, .. } = &mut self.nodes[node] else { return };
        let jobs = std::mem::take(&mut running.syncing);
        if writes && !jobs.is_empty() && !disk.has_failed() {
            let last = StoreJob::joined(jobs.iter().cloned()).pop().unwrap_or_default();
            promised.appending(&last);
            disk.fail_after(operations, torn as usize);
            // No message about it was sent, even if it was quick enough.
            let _ = running.writer.append(jobs);
        }
    }

    fn restart_soon(&mut self, node: usize) {
        self.note(100 + node as u64);
        let slow = self.random.permille(if self.plan.quick_restarts { 200 } else { 900 });
        let away = if slow { self.random.between(10, 3_000) } else { self.random.between(1, 30) };
        self.at(self.now + away, Event::Restart { node });
    }

    /// A process is told to stop, and is started again. One that stands still hears nothing.
    pub fn stop(&mut self, node: usize) {
        if self.nodes[node].running.is_none() || self.nodes[node].paused_until > self.now {
            return;
        }
        self.feed(node, Input::HandOver);
        trace!(self, "node {node} stops");
        self.faults.stops += 1;
        // Dropped while its handles live, the database is closed well, unless the disk is about to fail.
        self.nodes[node].running = None;
        self.end(node, Death::Kill);
        let away = self.random.between(10, 1_000);
        self.at(self.now + away, Event::Restart { node });
    }

    /// A process ends, however it comes to that.
    pub fn end(&mut self, node: usize, death: Death) {
        // The disk ends its handles first: what the dropped database still wants to write must not reach it.
        self.nodes[node].disk.die(death, &mut self.random);
        if self.random.permille(300) {
            let rows = self.nodes[node].unsound;
            self.nodes[node].disk.drop_clean_pages(rows);
        }
        self.nodes[node].running = None;
        self.notice_end(node, death);
        self.nodes[node].paused_until = 0;
        for client in &mut self.clients {
            if let Some(pending) = &mut client.pending
                && pending.at.is_some_and(|(at, _)| at == node)
            {
                pending.at = None;
            }
        }
    }

    /// A process dies in the middle of a transaction, or it ends because its disk has failed.
    pub fn crash_inside(&mut self, node: usize) {
        match self.nodes[node].disk.failed_sync() {
            Some(log) => {
                self.faults.failed_log_syncs += u64::from(log);
                self.faults.failed_rows_syncs += u64::from(!log);
                self.end(node, Death::Kill);
            }
            None => {
                self.faults.crashes_inside += 1;
                let death = if self.random.permille(500) { Death::Kill } else { Death::PowerCut };
                self.end(node, death);
            }
        }
        self.restart_soon(node);
    }

    /// A process meets an error of its store: its disk fails in the middle of a transaction, or it is damaged.
    fn store_fails(&mut self, node: usize, error: &DbError) {
        match error.is_damage() {
            true => self.lost(node, &error.to_string()),
            false => self.crash_inside(node),
        }
    }

    /// A timer passes, unless it was replaced.
    pub fn timer(&mut self, node: usize, life: u64, number: u64) {
        let Node { running: Some(running), life: current, .. } = &mut self.nodes[node] else { return };
        if *current == life && running.timer.1 == number {
            running.timer.0 = u64::MAX;
            self.turn(node, None);
        }
    }

    pub fn feed(&mut self, node: usize, input: Input) {
        self.turn(node, Some(input));
    }

    /// Returns the time of a node's monotonic clock. A process that asks is awake.
    pub fn own_time(&mut self, node: usize) -> Instant {
        let Node { started, suspended_at, missed_ms, .. } = &mut self.nodes[node];
        *missed_ms += suspended_at.take().map_or(0, |at| self.now - at);
        self.epoch + Duration::from_micros((self.now - *started - *missed_ms) * self.plan.clock_us[node])
    }

    /// A turn of the Raft task, as in `driver`.
    fn turn(&mut self, node: usize, input: Option<Input>) {
        let clock_us = self.plan.clock_us[node];
        let Node { running, wall_ms, started, suspended_at, missed_ms, life, .. } = &mut self.nodes[node];
        let Some(running) = running else { return };
        // A process that receives an input is awake.
        *missed_ms += suspended_at.take().map_or(0, |at| self.now - at);
        let monotonic_ms = self.now - *started - *missed_ms;
        let passed = running.clock.passed(monotonic_ms * clock_us);
        pass(&mut running.core, passed.before);
        if let Some(input) = input {
            running.core.feed(input);
        }
        pass(&mut running.core, passed.after);
        let now = Now { wall_ms: *wall_ms + self.now, monotonic_ms: monotonic_ms + 1 };
        let outputs = running.core.poll(now);
        running.clock.plan(running.core.ticks_until_due());
        let due = *started + *missed_ms + running.clock.due_at_us().div_ceil(clock_us);
        if due < running.timer.0 {
            running.timer = (due, running.timer.1 + 1);
            let timer = Event::Timer { node, life: *life, number: running.timer.1 };
            self.at(due, timer);
        }
        let Some(running) = &mut self.nodes[node].running else { return };
        self.trace.note("poll", &[node as u64, outputs.len() as u64], &[]);
        // Installed for good, or not wanted: the next one may come.
        running.incoming_busy &= running.core.is_installing();
        let status = running.core.status();
        if running.led_by != (status.leader, status.term) {
            running.led_by = (status.leader, status.term);
            trace!(self, "node {node} is in term {}, led by {:?}", status.term, status.leader);
        }
        if status.leads {
            self.checker.leads(node, status.term);
        }
        for output in outputs {
            self.carry_out(node, output);
        }
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Send(message) => self.send(node, &message),
            Output::Forward { to, requests } => self.forward(node, to, requests),
            Output::SendSnapshot(message) => self.send_snapshot(node, message),
            Output::Store(job) => {
                // Before anything is applied: a process that dies in between may have applied it durably without an
                // answer, and others get it with a snapshot (seed 858).
                for entry in &job.committed {
                    self.checker.committed(node, entry);
                }
                if let (Some(configuration), Some(last)) = (&job.configuration, job.committed.last()) {
                    self.reconfigured(last.index, configuration);
                }
                let delay = self.disk_delay(node);
                let life = self.nodes[node].life;
                let Some(running) = &mut self.nodes[node].running else { return };
                running.waiting.push_back(job);
                if !running.store_busy {
                    running.store_busy = true;
                    self.at(self.now + delay, Event::StoreApply { node, life });
                }
            }
            Output::Fetch(fetch) => self.fetch(node, fetch),
            Output::Expired(ids) => {
                for client in &mut self.clients {
                    if ids.iter().any(|id| client.asks(node, *id))
                        && let Some(pending) = &mut client.pending
                    {
                        pending.at = None;
                    }
                }
            }
            Output::Refused(_) => {}
            Output::ReadIndex(answer) => self.read_index(node, &answer),
            Output::Lost(text) if self.nodes[node].forgetful => self.lost(node, &text),
            Output::Fatal(text) | Output::Lost(text) | Output::Fork(text) => {
                panic!("node {node} cannot go on: {text}")
            }
        }
    }

    fn disk_delay(&mut self, node: usize) -> u64 {
        let usual = self.random.between(0, self.plan.disk_delay_max[node]);
        let stalled = self.nodes[node].stalled_until.saturating_sub(self.now);
        if self.faulty && self.random.permille(self.plan.stall) {
            self.faults.stalls += 1;
            return self.random.between(200, 3_000);
        }
        usual.max(stalled)
    }

    pub fn store_apply(&mut self, node: usize) {
        let Node { running: Some(running), promised, .. } = &mut self.nodes[node] else { return };
        let jobs = StoreJob::joined(running.waiting.drain(..));
        let installs = jobs.iter().any(|job| job.install.is_some());
        jobs.iter().filter_map(|job| job.install).for_each(|install| promised.installing(install));
        let done = match running.writer.apply(&jobs) {
            Ok(done) => done,
            Err(error) => return self.store_fails(node, &error),
        };
        if installs {
            promised.installed(done.applied.index);
            self.faults.installs += 1;
            trace!(self, "node {node} takes a snapshot at {}", done.applied.index);
        }
        if let Some(running) = &mut self.nodes[node].running {
            running.syncing = jobs;
        }
        self.applied(node, &done);
        self.feed(node, Input::Applied(done));
        let delay = self.disk_delay(node);
        let life = self.nodes[node].life;
        self.at(self.now + delay, Event::StoreSync { node, life });
    }

    pub fn store_sync(&mut self, node: usize) {
        let delay = self.disk_delay(node);
        let life = self.nodes[node].life;
        let Node { running: Some(running), promised, .. } = &mut self.nodes[node] else { return };
        let jobs = std::mem::take(&mut running.syncing);
        let last = StoreJob::joined(jobs.iter().cloned()).pop().unwrap_or_default();
        promised.appending(&last);
        let done = match running.writer.append(jobs) {
            Ok(done) => done,
            Err(error) => return self.store_fails(node, &error),
        };
        promised.appended(&last);
        running.store_busy = !running.waiting.is_empty();
        if running.store_busy {
            self.at(self.now + delay, Event::StoreApply { node, life });
        }
        self.feed(node, Input::Stored(done));
    }

    /// Answers the clients that wait on this node for the applied entries.
    fn applied(&mut self, node: usize, done: &JobResult) {
        let Some(reader) = self.nodes[node].running.as_ref().map(|it| it.writer.store().reader()) else {
            return;
        };
        for entry in &done.outcomes {
            self.note(entry.index);
            let outcome = postcard::to_allocvec(&entry.outcome).expect("outcomes are plain data");
            self.trace.note("applied", &[node as u64, entry.index], &outcome);
            self.checker.applied(node, entry, reader.digest_at(entry.index));
            self.lease_command_decided(node, entry.id);
            if let Some(whose) = self.membership_request_of(node, entry.id) {
                self.membership_request_decided(whose, &entry.outcome);
            }
            if let Some(client) = self.clients.iter().position(|client| client.asks(node, entry.id)) {
                let command = self.clients[client].command();
                let done = self.clients[client].written(entry.index, &entry.outcome);
                if let Some(command) = command {
                    self.contended(client, &command, self.checker.first_index(entry.id), &entry.outcome);
                }
                trace!(
                    self,
                    "client {client} is told by node {node}: {:?} at {}", entry.outcome, entry.index
                );
                self.finish(client, done);
            }
        }
        self.answer_reads(node);
        let look = self.random.permille(30);
        if let (true, Some(running)) = (look, &self.nodes[node].running) {
            self.checker.digest(node, &running.writer.store().reader());
        }
    }

    /// A client asks this node, unless it has given up waiting for that.
    pub fn ask(&mut self, client: usize, operation: u32, node: usize) {
        let asking = &self.clients[client];
        let Some(pending) = asking.pending.as_ref().filter(|_| asking.operation == operation) else { return };
        if pending.at.is_none_or(|(at, _)| at != node) {
            return;
        }
        let (seen, ask) = (pending.asked.seen, pending.ask.clone());
        let Some(running) = &mut self.nodes[node].running else { return };
        match ask {
            Ask::Write(request) => self.feed(node, Input::Request { request, ticks: REQUEST_TICKS }),
            Ask::Read { linearizable: true, .. } => {
                running.next_read += 1;
                let id = running.next_read;
                running.asking_index.insert(id, (client, operation));
                self.feed(node, Input::ReadIndex { id, ticks: READ_TICKS });
            }
            Ask::Read { .. } => {
                running.waiting_reads.push((client, operation, seen));
                self.answer_reads(node);
            }
        }
    }

    fn read_index(&mut self, node: usize, answer: &ReadAnswer) {
        for id in &answer.reads {
            self.leases_confirmed(node, *id, answer.index.is_some());
        }
        let Some(running) = &mut self.nodes[node].running else { return };
        for id in &answer.reads {
            let Some((client, operation)) = running.asking_index.remove(id) else { continue };
            let asking = &mut self.clients[client];
            let Some(pending) = asking.pending.as_mut().filter(|_| asking.operation == operation) else {
                continue;
            };
            match answer.index {
                Some(index) => {
                    running.waiting_reads.push((client, operation, index.max(pending.asked.seen)));
                }
                None if pending.at.is_some_and(|(at, _)| at == node) => pending.at = None,
                None => {}
            }
        }
        self.answer_reads(node);
    }

    /// Answers the reads for which enough is applied.
    fn answer_reads(&mut self, node: usize) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let reader = running.writer.store().reader();
        let applied = reader.applied();
        let due: Vec<_> = running.waiting_reads.extract_if(.., |(.., index)| *index <= applied).collect();
        for (client, operation, _) in due {
            let asking = &self.clients[client];
            let here = asking.pending.as_ref().filter(|it| it.at.is_some_and(|(at, _)| at == node));
            let Some(Ask::Read { query, linearizable }) = here.map(|pending| pending.ask.clone()) else {
                continue;
            };
            if asking.operation != operation {
                continue;
            }
            let (index, page) = reader.answer(&query).expect("a live store can be read");
            let how = if linearizable { "linearizably" } else { "in its session" };
            trace!(self, "client {client} reads {how} on node {node} at {index}");
            let shown = postcard::to_allocvec(&page).expect("pages are plain data");
            self.trace.note("shown", &[node as u64, client as u64, index], &shown);
            let done = self.clients[client].shown(index, page);
            self.finish(client, done);
        }
    }

    /// Takes what a peer sent.
    pub fn receive(&mut self, from: RaftId, to: usize, bytes: &[u8]) {
        let message = convert::message_from_bytes(&bytes.to_vec().into()).expect("what was sent arrives");
        self.feed(to, Input::Message { from, message });
    }
}

fn pass(core: &mut Core, ticks: u64) {
    if ticks > 0 {
        core.feed(Input::Ticks(ticks));
    }
}
