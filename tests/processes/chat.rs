//! The interactive terminal client (`ribbit client`) in a pty, next to other users.

use crate::pty::Terminal;
use crate::test_cluster::{TestCluster, awaited, tree};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use testkit::http::Browser;
use testkit::page_text::whole_feed;

/// Returns the client command of a user with a configuration folder of their own.
fn client(pond: &TestCluster, who: &str, words: &[&str]) -> Command {
    let mut command = pond.plain(&[&["client"], words].concat());
    command.env("XDG_CONFIG_HOME", pond.folder().join(format!("home-of-{who}"))).env_remove("NO_COLOR");
    command.current_dir(pond.folder());
    command
}

/// Starts a terminal client and logs in to an existing account.
fn at_terminal(pond: &TestCluster, who: &str) -> Terminal {
    at_terminal_with(pond, who, &[])
}

fn at_terminal_with(pond: &TestCluster, who: &str, words: &[&str]) -> Terminal {
    let mut terminal = Terminal::of(client(pond, who, &[&["-u", who], words].concat()));
    terminal.await_text(&format!("password for @{who}: "));
    terminal.press("password\r");
    terminal.await_text(&format!("you are logged in as @{who}."));
    terminal.await_line("ribbit>");
    terminal
}

/// Starts a terminal client, logs in and turns on live chat.
fn in_chat(pond: &TestCluster, who: &str, words: &[&str]) -> Terminal {
    let mut terminal = at_terminal_with(pond, who, words);
    terminal.press("/live\r");
    terminal.await_text("live chat is on");
    terminal.await_line("* live>");
    terminal
}

fn befriend(browser: &mut Browser, username: &str) {
    browser.post("/manage", &[("username", username), ("choice", "add")]).leads_to("/manage?note=added");
}

/// Returns true if the lock namespace has a chat lock for this user.
fn is_in_chat(pond: &TestCluster, who: &str) -> bool {
    let backends = pond.status().backends().map(|it| it.address.clone()).collect::<Vec<_>>();
    let entries = backends.iter().find_map(|address| tree(address, "/people")).expect("a backend answers");
    entries.iter().any(|entry| entry.path.as_str() == format!("/people/{who}/chat"))
}

#[test]
fn a_newcomer_gets_an_account_and_finds_out_what_can_be_typed() {
    let pond = TestCluster::start();
    let mut bob = pond.browser();
    bob.join("bob");
    bob.croak("evil \u{1b}[2J\u{202e}");
    let mut terminal = Terminal::of(client(&pond, "ada", &[]));
    terminal.await_text("log in (l) or create an account (c)? ");
    terminal.press("c\r");
    terminal.await_text("user name (others find you by it): ");
    terminal.press("Ada!\r");
    terminal.await_text("1 to 32 characters: a-z, 0-9, _ and -");
    terminal.await_text("user name (others find you by it): ");
    terminal.press("bob\r");
    terminal.await_text("your name, as others see it [bob]: ");
    terminal.press("\r");
    terminal.await_text("email: ");
    terminal.press("a@b\r");
    terminal.await_text("password (at least 8 characters): ");
    terminal.press("short\r");
    terminal.await_text("8 to 256 characters");
    terminal.await_text("password (at least 8 characters): ");
    terminal.press("password\r");
    terminal.await_text("repeat the password: ");
    terminal.press("password\r");
    terminal.await_text("that username is already taken (607): please choose another one");
    terminal.await_text("user name (others find you by it): ");
    terminal.press("ada\r");
    terminal.await_text("your name, as others see it [ada]: ");
    terminal.press("Ada Lovelace\r");
    terminal.await_text("email: ");
    terminal.press("a@b\r");
    terminal.await_text("password (at least 8 characters): ");
    terminal.press("password\r");
    terminal.await_text("repeat the password: ");
    terminal.press("password\r");
    terminal.await_text("welcome, @ada! Your account is ready.");
    terminal.await_line("ribbit>");

    // Errors say what to type instead.
    let mut typed = |line: &str, wanted: &str| {
        terminal.press(&format!("{line}\r"));
        terminal.await_text(wanted);
        terminal.await_line("ribbit>");
    };
    typed("/pots hello", "unknown command `/pots`; did you mean `/post`?");
    typed("help", "did you mean `/help`? Not posted.");
    typed("hello", "To post, type `/post TEXT`");
    typed("/help", "/people [PATTERN]");
    typed("/help dm", "saved, delivered or read");
    typed("/add nobody", "there is no user with that name (601)");
    typed(&format!("/post {}", "x".repeat(101)), "101 characters, the limit is 100");
    typed("/friends", "you do not follow anyone yet");
    typed("/unread", "nothing unread");
    typed("/who", "no one is in the live chat");
    typed("/people b*", "@bob\u{1b}[0m  bob");
    typed("/add @BOB", "you now follow @BOB");
    // Control characters in other users' texts are escaped.
    typed("/feed", r"evil \x1b[2J\u{202e}");
    typed("/post /post is a command", "posted");
    typed("/remove bob", "you no longer follow @bob");
    typed("/feed", "@ada\u{1b}[0m  /post is a command");
    let screen = terminal.screen();
    let own = screen.iter().filter(|line| line.ends_with("@ada  /post is a command")).count();
    assert_eq!(own, 1, "shown once, as the result of `/feed`: {screen:#?}");
    // Tab completion of commands and names.
    terminal.press("/fr\t");
    terminal.await_line("ribbit> /friends");
    terminal.press("\x15/dm b\t");
    terminal.await_line("ribbit> /dm bob");
    terminal.press("Hello, you\r");
    terminal.await_text("to @bob: saved");
    terminal.await_line("ribbit>");
    // Input history.
    terminal.press("\x1b[A\x1b[A\x1b[A");
    terminal.await_line("ribbit> /remove bob");
    terminal.press("\x15/export mine.json\r");
    terminal.await_text("saved to mine.json: 2 croaks and messages");
    let file = pond.folder().join("mine.json");
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("text");
    assert!(text.contains("Hello, you") && text.contains("/post is a command"), "{text}");
    terminal.press("/export mine.json\r");
    terminal.await_text("mine.json already exists; choose another name");
    terminal.await_line("ribbit>");
    terminal.press("\x04");
    assert_eq!(terminal.ended(), 0, "the end of input");

    // The session and the history are stored, readable only by their owner.
    let mut terminal = Terminal::of(client(&pond, "ada", &[]));
    terminal.await_text("you are logged in as @ada.");
    terminal.await_line("ribbit>");
    terminal.press("\x1b[A");
    terminal.await_line("ribbit> /export mine.json");
    terminal.press("\x15/quit\r");
    assert_eq!(terminal.ended(), 0);
    let history = pond.folder().join("home-of-ada/ribbit/client-history");
    assert_eq!(fs::metadata(&history).expect("it is kept").permissions().mode() & 0o777, 0o600);
    assert_eq!(whole_feed(&mut bob), ["evil \u{1b}[2J\u{202e}"]);
}

#[test]
fn what_others_say_stands_above_the_line_that_is_typed() {
    let pond = TestCluster::start();
    let (mut ada, mut bob) = (pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");
    befriend(&mut ada, "bob");
    bob.croak("before");
    let mut terminal = at_terminal(&pond, "ada");
    terminal.press("half a line, and its cursor\x1b[D\x1b[D\x1b[D");
    terminal.await_line("ribbit> half a line, and its cursor");
    for number in 0..30 {
        bob.croak(&format!("croak {number}"));
    }
    terminal.await_text("croak 29");
    terminal.await_line("ribbit> half a line, and its cursor");
    // Typing continues at the old cursor position. A line longer than the screen is redrawn as well.
    let long = "x".repeat(100);
    terminal.press(&long);
    awaited("it is drawn", || terminal.screen().concat().contains(&format!("cur{long}sor")).then_some(()));
    bob.croak("above the long one");
    terminal.await_text("above the long one");
    let typed = format!("ribbit> half a line, and its cur{long}sor");
    awaited("it is drawn again", || terminal.screen().concat().ends_with(&typed).then_some(()));
    let screen = terminal.screen();
    for number in 0..30 {
        let croak = format!("@bob  croak {number}");
        assert_eq!(screen.iter().filter(|line| line.ends_with(&croak)).count(), 1, "{screen:#?}");
    }
    assert!(screen.iter().any(|line| line.ends_with("@bob  above the long one")), "{screen:#?}");

    // Messages and their delivery status.
    terminal.press("\x15\x0b");
    terminal.await_line("ribbit>");
    let mut other = at_terminal(&pond, "bob");
    other.press("/dm ada are you there?\r");
    other.await_text("to @ada: saved");
    terminal.await_text("@bob to @ada\u{1b}[0m  are you there?");
    other.await_text("to @ada: delivered");
    terminal.press("/unread\r");
    terminal.await_text("1 unread message from @bob: `/dm bob`");
    terminal.press("/dm bob\r");
    terminal.await_text("are you there?");
    other.await_text("to @ada: read");
    // The mark may be known to @bob before the answer to the write has reached the terminal, and with it how new its next read is.
    awaited("the mark is answered", || {
        terminal.press("/unread\r");
        let shown = terminal.await_either(["nothing unread", "1 unread message"]);
        (shown == "nothing unread").then_some(())
    });
    // A reply marks the message on the screen as read.
    other.press("/dm ada and now?\r");
    other.await_text("to @ada: delivered");
    terminal.await_text("and now?");
    terminal.press("/dm bob now, yes\r");
    other.await_text("@ada to @bob\u{1b}[0m  now, yes");
    other.await_text("to @ada: read");

    // A user who is away sees the message after the next start.
    terminal.press("\x04");
    assert_eq!(terminal.ended(), 0);
    other.press("/dm ada sleep well\r");
    other.await_text("to @ada: saved");
    let mut command = client(&pond, "ada", &[]);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::of(command);
    terminal.await_text("1 unread message from @bob: `/dm bob`");
    terminal.await_line("ribbit>");
    // Croaks that were on the screen when the next line was typed count as read in every client.
    assert!(!terminal.shown().contains("new croak"), "{}", terminal.shown());
    terminal.press("/dm bob\r");
    terminal.await_text("@bob to @ada  sleep well");
    other.await_text("to @ada: read");
    terminal.press("/feed\r");
    terminal.await_text("@bob  above the long one");
    assert!(!terminal.shown().contains("\u{1b}[1;"), "no colour where none is wanted");
}

#[test]
fn a_message_counts_as_delivered_once_it_stood_on_the_screen() {
    let pond = TestCluster::start();
    for who in ["ada", "bob", "carl"] {
        pond.browser().join(who);
    }
    let (mut ada, carl) = (at_terminal(&pond, "ada"), at_terminal(&pond, "carl"));
    let mut bob = at_terminal(&pond, "bob");
    // Nothing is printed during a search of the input history.
    ada.press("/who\r");
    ada.await_text("no one is in the live chat");
    ada.press("\x12");
    ada.await_text("reverse-i-search");
    bob.press("/dm ada are you there?\r");
    bob.await_text("to @ada: saved");
    bob.press("/dm carl and you?\r");
    bob.await_text("to @carl: delivered");
    bob.press("/dm ada\r");
    bob.await_text("are you there?\u{1b}[2m  (saved)");
    ada.press("\x07");
    bob.await_text("to @ada: delivered");
    assert!(ada.shown().contains("are you there?") && carl.shown().contains("and you?"));
}

#[test]
fn the_chat_is_at_one_place_and_can_be_taken_along() {
    let pond = TestCluster::start();
    let (mut ada, mut bob) = (pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");
    befriend(&mut bob, "ada");
    befriend(&mut ada, "bob");
    for number in 0..25 {
        bob.croak(&format!("croak {number}"));
    }
    let mut first = in_chat(&pond, "ada", &[]);
    // The latest 20 croaks.
    let shown = first.screen().join("\n");
    assert!(
        shown.contains("croak 24") && shown.contains("croak 5\n") && !shown.contains("croak 4\n"),
        "{shown}"
    );
    assert!(is_in_chat(&pond, "ada"));
    first.press("hello, everybody\r");
    first.await_text("@ada\u{1b}[0m  hello, everybody");
    bob.croak("hello, ada");
    first.await_text("@bob\u{1b}[0m  hello, ada");

    // A second terminal of the same user.
    let mut second = Terminal::of(client(&pond, "ada", &[]));
    second.await_text("you are logged in as @ada.");
    second.press("/live\r");
    second.await_text("you are live in another terminal (632); `/live --take-over` moves the chat here");
    second.press("stays here\r");
    second.await_text("Not posted.");
    second.press("/live --take-over\r");
    second.await_text("live chat is on");
    first.await_text("live chat moved to another terminal");
    first.await_line("ribbit>");
    first.press("stays here, too\r");
    first.await_text("Not posted.");
    second.press("posted from here\r");
    second.await_text("@ada\u{1b}[0m  posted from here");
    first.await_text("@ada\u{1b}[0m  posted from here");

    // Live chat is turned off, and on again from the command line.
    second.press("/live\r");
    second.await_text("live chat is off");
    second.await_line("ribbit>");
    assert!(!is_in_chat(&pond, "ada"));
    second.press("/live\r");
    second.await_text("live chat is on");
    let mut third = Terminal::of(client(&pond, "ada", &["--take-over"]));
    third.await_text("live chat is on");
    second.await_text("live chat moved to another terminal");
    third.press("/who\r");
    third.await_text("@ada\u{1b}[0m  ada");
    // SIGTERM closes the chat lease.
    kill_process(Pid::from_child(&third.child), Signal::TERM).expect("our child");
    assert_eq!(third.ended(), 143);
    awaited("the chat is empty", || (!is_in_chat(&pond, "ada")).then_some(()));
    second.press("\x04");
    assert_eq!(second.ended(), 0);

    // Ctrl-C logs out of a session that was opened here, also in the middle of a line.
    first.press("/live\r");
    first.await_text("live chat is on");
    first.await_line("* live>");
    first.press("never mi\x03");
    first.await_text("you left the chat");
    first.await_text("logged out");
    assert_eq!(first.ended(), 0);
    assert!(first.echoes(), "the terminal is as it was before");
    assert!(!is_in_chat(&pond, "ada"));
    let (code, said) = pond.ended(client(&pond, "ada", &[]), "/feed\n");
    assert_eq!(code, 4, "{said}");
    let texts = whole_feed(&mut bob);
    assert_eq!(texts[..3], ["posted from here", "hello, ada", "hello, everybody"], "{texts:?}");
}

#[test]
fn a_line_on_its_way_survives_its_servers_and_is_posted_once() {
    let pond = TestCluster::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let (mut ada, mut bob) = (pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");
    befriend(&mut bob, "ada");
    // A client that starts with one server and learns the others from it.
    let used = pond.status().backends().find(|it| it.name != leader).expect("one of three").clone();
    let mut terminal = in_chat(&pond, "ada", &["--server", &used.address]);
    let mut reader = at_terminal(&pond, "bob");
    terminal.press("sent while all is well\r");
    terminal.await_text("@ada\u{1b}[0m  sent while all is well");
    // The next croak stays unanswered as long as the leader is stopped.
    pond.signal(&[&leader], Signal::STOP);
    terminal.press("sent into the storm\r");
    terminal.press("half a li");
    terminal.await_line("* live> half a li");
    pond.kill(&[&leader, &used.name]);
    terminal.await_text(&format!("-- connection to {} lost, looking for another server", used.address));
    terminal.await_text("-- connected to ");
    terminal.await_text("@ada\u{1b}[0m  sent into the storm");
    terminal.await_line("* live> half a li");
    terminal.press("ne\r");
    terminal.await_text("@ada\u{1b}[0m  half a line");
    reader.await_text("@ada\u{1b}[0m  sent into the storm");
    reader.await_text("@ada\u{1b}[0m  half a line");
    let expected = ["half a line", "sent into the storm", "sent while all is well"];
    assert_eq!(whole_feed(&mut bob), expected);
    for screen in [terminal.screen(), reader.screen()] {
        for text in expected {
            let shown = screen.iter().filter(|line| line.ends_with(&format!("@ada  {text}"))).count();
            assert_eq!(shown, 1, "{text}: {screen:#?}");
        }
    }
    assert!(is_in_chat(&pond, "ada"), "the chat slot was kept or entered again");

    // All servers are killed.
    let left: Vec<String> =
        pond.status().members.into_iter().filter(|it| it.alive).map(|it| it.name).collect();
    terminal.press("lost for");
    terminal.await_line("* live> lost for");
    pond.kill(&left.iter().map(String::as_str).collect::<Vec<_>>());
    terminal.press(" good\r");
    terminal.await_text("no server answers (try 1 of 3)");
    terminal.await_text("no server answers (try 2 of 3)");
    terminal.await_text("no server answers (try 3 of 3)");
    // The first of the client's own requests to end gives the words: a read, or a write that a server may have received.
    terminal.await_either([
        "ribbit: no servers are running, or none can be reached",
        "ribbit: no server answered in time; what was asked may or may not have been done",
    ]);
    assert_eq!(terminal.ended(), 3);
    let shown = terminal.shown();
    assert!(shown.contains("may or may not have been done: lost for good"), "{shown}");
    assert_eq!(reader.ended(), 3, "an idle terminal ends as well");
}

#[test]
fn a_script_is_done_line_by_line_in_plain_words() {
    let pond = TestCluster::start();
    let mut ada = pond.browser();
    ada.join("ada");
    let run = |words: &[&str], input: &str| pond.ended(client(&pond, "ada", words), input);
    let (code, said) = run(&[], "/feed\n");
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("you are not logged in"), "{said}");
    let (code, said) = run(&["-u", "ada"], "wrong password\n/feed\n");
    assert_eq!(code, 1, "{said}");
    let (code, said) =
        run(&["-u", "ada"], "password\n# a remark\n\n/post one\n/feed\n/live\ntwo\n/live\n/unread\n");
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains("ribbit>"), "{said}");
    assert!(said.contains("@ada  one") && said.contains("posted"), "{said}");
    // A script stops at the first line that fails.
    let (code, said) = run(&[], "/pots x\n/post never\n");
    assert_eq!(
        (code, said.as_str()),
        (2, "ribbit: line 1: unknown command `/pots`; did you mean `/post`?\n")
    );
    let (code, said) = run(&[], "/post three\nno command\n/post never\n");
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("line 2: ") && said.contains("Not posted."), "{said}");
    let (code, said) = run(&[], "/add nobody\n/post never\n");
    assert_eq!((code, said.as_str()), (1, "ribbit: line 1: there is no user with that name (601)\n"));
    assert_eq!(whole_feed(&mut ada), ["three", "two", "one"]);

    // Live chat through pipes.
    let mut bob = pond.browser();
    bob.join("bob");
    befriend(&mut ada, "bob");
    let mut command = client(&pond, "ada", &[]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let mut keys = child.stdin.take().expect("piped");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    keys.write_all(b"/live\n").expect("it listens");
    assert!(lines.any(|line| line.starts_with("live chat is on")));
    bob.croak("hello, machine");
    assert!(lines.any(|line| line.ends_with("@bob  hello, machine")));
    drop(keys);
    assert_eq!(child.wait().expect("our child").code(), Some(0));
    assert!(!is_in_chat(&pond, "ada"));
}

#[test]
fn a_session_that_ends_elsewhere_ends_the_terminal_and_an_account_is_deleted_with_its_password_only() {
    let pond = TestCluster::start();
    let (mut ada, mut bob) = (pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");
    let mut terminal = at_terminal(&pond, "ada");
    ada.post("/delete", &[("password", "password")]).leads_to("/login?note=deleted");
    terminal.await_text("ribbit: you were logged out (609)");
    assert_eq!(terminal.ended(), 4);

    // Input typed ahead is taken in order: the line after `/delete` is the hidden password.
    let mut terminal = at_terminal(&pond, "bob");
    terminal.press("/post one\r/delete\rsecret password\r/post two\r/feed\r");
    terminal.await_text("@bob\u{1b}[0m  two");
    terminal.await_line("ribbit>");
    let shown = terminal.shown();
    assert!(shown.contains("the password is wrong (602)") && shown.contains("****"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
    assert_eq!(whole_feed(&mut bob), ["two", "one"]);
    terminal.press("/delete\r");
    terminal.await_text("Password (Enter cancels): ");
    terminal.press("\r");
    terminal.await_text("cancelled: your account is unchanged");
    terminal.press("/delete\r");
    terminal.await_text("Password (Enter cancels): ");
    terminal.press("wrong password\r");
    terminal.await_text("the password is wrong (602)");
    terminal.press("/delete\r");
    terminal.await_text("Password (Enter cancels): ");
    terminal.press("password\r");
    terminal.await_text("Your account and your croaks are deleted");
    assert_eq!(terminal.ended(), 0);
    let (code, said) = pond.ended(client(&pond, "bob", &[]), "/feed\n");
    assert_eq!(code, 4, "{said}");
}

/// A user on the web pages and a user in a terminal exchange messages, and both see when they were read.
#[test]
fn two_people_talk_from_page_to_terminal_and_back() {
    let pond = TestCluster::start();
    let mut ada = pond.browser();
    ada.join("ada");
    pond.browser().join("bob");
    let mut bob = at_terminal(&pond, "bob");
    ada.post("/messages/bob", &[("message", "Are you at your terminal?")]).leads_to("/messages/bob");
    bob.await_text("Are you at your terminal?");
    awaited("what was shown is delivered", || {
        ada.get("/messages/bob").body.contains("<span class=\"state\">delivered</span>").then_some(())
    });
    bob.press("/dm ada I am, and I see you\r");
    bob.await_text("to @ada: saved");
    ada.get("/messages/bob").says(200, "I am, and I see you</p>");
    // Opening the conversation marks it as read.
    bob.press("/dm ada\r");
    bob.await_text("I am, and I see you");
    awaited("both have read", || {
        ada.get("/messages/bob").body.contains("<span class=\"state\">read</span>").then_some(())
    });
    ada.get("/messages").says(200, "I am, and I see you");
    bob.press("\x04");
    assert_eq!(bob.ended(), 0);
}
