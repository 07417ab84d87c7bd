//! What goes into a core and what comes out of it.

use crate::db::Configuration;
use crate::replica::fetches::{Fetch, Fetched};
use crate::replica::reads::{ReadAnswer, ReadId};
use crate::replica::writer::{Done, Job};
use crate::state::{LogIndex, RaftId, Request, RequestId, Role};
use raft::eraftpb::Message;

/// What a core is told about itself.
#[derive(Debug, Clone, Copy)]
pub struct CoreOptions {
    pub me: RaftId,
    pub role: Role,
    /// Seeds election timeouts and marks this start's questions: differs between nodes and between starts.
    pub seed: u64,
    /// Stand for election at once: a founder is alone.
    pub campaign: bool,
    /// Silence after which a voter's seat goes to a learner that is there, in ticks.
    pub evict_ticks: u64,
}

/// The clocks, read by the driver.
#[derive(Debug, Clone, Copy, Default)]
pub struct Now {
    pub wall_ms: u64,
    /// Milliseconds of a clock that never jumps.
    pub monotonic_ms: u64,
}

/// What can happen to a replica.
#[derive(Debug)]
pub enum Input {
    /// `TICK_MS` have passed.
    Tick,
    /// A peer's message came in on a connection from this member.
    Message { from: RaftId, message: Message },
    /// A peer forwards its clients' requests; dropped unless this node leads.
    Forwarded(Vec<Request>),
    /// A client of this node asks; given up after so many ticks.
    Request { request: Request, ticks: u64 },
    /// A client of this node asks from which index on a read is linearizable; given up after so many ticks.
    ReadIndex { id: ReadId, ticks: u64 },
    /// Committed entries were applied. Comes before the `Stored` of the same jobs.
    Applied(Done),
    /// Jobs are durable.
    Stored(Done),
    /// What [`Output::Fetch`] asked for.
    Fetched(Fetched),
    /// This member says that it has applied up to here. Taken from the leader alone.
    PeerApplied { from: RaftId, applied: LogIndex },
    /// A snapshot reached a peer, or did not.
    SnapshotSent { to: RaftId, complete: bool },
    /// Hand leadership to somebody else, if this node has it.
    StepAside,
    /// Hand leadership to this member, if this node has it.
    Transfer(RaftId),
}

/// What a replica wants done.
#[derive(Debug)]
pub enum Output {
    Send(Message),
    /// Send the state to this peer on a link of its own, then say how it went.
    SendSnapshot(Message),
    Forward {
        to: RaftId,
        requests: Vec<Request>,
    },
    Store(Job),
    /// Read this from the log on disk, however long it takes, and feed it back as [`Input::Fetched`].
    Fetch(Fetch),
    /// These requests have no outcome in time; they may still happen.
    Expired(Vec<RequestId>),
    /// Too many requests are under way.
    Refused(RequestId),
    /// What became of questions for the read index.
    ReadIndex(ReadAnswer),
    /// This node cannot go on.
    Fatal(String),
    /// This node's disk lost what it had promised: it must leave the group and come back as another member.
    Lost(String),
    /// The leader's log contradicts what is committed here: neither is healed from the other.
    Fork(String),
}

/// How the replica is, for status and for deciding what to serve.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoreStatus {
    pub me: RaftId,
    pub leader: Option<RaftId>,
    pub leads: bool,
    pub term: u64,
    pub configuration: Configuration,
    pub commit: LogIndex,
    pub applied: LogIndex,
    /// Where the log ends, durable or not.
    pub last: LogIndex,
    /// Heard from a leader within the election timeout, not far behind, and following.
    pub in_sync: bool,
    /// Time for which this member has not applied what the leader has, in milliseconds; 0 while it follows.
    pub stalled_ms: u64,
    /// The leader's view: members that have not acknowledged what is committed for `FOLLOW_TICKS`, or are far behind.
    pub lagging: Vec<RaftId>,
}
