//! Password hashes, and the cost of checking them.

use crate::test_cluster::{TestCluster, awaited, keys};
use ribbit_db::{FileDisk, Store};
use ribbit_net::client::Client;
use ribbit_net::limits::ASK_DEADLINE_MAX;
use ribbit_net::protocol::{Ask, Password};
use ribbit_net::secret::new_request_id;
use ribbit_state::lookup::account_named;
use ribbit_state::{Code, TokenHash};
use std::fs;
use std::io;
use testkit::http::Browser;

/// Returns the password hash of an account in a stopped member's store, and the version of the credentials.
fn kept(pond: &TestCluster, member: &str, username: &str) -> (String, u32) {
    let store = Store::open(FileDisk::new(&pond.folder().join(member))).expect("a store");
    let view = store.reader().view().expect("it can be read");
    let (_, account) = account_named(&view, username).expect("it can be read").expect("an account");
    (account.credential.password_hash().expect("a password").to_string(), account.credential_version)
}

fn log_in(pond: &TestCluster, username: &str, password: &str) -> Browser {
    let mut browser = pond.browser();
    browser.post("/login", &[("username", username), ("password", password)]).leads_to("/main");
    browser
}

/// Returns the environment that turns on log messages about hashes.
fn told() -> (&'static str, String) {
    ("RUST_LOG", "ribbit=info".into())
}

#[test]
fn a_log_in_makes_a_weak_hash_anew_and_ends_no_session() {
    let mut pond = TestCluster::empty();
    // As an earlier version with a lower cost.
    pond.environment = vec![("RIBBIT_TEST_PASSWORD_PASSES", "1".into()), told()];
    pond.up(&[]);
    let mut before = pond.browser();
    before.join("ada");
    pond.browser().join("bob");
    log_in(&pond, "ada", "password");
    pond.stop();
    let (weak, version) = kept(&pond, "backend-1", "ada");
    assert!(weak.starts_with("$argon2id$v=19$m=7168,t=1,p=1$") && version == 1, "{weak} {version}");

    pond.environment = vec![told()];
    pond.up(&[]);
    log_in(&pond, "ada", "password");
    awaited("the hash is made anew", || {
        pond.log_text().contains("replaced the password hash of account").then_some(())
    });
    before.address = pond.web();
    before.get("/main").says(200, "ada");
    log_in(&pond, "ada", "password");
    let mut stranger = pond.browser();
    stranger.post("/login", &[("username", "ada"), ("password", "passwort")]).refuses(Code::WrongPassword);
    pond.await_whole();
    pond.stop();
    for member in ["backend-1", "backend-3", "coordinator-1"] {
        let (strong, version) = kept(&pond, member, "ada");
        assert!(strong.starts_with("$argon2id$v=19$m=7168,t=5,p=1$") && version == 1, "{strong} {version}");
        assert!(kept(&pond, member, "bob").0.contains("t=1"), "who did not log in keeps theirs");
    }

    // A hash with a higher cost is never replaced.
    pond.environment = vec![("RIBBIT_TEST_PASSWORD_PASSES", "1".into()), told()];
    pond.up(&[]);
    let said = pond.log_text().matches("replaced the password hash").count();
    log_in(&pond, "ada", "password");
    log_in(&pond, "bob", "password");
    pond.stop();
    assert!(kept(&pond, "backend-1", "ada").0.contains("t=5"));
    assert_eq!(pond.log_text().matches("replaced the password hash").count(), said);
}

/// Returns the resident memory of a process in KiB.
fn resident_kib(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0))
}

/// Memory for checking one password in KiB. Less than half of it may remain in use after the last log-in.
const ROOM_KIB: u64 = 7 * 1024;

#[test]
fn what_checking_passwords_takes_is_given_back_round_after_round() {
    let mut pond = TestCluster::empty();
    pond.environment = vec![("RIBBIT_TEST_PASSWORD_IDLE_MS", "300".into())];
    pond.up(&["--backends", "1", "--coordinators", "0"]);
    let mut ada = pond.browser();
    ada.join("ada");
    pond.browser().join("bob");
    let pid = pond.pid("backend-1");
    let resident = || resident_kib(pid).expect("it is alive");
    let mut least = Vec::new();
    for round in 0..5 {
        let most: u64 = ["ada", "bob"]
            .map(|name| {
                log_in(&pond, name, "password").post("/logout", &[]).leads_to("/login");
                resident()
            })
            .into_iter()
            .max()
            .expect("some");
        let least_kib = awaited("the memory is given back", || {
            let now = resident();
            (now + ROOM_KIB / 2 < most).then_some(now)
        });
        println!("round {round}: {most} KiB at work, {least_kib} KiB at rest");
        least.push(least_kib);
    }
    assert!(least[4] < least[0] + ROOM_KIB / 2, "{least:?}");
}

/// Number of log-ins: the capacity of the queue plus those in progress on a machine with many cores.
const WAITING: u8 = 66;

#[test]
fn who_finds_the_queue_full_is_told_so_and_gets_in_later() {
    let mut pond = TestCluster::empty();
    // Each check takes most of a second: one alone is answered in time, one behind sixty others is not.
    pond.environment = vec![("RIBBIT_TEST_PASSWORD_PASSES", "150".into())];
    pond.up(&["--backends", "1", "--coordinators", "0"]);
    let backend = pond.address("BACKEND_1");
    // Each log-in has its own connection and an unknown user name, which takes as long as a known one.
    let waiting: Vec<_> = (0..WAITING)
        .map(|number| {
            let (client, id) = (Client::new(vec![backend.clone()], keys()), new_request_id());
            let (username, token) = (format!("frog-{number}"), TokenHash([number; 32]));
            let ask = Ask::LogIn {
                id,
                submitted_at: 0,
                username,
                password: Password("password".into()),
                token,
                device: String::new(),
                app: None,
            };
            smol::spawn(async move { client.ask(ask, ASK_DEADLINE_MAX).await })
        })
        .collect();
    // Each attempt uses another name, because the rate limit of a name is checked before the queue. It may take a while until
    // the queue is full.
    let mut browser = pond.browser();
    let mut tries = 0;
    let mut log_in = || {
        tries += 1;
        browser.post("/login", &[("username", &format!("newt-{tries}")), ("password", "password")])
    };
    awaited("the queue is full", || {
        let page = log_in();
        (page.status == 503).then(|| {
            page.says(503, "The servers are busy");
            assert_eq!(page.header("retry-after"), Some("2"));
        })
    });
    // Abandoned log-ins are not processed.
    drop(waiting);
    awaited("there is room again", || {
        let page = log_in();
        (page.status == 422).then(|| page.refuses(Code::NoSuchUser))
    });
}
