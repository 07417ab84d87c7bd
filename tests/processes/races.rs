//! Concurrent requests through different backends: exactly one wins, and nothing breaks.

use crate::test_cluster::{TestCluster, awaited, keys};
use crate::writers::{Writers, session_of, stores_agree};
use ribbit_net::client::{Client, ClientError};
use ribbit_net::protocol::{Answer, Ask, NewAccount, Password};
use ribbit_net::secret::new_request_id;
use ribbit_state::{Code, LeaseCommand, LogIndex, Reply, Request, RequestId, TokenHash};
use std::time::Duration;

const MANY: usize = 100;
/// Time limit of a request: a hundred passwords are hashed one after the other, also on slow machines.
const DEADLINE: Duration = Duration::from_secs(60);

/// Sends many requests at once, each through its own choice of backend, and returns the answers.
fn at_once(pond: &TestCluster, ask: impl Fn(usize, RequestId, LogIndex) -> Ask) -> Vec<Result<Reply, Code>> {
    let backends: Vec<String> = (1..=3).map(|id| pond.address(&format!("BACKEND_{id}"))).collect();
    let submitted_at = {
        let client = Client::new(backends.clone(), keys());
        smol::block_on(client.position(DEADLINE)).expect("a backend answers").index
    };
    let asking: Vec<_> = (0..MANY)
        .map(|number| {
            // Each client tries the backends in another order, which spreads the load.
            let mut servers = backends.clone();
            servers.rotate_left(number % 3);
            let ask = ask(number, new_request_id(), submitted_at);
            smol::spawn(async move { Client::new(servers, keys()).ask(ask, DEADLINE).await })
        })
        .collect();
    let answer =
        |asked: smol::Task<Result<Answer, ClientError>>| match smol::block_on(asked).expect("an answer") {
            Answer::Written { outcome, .. } => outcome.map_err(|denied| denied.code),
            Answer::Refused(denied) => Err(denied.code),
            other => panic!("{other:?}"),
        };
    asking.into_iter().map(answer).collect()
}

fn one_wins(answers: &[Result<Reply, Code>], lost: Code) {
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.is_ok() || *answer == Err(lost)), "{answers:?}");
}

#[test]
fn of_a_hundred_who_create_one_name_and_enter_one_chat_at_once_exactly_one_wins() {
    let pond = TestCluster::start();
    pond.await_whole();
    let answers = at_once(&pond, |number, id, submitted_at| {
        let form = NewAccount {
            name: format!("Number {number}"),
            username: "THE_one".into(),
            email: "a@b".into(),
            password: Password(format!("password {number}")),
            invitation: None,
        };
        Ask::CreateAccount { id, submitted_at, form }
    });
    one_wins(&answers, Code::UsernameTaken);
    // The winner's password is valid, so exactly one log-in succeeds.
    let winner = answers.iter().position(Result::is_ok).expect("one");
    let mut browser = pond.browser();
    let password = format!("password {winner}");
    browser.post("/login", &[("username", "the_one"), ("password", &password)]).leads_to("/main");

    let session = session_of(&browser);
    let answers = at_once(&pond, |number, id, submitted_at| {
        let token = TokenHash([number as u8 + 1; 32]);
        let words = format!("terminal {number}");
        let command = LeaseCommand::EnterChat { session, token, description: words, take_over: false }.into();
        Ask::Write(Request { id, submitted_at, origin: None, command })
    });
    one_wins(&answers, Code::LockHeld);
}

#[test]
fn people_who_go_break_nothing_for_those_who_write_and_read() {
    let mut pond = TestCluster::start();
    let writers = Writers::start(&pond.web(), 4);
    writers.await_progress();
    let mut reader = writers.reader.clone();
    for round in 0..5 {
        let mut goner = pond.browser();
        goner.join("goner");
        reader.post("/manage", &[("username", "goner"), ("choice", "add")]).leads_to("/manage?note=added");
        for number in 0..20 {
            goner.croak(&format!("round {round}: {number}"));
        }
        goner.post("/messages/writer0", &[("message", "I go")]).leads_to("/messages/writer0");
        reader.get("/main").says(200, "@goner");
        goner.post_until_taken("/delete", &[("password", "password")]).leads_to("/login?note=deleted");
        // The account is gone at once for every reader. Its rows are swept later.
        for path in ["/main", "/manage", "/people"] {
            let page = reader.get(path);
            assert_eq!(page.status, 200, "{}", page.body);
            assert!(!page.body.contains("goner"), "{}", page.body);
        }
        reader.get("/@goner").says(404, "Nobody has this username");
    }
    writers.await_progress();
    let mut written = writers.stop();
    written.nobody_noticed();
    written.judge_pages();
    awaited("all is swept, and the same everywhere", || {
        let status = pond.try_status()?;
        status.members.iter().all(|member| member.lag == 0).then_some(())
    });
    pond.stop();
    stores_agree(&pond);
}
