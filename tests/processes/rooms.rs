//! Rooms: the verbs of `ribbit client`, the terminal client in a pty, and a leader that is killed while people talk.

use crate::followed_output::FollowedOutput;
use crate::pty::Terminal;
use crate::test_cluster::{TestCluster, awaited};
use crate::verbs::CliUser;
use serde_json::Value;

#[test]
fn a_script_makes_a_room_talks_in_it_and_keeps_order() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    assert!(ada.runs(&pond, &["rooms"]).succeeds().starts_with("you are in no room; "));
    let topic = "All things wet";
    assert_eq!(ada.runs(&pond, &["room-create", "Pond", "--topic", topic]).succeeds(), "you created #pond\n");
    ada.runs(&pond, &["room-create", "pond"]).fails(1, "there is already a room with that name (655)");
    ada.runs(&pond, &["room-create", "a b"]).fails(1, "(606)");
    let said = ada.runs(&pond, &["say", "pond", "hello", "all", "--json"]).lines();
    assert_eq!(said[0]["room"], "pond");
    bob.runs(&pond, &["room", "pond"]).fails(1, "you are not in this room; join it first (656)");
    bob.runs(&pond, &["say", "pond", "hi"]).fails(1, "(656)");
    assert!(bob.runs(&pond, &["rooms", "--open"]).succeeds().starts_with("#pond  All things wet  (1 person"));
    assert_eq!(bob.runs(&pond, &["room-join", "POND"]).succeeds(), "you are now in #pond\n");
    bob.runs(&pond, &["room-join", "pond"]).fails(1, "already in this room (657)");
    bob.runs_with(&pond, &["say", "pond"], "two\n  lines\u{1b}[2J\n").succeeds();
    let lines = ada.runs(&pond, &["room", "pond", "--keep", "--json"]).lines();
    assert_eq!(
        lines[0],
        serde_json::json!({
            "id": said[0]["id"], "room": "pond", "from": lines[0]["from"], "text": "hello all",
            "time": lines[0]["time"], "removed": null,
        })
    );
    assert_eq!(
        (&lines[1]["from"]["username"], &lines[1]["text"]),
        (&"bob".into(), &"two\n  lines\u{1b}[2J".into())
    );
    let unread = || ada.runs(&pond, &["rooms", "--json"]).lines()[0]["unread"].clone();
    assert_eq!(unread(), 1);
    let text = ada.runs(&pond, &["room", "pond"]).succeeds();
    assert!(text.contains("@bob  two\n") && text.contains(r"  lines\x1b[2J"), "{text}");
    assert_eq!(unread(), 0, "showing a room marks it");

    bob.runs(&pond, &["unsay", "pond", &said[0]["id"].to_string()]).fails(1, "(664)");
    bob.runs(&pond, &["room-set", "pond", "--topic", "x"]).fails(1, "(664)");
    bob.runs(&pond, &["room-set", "pond"]).fails(2, "--topic");
    ada.runs(&pond, &["room-rank", "pond", "bob", "moderator"]).succeeds();
    bob.runs(&pond, &["room-set", "pond", "--open", "false"]).fails(1, "(665)");
    bob.runs(&pond, &["unsay", "pond", &said[0]["id"].to_string()]).succeeds();
    assert!(ada.runs(&pond, &["room", "pond"]).succeeds().contains("@ada  (removed by a moderator)\n"));
    let members = ada.runs(&pond, &["room-members", "pond", "--json"]).lines();
    assert_eq!((&members[0]["standing"], &members[1]["standing"]), (&"owner".into(), &"moderator".into()));

    // A room by invitation does not exist for others.
    let carl = CliUser::called(&pond, "carl");
    ada.runs(&pond, &["room-create", "crew", "--by-invitation", "--hide-history"]).succeeds();
    ada.runs(&pond, &["say", "crew", "secret"]).succeeds();
    carl.runs(&pond, &["room-join", "crew"]).fails(1, "there is no such room (654)");
    carl.runs(&pond, &["room", "crew"]).fails(1, "there is no such room (654)");
    ada.runs(&pond, &["room-invite", "crew", "carl"]).succeeds();
    let invited = carl.runs(&pond, &["rooms", "--json"]).lines();
    assert_eq!((&invited[0]["room"], &invited[0]["invited_by"]["username"]), (&"crew".into(), &"ada".into()));
    assert!(carl.runs(&pond, &["rooms"]).succeeds().contains("@ada invited you"));
    carl.runs(&pond, &["room-join", "crew"]).succeeds();
    assert_eq!(carl.runs(&pond, &["room", "crew", "--json"]).succeeds(), "", "said before carl came");
    ada.runs(&pond, &["room-remove", "crew", "carl"]).succeeds();
    carl.runs(&pond, &["say", "crew", "hi"]).fails(1, "there is no such room (654)");

    // What a deleted account said stays without its name, and its room has another owner.
    ada.runs_with(&pond, &["delete"], "password").succeeds();
    awaited("the room has another owner", || {
        let members = bob.runs(&pond, &["room-members", "pond", "--json"]).lines();
        (members.len() == 1 && members[0]["standing"] == "owner").then_some(())
    });
    let left = bob.runs(&pond, &["room", "pond", "--json"]).lines();
    assert_eq!((left.len(), &left[0]["from"]), (2, &Value::Null));
    bob.runs(&pond, &["room-close", "pond"]).succeeds();
    bob.runs(&pond, &["room", "pond"]).fails(1, "(654)");
}

#[test]
fn a_leader_killed_while_people_talk_loses_and_doubles_nothing() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    ada.runs(&pond, &["room-create", "pond"]).succeeds();
    bob.runs(&pond, &["room-join", "pond"]).succeeds();
    let following = FollowedOutput::start(&pond, &bob, &["room", "pond"]);
    ada.runs(&pond, &["say", "pond", "0"]).succeeds();
    following.await_heard(1);
    let messages = 16;
    let leader = pond.await_leading_backend();
    std::thread::scope(|scope| {
        let talking = scope.spawn(|| {
            for number in 1..messages {
                let ran = ada.runs(&pond, &["say", "pond", &number.to_string()]);
                assert_eq!(ran.code, 0, "{ran:?}");
            }
        });
        following.await_heard(4);
        pond.kill(&[&leader]);
        talking.join().expect("everything was said");
    });
    let expected: Vec<String> = (0..messages).map(|number| number.to_string()).collect();
    assert_eq!(following.await_heard(messages), expected);
    let read = bob.runs(&pond, &["room", "pond", "--json"]).lines();
    assert_eq!(read.iter().map(|said| said["text"].as_str().expect("text")).collect::<Vec<_>>(), expected);
}

/// Starts a terminal client of a user with a session.
fn at_terminal(pond: &TestCluster, user: &CliUser, username: &str) -> Terminal {
    let mut terminal = Terminal::of(user.command(pond, &[]));
    terminal.await_text(&format!("you are logged in as @{username}."));
    terminal.await_line("ribbit>");
    terminal
}

#[test]
fn two_people_talk_in_a_room_at_their_terminals() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    ada.runs(&pond, &["room-create", "pond", "--topic", "frogs"]).succeeds();
    ada.runs(&pond, &["say", "pond", "welcome"]).succeeds();
    let mut hers = at_terminal(&pond, &ada, "ada");
    let mut his = at_terminal(&pond, &bob, "bob");
    his.press("hello\r");
    his.await_text("Not posted.");
    his.press("/rooms\r");
    his.await_text("rooms that you can join:");
    his.press("/join #pond\r");
    his.await_text("welcome");
    his.await_text("you are in #pond: everything you type is said there.");
    hers.press("/join pond\r");
    hers.await_text("you are in #pond");
    his.press("hi ada\r");
    hers.await_text("hi ada");
    hers.press("hi bob\r");
    his.await_text("hi bob");
    his.press("/leave\r");
    his.await_text("#pond is closed here; you are still a member.");
    hers.press("still there?\r");
    awaited("it is said", || (bob.runs(&pond, &["rooms", "--json"]).lines()[0]["unread"] == 1).then_some(()));
    his.press("/unread\r");
    his.await_text("1 unread message in #pond: `/join pond`");
    his.press("/leave pond\r");
    his.await_text("you left #pond");
    his.press("/leave\r");
    his.await_text("you have no room open");
    // The room is closed under her.
    ada.runs(&pond, &["room-close", "pond"]).succeeds();
    hers.await_text("you are in #pond no longer");
    hers.press("/quit\r");
    assert_eq!(hers.ended(), 0);
    his.press("/quit\r");
    assert_eq!(his.ended(), 0);
}
