//! Notifications, muting, blocking and reporting over real sockets, without scripts.

use super::people::{ada_and_bob, see};
use ribbit_state::limits::REPORT_CHARS_MAX;
use ribbit_state::query::OperatorQuery;
use ribbit_state::{Code, OperatorCommand, Page};
use testkit::http::Browser;
use testkit::site::Site;

/// Mutes, unmutes, blocks or unblocks `username` on the profile.
fn keep_away(browser: &mut Browser, username: &str, choice: &str) {
    let page = browser.get(&format!("/@{username}"));
    let request = page.requests().last().unwrap().clone();
    let fields = [("username", username), ("choice", choice), ("request", &request)];
    let leads = browser.post("/keep-away", &fields);
    assert_eq!(leads.status, 303, "{}", leads.body);
}

/// Lets the operators delete the text of the first report. Returns the words and the text of the report.
#[track_caller]
fn removed_by_operators(site: &Site) -> (String, String) {
    let Page::Reports { reports, .. } = site.group.read(&OperatorQuery::Reports { after: None }.into())
    else {
        panic!("operators may read them")
    };
    let verdict = ribbit_state::command::Verdict::Remove;
    site.group.operate(OperatorCommand::DecideReport { report: reports[0].id, verdict });
    (reports[0].words.clone(), reports[0].text.clone())
}

/// Croaks, and returns the id.
fn croak_of(browser: &mut Browser, text: &str) -> String {
    browser.croak(text);
    let page = browser.get("/main").body;
    page.split("id=\"croak-").nth(1).unwrap().split('"').next().unwrap().to_string()
}

#[test]
fn a_mention_is_told_counted_and_read_once() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    let empty = ada.get("/notifications");
    empty.says(200, "Nothing here yet.");
    empty.says(200, "<title>Notifications");
    bob.croak("good morning @ada <b>");
    ada.get("/main").says(200, "<title>(1) ");
    ada.get("/messages").says(200, "<span>Notifications</span><b class=\"badge\">1</b>");
    let page = ada.get("/notifications");
    page.says(200, "<li id=\"notice-");
    page.says(200, "class=\"new\"");
    page.says(200, ">mentioned you</a>");
    page.says(200, "good morning @ada &#60;b&#62;</p>");
    // Shown as unread until the browser has the page.
    ada.get("/main").says(200, "<title>(1) ");
    see(&mut ada, &page);
    ada.get("/main").says(200, "<title>Home");
    let page = ada.get("/notifications");
    assert!(!page.body.contains("class=\"new\"") && !page.body.contains("class=\"receipt\""));
    bob.get("/notifications").says(200, "Nothing here yet.");
}

#[test]
fn notifications_have_older_pages() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    for number in 0..60 {
        bob.croak(&format!("@ada croak {number}."));
    }
    // The newest fifty of one person.
    let page = ada.get("/notifications");
    page.says(200, "croak 59.");
    page.says(200, "croak 10.");
    assert!(!page.body.contains("croak 9.") && !page.body.contains("rel=\"next\""));
    bob.post("/manage", &[("username", "ada"), ("choice", "add")]).leads_to("/manage?note=added");
    let mut carl = Browser::new(&site.address);
    carl.join("carl");
    carl.croak("hello @ada");
    let page = ada.get("/notifications");
    let older = page.body.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    ada.get(older).says(200, "Back to newest");
}

#[test]
fn a_muted_person_is_out_of_the_feed_and_does_not_learn_it() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    ada.post("/manage", &[("username", "bob"), ("choice", "add")]).leads_to("/manage?note=added");
    bob.croak("before");
    ada.get("/main").says(200, "before");
    keep_away(&mut ada, "bob", "mute");
    assert!(!ada.get("/main").body.contains("before"), "also not from what was kept");
    bob.croak("hello @ada");
    assert!(!ada.get("/main").body.contains("hello"));
    ada.get("/notifications").says(200, "Nothing here yet.");
    let profile = ada.get("/@bob");
    profile.says(200, "You have muted @bob");
    profile.says(200, "before");
    assert!(!bob.get("/@ada").body.contains("muted"));
    let list = ada.get("/muted");
    list.says(200, "@bob");
    list.says(200, ">Unmute</button>");
    let request = list.requests()[0].clone();
    let undo = [("username", "bob"), ("choice", "unmute"), ("back", "list"), ("request", &request)];
    ada.post("/keep-away", &undo).leads_to("/muted?note=unmuted");
    ada.get("/muted").says(200, "Nobody.");
    ada.get("/main").says(200, "hello");
}

#[test]
fn the_menu_of_a_croak_mutes_its_author() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    let id = croak_of(&mut bob, "quak quak");
    ada.get("/everyone").says(200, &format!("name=\"mute-author\" value=\"{id}\">Mute</button>"));
    assert!(!bob.get("/everyone").body.contains("mute-author"), "not on one's own croaks");
    ada.post("/keep-away", &[("choice", "add"), ("mute-author", &id)]).leads_to("/@bob?note=muted");
    ada.get("/muted").says(200, "@bob");
    ada.post("/keep-away", &[("choice", "add"), ("mute-author", "x")]).says(404, "It may have been deleted.");
}

#[test]
fn a_blocked_pair_does_not_see_each_other() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    for (one, other) in [(&mut ada, "bob"), (&mut bob, "ada")] {
        one.post("/manage", &[("username", other), ("choice", "add")]).leads_to("/manage?note=added");
    }
    let croak = croak_of(&mut bob, "only for friends");
    ada.get("/main").says(200, "only for friends");
    keep_away(&mut ada, "bob", "block");
    assert!(!ada.get("/main").body.contains("only for friends"), "also not from what was kept");
    ada.get("/@bob").says(200, "You have blocked @bob");
    let profile = bob.get("/@ada");
    profile.says(200, "@ada has blocked you");
    assert!(!profile.body.contains("href=\"/messages/ada\""));
    ada.get(&format!("/croak/{croak}")).says(404, "Croak not found");
    bob.post("/messages/ada", &[("message", "hello?")]).refuses(Code::BlockedByThem);
    ada.post("/messages/bob", &[("message", "hello?")]).refuses(Code::YouBlocked);
    bob.post("/manage", &[("username", "ada"), ("choice", "add")]).refuses(Code::BlockedByThem);
    assert!(!bob.get("/people").body.contains("href=\"/@ada\"><b>"), "nor in lists");
    let request = ada.get("/blocked").requests()[0].clone();
    let undo = [("username", "bob"), ("choice", "unblock"), ("back", "list"), ("request", &request)];
    ada.post("/keep-away", &undo).leads_to("/blocked?note=unblocked");
    ada.get(&format!("/croak/{croak}")).says(200, "only for friends");
    ada.get("/main").says(200, "find people to follow");
}

#[test]
fn a_report_reaches_the_operators_with_the_text_as_it_was() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    let croak = croak_of(&mut bob, "something rude");
    let page = ada.get(&format!("/report?croak={croak}"));
    page.says(200, "You are reporting this croak");
    let long = "x".repeat(REPORT_CHARS_MAX + 1);
    ada.post("/report", &[("croak", &croak), ("words", &long)]).says(422, "Write up to 500 characters.");
    let request = page.requests()[0].clone();
    let fields = [("croak", croak.as_str()), ("words", "it is rude"), ("request", &request)];
    ada.post("/report", &fields).leads_to("/main?note=reported");
    ada.post("/report", &[("person", "ada")]).refuses(Code::Yourself);
    ada.get("/report").says(404, "");
    assert_eq!(removed_by_operators(&site), ("it is rude".into(), "something rude".into()));
    ada.get("/notifications").says(200, "the text was deleted");
    bob.get(&format!("/croak/{croak}")).says(404, "Croak not found");
}

#[test]
fn a_message_in_a_room_tells_those_it_mentions_and_can_be_reported() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    let fields = [("room", "pond"), ("topic", ""), ("open", "on"), ("history", "on")];
    ada.post("/rooms", &fields).leads_to("/rooms/pond");
    bob.post("/rooms/pond", &[("choice", "join")]).leads_to("/rooms/pond");
    bob.post("/rooms/pond", &[("message", "@ada is rude <b>")]).leads_to("/rooms/pond");
    let page = ada.get("/notifications");
    page.says(200, "<a href=\"/rooms/pond\">mentioned you (#pond)</a>");
    page.says(200, "@ada is rude &#60;b&#62;</p>");

    let own = bob.get("/rooms/pond").body;
    assert!(!own.contains("/report?"), "one's own message cannot be reported");
    let room = ada.get("/rooms/pond").body;
    let said = room.split("/report?room=pond&amp;said=").nth(1).unwrap().split('"').next().unwrap();
    let page = ada.get(&format!("/report?room=pond&said={said}"));
    page.says(200, "You are reporting this message in #pond");
    let request = page.requests()[0].clone();
    let fields = [("room", "pond"), ("said", said), ("words", "it is rude"), ("request", &request)];
    ada.post("/report", &fields).leads_to("/rooms/pond?note=reported");
    assert_eq!(removed_by_operators(&site), ("it is rude".into(), "@ada is rude <b>".into()));
    assert!(!ada.get("/rooms/pond").body.contains("is rude"));
    assert!(!ada.get("/notifications").body.contains("mentioned you"));
}
