//! Chirper's web server in front of `ribbit client gateway --chirper`: every action, by clients of our own and by Go's library.

use super::{Gateway, go_client};
use crate::test_cluster::{TestCluster, awaited};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use testkit::chirper_client::{DEFINITIONS, GobReply, GobValue, ask, request, try_ask};
use testkit::page_text::unescaped;

const LOGIN: i64 = 1;
const LOGOUT: i64 = 2;
const REGISTER: i64 = 3;
const DELETE: i64 = 4;
const HOME: i64 = 5;
const FOLLOW: i64 = 6;
const POST: i64 = 7;
const BROWSE: i64 = 8;
const PROFILE: i64 = 9;

const GET: &[(&str, &str)] = &[("Method", "GET")];
const SECRET: &str = "frogs and ponds";

fn chirper(pond: &TestCluster) -> Gateway {
    Gateway::start(pond, &["--chirper", "0,0,0"])
}

fn form<'a>(name: &'a str, password: &'a str) -> [(&'static str, &'a str); 3] {
    [("Method", "POST"), ("Username", name), ("Password", password)]
}

/// Registers, which does not log in, and logs in. Returns the session.
pub(super) fn joined(address: &str, name: &str) -> String {
    let reply = ask(address, "", REGISTER, &form(name, SECRET));
    assert!(reply.is("Success"), "{reply:?}");
    logged_in(address, name)
}

fn logged_in(address: &str, name: &str) -> String {
    let reply = ask(address, "", LOGIN, &form(name, SECRET));
    assert!(reply.is("LoggedIn") && !reply.session.is_empty(), "{reply:?}");
    reply.session
}

fn home(address: &str, session: &str) -> GobReply {
    let reply = ask(address, session, HOME, GET);
    assert!(reply.is("LoggedIn"), "{reply:?}");
    reply
}

pub(super) fn profile(address: &str, session: &str, name: &str) -> GobReply {
    let reply = ask(address, session, PROFILE, &[("Method", "GET"), ("Profile_user", name)]);
    assert!(reply.is("LoggedIn"), "{reply:?}");
    reply
}

#[track_caller]
pub(super) fn follow(address: &str, session: &str, name: &str) {
    assert!(ask(address, session, FOLLOW, &[("Follow_username", name)]).is("LoggedIn"));
}

pub(super) fn post(address: &str, session: &str, status: &str) {
    ask(address, session, POST, &[("Status", status)]);
}

#[test]
fn every_action_has_the_entries_that_the_pages_need() {
    let pond = TestCluster::start();
    let gateway = chirper(&pond);
    let addresses = gateway.addresses("chirper");
    let [one, two, three] = &addresses[..] else { panic!("three ports") };
    // Without a session.
    for action in [LOGIN, HOME, BROWSE, PROFILE, FOLLOW] {
        let stale = "0123456789abcdef".repeat(4);
        for session in ["", "unknown", &stale] {
            let reply = ask(
                one,
                session,
                action,
                &[("Method", "GET"), ("Profile_user", "ada"), ("Follow_username", "ada")],
            );
            assert!(!reply.is("LoggedIn") && reply.session.is_empty(), "{action}: {reply:?}");
        }
    }
    assert!(!ask(one, "", REGISTER, GET).is("LoggedIn"));
    for action in [LOGOUT, DELETE, POST] {
        ask(one, "", action, &[("Status", "nobody's")]);
    }
    // Registering.
    for (name, password, words) in
        [("", SECRET, "Error: please provide a username"), ("ada", "", "Error: please provide a password")]
    {
        let reply = ask(two, "", REGISTER, &form(name, password));
        assert!(!reply.is("Success"));
        assert_eq!(reply.text("Error"), words);
    }
    for (name, password) in [("a.b", SECRET), ("ada", "short")] {
        let reply = ask(two, "", REGISTER, &form(name, password));
        assert!(!reply.is("Success") && !reply.text("Error").is_empty(), "{reply:?}");
    }
    assert!(ask(two, "", REGISTER, &form("Ada", SECRET)).is("Success"));
    let taken = ask(three, "", REGISTER, &form("ADA", SECRET));
    assert_eq!((taken.is("Success"), taken.text("Error")), (false, "username not available"));
    // Logging in: a session for each.
    for (name, password) in [("ada", "another one"), ("nobody", SECRET), ("", ""), ("a.b", SECRET)] {
        let reply = ask(one, "", LOGIN, &form(name, password));
        assert!(!reply.is("LoggedIn") && reply.session.is_empty(), "{reply:?}");
    }
    let (ada, again) = (logged_in(one, "Ada"), logged_in(two, "ada"));
    assert_ne!(ada, again);
    assert!(ada.bytes().all(|byte| byte.is_ascii_alphanumeric()), "safe in a cookie");
    for session in [&ada, &again] {
        assert!(ask(three, session, LOGIN, GET).is("LoggedIn"));
        assert!(ask(three, session, REGISTER, GET).is("LoggedIn"));
    }
    ask(one, &again, LOGOUT, &[]);
    assert!(!ask(two, &again, LOGIN, GET).is("LoggedIn"));
    assert!(ask(two, &ada, LOGIN, GET).is("LoggedIn"));
    // Empty lists are there, too.
    let empty = home(two, &ada);
    assert_eq!((empty.text("Username"), empty.posts(), empty.texts("Follows")), ("ada", vec![], vec![]));
    // Posting: 1 to 100 characters.
    let long = "é".repeat(100);
    for status in ["first", "", "  ", &format!("{long}x"), &long] {
        ask(three, &ada, POST, &[("Status", status)]);
    }
    let shown = home(one, &ada);
    assert_eq!(shown.posts(), ["first", &long], "oldest first");
    let Some(GobValue::Posts(posts)) = shown.entries.get("Posts") else { panic!("posts") };
    assert_eq!((posts[0].time.len(), posts[0].time[0], &posts[0].time[13..]), (15, 1, &[0xFF, 0xFF][..]));
    let words: Vec<&str> = posts[0].shown_time.split(' ').collect();
    let [month, day, year, time, half] = words[..] else { panic!("{words:?}") };
    assert!(
        month.len() == 3 && day.parse::<u8>().is_ok() && year.len() == 5 && year.ends_with(':'),
        "{words:?}"
    );
    assert!(time.len() >= 4 && (half == "am" || half == "pm"), "{words:?}");
    // Other people.
    let bob = joined(two, "bob");
    assert_eq!(ask(one, &ada, BROWSE, &[]).texts("Users"), ["bob"]);
    assert_eq!(ask(one, &bob, BROWSE, &[]).texts("Users"), ["ada"]);
    let seen = profile(three, &bob, "ADA");
    assert_eq!(
        (seen.text("Username"), seen.text("Following"), seen.posts()),
        ("ada", "Follow", vec!["first", &long])
    );
    assert_eq!(profile(three, &bob, "nobody").text("Username"), "");
    assert_eq!(profile(three, &bob, "a.b").text("Username"), "");
    assert!(ask(one, &bob, FOLLOW, &[("Follow_username", "ADA")]).is("LoggedIn"));
    let seen = profile(two, &bob, "ada");
    assert_eq!((seen.text("Following"), seen.texts("Follows")), ("Unfollow", vec![]));
    assert_eq!(home(two, &bob).texts("Follows"), ["ada"]);
    assert_eq!(profile(two, &ada, "bob").texts("Follows"), ["ada"]);
    assert!(ask(one, &bob, FOLLOW, &[("Follow_username", "ada")]).is("LoggedIn"));
    assert_eq!(home(three, &bob).texts("Follows"), Vec::<&str>::new());
    assert!(ask(one, &bob, FOLLOW, &[("Follow_username", "nobody")]).is("LoggedIn"));
    // What only the original's backends tell each other.
    for action in 10..=13 {
        let refused = try_ask(one, &ada, action, &[("Filename", "users.txt")]);
        assert!(
            refused.is_err() || refused.as_ref().is_ok_and(|reply| reply.entries.is_empty()),
            "{refused:?}"
        );
    }
    // Deleting.
    ask(two, &bob, DELETE, &[]);
    assert!(!ask(one, &bob, LOGIN, GET).is("LoggedIn"));
    assert!(!ask(one, "", LOGIN, &form("bob", SECRET)).is("LoggedIn"));
    assert_eq!(ask(three, &ada, BROWSE, &[]).texts("Users"), Vec::<&str>::new());
}

#[test]
fn posts_and_people_are_those_of_the_pages() {
    let pond = TestCluster::start();
    let gateway = chirper(&pond);
    let address = &gateway.addresses("chirper")[0];
    let ada = joined(address, "ada");
    let mut page = pond.browser();
    page.join("paula");
    page.post("/main", &[("post", "from the page")]).leads_to("/main");
    assert_eq!(profile(address, &ada, "paula").posts(), ["from the page"]);
    ask(address, &ada, POST, &[("Status", "from <Chirper>")]);
    awaited("the page has it", || {
        unescaped(&page.get("/@ada").body).contains("from <Chirper>").then_some(())
    });
    ask(address, &ada, FOLLOW, &[("Follow_username", "paula")]);
    let mut ada_page = pond.browser();
    ada_page.post("/login", &[("username", "ada"), ("password", SECRET)]).leads_to("/main");
    ada_page.get("/main").says(200, "from the page");
}

#[test]
fn the_ports_answer_while_servers_die() {
    let mut pond = TestCluster::start();
    let gateway = chirper(&pond);
    let addresses = gateway.addresses("chirper");
    let ada = joined(&addresses[0], "ada");
    let mut posted: Vec<String> = Vec::new();
    let mut go_on = |rounds: usize| {
        for _ in 0..rounds {
            let status = format!("post {}", posted.len());
            ask(&addresses[posted.len() % 3], &ada, POST, &[("Status", &status)]);
            posted.push(status);
            assert_eq!(home(&addresses[posted.len() % 3], &ada).posts(), posted);
        }
    };
    go_on(3);
    let leader = pond.await_leading_backend();
    pond.kill(&[&leader]);
    go_on(6);
    pond.await_whole();
    pond.kill(&["backend-2"]);
    go_on(6);
    pond.kill_all();
    drop(gateway);
    pond.up(&[]);
    let gateway = chirper(&pond);
    let address = &gateway.addresses("chirper")[1];
    assert_eq!(home(address, &ada).posts(), posted, "the session is still open");
}

#[test]
fn sessions_and_posts_outlive_a_killed_gateway() {
    let pond = TestCluster::start();
    let mut gateway = chirper(&pond);
    let addresses = gateway.addresses("chirper");
    let ports = addresses.join(",");
    let ada = joined(&addresses[0], "ada");
    let elsewhere = chirper(&pond);
    let other = &elsewhere.addresses("chirper")[0];
    let texts: Vec<String> = (0..30).map(|number| format!("post {number}")).collect();
    let pids = std::thread::scope(|scope| {
        // As a person at the pages: a post whose page did not come is made again if the own page lacks it.
        let writing = scope.spawn(|| {
            for (number, text) in texts.iter().enumerate() {
                let posted = || try_ask(&addresses[number % 3], &ada, POST, &[("Status", text)]);
                while posted().is_err() && !home(other, &ada).posts().contains(&text.as_str()) {}
            }
        });
        awaited("some posts", || (home(other, &ada).posts().len() > 5).then_some(()));
        gateway.kill();
        let killed = gateway.pid();
        gateway = Gateway::start(&pond, &["--chirper", &ports]);
        writing.join().expect("it writes all");
        [killed, gateway.pid()]
    });
    assert_ne!(pids[0], pids[1]);
    for address in &addresses {
        assert!(ask(address, &ada, LOGIN, GET).is("LoggedIn"), "the session is open on the new gateway");
    }
    let last = home(&addresses[2], &ada);
    let mut posts = last.posts();
    // The one whose page did not come may be there twice.
    assert!(posts.len() <= texts.len() + 1, "{posts:?}");
    posts.dedup();
    assert_eq!(posts, texts);
    ask(other, &ada, LOGOUT, &[]);
    assert!(!ask(&addresses[1], &ada, LOGIN, GET).is("LoggedIn"));
}

#[test]
fn hostile_bytes_end_no_port() {
    let pond = TestCluster::start();
    let gateway = chirper(&pond);
    let address = &gateway.addresses("chirper")[0];
    let ada = joined(address, "ada");
    let mut endless = DEFINITIONS[0].repeat(20);
    endless.extend_from_slice(&request(&ada, POST, &[("Status", "hidden")]));
    for bytes in [
        &[0; 64][..],
        &[0xFF; 40_000],
        b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff",
        b"GET / HTTP/1.1\r\n\r\n",
        &endless,
    ] {
        let mut stream = TcpStream::connect(address).expect("the port accepts");
        let _ = stream.write_all(bytes);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let mut half = TcpStream::connect(address).expect("the port accepts");
    half.write_all(DEFINITIONS[0]).expect("the port listens");
    // A request in single bytes.
    let mut slow = TcpStream::connect(address).expect("the port accepts");
    for byte in [DEFINITIONS[0], DEFINITIONS[1], &request(&ada, POST, &[("Status", "slow")])].concat() {
        slow.write_all(&[byte]).expect("the port listens");
    }
    slow.read_to_end(&mut Vec::new()).expect("an answer");
    assert_eq!(home(address, &ada).posts(), ["slow"]);
}

#[test]
fn the_gob_library_of_go_is_understood_and_understands() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(program) = go_client("chirper_go", folder.path()) else { return };
    let pond = TestCluster::start();
    let gateway = chirper(&pond);
    let address = &gateway.addresses("chirper")[0];
    let go = |arguments: &[&str]| {
        let output = Command::new(&program).arg(address).args(arguments).output();
        let output = output.expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let password = format!("Password={SECRET}");
    let wrong = go(&["1", "", "Method=POST", "Username=ada", &password]);
    assert_eq!(wrong, "LoggedIn bool \"false\"\n");
    assert_eq!(go(&["3", "", "Method=POST", "Username=ada", &password]), "Success bool \"true\"\n");
    assert_eq!(
        go(&["3", "", "Method=POST", "Username=ada", &password]),
        "Error string \"username not available\"\nSuccess bool \"false\"\n"
    );
    let reply = go(&["1", "", "Method=POST", "Username=ada", &password]);
    let session =
        reply.strip_prefix("SessionID ").and_then(|rest| rest.split('\n').next()).expect("a session");
    assert!(reply.ends_with("\nLoggedIn bool \"true\"\n"), "{reply}");
    joined(address, "bob");
    assert_eq!(go(&["7", session, "Status=café 🐸"]), "");
    assert_eq!(go(&["6", session, "Follow_username=bob"]), "LoggedIn bool \"true\"\n");
    assert_eq!(go(&["8", session]), "LoggedIn bool \"true\"\nUsers []string \"[bob]\"\n");
    let home = go(&["5", session, "Method=GET"]);
    assert!(
        home.contains("Follows []string \"[bob]\"") && home.contains("Posts []Post \"café 🐸\" "),
        "{home}"
    );
    let profile = go(&["9", session, "Method=GET", "Profile_user=bob"]);
    assert!(
        profile.contains("Following string \"Unfollow\"") && profile.contains("Posts []Post \n"),
        "{profile}"
    );
    assert_eq!(go(&["2", session]), "");
}
