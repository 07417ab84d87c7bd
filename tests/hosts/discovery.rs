//! Boards that find each other by mDNS: nobody types an address.

use crate::group::{Board, FOUND_MAX, Group, tell};
use ribbit_net::mdns::packet::{self, Data, Message, Question};
use rustix::net::sockopt;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::time::Duration;
use testkit::http::Browser;
use testkit::timeouts::awaited_within;

/// Host with the coordinator, the balancer and the first backend, on which the test runs.
const FIRST: usize = 0;
/// Host without a cluster file.
const NEW: usize = 1;
/// Host with the pages, without a cluster file.
const PAGES: usize = 2;

/// Browses the services of a host's network with avahi, which has a bus of its own there. Returns what it says, a line for each
/// service; `None` if it is not installed.
fn browsed(group: &Group, at: usize) -> Option<String> {
    let script = "command -v dbus-daemon avahi-daemon avahi-browse >/dev/null || exit 77
        mount -t tmpfs tmpfs /run && mkdir /run/avahi-daemon
        export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/bus
        # They must not hold the pipes that the test reads to their end.
        dbus-daemon --session --nofork --address=$DBUS_SYSTEM_BUS_ADDRESS >/dev/null 2>&1 & bus=$!
        avahi-daemon --no-drop-root --no-chroot --no-rlimits >/dev/null 2>&1 & avahi=$!
        trap 'kill $avahi $bus' EXIT
        for try in 1 2 3 4 5 6 7 8 9; do
          avahi-browse --resolve --parsable --terminate _ribbit._tcp && break
          sleep 0.2
        done";
    let output = group.network.command(at, "sh".as_ref()).args(["-c", script]).output().expect("a shell");
    if output.status.code() == Some(77) {
        tell("skipped: no avahi-daemon, avahi-browse and dbus-daemon");
        return None;
    }
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    Some(said)
}

/// Asks the network of this host, which has the address `here`, for the addresses of a name, as a computer does.
pub fn looked_up(here: &str, name: &str) -> Vec<Ipv4Addr> {
    let here: Ipv4Addr = here.parse().expect("an address");
    let socket = UdpSocket::bind((here, 0)).expect("a socket");
    sockopt::set_ip_multicast_if(&socket, &here).expect("an interface");
    socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
    let question = Question { name: name.into(), kind: 1, unicast: true };
    let query = Message { id: 7, questions: vec![question], ..Message::default() };
    socket.send_to(&packet::encode(&query), ("224.0.0.251", 5_353)).expect("a network");
    let mut found = Vec::new();
    let mut bytes = [0; 1_500];
    while let Ok((length, _)) = socket.recv_from(&mut bytes) {
        let answer = packet::parse(&bytes[..length]).expect("an answer");
        assert_eq!((answer.id, &answer.questions), (7, &query.questions));
        found.extend(answer.records.iter().filter(|record| record.name == name).filter_map(|record| {
            match record.data {
                Data::Address(address) => Some(address),
                _ => None,
            }
        }));
    }
    found
}

#[test]
fn a_board_joins_and_pages_and_clients_find_the_servers_without_an_address() {
    let centre = testkit::network::address(FIRST);
    let coordinator = format!("coordinator --id 1 --advertise {centre}:9000 --found");
    let mut new = Board::new("new", &["backend --id 2"]);
    new.has_cluster_file = false;
    let mut pages = Board::new("pages", &["client web --listen 0.0.0.0:80 --public-key KEY"]);
    pages.has_cluster_file = false;
    let first = Board::new("first", &[&coordinator, "backend --id 1", "balancer"]);
    let Some(mut group) = Group::off(vec![first, new, pages], FIRST) else { return };
    group.power_on(&[FIRST]);
    let code = awaited_within(FOUND_MAX, "a code", || {
        let (code, said) = group.operated(FIRST, &["invite-board", "--json"]);
        (code == 0).then(|| said.split('"').nth(3).expect("a code").to_string())
    });

    // The new board has the code alone. Its file then names no coordinator, so its backend looks around, too.
    let joined = group.operated(NEW, &["init", "--join", &code]);
    assert!(joined.0 == 0 && joined.1.contains(&format!("from {centre}:")), "{joined:?}");
    let file = group.folder_of(NEW).join("cluster.ribbit");
    let text = fs::read_to_string(&file).expect("a cluster file");
    let (before, _) = text.split_once("COORDINATORS=").expect("an entry");
    fs::write(&file, format!("{before}COORDINATORS=\n")).expect("a file");
    fs::remove_file(group.folder_of(NEW).join("cluster.ribbit.addresses")).expect("an address book");
    group.power_on(&[NEW, PAGES]);
    awaited_within(FOUND_MAX, "the new board has joined", || {
        let status = group.try_status(FIRST)?;
        status.members.iter().any(|it| it.name == "backend-2" && it.in_sync).then_some(())
    });

    // The pages have found the balancer, and their name leads to them.
    let at: Ipv4Addr = testkit::network::address(PAGES).parse().expect("an address");
    awaited_within(FOUND_MAX, "the pages are announced", || {
        looked_up(&centre, "ribbit.local").contains(&at).then_some(())
    });
    let answered = Browser::new(&format!("{at}:80")).get("/");
    assert_eq!(answered.status, 200, "{}", group.said(PAGES));
    let mut named = TcpStream::connect((at, 80)).expect("the pages");
    named.write_all(b"GET / HTTP/1.1\r\nHost: ribbit.local\r\nConnection: close\r\n\r\n").expect("the pages");
    let mut answered = String::new();
    named.read_to_string(&mut answered).expect("a page");
    assert!(answered.starts_with("HTTP/1.1 200"), "{}", answered.lines().next().unwrap_or_default());
    assert!(looked_up(&centre, "other.local").is_empty());

    // Other programs find them as they find a printer, on a board with servers, too.
    let resolved = |said: &str, name: &str, at: usize, port: u16| {
        let behind = format!(";{};{port};", testkit::network::address(at));
        said.lines().any(|line| line.starts_with(&format!("=;eth0;IPv4;{name}-")) && line.contains(&behind))
    };
    awaited_within(FOUND_MAX, "avahi finds them", || {
        let Some(said) = browsed(&group, NEW) else { return Some(()) };
        let members =
            [("coordinator-1", FIRST, 9_000), ("backend-1", FIRST, 10_001), ("backend-2", NEW, 10_002)];
        let all = members.into_iter().chain([("balancer", FIRST, 8_081), ("web", PAGES, 80)]);
        all.clone().all(|(name, at, port)| resolved(&said, name, at, port)).then_some(())
    });

    // A client without an address, and one that may not look.
    let (code, said) = group.typed(PAGES, &["status", "--json"], "");
    assert!(code == 0 && said.contains("in this network") && said.contains("backend-2"), "{code}: {said}");
    let (code, said) = group.typed(PAGES, &["status", "--no-discovery"], "");
    assert!(code == 3 && said.contains("no cluster found"), "{code}: {said}");
    group.nobody_gave_up();
}
