//! Table of requests: each variant with texts and numbers at their bounds, one beyond, empty, with NUL characters, and
//! as long or as large as possible.

mod apps;
mod operators;
mod passwords;
mod people_texts;

use ribbit_net::frame::Plane;
use ribbit_net::key_ring::ClusterKey;
use ribbit_net::keys::KEY_BYTES;
use ribbit_net::limits::PIN_KEY_BYTES_MAX;
use ribbit_net::pinned::PinAsk;
use ribbit_net::protocol::{Ask, DirectoryAsk, NewAccount, Password};
use ribbit_state::command::Guard;
use ribbit_state::command::LeaseEnd;
use ribbit_state::command::{MemberChange, NewMember};
use ribbit_state::limits::*;
use ribbit_state::query::OperatorQuery;
use ribbit_state::query::{FollowSide, ReactionKind, TalkPartner};
use ribbit_state::*;

pub(crate) const SESSION: TokenHash = TokenHash([1; 32]);
pub(crate) const TOKEN: TokenHash = TokenHash([7; 32]);
pub(super) const NUMBERS: [u64; 7] = [0, 1, u64::MAX / 2, INDEX_MAX, INDEX_MAX + 1, u64::MAX - 1, u64::MAX];

/// Expected answer of a request.
pub(crate) enum Expected {
    /// Any answer: all fields are within their bounds.
    Answered,
    /// This refusal, by the check of the fields.
    Refused(Denied),
}

pub(super) struct RequestTable(pub(super) Vec<(Plane, Ask, Expected)>);

pub(crate) fn denied(code: Code, field: impl Into<Option<Field>>) -> Denied {
    Denied { code, field: field.into() }
}

/// Returns texts of up to `bytes_max` bytes and longer ones.
fn texts(bytes_max: usize) -> Vec<String> {
    let mut texts = vec![String::new(), "a".into(), "\0".into(), " \n".into(), "🐸".repeat(7)];
    texts.extend([bytes_max, bytes_max + 1, 527, 528, 600, 9_000].map(|bytes| "a".repeat(bytes)));
    texts.extend([" ".repeat(bytes_max), format!("a{}", "\0".repeat(bytes_max - 1)), "{a,b}".repeat(9)]);
    texts
}

impl RequestTable {
    fn add(&mut self, plane: Plane, ask: Ask) {
        self.0.push((plane, ask, Expected::Answered));
    }

    /// Adds the request with each of the texts. Those for which `fits` is false are expected to be refused with `refusal`.
    pub(super) fn text(
        &mut self,
        plane: Plane,
        bytes_max: usize,
        fits: impl Fn(&str) -> bool,
        refusal: Denied,
        ask: impl Fn(String) -> Ask,
    ) {
        for text in texts(bytes_max) {
            let expected = if fits(&text) { Expected::Answered } else { Expected::Refused(refusal) };
            self.0.push((plane, ask(text), expected));
        }
    }

    pub(super) fn query(&mut self, query: Query) {
        let plane = if query.is_public() { Plane::Client } else { Plane::Control };
        self.add(plane, read(query));
    }

    /// Adds the command on both planes, whether accepted there or not.
    pub(super) fn command(&mut self, command: impl Into<Command>) {
        let command = command.into();
        for plane in [Plane::Client, Plane::Control] {
            self.add(plane, write(command.clone()));
        }
    }

    pub(super) fn command_text(
        &mut self,
        bytes_max: usize,
        fits: impl Fn(&str) -> bool,
        refusal: Denied,
        command: impl Fn(String) -> Command,
    ) {
        self.text(Plane::Client, bytes_max, fits, refusal, |text| write(command(text)));
    }
}

pub(crate) fn read(query: Query) -> Ask {
    Ask::Read { seen: None, consistency: Consistency::Stale, query }
}

pub(crate) fn write(command: Command) -> Ask {
    Ask::Write(Request { id: RequestId(u128::from(random())), submitted_at: 0, origin: None, command })
}

fn random() -> u64 {
    getrandom::u64().unwrap()
}

pub(crate) fn id() -> RequestId {
    RequestId(u128::from(random()))
}

pub(super) fn is_username(text: &str) -> bool {
    text::fold_username(text).is_ok()
}

pub(crate) fn password(text: &str) -> Password {
    Password(text.into())
}

fn member(address: &str, machine: &str) -> NewMember {
    let (address, machine) = (address.into(), machine.into());
    NewMember {
        role: Role::Backend,
        id: u32::MAX,
        address,
        machine,
        rules_level: u32::MAX,
        key: Default::default(),
    }
}

fn queries(table: &mut RequestTable) {
    let (session, username) = (SESSION, Denied::of(Code::InvalidEntry, Field::Username));
    let names = Denied::of(Code::InvalidEntry, Field::Names);
    for query in [
        Query::Position,
        Query::Me { session },
        Query::Coordination,
        Query::Chatting { session },
        Query::Account { session },
        Query::Sessions { session },
        Query::Unread { session },
        Query::Settings,
    ] {
        table.query(query);
    }
    for number in NUMBERS {
        let (before, limit, account) = (Some(number), number as u16, AccountId(number));
        table.query(Query::Feed { session, before, limit });
        let known = Some((number, number));
        table.query(Query::Front { session, before, limit, known, unless: before });
        table.query(Query::Friends { session, after: Some(account) });
        table.query(Query::Followers { session, after: Some(account) });
        table.query(Query::Follows { session, side: FollowSide::Followed, after: Some(account) });
        table.query(Query::Follows { session, side: FollowSide::Followers, after: None });
        table.query(Query::Leases { after: Some(Owner::Client(number)) });
        table.query(Query::Leases { after: Some(Owner::Member(number)) });
        table.query(Query::Croak { session, id: number });
        table.query(Query::Thread { session, id: number, after: before, limit });
        table.query(Query::Everyone { session, before, limit });
        table.query(Query::Search { session, words: "rain".into(), before, limit });
        table.query(Query::Reactions { session, croak: number, kind: ReactionKind::Like });
        table.query(Query::Reactions { session, croak: number, kind: ReactionKind::Share });
        table.query(Query::Message { session, id: number });
        table.query(Query::Waiting { session, after: before, limit });
        table.query(Query::Profile { session, username: "ada".into(), before, limit });
        table.query(Query::Talks { session, before, limit });
        table.query(Query::Talk { session, with: TalkPartner::Account(account), before, limit });
        for path in [TreePath::root(), deepest(), longest()] {
            let (depth, after) = (Some(number as u8), Some(path.clone()));
            table.query(Query::Tree { path, depth, after, limit });
        }
    }
    table.text(Plane::Client, USERNAME_CHARS_MAX, is_username, username, |username| {
        read(Query::Profile { session, username, before: None, limit: 1 })
    });
    let no_such = Denied::of(Code::NoSuchUser, Field::Username);
    table.text(Plane::Client, USERNAME_CHARS_MAX, is_username, no_such, |name| {
        read(Query::Talk { session, with: TalkPartner::Named(name), before: None, limit: 1 })
    });
    let is_pattern = |text: &str| text::fold_pattern(text).is_ok();
    let is_name = |text: &str| text.len() <= USERNAME_CHARS_MAX && is_username(text);
    table.text(Plane::Client, GLOB_CHARS_MAX, is_pattern, names, |names| {
        read(Query::People { session, names, after: None })
    });
    table.text(Plane::Client, USERNAME_CHARS_MAX, is_name, names, |after| {
        read(Query::People { session, names: String::new(), after: Some(after) })
    });
    table.text(Plane::Control, GLOB_CHARS_MAX, is_pattern, names, |names| {
        read(OperatorQuery::Accounts { names, after: None }.into())
    });
    table.text(Plane::Control, USERNAME_CHARS_MAX, is_name, names, |after| {
        read(OperatorQuery::Accounts { names: String::new(), after: Some(after) }.into())
    });
}

fn deepest() -> TreePath {
    "/a".repeat(PATH_DEPTH_MAX).parse().unwrap()
}

fn longest() -> TreePath {
    let path = "/b".to_string() + &"c".repeat(PATH_NAME_BYTES_MAX - 1);
    let path = path.repeat(PATH_BYTES_MAX / path.len());
    let rest = PATH_BYTES_MAX - path.len() - 1;
    format!("{path}/{}", "d".repeat(rest)).parse().unwrap()
}

fn people_commands(table: &mut RequestTable) {
    let (session, invalid) = (SESSION, |field| Denied::of(Code::InvalidEntry, field));
    for command in [
        Command::LogOut { session: TOKEN },
        Command::IndexCroaks,
        AccountCommand::EndOtherSessions { session }.into(),
    ] {
        table.command(command);
    }
    for number in NUMBERS {
        let account = AccountId(number);
        let credential_version = number as u32;
        table.command(Command::LogIn {
            account,
            credential_version,
            token: TOKEN,
            device: String::new(),
            app: None,
        });
        table.command(Command::DeleteAccount { session: TOKEN, credential_version });
        table.command(Command::Sweep { account });
        let password_hash = "h".repeat(PASSWORD_HASH_BYTES_MAX);
        table.command(Command::Rehash { account, credential_version, before: number, password_hash });
        let (delivered_through, read_through) = (number, number);
        table.command(MessageCommand::Mark { session, with: account, delivered_through, read_through });
        table.command(MessageCommand::ReadFeed { session, through: number });
        table.command(AccountCommand::EndSession { session, opened: number });
        table.command(AccountCommand::RemoveCroak { session, croak: number });
        table.command(AccountCommand::Pin { session, croak: number, pinned: number == 1 });
        let croak = number;
        table.command(ConversationCommand::Like { session, croak });
        table.command(ConversationCommand::Unlike { session, croak });
        table.command(ConversationCommand::Share { session, croak });
        table.command(ConversationCommand::Unshare { session, croak });
        table.command(ConversationCommand::SweepCroak { croak });
    }
    let create = |name: String, username: String, email: String, password_hash: String| {
        Command::CreateAccount { username, name, email, password_hash, invitation: Some(TOKEN) }
    };
    let (name, mail) = ("n".to_string(), "a@b".to_string());
    let is_name = |text: &str| text::check_name(text).is_ok();
    let is_email = |text: &str| text::check_email(text).is_ok();
    table.command_text(4 * NAME_CHARS_MAX, is_name, invalid(Field::Name), |text| {
        create(text, name.clone(), mail.clone(), String::new())
    });
    table.command_text(USERNAME_CHARS_MAX, is_username, invalid(Field::Username), |text| {
        create(name.clone(), text, mail.clone(), String::new())
    });
    table.command_text(EMAIL_CHARS_MAX, is_email, invalid(Field::Email), |text| {
        create(name.clone(), name.clone(), text, String::new())
    });
    let is_hash = |text: &str| text.len() <= PASSWORD_HASH_BYTES_MAX;
    let odd = denied(Code::InvalidEntry, None);
    table.command_text(PASSWORD_HASH_BYTES_MAX, is_hash, odd, |text| {
        create(name.clone(), name.clone(), mail.clone(), text)
    });
    table.command_text(PASSWORD_HASH_BYTES_MAX, is_hash, odd, |password_hash| Command::Rehash {
        account: AccountId(1),
        credential_version: 1,
        before: 0,
        password_hash,
    });
    table.command_text(PASSWORD_HASH_BYTES_MAX, is_hash, odd, |password_hash| {
        AccountCommand::ChangePassword { session, credential_version: 1, password_hash }.into()
    });
    operators::access_commands(table);
    apps::apps(table);
    table.command_text(USERNAME_CHARS_MAX, is_username, invalid(Field::Username), |username| {
        Command::AddFriend { session, username }
    });
    table.command_text(USERNAME_CHARS_MAX, is_username, invalid(Field::Username), |username| {
        Command::RemoveFriend { session, username }
    });
    table.command_text(USERNAME_CHARS_MAX, is_username, invalid(Field::Username), |username| {
        MessageCommand::Send { session, username, text: "m".into() }.into()
    });
    table.command_text(4 * NAME_CHARS_MAX, is_name, invalid(Field::Name), |text| {
        let changes = AccountChanges { name: Some(text), ..AccountChanges::default() };
        AccountCommand::Describe { session, changes }.into()
    });
    table.command_text(EMAIL_CHARS_MAX, is_email, invalid(Field::Email), |text| {
        let changes = AccountChanges { email: Some(text), ..AccountChanges::default() };
        AccountCommand::Describe { session, changes }.into()
    });
}

fn members_commands(table: &mut RequestTable) {
    let odd = denied(Code::InvalidEntry, None);
    for number in NUMBERS {
        let (role, id, raft_id, level) = (Role::Coordinator, number as u32, number, number as u32);
        let name = MemberName::at_home(role, id);
        table.command(Command::MarkLost { name });
        for change in [
            MemberChange::Drain,
            MemberChange::Undrain,
            MemberChange::Lead,
            MemberChange::Remove { alive: false },
        ] {
            table.command(OperatorCommand::ChangeMember { name, change });
        }
        table.command(Command::RemoveMember { raft_id });
        table.command(OperatorCommand::RaiseRules { level });
        table.command(OperatorCommand::SetAutoFinish { auto: level == 0 });
        table.command(Command::RaiseKey { key: KeyId { generation: level, tag: number } });
        table.command(OperatorCommand::Suspend { account: AccountId(number), suspended: true });
        table.command(OperatorCommand::Suspend { account: AccountId(number), suspended: false });
        table.command(OperatorCommand::RemoveAccount { account: AccountId(number) });
        table.command(OperatorCommand::RemoveCroak { croak: number });
        for owner in [Owner::Member(number), Owner::Client(number)] {
            let why = LeaseEnd::Missed { silence_ms: level };
            table.command(LeaseCommand::End { owner, version: number, why });
        }
        table.command(LeaseCommand::Appoint { raft_id, version: number });
        table.command(LeaseCommand::StepDown { raft_id, fence: number });
        let register = LeaseCommand::Register { raft_id, incarnation: number, address: String::new() };
        table.command(register);
    }
    for registration in Registration::ALL {
        table.command(OperatorCommand::SetRegistration { registration });
    }
    operators::first_page(table);
    table.command(LeaseCommand::NumberClient);
    table.command(LeaseCommand::Close { token: TOKEN });
    for region in [0, 1, 2, REGIONS_MAX, REGIONS_MAX + 1, u32::MAX] {
        let fits = (1..=REGIONS_MAX).contains(&region);
        let expected = || if fits { Expected::Answered } else { Expected::Refused(odd) };
        let name = MemberName { role: Role::Backend, region, id: 1 };
        for command in [
            Command::MarkLost { name },
            OperatorCommand::ChangeMember { name, change: MemberChange::Drain }.into(),
            Command::Join { region, member: member("a:1", "m") },
            LeaseCommand::SetRegions { regions: region }.into(),
        ] {
            table.0.push((Plane::Control, write(command), expected()));
        }
    }
}

/// Adds lease and member commands with times and texts at and beyond their bounds.
fn bounded_members_commands(table: &mut RequestTable) {
    let odd = denied(Code::InvalidEntry, None);
    let is_address = |text: &str| text.len() <= ADDRESS_BYTES_MAX;
    let history = HistoryId(u128::MAX);
    for lease_ms in [0, LEASE_MS_MIN - 1, LEASE_MS_MIN, LEASE_MS_MAX, LEASE_MS_MAX + 1, u32::MAX] {
        let fits = (LEASE_MS_MIN..=LEASE_MS_MAX).contains(&lease_ms);
        let expected = if fits { Expected::Answered } else { Expected::Refused(odd) };
        let open = LeaseCommand::Open { token: TOKEN, description: String::new(), lease_ms: Some(lease_ms) };
        table.0.push((Plane::Control, write(open.into()), expected));
    }
    let is_words = |text: &str| text.len() <= LEASE_DESCRIPTION_BYTES_MAX;
    table.command_text(LEASE_DESCRIPTION_BYTES_MAX, is_words, odd, |words| {
        LeaseCommand::Open { token: TOKEN, description: words, lease_ms: None }.into()
    });
    table.command_text(LEASE_DESCRIPTION_BYTES_MAX, is_words, odd, |words| {
        LeaseCommand::EnterChat { session: SESSION, token: TOKEN, description: words, take_over: false }
            .into()
    });
    table.command_text(ADDRESS_BYTES_MAX, is_address, odd, |address| {
        LeaseCommand::Register { raft_id: 1, incarnation: 1, address }.into()
    });
    table.command_text(ADDRESS_BYTES_MAX, is_address, odd, |address| Command::FoundCluster {
        history,
        member: member(&address, ""),
    });
    table.command_text(ADDRESS_BYTES_MAX, is_address, odd, |machine| Command::Join {
        region: HOME_REGION,
        member: member("", &machine),
    });
    table.command_text(ADDRESS_BYTES_MAX, is_address, odd, |address| Command::DescribeMember {
        raft_id: 1,
        address,
        machine: String::new(),
        rules_level: u32::MAX,
        key: Default::default(),
    });
    table.command_text(ADDRESS_BYTES_MAX, is_address, odd, |machine| Command::DescribeMember {
        raft_id: 1,
        address: String::new(),
        machine,
        rules_level: 1,
        key: Default::default(),
    });
    table.command_text(
        PASSWORD_HASH_BYTES_MAX,
        |text| text.len() <= PASSWORD_HASH_BYTES_MAX,
        odd,
        |password_hash| OperatorCommand::SetPassword { account: AccountId(1), password_hash }.into(),
    );
}

fn tree_commands(table: &mut RequestTable) {
    let (lease, too_much) = (Some(TOKEN), denied(Code::TooMuchContent, None));
    for path in [TreePath::root(), deepest(), longest(), "/clusters".parse().unwrap()] {
        table.command(TreeCommand::MakeFolder { path: path.clone(), parents: true });
        table.command(TreeCommand::Touch { path: path.clone(), lease });
        for fence in NUMBERS {
            let guard = Some(Guard { lock: path.clone(), fence });
            table.command(TreeCommand::Remove { path: path.clone(), recursive: true, guard });
        }
        table.command(TreeCommand::Release { path: path.clone(), lease: TOKEN });
        for bytes in [0, NODE_BYTES_MAX, NODE_BYTES_MAX + 1, 9_000] {
            let content = vec![0; bytes];
            let fits = bytes <= NODE_BYTES_MAX;
            let guard = Some(Guard { lock: path.clone(), fence: u64::MAX });
            let write_it = TreeCommand::Write {
                path: path.clone(),
                content: content.clone(),
                append: true,
                lease,
                guard,
            };
            let acquire = TreeCommand::Acquire { path: path.clone(), lease: TOKEN, content };
            for command in [write_it, acquire] {
                let expected = if fits { Expected::Answered } else { Expected::Refused(too_much) };
                table.0.push((Plane::Control, write(command.into()), expected));
            }
        }
    }
    table.command(TreeCommand::Remove { path: deepest(), recursive: false, guard: None });
}

fn asks(table: &mut RequestTable) {
    let session = SESSION;
    let odd = denied(Code::InvalidEntry, None);
    for ask in [Ask::NodeStatus, Ask::History, Ask::Renew { token: TOKEN }] {
        table.add(Plane::Client, ask.clone());
        table.add(Plane::Control, ask);
    }
    table.add(Plane::Control, Ask::NewestKey);
    let key = |generation| Ask::TakeKey(ClusterKey { generation, secret: [7; KEY_BYTES] });
    table.add(Plane::Control, key(u32::MAX));
    table.0.push((Plane::Control, key(1), Expected::Refused(odd)));
    for ask in
        [DirectoryAsk::Read { client: Some(u64::MAX) }, DirectoryAsk::Write, DirectoryAsk::Left { client: 0 }]
    {
        table.add(Plane::Client, Ask::Directory(ask));
    }
    // A cursor that does not exist. Refused anyway, because it is not the first request of its connection.
    let cursor = Token { history: HistoryId(2), index: u64::MAX };
    table.add(Plane::Client, Ask::Subscribe { cursor, wanted: Topic::feed(session) });
    let seen = Some(cursor);
    for consistency in [Consistency::Session, Consistency::Stale, Consistency::Linearizable] {
        table.add(Plane::Client, Ask::Read { seen, consistency, query: Query::Position });
    }
    for region in [0, 1, REGIONS_MAX, REGIONS_MAX + 1, u32::MAX] {
        let fits = (1..=REGIONS_MAX).contains(&region);
        let expected = || if fits { Expected::Answered } else { Expected::Refused(odd) };
        let name = MemberName { role: Role::Backend, region, id: u32::MAX };
        let cluster = ClusterId(9);
        for ask in [
            Ask::Join { cluster, id: id(), region, member: member("a:1", "m") },
            Ask::Lose { id: id(), name },
            Ask::Transfer { name },
        ] {
            table.0.push((Plane::Control, ask.clone(), expected()));
            table.0.push((Plane::Client, ask, expected()));
        }
    }
    let is_address = |text: &str| text.len() <= ADDRESS_BYTES_MAX;
    table.text(Plane::Control, ADDRESS_BYTES_MAX, is_address, odd, |address| Ask::Join {
        cluster: ClusterId(9),
        id: id(),
        region: 1,
        member: member(&address, &address),
    });
    table.text(Plane::Client, ADDRESS_BYTES_MAX, is_address, odd, |before| Ask::GetServer {
        client: u64::MAX,
        before: Some(before),
    });
    table.text(Plane::Client, ADDRESS_BYTES_MAX, is_address, odd, |address| {
        Ask::Directory(DirectoryAsk::Down { address })
    });
}

/// Adds all requests with a submitted-at index. One beyond `INDEX_MAX` is refused at once.
fn submitted_at(table: &mut RequestTable) {
    let session = SESSION;
    let fine = || password("long enough");
    for submitted_at in NUMBERS {
        let (username, name, email) = ("eve".to_string(), "n".to_string(), "a@b".to_string());
        let form = NewAccount { name, username: username.clone(), email, password: fine(), invitation: None };
        let asks = [
            Ask::CreateAccount { id: id(), submitted_at, form },
            Ask::LogIn {
                id: id(),
                submitted_at,
                username: username.clone(),
                password: fine(),
                token: TOKEN,
                device: String::new(),
                app: None,
            },
            Ask::DeleteAccount { id: id(), submitted_at, session, password: fine() },
            Ask::ChangePassword { id: id(), submitted_at, session, old: fine(), new: fine() },
            Ask::Confirm { id: id(), submitted_at, session, password: fine() },
            Ask::ResetPassword { id: id(), submitted_at, code: TOKEN, password: fine() },
            Ask::SetPassword { id: id(), submitted_at, username, password: fine() },
            Ask::Write(Request {
                id: id(),
                submitted_at,
                origin: None,
                command: Command::LogOut { session: TOKEN },
            }),
        ];
        for ask in asks {
            let plane = match ask {
                Ask::SetPassword { .. } => Plane::Control,
                _ => Plane::Client,
            };
            let fits = submitted_at <= INDEX_MAX;
            let refusal = denied(Code::OutcomeUnknown, None);
            let expected = if fits { Expected::Answered } else { Expected::Refused(refusal) };
            table.0.push((plane, ask, expected));
        }
    }
}

fn pins(table: &mut RequestTable) {
    let odd = denied(Code::InvalidEntry, None);
    for number in NUMBERS {
        let at = Token { history: HistoryId(2), index: number };
        for ask in [
            PinAsk::Begin { at_least: Some(Token { history: HistoryId(3), ..at }) },
            PinAsk::BeginAt { at: Token { history: HistoryId(3), ..at } },
            PinAsk::End { pin: number },
        ] {
            table.add(Plane::Control, Ask::Pin(ask));
        }
    }
    for bytes in [0, 1, PIN_KEY_BYTES_MAX, PIN_KEY_BYTES_MAX + 1, 5_000] {
        let (pin, key) = (1, vec![0; bytes]);
        for (after, to) in [(key.clone(), Some(Vec::new())), (Vec::new(), Some(key.clone())), (key, None)] {
            let fits = bytes <= PIN_KEY_BYTES_MAX;
            for ask in [
                PinAsk::Sum { pin, after: after.clone(), to: to.clone() },
                PinAsk::Marks { pin, after: after.clone(), to: to.clone() },
            ] {
                let expected = if fits { Expected::Answered } else { Expected::Refused(odd) };
                table.0.push((Plane::Control, Ask::Pin(ask), expected));
            }
            if after.len() == bytes {
                let expected = if fits { Expected::Answered } else { Expected::Refused(odd) };
                table.0.push((Plane::Control, Ask::Pin(PinAsk::Rows { pin, after }), expected));
            }
        }
    }
}

pub(crate) fn table() -> Vec<(Plane, Ask, Expected)> {
    let mut table = RequestTable(Vec::new());
    queries(&mut table);
    people_commands(&mut table);
    people_texts::texts_of_people(&mut table);
    members_commands(&mut table);
    bounded_members_commands(&mut table);
    tree_commands(&mut table);
    asks(&mut table);
    passwords::asks_with_passwords(&mut table);
    submitted_at(&mut table);
    pins(&mut table);
    table.0
}
