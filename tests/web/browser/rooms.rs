//! Rooms in a browser, with the script.

use super::Visit;
use testkit::http::Browser;

#[test]
fn a_room_is_live_and_enter_sends() {
    let Some(visit) = Visit::start(true) else { return };
    let driver = &visit.driver;
    let mut bob = Browser::new(&visit.site.address);
    bob.join("bob");
    visit.join("Ada", "ada");
    driver.click("nav a[href='/rooms']");
    driver.awaits("return document.body.textContent.includes('You are not in a room yet.')");
    // The script has run, so it sends the form and the next page is there at once.
    driver.awaits("return document.querySelector('body > .sr') != null");
    visit.look("rooms-empty");
    driver.run("document.querySelector('.opener > summary').click()");
    visit.fill(&[("room", "pond"), ("topic", "All wet things")]);
    visit.shows("/rooms/pond", "Nothing said yet. Say hello!");
    bob.post("/rooms/pond", &[("choice", "join")]).leads_to("/rooms/pond");
    // Shift and Enter break the line, Enter sends.
    driver.type_into("#message", "hello\u{e008}\u{e007}\u{e000}all");
    driver.keys(&["\u{e007}"]);
    driver.awaits("return document.querySelector('.mine .text')?.textContent == 'hello\\nall'");
    // The stream may show the message before the form is answered. Until then nothing can be typed.
    driver.awaits(
        "const field = document.querySelector('#message'); return !field.readOnly && field.value == ''",
    );
    assert_eq!(driver.run("return document.activeElement.id"), "message");
    // Messages of others arrive, grouped by author, while something is typed.
    driver.type_into("#message", "half a mess");
    for text in ["hi <ada>", "how are you?"] {
        bob.post("/rooms/pond", &[("message", text)]).leads_to("/rooms/pond");
    }
    driver.awaits("return document.querySelectorAll('#sayings > .theirs').length == 2");
    let texts =
        "return [...document.querySelectorAll('#sayings .text')].map((it) => it.textContent).join('|')";
    assert_eq!(driver.run(texts), "hello\nall|hi <ada>|how are you?");
    let shape =
        "return [...document.querySelectorAll('#sayings > .said')].map((it) => it.matches('.next')).join()";
    assert_eq!(driver.run(shape), "false,false,true");
    assert_eq!(driver.run("return document.querySelectorAll('#sayings > .day').length"), 1);
    assert_eq!(driver.run("return document.querySelector('#message').value"), "half a mess");
    // What is removed leaves a gap.
    let page = bob.get("/rooms/pond");
    let id = page.body.rsplit("id=\"said-").next().unwrap().split('"').next().unwrap().to_string();
    bob.post("/rooms/pond", &[("choice", "remove"), ("id", &id)]).leads_to(&format!("/rooms/pond#said-{id}"));
    driver.awaits(
        "return document.querySelector('#sayings .gone')?.textContent == 'This message was removed.'",
    );
    visit.look("room");
    // Leaving the page marks what was shown as read.
    driver.click("nav a[href='/rooms']");
    driver.awaits("return document.querySelector('h1').textContent == 'Rooms'");
    let read = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(25));
        driver.run("location.reload()");
        !driver.text("main").contains(" new")
    });
    assert!(read, "what was shown was not marked as read");
    visit.look("rooms");
    // Another room's message is announced in the list.
    bob.post("/rooms/pond", &[("message", "still there?")]).leads_to("/rooms/pond");
    driver.awaits("return document.querySelector('.arrivals button')?.textContent == 'Show new messages'");
    driver.press(".arrivals button");
    driver.awaits("return document.querySelector('main').textContent.includes('1 new')");
    driver.click("a[href='/rooms/pond']");
    driver.awaits("return document.querySelector('h1').textContent == '#pond'");
    driver.click("main a[href='/rooms/pond/settings']");
    driver.awaits("return document.querySelector('h1').textContent == 'Settings of #pond'");
    visit.look("room-settings");
    visit.go("/rooms/pond/members");
    visit.look("room-owner-members");
    assert_eq!(driver.complaints(), Vec::<String>::new());
}
