//! Feeds for feed readers: secret addresses, public croaks, and a feed reader's parser.

use super::people::ada_and_bob;
use ribbit_state::Code;
use ribbit_state::limits::FEED_ADDRESSES_MAX;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use testkit::http::{Browser, Reply};
use testkit::python;
use testkit::site::Site;

/// Makes a feed address of the feed, or of a room, and returns its path.
fn make(browser: &mut Browser, of: &str) -> String {
    path_in(browser, &browser.clone().post("/settings/feeds", &[("choice", "make"), ("of", of)]))
}

/// Returns the path of the address that a page shows.
#[track_caller]
fn path_in(browser: &Browser, page: &Reply) -> String {
    page.says(200, "Your new feed address");
    let (_, rest) = page.body.split_once("<code class=\"address\">").unwrap();
    let (address, _) = rest.split_once("</code>").unwrap();
    address.strip_prefix(&format!("http://{}", browser.address)).unwrap().to_string()
}

#[test]
fn a_feed_address_is_shown_once_and_read_without_a_session() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    ada.post("/manage", &[("username", "bob"), ("choice", "add")]).leads_to("/manage?note=added");
    bob.croak("rain for @ada");
    let page = ada.get("/settings/feeds");
    let request = page.requests()[0].clone();
    let fields = [("choice", "make"), ("of", ""), ("request", request.as_str())];
    let path = path_in(&ada, &ada.clone().post("/settings/feeds", &fields));
    // The same form makes no second address and shows the same one, also to another web process.
    assert_eq!(path_in(&ada, &ada.clone().post("/settings/feeds", &fields)), path);
    let listed = ada.get("/settings/feeds");
    listed.says(200, "My feed");
    assert_eq!(listed.body.matches(">Delete</button>").count(), 1);
    assert!(!listed.body.contains(&path), "it is shown once");

    let mut reader = Browser::new(&site.address);
    let feed = reader.get(&path);
    feed.says(200, "<title>@bob: rain for @ada</title>");
    assert_eq!(feed.header("content-type"), Some("application/atom+xml; charset=utf-8"));
    assert_eq!(feed.header("cache-control"), Some("private, no-cache"));
    assert_eq!(feed.header("set-cookie"), None);
    assert!(!feed.body.contains(&path["/feed/".len()..]), "a feed that is passed on opens nothing");
    let tag = feed.header("etag").unwrap().to_string();
    let unchanged = reader.send("GET", &path, &[("If-None-Match", &tag)], "");
    assert_eq!((unchanged.status, unchanged.body.as_str()), (304, ""));
    // A session of another person changes nothing, and neither does what this browser has seen.
    assert_eq!(bob.get(&path).body, feed.body);
    bob.croak("sun");
    let changed = reader.send("GET", &path, &[("If-None-Match", &tag)], "");
    changed.says(200, "<title>@bob: sun</title>");

    let made = listed.body.split("name=\"made\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let end = [("choice", "end"), ("made", made)];
    ada.post("/settings/feeds", &end).leads_to("/settings/feeds?note=feed-address-ended");
    reader.get(&path).says(404, "there is no feed at this address");
    ada.post("/settings/feeds", &end).refuses(Code::NoSuchFeedAddress);
}

#[test]
fn addresses_that_do_not_work_are_answered_alike() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    let path = make(&mut ada, "");
    let session = ada.cookies["session"].clone();
    let cookie = path["/feed/".len()..].trim_end_matches(".atom").to_string();
    let mut reader = Browser::new(&site.address);
    for wrong in [
        format!("/feed/{}.atom", "0".repeat(64)),
        format!("/feed/{session}.atom"),
        path.trim_end_matches(".atom").to_string(),
        format!("{path}x"),
        "/feed/.atom".to_string(),
        "/feed/%00.atom".to_string(),
    ] {
        reader.get(&wrong).says(404, "there is no feed at this address");
    }
    // What opens a feed opens nothing else.
    reader.cookies.insert("session".into(), cookie);
    reader.get("/main").leads_to("/login");
    // Another person's address can be neither seen nor ended.
    assert!(!bob.get("/settings/feeds").body.contains(">Delete</button>"));
    for made in 1..20 {
        let end = [("choice", "end"), ("made", &made.to_string() as &str)];
        bob.post("/settings/feeds", &end).refuses(Code::NoSuchFeedAddress);
    }
    reader.get(&path).says(200, "Feed of @ada");
}

#[test]
fn a_new_password_ends_feed_addresses() {
    let site = Site::start();
    let (mut ada, _) = ada_and_bob(&site);
    let path = make(&mut ada, "");
    let fields = [("choice", "password"), ("password", "password"), ("new-password", "frogs in reeds")];
    ada.post("/settings", &fields).leads_to("/settings?note=new-password");
    Browser::new(&site.address).get(&path).says(404, "there is no feed at this address");
    ada.get("/settings/feeds").says(200, "You have none.");
}

#[test]
fn a_room_is_read_while_its_reader_is_in_it() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    ada.post("/rooms", &[("room", "pond"), ("open", "yes")]).leads_to("/rooms/pond");
    ada.post("/rooms/pond", &[("message", "before bob")]).leads_to("/rooms/pond");
    bob.post("/settings/feeds", &[("choice", "make"), ("of", "pond")]).refuses(Code::NotInRoom);
    bob.post("/settings/feeds", &[("choice", "make"), ("of", "crew")]).refuses(Code::NoSuchRoom);
    bob.post("/rooms/pond", &[("choice", "join")]).leads_to("/rooms/pond");
    ada.post("/rooms/pond", &[("message", "welcome, @bob")]).leads_to("/rooms/pond");
    bob.get("/settings/feeds").says(200, "<option value=\"pond\">#pond</option>");
    let path = make(&mut bob, "pond");
    let mut reader = Browser::new(&site.address);
    let feed = reader.get(&path);
    feed.says(200, "<title>@ada: welcome, @bob</title>");
    assert!(!feed.body.contains("before bob"), "what was said before he joined is not his to read");
    bob.post("/rooms/pond/settings", &[("choice", "leave")]).leads_to("/rooms");
    reader.get(&path).says(404, "there is no feed at this address");
    bob.get("/settings/feeds").says(200, "A room that you are no longer in");
}

#[test]
fn feed_addresses_are_bounded() {
    let site = Site::start();
    let (mut ada, _) = ada_and_bob(&site);
    let paths: Vec<String> = (0..FEED_ADDRESSES_MAX).map(|_| make(&mut ada, "")).collect();
    ada.post("/settings/feeds", &[("choice", "make"), ("of", "")]).refuses(Code::TooManyFeedAddresses);
    ada.post("/settings/feeds", &[("choice", "other")]).says(422, "Your feed addresses");
    for path in paths {
        Browser::new(&site.address).get(&path).says(200, "Feed of @ada");
    }
}

#[test]
fn public_croaks_are_read_only_where_the_operator_allows_it() {
    let site = Site::start();
    let (_, mut bob) = ada_and_bob(&site);
    bob.croak("for everyone");
    bob.post("/main", &[("post", "for my followers"), ("audience", "followers")]).leads_to("/main");
    let mut reader = Browser::new(&site.address);
    let feed = reader.get("/@bob.atom");
    feed.says(200, "<title>for everyone</title>");
    assert!(!feed.body.contains("for my followers"), "{}", feed.body);
    assert_eq!(feed.header("cache-control"), Some("no-cache"));
    assert_eq!(feed.header("set-cookie"), None);
    let tag = feed.header("etag").unwrap().to_string();
    assert_eq!(reader.send("GET", "/@bob.atom", &[("If-None-Match", &tag)], "").status, 304);
    reader.get("/@nobody.atom").says(404, "there is no feed at this address");
    reader.get("/@a%20b.atom").says(404, "there is no feed at this address");
    bob.get("/@bob").says(200, "href=\"/@bob.atom\"");

    let site = Site::start_with(|options| options.public_feeds = false);
    let (_, mut bob) = ada_and_bob(&site);
    bob.croak("for everyone");
    Browser::new(&site.address).get("/@bob.atom").leads_to("/login");
    assert!(!bob.get("/@bob").body.contains(".atom"));
}

/// Returns what feedparser finds in the feed at this path.
fn parsed(python: &Path, site: &Site, path: &str) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web/clients/feeds.py");
    let output = Command::new(python)
        .arg(script)
        .arg(format!("http://{}{path}", site.address))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn feedparser_reads_every_feed() {
    let Some(python) = python::with("feedparser", "RIBBIT_FEEDS_PYTHON", "feeds") else { return };
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    ada.post("/manage", &[("username", "bob"), ("choice", "add")]).leads_to("/manage?note=added");
    bob.croak("a <b>bold</b> & \"odd\" one ]]>\r\nfor @ada #rain \u{1}\0🐸 https://a.example/?b=1&c=2");
    bob.croak("plain");
    let at = |path: &str| format!("http://{}{path}", site.address);
    let home = parsed(&python, &site, &make(&mut ada, ""));
    assert_eq!((&home["title"], &home["link"]), (&json!("Feed of @ada"), &json!(at("/main"))));
    let entries = home["entries"].as_array().unwrap();
    assert_eq!(entries[0]["title"], "@bob: plain");
    assert_eq!(entries[0]["author"], "bob");
    assert_eq!(entries[0]["content"], "plain");
    assert_eq!(entries[0]["id"], entries[0]["link"]);
    let content = entries[1]["content"].as_str().unwrap();
    let mention = format!("<br />for <a href=\"{}\">@ada</a>", at("/@ada"));
    assert!(content.contains("a &#60;b&#62;bold&#60;/b&#62; &#38; \"odd\" one ]]&#62;"), "{content}");
    assert!(content.contains(&mention) && content.contains("\u{fffd}\u{fffd}🐸"), "{content}");
    assert!(content.contains("<a href=\"https://a.example/?b=1&#38;c=2\">"), "{content}");
    let public = parsed(&python, &site, "/@bob.atom");
    assert_eq!(public["entries"][0]["title"], "plain");
    ada.post("/rooms", &[("room", "pond")]).leads_to("/rooms/pond");
    let empty = make(&mut ada, "pond");
    assert_eq!(parsed(&python, &site, &empty)["entries"], json!([]));
    ada.post("/rooms/pond", &[("message", "a <wet>\nroom")]).leads_to("/rooms/pond");
    let room = parsed(&python, &site, &empty);
    assert_eq!(room["title"], "#pond");
    assert_eq!(room["entries"][0]["content"], "a &#60;wet&#62;<br />room");
}
