//! Every page compared with its golden file in tests/views.
//!
//! `UPDATE_GOLDENFILES=1 cargo test --test web views` writes the files anew; read the diff. Request ids, cursors and relative times are
//! masked.

use ribbit_net::protocol::UnavailableReason;
use ribbit_net::secret::token_hash;
use ribbit_state::command::InvitationTerms;
use ribbit_state::{AccountId, AccountRole, Inviters, OperatorCommand, Registration};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use testkit::api::ApiApp;
use testkit::group::Mood;
use testkit::http::{Browser, Reply};
use testkit::site::Site;

/// Replaces everything between `begin` and `end` by `…`.
fn without(text: &str, begin: &str, end: &str) -> String {
    let mut pieces = text.split(begin);
    let mut out = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let (_, rest) = piece.split_once(end).unwrap_or(("", piece));
        out += &format!("{begin}…{end}{rest}");
    }
    out
}

struct Views {
    wrong: Vec<String>,
}

impl Views {
    /// Compares a page with its file, or writes the file.
    fn see(&mut self, name: &str, page: &Reply) {
        let mut text = page.body.clone();
        for (begin, end) in [
            ("name=\"request\" value=\"", "\""),
            ("data-live=\"", "\""),
            ("data-now=\"", "\""),
            ("<span class=\"ago\">", "</span>"),
            ("<b>ribbit</b> ", ","),
            ("<code class=\"address\">", "</code>"),
            // The QR code of such an address.
            ("<path d=\"M4 4h7v1h-7z", "\""),
        ] {
            text = without(&text, begin, end);
        }
        text = format!("<!-- {} -->\n{}\n", page.status, text.trim_end());
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/views").join(format!("{name}.html"));
        if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
            std::fs::write(file, text).unwrap();
        } else if std::fs::read_to_string(&file).unwrap_or_default() != text {
            self.wrong.push(format!("{name}:\n{text}"));
        }
    }
}

#[test]
fn every_page_matches_its_golden_file() {
    let site = Site::start();
    let mut views = Views { wrong: Vec::new() };
    let (mut ada, mut bob) = (Browser::new(&site.address), Browser::new(&site.address));
    views.see("create", &ada.get("/create"));
    let wrong = [("name", "A <b>"), ("username", "a b"), ("email", "nowhere"), ("password", "short")];
    views.see("create-refused", &ada.post("/create", &wrong));
    ada.join("ada");
    bob.join("bob");
    views.see("landing", &Browser::new(&site.address).get("/"));
    views.see("login", &Browser::new(&site.address).get("/login?created=ada"));
    views.see("login-refused", &ada.post("/login", &[("username", "ada"), ("password", "open sesame")]));
    views.see("main-empty", &ada.get("/main"));
    ada.post("/manage", &[("username", "bob"), ("choice", "add")]).leads_to("/manage?note=added");
    bob.croak("Rain, at last, @ada!\nIt is <wet>.");
    ada.croak("mine");
    views.see("main", &ada.get("/main"));
    views.see("everyone", &ada.get("/everyone"));
    views.see("main-refused", &ada.post("/main", &[("post", &"x".repeat(101))]));
    for number in 0..50 {
        bob.croak(&format!("croak {number}"));
    }
    views.see("main-older", &ada.get("/main?before=8"));
    views.see("manage", &ada.get("/manage?note=added"));
    views.see("manage-refused", &ada.post("/manage", &[("username", "nobody"), ("choice", "add")]));
    views.see("people", &ada.get("/people"));
    views.see("people-found", &bob.get("/people?names=a*"));
    views.see("people-followers", &bob.get("/people?who=followers"));
    views.see("people-refused", &ada.get(&format!("/people?names={}", "x".repeat(65))));
    let app = ApiApp::register(&site.address);
    let asked = format!("client_id={}&redirect_uri=toot%3Aback&response_type=code&scope=read+write", app.id);
    views.see("authorize", &ada.get(&format!("/oauth/authorize?{asked}")));
    let by_hand = "urn:ietf:wg:oauth:2.0:oob";
    let wrong = [
        ("client_id", app.id.as_str()),
        ("redirect_uri", by_hand),
        ("response_type", "code"),
        ("username", "ada"),
        ("password", "open sesame"),
        ("choice", "allow"),
    ];
    let mut stranger = Browser::new(&site.address);
    views.see("authorize-refused", &stranger.post("/oauth/authorize", &wrong));
    views.see("chirper-register", &stranger.get("/register"));
    views
        .see("chirper-register-refused", &stranger.post("/register", &[("Username", ""), ("Password", "x")]));
    let wrong = [("Username", "ada"), ("Password", "open sesame")];
    views.see("chirper-login-refused", &stranger.post("/login", &wrong));
    views.see("chirper-home", &ada.get("/home"));
    views.see("chirper-browse", &bob.get("/browse"));
    views.see("chirper-user", &bob.get("/user/ada"));
    views.see("profile", &ada.get("/@bob?before=8"));
    views.see("profile-own", &ada.get("/@ada"));
    let fields = [
        ("choice", "profile"),
        ("bio", "Frogs,\n<engines> and @bob"),
        ("links", "https://pond.example"),
        ("frog", "cheeky"),
        ("colour", "violet"),
    ];
    ada.post("/settings", &fields).leads_to("/settings?note=saved");
    ada.post("/pin", &[("croak", "7"), ("choice", "add"), ("back", "/@ada")]).leads_to("/@ada#croak-7");
    views.see("profile-full", &ada.get("/@ada"));
    views.see("profile-nobody", &ada.get("/@nobody"));
    views.see("croak", &ada.get("/croak/6"));
    views.see("croak-own", &ada.get("/croak/7"));
    views.see("croak-none", &ada.get("/croak/99"));
    views.see("notifications", &ada.get("/notifications"));
    views.see("notifications-empty", &bob.get("/notifications?before=1"));
    views.see("muted-empty", &ada.get("/muted"));
    views.see("blocked-empty", &ada.get("/blocked"));
    views.see("report", &ada.get("/report?person=bob"));
    views.see("report-refused", &ada.post("/report", &[("person", "bob"), ("words", &"x".repeat(501))]));
    views.see("messages-empty", &ada.get("/messages"));
    views.see("talk-empty", &ada.get("/messages/bob"));
    bob.post("/messages/ada", &[("message", "Did you see\nthe <rain>, @ada?")]).leads_to("/messages/ada");
    views.see("messages", &ada.get("/messages"));
    views.see("talk-new", &ada.get("/messages/bob"));
    ada.post("/messages/bob", &[("message", "I did.")]).leads_to("/messages/bob");
    views.see("talk", &ada.get("/messages/bob"));
    views.see("talk-refused", &ada.post("/messages/bob", &[("message", "")]));
    views.see("rooms-empty", &ada.get("/rooms"));
    views.see("rooms-refused", &ada.post("/rooms", &[("room", "a b"), ("topic", "<wet>")]));
    let fields = [("room", "pond"), ("topic", "All <wet> things"), ("open", "yes"), ("history", "yes")];
    ada.post("/rooms", &fields).leads_to("/rooms/pond");
    views.see("room-empty", &ada.get("/rooms/pond"));
    views.see("room-stranger", &bob.get("/rooms/pond"));
    views.see("rooms-others", &bob.get("/rooms"));
    bob.post("/rooms/pond", &[("choice", "join")]).leads_to("/rooms/pond");
    bob.post("/rooms/pond", &[("message", "Is it <wet>, @ada?")]).leads_to("/rooms/pond");
    ada.post("/rooms/pond", &[("message", "It is.\nVery.")]).leads_to("/rooms/pond");
    ada.post("/rooms", &[("room", "crew")]).leads_to("/rooms/crew");
    ada.post("/rooms/crew/members", &[("choice", "invite"), ("username", "bob")])
        .leads_to("/rooms/crew/members");
    views.see("rooms", &bob.get("/rooms"));
    views.see("room", &ada.get("/rooms/pond"));
    views.see("room-refused", &bob.post("/rooms/pond", &[("message", "")]));
    views.see("room-invited", &bob.get("/rooms/crew"));
    views.see("room-none", &bob.get("/rooms/no-such"));
    views.see("room-settings", &ada.get("/rooms/pond/settings?note=saved"));
    views.see("room-settings-member", &bob.get("/rooms/pond/settings"));
    views.see("room-members", &ada.get("/rooms/pond/members"));
    views.see("room-members-invited", &ada.get("/rooms/crew/members"));
    views.see("settings", &ada.get("/settings?note=saved"));
    let wrong = [("choice", "password"), ("password", "not this one"), ("new-password", "long enough")];
    views.see("settings-refused", &ada.post("/settings", &wrong));
    views.see("feed-addresses-empty", &ada.get("/settings/feeds"));
    views.see("feed-addresses-made", &ada.post("/settings/feeds", &[("choice", "make"), ("of", "pond")]));
    views.see("feed-addresses-refused", &ada.post("/settings/feeds", &[("choice", "make"), ("of", "a b")]));
    views.see("invitations-none", &ada.get("/invitations"));
    site.group.operate(OperatorCommand::SetInviters { inviters: Inviters::Everyone });
    let make = [("choice", "make"), ("uses", "3"), ("days", "7"), ("room", "pond")];
    views.see("invitations-made", &ada.post("/invitations", &make));
    views.see("invitations-refused", &ada.post("/invitations", &[("choice", "other")]));
    let terms = InvitationTerms { uses: 3, for_ms: 86_400_000, room: Some("pond".into()) };
    site.group.operate(OperatorCommand::Invite { code: token_hash(&[8; 16]), terms });
    let invited = format!("/create?invitation={}", "08".repeat(16));
    views.see("create-invited", &Browser::new(&site.address).get(&invited));
    views.see("create-invited-none", &Browser::new(&site.address).get("/create?invitation=none"));
    let code = OperatorCommand::MakeResetLink { account: AccountId(1), code: token_hash(&[7; 16]) };
    site.group.operate(code);
    views.see("reset", &Browser::new(&site.address).get(&format!("/reset/{}", "07".repeat(16))));
    views.see("reset-none", &ada.get("/reset/none"));
    views.see("logout", &ada.get("/logout"));
    views.see("delete", &ada.get("/delete"));
    views.see("about", &ada.get("/about"));
    views.see("nothing-here", &ada.get("/nothing"));
    site.group.operate(OperatorCommand::SetRole { account: AccountId(1), role: AccountRole::Admin });
    views.see("admin-overview", &ada.get("/admin"));
    views.see("admin-rooms", &ada.get("/admin/rooms"));
    views.see("admin-room-question", &ada.get("/admin/rooms/crew"));
    views.see("admin-backups", &ada.get("/admin/backups"));
    views.see("admin-members", &ada.get("/admin/members"));
    views.see("admin-member-question", &ada.get("/admin/members/backend-1?change=remove"));
    views.see("admin-invitations", &ada.get("/admin/invitations"));
    let make = [("choice", "make"), ("uses", "3"), ("days", "7"), ("room", "pond")];
    views.see("admin-invitations-made", &ada.post("/admin/invitations", &make));
    bob.post("/delete", &[("password", "password")]).leads_to("/login?note=deleted");
    views.see("talk-deleted", &ada.get("/messages/~3"));
    site.group.operate(OperatorCommand::SetRegistration { registration: Registration::Closed });
    views.see("search-empty", &ada.get("/search"));
    views.see("search-refused", &ada.get("/search?q=%21"));
    views.see("search-none", &ada.get("/search?q=zebra"));
    views.see("search", &ada.get("/search?q=b"));
    views.see("tag", &ada.get("/tag/rain"));
    views.see("create-closed", &ada.get("/create"));
    site.group.operate(OperatorCommand::SetRegistration { registration: Registration::Invitation });
    views.see("landing-invitation", &Browser::new(&site.address).get("/"));
    site.group.operate(OperatorCommand::SetRegistration { registration: Registration::Request });
    views.see("create-request", &Browser::new(&site.address).get("/create"));
    site.group.be(Mood::Minority);
    views.see("main-old", &ada.get("/main"));
    let request = ada.get("/main").requests()[0].clone();
    views.see("main-trouble", &ada.post("/main", &[("post", "kept"), ("request", &request)]));
    site.group.be(Mood::Unavailable(UnavailableReason::NoLeader));
    views.see("trouble", &ada.get("/main"));
    site.group.be(Mood::Gone);
    views.see("nobody", &ada.get("/main"));
    assert!(views.wrong.is_empty(), "no longer what tests/views holds:\n{}", views.wrong.join("\n"));
}

/// Checks the golden files with html-validate, by RIBBIT_HTML_VALIDATE=FILE.
#[test]
fn every_page_is_valid_html() {
    let Some(checker) = std::env::var_os("RIBBIT_HTML_VALIDATE") else {
        let words =
            "skipped: html-validate is not there (npm install html-validate, RIBBIT_HTML_VALIDATE=FILE)";
        let _ = writeln!(std::io::stderr(), "{words}");
        return;
    };
    let views = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/views");
    let checked =
        Command::new("node").arg(checker).args(["--formatter", "text"]).arg(views).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}
