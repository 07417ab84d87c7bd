//! `ribbit client` as people meet it: in a terminal, with others around.

use crate::http::Browser;
use crate::pages::whole_feed;
use crate::pond::{Pond, awaited, tree};
use crate::pty::Terminal;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// The client of somebody who has a configuration folder of their own.
fn client(pond: &Pond, who: &str, words: &[&str]) -> Command {
    let mut command = pond.plain(&[&["client"], words].concat());
    command.env("XDG_CONFIG_HOME", pond.folder().join(format!("home-of-{who}"))).env_remove("NO_COLOR");
    command.current_dir(pond.folder());
    command
}

/// Somebody who has an account already, at a terminal.
fn at_terminal(pond: &Pond, who: &str) -> Terminal {
    at_terminal_with(pond, who, &[])
}

fn at_terminal_with(pond: &Pond, who: &str, words: &[&str]) -> Terminal {
    let mut terminal = Terminal::of(client(pond, who, &[&["-u", who], words].concat()));
    terminal.await_text(&format!("password of @{who}: "));
    terminal.press("password\r");
    terminal.await_text(&format!("you are @{who}."));
    terminal.await_line("ribbit>");
    terminal
}

/// The same, in the chat.
fn in_chat(pond: &Pond, who: &str, words: &[&str]) -> Terminal {
    let mut terminal = at_terminal_with(pond, who, words);
    terminal.press("/live\r");
    terminal.await_text("you are in the chat");
    terminal.await_line("* live>");
    terminal
}

fn befriend(browser: &mut Browser, username: &str) {
    browser.post("/manage", &[("username", username), ("choice", "add")]).leads_to("/manage?note=added");
}

/// Whether somebody is in the chat, as the lock namespace has it.
fn is_in_chat(pond: &Pond, who: &str) -> bool {
    let backends = pond.status().backends().map(|it| it.address.clone()).collect::<Vec<_>>();
    let entries = backends.iter().find_map(|address| tree(address, "/people")).expect("somebody answers");
    entries.iter().any(|entry| entry.path.as_str() == format!("/people/{who}/chat"))
}

#[test]
fn a_newcomer_gets_an_account_and_finds_out_what_can_be_typed() {
    let pond = Pond::start();
    let mut bob = pond.browser();
    bob.join("bob");
    bob.croak("evil \u{1b}[2J\u{202e}");
    let mut terminal = Terminal::of(client(&pond, "ada", &[]));
    terminal.await_text("log in (l), or create an account (c)? ");
    terminal.press("c\r");
    terminal.await_text("user name, by which others find you: ");
    terminal.press("Ada!\r");
    terminal.await_text("1 to 32 of a-z, 0-9, _ and -");
    terminal.await_text("user name, by which others find you: ");
    terminal.press("bob\r");
    terminal.await_text("your name, as others see it [bob]: ");
    terminal.press("\r");
    terminal.await_text("email: ");
    terminal.press("a@b\r");
    terminal.await_text("password (8 characters or more): ");
    terminal.press("short\r");
    terminal.await_text("8 to 256 characters");
    terminal.await_text("password (8 characters or more): ");
    terminal.press("password\r");
    terminal.await_text("the same once more: ");
    terminal.press("password\r");
    terminal.await_text("that user name is already taken (607): choose another one");
    terminal.await_text("user name, by which others find you: ");
    terminal.press("ada\r");
    terminal.await_text("your name, as others see it [ada]: ");
    terminal.press("Ada Lovelace\r");
    terminal.await_text("email: ");
    terminal.press("a@b\r");
    terminal.await_text("password (8 characters or more): ");
    terminal.press("password\r");
    terminal.await_text("the same once more: ");
    terminal.press("password\r");
    terminal.await_text("welcome, @ada: your account is there");
    terminal.await_line("ribbit>");

    // What is wrong is answered with what is right.
    let mut typed = |line: &str, wanted: &str| {
        terminal.press(&format!("{line}\r"));
        terminal.await_text(wanted);
        terminal.await_line("ribbit>");
    };
    typed("/pots hello", "`/pots`: no such command; did you mean `/post`?");
    typed("help", "did you mean `/help`? Nothing was posted");
    typed("hello", "`/post TEXT` croaks it");
    typed("/help", "/people [PATTERN]");
    typed("/help dm", "saved, delivered, read");
    typed("/add nobody", "there is no user with that name (601)");
    typed(&format!("/post {}", "x".repeat(101)), "101 characters long, 100 fit in a croak");
    typed("/friends", "you follow nobody yet");
    typed("/unread", "nothing waits to be read");
    typed("/who", "nobody is in the chat now");
    typed("/people b*", "@bob\u{1b}[0m  bob");
    typed("/add @BOB", "added");
    // What others wrote is only shown.
    typed("/feed", r"evil \x1b[2J\u{202e}");
    typed("/post /post is a command", "posted");
    typed("/remove bob", "removed");
    typed("/feed", "@ada\u{1b}[0m  /post is a command");
    let screen = terminal.screen();
    let own = screen.iter().filter(|line| line.ends_with("@ada  /post is a command")).count();
    assert_eq!(own, 1, "once, where it was asked for: {screen:#?}");
    // Tab: commands and names.
    terminal.press("/fr\t");
    terminal.await_line("ribbit> /friends");
    terminal.press("\x15/dm b\t");
    terminal.await_line("ribbit> /dm bob");
    terminal.press("Hello, you\r");
    terminal.await_text("to @bob: saved");
    terminal.await_line("ribbit>");
    // History.
    terminal.press("\x1b[A\x1b[A\x1b[A");
    terminal.await_line("ribbit> /remove bob");
    terminal.press("\x15/export mine.json\r");
    terminal.await_text("all you have here is in mine.json: 2 croaks and messages");
    let file = pond.folder().join("mine.json");
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("text");
    assert!(text.contains("Hello, you") && text.contains("/post is a command"), "{text}");
    terminal.press("/export mine.json\r");
    terminal.await_text("mine.json: it exists already, and nothing is overwritten");
    terminal.await_line("ribbit>");
    terminal.press("\x04");
    assert_eq!(terminal.ended(), 0, "the end of input");

    // The session and the history were kept, for their owner alone.
    let mut terminal = Terminal::of(client(&pond, "ada", &[]));
    terminal.await_text("you are @ada.");
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
    let pond = Pond::start();
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
    // It can be typed on, where the cursor was; and a line longer than the screen is drawn again, too.
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

    // Messages, and how far they get.
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
    terminal.press("/unread\r");
    terminal.await_text("nothing waits to be read");
    // An answer reads what stood there.
    other.press("/dm ada and now?\r");
    other.await_text("to @ada: delivered");
    terminal.await_text("and now?");
    terminal.press("/dm bob now, yes\r");
    other.await_text("@ada to @bob\u{1b}[0m  now, yes");
    other.await_text("to @ada: read");

    // Who is away finds it later.
    terminal.press("\x04");
    assert_eq!(terminal.ended(), 0);
    other.press("/dm ada sleep well\r");
    other.await_text("to @ada: saved");
    let mut command = client(&pond, "ada", &[]);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::of(command);
    terminal.await_text("1 unread message from @bob: `/dm bob`");
    terminal.await_line("ribbit>");
    // Croaks that stood on the screen when somebody typed on are read, wherever they are counted.
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
    let pond = Pond::start();
    for who in ["ada", "bob", "carl"] {
        pond.browser().join(who);
    }
    let (mut ada, carl) = (at_terminal(&pond, "ada"), at_terminal(&pond, "carl"));
    let mut bob = at_terminal(&pond, "bob");
    // Nothing is printed over a search of the history.
    ada.press("/who\r");
    ada.await_text("nobody is in the chat now");
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
    let pond = Pond::start();
    let (mut ada, mut bob) = (pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");
    befriend(&mut bob, "ada");
    befriend(&mut ada, "bob");
    for number in 0..25 {
        bob.croak(&format!("croak {number}"));
    }
    let mut first = in_chat(&pond, "ada", &[]);
    // The newest twenty.
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

    // From somewhere else, and somebody else's folder.
    let mut second = Terminal::of(client(&pond, "ada", &[]));
    second.await_text("you are @ada.");
    second.press("/live\r");
    second
        .await_text("you are in the chat at another place already (632): `/live --take-over` moves it here");
    second.press("not posted\r");
    second.await_text("Nothing was posted");
    second.press("/live --take-over\r");
    second.await_text("you are in the chat");
    first.await_text("your chat has moved to another place");
    first.await_line("ribbit>");
    first.press("not posted either\r");
    first.await_text("Nothing was posted");
    second.press("posted from here\r");
    second.await_text("@ada\u{1b}[0m  posted from here");
    first.await_text("@ada\u{1b}[0m  posted from here");

    // It is left again, and entered from the command line.
    second.press("/live\r");
    second.await_text("you have left the chat");
    second.await_line("ribbit>");
    assert!(!is_in_chat(&pond, "ada"));
    second.press("/live\r");
    second.await_text("you are in the chat");
    let mut third = Terminal::of(client(&pond, "ada", &["--take-over"]));
    third.await_text("you are in the chat");
    second.await_text("your chat has moved to another place");
    third.press("/who\r");
    third.await_text("@ada\u{1b}[0m  ada");
    // A terminal that goes away takes the place with it.
    kill_process(Pid::from_child(&third.child), Signal::TERM).expect("our child");
    assert_eq!(third.ended(), 143);
    awaited("nobody is in the chat", || (!is_in_chat(&pond, "ada")).then_some(()));
    second.press("\x04");
    assert_eq!(second.ended(), 0);

    // Ctrl-C logs out where one has logged in, with whatever is typed.
    first.press("/live\r");
    first.await_text("you are in the chat");
    first.await_line("* live>");
    first.press("never mi\x03");
    first.await_text("you have left the chat");
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
    let pond = Pond::start_with(&["--restart", "never"]);
    let leader = pond.await_leading_backend();
    let (mut ada, mut bob) = (pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");
    befriend(&mut bob, "ada");
    // One that knows a single server, and learns of the others there.
    let used = pond.status().backends().find(|it| it.name != leader).expect("one of three").clone();
    let mut terminal = in_chat(&pond, "ada", &["--server", &used.address]);
    let mut reader = at_terminal(&pond, "bob");
    terminal.press("sent while all is well\r");
    terminal.await_text("@ada\u{1b}[0m  sent while all is well");
    // With the leader stopped, the next one is on its way for as long as we like.
    pond.signal(&[&leader], Signal::STOP);
    terminal.press("sent into the storm\r");
    terminal.press("half a li");
    terminal.await_line("* live> half a li");
    pond.kill(&[&leader, &used.name]);
    terminal.await_text(&format!("-- {} has gone: looking for another server", used.address));
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
    assert!(is_in_chat(&pond, "ada"), "the place was kept, or taken again");

    // Nobody is left.
    let left: Vec<String> =
        pond.status().members.into_iter().filter(|it| it.alive).map(|it| it.name).collect();
    terminal.press("lost for");
    terminal.await_line("* live> lost for");
    pond.kill(&left.iter().map(String::as_str).collect::<Vec<_>>());
    terminal.press(" good\r");
    terminal.await_text("no server answers (try 1 of 3)");
    terminal.await_text("no server answers (try 2 of 3)");
    terminal.await_text("no server answers (try 3 of 3)");
    terminal.await_text("ribbit: no servers are running, or none can be reached");
    assert_eq!(terminal.ended(), 3);
    let shown = terminal.shown();
    assert!(shown.contains("may or may not have been done: lost for good"), "{shown}");
    assert_eq!(reader.ended(), 3, "who types nothing finds out, too");
}

#[test]
fn a_script_is_done_line_by_line_in_plain_words() {
    let pond = Pond::start();
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
    // The first that fails is the last.
    let (code, said) = run(&[], "/pots x\n/post never\n");
    assert_eq!(
        (code, said.as_str()),
        (2, "ribbit: line 1: `/pots`: no such command; did you mean `/post`?\n")
    );
    let (code, said) = run(&[], "/post three\nno command\n/post never\n");
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("line 2: ") && said.contains("Nothing was posted"), "{said}");
    let (code, said) = run(&[], "/add nobody\n/post never\n");
    assert_eq!((code, said.as_str()), (1, "ribbit: line 1: there is no user with that name (601)\n"));
    assert_eq!(whole_feed(&mut ada), ["three", "two", "one"]);

    // The chat, for a program that listens.
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
    assert!(lines.any(|line| line.starts_with("you are in the chat")));
    bob.croak("hello, machine");
    assert!(lines.any(|line| line.ends_with("@bob  hello, machine")));
    drop(keys);
    assert_eq!(child.wait().expect("our child").code(), Some(0));
    assert!(!is_in_chat(&pond, "ada"));
}

#[test]
fn a_session_that_ends_elsewhere_ends_the_terminal_and_an_account_is_deleted_with_its_password_only() {
    let pond = Pond::start();
    let (mut ada, mut bob) = (pond.browser(), pond.browser());
    ada.join("ada");
    bob.join("bob");
    let mut terminal = at_terminal(&pond, "ada");
    ada.post("/delete", &[("password", "password")]).leads_to("/login?note=deleted");
    terminal.await_text("ribbit: your session is over (609)");
    assert_eq!(terminal.ended(), 4);

    // What is typed ahead is taken in its turn: the line behind `/delete` is the password, and not shown.
    let mut terminal = at_terminal(&pond, "bob");
    terminal.press("/post one\r/delete\rsecret password\r/post two\r/feed\r");
    terminal.await_text("@bob\u{1b}[0m  two");
    terminal.await_line("ribbit>");
    let shown = terminal.shown();
    assert!(shown.contains("the password is wrong (602)") && shown.contains("****"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
    assert_eq!(whole_feed(&mut bob), ["two", "one"]);
    terminal.press("/delete\r");
    terminal.await_text("Your password, or nothing: ");
    terminal.press("\r");
    terminal.await_text("nothing was deleted");
    terminal.press("/delete\r");
    terminal.await_text("Your password, or nothing: ");
    terminal.press("wrong password\r");
    terminal.await_text("the password is wrong (602)");
    terminal.press("/delete\r");
    terminal.await_text("Your password, or nothing: ");
    terminal.press("password\r");
    terminal.await_text("Your account is deleted");
    assert_eq!(terminal.ended(), 0);
    let (code, said) = pond.ended(client(&pond, "bob", &[]), "/feed\n");
    assert_eq!(code, 4, "{said}");
}

/// One has a terminal, the other one a page. What one writes the other one sees, and both know when it was read.
#[test]
fn two_people_talk_from_page_to_terminal_and_back() {
    let pond = Pond::start();
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
    // Who answers has looked at the talk.
    bob.press("/dm ada\r");
    bob.await_text("I am, and I see you");
    awaited("both have read", || {
        ada.get("/messages/bob").body.contains("<span class=\"state\">read</span>").then_some(())
    });
    ada.get("/messages").says(200, "I am, and I see you");
    bob.press("\x04");
    assert_eq!(bob.ended(), 0);
}
