//! Rate limits per account: error messages and codes on pages and in scripts, and no effect on other users.

use crate::test_cluster::{TestCluster, keys};
use crate::verbs::CliUser;
use ribbit_net::client::Client;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_net::secret::new_request_id;
use ribbit_state::{Code, Command, Denied, Request, TokenHash};
use ribbit_ui::words::refusal;
use testkit::http::{Browser, Reply};
use testkit::page_text::{croaks, typed};

/// Starts a cluster of one backend, so that all counters are on one node.
fn small(options: &[&str]) -> TestCluster {
    let mut pond = TestCluster::empty();
    pond.environment = vec![("RIBBIT_TEST_PASSWORD_PASSES", "1".into())];
    pond.up(&[&["--backends", "1", "--coordinators", "0"], options].concat());
    pond
}

#[track_caller]
fn is_rate_limit(page: &Reply, code: Code) {
    page.says(429, &refusal(Denied::new(code)).replace('\'', "&#39;"));
    page.says(429, "try again in 10 seconds");
    assert_eq!(page.header("retry-after"), Some("10"));
}

#[track_caller]
fn try_log_in(browser: &mut Browser, username: &str, password: &str) -> Reply {
    browser.post("/login", &[("username", username), ("password", password)])
}

#[test]
fn so_much_is_taken_of_one_account_in_a_minute_and_the_words_are_kept() {
    let pond = small(&["--posts-per-minute", "6"]);
    let (mut ada, mut bob) = (pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");
    let request = ada.get("/main").requests()[0].clone();
    ada.post("/main", &[("post", "0 of six"), ("request", &request)]).leads_to("/main");
    (1..6).for_each(|number| ada.croak(&format!("{number} of six")));
    let page = ada.post("/main", &[("post", "one too many")]);
    is_rate_limit(&page, Code::TooMuchWritten);
    assert_eq!(typed(&page), "one too many");
    is_rate_limit(&ada.post("/messages/bob", &[("message", "this way?")]), Code::TooMuchWritten);
    // A repeated request id gets the stored answer, without a limit.
    for _ in 0..3 {
        ada.post("/main", &[("post", "0 of six"), ("request", &request)]).leads_to("/main");
    }
    assert_eq!(croaks(&ada.get("/main")).len(), 6);
    bob.croak("I have said nothing yet");
    // Small writes have a higher limit.
    ada.post("/logout", &[]).leads_to("/login");

    // A script gets the same refusal with its exit code.
    let eve = CliUser::called(&pond, "eve");
    for number in 0..6 {
        eve.runs(&pond, &["post", &format!("{number} of six")]).succeeds();
    }
    eve.runs(&pond, &["post", "one too many"]).fails(1, "too fast; try again in 10 seconds (653)");
}

#[test]
fn strangers_write_no_more_than_one_account_may() {
    let pond = small(&["--posts-per-minute", "6"]);
    pond.browser().join("ada");
    let client = Client::new(vec![pond.address("BACKEND_1")], keys());
    let limit = std::time::Duration::from_secs(10);
    let submitted_at = smol::block_on(client.position(limit)).expect("it answers").index;
    let codes: Vec<(bool, Code)> = (0..9)
        .map(|number| {
            let command = Command::croak(TokenHash([number; 32]), "let me in");
            let ask = Ask::Write(Request { id: new_request_id(), submitted_at, origin: None, command });
            match smol::block_on(client.ask(ask, limit)).expect("it answers") {
                Answer::Written { outcome: Err(denied), .. } => (true, denied.code),
                Answer::Refused(denied) => (false, denied.code),
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert!(codes.iter().all(|(_, code)| *code == Code::NotLoggedIn), "{codes:?}");
    let logged: Vec<bool> = codes.iter().map(|(logged, _)| *logged).collect();
    assert_eq!(logged, [true, true, true, true, true, true, false, false, false], "the log grows no further");
}

#[test]
fn a_name_has_so_many_tries_and_who_is_logged_in_does_not_notice() {
    let pond = small(&[]);
    let (mut ada, mut bob, mut stranger) = (pond.browser(), pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");
    // Ada's own log-in has used one attempt.
    (0..9).for_each(|_| try_log_in(&mut stranger, "ADA", "not that one").refuses(Code::WrongPassword));
    is_rate_limit(&try_log_in(&mut stranger, "ada", "not that one"), Code::TooManyTries);
    is_rate_limit(&try_log_in(&mut stranger, "ada", "password"), Code::TooManyTries);
    // Attempts for an unknown user name count in the same way.
    (0..10).for_each(|_| try_log_in(&mut stranger, "nobody", "password").refuses(Code::NoSuchUser));
    is_rate_limit(&try_log_in(&mut stranger, "nobody", "password"), Code::TooManyTries);
    // Other users log in, and ada's session still works and can change the password.
    try_log_in(&mut stranger, "bob", "password").leads_to("/main");
    ada.croak("still here");
    let change = [("choice", "password"), ("password", "password"), ("new-password", "sesame street")];
    ada.post("/settings", &change).leads_to("/settings?note=new-password");
    let script = CliUser::new();
    script.runs_with(&pond, &["login", "ada"], "sesame street\n").fails(1, "(651)");
}

#[test]
fn a_session_does_not_guess_its_owners_password() {
    let pond = small(&[]);
    let mut thief = pond.browser();
    thief.join("ada");
    (0..10).for_each(|_| thief.post("/delete", &[("password", "guess")]).refuses(Code::WrongPassword));
    is_rate_limit(&thief.post("/delete", &[("password", "password")]), Code::TooManyTries);
    thief.get("/main").says(200, "ada");
}

#[test]
fn so_many_accounts_are_made_and_then_one_after_the_other() {
    let pond = small(&[]);
    let mut browser = pond.browser();
    let mut create = |number: usize| {
        let username = format!("frog-{number}");
        let form = [("name", "A"), ("username", &username), ("email", "a@b"), ("password", "password")];
        browser.post("/create", &form)
    };
    let made = (0..).take_while(|number| create(*number).status == 303).count();
    assert!(made >= 100, "{made}");
    is_rate_limit(&create(1_000), Code::TooManyAccounts);
}
