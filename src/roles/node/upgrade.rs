//! Upgrades at a member: which rules level it understands, and whether the cluster may rise to a higher one.
//!
//! ```text
//!   member restarted ── its level in a heartbeat ──▶ leader: DescribeMember, a row of the replicated state
//!                                                       │
//!   upgrade finish ── every member is heard and understands the level ──▶ RaiseRules
//!   --auto: the same, and in sync for `HEALTHY_FOR` ──▶ the leader ─────────▶ RaiseRules
//! ```
//!
//! Until the level rises, each member can go back to its former version. The rules check the rows once more, so a level that a
//! member does not understand is never in force.

use super::{Membership, NodeState};
use crate::common::failure::Failure;
use crate::common::test_hooks;
use ribbit_state::cluster::members;
use ribbit_state::limits::RULES_LEVEL;
use ribbit_state::rows::{Bookkeeping, Member, books};
use ribbit_state::{Code, Denied, RaftId};
use std::time::{Duration, Instant};

/// Time for which every member has to be in sync before an upgrade finishes by itself. A change of the leader begins it anew.
pub(super) const HEALTHY_FOR: Duration = Duration::from_secs(3_600);

/// Test hook: replaces [`HEALTHY_FOR`], in milliseconds.
pub(super) const TEST_HEALTHY_FOR_MS: &str = "UPGRADE_HEALTHY_MS";

/// Test hook: highest rules level that this process understands, as if it were another version.
const TEST_RULES_LEVEL: &str = "RULES_LEVEL";

/// Returns the highest rules level that this process understands.
///
/// # Errors
/// `Configuration` when the value of the test hook is not a number.
pub(super) fn understood() -> Result<u32, Failure> {
    let level = test_hooks::number(TEST_RULES_LEVEL)?;
    Ok(level.and_then(|level| u32::try_from(level).ok()).unwrap_or(RULES_LEVEL))
}

/// Returns the rules level of the cluster and whether upgrades finish by themselves, as far as this member has applied.
pub(super) fn in_force(node: &NodeState) -> (u32, bool) {
    let books = node.membership.get().and_then(|member| books(&member.replica.reader().view().ok()?).ok());
    books.map_or((0, false), |books| (books.rules_level, books.auto_finish))
}

/// Returns why the cluster may not rise to this level now, or `None` if it may.
pub(super) fn obstacle(node: &NodeState, level: u32) -> Option<Denied> {
    let member = node.membership.get()?;
    let rows = member.replica.reader().view().and_then(|view| members::all(&view)).ok()?;
    rows.iter().find_map(|(id, row)| match heard(node, member, *id, row) {
        None => Some(Denied::new(Code::MemberNotHeard)),
        Some((understood, _)) if understood < level => Some(Denied::new(Code::TooNew)),
        Some(_) => None,
    })
}

/// Returns the level to which the cluster may rise by itself once this has lasted: every member is in sync and understands it.
pub(super) fn auto_level(node: &NodeState, books: &Bookkeeping, rows: &[(RaftId, Member)]) -> Option<u32> {
    let member = node.membership.get().filter(|_| books.auto_finish)?;
    let level =
        rows.iter().map(|(_, row)| row.rules_level).min().filter(|level| *level > books.rules_level)?;
    let is_ready = |(id, row): &(RaftId, Member)| {
        heard(node, member, *id, row).is_some_and(|(understood, in_sync)| understood >= level && in_sync)
    };
    rows.iter().all(is_ready).then_some(level)
}

/// Returns the level that a member understands and whether it is in sync, if it is heard.
fn heard(node: &NodeState, member: &Membership, id: RaftId, row: &Member) -> Option<(u32, bool)> {
    let info = match id == member.identity.raft_id {
        true => node.info(),
        false => member.member_list.info(id).filter(|_| member.member_list.is_alive(row.member_name()))?,
    };
    Some((info.rules_level, info.in_sync))
}

/// A value that takes effect once it has been the same for a time.
pub(super) struct Lasting<T> {
    time: Duration,
    since: Option<(T, Instant)>,
}

impl<T: Copy + PartialEq> Lasting<T> {
    pub(super) fn new(time: Duration) -> Lasting<T> {
        Lasting { time, since: None }
    }

    /// Takes the value of now, and returns it once it has lasted.
    pub(super) fn lasted(&mut self, value: Option<T>, now: Instant) -> Option<T> {
        match (self.since, value) {
            (Some((before, at)), Some(value)) if before == value => {
                (now.duration_since(at) >= self.time).then_some(value)
            }
            _ => {
                self.since = value.map(|value| (value, now));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_to_last() {
        let begin = Instant::now();
        let mut lasting = Lasting::new(Duration::from_secs(10));
        let mut at = |seconds, value| lasting.lasted(value, begin + Duration::from_secs(seconds));
        assert_eq!(at(0, Some(2)), None);
        assert_eq!(at(9, Some(2)), None);
        assert_eq!(at(10, Some(2)), Some(2));
        assert_eq!(at(11, None), None);
        assert_eq!(at(12, Some(2)), None, "it begins anew");
        assert_eq!(at(21, Some(3)), None, "another value begins anew, too");
        assert_eq!(at(31, Some(3)), Some(3));
    }
}
