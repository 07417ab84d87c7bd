//! The pages in headless Chromium. Skipped where there is none.
//!
//! With RIBBIT_PICTURES=FOLDER every page is also saved there, narrow and wide, light and dark, as PNG in base64.

// A test that cannot go on may panic where it stands.
#![allow(clippy::unwrap_used)]

#[path = "support/driver.rs"]
#[allow(dead_code)] // What only other tests do with it.
mod driver;
#[path = "support/group.rs"]
#[allow(dead_code)] // What only the tests without a browser do to a group.
mod group;
#[path = "support/http.rs"]
#[allow(dead_code)]
mod http;
#[path = "support/site.rs"]
mod site;

use driver::Driver;
use group::Mood;
use http::Browser;
use site::Site;

struct Visit {
    site: Site,
    driver: Driver,
}

impl Visit {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.site.address)
    }

    #[track_caller]
    fn go(&self, path: &str) {
        self.driver.go(&self.url(path));
    }

    #[track_caller]
    fn fill(&self, fields: &[(&str, &str)]) {
        for (field, text) in fields {
            self.driver.type_into(&format!("[name={field}]"), text);
        }
        self.driver.click("main form button");
    }

    #[track_caller]
    fn shows(&self, path: &str, words: &str) {
        let text = self.driver.text("body");
        assert!(text.contains(words), "no {words:?} in {text:?}");
        assert_eq!(self.driver.path(), path);
    }

    /// Looks at the page in every way: nothing may stick out at the side.
    #[track_caller]
    fn look(&self, name: &str) {
        for (width, dark) in [(320, false), (360, false), (360, true), (1200, false), (1200, true)] {
            self.driver.look(width, dark);
            let wide =
                self.driver.run("return document.documentElement.scrollWidth").as_u64().expect("a number");
            assert!(wide <= u64::from(width), "{name} is {wide} wide in a window of {width}");
            if let Some(folder) = std::env::var_os("RIBBIT_PICTURES") {
                let shade = if dark { "dark" } else { "light" };
                let file = std::path::Path::new(&folder).join(format!("{name}-{width}-{shade}.b64"));
                std::fs::write(file, self.driver.picture()).expect("the folder can be written to");
            }
        }
    }

    fn join(&self, name: &str, username: &str) {
        self.go("/create");
        self.fill(&[("name", name), ("username", username), ("email", "a@pond"), ("password", "password")]);
        self.shows(&format!("/login?created={username}"), "Your account is ready");
        self.fill(&[("password", "password")]);
        self.shows("/main", "Feed");
    }
}

#[test]
fn a_person_goes_through_every_page() {
    if driver::missing() {
        return;
    }
    let visit = Visit { site: Site::start(), driver: Driver::start() };
    visit.go("/");
    visit.shows("/login", "Log in");
    visit.look("login");
    visit.go("/create");
    visit.look("create");
    visit.fill(&[("name", "Bob"), ("username", "no such name"), ("email", "pond"), ("password", "short")]);
    visit.shows("/create", "that entry is not valid (606)");
    visit.look("create-refused");
    visit.join("Bob the <Builder>", "bob");
    visit.fill(&[("post", "Heavy rain at the north pond.\nBring boots!")]);
    visit.driver.click("nav a[href='/logout']");
    visit.shows("/logout", "Stay logged in");
    visit.look("logout");
    visit.driver.click("main form button");
    visit.shows("/login", "Log in");
    visit.fill(&[("username", "bob"), ("password", "not it at all")]);
    visit.shows("/login", "the password is wrong (602)");
    visit.look("login-refused");
    visit.join("Ada", "ada");
    visit.look("feed-empty");
    croaking(&visit);
    befriending(&visit);
    trouble(&visit);
    visit.go("/delete");
    visit.look("delete");
    visit.fill(&[("password", "password")]);
    visit.shows("/login?note=deleted", "Your account is deleted");
    for complaint in visit.driver.complaints() {
        // Statuses of refused forms are noted by the browser, and are meant.
        assert!(complaint.contains("Failed to load resource"), "{complaint}");
    }
}

fn croaking(visit: &Visit) {
    visit.fill(&[("post", "Two lines,\n  the second indented. <b>& \"quotes\"</b>")]);
    visit.shows("/main", "Two lines,\n  the second indented. <b>& \"quotes\"</b>");
    visit.fill(&[("post", &"quak ".repeat(21))]);
    visit.shows("/main", "a croak has at most 100 characters (512); this one has 105");
    visit.look("croak-refused");
    visit.go("/main");
    visit.fill(&[("post", &"w".repeat(100))]);
    // Typing takes a browser its time: most of a long feed comes another way.
    let mut quick = Browser::new(&visit.site.address);
    quick.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
    for number in 1..=50 {
        quick.croak(&format!("Croak number {number}"));
    }
    visit.go("/main");
    visit.shows("/main", "Older croaks");
    visit.look("feed-full");
    visit.driver.click("a[rel=next]");
    visit.look("feed-older");
    let text = visit.driver.text("body");
    assert!(text.contains("Two lines") && !text.contains("Croak number 50"), "{text}");
}

fn befriending(visit: &Visit) {
    visit.go("/manage");
    visit.look("friends-empty");
    visit.fill(&[("username", "nobody")]);
    visit.shows("/manage", "there is no user of that name (601)");
    visit.look("friends-refused");
    visit.go("/manage");
    visit.fill(&[("username", "Bob")]);
    visit.shows("/manage?note=added", "Added.");
    visit.look("friends");
    visit.go("/main?before=50");
    visit.shows("/main?before=50", "Bring boots!");
    visit.go("/manage");
    visit.driver.click("button[value=remove]");
    visit.shows("/manage?note=removed", "Nobody yet.");
}

fn trouble(visit: &Visit) {
    visit.go("/main");
    visit.site.group.be(Mood::Gone);
    visit.fill(&[("post", "Is anybody there?")]);
    visit.shows("/main", "No servers are running");
    visit.look("trouble");
    let typed = visit.driver.run("return document.querySelector('textarea').value");
    assert_eq!(typed.as_str(), Some("Is anybody there?"));
    visit.go("/manage");
    visit.shows("/manage", "No servers are running");
    visit.look("trouble-read");
    visit.site.group.be(Mood::Well);
    // The page tries again by itself. Looked at in one step: between two it may be another page.
    let came_back = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let heading = visit.driver.run("return document.querySelector('h1')?.innerText ?? ''");
        heading.as_str() == Some("Friends")
    });
    assert!(came_back, "a page in trouble asks again by itself");
    visit.site.group.be(Mood::Minority);
    visit.go("/main");
    visit.shows("/main", "what you see may be old");
    visit.look("old");
    visit.site.group.be(Mood::Well);
    visit.go("/status");
    visit.look("status-one");
    let foot = visit.driver.text("footer");
    assert!(foot.contains("How the servers are"), "{foot}");
    visit.go("/pond");
    visit.look("missing");
}
