//! Addresses at which this node looks for members, before it belongs and after.
//!
//! ```text
//!   given   the coordinators of the cluster file, or what was typed
//!   kept    what the address book of its data folder holds
//!   heard   members that dialled this node while it waits to join, and those that they know
//! ```
//!
//! Members dial the last address of every other member, so a node that comes back with an empty store is dialled by the
//! backends, although the cluster file lists coordinators alone. Entries are hints; their number is bounded.

use super::Node;
use crate::net::client::ask_status;
use crate::net::frame::Plane;
use crate::net::limits::PEERS_MAX;
use crate::net::protocol::MemberInfo;
use crate::net::tasks;
use crate::roles::address_book::AddressBook;
use crate::roles::options::NodeOptions;
use crate::state::limits::ADDRESS_BYTES_MAX;
use std::sync::{Arc, Mutex, MutexGuard};

pub struct Seeds {
    given: Vec<String>,
    kept: Vec<String>,
    heard: Mutex<Vec<MemberInfo>>,
    book: AddressBook,
}

impl Seeds {
    pub fn new(options: &NodeOptions) -> Seeds {
        let book = AddressBook::of_member(&options.data_dir, &options.store_dir(), options.cluster);
        Seeds { given: options.coordinators.clone(), kept: book.read(), heard: Mutex::default(), book }
    }

    fn held(&self) -> MutexGuard<'_, Vec<MemberInfo>> {
        self.heard.lock().expect("nothing panics while it holds this lock")
    }

    /// Returns all addresses, those of members that are surely there first.
    pub fn addresses(&self, own: &str) -> Vec<String> {
        let mut all: Vec<String> = self.held().iter().map(|info| info.address.clone()).collect();
        all.extend(self.given.iter().chain(&self.kept).cloned());
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|address| !address.is_empty() && address != own && seen.insert(address.clone()));
        all
    }

    /// Takes a member in that said where it is, or that another one knows.
    pub fn hear(&self, info: &MemberInfo) {
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

    /// Returns the members that were heard of before this node belonged.
    pub fn heard(&self) -> Vec<MemberInfo> {
        self.held().clone()
    }

    /// Keeps these addresses on disk.
    pub async fn keep(&self, addresses: Vec<String>) {
        let book = self.book.clone();
        smol::unblock(move || book.write(addresses)).await;
    }
}

/// Asks all addresses whom they know, so that a node that waits to join learns of members through others that wait.
pub async fn ask_around(node: &Arc<Node>) {
    let asking = node.seed_addresses().into_iter().map(|address| {
        let node = node.clone();
        tasks::spawn(async move {
            let answer = ask_status(&address, Plane::Control, &node.options.keys).await;
            let Ok(status) = answer.map_err(|error| super::join::not_answered(&address, &error)) else {
                return;
            };
            if status.cluster == node.options.cluster {
                std::iter::once(&status.me).chain(&status.others).for_each(|info| node.seeds.hear(info));
            }
        })
    });
    for asked in asking.collect::<Vec<_>>() {
        asked.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::node::service::tests::backend;

    #[test]
    fn who_was_heard_comes_first_and_hearsay_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let service = backend(folder.path(), &[1]);
        let seeds = Seeds { given: vec!["a:1".into(), "b:2".into()], ..Seeds::new(&service.node.options) };
        let info =
            |raft_id, address: &str| MemberInfo { raft_id, address: address.into(), ..MemberInfo::default() };
        seeds.hear(&info(3, "c:3"));
        seeds.hear(&info(0, "nobody:1"));
        seeds.hear(&info(4, &"x".repeat(ADDRESS_BYTES_MAX + 1)));
        seeds.hear(&info(2, "b:2"));
        assert_eq!(seeds.addresses("a:1"), ["c:3", "b:2"]);
        (10..10_000).for_each(|raft_id| seeds.hear(&info(raft_id, "d:4")));
        assert_eq!(seeds.heard().len(), PEERS_MAX);
    }
}
