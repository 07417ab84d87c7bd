//! One-time links to set a password: made by operators, used on the pages and in scripts, once, through a failover.

use crate::test_cluster::TestCluster;
use crate::verbs::{CliUser, Ran, ran};
use testkit::http::Browser;

fn operator(pond: &TestCluster, arguments: &[&str]) -> Ran {
    ran(pond.plain(&[&["user"], arguments].concat()), "")
}

/// Makes a link, and returns its code.
fn code(pond: &TestCluster, username: &str) -> String {
    let lines = operator(pond, &["reset", username, "--json"]).lines();
    let code = lines[0]["code"].as_str().expect("a code").to_string();
    assert_eq!((&lines[0]["username"], &lines[0]["link"]), (&"ada".into(), &format!("/reset/{code}").into()));
    code
}

#[test]
fn a_person_gets_back_in_with_a_code() {
    let pond = TestCluster::start();
    let ada = CliUser::called(&pond, "ada");
    let old = code(&pond, "ada");
    let said = operator(&pond, &["reset", "ADA", "--pages", "https://pond.example/"]).succeeds();
    let link = said.lines().nth(1).expect("a link");
    assert!(link.starts_with("https://pond.example/reset/"), "{said}");
    operator(&pond, &["reset", "nobody"]).fails(1, "(601)");
    let phone = CliUser::new();
    let reset = |input: String| phone.runs_with(&pond, &["reset", "ada"], &input);
    reset(format!("{old}\nfrogs in reeds\n")).fails(1, "this link does not work any more");
    reset(format!("{link}\nshort\n")).fails(1, "new-password: ");
    reset("x\nfrogs in reeds\n".to_string()).fails(1, "(674)");
    let revoked = code(&pond, "ada");
    let said = operator(&pond, &["reset", "ada", "--revoke"]).succeeds();
    assert_eq!(said, "no link sets the password of @ada any more\n");
    reset(format!("{revoked}\nfrogs in reeds\n")).fails(1, "(674)");
    let said = operator(&pond, &["reset", "ada", "--pages", "https://pond.example/"]).succeeds();
    let link = said.lines().nth(1).expect("a link");
    let out = reset(format!("{link}\nfrogs in reeds\n")).succeeds();
    assert_eq!(out, "password changed; you are logged in as @ada, and nowhere else\n");
    phone.runs(&pond, &["post", "back again"]).succeeds();
    ada.runs(&pond, &["feed"]).fails(4, "(609)");
    ada.runs_with(&pond, &["login", "ada"], "password\n").fails(1, "(602)");
    ada.runs_with(&pond, &["login", "ada"], "frogs in reeds\n").succeeds();
    reset(format!("{link}\nnewts in mud\n")).fails(1, "(674)");
}

/// The browser sends the form again, as people do, while the leader is gone. The password is set once.
#[test]
fn a_link_is_used_once_while_the_leader_dies() {
    let pond = TestCluster::start();
    let ada = CliUser::called(&pond, "ada");
    let code = code(&pond, "ada");
    let path = format!("/reset/{code}");
    let mut phone = pond.browser();
    let request = phone.get(&path).requests()[0].clone();
    let fields = [("username", "ada"), ("new-password", "frogs in reeds"), ("request", request.as_str())];
    let leader = pond.await_leading_backend();
    pond.kill(&[&leader]);
    let answer = phone.post_until_taken(&path, &fields);
    assert_eq!(answer.status, 303, "{}", answer.body);
    let mut second = Browser::new(&pond.web());
    let answer = second.post_until_taken(&path, &fields);
    assert_eq!(answer.status, 303, "{}", answer.body);
    let other = [("username", "ada"), ("new-password", "newts in mud")];
    assert_eq!(second.post_until_taken(&path, &other).status, 404);
    ada.runs_with(&pond, &["login", "ada"], "frogs in reeds\n").succeeds();
    assert!(!pond.log_text().contains(&code), "a code is a secret");
}
