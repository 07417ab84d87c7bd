//! Requests and answers on the client, control, status and directory planes, and the status that members report.
//!
//! The wire format numbers enum variants by their position, so new variants go at the end.

use super::key_ring::ClusterKey;
use super::pinned::{PinAnswer, PinAsk};
use ribbit_state::command::NewMember;
use ribbit_state::{
    AppLogIn, ClusterId, Consistency, Denied, Event, HOME_REGION, HistoryId, KeyId, LogIndex, MemberName,
    Outcome, Page, Query, RaftId, Request, RequestId, Role, Token, TokenHash, Topic,
};
use serde::{Deserialize, Serialize};

/// Frame of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskFrame {
    /// Chosen by the client, and repeated in the answer. Answers arrive in any order.
    pub tag: u32,
    /// Time for which the client waits, in milliseconds from when the request is read; at most
    /// `limits::ASK_DEADLINE_MAX`.
    pub deadline_ms: u32,
    pub ask: Ask,
}

/// Frame of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerFrame {
    /// Tag of the request.
    pub tag: u32,
    pub answer: Answer,
}

/// Request to a member or a balancer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Ask {
    /// Returns the status of the member and what it knows of the others. Answered by every member, at any time.
    NodeStatus,
    /// Adds a node with an empty store to the cluster. Control plane only.
    Join { cluster: ClusterId, id: RequestId, region: u32, member: NewMember },
    /// Removes a member whose store is missing or damaged, so that it may join again. Refused while the member is alive. Control
    /// plane only.
    Lose { id: RequestId, name: MemberName },
    /// Begins to hand leadership to this member, which the log has decided. Sent by members to the leader, which answers `Done`.
    /// Control plane only.
    Transfer { name: MemberName },
    /// Proposes a command as it is, for example a croak. Refused for commands with a password hash, and for commands that
    /// only members propose.
    Write(Request),
    /// Creates an account. The backend validates the form, hashes the password and proposes.
    CreateAccount { id: RequestId, submitted_at: LogIndex, form: NewAccount },
    /// Logs in. The backend checks the password and proposes. `token` is the hash of a token that the client made.
    LogIn {
        id: RequestId,
        submitted_at: LogIndex,
        username: String,
        password: Password,
        token: TokenHash,
        /// Name of the device, as it calls itself; may be empty.
        device: String,
        /// App that the session is for.
        app: Option<Box<AppLogIn>>,
    },
    /// Deletes the account of the session. The backend checks the password and proposes.
    DeleteAccount { id: RequestId, submitted_at: LogIndex, session: TokenHash, password: Password },
    /// Reads a state at least as new as `seen`, except with `Consistency::Stale`.
    Read { seen: Option<Token>, consistency: Consistency, query: Query },
    /// Subscribes to the events behind the cursor. It must be the first request on its connection, which then carries only
    /// the answers to it until either side closes it: `Live` batches, and at the end `Lapsed`, `Refused` (the session has
    /// ended) or `Unavailable`. The client sends nothing more. Client plane for feeds, control plane for the namespace.
    Subscribe { cursor: Token, wanted: Topic },
    /// Renews the leases of the owner of this token. Answered `Renewed` once the leader has acknowledged it. Client and
    /// control plane.
    Renew { token: TokenHash },
    /// Assigns a server to the client of this id, which has used the server `before`.
    GetServer { client: u64, before: Option<String> },
    /// Returns recent changes among the servers, with their reasons. Answered by every member.
    History,
    /// Asks where to read or write. Answered by balancers only. Directory plane.
    Directory(DirectoryAsk),
    /// Changes the password of the session's owner. The backend checks the old password, hashes the new one and proposes.
    ChangePassword { id: RequestId, submitted_at: LogIndex, session: TokenHash, old: Password, new: Password },
    /// Sets a user's password, as an operator. Answered by backends. Control plane only.
    SetPassword { id: RequestId, submitted_at: LogIndex, username: String, password: Password },
    /// Reads the rows of a member as of one index. Answered by every member of the cluster. Control plane only.
    Pin(PinAsk),
    /// Sets a new password with the code of a one-time link, of which `code` is the hash. The backend hashes the password and
    /// proposes.
    ResetPassword { id: RequestId, submitted_at: LogIndex, code: TokenHash, password: Password },
    /// Permits the session changes that need a role, for some minutes. The backend checks the password and proposes.
    Confirm { id: RequestId, submitted_at: LogIndex, session: TokenHash, password: Password },
    /// Returns the newest key of the cluster. Answered by every member. Control plane only.
    NewestKey,
    /// Stores a new key of the cluster, which follows the newest one of this member. Control plane only.
    TakeKey(ClusterKey),
}

/// Request to a balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectoryAsk {
    /// Assigns a backend to read from. The reader counts as a client of that backend until it sends `Left`, or until its
    /// lease ends. Another `Read` under the same id renews the lease.
    Read { client: Option<ReaderId> },
    /// Returns the backends to write to.
    Write,
    /// Reports that the backend at this address does not answer.
    Down { address: String },
    /// Ends the lease of a reader.
    Left { client: ReaderId },
}

/// Id of a reader that a balancer has assigned to a backend; chosen by the reader or by the balancer.
pub type ReaderId = u64;

impl Ask {
    /// Returns true if answering may wait for the disk. Other requests are answered on the thread of the sockets.
    pub fn reads_store(&self) -> bool {
        !matches!(self, Ask::NodeStatus | Ask::Write(_))
    }
}

/// Password on its way from a form to the hash. `Debug` does not show it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Form of a new account, as the user entered it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewAccount {
    pub name: String,
    pub username: String,
    pub email: String,
    pub password: Password,
    /// Hash of the code of an invitation.
    pub invitation: Option<TokenHash>,
}

/// Answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    NodeStatus(Box<NodeStatus>),
    /// Final result of a write: applied, or refused by the rules. It is the same on every member.
    Written {
        token: Token,
        outcome: Outcome,
    },
    /// Result of a read. `old` is set when this node has not heard from a leader recently, so the result may be outdated.
    Read {
        token: Token,
        old: bool,
        page: Result<Page, Denied>,
    },
    /// Final refusal before the request was proposed, for example of an invalid form or a wrong password.
    Refused(Denied),
    /// The request has no result here, for example without a leader or with a full queue. The client may send the same
    /// request, with the same id, to any server.
    Unavailable(UnavailableReason),
    /// Batch of a subscription: all matching events from the previous cursor up to this one, in order. It may be empty:
    /// an idle subscription sends one at least every `limits::LIVE_BEAT`.
    Live {
        cursor: Token,
        events: Vec<Event>,
    },
    /// End of a subscription: the events behind the client's cursor are missing here. The client reads its view again, at
    /// least as new as `resume_at`, and subscribes from there.
    Lapsed {
        resume_at: Token,
        why: LapseReason,
    },
    /// The leader has renewed the lease, for this time from when the request was sent. A holder stops at half of it.
    Renewed {
        lease_ms: u32,
    },
    /// Server to use, or `None` if no backend is available. `changed` is set if it is not the one used before.
    Server {
        server: Option<AssignedServer>,
        changed: bool,
    },
    /// Recent changes among the servers, the newest last.
    History(Vec<HistoryLine>),
    /// Answer of a balancer. It answers `Unavailable` when there is no suitable backend.
    Directory(DirectoryAnswer),
    Pin(PinAnswer),
    Key(ClusterKey),
}

/// Backend that was assigned to a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedServer {
    pub name: MemberName,
    /// HOST:PORT.
    pub address: String,
    /// Region of the client. If no server of it is available, the server is in the next region that has one.
    pub home: u32,
}

/// Change among the servers, as text for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// Milliseconds since 1970 by the wall clock of the reporting member, which may be wrong.
    pub wall_ms: u64,
    pub words: String,
}

/// Answer of a balancer, with the variants of [`DirectoryAsk`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectoryAnswer {
    /// Backend to read from. The reader `client` keeps its assignment for `lease_ms` from now.
    Read { client: ReaderId, lease_ms: u32, backend: BackendEntry },
    /// Backends to write to: first the leader, if it is a backend, then the others that are in sync.
    Write(Vec<BackendEntry>),
    /// Result of the balancer's check of the backend that was reported down.
    Down(DownCheck),
    /// True if the reader had an assignment.
    Left { known: bool },
}

/// Backend as a balancer knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendEntry {
    pub name: MemberName,
    /// HOST:PORT.
    pub address: String,
    pub leads: bool,
    pub in_sync: bool,
    /// Number of its clients, including the readers that this balancer has assigned to it.
    pub clients: u32,
}

/// Result of a balancer's check of an address that was reported down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DownCheck {
    /// The backend answers, so nothing changes.
    Answers,
    /// The backend does not answer. No client is sent there until it does.
    Silent,
    /// No member has this address.
    Unknown,
}

/// Reason why a subscription cannot continue from a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LapseReason {
    /// The cursor is older than the events that this node keeps.
    Compacted,
    /// The client was too slow, and this node has dropped the next events.
    Behind,
    /// The cursor belongs to another history, or lies beyond the commit index.
    OtherHistory,
}

/// Reason why a server has no result for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum UnavailableReason {
    #[error("no leader is known")]
    NoLeader,
    #[error("too many requests are pending")]
    Busy,
    #[error("this member lags too far behind")]
    Behind,
    /// The store is not open yet, or the process is ending.
    #[error("this member is starting or stopping")]
    NotServing,
    /// The client's token belongs to another history, or lies beyond the commit index. The client has to start without a
    /// token.
    #[error("this member has another history")]
    OtherHistory,
}

/// Status that a member reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    pub cluster: ClusterId,
    /// `None` before this node has joined the cluster.
    pub history: Option<HistoryId>,
    /// The member itself.
    pub me: MemberInfo,
    pub leader: Option<RaftId>,
    pub term: u64,
    /// Voters that a majority may count on: while a configuration changes, those that vote before and after it.
    pub voters: Vec<RaftId>,
    pub learners: Vec<RaftId>,
    /// True while a leader was heard within the election timeout and this member follows it without a large lag, so that
    /// it may serve clients.
    pub in_sync: bool,
    /// Time without progress while entries of the leader are missing, in seconds; 0 while this member follows.
    pub stalled_s: u32,
    /// Members that lag far behind or have made no progress for ten seconds, as the leader sees them; empty on followers.
    pub lagging: Vec<RaftId>,
    /// The other members, from the replicated state and from what they last reported.
    pub others: Vec<MemberInfo>,
    pub store: StoreStatus,
    pub leases: LeaseStatus,
    /// True while this member accepts an older key than `me.key`, too.
    pub accepts_old_key: bool,
    /// Version and build: `0.1.0 (1a2b3c4d, aarch64-unknown-linux-musl)`.
    pub build: String,
    /// Rules level of the cluster as far as this member has applied; 0 if unknown.
    pub rules_level: u32,
    /// True if upgrades finish by themselves.
    pub auto_finish: bool,
}

/// Leases, as far as the reporting member has applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseStatus {
    /// True while the leader has acknowledged this member's lease recently, so that its locks are certainly its own.
    pub holds: bool,
    /// Members with a lease.
    pub active: Vec<RaftId>,
    /// Masters of the regions that have one.
    pub masters: Vec<Master>,
}

/// Holder of the lock `/clusters/N/master` of region N.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Master {
    /// Region.
    pub region: u32,
    pub raft_id: RaftId,
    /// Fencing token of the lock.
    pub fence: LogIndex,
}

/// Status of a member's store and its disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// Size of the store's files, in bytes of disk.
    pub bytes: u64,
    /// Maximum size of the store's files, in bytes.
    pub quota_bytes: u64,
    /// Free space on their file system, in bytes.
    pub free_bytes: u64,
    /// True while the quota is exceeded and growing writes are refused.
    pub full: bool,
    /// Seconds since the last complete scrub of the store; `None` before the first one is complete.
    pub scrubbed_s: Option<u64>,
    /// Bytes that the process has written to disks since it was started, as the kernel counts them; 0 if unknown.
    pub written_bytes: u64,
    /// Time over which they were written, in seconds.
    pub written_s: u64,
    /// True while the store has no data and its server waits to join or to found. False while it is being opened.
    pub is_empty: bool,
}

/// Member as another member sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// 0 before it has joined.
    pub raft_id: RaftId,
    pub role: Role,
    /// Number of the member among those of its role and region.
    pub id: u32,
    /// HOST:PORT.
    pub address: String,
    /// Boot id of its machine; empty if unknown.
    pub machine: String,
    /// Process id; 0 if no report was received.
    pub pid: u32,
    /// Index up to which it has applied the log.
    pub applied: LogIndex,
    /// Number of connections on its client plane.
    pub clients: u32,
    /// Newest level of the rules that it supports.
    pub rules_level: u32,
    /// Its region.
    pub region: u32,
    /// Host name of its machine, for display.
    pub host: String,
    /// True while it follows a leader without a large lag, so that it may serve clients.
    pub in_sync: bool,
    /// Load average of its machine over the last minute, in hundredths of a runnable process.
    pub load_hundredths: u32,
    /// Incarnation of its process, new at each start; 0 if no report was received.
    pub incarnation: u64,
    /// The newest key of the cluster that it has stored.
    pub key: KeyId,
}

impl Default for MemberInfo {
    /// Returns an unknown backend in the home region.
    fn default() -> MemberInfo {
        MemberInfo {
            raft_id: 0,
            role: Role::Backend,
            id: 0,
            address: String::new(),
            machine: String::new(),
            pid: 0,
            applied: 0,
            clients: 0,
            rules_level: 0,
            region: HOME_REGION,
            host: String::new(),
            in_sync: false,
            load_hundredths: 0,
            incarnation: 0,
            key: KeyId::default(),
        }
    }
}

impl MemberInfo {
    /// Returns the name as text, for example `backend-2`.
    pub fn name(&self) -> String {
        self.member_name().to_string()
    }

    /// Returns the name.
    pub fn member_name(&self) -> MemberName {
        MemberName { role: self.role, region: self.region, id: self.id }
    }
}
