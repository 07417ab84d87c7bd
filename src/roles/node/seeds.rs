//! Seed addresses: where this node looks for members, before and after it has joined.
//!
//! ```text
//!   given   coordinators from the cluster file or the command line
//!   kept    the address book in the data folder
//!   found   by mDNS, while no other address leads to a member
//!   heard   members that dialled this node while it waits to join, and the members that those know
//! ```
//!
//! Members dial the last known address of every other member. So the backends dial a node that comes back with an empty
//! store, although the cluster file lists only coordinators. Entries are hints, and their number is bounded.

use super::NodeState;
use crate::common::address_book::AddressBook;
use crate::node::arguments::NodeOptions;
use ribbit_net::frame::{FrameError, Plane};
use ribbit_net::limits::PEERS_MAX;
use ribbit_net::mdns;
use ribbit_net::oneshot::ask_status;
use ribbit_net::protocol::{MemberInfo, NodeStatus};
use ribbit_net::tasks;
use ribbit_state::MemberName;
use ribbit_state::limits::ADDRESS_BYTES_MAX;
use ribbit_state::sync::MutexExt;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

/// The seed addresses of one node.
pub(crate) struct SeedAddresses {
    given: Vec<String>,
    kept: Vec<String>,
    heard: Mutex<Vec<MemberInfo>>,
    /// Servers with empty stores that answered since [`SeedAddresses::forget_waiting`], with the numbers of their processes.
    waiting: Mutex<BTreeSet<(MemberName, u64)>>,
    book: AddressBook,
}

impl SeedAddresses {
    /// Returns the given addresses and those of the address book.
    pub(crate) fn new(options: &NodeOptions) -> SeedAddresses {
        let book = AddressBook::of_member(&options.data_dir, &options.store_dir(), options.cluster);
        SeedAddresses {
            given: options.coordinators.clone(),
            kept: book.read(),
            heard: Mutex::default(),
            waiting: Mutex::default(),
            book,
        }
    }

    fn held(&self) -> MutexGuard<'_, Vec<MemberInfo>> {
        self.heard.locked()
    }

    /// Returns all addresses except `own`, those of members that were heard first.
    pub(crate) fn addresses(&self, own: &str) -> Vec<String> {
        let mut all: Vec<String> = self.held().iter().map(|info| info.address.clone()).collect();
        all.extend(self.given.iter().chain(&self.kept).cloned());
        let mut seen = BTreeSet::new();
        all.retain(|address| !address.is_empty() && address != own && seen.insert(address.clone()));
        all
    }

    /// Records a member that dialled this node or that another node reported.
    pub(crate) fn record(&self, info: &MemberInfo) {
        if info.raft_id == 0
            || info.address.len().max(info.machine.len()).max(info.host.len()) > ADDRESS_BYTES_MAX
        {
            return;
        }
        let mut heard = self.held();
        heard.retain(|known| known.raft_id != info.raft_id);
        if heard.len() < PEERS_MAX {
            heard.push(info.clone());
        }
    }

    /// Returns the members heard of while this node waited to join.
    pub(crate) fn heard_members(&self) -> Vec<MemberInfo> {
        self.held().clone()
    }

    /// Begins a new count of the servers that wait.
    pub(crate) fn forget_waiting(&self) {
        self.waiting.locked().clear();
    }

    fn record_waiting(&self, info: &MemberInfo) {
        let mut waiting = self.waiting.locked();
        if waiting.len() < PEERS_MAX {
            waiting.insert((info.member_name(), info.incarnation));
        }
    }

    /// Returns the number of servers that wait, the one of this name included; `None` if another process has this name, too.
    pub(crate) fn waiting(&self, own: MemberName, incarnation: u64) -> Option<usize> {
        let waiting = self.waiting.locked();
        let is_twin = waiting.iter().any(|(name, process)| *name == own && *process != incarnation);
        let names: BTreeSet<MemberName> = waiting.iter().map(|(name, _)| *name).chain([own]).collect();
        (!is_twin).then_some(names.len())
    }

    /// Writes these addresses to the address book.
    pub(crate) async fn keep(&self, addresses: Vec<String>) {
        let book = self.book.clone();
        smol::unblock(move || book.write(addresses)).await;
    }
}

/// Queries the members and waiting nodes of this cluster that are found in the network, as [`ask_around`] does.
pub(crate) async fn look_around(node: &Arc<NodeState>) {
    let found = find(node).await;
    ask(node, found).await;
}

/// Returns the addresses of the members and waiting nodes of this cluster in the network. The routes to them tell this node's own
/// address.
pub(crate) async fn find(node: &NodeState) -> Vec<String> {
    if !node.options.discovery {
        return Vec::new();
    }
    let found = mdns::find().await.unwrap_or_default();
    let found = found.into_iter().filter(|it| it.is_member_of(node.options.cluster));
    let found: Vec<String> = found.map(|it| it.address).collect();
    let routes: Vec<SocketAddr> = found.iter().filter_map(|address| address.parse().ok()).collect();
    node.advertised.look(&routes);
    found
}

/// Queries all seed addresses for the members they know. So a node that waits to join learns of members through other
/// nodes that wait.
pub(crate) async fn ask_around(node: &Arc<NodeState>) {
    ask(node, node.seed_addresses()).await;
}

async fn ask(node: &Arc<NodeState>, addresses: impl IntoIterator<Item = String>) {
    query_all(node, addresses, |node, address, answer| {
        let Ok(status) = answer.map_err(|error| not_answered(address, &error)) else { return };
        if status.cluster == node.options.cluster {
            if status.store.is_empty {
                node.seeds.record_waiting(&status.me);
            }
            std::iter::once(&status.me).chain(&status.others).for_each(|info| node.seeds.record(info));
        }
    })
    .await;
}

/// Queries the nodes at these addresses for their status, all at once, and hands over each answer as it arrives.
pub(crate) async fn query_all(
    node: &Arc<NodeState>,
    addresses: impl IntoIterator<Item = String>,
    answered: fn(&NodeState, &str, Result<NodeStatus, FrameError>),
) {
    let queries = addresses.into_iter().map(|address| {
        let node = node.clone();
        tasks::spawn(async move {
            let answer = ask_status(&address, Plane::Control, &node.options.keys).await;
            answered(&node, &address, answer);
        })
    });
    for query in queries.collect::<Vec<_>>() {
        query.await;
    }
}

/// Logs a failed query. A peer of another cluster is worth a warning: one of the two machines has the wrong cluster file.
pub(crate) fn not_answered(address: &str, error: &FrameError) {
    match error.is_stranger() {
        true => log::warn!("{address}: {error}"),
        false => log::debug!("{address}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::service::tests::backend;

    #[test]
    fn members_that_were_heard_come_first_and_reports_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let service = backend(folder.path(), &[1]);
        let seeds = SeedAddresses {
            given: vec!["a:1".into(), "b:2".into()],
            ..SeedAddresses::new(&service.node.options)
        };
        let info =
            |raft_id, address: &str| MemberInfo { raft_id, address: address.into(), ..MemberInfo::default() };
        seeds.record(&info(3, "c:3"));
        seeds.record(&info(0, "no-id:1"));
        seeds.record(&info(4, &"x".repeat(ADDRESS_BYTES_MAX + 1)));
        seeds.record(&info(2, "b:2"));
        assert_eq!(seeds.addresses("a:1"), ["c:3", "b:2"]);
        (10..10_000).for_each(|raft_id| seeds.record(&info(raft_id, "d:4")));
        assert_eq!(seeds.heard_members().len(), PEERS_MAX);
    }
}
