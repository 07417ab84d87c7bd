//! Lines that are said while servers die: each is posted once and shown once, and no connection is dropped.

use super::IrcServer;
use crate::test_cluster::TestCluster;
use crate::verbs::CliUser;
use testkit::irc_client::IrcClient;

/// Number of lines, and those before which something happens.
const LINES: u32 = 60;
const LEADER_DIES_AT: u32 = 15;
const BACKEND_DIES_AT: u32 = 30;
const ALL_DIE_AT: u32 = 45;

#[test]
fn lines_are_posted_once_and_shown_once_while_servers_die() {
    let mut pond = TestCluster::start();
    let ada = CliUser::called(&pond, "ada");
    CliUser::called(&pond, "bob");
    ada.runs(&pond, &["room-create", "pond"]).succeeds();
    let server = IrcServer::start(&pond, &[]);
    let mut writer = IrcClient::log_in(&server.address, "ada", "echo-message message-tags");
    let mut reader = IrcClient::log_in(&server.address, "bob", "");
    for client in [&mut writer, &mut reader] {
        client.send("JOIN #pond");
        client.awaits(" 366 ");
    }
    for number in 0..LINES {
        writer.send(&format!("PRIVMSG #pond :line {number}"));
        match number {
            LEADER_DIES_AT => {
                let leader = pond.await_leading_backend();
                pond.kill(&[&leader]);
            }
            BACKEND_DIES_AT => {
                pond.await_whole();
                let leader = pond.await_leading_backend();
                let others = ["backend-1", "backend-2", "backend-3"];
                pond.kill(&[others.iter().find(|name| **name != leader).expect("three")]);
            }
            ALL_DIE_AT => {
                pond.kill_all();
                pond.up(&[]);
            }
            _ => {}
        }
    }
    let expected: Vec<String> = (0..LINES).map(|number| format!("line {number}")).collect();
    for client in [&mut reader, &mut writer] {
        let mut shown = Vec::new();
        while shown.last() != expected.last() {
            let line = client.awaits("PRIVMSG #pond :");
            shown.push(line.rsplit(" :").next().expect("a text").to_string());
        }
        assert_eq!(shown, expected);
        assert!(client.served().iter().all(|line| !line.contains("PRIVMSG") && !line.contains("NOTICE")));
    }
    let posted = ada.runs(&pond, &["room", "pond", "--limit", "100", "--json"]).lines();
    let posted: Vec<&str> = posted.iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(posted, expected);
}
