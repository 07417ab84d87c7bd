//! Commands by area: the lock tree, leases, messages, notices, rooms, likes and shares, what people keep away, the client's
//! own account, apps, and operators.
//!
//! Each is a variant of [`super::Command`]. A variant may be added at the end; an existing one never changes.

use super::MemberName;
use crate::account_role::AccountRole;
use crate::audience::Audience;
use crate::avatar::Avatar;
use crate::coordination::Owner;
use crate::ids::{AccountId, AppId, LogIndex, RaftId, TokenHash};
use crate::path::TreePath;
use crate::registration::{Inviters, Registration};
use crate::room_rows::RoomRank;
use crate::scopes::Scopes;
use serde::{Deserialize, Serialize};

/// A change of the namespace as a client requests it. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TreeCommand {
    /// Makes a folder. `parents` also makes the folders above it, and accepts a folder that exists.
    MakeFolder {
        path: TreePath,
        parents: bool,
    },
    /// Makes an empty file, or marks an existing node as changed now.
    Touch {
        path: TreePath,
        lease: Option<TokenHash>,
    },
    /// Replaces the content of a file, or appends to it. Makes the file if there is none.
    Write {
        path: TreePath,
        content: Vec<u8>,
        append: bool,
        lease: Option<TokenHash>,
        guard: Option<Guard>,
    },
    /// Removes a node. `recursive` removes everything below it too, in steps (`Stepped { more }`). Refused while a lock
    /// in it is held.
    Remove {
        path: TreePath,
        recursive: bool,
        guard: Option<Guard>,
    },
    /// Acquires a lock and makes the folders above it. Answers `Fenced`; repeated under the same lease, it answers with
    /// the same fencing token.
    Acquire {
        path: TreePath,
        lease: TokenHash,
        content: Vec<u8>,
    },
    Release {
        path: TreePath,
        lease: TokenHash,
    },
}

/// Condition of a write: the lock must be held under this fencing token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    pub lock: TreePath,
    pub fence: LogIndex,
}

/// A change to leases. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseCommand {
    /// Begins a client's lease, identified by the hash of a token that the client made. Answers `Leased`.
    Open { token: TokenHash, description: String, lease_ms: Option<u32> },
    /// Ends a client's lease.
    Close { token: TokenHash },
    /// Begins or confirms the lease of a member's process. Proposed by the leader.
    Register { raft_id: RaftId, incarnation: u64, address: String },
    /// Ends a lease. Proposed by the leader, or by a member that stops.
    End { owner: Owner, version: LogIndex, why: LeaseEnd },
    /// Makes this backend the master of its region if there is none. Proposed by the leader.
    Appoint { raft_id: RaftId, version: LogIndex },
    /// Makes the master give up its lock. Proposed by the master itself.
    StepDown { raft_id: RaftId, fence: LogIndex },
    /// Takes a person's chat slot for a client and begins its lease. Answers `Fenced`.
    EnterChat { session: TokenHash, token: TokenHash, description: String, take_over: bool },
    /// Sets the number of regions that clients are spread over. Proposed by the coordinator that an operator asked.
    SetRegions { regions: u32 },
    /// Assigns an id to a client. Answers `Client`.
    NumberClient,
}

/// Reason why a lease ended, for the history that people see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseEnd {
    /// No heartbeat was received for this long.
    Missed { silence_ms: u32 },
    /// Its owner stopped and reported it.
    Left,
}

/// A change to messages or read positions. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageCommand {
    /// Sends a message. Answers `Sent`.
    Send { session: TokenHash, username: String, text: String },
    /// Reports what was displayed and what was read of the talk with this account, live or deleted.
    Mark { session: TokenHash, with: AccountId, delivered_through: LogIndex, read_through: LogIndex },
    /// Reports that the feed was seen up to this croak.
    ReadFeed { session: TokenHash, through: LogIndex },
    /// As `Send`, for a client that may have sent the same message through another server a moment ago: a message with this text,
    /// sent within `REPEATED_SEND_MS` and after the message `known`, is answered in place of a second one. `known` is the newest
    /// one that this server has sent itself, or 0.
    SendAgain { session: TokenHash, username: String, text: String, known: LogIndex },
}

/// A change to the client's notices. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeCommand {
    /// Reports that the notices were read up to this one.
    Read { session: TokenHash, through: LogIndex },
    /// Removes one notice, or all of them. A notice that is gone already is no error.
    Remove { session: TokenHash, notice: Option<LogIndex> },
}

/// A change to rooms. A room is meant by its name. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomCommand {
    /// Creates a room, which the session's owner owns.
    Create {
        session: TokenHash,
        room: String,
        topic: String,
        open: bool,
        history: bool,
    },
    /// Changes the settings that are given. Moderators may change the topic, the owner everything.
    Change {
        session: TokenHash,
        room: String,
        topic: Option<String>,
        open: Option<bool>,
        history: Option<bool>,
    },
    Join {
        session: TokenHash,
        room: String,
    },
    /// Leaves a room, or declines an invitation to it. Another member becomes the owner if the owner leaves; the room closes
    /// with its last member.
    Leave {
        session: TokenHash,
        room: String,
    },
    /// Closes a room, which removes all that was said in it. Only the owner may.
    Close {
        session: TokenHash,
        room: String,
    },
    Invite {
        session: TokenHash,
        room: String,
        username: String,
    },
    /// Withdraws an invitation, or lets a removed person join again.
    Withdraw {
        session: TokenHash,
        room: String,
        username: String,
    },
    /// Removes a member.
    Remove {
        session: TokenHash,
        room: String,
        username: String,
    },
    /// Gives a member another rank. An owner who makes another member the owner becomes a moderator.
    SetRank {
        session: TokenHash,
        room: String,
        username: String,
        rank: RoomRank,
    },
    /// Says something in a room. Answers `Sent`.
    Say {
        session: TokenHash,
        room: String,
        text: String,
    },
    /// Removes a message. Its author, the moderators and the owner may.
    RemoveMessage {
        session: TokenHash,
        room: String,
        message: LogIndex,
    },
    /// Reports that the messages of a room up to this one were read.
    Mark {
        session: TokenHash,
        room: String,
        read_through: LogIndex,
    },
}

/// A change to what the client's account keeps away. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelationCommand {
    /// Mutes an account, or unmutes it.
    Mute { session: TokenHash, username: String, muted: bool },
    /// Blocks an account, or unblocks it.
    Block { session: TokenHash, username: String, blocked: bool },
    /// Reports something to the people who run the servers.
    Report { session: TokenHash, subject: ReportSubject, words: String },
}

/// Subject of a report as a person names it. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReportSubject {
    Person {
        username: String,
    },
    Croak {
        croak: LogIndex,
    },
    /// A direct message that the person has received.
    Message {
        message: LogIndex,
    },
    /// A message in a room that the person may read.
    RoomMessage {
        room: String,
        message: LogIndex,
    },
}

/// Decision of operators about a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Nothing,
    /// The reported text is deleted.
    Remove,
    /// The reported person is warned.
    Warn,
    /// The reported person is suspended.
    Suspend,
}

impl Verdict {
    pub const ALL: [Verdict; 4] = [Verdict::Nothing, Verdict::Remove, Verdict::Warn, Verdict::Suspend];

    /// Returns the word for it on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Nothing => "nothing",
            Verdict::Remove => "remove",
            Verdict::Warn => "warn",
            Verdict::Suspend => "suspend",
        }
    }
}

/// A change to what people do with croaks. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConversationCommand {
    /// Likes a croak. Nothing changes if the account likes it already.
    Like {
        session: TokenHash,
        croak: LogIndex,
    },
    Unlike {
        session: TokenHash,
        croak: LogIndex,
    },
    /// Shows a croak to the followers of the account. Answers `Croaked` with the share, also if there is one already.
    Share {
        session: TokenHash,
        croak: LogIndex,
    },
    Unshare {
        session: TokenHash,
        croak: LogIndex,
    },
    /// Removes up to `SWEEP_STEP` rows of a deleted croak. Proposed by the leader.
    SweepCroak {
        croak: LogIndex,
    },
}

/// A change to the client's own account. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountCommand {
    /// Changes the fields that are given.
    Describe { session: TokenHash, changes: AccountChanges },
    /// Replaces the password, which was checked at this credential version. Ends all other sessions.
    ChangePassword { session: TokenHash, credential_version: u32, password_hash: String },
    /// Ends the session of the same account that was opened at this index.
    EndSession { session: TokenHash, opened: LogIndex },
    /// Ends all sessions of the account except this one.
    EndOtherSessions { session: TokenHash },
    /// Deletes a croak of the account.
    RemoveCroak { session: TokenHash, croak: LogIndex },
    /// Pins a croak of the account to its profile, in place of another, or takes it down.
    Pin { session: TokenHash, croak: LogIndex, pinned: bool },
    /// Hides an announcement from this account.
    Dismiss { session: TokenHash, announcement: LogIndex },
    /// Makes a feed address of the account's feed, or of a room that the account is in. `address` is the hash of its secret as
    /// it is stored.
    MakeFeedAddress { session: TokenHash, address: TokenHash, room: Option<String> },
    /// Ends the feed address of the account that was made at this index.
    EndFeedAddress { session: TokenHash, made: LogIndex },
    /// Notes that the password was checked for this session, at this credential version. Permits changes that need a role for
    /// `CONFIRMATION_AGE_MS_MAX`.
    Confirm { session: TokenHash, credential_version: u32 },
    /// Makes an invitation, identified by the hash of a code that the client made. Answers `Invited`.
    Invite { session: TokenHash, code: TokenHash, terms: InvitationTerms },
    /// Ends the invitation of the account that was made at this index.
    Uninvite { session: TokenHash, invitation: LogIndex },
}

/// Bounds of an invitation, and the room that it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationTerms {
    /// Number of accounts that it creates, 1 to `INVITATION_USES_MAX`.
    pub uses: u16,
    /// Time in milliseconds of cluster age after which it ends, 1 to `INVITATION_MS_MAX`.
    pub for_ms: u64,
    /// Name of a room that the new accounts join.
    pub room: Option<String>,
}

/// New values of the fields of an account; `None` for those that stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountChanges {
    /// Display name.
    pub name: Option<String>,
    pub bio: Option<String>,
    pub links: Option<Vec<String>>,
    pub avatar: Option<Avatar>,
    pub email: Option<String>,
    /// Audience of croaks that name none.
    pub audience: Option<Audience>,
}

/// Access to an account by other means than its password. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessCommand {
    /// Sets a new password with the code of a link, which ends the link and all sessions.
    ResetPassword { code: TokenHash, password_hash: String },
    /// Creates an account that its name opens, for a gateway. Answers `Created`.
    CreateByName { username: String },
    /// Opens a session of an account that its name opens, for a gateway. `session` is the hash of a token that the gateway
    /// made. Answers `LoggedIn`.
    OpenByName { username: String, session: TokenHash },
}

/// A change to apps and to what people let them do. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppCommand {
    /// Registers an app. `key` is the hash of a key that the app gets. Answers `Registered`.
    Register { name: String, website: String, redirects: Vec<String>, scopes: Scopes, key: TokenHash },
    /// Lets an app act for the session's owner, once it has exchanged the code. `code` is its hash, `challenge` the SHA-256 of the
    /// verifier that the app has to show.
    Authorize {
        session: TokenHash,
        app: AppId,
        redirect: String,
        scopes: Scopes,
        challenge: Option<Box<[u8; 32]>>,
        code: TokenHash,
    },
    /// Exchanges a code for a session: `session` is the hash of a token that the web role made, `verifier` the SHA-256 of the
    /// verifier. Answers `LoggedIn`, or `Done` if the code was exchanged before: that session has ended then.
    Exchange {
        app: AppId,
        key: TokenHash,
        code: TokenHash,
        redirect: String,
        verifier: Option<Box<[u8; 32]>>,
        session: TokenHash,
    },
    /// Ends a session of the app, if it is open.
    Revoke { app: AppId, key: TokenHash, session: TokenHash },
}

/// App that a person logs in with, proven by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppLogIn {
    pub app: AppId,
    pub key: TokenHash,
    pub scopes: Scopes,
}

/// A change that operators may make. New variants go at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperatorCommand {
    SetPassword {
        account: AccountId,
        password_hash: String,
    },
    Suspend {
        account: AccountId,
        suspended: bool,
    },
    RemoveAccount {
        account: AccountId,
    },
    /// Deletes a croak of any account.
    RemoveCroak {
        croak: LogIndex,
    },
    SetRegistration {
        registration: Registration,
    },
    /// Changes the texts of the first page that are given. An empty text removes one.
    DescribeSite {
        name: Option<String>,
        welcome: Option<String>,
    },
    /// Decides about a report and removes it. The person who made it is notified.
    DecideReport {
        report: LogIndex,
        verdict: Verdict,
    },
    /// Shows a text to everyone, for this long in milliseconds of cluster age, or until it is withdrawn. Answers `Announced`.
    Announce {
        text: String,
        for_ms: Option<u64>,
    },
    WithdrawAnnouncement {
        announcement: LogIndex,
    },
    /// Makes a one-time link to set a new password, identified by the hash of a code that the client made. The account's
    /// earlier link ends.
    MakeResetLink {
        account: AccountId,
        code: TokenHash,
    },
    /// Creates an account that nothing opens, and a one-time link to set its first password, identified by the hash of a code
    /// that the client made. Needs no open registration. Answers `Created`.
    CreateWithLink {
        person: Box<NewPerson>,
        code: TokenHash,
    },
    SetRole {
        account: AccountId,
        role: AccountRole,
    },
    /// Removes a message in any room.
    RemoveRoomMessage {
        room: String,
        message: LogIndex,
    },
    /// Enters an act in the audit log that changes nothing else in the replicated state.
    Record {
        act: UnreplicatedAct,
    },
    /// Decides about a request for an account. Answers `Created` if it is approved.
    DecideRequest {
        username: String,
        approved: bool,
    },
    SetInviters {
        inviters: Inviters,
    },
    /// Makes an invitation of the operators, identified by the hash of a code that the client made. Answers `Invited`.
    Invite {
        code: TokenHash,
        terms: InvitationTerms,
    },
    /// Ends the invitation that was made at this index, of operators or of an account.
    Uninvite {
        invitation: LogIndex,
    },
    /// Makes a join code, which is derived from `nonce` and the cluster key that the first bytes of this public key name. It
    /// works for this long in milliseconds of cluster age. Answers `Invited` with its slot.
    MakeJoinCode {
        nonce: u128,
        key: u64,
        for_ms: u64,
    },
    RevokeJoinCode {
        slot: u8,
    },
    /// Ends the account's one-time link to set a password, if it has one.
    RevokeResetLink {
        account: AccountId,
    },
    ChangeMember {
        name: MemberName,
        change: MemberChange,
    },
    /// Closes any room, with everything that was said in it.
    CloseRoom {
        room: String,
    },
    /// Finishes an upgrade: permits the commands of this rules level, which every member has to understand. The leader proposes it,
    /// too, if upgrades finish by themselves.
    RaiseRules {
        level: u32,
    },
    /// Decides whether upgrades finish by themselves or wait for an operator.
    SetAutoFinish {
        auto: bool,
    },
}

/// A change of a member by operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberChange {
    /// Makes it a learner that does not vote.
    Drain,
    /// Lets it vote again.
    Undrain,
    /// Hands leadership to it. The backend that was asked begins the handover once this is decided; the status shows whether it
    /// succeeded.
    Lead,
    /// Removes it for good; with `alive`, even while it is running. Answers `Stepped` while the Raft group still contains it.
    Remove { alive: bool },
}

impl OperatorCommand {
    /// Returns the hash of the secret that the change contains, if any: the code of a link.
    pub(crate) fn secret_mut(&mut self) -> Option<&mut TokenHash> {
        match self {
            OperatorCommand::MakeResetLink { code, .. }
            | OperatorCommand::CreateWithLink { code, .. }
            | OperatorCommand::Invite { code, .. } => Some(code),
            OperatorCommand::SetPassword { .. }
            | OperatorCommand::Suspend { .. }
            | OperatorCommand::RemoveAccount { .. }
            | OperatorCommand::RemoveCroak { .. }
            | OperatorCommand::SetRegistration { .. }
            | OperatorCommand::DescribeSite { .. }
            | OperatorCommand::DecideReport { .. }
            | OperatorCommand::Announce { .. }
            | OperatorCommand::WithdrawAnnouncement { .. }
            | OperatorCommand::SetRole { .. }
            | OperatorCommand::RemoveRoomMessage { .. }
            | OperatorCommand::Record { .. }
            | OperatorCommand::DecideRequest { .. }
            | OperatorCommand::SetInviters { .. }
            | OperatorCommand::Uninvite { .. }
            | OperatorCommand::MakeJoinCode { .. }
            | OperatorCommand::RevokeJoinCode { .. }
            | OperatorCommand::RevokeResetLink { .. }
            | OperatorCommand::ChangeMember { .. }
            | OperatorCommand::CloseRoom { .. }
            | OperatorCommand::RaiseRules { .. }
            | OperatorCommand::SetAutoFinish { .. } => None,
        }
    }
}

/// A person for whom operators create an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPerson {
    pub username: String,
    /// Display name.
    pub name: String,
    pub email: Option<String>,
    /// Names of the rooms that the account is in from the beginning, at most `ROOMS_AT_CREATION_MAX`.
    pub rooms: Vec<String>,
    pub role: AccountRole,
}

/// An act that changes nothing in the replicated state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnreplicatedAct {
    /// A backup was written: this number of rows, through this index.
    Backup { through: LogIndex, rows: u64 },
    /// The members were handed the cluster's key of this generation.
    RotateKey { generation: u32 },
}
