//! What the script adds to the pages.

use super::Visit;
use crate::group::Mood;
use crate::http::Browser;

fn befriended(visit: &Visit) -> Browser {
    let mut bob = Browser::new(&visit.site.address);
    bob.join("bob");
    visit.join("Ada", "ada");
    visit.go("/manage");
    visit.fill(&[("username", "bob")]);
    visit.shows("/manage?note=added", "Added.");
    bob
}

#[test]
fn croaks_arrive_by_themselves_and_the_reader_is_not_moved() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    let mut bob = befriended(&visit);
    for number in 0..20 {
        bob.croak(&format!("old {number}."));
    }
    visit.go("/main");
    driver.look(360, false);
    driver.type_into("textarea", "half a th");
    driver.run("scrollTo(0, 900)");
    let place = || driver.run("return document.querySelector('article').getBoundingClientRect().top");
    let before = place();
    bob.croak("new one");
    driver.awaits("return document.querySelector('.fresh button')?.textContent == '1 new croak'");
    bob.croak("new <two>\nof it @ada");
    driver.awaits("return document.querySelector('.fresh button')?.textContent == '2 new croaks'");
    assert_eq!(place(), before, "the reader was moved");
    assert!(!driver.text("main").contains("new one"));
    assert_eq!(driver.run("return document.title"), "(2) Feed · ribbit");
    assert_eq!(driver.run("return document.querySelector('.unseen').textContent"), "1 new croak");
    visit.look("feed-fresh");
    driver.press(".fresh button");
    driver.awaits("return document.activeElement.textContent.includes('new <two>\\nof it @ada')");
    let texts = "return [...document.querySelectorAll('.text')].slice(0, 3).map((text) => text.textContent).join('|')";
    assert_eq!(driver.run(texts), "new <two>\nof it @ada|new one|old 19.");
    assert_eq!(driver.run("return document.querySelectorAll('.fresh button').length"), 0);
    assert_eq!(driver.run("return document.title"), "Feed · ribbit");
    assert_eq!(driver.run("return document.querySelector('textarea').value"), "half a th");
    // One's own croak is on the page that comes back, and does not arrive again.
    driver.click("main form button");
    bob.croak("new three");
    driver.awaits("return document.querySelector('.fresh button')?.textContent == '1 new croak'");
    driver.press(".fresh button");
    assert_eq!(driver.run("return document.querySelectorAll('article').length"), 24);
    // Nothing went wrong on the way, with the policy of the pages either.
    assert_eq!(driver.complaints(), Vec::<String>::new());
}

#[test]
fn a_stream_survives_the_servers_and_says_when_it_cannot() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    let mut bob = befriended(&visit);
    visit.go("/main");
    bob.croak("before");
    driver.awaits("return document.querySelector('.fresh button')?.textContent == '1 new croak'");
    visit.site.group.be(Mood::Gone);
    std::thread::sleep(std::time::Duration::from_millis(500));
    visit.site.group.be(Mood::Well);
    bob.croak("after");
    driver.awaits("return document.querySelector('.fresh button')?.textContent == '2 new croaks'");
    // Another history: what lies between is not known.
    visit.site.group.refound(0xbeef);
    visit.site.group.be(Mood::Gone);
    std::thread::sleep(std::time::Duration::from_millis(500));
    visit.site.group.be(Mood::Well);
    driver.awaits(
        "return document.querySelector('.fresh button')?.textContent == 'There are new croaks: show them'",
    );
    driver.click(".fresh button");
    visit.shows("/main", "after");
    // Logged out elsewhere.
    let mut elsewhere = Browser::new(&visit.site.address);
    elsewhere.cookies = visit.driver.cookies();
    elsewhere.post("/logout", &[]).leads_to("/login");
    driver.awaits(
        "return document.querySelector('.fresh button')?.textContent.startsWith('You are logged out here')",
    );
    driver.click(".fresh button");
    visit.shows("/login", "Log in");
}

#[test]
fn characters_are_counted_as_the_servers_count_them() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    visit.join("Ada", "ada");
    let counted = |text: &str| {
        let text = serde_json::to_string(text).unwrap();
        driver.run(&format!(
            "let post = document.querySelector('textarea');
             post.value = {text};
             post.dispatchEvent(new Event('input', {{ bubbles: true }}));
             return document.querySelector('#post-count').textContent",
        ))
    };
    let mut http = Browser::new(&visit.site.address);
    http.join("bob");
    for text in [
        "",
        "a",
        "🐸",
        "e\u{301}",
        "a\nb",
        "a\r\nb",
        "👨\u{200d}👩\u{200d}👧",
        &"ñ\n".repeat(50),
        &"🐸".repeat(101),
    ] {
        let chars = ribbit::state::text::croak_chars(text);
        let words =
            if chars > 100 { format!("{} too many", chars - 100) } else { format!("{} left", 100 - chars) };
        assert_eq!(counted(text), words.as_str(), "{text:?}");
        // As it is sent: with CRLF.
        let sent = http.post("/main", &[("post", &text.replace("\r\n", "\n").replace('\n', "\r\n"))]).status;
        let expected = if (1..=100).contains(&chars) { 303 } else { 422 };
        assert_eq!(sent, expected, "{text:?}");
    }
    assert!(driver.run("return document.querySelector('#post-count').classList.contains('over')") == true);
}

#[test]
fn what_was_typed_outlives_leaving_the_page() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    visit.join("Ada", "ada");
    let words = || driver.run("return document.querySelector('textarea').value");
    let request = || driver.run("return document.querySelector('[name=request]').value");
    driver.type_into("textarea", "half a th");
    let first = request();
    driver.click("footer a[href='/about']");
    driver.click("nav a[href='/main']");
    assert_eq!((words(), request()), ("half a th".into(), first.clone()), "the same request goes with it");
    assert_eq!(driver.text("#post-count"), "91 left");
    driver.type_into("textarea", "ought");
    driver.click("main form button");
    visit.shows("/main", "half a thought");
    assert_eq!(words(), "");
    visit.go("/main");
    assert_eq!(words(), "");
    // Nobody else finds it.
    driver.type_into("textarea", "for me alone");
    driver.click("nav a[href='/logout']");
    driver.click("main form button");
    visit.join("Bob", "bob");
    assert_eq!(words(), "");
}

#[test]
fn a_form_that_is_sent_twice_or_whose_answer_is_lost_makes_one_croak() {
    for scripts in [true, false] {
        let Some(visit) = Visit::start(scripts) else { return };
        let driver = &visit.driver;
        visit.join("Ada", "ada");
        let croaks = |words: &str| driver.text("main").matches(words).count();

        driver.type_into("textarea", "clicked twice");
        driver.leads_away(|| driver.press_twice("main form button"));
        visit.go("/main");
        assert_eq!(croaks("clicked twice"), 1, "scripts: {scripts}");

        if !scripts {
            sent_again_from_before(&visit);
            assert_eq!(croaks("sent and sent again"), 1);
        }

        // It was done, and nobody heard of it.
        visit.site.group.be(Mood::Forgetful);
        driver.type_into("textarea", "done in silence");
        if scripts {
            driver.leads_away(|| {
                driver.press("main form button");
                driver.awaits("return document.querySelector('.sending')?.textContent != ''");
                assert_eq!(driver.text("main form button"), "Sending…");
                visit.site.group.be(Mood::Well);
            });
        } else {
            driver.click("main form button");
            visit.site.group.be(Mood::Well);
            driver.click("main form button");
        }
        visit.go("/main");
        assert_eq!(croaks("done in silence"), 1, "scripts: {scripts}");
    }
}

/// The page as it was before: with scripts there is none, since the page stays while it is sent.
fn sent_again_from_before(visit: &Visit) {
    let driver = &visit.driver;
    driver.type_into("textarea", "sent and sent again");
    let request = driver.run("return document.querySelector('[name=request]').value");
    driver.click("main form button");
    visit.shows("/main", "sent and sent again");
    driver.back();
    driver.awaits("return document.querySelector('textarea') != null && document.readyState == 'complete'");
    let words = driver.run("return document.querySelector('textarea').value");
    if words != "" {
        let same = driver.run("return document.querySelector('[name=request]').value") == request;
        assert!(same, "words that come back, come back with their request");
        driver.click("main form button");
    }
    visit.go("/main");
}
