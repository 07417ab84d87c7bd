//! Malformed and slow requests: each is answered or ended in time, while others are served.
//!
//! See also `pages` (sizes), the tests of live streams (slow readers), `tls` (handshakes), `guard` (limits per address), and
//! `processes/hostile` (every port of a cluster).

use ribbit_roles::web::limits::{CONNECTIONS_MAX, HEAD_BYTES_MAX, HEADERS_MAX};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::time::Duration;
use testkit::http::{Browser, Reply, exchange, parse, try_exchange};
use testkit::site::Site;
use testkit::web_process::{ARGUMENTS, Pages};

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// Reads until the other side closes. Fails instead of waiting forever.
#[track_caller]
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Sends one byte at a time, with pauses, until the other side closes.
fn trickle(stream: &mut TcpStream, bytes: &[u8]) {
    stream.set_nodelay(true).unwrap();
    for byte in bytes.iter().cycle() {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Allows this process so many files and sockets, if it may. Returns false otherwise.
fn allow_descriptors(descriptors: u64) -> bool {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if maximum.is_some_and(|maximum| maximum < descriptors) {
        return false;
    }
    if current.is_some_and(|current| current < descriptors) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(descriptors), maximum }).unwrap();
    }
    true
}

const FORM_HEAD: &str =
    "POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";

#[test]
fn a_trickled_head_or_body_is_cut_off() {
    let site = Site::start();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut head = connect(&site.address);
            head.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n").unwrap();
            trickle(&mut head, b"X-A: b\r\n");
        });
        scope.spawn(|| {
            // The second request of a connection is treated like the first.
            let mut head = connect(&site.address);
            head.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            trickle(&mut head, b"GET /livez HTTP/1.1");
        });
        scope.spawn(|| {
            let mut body = connect(&site.address);
            body.write_all(format!("{FORM_HEAD}Content-Length: 60000\r\n\r\n").as_bytes()).unwrap();
            let mut reader = body.try_clone().unwrap();
            let writer = scope.spawn(move || trickle(&mut body, b"a"));
            assert_eq!(parse(rest(&mut reader).as_bytes()).status, 408);
            writer.join().unwrap();
        });
    });
    assert_eq!(Browser::new(&site.address).get("/livez").body, "ok");
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let site = Site::start();
    let mut greedy = connect(&site.address);
    // Far more than all buffers in between hold.
    let requests = "GET /script.js HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4_000);
    let mut writer = greedy.try_clone().unwrap();
    writer.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
    // The server may not take all of it, because it cuts the connection meanwhile.
    let _ = writer.write_all(requests.as_bytes());
    let mut probe = Browser::new(&site.address);
    let alone = "ribbit_web_connections 1\n";
    while !probe.get("/metrics").body.contains(alone) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let answered = rest(&mut greedy).matches("HTTP/1.1 200 OK").count();
    assert!(answered < 4_000, "it was not cut off at all");
}

#[test]
fn an_idle_connection_is_closed() {
    let site = Site::start();
    let mut idle = connect(&site.address);
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    // The connection ends by itself, after nothing but the answer.
    assert_eq!(rest(&mut idle).matches("HTTP/1.1").count(), 1);
}

#[test]
fn where_a_request_ends_cannot_be_doubted() {
    let site = Site::start();
    let smuggled = "GET /about HTTP/1.1\r\nHost: a\r\n\r\n";
    let form = "username=a&password=b";
    let length = format!("Content-Length: {}\r\n", form.len());
    let chunked = "Transfer-Encoding: chunked\r\n";
    let whole = format!("{form}{smuggled}");
    let ends_at_once = format!("0\r\n\r\n{smuggled}");
    let cases: Vec<(&str, String, &str, &[u16])> = vec![
        ("length, then pieces", format!("{length}{chunked}"), &ends_at_once, &[411]),
        ("pieces, then length", format!("{chunked}{length}"), &ends_at_once, &[411]),
        ("pieces alone", chunked.to_string(), &ends_at_once, &[411]),
        ("pieces that are none", chunked.to_string(), "xyz\r\n", &[411]),
        ("a piece that is huge", chunked.to_string(), "ffffffffffffffffff\r\n", &[411]),
        ("two codings", "Transfer-Encoding: gzip, chunked\r\n".to_string(), &ends_at_once, &[411]),
        ("a coding behind pieces", "Transfer-Encoding: chunked, gzip\r\n".to_string(), &ends_at_once, &[400]),
        ("a coding that looks like pieces", "Transfer-Encoding: xchunked\r\n".into(), &ends_at_once, &[400]),
        ("pieces twice", format!("{chunked}{chunked}"), &ends_at_once, &[411]),
        ("two lengths", format!("{length}Content-Length: 1\r\n"), &whole, &[400]),
        ("a list of lengths", "Content-Length: 21, 1\r\n".to_string(), &whole, &[400]),
        ("a length with a sign", "Content-Length: +21\r\n".to_string(), &whole, &[400]),
        ("a length below nothing", "Content-Length: -1\r\n".to_string(), &whole, &[400]),
        ("a length that is no number", "Content-Length: 0x15\r\n".to_string(), &whole, &[400]),
        ("a length beyond all", "Content-Length: 99999999999999999999999\r\n".to_string(), &whole, &[400]),
        ("a huge length", "Content-Length: 9999999999\r\n".to_string(), &whole, &[413]),
        ("a blank before the colon", format!("Content-Length : {}\r\n", form.len()), &whole, &[400]),
        ("a folded line", format!("X-A: b\r\n Content-Length: 3\r\n{length}"), form, &[400]),
        ("a line of nothing but a colon", format!(": x\r\n{length}"), form, &[400]),
        ("a zero byte", format!("X-A: \0\r\n{length}"), form, &[400]),
        ("a lone carriage return", format!("X-A: b\rContent-Length: 3\r\n{length}"), form, &[400]),
    ];
    for (what, headers, body, expected) in cases {
        let is_kept_safe = |reply: &Reply| {
            assert!(!reply.body.is_empty(), "{what}: no words");
            for name in ["content-security-policy", "x-content-type-options", "referrer-policy"] {
                assert!(reply.header(name).is_some(), "{what}: no {name}");
            }
            let said = reply.header("content-length").map(str::parse);
            assert_eq!(said, Some(Ok(reply.body.len())), "{what}");
            assert_eq!(reply.header("connection"), Some("close"), "{what}");
        };
        let mut stream = connect(&site.address);
        stream.write_all(format!("{FORM_HEAD}{headers}\r\n{body}").as_bytes()).unwrap();
        let answer = rest(&mut stream);
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{what}: answered more than once: {answer}");
        let reply = parse(answer.as_bytes());
        assert!(expected.contains(&reply.status), "{what}: {}", reply.status);
        is_kept_safe(&reply);
    }
    // The same length given twice is valid (RFC 9110, 8.6).
    let twice = format!("{FORM_HEAD}Connection: close\r\n{length}{length}\r\n{form}");
    assert_eq!(exchange(&site.address, twice.as_bytes()).status, 422);
}

#[test]
fn an_invalid_request_is_answered_once_or_cut_off() {
    let site = Site::start();
    let long = "a".repeat(HEAD_BYTES_MAX + 1);
    let many = "A: b\r\n".repeat(HEADERS_MAX + 1);
    for (what, bytes, expected) in [
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_string(), ""),
        ("HTTP/0.9", "GET /about\r\n\r\n".to_string(), "400"),
        ("a later version", "GET /about HTTP/3.0\r\nHost: a\r\n\r\n".to_string(), "400"),
        ("no method", " /about HTTP/1.1\r\nHost: a\r\n\r\n".to_string(), "400"),
        (
            "a proxy's request",
            "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n".into(),
            "421",
        ),
        ("everything", "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_string(), "404"),
        ("another's page", "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n".into(), "421"),
        ("a long path", format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), "431"),
        ("a long header", format!("GET / HTTP/1.1\r\nHost: a\r\nA: {long}\r\n\r\n"), "431"),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), "431"),
        ("TLS", "\x16\x03\x01\x02\0\x01\0\x01".to_string(), "400"),
    ] {
        let mut stream = connect(&site.address);
        stream.write_all(bytes.as_bytes()).unwrap();
        let answer = rest(&mut stream);
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(status == expected || answer.is_empty() && expected.is_empty(), "{what}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{what}: {answer}");
        if ["400", "431"].contains(&status) {
            let reply = parse(answer.as_bytes());
            assert!(reply.header("content-security-policy").is_some(), "{what}: {answer}");
            assert!(reply.body.contains("</html>"), "{what}: no words");
        }
    }
    // Also after an earlier answer on the same connection.
    let mut stream = connect(&site.address);
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = [0; 2048];
    let mut filled = 0;
    while !answer[..filled].ends_with(b"\r\n\r\nok") {
        filled += stream.read(&mut answer[filled..]).unwrap();
    }
    stream.write_all(b"nonsense\r\n\r\n").unwrap();
    parse(rest(&mut stream).as_bytes()).says(400, "</html>");
    assert_eq!(Browser::new(&site.address).get("/livez").body, "ok");
}

/// `printf 'GET …' | nc` and some programs close their sending side and wait for the answer.
#[test]
fn a_whole_request_with_nothing_behind_it_is_answered() {
    let site = Site::start();
    let form = "username=ada&password=password";
    let length = format!("Content-Length: {}\r\n", form.len());
    for (request, status, words) in [
        ("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n".to_string(), 200, "ok"),
        ("GET /status HTTP/1.0\r\nHost: a\r\n\r\n".to_string(), 200, "</html>"),
        ("GET /script.js HTTP/1.1\r\nHost: a\r\n\r\n".to_string(), 200, "})();"),
        (format!("{FORM_HEAD}{length}\r\n{form}"), 422, "</html>"),
        // The form is incomplete.
        (format!("{FORM_HEAD}Content-Length: 99\r\n\r\n{form}"), 400, "</html>"),
    ] {
        let mut stream = connect(&site.address);
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = rest(&mut stream);
        assert_eq!(answer.matches("HTTP/1.1 ").count() + answer.matches("HTTP/1.0 ").count(), 1, "{request}");
        parse(answer.as_bytes()).says(status, words);
    }
    // Two pipelined requests get two answers.
    let mut stream = connect(&site.address);
    stream.write_all("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2).as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut stream).matches("HTTP/1.1 200").count(), 2);
}

/// Reads one answer from a connection. Returns true if the server keeps the connection open.
fn answered(stream: &mut TcpStream) -> (String, bool) {
    let (mut answer, mut piece) = (Vec::new(), [0; 2048]);
    loop {
        let bytes = stream.read(&mut piece).unwrap();
        answer.extend_from_slice(&piece[..bytes]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        if bytes == 0 || text.ends_with("\r\n\r\nok") {
            let goes_on = bytes > 0 && !text.contains("connection: close");
            return (text, goes_on);
        }
    }
}

/// With room for 512 connections none of 400 is refused, also while browsers close connections a little later than the server.
#[test]
fn four_hundred_browsers_are_served_round_after_round() {
    const BROWSERS: usize = 400;
    if !allow_descriptors(4 * BROWSERS as u64) {
        return println!("skipped: this machine allows too few file descriptors");
    }
    let site = Site::start();
    let mut open: Vec<TcpStream> = (0..BROWSERS).map(|_| connect(&site.address)).collect();
    for round in 0..3 {
        let mut ended = Vec::new();
        for stream in &mut open {
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            let (answer, goes_on) = answered(stream);
            assert!(answer.starts_with("HTTP/1.1 200"), "round {round}: {answer}");
            if !goes_on {
                ended.push(std::mem::replace(stream, connect(&site.address)));
            }
        }
    }
}

#[test]
fn a_connection_beyond_the_limit_is_refused_and_succeeds_later() {
    if !allow_descriptors(4 * CONNECTIONS_MAX as u64) {
        return println!("skipped: this machine allows too few file descriptors");
    }
    let site = Site::start();
    // Silent connections time out, so they are replaced until one is refused.
    let mut mute = Vec::new();
    let refused = (0..20).find_map(|_| {
        mute.extend((0..CONNECTIONS_MAX).map(|_| connect(&site.address)));
        // A connection that is accepted, since a busy machine is slow to accept the others, ends without an answer too.
        let refused = try_exchange(&site.address, b"").ok().filter(|reply| reply.status == 503);
        if refused.is_none() {
            mute.clear();
        }
        refused
    });
    let refused = refused.expect("there is an end to it");
    refused.says(503, "The server is full right now");
    assert_eq!(refused.header("retry-after"), Some("2"));
    let mut ada = Browser::new(&site.address);
    while ada.try_send("GET", "/livez", &[], "").is_ok_and(|reply| reply.status != 200) {
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(mute);
}

#[test]
fn without_file_descriptors_accepting_pauses_and_is_logged_once() {
    let mut command = Command::new("sh");
    let binary = env!("CARGO_BIN_EXE_ribbit");
    command.args(["-c", "ulimit -n 40; exec \"$0\" \"$@\"", binary]).args(ARGUMENTS);
    let pages = Pages::spawn(command);
    let crowd: Vec<TcpStream> = (0..60).map(|_| connect(&pages.address)).collect();
    pages.says("cannot accept connections:");
    // Long enough for a second message to appear, if there were one.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(pages.said(), Vec::<String>::new());
    drop(crowd);
    assert_eq!(Browser::new(&pages.address).get("/livez").body, "ok");
    assert_eq!(Browser::new(&pages.address).get("/livez").body, "ok");
}
