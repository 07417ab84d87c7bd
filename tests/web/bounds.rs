//! Invalid requests are refused at once with a text. A read that stops servers is not sent to all of them.

use std::time::{Duration, Instant};
use testkit::group::Mood;
use testkit::http::Browser;
use testkit::site::Site;

/// Short enough to show that nothing was waited for, long enough for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

#[test]
fn a_form_with_an_index_beyond_every_log_is_refused_at_once() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    let request = format!("{:032x}.{}", 7, u64::MAX);
    let asked = site.group.asked().len();
    for (path, fields) in [
        ("/delete", vec![("password", "password")]),
        (
            "/settings",
            vec![("choice", "password"), ("password", "password"), ("new-password", "another one")],
        ),
        ("/settings", vec![("choice", "profile"), ("name", "Ada"), ("email", "a@b")]),
        ("/settings", vec![("choice", "others")]),
        ("/main", vec![("post", "hello")]),
        ("/manage", vec![("username", "bob"), ("choice", "add")]),
        ("/messages/bob", vec![("message", "hello")]),
        ("/create", vec![("name", "a"), ("username", "eve"), ("email", "a@b"), ("password", "password")]),
        ("/logout", vec![]),
    ] {
        let began = Instant::now();
        let reply = ada.post(path, &[&fields[..], &[("request", &request)]].concat());
        assert_eq!(reply.status, 422, "{path}: {}", reply.body);
        assert!(began.elapsed() < AT_ONCE, "{path}: {:?}", began.elapsed());
    }
    assert_eq!(site.group.asked().len(), asked, "it was put to the servers");
    assert_eq!(ada.get("/main").status, 200);
}

#[test]
fn a_page_that_stopped_two_servers_says_so_and_is_not_repeated() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    site.group.be(Mood::Mortal);
    let began = Instant::now();
    let page = ada.get("/main");
    page.says(503, "Two servers stopped while they worked on this page");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    assert!(!page.body.contains("http-equiv=\"refresh\"") && !page.body.contains("data-again"));
    site.group.be(Mood::Well);
    assert_eq!(ada.get("/main").status, 200);
}
