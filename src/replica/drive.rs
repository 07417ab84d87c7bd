//! The task around the core and the thread around the writer.
//!
//! ```text
//!   node ──▶ inbox ──▶ Raft task: Core ──▶ jobs ──▶ store thread: Writer ──▶ outcomes to who waits
//!                        ▲   │                         │
//!                        │   └──▶ Transport            │
//!                        └────── Applied, Stored ──────┘
//! ```
//!
//! The Raft task runs where the links' sockets are read and written, so that a message takes no thread's waking; it
//! never waits for a disk: entries that left memory are read on a thread made for it, which is not the store thread,
//! so that a follower that is far behind delays nobody's fsync. The inbox is bounded and refuses when full, all but what
//! this replica's own threads say. Time that the process did not run (stopped, starved) is not made up for: it is told of
//! one tick, not of the hundred missed, so that it does not stand for election before it has heard what waits in its sockets.

mod inbox;
mod reading;
mod store_thread;
mod waiters;

use super::core::{Core, CoreStatus, Input, Now, Output};
use super::limits::{LIVE_EVENTS_MAX, REACH_TICKS, TICK_MS};
use super::live::Live;
use super::writer::{Done, Job, Writer};
use super::{RaftMessage, ReadAnswer, ReadId, convert};
use crate::db::{Configuration, DbError, Reader};
use crate::state::apply::digest;
use crate::state::{LogIndex, Outcome, RaftId, Request, RequestId};
use bytes::Bytes;
use event_listener::Event;
use inbox::{Inbox, Messages, Refused, inbox};
use reading::Reading;
use smol::channel::{Receiver, Sender};
use smol::stream::StreamExt;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store_thread::StoreThread;
use waiters::Waiters;

/// What leaves for a peer on its ordered link.
#[derive(Debug)]
pub enum Envelope {
    /// A message of the engine, as bytes.
    Raft(Bytes),
    /// Requests of this node's clients, for the leader.
    Forward(Vec<Request>),
}

/// Carries things to peers; must not block, may drop.
pub trait Transport: Send + 'static {
    fn send(&self, to: RaftId, envelope: Envelope);
    /// Streams the state to a peer, then tells the replica with [`Replica::snapshot_sent`]: until then the peer
    /// gets nothing else. `false` when it cannot even begin.
    fn send_snapshot(&self, to: RaftId, message: RaftMessage) -> bool;
}

/// Reason why a node has not applied an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreached {
    /// Not by the deadline. The index may be one of this log.
    Late,
    /// The index lies beyond everything that was ever committed.
    NeverCommitted,
}

/// Why a request has no outcome. It may still happen; the same request may be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecided {
    /// No leader took it in time.
    Late,
    /// Too much is under way.
    Busy,
    /// The process is ending.
    Ending,
    /// Another command is under way under the same id: this one was not asked for, and will not be.
    Reused,
}

/// Why a replica cannot go on.
#[derive(Debug, Clone)]
pub enum Failing {
    /// A bug: its process has to end, and a new start may go well.
    Broken(String),
    /// Its disk is full, away or failing: its process has to end, and goes on once that is mended.
    Disk(String),
    /// Its store is damaged, or lost what it had promised: the member has to come back as another one.
    Lost(String),
    /// Its state is not that of the others: nothing of it is to be believed.
    Differs(String),
    /// Its cluster has rules that this version does not know: the store is whole, and another version has to run on it.
    TooNew(String),
    /// The group removed this member: nothing of it is wanted any more.
    Removed(String),
}

impl From<DbError> for Failing {
    fn from(error: DbError) -> Failing {
        match error {
            DbError::TooNew(_) => Failing::TooNew(error.to_string()),
            error if error.is_damage() => Failing::Lost(error.to_string()),
            error if error.is_full() => Failing::Disk(format!("the disk is full: {error}")),
            error => Failing::Disk(error.to_string()),
        }
    }
}

type Answer = Result<(LogIndex, Outcome), Undecided>;

enum Message {
    Input(Input),
    /// Jobs that had nothing to wait for were carried out: applied, and done.
    Turn(Box<(Done, Done)>),
    /// A snapshot is complete beside the store, with the message that announces it.
    Snapshot {
        from: RaftId,
        message: RaftMessage,
    },
    Stop,
}

/// What the threads and the node share.
struct Shared {
    waiters: Waiters<RequestId, Answer>,
    reads: Waiters<ReadId, Result<LogIndex, Undecided>>,
    next_read: AtomicU64,
    status: Mutex<CoreStatus>,
    live: Live,
    /// Notified when something was applied, or the status changed.
    progress: Event,
    /// How often the Raft task has had its turn.
    turns: AtomicU64,
    /// Since when the store thread is at something, if it is.
    store_busy: Mutex<Option<Instant>>,
    /// An incoming snapshot is being written, or waits to be installed.
    incoming: AtomicBool,
    failed: Sender<Failing>,
}

/// A running replica. Dropping it does not stop it: [`Replica::stop`] does.
#[derive(Clone)]
pub struct Replica {
    inbox: Inbox<Message>,
    shared: Arc<Shared>,
    reader: Reader,
    /// Nothing is ever sent: the channel's end is the signal.
    store_ended: Receiver<Infallible>,
}

impl Replica {
    /// Starts the store thread; the future answered is the Raft task, for the caller to run at once where nothing
    /// blocks. `failed` gets one message when the replica cannot go on: the process has to end.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start<T: Transport>(
        core: Core,
        writer: Writer,
        transport: T,
        failed: Sender<Failing>,
    ) -> std::io::Result<(Replica, impl Future<Output = ()> + Send + use<T>)> {
        let (inbox, messages) = inbox();
        let (job_sender, jobs) = mpsc::channel();
        let reader = writer.store().reader();
        let shared = Arc::new(Shared {
            waiters: Waiters::new(),
            reads: Waiters::new(),
            next_read: AtomicU64::new(0),
            status: Mutex::new(core.status()),
            live: Live::new(reader.applied(), LIVE_EVENTS_MAX),
            progress: Event::new(),
            turns: AtomicU64::new(0),
            store_busy: Mutex::new(None),
            incoming: AtomicBool::new(false),
            failed,
        });
        let (ends, store_ended) = smol::channel::bounded(1);
        let store = StoreThread { writer, jobs, inbox: inbox.clone(), shared: shared.clone(), _ends: ends };
        thread::Builder::new().name("store".into()).spawn(move || store.run())?;
        let life = Life("Raft task", shared.clone());
        let reading = Reading { reader: reader.clone(), inbox: inbox.clone(), shared: shared.clone() };
        let raft = RaftTask {
            core,
            messages,
            jobs: job_sender,
            reading,
            transport,
            shared: shared.clone(),
            _life: life,
        };
        Ok((Replica { inbox, shared, reader, store_ended }, raft.run()))
    }

    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What this node applies, as it applies it.
    pub fn live(&self) -> &Live {
        &self.shared.live
    }

    pub fn status(&self) -> CoreStatus {
        self.with_status(CoreStatus::clone)
    }

    /// Looks at the status where it is: what every write asks should not copy it. A look asks nothing else of the replica,
    /// which may need the status for it.
    pub fn with_status<T>(&self, look: impl FnOnce(&CoreStatus) -> T) -> T {
        look(&self.shared.status.lock().expect("nobody panics while it holds this lock"))
    }

    /// How often the Raft task has had its turn: at the least once a tick.
    pub fn turns(&self) -> u64 {
        self.shared.turns.load(Ordering::Relaxed)
    }

    /// For how long the store thread has been at what it is doing now.
    pub fn store_busy(&self) -> Duration {
        let since = *self.shared.store_busy.lock().expect("nobody panics while it holds this lock");
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Whether this member votes, in any of the configurations that hold now.
    pub fn votes(&self, id: RaftId) -> bool {
        self.with_status(|status| {
            let Configuration { voters, voters_outgoing, learners_next, .. } = &status.configuration;
            [voters, voters_outgoing, learners_next].iter().any(|ids| ids.contains(&id))
        })
    }

    /// Asks for a command to be replicated and waits until this node has applied it.
    ///
    /// # Errors
    /// Nothing was decided in time; the same request may be asked again, here or elsewhere.
    pub async fn submit(&self, request: Request, deadline: Instant) -> Answer {
        let id = request.id;
        let answer = self.shared.waiters.add(id, digest(&request.command))?;
        let left_ms = deadline.saturating_duration_since(Instant::now()).as_millis() as u64;
        let input = Input::Request { request, ticks: left_ms / TICK_MS };
        if let Err(why) = self.try_feed(input) {
            self.shared.waiters.answer(id, &Err(why));
        }
        answer.await.unwrap_or(Err(Undecided::Ending))
    }

    /// An index from which on a read that is asked now is linearizable: nothing beyond it was acknowledged
    /// before. The reader then waits until this node has applied that far.
    ///
    /// # Errors
    /// No leader confirmed one in time.
    pub async fn read_index(&self, deadline: Instant) -> Result<LogIndex, Undecided> {
        let id = self.shared.next_read.fetch_add(1, Ordering::Relaxed);
        let answer = self.shared.reads.add(id, 0)?;
        let left_ms = deadline.saturating_duration_since(Instant::now()).as_millis() as u64;
        if let Err(why) = self.try_feed(Input::ReadIndex { id, ticks: left_ms / TICK_MS }) {
            self.shared.reads.answer(id, &Err(why));
        }
        answer.await.unwrap_or(Err(Undecided::Ending))
    }

    /// Waits until this node has applied `index`; `false` when it has not by `deadline`.
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

    /// Waits until this node has applied `index`, which a client says it has seen. When that takes longer than a moment, the
    /// leader is asked how far the log is committed: an index beyond it was never shown to any client.
    ///
    /// # Errors
    /// `Late` after `deadline`; `NeverCommitted`, once a leader has confirmed it.
    pub async fn reach(&self, index: LogIndex, deadline: Instant) -> Result<(), Unreached> {
        let moment = Instant::now() + Duration::from_millis(REACH_TICKS * TICK_MS);
        if self.wait_applied(index, deadline.min(moment)).await {
            return Ok(());
        }
        let reached = async {
            match self.wait_applied(index, deadline).await {
                true => Ok(()),
                false => Err(Unreached::Late),
            }
        };
        let refuted = async {
            match self.read_index(deadline).await {
                Ok(committed) if committed < index => Err(Unreached::NeverCommitted),
                Ok(_) | Err(_) => smol::future::pending().await,
            }
        };
        smol::future::or(reached, refuted).await
    }

    /// Waits until something was applied or the status changed.
    pub async fn progressed(&self) {
        self.shared.progress.listen().await;
    }

    /// A peer's message, as bytes; dropped when the inbox is full.
    pub fn receive(&self, from: RaftId, bytes: &Bytes) {
        match convert::message_from_bytes(bytes) {
            // It announces a state that has to be there already: [`Replica::snapshot_received`].
            Some(message) if convert::is_snapshot(&message) => {
                log::warn!("member {from} announced a snapshot that it did not send");
            }
            Some(message) => self.feed(Input::Message { from, message }),
            None => log::warn!("member {from} sent something that is no message"),
        }
    }

    /// Takes in how far a peer says that it has applied.
    pub fn peer_applied(&self, from: RaftId, applied: LogIndex) {
        self.feed(Input::PeerApplied { from, applied });
    }

    /// Requests that a peer forwards.
    pub fn receive_forwarded(&self, requests: Vec<Request>) {
        self.feed(Input::Forwarded(requests));
    }

    /// Whether a snapshot may be received now; then it is this caller's turn, until [`Replica::snapshot_received`]
    /// or [`Replica::snapshot_abandoned`].
    pub fn begin_snapshot(&self) -> bool {
        !self.shared.incoming.swap(true, Ordering::AcqRel)
    }

    /// The incoming file is complete.
    pub fn snapshot_received(&self, from: RaftId, bytes: &Bytes) {
        let message = convert::message_from_bytes(bytes);
        let sent =
            message.is_some_and(|message| self.inbox.offer(Message::Snapshot { from, message }).is_ok());
        if !sent {
            self.snapshot_abandoned();
        }
    }

    pub fn snapshot_abandoned(&self) {
        self.shared.incoming.store(false, Ordering::Release);
    }

    /// How sending a snapshot ended. Never dropped: the peer gets nothing before the engine knows.
    pub async fn snapshot_sent(&self, to: RaftId, complete: bool) {
        loop {
            match self.inbox.offer(Message::Input(Input::SnapshotSent { to, complete })) {
                Ok(()) | Err(Refused::Closed) => return,
                Err(Refused::Full) => smol::Timer::after(Duration::from_millis(TICK_MS)).await,
            };
        }
    }

    /// Hands leadership over, if this node leads and somebody can take it.
    pub fn step_aside(&self) {
        self.feed(Input::StepAside);
    }

    /// Hands leadership to this member, if this node leads.
    pub fn transfer(&self, to: RaftId) {
        self.feed(Input::Transfer(to));
    }

    /// Ends task and thread. What was not answered is answered `Ending`.
    pub fn stop(&self) {
        let _ = self.inbox.offer(Message::Stop);
    }

    /// Waits until the store thread has ended, everything on disk.
    pub async fn ended(&self) {
        let _ = self.store_ended.recv().await;
    }

    fn try_feed(&self, input: Input) -> Result<(), Undecided> {
        self.inbox.offer(Message::Input(input)).map_err(|refused| match refused {
            Refused::Full => Undecided::Busy,
            Refused::Closed => Undecided::Ending,
        })
    }

    fn feed(&self, input: Input) {
        if self.inbox.offer(Message::Input(input)).is_err() {
            log::debug!("the inbox is full: dropped");
        }
    }
}

/// Held by task and thread while they run. When it ends, nobody is left waiting; when it panics, the process is told to end:
/// half a member would go on answering, with the state of that moment.
struct Life(&'static str, Arc<Shared>);

impl Drop for Life {
    fn drop(&mut self) {
        let Life(name, shared) = self;
        shared.waiters.close();
        shared.reads.close();
        if thread::panicking() {
            let why = format!("the {name} panicked: this is a bug");
            let _ = shared.failed.try_send(Failing::Broken(why));
        }
    }
}

struct RaftTask<T> {
    core: Core,
    messages: Messages<Message>,
    jobs: mpsc::Sender<Job>,
    reading: Reading,
    transport: T,
    shared: Arc<Shared>,
    _life: Life,
}

/// Messages taken in before the core is polled: bounds how long a peer waits for its answer.
const DRAIN_MAX: usize = 1_024;

impl<T: Transport> RaftTask<T> {
    async fn run(mut self) {
        let started = Instant::now();
        let tick = Duration::from_millis(TICK_MS);
        let mut next_tick = started + tick;
        // One timer that goes on: setting one anew each time round would wake the reactor each time.
        let mut timer = smol::Timer::interval(tick);
        // A snapshot was handed over by its link, and is not settled.
        let mut snapshot = false;
        loop {
            let message = async { Some(self.messages.next().await) };
            let ticked = async {
                timer.next().await;
                None
            };
            let first = smol::future::or(message, ticked).await;
            let more = std::iter::from_fn(|| self.messages.next_waiting()).take(DRAIN_MAX);
            for message in first.into_iter().chain(more) {
                match message {
                    Message::Input(input) => self.core.feed(input),
                    Message::Turn(done) => {
                        let (applied, stored) = *done;
                        self.core.feed(Input::Applied(applied));
                        self.core.feed(Input::Stored(stored));
                    }
                    Message::Snapshot { from, message } => {
                        snapshot = true;
                        self.core.feed(Input::Message { from, message });
                    }
                    Message::Stop => return,
                }
            }
            self.shared.turns.fetch_add(1, Ordering::Relaxed);
            let now = Instant::now();
            if now >= next_tick {
                self.core.feed(Input::Tick);
                next_tick = (next_tick + tick).max(now);
            }
            let wall_ms = wall_ms();
            let monotonic_ms = (now - started).as_millis() as u64 + 1;
            let outputs = self.core.poll(Now { wall_ms, monotonic_ms });
            // Installed for good, or not wanted: only now the next one may come. Were it let in as soon as the store
            // thread has the new file, and were it complete before the core knows, nobody would end its turn.
            if snapshot && !self.core.wants_snapshot() {
                snapshot = false;
                self.shared.incoming.store(false, Ordering::Release);
            }
            for output in outputs {
                if let Output::SendSnapshot(message) = output {
                    let to = message.to;
                    if !self.transport.send_snapshot(to, message) {
                        self.core.feed(Input::SnapshotSent { to, complete: false });
                    }
                } else if !self.carry_out(output) {
                    return;
                }
            }
            self.publish();
        }
    }

    /// `false` when the replica cannot go on.
    fn carry_out(&self, output: Output) -> bool {
        match output {
            Output::Send(message) => {
                self.transport.send(message.to, Envelope::Raft(convert::message_to_bytes(&message).into()));
            }
            Output::Forward { to, requests } => self.transport.send(to, Envelope::Forward(requests)),
            Output::SendSnapshot(_) => unreachable!("carried out by the loop"),
            Output::Store(job) => return self.jobs.send(job).is_ok(),
            Output::Fetch(fetch) => self.reading.begin(fetch),
            Output::Expired(ids) => {
                for id in ids {
                    self.shared.waiters.answer(id, &Err(Undecided::Late));
                }
            }
            Output::Refused(id) => {
                self.shared.waiters.answer(id, &Err(Undecided::Busy));
            }
            Output::ReadIndex(ReadAnswer { reads, index }) => {
                let answer = index.ok_or(Undecided::Late);
                for id in reads {
                    self.shared.reads.answer(id, &answer);
                }
            }
            Output::Fatal(why) => {
                let _ = self.shared.failed.try_send(Failing::Broken(why));
                return false;
            }
            Output::Lost(why) => {
                let _ = self.shared.failed.try_send(Failing::Lost(why));
                return false;
            }
            Output::Fork(why) => {
                let _ = self.shared.failed.try_send(Failing::Differs(why));
                return false;
            }
        }
        true
    }

    fn publish(&self) {
        let mut status = self.core.status();
        // Who is sent the whole state is far behind, and is not told how far.
        status.in_sync &= !self.shared.incoming.load(Ordering::Acquire);
        let (term, leader) = (status.term, status.leader);
        let mut shared = self.shared.status.lock().expect("nobody panics while it holds this lock");
        let turned = (shared.term, shared.leader) != (term, leader);
        *shared = status;
        drop(shared);
        if turned {
            self.shared.progress.notify(usize::MAX);
            log::info!("term {term}, leader {}", leader.map_or("nobody".into(), |id| id.to_string()));
        }
    }
}

/// Milliseconds since 1970 by this machine's wall clock, which may be wrong: for display alone.
pub fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
