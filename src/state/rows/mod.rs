//! The tables with their keys and rows. Tables that grow without bound are keyed by log index, so that new rows append.
//!
//! Rules read them through a [`View`]; [`crate::view`] describes the encoding, and its items are re-exported here.

mod apps;
mod audit;
mod join_codes;
mod registration;

use crate::account_role::AccountRole;
pub use crate::audience::Audience;
use crate::avatar::Avatar;
use crate::command::{MemberName, Outcome, Role, Verdict};
pub use crate::coordination::{Coordination, Lease, NodeKind, Owner, TreeNode};
use crate::ids::{AccountId, AppId, KeyId, LogIndex, RaftId, RequestId, RoomId, TokenHash};
use crate::limits::{APP_SESSION_AGE_MS_MAX, SESSION_AGE_MS_MAX};
use crate::path::TreePath;
pub use crate::room_rows::{
    Room, RoomCounts, RoomGuest, RoomMember, RoomMessage, RoomRank, RoomTie, RoomTotals,
};
pub(crate) use crate::view::decode_borrowed;
pub use crate::view::{
    BadRow, Change, Key, Order, Projection, ROW_VERSION, RawRow, Rows, Table, TableId, View, body, decode,
    encode, get, scan,
};
pub use apps::{App, AppAccess, AppCode};
pub use audit::{Act, Actor, AuditPerson, AuditRow, AuditThing};
pub use join_codes::JoinCode;
pub use registration::{Invitation, Inviters, Registration, Settings};
use serde::{Deserialize, Serialize};

macro_rules! tables {
    ($($(#[$doc:meta])* $id:literal $name:ident: $key:ty => $row:ty;)*) => {
        $($(#[$doc])*
        pub struct $name;
        impl Table for $name {
            const ID: TableId = TableId($id);
            type Key = $key;
            type Row = $row;
        })*
        /// Id and name of every table, in the order of the ids.
        pub const TABLES: &[(TableId, &str)] = &[$((TableId($id), stringify!($name)),)*];
    };
}

tables! {
    1 Accounts: AccountId => Account;
    /// Folded user name → the live account that has it.
    2 Names: String => AccountId;
    3 Sessions: TokenHash => Session;
    /// (account, index of the log-in) → session, oldest first.
    4 SessionsOf: (AccountId, u64) => TokenHash;
    /// (author, croak), for croaks up to `Bookkeeping::indexed_through`.
    5 CroaksBy: (AccountId, LogIndex) => ();
    /// (follower, followed account) → index of the follow. Croaks from before are not counted as unread.
    6 Friends: (AccountId, u64) => LogIndex;
    /// (followed account, follower): the inverse of `Friends`.
    7 Followers: (AccountId, u64) => ();
    /// Requests by the index at which they were applied or refused. The record of a croak's request is part of its row
    /// in `Croaks`.
    8 Requests: LogIndex => RequestRecord;
    /// Deleted accounts and closed rooms that still have rows to sweep. A room is entered under the number of its id, which
    /// no account has.
    9 Sweeps: AccountId => ();
    10 Members: RaftId => Member;
    11 Books: () => Bookkeeping;
    /// Nodes of the lock namespace. The root has no row.
    12 Nodes: TreePath => TreeNode;
    13 Leases: Owner => Lease;
    /// Hash of a client's token → the index at which its lease began.
    14 LeaseTokens: TokenHash => LogIndex;
    /// (owner, node): the nodes that are removed when their owner's lease ends.
    15 Owned: (Owner, TreePath) => ();
    16 CoordinationRow: () => Coordination;
    /// Direct messages. A message is removed with the last talk that contains it.
    17 Messages: LogIndex => Message;
    /// (account, other account, message): each of the two has a talk of their own.
    18 TalkOf: (AccountId, AccountId, LogIndex) => ();
    /// (recipient, sender, message) → user name of the sender, for each unread message. So a message that waits names its
    /// sender although that account is deleted. Bounded per recipient and per pair.
    19 Waiting: (AccountId, AccountId, LogIndex) => String;
    /// (account, other account) → read position of the first in their talk.
    20 TalkMarks: (AccountId, u64) => TalkState;
    /// (account, newest message of a talk) → other account.
    21 TalksByAge: (AccountId, LogIndex) => AccountId;
    22 Mailboxes: AccountId => Mailbox;
    /// Accounts that may not log in.
    23 Suspended: AccountId => ();
    24 SettingsRow: () => Settings;
    /// (croak, reply to it). A reply that was deleted stays while it has replies of its own.
    25 Replies: (LogIndex, LogIndex) => ();
    /// (croak, index of the like) → the account that likes it.
    26 Likes: (LogIndex, LogIndex) => AccountId;
    /// (account, croak that it likes) → index of the like: the inverse of `Likes`.
    27 LikedBy: (AccountId, LogIndex) => LogIndex;
    /// (croak, share of it) → the account that shared it.
    28 Shares: (LogIndex, LogIndex) => AccountId;
    /// (account, croak that it shared) → the share: the inverse of `Shares`.
    29 SharedBy: (AccountId, LogIndex) => LogIndex;
    30 CroakCounts: LogIndex => Counts;
    /// Deleted croaks that still have likes or shares to sweep.
    31 CroakSweeps: LogIndex => ();
    /// (notified account, index of the command that made the notice).
    40 Notices: (AccountId, LogIndex) => Notice;
    /// (account that made it, notified account, index): the inverse of `Notices`.
    41 NoticesFrom: (AccountId, AccountId, LogIndex) => NoticeKind;
    42 NoticeBooks: AccountId => NoticeBook;
    32 Rooms: RoomId => Room;
    /// Folded name → the room that has it. A closed room has none.
    33 RoomNames: String => RoomId;
    34 RoomTotalsRow: () => RoomTotals;
    35 RoomCountsOf: RoomId => RoomCounts;
    36 RoomMembers: (RoomId, AccountId) => RoomMember;
    /// Accounts that are invited to a room, or were removed from it.
    37 RoomGuests: (RoomId, AccountId) => RoomGuest;
    /// The inverse of `RoomMembers` and `RoomGuests`.
    38 RoomsOf: (AccountId, RoomId) => RoomTie;
    39 RoomMessages: (RoomId, LogIndex) => RoomMessage;
    /// (account, account that it has muted).
    43 Mutes: (AccountId, u64) => ();
    /// (muted account, account that muted it): the inverse of `Mutes`.
    44 MutedBy: (AccountId, u64) => ();
    /// (account, account that it has blocked).
    45 Blocks: (AccountId, u64) => ();
    /// (blocked account, account that blocked it): the inverse of `Blocks`.
    46 BlockedBy: (AccountId, u64) => ();
    /// Reports that are not decided yet.
    47 Reports: LogIndex => Report;
    /// Texts and settings of accounts. An account without a row has the default ones.
    48 Profiles: AccountId => AccountProfile;
    /// Hash of the secret in a feed address → what the address leads to.
    49 FeedAddresses: TokenHash => FeedAddress;
    /// (account, index at which the address was made) → feed address, oldest first.
    50 FeedAddressesOf: (AccountId, LogIndex) => TokenHash;
    /// Hash of a one-time link's code → the link.
    52 OneTimeLinks: TokenHash => OneTimeLink;
    /// Account → its link in `OneTimeLinks` to set a new password.
    53 ResetLinks: AccountId => TokenHash;
    /// Id → what operators tell everyone. Expired ones may still be here.
    54 Announcements: LogIndex => Announcement;
    /// Account → the announcements that it has dismissed.
    55 Dismissals: AccountId => Vec<LogIndex>;
    /// Apps that people may log in with.
    57 Apps: AppId => App;
    /// (1 if a person has ever logged in with it, index of the last log-in or else of the registration) → app. The first goes
    /// when there are too many.
    58 AppOrder: (u64, LogIndex) => AppId;
    /// Hash of an authorisation code → what it gives.
    51 AppCodes: TokenHash => AppCode;
    /// (account, index at which the code was made) → code, oldest first.
    56 AppCodesOf: (AccountId, u64) => TokenHash;
    /// Acts of operators.
    72 AuditLog: LogIndex => AuditRow;
    /// Acts that were refused for lack of permission.
    73 RefusedActs: LogIndex => AuditRow;
    /// Folded user name → account that its owner asks for. It waits for the decision of an operator and has the name.
    59 JoinRequests: String => Account;
    /// Hash of an invitation's code → the invitation.
    60 Invitations: TokenHash => Invitation;
    /// (account that made it or `OPERATORS`, index at which it was made) → invitation, oldest first.
    61 InvitationsOf: (AccountId, LogIndex) => TokenHash;
    /// Slot of a join code, below `JOIN_CODE_SLOTS`.
    62 JoinCodes: u64 => JoinCode;
    /// Read through [`crate::croaks`]. It has the largest id for the reason given there.
    255 Croaks: LogIndex => StoredCroak;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub username: String,
    /// Display name.
    pub name: String,
    pub email: String,
    pub credential: Credential,
    /// Rises with every change of the credentials.
    pub credential_version: u32,
    pub created_wall_ms: u64,
    /// It is shown wherever the name is, so it is read with the name.
    pub avatar: Avatar,
    pub role: AccountRole,
    /// Readers treat a deleted account as absent. Its texts are cleared at once and its other rows are removed step by
    /// step; this row stays.
    pub deleted: bool,
}

/// What opens an account. A password can be set in every case, with a one-time link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential<Hash = String> {
    /// A password, as its argon2id hash in a PHC string.
    Password(Hash),
    /// The name alone, through gateways of older systems: one of them created the account.
    Name,
    /// Nothing: an operator created the account, and its owner has not used the link yet. Also of deleted accounts.
    Nothing,
}

impl Credential {
    /// Returns the hash of the password, if the account has one.
    pub fn password_hash(&self) -> Option<&str> {
        match self {
            Credential::Password(hash) => Some(hash),
            Credential::Name | Credential::Nothing => None,
        }
    }

    /// Returns the same without the hash.
    pub(crate) fn kind(&self) -> Credential<()> {
        match self {
            Credential::Password(_) => Credential::Password(()),
            Credential::Name => Credential::Name,
            Credential::Nothing => Credential::Nothing,
        }
    }
}

/// An [`Account`] that borrows its texts from the row's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct BorrowedAccount<'a> {
    pub username: &'a str,
    pub name: &'a str,
    pub email: &'a str,
    pub credential: Credential<&'a str>,
    pub credential_version: u32,
    pub created_wall_ms: u64,
    pub avatar: Avatar,
    pub role: AccountRole,
    pub deleted: bool,
}

/// Texts and settings of an account that are not read with its name. It is removed with the account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountProfile {
    /// Text of the person about themselves; may be empty.
    pub bio: String,
    /// http and https addresses, at most `PROFILE_LINKS_MAX`.
    pub links: Vec<String>,
    /// Croak of the account that stands first on its profile.
    pub pinned: Option<LogIndex>,
    /// Audience of croaks that name none.
    pub audience: Audience,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub account: AccountId,
    /// Index of the log-in: its key in `SessionsOf`.
    pub opened: LogIndex,
    /// Cluster age at the log-in, from which the session's age counts.
    pub opened_age_ms: u64,
    pub opened_wall_ms: u64,
    /// Name of the device that logged in, as it calls itself; may be empty. Of an app's session, the app's name.
    pub device: String,
    /// Wall clock of the first write on the day of the last write. Only its day is of use.
    pub used_wall_ms: u64,
    /// The app that the session is for, with its permissions. `None` for a person's own session, which permits everything.
    pub app: Option<AppAccess>,
    /// Cluster age when the password was last checked for this session: at the log-in, or by `Confirm`.
    pub confirmed_age_ms: Option<u64>,
}

impl Session {
    /// Returns the cluster age at which the session expires.
    pub(crate) fn ends_age_ms(&self) -> u64 {
        let age_max = if self.app.is_some() { APP_SESSION_AGE_MS_MAX } else { SESSION_AGE_MS_MAX };
        self.opened_age_ms.saturating_add(age_max)
    }

    /// Returns true if the session has not expired at this cluster age.
    pub(crate) fn is_open_at(&self, age_ms: u64) -> bool {
        self.ends_age_ms() > age_ms
    }
}

/// Text of the operators for everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    pub text: String,
    pub wall_ms: u64,
    /// Cluster age at which it is no longer shown, if it ends by itself.
    pub until_age_ms: Option<u64>,
}

impl Announcement {
    /// Returns true if it is no longer shown at this cluster age.
    pub(crate) fn is_over_at(&self, age_ms: u64) -> bool {
        self.until_age_ms.is_some_and(|until| until <= age_ms)
    }
}

/// A link that works once, with a secret code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneTimeLink {
    pub purpose: LinkPurpose,
    /// Cluster age at which the link was made, from which its age counts.
    pub made_age_ms: u64,
}

/// Permission that a one-time link gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkPurpose {
    /// To set a new password for this account.
    Reset { account: AccountId },
}

/// A secret address at which a feed reader reads what its owner sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedAddress {
    pub account: AccountId,
    pub source: FeedSource,
    /// Index of the command that made it: its key in `FeedAddressesOf`.
    pub made: LogIndex,
    pub made_wall_ms: u64,
}

/// Content of a feed address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FeedSource {
    /// The feed of the account.
    Home,
    /// The messages of a room, as long as the account is in it.
    Room { room: RoomId },
}

/// A croak. The parts that are also read alone come first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Croak {
    pub author: AccountId,
    pub audience: Audience,
    pub kind: CroakKind,
    pub wall_ms: u64,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CroakKind {
    Original,
    /// An answer to another croak, which may be deleted in the meantime.
    Reply {
        to: LogIndex,
    },
    /// Another account's croak, passed on to the followers of the author. It has no text.
    Share {
        of: LogIndex,
    },
}

impl CroakKind {
    /// Returns the croak that this one answers.
    pub fn reply_to(self) -> Option<LogIndex> {
        match self {
            CroakKind::Reply { to } => Some(to),
            CroakKind::Original | CroakKind::Share { .. } => None,
        }
    }
}

/// Numbers of replies, likes and shares of a croak that has or had some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub author: AccountId,
    pub replies: u32,
    pub likes: u32,
    pub shares: u32,
    /// Set once the croak is deleted. It stays a gap in its thread while it has replies.
    pub gap: Option<Gap>,
}

/// A deleted croak between the one that it answered and its replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub reply_to: Option<LogIndex>,
}

/// A direct message. The accounts may be deleted in the meantime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub from: AccountId,
    pub to: AccountId,
    pub wall_ms: u64,
    pub text: String,
}

/// Read position of one account in a talk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkState {
    /// The newest message of either account: the key in `TalksByAge`.
    pub newest: LogIndex,
    /// Number of the other's messages that are unread.
    pub waiting: u32,
    /// The other's messages up to here were displayed by this account's client.
    pub delivered_through: LogIndex,
    /// The other's messages up to here were read. Never beyond `delivered_through`.
    pub read_through: LogIndex,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// Number of unread messages from all senders.
    pub waiting: u32,
    /// Croaks up to here were seen in the feed.
    pub feed_read_through: LogIndex,
}

/// Sender of the notices that the people who run the servers cause. No account has this id.
pub const OPERATORS: AccountId = AccountId(0);

/// A notice for one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The account that caused it, or [`OPERATORS`].
    pub from: AccountId,
    pub wall_ms: u64,
    pub kind: NoticeKind,
}

/// Kind and subject of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeKind {
    /// The croak mentions the notified person.
    Mention { croak: LogIndex },
    /// The croak answers one of theirs.
    Reply { croak: LogIndex },
    /// Their croak was liked.
    Like { croak: LogIndex },
    /// Their croak was shared.
    Share { croak: LogIndex },
    /// They have a new follower.
    Follow,
    /// They are invited to the room that was made at this index.
    Invitation { room: LogIndex },
    /// The people who run the servers have decided about a report that the notified person made.
    ReportDecided { report: LogIndex, verdict: Verdict },
    /// The people who run the servers warn the notified person, because of this croak or in general.
    Warning { croak: Option<LogIndex> },
    /// A message in a room mentions the notified person.
    RoomMention { room: RoomId, message: LogIndex },
}

impl NoticeKind {
    /// Returns the croak that it is about.
    pub fn croak(self) -> Option<LogIndex> {
        match self {
            NoticeKind::Mention { croak }
            | NoticeKind::Reply { croak }
            | NoticeKind::Like { croak }
            | NoticeKind::Share { croak } => Some(croak),
            // The warning stays when the croak is gone.
            NoticeKind::Follow
            | NoticeKind::Invitation { .. }
            | NoticeKind::ReportDecided { .. }
            | NoticeKind::Warning { .. }
            | NoticeKind::RoomMention { .. } => None,
        }
    }

    /// Returns true if another account has done something to this croak of the notified person.
    pub(crate) fn is_done_to(self, croak: LogIndex) -> bool {
        self == NoticeKind::Like { croak } || self == NoticeKind::Share { croak }
    }
}

/// Counts and read position of a person's notices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeBook {
    /// Number of notices.
    pub count: u32,
    /// Number of those behind the read position.
    pub unread: u32,
    /// Notices up to here were read.
    pub read_through: LogIndex,
}

/// A report to the people who run the servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The account that reports.
    pub from: AccountId,
    pub about: AccountId,
    pub thing: ReportedThing,
    /// Words of `from` about it.
    pub words: String,
    /// Text of the thing when it was reported: a croak's, a message's, or a person's display name.
    pub text: String,
    pub wall_ms: u64,
}

/// Subject of a report, as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReportedThing {
    Person,
    Croak {
        croak: LogIndex,
    },
    /// A direct message to the person who reports it.
    Message {
        message: LogIndex,
    },
    RoomMessage {
        room: RoomId,
        message: LogIndex,
    },
}

/// Record of a croak's request: [`RequestRecord`] without the outcome, which the croak itself implies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlineRecord {
    /// A `RequestId`. It is random, so a fixed length is the shortest encoding.
    #[serde(with = "postcard::fixint::le")]
    pub id: u128,
    /// Digest of the command.
    #[serde(with = "postcard::fixint::le")]
    pub digest: u64,
    /// Cluster age when the request was applied.
    pub age_ms: u64,
}

/// A croak with the record of its request. The part that is also read alone comes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCroak {
    pub record: InlineRecord,
    pub croak: Croak,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRecord {
    pub id: RequestId,
    /// Digest of the command: another command under the same id is refused.
    pub digest: u64,
    /// Cluster age when the request was applied.
    pub age_ms: u64,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub role: Role,
    pub id: u32,
    /// HOST:PORT where it was last reachable; a hint.
    pub address: String,
    /// The machine it runs on; empty if unknown.
    pub machine: String,
    /// The newest rules level that it understands.
    pub rules_level: u32,
    pub standing: Standing,
    /// The region that it serves.
    pub region: u32,
    /// The newest key of the cluster that it has stored.
    pub key: KeyId,
}

/// Role that the cluster intends for a member in the Raft group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// To vote as soon as there is a seat.
    Wanted,
    /// To be a learner without a vote, as decided by an operator.
    Drained,
    /// To leave: its store is lost. Its Raft id is never used again.
    Lost,
}

impl Member {
    /// Returns its name for people, such as `backend-2`.
    pub fn name(&self) -> String {
        self.member_name().to_string()
    }
    pub fn member_name(&self) -> MemberName {
        MemberName { role: self.role, region: self.region, id: self.id }
    }
}

/// The only row of `Books`. Only infrequent steps rewrite it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookkeeping {
    /// Requests applied up to here may be expired; all later ones are in the deduplication window.
    pub expired_through: LogIndex,
    /// Croaks up to here are in `CroaksBy`.
    pub indexed_through: LogIndex,
    /// The next Raft id to assign; 0 before the cluster is founded.
    pub next_raft_id: RaftId,
    /// History of this log; 0 before the cluster is founded.
    pub history: u128,
    /// Commands up to this rules level are accepted; 0 before the cluster is founded.
    pub rules_level: u32,
    /// The key of the cluster that every member has. Earlier ones are refused.
    pub key: KeyId,
}

/// Returns the bookkeeping row, or its defaults if it was never written.
///
/// # Errors
/// The view's error.
pub fn books<V: View>(view: &V) -> Result<Bookkeeping, V::Error> {
    Ok(get::<Books, V>(view, &())?.unwrap_or_default())
}
