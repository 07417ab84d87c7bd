//! The tables with their keys and rows. Tables that grow without bound are keyed by log index, so that new rows append.
//!
//! Rules read them through a [`View`]; [`crate::view`] describes the encoding, and its items are re-exported here.

mod accounts;
mod apps;
mod audit;
mod cluster;
mod croaks;
mod join_codes;
mod messages;
mod notices;
mod registration;
mod requests;

pub use crate::audience::Audience;
pub use crate::coordination::{Coordination, Lease, NodeKind, Owner, TreeNode};
use crate::ids::{AccountId, AppId, LogIndex, RaftId, RoomId, TokenHash};
use crate::path::TreePath;
pub use crate::room_rows::{
    Room, RoomCounts, RoomGuest, RoomMember, RoomMessage, RoomRank, RoomTie, RoomTotals,
};
pub(crate) use crate::view::decode_borrowed;
pub use crate::view::{
    BadRow, Change, Key, Order, Projection, ROW_VERSION, RawRow, Rows, Table, TableId, View, body, decode,
    encode, get, scan,
};
pub(crate) use accounts::BorrowedAccount;
pub use accounts::{
    Account, AccountProfile, Announcement, Credential, FeedAddress, FeedSource, LinkPurpose, OneTimeLink,
    Session,
};
pub use apps::{App, AppAccess, AppCode};
pub use audit::{Act, Actor, AuditPerson, AuditRow, AuditThing};
pub use cluster::{Bookkeeping, Member, Standing, books};
pub use croaks::{Counts, Croak, CroakKind, Gap, StoredCroak};
pub use join_codes::JoinCode;
pub use messages::{Mailbox, Message, TalkState};
pub use notices::{Notice, NoticeBook, NoticeKind, OPERATORS, Report, ReportedThing};
pub use registration::{Invitation, Inviters, Registration, Settings};
pub use requests::{InlineRecord, RequestRecord};

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
