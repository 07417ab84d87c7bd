//! Several clients in one room with the pages and the verbs: each line is shown once to each, in one order.

use super::IrcServer;
use crate::pty::Terminal;
use crate::test_cluster::TestCluster;
use crate::verbs::CliUser;
use testkit::irc_client::IrcClient;

/// Returns the text of a line, without its tags.
fn text(line: &str) -> &str {
    let behind_tags = if line.starts_with('@') { line.split_once(' ').expect("tags").1 } else { line };
    behind_tags.split_once(" :").expect("a text").1
}

#[test]
fn two_people_talk_with_a_page_a_verb_and_a_terminal() {
    let pond = TestCluster::start();
    let mut carl = pond.browser();
    carl.join("carl");
    let (ada, dora) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "dora"));
    let bob = CliUser::called(&pond, "bob");
    ada.runs(&pond, &["room-create", "pond"]).succeeds();
    carl.post("/rooms/pond", &[("choice", "join")]).leads_to("/rooms/pond");
    dora.runs(&pond, &["room-join", "pond"]).succeeds();
    // Through two processes.
    let (mut first, second) = (IrcServer::start(&pond, &[]), IrcServer::start(&pond, &[]));
    let mut ada_irc = IrcClient::log_in(&first.address, "ada", "echo-message message-tags server-time");
    let mut bob_irc = IrcClient::log_in(&second.address, "bob", "");
    ada_irc.send("JOIN #pond");
    ada_irc.awaits(" 366 ada #pond ");
    bob_irc.send("JOIN #Pond");
    bob_irc.awaits(" 366 bob #pond ");
    assert_eq!(ada_irc.awaits(" JOIN "), ":bob!bob@ribbit JOIN #pond");

    ada_irc.send("PRIVMSG #pond :one from ada");
    assert_eq!(bob_irc.awaits("PRIVMSG"), ":ada!ada@ribbit PRIVMSG #pond :one from ada");
    let echo = ada_irc.awaits("PRIVMSG");
    assert!(echo.starts_with("@time=20") && echo.contains(";msgid="), "{echo}");
    carl.post("/rooms/pond", &[("message", "two\r\nfrom a <page>")]).leads_to("/rooms/pond");
    for client in [&mut ada_irc, &mut bob_irc] {
        assert_eq!(text(&client.awaits("carl!")), "two");
        assert_eq!(text(&client.awaits("carl!")), "from a <page>");
    }
    dora.runs(&pond, &["say", "pond", "three", "from", "a", "verb"]).succeeds();
    assert_eq!(text(&ada_irc.awaits("dora!")), "three from a verb");
    let mut terminal = Terminal::of(dora.command(&pond, &[]));
    terminal.await_text("you are logged in as @dora.");
    terminal.press("/join pond\r");
    terminal.await_text("three from a verb");
    terminal.await_text("you are in #pond");
    terminal.press("four at a terminal\r");
    assert_eq!(text(&ada_irc.awaits("dora!")), "four at a terminal");
    bob_irc.send("PRIVMSG #pond :\u{1}ACTION waves\u{1}\r\nPRIVMSG #pond :five");
    assert_eq!(text(&ada_irc.awaits("bob!")), "\u{1}ACTION waves\u{1}");
    assert_eq!(text(&ada_irc.awaits("bob!")), "five");
    assert!(carl.get("/rooms/pond").body.contains("/me waves"));
    for said in ["/me waves", "five"] {
        terminal.await_text(said);
    }
    terminal.press("/quit\r");
    assert_eq!(terminal.ended(), 0);
    // Texts that are longer than a line arrive whole, and those that are too long not at all.
    let long = "🐸".repeat(1_000);
    dora.runs(&pond, &["say", "pond", &long]).succeeds();
    for client in [&mut ada_irc, &mut bob_irc] {
        let mut arrived = String::new();
        while arrived.chars().count() < 1_000 {
            let line = client.awaits("dora!");
            let size =
                line.strip_prefix('@').map_or(line.len(), |line| line.split_once(' ').unwrap().1.len());
            assert!(size + 2 <= 512, "{size}");
            if !["three from a verb", "four at a terminal"].contains(&text(&line)) {
                arrived.push_str(text(&line));
            }
        }
        assert_eq!(arrived, long);
    }
    bob_irc.send(&format!("PRIVMSG #pond :{}", "x".repeat(1_001)));
    assert!(bob_irc.awaits("NOTICE bob").contains("at most 1000 characters"));

    // Direct messages, while both are there and while one is away.
    bob_irc.send("PRIVMSG ada :hi ada");
    assert!(ada_irc.awaits("bob!").ends_with("PRIVMSG ada :hi ada"));
    ada_irc.send("PRIVMSG bob :hi bob");
    assert_eq!(bob_irc.awaits("ada!"), ":ada!ada@ribbit PRIVMSG bob :hi bob");
    assert!(ada_irc.awaits("ada!").ends_with("PRIVMSG bob :hi bob"), "an echo");
    bob_irc.send("QUIT");
    assert_eq!(bob_irc.awaits("ERROR"), "ERROR :Closing link (ribbit): Bye");
    assert_eq!(bob_irc.receive(), None);
    ada_irc.send("PRIVMSG bob :are you there?");
    ada_irc.awaits("are you there?");
    let mut bob_irc = IrcClient::log_in(&first.address, "bob", "server-time");
    assert!(bob_irc.awaits("ada!").ends_with("Z :ada!ada@ribbit PRIVMSG bob :are you there?"));
    assert!(bob_irc.served().iter().all(|line| !line.contains("PRIVMSG")), "each once");
    assert!(bob.runs(&pond, &["inbox"]).succeeds().starts_with("no unread messages"), "and it is read");

    // Croaks: those of people that bob follows, and his own, which are croaks for everyone.
    bob.runs(&pond, &["add", "carl"]).succeeds();
    bob_irc.send("JOIN &feed");
    bob_irc.awaits(" 366 bob &feed ");
    carl.croak("a croak from a page");
    assert!(bob_irc.awaits("carl!").ends_with(":carl!carl@ribbit PRIVMSG &feed :a croak from a page"));
    bob_irc.send("PRIVMSG &feed :a croak from IRC");
    bob_irc.served();
    assert!(bob.runs(&pond, &["feed"]).succeeds().contains("a croak from IRC"));

    // Invitations, topics, leaving and closing.
    ada.runs(&pond, &["room-create", "crew", "--by-invitation"]).succeeds();
    ada.runs(&pond, &["room-invite", "crew", "bob"]).succeeds();
    assert_eq!(bob_irc.awaits("INVITE"), ":ada!ada@ribbit INVITE bob #crew");
    bob_irc.send("JOIN #pond,#crew");
    bob_irc.awaits(" 366 bob #crew ");
    ada.runs(&pond, &["room-set", "crew", "--topic", "Rowing"]).succeeds();
    assert_eq!(bob_irc.awaits("TOPIC"), ":irc.ribbit TOPIC #crew :Rowing");
    ada.runs(&pond, &["room-close", "crew"]).succeeds();
    assert_eq!(bob_irc.awaits("KICK"), ":irc.ribbit KICK #crew bob :The room was closed");
    dora.runs(&pond, &["room-leave", "pond"]).succeeds();
    assert_eq!(bob_irc.awaits(" PART "), ":dora!dora@ribbit PART #pond");
    bob_irc.send("PART #pond leave");
    assert_eq!(ada_irc.awaits("bob!bob@ribbit PART"), ":bob!bob@ribbit PART #pond");
    // A process that stops says so, and its sessions are over.
    first.stop();
    assert!(bob_irc.awaits("ERROR").contains("being stopped"));
    assert!(!bob.runs(&pond, &["sessions"]).succeeds().contains("An IRC client"));
}

#[test]
fn what_operators_and_owners_do_is_shown() {
    let pond = TestCluster::start();
    let (ada, bob) = (CliUser::called(&pond, "ada"), CliUser::called(&pond, "bob"));
    bob.runs(&pond, &["room-create", "pond"]).succeeds();
    let server = IrcServer::start(&pond, &[]);
    let mut ada_irc = IrcClient::log_in(&server.address, "ada", "standard-replies");
    ada_irc.ask("JOIN #pond");
    let (code, said) = pond.typed(&["user", "announce", "The pond is cleaned on Monday"]);
    assert_eq!(code, 0, "{said}");
    let words = "The pond is cleaned on Monday";
    assert_eq!(ada_irc.awaits("NOTICE"), format!(":irc.ribbit NOTICE ada :Announcement: {words}"));
    assert!(ada_irc.ask("MOTD").contains(&format!(":irc.ribbit 372 ada :- {words}")));
    let said = bob.runs(&pond, &["say", "pond", "a slip", "--json"]).lines();
    ada_irc.awaits("a slip");
    bob.runs(&pond, &["unsay", "pond", &said[0]["id"].to_string()]).succeeds();
    assert_eq!(ada_irc.awaits("NOTICE"), ":irc.ribbit NOTICE #pond :A message in this room was removed");
    bob.runs(&pond, &["room-remove", "pond", "ada"]).succeeds();
    assert_eq!(ada_irc.awaits("KICK"), ":irc.ribbit KICK #pond ada :You are in this room no longer");
    assert!(ada_irc.ask("PRIVMSG #pond :hi")[0].starts_with(":irc.ribbit 404 ada #pond "));
    assert!(ada_irc.ask("JOIN #pond")[0].starts_with(":irc.ribbit 474 ada #pond "));
    // A new password ends all sessions.
    let (code, said) = pond.ended(pond.plain(&["user", "passwd", "ada"]), "another password\n");
    assert_eq!(code, 0, "{said}");
    assert!(ada_irc.awaits("ERROR").contains("Your session has ended"));
    drop(ada);
}

#[test]
fn up_serves_irc() {
    let pond = TestCluster::start_with(&["--irc", "127.0.0.1:0"]);
    let words = "  IRC clients are served: ";
    let address = pond.said().iter().find_map(|line| Some(line.strip_prefix(words)?.to_string()));
    let address = address.expect("it says where");
    CliUser::called(&pond, "ada");
    let mut ada = IrcClient::log_in(&address, "ada", "");
    ada.ask("JOIN &feed");
    pond.kill(&["irc"]);
    while ada.receive().is_some() {}
    crate::test_cluster::awaited("it is restarted", || std::net::TcpStream::connect(&address).ok());
    drop(IrcClient::log_in(&address, "ada", ""));
}
