//! Which ports the processes of `up` get, and who of them founds the group.
//!
//! Ports are drawn by chance where this system draws none by itself, kept in the ports file, used again while they are
//! free, and chosen anew when somebody else took them. Between choosing and the child's own bind anybody may take one:
//! then the child dies at its start, and [`renew`] chooses again. The pages' address is said to people, so that one is not
//! chosen again: all the more it must not be one that the next connection of anybody takes.

use crate::common::address;
use crate::common::failure::{Exit, Failure};
use crate::common::ports::Ports;
use ribbit_state::{MemberName, Role};
use std::io;
use std::net::TcpListener;
use std::ops::Range;
use std::path::Path;

const LOOPBACK: &str = "127.0.0.1";
/// Linux takes ports for outgoing connections from 32768 on.
const PORTS: Range<u16> = 20_000..32_000;
/// So many of them may be taken before the system is asked for any.
const TRIES_MAX: usize = 64;

/// A port that nobody has, of these if there is one.
fn free(host: &str, ports: Range<u16>) -> io::Result<TcpListener> {
    let any = || ports.start + (getrandom::u32().unwrap_or(0) % u32::from(ports.end - ports.start)) as u16;
    let bind = |port: u16| TcpListener::bind(format!("{host}:{port}"));
    let found = (0..TRIES_MAX).find_map(|_| bind(any()).ok());
    found.map_or_else(|| bind(0), Ok)
}

/// The members of a group of this size.
pub fn members(backends: u32, coordinators: u32) -> Vec<(Role, u32)> {
    let coordinators = (1..=coordinators).map(|id| (Role::Coordinator, id));
    (1..=backends).map(|id| (Role::Backend, id)).chain(coordinators).collect()
}

/// The web address, its port fixed when any will do.
///
/// # Errors
/// 1: somebody else has it, or this machine does not.
pub fn web(wanted: &str) -> Result<String, Failure> {
    let (host, port) = address::split(wanted).map_err(|what| Failure::new(Exit::Usage, what))?;
    let bound = if port == 0 { free(host, PORTS) } else { TcpListener::bind(wanted) };
    match bound.and_then(|listener| listener.local_addr()) {
        Ok(local) => Ok(format!("{host}:{}", local.port())),
        Err(error) => Err(Failure::new(Exit::Refused, web_refused(wanted, &error))),
    }
}

/// In words, why the pages cannot be had at `wanted`.
fn web_refused(wanted: &str, error: &io::Error) -> String {
    let another = "choose another address with --web HOST:PORT (port 0 takes a free one)";
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("{wanted} is taken by another program: {another}"),
        _ => format!("cannot listen on {wanted} for the pages: {error}; {another}"),
    }
}

/// Addresses for everybody: those of last time where they are free.
///
/// # Errors
/// No port can be had.
pub fn choose(before: &Ports, members: &[(Role, u32)], web: String) -> io::Result<Ports> {
    choose_among(PORTS, before, members, web)
}

fn choose_among(
    ports: Range<u16>,
    before: &Ports,
    members: &[(Role, u32)],
    web: String,
) -> io::Result<Ports> {
    // Held until all are chosen, so that no two are the same. The pages' own is among them: given to a member, it would be
    // taken when they begin.
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

/// Chooses another port in place of one that somebody else took meanwhile. Tells whether it did.
///
/// # Errors
/// No port can be had.
pub fn renew(address: &mut String) -> io::Result<bool> {
    if !is_taken(address) {
        return Ok(false);
    }
    *address = free(LOOPBACK, PORTS)?.local_addr()?.to_string();
    Ok(true)
}

pub fn is_taken(address: &str) -> bool {
    TcpListener::bind(address).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// Decides who founds the group if its store is empty.
///
/// No store yet: the first coordinator, or without coordinators the first backend. Later the same one until the
/// group was up once, then nobody: an emptied store joins the others, it never founds a second group.
pub fn settle_founder(ports: &mut Ports, data_dir: &Path) {
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
        // The ports file was lost. A store of the first one may be from before the founding; others are not.
        ports.founder = Some(first);
    }
}

/// Whether some member of this folder has a store.
pub fn any_store(data_dir: &Path) -> bool {
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
    fn ports_are_kept_while_free_and_chosen_anew_when_taken() {
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

    /// Where there are hardly more ports than are needed, all but the pages' are drawn.
    #[test]
    fn nobody_gets_the_port_of_the_pages() {
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
    fn exactly_one_founds_and_never_twice() {
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
        assert_eq!(lost.founder, None, "somebody else may have founded");
        let up = make(3, 2, &Ports { founded: true, ..again });
        assert_eq!((up.founder, up.founded), (None, true));
        std::fs::remove_dir(folder.path().join("backend-1")).unwrap();
        let emptied = make(3, 2, &Ports { founded: true, ..Ports::default() });
        assert_eq!((emptied.founder.as_deref(), emptied.founded), (Some("coordinator-1"), false));
    }
}
