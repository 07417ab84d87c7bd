//! Two members die at once under load, come back, and then another one dies.

use crate::test_cluster::{Status, TestCluster, awaited};
use crate::writers::{Writers, feed_of, session_of, stores_agree};

const WRITERS: usize = 16;

/// Returns the backend that serves the web process.
fn serving(status: &Status) -> String {
    let serving = status.backends().max_by_key(|backend| backend.clients).expect("three");
    assert!(serving.clients > 0, "{status:#?}");
    serving.name.clone()
}

/// Returns the leader and the backend that serves the web process, or another backend if both are the same.
fn the_two_that_hurt(pond: &TestCluster) -> [String; 2] {
    let leader = pond.await_leading_backend();
    let status = pond.status();
    let serving = serving(&status);
    let others = status.backends().map(|backend| backend.name.clone()).filter(|name| *name != leader);
    let mut others: Vec<String> = others.collect();
    // The sort is stable: the serving backend comes first.
    others.sort_by_key(|name| *name != serving);
    [leader, others.remove(0)]
}

#[test]
fn two_backends_are_killed_while_sixteen_write_and_nobody_notices() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    pond.await_leading_backend();
    let writers = Writers::start(&pond.web(), WRITERS);
    writers.await_progress();
    let killed = the_two_that_hurt(&pond);
    pond.kill(&killed.each_ref().map(String::as_str));
    writers.await_progress();
    let status = pond.await_status("three are left, and lead", |status| {
        status.leader.is_some() && status.members.iter().filter(|member| member.alive).count() == 3
    });
    assert_eq!(status.can_lose_processes, 0);
    let mut written = writers.stop();
    written.nobody_noticed();
    written.judge_pages();
    let survivor = status.backends().find(|backend| backend.alive).expect("one");
    let feed = feed_of(&survivor.address, session_of(&written.reader));
    written.judge(&feed.into_iter().map(|(_, text)| text).collect::<Vec<_>>());
    pond.stop();
    stores_agree(&pond);
}

#[test]
fn two_that_died_catch_up_while_people_write_and_then_the_third_may_die() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    pond.await_leading_backend();
    let writers = Writers::start(&pond.web(), WRITERS);
    writers.await_progress();
    let killed = the_two_that_hurt(&pond);
    pond.kill(&killed.each_ref().map(String::as_str));
    writers.await_progress();
    let before = writers.acknowledged();
    awaited("they have something to catch up with", || (writers.acknowledged() > before + 200).then_some(()));

    for name in &killed {
        let id = name.strip_prefix("backend-").and_then(|id| id.parse().ok()).expect("a backend");
        pond.backend_by_hand(id);
    }
    let status = pond.await_status("both are back and have everything", |status| {
        killed.iter().all(|name| {
            let member = status.member(name);
            member.alive && member.in_sync && member.voter && member.lag == 0
        })
    });
    assert_eq!(status.can_lose_processes, 2);
    for name in &killed {
        assert_eq!(status.member(name).pid, pond.pid(name));
    }
    writers.await_progress();
    let third = status.backends().find(|backend| !killed.contains(&backend.name)).expect("three");
    pond.kill(&[&third.name]);
    writers.await_progress();

    let mut written = writers.stop();
    written.nobody_noticed();
    written.judge_pages();
    let status = pond.await_status("the two have the same", |status| {
        killed.iter().all(|name| status.member(name).alive && status.member(name).lag == 0)
    });
    let session = session_of(&written.reader);
    let feeds = killed.each_ref().map(|name| feed_of(&status.member(name).address, session));
    assert_eq!(feeds[0], feeds[1], "one order on every node");
    written.judge(&feeds[0].iter().map(|(_, text)| text.clone()).collect::<Vec<_>>());
    pond.kill_all();
    stores_agree(&pond);
}
