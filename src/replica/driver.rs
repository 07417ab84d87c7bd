//! The driver of a replica: the Raft task around the core, and the store thread around the writer.
//!
//! ```text
//!   node ──▶ inbox ──▶ Raft task: Core ──▶ jobs ──▶ store thread: Writer ──▶ outcomes to the waiting clients
//!                        ▲   │                         │
//!                        │   └──▶ Transport            │
//!                        └────── Applied, Stored ──────┘
//! ```
//!
//! - The Raft task runs on the executor that reads and writes the sockets of the peers, so a message wakes no other thread.
//! - It never waits for a disk. Log entries that are not in memory are read on a thread pool, not on the store thread, so
//!   that a follower that lags far behind delays no fsync.
//! - The inbox is bounded. When it is full, it refuses everything except the results of this replica's own threads.
//! - The Raft task sleeps until a message arrives or something is due, and feeds the ticks that have passed meanwhile. After
//!   a pause of the process (stopped, starved of CPU), the core gets at most the ticks up to what was due. Otherwise it
//!   would stand for election before it has read the heartbeats that wait in its sockets.

mod errors;
mod inbox;
mod log_reads;
mod raft_task;
mod store_thread;
mod waiters;

use super::core::{Core, CoreStatus, Input};
use super::event_ring::EventRing;
use super::limits::{EVENT_RING_MAX, REACH_TICKS, TICK_MS};
use super::writer::{JobResult, Writer};
use super::{RaftMessage, ReadId, convert};
use bytes::Bytes;
pub use errors::{ReachError, ReplicaFailure, SubmitError};
use event_listener::{Event, EventListener};
use inbox::{Inbox, Refused, inbox};
use log_reads::LogReads;
use raft_task::RaftTask;
use ribbit_db::{Configuration, Reader};
use ribbit_state::apply::digest;
use ribbit_state::limits::FIRST_RULES_LEVEL;
use ribbit_state::rows::books;
use ribbit_state::sync::MutexExt;
use ribbit_state::{LogIndex, Outcome, RaftId, Request, RequestId};
use smol::channel::{Receiver, Sender};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store_thread::StoreThread;
use waiters::Waiters;

/// Message to a peer on its ordered connection.
#[derive(Debug)]
pub enum Envelope {
    /// An encoded message of the engine.
    Raft(Bytes),
    /// Requests of this node's clients, for the leader.
    Forward(Vec<Request>),
}

/// Transport of messages to peers. Its functions must not block.
pub trait Transport: Send + 'static {
    /// Sends a message to a peer, or drops it.
    fn send(&self, to: RaftId, envelope: Envelope);
    /// Streams the state to a peer, then reports with [`Replica::snapshot_sent`]. Until then the peer gets no entries.
    /// Returns false if it cannot begin.
    fn send_snapshot(&self, to: RaftId, message: RaftMessage) -> bool;
}

type SubmitResult = Result<(LogIndex, Outcome), SubmitError>;

/// Message to the Raft task.
enum TaskMessage {
    Input(Input),
    /// Results of one turn of the store thread: applied, then stored.
    Turn(Box<(JobResult, JobResult)>),
    /// A snapshot is complete beside the store; with the message that announces it.
    Snapshot {
        from: RaftId,
        message: RaftMessage,
    },
    Stop,
}

/// State shared by the Raft task, the store thread and the handles of the node.
struct ReplicaState {
    waiters: Waiters<RequestId, SubmitResult>,
    reads: Waiters<ReadId, Result<LogIndex, SubmitError>>,
    /// Id of the next read.
    next_read: AtomicU64,
    status: Mutex<CoreStatus>,
    events: EventRing,
    /// Notified when entries were applied, or when the leader or the term changed.
    progress: Event,
    /// Number of turns that the Raft task has taken.
    turns: AtomicU64,
    /// Time at which the store thread began its current work, if it is busy.
    store_busy: Mutex<Option<Instant>>,
    /// True while an incoming snapshot is being written or waits to be installed.
    incoming: AtomicBool,
    failed: Sender<ReplicaFailure>,
}

/// Handle of a running replica. Dropping it does not stop the replica; [`Replica::stop`] does.
#[derive(Clone)]
pub struct Replica {
    inbox: Inbox<TaskMessage>,
    shared: Arc<ReplicaState>,
    reader: Reader,
    /// Channel that carries nothing: its closing signals the end of the store thread.
    store_ended: Receiver<Infallible>,
}

impl Replica {
    /// Starts the store thread. The returned future is the Raft task; the caller runs it at once, on an executor on which
    /// nothing blocks. `failed` receives one message when the replica cannot go on, and then the process has to end.
    ///
    /// # Errors
    /// The error of the operating system when the thread cannot be started.
    pub fn start<T: Transport>(
        core: Core,
        writer: Writer,
        transport: T,
        failed: Sender<ReplicaFailure>,
    ) -> std::io::Result<(Replica, impl Future<Output = ()> + Send + use<T>)> {
        let (inbox, messages) = inbox();
        let (job_sender, jobs) = mpsc::channel();
        let reader = writer.store().reader();
        let shared = Arc::new(ReplicaState {
            waiters: Waiters::new(),
            reads: Waiters::new(),
            next_read: AtomicU64::new(0),
            status: Mutex::new(core.status()),
            events: EventRing::new(reader.applied(), EVENT_RING_MAX),
            progress: Event::new(),
            turns: AtomicU64::new(0),
            store_busy: Mutex::new(None),
            incoming: AtomicBool::new(false),
            failed,
        });
        let (ends, store_ended) = smol::channel::bounded(1);
        let store = StoreThread { writer, jobs, inbox: inbox.clone(), shared: shared.clone(), _ends: ends };
        thread::Builder::new().name("store".into()).spawn(move || store.run())?;
        let guard = RunGuard("Raft task", shared.clone());
        let reading = LogReads { reader: reader.clone(), inbox: inbox.clone(), shared: shared.clone() };
        let raft = RaftTask {
            core,
            messages,
            jobs: job_sender,
            reading,
            transport,
            shared: shared.clone(),
            _guard: guard,
        };
        Ok((Replica { inbox, shared, reader, store_ended }, raft.run()))
    }

    /// Returns a reader of the store.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Returns the events of the newest applied entries.
    pub fn events(&self) -> &EventRing {
        &self.shared.events
    }

    /// Returns a copy of the status, as of the last turn of the Raft task.
    pub fn status(&self) -> CoreStatus {
        self.with_status(CoreStatus::clone)
    }

    /// Calls `look` with the status, without a copy: every write needs a look. `look` must not call this replica, which
    /// holds the lock of the status meanwhile.
    pub fn with_status<T>(&self, look: impl FnOnce(&CoreStatus) -> T) -> T {
        look(&self.shared.status.locked())
    }

    /// Returns the number of turns that the Raft task has taken: at least one every `TURN_TICKS_MAX`.
    pub fn turns(&self) -> u64 {
        self.shared.turns.load(Ordering::Relaxed)
    }

    /// Returns the time for which the store thread has been busy with its current work.
    pub fn store_busy(&self) -> Duration {
        let since = *self.shared.store_busy.locked();
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Returns true if this member is a voter of the current configuration, or of either side of a joint one.
    pub fn votes(&self, id: RaftId) -> bool {
        self.with_status(|status| {
            let Configuration { voters, voters_outgoing, learners_next, .. } = &status.configuration;
            [voters, voters_outgoing, learners_next].iter().any(|ids| ids.contains(&id))
        })
    }

    /// Submits a request for replication and waits until this node has applied it.
    ///
    /// # Errors
    /// - [`SubmitError::Late`] when `deadline` passes first.
    /// - [`SubmitError::Busy`] when too many requests are pending.
    /// - [`SubmitError::Ending`] when the replica ends.
    /// - [`SubmitError::Reused`] when another command is pending under this id.
    /// - [`SubmitError::TooNew`] when the cluster has not risen to the rules level of the command.
    ///
    /// Except after `Reused`, the same request may be submitted again, here or on another node.
    pub async fn submit(&self, request: Request, deadline: Instant) -> SubmitResult {
        let id = request.id;
        if !self.is_permitted(request.command.facts().level) {
            return Err(SubmitError::TooNew);
        }
        let answer = self.shared.waiters.add(id, digest(&request.command))?;
        let left_ms = deadline.saturating_duration_since(Instant::now()).as_millis() as u64;
        let input = Input::Request { request, ticks: left_ms / TICK_MS };
        if let Err(why) = self.try_feed(input) {
            self.shared.waiters.answer(id, &Err(why));
        }
        answer.await.unwrap_or(Err(SubmitError::Ending))
    }

    /// Returns true if every member understands the commands of this rules level. A member that does not would end at the entry,
    /// even if the rules refused the command.
    fn is_permitted(&self, level: u32) -> bool {
        let in_force =
            || self.reader.view().and_then(|view| books(&view)).map_or(0, |books| books.rules_level);
        level <= FIRST_RULES_LEVEL || level <= in_force()
    }

    /// Returns a read index: a read of a state at least this new is linearizable, because no later entry was acknowledged
    /// before this call. The reader then waits until this node has applied that index.
    ///
    /// # Errors
    /// - [`SubmitError::Late`] when no leader confirms an index before `deadline`, or too many reads are pending.
    /// - [`SubmitError::Busy`] when the inbox of the replica is full.
    /// - [`SubmitError::Ending`] when the replica ends.
    pub async fn read_index(&self, deadline: Instant) -> Result<LogIndex, SubmitError> {
        let id = self.shared.next_read.fetch_add(1, Ordering::Relaxed);
        let answer = self.shared.reads.add(id, 0)?;
        let left_ms = deadline.saturating_duration_since(Instant::now()).as_millis() as u64;
        if let Err(why) = self.try_feed(Input::ReadIndex { id, ticks: left_ms / TICK_MS }) {
            self.shared.reads.answer(id, &Err(why));
        }
        answer.await.unwrap_or(Err(SubmitError::Ending))
    }

    /// Waits until this node has applied `index`. Returns false when it has not by `deadline`.
    pub async fn wait_applied(&self, index: LogIndex, deadline: Instant) -> bool {
        while self.reader.applied() < index {
            let progress = self.shared.progress.listen();
            if self.reader.applied() >= index {
                break;
            }
            let late = async {
                smol::Timer::at(deadline).await;
                true
            };
            let woken = async {
                progress.await;
                false
            };
            if smol::future::or(woken, late).await {
                return self.reader.applied() >= index;
            }
        }
        true
    }

    /// Waits until this node has applied `index`, which a client claims to have seen. When that takes longer than
    /// `REACH_TICKS`, the leader is asked for the commit index: an index beyond it was never shown to any client.
    ///
    /// # Errors
    /// - [`ReachError::Late`] when `deadline` passes first.
    /// - [`ReachError::NeverCommitted`] when a leader has confirmed that the index lies beyond the commit index.
    pub async fn reach(&self, index: LogIndex, deadline: Instant) -> Result<(), ReachError> {
        let moment = Instant::now() + Duration::from_millis(REACH_TICKS * TICK_MS);
        if self.wait_applied(index, deadline.min(moment)).await {
            return Ok(());
        }
        let reached = async {
            match self.wait_applied(index, deadline).await {
                true => Ok(()),
                false => Err(ReachError::Late),
            }
        };
        let refuted = async {
            match self.read_index(deadline).await {
                Ok(committed) if committed < index => Err(ReachError::NeverCommitted),
                Ok(_) | Err(_) => smol::future::pending().await,
            }
        };
        smol::future::or(reached, refuted).await
    }

    /// Waits until an entry is applied, or the leader or the term changes.
    pub async fn progressed(&self) {
        self.shared.progress.listen().await;
    }

    /// Returns a listener that completes when an entry is applied, or the leader or the term changes, from now on.
    pub fn next_progress(&self) -> EventListener {
        self.shared.progress.listen()
    }

    /// Passes an encoded message of a peer to the core. It is dropped when the inbox is full.
    pub fn receive(&self, from: RaftId, bytes: &Bytes) {
        match convert::message_from_bytes(bytes) {
            // Such a message announces a state that has to be complete already: see `snapshot_received`.
            Some(message) if convert::is_snapshot(&message) => {
                log::warn!("member {from} announced a snapshot that it did not send");
            }
            Some(message) => self.feed(Input::Message { from, message }),
            None => log::warn!("dropped a message of member {from}: it cannot be decoded"),
        }
    }

    /// Passes the applied index that a peer reports to the core.
    pub fn peer_applied(&self, from: RaftId, applied: LogIndex) {
        self.feed(Input::PeerApplied { from, applied });
    }

    /// Passes requests that a peer forwards to the core.
    pub fn receive_forwarded(&self, requests: Vec<Request>) {
        self.feed(Input::Forwarded(requests));
    }

    /// Reserves the reception of a snapshot. Returns false while another one is being received or installed. The caller
    /// ends its reservation with [`Replica::snapshot_received`] or [`Replica::snapshot_abandoned`].
    pub fn begin_snapshot(&self) -> bool {
        !self.shared.incoming.swap(true, Ordering::AcqRel)
    }

    /// Passes a received snapshot to the core: the incoming file is complete, and `bytes` is the message that announces it.
    pub fn snapshot_received(&self, from: RaftId, bytes: &Bytes) {
        let message = convert::message_from_bytes(bytes);
        let sent =
            message.is_some_and(|message| self.inbox.offer(TaskMessage::Snapshot { from, message }).is_ok());
        if !sent {
            self.snapshot_abandoned();
        }
    }

    /// Ends the reception of a snapshot that failed.
    pub fn snapshot_abandoned(&self) {
        self.shared.incoming.store(false, Ordering::Release);
    }

    /// Reports that the process of this member has ended: it has closed its connections and refuses new ones, or another
    /// process answers in its place.
    pub fn process_ended(&self, id: RaftId) {
        self.feed(Input::ProcessEnded(id));
    }

    /// Reports that sending a snapshot has ended, complete or not. Waits while the inbox is full instead of dropping the
    /// report: the peer gets no entries before the engine has it.
    pub async fn snapshot_sent(&self, to: RaftId, complete: bool) {
        loop {
            match self.inbox.offer(TaskMessage::Input(Input::SnapshotSent { to, complete })) {
                Ok(()) | Err(Refused::Closed) => return,
                Err(Refused::Full) => smol::Timer::after(Duration::from_millis(TICK_MS)).await,
            };
        }
    }

    /// Hands leadership to a suitable member, if this node leads and there is one.
    pub fn hand_over(&self) {
        self.feed(Input::HandOver);
    }

    /// Hands leadership to this member, if this node leads.
    pub fn transfer(&self, to: RaftId) {
        self.feed(Input::Transfer(to));
    }

    /// Ends the Raft task and the store thread. Pending requests fail with [`SubmitError::Ending`].
    pub fn stop(&self) {
        let _ = self.inbox.offer(TaskMessage::Stop);
    }

    /// Waits until the store thread has ended, with everything on disk.
    pub async fn ended(&self) {
        let _ = self.store_ended.recv().await;
    }

    fn try_feed(&self, input: Input) -> Result<(), SubmitError> {
        self.inbox.offer(TaskMessage::Input(input)).map_err(|refused| match refused {
            Refused::Full => SubmitError::Busy,
            Refused::Closed => SubmitError::Ending,
        })
    }

    fn feed(&self, input: Input) {
        if self.inbox.offer(TaskMessage::Input(input)).is_err() {
            log::debug!("dropped an input: the inbox of the replica is full or closed");
        }
    }
}

/// Guard that the Raft task and the store thread hold while they run. When either ends, all waiting clients are answered.
/// When either panics, the process has to end: the remaining half would go on answering from an outdated state.
struct RunGuard(&'static str, Arc<ReplicaState>);

impl Drop for RunGuard {
    fn drop(&mut self) {
        let RunGuard(name, shared) = self;
        shared.waiters.close();
        shared.reads.close();
        if thread::panicking() {
            let why = format!("the {name} panicked: this is a bug");
            let _ = shared.failed.try_send(ReplicaFailure::Broken(why));
        }
    }
}

/// Returns the milliseconds since 1970 by the wall clock of this machine. The clock may be wrong, so the value is for
/// display only.
pub fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
