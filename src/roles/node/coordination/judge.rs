//! The leader's decisions about leases: which ones end, which processes get one, and which backends become master. Pure:
//! takes times and returns commands.
//!
//! - Only heartbeats that reached the leader count, directly or relayed by a coordinator. So a broken link between one
//!   coordinator and a live server has no effect on that server.
//! - A new leader grants every lease its full time first, because it knows no earlier heartbeats. A lease that begins later
//!   also has its full time until the first heartbeat of its owner.
//! - A heartbeat of another incarnation does not keep a lease alive: the process that held the lease is gone.

use ribbit_net::protocol::MemberInfo;
use ribbit_state::rows::{Lease, Member, Standing};
use ribbit_state::{LeaseCommand, LogIndex, Owner, RaftId, Role, command::LeaseEnd};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Last heartbeat of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LastHeartbeat {
    at: Instant,
    incarnation: u64,
}

/// Heartbeats and lease times known to the leader. Empty on other members.
#[derive(Debug, Default)]
pub struct Judge {
    /// The term in which this node leads, and the time at which it began.
    leading: Option<(u64, Instant)>,
    heard: BTreeMap<Owner, LastHeartbeat>,
    /// Version of each lease, and the time at which this leader first saw that version.
    met: BTreeMap<Owner, (LogIndex, Instant)>,
}

/// Replicated state and member list as the input of a decision.
pub struct Facts<'a> {
    pub members: &'a [(RaftId, Member)],
    pub leases: &'a [(Owner, Lease)],
    /// Regions that have a master.
    pub masters: &'a [u32],
    pub infos: &'a [MemberInfo],
    pub me: RaftId,
}

impl Judge {
    /// Records that this node leads in `term`. A new term discards everything known from an earlier one.
    pub fn lead(&mut self, term: u64, now: Instant) {
        if self.leading.is_none_or(|(known, _)| known != term) {
            self.follow();
            self.leading = Some((term, now));
        }
    }

    /// Records that this node does not lead, and discards everything known.
    pub fn follow(&mut self) {
        self.leading = None;
        self.heard.clear();
        self.met.clear();
    }

    pub fn leads(&self) -> bool {
        self.leading.is_some()
    }

    /// Records a heartbeat of this owner, if this node leads. Returns true if its process was not heard before.
    pub fn hear(&mut self, owner: Owner, incarnation: u64, at: Instant) -> bool {
        if !self.leads() {
            return false;
        }
        let before = self.heard.insert(owner, LastHeartbeat { at, incarnation });
        before.is_none_or(|before| before.incarnation != incarnation)
    }

    /// Records the start of new leases. Expires the heartbeats of owners that have no lease and were silent for `lease`.
    pub fn tidy(&mut self, leases: &[(Owner, Lease)], now: Instant, lease: Duration) {
        let met = std::mem::take(&mut self.met);
        let known = |owner: &Owner, version| met.get(owner).copied().filter(|(known, _)| *known == version);
        self.met = leases
            .iter()
            .map(|(owner, row)| (*owner, known(owner, row.version).unwrap_or((row.version, now))))
            .collect();
        let known = |owner: &Owner| leases.iter().any(|(known, _)| known == owner);
        self.heard.retain(|owner, heard| known(owner) || now.duration_since(heard.at) < lease);
    }

    /// Returns the most urgent command, or `None` if there is nothing to do. `lease`: the default lease time.
    pub fn verdict(&self, facts: &Facts<'_>, now: Instant, lease: Duration) -> Option<LeaseCommand> {
        let (_, since) = self.leading?;
        self.over(facts, since, now, lease)
            .or_else(|| self.arrived(facts, now, lease))
            .or_else(|| appointed(facts))
    }

    /// Returns the command that ends a lease of which the owner has been silent for longer than its lease time.
    fn over(&self, facts: &Facts<'_>, since: Instant, now: Instant, lease: Duration) -> Option<LeaseCommand> {
        facts.leases.iter().filter(|(_, row)| row.active).find_map(|(owner, row)| {
            let last = self.last_sign(owner, row, since);
            let time = time_of(row, lease);
            let silence = now.saturating_duration_since(last);
            let silence_ms = u32::try_from(silence.as_millis()).unwrap_or(u32::MAX);
            let (owner, version, why) = (*owner, row.version, LeaseEnd::Missed { silence_ms });
            (silence > time).then_some(LeaseCommand::End { owner, version, why })
        })
    }

    /// Returns the time of the last sign of life of a lease's owner. Before `since`, this node did not lead.
    fn last_sign(&self, owner: &Owner, row: &Lease, since: Instant) -> Instant {
        let heard = self.heard.get(owner).filter(|heard| heard.incarnation == row.incarnation);
        let met = self.met.get(owner).filter(|(version, _)| *version == row.version);
        since.max(met.map_or(since, |(_, at)| *at)).max(heard.map_or(since, |heard| heard.at))
    }

    /// Returns the time at which the next lease ends unless its owner is heard, if this node leads and every lease is active
    /// and every region has a master. Until then there is nothing to judge unless something changes.
    pub fn settled_until(&self, facts: &Facts<'_>, lease: Duration) -> Option<Instant> {
        let (_, since) = self.leading?;
        let active =
            |id: RaftId| facts.leases.iter().any(|(owner, row)| *owner == Owner::Member(id) && row.active);
        let settled = facts.members.iter().all(|(id, member)| {
            active(*id) && (member.role != Role::Backend || facts.masters.contains(&member.region))
        });
        let ends = facts.leases.iter().filter(|(_, row)| row.active);
        let ends = ends.map(|(owner, row)| self.last_sign(owner, row, since) + time_of(row, lease));
        ends.min().filter(|_| settled)
    }

    /// Returns the command that registers a live process without an active lease: a new one, or one that was restarted.
    fn arrived(&self, facts: &Facts<'_>, now: Instant, lease: Duration) -> Option<LeaseCommand> {
        facts.members.iter().filter(|(_, member)| member.standing != Standing::Lost).find_map(
            |(raft_id, _)| {
                let owner = Owner::Member(*raft_id);
                let heard = self
                    .heard
                    .get(&owner)
                    .filter(|heard| now.saturating_duration_since(heard.at) <= lease)?;
                let info = facts
                    .infos
                    .iter()
                    .find(|info| info.raft_id == *raft_id && info.incarnation == heard.incarnation)?;
                let row = facts.leases.iter().find(|(known, _)| *known == owner).map(|(_, row)| row);
                let has = row.is_some_and(|row| {
                    row.active && (row.incarnation, &row.description) == (info.incarnation, &info.address)
                });
                let (incarnation, address) = (info.incarnation, info.address.clone());
                (!has).then_some(LeaseCommand::Register { raft_id: *raft_id, incarnation, address })
            },
        )
    }
}

/// Returns the time for which a lease lasts.
fn time_of(row: &Lease, lease: Duration) -> Duration {
    row.lease_ms.map_or(lease, |ms| Duration::from_millis(ms.into()))
}

/// Returns the command that appoints a master in a region without one. Candidates are the region's active backends that are
/// in sync: the leader first, then the lowest id.
fn appointed(facts: &Facts<'_>) -> Option<LeaseCommand> {
    let active = |raft_id: RaftId| {
        let lease = facts.leases.iter().find(|(owner, _)| *owner == Owner::Member(raft_id));
        lease.filter(|(_, row)| row.active).map(|(_, row)| row.version)
    };
    let in_sync = |raft_id: RaftId| facts.infos.iter().any(|info| info.raft_id == raft_id && info.in_sync);
    facts
        .members
        .iter()
        .filter(|(raft_id, member)| {
            member.role == Role::Backend && !facts.masters.contains(&member.region) && in_sync(*raft_id)
        })
        .filter_map(|(raft_id, member)| Some((*raft_id, member, active(*raft_id)?)))
        .min_by_key(|(raft_id, member, _)| (member.region, *raft_id != facts.me, member.id))
        .map(|(raft_id, _, version)| LeaseCommand::Appoint { raft_id, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(2);

    fn member(id: u32, role: Role, region: u32) -> (RaftId, Member) {
        let (address, machine) = (String::new(), String::new());
        (
            id.into(),
            Member {
                role,
                id,
                address,
                machine,
                rules_level: 2,
                standing: Standing::Wanted,
                region,
                key: Default::default(),
            },
        )
    }

    fn info(raft_id: RaftId, incarnation: u64) -> MemberInfo {
        MemberInfo { raft_id, incarnation, in_sync: true, address: "a:1".into(), ..MemberInfo::default() }
    }

    fn lease(raft_id: RaftId, version: u64) -> (Owner, Lease) {
        (Owner::Member(raft_id), Lease::of_member(10 + raft_id, "a:1", version))
    }

    #[test]
    fn a_new_leader_grants_every_lease_its_full_time_and_then_judges() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let members = [member(1, Role::Backend, 1), member(2, Role::Backend, 1)];
        let (leases, infos) = ([lease(1, 5), lease(2, 6)], [info(1, 11), info(2, 12)]);
        let facts = Facts { members: &members, leases: &leases, masters: &[1], infos: &infos, me: 1 };
        let mut judge = Judge::default();
        judge.hear(Owner::Member(2), 12, at(0));
        assert_eq!(judge.verdict(&facts, at(9_000), LEASE), None, "it does not lead");
        judge.lead(3, at(10_000));
        assert_eq!(judge.verdict(&facts, at(12_000), LEASE), None);
        judge.hear(Owner::Member(1), 11, at(11_900));
        judge.lead(3, at(12_000));
        let end = |version, silence_ms| LeaseCommand::End {
            owner: Owner::Member(version - 4),
            version,
            why: LeaseEnd::Missed { silence_ms },
        };
        assert_eq!(judge.verdict(&facts, at(12_001), LEASE), Some(end(6, 2_001)));
        judge.hear(Owner::Member(2), 12, at(12_001));
        assert_eq!(judge.verdict(&facts, at(13_901), LEASE), Some(end(5, 2_001)));
        judge.lead(4, at(13_901));
        assert_eq!(judge.verdict(&facts, at(15_900), LEASE), None, "another term starts all times anew");
    }

    #[test]
    fn another_incarnation_takes_over_at_once_and_does_not_keep_the_old_lease() {
        let start = Instant::now();
        let members = [member(1, Role::Backend, 1)];
        let (leases, infos) = ([lease(1, 5)], [info(1, 99)]);
        let facts = Facts { members: &members, leases: &leases, masters: &[1], infos: &infos, me: 1 };
        let mut judge = Judge::default();
        judge.lead(1, start);
        judge.hear(Owner::Member(1), 99, start);
        let register = LeaseCommand::Register { raft_id: 1, incarnation: 99, address: "a:1".into() };
        assert_eq!(judge.verdict(&facts, start, LEASE), Some(register));
        let later = start + Duration::from_millis(2_001);
        assert!(matches!(judge.verdict(&facts, later, LEASE), Some(LeaseCommand::End { version: 5, .. })));
    }

    #[test]
    fn a_client_may_have_a_lease_of_another_length() {
        let start = Instant::now();
        let token = ribbit_state::TokenHash([1; 32]);
        let row = Lease { lease_ms: Some(10_000), ..Lease::of_client(token, "", 7) };
        let leases = [(Owner::Client(7), row)];
        let facts = Facts { members: &[], leases: &leases, masters: &[], infos: &[], me: 1 };
        let mut judge = Judge::default();
        judge.lead(1, start);
        judge.hear(Owner::Client(7), 0, start + Duration::from_secs(1));
        assert_eq!(judge.verdict(&facts, start + Duration::from_secs(11), LEASE), None);
        assert!(judge.verdict(&facts, start + Duration::from_millis(11_001), LEASE).is_some());
    }

    #[test]
    fn a_lease_that_begins_during_a_term_has_its_full_time_for_the_first_heartbeat() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let of =
            |version| [(Owner::Client(7), Lease::of_client(ribbit_state::TokenHash([1; 32]), "", version))];
        let verdict = |judge: &mut Judge, leases: &[(Owner, Lease)], now| {
            let facts = Facts { members: &[], leases, masters: &[], infos: &[], me: 1 };
            judge.tidy(leases, now, LEASE);
            judge.verdict(&facts, now, LEASE)
        };
        let mut judge = Judge::default();
        judge.lead(1, start);
        assert_eq!(verdict(&mut judge, &of(7), at(3_600_000)), None);
        assert_eq!(verdict(&mut judge, &of(7), at(3_602_000)), None);
        assert!(verdict(&mut judge, &of(7), at(3_602_001)).is_some(), "it was not renewed");
        // Another lease of the same owner has its full time, and so has one that was gone in between.
        assert_eq!(verdict(&mut judge, &of(9), at(3_602_001)), None);
        assert_eq!(verdict(&mut judge, &[], at(3_604_002)), None);
        assert_eq!(verdict(&mut judge, &of(9), at(3_605_000)), None);
    }

    #[test]
    fn the_leader_is_master_in_its_region_and_the_first_in_sync_backend_elsewhere() {
        let members = [
            member(1, Role::Coordinator, 1),
            member(2, Role::Backend, 1),
            member(3, Role::Backend, 1),
            member(4, Role::Backend, 2),
            member(5, Role::Backend, 2),
        ];
        let leases: Vec<_> = (1..=5).map(|id| lease(id, id)).collect();
        let mut infos: Vec<_> = (1..=5).map(|id| info(id, 10 + id)).collect();
        infos[3].in_sync = false;
        let appointed_of = |masters: &[u32], me, leases: &[(Owner, Lease)]| match appointed(&Facts {
            members: &members,
            leases,
            masters,
            infos: &infos,
            me,
        }) {
            Some(LeaseCommand::Appoint { raft_id, .. }) => Some(raft_id),
            None => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(appointed_of(&[], 3, &leases), Some(3));
        assert_eq!(appointed_of(&[], 1, &leases), Some(2));
        assert_eq!(appointed_of(&[1], 3, &leases), Some(5));
        assert_eq!(appointed_of(&[1], 3, &leases[..4]), None);
        assert_eq!(appointed_of(&[1, 2], 3, &leases), None);
    }
}
