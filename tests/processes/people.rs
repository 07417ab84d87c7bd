//! Accounts, friends and croaks, through pages, balancer and backends.

use crate::test_cluster::{TestCluster, ask};
use crate::writers::session_of;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_state::{Code, Consistency, Page, Query};
use testkit::http::Browser;
use testkit::page_text::{croaks, typed, whole_feed};

fn befriend(browser: &mut Browser, username: &str) {
    browser.post("/manage", &[("username", username), ("choice", "add")]).leads_to("/manage?note=added");
}

#[test]
fn two_friends_read_each_other_through_the_balancer() {
    let pond = TestCluster::start();
    let (mut ada, mut bob) = (pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");
    befriend(&mut ada, "bob");
    befriend(&mut bob, "Ada");
    ada.croak("Rain, at last");
    bob.croak("I am under the big leaf");
    for browser in [&mut ada, &mut bob] {
        assert_eq!(croaks(&browser.get("/main")), ["I am under the big leaf", "Rain, at last"]);
    }
    // The web process knows the balancer's address only, and a backend serves it.
    assert!(pond.status().backends().any(|backend| backend.clients > 0));
    // Programs can use the balancer, too. Any backend answers at least as new as what bob has seen.
    let query = Query::Feed { session: session_of(&bob), before: None, limit: 10 };
    let seen = Some(bob.cookies["seen"].parse().expect("a token"));
    let read = Ask::Read { seen, consistency: Consistency::Session, query };
    let Answer::Read { page: Ok(Page::Feed { me, croaks, .. }), .. } = ask(&pond.address("BALANCER"), read)
    else {
        panic!("no feed")
    };
    assert_eq!((me.username.as_str(), croaks.len()), ("bob", 2));
}

#[test]
fn what_is_typed_is_what_is_read_and_older_croaks_are_behind_a_link() {
    let mut pond = TestCluster::start();
    let mut ada = pond.browser();
    ada.join("ada");
    let texts = [
        "commas, semicolons; and a \ttab",
        "\"quotes\" 'single' `back` <b>&amp;</b> %41 +1 \\n",
        "emoji 🐸🏳️‍🌈 and 𝕗𝕠𝕦𝕣 bytes 𐍈, عربى, ไทย",
        "one\ntwo\n\n  indented",
        &"🐸".repeat(100),
    ];
    for text in texts {
        ada.croak(&text.replace('\n', "\r\n"));
    }
    assert_eq!(croaks(&ada.get("/main")), texts.iter().rev().map(ToString::to_string).collect::<Vec<_>>());
    for number in 0..100 {
        ada.croak(&format!("croak {number}"));
    }
    let mut expected: Vec<String> = texts.iter().map(ToString::to_string).collect();
    expected.extend((0..100).map(|number| format!("croak {number}")));
    expected.reverse();
    assert_eq!(whole_feed(&mut ada), expected);
    assert_eq!(croaks(&ada.get("/main")).len(), 50);
    // The croaks survive a restart of the whole cluster.
    pond.stop();
    pond.up(&[]);
    ada.address = pond.web();
    assert_eq!(whole_feed(&mut ada), expected);
}

#[test]
fn refusals_say_what_is_wrong_and_keep_what_was_typed() {
    let pond = TestCluster::start();
    let (mut ada, mut bob) = (pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");

    let too_long = "é".repeat(101);
    let page = ada.post("/main", &[("post", &too_long)]);
    page.refuses(Code::CroakTooLong);
    assert_eq!(typed(&page), too_long);
    ada.croak(&"é".repeat(100));
    ada.post("/main", &[("post", "")]).says(422, "Write 1 to 100 characters.");

    let account =
        |username| [("name", "A"), ("username", username), ("email", "a@b"), ("password", "password")];
    ada.post("/create", &account("")).says(422, "Use 1 to 32 characters");
    ada.post("/create", &account("a, b")).says(422, "value=\"a, b\"");
    ada.post("/create", &account("ADA")).refuses(Code::UsernameTaken);

    let mut stranger = pond.browser();
    let log_in = |username, password| [("username", username), ("password", password)];
    stranger.post("/login", &log_in("ada", "not that one")).refuses(Code::WrongPassword);
    stranger.post("/login", &log_in("nobody", "password")).refuses(Code::NoSuchUser);
    stranger.get("/main").leads_to("/login");
    stranger.post("/main", &[("post", "let me in")]).refuses(Code::NotLoggedIn);

    let add = |username| [("username", username), ("choice", "add")];
    ada.post("/manage", &add("nobody")).refuses(Code::NoSuchUser);
    ada.post("/manage", &add("ada")).refuses(Code::Yourself);
    befriend(&mut ada, "bob");
    ada.post("/manage", &add("bob")).refuses(Code::AlreadyFriend);
    ada.post("/manage", &[("username", "bob"), ("choice", "remove")]).leads_to("/manage?note=removed");
    ada.post("/manage", &[("username", "bob"), ("choice", "remove")]).refuses(Code::NotAFriend);
}

#[test]
fn a_deleted_account_is_gone_and_its_successor_inherits_nothing() {
    let pond = TestCluster::start();
    let (mut ada, mut bob) = (pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");
    befriend(&mut ada, "bob");
    befriend(&mut bob, "ada");
    ada.croak("I was here");
    bob.croak("hello ada");
    assert_eq!(croaks(&bob.get("/main")).len(), 2);
    let mut second_session = pond.browser();
    second_session.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");

    ada.post("/delete", &[("password", "wrong")]).refuses(Code::WrongPassword);
    ada.post("/delete", &[("password", "password")]).leads_to("/login?note=deleted");
    second_session.get("/main").leads_to("/login");
    assert_eq!(croaks(&bob.get("/main")), ["hello ada"]);
    assert!(!bob.get("/manage").body.contains("@ada"));
    ada.post("/login", &[("username", "ada"), ("password", "password")]).refuses(Code::NoSuchUser);

    let mut other_ada = pond.browser();
    other_ada.join("ada");
    assert_eq!(croaks(&other_ada.get("/main")), [""; 0]);
    assert!(!other_ada.get("/manage").body.contains("@bob"));
    other_ada.croak("I am somebody else");
    assert_eq!(croaks(&bob.get("/main")), ["hello ada"], "bob followed the first one");
    befriend(&mut bob, "ada");
    assert_eq!(croaks(&bob.get("/main")), ["I am somebody else", "hello ada"]);
}

#[test]
fn a_log_out_ends_the_session_on_every_backend() {
    let pond = TestCluster::start();
    let mut ada = pond.browser();
    ada.join("ada");
    let mut copy = ada.clone();
    let session = session_of(&ada);
    assert_eq!(copy.get("/main").status, 200);
    ada.post("/logout", &[]).leads_to("/login");
    copy.get("/main").leads_to("/login");
    copy = Browser { cookies: [("session".to_string(), "00".repeat(32))].into(), ..copy };
    copy.get("/main").leads_to("/login");
    let position = ask(
        &pond.address("BALANCER"),
        Ask::Read { seen: None, consistency: Consistency::Stale, query: Query::Position },
    );
    let Answer::Read { token, .. } = position else { panic!("{position:?}") };
    for backend in ["BACKEND_1", "BACKEND_2", "BACKEND_3"] {
        let query = Query::Me { session };
        let read = Ask::Read { seen: Some(token), consistency: Consistency::Session, query };
        let answer = ask(&pond.address(backend), read);
        let Answer::Read { page: Err(denied), .. } = answer else { panic!("{backend}: {answer:?}") };
        assert_eq!(denied.code, Code::NotLoggedIn);
    }
}

#[test]
fn a_form_that_is_sent_twice_is_done_once() {
    let pond = TestCluster::start();
    let mut ada = pond.browser();
    ada.join("ada");
    let request = ada.get("/main").requests()[0].clone();
    // Four clicks at once, and one more later, all with one request id.
    let clicks: Vec<_> = (0..4)
        .map(|_| {
            let (mut ada, request) = (ada.clone(), request.clone());
            std::thread::spawn(move || {
                ada.post("/main", &[("post", "once"), ("request", &request)]).leads_to("/main");
            })
        })
        .collect();
    clicks.into_iter().for_each(|click| click.join().expect("303"));
    ada.post("/main", &[("post", "once"), ("request", &request)]).leads_to("/main");
    assert_eq!(croaks(&ada.get("/main")), ["once"]);
    ada.post("/main", &[("post", "something else"), ("request", &request)]).refuses(Code::RequestReused);
    assert_eq!(croaks(&ada.get("/main")), ["once"]);
    // Without a request id, each post is a new croak.
    ada.croak("twice");
    ada.croak("twice");
    assert_eq!(croaks(&ada.get("/main")), ["twice", "twice", "once"]);
}
