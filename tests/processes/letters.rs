//! Direct messages: delivered once and in order across failures, kept until they are read, and read marks that last.

use crate::test_cluster::{TestCluster, awaited};
use testkit::http::{Browser, Reply};
use testkit::page_text::unescaped;

const LETTERS: usize = 60;

/// Gets a page as soon as a server can answer: members that have just started may have to elect a leader first.
fn page(browser: &mut Browser, path: &str) -> Reply {
    awaited(path, || browser.try_send("GET", path, &[], "").ok().filter(|page| page.status == 200))
}

/// Sends a message under one request id until it succeeds, as a browser does that repeats a returned form.
fn write(browser: &mut Browser, to: &str, text: &str) {
    let path = format!("/messages/{to}");
    let request = page(browser, &path).requests().first().expect("a form").clone();
    awaited("the message is taken", || {
        let sent = browser.try_post(&path, &[("message", text), ("request", &request)]).ok()?;
        assert!(sent.status == 303 || sent.status == 503, "{} {}", sent.status, sent.body);
        (sent.status == 303).then_some(())
    });
}

/// Returns all messages of a conversation, page by page, oldest first.
fn talk(browser: &mut Browser, with: &str) -> Vec<String> {
    let (mut all, mut next) = (Vec::new(), Some(format!("/messages/{with}")));
    while let Some(path) = next {
        let page = page(browser, &path);
        let texts = page.body.split("<li class=\"said").skip(1).map(|item| {
            let text = item.split("<p class=\"text\" dir=\"auto\">").nth(1).expect("a text");
            unescaped(text.split("</p>").next().expect("its end"))
        });
        all.splice(0..0, texts);
        next = page
            .body
            .split("rel=\"prev\" href=\"")
            .nth(1)
            .map(|rest| unescaped(rest.split('"').next().expect("a link")));
    }
    all
}

/// Loads the receipt images of a page, as a browser does that shows it. They mark its messages.
fn see(browser: &mut Browser, path: &str) {
    let page = page(browser, path);
    for receipt in page.body.split("<img class=\"receipt\" src=\"").skip(1) {
        let address = unescaped(receipt.split('"').next().expect("an address"));
        awaited("it is marked", || (browser.get(&address).status == 200).then_some(()));
    }
}

#[test]
fn each_message_arrives_once_and_in_order_while_leaders_are_killed_and_after_everything_was() {
    let mut pond = TestCluster::start();
    let (mut ada, mut bob) = (pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");
    let writing = std::thread::spawn(move || {
        for number in 0..LETTERS {
            write(&mut ada, "bob", &format!("letter {number}, \"quoted\" <b>"));
        }
        ada
    });
    for _ in 0..2 {
        let leader = pond.await_leading_backend();
        pond.kill(&[&leader]);
        pond.await_whole();
    }
    let mut ada = writing.join().expect("every letter was taken");
    let expected: Vec<String> =
        (0..LETTERS).map(|number| format!("letter {number}, \"quoted\" <b>")).collect();
    assert_eq!(talk(&mut bob, "ada"), expected);
    // The messages are unread, and survive a power cut.
    pond.kill_all();
    pond.up(&[]);
    (ada.address, bob.address) = (pond.web(), pond.web());
    assert_eq!(talk(&mut bob, "ada"), expected);
    page(&mut bob, "/messages").says(200, &format!("<b>{LETTERS} new</b>"));
    page(&mut ada, "/messages/bob").says(200, "<span class=\"state\">saved</span>");
    see(&mut bob, "/messages/ada");
    page(&mut ada, "/messages/bob").says(200, "<span class=\"state\">read</span>");
    // Read marks survive, too.
    pond.kill_all();
    pond.up(&[]);
    (ada.address, bob.address) = (pond.web(), pond.web());
    assert!(!page(&mut bob, "/messages").body.contains(" new</b>"));
    page(&mut ada, "/messages/bob").says(200, "<span class=\"state\">read</span>");
    assert_eq!(talk(&mut ada, "bob"), expected);
}
