//! Messages: each once and in order whatever dies, kept until they are read, and what was read stays read.

use crate::http::{Browser, Reply};
use crate::pages::unescaped;
use crate::pond::{Pond, awaited};

const LETTERS: usize = 60;

/// A page, once there is somebody to answer: who was just started may have to agree on a leader first.
fn page(browser: &mut Browser, path: &str) -> Reply {
    awaited(path, || browser.try_send("GET", path, &[], "").ok().filter(|page| page.status == 200))
}

/// Writes until it is answered with success, under one request, as a browser does whose form comes back.
fn write(browser: &mut Browser, to: &str, text: &str) {
    let path = format!("/messages/{to}");
    let request = page(browser, &path).requests().first().expect("a form").clone();
    awaited("the message is taken", || {
        let sent = browser.try_post(&path, &[("message", text), ("request", &request)]).ok()?;
        assert!(sent.status == 303 || sent.status == 503, "{} {}", sent.status, sent.body);
        (sent.status == 303).then_some(())
    });
}

/// All messages of a talk, page by page, oldest first.
fn talk(browser: &mut Browser, with: &str) -> Vec<String> {
    let (mut all, mut next) = (Vec::new(), Some(format!("/messages/{with}")));
    while let Some(path) = next {
        let page = page(browser, &path);
        let texts = page.body.split("<li class=\"said").skip(1).map(|item| {
            let text = item.split("<p class=\"text\">").nth(1).expect("a text");
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

/// The browser asks for the pictures of a page that it has.
fn see(browser: &mut Browser, path: &str) {
    let page = page(browser, path);
    for receipt in page.body.split("<img class=\"receipt\" src=\"").skip(1) {
        let address = unescaped(receipt.split('"').next().expect("an address"));
        awaited("it is marked", || (browser.get(&address).status == 200).then_some(()));
    }
}

#[test]
fn each_message_arrives_once_and_in_order_while_leaders_are_killed_and_after_everything_was() {
    let mut pond = Pond::start();
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
    // Nobody has read them yet, and they wait through a power cut.
    pond.pull_the_plug();
    pond.up(&[]);
    (ada.address, bob.address) = (pond.web(), pond.web());
    assert_eq!(talk(&mut bob, "ada"), expected);
    page(&mut bob, "/messages").says(200, &format!("<b>{LETTERS} new</b>"));
    page(&mut ada, "/messages/bob").says(200, "<span class=\"state\">saved</span>");
    see(&mut bob, "/messages/ada");
    page(&mut ada, "/messages/bob").says(200, "<span class=\"state\">read</span>");
    // What was read stays read.
    pond.pull_the_plug();
    pond.up(&[]);
    (ada.address, bob.address) = (pond.web(), pond.web());
    assert!(!page(&mut bob, "/messages").body.contains(" new</b>"));
    page(&mut ada, "/messages/bob").says(200, "<span class=\"state\">read</span>");
    assert_eq!(talk(&mut ada, "bob"), expected);
}
