//! Inputs, outputs, options and status of a core.

use crate::fetches::{Fetch, Fetched};
use crate::reads::{ReadAnswer, ReadId};
use crate::writer::{JobResult, StoreJob};
use raft::eraftpb::Message;
use ribbit_db::Configuration;
use ribbit_state::{LogIndex, RaftId, Request, RequestId, Role};

/// Options of a core.
#[derive(Debug, Clone, Copy)]
pub struct CoreOptions {
    /// Id of this member.
    pub me: RaftId,
    pub role: Role,
    /// Seed of the election timeouts and mark of this start's read index queries. It differs between nodes and between
    /// starts.
    pub seed: u64,
    /// Stand for election at once, as the founder of a cluster does: it is alone.
    pub campaign: bool,
    /// Silence after which a voter's seat goes to a learner that is present, in ticks.
    pub evict_ticks: u64,
}

/// Readings of the clocks, made by the driver.
#[derive(Debug, Clone, Copy, Default)]
pub struct Now {
    /// Milliseconds since 1970.
    pub wall_ms: u64,
    /// Milliseconds of a clock that never jumps; at least 1.
    pub monotonic_ms: u64,
}

/// Input of a core.
#[derive(Debug)]
pub enum Input {
    /// So many ticks of `TICK_MS` have passed.
    Ticks(u64),
    /// A message arrived on a connection from this member.
    Message { from: RaftId, message: Message },
    /// A peer forwards requests of its clients. They are dropped unless this node leads.
    Forwarded(Vec<Request>),
    /// A client of this node submits a request, which expires after this many ticks.
    Request { request: Request, ticks: u64 },
    /// A client of this node needs a read index; its query expires after this many ticks.
    ReadIndex { id: ReadId, ticks: u64 },
    /// Committed entries were applied. It precedes the `Stored` of the same jobs.
    Applied(JobResult),
    /// Jobs are durable.
    Stored(JobResult),
    /// Answer to [`Output::Fetch`].
    Fetched(Fetched),
    /// A member reports the index up to which it has applied. Ignored unless that member leads.
    PeerApplied { from: RaftId, applied: LogIndex },
    /// The process of this member has ended: its connections are closed, and it refuses new ones, or another process has
    /// taken its place. A false report costs a pre-vote at most.
    ProcessEnded(RaftId),
    /// Sending a snapshot to a peer has ended, complete or not.
    SnapshotSent { to: RaftId, complete: bool },
    /// Hand leadership to the most suitable member, if this node leads.
    HandOver,
    /// Hand leadership to this member, if this node leads.
    Transfer(RaftId),
}

/// Output of a core: an action for the driver.
#[derive(Debug)]
pub enum Output {
    /// Send a message to the peer that it names.
    Send(Message),
    /// Send the state to the peer on a connection of its own, then report with [`Input::SnapshotSent`].
    SendSnapshot(Message),
    /// Forward requests to the leader.
    Forward { to: RaftId, requests: Vec<Request> },
    /// Hand a job to the store; answered by [`Input::Applied`] and [`Input::Stored`].
    Store(StoreJob),
    /// Read entries of the log from disk, without blocking the store; answered by [`Input::Fetched`].
    Fetch(Fetch),
    /// These requests have expired without an outcome. They may still be applied.
    Expired(Vec<RequestId>),
    /// This request is refused because too many are pending.
    Refused(RequestId),
    /// Result of read index queries.
    ReadIndex(ReadAnswer),
    /// This node cannot go on.
    Fatal(String),
    /// The disk of this node lost synced data. The node must leave the cluster and join as a new member.
    Lost(String),
    /// The leader's log contradicts an entry that is committed here. Neither member can be repaired from the other.
    Fork(String),
}

/// Status of a replica, for reports and for deciding what to serve.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoreStatus {
    /// Id of this member.
    pub me: RaftId,
    /// Leader that was heard within the election timeout; this member itself if it leads.
    pub leader: Option<RaftId>,
    /// True while this member leads.
    pub leads: bool,
    pub term: u64,
    pub configuration: Configuration,
    /// Commit index of this member.
    pub commit: LogIndex,
    /// Index up to which this member has applied the log.
    pub applied: LogIndex,
    /// Last index of the log, durable or not.
    pub last: LogIndex,
    /// True while a leader was heard within the election timeout and this member follows it without a large lag.
    pub in_sync: bool,
    /// Time without progress while entries of the leader are missing, in milliseconds; 0 while this member follows.
    pub stalled_ms: u64,
    /// Members that lag far behind, or have acknowledged nothing new for `FOLLOW_TICKS`, as the leader sees them; empty on
    /// followers.
    pub lagging: Vec<RaftId>,
}
