//! Golden bytes of everything that is sent between processes: prefaces, and one frame per variant of every enum on the wire.
//!
//! `wire-1.txt` holds a name and the whole frame in hexadecimal. A changed line means that two builds of one wire version no longer
//! understand each other. A new variant does not compile here until it has a sample (`samples!`).
//! The frames of a snapshot link are in `src/roles/node/snapshots.rs`.

use crate::records::{HISTORY, KEY, TOKEN, compare, hex, path};
use crate::rooms;
use protobuf::Message as _;
use raft::eraftpb::{Entry, EntryType, MessageType};
use ribbit_net::frame::{self, Plane};
use ribbit_net::handshake::{self, Opening, Preface};
use ribbit_net::joining::{JoinAnswer, JoinFiles};
use ribbit_net::key_ring::ClusterKey;
use ribbit_net::keys::{KEY_BYTES, Keys};
use ribbit_net::peer::{self, PeerFrame, PeerHello, PeerTalk, PeerWelcome, StoreReport};
use ribbit_net::pinned::{PinAnswer, PinAsk, PinHead};
use ribbit_net::protocol::*;
use ribbit_replica::RaftMessage;
use ribbit_state::code::{Code, Denied, Field};
use ribbit_state::command::Audience;
use ribbit_state::command::LeaseEnd;
use ribbit_state::command::{Command, HOME_REGION, MemberName, NewMember, Reply, Request, Role, Verdict};
use ribbit_state::events::{CountedCroak, Event, EventKind, LeaseEvent, NodeChange, NodeEvent};
use ribbit_state::ids::{AccountId, ClusterId, HistoryId, RequestId, Token};
use ribbit_state::interest::Topic;
use ribbit_state::query::TreeEntry;
use ribbit_state::query::{
    AccountSummary, Figures, ListedRoom, OpenSession, OwnAccount, PersonRelation, Profile,
};
use ribbit_state::query::{
    AddressedThing, AnnouncementItem, CroakBody, FeedAddressItem, Found, FrontCroak, FrontPage,
    InvitationItem, JoinCodeItem, JoinRequestItem,
};
use ribbit_state::query::{Consistency, FeedCroak, OperatorQuery, Page, Person, Query, TalkPartner};
use ribbit_state::query::{CroakNumbers, CroakShare, ReactionKind, Thread, ThreadCroak, ThreadReply};
use ribbit_state::query::{
    DeliveryStatus, FollowSide, NoticeItem, ReportItem, Talk, TalkMessage, TalkSummary, Unread,
    WaitingMessage,
};
use ribbit_state::rows::{
    Coordination, Credential, Lease, NodeKind, NoticeKind, Owner, ReportedThing, Settings, TreeNode,
};
use ribbit_state::{AccountRole, Avatar, AvatarColour, Frog};
use ribbit_state::{Inviters, Registration, RoomId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use smol::io::AsyncWriteExt;
use smol::net::{TcpListener, TcpStream};
use std::fmt::Debug;

const WIRE_1: &str = include_str!("wire-1.txt");

const CLUSTER: ClusterId = ClusterId(HISTORY + 1);
const REQUEST: RequestId = RequestId(HISTORY);
const SEEN: Token = Token { history: HistoryId(HISTORY), index: 300 };
const ACCOUNT: AccountId = AccountId(0x0102);
const UNREAD: Unread = Unread { messages: 2, croaks: 3, feed_read_through: 300, notices: 4, rooms: 5 };

/// The samples of an enum, named by their variants. The match has no `_` arm, so that a variant without a sample is an error of the
/// compiler; a sample of another variant than it stands under is a failure.
macro_rules! samples {
    ($type:ident { $($variant:ident: $sample:expr),* $(,)? }) => {{
        fn name_of(value: &$type) -> &'static str {
            match value {
                $($type::$variant { .. } => concat!(stringify!($type), "::", stringify!($variant)),)*
            }
        }
        let samples = vec![$((concat!(stringify!($type), "::", stringify!($variant)), $sample)),*];
        for (name, sample) in &samples {
            assert_eq!(*name, name_of(sample));
        }
        samples
    }};
}

/// A line of wire-1.txt; checks that the frame is read back as what it was made from.
fn line<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, value: &T) -> String {
    let bytes = frame::encode(value);
    let read: T = smol::block_on(frame::read(&mut bytes.as_slice(), bytes.len())).unwrap();
    assert_eq!(read, *value, "{name} is read back");
    format!("{name} {}", hex(&bytes))
}

fn ask_line(name: &str, ask: Ask) -> String {
    line(name, &AskFrame { tag: 300, deadline_ms: 2_000, ask })
}

fn answer_line(name: &str, answer: Answer) -> String {
    line(name, &AnswerFrame { tag: 300, answer })
}

fn peer_line(name: &str, sent: PeerFrame) -> String {
    let bytes = peer::encode(&sent);
    assert_eq!(smol::block_on(peer::read(&mut bytes.as_slice())).unwrap(), sent, "{name} is read back");
    format!("{name} {}", hex(&bytes))
}

fn request() -> Request {
    Request { id: REQUEST, submitted_at: 300, origin: None, command: Command::croak(TOKEN, "a 🐸") }
}

fn password(text: &str) -> Password {
    Password(text.into())
}

fn member_name() -> MemberName {
    MemberName { role: Role::Coordinator, region: 2, id: 3 }
}

fn asks() -> Vec<(&'static str, Ask)> {
    let (id, submitted_at) = (REQUEST, 300);
    let member = NewMember {
        role: Role::Backend,
        id: 2,
        address: "host:10002".into(),
        machine: "board".into(),
        rules_level: 1,
        key: KEY,
    };
    let form = NewAccount {
        name: "Ada".into(),
        username: "ada".into(),
        email: "ada@example.org".into(),
        password: password("frogs"),
        invitation: Some(TOKEN),
    };
    samples!(Ask {
        NodeStatus: Ask::NodeStatus,
        Join: Ask::Join { cluster: CLUSTER, id, region: HOME_REGION, member },
        Lose: Ask::Lose { id, name: member_name() },
        Transfer: Ask::Transfer { name: member_name() },
        Write: Ask::Write(request()),
        CreateAccount: Ask::CreateAccount { id, submitted_at, form },
        LogIn: Ask::LogIn {
            id,
            submitted_at,
            username: "ada".into(),
            password: password("frogs"),
            token: TOKEN,
            device: "Firefox on Android".into(),
            app: Some(Box::new(crate::apps::log_in()))
        },
        DeleteAccount: Ask::DeleteAccount { id, submitted_at, session: TOKEN, password: password("frogs") },
        Read: Ask::Read { seen: None, consistency: Consistency::Stale, query: Query::Position },
        Subscribe: Ask::Subscribe { cursor: SEEN, wanted: Topic::feed(TOKEN) },
        Renew: Ask::Renew { token: TOKEN },
        GetServer: Ask::GetServer { client: 300, before: Some("host:10001".into()) },
        History: Ask::History,
        Directory: Ask::Directory(DirectoryAsk::Write),
        ChangePassword: Ask::ChangePassword {
            id,
            submitted_at,
            session: TOKEN,
            old: password("frogs"),
            new: password("newts"),
        },
        SetPassword: Ask::SetPassword {
            id,
            submitted_at,
            username: "ada".into(),
            password: password("newts")
        },
        Pin: Ask::Pin(PinAsk::Begin { at_least: None }),
        ResetPassword: Ask::ResetPassword { id, submitted_at, code: TOKEN, password: password("newts") },
        Confirm: Ask::Confirm { id, submitted_at, session: TOKEN, password: password("frogs") },
        NewestKey: Ask::NewestKey,
        TakeKey: Ask::TakeKey(cluster_key()),
    })
}

fn queries() -> Vec<(&'static str, Query)> {
    let (session, before, limit) = (TOKEN, Some(300), 20);
    samples!(Query {
        Position: Query::Position,
        Me: Query::Me { session },
        Feed: Query::Feed { session, before, limit },
        Friends: Query::Friends { session, after: Some(ACCOUNT) },
        Tree: Query::Tree { path: path("/jobs"), depth: Some(1), after: Some(path("/jobs/a")), limit },
        Leases: Query::Leases { after: Some(Owner::Client(300)) },
        Coordination: Query::Coordination,
        Croak: Query::Croak { session, id: 300 },
        Profile: Query::Profile { session, username: "ada".into(), before, limit },
        People: Query::People { session, names: "a*".into(), after: Some("ada".into()) },
        Followers: Query::Followers { session, after: Some(ACCOUNT) },
        Chatting: Query::Chatting { session },
        Account: Query::Account { session },
        Sessions: Query::Sessions { session },
        Unread: Query::Unread { session },
        Talks: Query::Talks { session, before, limit },
        Talk: Query::Talk { session, with: TalkPartner::Named("bob".into()), before, limit },
        Message: Query::Message { session, id: 300 },
        Settings: Query::Settings,
        Front: Query::Front { session, before, limit, known: Some((250, 300)), unless: Some(301) },
        Notices: Query::Notices { session, before, limit },
        Rooms: Query::Rooms { session },
        OpenRooms: Query::OpenRooms { session, after: Some("pond".into()) },
        Room: Query::Room { session, room: "pond".into(), before, limit },
        RoomPeople: Query::RoomPeople { session, room: "pond".into(), after: Some(ACCOUNT) },
        RoomMessage: Query::RoomMessage { session, room: rooms::ROOM_ID, id: 300 },
        Muted: Query::Muted { session, after: Some(ACCOUNT) },
        Blocked: Query::Blocked { session, after: Some(ACCOUNT) },
        Thread: Query::Thread { session, id: 300, after: Some(301), limit },
        Everyone: Query::Everyone { session, before, limit },
        Reactions: Query::Reactions { session, croak: 300, kind: ReactionKind::Share },
        Search: Query::Search { session, words: "rain #pond".into(), before, limit },
        Waiting: Query::Waiting { session, after: before, limit },
        FollowsOf: Query::FollowsOf {
            session,
            username: "bob".into(),
            side: FollowSide::Followers,
            after: Some(ACCOUNT)
        },
        ResetLink: Query::ResetLink { code: TOKEN },
        Follows: Query::Follows { session, side: FollowSide::Followers, after: Some(ACCOUNT) },
        Announcements: Query::Announcements,
        MyAnnouncements: Query::MyAnnouncements { session },
        Croaks: Query::Croaks { session, ids: vec![300, 301] },
        Profiles: Query::Profiles { session, accounts: vec![ACCOUNT] },
        Persons: Query::Persons { session, usernames: vec!["ada".into()] },
        Liked: Query::Liked { session, before, limit },
        FeedAddresses: Query::FeedAddresses { session },
        AddressedFeed: Query::AddressedFeed { address: TOKEN },
        PublicCroaks: Query::PublicCroaks { username: "bob".into() },
        App: Query::App { app: crate::apps::APP },
        OwnApp: Query::OwnApp { app: crate::apps::APP, key: TOKEN },
        Caller: Query::Caller { session },
        Operator: Query::Operator(OperatorQuery::Accounts { names: "*".into(), after: Some("ada".into()) }),
        Govern: Query::Govern { session, query: OperatorQuery::Reports { after: before } },
        Invitation: Query::Invitation { code: TOKEN },
        Invitations: Query::Invitations { session },
    })
}

/// The frames that are asked, and every enum inside them.
fn asked() -> Vec<String> {
    let read = |consistency, query| Ask::Read { seen: Some(SEEN), consistency, query };
    let consistencies = samples!(Consistency {
        Session: Consistency::Session,
        Stale: Consistency::Stale,
        Linearizable: Consistency::Linearizable,
    });
    let others = samples!(TalkPartner {
        Named: TalkPartner::Named("bob".into()),
        Account: TalkPartner::Account(ACCOUNT)
    });
    let talk = |with| Query::Talk { session: TOKEN, with, before: None, limit: 20 };
    let wanted = samples!(Topic {
        Feed: Topic::Feed { session: TOKEN, croaks: vec![299], everyone: true },
        Tree: Topic::Tree { path: path("/jobs") }
    });
    let directory = samples!(DirectoryAsk {
        Read: DirectoryAsk::Read { client: Some(300) },
        Write: DirectoryAsk::Write,
        Down: DirectoryAsk::Down { address: "host:10001".into() },
        Left: DirectoryAsk::Left { client: 300 },
    });
    let (pin, after, to) = (u64::MAX, vec![5, 0, 1], Some(vec![5, 0, 9]));
    let pins = samples!(PinAsk {
        Begin: PinAsk::Begin { at_least: Some(SEEN) },
        BeginAt: PinAsk::BeginAt { at: SEEN },
        Rows: PinAsk::Rows { pin, after: after.clone() },
        Sum: PinAsk::Sum { pin, after: after.clone(), to: to.clone() },
        Marks: PinAsk::Marks { pin, after, to },
        End: PinAsk::End { pin },
    });
    let roles = samples!(Role { Backend: Role::Backend, Coordinator: Role::Coordinator });
    let transfer = |role| Ask::Transfer { name: MemberName { role, region: 1, id: 1 } };
    let mut lines: Vec<String> = asks().into_iter().map(|(name, ask)| ask_line(name, ask)).collect();
    lines
        .extend(queries().into_iter().map(|(name, query)| ask_line(name, read(Consistency::Session, query))));
    lines.extend(consistencies.into_iter().map(|(name, of)| ask_line(name, read(of, Query::Position))));
    lines.extend(
        others.into_iter().map(|(name, with)| ask_line(name, read(Consistency::Session, talk(with)))),
    );
    lines.extend(
        wanted.into_iter().map(|(name, wanted)| ask_line(name, Ask::Subscribe { cursor: SEEN, wanted })),
    );
    lines.extend(directory.into_iter().map(|(name, ask)| ask_line(name, Ask::Directory(ask))));
    lines.extend(pins.into_iter().map(|(name, ask)| ask_line(name, Ask::Pin(ask))));
    lines.extend(roles.into_iter().map(|(name, role)| ask_line(name, transfer(role))));
    lines
}

fn member_info() -> MemberInfo {
    MemberInfo {
        raft_id: 6,
        role: Role::Backend,
        id: 2,
        address: "host:10002".into(),
        machine: "board".into(),
        pid: 300,
        applied: 301,
        clients: 302,
        rules_level: 1,
        region: 2,
        host: "reed".into(),
        in_sync: true,
        load_hundredths: 150,
        incarnation: u64::MAX,
        key: KEY,
    }
}

fn cluster_key() -> ClusterKey {
    ClusterKey { generation: 2, secret: [7; KEY_BYTES] }
}

fn node_status() -> NodeStatus {
    NodeStatus {
        cluster: CLUSTER,
        history: Some(HistoryId(HISTORY)),
        me: member_info(),
        leader: Some(6),
        term: 7,
        voters: vec![1, 2, 6],
        learners: vec![8],
        in_sync: true,
        stalled_s: 11,
        lagging: vec![8],
        others: vec![MemberInfo::default()],
        store: StoreStatus {
            bytes: 300,
            quota_bytes: 301,
            free_bytes: 302,
            full: true,
            scrubbed_s: Some(303),
            written_bytes: 304,
            written_s: 305,
            is_empty: true,
        },
        leases: LeaseStatus {
            holds: true,
            active: vec![1, 6],
            masters: vec![Master { region: 2, raft_id: 6, fence: 300 }],
        },
        accepts_old_key: true,
        build: "0.1.0 (1a2b3c4d, target)".into(),
        rules_level: 1,
        auto_finish: true,
    }
}

fn server_name() -> MemberName {
    MemberName::at_home(Role::Backend, 2)
}

fn backend_at() -> BackendEntry {
    BackendEntry {
        name: server_name(),
        address: "host:10002".into(),
        leads: true,
        in_sync: true,
        clients: 300,
    }
}

fn answers() -> Vec<(&'static str, Answer)> {
    let server = AssignedServer { name: server_name(), address: "host:10002".into(), home: 1 };
    samples!(Answer {
        NodeStatus: Answer::NodeStatus(Box::new(node_status())),
        Written: Answer::Written { token: SEEN, outcome: Ok(Reply::Done) },
        Read: Answer::Read { token: SEEN, old: true, page: Err(Denied::new(Code::NoSuchUser)) },
        Refused: Answer::Refused(Denied::of(Code::InvalidEntry, Field::Name)),
        Unavailable: Answer::Unavailable(UnavailableReason::NoLeader),
        Live: Answer::Live { cursor: SEEN, events: Vec::new() },
        Lapsed: Answer::Lapsed { resume_at: SEEN, why: LapseReason::Compacted },
        Renewed: Answer::Renewed { lease_ms: 2_000 },
        Server: Answer::Server { server: Some(server), changed: true },
        History: Answer::History(vec![HistoryLine { wall_ms: 3_000, words: "backend-2 leads".into() }]),
        Directory: Answer::Directory(DirectoryAnswer::Left { known: true }),
        Pin: Answer::Pin(PinAnswer::Ended),
        Key: Answer::Key(cluster_key()),
    })
}

fn person() -> Person {
    let avatar = Avatar::Chosen { colour: AvatarColour::Teal, frog: Frog::Winking };
    Person { account: ACCOUNT, username: "ada".into(), name: "Ada 🐸".into(), avatar }
}

fn message(status: DeliveryStatus) -> TalkMessage {
    TalkMessage { id: 300, mine: true, wall_ms: 3_000, text: "a\n🐸".into(), status }
}

fn entry(kind: NodeKind) -> TreeEntry {
    let node = TreeNode { kind, content: b"a\0b".to_vec(), ..TreeNode::folder(300, 3_000) };
    TreeEntry { path: path("/jobs/a"), node }
}

fn pages() -> Vec<(&'static str, Page)> {
    let me = person();
    let who = PersonRelation {
        person: person(),
        followed: true,
        follows: false,
        muted: false,
        blocked: false,
        blocks: false,
    };
    let kept_away = PersonRelation { muted: true, blocked: true, blocks: true, ..who.clone() };
    let body =
        CroakBody {
            wall_ms: 3_000, text: "a 🐸".into(), audience: Audience::Followers, reply_to: Some(299)
        };
    let numbers = CroakNumbers { replies: 1, likes: 300, shares: 2, liked: true, shared: true, pinned: true };
    let share = Some(Box::new(CroakShare { id: 301, by: person(), wall_ms: 4_000 }));
    let croak = FeedCroak { id: 300, author: person(), body: body.clone(), numbers, share };
    let croaks = vec![croak.clone()];
    let (everyone, liked) = (croaks.clone(), croak.clone());
    let reply = ThreadReply {
        id: 302,
        croak: ThreadCroak::Gap,
        replies: vec![ThreadCroak::Croak(croak.clone())],
        more: true,
    };
    let thread = Thread {
        me: person(),
        above: vec![ThreadCroak::Gap],
        more_above: true,
        croak: croak.clone(),
        replies: vec![reply],
        more: Some(302),
        audience: Audience::Followers,
    };
    let talk_line = TalkSummary {
        with: Some(person()),
        with_account: ACCOUNT,
        newest: message(DeliveryStatus::Read),
        waiting: 2,
    };
    let talk = Talk {
        me: me.clone(),
        with: None,
        with_account: AccountId(9),
        messages: vec![message(DeliveryStatus::Saved)],
        older: Some(299),
        waiting: 2,
        read_through: 298,
    };
    let (email, created_wall_ms) = ("ada@example.org".to_string(), 2_000);
    let account_line = AccountSummary {
        person: person(),
        email: email.clone(),
        created_wall_ms,
        suspended: true,
        role: AccountRole::Moderator,
        credential: Credential::Name,
        sessions: 2,
    };
    let known = FrontCroak { id: 299, author: 0, body: None, numbers, share: None };
    let body = Some(body);
    let front = FrontPage {
        me: me.clone(),
        authors: vec![person()],
        croaks: vec![FrontCroak { id: 300, author: 0, body, numbers, share: Some((301, 4_000, 0)) }, known],
        older: Some(299),
        unread: UNREAD,
        audience: Audience::Followers,
    };
    let (bio, links) = ("Frogs".to_string(), vec!["https://pond.example".to_string()]);
    let profile = Profile {
        relation: who.clone(),
        created_wall_ms,
        bio: bio.clone(),
        links: links.clone(),
        croaks: 2,
        friends: 3,
        followers: 4,
    };
    let open = OpenSession {
        opened: 300,
        opened_wall_ms: 3_000,
        device: "Firefox on Android".into(),
        used_wall_ms: 4_000,
        this: true,
        scopes: Some(crate::apps::scopes()),
    };
    let audience = Audience::Followers;
    let account = OwnAccount {
        person: person(),
        email,
        created_wall_ms,
        bio,
        links,
        audience,
        role: AccountRole::Admin,
    };
    let pinned = Some(Box::new(croak.clone()));
    let (named, liked_croaks, named_profile) = (croaks.clone(), croaks.clone(), profile.clone());
    let invitation = InvitationItem {
        id: 300,
        by: Some(person()),
        wall_ms: 2_000,
        left_ms: 1_000,
        uses_max: 30,
        used: 2,
        room: Some("pond".into()),
    };
    let lease = (Owner::Client(300), Lease::of_client(TOKEN, "lock /jobs/backup", 300));
    samples!(Page {
        Position: Page::Position,
        Me: Page::Me(person()),
        Feed: Page::Feed { me: me.clone(), croaks: croaks.clone(), older: Some(299) },
        Friends: Page::Friends { me: me.clone(), friends: vec![person()], more: Some(ACCOUNT) },
        Tree: Page::Tree { entries: vec![entry(NodeKind::Folder)], more: Some(path("/jobs/b")) },
        Leases: Page::Leases { leases: vec![lease], more: Some(Owner::Member(6)) },
        Coordination: Page::Coordination(Coordination {
            nodes: 3,
            client_leases: 1,
            regions: 2,
            next_client: 300,
        }),
        Croak: Page::Croak(croak),
        Profile: Page::Profile { me: me.clone(), profile, pinned, croaks, older: Some(299) },
        People: Page::People { me: me.clone(), people: vec![who.clone()], more: Some("ada".into()) },
        Followers: Page::Followers { me: me.clone(), people: vec![who], more: Some(ACCOUNT) },
        Chatting: Page::Chatting { people: vec![person()] },
        Account: Page::Account(account),
        Sessions: Page::Sessions(vec![open]),
        Unread: Page::Unread(UNREAD),
        Talks: Page::Talks { me: me.clone(), talks: vec![talk_line], older: Some(299) },
        Talk: Page::Talk(talk),
        Message: Page::Message {
            with: Some(me),
            with_account: ACCOUNT,
            message: message(DeliveryStatus::Delivered)
        },
        Settings: Page::Settings(Settings {
            registration: Registration::Request,
            inviters: Inviters::Everyone,
            site_name: "The pond".into(),
            welcome: String::new()
        }),
        Accounts: Page::Accounts { accounts: vec![account_line], more: Some("ada".into()) },
        Front: Page::Front(front),
        Unchanged: Page::Unchanged,
        KeptAway: Page::KeptAway { me: person(), people: vec![kept_away], more: Some(ACCOUNT) },
        Reports: Page::Reports { reports: reports(), more: Some(300) },
        Notices: Page::Notices { me: person(), notices: notices(), older: Some(299), unread: 2 },
        Rooms: rooms::list(person()),
        OpenRooms: rooms::open(person()),
        Room: rooms::room(person()),
        RoomPeople: rooms::people(person()),
        RoomMessage: Page::RoomMessage { room: "pond".into(), message: rooms::message(person()) },
        Thread: Page::Thread(Box::new(thread)),
        Everyone: Page::Everyone { me: person(), croaks: everyone, older: Some(299), audience },
        Reactions: Page::Reactions { me: person(), croak: Box::new(liked), people: vec![person()] },
        Found: Page::Found(Box::new(found())),
        Waiting: Page::Waiting { me: person(), messages: vec![waiting_message()], more: true },
        ResetLink: Page::ResetLink(person()),
        Follows: Page::Follows { me: person(), people: vec![(person(), 300)], more: Some(ACCOUNT) },
        Announcements: Page::Announcements(vec![announcement()]),
        Croaks: Page::Croaks(named),
        Profiles: Page::Profiles { me: person(), profiles: vec![named_profile] },
        Persons: Page::Persons(vec![person()]),
        Liked: Page::Liked { me: person(), croaks: liked_croaks, older: Some(299) },
        FeedAddresses: Page::FeedAddresses(feed_addresses()),
        PublicCroaks: Page::PublicCroaks { person: person(), croaks: Vec::new() },
        App: Page::App(crate::apps::info()),
        Caller: crate::apps::caller(person()),
        RoomNames: Page::RoomNames { names: vec!["pond".into()], more: None },
        Audit: Page::Audit { rows: vec![(300, crate::audit::row())], more: true },
        JoinRequests: Page::JoinRequests {
            requests: vec![JoinRequestItem {
                username: "bob".into(),
                name: "Bob".into(),
                email: "b@b".into(),
                wall_ms: 2_000,
            }],
            more: Some("bob".into()),
        },
        Invitation: Page::Invitation(invitation.clone()),
        Invitations: Page::Invitations {
            may_invite: true,
            invitations: vec![invitation],
            more: Some((ACCOUNT, 300)),
        },
        JoinCodes: Page::JoinCodes(vec![JoinCodeItem {
            slot: 19,
            row: crate::records::join_code(),
            over: Some(Code::JoinCodeUsed),
            left_ms: 300,
        }]),
        AllRooms: Page::AllRooms {
            rooms: vec![ListedRoom {
                room: rooms::info(),
                owner: Some(person()),
                newest_wall_ms: Some(2_000),
            }],
            more: Some("pond".into()),
        },
        Figures: Page::Figures(Box::new(Figures {
            people: 300,
            croaks: 301,
            rooms: 302,
            backup: Some(crate::audit::row()),
            age_ms: 303,
        })),
    })
}

/// One notice of each kind.
fn notices() -> Vec<NoticeItem> {
    let kinds = samples!(NoticeKind {
        Mention: NoticeKind::Mention { croak: 300 },
        Reply: NoticeKind::Reply { croak: 300 },
        Like: NoticeKind::Like { croak: 300 },
        Share: NoticeKind::Share { croak: 300 },
        Follow: NoticeKind::Follow,
        RoomMention: NoticeKind::RoomMention { room: RoomId(300), message: 301 },
        Invitation: NoticeKind::Invitation { room: 300 },
        ReportDecided: NoticeKind::ReportDecided { report: 300, verdict: Verdict::Remove },
        Warning: NoticeKind::Warning { croak: Some(300) },
    });
    let notice = |kind: NoticeKind| {
        let text = kind.croak().map(|_| "a 🐸".to_string());
        NoticeItem {
            id: 301,
            from: Some(person()),
            wall_ms: 3_000,
            kind,
            text,
            room: Some("pond".into()),
            unread: true,
        }
    };
    kinds.into_iter().map(|(_, kind)| notice(kind)).collect()
}

/// One report of each kind.
fn reports() -> Vec<ReportItem> {
    let things = samples!(ReportedThing {
        Person: ReportedThing::Person,
        Croak: ReportedThing::Croak { croak: 300 },
        Message: ReportedThing::Message { message: 300 },
        RoomMessage: ReportedThing::RoomMessage { room: RoomId(300), message: 301 },
    });
    let report = |thing| {
        let (from, about) = (Some(person()), None);
        ReportItem {
            id: 301, from, about, thing, words: "rude".into(), text: "a 🐸".into(), wall_ms: 3_000
        }
    };
    things.into_iter().map(|(_, thing)| report(thing)).collect()
}

fn replies() -> Vec<(&'static str, Reply)> {
    samples!(Reply {
        Done: Reply::Done,
        Created: Reply::Created { account: ACCOUNT },
        LoggedIn: Reply::LoggedIn { account: ACCOUNT },
        Croaked: Reply::Croaked { croak: 300 },
        Joined: Reply::Joined { raft_id: 6, history: HistoryId(HISTORY) },
        Stepped: Reply::Stepped { more: true },
        Leased: Reply::Leased { lease: 300 },
        Fenced: Reply::Fenced { fence: 300 },
        Client: Reply::Client { id: 300 },
        Sent: Reply::Sent { message: 300 },
        Announced: Reply::Announced { announcement: 300 },
        Registered: Reply::Registered { app: crate::apps::APP },
        Requested: Reply::Requested,
        Invited: Reply::Invited { invitation: 300 },
    })
}

fn fields() -> Vec<(&'static str, Field)> {
    samples!(Field {
        Name: Field::Name,
        Username: Field::Username,
        Email: Field::Email,
        Password: Field::Password,
        Post: Field::Post,
        Message: Field::Message,
        NewPassword: Field::NewPassword,
        Names: Field::Names,
        Search: Field::Search,
        Room: Field::Room,
        Topic: Field::Topic,
        Words: Field::Words,
        Bio: Field::Bio,
        Links: Field::Links,
    })
}

fn happenings() -> Vec<(&'static str, EventKind)> {
    let (account, friend, room) = (ACCOUNT, AccountId(9), rooms::ROOM_ID);
    let nodes = vec![NodeChange { path: path("/jobs"), what: NodeEvent::Made }];
    samples!(EventKind {
        AccountCreated: EventKind::AccountCreated { account },
        AccountDeleted: EventKind::AccountDeleted { account },
        SessionOpened: EventKind::SessionOpened { account },
        SessionClosed: EventKind::SessionClosed { account },
        Croaked: EventKind::Croaked { author: account },
        FriendAdded: EventKind::FriendAdded { account, friend },
        FriendRemoved: EventKind::FriendRemoved { account, friend },
        Tree: EventKind::Tree { nodes, lease: Some((Owner::Member(6), LeaseEvent::Began)) },
        Messaged: EventKind::Messaged { from: account, to: friend },
        Marked: EventKind::Marked { account, with: friend },
        FeedRead: EventKind::FeedRead { account },
        CroakRemoved: EventKind::CroakRemoved { croak: 299 },
        Muted: EventKind::Muted { account, other: friend, muted: true },
        Blocked: EventKind::Blocked { account, other: friend, blocked: true, followed: true, follows: false },
        Noticed: EventKind::Noticed,
        RoomSaid: EventKind::RoomSaid { room, from: account },
        RoomMessageRemoved: EventKind::RoomMessageRemoved { room, message: 299 },
        RoomJoined: EventKind::RoomJoined { room, account },
        RoomLeft: EventKind::RoomLeft { room, account },
        RoomChanged: EventKind::RoomChanged { room },
        RoomClosed: EventKind::RoomClosed { room },
        RoomInvited: EventKind::RoomInvited { room, account },
        RoomRead: EventKind::RoomRead { room, account },
        Reacted: EventKind::Reacted { croak: 299, author: friend, account },
        Shared: EventKind::Shared { croak: 299, author: friend, account },
        Announced: EventKind::Announced,
    })
}

/// The events of live streams, and every enum inside them.
fn live() -> Vec<String> {
    let tree = |nodes, lease| EventKind::Tree { nodes, lease };
    let facts = samples!(NodeEvent {
        Made: NodeEvent::Made,
        Written: NodeEvent::Written,
        Acquired: NodeEvent::Acquired { fence: 300 },
        Removed: NodeEvent::Removed,
        Pruned: NodeEvent::Pruned,
    });
    let leases = samples!(LeaseEvent { Began: LeaseEvent::Began, Ended: LeaseEvent::Ended(LeaseEnd::Left) });
    let endings = samples!(LeaseEnd { Missed: LeaseEnd::Missed { silence_ms: 2_000 }, Left: LeaseEnd::Left });
    let owners = samples!(Owner { Member: Owner::Member(6), Client: Owner::Client(300) });
    let mut events = happenings();
    let change = |what| vec![NodeChange { path: path("/jobs/a"), what }];
    events.extend(facts.into_iter().map(|(name, what)| (name, tree(change(what), None))));
    let lease = |owner, fact| tree(Vec::new(), Some((owner, fact)));
    events.extend(leases.into_iter().map(|(name, fact)| (name, lease(Owner::Member(6), fact))));
    events.extend(
        endings.into_iter().map(|(name, why)| (name, lease(Owner::Client(300), LeaseEvent::Ended(why)))),
    );
    events.extend(owners.into_iter().map(|(name, owner)| (name, lease(owner, LeaseEvent::Began))));
    let answer = |what| {
        let counted = Some(CountedCroak { croak: 299, author: AccountId(9) });
        let event = Event { index: 300, what, notified: [ACCOUNT].into(), counted };
        Answer::Live { cursor: SEEN, events: vec![event] }
    };
    events.into_iter().map(|(name, what)| answer_line(name, answer(what))).collect()
}

fn pin_answers() -> Vec<(&'static str, PinAnswer)> {
    let head = PinHead {
        pin: u64::MAX,
        cluster: CLUSTER,
        history: HistoryId(HISTORY),
        index: 300,
        term: 7,
        rules_level: 1,
        rows: 301,
        digest: u64::MAX,
    };
    samples!(PinAnswer {
        Held: PinAnswer::Held(head),
        Passed: PinAnswer::Passed { applied: 300 },
        Rows: PinAnswer::Rows(vec![(vec![5, 0, 1], vec![1, 2])]),
        Sum: PinAnswer::Sum { rows: 300, sum: u64::MAX, stopped_at: Some(vec![5, 0, 1]) },
        Marks: PinAnswer::Marks { marks: vec![(vec![5, 0, 1], u64::MAX)], more: true },
        Ended: PinAnswer::Ended,
        Gone: PinAnswer::Gone,
        Damaged: PinAnswer::Damaged { why: "a row does not match its checksum".into() },
    })
}

fn directions() -> Vec<(&'static str, DirectoryAnswer)> {
    samples!(DirectoryAnswer {
        Read: DirectoryAnswer::Read { client: 300, lease_ms: 60_000, backend: backend_at() },
        Write: DirectoryAnswer::Write(vec![backend_at()]),
        Down: DirectoryAnswer::Down(DownCheck::Answers),
        Left: DirectoryAnswer::Left { known: true },
    })
}

/// The frames that are answered, and every enum inside them but those of live events.
fn answered() -> Vec<String> {
    let reasons = samples!(UnavailableReason {
        NoLeader: UnavailableReason::NoLeader,
        Busy: UnavailableReason::Busy,
        Behind: UnavailableReason::Behind,
        NotServing: UnavailableReason::NotServing,
        OtherHistory: UnavailableReason::OtherHistory,
    });
    let lapses = samples!(LapseReason {
        Compacted: LapseReason::Compacted,
        Behind: LapseReason::Behind,
        OtherHistory: LapseReason::OtherHistory,
    });
    let findings = samples!(DownCheck {
        Answers: DownCheck::Answers,
        Silent: DownCheck::Silent,
        Unknown: DownCheck::Unknown
    });
    let fates = samples!(DeliveryStatus {
        Saved: DeliveryStatus::Saved,
        Delivered: DeliveryStatus::Delivered,
        Read: DeliveryStatus::Read
    });
    let kinds = samples!(NodeKind { Folder: NodeKind::Folder, File: NodeKind::File, Lock: NodeKind::Lock });
    let written = |outcome| Answer::Written { token: SEEN, outcome };
    let read = |page| Answer::Read { token: SEEN, old: false, page: Ok(page) };
    let refused = |field| Answer::Refused(Denied::of(Code::InvalidEntry, field));
    let message = |fate| Page::Message { with: None, with_account: ACCOUNT, message: message(fate) };
    let tree = |kind| Page::Tree { entries: vec![entry(kind)], more: None };
    let lapsed = |why| Answer::Lapsed { resume_at: SEEN, why };
    let down = |finding| Answer::Directory(DirectoryAnswer::Down(finding));
    let mut made = answers();
    made.extend(replies().into_iter().map(|(name, reply)| (name, written(Ok(reply)))));
    made.push(("Denied", written(Err(Denied::new(Code::NoSuchUser)))));
    made.extend(pages().into_iter().map(|(name, page)| (name, read(page))));
    made.extend(fates.into_iter().map(|(name, fate)| (name, read(message(fate)))));
    made.extend(kinds.into_iter().map(|(name, kind)| (name, read(tree(kind)))));
    made.extend(fields().into_iter().map(|(name, field)| (name, refused(field))));
    made.extend(reasons.into_iter().map(|(name, why)| (name, Answer::Unavailable(why))));
    made.extend(lapses.into_iter().map(|(name, why)| (name, lapsed(why))));
    made.extend(directions().into_iter().map(|(name, directions)| (name, Answer::Directory(directions))));
    made.extend(findings.into_iter().map(|(name, finding)| (name, down(finding))));
    made.extend(pin_answers().into_iter().map(|(name, answer)| (name, Answer::Pin(answer))));
    made.into_iter().map(|(name, answer)| answer_line(name, answer)).collect()
}

/// The engine's messages that cross a link; it has others, which stay within a member.
fn raft_messages() -> Vec<(String, RaftMessage)> {
    use MessageType::*;
    let types = [
        MsgAppend,
        MsgAppendResponse,
        MsgRequestVote,
        MsgRequestVoteResponse,
        MsgRequestPreVote,
        MsgRequestPreVoteResponse,
        MsgHeartbeat,
        MsgHeartbeatResponse,
        MsgReadIndex,
        MsgReadIndexResp,
        MsgTimeoutNow,
    ];
    let message = |kind: MessageType| {
        let mut entry = Entry::new();
        (entry.index, entry.term, entry.data) = (300, 7, vec![1, 2, 3].into());
        entry.set_entry_type(EntryType::EntryNormal);
        let mut message = RaftMessage::new();
        message.set_msg_type(kind);
        (message.from, message.to, message.term) = (1, 2, 7);
        (message.index, message.log_term, message.commit) = (299, 6, 298);
        message.entries = vec![entry];
        (format!("Raft::{kind:?}"), message)
    };
    types.map(message).into()
}

fn peer_frames() -> Vec<String> {
    let talks = samples!(PeerTalk {
        Forward: PeerTalk::Forward(vec![request()]),
        Heartbeat: PeerTalk::Heartbeat(member_info()),
        Store: PeerTalk::Store(StoreReport { digests: vec![(300, u64::MAX)], full: true }),
        RenewLease: PeerTalk::RenewLease { serial: 300, from: 6, incarnation: u64::MAX, clients: vec![301] },
        LeaseRenewed: PeerTalk::LeaseRenewed { serial: 300, to: 6, lease_ms: 2_000 },
    });
    let welcomes = samples!(PeerWelcome {
        Welcome: PeerWelcome::Welcome {
            me: member_info(),
            others: vec![MemberInfo::default()],
            you_applied: 300,
        },
        Refused: PeerWelcome::Refused("another history".into()),
        Removed: PeerWelcome::Removed,
    });
    let frames = samples!(PeerFrame {
        Raft: PeerFrame::Raft(vec![1, 2, 3].into()),
        Talk: PeerFrame::Talk(PeerTalk::Forward(Vec::new())),
    });
    let hello = PeerHello { cluster: CLUSTER, history: HistoryId(HISTORY), from: member_info(), to: 1 };
    let mut lines = vec![line("PeerHello", &hello)];
    lines.extend(welcomes.iter().map(|(name, welcome)| line(name, welcome)));
    lines.extend(frames.into_iter().map(|(name, sent)| peer_line(name, sent)));
    lines.extend(talks.into_iter().map(|(name, talk)| peer_line(name, PeerFrame::Talk(talk))));
    for (name, message) in raft_messages() {
        let bytes = message.write_to_bytes().unwrap();
        assert_eq!(RaftMessage::parse_from_bytes(&bytes).unwrap(), message, "{name} is read back");
        lines.push(peer_line(&name, PeerFrame::Raft(bytes.into())));
    }
    lines
}

/// The beginnings of connections: what is in the clear before the handshake.
fn openings() -> Vec<String> {
    let planes = samples!(Plane {
        Peer: Plane::Peer,
        Client: Plane::Client,
        Control: Plane::Control,
        Snapshot: Plane::Snapshot,
        Status: Plane::Status,
        Directory: Plane::Directory,
        Join: Plane::Join,
    });
    let mut lines = Vec::new();
    for (name, plane) in planes {
        let preface = Preface { plane, cluster: Some(CLUSTER), key: 0 };
        assert_eq!(Preface::parse(&preface.to_bytes()).unwrap(), preface);
        lines.push(format!("{name} {}", hex(&preface.to_bytes())));
    }
    for (name, plane) in [("Carried::Client", Plane::Client), ("Carried::Peer", Plane::Peer)] {
        lines.push(format!("{name} {}", hex(&smol::block_on(carried(plane)))));
    }
    lines
}

/// The bytes that a balancer sends ahead of a connection from 127.0.0.1 whose first message is all sevens.
async fn carried(plane: Plane) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut dialler = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let preface = Preface { plane, cluster: Some(CLUSTER), key: 0 };
    dialler.write_all(&preface.to_bytes()).await.unwrap();
    dialler.write_all(&[7; 128]).await.unwrap();
    let (mut accepted, _) = listener.accept().await.unwrap();
    let Opening::Ribbit(arrival) = handshake::read_opening(&mut accepted).await.unwrap() else {
        panic!("a preface was sent");
    };
    handshake::proxy_opening(&mut accepted, arrival, &Keys::of_cluster(CLUSTER, &[9; 32])).await.unwrap()
}

/// What a member answers to a server that joins with a code.
fn joining() -> Vec<String> {
    let answers = samples!(JoinAnswer {
        Message: JoinAnswer::Message(vec![7; 33]),
        Refused: JoinAnswer::Refused(Denied::new(Code::JoinCodeWrong)),
        Unavailable: JoinAnswer::Unavailable(UnavailableReason::NoLeader),
    });
    let mut lines: Vec<String> = answers.into_iter().map(|(name, answer)| line(name, &answer)).collect();
    let files = JoinFiles { cluster_file: "NAME=frogs\n".into(), members: vec!["board1:10001".into()] };
    lines.push(line("JoinFiles", &files));
    lines
}

#[test]
fn frames_of_wire_version_1_stay_readable() {
    assert_eq!(frame::WIRE_VERSION, 1, "another version has a file of its own");
    let made = [openings(), asked(), answered(), live(), peer_frames(), joining()].concat();
    compare("wire-1.txt", WIRE_1, made);
}

fn waiting_message() -> WaitingMessage {
    WaitingMessage {
        id: 300,
        from: ACCOUNT,
        username: "bob".into(),
        deleted: true,
        wall_ms: 1_700_000_000_000,
        text: "hello".into(),
    }
}

fn feed_addresses() -> Vec<FeedAddressItem> {
    let things = [AddressedThing::Home, AddressedThing::Room("pond".into()), AddressedThing::Gone];
    let item = |leads_to| FeedAddressItem { made: 300, made_wall_ms: 1_700_000_000_000, leads_to };
    things.map(item).into()
}

fn announcement() -> AnnouncementItem {
    AnnouncementItem { id: 300, text: "rain".into(), wall_ms: 1_700_000_000_000, left_ms: Some(1_000) }
}

fn found() -> Found {
    let relation = PersonRelation {
        person: person(),
        followed: true,
        follows: false,
        muted: false,
        blocked: false,
        blocks: false,
    };
    Found { me: person(), people: vec![relation], all_people: true, croaks: Vec::new(), older: Some(299) }
}
