//! Who may sign up: registration modes, requests for an account, and invitations.

use ribbit_net::secret::token_hash;
use ribbit_state::command::InvitationTerms;
use ribbit_state::query::OperatorQuery;
use ribbit_state::{Code, Inviters, OperatorCommand, Page, Registration};
use testkit::http::Browser;
use testkit::site::Site;

const CODE: &str = "07070707070707070707070707070707";

fn registration(site: &Site, registration: Registration) {
    site.group.operate(OperatorCommand::SetRegistration { registration });
}

fn form<'a>(username: &'a str, invitation: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("name", "Somebody"),
        ("username", username),
        ("email", "a@b"),
        ("password", "password"),
        ("invitation", invitation),
    ]
}

#[test]
fn a_person_asks_for_an_account_and_logs_in_once_it_is_approved() {
    let site = Site::start();
    registration(&site, Registration::Request);
    let mut ada = Browser::new(&site.address);
    ada.get("/").says(200, "You can log in once yours is approved.");
    ada.get("/create").says(200, "looks at every new account");
    ada.post("/create", &form("ada", "")).leads_to("/login?note=requested");
    ada.get("/login?note=requested").says(200, "waiting for approval");
    ada.post("/login", &[("username", "ada"), ("password", "password")]).refuses(Code::AwaitingApproval);
    ada.post("/create", &form("ada", "")).refuses(Code::UsernameTaken);
    let Page::JoinRequests { requests, .. } =
        site.group.read(&OperatorQuery::JoinRequests { after: None }.into())
    else {
        panic!()
    };
    assert_eq!((requests.len(), &*requests[0].username), (1, "ada"));
    site.group.operate(OperatorCommand::DecideRequest { username: "ada".into(), approved: true });
    ada.post("/login", &[("username", "ada"), ("password", "password")]).leads_to("/main");
}

#[test]
fn an_invitation_opens_the_sign_up_page_and_leads_into_a_room() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    let room = [("room", "pond"), ("topic", ""), ("open", "yes"), ("history", "yes")];
    ada.post("/rooms", &room).leads_to("/rooms/pond");
    registration(&site, Registration::Closed);
    let code = token_hash(&[7; 16]);
    let terms = InvitationTerms { uses: 1, for_ms: 86_400_000, room: Some("pond".into()) };
    site.group.operate(OperatorCommand::Invite { code, terms });
    let mut bob = Browser::new(&site.address);
    bob.get("/create").says(200, "Sign-up is closed");
    let page = bob.get(&format!("/create?invitation={CODE}"));
    page.says(200, "You are invited, and will join #pond.");
    page.says(200, &format!("name=\"invitation\" value=\"{CODE}\""));
    for wrong in ["", "x", "08080808080808080808080808080808"] {
        bob.get(&format!("/create?invitation={wrong}")).says(404, "This invitation does not work any more");
    }
    // The form keeps the code when it is refused.
    let taken = bob.post("/create", &form("ada", CODE));
    taken.refuses(Code::UsernameTaken);
    assert!(taken.body.contains(CODE));
    bob.post("/create", &form("bob", CODE)).leads_to("/main?note=welcome");
    bob.get("/rooms").says(200, "/rooms/pond");
    Browser::new(&site.address).post("/create", &form("carl", CODE)).refuses(Code::InvitationNotValid);
}

#[test]
fn people_make_invitations_where_they_may_see_their_use_and_revoke_them() {
    let site = Site::start();
    let mut ada = Browser::new(&site.address);
    ada.join("ada");
    registration(&site, Registration::Invitation);
    Browser::new(&site.address).get("/").says(200, "You need an invitation to sign up.");
    Browser::new(&site.address).get("/create").says(200, "Sign-up is by invitation");
    let page = ada.get("/invitations");
    page.says(200, "decide who may invite others");
    let make = [("choice", "make"), ("uses", "2"), ("days", "3"), ("room", "")];
    ada.post("/invitations", &make).refuses(Code::NotAllowed);
    site.group.operate(OperatorCommand::SetInviters { inviters: Inviters::Everyone });
    for (name, value) in [("uses", "0"), ("uses", "x"), ("days", "0"), ("days", "367"), ("choice", "y")] {
        let odd = make.map(|(field, usual)| (field, if field == name { value } else { usual }));
        assert_eq!(ada.post("/invitations", &odd).status, 422, "{name} {value}");
    }
    let made = ada.post("/invitations", &make);
    made.says(200, "2 used, 3 days left");
    made.says(200, "QR code of the link above");
    let address = made.body.split("<code class=\"address\">").nth(1).unwrap().split('<').next().unwrap();
    let code = made.body.split("class=\"qr\"").nth(1).unwrap();
    let side = code.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap();
    let path = code.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
    testkit::qr::path_says(side.parse().unwrap(), path, address);
    let link = address.split("/create?invitation=").nth(1).unwrap().to_string();
    let mut bob = Browser::new(&site.address);
    let page = bob.get(&format!("/create?invitation={link}"));
    page.says(200, "You are invited by ");
    bob.post("/create", &form("bob", &link)).leads_to("/main?note=welcome");
    let page = ada.get("/invitations");
    page.says(200, "1 of 2 used");
    assert!(!page.body.contains(&link), "the code is shown once");
    let Page::Invitations { invitations, .. } =
        site.group.read(&OperatorQuery::Invitations { after: None }.into())
    else {
        panic!()
    };
    let id = invitations[0].id.to_string();
    ada.post("/invitations", &[("choice", "revoke"), ("invitation", &id)])
        .leads_to("/invitations?note=uninvited");
    ada.post("/invitations", &[("choice", "revoke"), ("invitation", &id)]).refuses(Code::NoSuchInvitation);
    bob.get(&format!("/create?invitation={link}")).says(404, "ask for a new one");
}
