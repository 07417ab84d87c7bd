//! What arrives on open pages apart from the feed: croaks for everyone, and what is unread in rooms.

use super::Visit;
use testkit::driver::Driver;
use testkit::http::Browser;

/// Returns another browser with the session of this one.
fn elsewhere(visit: &Visit) -> Browser {
    let mut elsewhere = Browser::new(&visit.site.address);
    elsewhere.cookies = visit.driver.cookies();
    elsewhere
}

#[track_caller]
fn awaits_button(driver: &Driver, words: &str) {
    driver.awaits(&format!("return document.querySelector('.arrivals button')?.textContent == '{words}'"));
}

#[test]
fn croaks_for_everyone_arrive_where_they_are_listed() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    let (mut bob, mut carl) = (Browser::new(&visit.site.address), Browser::new(&visit.site.address));
    bob.join("bob");
    carl.join("carl");
    visit.join("Ada", "ada");
    let mut ada = elsewhere(&visit);
    ada.post("/manage", &[("username", "bob"), ("choice", "add")]).leads_to("/manage?note=added");
    carl.croak("from before");
    visit.go("/everyone");
    driver.look(360, false);
    driver.type_into("textarea", "half a th");
    // Ada follows bob and not carl. What bob says to followers is not for this page.
    carl.croak("one");
    awaits_button(driver, "1 new croak");
    bob.post("/main", &[("post", "between us"), ("audience", "followers")]).leads_to("/main");
    bob.croak("two");
    awaits_button(driver, "2 new croaks");
    visit.look("everyone-fresh");
    driver.press(".arrivals button");
    let texts = "return [...document.querySelectorAll('.text')].map((text) => text.textContent).join('|')";
    assert_eq!(driver.run(texts), "two|one|from before");
    assert_eq!(driver.run("return document.querySelector('textarea').value"), "half a th");
    ada.get("/main").says(200, "2 new croaks since your last visit");
    // What is gone goes.
    driver.click("nav.tabs a[href='/everyone']");
    driver.awaits("return document.querySelector('body > .sr') != null");
    carl.croak("three");
    awaits_button(driver, "1 new croak");
    let three = id_of(&carl.get("/everyone").body, "three");
    carl.post(&format!("/croak/{three}"), &[]);
    driver.awaits("return document.querySelector('.arrivals button') == null");
    assert_eq!(driver.complaints(), Vec::<String>::new());
}

/// Returns the id of the croak with this text.
fn id_of(page: &str, text: &str) -> String {
    let before = page.split(&format!(">{text}</p>")).next().expect("split gives a first part");
    let id = before.rsplit("id=\"croak-").next().expect("a croak").split('"').next();
    id.expect("the end of the attribute").to_string()
}

#[test]
fn the_navigation_counts_what_is_unread_in_rooms() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    let mut bob = Browser::new(&visit.site.address);
    bob.join("bob");
    visit.join("Ada", "ada");
    let mut ada = elsewhere(&visit);
    for room in ["pond", "lake"] {
        bob.post("/rooms", &[("room", room), ("open", "yes")]).leads_to(&format!("/rooms/{room}"));
        ada.post(&format!("/rooms/{room}"), &[("choice", "join")]).leads_to(&format!("/rooms/{room}"));
        bob.post(&format!("/rooms/{room}"), &[("message", "before")]);
    }
    let badge = "return document.querySelector(\"nav a[href='/rooms'] .badge\").textContent";
    visit.go("/main");
    assert_eq!(driver.run(badge), "2");
    visit.look("rooms-badge");
    // Each message of others counts, own ones do not.
    bob.post("/rooms/pond", &[("message", "hello")]);
    driver.awaits(&format!("{badge} == '3'"));
    ada.post("/rooms/pond", &[("message", "hello, bob")]);
    bob.post("/rooms/lake", &[("message", "hello")]);
    driver.awaits(&format!("{badge} == '4'"));
    // What is read in another browser counts no longer.
    let page = ada.get("/rooms/pond").body;
    let receipt =
        page.split("class=\"receipt\" src=\"").nth(1).expect("a receipt").split('"').next().unwrap();
    assert_eq!(ada.get(&receipt.replace("&#38;", "&")).status, 200);
    driver.awaits(&format!("{badge} == '2'"));
    // In an open room only the others count.
    driver.click("nav a[href='/rooms']");
    driver.click("a[href='/rooms/lake']");
    driver.awaits("return document.querySelector('h1').textContent == '#lake'");
    driver.awaits(&format!("{badge} == ''"));
    bob.post("/rooms/lake", &[("message", "you see this")]);
    driver.awaits("return document.querySelector('#sayings').textContent.includes('you see this')");
    // It may count for the moment until the page's receipt has arrived.
    driver.awaits(&format!("{badge} == ''"));
    bob.post("/rooms/pond", &[("message", "but not this")]);
    driver.awaits(&format!("{badge} == '1'"));
    assert_eq!(driver.complaints(), Vec::<String>::new());
}

#[test]
fn a_bio_is_no_draft() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    visit.join("Ada", "ada");
    let mut ada = elsewhere(&visit);
    let mut save = |bio: &str| {
        ada.post("/settings", &[("choice", "profile"), ("name", "Ada"), ("bio", bio), ("links", "")]);
        visit.go("/settings");
        driver.awaits("return document.querySelector('body > .sr') != null");
        driver.run("return document.querySelector('#bio').value")
    };
    assert_eq!(save("I like rain"), "I like rain");
    // It was cleared in another browser, and is not put back here.
    assert_eq!(save(""), "");
}
