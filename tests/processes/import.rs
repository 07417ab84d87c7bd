//! `ribbit user import` and `export`.

use crate::test_cluster::{TestCluster, awaited};
use crate::verbs::{CliUser, Ran, ran};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Instant;

struct School {
    pond: TestCluster,
}

impl School {
    fn runs(&self, arguments: &[&str], input: &str) -> Ran {
        ran(self.pond.plain(&[&["user"], arguments].concat()), input)
    }

    fn path(&self, name: &str) -> String {
        self.pond.folder().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).expect("a file");
        self.path(name)
    }

    fn usernames(&self) -> BTreeSet<String> {
        let accounts = self.runs(&["list", "--json"], "").lines();
        accounts.iter().map(|account| account["username"].as_str().expect("a name").to_string()).collect()
    }
}

#[test]
fn a_class_gets_its_accounts_from_a_table() {
    let school = School { pond: TestCluster::start() };
    let pond = &school.pond;
    let ada = CliUser::called(pond, "ada");
    ada.runs(pond, &["room-create", "pond"]).succeeds();
    ada.runs(pond, &["room-create", "reeds", "--by-invitation"]).succeeds();
    school.runs(&["registration", "closed"], "").succeeds();

    // Every error is shown with its line, and nothing is done.
    let wrong =
        "username,name,email,room,role\nbob,Bob,b@b,pond,\ncarl,,nowhere,nowhere,frog\nBob,,,,\n,,,,admin\n";
    let wrong = school.write("wrong.csv", wrong);
    let Ran { code, out, err } = school.runs(&["import", &wrong], "");
    let lines: Vec<&str> = err.lines().collect();
    assert!(code == 1 && out.is_empty() && lines.len() == 5, "{err}");
    for (line, words) in
        lines.iter().zip([":3: email:", ":3: role:", ":4: username: bob is on line 2", ":5: username"])
    {
        assert!(line.starts_with(&wrong) && line.contains(words), "{line}: {words}");
    }
    assert!(lines[4].ends_with("has 4 errors: nothing was done"), "{err}");
    let nowhere = school.runs(&["import", "-"], "username,room\nbob,pond\ncarl,pond nowhere\n");
    assert!(
        nowhere.code == 1 && nowhere.err.starts_with("-:3: room: there is no room nowhere\n"),
        "{nowhere:?}"
    );
    school.runs(&["import", &school.path("none.csv")], "").fails(1, "cannot read");
    school.runs(&["import", "-"], "name;shoe size\n").fails(1, "there is no column \"shoe size\"");
    assert_eq!(school.usernames(), ["ada".to_string()].into());

    // Once it is right, a dry run still does nothing. Spreadsheets write a mark, CRLF and quotes.
    let table = "\u{feff}Name;User name;E-mail;Room;Role\r\n\"Bob; \"\"B\"\"\";bob;b@b;pond reeds;moderator\r\nAda;ada;;;\r\n;carl;;;\r\n";
    let table = school.write("people.csv", table);
    let dry = school.runs(&["import", &table, "--dry-run"], "");
    assert_eq!(
        (dry.code, dry.out.as_str()),
        (0, "2 accounts would be created; nothing was done\n"),
        "{dry:?}"
    );
    assert_eq!(dry.err, "1 account exist already and are left as they are\n");
    assert_eq!(school.usernames().len(), 1);

    // Links go to a new file of its owner.
    let links = school.path("links.csv");
    let import = ["import", &table, "--links", &links, "--pages", "http://pond/"];
    assert_eq!(school.runs(&import, "").code, 0);
    let written = fs::read_to_string(&links).expect("links");
    let rows: Vec<&str> = written.lines().collect();
    assert!(rows.len() == 3 && rows[0] == "name,username,link", "{written}");
    let code = rows[1].strip_prefix("\"Bob; \"\"B\"\"\",bob,http://pond/reset/").expect("bob's link");
    assert_eq!(fs::metadata(&links).expect("a file").permissions().mode() & 0o777, 0o600);
    let bob = CliUser::new();
    bob.runs_with(pond, &["reset", "bob"], &format!("{code}\nfrogsInTheReeds\n")).succeeds();
    let rooms = bob.runs(pond, &["rooms", "--json"]).lines();
    let rooms: Vec<(&str, &str)> =
        rooms.iter().map(|room| (room["room"].as_str().unwrap(), room["rank"].as_str().unwrap())).collect();
    assert_eq!(BTreeSet::from_iter(rooms), [("pond", "member"), ("reeds", "member")].into());

    // Again: nothing to do, and carl's link is not used yet. The file of links is not overwritten by accident.
    let again = school.runs(&["import", &table], "");
    assert_eq!((again.code, again.out.as_str()), (0, "name,username,link\n"), "{again:?}");
    assert!(
        again.err.contains("3 accounts exist already") && again.err.contains("ribbit user reset carl\n"),
        "{again:?}"
    );
    school.runs(&import, "").fails(2, "add --force");
    assert_eq!(fs::read_to_string(&links).expect("links"), written);
    let forced = [&import[..], &["--force"]].concat();
    assert_eq!(school.runs(&forced, "").code, 0);
    assert_eq!(fs::read_to_string(&links).expect("links"), "name,username,link\n");

    // Cards to cut apart, each with its link as a QR code.
    let cards = school.path("cards.html");
    let import = ["import", "-", "--cards", &cards];
    school.runs(&import, "").fails(2, "--pages");
    let import = [&import[..], &["--pages", "http://pond"]].concat();
    let made = school.runs(&import, "username,name\ndora,Dora <D>\n");
    assert_eq!((made.code, made.out.as_str()), (0, ""), "{made:?}");
    assert_eq!(fs::metadata(&cards).expect("a file").permissions().mode() & 0o777, 0o600);
    let page = fs::read_to_string(&cards).expect("cards");
    assert!(page.contains("Dora &#60;D&#62;") && page.contains("@dora"), "{page}");
    let between = |begin: &str, end: &str| {
        page.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).expect("it is there").0
    };
    let side = between("viewBox=\"0 0 ", " ").parse().expect("a number");
    testkit::qr::path_says(side, between("<path d=\"", "\""), between("<code>", "</code>"));
    school.runs(&["delete", "dora", "--yes"], "").succeeds();

    // What is exported can be imported: here, and where the accounts are gone.
    let export = school.runs(&["export"], "").succeeds();
    let expected = "name,username,email,room,role\nada,ada,a@b,pond reeds,person\n\"Bob; \"\"B\"\"\",bob,b@b,pond reeds,moderator\ncarl,carl,,,person\n";
    assert_eq!(export, expected);
    let [_, second, _] = &school.runs(&["export", "--json"], "").lines()[..] else {
        panic!("three accounts")
    };
    assert_eq!(
        second.to_string(),
        r#"{"email":"b@b","name":"Bob; \"B\"","role":"moderator","rooms":["pond","reeds"],"username":"bob"}"#
    );
    school.runs(&["delete", "bob", "--yes"], "").succeeds();
    let restored = school.runs(&["import", "-"], &export);
    assert!(restored.code == 0 && restored.out.lines().count() == 2, "{restored:?}");
    assert_eq!(school.runs(&["export"], "").succeeds(), export);
    let acts = ran(pond.plain(&["audit", "--json", "--limit", "1"]), "").lines();
    assert_eq!(
        (&acts[0]["act"], &acts[0]["about"]["username"], &acts[0]["detail"]),
        (&"create-account".into(), &"bob".into(), &"moderator".into())
    );

    // 300 people, interrupted in the middle and repeated.
    let people: String =
        (0..300).map(|number| format!("Pupil {number},pupil{number},p{number}@school,pond\n")).collect();
    let people = school.write("school.csv", &format!("name,username,email,room\n{people}"));
    let parts = [school.path("part-1.csv"), school.path("part-2.csv")];
    let began = Instant::now();
    let mut first = pond.plain(&["user", "import", &people, "--links", &parts[0]]);
    let mut first = first.stderr(Stdio::null()).spawn().expect("it starts");
    let lines = |path: &String| fs::read_to_string(path).map_or(0, |text| text.lines().count());
    awaited("some links are written", || (lines(&parts[0]) > 50).then_some(()));
    first.kill().expect("our child");
    first.wait().expect("our child");
    let second = school.runs(&["import", &people, "--links", &parts[1]], "");
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.err.contains("ribbit user reset pupil"), "{second:?}");
    println!("300 accounts in two parts: {:?}", began.elapsed());
    assert_eq!(school.usernames().len(), 303);
    // At most the link of the account that was being created is lost.
    let written = lines(&parts[0]) + lines(&parts[1]) - 2;
    assert!((299..=300).contains(&written), "{written}");
    let members = ada.runs(pond, &["room-members", "pond", "--json"]).lines();
    assert_eq!(members.len(), 302);
}
