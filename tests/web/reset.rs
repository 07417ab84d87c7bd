//! One-time links to set a new password, without scripts.

use super::people::ada_and_bob;
use ribbit_net::secret::{new_code, to_hex, token_hash};
use ribbit_state::query::OperatorQuery;
use ribbit_state::rows::Credential;
use ribbit_state::{AccessCommand, AccountId, Code, OperatorCommand};
use testkit::http::Browser;
use testkit::site::Site;

/// Makes a link as an operator, and returns its path.
fn link(site: &Site, account: u64) -> String {
    let code = new_code();
    let account = AccountId(account);
    site.group.operate(OperatorCommand::MakeResetLink { account, code: token_hash(&code) });
    format!("/reset/{}", to_hex(&code))
}

#[test]
fn a_link_sets_a_new_password_once_and_logs_in() {
    let site = Site::start();
    let (mut ada, mut bob) = ada_and_bob(&site);
    let path = link(&site, 1);
    let mut phone = Browser::new(&site.address);
    let page = phone.get(&path);
    page.says(200, "value=\"ada\"");
    page.says(200, " readonly");
    let request = page.requests()[0].clone();
    let fields = |password| [("username", "ada"), ("new-password", password), ("request", request.as_str())];
    let again = phone.post(&path, &fields("short"));
    again.says(422, "Use 8 to 256 characters.");
    assert!(!again.body.contains("value=\"short\""));
    phone.post(&path, &fields("frogs in reeds")).leads_to("/main?note=new-password");
    phone.get("/main?note=new-password").says(200, "Password changed.");
    // The browser that was logged in is out, and the old password is over.
    ada.get("/main").leads_to("/login");
    ada.post("/login", &[("username", "ada"), ("password", "password")]).refuses(Code::WrongPassword);
    ada.post("/login", &[("username", "ada"), ("password", "frogs in reeds")]).leads_to("/main");
    bob.get("/main").says(200, "Home");
    // The same form sent twice is answered as the first time; the link itself is gone.
    phone.post(&path, &fields("frogs in reeds")).leads_to("/main?note=new-password");
    phone.get(&path).says(404, "This link does not work any more");
    let late = [("username", "ada"), ("new-password", "newts in mud")];
    phone.post(&path, &late).says(404, "This link does not work any more");
}

#[test]
fn a_wrong_an_old_and_a_mangled_link_are_answered_alike() {
    let site = Site::start();
    ada_and_bob(&site);
    let (old, new) = (link(&site, 1), link(&site, 1));
    let mut phone = Browser::new(&site.address);
    let unknown = format!("/reset/{}", "0".repeat(32));
    for path in [old.as_str(), unknown.as_str(), "/reset/x", "/reset/%00"] {
        phone.get(path).says(404, "This link does not work any more");
        phone.post(path, &[("new-password", "frogs in reeds")]).says(404, "This link does not work any more");
    }
    phone.get(&new.to_uppercase().replace("/RESET", "/reset")).says(200, "value=\"ada\"");
}

#[test]
fn an_account_without_a_password_gets_one_by_a_link() {
    let site = Site::start();
    let (mut ada, _) = ada_and_bob(&site);
    site.group.operate(AccessCommand::CreateByName { username: "Carl".into() });
    ada.get("/@carl").says(200, "@carl");
    let mut carl = Browser::new(&site.address);
    let wrong = carl.post("/login", &[("username", "carl"), ("password", "anything at all")]);
    wrong.says(422, "This account has no password yet");
    let account = OperatorQuery::Accounts { names: "carl".into(), after: None }.into();
    let ribbit_state::Page::Accounts { accounts, .. } = site.group.read(&account) else { panic!() };
    assert_eq!(accounts[0].credential, Credential::Name);
    let path = link(&site, accounts[0].person.account.0);
    carl.post(&path, &[("username", "carl"), ("new-password", "frogs in reeds")])
        .leads_to("/main?note=new-password");
    carl.croak("at last");
    ada.get("/@carl").says(200, "at last");
}
