//! Choice of the ports of `up`'s processes, and of the member that creates the cluster.
//!
//! Ports are chosen at random below the range that the system uses for outgoing connections. They are saved in the ports
//! file, reused while they are free, and replaced if another program took them. Another program may take a port between the
//! choice and the child's bind; the child then exits at its start, and [`renew`] chooses again. The address of the pages has
//! been shown to users and never changes, so it above all must not be in the system's range.

use crate::common::address;
use crate::common::failure::{Exit, Failure};
use crate::common::ports::Ports;
use ribbit_state::{MemberName, Role};
use std::io;
use std::net::TcpListener;
use std::ops::Range;
use std::path::Path;

/// Host of all addresses that are chosen here.
const LOOPBACK: &str = "127.0.0.1";
/// Ports to choose from. Linux uses ports from 32768 on for outgoing connections.
const PORTS: Range<u16> = 20_000..32_000;
/// Number of random ports to try before the system is asked for any port.
const TRIES_MAX: usize = 64;

/// Binds a free port, in the range if possible.
fn free(host: &str, ports: Range<u16>) -> io::Result<TcpListener> {
    let any = || ports.start + (getrandom::u32().unwrap_or(0) % u32::from(ports.end - ports.start)) as u16;
    let bind = |port: u16| TcpListener::bind(format!("{host}:{port}"));
    let found = (0..TRIES_MAX).find_map(|_| bind(any()).ok());
    found.map_or_else(|| bind(0), Ok)
}

/// Returns the members of a cluster of this size.
pub(crate) fn members(backends: u32, coordinators: u32) -> Vec<(Role, u32)> {
    let coordinators = (1..=coordinators).map(|id| (Role::Coordinator, id));
    (1..=backends).map(|id| (Role::Backend, id)).chain(coordinators).collect()
}

/// Returns the address of the web pages; port 0 is replaced by a free port.
///
/// # Errors
/// 1: another program uses the address, or this machine does not have it.
pub(crate) fn web(wanted: &str) -> Result<String, Failure> {
    front(wanted, "the pages", "--web")
}

/// Returns the address for IRC clients, as [`web`] does that of the pages.
///
/// # Errors
/// As [`web`].
pub(crate) fn irc(wanted: &str) -> Result<String, Failure> {
    front(wanted, "IRC clients", "--irc")
}

fn front(wanted: &str, served: &str, flag: &str) -> Result<String, Failure> {
    let (host, port) = address::split(wanted).map_err(|what| Failure::new(Exit::Usage, what))?;
    let bound = if port == 0 { free(host, PORTS) } else { TcpListener::bind(wanted) };
    match bound.and_then(|listener| listener.local_addr()) {
        Ok(local) => Ok(format!("{host}:{}", local.port())),
        Err(error) => {
            let another = format!("choose another address with {flag} HOST:PORT (port 0 picks a free port)");
            let message = match error.kind() {
                io::ErrorKind::AddrInUse => format!("{wanted} is used by another program: {another}"),
                _ => format!("cannot listen on {wanted} for {served}: {error}; {another}"),
            };
            Err(Failure::new(Exit::Refused, message))
        }
    }
}

/// Chooses addresses for all processes, those of the last run if they are free.
///
/// # Errors
/// An I/O error if no port is free.
pub(crate) fn choose(before: &Ports, members: &[(Role, u32)], web: String) -> io::Result<Ports> {
    choose_among(PORTS, before, members, web)
}

fn choose_among(
    ports: Range<u16>,
    before: &Ports,
    members: &[(Role, u32)],
    web: String,
) -> io::Result<Ports> {
    // Listeners stay bound until all are chosen, so that no port is chosen twice. The address of the pages is among them:
    // the web role starts last and would find its port taken by a member.
    let mut held: Vec<TcpListener> = TcpListener::bind(web.as_str()).into_iter().collect();
    let mut take = |before: Option<&String>| {
        let again = before.and_then(|address| TcpListener::bind(address.as_str()).ok());
        let listener = again.map_or_else(|| free(LOOPBACK, ports.clone()), Ok)?;
        let address = listener.local_addr()?.to_string();
        held.push(listener);
        Ok::<String, io::Error>(address)
    };
    let mut chosen = Ports {
        web: Some(web),
        balancer: Some(take(before.balancer.as_ref())?),
        founder: before.founder.clone(),
        founded: before.founded,
        ..Ports::default()
    };
    for member in members {
        chosen.members.insert(*member, take(before.members.get(member))?);
    }
    Ok(chosen)
}

/// Replaces the port of an address if another program took it. Returns whether it did.
///
/// # Errors
/// An I/O error if no port is free.
pub(crate) fn renew(address: &mut String) -> io::Result<bool> {
    if !is_taken(address) {
        return Ok(false);
    }
    *address = free(LOOPBACK, PORTS)?.local_addr()?.to_string();
    Ok(true)
}

/// Returns whether the address is in use.
pub(crate) fn is_taken(address: &str) -> bool {
    TcpListener::bind(address).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// Decides which member creates the cluster if its store is empty.
///
/// Without any store, this is the first coordinator, or the first backend if there are no coordinators. It stays the same
/// until the cluster was up once; from then on it is no member. So a member with an emptied store joins the others and never
/// creates a second cluster.
pub(crate) fn settle_founder(ports: &mut Ports, data_dir: &Path) {
    let has_store = |name: &str| data_dir.join(name).is_dir();
    let first = match ports.members.contains_key(&(Role::Coordinator, 1)) {
        true => MemberName::at_home(Role::Coordinator, 1).to_string(),
        false => MemberName::at_home(Role::Backend, 1).to_string(),
    };
    if !any_store(data_dir) {
        (ports.founded, ports.founder) = (false, Some(first));
    } else if ports.founded {
        ports.founder = None;
    } else if ports.founder.is_none() && has_store(&first) {
        // The ports file was lost. Only the first member may have a store from before the cluster was created.
        ports.founder = Some(first);
    }
}

/// Returns whether a member has a store in this folder.
pub(crate) fn any_store(data_dir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(data_dir) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_member = |role: Role| {
            let id = name.strip_prefix(role.name()).and_then(|rest| rest.strip_prefix('-'));
            id.is_some_and(|id| id.parse::<u32>().is_ok())
        };
        is_member(Role::Backend) || is_member(Role::Coordinator)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ports_are_kept_while_free_and_replaced_when_taken() {
        let members = members(2, 1);
        let first = choose(&Ports::default(), &members, "w:1".into()).unwrap();
        let all: BTreeSet<String> = first.everyone().into_iter().chain(first.balancer.clone()).collect();
        assert_eq!(all.len(), 4);
        let taken = &first.members[&(Role::Backend, 2)];
        let _holder = TcpListener::bind(taken.as_str()).unwrap();
        let second = choose(&first, &members, "w:1".into()).unwrap();
        assert_ne!(second.members[&(Role::Backend, 2)], *taken);
        assert_eq!(second.balancer, first.balancer);
        let mut address = taken.clone();
        assert!(renew(&mut address).unwrap() && address != *taken);
        assert!(!renew(&mut address).unwrap());
    }

    /// With hardly more ports than needed, all are chosen except that of the pages.
    #[test]
    fn no_process_gets_the_port_of_the_pages() {
        for _ in 0..20 {
            let web = web("127.0.0.1:0").unwrap();
            let port: u16 = web.rsplit(':').next().unwrap().parse().unwrap();
            let chosen =
                choose_among(port..port + 4, &Ports::default(), &members(2, 0), web.clone()).unwrap();
            assert!(
                !chosen.everyone().contains(&web) && chosen.balancer.as_ref() != Some(&web),
                "{chosen:?}"
            );
        }
    }

    #[test]
    fn a_taken_web_port_is_named_with_the_flag() {
        let free = web("127.0.0.1:0").unwrap();
        assert!(!free.ends_with(":0"));
        let _holder = TcpListener::bind(&free).unwrap();
        let failure = web(&free).unwrap_err();
        assert!(failure.exit == Exit::Refused && failure.message.contains(&free), "{failure}");
        assert!(failure.message.contains("--web"));
    }

    #[test]
    fn exactly_one_member_creates_the_cluster_and_never_twice() {
        let folder = tempfile::tempdir().unwrap();
        let make = |backends, coordinators, before: &Ports| {
            let mut ports = choose(before, &members(backends, coordinators), "w:1".into()).unwrap();
            settle_founder(&mut ports, folder.path());
            ports
        };
        let first = make(3, 0, &Ports::default());
        assert_eq!(first.founder.as_deref(), Some("backend-1"));
        std::fs::create_dir(folder.path().join("backend-1")).unwrap();
        let again = make(3, 2, &first);
        assert_eq!(again.founder.as_deref(), Some("backend-1"), "not the coordinator that came later");
        let lost = make(3, 2, &Ports::default());
        assert_eq!(lost.founder, None, "another member may have created the cluster");
        let up = make(3, 2, &Ports { founded: true, ..again });
        assert_eq!((up.founder, up.founded), (None, true));
        std::fs::remove_dir(folder.path().join("backend-1")).unwrap();
        let emptied = make(3, 2, &Ports { founded: true, ..Ports::default() });
        assert_eq!((emptied.founder.as_deref(), emptied.founded), (Some("coordinator-1"), false));
    }
}
