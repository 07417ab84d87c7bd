//! Tiny SNS through `ribbit client gateway --sns`: every method and reply, what its client depends on, and the same while servers
//! die.

use super::Gateway;
use crate::test_cluster::{TestCluster, awaited};
use crate::verbs::CliUser;
use ribbit_roles::gateway::grpc::message::Message;
use ribbit_roles::gateway::sns::messages::{
    ClientId, ListReply, Post, Reply, ReplyStatus, Request, ServerInfo, Timestamp,
};
use smol::future::block_on;
use std::io::{Read, Write};
use std::time::Duration;
use testkit::grpc::{GrpcChannel, GrpcStatus, GrpcStream, text};
use testkit::timeouts::PATIENCE;

const FLAGS: &[&str] = &["--names-without-password", "--sns", "0,0"];
const OK: i32 = 0;
const INVALID_ARGUMENT: i32 = 3;
const NOT_FOUND: i32 = 5;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNIMPLEMENTED: i32 = 12;

pub(super) fn channel(gateway: &Gateway, listener: usize) -> GrpcChannel {
    let address = gateway.address("sns", listener).to_string();
    block_on(GrpcChannel::connect(&address)).expect("a gateway listens")
}

/// Client of the service, which makes each call with a name.
pub(super) struct Person<'a>(pub(super) &'a GrpcChannel, pub(super) &'static str);

impl Person<'_> {
    fn call<R: Message>(&self, method: &str, arguments: &[&str]) -> R {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let request = Request { username: self.1.to_string(), arguments, ..Request::default() };
        let reply = block_on(self.0.call(&format!("/SNS.SNSService/{method}"), &request.encode()));
        R::decode(&reply.expect("it is answered")).expect("a reply")
    }

    #[track_caller]
    fn asks(&self, method: &str, arguments: &[&str], status: ReplyStatus, words: &str) {
        let reply: Reply = self.call(method, arguments);
        assert_eq!((reply.status, reply.msg.as_str()), (status, words), "{method} {arguments:?}");
    }

    pub(super) fn logs_in(&self) -> Reply {
        self.call("Login", &[])
    }

    #[track_caller]
    pub(super) fn follows(&self, name: &str) {
        self.asks("Follow", &[name], ReplyStatus::Success, &format!("Successfully followed {name}"));
    }

    /// Opens the timeline, as the client does.
    pub(super) fn timeline(&self) -> Timeline {
        let mut stream = block_on(self.0.open("/SNS.SNSService/Timeline")).expect("a stream");
        block_on(stream.send(&Post { username: self.1.to_string(), ..Post::default() }.encode()));
        Timeline { stream, username: self.1 }
    }
}

pub(super) struct Timeline {
    stream: GrpcStream,
    username: &'static str,
}

impl Timeline {
    pub(super) fn posts(&mut self, msg: &str) {
        let timestamp = Some(Timestamp { seconds: 1_700_000_000, nanos: 0 });
        let post = Post { username: self.username.to_string(), msg: msg.to_string(), timestamp };
        block_on(self.stream.send(&post.encode()));
    }

    /// Returns the next post as `AUTHOR: TEXT`.
    #[track_caller]
    pub(super) fn shows(&mut self) -> String {
        let post = block_on(smol::future::or(self.stream.next(), async {
            smol::Timer::after(PATIENCE).await;
            None
        }));
        let post = Post::decode(&post.expect("a post in time")).expect("a message");
        assert!(post.timestamp.is_some());
        format!("{}: {}", post.username, post.msg)
    }

    /// Asserts that nothing comes for a moment.
    #[track_caller]
    pub(super) fn is_silent(&mut self) {
        let next = block_on(smol::future::or(self.stream.next(), async {
            smol::Timer::after(Duration::from_millis(400)).await;
            Some(Vec::new())
        }));
        assert_eq!(next, Some(Vec::new()));
    }

    fn ends(mut self) -> GrpcStatus {
        block_on(self.stream.status())
    }
}

#[test]
fn every_method_has_the_replies_of_the_original() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, FLAGS);
    let coordinator = channel(&gateway, 0);
    for expected in 0..3 {
        let id = block_on(coordinator.call("/SNS.CoordService/GetUniqueClientID", b"")).unwrap();
        assert_eq!(ClientId::decode(&id), Ok(ClientId { id: expected }));
    }
    for changed in [true, false, false] {
        let server = block_on(coordinator.call("/SNS.CoordService/GetServer", b"\x08\x02")).unwrap();
        let port = gateway.address("sns", 1).port().to_string();
        let expected = ServerInfo {
            serverid: 1,
            clusterid: 1,
            hostname: "127.0.0.1".to_string(),
            port,
            r#type: "master".to_string(),
            registered: true,
            changed,
        };
        assert_eq!(ServerInfo::decode(&server), Ok(expected));
    }
    let service = channel(&gateway, 1);
    let [ada, bob, carl] = ["ada", "bob", "carl"].map(|name| Person(&service, name));
    ada.asks("Login", &[], ReplyStatus::Success, "User ada successfully logged in!");
    ada.asks("Login", &[], ReplyStatus::Success, "Welcome back, ada");
    bob.asks("Login", &[], ReplyStatus::Success, "User bob successfully logged in!");
    carl.asks("Login", &[], ReplyStatus::Success, "User carl successfully logged in!");
    for name in ["", "a b", "n\u{e9}", "x.y"] {
        assert_eq!(Person(&service, name).logs_in().status, ReplyStatus::InvalidUsername, "{name:?}");
    }
    for (method, argument, status, words) in [
        ("Follow", "carl", ReplyStatus::Success, "Successfully followed carl"),
        ("Follow", "bob", ReplyStatus::Success, "Successfully followed bob"),
        ("Follow", "bob", ReplyStatus::AlreadyExists, "You already follow this user"),
        ("Follow", "ada", ReplyStatus::Invalid, "You cannot follow yourself."),
        ("Follow", "nobody", ReplyStatus::NotExists, "The specified user does not exist."),
        ("Follow", "", ReplyStatus::NotExists, "The specified user does not exist."),
        ("UnFollow", "ada", ReplyStatus::Invalid, "You cannot unfollow yourself."),
        ("UnFollow", "nobody", ReplyStatus::NotExists, "The specified user does not exist."),
    ] {
        ada.asks(method, &[argument], status, words);
    }
    carl.asks("Follow", &["ada"], ReplyStatus::Success, "Successfully followed ada");
    bob.asks("Follow", &["ada"], ReplyStatus::Success, "Successfully followed ada");
    let list = |all: &[&str], followers: &[&str], following: &[&str]| {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        ListReply {
            all_users: names(all),
            followers: names(followers),
            following: names(following),
            status: ReplyStatus::Success,
        }
    };
    // All in the order of first log-in, the others in the order of following.
    assert_eq!(
        ada.call::<ListReply>("List", &[]),
        list(&["ada", "bob", "carl"], &["carl", "bob"], &["carl", "bob"])
    );
    ada.asks("UnFollow", &["carl"], ReplyStatus::Success, "Successfully unfollowed user carl");
    ada.asks("UnFollow", &["carl"], ReplyStatus::NotAFollower, "You already do not follow this user...");
    assert_eq!(ada.call::<ListReply>("List", &[]).following, ["bob"]);
    let nobody = Person(&service, "nobody");
    assert_eq!(nobody.call::<Reply>("Follow", &["ada"]).status, ReplyStatus::InvalidUsername);
    assert_eq!(nobody.call::<ListReply>("List", &[]).status, ReplyStatus::InvalidUsername);
    assert_eq!(nobody.timeline().ends().code, NOT_FOUND);
}

#[test]
fn what_is_no_method_of_clients_is_refused() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, FLAGS);
    let (coordinator, service) = (channel(&gateway, 0), channel(&gateway, 1));
    let code = |channel: &GrpcChannel, path: &str, message: &[u8]| {
        block_on(channel.call(path, message)).map(|_| ()).map_err(|status| status.code)
    };
    for method in ["Heartbeat", "RegisterServer", "GetCounterparts", "GetOtherClusterMasters"] {
        assert_eq!(code(&coordinator, &format!("/SNS.CoordService/{method}"), b""), Err(PERMISSION_DENIED));
    }
    for method in ["GetLog", "AddPost"] {
        assert_eq!(code(&service, &format!("/SNS.SNSService/{method}"), b""), Err(PERMISSION_DENIED));
    }
    for path in ["/SNS.SNSService/Nothing", "/SNS.Nothing/Login", "/SNSService/Login", "/", "/x"] {
        assert_eq!(code(&service, path, b""), Err(UNIMPLEMENTED), "{path}");
    }
    let long = text(&[(1, &"x".repeat(70_000))]);
    assert_eq!(code(&service, "/SNS.SNSService/Login", &long), Err(RESOURCE_EXHAUSTED));
    assert_eq!(code(&service, "/SNS.SNSService/Login", b"\x0a\x05ab"), Err(INVALID_ARGUMENT));
    // Two messages, a part of one, a compressed one.
    for (bytes, expected) in [
        (&b"\0\0\0\0\0\0\0\0\0\0"[..], INVALID_ARGUMENT),
        (b"\0\0\0\0\x05ab", INVALID_ARGUMENT),
        (b"\x01\0\0\0\0", UNIMPLEMENTED),
        (b"", INVALID_ARGUMENT),
    ] {
        let mut stream = block_on(service.open("/SNS.SNSService/Login")).unwrap();
        block_on(stream.send_raw(bytes));
        stream.end();
        assert_eq!(block_on(stream.status()).code, expected, "{bytes:?}");
    }
    // Health and reflection, which tools expect.
    let health = |service: &str| text(&[(1, service)]);
    for name in ["", "SNS.SNSService"] {
        assert_eq!(
            block_on(service.call("/grpc.health.v1.Health/Check", &health(name))),
            Ok(b"\x08\x01".to_vec())
        );
    }
    assert_eq!(code(&service, "/grpc.health.v1.Health/Check", &health("x")), Err(NOT_FOUND));
    let reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let named = block_on(service.call(reflection, &text(&[(7, "*")]))).unwrap();
    assert!(String::from_utf8_lossy(&named).contains("SNS.SNSService"));
    // The port goes on after bytes that are no HTTP/2.
    for bytes in [
        &b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..],
        b"\0\xff\0\xff",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff",
    ] {
        let mut stream = super::connected(gateway.address("sns", 1));
        stream.write_all(bytes).unwrap();
        let mut rest = Vec::new();
        // Closed, with a frame that says why or a reset.
        let _ = stream.read_to_end(&mut rest);
    }
    assert_eq!(Person(&service, "ada").logs_in().status, ReplyStatus::Success);
}

#[test]
fn timelines_show_what_was_posted_since_the_follow() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, FLAGS);
    let service = channel(&gateway, 1);
    let [ada, bob] = ["ada", "bob"].map(|name| Person(&service, name));
    ada.logs_in();
    bob.logs_in();
    let mut bobs = bob.timeline();
    bobs.posts("before the follow");
    bobs.posts(&"x".repeat(101));
    assert_eq!(bobs.shows(), "ribbit: Your post is longer than 100 characters, so it was not posted.");
    ada.asks("Follow", &["bob"], ReplyStatus::Success, "Successfully followed bob");
    for number in 0..22 {
        bobs.posts(&format!("post {number}\n"));
    }
    // Own posts are not echoed.
    bobs.is_silent();
    let (mut first, mut second) = (ada.timeline(), ada.timeline());
    for number in (2..22).rev() {
        assert_eq!(first.shows(), format!("bob: post {number}"), "the newest twenty, newest first");
        assert_eq!(second.shows(), format!("bob: post {number}"));
    }
    // Each stream of a user gets what is new. A post that was cut inside a character is posted.
    let mut cut = text(&[(1, "somebody else")]);
    cut.extend(b"\x12\x04hi \xc3");
    block_on(bobs.stream.send(&cut));
    for timeline in [&mut first, &mut second] {
        assert_eq!(timeline.shows(), "bob: hi \u{fffd}");
    }
    // What was posted between two follows is not shown.
    ada.asks("UnFollow", &["bob"], ReplyStatus::Success, "Successfully unfollowed user bob");
    bobs.posts("unseen");
    bobs.is_silent();
    ada.asks("Follow", &["bob"], ReplyStatus::Success, "Successfully followed bob");
    bobs.posts("seen");
    assert_eq!(first.shows(), "bob: seen");
    // Empty messages are dropped; a flood of them ends the stream. The other stream goes on.
    let mut flood = ada.timeline();
    assert_eq!(flood.shows(), "bob: seen");
    for _ in 0..1_200 {
        flood.posts("");
    }
    assert_eq!(flood.ends(), GrpcStatus { code: OK, words: String::new() });
    bobs.posts("after the flood");
    assert_eq!(first.shows(), "bob: after the flood");
    // A client that ends its side gets the end of the stream.
    bobs.stream.end();
    assert_eq!(bobs.ends().code, OK);
    // A client that hangs up harms no one.
    let mut gone = bob.timeline();
    gone.posts("last words");
    assert_eq!(first.shows(), "bob: last words");
    drop(gone);
    let mut back = bob.timeline();
    back.posts("back again");
    assert_eq!(first.shows(), "bob: back again");
}

#[test]
fn one_truth_with_the_rest_and_no_way_into_accounts_with_a_password() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, FLAGS);
    let service = channel(&gateway, 1);
    let user = CliUser::called(&pond, "paula");
    let ada = Person(&service, "ada");
    ada.logs_in();
    ada.asks("Follow", &["paula"], ReplyStatus::Success, "Successfully followed paula");
    let mut timeline = ada.timeline();
    timeline.is_silent();
    user.runs(&pond, &["post", "from a verb"]).succeeds();
    assert_eq!(timeline.shows(), "paula: from a verb");
    user.runs(&pond, &["add", "ada"]).succeeds();
    timeline.posts("from the older client");
    let seen = awaited("the croak is in the feed", || {
        let feed = user.runs(&pond, &["feed"]).succeeds();
        feed.contains("from the older client").then_some(feed)
    });
    assert!(seen.contains("ada"), "{seen}");
    // The name alone opens no account that has a password.
    let paula = Person(&service, "paula");
    let words = "This name belongs to an account with a password. Choose another name.";
    for method in ["Login", "Follow", "UnFollow"] {
        paula.asks(method, &["ada"], ReplyStatus::InvalidUsername, words);
    }
    assert_eq!(paula.timeline().ends().code, NOT_FOUND);
}

#[test]
fn posts_are_made_once_and_in_order_while_backends_die() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, FLAGS);
    let service = channel(&gateway, 1);
    let [ada, bob] = ["ada", "bob"].map(|name| Person(&service, name));
    ada.logs_in();
    bob.logs_in();
    ada.asks("Follow", &["bob"], ReplyStatus::Success, "Successfully followed bob");
    let (mut adas, mut bobs) = (ada.timeline(), bob.timeline());
    let mut number = 0;
    let mut both = |adas: &mut Timeline, bobs: &mut Timeline, victim: Option<&str>| {
        for position in 0..10 {
            if position == 3
                && let Some(victim) = victim
            {
                pond.kill(&[victim]);
            }
            bobs.posts(&format!("post {number}"));
            number += 1;
        }
        for position in number - 10..number {
            assert_eq!(adas.shows(), format!("bob: post {position}"));
        }
    };
    both(&mut adas, &mut bobs, None);
    let leader = pond.await_leading_backend();
    both(&mut adas, &mut bobs, Some(&leader));
    pond.await_whole();
    let follower = ["backend-1", "backend-2", "backend-3"];
    let leader = pond.await_leading_backend();
    let follower = follower.iter().find(|name| **name != leader).unwrap();
    both(&mut adas, &mut bobs, Some(follower));
    pond.await_whole();
    adas.is_silent();
    ada.asks("Login", &[], ReplyStatus::Success, "Welcome back, ada");
}

#[test]
fn clients_move_to_the_gateway_that_lives() {
    let pond = TestCluster::start();
    let mut first = Gateway::start(&pond, FLAGS);
    let second = Gateway::start(&pond, FLAGS);
    let ports = [&first, &second].map(|gateway| gateway.address("sns", 1).port());
    let server = |gateway: &Gateway, id: &[u8]| {
        let reply = block_on(channel(gateway, 0).call("/SNS.CoordService/GetServer", id)).unwrap();
        ServerInfo::decode(&reply).unwrap()
    };
    // One target with both, once both are registered.
    let target = |info: &ServerInfo| format!("{}:{}", info.hostname, info.port);
    awaited("both are handed out", || {
        let target = target(&server(&second, b"\x08\x01"));
        let both = ports.iter().all(|port| target.contains(&format!("127.0.0.1:{port}")));
        (target.starts_with("ipv4:") && both).then_some(())
    });
    let service = channel(&first, 1);
    Person(&service, "ada").logs_in();
    // Of two clients, one is at each; the one whose gateway dies is moved, and told so.
    let before = [&b"\x08\x0a"[..], b"\x08\x0b"].map(|id| (id, server(&second, id)));
    first.kill();
    for (id, old) in before {
        let was_first = old.hostname.starts_with(&format!("ipv4:127.0.0.1:{}", ports[0]));
        let new = awaited("the dead gateway is gone", || {
            let new = server(&second, id);
            (!target(&new).contains(&ports[0].to_string())).then_some(new)
        });
        assert_eq!((target(&new), new.port), (format!("127.0.0.1:{}", ports[1]), ports[1].to_string()));
        assert!(!was_first || new.clusterid == 1);
    }
    // Who was logged in there is known here.
    let service = channel(&second, 1);
    Person(&service, "ada").asks("Login", &[], ReplyStatus::Success, "Welcome back, ada");
}
