//! Detects that the process of another member has ended, without waiting for a timeout.
//!
//! ```text
//!   own link to it ended by its side ─┐
//!   a new connection is refused ──────┼─▶ Replica::process_ended ─▶ pre-vote, if it was the leader
//!   no incoming link of it is open ───┘         ▲
//!   a hello of another incarnation ─────────────┘
//! ```
//!
//! A process that is stopped, or behind a cable that was pulled, closes nothing and refuses nothing, so the usual timeouts
//! apply. A link that was reset is not enough, and neither is a refused connection alone: an open link of the peer proves
//! that it runs. All three come together only when the process is gone, or when a firewall resets and refuses everything
//! between the two; then the other members still hear the leader and grant no pre-votes.

use super::{Membership, NodeState};
use ribbit_net::protocol::MemberInfo;
use ribbit_state::RaftId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Signs of the end of each other member's process, from the links to and from it.
#[derive(Debug, Default)]
pub(crate) struct ProcessEnds(BTreeMap<RaftId, LinkEnds>);

#[derive(Debug, Default)]
struct LinkEnds {
    /// The newest own link was ended by the other side.
    ended: bool,
    /// A connection was refused after that.
    refused: bool,
    /// Number of the newest incoming link, while it is open.
    incoming: Option<u64>,
}

impl ProcessEnds {
    fn of(&mut self, id: RaftId) -> &mut LinkEnds {
        self.0.entry(id).or_default()
    }

    /// Records that the own link to a member has ended, by the other side or by this one.
    pub(super) fn link_ended(&mut self, id: RaftId, by_peer: bool) {
        let ends = self.of(id);
        (ends.ended, ends.refused) = (by_peer, false);
    }

    /// Records that the own link to a member could not be opened, because the connection was refused. Returns true if its
    /// process has ended.
    fn refused(&mut self, id: RaftId) -> bool {
        self.of(id).refused = true;
        self.has_ended(id)
    }

    /// Records that an incoming link has begun. It replaces older ones.
    fn opened(&mut self, id: RaftId, number: u64) {
        self.of(id).incoming = Some(number);
    }

    /// Records that an incoming link has ended. Returns true if the process has ended.
    fn closed(&mut self, id: RaftId, number: u64) -> bool {
        let incoming = &mut self.of(id).incoming;
        *incoming = incoming.filter(|newest| *newest != number);
        self.has_ended(id)
    }

    /// Returns true, once, when all signs are there.
    fn has_ended(&mut self, id: RaftId) -> bool {
        let ends = self.of(id);
        let ended = ends.ended && ends.refused && ends.incoming.is_none();
        if ended {
            (ends.ended, ends.refused) = (false, false);
        }
        ended
    }
}

/// Records that a connection to a member was refused.
pub(super) fn refused(node: &NodeState, id: RaftId) {
    let Some(member) = node.membership.get() else { return };
    if member.member_list.ends().refused(id) {
        member.replica.process_ended(id);
    }
}

/// Records a member's own statement in the member list, and whether another process makes it than before. Returns false if
/// there is no room for it.
pub(super) fn record(member: &Membership, info: &MemberInfo) -> bool {
    let before = member.member_list.info(info.raft_id).map_or(0, |known| known.incarnation);
    if before != 0 && info.incarnation != 0 && before != info.incarnation {
        member.replica.process_ended(info.raft_id);
    }
    member.member_list.record_own(info)
}

/// Guard of an open incoming link.
pub(super) struct IncomingGuard {
    node: Arc<NodeState>,
    from: RaftId,
    number: u64,
}

/// Records that an incoming link of a member is open, until the guard is dropped.
pub(super) fn incoming(node: &Arc<NodeState>, from: RaftId, number: u64) -> IncomingGuard {
    if let Some(member) = node.membership.get() {
        member.member_list.ends().opened(from, number);
    }
    IncomingGuard { node: node.clone(), from, number }
}

impl Drop for IncomingGuard {
    fn drop(&mut self) {
        let Some(member) = self.node.membership.get() else { return };
        if member.member_list.ends().closed(self.from, self.number) {
            member.replica.process_ended(self.from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_ended_when_its_links_are_closed_and_a_new_one_is_refused() {
        let mut ends = ProcessEnds::default();
        ends.opened(2, 1);
        ends.link_ended(2, true);
        assert!(!ends.refused(2), "its own link is open, so it runs");
        assert!(ends.closed(2, 1));
        assert!(!ends.refused(2), "it is reported once");

        ends.opened(3, 1);
        ends.link_ended(3, true);
        assert!(!ends.closed(3, 1), "a link that is reset is not enough");
        assert!(ends.refused(3));

        assert!(!ends.refused(4), "there was no link");
        ends.link_ended(4, false);
        assert!(!ends.refused(4), "the link was ended here, because an address changed");
    }

    #[test]
    fn an_older_link_that_ends_late_does_not_hide_a_newer_one() {
        let mut ends = ProcessEnds::default();
        ends.opened(2, 1);
        ends.opened(2, 2);
        ends.link_ended(2, true);
        assert!(!ends.closed(2, 1) && !ends.refused(2));
        assert!(ends.closed(2, 2));
    }
}
