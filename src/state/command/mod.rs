//! Requests, the commands they carry, and the replies.
//!
//! A client sends a [`Request`] and repeats it unchanged when it retries. The leader adds a [`Stamp`] and proposes both
//! as one log entry. A variant may be added at the end of [`Command`] or [`Reply`]: old logs stay readable. An existing
//! variant never changes.

mod groups;

pub use crate::audience::Audience;
use crate::code::Denied;
use crate::ids::{AccountId, AppId, HistoryId, KeyId, LogIndex, RaftId, RequestId, TokenHash};
use crate::limits::{REGIONS_MAX, REQUEST_BYTES_MAX};
pub use groups::{
    AccessCommand, AccountChanges, AccountCommand, AppCommand, AppLogIn, ConversationCommand, Guard,
    InvitationTerms, LeaseCommand, LeaseEnd, MemberChange, MessageCommand, NewPerson, NoticeCommand,
    OperatorCommand, RelationCommand, ReportSubject, RoomCommand, TreeCommand, UnreplicatedAct, Verdict,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A write, as the client sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Idempotency key: stays the same through every retry, on any backend and after any crash.
    pub id: RequestId,
    /// The newest log index that the client knew when it made the request. A request that was submitted before the
    /// deduplication window is refused instead of risking a second application.
    pub submitted_at: LogIndex,
    /// Sender of an act that the audit log records. The member that receives the request from a client sets it, and ignores
    /// what the client has sent. No part of the command, so that a retry through another member is the same one.
    pub origin: Option<Box<Origin>>,
    pub command: Command,
}

impl Request {
    /// Returns true if the request is small enough for one log entry. The wire sets no such bound.
    pub fn fits(&self) -> bool {
        let bytes = postcard::to_extend(self, Vec::new());
        bytes.is_ok_and(|bytes| bytes.len() <= REQUEST_BYTES_MAX)
    }
}

/// Sender of an act, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Name under which the sender acts, at most `OPERATOR_BYTES_MAX` bytes; may be empty.
    pub operator: String,
    /// IP address of the sender; empty for a member's own command.
    pub address: String,
}

/// Values that the leader fixes when it proposes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Wall clock of the leader, in milliseconds since 1970. It may be wrong: for display only.
    pub wall_ms: u64,
    /// Cluster age: milliseconds that the cluster has been running. The rules never let it fall.
    pub age_ms: u64,
}

/// Content of a log entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    pub stamp: Stamp,
    pub request: Request,
}

/// Kind of a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    #[default]
    Backend,
    Coordinator,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Backend => "backend",
            Role::Coordinator => "coordinator",
        }
    }
}

/// The home region: all voters are in it, and it is the default of every member and client.
pub const HOME_REGION: u32 = 1;

/// Returns how many regions further than `home` the region `region` is, counting round from the last to the first. A
/// client without a server at home uses the nearest in this order.
pub fn regions_after(home: u32, region: u32) -> u32 {
    (region.min(REGIONS_MAX) + REGIONS_MAX - home.min(REGIONS_MAX)) % REGIONS_MAX
}

/// Name of a member and of its folder: `backend-2` in the home region, `backend-2@3` in region 3.
///
/// `region` is the number of the region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberName {
    pub role: Role,
    pub region: u32,
    pub id: u32,
}

impl MemberName {
    /// Returns the name of a member in the home region.
    pub fn at_home(role: Role, id: u32) -> MemberName {
        MemberName { role, region: HOME_REGION, id }
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.role.name(), self.id)?;
        if self.region == HOME_REGION { Ok(()) } else { write!(f, "@{}", self.region) }
    }
}

impl FromStr for MemberName {
    type Err = ();
    fn from_str(text: &str) -> Result<MemberName, ()> {
        let (role, numbers) = text.rsplit_once('-').ok_or(())?;
        let role =
            [Role::Backend, Role::Coordinator].into_iter().find(|known| known.name() == role).ok_or(())?;
        let (id, region) = match numbers.split_once('@') {
            Some((id, region)) => (id, region.parse().map_err(drop)?),
            None => (numbers, HOME_REGION),
        };
        let name = MemberName { role, region, id: id.parse().map_err(drop)? };
        // Rejects other spellings of the same numbers: `backend-+2`, `backend-02`.
        if name.to_string() == text { Ok(name) } else { Err(()) }
    }
}

/// A change to the replicated data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Creates an account. `password_hash` is an argon2id PHC string made outside the rules. Its salt is derived from
    /// the request id, so a retry through another backend is the same command. Answers `Created`, or `Requested`.
    CreateAccount {
        username: String,
        name: String,
        email: String,
        password_hash: String,
        /// Hash of the code of an invitation.
        invitation: Option<TokenHash>,
    },
    /// Opens a session. A backend has checked the password against this account at this credential version.
    LogIn {
        account: AccountId,
        credential_version: u32,
        token: TokenHash,
        /// Name of the device, as it calls itself; may be empty.
        device: String,
        /// App that the session is for. Its name takes the place of the device.
        app: Option<AppLogIn>,
    },
    LogOut {
        session: TokenHash,
    },
    /// Posts a croak, which answers `reply_to` if it is given.
    Croak {
        session: TokenHash,
        text: String,
        reply_to: Option<LogIndex>,
        /// Without one the audience applies that the account has set.
        audience: Option<Audience>,
    },
    AddFriend {
        session: TokenHash,
        username: String,
    },
    RemoveFriend {
        session: TokenHash,
        username: String,
    },
    /// Deletes the account that owns the session. A backend has checked the password at this credential version. The
    /// account is marked at once; `Sweep` removes its rows.
    DeleteAccount {
        session: TokenHash,
        credential_version: u32,
    },
    /// Removes up to `SWEEP_STEP` rows of a deleted account. Proposed by the leader.
    Sweep {
        account: AccountId,
    },
    /// Moves up to `INDEX_STEP` of the oldest unindexed croaks into the index by author. Proposed by the leader.
    IndexCroaks,
    /// First command of a cluster, proposed by its founder: names the history and adds the first member.
    FoundCluster {
        history: HistoryId,
        member: NewMember,
    },
    /// Adds a process with an empty store to the cluster. The reply assigns its Raft id.
    Join {
        /// The region that it serves.
        region: u32,
        member: NewMember,
    },
    /// Updates what a member reports about itself: its address, its machine, its rules level and its key.
    DescribeMember {
        raft_id: RaftId,
        address: String,
        machine: String,
        rules_level: u32,
        key: KeyId,
    },
    /// Marks a member whose store is lost, damaged or older than it was: it has to leave. Answers `Stepped` while the
    /// Raft group still contains it and `Done` once it is gone. Proposed by the process that runs under its name.
    MarkLost {
        name: MemberName,
    },
    /// Removes the row of a lost member that is out of the Raft configuration. Proposed by the leader.
    RemoveMember {
        raft_id: RaftId,
    },
    /// Changes the lock namespace.
    Tree(TreeCommand),
    /// Changes a lease.
    Lease(LeaseCommand),
    /// Sends a direct message, or records what was read.
    Message(MessageCommand),
    /// Changes the client's own account.
    Account(AccountCommand),
    /// Changes accounts and croaks in the name of an operator.
    Operator(OperatorCommand),
    /// Replaces a password hash by one of the same password under stronger parameters. A backend has checked the password
    /// against the hash with the [digest](crate::accounts::hash_digest) `before`, at this credential version. The version
    /// stays, so no session ends.
    Rehash {
        account: AccountId,
        credential_version: u32,
        before: u64,
        password_hash: String,
    },
    /// Changes the client's notices.
    Notice(NoticeCommand),
    /// Changes rooms, or says something in one.
    Room(RoomCommand),
    /// Mutes, blocks or reports.
    Relation(RelationCommand),
    /// Likes or shares a croak.
    Conversation(ConversationCommand),
    /// Gives access to an account by other means than its password.
    Access(AccessCommand),
    /// Registers apps and gives them access to accounts.
    App(AppCommand),
    /// Makes a change of operators in the name of an account with a role, see [`crate::accounts::govern`].
    Govern {
        session: TokenHash,
        change: OperatorCommand,
    },
    /// Refuses all keys of the cluster before this one. Proposed by the leader once every member has it.
    RaiseKey {
        key: KeyId,
    },
    /// Records a try of the join code in a slot, before its result is told. `nonce` names the code, `proven` is true if the
    /// other side knows it. Proposed by the member that was asked.
    TryJoinCode {
        slot: u8,
        nonce: u128,
        proven: bool,
    },
}

impl Command {
    /// Returns the command that posts a croak for the account's usual audience, which answers none.
    pub fn croak(session: TokenHash, text: impl Into<String>) -> Command {
        Command::Croak { session, text: text.into(), reply_to: None, audience: None }
    }

    /// Returns the rules level to which the command raises the cluster.
    pub fn raised_level(&self) -> Option<u32> {
        match self {
            Command::Operator(OperatorCommand::RaiseRules { level })
            | Command::Govern { change: OperatorCommand::RaiseRules { level }, .. } => Some(*level),
            _ => None,
        }
    }

    /// Returns the member that operators change with this command, and the change.
    pub fn member_change(&self) -> Option<(MemberName, MemberChange)> {
        match self {
            Command::Operator(OperatorCommand::ChangeMember { name, change })
            | Command::Govern { change: OperatorCommand::ChangeMember { name, change }, .. } => {
                Some((*name, *change))
            }
            _ => None,
        }
    }
}

impl From<TreeCommand> for Command {
    fn from(command: TreeCommand) -> Command {
        Command::Tree(command)
    }
}

impl From<MessageCommand> for Command {
    fn from(command: MessageCommand) -> Command {
        Command::Message(command)
    }
}

impl From<RelationCommand> for Command {
    fn from(command: RelationCommand) -> Command {
        Command::Relation(command)
    }
}

impl From<NoticeCommand> for Command {
    fn from(command: NoticeCommand) -> Command {
        Command::Notice(command)
    }
}

impl From<RoomCommand> for Command {
    fn from(command: RoomCommand) -> Command {
        Command::Room(command)
    }
}

impl From<ConversationCommand> for Command {
    fn from(command: ConversationCommand) -> Command {
        Command::Conversation(command)
    }
}

impl From<AccountCommand> for Command {
    fn from(command: AccountCommand) -> Command {
        Command::Account(command)
    }
}

impl From<AccessCommand> for Command {
    fn from(command: AccessCommand) -> Command {
        Command::Access(command)
    }
}

impl From<AppCommand> for Command {
    fn from(command: AppCommand) -> Command {
        Command::App(command)
    }
}

impl From<OperatorCommand> for Command {
    fn from(command: OperatorCommand) -> Command {
        Command::Operator(command)
    }
}

impl From<LeaseCommand> for Command {
    fn from(command: LeaseCommand) -> Command {
        Command::Lease(command)
    }
}

/// Description of a process that asks to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMember {
    pub role: Role,
    /// The number in `backend --id 2`. Together with the role and the region it names the member.
    pub id: u32,
    /// HOST:PORT where it was last reachable; a hint.
    pub address: String,
    /// The machine it runs on (its boot id), so that `status` can count machines. May be empty.
    pub machine: String,
    /// The newest rules level that it understands.
    pub rules_level: u32,
    /// The newest key of the cluster that it has.
    pub key: KeyId,
}

/// Reply to a command that was carried out. Contains no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    Done,
    Created {
        account: AccountId,
    },
    LoggedIn {
        account: AccountId,
    },
    /// The croak's id is its log index.
    Croaked {
        croak: LogIndex,
    },
    Joined {
        raft_id: RaftId,
        history: HistoryId,
    },
    /// One bounded step is done. `more` is true when another one is needed.
    Stepped {
        more: bool,
    },
    /// A lease began at this index.
    Leased {
        lease: LogIndex,
    },
    /// The client holds the lock under this fencing token.
    Fenced {
        fence: LogIndex,
    },
    /// The number assigned to a client.
    Client {
        id: u64,
    },
    /// The message is saved; its id is its log index.
    Sent {
        message: LogIndex,
    },
    /// The announcement is shown; its id is its log index.
    Announced {
        announcement: LogIndex,
    },
    /// The app is registered.
    Registered {
        app: AppId,
    },
    /// The account waits for the decision of an operator.
    Requested,
    /// The invitation works; its id is its log index, or the slot of a join code.
    Invited {
        invitation: LogIndex,
    },
}

/// Result of a command: the same on every member.
pub type Outcome = Result<Reply, Denied>;
