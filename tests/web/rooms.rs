//! The pages of rooms over real sockets: HTTP clients without scripts, the web role, and a simulated cluster.

use ribbit_state::Code;
use testkit::group::Mood;
use testkit::http::{Browser, Reply};
use testkit::site::Site;

fn joined(site: &Site, username: &str) -> Browser {
    let mut browser = Browser::new(&site.address);
    browser.join(username);
    browser
}

/// Loads the read receipts of a page, as a browser does.
fn see(browser: &mut Browser, page: &Reply) {
    for receipt in page.body.split("<img class=\"receipt\" src=\"").skip(1) {
        let address = receipt.split('"').next().unwrap().replace("&#38;", "&");
        assert_eq!(browser.get(&address).status, 200);
    }
}

#[test]
fn a_room_is_made_joined_talked_in_and_closed_without_a_script() {
    let site = Site::start();
    let (mut ada, mut bob) = (joined(&site, "ada"), joined(&site, "bob"));
    ada.get("/rooms").says(200, "You are not in a room yet. Make the first one!");
    ada.post("/rooms", &[("room", "a b"), ("topic", "kept")]).says(422, "value=\"kept\"");
    let fields = [("room", "Pond"), ("topic", "<frogs>"), ("open", "yes"), ("history", "yes")];
    ada.post("/rooms", &fields).leads_to("/rooms/pond");
    ada.post("/rooms", &fields).refuses(Code::RoomNameTaken);
    ada.get("/rooms/pond").says(200, "Nothing said yet. Say hello!");
    ada.post("/rooms/pond", &[("message", "hello <b>all</b>,\r\nand @bob")]).leads_to("/rooms/pond");
    let page = ada.get("/rooms/pond");
    page.says(200, "hello &#60;b&#62;all&#60;/b&#62;,\nand <a href=\"/@bob\">@bob</a>");
    assert!(!page.body.contains("class=\"receipt\""), "one's own are not news");

    bob.get("/rooms").says(200, "&#60;frogs&#62;");
    let front = bob.get("/rooms/pond");
    front.says(200, "Join this room to read it and to write in it.");
    assert!(!front.body.contains("hello &#60;"), "{}", front.body);
    bob.post("/rooms/pond", &[("message", "let me in")]).refuses(Code::NotInRoom);
    bob.post("/rooms/pond", &[("choice", "join")]).leads_to("/rooms/pond");
    bob.get("/rooms/pond").says(200, "hello &#60;b&#62;all");
    bob.post("/rooms/pond", &[("message", "hi ada")]).leads_to("/rooms/pond");
    ada.get("/rooms").says(200, "<b>1 new</b>");
    let page = ada.get("/rooms/pond");
    see(&mut ada, &page);
    assert!(!ada.get("/rooms").body.contains("1 new"));
    assert!(!ada.get("/rooms/pond").body.contains("class=\"receipt\""), "nothing is news twice");

    // Texts are kept when they are refused.
    ada.post("/rooms/pond", &[("message", " ")]).says(422, "Write 1 to 1000 characters.");
    ada.post("/rooms/pond", &[("message", &"x".repeat(1_001))]).says(422, "Yours has 1001 characters.");
    let request = ada.get("/rooms/pond").requests().last().unwrap().clone();
    site.group.be(Mood::Busy);
    ada.post("/rooms/pond", &[("message", "while busy"), ("request", &request)]).says(503, &request);
    site.group.be(Mood::Well);
    let fields = [("message", "while busy"), ("request", request.as_str())];
    ada.post("/rooms/pond", &fields).leads_to("/rooms/pond");
    ada.post("/rooms/pond", &fields).leads_to("/rooms/pond");
    assert_eq!(ada.get("/rooms/pond").body.matches("while busy").count(), 1);

    // A message is removed by its author or by a moderator.
    let page = bob.get("/rooms/pond");
    let id = page.body.split("id=\"said-").nth(1).unwrap().split('"').next().unwrap().to_string();
    bob.post("/rooms/pond", &[("choice", "remove"), ("id", &id)]).refuses(Code::NotRoomModerator);
    ada.post("/rooms/pond/members", &[("choice", "moderator"), ("username", "bob")])
        .leads_to("/rooms/pond/members");
    bob.post("/rooms/pond", &[("choice", "remove"), ("id", &id)]).leads_to(&format!("/rooms/pond#said-{id}"));
    ada.get("/rooms/pond").says(200, "This message was removed by a moderator.");

    // Settings: a moderator changes the topic, the owner everything.
    let fields = [("choice", "save"), ("topic", "ponds and more")];
    bob.post("/rooms/pond/settings", &fields).leads_to("/rooms/pond/settings?note=saved");
    ada.get("/rooms/pond/settings").says(200, "checked");
    ada.post("/rooms/pond/settings", &fields).leads_to("/rooms/pond/settings?note=saved");
    assert!(!ada.get("/rooms/pond/settings").body.contains("checked"), "the owner unticked both boxes");
    ada.post("/rooms/pond/settings", &[("choice", "close")]).refuses(Code::InvalidEntry);
    ada.post("/rooms/pond/settings", &[("choice", "leave")]).leads_to("/rooms");
    bob.get("/rooms/pond/members").says(200, "owner");
    bob.post("/rooms/pond/settings", &[("choice", "close"), ("sure", "yes")]).leads_to("/rooms");
    bob.get("/rooms/pond").says(404, "There is no such room");
}

#[test]
fn a_room_by_invitation_is_seen_by_its_members_and_guests_alone() {
    let site = Site::start();
    let (mut ada, mut bob) = (joined(&site, "ada"), joined(&site, "bob"));
    ada.post("/rooms", &[("room", "crew")]).leads_to("/rooms/crew");
    ada.post("/rooms/crew", &[("message", "secret")]).leads_to("/rooms/crew");
    for path in
        ["/rooms/crew", "/rooms/crew/members", "/rooms/crew/settings", "/rooms/no-such", "/rooms/a%20b"]
    {
        bob.get(path).says(404, "There is no such room");
    }
    assert!(!bob.get("/rooms").body.contains("crew"));
    bob.post("/rooms/crew", &[("choice", "join")]).says(404, "There is no such room");
    ada.post("/rooms/crew/members", &[("choice", "invite"), ("username", "nobody")])
        .refuses(Code::NoSuchUser);
    ada.post("/rooms/crew/members", &[("choice", "invite"), ("username", "b b")])
        .says(422, "Use 1 to 32 characters");
    ada.post("/rooms/crew/members", &[("choice", "invite"), ("username", "bob")])
        .leads_to("/rooms/crew/members");
    ada.get("/rooms/crew/members").says(200, "Withdraw");
    bob.get("/rooms").says(200, "invited you");
    let front = bob.get("/rooms/crew");
    front.says(200, "You are invited to this room.");
    assert!(!front.body.contains("secret"));
    bob.post("/rooms/crew", &[("choice", "leave")]).leads_to("/rooms");
    bob.get("/rooms/crew").says(404, "There is no such room");
    ada.post("/rooms/crew/members", &[("choice", "invite"), ("username", "bob")])
        .leads_to("/rooms/crew/members");
    bob.post("/rooms/crew", &[("choice", "join")]).leads_to("/rooms/crew");
    assert!(!bob.get("/rooms/crew").body.contains("secret"), "said before bob came");
    bob.post("/rooms/crew/members", &[("choice", "remove"), ("username", "ada")])
        .refuses(Code::NotRoomModerator);
    ada.post("/rooms/crew/members", &[("choice", "remove"), ("username", "bob")])
        .leads_to("/rooms/crew/members");
    bob.get("/rooms/crew").says(404, "There is no such room");
}
