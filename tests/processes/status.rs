//! Status, health and pages while the cluster loses one member after the other.

use crate::test_cluster::{Status, TestCluster, awaited, awaited_within};
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::page_text::typed;

/// Time limit of every page, also with dead servers.
const ANSWER_MAX: Duration = Duration::from_secs(4);

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn the_json_has_the_documented_shape() {
    let pond = TestCluster::start();
    let status: Value = awaited("all five are there and equal", || {
        let output = pond.ribbit(&["status", "--json"]).output().expect("the binary starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        assert_eq!(text.lines().count(), 1, "one line: {text}");
        let whole = serde_json::from_str::<Status>(&text).expect("the documented JSON").is_whole();
        whole.then(|| serde_json::from_str(&text).expect("JSON"))
    });
    let head =
        ["leader", "term", "can_lose_processes", "can_lose_machines", "members", "floating", "gateways"];
    assert_eq!(keys(&status), BTreeSet::from(head));
    assert_eq!(status["floating"].as_array().map(Vec::len), Some(0), "no floating address is held");
    assert!(status["leader"].is_string() && status["term"].as_u64() > Some(0), "{status}");
    assert_eq!(
        (status["can_lose_processes"].as_u64(), status["can_lose_machines"].as_u64()),
        (Some(2), Some(0))
    );
    let pids = pond.pids();
    let names = ["backend-1", "backend-2", "backend-3", "coordinator-1", "coordinator-2"];
    let members = status["members"].as_array().expect("an array");
    assert_eq!(members.len(), names.len());
    for (member, name) in members.iter().zip(names) {
        let fields = [
            "name",
            "role",
            "id",
            "cluster",
            "pid",
            "address",
            "machine",
            "alive",
            "voter",
            "in_sync",
            "applied",
            "lag",
            "clients",
            "disk_bytes",
            "disk_quota_bytes",
            "disk_free_bytes",
            "disk_full",
            "scrubbed_s",
        ];
        assert_eq!(keys(member), BTreeSet::from(fields));
        let (role, id) = name.split_once('-').expect("a role and a number");
        assert_eq!((member["name"].as_str(), member["role"].as_str()), (Some(name), Some(role)));
        assert_eq!(member["id"].as_u64(), id.parse().ok());
        assert_eq!(member["pid"].as_u64(), Some(u64::from(pids[name])));
        assert_eq!(member["address"].as_str(), Some(&*pond.address(&name.to_uppercase().replace('-', "_"))));
        assert!(member["alive"] == true && member["voter"] == true && member["in_sync"] == true, "{member}");
        assert!(member["applied"].as_u64() > Some(0) && member["lag"] == 0, "{member}");
        assert!(member["clients"].is_u64() && member["machine"].is_string(), "{member}");
    }
    // The balancer's address stands for the cluster.
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ribbit"));
    command.args(["status", "--json", "--server", &pond.address("BALANCER")]).current_dir(&elsewhere);
    // The balancer learns of its backends a moment later than the cluster.
    let output = awaited("the balancer passes it on", || {
        let output = command.output().expect("the binary starts");
        output.status.success().then_some(output)
    });
    assert!(String::from_utf8_lossy(&output.stdout).contains("coordinator-2"), "{output:?}");
}

/// Asserts the exit code and the output of `ribbit health`.
#[track_caller]
fn health(pond: &TestCluster, code: i32, words: &str) {
    let (ended, said) = pond.typed(&["health"]);
    assert!(ended == code && said.contains(words), "{ended}: {said}");
    let (ended, said) = pond.typed(&["health", "--json"]);
    let json: Value = serde_json::from_str(&said).expect("one line of JSON and nothing else");
    let state = match code {
        0 => "fine",
        5 => "degraded",
        _ => "down",
    };
    assert!(ended == code && json["state"] == state, "{ended}: {said}");
}

#[test]
fn what_may_be_lost_counts_down_and_pages_say_what_is_wrong() {
    let pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let mut ada = pond.browser();
    ada.join("ada");
    ada.croak("all is well");
    assert_eq!(pond.status().can_lose_processes, 2);
    assert_eq!(ada.get("/readyz").status, 200);

    health(&pond, 0, "All is well. Can survive the loss of 2 processes");
    // Dead members keep their last pid and roughly their last index.
    pond.kill(&["coordinator-1"]);
    pond.await_status("one less", |status| status.leader.is_some() && status.can_lose_processes == 1);
    let had = pond.await_status("known to have everything", |status| status.member(&leader).lag == 0);
    let had = had.member(&leader).clone();
    // The others learn it with the next heartbeat, within a second.
    std::thread::sleep(Duration::from_millis(1_100));
    pond.kill(&[&leader]);
    let status =
        pond.await_status("two less", |status| status.leader.is_some() && status.can_lose_processes == 0);
    let dead = status.member(&leader);
    assert!(!dead.alive && !dead.in_sync && dead.voter, "{dead:?}");
    assert_eq!((dead.pid, &dead.address), (had.pid, &had.address));
    assert!(dead.applied >= had.applied, "{dead:?}, and it had {had:?}");
    ada.croak("three are enough");
    assert_eq!(ada.get("/readyz").status, 200);

    health(&pond, 5, "coordinator-1 is offline.");
    health(&pond, 5, &format!("{leader} is offline."));
    health(&pond, 5, "Any further failure stops all writing");

    // Without a quorum there is no leader. Pages can be read and are marked as possibly out of date; croaks are returned to
    // the form.
    pond.kill(&["coordinator-2"]);
    let status = pond.await_status("nobody leads", |status| status.leader.is_none());
    assert_eq!((status.can_lose_processes, status.can_lose_machines), (0, 0));
    health(&pond, 3, "DOWN.\nThere is no leader. Nothing can be written");
    awaited("not ready", || (ada.get("/readyz").status == 503).then_some(()));
    let began = Instant::now();
    let page = ada.post("/main", &[("post", "is anybody <there>?")]);
    assert!(began.elapsed() < ANSWER_MAX, "{:?}", began.elapsed());
    page.says(503, "Not available right now");
    assert_eq!(typed(&page), "is anybody <there>?");
    assert_eq!(ada.get("/livez").status, 200);
    let page = ada.get("/main");
    page.says(200, "this page may be out of date");
    page.says(200, "three are enough");

    // No server is left.
    let left: Vec<String> = pond.pids().into_keys().filter(|name| name.starts_with("backend")).collect();
    pond.kill(&left.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(pond.try_status().is_none());
    health(&pond, 3, "No server answers.");
    let page = awaited_within(Duration::from_secs(10), "found dead", || {
        let began = Instant::now();
        let page = ada.post("/main", &[("post", "hello?")]);
        assert!(began.elapsed() < ANSWER_MAX, "{:?}", began.elapsed());
        page.body.contains("No servers are running").then_some(page)
    });
    assert_eq!((page.status, typed(&page)), (503, "hello?".to_string()));
    assert_eq!(ada.get("/readyz").status, 503);
    let began = Instant::now();
    ada.get("/main").says(503, "No servers are running");
    assert!(began.elapsed() < ANSWER_MAX, "{:?}", began.elapsed());
    ada.post("/login", &[("username", "ada"), ("password", "password")]).says(503, "value=\"ada\"");
}

#[test]
fn pages_work_again_by_themselves_once_there_is_a_quorum() {
    let mut pond = TestCluster::start_with(&["--restart", "never"]);
    let mut ada = pond.browser();
    ada.join("ada");
    pond.kill(&["backend-1", "backend-2", "backend-3"]);
    let page = ada.post("/main", &[("post", "kept")]);
    assert_eq!((page.status, typed(&page)), (503, "kept".to_string()));
    // The returned form, with its request id.
    let request = page.requests().first().cloned();
    for id in 1..=3 {
        pond.backend_by_hand(id);
    }
    awaited("ready", || (ada.get("/readyz").status == 200).then_some(()));
    let mut fields = vec![("post", "kept")];
    fields.extend(request.as_deref().map(|request| ("request", request)));
    ada.post("/main", &fields).leads_to("/main");
    assert_eq!(testkit::page_text::croaks(&ada.get("/main")), ["kept"]);
}

#[test]
fn what_is_no_server_or_another_users_is_said_in_words_that_help() {
    let pond = TestCluster::start();
    pond.await_whole();
    let web = pond.web();
    let (code, said) = pond.ended(pond.plain(&["status", "--server", &web]), "");
    assert!(
        code == 3 && said.contains(&format!("{web} (from --server) is the address of the web pages")),
        "{code}: {said}"
    );

    // Another user cannot read the folder, and its files are in use.
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can be another user");
        return;
    }
    // Every user may run the binary from there.
    let place = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o755)).expect("a folder");
    let binary = place.path().join("ribbit");
    std::fs::copy(env!("CARGO_BIN_EXE_ribbit"), &binary).expect("a copy");
    let mut command = Command::new(binary);
    command.args(["status", "--data-dir"]).arg(pond.folder()).uid(65_534).current_dir("/");
    let (code, said) = pond.ended(command, "");
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("belongs to another user") && !said.contains("removed"), "{said}");
}
