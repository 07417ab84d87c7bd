//! Membership: moving leadership, draining, removing and adding members, and automatic replacement of voters.

use crate::test_cluster::{PATIENCE, Status, TestCluster, awaited};
use crate::writers::{Writers, stores_agree};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

/// Runs a command, asserts its exit code and returns its output.
#[track_caller]
fn typed(pond: &TestCluster, line: &str, code: i32) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (ended, said) = pond.typed(&words);
    assert_eq!(ended, code, "ribbit {line}: {said}");
    said
}

/// Returns the entry of a member in `members --json`.
#[track_caller]
fn member(pond: &TestCluster, name: &str) -> Value {
    let all: Value = serde_json::from_str(&typed(pond, "members --json", 0)).expect("JSON");
    let members = all["members"].as_array().expect("an array");
    let found = members.iter().find(|member| member["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {all}")).clone()
}

/// Returns a voting backend that is not the leader.
fn follower(status: &Status) -> String {
    let leads = |name: &String| status.leader.as_ref() == Some(name);
    let other = status.backends().find(|member| member.voter && !leads(&member.name));
    other.expect("another voting backend").name.clone()
}

fn voters(status: &Status) -> usize {
    status.members.iter().filter(|member| member.alive && member.voter).count()
}

#[test]
fn leadership_goes_where_people_want_it() {
    let pond = TestCluster::start();
    pond.await_leading_backend();
    for _ in 0..3 {
        let heir = follower(&pond.await_whole());
        let said = typed(&pond, &format!("transfer {heir}"), 0);
        assert!(said.starts_with(&format!("{heir} is the leader")), "{said}");
        assert_eq!(pond.status().leader, Some(heir.clone()));
        assert!(typed(&pond, &format!("transfer {heir}"), 0).contains("already"));
    }
    assert!(typed(&pond, "transfer backend-9", 1).contains("(621)"));
    assert!(typed(&pond, "transfer coordinator-1", 1).contains("coordinator"));
    // An admin's page does the same.
    let mut ada = pond.browser();
    ada.join("ada");
    let heir = follower(&pond.await_whole());
    let page = format!("/admin/members/{heir}");
    assert_eq!(ada.post(&page, &[("change", "lead")]).status, 403);
    typed(&pond, "user role ada admin", 0);
    ada.get(&format!("{page}?change=lead")).says(200, "takes over leadership");
    ada.post(&page, &[("change", "lead")]).leads_to("/admin/members?note=member-changed");
    pond.await_status("the heir leads", |status| status.leader.as_ref() == Some(&heir));
    let running = [("change", "remove")];
    ada.post(&page, &running).says(422, "A member of that name is still running.");
    ada.post(&page, &[("change", "drain")]).leads_to("/admin/members?note=member-changed");
    pond.await_status("it does not vote", |status| !status.member(&heir).voter && status.leader.is_some());
    let list = ada.get("/admin/members");
    list.says(200, "since it was started");
    // The pages know it within a second.
    let offered = format!("/admin/members/{heir}?change=undrain");
    awaited("the page offers the way back", || {
        ada.get("/admin/members").body.contains(&offered).then_some(())
    });
    typed(&pond, "transfer frog-1", 2);
    typed(&pond, "transfer backend-1 --server 127.0.0.1:1", 3);
}

#[test]
fn a_drained_member_serves_and_does_not_vote() {
    let pond = TestCluster::start();
    let leader = pond.await_leading_backend();
    let mut ada = pond.browser();
    ada.join("ada");
    // The leader can be drained, too; it hands over first.
    for name in [leader.as_str(), "coordinator-2"] {
        let said = typed(&pond, &format!("member drain {name}"), 0);
        assert!(said.contains("does not vote"), "{said}");
        let status = pond.status();
        assert!(status.member(name).alive && !status.member(name).voter, "{status:?}");
        assert_eq!(member(&pond, name)["seat"], "learner");
        assert_ne!(status.leader.as_deref(), Some(name));
    }
    ada.croak("three are enough");
    assert_eq!(voters(&pond.status()), 3);
    assert!(typed(&pond, &format!("transfer {leader}"), 1).contains("does not vote"));
    for name in [leader.as_str(), "coordinator-2"] {
        typed(&pond, &format!("member undrain {name}"), 0);
    }
    pond.await_whole();
    typed(&pond, "member drain backend-9", 1);
}

/// Two of five voters are down: removing another one would lose the quorum.
#[test]
fn a_voter_stays_where_the_rest_would_be_no_majority() {
    let pond = TestCluster::start();
    let leader = pond.await_leading_backend();
    let status = pond.await_whole();
    let drained = follower(&status);
    let others = status.members.iter().map(|member| member.name.clone());
    let away: Vec<String> = others.filter(|name| *name != leader && *name != drained).take(2).collect();
    let away: Vec<&str> = away.iter().map(String::as_str).collect();
    pond.signal(&away, Signal::STOP);
    pond.await_status("two are missed", |status| away.iter().all(|name| !status.member(name).alive));
    std::thread::scope(|scope| {
        let said = scope.spawn(|| typed(&pond, &format!("member drain {drained}"), 0));
        std::thread::sleep(Duration::from_secs(4));
        let status = pond.status();
        assert!(status.member(&drained).voter && status.leader.is_some(), "{status:?}");
        pond.signal(&away, Signal::CONT);
        let said = said.join().expect("it is drained in the end");
        assert!(said.contains("stays a voter for now: of the 4 voters that would remain"), "{said}");
        assert!(away.iter().all(|name| said.contains(name)), "{said}");
        assert!(said.contains("is now a learner and does not vote"), "{said}");
    });
    assert!(!pond.status().member(&drained).voter);
}

#[test]
fn a_learner_takes_the_seat_of_the_dead_and_the_removed_come_back_as_new() {
    let mut pond = TestCluster::empty();
    let options = ["--backends", "3", "--coordinators", "3", "--restart", "never", "--evict-after", "2s"];
    pond.up(&options);
    pond.await_leading_backend_of(|status| status.members.len() == 6 && voters(status) == 5);
    let status = pond.status();
    let learner = status.members.iter().find(|member| !member.voter).expect("six members, five seats");
    let (learner, dead) = (learner.name.clone(), follower(&status));

    pond.kill(&[&dead]);
    let status = pond.await_status("the learner votes instead", |status| voters(status) == 5);
    assert!(status.member(&learner).voter && !status.member(&dead).voter, "{status:?}");
    let line = pond.said().into_iter().find(|line| line.contains("start it again with")).expect("how to");
    assert!(line.contains(&format!("--id {} --evict-after 2s", status.member(&dead).id)), "{line}");

    // The member comes back and gets a seat again: backends before coordinators.
    let id = status.member(&dead).id;
    pond.backend_by_hand(id);
    pond.await_status("it is back and votes", |status| {
        let coordinators =
            status.members.iter().filter(|member| member.role == "coordinator" && member.voter);
        status.member(&dead).in_sync && status.member(&dead).voter && coordinators.count() == 2
    });
    let first_life = member(&pond, &dead)["raft_id"].as_u64().expect("a number");

    // A live member is not removed by mistake.
    let said = typed(&pond, &format!("member remove {dead}"), 1);
    assert!(said.contains("(622)") && said.contains("--yes"), "{said}");
    pond.kill(&[&dead]);
    typed(&pond, &format!("member remove {dead}"), 0);
    pond.await_status("it is gone", |status| status.members.len() == 5);
    assert!(typed(&pond, &format!("member remove {dead}"), 1).contains("(621)"));

    // With its old store it is refused; with an empty folder it joins as a new member.
    let begin = Instant::now();
    let by_hand = format!("backend --id {id}");
    let said = typed(&pond, &by_hand, 78);
    let folder = pond.folder().join(&dead);
    assert!(said.contains("removed") && said.contains(folder.to_str().expect("text")), "{said}");
    assert_eq!(said.matches("removed").count(), 1, "said once: {said}");
    assert!(begin.elapsed() < PATIENCE / 4, "{:?}", begin.elapsed());
    fs::remove_dir_all(&folder).expect("a folder");
    pond.backend_by_hand(id);
    let joined = |status: &Status| status.members.iter().any(|member| member.name == dead && member.in_sync);
    pond.await_status("it joined again", joined);
    assert!(member(&pond, &dead)["raft_id"].as_u64() > Some(first_life));
}

#[test]
fn a_member_that_is_removed_while_it_lives_ends() {
    let pond = TestCluster::start();
    let leader = pond.await_leading_backend();
    let mut ada = pond.browser();
    ada.join("ada");
    // The leader hands over before it leaves, and `up` does not restart it.
    typed(&pond, &format!("member remove {leader} --yes"), 0);
    let status = pond.await_status("four are left", |status| {
        status.members.len() == 4
            && status.leader.is_some()
            && status.members.iter().all(|member| member.alive)
    });
    assert_ne!(status.leader, Some(leader.clone()));
    // The member learns of its removal the next time it connects.
    let ended = format!("{leader} (pid ");
    awaited("it has ended for good", || {
        pond.said().iter().any(|line| line.starts_with(&ended) && line.contains("78")).then_some(())
    });
    assert!(!pond.pids().contains_key(&leader), "{:?}", pond.pids());
    ada.croak("life goes on");
}

#[test]
fn a_rolling_restart_of_everything_is_not_noticed() {
    let mut pond = TestCluster::start();
    pond.await_whole();
    let writers = Writers::start(&pond.web(), 4);
    writers.await_progress();
    let names: Vec<String> = pond.status().members.into_iter().map(|member| member.name).collect();
    for name in names {
        let before = pond.pid(&name);
        pond.signal(&[&name], Signal::TERM);
        pond.await_status("another one in its place, whole again", |status| {
            let well =
                |member: &crate::test_cluster::MemberStatus| member.alive && member.voter && member.in_sync;
            status.member(&name).pid != before && status.leader.is_some() && status.members.iter().all(well)
        });
        writers.await_progress();
    }
    let mut written = writers.stop();
    written.nobody_noticed();
    // Shorter than an election timeout, so every leader handed over before it stopped.
    println!("a rolling restart of everything: the slowest croak took {:?}", written.slowest());
    pond.await_whole();
    written.judge_pages();
    pond.stop();
    stores_agree(&pond);
}
