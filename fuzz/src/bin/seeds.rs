//! Writes what the corpora begin with: real bytes, as a group says, stores and is asked them.
//!
//! ```text
//!   cargo run --bin seeds        in fuzz/: corpus/NAME/seed-00, seed-01, …
//! ```
//!
//! Inputs that the fuzzers found later have other names and stay.

use ribbit_db::snapshot::SnapshotHead;
use ribbit_db::{Configuration, Disk, EntryKind, FileDisk, HardState, LogEntry, Position, Store, record};
use ribbit_fuzz::bodies::{TARGETS, journal, part, rules};
use ribbit_net::frame::{self, Plane, WIRE_VERSION};
use ribbit_net::handshake::Preface;
use ribbit_net::http;
use ribbit_net::joining::JoinAnswer;
use ribbit_net::mdns::packet::{Data, Message, Question, Record, encode};
use ribbit_net::peer::{self, PeerFrame, PeerHello, PeerTalk, PeerWelcome, StoreReport};
use ribbit_net::protocol::{
    Answer, AnswerFrame, Ask, AskFrame, DirectoryAsk, MemberInfo, NewAccount, Password, UnavailableReason,
};
use ribbit_roles::client::terminal::commands::TABLE;
use ribbit_roles::common::cluster_file::ClusterFile;
use ribbit_state::command::Proposal;
use ribbit_state::query::{OperatorQuery, TalkPartner};
use ribbit_state::{ClusterId, Consistency, HistoryId, Query, Request, RequestId, Token, Topic, TreePath};
use serde::Serialize;
use std::fs;
use std::path::Path;
use testkit::chirper_client::{DEFINITIONS, request};

const ENTRIES: &str = include_str!("../../../tests/formats/entries-1.txt");
const ROWS: &str = include_str!("../../../tests/formats/rows-1.txt");
/// The session of tests/formats.
const THERE: [u8; 32] = [0xab; 32];

type Seeds = Vec<Vec<u8>>;

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, _) in TARGETS {
        let folder = corpus.join(name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds(name).into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:02}")), seed)?;
        }
    }
    Ok(())
}

/// Requests of Ribbit's web client.
const COMMAS: &[&str] = &[
    "read",
    "write",
    "down,8081",
    "create,ada,Ada, the first,ada@example.org,pass,word 1",
    "login,ada,50%!(NOVERB)",
    "post,one, 50%!,(MISSING)ada",
    "manage,ada,bob,add",
    "delete,ada",
    "getUserFeed,ada",
];

fn seeds(target: &str) -> Seeds {
    match target {
        "api" => lines(&[
            "0{\"client_name\": \"Toot\", \"redirect_uris\": [\"toot:back\", \"urn:ietf:wg:oauth:2.0:oob\"], \"scopes\": \"read write\"}",
            "0{\"status\": \"rain 🐸\", \"poll\": {\"options\": [\"a\", \"b\"], \"expires_in\": 60}, \"sensitive\": false, \"in_reply_to_id\": null}",
            "0{\"a\": [[[\"b\"]]], \"a\": 1.5e300}",
            "1scope=read+write%3Astatuses&redirect_uri=https%3A%2F%2Fa.example%2Fb&id[]=1&id[]=2",
            "1read write:statuses follow push",
            "1https://app.example:8443/back?from=ribbit",
            "1com.example.frogs:/oauth",
            "1javascript:alert(1)",
            "1dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            "2--b\r\nContent-Disposition: form-data; name=\"status\"\r\n\r\nrain 🐸\r\n--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"\"\r\n\r\n\r\n--b--\r\n",
        ]),
        "asks" => put_to_a_store(),
        "chat" => lines(&[
            "1|u53|bob|hi",
            "2|ada4|a*5|6|",
            "7|u7|3|bob|caf\u{e9} | pipes",
            " 4 | [!a]?x* ",
            "8|x",
            "3|bob|",
        ]),
        "commas" => lines(COMMAS),
        "files" => lines(&[
            &ClusterFile::parse(CLUSTER).map(|cluster| cluster.to_text()).unwrap_or_default(),
            "# a comment\n; so is this\nKEY=plain value  \nTWO='as it\nis'\nTHREE=\"with \\\" \\\\ \\$ \\`\" 'and' more\n",
            "A=\\\nB\nRIBBIT_LISTEN=127.0.0.1:0\n",
            "export A=1",
        ]),
        "forms" => lines(&[
            "post=a+b%0D%0A%F0%9F%90%B8%26&choice=add&post=second",
            "request=00000000000000000000000000000f0f.42&username=Ada_L-1&name=Ada&email=a%40b&password=frogfrog",
            "names=b*&before=12&after=bob",
            "session=00000000000000000000000000000000000000000000000000000000000000ff; seen=0000000000000000000000000000000a.7",
        ]),
        "frames" => frames(),
        "gob" => gob(),
        "handshake" => handshake(),
        "journal" => journal(),
        "mdns" => mdns(),
        "names" => {
            lines(&["b*", "*", "?", "[a-c]*", "a[!b]*", "ada-?", "\\*", "**", "!a", "*b*b*", "ada", " B* "])
        }
        "pages" => lines(&[
            "\u{3}\0Ada\u{3}\0ada<b>@ada</b> & \"quoted\" 'single' @Bob_2!\r\n\u{202e}\u{1b}[2J",
            "\u{5}\0<Ada>\u{5}\0\"a><b me@pond @@ada quak 🐸@ada🐸 </textarea><script>alert(1)</script>",
        ]),
        "protocol" => protocol(),
        "raft" => raft(),
        "records" => records(),
        "rules" => commands(),
        "shell" => lines(&[
            "ls -l /clusters",
            "write --lock /jobs/backup --fence 1050 /jobs/state \"two words\" it\\'s 'a\\b'",
            "mkdir -p /jobs/a/b",
            "help write",
            "rm -r /jobs --fence x",
            "save / everything",
            "test -l /jobs/backup",
            "aquire /a",
        ]),
        "snapshots" => snapshots(),
        "store" => vec![
            Vec::new(),
            patch(0, &[0; 16]),
            patch(4096, &[0xff; 8]),
            patch(64, b"\x01"),
            patch(320, &[7; 4]),
        ],
        "terminal" => {
            let line = |entry: &ribbit_roles::client::terminal::commands::CommandInfo| {
                format!("/{} bob see you", entry.name)
            };
            TABLE
                .iter()
                .map(|entry| line(entry).into_bytes())
                .chain(lines(&["hello", "/pots x", "/live --take-over"]))
                .collect()
        }
        "typed" => lines(&[
            "backend-2",
            "coordinator-17@3",
            "250ms",
            "10s",
            "2m",
            "500MB",
            "2GiB",
            "board1:9000",
            "[::1]:0",
            "/jobs/backup",
            "//a///ü/",
            "jobs\0backup\0",
        ]),
        _ => Vec::new(),
    }
}

const CLUSTER: &str = "NAME=the \"frogs\"\nCLUSTER=0123456789abcdef0123456789abcdef\n\
    KEY=0000000000000000000000000000000000000000000000000000000000000001\nCOORDINATORS=board1:9000,[::1]:9001\n";

fn lines(lines: &[&str]) -> Seeds {
    lines.iter().map(|line| line.as_bytes().to_vec()).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("tests/formats is hexadecimal");
    if hex == "-" { Vec::new() } else { (0..hex.len()).step_by(2).map(digit).collect() }
}

/// Returns one command of each kind, with ada's session in place of an unknown one.
fn proposals() -> Vec<Proposal> {
    let entries = ENTRIES.lines().filter_map(|line| line.split(' ').nth(2)).map(bytes);
    let entries = entries.map(|mut entry| {
        while let Some(at) = entry.windows(32).position(|window| window == THERE) {
            entry[at..at + 32].copy_from_slice(&rules::ADA.0);
        }
        postcard::from_bytes(&entry).expect("tests/formats holds entries")
    });
    entries.collect()
}

/// Returns requests of Chirper's web server, as Go's library writes them.
fn gob() -> Seeds {
    let log_in = request("", 1, &[("Method", "POST"), ("Username", "ada"), ("Password", "frogfrog")]);
    let post = request("00ff", 7, &[("Status", "caf\u{e9}")]);
    let values = [log_in, post, request("00ff", 2, &[])];
    values.into_iter().map(|value| [DEFINITIONS[0], DEFINITIONS[1], &value].concat()).collect()
}

fn of_kind(kind: u8, value: &impl Serialize) -> Vec<u8> {
    [&[kind][..], &frame::encode(value)[4..]].concat()
}

fn queries() -> Vec<Query> {
    let session = rules::ADA;
    let (before, limit) = (Some(7), 50);
    let path: TreePath = "/jobs".parse().expect("a path");
    vec![
        Query::Position,
        Query::Me { session },
        Query::Feed { session, before: None, limit },
        Query::Friends { session, after: None },
        Query::Tree { path, depth: Some(2), after: None, limit },
        Query::Leases { after: None },
        Query::Coordination,
        Query::Croak { session, id: 7 },
        Query::Profile { session, username: "bob".into(), before, limit },
        Query::People { session, names: "b*".into(), after: None },
        Query::Followers { session, after: None },
        Query::Chatting { session },
        Query::Account { session },
        Query::Sessions { session },
        Query::Unread { session },
        Query::Front { session, before: None, limit: 50, known: Some((1, 9)), unless: None },
        Query::Talks { session, before: None, limit },
        Query::Talk { session, with: TalkPartner::Named("bob".into()), before, limit },
        Query::Message { session, id: 7 },
        Query::Settings,
        OperatorQuery::Accounts { names: "*".into(), after: None }.into(),
    ]
}

fn asks() -> Vec<Ask> {
    let (id, submitted_at, session) = (RequestId(7), 3, rules::ADA);
    let password = || Password("frogfrog".into());
    let form = NewAccount {
        name: "Ada".into(),
        username: "ada".into(),
        email: "a@b".into(),
        password: password(),
        invitation: None,
    };
    let cursor = Token { history: HistoryId(2), index: 7 };
    vec![
        Ask::NodeStatus,
        Ask::CreateAccount { id, submitted_at, form },
        Ask::LogIn {
            id,
            submitted_at,
            username: "ada".into(),
            password: password(),
            token: session,
            device: String::new(),
            app: None,
        },
        Ask::DeleteAccount { id, submitted_at, session, password: password() },
        Ask::Read { seen: Some(cursor), consistency: Consistency::Session, query: Query::Me { session } },
        Ask::Subscribe { cursor, wanted: Topic::feed(session) },
        Ask::Renew { token: session },
        Ask::GetServer { client: 7, before: Some("127.0.0.1:1".into()) },
        Ask::Directory(DirectoryAsk::Down { address: "127.0.0.1:1".into() }),
        Ask::ChangePassword { id, submitted_at, session, old: password(), new: password() },
        Ask::ResetPassword { id, submitted_at, code: session, password: password() },
    ]
}

fn protocol() -> Seeds {
    let member = MemberInfo { raft_id: 2, address: "127.0.0.1:1".into(), ..MemberInfo::default() };
    let hello = PeerHello { cluster: ClusterId(1), history: HistoryId(2), from: member.clone(), to: 1 };
    let welcome = PeerWelcome::Welcome { me: member.clone(), others: vec![member.clone()], you_applied: 7 };
    let news = StoreReport { digests: vec![(7, 9), (8, 10)], full: false };
    let mut seeds = vec![of_kind(2, &hello), of_kind(3, &welcome), of_kind(4, &PeerTalk::Store(news))];
    seeds.push(of_kind(4, &PeerTalk::Heartbeat(member)));
    seeds.push(of_kind(4, &PeerTalk::RenewLease { serial: 1, from: 2, incarnation: 3, clients: vec![4] }));
    seeds.extend(asks().into_iter().map(|ask| of_kind(0, &AskFrame { tag: 1, deadline_ms: 1_000, ask })));
    seeds.extend(queries().iter().map(|query| of_kind(7, query)));
    seeds.extend(proposals().iter().map(|proposal| of_kind(6, &proposal.request)));
    seeds.extend(pages().into_iter().map(|answer| of_kind(1, &AnswerFrame { tag: 1, answer })));
    seeds.push(of_kind(8, &Answer::Unavailable(UnavailableReason::NoLeader)));
    seeds
}

/// Answers of a cluster with some data.
fn pages() -> Vec<Answer> {
    let mut pond = rules::pond();
    for (at, proposal) in (100..).zip(proposals()) {
        let request = Request { id: RequestId(at.into()), submitted_at: at - 1, ..proposal.request };
        // Some of them end what others need.
        let kept = !matches!(format!("{:?}", request.command).as_str(), "LogOut" | "DeleteAccount");
        if kept && request.fits() {
            let _ = pond.apply(at, &Proposal { stamp: proposal.stamp, request });
        }
    }
    let token = Token { history: HistoryId(2), index: 200 };
    queries().iter().map(|query| Answer::Read { token, old: false, page: pond.answer(query) }).collect()
}

fn frames() -> Seeds {
    let mut asked = Preface { plane: Plane::Client, cluster: Some(ClusterId(1)), key: 0 }.to_bytes().to_vec();
    asked.extend(
        asks().into_iter().flat_map(|ask| frame::encode(&AskFrame { tag: 1, deadline_ms: 1_000, ask })),
    );
    let mut linked = peer::encode(&PeerFrame::Raft(vec![8, 3, 16, 1].into()));
    linked.extend(peer::encode(&PeerFrame::Talk(PeerTalk::LeaseRenewed { serial: 1, to: 2, lease_ms: 3 })));
    let page = [&http::GET[..], b"/metrics?x HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    vec![asked, linked, page, b"GET x\n\n".to_vec(), vec![0xff; 8]]
}

fn store_with_a_log() -> (tempdir::Folder, u64) {
    let folder = tempdir::Folder::new();
    let mut store = Store::open(FileDisk::new(&folder.0)).expect("an empty store");
    journal::found(&mut store);
    let first = store.loaded().expect("a good store").last.index + 1;
    for (at, proposal) in (first..).zip(proposals().into_iter().take(3)) {
        let data = postcard::to_stdvec(&proposal).expect("plain data");
        let entry = LogEntry { index: at, term: at, kind: EntryKind::Normal, data: data.into() };
        store.append(&[entry], Some(HardState { term: at, vote: 2, commit: at })).expect("a good disk");
    }
    (folder, first)
}

/// Returns bytes that either side may receive in place of the expected ones: unsigned, or with a wrong signature.
fn handshake() -> Seeds {
    let mut seeds = Seeds::new();
    for plane in
        [Plane::Peer, Plane::Client, Plane::Control, Plane::Snapshot, Plane::Status, Plane::Directory]
    {
        for cluster in [Some(ClusterId(1)), None, Some(ClusterId(2))] {
            let preface = Preface { plane, cluster, key: 0 }.to_bytes();
            seeds.push([&[0][..], &preface, &[9; 48], &[17, 0], &[7; 17]].concat());
            seeds.push([&[1, plane as u8][..], &preface, &[9; 96]].concat());
        }
    }
    let preface = Preface { plane: Plane::Client, cluster: Some(ClusterId(1)), key: 0 }.to_bytes();
    seeds
        .push([&[0][..], b"ribbit", &[WIRE_VERSION, 0xff], &[10; 16], &[5; 32], &preface, &[9; 48]].concat());
    seeds.push([&[2, 2, 17, 0][..], &[7; 17], &[0, 0]].concat());
    seeds.push([&[2, 1, 0xff, 0xff][..], &[7; 64]].concat());
    let mut element = [0; 33];
    (element[0], element[1]) = (b'A', 1);
    seeds.push([&[4, 19][..], &element, &[7; 48]].concat());
    element[0] = b'B';
    let preface = Preface { plane: Plane::Join, cluster: None, key: 0 }.to_bytes();
    let answer = |bytes: &[u8]| ribbit_net::frame::encode(&JoinAnswer::Message(bytes.to_vec()));
    seeds.push([&[3][..], &preface, &answer(&element), &answer(&[7; 48]), &[17, 0], &[7; 17]].concat());
    seeds.push([&[0][..], b"ribbit\x02\x01"].concat());
    seeds
}

/// A question, an answer, and the same with a compressed name.
fn mdns() -> Seeds {
    let (service, instance) = ("_ribbit._tcp.local", "backend-2._ribbit._tcp.local");
    let questions = vec![Question::services(service)];
    let record = |name: &str, data| Record { name: name.into(), ttl_s: 120, data };
    let records = vec![
        record(service, Data::Pointer(instance.into())),
        record(instance, Data::Service { port: 10_002, host: "board2.local".into() }),
        record(instance, Data::Text(vec!["role=backend".into()])),
        record("board2.local", Data::Address([10, 0, 0, 2].into())),
    ];
    let question = Message { id: 7, questions: questions.clone(), ..Message::default() };
    let answer = Message { id: 7, is_response: true, questions, records };
    let mut compressed = encode(&question);
    compressed.extend([0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 20]);
    compressed[7] = 1;
    vec![encode(&question), encode(&answer), compressed]
}

/// The records of a real log, each as a part.
fn journal() -> Seeds {
    let (folder, _) = store_with_a_log();
    let disk = FileDisk::new(&folder.0);
    let number = disk.log_segments().expect("files")[0];
    let file = fs::read(folder.0.join(format!("log-{number:08}"))).expect("a log");
    let mut bodies = Vec::new();
    let mut at = 0;
    while let Some(length) = file.get(at..at + 4) {
        let length = u32::from_le_bytes(std::array::from_fn(|i| length[i])) as usize;
        if length == 0 {
            break;
        }
        bodies.push(file[at + 12..at + 12 + length].to_vec());
        at += 12 + length;
    }
    let whole = |kind: u8, bodies: &[Vec<u8>]| -> Vec<u8> {
        bodies.iter().flat_map(|body| [&[kind][..], &part(body)].concat()).collect()
    };
    vec![
        [&[0, 0][..], &whole(2, &bodies)].concat(),
        [&[0, 1][..], &whole(2, &bodies[1..])].concat(),
        [&[0, 1][..], &whole(2, &bodies[1..2]), &whole(0, &bodies[2..])].concat(),
        [&[1, 0][..], &whole(2, &bodies)].concat(),
        [&[0, 1][..], &whole(1, &bodies[1..2])].concat(),
    ]
}

fn records() -> Seeds {
    let rows = ROWS.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some([&[7][..], &part(&bytes(words.next()?)), &bytes(words.next()?)].concat())
    });
    let entries = ENTRIES.lines().filter_map(|line| line.split(' ').nth(2));
    let entries = entries.map(|hex| [&[6][..], &bytes(hex)].concat());
    // The version before each record of `meta`.
    let meta = |kind: u8, record: Vec<u8>| [&[kind, 1][..], &record].concat();
    let configuration =
        Configuration { voters: vec![1, 2, 3], learners: vec![4], ..Configuration::default() };
    let mut seeds: Seeds = rows.chain(entries).collect();
    seeds.push(meta(1, postcard::to_stdvec(&HardState { term: 3, vote: 2, commit: 9 }).expect("plain data")));
    seeds.push(meta(2, postcard::to_stdvec(&Position { index: 9, term: 3 }).expect("plain data")));
    seeds.push(meta(3, postcard::to_stdvec(&configuration).expect("plain data")));
    seeds.push(record::seal(b"key", b"bytes".to_vec()));
    seeds
}

fn commands() -> Seeds {
    let each: Vec<Vec<u8>> = proposals()
        .iter()
        .map(|proposal| {
            let command = postcard::to_stdvec(&proposal.request.command).expect("plain data");
            [&[2, 1, 0][..], &part(&command)].concat()
        })
        .collect();
    let asked = queries()
        .into_iter()
        .map(|query| [&[0][..], &part(&postcard::to_stdvec(&query).expect("plain data"))].concat());
    let mut numbered = each.concat();
    // Of ids so close some are the same: twice is once.
    numbered.extend(asked.clone().flatten());
    let mut seeds = each;
    seeds.extend(asked);
    seeds.push(numbered);
    seeds
}

/// Queries and commands as they are, in frames, and filled in.
fn put_to_a_store() -> Seeds {
    let frame = |ask: Ask| frame::encode(&AskFrame { tag: 1, deadline_ms: 1_000, ask });
    let asked = queries().into_iter().map(|query| {
        let bytes = postcard::to_stdvec(&query).expect("plain data");
        let read = Ask::Read { seen: None, consistency: Consistency::Stale, query };
        [&[0][..], &part(&bytes), &[1], &part(&frame(read))].concat()
    });
    let given = proposals().into_iter().map(|Proposal { request, .. }| {
        let bytes = postcard::to_stdvec(&request.command).expect("plain data");
        [&[2, 0][..], &part(&bytes), &[1], &part(&frame(Ask::Write(request)))].concat()
    });
    let filled = (0..10).map(|kind| {
        let name = part(&b"a".repeat(600));
        let path = part(b"/a/b");
        [&[3, 0, kind, 0, 1, 0][..], &name, &[0], &name, &[3, 1, kind, 9, 0, 0], &path, &[0], &path].concat()
    });
    asked.chain(given).chain(filled).collect()
}

fn snapshots() -> Seeds {
    let head = SnapshotHead {
        applied: Position { index: 9, term: 3 },
        configuration: Configuration { voters: vec![1, 2, 3], ..Configuration::default() },
    };
    let head = postcard::to_stdvec(&head).expect("plain data");
    let chunk = vec![(b"key".to_vec(), record::seal(b"key", b"row".to_vec()))];
    let chunk = postcard::to_stdvec(&chunk).expect("plain data");
    let begun = [part(&head), part(&[8, 7, 16, 1])].concat();
    vec![
        [&begun[..], &[0], &part(&chunk)].concat(),
        [&begun[..], &[1], &part(b"key"), &part(b"row"), &[1], &part(b"kez"), &part(b"")].concat(),
    ]
}

fn patch(at: u32, bytes: &[u8]) -> Vec<u8> {
    [&at.to_le_bytes()[..], &part(bytes)].concat()
}

/// Turns of each kind of message, to members of each kind, with values that are near.
fn raft() -> Seeds {
    let mut seeds = Seeds::new();
    for kind in 0..16 {
        for member in [2, 6 | 3 << 5, 1] {
            let mut seed = vec![member];
            for _ in 0..3 {
                // From 2, in this term, at the end of the log, with one entry that follows.
                seed.extend([3, kind, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0]);
                seed.extend(part(&[7; 8]));
                seed.extend([1, 0]);
            }
            seeds.push(seed);
        }
    }
    seeds
}

/// A folder that goes when it is dropped.
mod tempdir {
    pub struct Folder(pub std::path::PathBuf);
    impl Folder {
        pub fn new() -> Folder {
            let folder = std::env::temp_dir().join(format!("ribbit-seeds-{}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("a temporary folder");
            Folder(folder)
        }
    }
    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
