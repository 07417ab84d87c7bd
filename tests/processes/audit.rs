//! `ribbit audit`: what operators have done.

use crate::test_cluster::{TestCluster, awaited};
use crate::verbs::{CliUser, ran};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;

#[test]
fn what_operators_do_is_recorded() {
    let mut pond = TestCluster::empty();
    pond.environment = vec![("SUDO_USER", "purser".into())];
    pond.up(&[]);
    pond.await_whole();
    let bob = CliUser::called(&pond, "bob");
    let [croak] = &bob.runs(&pond, &["post", "hello", "--json"]).lines()[..] else { panic!() };
    let croak = croak["id"].to_string();
    let mut followed = pond.plain(&["audit", "--follow", "--json"]);
    let mut followed = followed.stdout(Stdio::piped()).spawn().expect("it starts");

    let run = |arguments: &[&str], input: &str| ran(pond.plain(arguments), input);
    let link = run(&["user", "create", "carl", "--email", "carl@pond", "--json"], "").lines();
    let code = link[0]["code"].as_str().expect("a code").to_string();
    run(&["user", "passwd", "bob"], "frogsInTheReeds7391\n").succeeds();
    run(&["user", "reset", "bob"], "").succeeds();
    run(&["user", "suspend", "bob"], "").succeeds();
    run(&["user", "resume", "bob"], "").succeeds();
    run(&["user", "uncroak", &croak], "").succeeds();
    run(&["user", "registration", "closed"], "").succeeds();
    run(&["user", "site", "--name", "The pond"], "").succeeds();
    run(&["user", "announce", "Rain on Friday"], "").succeeds();
    run(&["member", "drain", "backend-2"], "").succeeds();
    run(&["member", "undrain", "backend-2"], "").succeeds();
    pond.await_whole();
    let heir = if pond.status().leader.as_deref() == Some("backend-1") { "backend-2" } else { "backend-1" };
    run(&["transfer", heir], "").succeeds();
    let file = pond.folder().join("backup").display().to_string();
    run(&["backup", &file], "").succeeds();
    run(&["user", "delete", "bob", "--yes"], "").succeeds();
    // What is refused or only read is no act.
    run(&["user", "suspend", "bob"], "").fails(1, "(601)");
    run(&["user", "list"], "").succeeds();
    run(&["verify"], "").succeeds();

    let acts = run(&["audit", "--json"], "").lines();
    let shown: Vec<(&str, &Value, &Value, &str)> = acts
        .iter()
        .map(|act| {
            (
                act["act"].as_str().unwrap_or_default(),
                &act["about"]["username"],
                &act["thing"]["id"],
                act["detail"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    let (bob_name, carl, none) = (json!("bob"), json!("carl"), Value::Null);
    let (croak, member, heir) = (json!(croak), json!("backend-2"), json!(heir));
    let announced = ("announce", &none, &none, "Rain on Friday");
    let wanted = [
        ("create-account", &carl, &none, ""),
        ("set-password", &bob_name, &none, ""),
        ("make-reset-link", &bob_name, &none, ""),
        ("suspend", &bob_name, &none, ""),
        ("resume", &bob_name, &none, ""),
        ("delete-croak", &bob_name, &croak, ""),
        ("set-registration", &none, &none, "closed"),
        ("describe-site", &none, &none, "The pond – "),
        announced,
        ("drain-member", &none, &member, ""),
        ("undrain-member", &none, &member, ""),
        ("transfer-leadership", &none, &heir, ""),
    ];
    assert_eq!(shown[..wanted.len()], wanted);
    let [backup, deleted] = &shown[wanted.len()..] else { panic!("{shown:?}") };
    assert!(backup.0 == "backup" && backup.3.contains(" rows at index "), "{backup:?}");
    assert_eq!(*deleted, ("delete-account", &bob_name, &none, ""));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    let by = json!({ "operator": format!("purser@{}", host.trim()) });
    for act in &acts {
        assert_eq!((&act["by"], &act["from"], &act["refused"]), (&by, &json!("127.0.0.1"), &Value::Null));
    }

    // The newest come last, and are limited from the beginning.
    let lines = run(&["audit", "--limit", "2"], "").succeeds();
    let lines: Vec<&str> = lines.lines().collect();
    assert!(
        lines.len() == 2 && lines[1].contains("  purser@") && lines[1].ends_with("  deleted @bob"),
        "{lines:?}"
    );
    // Another person has done something on another member, after it has been restarted.
    pond.kill(&["backend-1"]);
    pond.await_whole();
    let mut verb = pond.plain(&["user", "registration", "open"]);
    verb.env_remove("SUDO_USER").env("USER", "x".repeat(200));
    ran(verb, "").succeeds();
    let newest = run(&["audit", "--limit", "1", "--json"], "").lines();
    assert_eq!(newest[0]["by"], json!({ "operator": "x".repeat(64) }));

    // All of it was shown while it happened, once.
    let (heard, lines) = mpsc::channel();
    let out = BufReader::new(followed.stdout.take().expect("piped"));
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| heard.send(line)));
    let mut seen: Vec<Value> = Vec::new();
    awaited("the last act is shown", || {
        seen.extend(lines.try_iter().map(|line| serde_json::from_str::<Value>(&line).expect("JSON")));
        (seen.len() > acts.len()).then_some(())
    });
    assert_eq!(seen, [acts, newest].concat());
    followed.kill().expect("our child");
    followed.wait().expect("our child");
    let text = format!("{seen:?}");
    assert!(!text.contains(&code) && !text.contains("frogsInTheReeds7391") && !text.contains("argon2"));
    pond.stop();
}
