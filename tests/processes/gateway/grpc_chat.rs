//! The gRPC chat through `ribbit client gateway --grpc-chat`: every method and reply, what its client depends on, and the same while
//! servers die.

use super::Gateway;
use crate::test_cluster::{TestCluster, awaited};
use crate::verbs::CliUser;
use ribbit_roles::gateway::grpc::message::Message;
use ribbit_roles::gateway::grpc_chat::messages::{
    BackupReply, ChatMessage, GetReply, ListReply, LoginReply, SendReply,
};
use smol::future::block_on;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use testkit::grpc::{GrpcChannel, GrpcStatus, UNAVAILABLE, text};

const FLAGS: &[&str] = &["--names-without-password", "--grpc-chat", "0"];
const PERMISSION_DENIED: i32 = 7;
const BUSY: &str = "user already logged in on different machine";
const UNKNOWN: &str = "user does not exist :(";

pub(super) struct Server(GrpcChannel);

pub(super) fn server(gateway: &Gateway) -> Server {
    let address = gateway.address("grpc-chat", 0).to_string();
    Server(block_on(GrpcChannel::connect(&address)).expect("a gateway listens"))
}

impl Server {
    async fn call<R: Message>(&self, method: &str, fields: &[(u32, &str)]) -> Result<R, GrpcStatus> {
        let reply = self.0.call(&format!("/ClientHandler/{method}"), &text(fields)).await?;
        Ok(R::decode(&reply).expect("a reply"))
    }

    /// Calls Login, Logout or Delete.
    #[track_caller]
    pub(super) fn asks(&self, method: &str, user: &str) -> (i32, String) {
        let reply: LoginReply = block_on(self.call(method, &[(1, user)])).expect("it is answered");
        assert_eq!(reply.user, user);
        (reply.status, reply.errormessage)
    }

    #[track_caller]
    pub(super) fn sends(&self, user: &str, message: &str, target: &str) -> (i32, String) {
        let fields = [(1, user), (2, message), (3, target)];
        let reply: SendReply = block_on(self.call("Send", &fields)).expect("it is answered");
        let repeated = (reply.user.as_str(), reply.message.as_str(), reply.target.as_str());
        assert_eq!(repeated, (user, message, target));
        (reply.status, reply.errormessage)
    }

    #[track_caller]
    pub(super) fn polls(&self, user: &str) -> GetReply {
        block_on(self.call("GetMessages", &[(1, user)])).expect("it is answered")
    }

    /// Polls until there are messages, and returns them as `SENDER: TEXT`.
    #[track_caller]
    pub(super) fn gets(&self, user: &str) -> Vec<String> {
        awaited("messages", || {
            let reply = self.polls(user);
            assert_ne!(reply.status, 1, "{}", reply.errormessage);
            (reply.status == 2).then(|| said(reply.message, user))
        })
    }

    /// Polls once, and asserts that there is nothing.
    #[track_caller]
    fn gets_nothing(&self, user: &str) {
        assert_eq!(self.polls(user), GetReply::default());
    }

    #[track_caller]
    fn lists(&self, pattern: &str) -> Vec<String> {
        let reply: ListReply = block_on(self.call("ListUsers", &[(1, pattern)])).expect("it is answered");
        assert_eq!((reply.status, reply.wildcard.as_str()), (0, pattern.trim()));
        reply.user
    }

    /// Returns the ports of the backups in the order in which a client tries them.
    #[track_caller]
    fn backups(&self) -> Vec<String> {
        let reply: BackupReply = block_on(self.call("GetBackups", &[])).expect("it is answered");
        reply.serverinfo.into_iter().rev().map(|server| server.port).collect()
    }
}

fn said(messages: Vec<ChatMessage>, receiver: &str) -> Vec<String> {
    let said = messages.into_iter().map(|message| {
        assert_eq!(message.receiver, receiver);
        format!("{}: {}", message.sender, message.message)
    });
    said.collect()
}

fn done() -> (i32, String) {
    (0, String::new())
}

fn failed(words: &str) -> (i32, String) {
    (1, words.to_string())
}

#[test]
fn every_method_has_the_replies_of_the_original() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, FLAGS);
    let chat = server(&gateway);
    assert_eq!(chat.backups(), [""; 0]);
    // Logging in creates an account, once at a time.
    assert_eq!(chat.asks("Login", "ada"), done());
    assert_eq!(chat.asks("Login", "ada"), failed(BUSY));
    assert_eq!(chat.asks("Login", "bob"), done());
    assert_eq!(chat.asks("Login", "carl42"), done());
    for name in ["", "a b", "n\u{e9}"] {
        assert_eq!(chat.asks("Login", name).0, 1, "{name:?}");
    }
    // Messages in order, and gone once the next poll has come.
    assert_eq!(chat.sends("ada", "hi", "bob"), done());
    assert_eq!(chat.sends("ada", "hi", "bob"), done());
    assert_eq!(chat.sends("carl42", "caf\u{e9} 🐸", "bob"), done());
    assert_eq!(chat.gets("bob"), ["ada: hi", "ada: hi", "carl42: caf\u{e9} 🐸"]);
    chat.gets_nothing("bob");
    assert_eq!(chat.sends("ada", "hi", "nobody"), failed(UNKNOWN));
    assert_eq!(chat.sends("ada", "hi", "n\u{e9}"), failed(UNKNOWN));
    assert_eq!(chat.sends("nobody", "hi", "bob"), failed(UNKNOWN));
    assert_eq!(chat.sends("ada", &"x".repeat(1_000), "bob"), done());
    for refused in [&"x".repeat(1_001), ""] {
        let (status, words) = chat.sends("ada", refused, "bob");
        assert!(status == 1 && !words.is_empty() && words != UNKNOWN);
    }
    assert_eq!(chat.sends("ada", "hi", "ada").0, 1);
    assert_eq!(chat.gets("bob"), [format!("ada: {}", "x".repeat(1_000))]);
    // Patterns of SQL.
    for (pattern, expected) in [
        ("%", &["ada", "bob", "carl42"][..]),
        (" %a% ", &["ada", "carl42"]),
        ("A_A", &["ada"]),
        ("bob", &["bob"]),
        ("carl__", &["carl42"]),
        ("_", &[]),
        ("", &[]),
        ("*", &[]),
        ("b", &[]),
    ] {
        assert_eq!(chat.lists(pattern), expected, "{pattern:?}");
    }
    // Logging out.
    assert_eq!(chat.asks("Logout", "bob"), done());
    assert_eq!(chat.asks("Logout", "bob"), failed("user not currently logged in"));
    assert_eq!(chat.asks("Logout", "nobody"), failed("user not currently logged in"));
    let unknown = GetReply { status: 1, errormessage: UNKNOWN.to_string(), message: Vec::new() };
    assert_eq!(chat.polls("bob"), unknown);
    assert_eq!(chat.polls("nobody"), unknown);
    // What is sent meanwhile waits.
    assert_eq!(chat.sends("ada", "while you were out", "bob"), done());
    assert_eq!(chat.asks("Login", "bob"), done());
    assert_eq!(chat.gets("bob"), ["ada: while you were out"]);
    // Logging out forgets what the last poll got, and a poll in progress takes nothing.
    assert_eq!(chat.asks("Logout", "bob"), done());
    assert_eq!(chat.asks("Login", "bob"), done());
    chat.gets_nothing("bob");
    let (during, out) =
        block_on(smol::future::zip(chat.call::<GetReply>("GetMessages", &[(1, "bob")]), async {
            smol::Timer::after(Duration::from_millis(200)).await;
            chat.call::<LoginReply>("Logout", &[(1, "bob")]).await
        }));
    assert!(out.unwrap().status == 0 && during.unwrap().message.is_empty());
    // Deleting, with what waits.
    assert_eq!(chat.sends("ada", "for the old bob", "bob"), done());
    assert_eq!(chat.asks("Delete", "bob"), done());
    assert_eq!(chat.asks("Delete", "bob"), done());
    assert_eq!(chat.lists("bob"), [""; 0]);
    assert_eq!(chat.asks("Login", "bob"), done());
    chat.gets_nothing("bob");
}

#[test]
fn methods_between_servers_are_refused() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, FLAGS);
    let chat = server(&gateway);
    for method in
        ["AddUser", "RemoveUser", "SetUserStatus", "AddMessage", "DeleteMessages", "PullData", "CheckClock"]
    {
        let code = block_on(chat.call::<LoginReply>(method, &[])).unwrap_err().code;
        assert_eq!(code, PERMISSION_DENIED, "{method}");
    }
}

#[test]
fn idle_polls_are_held_and_write_nothing() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, FLAGS);
    let chat = server(&gateway);
    assert_eq!(chat.asks("Login", "ada"), done());
    assert_eq!(chat.asks("Login", "bob"), done());
    chat.gets_nothing("bob");
    let applied = || pond.await_whole().members.iter().map(|member| member.applied).max();
    let before = applied();
    for _ in 0..5 {
        let began = Instant::now();
        chat.gets_nothing("bob");
        let held = began.elapsed();
        assert!(held >= Duration::from_millis(300) && held < Duration::from_secs(2), "{held:?}");
    }
    assert_eq!(applied(), before, "a poll without messages writes nothing");
    // A poll that is held ends with the message.
    let (got, sent) = block_on(smol::future::zip(
        async {
            let reply = chat.call::<GetReply>("GetMessages", &[(1, "bob")]).await.unwrap();
            (reply, Instant::now())
        },
        async {
            smol::Timer::after(Duration::from_millis(200)).await;
            let began = Instant::now();
            let fields = [(1, "ada"), (2, "now"), (3, "bob")];
            chat.call::<SendReply>("Send", &fields).await.unwrap();
            began
        },
    ));
    assert_eq!(said(got.0.message, "bob"), ["ada: now"]);
    assert!(got.1.duration_since(sent) < Duration::from_millis(500));
}

#[test]
fn one_of_a_hundred_logs_in_and_a_silent_client_gives_way() {
    let pond = TestCluster::start();
    let gateways = [Gateway::start(&pond, FLAGS), Gateway::start(&pond, FLAGS)];
    let servers = gateways.each_ref().map(server);
    let attempts: Vec<_> =
        (0..100).map(|number| servers[number % 2].call::<LoginReply>("Login", &[(1, "ada")])).collect();
    let began = Instant::now();
    let replies = block_on(async {
        let executor = smol::LocalExecutor::new();
        let tasks: Vec<_> = attempts.into_iter().map(|attempt| executor.spawn(attempt)).collect();
        executor
            .run(async {
                let mut replies = Vec::new();
                for task in tasks {
                    replies.push(task.await.expect("it is answered"));
                }
                replies
            })
            .await
    });
    let mut by_words: BTreeMap<(i32, &str), usize> = BTreeMap::new();
    for reply in &replies {
        *by_words.entry((reply.status, &reply.errormessage)).or_default() += 1;
    }
    assert_eq!(by_words, BTreeMap::from([((0, ""), 1), ((1, BUSY), 99)]));
    // The client that has logged in says nothing more: another one may log in, but not at once.
    let again =
        awaited("another log-in", || (servers[0].asks("Login", "ada") == done()).then(|| began.elapsed()));
    assert!(again > Duration::from_secs(8), "{again:?}");
    // One that polls keeps its name.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(12) {
        servers[0].gets_nothing("ada");
    }
    assert_eq!(servers[1].asks("Login", "ada"), failed(BUSY));
}

#[test]
fn a_client_moves_to_another_server_and_nothing_is_lost_or_doubled() {
    let pond = TestCluster::start();
    let mut gateways =
        [Gateway::start(&pond, FLAGS), Gateway::start(&pond, FLAGS), Gateway::start(&pond, FLAGS)];
    let ports = gateways.each_ref().map(|gateway| gateway.address("grpc-chat", 0).port().to_string());
    let servers = gateways.each_ref().map(server);
    // Every other server several times.
    for (own, server) in servers.iter().enumerate() {
        let tried = awaited("all are named", || Some(server.backups()).filter(|tried| tried.len() >= 16));
        let mut others: Vec<&String> =
            ports.iter().enumerate().filter(|(it, _)| *it != own).map(|it| it.1).collect();
        let mut first: Vec<&String> = tried[..2].iter().collect();
        others.sort();
        first.sort();
        assert_eq!(first, others);
        assert_eq!(tried[..2], tried[2..4]);
        assert!(!tried.contains(&ports[own]));
    }
    let [one, two, _] = &servers;
    assert_eq!(one.asks("Login", "ada"), done());
    assert_eq!(one.asks("Login", "bob"), done());
    // A repeat through another server is the same message; through the same server it is meant.
    assert_eq!(one.sends("ada", "hello", "bob"), done());
    assert_eq!(two.sends("ada", "hello", "bob"), done());
    assert_eq!(one.sends("ada", "again", "bob"), done());
    assert_eq!(one.sends("ada", "again", "bob"), done());
    let all = ["ada: hello", "ada: again", "ada: again"];
    assert_eq!(one.gets("bob"), all);
    // The reply may be lost with the server: another one hands the messages out again, until the next poll through it.
    gateways[0].kill();
    assert_eq!(block_on(one.call::<GetReply>("GetMessages", &[(1, "bob")])).unwrap_err().code, UNAVAILABLE);
    assert_eq!(two.gets("bob"), all);
    two.gets_nothing("bob");
    // Nobody logs in again, and both are still logged in.
    assert_eq!(two.sends("bob", "still there", "ada"), done());
    assert_eq!(two.gets("ada"), ["bob: still there"]);
    assert_eq!(two.asks("Logout", "bob"), done());
    assert_eq!(servers[2].asks("Logout", "bob"), failed("user not currently logged in"));
}

#[test]
fn messages_arrive_once_and_in_order_while_backends_die() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, FLAGS);
    let chat = server(&gateway);
    assert_eq!(chat.asks("Login", "ada"), done());
    assert_eq!(chat.asks("Login", "bob"), done());
    let mut number = 0;
    let mut got = Vec::new();
    for leader in [true, false] {
        let leading = pond.await_leading_backend();
        let others = ["backend-1", "backend-2", "backend-3"];
        let victim =
            if leader { leading.as_str() } else { others.iter().find(|name| **name != leading).unwrap() };
        for position in 0..20 {
            if position == 5 {
                pond.kill(&[victim]);
            }
            assert_eq!(chat.sends("ada", &format!("message {number}"), "bob"), done());
            number += 1;
        }
        while got.len() < number {
            got.extend(chat.gets("bob"));
        }
        pond.await_whole();
    }
    let expected: Vec<String> = (0..number).map(|number| format!("ada: message {number}")).collect();
    assert_eq!(got, expected);
    chat.gets_nothing("bob");
}

#[test]
fn one_truth_with_the_rest_through_a_stop_of_everything() {
    let mut pond = TestCluster::start();
    let gateway = Gateway::start(&pond, FLAGS);
    let chat = server(&gateway);
    let paula = CliUser::called(&pond, "paula");
    assert_eq!(chat.asks("Login", "ada"), done());
    assert_eq!(chat.sends("ada", "hello from the chat", "paula"), done());
    let inbox = paula.runs(&pond, &["inbox", "ada"]);
    assert!(inbox.succeeds().contains("hello from the chat"));
    paula.runs(&pond, &["dm", "ada", "hello from a verb"]).succeeds();
    let words = "this name belongs to an account with a password, choose another name";
    for method in ["Login", "Logout", "Delete"] {
        let (status, said) = chat.asks(method, "paula");
        assert!(status == 1 && (method == "Logout" || said == words), "{method}: {status} {said}");
    }
    assert_eq!(chat.sends("paula", "forged", "ada"), failed(words));
    assert_eq!(chat.polls("paula").status, 1);
    drop(gateway);
    pond.stop();
    pond.up(&[]);
    // Still logged in, and what was sent before waits.
    let gateway = Gateway::start(&pond, FLAGS);
    let chat = server(&gateway);
    assert_eq!(chat.gets("ada"), ["paula: hello from a verb"]);
}

#[test]
fn a_reply_stays_below_what_a_client_takes() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, FLAGS);
    let chat = server(&gateway);
    let senders: Vec<String> = (0..2).map(|number| format!("sender{number}")).collect();
    assert_eq!(chat.asks("Login", "ada"), done());
    let text = "🐸".repeat(1_000);
    for sender in &senders {
        assert_eq!(chat.asks("Login", sender), done());
        for number in 0..180 {
            assert_eq!(chat.sends(sender, &format!("{number}{}", &text[..4 * 990]), "ada"), done());
        }
    }
    let first = chat.polls("ada");
    assert_eq!(first.status, 2);
    assert!(first.message.len() < 360 && first.encode().len() <= 1024 * 1024);
    let rest = chat.polls("ada");
    assert_eq!(first.message.len() + rest.message.len(), 360);
    chat.gets_nothing("ada");
}
