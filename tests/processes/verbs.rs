//! `ribbit client VERB` in scripts: input, output and exit code.

use crate::pty::Terminal;
use crate::test_cluster::TestCluster;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A user with a configuration folder of their own.
pub struct CliUser {
    home: TempDir,
}

/// The result of a verb: exit code, standard output and standard error.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Asserts success without output on standard error, and returns standard output.
    #[track_caller]
    pub fn succeeds(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// Asserts failure with this exit code, these words on standard error and an empty standard output.
    #[track_caller]
    pub fn fails(self, code: i32, words: &str) {
        assert!(self.code == code && self.err.contains(words) && self.out.is_empty(), "{self:?}");
    }

    /// Asserts success and returns the JSON objects on standard output, one per line.
    #[track_caller]
    pub fn lines(self) -> Vec<Value> {
        self.succeeds().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl CliUser {
    pub fn new() -> CliUser {
        CliUser { home: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Creates a user with an account and a session.
    #[track_caller]
    pub fn called(pond: &TestCluster, username: &str) -> CliUser {
        let user = CliUser::new();
        let arguments = ["create", username, "--full-name", username, "--email", "a@b"];
        user.runs_with(pond, &arguments, "password\n").succeeds();
        user
    }

    pub fn command(&self, pond: &TestCluster, arguments: &[&str]) -> Command {
        let mut command = pond.plain(&[&["client"], arguments].concat());
        command.env("XDG_CONFIG_HOME", self.home.path()).env_remove("NO_COLOR");
        command
    }

    pub fn runs(&self, pond: &TestCluster, arguments: &[&str]) -> Ran {
        self.runs_with(pond, arguments, "")
    }

    /// Runs a verb with `input` on standard input.
    pub fn runs_with(&self, pond: &TestCluster, arguments: &[&str], input: &str) -> Ran {
        ran(self.command(pond, arguments), input)
    }

    /// Returns the configuration folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Returns the session files.
    pub fn kept(&self) -> Vec<PathBuf> {
        let Ok(files) = fs::read_dir(self.home.path().join("ribbit")) else { return Vec::new() };
        let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
        files.sort();
        files
    }
}

pub fn ran(mut command: Command, input: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    // Writing fails when the process has ended without reading.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// Returns a JSON object without the given keys, which must be present and not null.
#[track_caller]
fn without(mut object: Value, keys: &[&str]) -> Value {
    for key in keys {
        let there = object.as_object_mut().expect("an object").remove(*key);
        assert!(there.is_some_and(|value| !value.is_null()), "no {key} in {object}");
    }
    object
}

#[test]
fn a_script_croaks_reads_and_follows() {
    let pond = TestCluster::start();
    let ada = CliUser::called(&pond, "ada");
    let created = CliUser::new().runs_with(&pond, &["create", "Bob", "--email", "b@b", "--json"], "password");
    let [created] = &created.lines()[..] else { panic!("one object") };
    assert_eq!(without(created.clone(), &["account"]), json!({"username": "bob"}));
    let bob = CliUser::new();
    assert_eq!(bob.runs_with(&pond, &["login", "BOB"], "password\n").succeeds(), "logged in as @bob\n");

    // The text comes from arguments or from standard input, and is posted unchanged.
    assert!(ada.runs(&pond, &["post", "Rain,", "at", "last"]).succeeds().starts_with("posted croak "));
    let [id] = &ada.runs_with(&pond, &["post", "--json", "-"], "two\n  lines\n").lines()[..] else {
        panic!()
    };
    assert!(
        id["id"].as_u64().is_some_and(|id| id > 0) && id.as_object().map(serde_json::Map::len) == Some(1)
    );
    ada.runs_with(&pond, &["post"], "a\x1b[2Jb\u{202e}🐸").succeeds();
    ada.runs(&pond, &["post", "--", "--json"]).succeeds();

    assert_eq!(bob.runs(&pond, &["feed"]).succeeds(), "", "bob follows nobody");
    assert_eq!(bob.runs(&pond, &["add", "ada"]).succeeds(), "you now follow @ada\n");
    assert_eq!(bob.runs(&pond, &["add", "ada"]).err, "ribbit: you already follow this person (608)\n");
    let feed = bob.runs(&pond, &["feed"]).succeeds();
    let shown: Vec<&str> = feed.lines().map(|line| line.rsplit("  ").next().unwrap_or_default()).collect();
    assert_eq!(shown, ["Rain, at last", "two", "lines", r"a\x1b[2Jb\u{202e}🐸", "--json"], "{feed}");
    assert!(
        feed.lines()
            .all(|line| (line.contains(" UTC  #") && line.contains("  @ada  ")) || line.starts_with("    ")),
        "{feed}"
    );
    let raw = bob.runs(&pond, &["feed", "--json"]).succeeds();
    assert!(raw.contains(r"a\u001b[2Jb\u202e🐸"), "no control characters: {raw}");
    let croaks = bob.runs(&pond, &["feed", "--json"]).lines();
    let texts: Vec<&str> = croaks.iter().map(|croak| croak["text"].as_str().expect("text")).collect();
    assert_eq!(texts, ["Rain, at last", "two\n  lines", "a\x1b[2Jb\u{202e}🐸", "--json"]);
    let author = without(croaks[1]["author"].clone(), &["account"]);
    assert_eq!(author, json!({"username": "ada", "name": "ada"}));
    assert_eq!((&croaks[1]["id"], croaks[1]["time"].is_string()), (&id["id"], true));
    // Paging: the newest two croaks, then those before them.
    let page = |arguments: &[&str]| {
        let lines = bob.runs(&pond, arguments).lines();
        lines.iter().map(|croak| croak["id"].clone()).collect::<Vec<_>>()
    };
    let newest = page(&["feed", "--json", "--limit", "2"]);
    let older = page(&["feed", "--json", "--limit", "2", "--before", &newest[0].to_string()]);
    assert_eq!([older, newest].concat(), croaks.iter().map(|it| it["id"].clone()).collect::<Vec<_>>());

    assert_eq!(
        bob.runs(&pond, &["remove", "ada", "--json"]).lines(),
        [json!({"username": "ada", "followed": false})]
    );
    assert_eq!(bob.runs(&pond, &["feed", "--json"]).succeeds(), "");
}

#[test]
fn a_script_writes_messages_and_looks_at_people() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    let _bill = CliUser::called(&pond, "bill");
    bob.runs(&pond, &["add", "ada"]).succeeds();

    let people = ada.runs(&pond, &["people", "--json"]).lines();
    let people: Vec<Value> = people.into_iter().map(|person| without(person, &["account"])).collect();
    let person = |name: &str, follows| json!({"username": name, "name": name, "followed": false, "follows": follows, "muted": false, "blocked": false});
    assert_eq!(people, [person("ada", false), person("bill", false), person("bob", true)]);
    assert_eq!(ada.runs(&pond, &["people", "b?b"]).succeeds(), "@bob  bob  (follows you)\n");
    assert_eq!(
        ada.runs(&pond, &["people", "b*", "--only", "followers"]).succeeds(),
        "@bob  bob  (follows you)\n"
    );
    assert_eq!(bob.runs(&pond, &["people", "--only", "friends"]).succeeds(), "@ada  ada  (following)\n");

    assert_eq!(bob.runs(&pond, &["inbox"]).succeeds(), "no unread messages\n");
    assert!(ada.runs(&pond, &["dm", "bob", "are", "you", "there?"]).succeeds().ends_with(": saved\n"));
    let [sent] = &ada.runs_with(&pond, &["dm", "Bob", "--json"], "two\nlines\n").lines()[..] else {
        panic!()
    };
    assert_eq!(without(sent.clone(), &["id"]), json!({"to": "bob", "fate": "saved"}));
    // With `--keep` the messages stay unread; without it they are marked as read.
    let kept = bob.runs(&pond, &["inbox", "--keep", "--json"]).lines();
    assert_eq!(kept.len(), 2);
    let who = |person: &Value| without(person.clone(), &["account"]);
    assert_eq!(who(&kept[1]["from"]), json!({"username": "ada", "name": "ada"}));
    assert_eq!(who(&kept[1]["to"]), json!({"username": "bob", "name": "bob"}));
    assert_eq!((&kept[1]["id"], &kept[1]["text"]), (&sent["id"], &json!("two\nlines")));
    assert_eq!((&kept[1]["fate"], kept[1]["time"].is_string()), (&json!("saved"), true));
    let read = bob.runs(&pond, &["inbox"]).succeeds();
    assert!(read.contains("  @ada to @bob  are you there?\n") && !read.contains('('), "{read}");
    assert_eq!(bob.runs(&pond, &["inbox", "--json"]).succeeds(), "");
    bob.runs(&pond, &["dm", "ada", "yes"]).succeeds();
    // A conversation shows both sides, and the delivery status of the user's own messages.
    let talk = ada.runs(&pond, &["inbox", "bob", "--limit", "2"]).succeeds();
    assert!(talk.contains("lines  (read)\n") && talk.contains("  @bob to @ada  yes\n"), "{talk}");
    assert_eq!(ada.runs(&pond, &["inbox", "--json"]).succeeds(), "", "the talk was read");
    // Messages of a deleted account stay, without a name.
    bob.runs(&pond, &["dm", "ada", "bye"]).succeeds();
    assert_eq!(bob.runs_with(&pond, &["delete"], "password").succeeds(), "deleted @bob\n");
    let left = ada.runs(&pond, &["inbox", "--json"]).lines();
    assert_eq!((left.len(), &left[0]["from"], &left[0]["text"]), (1, &Value::Null, &json!("bye")));
    ada.runs(&pond, &["dm", "bob", "?"]).fails(1, "there is no user with that name (601)");
}

#[test]
fn an_export_holds_everything() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    ada.runs(&pond, &["add", "bob"]).succeeds();
    bob.runs(&pond, &["add", "ada"]).succeeds();
    for number in 0..60 {
        ada.runs(&pond, &["post", &format!("croak {number}")]).succeeds();
    }
    bob.runs(&pond, &["post", "not ada's"]).succeeds();
    for number in 0..60 {
        let (from, to) = if number % 2 == 0 { (&ada, "bob") } else { (&bob, "ada") };
        from.runs(&pond, &["dm", to, &format!("message {number}")]).succeeds();
    }
    let file = pond.folder().join("me.json");
    let said = ada.runs(&pond, &["export", "--output", file.to_str().expect("text")]).succeeds();
    assert_eq!(said, format!("saved to {}: 120 croaks and messages\n", file.display()));
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("a file");
    assert_eq!(ada.runs(&pond, &["export"]).succeeds(), text, "on standard output it is the same");
    let export: Value = serde_json::from_str(&text).expect("JSON");
    let keys: Vec<&String> = export.as_object().expect("an object").keys().collect();
    let expected = [
        "account",
        "croaks",
        "followers",
        "friends",
        "messages",
        "ribbit_export",
        "room_messages",
        "rooms",
        "sessions",
    ];
    assert_eq!(
        (keys, &export["ribbit_export"]),
        (expected.iter().map(|key| (*key).to_string()).collect::<Vec<_>>().iter().collect(), &json!(1))
    );
    let account = without(export["account"].clone(), &["account", "created"]);
    let texts =
        json!({"username": "ada", "name": "ada", "email": "a@b", "bio": "", "links": [], "role": "person"});
    assert_eq!(without(account.clone(), &["avatar", "audience"]), texts);
    assert_eq!((&account["avatar"], &account["audience"]), (&json!("drawn"), &json!("everyone")));
    let texts = |list: &str| -> Vec<String> {
        let list = export[list].as_array().expect("a list");
        list.iter().rev().map(|it| it["text"].as_str().expect("text").to_string()).collect()
    };
    assert_eq!(texts("croaks"), (0..60).map(|number| format!("croak {number}")).collect::<Vec<_>>());
    assert_eq!(texts("messages"), (0..60).map(|number| format!("message {number}")).collect::<Vec<_>>());
    assert_eq!(export["friends"][0]["username"], "bob");
    assert_eq!(export["followers"][0]["username"], "bob");
    assert_eq!(export["sessions"][0]["this"], true);
    let token = fs::read_to_string(&ada.kept()[0]).expect("a session");
    let token = token.lines().find_map(|line| line.strip_prefix("TOKEN=")).expect("a token");
    assert!(!text.contains(token), "no secret is exported");
}

#[test]
fn a_session_belongs_to_a_cluster_and_not_to_an_address() {
    let mut pond = TestCluster::start();
    let ada = CliUser::called(&pond, "ada");
    let kept = ada.kept();
    assert_eq!(kept.len(), 1);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&kept[0]), mode(kept[0].parent().expect("a folder"))), (0o600, 0o700));
    // The same cluster at other addresses: a backend, and a coordinator, which names the backends.
    for part in ["BACKEND_2", "COORDINATOR_1"] {
        ada.runs(&pond, &["post", part, "--server", &pond.address(part)]).succeeds();
    }
    // The next process reads through another server what was written through the first.
    let texts: Vec<Value> = ada.runs(&pond, &["feed", "--json"]).lines();
    assert_eq!(texts.iter().map(|it| it["text"].clone()).collect::<Vec<_>>(), ["BACKEND_2", "COORDINATOR_1"]);
    // A second log-in ends the first session and replaces the file.
    let before = fs::read(&kept[0]).expect("a session");
    ada.runs_with(&pond, &["login", "ada"], "password\n").succeeds();
    let export: Value = serde_json::from_str(&ada.runs(&pond, &["export"]).succeeds()).expect("JSON");
    assert_eq!(export["sessions"].as_array().map(Vec::len), Some(1));
    assert_ne!(fs::read(&kept[0]).expect("a session"), before);
    // A closed session is refused, and its file is removed.
    fs::write(&kept[0], before).expect("a session");
    ada.runs(&pond, &["feed"]).fails(4, "you are not logged in (609)");
    assert_eq!(ada.kept(), [""; 0].map(PathBuf::from));
    ada.runs_with(&pond, &["login", "ada"], "password\n").succeeds();

    pond.stop();
    pond.wipe();
    pond.up(&[]);
    ada.runs(&pond, &["feed"]).fails(4, "you are not logged in (609)");
    ada.runs_with(&pond, &["create", "ada", "--email", "a@b"], "password\n").succeeds();
    assert_eq!(ada.kept().len(), 2, "one for each cluster");
    assert_eq!(ada.runs(&pond, &["logout"]).succeeds(), "logged out of @ada\n");
    assert_eq!(ada.kept(), kept);
    ada.runs(&pond, &["logout"]).fails(4, "you are not logged in (609)");
}

#[test]
fn a_password_is_typed_unseen() {
    let pond = TestCluster::start();
    let ada = CliUser::new();
    let mut terminal = Terminal::of(ada.command(&pond, &["create", "ada"]));
    terminal.await_text("Your name, as others see it [ada]: ");
    terminal.press("Ada \u{c9}.\r");
    terminal.await_text("Email: ");
    terminal.press("ada@pond\r");
    terminal.await_text("Password (at least 8 characters): ");
    terminal.press("s3cret-worl\u{e9}\x7fd\r");
    terminal.await_text("Repeat the password: ");
    terminal.press("s3cret-world\r");
    terminal.await_text("welcome, @ada");
    assert_eq!(terminal.ended(), 0);
    assert!(!terminal.shown().contains("s3cret"), "{:?}", terminal.shown());
    // Ctrl-C at the prompt cancels and turns echo on again.
    let mut terminal = Terminal::of(ada.command(&pond, &["delete"]));
    terminal.await_text("Password for @ada: ");
    assert!(!terminal.echoes());
    terminal.press("s3cr\x03");
    assert_eq!(terminal.ended(), 130);
    assert!(terminal.echoes());
    let mut terminal = Terminal::of(ada.command(&pond, &["login", "ada"]));
    terminal.await_text("Password for @ada: ");
    terminal.press("wrong-secret\r");
    terminal.await_text("the password is wrong (602)");
    assert_eq!(terminal.ended(), 1);
    assert!(terminal.echoes());
    // Colour appears on a terminal only, and not with NO_COLOR.
    ada.runs(&pond, &["post", "in colour"]).succeeds();
    assert!(!ada.runs(&pond, &["feed"]).succeeds().contains('\x1b'));
    let mut terminal = Terminal::of(ada.command(&pond, &["feed"]));
    terminal.await_text("\x1b[1;32m@ada\x1b[0m  in colour");
    let mut plain = ada.command(&pond, &["feed"]);
    plain.env("NO_COLOR", "1");
    let mut terminal = Terminal::of(plain);
    terminal.await_text("  @ada  in colour");
    assert_eq!(terminal.ended(), 0);
    assert!(!terminal.shown().contains('\x1b'));
}

#[test]
fn what_is_ones_own_is_changed_and_taken_back() {
    let pond = TestCluster::start();
    let ada = CliUser::called(&pond, "ada");
    let posted: Value =
        serde_json::from_str(&ada.runs(&pond, &["post", "too soon", "--json"]).succeeds()).expect("JSON");
    let id = posted["id"].to_string();
    let bob = CliUser::called(&pond, "bob");
    bob.runs(&pond, &["uncroak", &id]).fails(1, "(648)");
    assert_eq!(ada.runs(&pond, &["uncroak", &id]).succeeds(), format!("deleted croak {id}\n"));
    ada.runs(&pond, &["uncroak", &id]).fails(1, "there is no such croak (645)");
    ada.runs(&pond, &["profile", "--full-name", "Ada Lovelace", "--email", "ada@pond"]).succeeds();
    ada.runs(&pond, &["profile", "--email", "nowhere"]).fails(1, "(606)");
    ada.runs(&pond, &["profile", "bob", "--bio", "frogs"]).fails(2, "cannot be used with");
    ada.runs(&pond, &["profile", "--avatar", "teal"]).fails(2, "colours: green, teal,");
    let export: Value = serde_json::from_str(&ada.runs(&pond, &["export"]).succeeds()).expect("JSON");
    assert_eq!(
        (&export["account"]["name"], &export["account"]["email"]),
        (&json!("Ada Lovelace"), &json!("ada@pond"))
    );
    // What others see, and what only she sees.
    let links = ["--link", "https://pond.example", "--link", "http://a.b"];
    let changes =
        [&["profile", "--bio", "Frogs", "--avatar", "teal-winking", "--audience", "followers"][..], &links];
    let saved = &ada.runs(&pond, &[&changes.concat()[..], &["--json"]].concat()).lines()[0];
    assert_eq!((&saved["bio"], &saved["name"]), (&json!("Frogs"), &Value::Null));
    let usual = ada.runs(&pond, &["post", "for friends", "--json"]).lines()[0]["id"].clone();
    ada.runs(&pond, &["pin", &usual.to_string()]).succeeds();
    bob.runs(&pond, &["pin", &usual.to_string()]).fails(1, "(645)");
    let own = &ada.runs(&pond, &["profile", "--json"]).lines()[0];
    assert_eq!((&own["audience"], &own["pinned"], &own["croaks"]), (&json!("followers"), &usual, &json!(1)));
    let seen = &bob.runs(&pond, &["profile", "@ada", "--json"]).lines()[0];
    assert_eq!((&seen["avatar"], &seen["pinned"]), (&json!("teal-winking"), &Value::Null));
    assert_eq!(seen["links"], json!(["https://pond.example", "http://a.b"]));
    assert!(seen.get("email").is_none() && seen.get("audience").is_none(), "{seen}");
    let shown = bob.runs(&pond, &["profile", "ada"]).succeeds();
    assert!(
        shown.starts_with("@ada  Ada Lovelace\n  Frogs\n  https://pond.example\n  http://a.b\n  1 croaks, "),
        "{shown}"
    );
    ada.runs(&pond, &["profile", "--no-links"]).succeeds();
    ada.runs(&pond, &["pin", &usual.to_string(), "--undo"]).succeeds();
    let own = &ada.runs(&pond, &["profile", "--json"]).lines()[0];
    assert_eq!((&own["links"], &own["pinned"]), (&json!([]), &Value::Null));
    // Two more sessions.
    let (phone, laptop) = (CliUser::new(), CliUser::new());
    phone.runs_with(&pond, &["login", "ada"], "password\n").succeeds();
    laptop.runs_with(&pond, &["login", "ada"], "password\n").succeeds();
    let sessions = ada.runs(&pond, &["sessions", "--json"]).lines();
    assert_eq!(sessions.iter().map(|one| one["this"] == true).collect::<Vec<_>>(), [false, false, true]);
    assert!(
        sessions[0]["device"].as_str().is_some_and(|device| device.starts_with("Terminal")),
        "{sessions:?}"
    );
    let newest = sessions[0]["opened"].to_string();
    assert_eq!(ada.runs(&pond, &["end-session", &newest]).succeeds(), format!("ended session {newest}\n"));
    laptop.runs(&pond, &["feed"]).fails(4, "not logged in");
    phone.runs(&pond, &["feed"]).succeeds();
    ada.runs(&pond, &["end-session", &newest]).fails(1, "(647)");
    ada.runs_with(&pond, &["passwd"], "not this\nsesame street\n").fails(1, "(602)");
    ada.runs_with(&pond, &["passwd"], "password\nshort\n").fails(1, "(606)");
    ada.runs_with(&pond, &["passwd"], "password\nsesame street\n").succeeds();
    phone.runs(&pond, &["feed"]).fails(4, "not logged in");
    phone.runs_with(&pond, &["login", "ada"], "password\n").fails(1, "(602)");
    phone.runs_with(&pond, &["login", "ada"], "sesame street\n").succeeds();
    ada.runs(&pond, &["end-session", "--others"]).succeeds();
    assert_eq!(ada.runs(&pond, &["sessions"]).succeeds().lines().count(), 1);
}

#[test]
fn a_script_searches_people_and_croaks() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    bob.runs(&pond, &["post", "Crème brûlée at the pond #dessert"]).succeeds();
    bob.runs(&pond, &["post", "nothing sweet"]).succeeds();
    assert!(
        ada.runs(&pond, &["search", "CREME", "pon"])
            .succeeds()
            .ends_with("@bob  Crème brûlée at the pond #dessert\n")
    );
    let found = ada.runs(&pond, &["--json", "search", "#dessert"]).lines();
    assert_eq!((found.len(), &found[0]["author"]["username"]), (1, &json!("bob")));
    let people = ada.runs(&pond, &["search", "bo", "--json"]).lines();
    assert_eq!((people.len(), &people[0]["username"]), (1, &json!("bob")));
    assert_eq!(ada.runs(&pond, &["search", "zebra"]).succeeds(), "");
    ada.runs(&pond, &["search", "!"]).fails(1, "606");
}
