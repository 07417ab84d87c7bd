//! An admin goes through the pages of those who run the cluster.

use super::Visit;
use ribbit_state::command::UnreplicatedAct;
use ribbit_state::limits::CONFIRMATION_AGE_MS_MAX;
use ribbit_state::{AccountId, AccountRole, OperatorCommand, Registration};
use testkit::http::Browser;

#[test]
fn an_admin_goes_through_every_page_with_scripts() {
    if let Some(visit) = Visit::start(true) {
        administration(&visit);
    }
}

#[test]
fn an_admin_goes_through_every_page_without_scripts() {
    if let Some(visit) = Visit::start(false) {
        administration(&visit);
    }
}

fn administration(visit: &Visit) {
    let site = &visit.site;
    visit.join("Ada Lovelace", "ada");
    let mut bob = Browser::new(&site.address);
    bob.join("bob");
    bob.croak("Buy my swamp");
    bob.post("/rooms", &[("room", "pond"), ("topic", "All wet things"), ("open", "yes")])
        .leads_to("/rooms/pond");
    let mut carl = Browser::new(&site.address);
    carl.join("carl");
    carl.post("/report", &[("person", "bob"), ("words", "Sells swamps to newts")]);
    site.group.operate(OperatorCommand::SetRegistration { registration: Registration::Request });
    let dora = [("name", "Dora"), ("username", "dora"), ("email", "dora@pond"), ("password", "password")];
    Browser::new(&site.address).post("/create", &dora);
    site.group.operate(OperatorCommand::SetRole { account: AccountId(1), role: AccountRole::Admin });
    visit.go("/settings");
    visit.driver.click("a[href='/admin']");
    visit.shows("/admin", "1 report waits");
    visit.look("admin-overview");
    visit.driver.click("main nav a[href='/admin/reports']");
    visit.shows("/admin/reports", "Sells swamps to newts");
    visit.look("admin-reports");
    visit.driver.click("button[value=warn]");
    visit.shows("/admin/reports?note=decided", "No report waits for a decision.");
    visit.look("admin-reports-empty");
    visit.driver.click("main nav a[href='/admin/people']");
    visit.shows("/admin/people", "@bob");
    visit.look("admin-people");
    visit.driver.click("main a[href='/admin/people/bob']");
    visit.look("admin-person");
    site.group.wait(CONFIRMATION_AGE_MS_MAX);
    visit.driver.click("button[value=suspend]");
    visit.shows("/admin/people/bob", "Enter your password");
    visit.look("admin-confirm");
    visit.fill(&[("password", "password")]);
    visit.shows("/admin/people/bob?note=suspended", "They are logged out everywhere.");
    visit.driver.click("button[value=link]");
    visit.shows("/admin/people/bob", "/reset/");
    visit.driver.click("main nav a[href='/admin/requests']");
    visit.shows("/admin/requests", "dora@pond");
    visit.look("admin-requests");
    visit.driver.click("button[value=approve]");
    visit.shows("/admin/requests?note=approved", "They can log in now.");
    visit.driver.click("main nav a[href='/admin/invitations']");
    visit.shows("/admin/invitations", "There are none.");
    visit.look("admin-invitations");
    visit.driver.click("button[value=make]");
    visit.shows("/admin/invitations", "not shown again");
    site.group.operate(OperatorCommand::Record { act: UnreplicatedAct::Backup { through: 12, rows: 345 } });
    visit.driver.click("main nav a[href='/admin/rooms']");
    visit.shows("/admin/rooms", "#pond");
    visit.look("admin-rooms");
    visit.driver.click("main a[href='/admin/rooms/pond']");
    visit.shows("/admin/rooms/pond", "closed for everyone");
    visit.look("admin-room-question");
    visit.driver.click("button.danger");
    visit.shows("/admin/rooms?note=room-closed", "No such room.");
    visit.driver.click("main nav a[href='/admin/backups']");
    visit.shows("/admin/backups", "345 rows at index 12");
    visit.look("admin-backups");
    visit.driver.click("main nav a[href='/admin/members']");
    visit.shows("/admin/members", "since it was started");
    visit.look("admin-members");
    visit.driver.click("main a[href='/admin/members/backend-1?change=drain']");
    visit.shows("/admin/members/backend-1?change=drain", "keeps its copy");
    visit.look("admin-member-question");
    visit.driver.click("main a[href='/admin/members']");
    visit.driver.click("main nav a[href='/admin/audit']");
    visit.shows("/admin/audit", "@ada (10.0.0.1) suspended @bob");
    // Before the announcement, which appears above the pages within a second.
    visit.look("admin-audit");
    visit.driver.click("main nav a[href='/admin/site']");
    visit.shows("/admin/site", "Who can join");
    visit.look("admin-site");
    visit.driver.type_into("[name=announcement]", "The boats are out");
    visit.driver.click("button[value=announce]");
    visit.shows("/admin/site?note=announced", "The boats are out");
    for complaint in visit.driver.complaints() {
        assert!(complaint.contains("Failed to load resource"), "{complaint}");
    }
}
