//! The list of servers that a client of the chat gets when it starts. Pure.
//!
//! When a call fails, the client takes the last entry of its list and never asks for another list. Once the list is used up it ends.
//! So every server is named several times, and the one to be tried first is the last.

use super::messages::ServerAddress;
use crate::gateway::registry::HostPort;

/// Number of times that each other server is named.
const ROUNDS: usize = 8;

/// Returns the list for a client of the server `own`, of all servers in their order.
pub(super) fn backups(own: Option<&HostPort>, all: &[HostPort]) -> Vec<ServerAddress> {
    // Each begins with the next one behind its own, so that the clients of one server spread over the others.
    let position = all.iter().position(|server| Some(server) == own);
    let others = all.iter().cycle().skip(position.map_or(0, |own| own + 1)).take(all.len());
    let round: Vec<&HostPort> = others.filter(|server| Some(*server) != own).collect();
    let tried = round.iter().cycle().take(round.len() * ROUNDS);
    let mut list: Vec<ServerAddress> =
        tried.map(|(host, port)| ServerAddress { host: host.clone(), port: port.to_string() }).collect();
    list.reverse();
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(number: u16) -> HostPort {
        (format!("10.0.0.{number}"), number)
    }

    /// Returns the ports in the order in which a client tries them.
    fn tried(own: Option<u16>, all: &[u16]) -> Vec<String> {
        let all: Vec<HostPort> = all.iter().copied().map(server).collect();
        backups(own.map(server).as_ref(), &all).into_iter().rev().map(|server| server.port).collect()
    }

    #[test]
    fn every_other_server_comes_several_times() {
        let all = [1, 2, 3];
        assert_eq!(tried(Some(1), &all)[..4], ["2", "3", "2", "3"]);
        assert_eq!(tried(Some(2), &all)[..4], ["3", "1", "3", "1"]);
        assert_eq!(tried(Some(3), &all)[..4], ["1", "2", "1", "2"]);
        assert_eq!(tried(Some(1), &all).len(), 2 * ROUNDS);
        assert_eq!(tried(None, &all)[..3], ["1", "2", "3"], "those of --advertise");
    }

    #[test]
    fn a_server_alone_has_no_backups() {
        assert!(tried(Some(1), &[1]).is_empty() && tried(None, &[]).is_empty());
    }
}
