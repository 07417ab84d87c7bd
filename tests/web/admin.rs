//! The pages of moderators and admins, without scripts.

use ribbit_roles::web::routes::{ROUTES, RequestBody};
use ribbit_state::command::{NewMember, UnreplicatedAct};
use ribbit_state::limits::CONFIRMATION_AGE_MS_MAX;
use ribbit_state::query::OperatorQuery;
use ribbit_state::{
    AccountId, AccountRole, Code, Command, HistoryId, Inviters, MemberName, OperatorCommand, Page,
    Registration, Role,
};
use testkit::group::Mood;
use testkit::http::Browser;
use testkit::site::Site;

/// Every page, and the least role that may see it.
const PAGES: [(&str, AccountRole); 13] = [
    ("/admin", AccountRole::Moderator),
    ("/admin/reports", AccountRole::Moderator),
    ("/admin/people", AccountRole::Moderator),
    ("/admin/people/carl", AccountRole::Moderator),
    ("/admin/requests", AccountRole::Admin),
    ("/admin/invitations", AccountRole::Admin),
    ("/admin/rooms", AccountRole::Admin),
    ("/admin/rooms/pond", AccountRole::Admin),
    ("/admin/backups", AccountRole::Admin),
    ("/admin/members", AccountRole::Admin),
    ("/admin/members/backend-1?change=remove", AccountRole::Admin),
    ("/admin/site", AccountRole::Admin),
    ("/admin/audit", AccountRole::Admin),
];

/// Every form of these pages, the fields that it sends, and the least role that may send it.
const FORMS: [(&str, &[(&str, &str)], AccountRole); 21] = [
    ("/admin/reports", &[("report", "1"), ("choice", "nothing")], AccountRole::Moderator),
    ("/admin/people/carl", &[("choice", "suspend")], AccountRole::Moderator),
    ("/admin/people/carl", &[("choice", "resume")], AccountRole::Moderator),
    ("/admin/people/carl", &[("choice", "role"), ("role", "admin")], AccountRole::Admin),
    ("/admin/people/carl", &[("choice", "link")], AccountRole::Admin),
    ("/admin/people/carl", &[("choice", "unlink")], AccountRole::Admin),
    ("/admin/people/carl", &[("choice", "delete"), ("confirm", "carl")], AccountRole::Admin),
    ("/admin/requests", &[("asked", "dora"), ("choice", "approve")], AccountRole::Admin),
    ("/admin/requests", &[("asked", "dora"), ("choice", "refuse")], AccountRole::Admin),
    (
        "/admin/invitations",
        &[("choice", "make"), ("uses", "1"), ("days", "7"), ("room", "")],
        AccountRole::Admin,
    ),
    ("/admin/invitations", &[("choice", "revoke"), ("invitation", "1")], AccountRole::Admin),
    ("/admin/rooms/pond", &[("choice", "close")], AccountRole::Admin),
    ("/admin/members/backend-1", &[("change", "lead")], AccountRole::Admin),
    ("/admin/members/backend-1", &[("change", "drain")], AccountRole::Admin),
    ("/admin/members/backend-1", &[("change", "undrain")], AccountRole::Admin),
    ("/admin/members/backend-1", &[("change", "remove"), ("alive", "yes")], AccountRole::Admin),
    ("/admin/site", &[("choice", "texts"), ("name", "Pond")], AccountRole::Admin),
    (
        "/admin/site",
        &[("choice", "joining"), ("registration", "closed"), ("inviters", "admins")],
        AccountRole::Admin,
    ),
    (
        "/admin/site",
        &[("choice", "joining"), ("registration", "open"), ("inviters", "everyone")],
        AccountRole::Admin,
    ),
    ("/admin/site", &[("choice", "announce"), ("announcement", "Quiet, please")], AccountRole::Admin),
    ("/admin/site", &[("choice", "withdraw"), ("item", "1")], AccountRole::Admin),
];

/// Starts a site with an admin, a moderator and a person.
pub(crate) fn three(site: &Site) -> [Browser; 3] {
    let people = ["ada", "bob", "carl"].map(|name| {
        let mut browser = Browser::new(&site.address);
        browser.join(name);
        browser
    });
    for (account, role) in [(1, AccountRole::Admin), (3, AccountRole::Moderator)] {
        site.group.operate(OperatorCommand::SetRole { account: AccountId(account), role });
    }
    people
}

fn reports(site: &Site) -> usize {
    let Page::Reports { reports, .. } = site.group.read(&OperatorQuery::Reports { after: None }.into())
    else {
        panic!("no reports")
    };
    reports.len()
}

#[test]
fn every_page_and_form_asks_for_its_role() {
    let site = Site::start();
    let [mut ada, mut bob, mut carl] = three(&site);
    ada.post("/rooms", &[("room", "pond")]).leads_to("/rooms/pond");
    for (page, least) in PAGES {
        carl.get(page).says(403, "Your account may not do that.");
        ada.get(page).says(200, "href=\"/admin");
        let expected = if least == AccountRole::Admin { 403 } else { 200 };
        assert_eq!(bob.get(page).status, expected, "{page}");
    }
    // The tables have every page and form of the site.
    for row in ROUTES.iter().filter(|row| row.path.starts_with("/admin")) {
        let here = |path: &str| path.strip_prefix(row.path.split('{').next().unwrap()) == Some("");
        let named = |path: &str| {
            let path = path.split('?').next();
            ["carl", "backend-1", "pond"].iter().any(|name| path == Some(&row.path.replace("{name}", name)))
        };
        assert!(PAGES.iter().any(|(path, _)| here(path) || named(path)), "{}", row.path);
        let form = FORMS.iter().any(|(path, ..)| here(path) || named(path));
        assert_eq!(form, row.body == RequestBody::Form, "{}", row.path);
    }
    for (path, fields, least) in FORMS {
        let refused = carl.post(path, fields);
        assert_eq!(refused.status, 403, "{path} {fields:?} by a person: {}", refused.body);
        if least == AccountRole::Admin {
            let refused = bob.post(path, fields);
            assert_eq!(refused.status, 403, "{path} {fields:?} by a moderator: {}", refused.body);
        }
    }
    // The person is still there, and the site is as it was.
    Browser::new(&site.address).get("/create").says(200, "Sign up");
    ada.get("/admin/people/carl").says(200, "@carl");
    // A moderator cannot suspend an admin.
    assert_eq!(bob.post("/admin/people/ada", &[("choice", "suspend")]).status, 403);
    carl.get("/settings").says(200, "Danger zone");
    assert!(!carl.get("/settings").body.contains("/admin") && ada.get("/settings").body.contains("/admin"));
}

#[test]
fn a_password_is_asked_for_after_ten_minutes_and_the_form_goes_on() {
    let site = Site::start();
    let [mut ada, ..] = three(&site);
    site.group.wait(CONFIRMATION_AGE_MS_MAX);
    let request = ada.get("/admin/site").requests()[0].clone();
    let texts = [
        ("choice", "texts"),
        ("name", "The <pond>"),
        ("welcome", "Ask \"ada\""),
        ("request", request.as_str()),
    ];
    let asked = ada.post("/admin/site", &texts);
    asked.says(422, "Enter your password");
    asked.says(422, "name=\"welcome\" value=\"Ask &#34;ada&#34;\"");
    assert_eq!(asked.body.matches("name=\"request\"").count(), 1, "{}", asked.body);
    let request = asked.requests()[0].clone();
    let with = |password| {
        let mut fields = texts.to_vec();
        fields[3] = ("request", request.as_str());
        fields.push(("password", password));
        fields
    };
    let wrong = ada.post("/admin/site", &with("not it at all"));
    wrong.refuses(Code::WrongPassword);
    assert!(!wrong.body.contains("not it at all"), "{}", wrong.body);
    ada.post("/admin/site", &with("password")).leads_to("/admin/site?note=saved");
    Browser::new(&site.address).get("/").says(200, "The &#60;pond&#62;");
    // For ten minutes nothing is asked.
    ada.post("/admin/people/carl", &[("choice", "suspend")]).leads_to("/admin/people/carl?note=suspended");
    site.group.wait(CONFIRMATION_AGE_MS_MAX);
    ada.post("/admin/people/carl", &[("choice", "resume")]).says(422, "Enter your password");
}

#[test]
fn a_moderator_decides_reports_and_suspends() {
    let site = Site::start();
    let [mut ada, mut bob, mut carl] = three(&site);
    carl.croak("buy my <swamp>");
    let report = [("person", "carl"), ("words", "sells swamps")];
    ada.post("/report", &report).leads_to("/@carl?note=reported");
    bob.get("/admin").says(200, "1 report waits");
    bob.get("/admin/reports").says(200, "Why: sells swamps");
    let id = {
        let body = bob.get("/admin/reports").body;
        body.split("name=\"report\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_string()
    };
    bob.post("/admin/reports", &[("report", &id), ("choice", "warn")])
        .leads_to("/admin/reports?note=decided");
    assert_eq!(reports(&site), 0);
    bob.get("/admin/reports").says(200, "No report waits for a decision.");
    ada.get("/notifications").says(200, "report");
    bob.post("/admin/people/carl", &[("choice", "suspend")]).leads_to("/admin/people/carl?note=suspended");
    carl.get("/main").leads_to("/login");
    bob.get("/admin/people?names=ca").says(200, "Suspended");
    // Moderators see no e-mail addresses.
    assert!(!bob.get("/admin/people/carl").body.contains("carl@"));
    bob.get("/admin/people/nobody").says(404, "Nobody has this username");
}

#[test]
fn an_admin_does_the_rest_and_the_audit_log_has_it() {
    let site = Site::start();
    let [mut ada, _, mut carl] = three(&site);
    let mut go = |path: &str, fields: &[(&str, &str)], to: &str| ada.post(path, fields).leads_to(to);
    go("/admin/people/carl", &[("choice", "role"), ("role", "moderator")], "/admin/people/carl?note=saved");
    go(
        "/admin/site",
        &[("choice", "joining"), ("registration", "request"), ("inviters", "everyone")],
        "/admin/site?note=saved",
    );
    go(
        "/admin/site",
        &[("choice", "announce"), ("announcement", "The boats are out")],
        "/admin/site?note=announced",
    );
    carl.get("/admin").says(200, "The boats are out");
    let Page::Settings(settings) = site.group.read(&ribbit_state::Query::Settings) else { panic!() };
    assert_eq!(settings.registration, Registration::Request);
    // A visitor asks for an account.
    let form = [("name", "Dora"), ("username", "dora"), ("email", "dora@pond"), ("password", "password")];
    let mut dora = Browser::new(&site.address);
    dora.post("/create", &form);
    ada.get("/admin/requests").says(200, "@dora");
    ada.post("/admin/requests", &[("asked", "dora"), ("choice", "approve")])
        .leads_to("/admin/requests?note=approved");
    dora.post("/login", &[("username", "dora"), ("password", "password")]).leads_to("/main");
    // A link is shown once, and the same form shows the same one.
    let request = ada.get("/admin/people/dora").requests()[2].clone();
    let link = [("choice", "link"), ("request", request.as_str())];
    let made = ada.post("/admin/people/dora", &link);
    made.says(200, "/reset/");
    let shown = |body: &str| body.split("<code class=\"address\">").nth(1).unwrap()[..60].to_string();
    assert_eq!(shown(&made.body), shown(&ada.post("/admin/people/dora", &link).body));
    let link = made.body.split("/reset/").nth(1).expect("a code")[..32].to_string();
    let link = format!("/reset/{link}");
    dora.get(&link).says(200, "new-password");
    ada.post("/admin/people/dora", &[("choice", "unlink")]).leads_to("/admin/people/dora?note=link-revoked");
    dora.get(&link).says(404, "");
    ada.post("/admin/people/dora", &[("choice", "delete"), ("confirm", "carl")])
        .says(422, "Type dora to delete the account.");
    ada.post("/admin/people/dora", &[("choice", "delete"), ("confirm", "Dora")])
        .leads_to("/admin/people?note=account-deleted");
    ada.get("/@dora").says(404, "Nobody has this username");
    let log = ada.get("/admin/audit");
    for words in [
        "@ada (10.0.0.1) set the role of @carl moderator",
        "set registration to request",
        "announced: The boats are out",
        "made a link to set the password of @dora",
        "revoked the link to set the password of @dora",
        "deleted @dora",
        "operator@board (10.0.0.1) set the role of @ada admin",
    ] {
        log.says(200, words);
    }
    let newest = log.body.find("deleted @dora").unwrap();
    assert!(newest < log.body.find("set the role of @carl").unwrap(), "newest first");
}

#[test]
fn a_form_of_two_settings_is_completed_when_it_is_sent_again() {
    let site = Site::start();
    let [mut ada, ..] = three(&site);
    let request = ada.get("/admin/site").requests()[1].clone();
    let form = |inviters| {
        [
            ("choice", "joining"),
            ("registration", "request"),
            ("inviters", inviters),
            ("request", request.as_str()),
        ]
    };
    // As if only the first of its two commands had been decided.
    ada.post("/admin/site", &form("admins")).leads_to("/admin/site?note=saved");
    ada.post("/admin/site", &form("everyone")).leads_to("/admin/site?note=saved");
    let Page::Settings(settings) = site.group.read(&ribbit_state::Query::Settings) else { panic!() };
    assert_eq!((settings.registration, settings.inviters), (Registration::Request, Inviters::Everyone));
}

#[test]
fn an_admin_makes_and_revokes_invitations_of_the_operators() {
    let site = Site::start();
    let [mut ada, _, mut carl] = three(&site);
    site.group.operate(OperatorCommand::SetInviters { inviters: Inviters::Everyone });
    let own = [("choice", "make"), ("uses", "2"), ("days", "3"), ("room", "")];
    carl.post("/invitations", &own).says(200, "2 used");
    site.group.operate(OperatorCommand::SetRegistration { registration: Registration::Closed });
    let request = ada.get("/admin/invitations").requests()[0].clone();
    let make =
        [("choice", "make"), ("uses", "1"), ("days", "7"), ("room", ""), ("request", request.as_str())];
    let made = ada.post("/admin/invitations", &make);
    made.says(200, "QR code of the link above");
    made.says(200, "<a href=\"/admin/people/carl\">@carl</a>");
    let address = |body: &str| {
        body.split("<code class=\"address\">").nth(1).unwrap().split('<').next().unwrap().to_string()
    };
    let link = address(&made.body);
    assert_eq!(link, address(&ada.post("/admin/invitations", &make).body), "the same form shows it again");
    assert!(!ada.get("/admin/invitations").body.contains(&link));
    let code = link.split("invitation=").nth(1).unwrap();
    let form = [
        ("name", "D"),
        ("username", "dora"),
        ("email", "d@b"),
        ("password", "password"),
        ("invitation", code),
    ];
    // It works although sign-up is closed, and once.
    Browser::new(&site.address).post("/create", &form).leads_to("/main?note=welcome");
    let page = ada.get("/admin/invitations");
    page.says(200, "1 of 1 used, used up");
    let id = page.body.split("name=\"invitation\" value=\"").nth(2).unwrap().split('"').next().unwrap();
    let revoke = [("choice", "revoke"), ("invitation", id)];
    ada.post("/admin/invitations", &revoke).leads_to("/admin/invitations?note=uninvited");
    assert!(!ada.get("/admin/invitations").body.contains("@carl"));
    ada.post("/admin/invitations", &[("choice", "make"), ("uses", "1"), ("days", "7"), ("room", "no-such")])
        .says(422, "There is no such room.");
    let log = ada.get("/admin/audit");
    log.says(200, "@ada (10.0.0.1) made an invitation: 1 account");
    log.says(200, "@ada (10.0.0.1) revoked an invitation:");
}

#[test]
fn the_overview_says_what_is_wrong_and_what_to_do() {
    let site = Site::start();
    let [mut ada, mut bob, _] = three(&site);
    site.group.be(Mood::Minority);
    let page = bob.get("/admin");
    page.says(200, "There is no leader.");
    page.says(200, "Start the members that are offline, or check the network between them.");
    page.says(200, "backend-1 uses 20 of 1024 MiB");
    ada.get("/admin").says(200, "To decide");
}

#[test]
fn an_admin_changes_members_after_a_question() {
    let site = Site::start();
    let [mut ada, ..] = three(&site);
    let name = MemberName::at_home(Role::Backend, 1);
    let member = NewMember {
        role: name.role,
        id: name.id,
        address: String::new(),
        machine: String::new(),
        rules_level: 1,
        key: Default::default(),
    };
    site.group.operate(Command::FoundCluster { history: HistoryId(1), member });
    let page = ada.get("/admin/members");
    for words in
        ["backend-1", "0.1.0 (1a2b3c4d", "315 MB since it was started, 315 MB a day", "20 of 1024 MiB"]
    {
        page.says(200, words);
    }
    // It leads, so it cannot be made the leader.
    assert!(!page.body.contains("change=lead") && page.body.contains("change=drain"), "{}", page.body);
    for nothing in ["backend-9?change=drain", "backend-1?change=other", "backend-1", "frog?change=drain"] {
        assert_eq!(ada.get(&format!("/admin/members/{nothing}")).status, 404, "{nothing}");
    }
    let asked = ada.get("/admin/members/backend-1?change=remove");
    asked.says(200, "backend-1 is running.");
    asked.says(200, "name=\"alive\" value=\"yes\"");
    let request = asked.requests()[0].clone();
    let removal = [("change", "remove"), ("alive", "yes"), ("request", request.as_str())];
    site.group.wait(CONFIRMATION_AGE_MS_MAX);
    let confirm = ada.post("/admin/members/backend-1", &removal);
    confirm.says(422, "Enter your password");
    confirm.says(422, "name=\"alive\" value=\"yes\"");
    let again = confirm.requests()[0].clone();
    let removal = [removal[0], removal[1], ("request", again.as_str())];
    let changed = "/admin/members?note=member-changed";
    let drain = [("change", "drain"), ("password", "password")];
    ada.post("/admin/members/backend-1", &drain).leads_to(changed);
    ada.post("/admin/members/backend-1", &[("change", "undrain")]).leads_to(changed);
    ada.post("/admin/members/backend-1", &[("change", "lead")]).leads_to(changed);
    ada.post("/admin/members/backend-1", &removal).leads_to(changed);
    ada.post("/admin/members/backend-1", &removal).leads_to(changed);
    ada.post("/admin/members/backend-9", &[("change", "drain")]).says(422, "no such member");
    let log = ada.get("/admin/audit").body;
    for act in ["took the vote from", "gave the vote back to", "made the leader:", "removed"] {
        assert_eq!(log.matches(&format!("@ada (10.0.0.1) {act} backend-1")).count(), 1, "{act}: {log}");
    }
}

#[test]
fn without_a_majority_only_the_overview_is_shown() {
    let site = Site::start();
    let [mut ada, ..] = three(&site);
    site.group.be(Mood::Minority);
    ada.get("/admin").says(200, "There is no leader.");
    for (page, _) in PAGES.into_iter().filter(|(page, _)| *page != "/admin") {
        assert_eq!(ada.get(page).status, 503, "{page}");
    }
}

#[test]
fn an_admin_finds_and_closes_rooms_and_sees_the_newest_backup() {
    let site = Site::start();
    let [mut ada, _, mut carl] = three(&site);
    carl.post("/rooms", &[("room", "crew"), ("topic", "All <wet> things")]).leads_to("/rooms/crew");
    carl.post("/rooms/crew", &[("message", "psst")]);
    ada.post("/rooms", &[("room", "pond"), ("open", "yes")]).leads_to("/rooms/pond");
    let list = ada.get("/admin/rooms");
    list.says(200, "by invitation, 1 person, of <a href=\"/admin/people/carl\">@carl</a>");
    list.says(200, "All &#60;wet&#62; things");
    assert!(!list.body.contains("psst"), "what is said in a room is not for admins");
    let found = ada.get("/admin/rooms?names=po").body;
    assert!(found.contains("#pond") && !found.contains("#crew"), "{found}");
    ada.get("/admin/rooms/no-such").says(422, "There is no such room.");
    ada.get("/admin/rooms/crew").says(200, "closed for everyone");
    ada.post("/admin/rooms/crew", &[]).leads_to("/admin/rooms?note=room-closed");
    ada.post("/admin/rooms/crew", &[]).says(422, "There is no such room.");
    assert_eq!(carl.get("/rooms/crew").status, 404);
    ada.get("/admin/audit").says(200, "@ada (10.0.0.1) closed the room crew");
    ada.get("/admin/backups").says(200, "There is no backup among the newest acts.");
    let act = UnreplicatedAct::Backup { through: 12, rows: 345 };
    site.group.operate(OperatorCommand::Record { act });
    ada.get("/admin/backups").says(200, "Newest backup: just now, 345 rows at index 12.");
}

#[test]
fn a_refused_text_of_the_site_comes_back_in_its_form() {
    let site = Site::start();
    let [mut ada, ..] = three(&site);
    let long = "w".repeat(300);
    let refused = ada.post("/admin/site", &[("choice", "texts"), ("name", "Pond"), ("welcome", &long)]);
    refused.says(422, &format!(">{long}</textarea>"));
    refused.says(422, "name=\"name\" type=\"text\" value=\"Pond\"");
    refused.says(422, "role=\"alert\"");
    let long = "a".repeat(501);
    ada.post("/admin/site", &[("choice", "announce"), ("announcement", &long)])
        .says(422, &format!(">{long}</textarea>"));
}
