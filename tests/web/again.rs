//! The `seen` cookie, and forms that come back with the same request id until their outcome is decided.

use ribbit_net::protocol::UnavailableReason;
use ribbit_state::Code;
use std::time::{Duration, Instant};
use testkit::group::Mood;
use testkit::http::Browser;
use testkit::site::Site;

/// Starts two web processes of one cluster, and a browser that knows only the first.
fn two_sites() -> (Site, Site, Browser) {
    let first = Site::start();
    let servers = vec![first.group.address.clone()];
    let second = Site::start_with(|options| options.servers = servers);
    let browser = Browser::new(&first.address);
    (first, second, browser)
}

#[test]
fn a_log_in_waits_for_the_account_that_this_browser_has_created() {
    let (first, second, mut ada) = two_sites();
    first.group.lag(2);
    let fields = [("name", "Ada"), ("username", "ada"), ("email", "a@b"), ("password", "password")];
    ada.post("/create", &fields).leads_to("/main?note=welcome");
    ada.address.clone_from(&second.address);
    ada.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
}

#[test]
fn a_log_in_waits_for_the_password_that_this_browser_has_set() {
    let (first, second, mut ada) = two_sites();
    ada.join("ada");
    first.group.lag(2);
    let fields = [("choice", "password"), ("password", "password"), ("new-password", "another one")];
    ada.post("/settings", &fields).leads_to("/settings?note=new-password");
    ada.address.clone_from(&second.address);
    ada.post("/login", &[("username", "ada"), ("password", "another one")]).leads_to("/main");
}

const PAGES: [&str; 11] = [
    "/main",
    "/manage",
    "/messages",
    "/messages/ada",
    "/rooms",
    "/people",
    "/@ada",
    "/settings",
    "/login",
    "/create",
    "/delete",
];

/// Returns the index of a token, or of a form's request id.
fn index(text: &str) -> u64 {
    text.rsplit_once('.').unwrap().1.parse().unwrap()
}

#[test]
fn a_token_that_no_server_gave_out_is_dropped() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    let honest = ada.cookies["seen"].clone();
    let (history, _) = honest.split_once('.').unwrap();
    for ahead in [index(&honest) + 1, u64::MAX] {
        for path in PAGES {
            ada.cookies.insert("seen".into(), format!("{history}.{ahead}"));
            let began = Instant::now();
            let page = ada.get(path);
            assert_eq!(page.status, 200, "{path} {}", page.body);
            assert!(began.elapsed() < Duration::from_secs(1), "{path} took {:?}", began.elapsed());
            assert!(!page.body.contains("may be out of date"), "{path} {}", page.body);
            assert_eq!(index(&ada.cookies["seen"]), index(&honest), "{path}");
        }
    }
    ada.cookies.insert("seen".into(), format!("{history}.{}", u64::MAX));
    ada.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
}

/// Without a majority it is not known whether a token is valid. It is kept, since it may be honest, and pages say meanwhile that they
/// may be out of date.
#[test]
fn a_state_older_than_the_browser_has_seen_is_marked_and_forms_work() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    ada.croak("from before");
    let honest = ada.cookies["seen"].clone();
    let ahead = format!("{}.{}", honest.split_once('.').unwrap().0, index(&honest) + 7);
    site.group.be(Mood::Minority);
    std::thread::scope(|scope| {
        for path in PAGES {
            let mut ada = ada.clone();
            ada.cookies.insert("seen".into(), ahead.clone());
            let (honest, ahead) = (honest.clone(), ahead.clone());
            scope.spawn(move || {
                let began = Instant::now();
                let page = ada.get(path);
                assert_eq!(page.status, 200, "{path} {}", page.body);
                assert!(began.elapsed() < Duration::from_secs(4), "{path} took {:?}", began.elapsed());
                if !["/login", "/create", "/delete"].contains(&path) {
                    assert!(page.body.contains("may be out of date"), "{path} {}", page.body);
                }
                assert_eq!(ada.cookies["seen"], ahead, "{path}");
                // A form with a future index would be refused for good.
                let late = page.requests().into_iter().find(|request| index(request) > index(&honest));
                assert_eq!(late, None, "{path}");
            });
        }
    });
    // Once there is a majority again, the token is known to be invalid.
    site.group.be(Mood::Well);
    ada.cookies.insert("seen".into(), ahead);
    let page = ada.get("/main");
    page.says(200, "from before");
    assert!(!page.body.contains("may be out of date"), "{}", page.body);
    assert_eq!(ada.cookies["seen"], honest);
}

type Fields<'a> = &'a [(&'a str, &'a str)];

/// Returns every form with a request id, filled in so that it could succeed.
fn forms(croak: &str) -> Vec<(String, Fields<'static>)> {
    let filled: [(&str, Fields); 10] = [
        ("/create", &[("name", "Eve"), ("username", "eve"), ("email", "e@e"), ("password", "password")]),
        ("/main", &[("post", "hold this")]),
        ("/manage", &[("username", "bob"), ("choice", "add")]),
        ("/manage", &[("username", "bob"), ("choice", "remove")]),
        ("/messages/bob", &[("message", "hold this")]),
        ("/rooms", &[("room", "pond")]),
        ("/settings", &[("choice", "profile"), ("name", "Ada L"), ("email", "a@b")]),
        ("/settings", &[("choice", "password"), ("password", "password"), ("new-password", "another one")]),
        ("/settings", &[("choice", "others")]),
        ("/settings", &[("choice", "end"), ("opened", "7")]),
    ];
    let mut forms: Vec<_> = filled.into_iter().map(|(path, fields)| (path.to_string(), fields)).collect();
    forms.push((croak.to_string(), &[]));
    forms.push(("/logout".to_string(), &[]));
    forms.push(("/delete".to_string(), &[("password", "password")]));
    forms
}

/// Returns a site where ada has croaked, the path of the croak, and a request id of one of her forms.
fn site_of_ada() -> (Site, Browser, String, String) {
    let site = Site::start();
    let (mut ada, mut bob) = (Browser::new(&site.address), Browser::new(&site.address));
    ada.join("ada");
    bob.join("bob");
    ada.croak("take me back");
    let page = ada.get("/main");
    let croak = page.body.split("href=\"/croak/").nth(1).unwrap().split('"').next().unwrap();
    let request = page.requests().remove(0);
    (site, ada, format!("/croak/{croak}"), request)
}

#[test]
fn a_form_refused_by_a_server_keeps_its_request_id() {
    let (site, ada, croak, request) = site_of_ada();
    for mood in [
        Mood::Unavailable(UnavailableReason::NoLeader),
        Mood::Busy,
        Mood::Gone,
        Mood::Refusing(Code::DisksFull),
        Mood::Refusing(Code::TooMuchWritten),
        Mood::Refusing(Code::NotLoggedIn),
        Mood::Refusing(Code::WrongPassword),
    ] {
        site.group.be(mood);
        std::thread::scope(|scope| {
            for (path, fields) in forms(&croak) {
                let (mut ada, request) = (ada.clone(), request.clone());
                scope.spawn(move || {
                    let page = ada.post(&path, &[fields, &[("request", &request)]].concat());
                    // Without a session, logging out has already succeeded.
                    if path == "/logout" && mood == Mood::Refusing(Code::NotLoggedIn) {
                        return page.leads_to("/login");
                    }
                    assert!([422, 429, 503].contains(&page.status), "{path} {mood:?} {}", page.body);
                    assert!(page.requests().contains(&request), "{path} {fields:?} {mood:?} {}", page.body);
                });
            }
        });
    }
    // None of the forms took effect, and each still may.
    site.group.be(Mood::Well);
    let mut ada = ada;
    ada.post("/main", &[("post", "hold this"), ("request", &request)]).leads_to("/main");
}

#[test]
fn a_form_refused_by_the_web_role_keeps_its_request_id() {
    let (_site, ada, _, request) = site_of_ada();
    let long = "x".repeat(1_001);
    let refused: [(&str, Fields); 8] = [
        ("/create", &[("name", ""), ("username", "eve"), ("email", "e@e"), ("password", "password")]),
        ("/main", &[("post", &long)]),
        ("/main", &[("post", "")]),
        ("/manage", &[("username", "not a name"), ("choice", "add")]),
        ("/manage", &[("username", "bob"), ("choice", "neither")]),
        ("/messages/bob", &[("message", &long)]),
        ("/settings", &[("choice", "profile"), ("name", ""), ("email", "a@b")]),
        ("/settings", &[("choice", "password"), ("password", "password"), ("new-password", "short")]),
    ];
    for (path, fields) in refused {
        let page = ada.clone().post(path, &[fields, &[("request", &request)]].concat());
        assert_eq!(page.status, 422, "{path} {}", page.body);
        assert!(page.requests().contains(&request), "{path} {fields:?} {}", page.body);
    }
}

/// Once the log has decided, the next form is another request.
#[test]
fn a_form_refused_by_the_log_gets_a_new_request_id() {
    let refused: [(&str, Fields); 4] = [
        ("/create", &[("name", "Bob"), ("username", "bob"), ("email", "b@b"), ("password", "password")]),
        ("/manage", &[("username", "nobody"), ("choice", "add")]),
        ("/messages/nobody", &[("message", "hello")]),
        ("/settings", &[("choice", "end"), ("opened", "7")]),
    ];
    let (_site, ada, ..) = site_of_ada();
    for (path, fields) in refused {
        let mut ada = ada.clone();
        let request = ada.get("/main").requests().remove(0);
        let page = ada.post(path, &[fields, &[("request", &request)]].concat());
        assert_eq!(page.status, 422, "{path} {}", page.body);
        assert!(!page.requests().contains(&request), "{path} {fields:?} {}", page.body);
        let page = ada.post("/main", &[("post", "something else"), ("request", &request)]);
        page.refuses(Code::RequestReused);
        assert!(!page.requests().contains(&request), "{}", page.body);
    }
}
