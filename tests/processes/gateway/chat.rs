//! The wire-protocol chat through `ribbit client gateway --chat`: every request and reply, what its clients depend on, and the
//! same while servers die.

use super::Gateway;
use crate::test_cluster::{TestCluster, awaited};
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use testkit::chat_client::{ChatClient, Received};

const UNKNOWN_RECIPIENT: &str = "Recipient username cannot be found.";
const UNKNOWN_NAME: &str = "Unable to login: This username does not exist. If you would like to use this username, please create a \
                            new account.";
const CONNECTED: &str = "Unable to login: This user is already connected to the server.";
const LOGIN_FIRST: &str = "Must be logged in to perform this operation. Please login or create an account.";
const INVALID: &str = "Invalid operation. Please input your request as [operation]|[params].";
const NOTHING_NEW: &str = "No new messages since you've been gone.";

fn chat(pond: &TestCluster, ports: usize) -> Gateway {
    Gateway::start(pond, &["--names-without-password", "--chat", &["0"].repeat(ports).join(",")])
}

fn created(address: &str, name: &str) -> ChatClient {
    let mut client = ChatClient::connect(address);
    client.ask(&format!("1|{name}"), 0, &format!("Account created! Logged in as {name}."));
    client
}

/// Logs in to an account without waiting messages.
fn logged_in(address: &str, name: &str) -> ChatClient {
    let mut client = ChatClient::connect(address);
    client.ask(&format!("2|{name}"), 0, &format!("Logged in as {name}."));
    client.says(2, NOTHING_NEW);
    client
}

fn missed(count: usize) -> String {
    format!("You have {count} missed messages above.")
}

#[test]
fn every_request_has_the_replies_of_the_original() {
    let pond = TestCluster::start();
    let gateway = chat(&pond, 3);
    let addresses = gateway.addresses("chat");
    let [one, two, three] = &addresses[..] else { panic!("three ports") };
    // Without a log-in.
    let mut ada = ChatClient::connect(one);
    ada.ask("4", 0, "\n");
    ada.ask("3|bob|hi", 1, LOGIN_FIRST);
    ada.ask("5|", 1, LOGIN_FIRST);
    ada.ask("2|ada", 1, UNKNOWN_NAME);
    for invalid in ["hello", "8|x", "9|a|b", "0|", "|"] {
        ada.ask(invalid, 1, INVALID);
    }
    for name in ["1|a b", "1|a.", "1|.a", "1|a|b", "1|", "1|né", "1|a.b"] {
        ada.send(name);
        let Received { status: 1, indicator: '0', text } = ada.receive() else { panic!("{name} is refused") };
        assert!(!text.contains("Logged in as"), "{text}");
    }
    // Creating.
    ada.ask(" 1 | ada ", 0, "Account created! Logged in as ada.");
    let mut bob = ChatClient::connect(two);
    bob.ask("1|ada", 1, "Unable to create account: This username is already taken.");
    bob.ask("1|bob", 0, "Account created! Logged in as bob.");
    let other = "Please exit and start a new client to log into a different account.";
    bob.ask("1|ada", 1, &format!("Unable to create account: You are already logged in as bob. {other}"));
    let other = "Please exit  and start a new client to log into a different account.";
    bob.ask("2|ada", 1, &format!("Unable to login: You are already logged in as bob. {other}"));
    // Sending.
    bob.ask("3|ada|hi | there", 0, "Message sent to ada.");
    ada.chats("bob|hi | there");
    bob.ask("3|nobody|hi", 1, UNKNOWN_RECIPIENT);
    bob.ask("3|bob|hi", 1, "Cannot send messages to yourself.");
    for short in ["3|", "3|ada", "3|ada|", "3|ada| "] {
        bob.send(short);
        assert_eq!(bob.receive().status, 1, "{short}");
    }
    bob.ask("3|ada|café 🐸", 0, "Message sent to ada.");
    ada.chats("bob|café 🐸");
    bob.ask(&format!("3|ada|{}", "🐸".repeat(280)), 0, "Message sent to ada.");
    ada.chats(&format!("bob|{}", "🐸".repeat(280)));
    // Listing, in the order of creation, in both forms, with patterns.
    drop(created(three, "zoe"));
    drop(created(three, "adam"));
    let mut anyone = ChatClient::connect(three);
    anyone.ask("4|", 0, "\n- ada\n- bob\n- zoe\n- adam\n");
    anyone.ask("4|a*", 0, "\n- ada\n- adam\n");
    anyone.ask("4|?o[be]", 0, "\n- bob\n- zoe\n");
    anyone.ask("4|[!a]*", 0, "\n- bob\n- zoe\n");
    anyone.ask("4|A*", 0, "\n");
    anyone.ask("4| bob ", 0, "\n- bob\n");
    // Logging in.
    anyone.ask("2|ada", 1, CONNECTED);
    ada.send("6|");
    ada.is_closed();
    anyone.ask("2|ada", 0, "Logged in as ada.");
    anyone.says(2, NOTHING_NEW);
    anyone.hang_up();
    bob.ask("3|ada|one", 0, "Message sent to ada.");
    bob.ask("3|ada|two", 0, "Message sent to ada.");
    let mut ada = ChatClient::connect(two);
    ada.ask("2|ada", 0, "Logged in as ada.");
    ada.chats("bob|one");
    ada.chats("bob|two");
    ada.says(2, &missed(2));
    // Deleting: the connection stays usable, and messages of the deleted account stay.
    drop(ada);
    bob.ask("3|ada|last", 0, "Message sent to ada.");
    bob.ask("5|whatever", 0, "Account bob has been deleted. You are now logged out.");
    bob.ask("5|", 1, LOGIN_FIRST);
    bob.ask("2|bob", 1, UNKNOWN_NAME);
    bob.ask("1|bea", 0, "Account created! Logged in as bea.");
    let mut ada = ChatClient::connect(one);
    ada.ask("2|ada", 0, "Logged in as ada.");
    ada.chats("bob [deleted]|last");
    ada.says(2, &missed(1));
    ada.ask("3|bob|hi", 1, UNKNOWN_RECIPIENT);
}

#[test]
fn glued_and_hasty_requests_are_served_in_their_order() {
    let pond = TestCluster::start();
    let gateway = chat(&pond, 3);
    let addresses = gateway.addresses("chat");
    let [one, two, three] = &addresses[..] else { panic!("three ports") };
    let mut bob = created(one, "bob");
    let mut glued = ChatClient::connect(two);
    glued.send("1|u53|bob|hi");
    glued.says(0, "Account created! Logged in as u5.");
    glued.says(0, "Message sent to bob.");
    bob.chats("u5|hi");
    // Clients that send and hang up at once.
    for round in 0..10 {
        let name = format!("hasty{round}");
        for (address, line) in [(one, format!("1|{name}")), (two, format!("2|{name}")), (three, "6|".into())]
        {
            let mut stream = TcpStream::connect(address).expect("the port accepts");
            stream.write_all(line.as_bytes()).expect("the server listens");
        }
        drop(logged_in(three, &name));
    }
    let mut makers: Vec<ChatClient> = (0..4).map(|_| ChatClient::connect(one)).collect();
    let mut lister = ChatClient::connect(three);
    for (number, maker) in makers.iter_mut().enumerate() {
        maker.send(&format!("1|made{number}"));
    }
    lister.send("4|made?");
    let listed = lister.receive().text;
    assert_eq!(listed.matches("\n- made").count(), 4, "{listed}");
    // A message to a client that has just vanished waits for the next one.
    let vanished = created(two, "vera");
    drop(vanished);
    bob.ask("3|vera|are you there?", 0, "Message sent to vera.");
    let mut vera = ChatClient::connect(three);
    vera.ask("2|vera", 0, "Logged in as vera.");
    vera.chats("bob|are you there?");
    vera.says(2, &missed(1));
}

#[test]
fn one_of_a_hundred_at_once_logs_in() {
    let pond = TestCluster::start();
    let gateway = chat(&pond, 3);
    let other = chat(&pond, 1);
    let addresses = [gateway.addresses("chat"), other.addresses("chat")].concat();
    created(&addresses[0], "ada").hang_up();
    let mut clients: Vec<ChatClient> =
        (0..100).map(|number| ChatClient::connect(&addresses[number % addresses.len()])).collect();
    clients.iter_mut().for_each(|client| client.send("2|ada"));
    let replies: Vec<Received> = clients.iter_mut().map(ChatClient::receive).collect();
    let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 0);
    assert_eq!(won.len(), 1, "{won:?}");
    assert!(lost.iter().all(|reply| reply.text == CONNECTED), "{lost:?}");
}

#[test]
fn hostile_bytes_end_no_gateway() {
    let pond = TestCluster::start();
    let gateway = chat(&pond, 1);
    let address = &gateway.addresses("chat")[0];
    let mut bob = created(address, "bob");
    for bytes in [
        &[0; 4096][..],
        &[0xFF; 70_000],
        b"\x80|\xC3|\xF0\x9F",
        &b"4|4|".repeat(20_000),
        &b"1|".repeat(9_000),
    ] {
        let mut stream = TcpStream::connect(address).expect("the port accepts");
        // The gateway may have had enough before it has all.
        let _ = stream.write_all(bytes);
    }
    let half_open = TcpStream::connect(address).expect("the port accepts");
    bob.ask("4|b*", 0, "\n- bob\n");
    drop(half_open);
    let long = format!("3|bob|{}", "x".repeat(1_001));
    let mut eve = created(address, "eve");
    eve.send(&long);
    assert_eq!(eve.receive().status, 1, "a text beyond ribbit's limit is refused");
    bob.is_quiet_for(Duration::from_millis(300));
}

#[test]
fn the_chat_and_the_page_are_one_conversation() {
    let pond = TestCluster::start();
    let gateway = chat(&pond, 1);
    let address = &gateway.addresses("chat")[0];
    let mut page = pond.browser();
    page.join("paula");
    let mut ada = created(address, "ada");
    let busy = "Unable to login: You are already logged in as ada. Please exit  and start a new client to log into a different \
                account.";
    ada.ask("2|paula", 1, busy);
    ada.ask("3|paula|from the chat", 0, "Message sent to paula.");
    awaited("the inbox has it", || page.get("/messages/ada").body.contains("from the chat").then_some(()));
    page.post("/messages/ada", &[("message", "from the page, caf\u{e9} | pipes")]).leads_to("/messages/ada");
    ada.chats("paula|from the page, café | pipes");
    ada.hang_up();
    page.post("/messages/ada", &[("message", "while away")]).leads_to("/messages/ada");
    // An account with a password is not reachable by its name.
    let mut eve = ChatClient::connect(address);
    eve.send("2|paula");
    assert_eq!(eve.receive().status, 1);
    eve.send("7|paula|");
    eve.ask("3|ada|as paula", 1, LOGIN_FIRST);
    eve.ask("2|ada", 0, "Logged in as ada.");
    eve.chats("paula|while away");
    eve.says(2, &missed(1));
}

#[test]
fn a_conversation_goes_on_while_servers_die() {
    let mut pond = TestCluster::start();
    let gateway = chat(&pond, 3);
    let addresses = gateway.addresses("chat");
    let [one, two, _] = &addresses[..] else { panic!("three ports") };
    let (mut ada, mut bob) = (created(one, "ada"), created(two, "bob"));
    let mut number = 0;
    let mut talk = |ada: &mut ChatClient, bob: &mut ChatClient| {
        for _ in 0..3 {
            ada.ask(&format!("3|bob|message {number}"), 0, "Message sent to bob.");
            bob.chats(&format!("ada|message {number}"));
            bob.ask(&format!("3|ada|answer {number}"), 0, "Message sent to ada.");
            ada.chats(&format!("bob|answer {number}"));
            number += 1;
        }
    };
    talk(&mut ada, &mut bob);
    let leader = pond.await_leading_backend();
    pond.kill(&[&leader]);
    talk(&mut ada, &mut bob);
    pond.await_whole();
    pond.kill(&["backend-1"]);
    talk(&mut ada, &mut bob);
    pond.await_whole();
    // Messages to those who are away survive a stop of everything.
    bob.hang_up();
    for number in 0..5 {
        ada.ask(&format!("3|bob|stored {number}"), 0, "Message sent to bob.");
    }
    pond.kill_all();
    drop(gateway);
    ada.is_closed();
    pond.up(&[]);
    let gateway = chat(&pond, 1);
    let address = &gateway.addresses("chat")[0];
    let mut bob = awaited("bob may log in again", || {
        let mut bob = ChatClient::connect(address);
        bob.send("2|bob");
        (bob.receive().text == "Logged in as bob.").then_some(bob)
    });
    for number in 0..5 {
        bob.chats(&format!("ada|stored {number}"));
    }
    bob.says(2, &missed(5));
    drop(ada);
}

#[test]
fn a_client_goes_on_at_another_gateway() {
    let pond = TestCluster::start();
    let mut first = chat(&pond, 1);
    let second = chat(&pond, 1);
    let addresses = first.addresses("chat");
    let [one] = &addresses[..] else { panic!("a port") };
    let addresses = second.addresses("chat");
    let [two] = &addresses[..] else { panic!("a port") };
    let (mut ada, mut bob) = (created(one, "ada"), created(two, "bob"));
    ada.ask("3|bob|before", 0, "Message sent to bob.");
    bob.chats("ada|before");
    first.kill();
    ada.is_closed();
    bob.ask("3|ada|meanwhile", 0, "Message sent to ada.");
    // A resume is answered with what waits, without a note.
    let began = Instant::now();
    let mut ada = ChatClient::connect(two);
    ada.send("7|ada|");
    ada.chats("bob|meanwhile");
    ada.ask("3|bob|after", 0, "Message sent to bob.");
    bob.chats("ada|after");
    println!("resumed after {:?}", began.elapsed());
    // A name that is online elsewhere is not resumed.
    let mut eve = ChatClient::connect(two);
    eve.send("7|bob|");
    eve.ask("3|ada|as bob", 1, LOGIN_FIRST);
    bob.ask("3|ada|still me", 0, "Message sent to ada.");
    ada.chats("bob|still me");
}
