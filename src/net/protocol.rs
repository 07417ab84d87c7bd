//! What is said on the client and control planes, and the words members exchange about themselves.
//!
//! Enum variants are numbered by their position: new ones go at the end.

use super::pinned::{PinAnswer, PinAsk};
use ribbit_state::command::NewMember;
use ribbit_state::{
    ClusterId, Consistency, Denied, Event, HOME, HistoryId, LogIndex, MemberName, Outcome, Page, Query,
    RaftId, Request, RequestId, Role, Token, TokenHash, Wanted,
};
use serde::{Deserialize, Serialize};

/// A question, with what is needed to match and bound its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskFrame {
    /// Chosen by the asker; the answer carries it back. Answers come in any order.
    pub tag: u32,
    /// How long the asker will wait, in milliseconds from when the question is read. At most
    /// `limits::ASK_DEADLINE_MAX`.
    pub deadline_ms: u32,
    pub ask: Ask,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerFrame {
    pub tag: u32,
    pub answer: Answer,
}

/// Everything one may ask a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Ask {
    /// Who are you, how are you, whom do you know? Answered by every member, at any time.
    NodeStatus,
    /// A process with an empty store wants to belong. Control plane only.
    Join { cluster: ClusterId, id: RequestId, site: u32, member: NewMember },
    /// A member's name has no store any more, or a damaged one: it has to leave before it may join again. Refused
    /// while the member is alive, unless `alive` says that it should go nevertheless. Control plane only.
    Lose { id: RequestId, name: MemberName, alive: bool },
    /// A member should learn and not vote, or vote again. Control plane only.
    Drain { id: RequestId, name: MemberName, drained: bool },
    /// This member should lead. Answered `Done` by the leader once it has asked; whether it worked, status says.
    /// Control plane only.
    Transfer { name: MemberName },
    /// A command as it is: croak, friends, log out. Commands that carry a hash of a password, and those that
    /// only members propose, are refused here.
    Write(Request),
    /// The backend checks the form, hashes the password and proposes.
    CreateAccount { id: RequestId, born: LogIndex, form: NewAccount },
    /// The backend checks the password and proposes. `token` is the hash of a token that the asker made.
    LogIn { id: RequestId, born: LogIndex, username: String, password: Password, token: TokenHash },
    /// The backend checks the password of the session's owner and proposes.
    DeleteAccount { id: RequestId, born: LogIndex, session: TokenHash, password: Password },
    /// A read, at least as new as `seen` except under `Consistency::Stale`.
    Read { seen: Option<Token>, consistency: Consistency, query: Query },
    /// What happens behind the cursor, as it happens. Client plane only, the first ask of its connection, which from
    /// then on carries answers to this alone, until either side closes it: `Live` pieces, and at the end `Lapsed`,
    /// `Refused` (the session is over) or `Unavailable`. The asker says nothing more.
    Subscribe { cursor: Token, wanted: Wanted },
    /// The owner of this token is there; answered `Renewed` once the leader has heard it. Control and client plane.
    Renew { token: TokenHash },
    /// Which server a client should use, its id being this, and having used that one.
    GetServer { client: u64, before: Option<String> },
    /// What happened lately among the servers, and why. Answered by every member.
    History,
    /// Where to go. A balancer's to answer; members refuse it. Control plane only.
    Directory(Directory),
    /// The backend checks the old password of the session's owner, hashes the new one and proposes.
    ChangePassword { id: RequestId, born: LogIndex, session: TokenHash, old: Password, new: Password },
    /// An operator gives somebody a new password. Answered by backends. Control plane only.
    SetPassword { id: RequestId, born: LogIndex, username: String, password: Password },
    /// About the rows at one index, kept for a while. Answered by every member that belongs. Control plane only.
    Pin(PinAsk),
}

/// What one may ask a balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Directory {
    /// Which backend should I read from? The asker counts as a client of that one until it says `Left` or is not
    /// heard of for as long as the answer says; asking again under the same number renews its place.
    Read { client: Option<ReaderId> },
    /// Which backends may I write to?
    Write,
    /// The backend at this address does not answer me.
    Down { address: String },
    /// This reader has gone.
    Left { client: ReaderId },
}

/// Who reads where a balancer told it to: chosen by the asker, or handed out by the balancer.
pub type ReaderId = u64;

impl Ask {
    /// Whether answering it may wait for the store's disk. What does not is answered where the sockets are.
    pub fn reads_store(&self) -> bool {
        !matches!(self, Ask::NodeStatus | Ask::Write(_))
    }
}

/// A password on its way from a form to the hash. Never shown by `Debug`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// As typed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewAccount {
    pub name: String,
    pub username: String,
    pub email: String,
    pub password: Password,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    NodeStatus(Box<NodeStatus>),
    /// The write was carried out or refused, by everybody, for good.
    Written {
        token: Token,
        outcome: Outcome,
    },
    /// `old`: this node has not heard from a leader lately, so this may be old.
    Read {
        token: Token,
        old: bool,
        page: Result<Page, Denied>,
    },
    /// Refused before it was proposed (a form that is not valid, a wrong password). Final.
    Refused(Denied),
    /// Nothing was decided here in time (no leader, a full queue, this node too far behind). The same
    /// question, with the same id, may be asked again anywhere.
    Unavailable(Why),
    /// A piece of a stream: everything wanted that happened behind the piece before it, in order, up to the cursor.
    /// Often nothing: a stream is heard of at least every `limits::LIVE_BEAT`.
    Live {
        cursor: Token,
        events: Vec<Event>,
    },
    /// The end of a stream: what follows the asker's cursor is not known here. Read again what is shown, at least as
    /// new as `resume_at`, and subscribe from what was read.
    Lapsed {
        resume_at: Token,
        why: Lapse,
    },
    /// The leader let this lease go on: for this long from when it was asked. A holder stops at half of it.
    Renewed {
        lease_ms: u32,
    },
    /// The server to use; `changed`: not the one that was used before. Nothing: nobody is there at all.
    Server {
        server: Option<ServerChoice>,
        changed: bool,
    },
    /// The newest last.
    History(Vec<HistoryLine>),
    /// Where to go; `Unavailable` when there is nowhere.
    Directions(Directions),
    Pin(PinAnswer),
}

/// A backend that serves a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerChoice {
    pub name: MemberName,
    /// HOST:PORT.
    pub address: String,
    /// The client's own cluster; when nobody of it is there, the server is of the next one that has somebody.
    pub home: u32,
}

/// Something that happened, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// By the wall clock of who tells it, which may be wrong.
    pub wall_ms: u64,
    pub words: String,
}

/// What a balancer answers, in the order of [`Directory`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Directions {
    /// Read from this one. `client` has its place there for `lease_ms` from now.
    Read { client: ReaderId, lease_ms: u32, backend: BackendAt },
    /// Write to these: the leader first, where it is a backend, then whoever else is in sync.
    Write(Vec<BackendAt>),
    /// What the balancer found when it looked for the one reported down.
    Down(Finding),
    /// Whether the reader that left had a place.
    Left { known: bool },
}

/// A backend as a balancer knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendAt {
    pub name: MemberName,
    /// HOST:PORT.
    pub address: String,
    pub leads: bool,
    pub in_sync: bool,
    /// Its clients, and the readers that this balancer has sent there.
    pub clients: u32,
}

/// What is at an address that was reported down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    /// It answers: nothing changes.
    Answers,
    /// It does not: nobody is sent there until it does.
    Silent,
    /// No member is known there.
    Unknown,
}

/// Why a stream cannot go on from a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lapse {
    /// It lies before what this node remembers.
    Compacted,
    /// The reader was too slow: this node remembers no more what comes next.
    Behind,
    /// It is of another history, or beyond all that was ever committed in this one.
    OtherHistory,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    NoLeader,
    Busy,
    Behind,
    /// The store is not open yet, or this process is ending.
    NotServing,
    /// The asker's token is of another history, or beyond all that was ever committed in this one: start afresh.
    OtherHistory,
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    pub cluster: ClusterId,
    /// Nothing before this node joined a group.
    pub history: Option<HistoryId>,
    pub me: MemberInfo,
    pub leader: Option<RaftId>,
    pub term: u64,
    pub voters: Vec<RaftId>,
    pub learners: Vec<RaftId>,
    /// Heard from a leader within the election timeout, not far behind and following: fit to serve people.
    pub in_sync: bool,
    /// Seconds for which this member has applied nothing although the leader has; 0 while it follows.
    pub stalled_s: u32,
    /// The leader's view: the members that are far behind, or without progress for ten seconds. Empty on other members.
    pub lagging: Vec<RaftId>,
    /// The other members, as far as this node knows: from the replicated state, and from what they last said.
    pub others: Vec<MemberInfo>,
    pub store: StoreStatus,
    pub leases: LeaseStatus,
}

/// Who is there, as far as this node has applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseStatus {
    /// What this node holds is surely its own: the leader has heard it lately.
    pub holds: bool,
    /// Members that have a lease.
    pub active: Vec<RaftId>,
    /// The master of each cluster that has one.
    pub masters: Vec<Master>,
}

/// Who holds `/clusters/SITE/master`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Master {
    pub site: u32,
    pub raft_id: RaftId,
    pub fence: LogIndex,
}

/// How a member's store and its disk are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// Bytes of disk that the store's files take.
    pub bytes: u64,
    /// Bytes that they may take.
    pub quota_bytes: u64,
    /// Bytes left on their file system.
    pub free_bytes: u64,
    /// Nothing that grows is taken here.
    pub full: bool,
    /// Seconds since everything was last read and checked; nothing if that has not come to an end yet.
    pub scrubbed_s: Option<u64>,
}

/// A member as another sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// 0 before it joined.
    pub raft_id: RaftId,
    pub role: Role,
    pub id: u32,
    /// HOST:PORT.
    pub address: String,
    /// The machine's boot id; empty if unknown.
    pub machine: String,
    /// 0 if it was never heard.
    pub pid: u32,
    pub applied: LogIndex,
    /// Connections on the client plane.
    pub clients: u32,
    /// The newest rules level it understands.
    pub rules_level: u32,
    /// The number of the cluster it serves.
    pub site: u32,
    /// The machine's name, for people.
    pub host: String,
    /// Heard from a leader lately and not far behind: fit to serve.
    pub in_sync: bool,
    /// The machine's load in hundredths: how many processes want to run, over the last minute.
    pub load_hundredths: u32,
    /// This life of its process; 0 if it was never heard.
    pub incarnation: u64,
}

impl Default for MemberInfo {
    /// A backend of the home cluster of which nothing is known.
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
            site: HOME,
            host: String::new(),
            in_sync: false,
            load_hundredths: 0,
            incarnation: 0,
        }
    }
}

impl MemberInfo {
    /// `backend-2`: what people call it.
    pub fn name(&self) -> String {
        self.who().to_string()
    }
    pub fn who(&self) -> MemberName {
        MemberName { role: self.role, site: self.site, id: self.id }
    }
}
