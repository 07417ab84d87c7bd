//! Announcements on the pages, without scripts.

use super::people::ada_and_bob;
use ribbit_state::{LogIndex, OperatorCommand, Page, Query};
use std::time::{Duration, Instant};
use testkit::http::Browser;
use testkit::site::Site;

/// Announces a text as an operator, and returns its id.
fn announce(site: &Site, text: &str) -> LogIndex {
    site.group.operate(OperatorCommand::Announce { text: text.into(), for_ms: None });
    let Page::Announcements(items) = site.group.read(&Query::Announcements) else { panic!() };
    items[0].id
}

/// Waits until a page has these words, or has them no more: a process asks every two seconds.
#[track_caller]
fn await_words(browser: &mut Browser, path: &str, words: &str, wanted: bool) {
    let began = Instant::now();
    while browser.get(path).body.contains(words) != wanted {
        assert!(began.elapsed() < Duration::from_secs(20), "{path}: {words}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_announcement_is_on_every_page_until_it_is_dismissed() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    let id = announce(&site, "The <pond> is drained on Friday, see https://pond.example/");
    let words = "The &#60;pond&#62; is drained on Friday";
    await_words(&mut ada, "/main", words, true);
    for path in ["/everyone", "/messages", "/settings", "/@bob", "/status", "/rooms"] {
        ada.get(path).says(200, words);
    }
    ada.get("/main").says(200, "<a href=\"https://pond.example/\" rel=\"nofollow noopener\">");
    let mut stranger = Browser::new(&site.address);
    let landing = stranger.get("/");
    landing.says(200, words);
    assert!(!landing.body.contains("/dismiss"), "only an account can dismiss it");
    let id = id.to_string();
    let here = [("announcement", id.as_str()), ("back", "/everyone")];
    ada.post("/dismiss", &here).leads_to("/everyone");
    ada.post("/dismiss", &here).leads_to("/everyone");
    assert!(!ada.get("/everyone").body.contains(words), "at once");
    bob.get("/everyone").says(200, words);
    let away = [("announcement", id.as_str()), ("back", "//pond.example/")];
    bob.post("/dismiss", &away).leads_to("/main");
    stranger.post("/dismiss", &here).leads_to("/login");
    stranger.get("/login").says(200, words);
    site.group.operate(OperatorCommand::WithdrawAnnouncement { announcement: id.parse().unwrap() });
    await_words(&mut stranger, "/login", words, false);
    ada.post("/dismiss", &here).leads_to("/everyone");
}
