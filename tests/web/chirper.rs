//! The addresses of Chirper's web server, as its users' programs post to them.

use testkit::http::{Browser, Reply};
use testkit::site::Site;

const SECRET: &str = "frogs and ponds";

fn register(browser: &mut Browser, name: &str, password: &str) -> Reply {
    browser.post("/register", &[("Username", name), ("Password", password)])
}

fn log_in(browser: &mut Browser, name: &str, password: &str) -> Reply {
    browser.post("/login", &[("Username", name), ("Password", password)])
}

fn joined(site: &Site, name: &str) -> Browser {
    let mut browser = Browser::new(&site.address);
    register(&mut browser, name, SECRET).leads_to("/login");
    log_in(&mut browser, name, SECRET).leads_to("/home");
    browser
}

/// Returns the texts of the posts on a page.
fn posts(page: &Reply) -> Vec<&str> {
    let texts = page.body.split("<p class=\"text\">").skip(1);
    texts.map(|rest| rest.split("</p>").next().expect("the end of a text")).collect()
}

#[test]
fn the_addresses_of_chirper_are_served_with_the_flag_alone() {
    let site = Site::start_with(|options| options.chirper_pages = false);
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    for path in ["/register", "/home", "/post", "/browse", "/user/ada", "/follow", "/delete_account"] {
        assert_eq!(ada.get(path).status, 404, "{path}");
    }
    let mut stranger = Browser::new(&site.address);
    assert_eq!(log_in(&mut stranger, "ada", "correct horse").status, 422);
}

#[test]
fn people_register_and_log_in_as_at_chirper() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.get("/register").says(200, "name=\"Username\"");
    register(&mut ada, "", SECRET).says(422, "Error: please provide a username");
    register(&mut ada, "ada", "").says(422, "Error: please provide a password");
    register(&mut ada, "a b", SECRET).says(422, "Error: ");
    register(&mut ada, "ada", "short").says(422, "Error: ");
    register(&mut ada, "Ada", SECRET).leads_to("/login");
    register(&mut ada, "ADA", SECRET).says(422, "username not available");
    log_in(&mut ada, "ada", "open sesame").says(422, "Error: username or password incorrect");
    log_in(&mut ada, "nobody", SECRET).says(422, "Error: username or password incorrect");
    log_in(&mut ada, "Ada", SECRET).leads_to("/home");
    ada.get("/register").leads_to("/home");
    ada.get("/home").says(200, "Welcome ada");
    ada.get("/delete_account").leads_to("/delete");
    Browser::new(&site.address).get("/delete_account").leads_to("/");
}

#[test]
fn people_post_and_follow_as_at_chirper() {
    let site = Site::start();
    let (mut ada, mut bob) = (joined(&site, "ada"), joined(&site, "bob"));
    let long = "x".repeat(101);
    for status in ["first", "", " ", &long, "<second>"] {
        ada.post("/post", &[("status", status)]).leads_to("/home");
    }
    assert_eq!(posts(&ada.get("/home")), ["first", "&#60;second&#62;"]);
    bob.get("/browse").says(200, "<a href=\"/user/ada\">ada</a>");
    assert!(!bob.get("/browse").body.contains("/user/bob"));
    let page = bob.get("/user/ADA");
    assert_eq!(posts(&page), ["first", "&#60;second&#62;"]);
    page.says(200, "<input type=\"submit\" value=\"Follow\">");
    bob.post("/follow", &[("username", "Ada")]).leads_to("/user/Ada");
    bob.get("/user/ada").says(200, "<input type=\"submit\" value=\"Unfollow\">");
    bob.get("/home").says(200, "<a href=\"/user/ada\">ada</a>");
    ada.get("/user/bob").says(200, "<a href=\"/user/ada\">ada</a>");
    bob.post("/follow", &[("username", "ada")]).leads_to("/user/ada");
    assert!(!bob.get("/home").body.contains("/user/ada"));
    bob.post("/follow", &[("username", "no body/é")]).leads_to("/user/no%20body%2F%C3%A9");
    for unknown in ["/user/nobody", "/user/no%20body"] {
        bob.get(unknown).leads_to("/home");
    }
    // The same people and croaks as everywhere.
    bob.get("/@ada").says(200, "first");
    bob.croak("from the feed");
    assert_eq!(posts(&ada.get("/user/bob")), ["from the feed"]);
}
