//! A member that lags behind the start of the log.

use crate::test_cluster::{TestCluster, keys};
use crate::writers::{Writers, feed_of, session_of, stores_agree};
use ribbit_net::client::Client;
use ribbit_net::protocol::{Answer, Ask};
use ribbit_state::{Command, Request, RequestId, TokenHash};
use std::fs;
use std::time::Duration;

/// Number of log entries that members keep in this test, instead of 16384.
const LOG_KEEP: u64 = 100;
/// Number of croaks. More than the log keeps for a member seen a second ago (8 times as much) plus the few hundred entries of
/// one batch, because a segment is removed as a whole.
const FLOOD: u128 = 3_000;

/// Posts many croaks of one user at once.
fn flood(address: &str, session: TokenHash) {
    let client = Client::new(vec![address.to_string()], keys());
    smol::block_on(async {
        let submitted_at = client.position(Duration::from_secs(10)).await.expect("it answers").index;
        let asking: Vec<_> = (0..FLOOD)
            .map(|number| {
                let command = Command::croak(session, format!("drop {number} of a flood"));
                let ask = Ask::Write(Request {
                    id: RequestId((1 << 100) + number),
                    submitted_at,
                    origin: None,
                    command,
                });
                let client = client.clone();
                smol::spawn(async move { client.ask(ask, Duration::from_secs(30)).await })
            })
            .collect();
        for answer in asking {
            let answer = answer.await.expect("it is decided");
            assert!(matches!(answer, Answer::Written { outcome: Ok(_), .. }), "{answer:?}");
        }
    });
}

#[test]
fn one_that_was_away_too_long_for_the_log_gets_a_snapshot_while_people_write() {
    let mut pond = TestCluster::empty();
    pond.environment =
        vec![("RIBBIT_TEST_LOG_KEEP", LOG_KEEP.to_string()), ("RUST_LOG", "ribbit=info".into())];
    pond.up(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let id = if leader == "backend-1" { 2 } else { 1 };
    let name = format!("backend-{id}");
    let writers = Writers::start(&pond.web(), 4);
    writers.await_progress();

    pond.kill(&[&name]);
    let applied = pond.status().member(&name).applied;
    let mut flooder = pond.browser();
    flooder.join("flooder");
    flood(&pond.address("BALANCER"), session_of(&flooder));
    let snapshots = || fs::read_to_string(pond.folder().join("said.log")).expect("a log");
    let given = |log: &str| log.matches("sent a snapshot of").count();
    let before = given(&snapshots());

    pond.backend_by_hand(id);
    let status = pond.await_status("it has everything", |status| {
        status.member(&name).alive && status.member(&name).in_sync && status.member(&name).lag == 0
    });
    assert!(status.member(&name).applied > applied + FLOOD as u64, "{status:#?}");
    let log = fs::read_to_string(pond.folder().join("said.log")).expect("a log");
    assert!(given(&log) > before, "no snapshot was sent: {log}");
    writers.await_progress();

    let mut written = writers.stop();
    written.nobody_noticed();
    written.judge_pages();
    let status = pond.await_whole();
    let session = session_of(&written.reader);
    let feeds: Vec<_> = status.backends().map(|backend| feed_of(&backend.address, session)).collect();
    assert!(feeds[0] == feeds[1] && feeds[1] == feeds[2], "one order on every node");
    // The member counts again: writes succeed with it and without two others.
    let others: Vec<&str> = status.backends().map(|it| &*it.name).filter(|other| *other != name).collect();
    pond.kill(&others);
    written.reader.croak("still here");
    pond.kill_all();
    stores_agree(&pond);
}
