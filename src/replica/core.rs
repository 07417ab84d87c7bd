//! The deterministic state machine of a replica: inputs in, outputs out.
//!
//! It has no thread, clock, disk or socket. A driver (or the simulator) feeds it inputs and carries out its outputs.
//!
//! ```text
//!   feed(Input)*  then  poll(now) ──▶ Output*
//! ```
//!
//! Invariants:
//! - A message that makes a promise (a vote, an acknowledgement) is sent only after the store job that makes the promise
//!   durable is reported done. The exception are responses to heartbeats: they are sent as soon as their term is durable,
//!   so that a stalled disk does not cause an election.
//! - Configuration changes take effect in the engine in log order. The resulting configuration is stored with the
//!   entries that are applied up to that point.
//! - A request with an unknown outcome is proposed again. Proposals are idempotent: the rules apply a request once.
//!
//! The parts: `io` has the inputs and outputs, `jobs` hands jobs to the store, `lead` does the work of a leader, `read`
//! asks for read indexes, `progress` has the status, `snapshot` the messages that announce one, `timeout` draws election
//! timeouts, `slowdown` makes them longer on a bad network.

mod io;
mod jobs;
mod lead;
mod progress;
mod read;
mod slowdown;
mod snapshot;
mod timeout;

pub use io::{CoreOptions, CoreStatus, Input, Now, Output};
pub use snapshot::{announces, describe_snapshot};

use super::check::{ReceiverState, Verdict, check, longer_log, shorter_log};
use super::convert::{conf_change_from_bytes, configuration_to_store, entry_to_store, hard_state_to_store};
use super::limits::{
    COMMITTED_BYTES_PER_READY, ELECTION_TICKS_LIMIT, FORWARD_MAX, HANDOVER_TICKS, HEARTBEAT_TICKS,
    INFLIGHT_MESSAGES_MAX, LEASE_TICKS, MESSAGE_BYTES_MAX, UNCOMMITTED_BYTES_MAX,
};
use super::random::Random;
use super::reads::{ReadAnswer, ReadId, Reads};
use super::requests::Requests;
use super::tail::Tail;
use super::writer::{Install, StoreJob};
use progress::LogProgress;
use raft::ReadOnlyOption::{LeaseBased, Safe};
use raft::eraftpb::{ConfState, Entry, EntryType, Message, MessageType};
use raft::{RawNode, SnapshotStatus, StateRole, StorageError};
use ribbit_db::faults::{Fault, injected};
use ribbit_db::store::StoreContents;
use ribbit_db::{Position, Reader};
use ribbit_state::rows::Member;
use ribbit_state::{LogIndex, RaftId, Request, RequestId};
use slowdown::Slowdown;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// State machine around the Raft engine of one member.
pub struct Core {
    raw: RawNode<Tail>,
    options: CoreOptions,
    now: Now,
    /// Ticks since the start.
    ticks: u64,
    /// Random numbers for election timeouts.
    random: Random,
    /// Term and state for which the election timeout was last drawn; `None` when it has to be drawn again.
    drawn_for: Option<(u64, StateRole)>,
    /// True after the process of the leader has ended, until a leader is heard.
    succeeds: bool,
    /// Number of pre-votes since a leader was last heard.
    pre_votes: u32,
    /// Ticks since this leader last checked that a quorum follows it.
    quorum_ticks: u64,
    /// Tick of the newest answer to a heartbeat.
    answered_tick: u64,
    requests: Requests,
    /// Leader and term to which all pending requests were sent.
    requests_sent_to: (RaftId, u64),
    reads: Reads,
    /// This node's requests and forwarded ones, to be proposed in the next poll.
    queued: Vec<Request>,
    /// Requests proposed by this leader in `proposed_term` and not applied yet. They are not proposed again meanwhile.
    proposed: BTreeSet<RequestId>,
    /// Term in which `proposed` was proposed.
    proposed_term: u64,
    /// Last index of the newest proposal, and the tick at which it was made.
    proposed_last: (LogIndex, u64),
    /// Newest append sent to each peer: its term, the index before its first entry, and the tick.
    appended: BTreeMap<RaftId, (u64, LogIndex, u64)>,
    /// Messages held back until their job is durable, with the number of that job.
    deferred: VecDeque<(u64, Vec<Message>)>,
    /// Number of the newest job.
    job_sent: u64,
    /// Number of the newest durable job.
    job_done: u64,
    /// Numbers of the jobs that are handed out and not durable yet.
    under_way: VecDeque<u64>,
    /// Jobs to hand out after those under way.
    backlog: VecDeque<StoreJob>,
    /// Newest term on disk.
    durable_term: u64,
    /// Number of the job that is installing a snapshot, if any. Meanwhile this member does not stand for election: the
    /// engine would read entries that the snapshot has replaced.
    installing: Option<u64>,
    members: Vec<(RaftId, Member)>,
    /// Age of the cluster in milliseconds, at the monotonic time `age_at_ms`.
    age_ms: u64,
    /// Monotonic time at which the cluster had the age `age_ms`.
    age_at_ms: u64,
    /// Tick of the newest message of a leader.
    leader_heard_tick: Option<u64>,
    /// Term of the newest message of a leader.
    leader_heard_term: u64,
    /// Gaps between the messages of a leader.
    leader_gaps: Slowdown,
    /// Gaps between the messages of each follower, while this node leads.
    follower_gaps: Slowdown,
    /// Tick of the newest message of each member.
    last_heard: BTreeMap<RaftId, u64>,
    /// Tick since which this node leads, if it does.
    led_since: Option<u64>,
    /// Commit index that the leader of a term has announced, with that term. It exceeds this log's while it catches up.
    announced_commit: (u64, LogIndex),
    /// Progress of this member in applying.
    own_progress: LogProgress,
    /// Progress of the other members in acknowledging entries, while this node leads.
    peer_progress: BTreeMap<RaftId, LogProgress>,
    /// Earliest tick of the next attempt to hand over leadership.
    handover_tick: u64,
    /// Earliest tick at which a coordinator that has led before hands over again.
    coordinator_handover_tick: u64,
    outputs: Vec<Output>,
}

impl Core {
    /// Creates a core that continues from the state of the store.
    ///
    /// # Errors
    /// Any error means a bug or a damaged store: the log cannot be read, or the engine refuses the log or the
    /// configuration.
    pub fn new(
        options: CoreOptions,
        reader: Reader,
        loaded: &StoreContents,
        members: Vec<(RaftId, Member)>,
    ) -> raft::Result<Core> {
        let config = raft::Config {
            id: options.me,
            election_tick: LEASE_TICKS,
            heartbeat_tick: HEARTBEAT_TICKS,
            // The timeouts are drawn in `timeout`, within these bounds.
            min_election_tick: LEASE_TICKS,
            max_election_tick: ELECTION_TICKS_LIMIT,
            applied: loaded.applied.index,
            max_size_per_msg: MESSAGE_BYTES_MAX,
            max_inflight_msgs: INFLIGHT_MESSAGES_MAX,
            check_quorum: true,
            pre_vote: true,
            // Not by lease: a leader that was stopped for a while still believes its expired lease.
            read_only_option: if injected(Fault::StaleRead) { LeaseBased } else { Safe },
            max_uncommitted_size: UNCOMMITTED_BYTES_MAX,
            max_committed_size_per_ready: COMMITTED_BYTES_PER_READY,
            ..raft::Config::default()
        };
        let age_ms = reader.age_ms();
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let other = |error| raft::Error::Store(StorageError::Other(Box::new(error)));
        let tail = Tail::new(&reader, loaded).map_err(other)?;
        let mut raw = RawNode::new(&config, tail, &logger)?;
        if options.campaign {
            raw.campaign()?;
        }
        let mut core = Core {
            raw,
            options,
            now: Now::default(),
            ticks: 0,
            random: Random(options.seed ^ options.me.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            drawn_for: None,
            succeeds: false,
            pre_votes: 0,
            quorum_ticks: 0,
            answered_tick: 0,
            requests: Requests::default(),
            requests_sent_to: (0, 0),
            reads: Reads::new(options.me, options.seed),
            queued: Vec::new(),
            proposed: BTreeSet::new(),
            proposed_term: 0,
            proposed_last: (0, 0),
            appended: BTreeMap::new(),
            deferred: VecDeque::new(),
            job_sent: 0,
            job_done: 0,
            under_way: VecDeque::new(),
            backlog: VecDeque::new(),
            durable_term: loaded.hard_state.term,
            installing: None,
            members,
            age_ms,
            age_at_ms: 0,
            leader_heard_tick: None,
            leader_heard_term: 0,
            leader_gaps: Slowdown::default(),
            follower_gaps: Slowdown::default(),
            last_heard: BTreeMap::new(),
            led_since: None,
            announced_commit: (0, 0),
            own_progress: LogProgress::default(),
            peer_progress: BTreeMap::new(),
            handover_tick: 0,
            coordinator_handover_tick: 0,
            outputs: Vec::new(),
        };
        core.draw_timeout();
        Ok(core)
    }

    /// Sets the size of the log in memory, in bytes; for tests of followers that lag far behind.
    pub fn set_tail_bytes_max(&mut self, bytes: usize) {
        self.raw.mut_store().set_bytes_max(bytes);
    }

    /// Takes in one input. Its outputs are returned by the next [`Core::poll`].
    pub fn feed(&mut self, input: Input) {
        match input {
            Input::Ticks(passed) => self.pass(passed),
            Input::Message { from, message } => self.message(from, message),
            Input::Forwarded(mut requests) => {
                // A former leader's judgement about a member is dropped: this leader makes its own.
                requests.retain(|request| !request.command.depends_on_leader());
                if self.leads() {
                    self.queued.extend(requests);
                }
            }
            Input::Request { request, ticks } => {
                let id = request.id;
                if !self.requests.add(request, self.ticks + ticks.max(1)) {
                    self.outputs.push(Output::Refused(id));
                }
            }
            Input::ReadIndex { id, ticks } => self.add_read(id, ticks),
            Input::Applied(done) => self.applied(done),
            Input::Stored(done) => self.stored(&done),
            Input::Fetched(fetched) => self.fetched(fetched),
            Input::PeerApplied { from, applied } => {
                if from == self.raw.raft.leader_id {
                    self.own_progress.raise_target(applied);
                }
            }
            Input::ProcessEnded(id) => self.process_ended(id),
            Input::SnapshotSent { to, complete } => {
                let status = if complete { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
                self.raw.report_snapshot(to, status);
            }
            Input::HandOver => {
                self.hand_over(false);
            }
            Input::Transfer(to) => {
                if self.leads() {
                    self.raw.transfer_leader(to);
                }
            }
        }
        self.draw_timeout();
    }

    /// Returns the outputs of the inputs fed since the last call.
    pub fn poll(&mut self, now: Now) -> Vec<Output> {
        self.set_now(now);
        self.send_requests();
        self.propose_queued();
        loop {
            while self.raw.has_ready() {
                self.ready();
            }
            if !self.ask_read_index() {
                break;
            }
        }
        self.draw_timeout();
        self.outputs.extend(self.raw.mut_store().take_wanted().into_iter().map(Output::Fetch));
        std::mem::take(&mut self.outputs)
    }

    /// Returns true while a received snapshot is being installed.
    pub fn is_installing(&self) -> bool {
        self.installing.is_some()
    }

    fn leads(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    fn set_now(&mut self, now: Now) {
        if self.now.monotonic_ms == 0 {
            self.age_at_ms = now.monotonic_ms;
        }
        self.now = now;
    }

    fn pass(&mut self, ticks: u64) {
        for _ in 0..ticks {
            self.ticks += 1;
            self.tick_engine();
        }
        let expired = self.requests.expire(self.ticks);
        if !expired.is_empty() {
            self.outputs.push(Output::Expired(expired));
        }
        self.expire_reads();
        self.raw.mut_store().tick(ticks);
        self.record_progress(ticks);
        let (leader, term) = (self.raw.raft.leader_id, self.raw.raft.term);
        if leader != 0 {
            let due = self.requests.take_due(leader, term, self.ticks, self.resend_ticks());
            self.dispatch(leader, due);
        }
        if self.leads() {
            // A new leader grants every member its full timeout.
            self.led_since.get_or_insert(self.ticks);
            self.seat_members();
            self.hand_over_if_unwanted();
        } else {
            if self.led_since.take().is_some() {
                self.coordinator_handover_tick = self.ticks + HANDOVER_TICKS;
            }
            self.proposed.clear();
        }
    }

    fn message(&mut self, from: RaftId, mut message: Message) {
        let raft = &self.raw.raft;
        let known = ReceiverState {
            me: self.options.me,
            last_index: raft.raft_log.last_index(),
            term: raft.term,
            durable_term: self.durable_term,
            leader: raft.leader_id,
            applied: raft.store().applied(),
            committed: raft.raft_log.committed,
        };
        let term_at = |index| raft.raft_log.term(index).ok().filter(|term| *term != 0);
        match check(&message, from, known, term_at) {
            Verdict::Valid => {
                let acknowledged = raft.prs().get(from).map_or(0, |progress| progress.matched);
                if let Some(notice) = longer_log(&message, known, acknowledged) {
                    return self.outputs.push(Output::Send(notice));
                }
            }
            Verdict::Invalid(why) => return log::warn!("dropped a message of member {from}: {why}"),
            Verdict::LostLog if injected(Fault::RolledBackVote) => message.commit = known.last_index,
            Verdict::LostLog => {
                let text = format!(
                    "the cluster committed up to {} through this member, but its log ends at {}: its disk lost \
                     entries that were synced",
                    message.commit, known.last_index
                );
                return self.outputs.push(Output::Lost(text));
            }
            Verdict::Ahead => {
                log::error!(
                    "member {from} has committed entries up to {}, but the log of this leader ends at {}: this member \
                     or others lost writes that were acknowledged",
                    message.index,
                    known.last_index
                );
                return self.outputs.push(Output::Send(shorter_log(&message, known)));
            }
            // While a snapshot is being installed, the log is about to be replaced.
            Verdict::Fork { .. } if self.installing.is_some() || self.raw.snap().is_some() => return,
            Verdict::Fork { index } => {
                let text = format!(
                    "the log of member {from}, which leads term {}, lacks the entry at {index} that is committed \
                     here: other members lost writes that were acknowledged",
                    message.term
                );
                return self.outputs.push(Output::Fork(text));
            }
        }
        // The engine would forward the query once more; the member that sent it sends it again instead.
        if message.msg_type() == MessageType::MsgReadIndex && !self.leads() {
            return;
        }
        let needs_log = matches!(message.msg_type(), MessageType::MsgTimeoutNow | MessageType::MsgSnapshot);
        if needs_log && (self.installing.is_some() || self.raw.snap().is_some()) {
            return;
        }
        let leads = matches!(
            message.msg_type(),
            MessageType::MsgAppend | MessageType::MsgHeartbeat | MessageType::MsgSnapshot
        );
        let from_leader = leads && message.term >= raft.term;
        self.record_gap(from, leads.then_some(message.term));
        self.last_heard.insert(from, self.ticks);
        if from_leader {
            (self.leader_heard_tick, self.leader_heard_term) = (Some(self.ticks), message.term);
            self.end_succession();
            let before = if self.announced_commit.0 == message.term { self.announced_commit.1 } else { 0 };
            let announced = message.commit.max(message.snapshot.metadata.index);
            self.announced_commit = (message.term, before.max(announced));
        }
        self.inject_hasty_vote(&mut message);
        if let Err(error) = self.raw.step(message) {
            log::debug!("the engine refused a message of member {from}: {error}");
        }
    }

    /// Sends this node's new requests, and all of them to a new leader, with every poll. Requests to resend are checked
    /// with every tick.
    fn send_requests(&mut self) {
        let (leader, term) = (self.raw.raft.leader_id, self.raw.raft.term);
        if leader == 0 {
            return;
        }
        let due = if self.requests_sent_to == (leader, term) {
            self.requests.take_fresh(leader, term, self.ticks)
        } else {
            self.requests_sent_to = (leader, term);
            self.requests.take_due(leader, term, self.ticks, self.resend_ticks())
        };
        self.dispatch(leader, due);
    }

    fn dispatch(&mut self, leader: RaftId, requests: Vec<Request>) {
        if requests.is_empty() {
            return;
        }
        if leader == self.options.me {
            self.queued.extend(requests);
            return;
        }
        for part in requests.chunks(FORWARD_MAX) {
            self.outputs.push(Output::Forward { to: leader, requests: part.to_vec() });
        }
    }

    fn ready(&mut self) {
        let mut ready = self.raw.ready();
        let mut job = StoreJob { number: ready.number(), ..StoreJob::default() };
        let mut promises = Vec::new();
        let mut early = ready.take_messages();
        by_peer(&mut early);
        // Messages of a leader. In a cluster of one, a leader elects itself before its term is on disk. If it were killed
        // after sending, it would lead the same term again, with other entries.
        if self.raw.raft.term <= self.durable_term {
            early.into_iter().for_each(|message| self.send(message));
        } else {
            promises = early;
        }
        if !ready.snapshot().is_empty() {
            let metadata = ready.snapshot().metadata.clone().unwrap_or_default();
            let position = Position { index: metadata.index, term: metadata.term };
            let configuration = metadata.conf_state.unwrap_or_default();
            self.raw.mut_store().reset(position, configuration);
            let hard_state = hard_state_to_store(&self.raw.raft.hard_state());
            job.install = Some(Install { position, hard_state });
            self.installing = Some(job.number);
        }
        if !ready.entries().is_empty() {
            job.entries = ready.entries().iter().map(entry_to_store).collect();
            self.raw.mut_store().append(ready.entries());
        }
        if ready.must_sync() && job.install.is_none() {
            job.hard_state = Some(hard_state_to_store(&self.raw.raft.hard_state()));
        }
        self.reads_confirmed(ready.read_states());
        job.log_wanted = self.log_wanted();
        let committed = ready.take_committed_entries();
        promises.extend(ready.take_persisted_messages());
        by_peer(&mut promises);
        self.raw.advance_append_async(ready);
        self.commit(&committed, &mut job);
        self.defer(job.number, promises, job.is_volatile());
        self.hand_out(job);
    }

    /// Applies configuration changes to the engine, in log order, and adds the committed entries to the job.
    fn commit(&mut self, committed: &[Entry], job: &mut StoreJob) {
        for entry in committed {
            if entry.entry_type() != EntryType::EntryNormal {
                let change = conf_change_from_bytes(&entry.data).unwrap_or_default();
                match self.raw.apply_conf_change(&change) {
                    Ok(state) => self.reconfigured(state, job),
                    Err(error) => {
                        self.outputs.push(Output::Fatal(format!(
                            "the configuration change at {} cannot be applied: {error}",
                            entry.index
                        )));
                    }
                }
            }
        }
        job.committed = committed.iter().map(entry_to_store).collect();
    }

    fn reconfigured(&mut self, state: ConfState, job: &mut StoreJob) {
        let configuration = configuration_to_store(&state);
        log::info!(
            "voters {:?}{}, learners {:?}",
            configuration.voters,
            if configuration.is_joint() { " (changing)" } else { "" },
            configuration.learners
        );
        let me = self.options.me;
        let votes =
            [&configuration.voters, &configuration.voters_outgoing].iter().any(|ids| ids.contains(&me));
        if !votes && self.leads() {
            // A former leader proposed this change: this one would not. The engine would go on leading, and panic with
            // the next entry that it commits (found by the simulator with seed 147).
            let term = self.raw.raft.term;
            self.raw.raft.become_follower(term, 0);
        }
        self.raw.mut_store().set_configuration(state);
        job.configuration = Some(configuration);
    }
}

/// Sorts messages by receiver, so that a simulated run is reproducible: the engine iterates over its peers in the order of
/// a hash map, which differs between processes. The messages to one peer keep their order.
fn by_peer(messages: &mut [Message]) {
    messages.sort_by_key(|message| message.to);
}
