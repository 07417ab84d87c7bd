//! Ribbit's web client: a client that does on the wire what it does.

use super::{Gateway, connected, go_client, one_shot};
use crate::test_cluster::{TestCluster, send};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const FLAGS: [&str; 2] = ["--ribbit-tcp", "0,0,0,0"];

/// The web client's side of the protocol.
struct Client<'a>(&'a Gateway);

impl Client<'_> {
    fn balancer(&self, request: &str) -> String {
        self.raw(0, request.as_bytes())
    }

    /// Reads from the port that the balancer names.
    #[track_caller]
    fn read(&self, request: &str) -> String {
        let port = self.balancer("read");
        self.raw(self.position(&port), request.as_bytes())
    }

    /// Sends the request to every port that the balancer lists, at once, and returns the last one's answer.
    #[track_caller]
    fn write(&self, request: &str) -> String {
        let listed = self.balancer("write");
        let ports: Vec<&str> = listed.split(',').collect();
        assert_eq!(ports.len(), 3, "{listed}");
        self.copies(ports.into_iter().filter(|port| *port != "nil").map(|port| self.position(port)), request)
    }

    /// Sends copies to these ports at once, and returns the last one's answer. All answers are the same.
    #[track_caller]
    fn copies(&self, positions: impl Iterator<Item = usize>, request: &str) -> String {
        let mut streams: Vec<TcpStream> =
            positions.map(|at| connected(self.0.address("ribbit-tcp", at))).collect();
        streams.iter_mut().for_each(|stream| stream.write_all(request.as_bytes()).unwrap());
        let mut answers: Vec<String> = streams.iter_mut().map(answer_on).collect();
        let last = answers.pop().expect("a port is listed");
        answers.iter().for_each(|other| assert_eq!(*other, last));
        last
    }

    #[track_caller]
    fn raw(&self, position: usize, request: &[u8]) -> String {
        let answer = one_shot(self.0.address("ribbit-tcp", position), request, 1_024);
        String::from_utf8(answer).expect("text")
    }

    #[track_caller]
    fn position(&self, port: &str) -> usize {
        let of = |at: &usize| self.0.address("ribbit-tcp", *at).port().to_string() == port;
        (1..=3).find(of).unwrap_or_else(|| panic!("{port} is no port of a backend"))
    }

    #[track_caller]
    fn feed(&self, username: &str) -> Vec<(String, String)> {
        let text = self.read(&format!("getUserFeed,{username}"));
        let Value::Array(posts) = serde_json::from_str(&text).expect(&text) else { return Vec::new() };
        let texts = |post: &Value| {
            assert!(post["Time_id"].is_u64(), "{post}");
            (post["Username"].as_str().unwrap().to_string(), post["Post_data"].as_str().unwrap().to_string())
        };
        posts.iter().map(texts).collect()
    }

    #[track_caller]
    fn join(&self, username: &str) {
        assert_eq!(
            self.write(&format!("create,{username},Some One,{username}@example.org,password 1")),
            "200"
        );
        assert_eq!(self.read(&format!("login,{username},password 1")), "200");
    }
}

fn answer_on(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 1_024];
    let count = stream.read(&mut bytes).expect("an answer or the end");
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[test]
fn every_request_gets_the_answer_that_the_page_understands() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, &FLAGS);
    let client = Client(&gateway);
    let first = gateway.address("ribbit-tcp", 1).port();
    assert_eq!(client.balancer("read"), first.to_string());
    assert_eq!(client.balancer("write"), format!("{first},nil,nil"));
    assert_eq!(client.balancer("server1,1"), "", "reports of the original backends");

    assert_eq!(client.write("create,ada,Ada L,ada@example.org,password 1"), "200");
    assert_eq!(client.write("create,ada,Ada L,ada@example.org,password 1"), "607");
    for invalid in [
        "create,,Ada,a@example.org,password 1",
        "create,bob,,b@example.org,password 1",
        "create,bob,Bob,,password 1",
        "create,bob,Bob,b@example.org,",
        "create,bob,Bob,b@example.org,short",
        "create,n\u{e9},Ne,n@example.org,password 1",
        "create,a;b\"c,Abc,n@example.org,password 1",
        "create,@bob,Bob,b@example.org,password 1",
        "create",
        "create,bob",
        "nonsense",
    ] {
        assert_eq!(client.write(invalid), "606", "{invalid}");
    }
    assert_eq!(client.read("login,ada,password 1"), "200");
    assert_eq!(client.read("login,ada,password 2"), "602");
    assert_eq!(client.read("login,nobody,password 1"), "601");
    assert_eq!(client.read("login,n\u{e9},password 1"), "601");
    for cut_off in ["login", "login,", "login,ada", "login,ada,"] {
        assert!(
            matches!(client.read(cut_off).as_str(), "601" | "602"),
            "any other answer is a log-in: {cut_off}"
        );
    }
    assert_eq!(client.read("getUserFeed,ada"), "null");

    assert_eq!(client.write("post,hello,ada"), "200");
    assert_eq!(client.write(&format!("post,{},ada", "\u{e9}".repeat(100))), "200", "characters, not bytes");
    assert_eq!(client.write(&format!("post,{},ada", "\u{e9}".repeat(101))), "512");
    assert_eq!(client.write("post,hello,nobody"), "601");
    client.join("bob");
    assert_eq!(client.write("post,from bob,bob"), "200");
    for (choice, friend, expected) in [
        ("add", "bob", "200"),
        ("add", "bob", "200"),
        ("add", "ada", "200"),
        ("add", "nobody", "601"),
        ("add", "no body", "601"),
    ] {
        assert_eq!(client.write(&format!("manage,ada,{friend},{choice}")), expected, "{choice} {friend}");
    }
    let feed = client.feed("ada");
    assert_eq!(feed[0], ("bob".to_string(), "from bob".to_string()));
    assert_eq!(feed.last().unwrap(), &("ada".to_string(), "hello".to_string()));
    assert_eq!(client.write("manage,ada,bob,remove"), "200");
    assert_eq!(client.write("manage,ada,bob,remove"), "200");
    assert!(client.feed("ada").iter().all(|(author, _)| author == "ada"));

    assert_eq!(client.write("delete,bob"), "", "the client does not wait");
    assert_eq!(client.read("login,bob,password 1"), "601");
    assert_eq!(client.write("create,bob,Bob,b@example.org,password 1"), "200", "the name is free again");
}

#[test]
fn text_survives_the_clients_format_strings_and_commas() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, &FLAGS);
    let client = Client(&gateway);
    // The password is `50%,x%safe`.
    assert_eq!(client.write("create,ada,Ada,ada@example.org,50%!,(MISSING)x%!s(MISSING)afe"), "200");
    let mut browser = pond.browser();
    let reply = browser.post("/login", &[("username", "ada"), ("password", "50%,x%safe")]);
    assert_eq!(reply.status, 303, "the password works on the pages");
    assert_eq!(client.read("login,ada,50%!,(MISSING)x%!s(MISSING)afe"), "200");
    assert_eq!(client.write("create,eve,Eve, the first,eve@example.org,a,b,c,d,e,f"), "200");
    assert_eq!(client.read("login,eve,a,b,c,d,e,f"), "200", "all after the second comma");

    for (sent, kept) in [
        ("post,one, two, three,ada", "one, two, three"),
        ("post,50%!,(MISSING)ada", "50%"),
        ("post,100% sure,ada", "100% sure"),
        ("post,a%!d(MISSING)b,ada", "a%db"),
        ("post,<b>&\"\\,ada", "<b>&\"\\"),
    ] {
        assert_eq!(client.write(sent), "200", "{sent}");
        assert_eq!(client.feed("ada")[0].1, kept);
    }
    // A feed is as much as the client reads at once, newest first.
    for number in 0..30 {
        assert_eq!(client.write(&format!("post,{number} {},ada", "x".repeat(90))), "200");
    }
    let text = client.read("getUserFeed,ada");
    assert!((900..=1_024).contains(&text.len()), "{}", text.len());
    let feed = client.feed("ada");
    assert!(feed[0].1.starts_with("29 ") && feed.len() >= 6, "{feed:?}");
    // A long post arrives in parts, and is refused as a whole.
    assert_eq!(client.write(&format!("post,{},ada", "x".repeat(60_000))), "512");
}

#[test]
fn what_go_makes_of_percent_signs_is_repaired() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(program) = go_client("ribbit_go", folder.path()) else { return };
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, &FLAGS);
    let go = |request: &str| {
        let address = gateway.address("ribbit-tcp", 1).to_string();
        let output = Command::new(&program).args([&address, request]).output().expect("it starts");
        String::from_utf8(output.stdout).expect("text")
    };
    assert_eq!(go("create,ada,100%,ada@example.org,half of 50%"), "200");
    assert_eq!(go("login,ada,half of 50%"), "200");
    let mut browser = pond.browser();
    let reply = browser.post("/login", &[("username", "ada"), ("password", "half of 50%")]);
    assert_eq!(reply.status, 303, "the password is the one that was typed");
    for (typed, kept) in [
        ("50%", "50%"),
        ("50%, and more", "50%, and more"),
        ("a%db%sc", "a%db%sc"),
        ("%\u{e9}%\u{1f438}!", "%\u{e9}%\u{1f438}!"),
        ("100%!", "100%!"),
        ("(MISSING) %!x(MISSING)", "(MISSING) %!x(MISSING)"),
        // Lost in the client: a doubled sign, flags and widths.
        ("100%% sure", "100% sure"),
        ("100% sure", "100%sure"),
        ("%5.2f", "%f"),
    ] {
        assert_eq!(go(&format!("post,{typed},ada")), "200", "{typed}");
        assert_eq!(Client(&gateway).feed("ada")[0].1, kept, "{typed}");
    }
}

#[test]
fn copies_on_several_ports_are_one_write() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, &FLAGS);
    let client = Client(&gateway);
    assert_eq!(client.copies(1..=3, "create,ada,Ada,ada@example.org,password 1"), "200", "no copy says 607");
    assert_eq!(client.read("login,ada,password 1"), "200");
    assert_eq!(client.copies(1..=3, "post,once,ada"), "200");
    assert_eq!(client.feed("ada").len(), 1);
    // Twice on purpose, at once.
    assert_eq!(client.copies(1..=3, "post,twice,ada"), "200");
    assert_eq!(client.copies(1..=3, "post,twice,ada"), "200");
    assert_eq!(client.feed("ada").len(), 3);
    // A port was down for one of them.
    assert_eq!(client.copies(2..=3, "post,thrice,ada"), "200");
    assert_eq!(client.copies(1..=3, "post,thrice,ada"), "200");
    assert_eq!(client.feed("ada").len(), 5);
    // A port that is reported down is not named for a while.
    let port = client.balancer("read");
    assert_eq!(client.balancer(&format!("down,{port}")), "");
    assert_ne!(client.balancer("read"), port);
    assert_eq!(client.balancer("down,nil"), "");
}

#[test]
fn a_name_is_believed_only_from_the_address_that_has_logged_in() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, &FLAGS);
    let client = Client(&gateway);
    client.join("ada");
    let address = gateway.address("ribbit-tcp", 1);
    let other = |request: &str| {
        let mut stream = from_other_address(address);
        stream.write_all(request.as_bytes()).unwrap();
        answer_on(&mut stream)
    };
    assert_eq!(other("post,forged,ada"), "601");
    assert_eq!(other("manage,ada,ada,add"), "601");
    assert_eq!(other("getUserFeed,ada"), "null");
    assert_eq!(other("delete,ada"), "");
    assert_eq!(other("login,ada,wrong password"), "602");
    assert_eq!(other("post,forged,ada"), "601");
    assert_eq!(client.write("post,mine,ada"), "200", "the account is there");
    assert_eq!(client.read("login,ada,wrong password"), "602");
    assert_eq!(client.write("post,still mine,ada"), "200", "a mistyped password ends nothing");
    assert_eq!(other("login,ada,password 1"), "200");
    assert_eq!(other("post,from elsewhere,ada"), "200");
    let texts: Vec<String> = client.feed("ada").into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["from elsewhere", "still mine", "mine"]);
}

/// Connects from another address of this machine.
fn from_other_address(to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&socket, &SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), 0))).unwrap();
    connect(&socket, &to).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

#[test]
fn pages_and_the_older_client_show_the_same() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, &FLAGS);
    let client = Client(&gateway);
    client.join("ada");
    let mut bob = pond.browser();
    bob.join("bob");
    assert_eq!(client.write("post,from the older client,ada"), "200");
    assert_eq!(client.write("manage,ada,bob,add"), "200");
    bob.croak("from the page");
    assert_eq!(client.feed("ada")[0], ("bob".to_string(), "from the page".to_string()));
    let shown = bob.get("/@ada");
    assert!(shown.body.contains("from the older client"), "{}", shown.body.len());
}

#[test]
fn posts_go_through_the_death_of_the_leader_once_each() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, &FLAGS);
    let client = Client(&gateway);
    client.join("ada");
    let over = AtomicBool::new(false);
    let posted = std::thread::scope(|scope| {
        let posting = scope.spawn(|| {
            let mut posted = Vec::new();
            while !over.load(Ordering::SeqCst) {
                let text = format!("number {}", posted.len());
                assert_eq!(client.write(&format!("post,{text},ada")), "200", "{text}");
                posted.push(text);
            }
            posted
        });
        for _ in 0..3 {
            let leader = pond.await_leading_backend();
            pond.kill(&[&leader]);
        }
        pond.await_whole();
        over.store(true, Ordering::SeqCst);
        posting.join().expect("every post is taken")
    });
    assert!(posted.len() > 10, "{}", posted.len());
    let mut browser = pond.browser();
    browser.post("/login", &[("username", "ada"), ("password", "password 1")]);
    let export = browser.get("/export").body;
    for text in &posted {
        assert_eq!(export.matches(&format!("\"{text}\"")).count(), 1, "{text}");
    }
}

#[test]
fn requests_are_held_while_everything_is_stopped() {
    let mut pond = TestCluster::start();
    let gateway = Gateway::start(&pond, &FLAGS);
    let client = Client(&gateway);
    client.join("ada");
    assert_eq!(client.write("post,before,ada"), "200");
    pond.stop();
    std::thread::scope(|scope| {
        let posting = scope.spawn(|| client.write("post,meanwhile,ada"));
        pond.up(&[]);
        assert_eq!(posting.join().expect("an answer"), "200");
    });
    let texts: Vec<String> = client.feed("ada").into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["meanwhile", "before"]);
    // Another gateway goes on with the log-ins of the first.
    drop(gateway);
    let gateway = Gateway::start(&pond, &FLAGS);
    assert_eq!(Client(&gateway).write("post,after,ada"), "200");
}

#[test]
fn a_log_in_is_answered_while_the_gateway_stops() {
    let pond = TestCluster::start();
    let mut gateway = Gateway::start(&pond, &FLAGS);
    Client(&gateway).join("ada");
    let backends = ["backend-1", "backend-2", "backend-3"];
    pond.signal(&backends, Signal::STOP);
    let mut log_in = connected(gateway.address("ribbit-tcp", 1));
    log_in.write_all(b"login,ada,password 1").unwrap();
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| answer_on(&mut log_in));
        send(gateway.pid(), Signal::TERM);
        assert_eq!(answer.join().unwrap(), "602", "no answer would be a successful log-in");
    });
    gateway.stop();
    pond.signal(&backends, Signal::CONT);
}

#[test]
fn hostile_bytes_and_idle_connections_do_no_harm() {
    let pond = TestCluster::start();
    let gateway = Gateway::start(&pond, &FLAGS);
    let client = Client(&gateway);
    client.join("ada");
    for bytes in [
        &b"\0\xff\xfe,,,,,"[..],
        b"post,",
        b",",
        b"post,\xff\xfe,ada",
        b"login,ada",
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let answer = one_shot(gateway.address("ribbit-tcp", 2), bytes, 1_024);
        assert!(!answer.is_empty() && answer != b"200" || bytes == b"post,\xff\xfe,ada", "{bytes:?}");
    }
    // Half-open connections: they send nothing, or close their sending side at once.
    let idle: Vec<TcpStream> = (0..300).map(|_| connected(gateway.address("ribbit-tcp", 1))).collect();
    idle.iter().step_by(2).for_each(|stream| stream.shutdown(Shutdown::Write).unwrap());
    let began = Instant::now();
    assert_eq!(client.write("post,still served,ada"), "200");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // A full listener refuses no one: further clients wait until the idle ones are closed.
    let more: Vec<TcpStream> = (0..300).map(|_| connected(gateway.address("ribbit-tcp", 1))).collect();
    assert_eq!(client.write("post,after a while,ada"), "200");
    drop((idle, more));
    // A client that leaves at once: its write counts.
    let mut hasty = connected(gateway.address("ribbit-tcp", 3));
    hasty.write_all(b"post,hasty,ada").unwrap();
    drop(hasty);
    crate::test_cluster::awaited("the hasty post", || (client.feed("ada")[0].1 == "hasty").then_some(()));
}
