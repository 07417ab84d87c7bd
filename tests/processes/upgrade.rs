//! Held upgrades: members of two rules levels run at the old one until an operator, or the cluster by itself, finishes the upgrade.
//! The newer level exists only here, by the test hook.

use crate::fleet::{Fleet, Version};
use crate::rolled_back::each_refuses;
use crate::test_cluster::{Status, TestCluster, awaited};
use crate::writers::Writers;
use rustix::process::Signal;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Returns the state of the upgrade.
#[track_caller]
fn state(pond: &TestCluster) -> Value {
    let (code, said) = pond.typed(&["upgrade", "status", "--json"]);
    assert_eq!(code, 0, "{said}");
    serde_json::from_str(&said).expect("JSON")
}

/// Asserts the level in force, the highest that a member understands, and whether going back is possible.
#[track_caller]
fn is_at(pond: &TestCluster, level: u32, highest: u32, can_go_back: bool) {
    let state = state(pond);
    let wanted = (level.into(), highest.into(), (level == highest).into(), can_go_back.into());
    let found = |name: &str| state[name].clone();
    assert_eq!(
        (found("rules_level"), found("highest"), found("finished"), found("can_go_back")),
        wanted,
        "{state}"
    );
}

#[test]
fn an_upgrade_waits_for_its_operator_and_can_go_back_until_then() {
    let (old, new) = (Version::of_this_build(), Version::understanding(2));
    let mut fleet = Fleet::start(&old);
    is_at(&fleet.pond, 1, 1, true);
    assert!(fleet.typed(&old, "upgrade finish", 0).contains("There is nothing to finish"));
    assert!(fleet.typed(&old, "upgrade plan", 0).starts_with("Every member runs this program's version"));
    let writers = Writers::start(&fleet.web(), 2);

    // Some members are new. The level stays, and `finish` says what is missing.
    for role in ["coordinator-1", "coordinator-2", "backend-2", "backend-3"] {
        fleet.replace(role, &new);
        writers.await_progress();
    }
    is_at(&fleet.pond, 1, 2, true);
    let said = fleet.typed(&old, "upgrade finish", 1);
    assert!(said.contains("an earlier version runs on backend-1: upgrade backend-1"), "{said}");
    let said = fleet.typed(&old, "upgrade status", 0);
    assert!(said.contains("Going back is possible until then"), "{said}");
    let said = fleet.typed(&old, "health", 0);
    assert!(said.contains("Note: an upgrade is not finished: rules level 2 is not in force"), "{said}");

    // All are new, and the level stays: one of them goes back and forth.
    fleet.replace("backend-1", &new);
    fleet.replace("backend-2", &old);
    writers.await_progress();
    fleet.replace("backend-2", &new);
    is_at(&fleet.pond, 1, 2, true);

    // One is away.
    fleet.stop("backend-3");
    let away = |status: &Status| !status.member("backend-3").alive;
    fleet.pond.await_status("backend-3 is away", away);
    let said = fleet.typed(&old, "upgrade finish", 1);
    assert!(said.contains("not known what backend-3 can run: start backend-3"), "{said}");
    fleet.begin("backend-3", &new);
    fleet.pond.await_whole();

    let said = fleet.typed(&old, "upgrade finish", 0);
    assert!(said.contains("the cluster uses rules level 2"), "{said}");
    is_at(&fleet.pond, 2, 2, false);
    let said = fleet.typed(&old, "upgrade finish", 0);
    assert!(said.contains("nothing to finish: the cluster uses rules level 2"), "{said}");
    let said = fleet.typed(&old, "upgrade plan", 1);
    assert!(said.contains("the cluster uses level 2: run a newer version"), "{said}");
    let said = fleet.typed(&old, "audit", 0);
    assert_eq!(said.matches("finished the upgrade to rules level").count(), 1, "{said}");
    assert!(!fleet.typed(&old, "health", 0).contains("Note:"));
    writers.await_progress();

    // The old version ends before it touches anything, and the new one goes on from there.
    fleet.stop("backend-3");
    fleet.runs(&old);
    let words =
        "rules level 2, and this version supports levels up to 1; start a version of ribbit that does";
    each_refuses(&fleet.pond, &["backend-3"], words);
    fleet.begin("backend-3", &new);
    fleet.pond.await_whole();
    writers.await_progress();
    let mut written = writers.stop();
    written.judge_pages();
    fleet.pond.await_whole();
    assert!(fleet.typed(&new, "verify", 0).contains("identical"));
}

#[test]
fn an_upgrade_finishes_by_itself_once_every_member_was_healthy_for_a_while() {
    let three = ["--backends", "3", "--coordinators", "0"];
    let mut pond = TestCluster::empty();
    pond.up(&three);
    pond.stop();
    pond.environment = vec![
        ("RIBBIT_TEST_RULES_LEVEL", "2".into()),
        // An hour takes two seconds.
        ("RIBBIT_TEST_UPGRADE_HEALTHY_MS", "2000".into()),
    ];
    pond.up(&three);
    let whole =
        |status: &Status| status.leader.is_some() && status.members.iter().all(|it| it.alive && it.in_sync);
    let leader = pond.await_status("three are in sync", whole).leader.expect("just seen");
    let follower = if leader == "backend-1" { "backend-2" } else { "backend-1" };
    pond.signal(&[follower], Signal::STOP);
    pond.await_status("one is away", |status| !status.member(follower).alive);

    let (code, said) = pond.typed(&["upgrade", "finish", "--auto"]);
    assert!(code == 0 && said.contains("finish by themselves from now on"), "{code} {said}");
    assert_eq!(state(&pond)["auto_finish"], true);
    // Longer than the time, counted from the mark.
    let begun = Instant::now();
    awaited("the time passes", || (begun.elapsed() > Duration::from_secs(4)).then_some(()));
    is_at(&pond, 1, 2, true);
    let (code, said) = pond.typed(&["upgrade", "hold"]);
    assert!(code == 0 && said.contains("wait for `ribbit upgrade finish`"), "{code} {said}");
    pond.signal(&[follower], Signal::CONT);
    pond.await_status("three are in sync", whole);
    assert_eq!(state(&pond)["auto_finish"], false);
    is_at(&pond, 1, 2, true);

    assert_eq!(pond.typed(&["upgrade", "finish", "--auto"]).0, 0);
    awaited("the upgrade is finished", || (state(&pond)["finished"] == true).then_some(()));
    is_at(&pond, 2, 2, false);
    let (_, said) = pond.typed(&["audit"]);
    for (act, times) in [("let upgrades finish", 2), ("upgrades wait", 1), ("finished the upgrade", 0)] {
        assert_eq!(said.matches(act).count(), times, "{act}: {said}");
    }
    pond.stop();
}

#[test]
fn a_cluster_of_one_upgrades_like_any_other() {
    let alone = ["--backends", "1", "--coordinators", "0"];
    let mut pond = TestCluster::empty();
    pond.up(&alone);
    pond.stop();
    pond.environment = vec![("RIBBIT_TEST_RULES_LEVEL", "2".into())];
    pond.up(&alone);
    is_at(&pond, 1, 2, true);
    let (code, said) = pond.typed(&["upgrade", "status"]);
    assert!(code == 0 && said.contains("What to do: run `ribbit upgrade finish`"), "{code} {said}");
    assert!(said.contains("rules level 2  leads"), "{said}");
    assert_eq!(pond.typed(&["upgrade", "finish"]).0, 0);
    is_at(&pond, 2, 2, false);
    pond.stop();
    pond.environment.clear();
    each_refuses(&pond, &["backend-1"], "rules level 2, and this version supports levels up to 1");
    let (code, said) = pond.typed(&["upgrade", "status"]);
    assert!(code == 3 && said.contains("no server answers"), "{code} {said}");
    // The raise may lie in the log alone: the member was killed before its rows were durable. Then the store is opened, not used.
    pond.environment = vec![("RIBBIT_TEST_RULES_LEVEL", "3".into())];
    pond.up(&alone);
    assert_eq!(pond.typed(&["upgrade", "finish"]).0, 0);
    pond.kill_all();
    pond.environment = vec![("RIBBIT_TEST_RULES_LEVEL", "2".into())];
    let (code, said) = pond.typed(&["backend", "--id", "1"]);
    assert!(
        code == 78 && said.contains("rules level 3, and this version supports levels up to 2"),
        "{code} {said}"
    );
    assert!(!said.contains("damaged") && !said.contains("joins as a new member"), "{said}");
    pond.environment = vec![("RIBBIT_TEST_RULES_LEVEL", "3".into())];
    pond.up(&alone);
    is_at(&pond, 3, 3, false);
}
