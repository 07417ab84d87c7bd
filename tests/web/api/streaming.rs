//! Streams: what their clients receive, over Server-Sent Events and WebSockets, and who may follow them.

use crate::people::ada_and_bob;
use ribbit_roles::web::limits::{
    API_STREAMS_PER_ACCOUNT_MAX, SOCKET_MESSAGE_BYTES_MAX, SOCKET_STREAMS_MAX, STOP_DEADLINE, WRITE_STALL,
};
use serde_json::json;
use std::time::{Duration, Instant};
use testkit::api::{ApiApp, call};
use testkit::api_stream::{ApiEvent, ApiEvents, ApiSocket};
use testkit::http::{Browser, exchange};
use testkit::site::Site;
use testkit::timeouts::awaited;

/// A site with two people, of whom the first follows the second, and a token of hers.
struct Pond {
    site: Site,
    ada: Browser,
    bob: Browser,
    app: ApiApp,
    token: String,
}

impl Pond {
    fn new() -> Pond {
        let site = Site::start();
        let (mut ada, bob) = ada_and_bob(&site);
        ada.post("/manage", &[("username", "bob"), ("choice", "add")]).leads_to("/manage?note=added");
        let app = ApiApp::register(&site.address);
        let token = app.log_in("ada", "read write").token;
        Pond { site, ada, bob, app, token }
    }

    fn events(&self, path: &str) -> ApiEvents {
        ApiEvents::open(&self.site.address, path, &self.token, None).unwrap()
    }

    fn socket(&self, query: &str) -> ApiSocket {
        let path = format!("/api/v1/streaming?access_token={}{query}", self.token);
        ApiSocket::open(&self.site.address, &path, None).unwrap()
    }

    fn person(&self, name: &str) -> Browser {
        let mut browser = Browser::new(&self.site.address);
        browser.join(name);
        browser
    }
}

/// Asserts an update with this text, and returns the id of its status.
#[track_caller]
fn updates(event: Option<ApiEvent>, text: &str) -> String {
    let event = event.expect("the stream goes on");
    assert_eq!((event.event.as_str(), event.text().as_str()), ("update", text), "{event:?}");
    event.payload["id"].as_str().unwrap().to_string()
}

#[test]
fn the_users_stream_has_new_statuses_deletions_and_notifications() {
    let mut pond = Pond::new();
    let mut stream = pond.events("/api/v1/streaming/user");
    let mut socket = pond.socket("&stream=user");
    pond.bob.croak("rain");
    let id = updates(stream.next_event(), "rain");
    assert_eq!(updates(socket.next_event(), "rain"), id);
    pond.ada.croak("mine");
    updates(stream.next_event(), "mine");
    assert_eq!(socket.next_event().unwrap().stream, ["user"]);
    // A croak that mentions her is news and a notification; only the last of the two has the cursor.
    pond.bob.post("/main", &[("post", "hello @ada")]).leads_to("/main");
    let event = stream.next_event().unwrap();
    assert_eq!((event.event.as_str(), event.id.as_str()), ("update", ""));
    assert_eq!(event.payload["mentions"][0]["acct"], "ada");
    let event = stream.next_event().unwrap();
    assert_eq!((event.event.as_str(), &event.payload["type"]), ("notification", &json!("mention")));
    assert_eq!(event.payload["account"]["acct"], "bob");
    assert!(!event.id.is_empty());
    assert_eq!(socket.next_event().unwrap().event, "update");
    assert_eq!(socket.next_event().unwrap().event, "notification");
    // One of a person whom she does not follow is a notification alone, and so is a follow.
    let mut carl = pond.person("carl");
    carl.croak("nothing for her");
    carl.croak("@ada psst");
    carl.post("/manage", &[("username", "ada"), ("choice", "add")]).leads_to("/manage?note=added");
    for kind in ["mention", "follow"] {
        for event in [stream.next_event().unwrap(), socket.next_event().unwrap()] {
            assert_eq!((event.event.as_str(), &event.payload["type"]), ("notification", &json!(kind)));
        }
    }
    // A share is a status of its own.
    carl.croak("shared");
    let shared = pond
        .bob
        .get("/@carl")
        .body
        .split("id=\"croak-")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_string();
    pond.bob.post("/share", &[("croak", &shared), ("choice", "add"), ("back", "/main")]);
    let event = stream.next_event().unwrap();
    assert_eq!((event.event.as_str(), &event.payload["reblog"]["id"]), ("update", &json!(shared)));
    pond.bob.post(&format!("/croak/{id}"), &[("choice", "take-back")]);
    let event = stream.next_event().unwrap();
    assert_eq!((event.event.as_str(), event.payload.to_string()), ("delete", id));
}

#[test]
fn streams_of_everyone_and_of_a_tag_have_croaks_for_everyone_alone() {
    let mut pond = Pond::new();
    let mut public = pond.events("/api/v1/streaming/public/local");
    let mut tagged = pond.events("/api/v1/streaming/hashtag?tag=Rain");
    let (mut carl, mut dora) = (pond.person("carl"), pond.person("dora"));
    let fields = [("username", "dora"), ("choice", "mute")];
    pond.ada.post("/keep-away", &fields);
    pond.bob
        .post("/main", &[("post", "for my followers #rain"), ("audience", "followers")])
        .leads_to("/main");
    dora.croak("muted #rain");
    carl.croak("dry");
    carl.croak("wet #rain");
    updates(public.next_event(), "dry");
    let event = tagged.next_event().unwrap();
    assert_eq!(event.payload["tags"][0]["name"], "rain");
    assert_eq!(event.payload["account"]["acct"], "carl");
    assert_eq!(public.next_event().unwrap().payload["id"], event.payload["id"]);
}

#[test]
fn direct_messages_and_notifications_have_streams_of_their_own() {
    let mut pond = Pond::new();
    let mut direct = pond.events("/api/v1/streaming/direct");
    let mut notified = pond.events("/api/v1/streaming/user/notification");
    pond.bob.croak("not for these streams");
    pond.bob.post("/messages/ada", &[("message", "psst, @ada")]).leads_to("/messages/ada");
    let event = direct.next_event().unwrap();
    assert_eq!((event.event.as_str(), &event.payload["unread"]), ("conversation", &json!(true)));
    assert_eq!(event.payload["accounts"][0]["acct"], "bob");
    assert_eq!(event.payload["last_status"]["visibility"], "direct");
    pond.ada.post("/messages/bob", &[("message", "yes?")]).leads_to("/messages/bob");
    assert_eq!(direct.next_event().unwrap().payload["last_status"]["account"]["acct"], "ada");
    pond.bob.croak("@ada, look");
    assert_eq!(notified.next_event().unwrap().payload["type"], "mention");
}

#[test]
fn a_stream_continues_behind_the_last_event() {
    let mut pond = Pond::new();
    let mut stream = pond.events("/api/v1/streaming/user");
    pond.bob.croak("one");
    let first = stream.next_event().unwrap();
    drop(stream);
    pond.bob.croak("two");
    pond.bob.croak("three");
    let (address, path) = (pond.site.address.clone(), "/api/v1/streaming/user");
    let mut again = ApiEvents::open(&address, path, &pond.token, Some(&first.id)).unwrap();
    let mut socket = pond.socket(&format!("&stream=user&last_event_id={}", first.id));
    for text in ["two", "three"] {
        updates(again.next_event(), text);
        updates(socket.next_event(), text);
    }
    pond.bob.croak("four");
    updates(again.next_event(), "four");
    updates(socket.next_event(), "four");
    // A cursor of another history, or one that is no longer kept: the client is told where to continue, and connects again.
    let other = format!("{}.1", "0".repeat(31) + "9");
    let mut lost = ApiEvents::open(&address, path, &pond.token, Some(&other)).unwrap();
    let told = lost.next_event().unwrap();
    assert!(told.event.is_empty() && !told.id.is_empty(), "{told:?}");
    assert_eq!(lost.next_event(), None);
    let mut again = ApiEvents::open(&address, path, &pond.token, Some(&told.id)).unwrap();
    pond.bob.croak("five");
    updates(again.next_event(), "five");
    let mut lost = pond.socket(&format!("&stream=user&last_event_id={other}"));
    assert_eq!(lost.next_message(), Err(1013));
}

#[test]
fn a_socket_follows_the_streams_that_its_client_names() {
    let mut pond = Pond::new();
    let mut socket = ApiSocket::open(&pond.site.address, "/api/v1/streaming", Some(&pond.token)).unwrap();
    socket.say(&json!({"type": "subscribe", "stream": "hashtag", "tag": "rain"}));
    socket.say(&json!({"type": "subscribe", "stream": "user"}));
    socket.say(&json!({"type": "subscribe", "stream": "user"}));
    for wrong in [
        json!({"type": "subscribe", "stream": "list", "list": "1"}),
        json!({"type": "subscribe", "stream": "hashtag"}),
        json!({"type": "sing", "stream": "user"}),
        json!({"type": "subscribe"}),
        json!([1]),
        json!("subscribe"),
    ] {
        socket.say(&wrong);
        assert_eq!(socket.next_message().unwrap()["status"], 400, "{wrong}");
    }
    socket.say_text("{\"type\": ");
    assert_eq!(socket.next_message().unwrap()["status"], 400);
    pond.bob.croak("wet #rain");
    let mut streams = [socket.next_event().unwrap().stream, socket.next_event().unwrap().stream];
    streams.sort();
    assert_eq!(streams, [vec!["hashtag", "rain"], vec!["user"]]);
    socket.say(&json!({"type": "unsubscribe", "stream": "user"}));
    // The answer to this message shows that the one before it was taken.
    socket.say(&json!({}));
    assert_eq!(socket.next_message().unwrap()["status"], 400);
    pond.bob.croak("dry");
    pond.bob.croak("#rain again");
    assert_eq!(socket.next_event().unwrap().stream, ["hashtag", "rain"]);
    for tag in 1..SOCKET_STREAMS_MAX {
        socket.say(&json!({"type": "subscribe", "stream": "hashtag", "tag": format!("tag{tag}")}));
    }
    socket.say(&json!({"type": "subscribe", "stream": "public"}));
    assert_eq!(socket.next_message().unwrap()["status"], 429);
    socket.say_text(&"x".repeat(SOCKET_MESSAGE_BYTES_MAX + 1));
    assert!(socket.next_message().is_err(), "a message beyond the bound ends the socket");
}

#[test]
fn a_stream_needs_a_token_with_its_scope_and_ends_with_it() {
    let mut pond = Pond::new();
    let address = pond.site.address.clone();
    let status = |path: &str, token: &str| call(&address, "GET", path, token, None).0.status;
    for path in ["/api/v1/streaming/user", "/api/v1/streaming/public", "/api/v1/streaming?stream=user"] {
        assert_eq!(status(path, ""), 401, "{path}");
        assert_eq!(status(path, &"ab".repeat(32)), 401, "{path}");
        assert_eq!(status(path, &pond.ada.cookies["session"]), 401, "{path}");
    }
    assert_eq!(ApiSocket::open(&address, "/api/v1/streaming?stream=user", None).err(), Some(401));
    assert_eq!(ApiSocket::open(&address, "/api/v1/streaming", Some("zz")).err(), Some(401));
    for path in ["/api/v1/streaming", "/api/v1/streaming?stream=list", "/api/v1/streaming/hashtag"] {
        assert_eq!(status(path, &pond.token), 400, "{path}");
    }
    assert_eq!(status("/api/v1/streaming/list?list=1", &pond.token), 404);
    assert_eq!(call(&address, "GET", "/api/v1/streaming/health", "", None).0.body, "OK");

    let narrow = pond.app.log_in("ada", "read:statuses").token;
    assert_eq!(status("/api/v1/streaming/user/notification", &narrow), 403);
    assert_eq!(status("/api/v1/streaming?stream=user:notification", &narrow), 403);
    let mut socket = ApiSocket::open(&address, "/api/v1/streaming?stream=user", Some(&narrow)).unwrap();
    socket.say(&json!({"type": "subscribe", "stream": "user:notification"}));
    assert_eq!(socket.next_message().unwrap()["status"], 403);
    pond.bob.croak("hello @ada");
    pond.bob.croak("dry");
    assert_eq!(socket.next_event().unwrap().event, "update");
    updates(socket.next_event(), "dry");
    let write = pond.app.log_in("ada", "write").token;
    assert_eq!(status("/api/v1/streaming/user", &write), 403);

    let mut stream = pond.events("/api/v1/streaming/user");
    let mut socket = pond.socket("&stream=user");
    let revoked = json!({"client_id": pond.app.id, "client_secret": pond.app.secret, "token": pond.token});
    let (reply, _) = call(&address, "POST", "/oauth/revoke", "", Some(&revoked));
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(stream.next_event(), None);
    assert_eq!(socket.next_message(), Err(1008));
    assert_eq!(status("/api/v1/streaming/user", &pond.token), 401);
}

#[test]
fn an_account_has_a_bounded_number_of_streams() {
    let pond = Pond::new();
    let open: Vec<ApiEvents> =
        (0..API_STREAMS_PER_ACCOUNT_MAX).map(|_| pond.events("/api/v1/streaming/user")).collect();
    let address = pond.site.address.clone();
    let refused = ApiEvents::open(&address, "/api/v1/streaming/user", &pond.token, None);
    assert!(refused.is_err_and(|status| status.contains("429")));
    // A socket counts from its beginning, with a stream or without.
    let refused = ApiSocket::open(&address, "/api/v1/streaming", Some(&pond.token));
    assert_eq!(refused.err(), Some(429));
    drop(open);
    let sockets: Vec<ApiSocket> = awaited("the places are free again", || {
        let open = |_| ApiSocket::open(&address, "/api/v1/streaming", Some(&pond.token)).ok();
        (0..API_STREAMS_PER_ACCOUNT_MAX).map(open).collect()
    });
    assert!(ApiSocket::open(&address, "/api/v1/streaming", Some(&pond.token)).is_err());
    // Others have their own.
    let bobs = pond.app.log_in("bob", "read").token;
    ApiEvents::open(&address, "/api/v1/streaming/user", &bobs, None).unwrap();
    drop(sockets);
}

#[test]
fn a_proposal_that_is_no_websocket_is_refused() {
    let pond = Pond::new();
    let address = &pond.site.address;
    let path = format!("/api/v1/streaming?stream=user&access_token={}", pond.token);
    let (key, version) = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13");
    for (connection, headers, status) in [
        ("Upgrade", vec![version], 400),
        ("keep-alive, Upgrade", vec![key], 426),
        ("Upgrade", vec![key, "Sec-WebSocket-Version: 8"], 426),
        ("close", vec![key, version], 400),
    ] {
        let headers = headers.join("\r\n");
        let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n");
        let head = format!("{head}Connection: {connection}\r\n{headers}\r\n");
        // Behind it the client closes its side, or the connection would stay open.
        let request = format!("{head}\r\nGET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let reply = exchange(address, request.as_bytes());
        assert_eq!(reply.status, status, "{connection} {headers}: {}", reply.body);
    }
}

#[test]
fn a_client_that_does_not_read_is_cut_off_and_the_others_go_on() {
    let mut pond = Pond::new();
    let mut quick = pond.events("/api/v1/streaming/user");
    let _slow = (pond.events("/api/v1/streaming/user"), pond.socket("&stream=user"));
    let text = "🐸".repeat(100);
    let began = Instant::now();
    // Until every buffer of the slow streams is full and their write timeout has passed.
    loop {
        for _ in 0..50 {
            pond.bob.croak(&text);
            updates(quick.next_event(), &text);
        }
        if pond.ada.get("/metrics").body.contains("ribbit_web_streams 1\n") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60) + WRITE_STALL, "the slow streams are still open");
    }
    pond.bob.croak("and on it goes");
    updates(quick.next_event(), "and on it goes");
}

#[test]
fn a_stop_of_the_site_ends_its_streams() {
    let pond = Pond::new();
    let (mut stream, mut socket) = (pond.events("/api/v1/streaming/user"), pond.socket("&stream=user"));
    let idle = ApiSocket::open(&pond.site.address, "/api/v1/streaming", Some(&pond.token));
    let began = Instant::now();
    pond.site.stop();
    assert_eq!(stream.next_event(), None);
    assert_eq!(socket.next_message(), Err(1001));
    assert_eq!(idle.unwrap().next_message(), Err(1001));
    assert!(began.elapsed() < STOP_DEADLINE, "a stream delays the stop");
}
