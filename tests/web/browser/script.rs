//! Features of the script.

use super::Visit;
use testkit::group::Mood;
use testkit::http::Browser;
use testkit::page_text;

fn befriended(visit: &Visit) -> Browser {
    let mut bob = Browser::new(&visit.site.address);
    bob.join("bob");
    visit.join("Ada", "ada");
    visit.go("/manage");
    visit.fill(&[("username", "bob")]);
    visit.shows("/manage?note=added", "Now following.");
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
    driver.awaits("return document.querySelector('.arrivals button')?.textContent == '1 new croak'");
    bob.croak("new <two>\nof it @ada");
    driver.awaits("return document.querySelector('.arrivals button')?.textContent == '2 new croaks'");
    assert_eq!(place(), before, "the reader was moved");
    assert!(!driver.text("main").contains("new one"));
    // Two croaks, and the notice of the mention.
    driver.awaits("return document.title == '(3) Home · ribbit'");
    assert_eq!(driver.run("return document.querySelector('body > .sr').textContent"), "1 new croak");
    visit.look("feed-fresh");
    driver.press(".arrivals button");
    driver.awaits("return document.activeElement.textContent.includes('new <two>\\nof it @ada')");
    let texts = "return [...document.querySelectorAll('.text')].slice(0, 3).map((text) => text.textContent).join('|')";
    assert_eq!(driver.run(texts), "new <two>\nof it @ada|new one|old 19.");
    assert_eq!(driver.run("return document.querySelectorAll('.arrivals button').length"), 0);
    assert_eq!(driver.run("return document.title"), "(1) Home · ribbit");
    assert_eq!(driver.run("return document.querySelector('textarea').value"), "half a th");
    // The user's own croak is on the page that comes back, and does not arrive again.
    driver.click("main form button");
    bob.croak("new three");
    driver.awaits("return document.querySelector('.arrivals button')?.textContent == '1 new croak'");
    driver.press(".arrivals button");
    assert_eq!(driver.run("return document.querySelectorAll('article').length"), 24);
    // No errors, also none from the content security policy.
    assert_eq!(driver.complaints(), Vec::<String>::new());
}

#[test]
fn counts_and_what_is_gone_change_on_open_pages() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    let mut bob = befriended(&visit);
    let mut carl = Browser::new(&visit.site.address);
    carl.join("carl");
    carl.croak("by a stranger");
    bob.croak("by a friend");
    let page = carl.get("/everyone").body;
    let ids: Vec<String> =
        page.split("id=\"croak-").skip(1).map(|rest| rest.split('"').next().unwrap().to_string()).collect();
    let [friends, strangers] = [&ids[0], &ids[1]];
    let shows = |id: &str, words: &str| {
        driver.awaits(&format!(
            "return document.querySelector('#croak-{id} .acts')?.innerText.replace(/\\s+/g, ' ').startsWith('{words}')"
        ));
    };
    let react = |browser: &mut Browser, path: &str, id: &str, choice: &str| {
        assert_eq!(browser.post(path, &[("croak", id), ("choice", choice)]).status, 303);
    };
    // Croaks of anyone, on any page with croaks.
    for path in ["/everyone", "/@carl", "/search?q=stranger", &format!("/croak/{strangers}")] {
        visit.go(path);
        shows(strangers, "Reply Like Share");
        react(&mut bob, "/like", strangers, "add");
        shows(strangers, "Reply Like 1 Share");
        react(&mut bob, "/like", strangers, "remove");
        shows(strangers, "Reply Like Share");
    }
    // A reply is counted, and announced in the thread.
    bob.post("/main", &[("post", "yes"), ("reply_to", strangers)]);
    shows(strangers, "Reply 1 Like Share");
    driver.awaits("return document.querySelector('.arrivals button')?.textContent == 'Show new replies'");
    driver.click(".arrivals button");
    visit.shows(&format!("/croak/{strangers}"), "@carl yes");
    // A share comes into the feed, is counted there, and goes.
    visit.go("/main");
    driver.awaits("return document.querySelector('body > .sr') != null");
    react(&mut bob, "/share", strangers, "add");
    driver.awaits("return document.querySelector('.arrivals button')?.textContent == '1 new croak'");
    driver.press(".arrivals button");
    driver.awaits("return document.querySelector('.shared')?.textContent == 'bob shared'");
    react(&mut bob, "/like", strangers, "add");
    shows(strangers, "Reply 1 Like 1 Share 1");
    assert_eq!(driver.run("return document.querySelector(\"a[href$='/likes']\").ariaLabel"), "1 like");
    react(&mut bob, "/share", strangers, "remove");
    driver.awaits("return document.querySelector('.shared') == null");
    // One that goes before it is shown is not announced any longer.
    bob.croak("a slip");
    driver.awaits("return document.querySelector('.arrivals button')?.textContent == '1 new croak'");
    let slip =
        bob.get("/main").body.split("id=\"croak-").nth(1).unwrap().split('"').next().unwrap().to_string();
    bob.post(&format!("/croak/{slip}"), &[]).leads_to("/main?note=taken-back");
    driver.awaits("return document.querySelector('.arrivals button') == null");
    bob.post(&format!("/croak/{friends}"), &[]).leads_to("/main?note=taken-back");
    driver.awaits(&format!("return document.getElementById('croak-{friends}') == null"));
    // In a thread a deleted croak leaves a gap.
    visit.go(&format!("/croak/{strangers}"));
    driver.awaits("return document.querySelector('body > .sr') != null");
    carl.post(&format!("/croak/{strangers}"), &[]).leads_to("/main?note=taken-back");
    driver.awaits("return document.querySelector('.focus .text').textContent == 'This croak was deleted.'");
    assert_eq!(driver.run("return document.querySelectorAll('.focus .acts').length"), 0);
    assert_eq!(driver.complaints(), Vec::<String>::new());
}

#[test]
fn a_deletion_can_be_undone_for_a_while_and_is_never_lost() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    visit.join("Ada", "ada");
    let mut elsewhere = Browser::new(&visit.site.address);
    elsewhere.cookies = driver.cookies();
    for text in ["one", "two", "three", "four"] {
        elsewhere.croak(text);
    }
    let mut on_servers = || page_text::croaks(&elsewhere.get("/main")).join(",");
    let shown = "return [...document.querySelectorAll('article.croak:not([hidden]) .text')]
                     .map((text) => text.textContent).join()";
    let delete = |words: &str| {
        let menu = format!(
            "[...document.querySelectorAll('article.croak')].find((croak) => croak.textContent.includes('{words}'))"
        );
        driver.run(&format!(
            "{menu}.querySelector('.more summary').click(); {menu}.querySelector('[data-delete]').click()"
        ));
    };
    visit.go("/main");
    driver.awaits("return document.querySelector('body > .sr') != null");
    // The croak goes at once, and the focus is on the button that brings it back.
    delete("four");
    assert_eq!(driver.run(shown), "three,two,one");
    assert_eq!(driver.run("return document.activeElement.textContent"), "Undo");
    visit.look("undo");
    assert_eq!(on_servers(), "four,three,two,one", "nothing happened yet");
    driver.keys(&["\u{e007}"]);
    driver.awaits("return document.querySelector('.undo').textContent == ''");
    assert_eq!(driver.run(shown), "four,three,two,one");
    assert_eq!(driver.run("return document.activeElement.closest('article').id.startsWith('croak-')"), true);
    // Another deletion settles the one before it; time settles it, too.
    delete("four");
    delete("three");
    driver.awaits("return document.querySelectorAll('article.croak').length == 3");
    assert_eq!(on_servers(), "three,two,one");
    driver.awaits("return document.querySelectorAll('article.croak').length == 2");
    assert_eq!(on_servers(), "two,one");
    // Leaving the page settles it.
    delete("two");
    driver.click("nav a[href='/rooms']");
    let gone = (0..400).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(25));
        on_servers() == "one"
    });
    assert!(gone, "the deletion was lost");
    driver.awaits("return localStorage.length == 0");
    // On its own page; the servers are away when the page is left.
    visit.go("/main");
    driver.click("article a.when");
    driver.awaits("return document.querySelector('body > .sr') != null");
    driver.press("#delete button");
    driver.awaits("return document.querySelector('.focus .croak').hidden");
    visit.site.group.be(Mood::Gone);
    driver.click("nav a[href='/rooms']");
    visit.site.group.be(Mood::Well);
    visit.go("/main");
    driver.awaits("return document.querySelectorAll('article.croak:not([hidden])').length == 0");
    driver.awaits("return localStorage.length == 0");
    assert_eq!(on_servers(), "");
    for complaint in driver.complaints() {
        // Answers while the servers were away, and the second time of a deletion.
        assert!(complaint.contains("Failed to load resource"), "{complaint}");
    }
}

#[test]
fn text_becomes_html_in_one_place_alone() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    visit.join("Ada", "ada");
    visit.go("/main");
    let thrown = |what: &str| {
        let script = format!("try {{ {what}; return 'nothing' }} catch (error) {{ return error.name }}");
        driver.run(&script).as_str().unwrap().to_string()
    };
    for sink in [
        "document.body.innerHTML = '<b>x</b>'",
        "document.body.insertAdjacentHTML('beforeend', '<b>x</b>')",
        "new DOMParser().parseFromString('<b>x</b>', 'text/html')",
        "document.createElement('script').src = '/other.js'",
        "trustedTypes.createPolicy('other', {})",
        "trustedTypes.createPolicy('ribbit', {})",
    ] {
        assert_eq!(thrown(sink), "TypeError", "{sink}");
    }
    let complaints = driver.complaints();
    assert!(!complaints.is_empty(), "the browser knows no trusted types");
    // The script itself may do it, for a form that is sent and the page that comes back.
    visit.fill(&[("post", "through the policy")]);
    driver.awaits("return document.querySelector('.text')?.textContent == 'through the policy'");
    assert_eq!(driver.complaints(), Vec::<String>::new());
}

#[test]
fn a_stream_survives_the_servers_and_says_when_it_cannot() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    let mut bob = befriended(&visit);
    visit.go("/main");
    bob.croak("before");
    driver.awaits("return document.querySelector('.arrivals button')?.textContent == '1 new croak'");
    visit.site.group.be(Mood::Gone);
    std::thread::sleep(std::time::Duration::from_millis(500));
    visit.site.group.be(Mood::Well);
    bob.croak("after");
    driver.awaits("return document.querySelector('.arrivals button')?.textContent == '2 new croaks'");
    // With another history the events in between are not known.
    visit.site.group.refound(0xbeef);
    visit.site.group.be(Mood::Gone);
    std::thread::sleep(std::time::Duration::from_millis(500));
    visit.site.group.be(Mood::Well);
    driver.awaits("return document.querySelector('.arrivals button')?.textContent == 'Show new croaks'");
    driver.click(".arrivals button");
    visit.shows("/main", "after");
    // Logged out in another browser.
    let mut elsewhere = Browser::new(&visit.site.address);
    elsewhere.cookies = visit.driver.cookies();
    elsewhere.post("/logout", &[]).leads_to("/login");
    driver.awaits(
        "return document.querySelector('.arrivals button')?.textContent.startsWith('You\\'ve been logged out')",
    );
    driver.click(".arrivals button");
    visit.shows("/login", "Log in");
}

#[test]
fn two_people_talk_and_see_how_far_their_words_came() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    let mut bob = befriended(&visit);
    bob.post("/messages/ada", &[("message", "are you there?")]).leads_to("/messages/ada");
    let nav = "return document.querySelector(\"nav a[href='/messages'] .badge\").textContent";
    // The list of people is live, too.
    driver.awaits(&format!("{nav} == '1'"));
    driver.click("nav a[href='/messages']");
    driver.awaits("return document.body.textContent.includes('are you there?')");
    visit.look("talks");
    driver.click("nav a[href='/main']");
    driver.awaits(&format!("{nav} == '1'"));
    bob.post("/messages/ada", &[("message", "hello?")]).leads_to("/messages/ada");
    driver.awaits(&format!("{nav} == '2'"));
    driver.click("nav a[href='/messages']");
    driver.click("a[href='/messages/bob']");
    // Enter sends, Shift and Enter break the line.
    driver.type_into("#message", "here I am,\u{e008}\u{e007}\u{e000}@bob");
    driver.leads_away(|| driver.keys(&["\u{e007}"]));
    visit.shows("/messages/bob", "here I am,\n@bob");
    let groups =
        "return [...document.querySelectorAll('#sayings > .said')].map((it) => it.matches('.next')).join()";
    assert_eq!(driver.run(groups), "false,true,false");
    // The picture of the other person stands beside each of their groups.
    let faces = "return [...document.querySelectorAll('#sayings .face')].map((it) => getComputedStyle(it).display).join()";
    assert_eq!(driver.run(faces), "block,none");
    assert_eq!(driver.run("return document.querySelectorAll('#sayings > .day').length"), 1);
    assert_eq!(driver.run("return document.activeElement.id"), "message");
    let states =
        "return [...document.querySelectorAll('.mine .state')].map((state) => state.textContent).join()";
    assert_eq!(driver.run(states), "saved");
    // Bob reads and writes while a message is being typed here.
    driver.type_into("textarea", "half a mess");
    let top =
        || driver.run("return Math.round(document.querySelector('textarea').getBoundingClientRect().top)");
    let before = top();
    let talk = bob.get("/messages/ada");
    let receipt = talk.body.split("class=\"receipt\" src=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(bob.get(&receipt.replace("&#38;", "&")).status, 200);
    driver.awaits(&format!("{states}.includes('read')"));
    for number in 0..30 {
        bob.post("/messages/ada", &[("message", &format!("word {number}"))]).leads_to("/messages/ada");
    }
    driver.awaits("return document.querySelectorAll('#sayings > .theirs').length == 32");
    assert_eq!(driver.run("return document.querySelector('textarea').value"), "half a mess");
    let texts = "return [...document.querySelectorAll('#sayings .text')].slice(-2).map((text) => text.textContent).join()";
    assert_eq!(driver.run(texts), "word 28,word 29");
    assert!((top().as_i64().unwrap() - before.as_i64().unwrap()).abs() <= 900);
    assert_eq!(driver.run("return document.querySelector('.mine .ticks.read').title"), "read");
    // Messages shown here are marked as read, which bob sees.
    let seen = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(25));
        let page = bob.get("/messages/ada").body;
        page.matches(">read</span>").count() >= 30
    });
    assert!(seen, "what was shown was not marked as read");
    driver.awaits(&format!("{nav} == ''"));
    visit.look("talk");
    // Days are those of the reader's time zone, which is not that of the servers.
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        driver.live_in(zone);
        visit.go("/messages/bob");
        driver.awaits("return document.querySelector('body > .sr') != null");
        let day = "let at = document.querySelector('#sayings time').dateTime;
                   return document.querySelector('#sayings > .day').textContent
                       == new Date(at).toLocaleDateString(undefined, { dateStyle: 'long', timeZone: arguments[0] })";
        assert_eq!(driver.run(&day.replace("arguments[0]", &format!("'{zone}'"))), true, "{zone}");
    }
    assert_eq!(driver.complaints(), Vec::<String>::new());
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
        &"👨\u{200d}👩\u{200d}👧".repeat(21),
        &"🐸".repeat(101),
    ] {
        let chars = ribbit_state::text::croak_chars(text);
        let words = match chars {
            0..80 => String::new(),
            80..=100 => format!("{} left", 100 - chars),
            // Five values a family, of which people see one.
            105 => "1 too many (some of the 21 count as several)".to_string(),
            _ => format!("{} too many", chars - 100),
        };
        assert_eq!(counted(text), words.as_str(), "{text:?}");
        // Sent with CRLF, as browsers do.
        let sent = http.post("/main", &[("post", &text.replace("\r\n", "\n").replace('\n', "\r\n"))]).status;
        let expected = if (1..=100).contains(&chars) { 303 } else { 422 };
        assert_eq!(sent, expected, "{text:?}");
    }
    assert!(driver.run("return document.querySelector('#post-count').classList.contains('over')") == true);
    let few = counted(&format!("{}e\u{301}", "a".repeat(88)));
    assert_eq!(few, "10 left (some of the 89 count as several)");
}

#[test]
fn names_are_completed_and_people_are_found_while_typing() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    let mut bob = befriended(&visit);
    Browser::new(&visit.site.address).join("bonny");
    bob.post("/rooms", &[("room", "pond"), ("topic", "All wet things"), ("open", "yes")]);
    let listed = "return [...document.querySelectorAll('#options li')].map((it) => it.textContent).join()";
    let (down, enter, escape) = ("\u{e015}", "\u{e007}", "\u{e00c}");
    let value = |field: &str| driver.run(&format!("return document.querySelector('{field}').value"));
    visit.go("/main");
    driver.type_into("#post", "hi @bo");
    driver.awaits(&format!("{listed} == '@bob bob,@bonny bonny'"));
    visit.look("completion");
    driver.keys(&[down, down]);
    assert_eq!(driver.run("return document.activeElement.getAttribute('aria-activedescendant')"), "option-1");
    driver.keys(&[enter]);
    assert_eq!(value("#post"), "hi @bonny ");
    driver.type_into("#post", "in #p");
    driver.awaits(&format!("{listed} == '#pond All wet things'"));
    driver.run("document.querySelector('#options li').dispatchEvent(new PointerEvent('pointerdown', { bubbles: true, cancelable: true }))");
    assert_eq!(value("#post"), "hi @bonny in #pond ");
    driver.type_into("#post", "@b");
    driver.awaits(&format!("{listed} != ''"));
    driver.keys(&[escape]);
    assert_eq!(driver.run(listed), "");
    assert_eq!(value("#post"), "hi @bonny in #pond @b");
    driver.clear("#post");
    // In a conversation Enter sends while nothing is chosen from the list.
    visit.go("/messages/bob");
    driver.type_into("#message", "me and @bo");
    driver.awaits(&format!("{listed} != ''"));
    driver.leads_away(|| driver.keys(&[enter]));
    visit.shows("/messages/bob", "me and @bo");
    visit.go("/messages");
    driver.run("document.querySelector('summary.button').click()");
    driver.type_into("#to", "bon");
    driver.awaits(&format!("{listed} == '@bonny bonny'"));
    driver.keys(&[down, enter]);
    assert_eq!(value("#to"), "bonny");
    driver.leads_away(|| driver.keys(&[enter]));
    visit.shows("/messages/bonny", "No messages yet");
    // People.
    let found =
        "return [...document.querySelectorAll('#results .author .who')].map((it) => it.textContent).join()";
    for (path, words, people) in [
        ("/people", "nny", "@bonny"),
        ("/people?who=following", "bo", "@bob"),
        ("/people?who=followers", "bo", ""),
    ] {
        visit.go(path);
        driver.type_into("#names", words);
        driver.awaits(&format!("return location.search.includes('names={words}')"));
        driver.awaits(&format!("{found} == '{people}'"));
        assert_eq!(driver.run("return document.activeElement.id"), "names");
        assert_eq!(value("#names"), words);
    }
    visit.look("people-finding");
    assert_eq!(driver.complaints(), Vec::<String>::new());
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
    assert_eq!(driver.text("#post-count"), "");
    driver.type_into("textarea", "ought");
    driver.click("main form button");
    visit.shows("/main", "half a thought");
    assert_eq!(words(), "");
    visit.go("/main");
    assert_eq!(words(), "");
    // A draft survives the end of its session.
    driver.type_into("textarea", "said without a session");
    let mut elsewhere = Browser::new(&visit.site.address);
    elsewhere.cookies = driver.cookies();
    elsewhere.post("/logout", &[]).leads_to("/login");
    driver.click("main form button");
    visit.shows("/main", "Log in and try again.");
    assert_eq!(words(), "said without a session");
    driver.click("main form a[href='/login']");
    visit.fill(&[("username", "ada"), ("password", "password")]);
    visit.shows("/main", "Home");
    assert_eq!(words(), "said without a session");
    driver.click("main form button");
    visit.shows("/main", "said without a session");
    // Another user does not see it.
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

        // It took effect, and its answer was lost.
        visit.site.group.be(Mood::Forgetful);
        driver.type_into("textarea", "done in silence");
        if scripts {
            driver.leads_away(|| {
                driver.press("main form button");
                driver.awaits("return (document.querySelector('.sending')?.textContent ?? '') != ''");
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

/// Only without scripts: with scripts the page stays while a form is sent.
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
