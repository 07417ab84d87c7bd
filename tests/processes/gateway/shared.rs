//! Common behaviour of all protocols of the gateway: flags, the status, and stopping.

use super::{Gateway, one_shot};
use crate::test_cluster::{TestCluster, awaited};
use rustix::process::Signal;
use std::net::TcpListener;
use testkit::chat_client::ChatClient;

#[test]
fn flags_that_do_not_fit_are_refused_with_the_way_out() {
    let pond = TestCluster::empty();
    for (flags, words) in [
        (&[][..], "no protocol to serve: pass at least one of --ribbit-tcp"),
        (
            &["--ribbit-tcp", "8084"],
            "--ribbit-tcp takes 2 to 4 ports, for example --ribbit-tcp 8084,8081,8082,8083",
        ),
        (&["--chat", "0"], "pass --names-without-password to allow that"),
        (&["--chat", "0.0.0.0:0", "--names-without-password"], "pass --yes-without-encryption to allow that"),
        (&["--ribbit-tcp", "8084,frogs"], "expected HOST:PORT"),
        (&["--ribbit-tcp", "0,0", "--advertise", "frogs=a:1"], "frogs is not the flag of a protocol"),
    ] {
        let (code, said) = pond.typed(&[&["client", "gateway"], flags].concat());
        assert!(code == 2 && said.contains(words), "{flags:?}: {code} {said}");
    }
    let (code, said) = pond.typed(&["client", "gateway", "--ribbit-tcp", "0,0"]);
    assert!(code == 3 && said.contains("no cluster found"), "{code} {said}");
}

#[test]
fn the_status_shows_running_gateways() {
    let pond = TestCluster::start();
    let mut first = Gateway::start(&pond, &["--ribbit-tcp", "0,0"]);
    let second = Gateway::start(&pond, &["--ribbit-tcp", "0,0"]);
    let shown =
        |pid: u32| pond.typed(&["status"]).1.contains(&format!("-{pid} serves ribbit-tcp=127.0.0.1:"));
    awaited("both are shown", || (shown(first.pid()) && shown(second.pid())).then_some(()));
    let taken = format!("{},0", first.address("ribbit-tcp", 0));
    let (code, said) = pond.typed(&["client", "gateway", "--ribbit-tcp", &taken]);
    assert!(
        code == 1 && said.contains("the port is taken; choose another with --ribbit-tcp"),
        "{code} {said}"
    );
    first.stop();
    assert!(!shown(first.pid()), "a gateway that stops is gone at once");
    drop(second);
    let none = || pond.typed(&["status", "--json"]).1.contains("\"gateways\":[]");
    awaited("one that was killed is gone soon", || none().then_some(()));
}

#[test]
fn people_stay_online_through_an_outage_and_are_free_after_a_death() {
    const CHAT: [&str; 3] = ["--names-without-password", "--chat", "0"];
    const CONNECTED: &str = "Unable to login: This user is already connected to the server.";
    const MEMBERS: [&str; 5] = ["backend-1", "backend-2", "backend-3", "coordinator-1", "coordinator-2"];
    let pond = TestCluster::start();
    let (mut first, second) = (Gateway::start(&pond, &CHAT), Gateway::start(&pond, &CHAT));
    let address = |of: &Gateway| of.address("chat", 0).to_string();
    let mut ada = ChatClient::connect(&address(&first));
    ada.ask("1|ada", 0, "Account created! Logged in as ada.");
    let mut bob = ChatClient::connect(&address(&second));
    bob.ask("1|bob", 0, "Account created! Logged in as bob.");

    pond.signal(&MEMBERS, Signal::STOP);
    // Its file is under a lease, which counts as lost after half of its length.
    first.says("registering again");
    pond.signal(&MEMBERS, Signal::CONT);
    pond.await_whole();
    let mut other = ChatClient::connect(&address(&second));
    other.ask("2|ada", 1, CONNECTED);
    bob.ask("3|ada|still there?", 0, "Message sent to ada.");
    ada.chats("bob|still there?");

    first.kill();
    awaited("the people of a gateway that died are free again", || {
        let mut other = ChatClient::connect(&address(&second));
        other.send("2|ada");
        (other.receive().status == 0).then_some(())
    });
}

/// One port of each protocol in the original systems.
const ORIGINAL_PORTS: [(&str, u16); 5] =
    [("ribbit-tcp", 8082), ("sns", 10000), ("chat", 2538), ("chirper", 1338), ("grpc-chat", 50051)];

#[test]
fn up_says_which_ports_of_older_systems_are_taken() {
    let pond = TestCluster::empty();
    // Taken by this test, or by another program already.
    let _holders = ORIGINAL_PORTS.map(|(_, port)| TcpListener::bind(("127.0.0.1", port)));
    let (code, said) = pond.typed(&["up", "--gateway", "--web", "127.0.0.1:0"]);
    assert!(
        code == 1 && said.contains("other programs have the ports of all older systems"),
        "{code} {said}"
    );
    for (name, _) in ORIGINAL_PORTS {
        assert!(said.contains(&format!(" is taken, so --{name} is left out\n")), "{name}: {said}");
    }
}

#[test]
fn up_serves_the_older_clients_on_their_ports() {
    let holder = TcpListener::bind("127.0.0.1:2538");
    if TcpListener::bind("127.0.0.1:1338").is_err() {
        println!("skipped: another program has a port of Chirper");
        return;
    }
    let pond = TestCluster::start_with(&["--gateway"]);
    let said = pond.said();
    assert!(said.iter().any(|line| line == "port 2538 is taken, so --chat is left out"), "{said:?}");
    let words = "  older clients are served: ";
    let served =
        awaited("said", || pond.said().iter().find_map(|line| Some(line.strip_prefix(words)?.to_string())));
    assert!(!served.contains("chat on 1538"), "{served}");
    for (name, _) in ORIGINAL_PORTS {
        let left_out = said.iter().any(|line| line.ends_with(&format!("so --{name} is left out")));
        let is_served = served.split("; ").any(|part| part.starts_with(&format!("{name} on ")));
        assert!(is_served != left_out, "{name}: {served}, {said:?}");
    }
    drop(holder);
    pond.kill(&["gateway"]);
    awaited("it is restarted", || pond.pids().contains_key("gateway").then_some(()));
}

#[test]
fn a_name_opens_an_account_until_it_has_a_password() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, &["--names-without-password", "--chat", "0", "--ribbit-tcp", "0,0"]);
    let chat = || ChatClient::connect(&gateway.address("chat", 0).to_string());
    let backend = |request: &str| one_shot(gateway.address("ribbit-tcp", 1), request.as_bytes(), 1_024);
    let mut zoe = chat();
    zoe.ask("1|zoe", 0, "Account created! Logged in as zoe.");
    assert_eq!(backend("login,zoe,"), b"602");
    assert_eq!(backend("login,zoe,password 1"), b"602");
    assert_eq!(pond.browser().post("/login", &[("username", "zoe"), ("password", "x")]).status, 422);

    let (code, said) = pond.ended(pond.plain(&["user", "passwd", "zoe"]), "password 1\n");
    assert_eq!(code, 0, "{said}");
    // The connection that the name has opened is over, and the name opens no other one.
    zoe.says(0, "Your session has ended. You are now logged out.");
    let mut other = chat();
    other.send("2|zoe");
    assert_eq!(other.receive().status, 1);
    assert_eq!(backend("login,zoe,password 1"), b"200");
    assert_eq!(backend("post,with a password,zoe"), b"200");
    let mut browser = pond.browser();
    assert_eq!(browser.post("/login", &[("username", "zoe"), ("password", "password 1")]).status, 303);
    assert!(browser.get("/main").body.contains("with a password"));
}
