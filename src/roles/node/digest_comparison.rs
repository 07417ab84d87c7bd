//! Digest comparison: detects members that have different states although they applied the same log.
//!
//! ```text
//!   own digests at some indexes ──▶ peers, when they changed     (a message beside the heartbeat)
//!   a peer's digest ──▶ wait until this member has applied that index ──▶ compare ──▶ equal: record the index
//!                                                                              └──▶ different: judge by majority
//! ```
//!
//! All members apply the same log by pure rules, so two different states at one index mean a bug or faulty memory.
//! Such a state is never repaired automatically: two differing members do not show which of them is right, and copying
//! one over the other may spread the wrong state. A member that differs from another goes on only if it knows that a
//! majority of the voters has the same state as itself. Every other one ends, marks its store as halted, and does not
//! start on that store again. So one wrong member halts while the others keep serving.
//!
//! The digest is a sum of checksums of 32 bits each. It finds bugs, but not a deliberately constructed collision.

use super::{NodeState, describe, store_loss};
use crate::common::failure::{Exit, Failure};
use crate::node::arguments::NodeOptions;
use ribbit_db::digest::DigestAt;
use ribbit_net::limits::PEERS_MAX;
use ribbit_net::tasks;
use ribbit_replica::ReplicaFailure;
use ribbit_state::sync::MutexExt;
use ribbit_state::{LogIndex, RaftId};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Interval between two comparisons.
const LOOK: Duration = Duration::from_secs(1);

/// Time that a member with a differing digest waits for further digests before it ends without a known majority.
const DECIDE_AFTER: Duration = Duration::from_secs(10);

/// Maximum number of digests per peer that wait until this member has applied their index.
const WAITING_MAX: usize = 16;

/// Digests received from the other members, and the results of the comparisons.
#[derive(Debug, Default)]
pub(crate) struct DigestComparison {
    peers: Mutex<BTreeMap<RaftId, PeerDigests>>,
}

#[derive(Debug, Default)]
struct PeerDigests {
    waiting: VecDeque<DigestAt>,
    /// Highest index at which the digests were equal, 0 for none.
    agreed: LogIndex,
    /// First difference found. Never cleared.
    differs: Option<DigestDifference>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DigestDifference {
    index: LogIndex,
    ours: u64,
    theirs: u64,
    since: Instant,
    /// The difference has been logged.
    logged: bool,
}

impl DigestComparison {
    fn peers(&self) -> MutexGuard<'_, BTreeMap<RaftId, PeerDigests>> {
        self.peers.locked()
    }

    /// Records digests received from a peer.
    pub(crate) fn receive(&self, from: RaftId, digests: Vec<DigestAt>) {
        let mut seen = self.peers();
        if seen.len() >= PEERS_MAX && !seen.contains_key(&from) {
            return;
        }
        let waiting = &mut seen.entry(from).or_default().waiting;
        waiting.extend(digests);
        let spare = waiting.len().saturating_sub(WAITING_MAX);
        waiting.drain(..spare);
    }

    /// Compares the waiting digests up to the applied index.
    fn compare(&self, applied: LogIndex, digest_at: impl Fn(LogIndex) -> Option<u64>) {
        for seen in self.peers().values_mut() {
            let PeerDigests { waiting, agreed, differs } = seen;
            waiting.retain(|(index, theirs)| {
                if *index > applied {
                    return true;
                }
                match digest_at(*index) {
                    Some(ours) if ours == *theirs => *agreed = (*agreed).max(*index),
                    Some(ours) => {
                        let since = Instant::now();
                        differs.get_or_insert(DigestDifference {
                            index: *index,
                            ours,
                            theirs: *theirs,
                            since,
                            logged: false,
                        });
                    }
                    // Older than the digests that this member still has. A newer one follows.
                    None => {}
                }
                false
            });
        }
    }
}

/// Verdict of a member that differs from another about its own state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnState {
    /// A majority of the voters has the same state.
    Majority,
    /// No majority of the voters can have the same state.
    Minority,
    /// Too few digests have been received.
    Unknown,
}

/// Returns the verdict about this member's state at `index`, from the digests of the voters.
fn own_state(
    me: RaftId,
    voters: &[RaftId],
    index: LogIndex,
    seen: &BTreeMap<RaftId, PeerDigests>,
) -> OwnState {
    let majority = voters.len() / 2 + 1;
    let is_with_us =
        |id: &RaftId| seen.get(id).is_some_and(|it| it.differs.is_none() && it.agreed >= index) || *id == me;
    let is_against = |id: &RaftId| seen.get(id).is_some_and(|it| it.differs.is_some());
    let with_us = voters.iter().filter(|id| is_with_us(id)).count();
    let against = voters.iter().filter(|id| is_against(id)).count();
    if with_us >= majority {
        OwnState::Majority
    } else if voters.len() - against < majority {
        OwnState::Minority
    } else {
        OwnState::Unknown
    }
}

/// Compares digests periodically. Ends the process when this member's state is not known to be the majority's.
pub(crate) async fn watch(node: Arc<NodeState>) {
    let Some(member) = node.membership.get() else { return };
    let reader = member.replica.reader();
    loop {
        tasks::aligned_pause(LOOK).await;
        member.digest_comparison.compare(reader.applied(), |index| reader.digest_at(index));
        if let Some(why) = judge(&node) {
            let _ = node.failed.try_send(ReplicaFailure::Differs(why));
            return;
        }
    }
}

/// Returns the reason why this member must end, or `None` if it may go on.
fn judge(node: &NodeState) -> Option<String> {
    let member = node.membership.get()?;
    let me = member.identity.raft_id;
    let mut all = member.digest_comparison.peers();
    let differences: Vec<(RaftId, DigestDifference)> =
        all.iter().filter_map(|(id, seen)| Some((*id, seen.differs?))).collect();
    if differences.is_empty() {
        return None;
    }
    let voters = member.replica.status().configuration.voters;
    for (id, difference) in differences {
        let DigestDifference { index, ours, theirs, since, logged } = difference;
        let other = describe(id, member.member_list.info(id).as_ref());
        let what = format!(
            "its state differs from that of {other} at index {index} (its digest is {ours:x}, {other} has {theirs:x})"
        );
        match own_state(me, &voters, index, &all) {
            OwnState::Majority if logged => {}
            OwnState::Majority => {
                log::error!(
                    "{}: {what}. A majority of the voters has the same state as this member, so it goes on",
                    node.options.name()
                );
                if let Some(difference) = all.get_mut(&id).and_then(|seen| seen.differs.as_mut()) {
                    difference.logged = true;
                }
            }
            OwnState::Unknown if since.elapsed() < DECIDE_AFTER => {}
            OwnState::Unknown | OwnState::Minority => {
                return Some(format!(
                    "{what}, and no majority of the voters is known to have the same state"
                ));
            }
        }
    }
    None
}

/// Returns the failure to end with if a member halted on this store before.
pub(crate) fn halted_before(options: &NodeOptions) -> io::Result<Option<Failure>> {
    let why = store_loss::marked(&options.store_dir(), store_loss::HALTED)?;
    Ok(why.map(|why| failure(options, &why)))
}

/// Marks the store as halted, so that it is not used again. Returns the failure to end with.
pub(crate) fn halt(options: &NodeOptions, why: &str) -> Failure {
    let folder = options.store_dir();
    if let Err(error) = store_loss::mark(&folder, store_loss::HALTED, why) {
        log::error!("{} cannot be marked: {error}", folder.display());
    }
    failure(options, why)
}

fn failure(options: &NodeOptions, why: &str) -> Failure {
    let text = format!(
        "{}: {why}. This is a bug or faulty memory, and this store is not used again. Keep a copy of {folder} for the \
         analysis. To join again as a new member, delete {folder} and start it",
        options.name(),
        folder = options.store_dir().display()
    );
    Failure::new(Exit::Configuration, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares these digests of peers at an applied index of 100. This member's digest is 7 at every index above 50.
    fn compared(digests: &[(RaftId, LogIndex, u64)]) -> DigestComparison {
        let digest_comparison = DigestComparison::default();
        for (id, index, digest) in digests {
            digest_comparison.receive(*id, vec![(*index, *digest)]);
        }
        digest_comparison.compare(100, |index| (index > 50).then_some(7));
        digest_comparison
    }

    fn stands(digest_comparison: &DigestComparison, voters: &[RaftId]) -> OwnState {
        own_state(1, voters, 90, &digest_comparison.peers())
    }

    #[test]
    fn one_wrong_member_halts_and_the_others_go_on() {
        let among = [1, 2, 3];
        // This member is right: only one other differs.
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 7)]), &among), OwnState::Majority);
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 95, 7)]), &among), OwnState::Majority);
        // This member is wrong: all others differ.
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 8)]), &among), OwnState::Minority);
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 9)]), &among), OwnState::Minority);
        // The third has sent no digest, or only one of an index before the difference.
        assert_eq!(stands(&compared(&[(2, 90, 8)]), &among), OwnState::Unknown);
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 80, 7)]), &among), OwnState::Unknown);
        // Of five voters, two that agree with this member make a majority, one does not.
        let among = [1, 2, 3, 4, 5];
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 7), (4, 91, 7)]), &among), OwnState::Majority);
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 7)]), &among), OwnState::Unknown);
    }

    #[test]
    fn of_two_members_that_differ_both_halt() {
        assert_eq!(stands(&compared(&[(2, 90, 8)]), &[1, 2]), OwnState::Minority);
    }

    #[test]
    fn learners_do_not_count_for_the_majority() {
        // This member is a learner: it needs a majority among the voters.
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 7)]), &[2, 3, 4]), OwnState::Unknown);
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 7), (4, 90, 7)]), &[2, 3, 4]), OwnState::Majority);
        // A learner that differs does not count.
        assert_eq!(stands(&compared(&[(9, 90, 8), (3, 90, 7)]), &[1, 3]), OwnState::Majority);
    }

    #[test]
    fn digests_ahead_of_the_applied_index_wait_and_expired_ones_are_dropped() {
        let digest_comparison = compared(&[(2, 101, 7), (2, 10, 99), (2, 60, 7)]);
        let seen = digest_comparison.peers();
        assert_eq!((&seen[&2].waiting, seen[&2].agreed), (&[(101, 7)].into(), 60));
        assert_eq!(seen[&2].differs, None);
        drop(seen);
        digest_comparison.compare(101, |_| Some(8));
        assert_eq!(
            digest_comparison.peers()[&2].differs.map(|it| (it.index, it.ours, it.theirs)),
            Some((101, 8, 7))
        );
        (0..1_000).for_each(|index| digest_comparison.receive(3, vec![(1_000 + index, 0)]));
        assert_eq!(digest_comparison.peers()[&3].waiting.len(), WAITING_MAX);
        assert_eq!(digest_comparison.peers()[&3].waiting.back(), Some(&(1_999, 0)));
    }

    #[test]
    fn a_difference_is_never_cleared() {
        let digest_comparison = compared(&[(2, 90, 8), (2, 95, 7)]);
        assert_eq!(digest_comparison.peers()[&2].differs.map(|it| it.index), Some(90));
        assert_eq!(stands(&digest_comparison, &[1, 2]), OwnState::Minority);
    }
}
