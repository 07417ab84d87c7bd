//! What can be asked of the group, and what it answers.
//!
//! A [`Request`] is what travels and retries; the leader adds a [`Stamp`] and proposes both as one log entry.
//! Adding a variant at the end of [`Command`] or [`Reply`] keeps old logs readable; changing one does not.

use super::accounts::{AccountCommand, OperatorCommand};
use super::code::Denied;
use super::ids::{AccountId, HistoryId, LogIndex, RaftId, RequestId, TokenHash};
use super::leases::{Ending, LeaseCommand};
use super::limits::{CLUSTERS_MAX, REQUEST_BYTES_MAX};
use super::messages::MessageCommand;
use super::namespace::TreeCommand;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A write, as its asker sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Kept through every retry, on any backend, after any crash.
    pub id: RequestId,
    /// The newest index its asker knew when it was made: a request born before the window of remembered
    /// requests is refused, never applied twice.
    pub born: LogIndex,
    pub command: Command,
}

impl Request {
    /// Whether it may cost a log entry at all: a bound that the wire does not set.
    pub fn fits(&self) -> bool {
        let counted = postcard::serialize_with_flavor(self, postcard::ser_flavors::Size::default());
        counted.is_ok_and(|bytes| bytes <= REQUEST_BYTES_MAX)
    }
}

/// What the leader fixes at the moment of proposing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Milliseconds since 1970 by the leader's wall clock, which may be wrong: for display alone.
    pub wall_ms: u64,
    /// The cluster's age: milliseconds that it has been running. The rules never let it fall.
    pub age_ms: u64,
}

/// What a log entry holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    pub stamp: Stamp,
    pub request: Request,
}

/// What a member does in the group.
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

/// The cluster where voters sit, and where everybody is who was not told otherwise.
pub const HOME: u32 = 1;

/// How many clusters further on than `home` this one is, going round: who has nobody at home goes to the next.
pub fn clusters_on(home: u32, site: u32) -> u32 {
    (site.min(CLUSTERS_MAX) + CLUSTERS_MAX - home.min(CLUSTERS_MAX)) % CLUSTERS_MAX
}

/// What people call a member, and its folder's name: `backend-2` in the home cluster, `backend-2@3` in the third.
///
/// `site` is the number of a cluster of servers, everywhere: `cluster` is the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberName {
    pub role: Role,
    pub site: u32,
    pub id: u32,
}

impl MemberName {
    /// A member of the home cluster.
    pub fn at_home(role: Role, id: u32) -> MemberName {
        MemberName { role, site: HOME, id }
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.role.name(), self.id)?;
        if self.site == HOME { Ok(()) } else { write!(f, "@{}", self.site) }
    }
}

impl FromStr for MemberName {
    type Err = ();
    fn from_str(text: &str) -> Result<MemberName, ()> {
        let (role, numbers) = text.rsplit_once('-').ok_or(())?;
        let role =
            [Role::Backend, Role::Coordinator].into_iter().find(|known| known.name() == role).ok_or(())?;
        let (id, site) = match numbers.split_once('@') {
            Some((id, site)) => (id, site.parse().map_err(drop)?),
            None => (numbers, HOME),
        };
        let name = MemberName { role, site, id: id.parse().map_err(drop)? };
        // What is typed otherwise (`backend-+2`, `backend-02`) is nobody's name.
        if name.to_string() == text { Ok(name) } else { Err(()) }
    }
}

/// Everything that changes what is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// `password_hash` is an argon2id PHC string made outside the rules, its salt derived from the request id
    /// so that a retry through another backend is the same command.
    CreateAccount {
        username: String,
        name: String,
        email: String,
        password_hash: String,
    },
    /// The password was checked against this account at this credential version.
    LogIn {
        account: AccountId,
        credential_version: u32,
        token: TokenHash,
    },
    LogOut {
        session: TokenHash,
    },
    Croak {
        session: TokenHash,
        text: String,
    },
    AddFriend {
        session: TokenHash,
        username: String,
    },
    RemoveFriend {
        session: TokenHash,
        username: String,
    },
    /// The password was checked at this credential version. Marks at once; `Sweep` removes the rows.
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
    /// Proposed by the founder as the group's first command: names the history and enters the first member.
    Found {
        history: HistoryId,
        member: NewMember,
    },
    /// A process with an empty store asks to belong; the reply hands out its Raft id.
    Join {
        /// The region that it serves.
        site: u32,
        member: NewMember,
    },
    /// What a member says of itself has changed: where it is reached, where it runs, what it understands.
    Describe {
        raft_id: RaftId,
        address: String,
        machine: String,
        rules_level: u32,
    },
    /// This member's store is lost, damaged or older than it was: it has to leave. Answers `Stepped` while the
    /// group still has it, `Done` once it is gone. Proposed by whoever runs under its name, or by an operator.
    Lose {
        name: MemberName,
    },
    /// This member should learn and not vote, or vote again.
    Drain {
        name: MemberName,
        drained: bool,
    },
    /// A lost member that is out of the configuration is forgotten. Proposed by the leader.
    Forget {
        raft_id: RaftId,
    },
    /// Commands of this rules level may be given from now on. Proposed by the leader once every member
    /// understands it.
    RaiseRules {
        level: u32,
    },
    /// Something in the lock namespace.
    Tree(TreeCommand),
    /// Who is there, and who is not.
    Lease(LeaseCommand),
    /// Direct messages, and what was read.
    Message(MessageCommand),
    /// What people change of what is theirs.
    Account(AccountCommand),
    /// What those who run the group change of what is people's.
    Operate(OperatorCommand),
    /// The same password under stronger parameters. It was checked against the hash whose [digest](super::accounts::hash_digest) is
    /// `before`, at this credential version, which stays: no session ends.
    Rehash {
        account: AccountId,
        credential_version: u32,
        before: u64,
        password_hash: String,
    },
}

impl Command {
    /// The rules level that a cluster must have reached before this command may be given. A command that is added
    /// later gets a higher one, so that members of mixed versions never apply it differently.
    pub fn rules_level(&self) -> u32 {
        match self {
            Command::CreateAccount { .. }
            | Command::LogIn { .. }
            | Command::LogOut { .. }
            | Command::Croak { .. }
            | Command::AddFriend { .. }
            | Command::RemoveFriend { .. }
            | Command::DeleteAccount { .. }
            | Command::Sweep { .. }
            | Command::IndexCroaks
            | Command::Found { .. }
            | Command::Join { .. }
            | Command::Describe { .. }
            | Command::Lose { .. }
            | Command::Drain { .. }
            | Command::Forget { .. }
            | Command::RaiseRules { .. }
            | Command::Tree(_)
            | Command::Lease(_)
            | Command::Message(_)
            | Command::Account(_)
            | Command::Operate(_)
            | Command::Rehash { .. } => 1,
        }
    }

    /// The session in whose name it is given, if it is given in anybody's. Not the one that a log-in opens.
    pub fn session_mut(&mut self) -> Option<&mut TokenHash> {
        match self {
            Command::LogOut { session }
            | Command::Croak { session, .. }
            | Command::AddFriend { session, .. }
            | Command::RemoveFriend { session, .. }
            | Command::DeleteAccount { session, .. }
            | Command::Lease(LeaseCommand::EnterChat { session, .. }) => Some(session),
            Command::Message(
                MessageCommand::Send { session, .. }
                | MessageCommand::Mark { session, .. }
                | MessageCommand::ReadFeed { session, .. },
            ) => Some(session),
            Command::Account(
                AccountCommand::Describe { session, .. }
                | AccountCommand::ChangePassword { session, .. }
                | AccountCommand::EndSession { session, .. }
                | AccountCommand::EndOtherSessions { session }
                | AccountCommand::RemoveCroak { session, .. },
            ) => Some(session),
            Command::CreateAccount { .. }
            | Command::LogIn { .. }
            | Command::Sweep { .. }
            | Command::IndexCroaks
            | Command::Found { .. }
            | Command::Join { .. }
            | Command::Describe { .. }
            | Command::Lose { .. }
            | Command::Drain { .. }
            | Command::Forget { .. }
            | Command::RaiseRules { .. }
            | Command::Tree(_)
            | Command::Lease(_)
            | Command::Operate(_)
            | Command::Rehash { .. } => None,
        }
    }

    /// Whether it follows from what one leader has heard, and is worth nothing under another.
    pub fn is_judgement(&self) -> bool {
        matches!(self, Command::Lease(LeaseCommand::End { why: Ending::Missed { .. }, .. }))
    }

    /// Whether people add something with it that stays: refused when the disks are full. Logging in does not count
    /// (sessions are few, and who wants to delete something has to), nor does what keeps the group going.
    pub fn grows(&self) -> bool {
        match self {
            Command::CreateAccount { .. }
            | Command::Croak { .. }
            | Command::AddFriend { .. }
            | Command::Message(MessageCommand::Send { .. }) => true,
            Command::Tree(command) => {
                matches!(
                    command,
                    TreeCommand::Write { .. } | TreeCommand::Touch { .. } | TreeCommand::MakeFolder { .. }
                )
            }
            Command::LogIn { .. }
            | Command::LogOut { .. }
            | Command::RemoveFriend { .. }
            | Command::DeleteAccount { .. }
            | Command::Sweep { .. }
            | Command::IndexCroaks
            | Command::Found { .. }
            | Command::Join { .. }
            | Command::Describe { .. }
            | Command::Lose { .. }
            | Command::Drain { .. }
            | Command::Forget { .. }
            | Command::RaiseRules { .. }
            | Command::Lease(_)
            | Command::Message(_)
            | Command::Account(_)
            | Command::Operate(_)
            | Command::Rehash { .. } => false,
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

impl From<AccountCommand> for Command {
    fn from(command: AccountCommand) -> Command {
        Command::Account(command)
    }
}

impl From<OperatorCommand> for Command {
    fn from(command: OperatorCommand) -> Command {
        Command::Operate(command)
    }
}

impl From<LeaseCommand> for Command {
    fn from(command: LeaseCommand) -> Command {
        Command::Lease(command)
    }
}

/// Who asks to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMember {
    pub role: Role,
    /// The number in `backend --id 2`: names the member together with its role.
    pub id: u32,
    /// HOST:PORT, a hint.
    pub address: String,
    /// The machine it runs on (its boot id), so that `status` can count machines. May be empty.
    pub machine: String,
    /// The newest rules level it understands.
    pub rules_level: u32,
}

/// What a command that was carried out answers. Holds no secrets.
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
    /// A bounded step was done; `more` tells that another one is needed.
    Stepped {
        more: bool,
    },
    /// A lease began here.
    Leased {
        lease: LogIndex,
    },
    /// The lock is the asker's, under this fencing number.
    Fenced {
        fence: LogIndex,
    },
    /// A client's id.
    Client {
        id: u64,
    },
    /// The message is saved; its id is its log index.
    Sent {
        message: LogIndex,
    },
}

/// What became of a command: the same on every member.
pub type Outcome = Result<Reply, Denied>;
