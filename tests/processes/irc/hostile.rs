//! Hostile bytes, crowds, and clients that do not read.

use super::IrcServer;
use crate::test_cluster::TestCluster;
use crate::verbs::CliUser;
use std::net::TcpStream;
use testkit::irc_client::IrcClient;

#[test]
fn hostile_bytes_end_no_server() {
    let pond = TestCluster::start();
    CliUser::called(&pond, "ada");
    let server = IrcServer::start(&pond, &[]);
    let half_open = TcpStream::connect(&server.address).expect("the port accepts");
    let mut ada = IrcClient::log_in(&server.address, "ada", "standard-replies");
    for bytes in [
        &[0; 40_000][..],
        &[0xFF; 70_000],
        b"@\n:\n@a\n \n\xC3\n\xF0\x9F\n",
        &b"CAP LS\n".repeat(2_000),
        &b"AUTHENTICATE ".repeat(9_000),
        b"NICK ada\nUSER a\nCAP END\nPRIVMSG #pond :x\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1:6667\r\n\r\nNICK ada\r\nPASS password\r\n",
        b"NICK a:b\nPASS\nPASS :\nUSER\nNICK\nUSER x\nCAP\nCAP REQ\nCAP END\n",
    ] {
        let mut client = IrcClient::connect(&server.address);
        client.send_bytes(bytes);
    }
    let mut browser = IrcClient::connect(&server.address);
    browser.send_bytes(b"GET / HTTP/1.1\r\nX: y\r\n\r\n");
    assert!(browser.awaits("ERROR").contains("This is an IRC server"));
    assert_eq!(browser.receive(), None);
    // After the log-in a line that cannot be served is refused, and the next one is served.
    ada.send_bytes(&[b"PRIVMSG #pond :", &[b'x'; 9_000][..], b"\r\n"].concat());
    assert!(ada.awaits(" 417 ada ").contains("nothing of it was sent"));
    ada.send_bytes(b"PRIVMSG #pond :caf\xE9\r\n");
    assert!(ada.awaits("FAIL * INVALID_UTF8 ").contains("nothing of it was sent"));
    for line in [
        "PRIVMSG",
        "JOIN",
        "JOIN ,,,",
        "JOIN #,&,#a b",
        "CHATHISTORY LATEST #pond timestamp=9999-12-31T23:59:59.999Z 1",
        "CHATHISTORY BETWEEN x msgid=18446744073709551615 msgid=0 18446744073709551615",
        "CHATHISTORY TARGETS timestamp=1970-01-01T00:00:00Z timestamp=9999-12-31T23:59:59Z 0",
        "CHATHISTORY AROUND &feed msgid=0 1",
        "WHO ********",
        "WHOIS \u{202e}",
        "MODE #pond +bbbbbbbbbbbbbbbbbbb",
        "TOPIC #pond :\u{1}\u{2}",
        "KICK #a,#b c,d",
    ] {
        assert!(ada.ask(line).iter().all(|answer| answer.len() < 600), "{line}");
    }
    assert_eq!(ada.served(), Vec::<String>::new());
    drop(half_open);
}

#[test]
fn a_hundred_clients_get_every_line() {
    let pond = TestCluster::start();
    let ada = CliUser::called(&pond, "ada");
    ada.runs(&pond, &["room-create", "pond"]).succeeds();
    let server = IrcServer::start(&pond, &[]);
    // Several clients of each person, but fewer than log in at once before the rate limit of a name.
    let names: Vec<String> = (0..20).map(|number| format!("frog{number}")).collect();
    names.iter().for_each(|name| drop(CliUser::called(&pond, name)));
    let mut clients: Vec<IrcClient> =
        (0..100).map(|number| IrcClient::log_in(&server.address, &names[number % 20], "")).collect();
    for client in &mut clients {
        client.send("JOIN #pond");
        client.awaits(" 366 ");
    }
    for number in 0..10 {
        ada.runs(&pond, &["say", "pond", &format!("line {number}")]).succeeds();
    }
    for client in &mut clients {
        for number in 0..10 {
            let line = client.awaits("PRIVMSG #pond :");
            assert!(line.ends_with(&format!(":line {number}")), "{line}");
        }
    }
}

#[test]
fn a_client_that_does_not_read_is_cut_off_alone() {
    let pond = TestCluster::start();
    let ada = CliUser::called(&pond, "ada");
    ada.runs(&pond, &["room-create", "pond"]).succeeds();
    let server = IrcServer::start(&pond, &[]);
    let mut writer = IrcClient::log_in(&server.address, "ada", "");
    let long = "\u{1f438}".repeat(1_000);
    for _ in 0..40 {
        writer.send(&format!("PRIVMSG #pond :{long}"));
    }
    assert!(writer.served().iter().all(|line| !line.contains(" NOTICE ada ")));
    // 160 KB each: more than the sockets hold.
    let mut deaf = IrcClient::log_in(&server.address, "ada", "batch draft/chathistory");
    for _ in 0..100 {
        deaf.send("CHATHISTORY LATEST #pond * 40");
    }
    let cut = || server.log_text().contains("connection ended: Err(Lost(Kind(TimedOut)))").then_some(());
    testkit::timeouts::awaited("it is cut off", cut);
    assert_eq!(writer.served(), Vec::<String>::new());
}
