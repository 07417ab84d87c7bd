//! Member list: the other members of the cluster and their last known state.
//!
//! Entries come from three sources, the most trusted first: a member's own heartbeats and hellos, the replicated state, and
//! reports of third parties. Reports may be false, so their number is bounded. Members of the replicated state always find
//! room.
//!
//! This module opens no connection. The links are in [`super::links`].

use super::NodeState;
use super::process_ends::ProcessEnds;
use event_listener::Event;
use ribbit_db::Identity;
use ribbit_net::limits::PEERS_MAX;
use ribbit_net::peer::{self, PeerFrame, PeerTalk};
use ribbit_net::protocol::MemberInfo;
use ribbit_state::cluster::members;
use ribbit_state::limits::ADDRESS_BYTES_MAX;
use ribbit_state::rows::{Member, books};
use ribbit_state::sync::MutexExt;
use ribbit_state::{MemberName, RaftId, Role};
use smol::channel::Sender;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Time since a member's last heartbeat or hello within which it counts as alive.
const ALIVE_FOR: Duration = Duration::from_millis(2_500);

/// The other members and the queues of their links.
pub(crate) struct MemberList {
    me: Identity,
    /// Notified when a member is added to the list.
    pub(super) news: Event,
    /// Notified when a member's address changes.
    pub(super) moved: Event,
    table: Mutex<BTreeMap<RaftId, ListedMember>>,
    ends: Mutex<ProcessEnds>,
}

/// One other member.
#[derive(Default)]
pub(super) struct ListedMember {
    info: Option<MemberInfo>,
    /// Time of its last heartbeat or hello.
    heard: Option<Instant>,
    /// Queue of the outgoing link.
    pub(super) queue: Option<Sender<Vec<u8>>>,
    /// The outgoing link is established.
    pub(super) linked: bool,
    /// Its disk was full in its last store report.
    pub(super) full: bool,
    /// Number of incoming links so far. Only the newest one may feed the replica.
    incoming: u64,
}

impl MemberList {
    /// Returns an empty member list of the member with this identity.
    pub(crate) fn new(identity: &Identity) -> Arc<MemberList> {
        Arc::new(MemberList {
            me: identity.clone(),
            news: Event::new(),
            moved: Event::new(),
            table: Mutex::default(),
            ends: Mutex::default(),
        })
    }

    pub(super) fn table(&self) -> MutexGuard<'_, BTreeMap<RaftId, ListedMember>> {
        self.table.locked()
    }

    /// Returns what the links have noticed of the ends of other processes.
    pub(super) fn ends(&self) -> MutexGuard<'_, ProcessEnds> {
        self.ends.locked()
    }

    /// Returns the last known state of all other members.
    pub(crate) fn known(&self) -> Vec<MemberInfo> {
        self.table().values().filter_map(|peer| peer.info.clone()).collect()
    }

    /// Returns true if this entry is about another member: neither this one, nor its predecessor before a store loss.
    fn is_another(&self, info: &MemberInfo) -> bool {
        let me = &self.me;
        info.raft_id != 0 && info.raft_id != me.raft_id && info.member_name() != me.member_name()
    }

    /// Records a member's own statement, which replaces the previous entry. Returns false if there is no room for it.
    pub(super) fn record_own(&self, info: &MemberInfo) -> bool {
        let mut table = self.table();
        let has_room = self.has_room(&table, info);
        if has_room {
            let peer = table.entry(info.raft_id).or_default();
            if peer.info.is_none() {
                self.news.notify(usize::MAX);
            }
            if peer.info.as_ref().is_some_and(|known| known.address != info.address) {
                self.moved.notify(usize::MAX);
            }
            peer.info = Some(info.clone());
            peer.heard = Some(Instant::now());
        }
        has_room
    }

    /// Returns true if an entry from an untrusted source may be recorded: their number and size are bounded.
    fn has_room(&self, table: &BTreeMap<RaftId, ListedMember>, info: &MemberInfo) -> bool {
        self.is_another(info)
            && info.address.len().max(info.machine.len()).max(info.host.len()) <= ADDRESS_BYTES_MAX
            && (table.len() < PEERS_MAX || table.contains_key(&info.raft_id))
    }

    /// Returns true if a member of this name has sent a heartbeat or hello within `ALIVE_FOR`.
    pub(crate) fn is_alive(&self, name: MemberName) -> bool {
        self.table().values().any(|peer| {
            peer.info.as_ref().is_some_and(|info| info.member_name() == name)
                && peer.heard.is_some_and(|at| at.elapsed() < ALIVE_FOR)
        })
    }

    /// Records a third party's report, which only fills gaps. Ignored if there is no room.
    pub(super) fn record_report(&self, info: &MemberInfo) {
        if self.has_room(&self.table(), info) {
            self.record_member(info);
        }
    }

    /// Records a member of the replicated state, which only fills gaps. Always finds room.
    pub(super) fn record_member(&self, info: &MemberInfo) {
        if !self.is_another(info) {
            return;
        }
        let mut table = self.table();
        let peer = table.entry(info.raft_id).or_default();
        let linked = peer.linked;
        match &mut peer.info {
            None => {
                self.news.notify(usize::MAX);
                peer.info = Some(info.clone());
            }
            Some(known) => {
                if known.pid == 0 || (!linked && info.applied > known.applied) {
                    known.pid = if info.pid == 0 { known.pid } else { info.pid };
                    known.applied = known.applied.max(info.applied);
                    known.address = info.address.clone();
                }
            }
        }
    }

    /// Queues a message on the link to this member. The message is lost when the queue is full or there is no link.
    pub(super) fn send(&self, to: RaftId, talk: &PeerTalk) {
        let queue = self.table().get(&to).and_then(|peer| peer.queue.clone());
        if let Some(queue) = queue {
            let _ = queue.try_send(peer::encode(&PeerFrame::Talk(talk.clone())));
        }
    }

    /// Returns the other members that are coordinators.
    pub(super) fn coordinators(&self) -> Vec<RaftId> {
        let table = self.table();
        let is_one =
            |peer: &ListedMember| peer.info.as_ref().is_some_and(|info| info.role == Role::Coordinator);
        table.iter().filter(|(_, peer)| is_one(peer)).map(|(id, _)| *id).collect()
    }

    /// Registers an incoming link and returns its number.
    pub(super) fn begin_incoming(&self, from: RaftId) -> u64 {
        let mut table = self.table();
        let peer = table.entry(from).or_default();
        peer.incoming += 1;
        peer.incoming
    }

    /// Returns true if this is the newest incoming link of the member.
    pub(super) fn is_current(&self, from: RaftId, incoming: u64) -> bool {
        self.table().get(&from).is_some_and(|peer| peer.incoming == incoming)
    }

    pub(super) fn address(&self, id: RaftId) -> Option<String> {
        self.table().get(&id)?.info.as_ref().map(|info| info.address.clone())
    }

    pub(super) fn role(&self, id: RaftId) -> Option<Role> {
        self.table().get(&id)?.info.as_ref().map(|info| info.role)
    }

    /// Returns the last known state of a member.
    pub(super) fn info(&self, id: RaftId) -> Option<MemberInfo> {
        self.table().get(&id)?.info.clone()
    }

    /// Returns true if this member's disk was full in its last store report.
    pub(super) fn is_full(&self, id: RaftId) -> bool {
        self.table().get(&id).is_some_and(|peer| peer.full)
    }

    pub(super) fn set_linked(&self, id: RaftId, linked: bool) {
        self.table().entry(id).or_default().linked = linked;
    }
}

/// The members of the replicated state, as of this node's applied index.
pub(super) struct ReplicatedMembers {
    next_raft_id: RaftId,
    pub(super) members: Vec<(RaftId, Member)>,
}

impl ReplicatedMembers {
    pub(super) fn read(node: &NodeState) -> Option<ReplicatedMembers> {
        let view = node.membership.get()?.replica.reader().view().ok()?;
        let next_raft_id = books(&view).ok()?.next_raft_id;
        Some(ReplicatedMembers { next_raft_id, members: members::all(&view).ok()? })
    }

    /// Returns true if the cluster assigned this Raft id once and has since removed its member. False for ids that this
    /// node's state does not contain yet: one of them may be the leader's.
    pub(super) fn has_removed(&self, id: RaftId) -> bool {
        id < self.next_raft_id && !self.members.iter().any(|(other, _)| *other == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ribbit_state::{ClusterId, HistoryId, Role};

    fn info(raft_id: RaftId, address: &str) -> MemberInfo {
        MemberInfo {
            raft_id,
            role: Role::Backend,
            id: raft_id as u32,
            address: address.into(),
            machine: String::new(),
            pid: 1,
            applied: 0,
            clients: 0,
            rules_level: 1,
            ..MemberInfo::default()
        }
    }

    #[test]
    fn reports_are_bounded_and_members_always_find_room() {
        let identity = Identity {
            cluster: ClusterId(1),
            history: HistoryId(2),
            raft_id: 1,
            role: Role::Backend,
            region: 1,
            id: 1,
        };
        let list = MemberList::new(&identity);
        assert!(!list.record_own(&info(1, "a:1")) && !list.record_own(&info(0, "a:1")));
        assert!(!list.record_own(&info(2, &"a".repeat(ADDRESS_BYTES_MAX + 1))));
        for raft_id in 2..10_000 {
            list.record_own(&info(raft_id, "a:1"));
            list.record_report(&info(raft_id + 20_000, "a:1"));
        }
        assert_eq!(list.known().len(), PEERS_MAX);
        list.record_member(&info(15_000, "a:1"));
        assert_eq!(list.address(15_000).as_deref(), Some("a:1"));
    }
}
