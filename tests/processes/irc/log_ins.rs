//! Log-ins: by SASL, by PASS in its forms, encrypted and not; wrong ones; and passwords in no log.

use super::IrcServer;
use crate::test_cluster::TestCluster;
use crate::verbs::CliUser;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use testkit::irc_client::IrcClient;
use testkit::tls;

#[test]
fn flags_that_do_not_fit_are_refused_with_the_way_out() {
    let pond = TestCluster::empty();
    for (flags, words) in [
        (&["--listen", "0.0.0.0:0"][..], "pass --tls-cert and --tls-key, or --yes-without-encryption"),
        (&["--listen", "frogs"], "expected HOST:PORT"),
        (&["--tls-cert", "x.pem"], "--tls-cert requires --tls-key"),
        (&["--tls12"], "--tls12 requires --tls-cert and --tls-key"),
    ] {
        let (code, said) = pond.typed(&[&["client", "irc"], flags].concat());
        assert!(code == 2 && said.contains(words), "{flags:?}: {code} {said}");
    }
    let (code, said) = pond.typed(&["client", "irc"]);
    assert!(code == 3 && said.contains("no cluster found"), "{code} {said}");
    let (code, said) = pond.typed(&["up", "--irc", "0.0.0.0:6667"]);
    assert!(code == 2 && said.contains("run `ribbit client irc"), "{code} {said}");
}

/// Says these lines and returns the last one of the server, or that of the greeting.
#[track_caller]
fn outcome(address: &str, lines: &[&str]) -> String {
    let mut client = IrcClient::connect(address);
    client.send(&lines.join("\r\n"));
    loop {
        match client.receive() {
            Some(line) if line.contains(" 001 ") || line.starts_with("ERROR ") => return line,
            Some(_) => {}
            None => return String::new(),
        }
    }
}

#[test]
fn log_ins_in_every_form_and_passwords_in_no_log() {
    let pond = TestCluster::start();
    let ada = CliUser::called(&pond, "ada");
    let server = IrcServer::start(&pond, &[]);
    let user = "USER x 0 * :x";
    for lines in [
        ["PASS password", "NICK ADA", user],
        ["PASS ada:password", "NICK frog", user],
        [user, "PASS :Ada:password", "NICK ada"],
    ] {
        assert_eq!(
            outcome(&server.address, &lines),
            ":irc.ribbit 001 ada :Welcome to ribbit, ada",
            "{lines:?}"
        );
    }
    for (lines, words) in [
        (&["PASS not the one", "NICK ada", user][..], "Wrong user name or password"),
        (&["PASS ada:secret-3", "NICK ada", user], "Wrong user name or password"),
        (&["PASS nobody:secret-4", "NICK ada", user], "Wrong user name or password"),
        (&["NICK ada", user], "Log in with SASL PLAIN, or with NAME:PASSWORD as the server password"),
        (&["QUIT"], "Bye"),
    ] {
        let said = outcome(&server.address, lines);
        assert!(
            said.starts_with("ERROR :Closing link (ribbit): ") && said.ends_with(words),
            "{lines:?}: {said}"
        );
    }
    // Three wrong passwords end a connection.
    let mut client = IrcClient::connect(&server.address);
    client.send("CAP REQ :sasl\r\nNICK ada\r\nUSER x 0 * :x");
    for _ in 0..3 {
        client.send("AUTHENTICATE PLAIN\r\nAUTHENTICATE AGFkYQBzZWNyZXQtNQ==");
        client.awaits(" 904 ada ");
    }
    client.awaits("ERROR ");
    let log = server.log_text();
    assert!(log.contains("connection ended: "), "the log says everything");
    for secret in ["not the one", "secret-3", "secret-4", "secret-5", "AGFkYQ"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    // The sessions of connections that ended are over.
    crate::test_cluster::awaited("no session is left", || {
        (!ada.runs(&pond, &["sessions"]).succeeds().contains("An IRC client")).then_some(())
    });
}

#[test]
fn an_encrypted_log_in() {
    let pond = TestCluster::start();
    CliUser::called(&pond, "ada");
    let folder = tempfile::tempdir().expect("a folder");
    let made = tls::make(2040);
    let files = made.write(folder.path());
    let flags = ["--tls-cert", files.cert.to_str().unwrap(), "--tls-key", files.key.to_str().unwrap()];
    let server = IrcServer::start(&pond, &flags);
    assert!(server.log_text().contains("serving ircs://"));
    let mut stream = tls::connect(&server.address, &made).expect("a handshake");
    stream.write_all(b"PASS ada:password\r\nNICK ada\r\nUSER a 0 * :a\r\nQUIT\r\n").expect("it listens");
    let lines: Vec<String> = BufReader::new(stream).lines().map_while(Result::ok).collect();
    assert!(lines[0].contains(" 001 ada "), "{lines:?}");
    assert!(lines.last().is_some_and(|line| line.starts_with("ERROR ")), "{lines:?}");
    // A client without encryption is not served.
    let mut plain = TcpStream::connect(&server.address).expect("the port accepts");
    plain.write_all(b"PASS ada:password\r\nNICK ada\r\nUSER a 0 * :a\r\n").expect("it listens");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.windows(3).any(|part| part == b"001"), "no more than an alert");
}
