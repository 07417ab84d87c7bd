//! Boards that find each other by mDNS: nobody types an address.

use crate::group::{Board, FOUND_MAX, Group};
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

/// Asks the network of this host for the addresses of a name, as a computer does.
fn looked_up(name: &str) -> Vec<Ipv4Addr> {
    let here: Ipv4Addr = testkit::network::address(FIRST).parse().expect("an address");
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
        looked_up("ribbit.local").contains(&at).then_some(())
    });
    let answered = Browser::new(&format!("{at}:80")).get("/");
    assert_eq!(answered.status, 200, "{}", group.said(PAGES));
    let mut named = TcpStream::connect((at, 80)).expect("the pages");
    named.write_all(b"GET / HTTP/1.1\r\nHost: ribbit.local\r\nConnection: close\r\n\r\n").expect("the pages");
    let mut answered = String::new();
    named.read_to_string(&mut answered).expect("a page");
    assert!(answered.starts_with("HTTP/1.1 200"), "{}", answered.lines().next().unwrap_or_default());
    assert!(looked_up("other.local").is_empty());

    // A client without an address, and one that may not look.
    let (code, said) = group.typed(PAGES, &["status", "--json"], "");
    assert!(code == 0 && said.contains("in this network") && said.contains("backend-2"), "{code}: {said}");
    let (code, said) = group.typed(PAGES, &["status", "--no-discovery"], "");
    assert!(code == 3 && said.contains("no cluster found"), "{code}: {said}");
    group.nobody_gave_up();
}
