//! Test: sends every kind of request, with each field at and beyond its bound, to a backend with a real store over a real
//! connection. Each request gets an answer, the connection stays open, and the process survives.

mod keep_away;
mod named;
mod rooms;
mod table;

use crate::node::service::{NodeService, tests::backend};
use async_net::TcpListener;
use ribbit_net::admission::{self, Admission};
use ribbit_net::channel::Channel;
use ribbit_net::frame::{self, Plane};
use ribbit_net::limits::{ASK_BYTES_MAX, ASK_SKIPPED_BYTES_MAX, FRAME_BYTES_MAX};
use ribbit_net::protocol::{Answer, AnswerFrame, Ask, AskFrame};
use ribbit_net::secret::stored_token;
use ribbit_net::{handshake, listener, tasks};
use ribbit_state::limits::INDEX_MAX;
use ribbit_state::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use table::{Expected, SESSION, TOKEN, denied, id, password, read, table, write};

/// Returns every request of the tables.
fn all() -> Vec<(Plane, Ask, Expected)> {
    let mut all = table();
    all.extend(keep_away::table());
    all.extend(named::table());
    all.extend(rooms::table());
    all
}

/// Returns the names of the enum variants in a request, from the outside in, taken from its `Debug` output.
fn variants(ask: &Ask) -> Vec<String> {
    let name = |value: &dyn std::fmt::Debug| {
        let text = format!("{value:?}");
        text.split([' ', '(', '{']).next().unwrap_or_default().to_string()
    };
    let mut names = vec![name(ask)];
    match ask {
        Ask::Read { query, .. } => names.push(format!("Query::{}", name(query))),
        Ask::Pin(pin) => names.push(format!("Pin::{}", name(pin))),
        Ask::Directory(it) => names.push(format!("Directory::{}", name(it))),
        Ask::Write(Request { command, .. }) => {
            names.push(format!("Command::{}", name(command)));
            match command {
                Command::Tree(it) => names.push(format!("Tree::{}", name(it))),
                Command::Lease(it) => names.push(format!("Lease::{}", name(it))),
                Command::Message(it) => names.push(format!("Message::{}", name(it))),
                Command::Account(it) => names.push(format!("Account::{}", name(it))),
                Command::Room(it) => names.push(format!("Room::{}", name(it))),
                Command::Notice(it) => names.push(format!("Notice::{}", name(it))),
                Command::Operator(it) => names.push(format!("Operate::{}", name(it))),
                Command::Relation(it) => names.push(format!("Relation::{}", name(it))),
                Command::Conversation(it) => names.push(format!("Conversation::{}", name(it))),
                Command::Access(it) => names.push(format!("Access::{}", name(it))),
                Command::App(it) => names.push(format!("App::{}", name(it))),
                _ => {}
            }
        }
        _ => {}
    }
    names
}

/// Variants of `Command` that group the commands of one subject.
const GROUPS: usize = 11;

/// Number of variants of all request types: `Ask`, queries, pins, the directory and commands. A new variant has to be added
/// to the table.
const VARIANTS: usize = 21 + Query::KINDS + 6 + 4 + GROUPS + Command::KINDS;

struct Server {
    service: Arc<NodeService>,
    address: String,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts a founded backend with the account `ada`, logged in with `SESSION`.
    async fn start() -> Server {
        let folder = tempfile::tempdir().unwrap();
        let service = backend(folder.path(), &[1]);
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let (gate, keys) = (service.node.gate.clone(), service.node.options.keys.clone());
        tasks::spawn(listener::serve(socket, service.clone(), gate, keys)).detach();
        let server = Server { service, address, _folder: folder };
        let create = Command::CreateAccount {
            username: "ada".into(),
            name: "Ada".into(),
            email: "a@b".into(),
            password_hash: String::new(),
            invitation: None,
        };
        let Ok(Reply::Created { account }) = server.run(create).await else { panic!("not created") };
        let token = stored_token(SESSION);
        server
            .run(Command::LogIn { account, credential_version: 1, token, device: String::new(), app: None })
            .await
            .unwrap();
        server
    }

    async fn run(&self, command: Command) -> Outcome {
        let replica = &self.service.node.membership.get().unwrap().replica;
        let request = Request { id: id(), submitted_at: replica.reader().applied(), origin: None, command };
        replica.submit(request, Instant::now() + Duration::from_secs(10)).await.unwrap().1
    }

    async fn connect(&self, plane: Plane) -> Channel {
        handshake::connect(&self.address, plane, &self.service.node.options.keys).await.unwrap()
    }
}

/// Time limit of an answer, reached only if there is none.
const PATIENCE: Duration = Duration::from_secs(20);

async fn answer(channel: &mut Channel, tag: u32) -> Answer {
    let read = frame::read(&mut channel.reader, FRAME_BYTES_MAX);
    let AnswerFrame { tag: its, answer } = frame::with_timeout(PATIENCE, read).await.unwrap();
    assert_eq!(its, tag);
    answer
}

async fn asked(channel: &mut Channel, tag: u32, ask: Ask) -> Answer {
    frame::write(&mut channel.writer, &AskFrame { tag, deadline_ms: 1_500, ask }).await.unwrap();
    answer(channel, tag).await
}

#[test]
fn every_request_at_and_beyond_its_bounds_is_answered_and_ends_nothing() {
    smol::block_on(async {
        let server = Server::start().await;
        let (mut client, mut control) =
            (server.connect(Plane::Client).await, server.connect(Plane::Control).await);
        let table = all();
        let met: BTreeSet<String> = table.iter().flat_map(|(_, ask, _)| variants(ask)).collect();
        assert_eq!(met.len(), VARIANTS, "{met:#?}");
        for (tag, (plane, ask, expected)) in (1..).zip(table) {
            let channel = if plane == Plane::Client { &mut client } else { &mut control };
            let what = format!("{plane:?} {ask:?}").chars().take(400).collect::<String>();
            let checked = ask.check();
            let answer = asked(channel, tag, ask).await;
            match expected {
                Expected::Answered => assert_eq!(checked, Ok(()), "{what}"),
                Expected::Refused(denied) => assert_eq!(answer, Answer::Refused(denied), "{what}"),
            }
        }
        let croak = write(Command::croak(SESSION, "still here"));
        let answer = asked(&mut client, 0, croak).await;
        // The croak may be refused by the rate limit: this account has written a lot.
        assert!(matches!(answer, Answer::Written { .. } | Answer::Refused(_)), "{answer:?}");
        let me = asked(&mut client, 0, read(Query::Me { session: SESSION })).await;
        assert!(matches!(me, Answer::Read { page: Ok(Page::Me(_)), .. }), "{me:?}");
    });
}

/// Each server used to wait for this index for a second, until the page reported that no server answers.
#[test]
fn a_password_request_submitted_beyond_the_end_of_the_log_is_refused_at_once() {
    smol::block_on(async {
        let server = Server::start().await;
        let (mut client, mut control) =
            (server.connect(Plane::Client).await, server.connect(Plane::Control).await);
        let applied = server.service.node.membership.get().unwrap().replica.reader().applied();
        let began = Instant::now();
        for submitted_at in [applied + 1_000, INDEX_MAX, u64::MAX] {
            let (session, word) = (SESSION, || password("long enough"));
            let (old, new) = (word(), word());
            let (username, token) = ("ada".to_string(), TOKEN);
            for ask in [
                Ask::DeleteAccount { id: id(), submitted_at, session, password: word() },
                Ask::Confirm { id: id(), submitted_at, session, password: word() },
                Ask::ChangePassword { id: id(), submitted_at, session, old, new },
                Ask::LogIn {
                    id: id(),
                    submitted_at,
                    username: username.clone(),
                    password: word(),
                    token,
                    device: String::new(),
                    app: None,
                },
                Ask::ResetPassword { id: id(), submitted_at, code: TOKEN, password: word() },
                Ask::SetPassword { id: id(), submitted_at, username, password: word() },
            ] {
                let operators = matches!(ask, Ask::SetPassword { .. });
                let channel = if operators { &mut control } else { &mut client };
                let answer = asked(channel, 1, ask).await;
                assert_eq!(answer, Answer::Refused(denied(Code::OutcomeUnknown, None)), "{submitted_at}");
            }
        }
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    });
}

/// A connection is shared, so one malformed request must not affect the others.
#[test]
fn a_malformed_request_is_refused_alone() {
    smol::block_on(async {
        let server = Server::start().await;
        let mut client = server.connect(Plane::Client).await;
        let session = SESSION;
        let long =
            |bytes| read(Query::Profile { session, username: "a".repeat(bytes), before: None, limit: 1 });
        let refused = |field| Answer::Refused(denied(Code::InvalidEntry, field));
        let odd = refused(None);
        // The first request of the connection.
        let too_long = ASK_BYTES_MAX + 1;
        assert_eq!(asked(&mut client, 7, long(too_long)).await, odd);
        assert_eq!(asked(&mut client, 8, long(ASK_SKIPPED_BYTES_MAX - 100)).await, odd);
        assert_eq!(asked(&mut client, 9, long(ASK_BYTES_MAX - 100)).await, refused(Some(Field::Username)));
        // A valid tag, then a request of a later version, bytes after the end, an invalid path.
        let mut frames = [9u32, 10, 11].map(|tag| {
            let ask = Ask::NodeStatus;
            frame::encode(&AskFrame { tag, deadline_ms: 1, ask })
        });
        *frames[0].last_mut().unwrap() = 99;
        frames[1][0] += 1;
        frames[1].push(0);
        let tree = Query::Tree { path: "/a".parse().unwrap(), depth: None, after: None, limit: 1 };
        frames[2] = frame::encode(&AskFrame { tag: 11, deadline_ms: 1, ask: read(tree) });
        let slash = frames[2].iter().position(|byte| *byte == b'/').unwrap();
        frames[2][slash] = b'b';
        for (tag, frame) in (9..).zip(frames) {
            frame::write_bytes(&mut client.writer, &frame).await.unwrap();
            assert_eq!(answer(&mut client, tag).await, odd, "{tag}");
        }
        let me = asked(&mut client, 12, read(Query::Me { session })).await;
        assert!(matches!(me, Answer::Read { page: Ok(Page::Me(_)), .. }), "{me:?}");
        // A request that is too long to skip ends its connection.
        let endless = long(ASK_SKIPPED_BYTES_MAX + 1);
        let _ = frame::write(&mut client.writer, &AskFrame { tag: 13, deadline_ms: 1, ask: endless }).await;
        assert!(frame::read::<AnswerFrame, _>(&mut client.reader, FRAME_BYTES_MAX).await.is_err());
    });
}

/// All senders rely on this: a request that passes the check fits a frame.
#[test]
fn a_request_within_its_bounds_fits_a_frame() {
    smol::block_on(async {
        for (_, ask, _) in all() {
            let fits = ask.check().is_ok();
            let bytes = frame::encode(&AskFrame { tag: u32::MAX, deadline_ms: u32::MAX, ask });
            if fits {
                assert!(bytes.len() - 4 <= ASK_BYTES_MAX, "{} bytes", bytes.len());
                let incoming = admission::read(&mut &bytes[..]).await.unwrap();
                assert!(matches!(incoming, Admission::Ask(_)), "{incoming:?}");
            }
        }
    });
}
