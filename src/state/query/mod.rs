//! Queries and the shapes of their answers. [`crate::answer`] answers them.

mod croaks;
mod operators;
mod rooms;
mod talks;

use crate::code::Code;
use crate::ids::{AccountId, AppId, LogIndex, RoomId, TokenHash};
use crate::path::TreePath;
pub use crate::person::{
    AddressedThing, FeedAddressItem, OpenSession, OwnAccount, Person, PersonRelation, Profile,
};
use crate::rows::{
    AppAccess, Audience, AuditRow, Coordination, JoinCode, Lease, NoticeKind, Owner, ReportedThing, Settings,
    TreeNode,
};
use crate::scopes::Scopes;
pub use croaks::{CroakBody, CroakNumbers, CroakShare, FeedCroak, Thread, ThreadCroak, ThreadReply};
pub use operators::{AccountSummary, Figures, OperatorQuery};
pub use rooms::{
    ListedRoom, RoomBody, RoomGuestEntry, RoomInfo, RoomInvitation, RoomMemberEntry, RoomPage, RoomPeople,
    RoomStanding, RoomSummary, RoomText,
};
use serde::{Deserialize, Serialize};
pub use talks::{DeliveryStatus, Talk, TalkMessage, TalkPartner, TalkSummary, WaitingMessage};

/// Required freshness of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Consistency {
    /// At least as new as the newest state that the client has seen: reads its own writes and never goes back in time.
    #[default]
    Session,
    /// The state of this node, at once.
    Stale,
    /// Contains every write acknowledged to any client before the query. Costs a round among the voters (a read index)
    /// and has no answer without a leader.
    Linearizable,
}

/// A read, as the client sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// Only the token of the answer: the current position of the log.
    Position,
    /// The owner of the session.
    Me { session: TokenHash },
    /// Croaks of the session's owner and of the accounts they follow, newest first, starting before `before` if it is
    /// given. `limit` is lowered to `FEED_PAGE_MAX`.
    Feed { session: TokenHash, before: Option<LogIndex>, limit: u16 },
    /// Accounts that the session's owner follows, in the order of their ids, starting after `after` if it is given.
    Friends { session: TokenHash, after: Option<AccountId> },
    /// The node at a path of the lock namespace and the nodes up to `depth` names below it, starting after `after` if it
    /// is given. Control plane only.
    Tree { path: TreePath, depth: Option<u8>, after: Option<TreePath>, limit: u16 },
    /// All leases, starting after `after` if it is given. Control plane only.
    Leases { after: Option<Owner> },
    /// Counts and settings of the coordinators. Control plane only.
    Coordination,
    /// One croak of any author.
    Croak { session: TokenHash, id: LogIndex },
    /// A person's profile and their croaks, newest first.
    Profile { session: TokenHash, username: String, before: Option<LogIndex>, limit: u16 },
    /// People with matching user names in the order of the names, starting after `after` if it is given. A page may be
    /// short or empty although `more` is set, because each page compares a bounded number of names.
    People { session: TokenHash, names: String, after: Option<String> },
    /// Followers of the session's owner, in the order of their ids, starting after `after` if it is given.
    Followers { session: TokenHash, after: Option<AccountId> },
    /// People in the live chat now.
    Chatting { session: TokenHash },
    /// Account details of the session's owner.
    Account { session: TokenHash },
    /// Open sessions of the session's owner.
    Sessions { session: TokenHash },
    /// Unread counts of the session's owner.
    Unread { session: TokenHash },
    /// Talks of the session's owner, the one with the newest message first.
    Talks { session: TokenHash, before: Option<LogIndex>, limit: u16 },
    /// Messages of one talk, newest first.
    Talk { session: TokenHash, with: TalkPartner, before: Option<LogIndex>, limit: u16 },
    /// One message that the session's owner sent or received.
    Message { session: TokenHash, id: LogIndex },
    /// Settings of the installation. Needs no session.
    Settings,
    /// A page of the feed as in `Feed`, with the unread counts. The asker keeps croaks that it has shown: the texts of
    /// those from the first to the second id of `known` are left out, except of croaks that were shared. A node that has applied nothing since the index
    /// `unless`, of the history that the asker has seen, answers `Unchanged`.
    Front {
        session: TokenHash,
        before: Option<LogIndex>,
        limit: u16,
        known: Option<(LogIndex, LogIndex)>,
        unless: Option<LogIndex>,
    },
    /// Notices of the session's owner, newest first.
    Notices { session: TokenHash, before: Option<LogIndex>, limit: u16 },
    /// Rooms of the session's owner, the one with the newest message first, and the invitations.
    Rooms { session: TokenHash },
    /// Open rooms in the order of their names, starting after `after` if it is given.
    OpenRooms { session: TokenHash, after: Option<String> },
    /// A room, and for its members a page of its messages, newest first.
    Room { session: TokenHash, room: String, before: Option<LogIndex>, limit: u16 },
    /// Members of a room that the session's owner is in, in the order of their ids, starting after `after` if it is given.
    RoomPeople { session: TokenHash, room: String, after: Option<AccountId> },
    /// One message of a room that the session's owner is in.
    RoomMessage { session: TokenHash, room: RoomId, id: LogIndex },
    /// Accounts that the session's owner has muted, in the order of their ids, starting after `after` if it is given.
    Muted { session: TokenHash, after: Option<AccountId> },
    /// Accounts that the session's owner has blocked, in the order of their ids, starting after `after` if it is given.
    Blocked { session: TokenHash, after: Option<AccountId> },
    /// A croak in its thread: the croaks that it answers, and the replies to it in the order of time, starting after the
    /// reply `after` if it is given. `limit` is lowered to `REPLIES_PAGE_MAX`.
    Thread { session: TokenHash, id: LogIndex, after: Option<LogIndex>, limit: u16 },
    /// Croaks for everyone of all authors, newest first. A page may be short or empty although `older` is set, because
    /// each page looks at a bounded number of croaks.
    Everyone { session: TokenHash, before: Option<LogIndex>, limit: u16 },
    /// People who like or shared a croak, the newest `REACTIONS_LISTED_MAX`, newest first.
    Reactions { session: TokenHash, croak: LogIndex, kind: ReactionKind },
    /// Croaks with all these words and tags, newest first, starting before `before` if it is given, and on the first page
    /// people with this text in their names. A page may be short or empty although `older` is set, because each page looks
    /// at a bounded number of croaks.
    Search { session: TokenHash, words: String, before: Option<LogIndex>, limit: u16 },
    /// Messages to the session's owner that are unread, of all talks in the order of time, starting after `after` if it is
    /// given. `limit` is lowered to `TALK_PAGE_MAX`.
    Waiting { session: TokenHash, after: Option<LogIndex>, limit: u16 },
    /// Accounts that a person follows, or that follow them, in the order of their ids, starting after `after` if it is given.
    FollowsOf { session: TokenHash, username: String, side: FollowSide, after: Option<AccountId> },
    /// The person whose password the one-time link with this code may set.
    ResetLink { code: TokenHash },
    /// Accounts that the session's owner follows, or that follow them, in the order of their ids, starting after `after` if it
    /// is given: each with the index of the follow.
    Follows { session: TokenHash, side: FollowSide, after: Option<AccountId> },
    /// Announcements that are shown to people without a session.
    Announcements,
    /// Announcements that the session's owner has not dismissed.
    MyAnnouncements { session: TokenHash },
    /// The croaks and shares of these ids that the session's owner may see, at most `CROAKS_NAMED_MAX`.
    Croaks { session: TokenHash, ids: Vec<LogIndex> },
    /// Profiles of the live accounts among these, at most `PROFILES_NAMED_MAX`.
    Profiles { session: TokenHash, accounts: Vec<AccountId> },
    /// The live accounts with these user names, at most `PERSONS_NAMED_MAX`. Accounts that the session's owner does not see are
    /// left out.
    Persons { session: TokenHash, usernames: Vec<String> },
    /// Croaks that the session's owner likes, newest first.
    Liked { session: TokenHash, before: Option<LogIndex>, limit: u16 },
    /// Feed addresses of the session's owner.
    FeedAddresses { session: TokenHash },
    /// The newest page of what a feed address leads to, as its owner sees it. Answered `Feed` or `Room`.
    AddressedFeed { address: TokenHash },
    /// The newest croaks of a person that are for everyone. Needs no session.
    PublicCroaks { username: String },
    /// A registered app.
    App { app: AppId },
    /// The same, for a client that has the app's key.
    OwnApp { app: AppId, key: TokenHash },
    /// The owner of the session, with the app that it is for.
    Caller { session: TokenHash },
    /// Read of operators. Control plane only.
    Operator(OperatorQuery),
    /// The same, for an account with a role. Only an admin gets the e-mail addresses of accounts.
    Govern { session: TokenHash, query: OperatorQuery },
    /// The invitation with this code, if it works. Needs no session.
    Invitation { code: TokenHash },
    /// Invitations that the session's owner has made.
    Invitations { session: TokenHash },
}

/// Side of a follow on which the listed accounts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FollowSide {
    Followed,
    Followers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReactionKind {
    Like,
    Share,
}

/// One page of the results of a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub me: Person,
    /// On the first page only, at most `SEARCH_PEOPLE_MAX`.
    pub people: Vec<PersonRelation>,
    /// False if there are more names than were compared.
    pub all_people: bool,
    /// Newest first.
    pub croaks: Vec<FeedCroak>,
    /// The `before` of the next older page, if there may be one.
    pub older: Option<LogIndex>,
}

/// Answer to a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Page {
    Position,
    Me(Person),
    Feed {
        me: Person,
        croaks: Vec<FeedCroak>,
        /// The `before` of the next older page, if there is one.
        older: Option<LogIndex>,
    },
    Friends {
        me: Person,
        friends: Vec<Person>,
        /// The `after` of the next page, if there is one.
        more: Option<AccountId>,
    },
    Tree {
        /// In tree order, starting with the node at the path itself.
        entries: Vec<TreeEntry>,
        /// The `after` of the next page, if there is one.
        more: Option<TreePath>,
    },
    Leases {
        leases: Vec<(Owner, Lease)>,
        /// The `after` of the next page, if there is one.
        more: Option<Owner>,
    },
    Coordination(Coordination),
    Croak(FeedCroak),
    Profile {
        me: Person,
        profile: Profile,
        /// The pinned croak, on the newest page. It is among the croaks, too.
        pinned: Option<Box<FeedCroak>>,
        croaks: Vec<FeedCroak>,
        /// The `before` of the next older page, if there is one.
        older: Option<LogIndex>,
    },
    People {
        me: Person,
        people: Vec<PersonRelation>,
        /// The `after` of the next page, if there is one.
        more: Option<String>,
    },
    Followers {
        me: Person,
        people: Vec<PersonRelation>,
        /// The `after` of the next page, if there is one.
        more: Option<AccountId>,
    },
    Chatting {
        people: Vec<Person>,
    },
    Account(OwnAccount),
    Sessions(Vec<OpenSession>),
    Unread(Unread),
    Talks {
        me: Person,
        talks: Vec<TalkSummary>,
        /// The `before` of the next older page, if there is one.
        older: Option<LogIndex>,
    },
    Talk(Talk),
    Message {
        /// `None` if the account is deleted.
        with: Option<Person>,
        with_account: AccountId,
        message: TalkMessage,
    },
    Settings(Settings),
    Accounts {
        accounts: Vec<AccountSummary>,
        /// The `after` of the next page, if there is one.
        more: Option<String>,
    },
    Front(FrontPage),
    /// Nothing was applied since the state that the query names in `unless`, so its answer is the one given there.
    Unchanged,
    Notices {
        me: Person,
        /// Newest first.
        notices: Vec<NoticeItem>,
        /// The `before` of the next older page, if there is one.
        older: Option<LogIndex>,
        /// Number of unread notices, on this page or not.
        unread: u32,
    },
    Rooms {
        me: Person,
        rooms: Vec<RoomSummary>,
        invitations: Vec<RoomInvitation>,
    },
    OpenRooms {
        me: Person,
        /// Each with the relation of the reader to it.
        rooms: Vec<(RoomInfo, RoomStanding)>,
        /// The `after` of the next page, if there is one.
        more: Option<String>,
    },
    Room(RoomPage),
    RoomPeople(RoomPeople),
    RoomMessage {
        /// Name of the room.
        room: String,
        message: RoomText,
    },
    /// Muted or blocked accounts.
    KeptAway {
        me: Person,
        people: Vec<PersonRelation>,
        /// The `after` of the next page, if there is one.
        more: Option<AccountId>,
    },
    Reports {
        reports: Vec<ReportItem>,
        /// The `after` of the next page, if there is one.
        more: Option<LogIndex>,
    },

    Thread(Box<Thread>),
    Everyone {
        me: Person,
        croaks: Vec<FeedCroak>,
        /// The `before` of the next older page, if there is one.
        older: Option<LogIndex>,
        /// Audience of the reader's croaks that name none.
        audience: Audience,
    },
    Reactions {
        me: Person,
        croak: Box<FeedCroak>,
        /// Newest first.
        people: Vec<Person>,
    },
    Found(Box<Found>),
    Waiting {
        me: Person,
        /// Oldest first.
        messages: Vec<WaitingMessage>,
        /// There are more messages behind these.
        more: bool,
    },
    ResetLink(Person),
    Follows {
        me: Person,
        /// Each with the index of the follow.
        people: Vec<(Person, LogIndex)>,
        /// The `after` of the next page, if there is one.
        more: Option<AccountId>,
    },
    /// Newest first.
    Announcements(Vec<AnnouncementItem>),
    /// In the order in which the query names them.
    Croaks(Vec<FeedCroak>),
    /// In the order in which the query names them.
    Profiles {
        me: Person,
        profiles: Vec<Profile>,
    },
    /// In the order in which the query names them.
    Persons(Vec<Person>),
    Liked {
        me: Person,
        croaks: Vec<FeedCroak>,
        /// The `before` of the next older page, if there is one.
        older: Option<LogIndex>,
    },
    /// Oldest first.
    FeedAddresses(Vec<FeedAddressItem>),
    PublicCroaks {
        person: Person,
        /// Newest first.
        croaks: Vec<FeedCroak>,
    },
    App(AppInfo),
    /// `device` is the one of the session. Of an app's session, the app's name.
    Caller {
        me: Person,
        access: Option<AppAccess>,
        device: String,
    },
    Audit {
        /// Oldest first, each with its index.
        rows: Vec<(LogIndex, AuditRow)>,
        /// There are more rows: newer ones if the query names `after`, else older ones.
        more: bool,
    },
    RoomNames {
        names: Vec<String>,
        /// The `after` of the next page, if there is one.
        more: Option<String>,
    },
    JoinRequests {
        requests: Vec<JoinRequestItem>,
        /// The `after` of the next page, if there is one.
        more: Option<String>,
    },
    Invitation(InvitationItem),
    /// Oldest first within one maker.
    Invitations {
        /// True if the reader may make another one.
        may_invite: bool,
        invitations: Vec<InvitationItem>,
        /// The `after` of the next page, if there is one.
        more: Option<(AccountId, LogIndex)>,
    },
    /// In the order of their slots.
    JoinCodes(Vec<JoinCodeItem>),
    AllRooms {
        rooms: Vec<ListedRoom>,
        /// The `after` of the next page, if there is one.
        more: Option<String>,
    },
    Figures(Box<Figures>),
}

/// A join code in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinCodeItem {
    pub slot: u8,
    pub row: JoinCode,
    /// Why it does not work any more.
    pub over: Option<Code>,
    /// Time until it expires, in milliseconds of cluster age.
    pub left_ms: u64,
}

/// A request for an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequestItem {
    pub username: String,
    pub name: String,
    pub email: String,
    pub wall_ms: u64,
}

/// An invitation, without its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationItem {
    pub id: LogIndex,
    /// `None` if operators made it, or if the account is deleted.
    pub by: Option<Person>,
    pub wall_ms: u64,
    /// Time for which it works, in milliseconds of cluster age.
    pub left_ms: u64,
    pub uses_max: u16,
    pub used: u16,
    /// Name of the room that the new accounts join. `None` also if it is closed.
    pub room: Option<String>,
}

/// An app as it has registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppInfo {
    pub app: AppId,
    pub name: String,
    /// May be empty.
    pub website: String,
    pub redirects: Vec<String>,
    pub scopes: Scopes,
}

/// An announcement as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncementItem {
    pub id: LogIndex,
    pub text: String,
    pub wall_ms: u64,
    /// Time for which it is still shown, in milliseconds of cluster age, if it ends by itself.
    pub left_ms: Option<u64>,
}

/// A page of the feed with what stands around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontPage {
    pub me: Person,
    /// Authors of the croaks and accounts that shared them, each once.
    pub authors: Vec<Person>,
    /// Newest first.
    pub croaks: Vec<FrontCroak>,
    /// The `before` of the next older page, if there is one.
    pub older: Option<LogIndex>,
    pub unread: Unread,
    /// Audience of the reader's croaks that name none.
    pub audience: Audience,
}

/// A croak on a front page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontCroak {
    pub id: LogIndex,
    /// Position of its author among the authors of the page.
    pub author: u16,
    /// Left out if the asker knows it.
    pub body: Option<CroakBody>,
    pub numbers: CroakNumbers,
    /// Id and time of the share, and position of its account among the authors of the page, if the croak is in the feed because
    /// an account shared it.
    pub share: Option<(LogIndex, u64, u16)>,
}

/// Unread counts of a person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    pub messages: u32,
    /// Unread croaks of others in the feed. `UNREAD_CROAKS_MAX` means that many or more.
    pub croaks: u32,
    /// Croaks up to here were seen.
    pub feed_read_through: LogIndex,
    pub notices: u32,
    /// Unread messages of others in the rooms of the person. `UNREAD_ROOM_MESSAGES_MAX` means that many or more.
    pub rooms: u32,
}

/// A report as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportItem {
    /// Log index of the report, by which it is decided.
    pub id: LogIndex,
    /// `None` if the account is deleted.
    pub from: Option<Person>,
    /// `None` if the account is deleted.
    pub about: Option<Person>,
    pub thing: ReportedThing,
    pub words: String,
    /// Text of the thing when it was reported.
    pub text: String,
    pub wall_ms: u64,
}

/// A notice in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeItem {
    /// Index of the command that made it; also the cursor of the next page, which contains what is older.
    pub id: LogIndex,
    /// `None` if the people who run the servers caused it.
    pub from: Option<Person>,
    /// Wall clock of the leader when it proposed the command. It may be wrong.
    pub wall_ms: u64,
    pub kind: NoticeKind,
    /// Text of the croak or message that it is about.
    pub text: Option<String>,
    /// Name of the room that it is about.
    pub room: Option<String>,
    pub unread: bool,
}

/// One node in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeEntry {
    pub path: TreePath,
    pub node: TreeNode,
}
