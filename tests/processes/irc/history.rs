//! CHATHISTORY where most of a history is hidden from its reader, and where croaks stand in the feed because they were shared.

use super::IrcServer;
use crate::test_cluster::{TestCluster, awaited};
use crate::verbs::CliUser;
use testkit::irc_client::IrcClient;

const CAPABILITIES: &str = "batch draft/chathistory message-tags server-time";

/// Returns the texts of the messages in an answer.
fn texts(lines: &[String]) -> Vec<&str> {
    let messages = lines.iter().filter(|line| line.contains(" PRIVMSG "));
    messages
        .map(|line| line.split_once(" PRIVMSG ").expect("just seen").1)
        .map(|it| it.split_once(" :").expect("a text").1)
        .collect()
}

#[test]
fn a_page_is_not_empty_while_there_is_more_behind_what_is_hidden() {
    let pond = TestCluster::start();
    let (ada, _) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    ada.runs(&pond, &["room-create", "pond"]).succeeds();
    let server = IrcServer::start(&pond, &[]);
    let mut bob = IrcClient::log_in(&server.address, "bob", "");
    let mut ada_irc = IrcClient::log_in(&server.address, "ada", CAPABILITIES);
    for client in [&mut bob, &mut ada_irc] {
        client.send("JOIN #pond");
        client.awaits(" 366 ");
    }
    let say = |client: &mut IrcClient, text: &str| {
        client.send(&format!("PRIVMSG #pond :{text}"));
        client.served();
    };
    say(&mut ada_irc, "one");
    (0..60).for_each(|number| say(&mut bob, &format!("noise {number}")));
    say(&mut ada_irc, "two");
    (0..60).for_each(|number| say(&mut bob, &format!("more noise {number}")));
    ada_irc.awaits("more noise 59");
    ada.runs(&pond, &["mute", "bob"]).succeeds();
    let mut history = |line: &str| texts(&ada_irc.ask(line)).join(", ");
    // The mute reaches the server of this client in a moment.
    awaited("bob is hidden", || (history("CHATHISTORY LATEST #pond * 10") == "one, two").then_some(()));
    assert_eq!(history("CHATHISTORY LATEST #pond * 1"), "two");
    assert_eq!(history("CHATHISTORY AFTER #pond msgid=1 1"), "one");
    assert_eq!(history("CHATHISTORY AFTER #pond msgid=1 10"), "one, two");
    assert_eq!(history("CHATHISTORY AFTER #pond timestamp=2020-01-01T00:00:00.000Z 1"), "one");
    assert_eq!(history("CHATHISTORY BEFORE #pond timestamp=2099-01-01T00:00:00.000Z 1"), "two");
}

#[test]
fn a_share_has_the_time_at_which_it_was_shared() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    let carl = CliUser::called(&pond, "carl");
    let server = IrcServer::start(&pond, &[]);
    ada.runs(&pond, &["add", "bob"]).succeeds();
    let old = carl.runs(&pond, &["post", "rain", "--json"]).lines()[0]["id"].to_string();
    bob.runs(&pond, &["post", "sun"]).succeeds();
    let mut irc = IrcClient::log_in(&server.address, "ada", CAPABILITIES);
    let lines = irc.ask("CHATHISTORY LATEST &feed * 1");
    let time =
        lines.iter().find_map(|line| line.split("time=").nth(1)?.split([';', ' ']).next()).expect("a time");
    bob.runs(&pond, &["share", &old]).succeeds();
    let mut history = |line: &str| texts(&irc.ask(line)).join(", ");
    assert_eq!(history("CHATHISTORY LATEST &feed * 5"), "sun, shared @carl: rain");
    assert_eq!(history(&format!("CHATHISTORY AFTER &feed timestamp={time} 5")), "shared @carl: rain");
    assert_eq!(history(&format!("CHATHISTORY BEFORE &feed timestamp={time} 5")), "");
}
