//! The coordinator of Tiny SNS: ids of clients, and the server of each.
//!
//! An id belongs to the coordinator that gave it, as in the older system: it chooses a server and nothing else. A client keeps its
//! server for as long as that one is there.

use super::messages::ServerInfo;
use super::target::{Target, target};
use ribbit_state::sync::MutexExt;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, Ordering};

/// Maximum number of clients whose servers are remembered. Beyond it the one with the lowest id is forgotten.
const CLIENTS_MAX: usize = 10_000;

/// State of a coordinator.
#[derive(Debug, Default)]
pub(super) struct Coordinator {
    next_id: AtomicI32,
    /// Server of each client, by id.
    assigned: Mutex<BTreeMap<i32, String>>,
}

impl Coordinator {
    pub(super) fn next_id(&self) -> i32 {
        self.next_id.fetch_add(1, Ordering::Relaxed) & i32::MAX
    }

    /// Assigns one of the servers, HOST:PORT, to a client: the same as before if it is there. The others follow in the
    /// target, so that a call goes to the next one when the first has died.
    pub(super) fn assign(&self, client: i32, mut alive: Vec<String>) -> Option<ServerInfo> {
        alive.sort();
        alive.dedup();
        let count = i32::try_from(alive.len()).ok().filter(|count| *count > 0)?;
        let mut assigned = self.assigned.locked();
        let before =
            assigned.get(&client).and_then(|before| alive.iter().position(|server| server == before));
        let home = usize::try_from(client.rem_euclid(count)).unwrap_or(0);
        let position = before.unwrap_or(home);
        let changed = before.is_none();
        if changed {
            assigned.insert(client, alive[position].clone());
            if assigned.len() > CLIENTS_MAX {
                assigned.pop_first();
            }
        }
        alive.rotate_left(position);
        let Target { host, port } = target(&alive)?;
        let clusterid = i32::try_from(position).unwrap_or(0) + 1;
        Some(ServerInfo {
            serverid: 1,
            clusterid,
            hostname: host,
            port,
            r#type: "master".to_string(),
            registered: true,
            changed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_keeps_its_server_while_that_is_there() {
        let coordinator = Coordinator::default();
        let three = ["10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"];
        let ask = |client: i32, alive: &[&str]| {
            let alive = alive.iter().map(ToString::to_string).collect();
            coordinator.assign(client, alive).map(|info| (info.clusterid, info.hostname, info.changed))
        };
        let of = |id, hosts: &str, changed| Some((id, hosts.to_string(), changed));
        assert_eq!(ask(0, &three), of(1, "ipv4:10.0.0.1:1,10.0.0.2:1,10.0.0.3", true));
        assert_eq!(ask(1, &three), of(2, "ipv4:10.0.0.2:1,10.0.0.3:1,10.0.0.1", true));
        assert_eq!(ask(1, &three), of(2, "ipv4:10.0.0.2:1,10.0.0.3:1,10.0.0.1", false));
        assert_eq!(ask(1, &[three[0], three[2]]), of(2, "ipv4:10.0.0.3:1,10.0.0.1", true));
        assert_eq!(ask(1, &three), of(3, "ipv4:10.0.0.3:1,10.0.0.1:1,10.0.0.2", false), "it stays");
        assert_eq!(ask(4, &["10.0.0.9:1"]), of(1, "10.0.0.9", true));
        assert_eq!(ask(4, &[]), None);
        assert!(ask(-1, &three).is_some());
    }

    #[test]
    fn ids_begin_with_zero() {
        let coordinator = Coordinator::default();
        assert_eq!([coordinator.next_id(), coordinator.next_id(), coordinator.next_id()], [0, 1, 2]);
    }
}
