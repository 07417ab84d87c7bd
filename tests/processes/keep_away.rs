//! Notifications, muting, blocking and reporting from the command line, and what operators decide.

use crate::pty::Terminal;
use crate::test_cluster::TestCluster;
use crate::verbs::{CliUser, Ran, ran};

fn operator(pond: &TestCluster, arguments: &[&str]) -> Ran {
    ran(pond.plain(&[&["user"], arguments].concat()), "")
}

#[test]
fn a_script_reads_its_notifications_once() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    assert_eq!(ada.runs(&pond, &["notifications"]).succeeds(), "");
    bob.runs(&pond, &["add", "ada"]).succeeds();
    bob.runs(&pond, &["post", "good morning @ada"]).succeeds();
    let lines = ada.runs(&pond, &["notifications", "--keep", "--json"]).lines();
    assert_eq!((&lines[0]["kind"], &lines[0]["from"]), (&"follow".into(), &"bob".into()));
    assert_eq!((&lines[1]["kind"], &lines[1]["text"]), (&"mention".into(), &"good morning @ada".into()));
    assert_eq!(lines[1]["unread"], true);
    let words = ada.runs(&pond, &["notifications", "--unread"]).succeeds();
    assert_eq!(words, "@bob follows you\n@bob mentioned you: good morning @ada\n");
    assert_eq!(ada.runs(&pond, &["notifications", "--unread"]).succeeds(), "");
    assert_eq!(ada.runs(&pond, &["notifications", "--json"]).lines()[1]["unread"], false);
}

#[test]
fn a_script_keeps_people_away() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    ada.runs(&pond, &["add", "bob"]).succeeds();
    bob.runs(&pond, &["post", "quak"]).succeeds();
    assert_eq!(ada.runs(&pond, &["feed", "--json"]).lines().len(), 1);
    assert_eq!(ada.runs(&pond, &["mute", "BOB"]).succeeds(), "muted @bob\n");
    assert_eq!(ada.runs(&pond, &["feed", "--json"]).lines().len(), 0);
    assert!(ada.runs(&pond, &["muted"]).succeeds().starts_with("@bob  bob"));
    assert_eq!(ada.runs(&pond, &["unmute", "bob"]).succeeds(), "unmuted @bob\n");
    assert_eq!(ada.runs(&pond, &["block", "bob", "--json"]).lines()[0]["blocked"], true);
    assert_eq!(ada.runs(&pond, &["blocked", "--json"]).lines()[0]["username"], "bob");
    bob.runs(&pond, &["dm", "ada", "hello"]).fails(1, "this person has blocked you (668)");
    ada.runs(&pond, &["add", "bob"]).fails(1, "you have blocked this person; unblock them first (667)");
    ada.runs(&pond, &["block", "ada"]).fails(1, "(611)");
    ada.runs(&pond, &["mute", "nobody"]).fails(1, "(601)");
    assert_eq!(ada.runs(&pond, &["unblock", "bob"]).succeeds(), "unblocked @bob\n");
    ada.runs(&pond, &["add", "bob"]).succeeds();
}

#[test]
fn operators_read_reports_and_decide() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    let [rude] = &bob.runs(&pond, &["post", "rude\u{1b}[2J", "--json"]).lines()[..] else { panic!() };
    let rude = rude["id"].to_string();
    assert_eq!(operator(&pond, &["reports"]).succeeds(), "");
    ada.runs(&pond, &["report", &rude, "--words", "look at this"]).succeeds();
    ada.runs(&pond, &["report", "@bob"]).succeeds();
    ada.runs(&pond, &["report", "what"]).fails(1, "(606)");
    ada.runs(&pond, &["report", "@ada"]).fails(1, "(611)");
    let reports = operator(&pond, &["reports", "--json"]).lines();
    assert_eq!((&reports[0]["kind"], &reports[0]["words"]), (&"croak".into(), &"look at this".into()));
    assert_eq!((&reports[1]["kind"], &reports[1]["about"]), (&"person".into(), &"bob".into()));
    let text = operator(&pond, &["reports"]).succeeds();
    assert!(text.contains("@ada reports @bob, croak") && !text.contains('\u{1b}'), "{text}");
    let (first, second) = (reports[0]["id"].to_string(), reports[1]["id"].to_string());
    assert_eq!(
        operator(&pond, &["decide", &first, "remove"]).succeeds(),
        format!("decided report {first}: remove\n")
    );
    operator(&pond, &["decide", &first, "nothing"]).fails(1, "there is no such report (672)");
    operator(&pond, &["decide", &second, "warn"]).succeeds();
    assert!(bob.runs(&pond, &["notifications"]).succeeds().contains("Please be kind."));
    let told = ada.runs(&pond, &["notifications", "--json"]).lines();
    assert_eq!((&told[0]["verdict"], &told[1]["verdict"]), (&"remove".into(), &"warn".into()));
    assert_eq!(bob.runs(&pond, &["feed", "--json"]).lines().len(), 0);
}

#[test]
fn a_message_in_a_room_tells_whom_it_mentions_and_is_reported() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    ada.runs(&pond, &["room-create", "pond"]).succeeds();
    bob.runs(&pond, &["room-join", "pond"]).succeeds();
    let said = bob.runs(&pond, &["say", "pond", "look, @ada", "--json"]).lines();
    let words = ada.runs(&pond, &["notifications", "--keep"]).succeeds();
    assert_eq!(words, "@bob mentioned you in #pond: look, @ada\n");
    let told = ada.runs(&pond, &["notifications", "--json"]).lines();
    assert_eq!((&told[0]["kind"], &told[0]["room"]), (&"room-mention".into(), &"pond".into()));

    let id = said[0]["id"].to_string();
    ada.runs(&pond, &["report", "--room", "pond", "--message", &id, "--words", "rude"]).succeeds();
    ada.runs(&pond, &["report", "--room", "lake", "--message", &id]).fails(1, "(654)");
    ada.runs(&pond, &["report", "--room", "pond", "--message", "1"]).fails(1, "(646)");
    let reports = operator(&pond, &["reports", "--json"]).lines();
    assert_eq!((&reports[0]["kind"], &reports[0]["text"]), (&"room-message".into(), &"look, @ada".into()));
    let report = reports[0]["id"].to_string();
    operator(&pond, &["decide", &report, "remove"]).succeeds();
    assert!(!bob.runs(&pond, &["room", "pond"]).succeeds().contains("look"));
    let told = ada.runs(&pond, &["notifications", "--json"]).lines();
    assert_eq!((told.len(), &told[0]["kind"]), (1, &"report-decided".into()));
}

#[test]
fn a_mention_appears_in_the_terminal() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    let mut terminal = Terminal::of(ada.command(&pond, &[]));
    terminal.await_text("/help");
    bob.runs(&pond, &["post", "are you there, @ada?"]).succeeds();
    terminal.await_text("mentioned you");
    terminal.typed("/notifications", "are you there");
}
