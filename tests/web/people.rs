//! The pages of people, messages and settings over real sockets: HTTP clients without scripts, the web role, and a simulated cluster.

use ribbit_state::{AccountId, Code, Denied, OperatorCommand, Registration};
use ribbit_ui::words::refusal;
use std::io::{Read, Write};
use std::net::TcpStream;
use testkit::group::Mood;
use testkit::http::{Browser, Reply};
use testkit::site::Site;

/// Returns two users who are logged in.
pub(crate) fn ada_and_bob(site: &Site) -> (Browser, Browser) {
    let (mut ada, mut bob) = (Browser::new(&site.address), Browser::new(&site.address));
    ada.join("ada");
    bob.join("bob");
    (ada, bob)
}

/// Loads the read receipts of a page, as a browser does.
pub(crate) fn see(browser: &mut Browser, page: &Reply) {
    for receipt in page.body.split("<img class=\"receipt\" src=\"").skip(1) {
        let address = receipt.split('"').next().unwrap().replace("&#38;", "&");
        let answer = browser.get(&address);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/svg+xml")));
    }
}

fn send(browser: &mut Browser, to: &str, text: &str) {
    browser.post(&format!("/messages/{to}"), &[("message", text)]).leads_to(&format!("/messages/{to}"));
}

#[test]
fn a_message_waits_is_read_and_both_know() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    ada.get("/messages").says(200, "No messages yet.");
    ada.get("/messages?to=%20BOB").leads_to("/messages/bob");
    ada.get("/messages/bob").says(200, "No messages yet. Say hello!");
    send(&mut ada, "bob", "hello <b>bob</b>,\r\nit is @ada 🐸");
    let page = ada.get("/messages/bob");
    page.says(200, "hello &#60;b&#62;bob&#60;/b&#62;,\nit is <a href=\"/@ada\">@ada</a> 🐸</p>");
    page.says(200, "<span class=\"state\">saved</span>");
    assert!(!page.body.contains("class=\"receipt\""), "one's own are not news");
    // The number is shown on every page.
    bob.get("/main").says(200, "<b class=\"badge\">1</b>");
    let list = bob.get("/messages");
    list.says(200, "href=\"/messages/ada\"");
    list.says(200, "<b>1 new</b>");
    // The list shows only the beginning of a message, so nothing is marked as read.
    see(&mut bob, &list);
    ada.get("/messages/bob").says(200, "<span class=\"state\">saved</span>");
    let talk = bob.get("/messages/ada");
    talk.says(200, "hello &#60;b&#62;bob");
    ada.get("/messages/bob").says(200, "<span class=\"state\">saved</span>");
    // Marked only once the browser has the page.
    see(&mut bob, &talk);
    ada.get("/messages/bob").says(200, "<span class=\"state\">read</span>");
    assert!(!bob.get("/main").body.contains("<b class=\"badge\">1</b>"));
    assert!(!bob.get("/messages/ada").body.contains("class=\"receipt\""), "nothing is news twice");
    send(&mut bob, "ada", "hello ada");
    let talk = ada.get("/messages/bob");
    assert!(talk.body.find("hello &#60;b&#62;bob") < talk.body.find("hello ada"), "oldest first");
}

#[test]
fn a_message_that_is_refused_comes_back_as_it_was_typed() {
    let site = Site::start();
    let (mut ada, _) = ada_and_bob(&site);
    let long = ada.post("/messages/bob", &[("message", &"ü".repeat(1001))]);
    long.refuses(Code::MessageTooLong);
    long.says(422, "Yours has 1001 characters.");
    long.says(422, &"ü".repeat(1001));
    send(&mut ada, "bob", &"🐸".repeat(1000));
    ada.post("/messages/bob", &[("message", " ")]).says(422, "Write 1 to 1000 characters.");
    ada.post("/messages/ada", &[("message", "me")]).refuses(Code::Yourself);
    ada.post("/messages/nobody", &[("message", "who?")]).refuses(Code::NoSuchUser);
    ada.get("/messages/nobody").says(404, "Nobody has this username.");
    ada.get("/messages?to=a+b").says(200, "Use 1 to 32 characters");
    let request = ada.get("/messages/bob").requests()[0].clone();
    site.group.be(Mood::Unavailable(ribbit_net::protocol::UnavailableReason::NoLeader));
    let fields = [("message", "while nobody leads"), ("request", request.as_str())];
    let page = ada.post("/messages/bob", &fields);
    page.says(503, "while nobody leads</textarea>");
    page.says(503, "What you typed is still here");
    assert_eq!(page.requests(), [request.as_str()]);
    // The same form, sent again once the servers are well, makes one message.
    site.group.be(Mood::Forgetful);
    ada.post("/messages/bob", &fields).says(503, "while nobody leads");
    site.group.be(Mood::Well);
    ada.post("/messages/bob", &fields).leads_to("/messages/bob");
    ada.post("/messages/bob", &fields).leads_to("/messages/bob");
    assert_eq!(ada.get("/messages/bob").body.matches("while nobody leads").count(), 1);
}

#[test]
fn a_full_mailbox_is_said_and_reading_makes_room() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    for number in 0..200 {
        send(&mut ada, "bob", &format!("message {number}"));
    }
    ada.post("/messages/bob", &[("message", "one more")]).refuses(Code::MailboxFull);
    let page = bob.get("/messages/ada");
    page.says(200, "message 199");
    assert!(!page.body.contains("message 149<"), "a page has fifty");
    let older = page.body.split("rel=\"prev\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    bob.get(older).says(200, "message 149<");
    see(&mut bob, &page);
    send(&mut ada, "bob", "one more");
}

#[test]
fn messages_of_a_deleted_account_stay_without_a_name() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    send(&mut ada, "bob", "farewell");
    ada.post("/delete", &[("password", "password")]).leads_to("/login?note=deleted");
    let list = bob.get("/messages");
    list.says(200, "[deleted]");
    assert!(!list.body.contains("@ada"), "{}", list.body);
    let path = list.body.split("href=\"/messages/~").nth(1).unwrap().split('"').next().unwrap();
    let talk = bob.get(&format!("/messages/~{path}"));
    talk.says(200, "farewell");
    talk.says(200, "This account was deleted");
    assert!(!talk.body.contains("<textarea"), "nobody to write to");
    see(&mut bob, &talk);
    assert!(!bob.get("/messages").body.contains("1 new"));
    bob.post("/messages/ada", &[("message", "are you there?")]).refuses(Code::NoSuchUser);
}

#[test]
fn only_this_sites_pages_can_send_read_receipts() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    send(&mut ada, "bob", "hello");
    let page = bob.get("/messages/ada");
    let receipt = page.body.split("class=\"receipt\" src=\"").nth(1).unwrap().split('"').next().unwrap();
    let receipt = receipt.replace("&#38;", "&");
    for site in ["cross-site", "same-site", "none"] {
        assert_eq!(bob.send("GET", &receipt, &[("Sec-Fetch-Site", site)], "").status, 403);
    }
    assert_eq!(Browser::new(&site.address).get(&receipt).status, 403);
    for nonsense in ["/shown", "/shown?with=x&through=1", "/shown?with=1", "/shown?feed="] {
        assert_eq!(bob.get(nonsense).status, 400);
    }
    ada.get("/messages/bob").says(200, "saved</span>");
    // Shown on a page that is not looked at.
    assert_eq!(bob.get(&format!("{receipt}&read=no")).status, 200);
    ada.get("/messages/bob").says(200, "delivered</span>");
    assert_eq!(bob.send("GET", &receipt, &[("Sec-Fetch-Site", "same-origin")], "").status, 200);
    ada.get("/messages/bob").says(200, "read</span>");
}

#[test]
fn people_are_found_added_and_removed() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    Browser::new(&site.address).get("/people").leads_to("/login");
    let page = ada.get("/people?names=B*");
    page.says(200, "href=\"/@bob\"");
    assert!(!page.body.contains("class=\"author\" href=\"/@ada\""));
    page.says(200, "value=\"B*\"");
    ada.get("/people?names=%5B%5D").says(200, "No matches.");
    ada.get(&format!("/people?names={}", "x".repeat(65))).says(422, "Enter a username or a pattern");
    let add = [("username", "bob"), ("choice", "add"), ("back", "people")];
    ada.post("/manage", &add).leads_to("/people?note=added");
    ada.get("/people?note=added").says(200, "Now following.");
    bob.get("/people?who=followers").says(200, "href=\"/@ada\"");
    // Both lists are searched by parts of names, and their buttons lead back to them.
    ada.get("/people?who=following").says(200, "name=\"back\" value=\"following\"");
    ada.get("/people?who=following&names=BO").says(200, "href=\"/@bob\"");
    ada.get("/people?who=following&names=x").says(200, "No matches.");
    bob.get("/people?who=followers&names=@ad").says(200, "href=\"/@ada\"");
    bob.get("/people?names=d").says(200, "href=\"/@ada\"");
    bob.get("/people").says(200, "follows you");
    let profile = bob.get("/@ADA");
    profile.says(200, "1 following · 0 followers");
    profile.says(200, "follows you");
    let remove = [("username", "bob"), ("choice", "remove"), ("back", "profile")];
    ada.post("/manage", &remove).leads_to("/@bob?note=removed");
    bob.get("/people?who=followers").says(200, "No followers yet.");
    ada.get("/@nobody").says(404, "Nobody has this username.");
    ada.get("/@a%20b").says(404, "Nobody has this username.");
    let own = ada.get("/@ada");
    assert!(!own.body.contains("href=\"/messages/ada\""), "no message to oneself");
    ada.get("/@bob").says(200, "href=\"/messages/bob\"");
}

#[test]
fn pages_of_many_people_follow_each_other() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    for number in 0..105 {
        let username = format!("frog-{number:03}");
        let fields =
            [("name", "Frog"), ("email", "a@b"), ("username", username.as_str()), ("password", "password")];
        assert_eq!(ada.post("/create", &fields).status, 303);
    }
    let page = ada.get("/people?names=frog*");
    page.says(200, "@frog-099");
    assert!(!page.body.contains("@frog-100"));
    let more = page.body.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let page = ada.get(&more.replace("&#38;", "&"));
    page.says(200, "@frog-104");
    assert!(!page.body.contains("@frog-099") && !page.body.contains("rel=\"next\""));
}

#[test]
fn a_croak_has_a_page_and_its_author_can_delete_it() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    ada.croak("said too soon");
    let feed = ada.get("/main");
    let path =
        format!("/croak/{}", feed.body.split("href=\"/croak/").nth(1).unwrap().split('"').next().unwrap());
    let theirs = bob.get(&path);
    theirs.says(200, "said too soon");
    assert!(!theirs.body.contains("Delete croak"));
    bob.post(&path, &[]).refuses(Code::NotYours);
    ada.get(&path).says(200, "Delete croak");
    ada.post(&path, &[]).leads_to("/main?note=taken-back");
    assert!(!ada.get("/main").body.contains("said too soon"));
    ada.get(&path).says(404, "Croak not found");
    for wrong in ["/croak/0", "/croak/x", "/croak/99999999999999999999"] {
        bob.get(wrong).says(404, "Croak not found");
    }
}

#[test]
fn a_feed_that_is_kept_follows_names_deletions_and_follows() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    bob.post("/manage", &[("username", "ada"), ("choice", "add")]);
    ada.croak("first of ada");
    let feed = bob.get("/main");
    feed.says(200, "first of ada");
    let path =
        format!("/croak/{}", feed.body.split("href=\"/croak/").nth(1).unwrap().split('"').next().unwrap());
    // Nothing has happened, so the page is made of what is kept; each has a request id of its own.
    let again = bob.get("/main");
    again.says(200, "first of ada");
    assert_ne!(feed.requests(), again.requests());

    ada.croak("second of ada");
    ada.post("/settings", &[("choice", "profile"), ("name", "Ada <the> First"), ("email", "a@b")]);
    let renamed = bob.get("/main");
    assert_eq!(renamed.body.matches("<bdi>Ada &#60;the&#62; First</bdi>").count(), 2, "{}", renamed.body);
    ada.post(&path, &[]).leads_to("/main?note=taken-back");
    let deleted = bob.get("/main").body;
    assert!(deleted.contains("second of ada") && !deleted.contains("first of ada"), "{deleted}");
    bob.post("/manage", &[("username", "ada"), ("choice", "remove")]);
    assert!(!bob.get("/main").body.contains("of ada"));
    bob.post("/manage", &[("username", "ada"), ("choice", "add")]);
    bob.get("/main").says(200, "second of ada");
    bob.post("/logout", &[]);
    bob.get("/main").leads_to("/login");
}

#[test]
fn only_the_feed_is_compressed_and_only_for_its_own_readers() {
    let site = Site::start();
    let (mut ada, _) = ada_and_bob(&site);
    let (gzip, own) = (("accept-encoding", "gzip"), ("sec-fetch-site", "same-origin"));
    let mut packed = |path: &str, headers: &[(&str, &str)]| {
        let answer = ada.send("GET", path, headers, "");
        assert_eq!(answer.status, 200, "{path}");
        answer.header("content-encoding").is_some()
    };
    assert!(packed("/main", &[gzip, own]));
    assert!(!packed("/main", &[own]) && !packed("/main", &[gzip]));
    assert!(!packed("/main", &[gzip, ("sec-fetch-site", "cross-site")]));
    for path in ["/messages", "/settings", "/people", "/manage", "/logout", "/@bob", "/messages/bob"] {
        assert!(!packed(path, &[gzip, own]), "{path}");
    }
    for path in ["/style.css", "/script.js"] {
        assert!(packed(path, &[gzip]) && !packed(path, &[]), "{path}");
    }
}

#[test]
fn settings_change_the_users_own_account() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    let mut elsewhere = Browser::new(&site.address);
    elsewhere.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
    ada.get("/settings").says(200, "value=\"a@b\"");
    let fields = [("choice", "profile"), ("name", "Ada <L>"), ("email", "ada@new")];
    ada.post("/settings", &fields).leads_to("/settings?note=saved");
    ada.get("/settings").says(200, "value=\"Ada &#60;L&#62;\"");
    let wrong = [("choice", "profile"), ("name", ""), ("email", "nowhere")];
    let page = ada.post("/settings", &wrong);
    page.says(422, "Use 1 to 64 characters on one line.");
    page.says(422, "Enter an email address");
    assert_eq!(page.body.matches("class=\"error\"").count(), 2, "{}", page.body);
    page.says(422, "value=\"nowhere\"");
    let password = |old, new| [("choice", "password"), ("password", old), ("new-password", new)];
    ada.post("/settings", &password("wrong one", "sesame street")).refuses(Code::WrongPassword);
    let short = ada.post("/settings", &password("password", "short"));
    short.says(422, "id=\"new-password-error\"");
    assert!(!short.body.contains("value=\"short\""));
    ada.post("/settings", &password("password", "sesame street")).leads_to("/settings?note=new-password");
    elsewhere.get("/settings").leads_to("/login");
    elsewhere.post("/login", &[("username", "ada"), ("password", "password")]).refuses(Code::WrongPassword);
    elsewhere.post("/login", &[("username", "ada"), ("password", "sesame street")]).leads_to("/main");
    // One session ends another.
    let page = ada.get("/settings");
    let opened = page.body.split("name=\"opened\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    ada.post("/settings", &[("choice", "end"), ("opened", opened)]).leads_to("/settings?note=ended");
    elsewhere.get("/main").leads_to("/login");
    ada.post("/settings", &[("choice", "end"), ("opened", opened)]).refuses(Code::NoSuchSession);
    ada.post("/settings", &[("choice", "others")]).leads_to("/settings?note=ended");
    ada.post("/settings", &[("choice", "nonsense")]).refuses(Code::InvalidEntry);
    Browser::new(&site.address).get("/settings").leads_to("/login");
}

#[test]
fn the_feed_counts_new_croaks() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    ada.post("/manage", &[("username", "bob"), ("choice", "add")]).leads_to("/manage?note=added");
    bob.croak("one");
    bob.croak("two");
    ada.croak("mine");
    let page = ada.get("/main");
    page.says(200, "2 new croaks since your last visit");
    // Requested and never shown.
    ada.get("/main").says(200, "2 new croaks");
    see(&mut ada, &page);
    assert!(!ada.get("/main").body.contains("since your last visit"));
    bob.croak("three");
    ada.get("/main").says(200, "1 new croak since");
}

#[test]
fn a_closed_sign_up_page_says_so() {
    let site = Site::start();
    let welcome = "Croaks of the <rowing> club.".to_string();
    site.group.operate(OperatorCommand::DescribeSite { name: None, welcome: Some(welcome) });
    let landing = Browser::new(&site.address).get("/");
    landing.says(200, "Croaks of the &#60;rowing&#62; club.");
    landing.says(200, "strong\" href=\"/create\"");
    site.group.operate(OperatorCommand::SetRegistration { registration: Registration::Closed });
    let landing = Browser::new(&site.address).get("/");
    landing.says(200, "Ask them if you would like one.");
    assert!(!landing.body.contains("strong\" href=\"/create\""), "{}", landing.body);
    let mut ada = Browser::new(&site.address);
    let page = ada.get("/create");
    page.says(200, "Sign-up is closed");
    page.says(200, &refusal(Denied::new(Code::RegistrationClosed)));
    assert!(!page.body.contains("<input"));
    // A form that was already open.
    let fields = [("name", "A"), ("username", "ada"), ("email", "a@b"), ("password", "password")];
    ada.post("/create", &fields).refuses(Code::RegistrationClosed);
    site.group.operate(OperatorCommand::SetRegistration { registration: Registration::Open });
    ada.post("/create", &fields).leads_to("/main?note=welcome");
}

#[test]
fn a_suspended_user_is_told_only_with_the_right_password() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    // The first command of the simulated cluster created ada.
    site.group.operate(OperatorCommand::Suspend { account: AccountId(1), suspended: true });
    ada.get("/main").leads_to("/login");
    ada.post("/login", &[("username", "ada"), ("password", "password")]).refuses(Code::AccountSuspended);
    ada.post("/login", &[("username", "ada"), ("password", "something else")]).refuses(Code::WrongPassword);
    // Messages to a suspended account wait.
    send(&mut bob, "ada", "where are you?");
    site.group.operate(OperatorCommand::Suspend { account: AccountId(1), suspended: false });
    ada.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
    ada.get("/messages/bob").says(200, "where are you?");
}

/// Returns the body of a chunked answer, or `None` if it was cut off.
fn whole(body: &str) -> Option<String> {
    let (mut rest, mut whole) = (body, String::new());
    loop {
        let (length, chunk) = rest.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole += chunk.get(..length)?;
        rest = chunk.get(length + 2..)?;
    }
}

#[test]
fn the_export_has_all_data_of_the_user() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    for number in 0..60 {
        ada.croak(&format!("croak {number}"));
        send(&mut ada, "bob", &format!("message {number}"));
    }
    send(&mut bob, "ada", "\"hello\"");
    let answer = ada.get("/export");
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"ribbit.json\""));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let export: serde_json::Value = serde_json::from_str(&whole(&answer.body).unwrap()).unwrap();
    assert_eq!(export["croaks"].as_array().unwrap().len(), 60);
    assert_eq!(export["messages"].as_array().unwrap().len(), 61);
    assert_eq!(export["messages"][0]["text"], "\"hello\"");
    assert!(!answer.body.contains("password"));
    Browser::new(&site.address).get("/export").leads_to("/login");
}

#[test]
fn an_export_that_cannot_be_completed_is_cut_off() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    let long = "🐸".repeat(1000);
    // Far more than a socket buffers.
    for _ in 0..3 {
        for _ in 0..200 {
            send(&mut ada, "bob", &long);
        }
        let page = bob.get("/messages/ada");
        see(&mut bob, &page);
    }
    let mut stream = TcpStream::connect(&site.address).unwrap();
    let cookies: Vec<_> = ada.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request =
        format!("GET /export HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n\r\n", site.address, cookies.join("; "));
    stream.write_all(request.as_bytes()).unwrap();
    let mut begin = [0; 1000];
    stream.read_exact(&mut begin).unwrap();
    assert!(begin.starts_with(b"HTTP/1.1 200"));
    site.group.refound(0xbad);
    let mut rest = Vec::new();
    // Reset or closed: the last chunk never arrives.
    let _ = stream.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{} bytes", rest.len());
}

#[test]
fn people_and_croaks_are_found_by_words_and_tags() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    Browser::new(&site.address).get("/search").leads_to("/login");
    bob.croak("Heavy RAIN at https://pond.example/#top. Bring boots! #wet");
    bob.croak("nothing to see");
    let found = ada.get("/search?q=rain+boot");
    found.says(
        200,
        "<a href=\"https://pond.example/#top\" rel=\"nofollow noopener\">https://pond.example/#top</a>.",
    );
    found.says(200, "<a href=\"/tag/wet\">#wet</a>");
    assert!(!found.body.contains("nothing to see"), "{}", found.body);
    ada.get("/tag/WET").says(200, "Heavy RAIN");
    ada.get("/tag/we").says(200, "No matches.");
    ada.get("/search?q=BO").says(200, "href=\"/@bob\"");
    ada.get("/search?q=%22%26%3Cb%3E").says(200, "value=\"&#34;&#38;&#60;b&#62;\"");
    ada.get("/search?q=%21%21").says(422, "one to eight words or tags");
    ada.get("/search?q=").says(200, "Search people and croaks");
    // A page looks at all croaks behind the one before it.
    for number in 0..60 {
        bob.croak(&format!("many {number}"));
    }
    let first = ada.get("/search?q=many");
    assert_eq!(first.body.matches("class=\"text\"").count(), 50);
    let older =
        first.body.split("rel=\"next\" href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let second = ada.get(&older.replace("&#38;", "&"));
    assert_eq!(second.body.matches("class=\"text\"").count(), 10);
    second.says(200, "many 0");
}

#[test]
fn names_are_completed_for_those_who_are_logged_in() {
    let site = Site::start();
    let [mut ada, mut bob] = ["ada", "bob"].map(|name| {
        let mut browser = Browser::new(&site.address);
        browser.join(name);
        browser
    });
    for room in ["pond", "pool"] {
        ada.post("/rooms", &[("room", room), ("topic", "<wet>"), ("open", "yes")]);
    }
    ada.post("/rooms", &[("room", "potion"), ("topic", "by invitation")]);
    let complete = |browser: &mut Browser, typed: &str| {
        let answer = browser.get(&format!("/complete?q={}", typed.replace('@', "%40").replace('#', "%23")));
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/json")),
            "{answer:?}"
        );
        answer.body
    };
    assert_eq!(complete(&mut ada, "@B"), r#"[{"text":"@bob","about":"bob"}]"#);
    assert_eq!(complete(&mut bob, "#poo"), r##"[{"text":"#pool","about":"<wet>"}]"##);
    let names = |rooms: String| rooms.matches("text").count();
    assert_eq!(names(complete(&mut ada, "#po")), 3);
    assert_eq!(names(complete(&mut bob, "#po")), 2, "bob is not invited to the third");
    for nothing in ["", "@", "#", "bo", "@b*", "ä"] {
        assert_eq!(complete(&mut ada, nothing), "[]", "{nothing}");
    }
    bob.post("/keep-away", &[("username", "ada"), ("choice", "block")]);
    assert_eq!(complete(&mut ada, "@b"), "[]", "a blocked person is not named");
    assert_eq!(complete(&mut Browser::new(&site.address), "@b"), "[]");
}
