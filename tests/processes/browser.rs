//! Two users in real browsers, one with scripts and one without, on a cluster that loses two members. Skipped without
//! Chromium. Screenshots are stored as target/screenshots/*.png.

use crate::test_cluster::TestCluster;
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use testkit::driver::Driver;

struct Person {
    driver: Driver,
    username: &'static str,
    web: String,
}

impl Person {
    #[track_caller]
    fn go(&self, path: &str) {
        self.driver.go(&format!("http://{}{path}", self.web));
    }

    #[track_caller]
    fn fill(&self, fields: &[(&str, &str)]) {
        for (field, text) in fields {
            self.driver.type_into(&format!("main form [name={field}]"), text);
        }
        self.driver.click("main form button");
    }

    #[track_caller]
    fn sees(&self, path: &str, words: &str) {
        let text = self.driver.text("body");
        assert!(text.contains(words), "{} does not see {words:?} in {text:?}", self.username);
        assert_eq!(self.driver.path(), path);
    }

    fn picture(&self, name: &str) {
        self.driver.look(800, false);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
        fs::create_dir_all(&folder).expect("a folder");
        let picture = from_base64(&self.driver.picture());
        fs::write(folder.join(format!("{}-{name}.png", self.username)), picture).expect("written");
    }

    fn join(&self) {
        self.go("/");
        self.sees("/", "Log in");
        self.driver.click("a[href='/create']");
        let name = self.username;
        self.fill(&[("name", name), ("username", name), ("email", "me@pond"), ("password", "password")]);
        self.sees("/main?note=welcome", "Your account is ready");
        self.picture("created");
        self.sees("/main?note=welcome", "Nothing here yet");
    }

    fn befriend(&self, username: &str) {
        self.go("/manage");
        self.fill(&[("username", username)]);
        self.sees("/manage?note=added", username);
        self.picture("friends");
        self.driver.click("nav a[href='/main']");
    }

    fn croak(&self, text: &str) {
        self.go("/main");
        self.fill(&[("post", text)]);
        self.sees("/main", text);
    }
}

#[test]
fn two_people_meet_with_scripts_and_without_and_two_members_die() {
    if testkit::driver::missing() {
        return;
    }
    let pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let person = |username| Person { driver: Driver::start(), username, web: pond.web() };
    let (ada, bob) = (person("ada"), person("bob"));
    bob.driver.without_scripts();
    for (person, scripts) in [(&ada, "on"), (&bob, "off")] {
        person.driver.go("data:text/html,<p id=p>off</p><script>p.textContent='on'</script>");
        assert_eq!(person.driver.text("#p"), scripts);
    }
    ada.join();
    bob.join();
    ada.befriend("bob");
    bob.befriend("ada");
    ada.croak("Commas, \"quotes\" & <b>tags</b>,\nand a second line: ¿ñandú?");
    bob.croak("I read you, ada");
    ada.go("/main");
    ada.sees("/main", "I read you, ada");
    bob.sees("/main", "Commas, \"quotes\" & <b>tags</b>,\nand a second line: ¿ñandú?");

    // The open form is sent to a cluster that has just lost two members.
    bob.driver.type_into("textarea", "Did you notice?");
    let other = if leader == "backend-1" { "backend-2" } else { "backend-1" };
    pond.kill(&[&leader, other]);
    bob.driver.click("main form button");
    bob.sees("/main", "Did you notice?");
    ada.croak("Notice what?");
    ada.sees("/main", "Did you notice?");
    ada.picture("feed");
    bob.picture("feed");

    // The server status without scripts. The page reloads by itself.
    bob.driver.click("footer a");
    bob.sees("/status", "It works, but something needs attention.");
    bob.sees("/status", &format!("{leader} is offline."));
    bob.picture("status");
    bob.go("/main");

    ada.fill(&[("post", &"quak ".repeat(21))]);
    ada.sees("/main", "at most 100 characters");
    ada.picture("too-long");
    pond.kill(
        &["coordinator-1", "coordinator-2", "backend-3", "backend-2", "backend-1"]
            .into_iter()
            .filter(|name| ![leader.as_str(), other].contains(name))
            .collect::<Vec<_>>(),
    );
    bob.fill(&[("post", "Is anybody there?")]);
    bob.sees("/main", "No servers are running");
    assert_eq!(bob.driver.run("return document.querySelector('textarea').value"), "Is anybody there?");
    bob.picture("nobody");
}

/// Every backend dies once, and with it the source of the live stream; the leader dies while the user types.
#[test]
fn a_page_hears_what_is_croaked_while_every_backend_dies_once_and_loses_no_word_to_it() {
    if testkit::driver::missing() {
        return;
    }
    let pond = TestCluster::start();
    let ada = Person { driver: Driver::start(), username: "ada", web: pond.web() };
    let mut bob = pond.browser();
    bob.join("bob");
    ada.join();
    ada.befriend("bob");
    bob.croak("is this on?");
    let heard = |count: u32| {
        let words = if count == 1 { "1 new croak".to_string() } else { format!("{count} new croaks") };
        ada.driver
            .awaits(&format!("return document.querySelector('.arrivals button')?.textContent == '{words}'"));
    };
    heard(1);
    for (count, id) in (2..).zip(1..=3) {
        pond.await_whole();
        pond.kill(&[&format!("backend-{id}")]);
        bob.croak(&format!("backend {id} died"));
        heard(count);
    }
    ada.driver.press(".arrivals button");
    let texts = "return [...document.querySelectorAll('.text')].map((text) => text.textContent).join()";
    let told = "backend 3 died,backend 2 died,backend 1 died,is this on?";
    assert_eq!(ada.driver.run(texts), told, "each once, in their order");

    // The leader dies between typing and pressing the button.
    pond.await_whole();
    ada.driver.type_into("textarea", "Did you notice?");
    pond.kill(&[&pond.await_leading_backend()]);
    ada.driver.click("main form button");
    ada.sees("/main", "Did you notice?");
    assert_eq!(ada.driver.run("return document.querySelector('textarea').value"), "");
    ada.go("/main");
    assert_eq!(ada.driver.text("main").matches("Did you notice?").count(), 1);

    // Without servers the text stays in the form, and is sent once they are back.
    pond.await_whole();
    ada.driver.type_into("textarea", "Is anybody there?");
    let everybody = ["backend-1", "backend-2", "backend-3", "coordinator-1", "coordinator-2"];
    pond.signal(&everybody, Signal::STOP);
    ada.driver.leads_away(|| {
        ada.driver.press("main form button");
        ada.driver.awaits("return (document.querySelector('.sending')?.textContent ?? '') != ''");
        assert_eq!(ada.driver.run("return document.querySelector('textarea').value"), "Is anybody there?");
        ada.picture("sending");
        pond.signal(&everybody, Signal::CONT);
    });
    ada.go("/main");
    assert_eq!(ada.driver.text("main").matches("Is anybody there?").count(), 1);
    ada.go("/status");
    ada.picture("servers");
}

/// Decodes base64.
fn from_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in text.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
