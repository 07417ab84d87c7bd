//! Golden bytes of every format: rows, log entries, backups and frames on the wire. The files beside this one hold them in
//! hexadecimal.
//!
//! A line is a name, the key (`-` for the empty one) and the row, or a name and the entry or frame. When a format gets a new
//! version, these lines stay, and the lines of the new version go into a file of their own.

// A test that cannot go on may panic where it stands.

use proptest::prelude::*;
use ribbit_db::Position;
use ribbit_db::backup::{BackupHead, BackupReader, BackupWriter, digest_of};
use ribbit_db::record::seal;
use ribbit_db::snapshot::Chunk;
use ribbit_state::apply::digest;
use ribbit_state::code::{Code, Denied, Field};
use ribbit_state::command::InvitationTerms;
use ribbit_state::command::{
    AccessCommand, AccountChanges, AccountCommand, AppCommand, ConversationCommand, OperatorCommand,
};
use ribbit_state::command::{
    Command, HOME_REGION, MemberChange, MemberName, NewMember, Proposal, Reply, Request, Role, Stamp,
};
use ribbit_state::command::{Guard, NewPerson, TreeCommand};
use ribbit_state::command::{LeaseCommand, LeaseEnd};
use ribbit_state::command::{
    MessageCommand, NoticeCommand, RelationCommand, ReportSubject, RoomCommand, Verdict,
};

use ribbit_state::croaks::CroakHeader;
use ribbit_state::ids::{AccountId, ClusterId, HistoryId, KeyId, RequestId, RoomId, TokenHash};
use ribbit_state::path::TreePath;
use ribbit_state::rows::InlineRecord;
use ribbit_state::rows::*;
use ribbit_state::{AccountRole, Avatar, AvatarColour, Frog};
use std::collections::BTreeSet;

const ROWS_1: &str = include_str!("rows-1.txt");
const ENTRIES_1: &str = include_str!("entries-1.txt");
const BACKUP_1: &str = include_str!("backup-1.txt");

pub(crate) const TOKEN: TokenHash = TokenHash([0xab; 32]);
pub(crate) const KEY: KeyId = KeyId { generation: 2, tag: u64::MAX };
pub(crate) const HISTORY: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;

pub(crate) fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() { "-".into() } else { bytes.iter().map(|byte| format!("{byte:02x}")).collect() }
}

/// A line of rows-1.txt; checks on the way that the bytes read back as what they were made from.
pub(crate) fn line<T: Table>(name: &str, key: T::Key, row: T::Row) -> String
where
    T::Key: PartialEq,
    T::Row: PartialEq,
{
    let (key_bytes, row_bytes) = (key.bytes(), encode(&row));
    assert!(T::Key::from_bytes(&key_bytes) == Some(key), "the key of {name} reads back");
    assert!(decode(&row_bytes) == Some(row), "the row of {name} reads back");
    format!("{name} {} {}", hex(&key_bytes), hex(&row_bytes))
}

fn remembered(index: u64, outcome: Result<Reply, Denied>) -> String {
    let row = RequestRecord { id: RequestId(HISTORY), digest: u64::MAX, age_ms: 300, outcome };
    line::<Requests>("Requests", index, row)
}

fn conversation_rows(id: AccountId) -> Vec<String> {
    let gap = Some(Gap { reply_to: Some(299) });
    let counts = Counts { author: id, replies: 1, likes: 300, shares: 2, gap };
    vec![
        line::<Replies>("Replies", (300, 301), ()),
        line::<Likes>("Likes", (300, 302), id),
        line::<LikedBy>("LikedBy", (id, 300), 302),
        line::<Shares>("Shares", (300, 303), id),
        line::<SharedBy>("SharedBy", (id, 300), 303),
        line::<CroakCounts>("CroakCounts", 300, counts),
        line::<CroakSweeps>("CroakSweeps", 300, ()),
    ]
}

/// Every table, every reply, every code and every field once.
fn rows() -> Vec<String> {
    let account = Account {
        username: "ada".into(),
        name: "Ada 🐸".into(),
        email: "ada@example.org".into(),
        credential: Credential::Password("$argon2id$".into()),
        credential_version: 3,
        created_wall_ms: 1_700_000_000_000,
        avatar: Avatar::Chosen { colour: AvatarColour::Teal, frog: Frog::Winking },
        role: AccountRole::Admin,
        deleted: false,
    };
    let feed_address = FeedAddress {
        account: AccountId(0x0102),
        source: FeedSource::Room { room: RoomId(300) },
        made: 301,
        made_wall_ms: 1_700_000_000_000,
    };
    let announcement =
        Announcement { text: "rain".into(), wall_ms: 1_700_000_000_000, until_age_ms: Some(300) };
    let id = AccountId(0x0102);
    let session = Session {
        account: id,
        opened: 5,
        opened_age_ms: 1_000,
        opened_wall_ms: 2_000,
        device: "Firefox on Android".into(),
        used_wall_ms: 3_000,
        app: Some(crate::apps::access()),
        confirmed_age_ms: Some(1_500),
    };
    let invitation = Invitation {
        by: id,
        made: 300,
        made_wall_ms: 2_000,
        until_age_ms: 86_400_000,
        uses_max: 30,
        used: 2,
        room: Some(RoomId(299)),
    };
    let profile = AccountProfile {
        bio: "Frogs\nand 🐸".into(),
        links: vec!["https://pond.example".into()],
        pinned: Some(0x0a0b),
        audience: Audience::Followers,
    };
    let croak = Croak {
        author: id,
        audience: Audience::Followers,
        kind: CroakKind::Reply { to: 300 },
        wall_ms: 3_000,
        text: "a,\n\"b\" 🐸".into(),
    };
    let record = InlineRecord { id: HISTORY, digest: u64::MAX, age_ms: 300 };
    let post = StoredCroak { record, croak: croak.clone() };
    let member = Member {
        role: Role::Coordinator,
        id: 2,
        address: "host:9001".into(),
        machine: "board".into(),
        rules_level: 1,
        key: KEY,
        standing: Standing::Wanted,
        region: HOME_REGION,
    };
    let books = Bookkeeping {
        expired_through: 1,
        indexed_through: 300,
        next_raft_id: 7,
        history: HISTORY,
        rules_level: 1,
        key: KEY,
        auto_finish: true,
    };
    let mut rows = vec![
        line::<Accounts>("Accounts", id, account.clone()),
        line::<JoinRequests>("JoinRequests", "ada".to_string(), account),
        line::<Invitations>("Invitations", TOKEN, invitation),
        line::<InvitationsOf>("InvitationsOf", (id, 300), TOKEN),
        line::<JoinCodes>("JoinCodes", 19, join_code()),
        line::<Names>("Names", "ada".into(), id),
        line::<Profiles>("Profiles", id, profile),
        line::<OneTimeLinks>(
            "OneTimeLinks",
            TOKEN,
            OneTimeLink { purpose: LinkPurpose::Reset { account: id }, made_age_ms: 300 },
        ),
        line::<ResetLinks>("ResetLinks", id, TOKEN),
        line::<FeedAddresses>("FeedAddresses", TOKEN, feed_address),
        line::<FeedAddressesOf>("FeedAddressesOf", (id, 300), TOKEN),
        line::<Announcements>("Announcements", 300, announcement),
        line::<Dismissals>("Dismissals", id, vec![300, 301]),
        line::<Sessions>("Sessions", TOKEN, session),
        line::<SessionsOf>("SessionsOf", (id, 5), TOKEN),
        line::<CroaksBy>("CroaksBy", (id, 0x0a0b), ()),
        line::<Friends>("Friends", (id, 9), 300),
        line::<Followers>("Followers", (AccountId(9), id.0), ()),
        line::<Sweeps>("Sweeps", id, ()),
        line::<Members>("Members", 6, member),
        line::<Books>("Books", (), books),
        line::<Croaks>("Croaks", 0x0a0c, post),
    ];
    rows.extend(coordination_rows(id));
    rows.extend(message_rows(id));
    rows.extend(crate::rooms::rows(id));
    rows.extend(conversation_rows(id));
    rows.extend(crate::apps::rows(id));
    rows.extend(crate::audit::rows());
    let replies = [
        Reply::Done,
        Reply::Created { account: id },
        Reply::LoggedIn { account: id },
        Reply::Croaked { croak: 77 },
        Reply::Joined { raft_id: 6, history: HistoryId(HISTORY) },
        Reply::Stepped { more: true },
        Reply::Leased { lease: 300 },
        Reply::Fenced { fence: 300 },
        Reply::Client { id: 300 },
        Reply::Sent { message: 300 },
        Reply::Announced { announcement: 300 },
        Reply::Registered { app: crate::apps::APP },
        Reply::Requested,
        Reply::Invited { invitation: 300 },
    ];
    rows.extend(replies.into_iter().map(|reply| remembered(1, Ok(reply))));
    let fields = [
        Field::Name,
        Field::Username,
        Field::Email,
        Field::Password,
        Field::Post,
        Field::Message,
        Field::NewPassword,
        Field::Names,
        Field::Room,
        Field::Topic,
        Field::Words,
        Field::Search,
        Field::Bio,
        Field::Links,
    ];
    rows.extend(fields.map(|field| remembered(606, Err(Denied::of(Code::InvalidEntry, field)))));
    // Last, so that a new code adds its line at the end of the file.
    rows.extend(Code::ALL.iter().map(|code| remembered(u64::from(code.number()), Err(Denied::new(*code)))));
    rows
}

pub(crate) fn path(text: &str) -> TreePath {
    text.parse().unwrap()
}

/// Rows added with rules level 2.
fn coordination_rows(account: AccountId) -> Vec<String> {
    let folder = TreeNode::folder(300, 1_700_000_000_000);
    let file = TreeNode { kind: NodeKind::File, content: b"a\0b".to_vec(), changed: 301, ..folder.clone() };
    let owner = Owner::Client(0x0a0b);
    let lock = TreeNode { kind: NodeKind::Lock, owner: Some(owner), fence: Some(300), ..folder.clone() };
    let client = Lease {
        lease_ms: Some(10_000),
        account: Some(account),
        ..Lease::of_client(TOKEN, "lock /jobs/backup", 300)
    };
    let member = Lease::of_member(u64::MAX, "host:10002", 300);
    let coordination = Coordination { nodes: 3, client_leases: 1, regions: 2, next_client: 300 };
    vec![
        line::<Nodes>("Nodes", path("/jobs"), folder),
        line::<Nodes>("Nodes", path("/jobs/ü"), file),
        line::<Nodes>("Nodes", path("/jobs/backup"), lock),
        line::<Leases>("Leases", Owner::Member(6), member),
        line::<Leases>("Leases", owner, client),
        line::<LeaseTokens>("LeaseTokens", TOKEN, 0x0a0b),
        line::<Owned>("Owned", (owner, path("/jobs/backup")), ()),
        line::<CoordinationRow>("CoordinationRow", (), coordination),
    ]
}

/// Rows added with rules level 3.
fn message_rows(whose: AccountId) -> Vec<String> {
    let with = AccountId(9);
    let message = Message { from: whose, to: with, wall_ms: 3_000, text: "a\n🐸".into() };
    let thing = ReportedThing::Croak { croak: 0x0a0d };
    let (words, text) = ("rude".into(), "a 🐸".into());
    let report = Report { from: whose, about: with, thing, words, text, wall_ms: 3_000 };
    let notice = Notice { from: with, wall_ms: 3_000, kind: NoticeKind::Mention { croak: 0x0a0d } };
    let mark = TalkState { newest: 0x0a0d, waiting: 2, delivered_through: 300, read_through: 299 };
    vec![
        line::<Messages>("Messages", 0x0a0d, message),
        line::<TalkOf>("TalkOf", (whose, with, 0x0a0d), ()),
        line::<Waiting>("Waiting", (with, whose, 0x0a0d), "bob".to_string()),
        line::<TalkMarks>("TalkMarks", (whose, with.0), mark),
        line::<TalksByAge>("TalksByAge", (whose, 0x0a0d), with),
        line::<Mailboxes>("Mailboxes", whose, Mailbox { waiting: 2, feed_read_through: 300 }),
        line::<Notices>("Notices", (whose, 0x0a0d), notice),
        line::<NoticesFrom>("NoticesFrom", (with, whose, 0x0a0d), NoticeKind::Like { croak: 300 }),
        line::<Mutes>("Mutes", (whose, 9), ()),
        line::<MutedBy>("MutedBy", (with, whose.0), ()),
        line::<Blocks>("Blocks", (whose, 9), ()),
        line::<BlockedBy>("BlockedBy", (with, whose.0), ()),
        line::<Reports>("Reports", 300, report),
        line::<NoticeBooks>("NoticeBooks", whose, NoticeBook { count: 300, unread: 2, read_through: 299 }),
        line::<Suspended>("Suspended", whose, ()),
        line::<SettingsRow>(
            "SettingsRow",
            (),
            Settings {
                registration: Registration::Request,
                inviters: Inviters::Moderators,
                site_name: "The pond".into(),
                welcome: String::new(),
            },
        ),
    ]
}

/// The commands of rules level 3.
fn message_commands() -> Vec<Command> {
    let (session, account) = (TOKEN, AccountId(9));
    let password_hash = "$argon2id$".to_string();
    let terms = InvitationTerms { uses: 30, for_ms: 86_400_000, room: Some("pond".into()) };
    let report = |subject| RelationCommand::Report { session, subject, words: "rude".into() }.into();
    vec![
        MessageCommand::Send { session, username: "bob".into(), text: "hello\r\n🐸".into() }.into(),
        MessageCommand::SendAgain { session, username: "bob".into(), text: "hello".into(), known: 300 }
            .into(),
        MessageCommand::Mark { session, with: account, delivered_through: 300, read_through: 299 }.into(),
        MessageCommand::ReadFeed { session, through: 300 }.into(),
        NoticeCommand::Read { session, through: 300 }.into(),
        NoticeCommand::Remove { session, notice: Some(300) }.into(),
        RelationCommand::Mute { session, username: "bob".into(), muted: true }.into(),
        RelationCommand::Block { session, username: "bob".into(), blocked: false }.into(),
        report(ReportSubject::Person { username: "bob".into() }),
        report(ReportSubject::Croak { croak: 300 }),
        report(ReportSubject::Message { message: 300 }),
        report(ReportSubject::RoomMessage { room: "pond".into(), message: 300 }),
        OperatorCommand::DecideReport { report: 300, verdict: Verdict::Nothing }.into(),
        OperatorCommand::DecideReport { report: 300, verdict: Verdict::Remove }.into(),
        OperatorCommand::DecideReport { report: 300, verdict: Verdict::Warn }.into(),
        OperatorCommand::DecideReport { report: 300, verdict: Verdict::Suspend }.into(),
        AccountCommand::Describe {
            session,
            changes: AccountChanges {
                name: Some("Ada".into()),
                bio: Some("Frogs".into()),
                links: Some(vec!["https://pond.example".into()]),
                avatar: Some(Avatar::Drawn),
                email: None,
                audience: Some(Audience::Followers),
            },
        }
        .into(),
        AccountCommand::Pin { session, croak: 300, pinned: true }.into(),
        AccountCommand::ChangePassword {
            session,
            credential_version: 3,
            password_hash: password_hash.clone(),
        }
        .into(),
        AccountCommand::EndSession { session, opened: 300 }.into(),
        AccountCommand::EndOtherSessions { session }.into(),
        AccountCommand::RemoveCroak { session, croak: 300 }.into(),
        AccountCommand::Dismiss { session, announcement: 300 }.into(),
        AccountCommand::MakeFeedAddress { session, address: TOKEN, room: Some("pond".into()) }.into(),
        AccountCommand::EndFeedAddress { session, made: 300 }.into(),
        AccountCommand::Confirm { session, credential_version: 3 }.into(),
        AccountCommand::Invite { session, code: TOKEN, terms: terms.clone() }.into(),
        AccountCommand::Uninvite { session, invitation: 300 }.into(),
        ConversationCommand::Like { session, croak: 300 }.into(),
        ConversationCommand::Unlike { session, croak: 300 }.into(),
        ConversationCommand::Share { session, croak: 300 }.into(),
        ConversationCommand::Unshare { session, croak: 300 }.into(),
        ConversationCommand::SweepCroak { croak: 300 }.into(),
        AccessCommand::ResetPassword { code: TOKEN, password_hash: password_hash.clone() }.into(),
        AccessCommand::CreateByName { username: "bob".into() }.into(),
        AccessCommand::OpenByName { username: "bob".into(), session }.into(),
        OperatorCommand::SetPassword { account, password_hash }.into(),
        OperatorCommand::Suspend { account, suspended: true }.into(),
        OperatorCommand::Announce { text: "rain".into(), for_ms: Some(1_000) }.into(),
        OperatorCommand::WithdrawAnnouncement { announcement: 300 }.into(),
        OperatorCommand::RemoveAccount { account }.into(),
        OperatorCommand::RemoveCroak { croak: 300 }.into(),
        OperatorCommand::SetRegistration { registration: Registration::Request }.into(),
        OperatorCommand::SetInviters { inviters: Inviters::Everyone }.into(),
        OperatorCommand::DecideRequest { username: "bob".into(), approved: true }.into(),
        OperatorCommand::Invite { code: TOKEN, terms: terms.clone() }.into(),
        OperatorCommand::Uninvite { invitation: 300 }.into(),
        OperatorCommand::MakeJoinCode { nonce: 0x0102, key: 0x0a0b, for_ms: 1_000 }.into(),
        OperatorCommand::RevokeJoinCode { slot: 19 }.into(),
        OperatorCommand::RevokeResetLink { account }.into(),
        OperatorCommand::CloseRoom { room: "pond".into() }.into(),
        OperatorCommand::ChangeMember {
            name: MemberName::at_home(Role::Backend, 3),
            change: MemberChange::Remove { alive: true },
        }
        .into(),
        OperatorCommand::RaiseRules { level: 2 }.into(),
        OperatorCommand::SetAutoFinish { auto: true }.into(),
        OperatorCommand::MakeResetLink { account, code: TOKEN }.into(),
        OperatorCommand::CreateWithLink {
            person: Box::new(NewPerson {
                username: "bob".into(),
                name: "Bob".into(),
                email: Some("b@b".into()),
                rooms: vec!["pond".into()],
                role: AccountRole::Moderator,
            }),
            code: TOKEN,
        }
        .into(),
        OperatorCommand::SetRole { account, role: AccountRole::Moderator }.into(),
        OperatorCommand::RemoveRoomMessage { room: "pond".into(), message: 300 }.into(),
        Command::Govern { session, change: OperatorCommand::SetRole { account, role: AccountRole::Admin } },
        OperatorCommand::DescribeSite { name: Some("The pond".into()), welcome: None }.into(),
    ]
}

/// The command of rules level 4.
fn rehash_command() -> Command {
    let password_hash = "$argon2id$".to_string();
    Command::Rehash { account: AccountId(9), credential_version: 3, before: u64::MAX, password_hash }
}

/// The commands of rules level 2.
fn coordination_commands() -> Vec<Command> {
    let (lease, words) = (Some(TOKEN), "lock /jobs/backup".to_string());
    let guard = Some(Guard { lock: path("/jobs/backup"), fence: 300 });
    let tree = [
        TreeCommand::MakeFolder { path: path("/jobs"), parents: true },
        TreeCommand::Touch { path: path("/jobs/a"), lease },
        TreeCommand::Write {
            path: path("/jobs/a"),
            content: b"x".to_vec(),
            append: true,
            lease,
            guard: guard.clone(),
        },
        TreeCommand::Remove { path: path("/jobs"), recursive: true, guard },
        TreeCommand::Acquire { path: path("/jobs/backup"), lease: TOKEN, content: b"x".to_vec() },
        TreeCommand::Release { path: path("/jobs/backup"), lease: TOKEN },
    ];
    let leases = [
        LeaseCommand::Open { token: TOKEN, description: words.clone(), lease_ms: Some(10_000) },
        LeaseCommand::Close { token: TOKEN },
        LeaseCommand::Register { raft_id: 6, incarnation: u64::MAX, address: "host:1".into() },
        LeaseCommand::End {
            owner: Owner::Member(6),
            version: 300,
            why: LeaseEnd::Missed { silence_ms: 2_000 },
        },
        LeaseCommand::End { owner: Owner::Client(300), version: 300, why: LeaseEnd::Left },
        LeaseCommand::Appoint { raft_id: 6, version: 300 },
        LeaseCommand::StepDown { raft_id: 6, fence: 300 },
        LeaseCommand::EnterChat { session: TOKEN, token: TOKEN, description: words, take_over: true },
        LeaseCommand::SetRegions { regions: 2 },
        LeaseCommand::NumberClient,
    ];
    let mut commands: Vec<Command> = tree.into_iter().map(Command::Tree).collect();
    commands.extend(leases.into_iter().map(Command::Lease));
    commands
}

/// A join code that was tried wrongly once.
pub(crate) fn join_code() -> JoinCode {
    JoinCode {
        made: 300,
        made_wall_ms: 2_000,
        until_age_ms: 1_000,
        nonce: 0x0102,
        key: 0x0a0b,
        tries_left: 2,
        used: false,
    }
}

/// The names of an enum's variants, and the name of a value. The match has no `_` arm: a new variant does not compile until it is
/// in the list, and then fails until it has a sample.
macro_rules! variants {
    ($type:ident: $($variant:ident)*) => {{
        fn name_of(value: &$type) -> &'static str {
            match value { $($type::$variant { .. } => stringify!($variant),)* }
        }
        (name_of as fn(&$type) -> &'static str, BTreeSet::from([$(stringify!($variant)),*]))
    }};
}

/// Fails unless every variant of every command is among these.
fn check_complete(commands: &[Command]) {
    let (name, all) = variants!(Command: CreateAccount LogIn LogOut Croak AddFriend RemoveFriend DeleteAccount Sweep
        IndexCroaks FoundCluster Join DescribeMember MarkLost RemoveMember Tree Lease Message Account Operator Rehash
        Notice Room Relation Conversation Access App Govern RaiseKey TryJoinCode);
    assert_eq!(commands.iter().map(name).collect::<BTreeSet<_>>(), all);
    macro_rules! inside {
        ($command:ident, $type:ident: $($variant:ident)*) => {
            let (name, all) = variants!($type: $($variant)*);
            let found = commands.iter().filter_map(|command| match command {
                Command::$command(inner) => Some(name(inner)),
                _ => None,
            });
            assert_eq!(found.collect::<BTreeSet<_>>(), all);
        };
    }
    inside!(Tree, TreeCommand: MakeFolder Touch Write Remove Acquire Release);
    inside!(Lease, LeaseCommand: Open Close Register End Appoint StepDown EnterChat SetRegions NumberClient);
    inside!(Room, RoomCommand: Create Change Join Leave Close Invite Withdraw Remove SetRank Say RemoveMessage Mark);
    inside!(Message, MessageCommand: Send Mark ReadFeed SendAgain);
    inside!(Notice, NoticeCommand: Read Remove);
    inside!(Relation, RelationCommand: Mute Block Report);
    inside!(Account, AccountCommand: Describe ChangePassword EndSession EndOtherSessions RemoveCroak Pin Dismiss MakeFeedAddress EndFeedAddress Confirm Invite
        Uninvite);
    inside!(Operator, OperatorCommand: SetPassword Suspend RemoveAccount RemoveCroak SetRegistration DescribeSite DecideReport Announce WithdrawAnnouncement MakeResetLink
        CreateWithLink SetRole RemoveRoomMessage Record DecideRequest SetInviters Invite Uninvite MakeJoinCode RevokeJoinCode
        RevokeResetLink ChangeMember CloseRoom
        RaiseRules SetAutoFinish);
    inside!(Access, AccessCommand: ResetPassword CreateByName OpenByName);
    inside!(App, AppCommand: Register Authorize Exchange Revoke);
    inside!(Conversation, ConversationCommand: Like Unlike Share Unshare SweepCroak);
}

/// Every command once.
pub(crate) fn commands() -> Vec<Command> {
    let member = NewMember {
        role: Role::Backend,
        id: 2,
        address: "host:10002".into(),
        machine: "board".into(),
        rules_level: 1,
        key: KEY,
    };
    let commands = [
        Command::CreateAccount {
            username: "ada".into(),
            name: "Ada".into(),
            email: "a@b".into(),
            password_hash: "$argon2id$".into(),
            invitation: None,
        },
        Command::LogIn {
            account: AccountId(1),
            credential_version: 3,
            token: TOKEN,
            device: "Firefox on Android".into(),
            app: Some(crate::apps::log_in()),
        },
        Command::LogOut { session: TOKEN },
        Command::croak(TOKEN, "hello\r\n🐸"),
        Command::Croak {
            session: TOKEN,
            text: "hello yourself".into(),
            reply_to: Some(300),
            audience: Some(Audience::Followers),
        },
        Command::AddFriend { session: TOKEN, username: "bob".into() },
        Command::RemoveFriend { session: TOKEN, username: "bob".into() },
        Command::DeleteAccount { session: TOKEN, credential_version: 3 },
        Command::Sweep { account: AccountId(1) },
        Command::IndexCroaks,
        Command::FoundCluster { history: HistoryId(HISTORY), member: member.clone() },
        Command::Join { region: 2, member: member.clone() },
        Command::DescribeMember {
            raft_id: 6,
            address: "host:1".into(),
            machine: "board".into(),
            rules_level: 1,
            key: KEY,
        },
        Command::MarkLost { name: MemberName { role: Role::Backend, region: 2, id: 3 } },
        Command::RemoveMember { raft_id: 6 },
        Command::RaiseKey { key: KEY },
        Command::TryJoinCode { slot: 19, nonce: 0x0102, proven: true },
    ];
    let later = coordination_commands().into_iter().chain(message_commands()).chain([rehash_command()]);
    let later =
        later.chain(crate::rooms::commands()).chain(crate::apps::commands()).chain(crate::audit::commands());
    let commands: Vec<Command> = commands.into_iter().chain(later).collect();
    check_complete(&commands);
    commands
}

/// Every command as a log entry holds it.
fn entries() -> Vec<String> {
    let entry = |command: Command| {
        let name = format!("{command:?}").split([' ', '{']).next().unwrap_or_default().to_string();
        let digest = digest(&command);
        let origin = command.is_audited().then(crate::audit::origin);
        let request = Request { id: RequestId(HISTORY), submitted_at: 300, origin, command };
        let proposal = Proposal { stamp: Stamp { wall_ms: 1_700_000_000_000, age_ms: 70_000 }, request };
        let bytes = postcard::to_stdvec(&proposal).unwrap();
        assert_eq!(postcard::from_bytes::<Proposal>(&bytes).unwrap(), proposal);
        format!("{name} {digest:016x} {}", hex(&bytes))
    };
    commands().into_iter().map(entry).collect()
}

/// Compares with the golden file, or writes it when UPDATE_GOLDENFILES is set. A changed line is a broken format: only new lines may
/// ever appear in the diff. A type that is renamed changes names and no bytes; the message says so.
pub(crate) fn compare(file: &str, stored: &str, made: Vec<String>) {
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats").join(file);
        std::fs::write(path, made.join("\n") + "\n").unwrap();
        return;
    }
    let stored: Vec<&str> = stored.lines().collect();
    if stored == made {
        return;
    }
    let bytes = |line: &str| line.split_once(' ').map_or(line.to_string(), |(_, bytes)| bytes.to_string());
    let same_bytes = stored.iter().map(|line| bytes(line)).eq(made.iter().map(|line| bytes(line)));
    let words = match same_bytes {
        true => format!("only names differ from {file}: record them with UPDATE_GOLDENFILES=1"),
        false => format!("the bytes of {file} read as something else, or are written differently, now"),
    };
    let gone =
        stored.iter().filter(|line| !made.iter().any(|new| new == *line)).map(|line| format!("- {line}"));
    let new = made.iter().filter(|line| !stored.contains(&line.as_str())).map(|line| format!("+ {line}"));
    panic!("{words}\n{}", gone.chain(new).collect::<Vec<_>>().join("\n"));
}

#[test]
fn rows_of_version_1_stay_readable() {
    let made = rows();
    let named: BTreeSet<&str> = made.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(named, TABLES.iter().map(|(_, name)| *name).collect(), "one row of each table");
    compare("rows-1.txt", ROWS_1, made);
}

#[test]
fn log_entries_stay_readable_and_keep_their_digests() {
    compare("entries-1.txt", ENTRIES_1, entries());
}

/// A small backup. What its rows mean is not looked at here: those of `rows-1.txt` are read by other tests.
fn backup() -> (BackupHead, Chunk, Vec<u8>) {
    let row = |number: u8| (vec![5, number], seal(&[5, number], vec![ROW_VERSION, number, b'a', b'\n']));
    let rows: Chunk = (1..=7).map(row).collect();
    let head = BackupHead {
        cluster: ClusterId(HISTORY),
        history: HistoryId(HISTORY + 1),
        position: Position { index: 300, term: 7 },
        rules_level: 3,
        rows: rows.len() as u64,
        digest: digest_of(&rows),
    };
    let mut writer = BackupWriter::begin(Vec::new(), head.clone()).unwrap();
    rows.chunks(3).for_each(|chunk| writer.rows(&chunk.to_vec()).unwrap());
    (head, rows, writer.finish().unwrap())
}

#[test]
fn a_backup_of_format_1_stays_readable() {
    let (head, rows, bytes) = backup();
    compare("backup-1.txt", BACKUP_1, bytes.chunks(64).map(hex).collect());
    let stored: String = BACKUP_1.lines().collect();
    let stored: Vec<u8> =
        (0..stored.len()).step_by(2).map(|at| u8::from_str_radix(&stored[at..at + 2], 16).unwrap()).collect();
    let mut reader = BackupReader::begin(stored.as_slice()).unwrap();
    assert_eq!(*reader.head(), head);
    let mut read = Chunk::new();
    while let Some(chunk) = reader.next_rows().unwrap() {
        read.extend(chunk);
    }
    assert_eq!(read, rows);
}

#[test]
fn a_row_of_a_version_from_the_future_is_not_guessed_at() {
    let mut bytes = encode(&AccountId(1));
    assert_eq!(decode(&bytes), Some(AccountId(1)));
    bytes[0] = ROW_VERSION + 1;
    assert_eq!(decode::<AccountId>(&bytes), None);
    assert_eq!(decode::<AccountId>(&[]), None);
}

fn croak_by(author: u64, wall_ms: u64, text: String) -> Croak {
    let kind = match author % 3 {
        0 => CroakKind::Original,
        1 => CroakKind::Reply { to: wall_ms },
        _ => CroakKind::Share { of: author },
    };
    let audience = if wall_ms.is_multiple_of(2) { Audience::Everyone } else { Audience::Followers };
    Croak { author: AccountId(author), audience, kind, wall_ms, text }
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn how_a_post_begins_is_read_as_the_whole_is(id: u128, digest: u64, age_ms: u64, author: u64, text: String) {
        let record = InlineRecord { id, digest, age_ms };
        let post = StoredCroak { record, croak: croak_by(author, 1, text) };
        let bytes = encode(&post);
        let Croak { author, audience, kind, .. } = post.croak;
        prop_assert_eq!(CroakHeader::of(&bytes), Some(CroakHeader { record, author, audience, kind }));
        for short in 0..bytes.len().min(30) {
            prop_assert!(CroakHeader::of(&bytes[..short]).is_none_or(|start| start.record == record));
        }
    }

    #[test]
    fn damaged_rows_are_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let mut versioned = vec![ROW_VERSION];
        versioned.extend(&bytes);
        for bytes in [&bytes, &versioned] {
            let _ = decode::<Account>(bytes);
            let _ = decode::<Session>(bytes);
            let _ = decode::<Croak>(bytes);
            let _ = decode::<StoredCroak>(bytes);
            let _ = CroakHeader::of(bytes);
            let _ = decode::<RequestRecord>(bytes);
            let _ = decode::<Member>(bytes);
            let _ = decode::<Bookkeeping>(bytes);
            let _ = <(AccountId, u64)>::from_bytes(bytes);
            let _ = <(AccountId, AccountId, u64)>::from_bytes(bytes);
            let _ = String::from_bytes(bytes);
            let _ = TokenHash::from_bytes(bytes);
            let _ = postcard::from_bytes::<Proposal>(bytes);
            let _ = BackupReader::begin(bytes.as_slice());
        }
    }

    #[test]
    fn croaks_come_back_byte_for_byte(author: u64, wall_ms: u64, text: String, extra in any::<u8>()) {
        let croak = croak_by(author, wall_ms, text);
        let mut bytes = encode(&croak);
        prop_assert_eq!(decode(&bytes), Some(croak));
        bytes.push(extra);
        prop_assert_eq!(decode::<Croak>(&bytes), None, "trailing bytes are damage");
        bytes.truncate(bytes.len() - 2);
        prop_assert_eq!(decode::<Croak>(&bytes), None, "missing bytes are damage");
    }

    #[test]
    fn keys_sort_as_their_bytes(a: (u64, u64), b: (u64, u64)) {
        let key = |(account, of): (u64, u64)| (AccountId(account), of);
        prop_assert_eq!(key(a).cmp(&key(b)), key(a).bytes().cmp(&key(b).bytes()));
        prop_assert_eq!(<(AccountId, u64)>::from_bytes(&key(a).bytes()), Some(key(a)));
        prop_assert_eq!(a.0.cmp(&b.0), a.0.bytes().cmp(&b.0.bytes()));
        prop_assert_eq!(u64::from_bytes(&a.0.bytes()), Some(a.0));
    }
}
