//! The Mastodon client API with apps of others, unmodified, while servers die. `clients` are their programs; each asks this test for
//! what it cannot do itself.

use crate::test_cluster::TestCluster;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use testkit::api::{ApiApp, REDIRECT};
use testkit::driver::Driver;
use testkit::http::Browser;
use testkit::python;

/// Runs a client until it has passed. `please` does what it asks for and returns the answer.
#[track_caller]
fn run(python: &Path, client: &str, base: &str, please: impl FnMut(&str) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/processes/api/clients");
    let home = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(python);
    command.arg(folder.join(client)).arg(base).env("XDG_CONFIG_HOME", home.path());
    python::until_passed(command, please);
}

/// Returns the code that a page shows.
#[track_caller]
fn code_on(body: &str) -> String {
    let rest = body.split("id=\"code\" type=\"text\" value=\"").nth(1).expect("a code");
    rest.split('"').next().expect("a quote").to_string()
}

/// Consents in Chromium where there is one, else by sending the form.
fn consent(browser: &mut Browser, driver: Option<&Driver>, url: &str) -> String {
    match driver {
        Some(driver) => {
            driver.go(url);
            if driver.run("return document.querySelector('[name=password]') != null") == json!(true) {
                driver.type_into("[name=username]", "ada");
                driver.type_into("[name=password]", "password");
            }
            driver.click("[name=choice][value=allow]");
            driver.awaits("return document.querySelector('#code') != null");
            let code = driver.run("return document.querySelector('#code').value");
            code.as_str().expect("a text").to_string()
        }
        None => {
            let query = url.split_once('?').expect("a query").1;
            let fields: Vec<(String, String)> =
                form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let mut fields: Vec<(&str, &str)> =
                fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            fields.push(("choice", "allow"));
            code_on(&browser.post("/oauth/authorize", &fields).body)
        }
    }
}

#[test]
fn toot_logs_in_with_the_password_and_in_the_browser() {
    let Some(python) = python::with("toot", "RIBBIT_TOOT_PYTHON", "toot") else { return };
    let pond = TestCluster::start();
    let mut ada = pond.browser();
    ada.join("ada");
    let driver = (!testkit::driver::missing()).then(Driver::start);
    run(&python, "toot_client.py", &format!("http://{}", pond.web()), |what| {
        match what.strip_prefix("consent ") {
            Some(url) => consent(&mut ada, driver.as_ref(), url),
            None => {
                pond.kill_leader();
                String::new()
            }
        }
    });
    ada.get("/settings").says(200, "<bdi>toot - a Mastodon CLI client</bdi>");
}

#[test]
fn statuses_of_toot_are_one_each_although_the_leader_dies() {
    let Some(python) = python::with("toot", "RIBBIT_TOOT_PYTHON", "toot") else { return };
    let pond = TestCluster::start();
    pond.browser().join("ada");
    let leader = pond.await_leading_backend();
    run(&python, "toot_failover.py", &format!("http://{}", pond.web()), |what| {
        assert_eq!(what, "kill leader");
        pond.kill(&[&leader]);
        String::new()
    });
}

#[test]
fn the_command_line_of_toot_reads_and_writes() {
    let Some(python) = python::with("toot", "RIBBIT_TOOT_PYTHON", "toot") else { return };
    let pond = TestCluster::start();
    let mut people = ["ada", "bob", "carl"].map(|name| {
        let mut browser = pond.browser();
        browser.join(name);
        (name, browser)
    });
    run(&python, "toot_commands.py", &format!("http://{}", pond.web()), |what| {
        let asked: Vec<&str> = what.splitn(4, ' ').collect();
        let [name, path, words] = asked[1..] else { panic!("{what}") };
        let (_, browser) = people.iter_mut().find(|(known, _)| *known == name).expect("a person");
        let reply = browser.get(path);
        assert!(reply.status == 200 && reply.body.contains(words), "{what}: {}", reply.body);
        String::new()
    });
}

#[test]
fn a_code_gives_one_token_although_the_leader_dies() {
    let pond = TestCluster::start();
    let mut ada = pond.browser();
    ada.join("ada");
    let app = ApiApp::register(&pond.web());
    for _ in 0..2 {
        let form = [
            ("client_id", app.id.as_str()),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("choice", "allow"),
        ];
        let back = ada.post("/oauth/authorize", &form);
        let code =
            back.header("location").and_then(|to| to.split("code=").nth(1)).expect("a code").to_string();
        let before = ada.get("/settings").body.matches("<bdi>Toot</bdi>").count();
        pond.kill_leader();
        let parameters = json!({"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT});
        let (reply, json) = app.token(parameters.clone());
        // An undecided exchange may have happened: then its token ends with the next try, and the person starts again.
        if reply.status == 200 {
            assert!(json["access_token"].is_string(), "{}", reply.body);
            assert_eq!(ada.get("/settings").body.matches("<bdi>Toot</bdi>").count(), before + 1);
        } else {
            assert_eq!(reply.status, 503, "{}", reply.body);
        }
        // The same code again: whatever it gave has ended.
        let second = app.token(parameters).0;
        assert!(second.status == 400 || reply.status == 503, "{}", second.body);
        assert!(ada.get("/settings").body.matches("<bdi>Toot</bdi>").count() <= before + 1);
    }
}
