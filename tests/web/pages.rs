//! The pages over real sockets: HTTP clients, the web role, and a simulated cluster behind the real protocol.

use ribbit_net::protocol::UnavailableReason;
use ribbit_roles::common::failure::Exit;
use ribbit_roles::web;
use ribbit_roles::web::arguments::WebOptions;
use ribbit_state::Code;
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use testkit::group::Mood;
use testkit::http::{Browser, exchange, parse};
use testkit::site::Site;

#[test]
fn the_status_page_is_public_and_shows_nothing_private() {
    let site = Site::start();
    let mut nobody = Browser::new(&site.address);
    let login = nobody.get("/login");
    login.says(200, "<a href=\"/status\">Server status</a>");
    let page = nobody.get("/status");
    page.says(200, "All is well.");
    page.says(200, "<b>backend-1</b> leader");
    page.says(200, "backend-1 leads, since &#60;nobody&#62; else is there");
    page.says(200, "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>");
    assert!(!page.body.contains(&site.group.address), "{}", page.body);
    assert!(!page.body.contains("style="), "{}", page.body);
    let still = nobody.get("/status?still");
    assert!(!still.body.contains("http-equiv") && !still.body.contains("data-again"), "{}", still.body);
    // Any number of viewers costs no more than one: the survey is at most a second old.
    site.group.be(Mood::Unavailable(UnavailableReason::NoLeader));
    std::thread::sleep(Duration::from_millis(1_100));
    let page = nobody.get("/status");
    page.says(200, "There is no leader.");
    site.group.be(Mood::Gone);
    std::thread::sleep(Duration::from_millis(1_100));
    nobody.get("/status").says(503, "No servers are running.");
    assert_eq!(nobody.post("/status", &[]).status, 405);
}

/// Maximum size of a first visit in bytes, with everything it loads.
const FIRST_PAGE_BYTES_MAX: usize = 60_000;

#[test]
fn a_first_page_with_all_it_loads_is_small() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    // As browsers ask; only the feed is packed of the pages.
    let headers = [("accept-encoding", "gzip"), ("sec-fetch-site", "same-origin")];
    let bytes = |browser: &mut Browser, path: &str| {
        let reply = browser.send("GET", path, &headers, "");
        assert_eq!(reply.status, 200, "{path}");
        let length =
            reply.header("content-length").map_or(reply.body.len(), |length| length.parse().unwrap());
        let mut pictures: Vec<&str> = reply.body.split("src=\"/avatar/").skip(1).collect();
        pictures.iter_mut().for_each(|rest| *rest = rest.split('"').next().unwrap());
        pictures.sort_unstable();
        pictures.dedup();
        let pictures: usize =
            pictures.iter().map(|name| browser.get(&format!("/avatar/{name}")).body.len()).sum();
        println!("{length:>6} and {pictures} bytes  {path}");
        length + pictures
    };
    let shared: usize =
        ["/style.css", "/script.js", "/favicon.svg"].map(|path| bytes(&mut ada, path)).iter().sum();
    for path in ["/login", "/create", "/about", "/status"] {
        let all = shared + bytes(&mut ada, path);
        assert!(all <= FIRST_PAGE_BYTES_MAX, "{path} and what it loads: {all} bytes");
    }
    let login = ada.get("/login").body;
    let loaded = login.matches("src=\"").count() + login.matches("rel=\"stylesheet\"").count();
    assert_eq!(loaded, 3, "the style, the script, the frog: {login}");
    ada.join("ada");
    let pages =
        ["/main", "/manage", "/messages", "/rooms", "/people", "/settings", "/logout", "/delete", "/@ada"];
    for path in pages {
        let all = shared + bytes(&mut ada, path);
        assert!(all <= FIRST_PAGE_BYTES_MAX, "{path} and what it loads: {all} bytes");
    }
    for number in 0..50 {
        ada.croak(&format!("{number} {}", "quak ".repeat(19)));
    }
    let all = shared + bytes(&mut ada, "/main");
    assert!(all <= FIRST_PAGE_BYTES_MAX, "a full feed and what it loads: {all} bytes");
}

#[test]
fn the_about_page_is_public() {
    let site = Site::start();
    let mut nobody = Browser::new(&site.address);
    let page = nobody.get("/about");
    page.says(200, concat!("<b>ribbit</b> ", env!("CARGO_PKG_VERSION")));
    page.says(200, "no cloud");
    nobody.get("/login").says(200, "href=\"/about\"");
    // Also while no server answers.
    site.group.be(Mood::Gone);
    nobody.get("/about").says(200, "Who runs it");
}

#[test]
fn a_croak_links_to_itself_its_author_and_mentioned_people() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    ada.croak("hello @Bob, <@carl>");
    let page = ada.get("/main");
    let id = page.body.split("id=\"croak-").nth(1).unwrap().split('"').next().unwrap();
    page.says(200, &format!("href=\"/croak/{id}\""));
    page.says(200, "href=\"/@ada\"");
    page.says(200, "hello <a href=\"/@bob\">@Bob</a>, &#60;<a href=\"/@carl\">@carl</a>&#62;</p>");
    page.says(200, "2026-07-01 10:00 UTC</span></time></a></p>");
}

#[test]
fn two_friends_read_each_other() {
    let site = Site::start();
    let (mut ada, mut bob) = (Browser::new(&site.address), Browser::new(&site.address));
    ada.get("/").says(200, "href=\"/create\">Sign up</a>");
    ada.join("ada");
    ada.get("/").leads_to("/main");
    bob.join("bob");
    ada.croak("first, \"quoted\" & <b>bold</b> 🐸\r\nsecond line");
    bob.post("/manage", &[("username", "ADA "), ("choice", "add")]).leads_to("/manage?note=added");
    bob.get("/manage?note=added").says(200, "Now following.");
    bob.croak("hello ada");
    let page = bob.get("/main");
    page.says(200, "first, &#34;quoted&#34; &#38; &#60;b&#62;bold&#60;/b&#62; 🐸\nsecond line</p>");
    assert!(page.body.find("hello ada") < page.body.find("first, "), "newest first");
    assert_eq!(page.body.matches("hello ada").count(), 1);
    assert!(!ada.get("/main").body.contains("hello ada"), "following goes one way");
    bob.post("/manage", &[("username", "ada"), ("choice", "remove")]).leads_to("/manage?note=removed");
    assert!(!bob.get("/main").body.contains("first, "));
    site.stop();
}

#[test]
fn pages_carry_the_headers_that_keep_them_safe() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    let page = ada.get("/login?created=%3Cscript%3E");
    assert_eq!(page.status, 200);
    assert!(page.body.matches("<script").count() == 1 && !page.body.contains("&#60;"), "{}", page.body);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    ada.get("/login?created=Ada").says(200, "value=\"ada\"");
    assert_eq!(ada.get("/style.css").header("content-type"), Some("text/css; charset=utf-8"));
    let script = ada.get("/script.js");
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(policy.contains("script-src 'self'") && policy.contains("connect-src 'self'"), "{policy}");
    assert_eq!(ada.get("/favicon.svg").header("content-type"), Some("image/svg+xml"));
}

#[test]
fn refusals_are_shown_beside_their_fields_and_keep_what_was_typed() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    let fields = [("name", "A <i>"), ("username", "a b"), ("email", "nowhere"), ("password", "sesame")];
    let page = ada.post("/create", &fields);
    page.says(422, "Use 1 to 32 characters: a-z");
    page.says(422, "value=\"A &#60;i&#62;\"");
    page.says(422, "value=\"nowhere\"");
    for text in ["Use 1 to 32 characters", "Enter an email address", "Use 8 to 256 characters"] {
        assert_eq!(page.body.matches(text).count(), 1, "username, email, password: {}", page.body);
    }
    assert_eq!(page.body.matches("class=\"error\"").count(), 3, "{}", page.body);
    assert!(!page.body.contains("(606)"), "numbers are for programs: {}", page.body);
    assert!(!page.body.contains("sesame"));
    ada.join("ada");
    let taken = [("name", "A"), ("username", "ADA"), ("email", "a@b"), ("password", "password")];
    ada.post("/create", &taken).refuses(Code::UsernameTaken);
    let wrong = ada.post("/login", &[("username", "ada"), ("password", "open sesame")]);
    wrong.refuses(Code::WrongPassword);
    assert!(wrong.body.contains("value=\"ada\"") && !wrong.body.contains("sesame"));
    ada.post("/login", &[("username", "nobody"), ("password", "x")]).refuses(Code::NoSuchUser);
    ada.post("/login", &[("username", ""), ("password", "x")]).says(422, "Use 1 to 32 characters");
    ada.post("/manage", &[("username", "nobody"), ("choice", "add")]).refuses(Code::NoSuchUser);
    ada.post("/manage", &[("username", "ada"), ("choice", "add")]).refuses(Code::Yourself);
    ada.post("/manage", &[("username", "ada"), ("choice", "befriend")]).refuses(Code::InvalidEntry);
    ada.post("/manage", &[("username", "ada")]).refuses(Code::InvalidEntry);
    let long = "a".repeat(9_000);
    ada.post("/manage", &[("username", &long), ("choice", "add")]).says(422, "Use 1 to 32 characters");
    ada.post("/main", &[]).says(422, "Write 1 to 100 characters.");
}

#[test]
fn a_croak_that_is_too_long_stays_in_its_field() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    let text = "🐸".repeat(101);
    let page = ada.post("/main", &[("post", &text)]);
    page.refuses(Code::CroakTooLong);
    page.says(422, "Yours has 101 characters.");
    assert_eq!(page.body.matches(&text).count(), 1);
    let exact = "a\r\n".repeat(50);
    ada.post("/main", &[("post", &exact)]).leads_to("/main");
}

#[test]
fn the_feed_is_paged_without_skips_or_doubles() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    for number in 0..120 {
        ada.croak(&format!("croak number {number}."));
    }
    let (mut path, mut found) = ("/main".to_string(), Vec::new());
    loop {
        let page = ada.get(&path);
        assert_eq!(page.status, 200);
        let numbers = page.body.split("croak number ").skip(1);
        found.extend(numbers.map(|rest| rest.split('.').next().unwrap().parse::<u32>().unwrap()));
        // Croaks that arrive meanwhile do not move the pages.
        ada.croak("meanwhile");
        match page.body.split("rel=\"next\" href=\"").nth(1) {
            Some(rest) => path = rest.split('"').next().unwrap().to_string(),
            None => break,
        }
    }
    assert_eq!(found, (0..120).rev().collect::<Vec<_>>());
    ada.get("/main?before=nonsense").says(200, "meanwhile");
}

#[test]
fn a_clock_that_was_never_set_shows_no_time() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    ada.croak("now");
    ada.get("/main").says(200, "<time datetime=\"2026-07-01T10:00:");
    site.group.forget_the_time();
    ada.croak("whenever");
    ada.get("/main").says(200, "unknown time");
}

#[test]
fn a_form_sent_twice_is_done_once() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    let request = ada.get("/create").requests().remove(0);
    let fields = [
        ("name", "Ada"),
        ("username", "ada"),
        ("email", "a@b"),
        ("password", "password"),
        ("request", request.as_str()),
    ];
    ada.post("/create", &fields).leads_to("/main?note=welcome");
    ada.post("/create", &fields).leads_to("/main?note=welcome");
    ada.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
    let request = ada.get("/main").requests().remove(0);
    for _ in 0..2 {
        ada.post("/main", &[("post", "only once"), ("request", &request)]).leads_to("/main");
    }
    assert_eq!(ada.get("/main").body.matches("only once").count(), 1);
    // The same id with another text is refused, the text stays, and its form gets a new id.
    let page = ada.post("/main", &[("post", "something else"), ("request", &request)]);
    page.refuses(Code::RequestReused);
    page.says(422, "something else</textarea>");
    assert_ne!(page.requests(), [request]);
    ada.post("/main", &[("post", "x"), ("request", "nonsense")]).refuses(Code::InvalidEntry);
    // Without the field, the same text twice makes two croaks.
    ada.croak("again");
    ada.croak("again");
    assert_eq!(ada.get("/main").body.matches("again").count(), 2);
}

#[test]
fn without_servers_the_text_is_kept_and_can_be_sent_again() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    let request = ada.get("/main").requests().remove(0);
    for (mood, words) in [
        (Mood::Gone, "No servers are running"),
        (Mood::Unavailable(UnavailableReason::NoLeader), "Not available right now"),
        (Mood::Busy, "The servers are busy"),
        (Mood::Forgetful, "Not available right now"),
    ] {
        site.group.be(mood);
        let began = Instant::now();
        let page = ada.post("/main", &[("post", "hold this"), ("request", &request)]);
        assert!(began.elapsed() < Duration::from_secs(4), "{mood:?} took {:?}", began.elapsed());
        page.says(503, words);
        page.says(503, "hold this</textarea>");
        assert!(page.header("retry-after").is_some());
        assert!(!page.body.contains("http-equiv"), "a page with something typed must not go away by itself");
        assert_eq!(page.requests(), std::slice::from_ref(&request), "{mood:?}");
        assert!(ada.cookies.contains_key("session"));
    }
    // The last try took effect and its answer was lost: sent again, it does not take effect twice.
    site.group.be(Mood::Well);
    ada.post("/main", &[("post", "hold this"), ("request", &request)]).leads_to("/main");
    assert_eq!(ada.get("/main").body.matches("hold this").count(), 1);
}

#[test]
fn a_form_without_an_id_gets_one_that_its_retries_keep() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    site.group.be(Mood::Forgetful);
    let page = ada.post("/main", &[("post", "from a script")]);
    assert_eq!(page.status, 503);
    let request = page.requests().remove(0);
    site.group.be(Mood::Well);
    ada.post("/main", &[("post", "from a script"), ("request", &request)]).leads_to("/main");
    assert_eq!(ada.get("/main").body.matches("from a script").count(), 1);
    let asked: HashSet<_> = site.group.asked().into_iter().collect();
    assert_eq!(asked.len(), 2, "one account, one croak, whatever the tries");
}

#[test]
fn every_page_says_that_no_servers_are_running() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    site.group.be(Mood::Gone);
    // In parallel, since each takes as long as a page may take.
    std::thread::scope(|scope| {
        for path in ["/main", "/manage", "/login", "/create", "/logout", "/delete"] {
            let mut ada = ada.clone();
            scope.spawn(move || {
                let began = Instant::now();
                let page = ada.get(path);
                page.says(503, "No servers are running");
                page.says(503, "http-equiv=\"refresh\"");
                assert!(began.elapsed() < Duration::from_secs(4), "{path} took {:?}", began.elapsed());
                assert!(page.header("retry-after").is_some() && ada.cookies.contains_key("session"));
            });
        }
        let forms: [(&str, &[(&str, &str)], &str); 5] = [
            (
                "/create",
                &[("name", "Bob B"), ("username", "bob"), ("email", "b@b"), ("password", "password")],
                "value=\"Bob B\"",
            ),
            ("/login", &[("username", "bob"), ("password", "password")], "value=\"bob\""),
            ("/manage", &[("username", "bob"), ("choice", "remove")], "value=\"remove\""),
            ("/logout", &[], "action=\"/logout\""),
            ("/delete", &[("password", "password")], "action=\"/delete\""),
        ];
        for (path, fields, words) in forms {
            let mut ada = ada.clone();
            scope.spawn(move || {
                let page = ada.post(path, fields);
                page.says(503, "No servers are running");
                page.says(503, words);
                assert!(!page.body.contains("type=\"password\" value=\"p"), "{}", page.body);
            });
        }
    });
}

#[test]
fn pages_from_a_minority_are_marked_as_out_of_date() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    ada.croak("from before");
    site.group.be(Mood::Minority);
    let page = ada.get("/main");
    page.says(200, "this page may be out of date");
    page.says(200, "from before");
    assert_eq!(ada.get("/livez").body, "ok");
    assert_eq!(ada.get("/readyz").status, 503);
    site.group.be(Mood::Well);
    assert_eq!(ada.get("/readyz").status, 200);
    site.group.be(Mood::Gone);
    let began = Instant::now();
    assert_eq!(ada.get("/readyz").status, 503);
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    assert_eq!(ada.get("/livez").status, 200);
}

#[test]
fn pages_that_need_a_session_lead_to_the_log_in() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    for path in ["/main", "/manage", "/logout", "/delete"] {
        ada.get(path).leads_to("/login");
    }
    let page = ada.post("/main", &[("post", "typed for nothing?")]);
    page.refuses(Code::NotLoggedIn);
    page.says(422, "typed for nothing?</textarea>");
    page.says(422, "href=\"/login\"");
    ada.post("/manage", &[("username", "bob"), ("choice", "add")]).refuses(Code::NotLoggedIn);
    ada.post("/delete", &[("password", "x")]).refuses(Code::NotLoggedIn);
    ada.post("/logout", &[]).leads_to("/login");
    // A session that the cluster does not know is treated the same, and its cookie is removed.
    for cookie in ["ab".repeat(32), "nonsense".to_string()] {
        ada.cookies.insert("session".into(), cookie);
        ada.get("/main").leads_to("/login");
    }
    ada.cookies.insert("session".into(), "ab".repeat(32));
    ada.post("/main", &[("post", "still here")]).says(422, "still here</textarea>");
    assert!(!ada.cookies.contains_key("session"));
}

#[test]
fn log_out_ends_the_session_everywhere() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    let mut copy = Browser::new(&site.address);
    copy.cookies = ada.cookies.clone();
    ada.get("/logout").says(200, "@ada");
    copy.get("/main").says(200, "@ada");
    ada.post("/logout", &[]).leads_to("/login");
    assert!(!ada.cookies.contains_key("session"));
    copy.get("/main").leads_to("/login");
}

#[test]
fn deleting_asks_for_the_password() {
    let site = Site::start();
    let (mut ada, mut bob) = (Browser::new(&site.address), Browser::new(&site.address));
    ada.join("ada");
    bob.join("bob");
    ada.croak("going, going");
    bob.post("/manage", &[("username", "ada"), ("choice", "add")]).leads_to("/manage?note=added");
    ada.get("/delete").says(200, "<button class=\"danger\">Delete account</button>");
    ada.post("/delete", &[("password", "guess")]).refuses(Code::WrongPassword);
    ada.post("/delete", &[("password", "password")]).leads_to("/login?note=deleted");
    assert!(!ada.cookies.contains_key("session"));
    ada.get("/login?note=deleted").says(200, "Your account and your croaks are deleted");
    assert!(!bob.get("/main").body.contains("going, going"));
    assert!(!bob.get("/manage").body.contains("@ada"));
}

#[test]
fn friends_are_listed_with_a_button_each_and_paged() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    ada.get("/manage").says(200, "You don't follow anyone yet.");
    for number in 0..103 {
        let name = format!("frog-{number}");
        let fields = [("name", "Frog"), ("username", &name), ("email", "a@b"), ("password", "password")];
        Browser::new(&site.address).post("/create", &fields).leads_to("/main?note=welcome");
        ada.post("/manage", &[("username", &name), ("choice", "add")]).leads_to("/manage?note=added");
    }
    let first = ada.get("/manage");
    assert_eq!(first.body.matches("value=\"remove\"").count(), 100);
    let requests: HashSet<_> = first.requests().into_iter().collect();
    assert_eq!(requests.len(), 101, "each form sends a request of its own");
    let next = first.body.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let second = ada.get(next);
    assert_eq!(second.body.matches("value=\"remove\"").count(), 3);
    ada.post("/manage", &[("username", "frog-1"), ("choice", "add")]).refuses(Code::AlreadyFriend);
    ada.post("/manage", &[("username", "frog-1"), ("choice", "remove")]).leads_to("/manage?note=removed");
    let page = ada.post("/manage", &[("username", "frog-1"), ("choice", "remove")]);
    page.refuses(Code::NotAFriend);
    page.says(422, "Username to unfollow");
}

#[test]
fn another_history_resets_the_seen_cookie() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    let before = ada.cookies["seen"].clone();
    site.group.refound(0xbeef);
    ada.get("/main").says(200, "@ada");
    assert_ne!(ada.cookies["seen"].split('.').next(), before.split('.').next());
    ada.cookies.insert("seen".into(), "nonsense".into());
    ada.get("/main").says(200, "@ada");
}

#[test]
fn wrong_paths_methods_and_bodies_are_refused() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.get("/main/x").says(404, "Page not found");
    let wrong = ada.send("DELETE", "/main", &[], "");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD, POST")));
    let wrong = ada.post("/livez", &[]);
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD")));
    let head = ada.send("HEAD", "/login", &[], "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let json = [("Content-Type", "application/json")];
    assert_eq!(ada.send("POST", "/login", &json, "{}").status, 415);
    assert_eq!(ada.send("POST", "/login", &[], "username=a").status, 415);
    assert_eq!(exchange(&site.address, b"\x00\xff garbage\r\n\r\n").status, 400);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65));
    assert_eq!(exchange(&site.address, many.as_bytes()).status, 431);
    let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(40_000));
    assert_eq!(exchange(&site.address, long.as_bytes()).status, 431);
    assert_eq!(ada.get("/livez").body, "ok");
}

#[test]
fn a_body_of_ten_megabytes_is_refused_and_the_answer_arrives() {
    let site = Site::start();
    let head = "POST /main HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let body = "post=".to_string() + &"a".repeat(10 * 1024 * 1024);
    let declared = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let began = Instant::now();
    let too_long = exchange(&site.address, declared.as_bytes());
    too_long.says(413, "<h1>Too long</h1>");
    too_long.says(413, "This is more text than a form can hold.");
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    assert_eq!(exchange(&site.address, chunked.as_bytes()).status, 411);
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[test]
fn forms_from_other_sites_are_refused() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    for foreign in [("Sec-Fetch-Site", "cross-site"), ("Origin", "http://evil.example"), ("Origin", "null")] {
        let page = ada.send("POST", "/main", &[form, foreign], "post=gotcha");
        page.says(403, "from another site");
    }
    let ours = format!("http://{}", site.address);
    let own = [form, ("Sec-Fetch-Site", "same-origin"), ("Origin", &ours)];
    ada.send("POST", "/main", &own, "post=mine").leads_to("/main");
    assert!(!ada.get("/main").body.contains("gotcha"));
}

#[test]
fn a_slow_browser_is_cut_off() {
    let site = Site::start();
    let mut slow_head = TcpStream::connect(&site.address).unwrap();
    slow_head.write_all(b"GET /livez HT").unwrap();
    let mut slow_body = TcpStream::connect(&site.address).unwrap();
    let head = "POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    slow_body.write_all(format!("{head}Content-Length: 100\r\n\r\nuser").as_bytes()).unwrap();
    let began = Instant::now();
    let mut answer = Vec::new();
    slow_body.read_to_end(&mut answer).unwrap();
    assert_eq!(parse(&answer).status, 408);
    slow_head.read_to_end(&mut answer).unwrap();
    assert!(began.elapsed() < Duration::from_millis(5_000), "{:?}", began.elapsed());
}

#[test]
fn a_connection_is_kept_between_requests() {
    let site = Site::start();
    let mut stream = TcpStream::connect(&site.address).unwrap();
    let mut ask = |pause| {
        std::thread::sleep(Duration::from_millis(pause));
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut answer = [0; 4096];
        let bytes = stream.read(&mut answer).unwrap();
        assert_eq!(parse(&answer[..bytes]).status, 200);
    };
    ask(0);
    // Longer than a request head may take: the timeout between requests is longer.
    ask(3_500);
    let began = Instant::now();
    site.stop();
    assert!(began.elapsed() < Duration::from_secs(2), "an idle connection holds up the stop");
}

#[test]
fn a_port_that_is_taken_is_named_with_its_flag() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let options = WebOptions::new(listen.clone(), Vec::new(), testkit::keys::keys());
    let failure = smol::block_on(web::bind(&options)).unwrap_err();
    assert_eq!(failure.exit, Exit::Refused);
    let port = listen.rsplit(':').next().unwrap();
    assert!(failure.message.contains(&format!("port {port} is taken")), "{failure}");
    assert!(failure.message.contains("--listen") && failure.message.contains("--web"), "{failure}");
}
