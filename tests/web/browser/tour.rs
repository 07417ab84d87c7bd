//! A user goes through every page.

use super::Visit;
use ribbit_state::{Code, Denied, Inviters, OperatorCommand};
use ribbit_ui::words::refusal;
use testkit::group::Mood;
use testkit::http::Browser;

#[test]
fn a_person_goes_through_every_page_with_scripts() {
    if let Some(visit) = Visit::start(true) {
        tour(&visit);
    }
}

#[test]
fn a_person_goes_through_every_page_without_scripts() {
    if let Some(visit) = Visit::start(false) {
        tour(&visit);
    }
}

#[test]
fn a_person_goes_through_conversations_and_rooms_with_scripts() {
    if let Some(visit) = Visit::start(true) {
        together(&visit);
    }
}

#[test]
fn a_person_goes_through_conversations_and_rooms_without_scripts() {
    if let Some(visit) = Visit::start(false) {
        together(&visit);
    }
}

/// Bob has written, replied, mentioned, shared and invited before ada looks around.
fn together(visit: &Visit) {
    let driver = &visit.driver;
    let [mut bob, mut carl] = ["bob", "carl"].map(|name| {
        let mut browser = Browser::new(&visit.site.address);
        browser.join(name);
        browser
    });
    visit.join("Ada Lovelace", "ada");
    for text in ["Heavy #rain at the north pond, @ada", "It stopped. https://weather.example/north"] {
        bob.croak(text);
    }
    bob.post("/rooms", &[("room", "pond"), ("topic", "All wet things"), ("open", "yes"), ("history", "yes")]);
    bob.post("/rooms/pond", &[("message", "Who has the key of the boat house?")]);
    bob.post("/rooms", &[("room", "crew"), ("topic", "Who sails when")]);
    bob.post("/rooms/crew/members", &[("username", "ada"), ("choice", "invite")]);
    visit.go("/everyone");
    visit.shows("/everyone", "Heavy #rain");
    visit.look("everyone");
    above_the_fold(visit);
    let id = driver.run("return document.querySelectorAll('article')[1].id.replace('croak-', '')");
    let id = id.as_str().expect("an id").to_string();
    driver.click(&format!("#croak-{id} a[href$='#reply']"));
    visit.fill(&[("post", "I have boots.")]);
    let thread = format!("/croak/{id}");
    assert!(driver.path().starts_with(&thread), "{}", driver.path());
    let reply =
        driver.run("return [...document.querySelectorAll('article')].at(-1).id.replace('croak-', '')");
    carl.post("/main", &[("post", "Me too."), ("reply_to", reply.as_str().expect("an id"))]);
    carl.post("/like", &[("croak", &id), ("choice", "add")]);
    carl.post("/share", &[("croak", &id), ("choice", "add")]);
    visit.go(&thread);
    visit.shows(&thread, "Me too.");
    visit.look("thread");
    driver.click(&format!("#croak-{id} a[href$='/likes']"));
    visit.shows(&format!("{thread}/likes"), "carl");
    visit.look("likes");
    driver.click("nav a[href='/notifications']");
    visit.shows("/notifications", "bob");
    visit.look("notifications");
    searching(visit);
    in_rooms(visit);
    keeping_away(visit);
    for complaint in driver.complaints() {
        assert!(complaint.contains("Failed to load resource"), "{complaint}");
    }
}

fn searching(visit: &Visit) {
    visit.go("/search");
    visit.look("search-empty");
    visit.fill(&[("q", "bo")]);
    visit.shows("/search?q=bo", "bob");
    visit.look("search");
    visit.go("/search?q=%23rain");
    visit.driver.click("article .text a[href='/tag/rain']");
    visit.shows("/tag/rain", "Heavy #rain");
    visit.look("tag");
    visit.go("/search?q=nothing");
    visit.shows("/search?q=nothing", "No matches.");
    visit.look("search-none");
}

fn in_rooms(visit: &Visit) {
    let driver = &visit.driver;
    driver.click("nav a[href='/rooms']");
    visit.shows("/rooms", "invited you");
    visit.look("rooms-invited");
    driver.click("form[action='/rooms/crew'] button[value=join]");
    visit.shows("/rooms/crew", "Nothing said yet. Say hello!");
    visit.look("room-empty");
    visit.go("/rooms/pond");
    visit.look("room-stranger");
    driver.click("button[value=join]");
    visit.fill(&[("message", "Under the stone. @bob")]);
    visit.shows("/rooms/pond", "Under the stone.");
    visit.look("room-two");
    driver.click("main a[href='/rooms/pond/members']");
    visit.look("room-members");
    driver.click("main a[href='/rooms/pond']");
    driver.click("main a[href='/rooms/pond/settings']");
    visit.look("room-leave");
    visit.go("/rooms/none");
    visit.look("room-none");
}

fn keeping_away(visit: &Visit) {
    let driver = &visit.driver;
    visit.go("/report?person=carl");
    visit.look("report");
    visit.go("/@carl");
    driver.run("document.querySelector('.profile details').open = true");
    visit.look("profile-menu");
    driver.click("button[value=mute]");
    visit.go("/muted");
    visit.shows("/muted", "carl");
    visit.look("muted");
    visit.go("/@carl");
    driver.run("document.querySelector('.profile details').open = true");
    driver.click("button[value=block]");
    visit.go("/blocked");
    visit.shows("/blocked", "carl");
    visit.look("blocked");
    visit.go("/@carl");
    visit.shows("/@carl", "You have blocked @carl");
    visit.look("profile-blocked");
}

/// On a phone the first croak is visible without scrolling, and the navigation is a bar at the bottom.
fn above_the_fold(visit: &Visit) {
    visit.driver.resize(360, 640);
    let bar = "document.querySelector('header nav').getBoundingClientRect()";
    assert_eq!(visit.driver.run(&format!("return {bar}.bottom == 640 && {bar}.width == 360")), true);
    let visible = format!(
        "let text = document.querySelector('article .text').getBoundingClientRect();
         return scrollY == 0 && text.top > 0 && text.bottom < {bar}.top"
    );
    assert_eq!(visit.driver.run(&visible), true, "the first croak is below the fold");
    visit.fits("above the fold", 360);
    visit.driver.look(640, false);
}

fn tour(visit: &Visit) {
    visit.go("/");
    visit.shows("/", "Sign up");
    visit.look("landing");
    visit.driver.click("main a[href='/login']");
    visit.shows("/login", "Log in");
    visit.look("login");
    visit.go("/create");
    visit.look("create");
    visit.fill(&[("name", "Bob"), ("username", "no such name"), ("email", "pond"), ("password", "short")]);
    visit.shows("/create", "Use 1 to 32 characters");
    visit.look("create-refused");
    visit.join("Bob the <Builder>", "bob");
    visit.fill(&[("post", "Heavy rain at the north pond.\nBring boots!")]);
    visit.driver.click("nav a[href='/logout']");
    visit.shows("/logout", "Stay logged in");
    visit.look("logout");
    visit.driver.click("main form button");
    visit.shows("/login", "Log in");
    visit.fill(&[("username", "bob"), ("password", "not it at all")]);
    visit.shows("/login", &refusal(Denied::new(Code::WrongPassword)));
    visit.look("login-refused");
    visit.join("Ada", "ada");
    visit.look("feed-empty");
    croaking(visit);
    befriending(visit);
    people_and_settings(visit);
    if visit.scripts {
        trouble_with_scripts(visit);
    } else {
        trouble_without_scripts(visit);
    }
    old_and_around(visit);
    visit.go("/delete");
    visit.look("delete");
    visit.fill(&[("password", "password")]);
    visit.shows("/login?note=deleted", "Your account and your croaks are deleted");
    for complaint in visit.driver.complaints() {
        // The browser reports the status codes of refused forms, which are expected.
        assert!(complaint.contains("Failed to load resource"), "{complaint}");
    }
}

fn croaking(visit: &Visit) {
    visit.fill(&[("post", "Two lines,\n  the second indented. <b>& \"quotes\"</b>")]);
    visit.shows("/main", "Two lines,\n  the second indented. <b>& \"quotes\"</b>");
    visit.fill(&[("post", &"quak ".repeat(21))]);
    visit.shows("/main", &format!("{} Yours has 105 characters.", refusal(Denied::new(Code::CroakTooLong))));
    visit.look("croak-refused");
    visit.go("/main");
    // With scripts a refused text is kept to be corrected.
    assert_eq!(typed(visit).is_empty(), !visit.scripts);
    visit.driver.clear("textarea");
    visit.fill(&[("post", &"w".repeat(100))]);
    visit.shows("/main", &"w".repeat(100));
    // Typing is slow in a browser, so most of a long feed is posted directly.
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
    visit.shows("/manage", &refusal(Denied::new(Code::NoSuchUser)));
    visit.look("friends-refused");
    visit.go("/manage");
    visit.fill(&[("username", "Bob")]);
    visit.shows("/manage?note=added", "Now following.");
    visit.look("friends");
    visit.go("/main?before=50");
    visit.shows("/main?before=50", "Bring boots!");
    visit.go("/manage");
    visit.driver.click("button[value=remove]");
    visit.shows("/manage?note=removed", "You don't follow anyone yet.");
}

fn people_and_settings(visit: &Visit) {
    visit.driver.click("nav a[href='/people']");
    visit.shows("/people", "Bob the <Builder>");
    visit.look("people");
    visit.driver.click("a[href='/@bob']");
    visit.shows("/@bob", "Bring boots!");
    visit.look("profile");
    visit.driver.click(".croak a.when");
    visit.shows(&visit.driver.path(), "Bring boots!");
    visit.look("croak");
    visit.driver.back();
    visit.driver.click("a[href='/messages/bob']");
    visit.fill(&[("message", "Which boots?")]);
    visit.shows("/messages/bob", "Which boots?");
    visit.look("talk-one");
    visit.driver.click("nav a[href='/messages']");
    visit.shows("/messages", "Which boots?");
    visit.look("talks-one");
    visit.driver.click("nav a[href='/settings']");
    visit.shows("/settings", "Where you're logged in");
    visit.look("settings");
    visit.driver.click("main a[href='/settings/feeds']");
    visit.shows("/settings/feeds", "You have none.");
    visit.look("feed-addresses-none");
    visit.driver.click("button[value=make]");
    visit.shows("/settings/feeds", "it is not shown again");
    visit.look("feed-addresses");
    visit.driver.click("button[value=end]");
    visit.shows("/settings/feeds?note=feed-address-ended", "You have none.");
    inviting(visit);
}

fn inviting(visit: &Visit) {
    visit.site.group.operate(OperatorCommand::SetInviters { inviters: Inviters::Everyone });
    visit.go("/settings");
    visit.driver.click("main a[href='/invitations']");
    visit.shows("/invitations", "You have none.");
    visit.look("invitations");
    visit.driver.click("button[value=make]");
    visit.shows("/invitations", "0 of 1 used, 7 days left");
    // The code differs each time, so there is no picture of it.
    let size = visit.driver.run(
        "const box = document.querySelector('svg.qr').getBoundingClientRect(); \
                                 return box.width === box.height && box.width >= 200",
    );
    assert_eq!(size, true, "the QR code is too small");
    if let Some(axe) = &visit.axe {
        let found = axe.violations(&visit.driver);
        assert!(found.is_empty(), "{found:?}");
    }
    visit.driver.click("button[value=revoke]");
    visit.shows("/invitations?note=uninvited", "You have none.");
}

/// Text stays, and is sent when the servers are back.
fn trouble_with_scripts(visit: &Visit) {
    visit.go("/main");
    visit.site.group.be(Mood::Gone);
    visit.driver.type_into("textarea", "Is anybody there?");
    visit.driver.leads_away(|| {
        visit.driver.press("main form button");
        visit.driver.awaits(
            "return document.querySelector('.sending')?.textContent.startsWith('No servers are running.')",
        );
        visit.look("trouble");
        assert_eq!(typed(visit), "Is anybody there?");
        visit.site.group.be(Mood::Well);
    });
    visit.shows("/main", "Is anybody there?");
    assert_eq!(typed(visit), "");
    comes_back(visit);
}

/// Text comes back, and can be sent again.
fn trouble_without_scripts(visit: &Visit) {
    visit.go("/main");
    visit.site.group.be(Mood::Gone);
    visit.fill(&[("post", "Is anybody there?")]);
    visit.shows("/main", "No servers are running");
    visit.look("trouble");
    assert_eq!(typed(visit), "Is anybody there?");
    visit.site.group.be(Mood::Well);
    visit.driver.click("main form button");
    visit.shows("/main", "Is anybody there?");
    comes_back(visit);
}

fn typed(visit: &Visit) -> String {
    let typed = visit.driver.run("return document.querySelector('textarea').value");
    typed.as_str().expect("text").to_string()
}

/// A page that could not be read is requested again automatically.
fn comes_back(visit: &Visit) {
    visit.site.group.be(Mood::Gone);
    visit.go("/manage");
    visit.shows("/manage", "No servers are running");
    visit.look("trouble-read");
    visit.site.group.be(Mood::Well);
    visit.driver.awaits("return document.querySelector('h1')?.innerText == 'Following'");
}

fn old_and_around(visit: &Visit) {
    visit.site.group.be(Mood::Minority);
    visit.go("/main");
    visit.shows("/main", "this page may be out of date");
    visit.look("old");
    visit.site.group.be(Mood::Well);
    visit.driver.click("footer a[href='/status']");
    visit.shows("/status", "All is well.");
    visit.look("status-one");
    visit.driver.click("#still");
    visit.shows("/status?still", "Automatic refresh is off.");
    visit.driver.click("footer a[href='/about']");
    visit.shows("/about", "no cloud");
    visit.look("about");
    visit.go("/pond");
    visit.look("missing");
}
