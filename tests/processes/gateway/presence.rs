//! Presence of people through gateways that were cut off: their leases end, and other gateways get their locks.

use super::Gateway;
use crate::test_cluster::{TestCluster, awaited, send};
use crate::verbs::CliUser;
use rustix::process::Signal;
use testkit::chat_client::ChatClient;

const CHAT: [&str; 3] = ["--names-without-password", "--chat", "0"];

fn connected(gateway: &Gateway) -> ChatClient {
    ChatClient::connect(&gateway.address("chat", 0).to_string())
}

fn created(gateway: &Gateway, name: &str) -> ChatClient {
    let mut client = connected(gateway);
    client.ask(&format!("1|{name}"), 0, &format!("Account created! Logged in as {name}."));
    client
}

/// Logs in as soon as the name is free.
#[track_caller]
fn logged_in_when_free(gateway: &Gateway, name: &str) -> ChatClient {
    let mut client = awaited("the name is free", || {
        let mut client = connected(gateway);
        client.send(&format!("2|{name}"));
        (client.receive().status == 0).then_some(client)
    });
    client.says(2, "No new messages since you've been gone.");
    client
}

#[test]
fn people_who_leave_while_their_lease_is_replaced_are_free() {
    const PEOPLE: usize = 40;
    let pond = TestCluster::start();
    let (first, second) = (Gateway::start(&pond, &CHAT), Gateway::start(&pond, &CHAT));
    let clients: Vec<ChatClient> =
        (0..PEOPLE).map(|number| created(&first, &format!("ada{number}"))).collect();
    send(first.pid(), Signal::STOP);
    let gone_on = logged_in_when_free(&second, "ada0");
    send(first.pid(), Signal::CONT);
    first.says("a lease is lost");
    // Their locks are being acquired again, one after the other.
    drop(clients);
    for number in 1..PEOPLE {
        logged_in_when_free(&second, &format!("ada{number}")).hang_up();
    }
    drop(gone_on);
}

#[test]
fn messages_of_a_person_who_has_gone_on_elsewhere_are_not_handed_out() {
    let pond = TestCluster::start();
    let (first, second) = (Gateway::start(&pond, &CHAT), Gateway::start(&pond, &CHAT));
    let paula = CliUser::called(&pond, "paula");
    let mut before = created(&first, "ada");
    send(first.pid(), Signal::STOP);
    let mut after = logged_in_when_free(&second, "ada");
    // The message waits for the gateway through which she is online now.
    send(second.pid(), Signal::STOP);
    paula.runs(&pond, &["dm", "ada", "for the second gateway"]).succeeds();
    send(first.pid(), Signal::CONT);
    before.is_closed();
    send(second.pid(), Signal::CONT);
    after.chats("paula|for the second gateway");
}
