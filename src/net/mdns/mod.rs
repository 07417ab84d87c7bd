//! Servers of one network find each other: multicast DNS with service discovery (RFC 6762, 6763), by hand.
//!
//! ```text
//!   announce: each server answers for `_ribbit._tcp.local`; pages also for `ribbit.local`
//!   find:     one question on each interface ─▶ the answers of one second
//! ```
//!
//! - What is found is a hint: anyone in the network may answer anything. The key of the cluster decides who is connected to.
//! - The address of a server is the one from which its answer comes, since the answer was sent on that network.
//! - IPv4 only, as on the networks of boards. Interfaces are read from `/sys`, which needs no further permission.
//! - The question is a legacy one (from a port of its own), so it needs no part of the responder, and no avahi or resolved on the machine
//!   is disturbed. The responder shares port 5353 with them.
//! - Names contain the member's name and the cluster's id, so they are not probed for.
//!
//! - [`packet`]: the messages, pure
//!
//! Not here: when servers look, and what they do with what they find (the roles).

pub mod packet;

use crate::tasks;
use async_net::UdpSocket;
use packet::{Data, Message, Question, Record};
use ribbit_state::ClusterId;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use smol::Timer;
use smol::future::FutureExt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

/// Port of multicast DNS.
const PORT: u16 = 5_353;
/// Group of multicast DNS.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// Name of all our services.
const SERVICE: &str = "_ribbit._tcp.local";
/// Name that lists the types of services in a network.
const ALL_SERVICES: &str = "_services._dns-sd._udp.local";
/// Name under which the pages are reached.
pub const SITE: &str = "ribbit.local";
/// Maximum size of a message that is read, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1_500;
/// Lifetime of the records, in seconds.
const TTL_S: u32 = 120;
/// Lifetime of the records for one that asks from a port of its own, in seconds.
const LEGACY_TTL_S: u32 = 10;
/// Maximum number of interfaces that are used.
const INTERFACES_MAX: usize = 8;
/// Maximum number of answers in a second, so that no one is flooded through this server.
const ANSWERS_PER_SECOND: u32 = 20;
/// Interval at which new interfaces are noticed.
const LOOK: Duration = Duration::from_secs(10);
/// Maximum number of servers that are found.
const FOUND_MAX: usize = 64;

/// Description of a server that it announces itself.
#[derive(Debug, Clone)]
pub struct Announced {
    /// `backend`, `coordinator`, `balancer` or `web`.
    pub role: &'static str,
    /// Its name in the cluster, such as `backend-2`.
    pub name: String,
    pub cluster: Option<ClusterId>,
    pub port: u16,
    pub site: SiteAddress,
}

/// Address that a server answers for `ribbit.local`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteAddress {
    /// It has no pages and does not answer.
    None,
    /// Its own address in the network of the question.
    Own,
    /// This one while its machine has it; otherwise it does not answer.
    Floating(Ipv4Addr),
}

impl SiteAddress {
    fn towards(self, own: Ipv4Addr) -> Option<Ipv4Addr> {
        match self {
            SiteAddress::None => None,
            SiteAddress::Own => Some(own),
            // Only an address of this machine can be bound.
            SiteAddress::Floating(floating) => {
                std::net::UdpSocket::bind((floating, 0)).is_ok().then_some(floating)
            }
        }
    }
}

/// A server that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub role: String,
    /// Address, HOST:PORT.
    pub address: String,
    pub cluster: Option<ClusterId>,
}

impl Found {
    /// Returns true for a backend or coordinator.
    pub fn is_member(&self) -> bool {
        matches!(self.role.as_str(), "backend" | "coordinator")
    }

    /// Returns true for a backend or coordinator of this cluster.
    pub fn is_member_of(&self, cluster: ClusterId) -> bool {
        self.cluster == Some(cluster) && self.is_member()
    }
}

impl Announced {
    /// Returns the answer to a query for a machine with this address; `None` if it does not concern this server.
    fn answer(&self, query: &Message, address: Ipv4Addr, ttl_s: u32) -> Option<Message> {
        if query.is_response {
            return None;
        }
        let cluster = self.cluster.map_or_else(String::new, |cluster| cluster.to_string());
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        let name: String =
            self.name.chars().map(|letter| if is_plain(letter) { letter } else { '-' }).collect();
        let label = format!("{name}-{}", cluster.get(..8).unwrap_or("any")).to_lowercase();
        let (instance, host) = (format!("{label}.{SERVICE}"), format!("{label}.local"));
        let text = vec![format!("cluster={cluster}"), format!("role={}", self.role)];
        let record = |name: &str, data| Record { name: name.to_string(), ttl_s, data };
        let own = [
            record(SERVICE, Data::Pointer(instance.clone())),
            record(&instance, Data::Service { port: self.port, host: host.clone() }),
            record(&instance, Data::Text(text)),
            record(&host, Data::Address(address)),
        ];
        let services = record(ALL_SERVICES, Data::Pointer(SERVICE.to_string()));
        let site = self.site.towards(address).map(|site| record(SITE, Data::Address(site)));
        let is_asked =
            |record: &Record| query.questions.iter().any(|question| question.is_answered_by(record));
        let mut records = Vec::new();
        if own.iter().any(is_asked) {
            // All of them, so that one answer says where the server is.
            records.extend(own);
        }
        records.extend(std::iter::once(services).chain(site).filter(is_asked));
        (!records.is_empty()).then(|| Message { id: 0, is_response: true, questions: Vec::new(), records })
    }
}

/// Returns the indexes of all interfaces but the loopback.
fn interfaces() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/sys/class/net") else { return Vec::new() };
    let entries = entries.flatten().filter(|entry| entry.file_name() != "lo");
    let index = |entry: std::fs::DirEntry| {
        std::fs::read_to_string(entry.path().join("ifindex")).ok()?.trim().parse().ok()
    };
    entries.filter_map(index).take(INTERFACES_MAX).collect()
}

/// Creates a socket, on the port of multicast DNS or on one of its own.
fn socket(port: u16) -> io::Result<UdpSocket> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_ip_multicast_ttl(&socket, 255)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))?;
    UdpSocket::try_from(std::net::UdpSocket::from(socket))
}

/// Returns the address of this machine that others of the network see when it sends to `target`; through this interface, if one is
/// given.
fn address_towards(target: SocketAddrV4, interface: Option<u32>) -> io::Result<Ipv4Addr> {
    let probe = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    if let Some(interface) = interface {
        sockopt::set_ip_multicast_if_with_ifindex(&probe, &GROUP, &Ipv4Addr::UNSPECIFIED, interface)?;
    }
    // Connecting sends nothing.
    probe.connect(target)?;
    match probe.local_addr()?.ip() {
        IpAddr::V4(address) if !address.is_unspecified() => Ok(address),
        _ => Err(io::ErrorKind::AddrNotAvailable.into()),
    }
}

/// Sends a message to the group on each interface. `make` gets the address of this machine there.
async fn send_everywhere(socket: &UdpSocket, make: impl Fn(Ipv4Addr) -> Option<Message>) {
    let group = SocketAddrV4::new(GROUP, PORT);
    for interface in interfaces() {
        let Ok(address) = address_towards(group, Some(interface)) else { continue };
        let Some(message) = make(address) else { continue };
        let on = sockopt::set_ip_multicast_if_with_ifindex(socket, &GROUP, &Ipv4Addr::UNSPECIFIED, interface);
        if on.is_ok() {
            // An interface without a cable fails.
            let _ = socket.send_to(&packet::encode(&message), SocketAddr::V4(group)).await;
        }
    }
}

/// Finds the servers of this network, for one second.
///
/// # Errors
/// No socket can be made.
pub async fn find() -> io::Result<Vec<Found>> {
    let socket = socket(0)?;
    let question = Message { id: 0x7262, questions: vec![Question::services(SERVICE)], ..Message::default() };
    let mut found = Vec::new();
    // A question may get lost.
    for pause in [Duration::from_millis(300), Duration::from_millis(700)] {
        send_everywhere(&socket, |_| Some(question.clone())).await;
        let collecting = async {
            let mut bytes = [0; MESSAGE_BYTES_MAX];
            while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
                let (IpAddr::V4(from), Some(answer)) = (from.ip(), packet::parse(&bytes[..length])) else {
                    continue;
                };
                for server in servers_in(&answer, from) {
                    if !found.contains(&server) && found.len() < FOUND_MAX {
                        found.push(server);
                    }
                }
            }
        };
        let over = async {
            Timer::after(pause).await;
        };
        collecting.or(over).await;
    }
    found.sort();
    Ok(found)
}

/// Returns the servers that an answer names.
fn servers_in(answer: &Message, from: Ipv4Addr) -> Vec<Found> {
    let of_instance = |instance: &String| {
        let mut records = answer.records.iter().filter(|record| record.name == *instance);
        let port = records.clone().find_map(|record| match record.data {
            Data::Service { port, .. } if port != 0 => Some(port),
            _ => None,
        })?;
        let texts = records.find_map(|record| match &record.data {
            Data::Text(texts) => Some(texts),
            _ => None,
        })?;
        let value = |key: &str| texts.iter().find_map(|text| text.strip_prefix(key)?.strip_prefix('='));
        let cluster = value("cluster").filter(|text| text.len() == 32).and_then(|text| text.parse().ok());
        Some(Found { role: value("role")?.to_string(), address: format!("{from}:{port}"), cluster })
    };
    let pointers = answer.records.iter().filter_map(|record| match &record.data {
        Data::Pointer(instance) if answer.is_response && record.name == SERVICE => Some(instance),
        _ => None,
    });
    pointers.filter_map(of_instance).collect()
}

/// Answers for a server, for as long as it is polled.
pub async fn announce(announced: Announced) {
    let mut warned = false;
    loop {
        match socket(PORT) {
            Ok(socket) => {
                respond(&socket, &announced).await;
            }
            Err(error) if !warned => {
                log::info!("this server is not announced in its network: {error}");
                warned = true;
            }
            Err(_) => {}
        }
        tasks::aligned_pause(LOOK).await;
    }
}

/// Answers queries until the socket fails.
async fn respond(socket: &UdpSocket, announced: &Announced) {
    let unasked = Message { questions: vec![Question::services(SERVICE)], ..Message::default() };
    let joining = async {
        let mut joined = Vec::new();
        loop {
            let now = interfaces();
            for interface in now.iter().filter(|interface| !joined.contains(*interface)) {
                let any = Ipv4Addr::UNSPECIFIED;
                let _ = sockopt::set_ip_add_membership_with_ifindex(socket, &GROUP, &any, *interface);
            }
            if now != joined {
                send_everywhere(socket, |address| announced.answer(&unasked, address, TTL_S)).await;
            }
            joined = now;
            tasks::aligned_pause(LOOK).await;
        }
    };
    let answering = async {
        let mut bytes = [0; MESSAGE_BYTES_MAX];
        let (mut second, mut answers) = (Instant::now(), 0);
        while let Ok((length, SocketAddr::V4(from))) = socket.recv_from(&mut bytes).await {
            if second.elapsed() >= Duration::from_secs(1) {
                (second, answers) = (Instant::now(), 0);
            }
            if answers < ANSWERS_PER_SECOND
                && let Some(query) = packet::parse(&bytes[..length])
                && answer_to(socket, announced, &query, from).await
            {
                answers += 1;
            }
        }
    };
    answering.or(joining).await;
}

/// Answers a query; returns false if it does not concern this server.
async fn answer_to(socket: &UdpSocket, announced: &Announced, query: &Message, from: SocketAddrV4) -> bool {
    if from.port() == PORT {
        let concerned = announced.answer(query, Ipv4Addr::UNSPECIFIED, TTL_S).is_some();
        if concerned {
            send_everywhere(socket, |address| announced.answer(query, address, TTL_S)).await;
        }
        return concerned;
    }
    // One that asks from a port of its own expects its question back.
    let Ok(address) = address_towards(from, None) else { return false };
    let Some(answer) = announced.answer(query, address, LEGACY_TTL_S) else { return false };
    let answer = Message { id: query.id, questions: query.questions.clone(), ..answer };
    let _ = socket.send_to(&packet::encode(&answer), SocketAddr::V4(from)).await;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced() -> Announced {
        let cluster = Some(ClusterId(7 << 96));
        Announced {
            role: "backend",
            name: "backend-2@3".into(),
            cluster,
            port: 10_002,
            site: SiteAddress::None,
        }
    }

    fn ask(question: Question) -> Message {
        Message { questions: vec![question], ..Message::default() }
    }

    #[test]
    fn an_answer_says_where_the_server_is() {
        let address = Ipv4Addr::new(10, 0, 0, 2);
        let answer = announced().answer(&ask(Question::services(SERVICE)), address, TTL_S).unwrap();
        let read = packet::parse(&packet::encode(&answer)).unwrap();
        let found = servers_in(&read, Ipv4Addr::new(10, 0, 0, 9));
        let wanted =
            Found { role: "backend".into(), address: "10.0.0.9:10002".into(), cluster: announced().cluster };
        assert_eq!(found, [wanted]);
        assert!(read.records.contains(&Record {
            name: "backend-2-3-00000007.local".into(),
            ttl_s: TTL_S,
            data: Data::Address(address)
        }));
        // Answers are no queries, and other names are not ours.
        assert_eq!(announced().answer(&read, address, TTL_S), None);
        assert_eq!(announced().answer(&ask(Question::services("_ipp._tcp.local")), address, TTL_S), None);
        assert!(servers_in(&ask(Question::services(SERVICE)), address).is_empty());
    }

    #[test]
    fn the_name_of_the_pages_is_answered_by_those_that_have_them() {
        let site = Question { name: SITE.into(), kind: 1, unicast: false };
        let address = Ipv4Addr::new(10, 0, 0, 2);
        assert_eq!(announced().answer(&ask(site.clone()), address, TTL_S), None);
        let web = Announced { role: "web", site: SiteAddress::Own, ..announced() };
        let records = web.answer(&ask(site.clone()), address, TTL_S).unwrap().records;
        assert_eq!(records, [Record { name: SITE.into(), ttl_s: TTL_S, data: Data::Address(address) }]);
        let held = Announced { site: SiteAddress::Floating(Ipv4Addr::LOCALHOST), ..web.clone() };
        let records = held.answer(&ask(site.clone()), address, TTL_S).unwrap().records;
        assert_eq!(records[0].data, Data::Address(Ipv4Addr::LOCALHOST));
        let elsewhere = Announced { site: SiteAddress::Floating(Ipv4Addr::new(192, 0, 2, 1)), ..web.clone() };
        assert_eq!(elsewhere.answer(&ask(site), address, TTL_S), None);
        let types = web.answer(&ask(Question::services(ALL_SERVICES)), address, TTL_S).unwrap().records;
        assert_eq!(types[0].data, Data::Pointer(SERVICE.into()));
    }
}
