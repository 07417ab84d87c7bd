//! Whether the members have the same state.
//!
//! ```text
//!   digests at some indexes ──▶ peers, when they changed     (a message beside the beat)
//!   theirs ──▶ wait until this member has applied as far ──▶ compared ──▶ the same: remembered
//!                                                                    └──▶ another: who is to be believed?
//! ```
//!
//! The log is one and the rules are pure, so two members that differ at one index are a bug, or memory that lies.
//! That is never healed over: the one that is right cannot be told from the one that is wrong by looking at them,
//! and copying one over the other would spread the wrong one as well. So a member that differs from another goes on
//! only if it knows a majority of the voters to be of its own state; every other one ends, is marked, and does not
//! start with that store again. With one wrong member that one halts, and the others serve on.
//!
//! What is compared is a sum of checksums of 32 bits each: this finds bugs, not somebody who builds a collision.

use super::{Node, describe, lost};
use crate::db::digest::DigestAt;
use crate::net::limits::PEERS_MAX;
use crate::replica::Failing;
use crate::roles::failure::{Exit, Failure};
use crate::roles::options::NodeOptions;
use crate::state::{LogIndex, RaftId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How often what waits is compared.
const LOOK: Duration = Duration::from_secs(1);
/// A member that differs and knows of no majority waits for others' digests this long.
const DECIDE_AFTER: Duration = Duration::from_secs(10);
/// Digests of one peer that wait until this member has applied as far.
const WAITING_MAX: usize = 16;

/// What is known of the others' states.
#[derive(Debug, Default)]
pub struct Agreement {
    seen: Mutex<BTreeMap<RaftId, Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    waiting: VecDeque<DigestAt>,
    /// The last index at which its state was ours, 0 for none.
    agreed: LogIndex,
    /// The first at which it was not. Never taken back.
    differs: Option<Difference>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Difference {
    index: LogIndex,
    ours: u64,
    theirs: u64,
    since: Instant,
    /// People were told that the other is wrong.
    said: bool,
}

impl Agreement {
    fn seen(&self) -> MutexGuard<'_, BTreeMap<RaftId, Seen>> {
        self.seen.lock().expect("nobody panics while it holds this lock")
    }

    /// A peer says what its digests are.
    pub fn heard(&self, from: RaftId, digests: Vec<DigestAt>) {
        let mut seen = self.seen();
        if seen.len() >= PEERS_MAX && !seen.contains_key(&from) {
            return;
        }
        let waiting = &mut seen.entry(from).or_default().waiting;
        waiting.extend(digests);
        let spare = waiting.len().saturating_sub(WAITING_MAX);
        waiting.drain(..spare);
    }

    /// Compares what waits, as far as this member has applied.
    fn compare(&self, applied: LogIndex, digest_at: impl Fn(LogIndex) -> Option<u64>) {
        for seen in self.seen().values_mut() {
            let Seen { waiting, agreed, differs } = seen;
            waiting.retain(|(index, theirs)| {
                if *index > applied {
                    return true;
                }
                match digest_at(*index) {
                    Some(ours) if ours == *theirs => *agreed = (*agreed).max(*index),
                    Some(ours) => {
                        let since = Instant::now();
                        differs.get_or_insert(Difference {
                            index: *index,
                            ours,
                            theirs: *theirs,
                            since,
                            said: false,
                        });
                    }
                    // Too long ago to be remembered: the next one will do.
                    None => {}
                }
                false
            });
        }
    }
}

/// What a member that differs from another knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// A majority of the voters has its state.
    Right,
    /// No majority can have it.
    Wrong,
    Unknown,
}

/// Whether a majority of the voters is known to have had our state at `index` or later.
fn stand(me: RaftId, voters: &[RaftId], index: LogIndex, seen: &BTreeMap<RaftId, Seen>) -> Stand {
    let majority = voters.len() / 2 + 1;
    let is_with_us =
        |id: &RaftId| seen.get(id).is_some_and(|it| it.differs.is_none() && it.agreed >= index) || *id == me;
    let is_against = |id: &RaftId| seen.get(id).is_some_and(|it| it.differs.is_some());
    let with_us = voters.iter().filter(|id| is_with_us(id)).count();
    let against = voters.iter().filter(|id| is_against(id)).count();
    if with_us >= majority {
        Stand::Right
    } else if voters.len() - against < majority {
        Stand::Wrong
    } else {
        Stand::Unknown
    }
}

/// Compares all the time, and ends the process when this member cannot be believed.
pub async fn watch(node: Arc<Node>) {
    let Some(member) = node.member.get() else { return };
    let reader = member.replica.reader();
    loop {
        smol::Timer::after(LOOK).await;
        member.agreement.compare(reader.applied(), |index| reader.digest_at(index));
        if let Some(why) = judge(&node) {
            let _ = node.failed.try_send(Failing::Differs(why));
            return;
        }
    }
}

/// Why this member cannot be believed, if it cannot.
fn judge(node: &Node) -> Option<String> {
    let member = node.member.get()?;
    let me = member.identity.raft_id;
    let mut all = member.agreement.seen();
    let differences: Vec<(RaftId, Difference)> =
        all.iter().filter_map(|(id, seen)| Some((*id, seen.differs?))).collect();
    if differences.is_empty() {
        return None;
    }
    let voters = member.replica.status().configuration.voters;
    for (id, difference) in differences {
        let Difference { index, ours, theirs, since, said } = difference;
        let other = describe(id, member.peers.info(id).as_ref());
        let what = format!(
            "its state differs from that of {other} at index {index} (digest {ours:x}, {other} has {theirs:x})"
        );
        match stand(me, &voters, index, &all) {
            Stand::Right if said => {}
            Stand::Right => {
                log::error!(
                    "{}: {what}; a majority of the voters has the same as this member, so it goes on",
                    node.options.name()
                );
                if let Some(difference) = all.get_mut(&id).and_then(|seen| seen.differs.as_mut()) {
                    difference.said = true;
                }
            }
            Stand::Unknown if since.elapsed() < DECIDE_AFTER => {}
            Stand::Unknown | Stand::Wrong => {
                return Some(format!("{what}, and no majority of the voters is known to have the same"));
            }
        }
    }
    None
}

/// Why the store in this folder must not be used, if a member halted on it.
pub fn halted_before(options: &NodeOptions) -> Option<Failure> {
    lost::marked(&options.store_dir(), lost::HALTED).map(|why| failure(options, &why))
}

/// Marks the store, so that it is not used again.
pub fn halt(options: &NodeOptions, why: &str) -> Failure {
    let folder = options.store_dir();
    if let Err(error) = lost::mark(&folder, lost::HALTED, why) {
        log::error!("{} cannot be marked: {error}", folder.display());
    }
    failure(options, why)
}

fn failure(options: &NodeOptions, why: &str) -> Failure {
    let text = format!(
        "{}: {why}. That is a bug, or memory that lies, and it is not healed over: this store is not used again. Keep \
         a copy of {folder} for whoever looks into it; to let the member join as a new one, delete {folder} and start \
         it",
        options.name(),
        folder = options.store_dir().display()
    );
    Failure::new(Exit::Configuration, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with peers that said these digests, at an applied index of 100 where ours is 7.
    fn compared(digests: &[(RaftId, LogIndex, u64)]) -> Agreement {
        let agreement = Agreement::default();
        for (id, index, digest) in digests {
            agreement.heard(*id, vec![(*index, *digest)]);
        }
        agreement.compare(100, |index| (index > 50).then_some(7));
        agreement
    }

    fn stands(agreement: &Agreement, voters: &[RaftId]) -> Stand {
        stand(1, voters, 90, &agreement.seen())
    }

    #[test]
    fn one_wrong_member_halts_and_the_others_go_on() {
        let among = [1, 2, 3];
        // We are right: the one that differs is alone.
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 7)]), &among), Stand::Right);
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 95, 7)]), &among), Stand::Right);
        // We are wrong: everybody else differs.
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 8)]), &among), Stand::Wrong);
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 9)]), &among), Stand::Wrong);
        // The third has not spoken; or has, of an index before the difference.
        assert_eq!(stands(&compared(&[(2, 90, 8)]), &among), Stand::Unknown);
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 80, 7)]), &among), Stand::Unknown);
        // Of five, two with us are a majority, one is not.
        let among = [1, 2, 3, 4, 5];
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 7), (4, 91, 7)]), &among), Stand::Right);
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 7)]), &among), Stand::Unknown);
    }

    #[test]
    fn of_two_that_differ_neither_can_be_believed() {
        assert_eq!(stands(&compared(&[(2, 90, 8)]), &[1, 2]), Stand::Wrong);
    }

    #[test]
    fn a_learner_has_no_voice() {
        // We learn: the voters have to be with us.
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 7)]), &[2, 3, 4]), Stand::Unknown);
        assert_eq!(stands(&compared(&[(2, 90, 8), (3, 90, 7), (4, 90, 7)]), &[2, 3, 4]), Stand::Right);
        // A learner that differs is against us, and counts for nothing.
        assert_eq!(stands(&compared(&[(9, 90, 8), (3, 90, 7)]), &[1, 3]), Stand::Right);
    }

    #[test]
    fn what_cannot_be_compared_yet_waits_and_what_is_forgotten_is_dropped() {
        let agreement = compared(&[(2, 101, 7), (2, 10, 99), (2, 60, 7)]);
        let seen = agreement.seen();
        assert_eq!((&seen[&2].waiting, seen[&2].agreed), (&[(101, 7)].into(), 60));
        assert_eq!(seen[&2].differs, None);
        drop(seen);
        agreement.compare(101, |_| Some(8));
        assert_eq!(agreement.seen()[&2].differs.map(|it| (it.index, it.ours, it.theirs)), Some((101, 8, 7)));
        (0..1_000).for_each(|index| agreement.heard(3, vec![(1_000 + index, 0)]));
        assert_eq!(agreement.seen()[&3].waiting.len(), WAITING_MAX);
        assert_eq!(agreement.seen()[&3].waiting.back(), Some(&(1_999, 0)));
    }

    #[test]
    fn a_difference_is_never_taken_back() {
        let agreement = compared(&[(2, 90, 8), (2, 95, 7)]);
        assert_eq!(agreement.seen()[&2].differs.map(|it| it.index), Some(90));
        assert_eq!(stands(&agreement, &[1, 2]), Stand::Wrong);
    }
}
