//! Sessions: stored data cannot be used to log in, and an ended session is over on every server.

use crate::test_cluster::{PATIENCE, TestCluster, ask, keys};
use crate::writers::session_of;
use ribbit_db::{FileDisk, Store};
use ribbit_net::client::Client;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::subscription::SubscriptionMessage;
use ribbit_state::rows::{Order, Sessions, scan};
use ribbit_state::{Code, Consistency, Page, Query, TokenHash, Topic};
use smol::future::FutureExt;

/// Returns the user name of a session token, as a backend answers.
#[track_caller]
fn me(pond: &TestCluster, backend: &str, session: TokenHash) -> Result<String, Code> {
    let read = Ask::Read { seen: None, consistency: Consistency::Linearizable, query: Query::Me { session } };
    match ask(&pond.address(backend), read) {
        Answer::Read { page: Ok(Page::Me(person)), .. } => Ok(person.username),
        Answer::Read { page: Err(denied), .. } => Err(denied.code),
        other => panic!("{backend}: {other:?}"),
    }
}

#[test]
fn what_is_stored_of_a_session_opens_none_and_a_session_outlives_a_stop() {
    let mut pond = TestCluster::start();
    let mut ada = pond.browser();
    ada.join("ada");
    pond.await_whole();
    pond.stop();
    let stored: Vec<TokenHash> = {
        let disk = FileDisk::new(&pond.folder().join("backend-2"));
        let store = Store::open(disk).expect("a store");
        let view = store.reader().view().expect("it can be read");
        let (first, last) = (TokenHash([0; 32]), TokenHash([0xff; 32]));
        let rows = scan::<Sessions, _>(&view, &first, &last, Order::OldestFirst, 10).expect("it can be read");
        rows.into_iter().map(|(token, _)| token).collect()
    };
    assert_eq!(stored.len(), 1);
    pond.up(&[]);
    ada.address = pond.web();
    ada.get("/main").says(200, "@ada");
    assert_eq!(me(&pond, "BACKEND_1", session_of(&ada)), Ok("ada".into()));
    // The hash, as it is on a disk or in a backup.
    assert_eq!(me(&pond, "BACKEND_1", stored[0]), Err(Code::NotLoggedIn));
}

#[test]
fn sessions_that_are_ended_are_over_on_every_backend_and_their_streams_end() {
    let pond = TestCluster::start();
    let (mut ada, mut lost) = (pond.browser(), pond.browser());
    ada.join("ada");
    lost.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
    pond.await_whole();
    let session = session_of(&lost);
    let backends = ["BACKEND_1", "BACKEND_2", "BACKEND_3"];
    smol::block_on(async {
        let mut streams = Vec::new();
        for backend in backends {
            let client = Client::new(vec![pond.address(backend)], keys());
            let now = client.position(PATIENCE).await.expect("it answers");
            let mut stream = client.subscribe(now, Topic::feed(session));
            assert!(!matches!(stream.next().await, SubscriptionMessage::Ended(_)), "it is open");
            streams.push(stream);
        }
        ada.post("/settings", &[("choice", "others")]).leads_to("/settings?note=ended");
        for mut stream in streams {
            let ended = async {
                loop {
                    if let SubscriptionMessage::Ended(denied) = stream.next().await {
                        return denied.code;
                    }
                }
            };
            let late = async {
                smol::Timer::after(PATIENCE).await;
                panic!("a stream goes on")
            };
            assert_eq!(ended.or(late).await, Code::NotLoggedIn);
        }
    });
    for backend in backends {
        assert_eq!(me(&pond, backend, session), Err(Code::NotLoggedIn), "{backend}");
        assert_eq!(me(&pond, backend, session_of(&ada)), Ok("ada".into()), "{backend}");
    }
    lost.get("/main").leads_to("/login");
}

#[test]
fn who_logs_in_again_ends_the_session_before() {
    let pond = TestCluster::start();
    let mut ada = pond.browser();
    ada.join("ada");
    let before = ada.clone();
    ada.post("/login", &[("username", "ada"), ("password", "not that one")]).refuses(Code::WrongPassword);
    assert_eq!(me(&pond, "BACKEND_1", session_of(&before)), Ok("ada".into()), "not by a try");
    ada.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
    assert_ne!(session_of(&ada), session_of(&before));
    assert_eq!(me(&pond, "BACKEND_2", session_of(&before)), Err(Code::NotLoggedIn));
    assert_eq!(me(&pond, "BACKEND_3", session_of(&ada)), Ok("ada".into()));
    // The same if the previous session was over already.
    let mut stale = before;
    stale.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
    stale.get("/main").says(200, "@ada");
}
