//! Health of the cluster, judged from a survey. Pure. `ui::health` has the texts for users.
//!
//! - Down: users cannot read or write. No server answers, no backend serves, there is no leader, or too many disks are full
//!   for writes.
//! - Degraded: users can read and write, but the operator should look.
//! - Unknown: no member answers, only servers that wait to join.

use super::survey::{MemberView, Survey};
use ribbit_state::Role;

/// Overall health, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    Fine,
    Degraded,
    Down,
    Unknown,
}

/// Problem of the cluster; some carry the name of the member concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// No server answers.
    NoAnswer,
    /// There is no leader.
    NoLeader,
    /// No backend serves clients.
    NoBackend,
    /// Only servers that wait to join answer. They do not know the members.
    NoMember,
    /// The disk of the leader is full, or the disks of so many voters that growing writes are refused.
    NoRoom,
    /// This member does not answer.
    Missing(String),
    /// This server is alive, but not (or no longer) a member of the cluster.
    Outside(String),
    /// This member lags behind.
    Behind(String),
    /// This member applies nothing although the leader does.
    Stalled(String),
    /// The disk of this member is full.
    DiskFull(String),
    /// The loss of one more process stops all writes. Not reported for a cluster with a single voter, which has no
    /// redundancy by design.
    NoRedundancy,
}

impl Problem {
    /// Returns the health that this problem alone causes.
    pub fn health(&self) -> Health {
        match self {
            Problem::NoAnswer | Problem::NoLeader | Problem::NoBackend | Problem::NoRoom => Health::Down,
            Problem::NoMember => Health::Unknown,
            Problem::Missing(_)
            | Problem::Outside(_)
            | Problem::Behind(_)
            | Problem::Stalled(_)
            | Problem::DiskFull(_)
            | Problem::NoRedundancy => Health::Degraded,
        }
    }
}

/// Returns the overall health with these problems.
pub fn overall(problems: &[Problem]) -> Health {
    problems.iter().map(Problem::health).max().unwrap_or(Health::Fine)
}

/// Returns all problems, the worst first.
pub fn problems(survey: &Survey) -> Vec<Problem> {
    if !survey.has_answers() {
        return vec![Problem::NoAnswer];
    }
    let belongs = |member: &MemberView| member.alive && member.store_open;
    if !survey.members.iter().any(belongs) {
        let waiting = survey.members.iter().filter(|member| member.alive);
        let outside = waiting.map(|member| Problem::Outside(member.info.name()));
        return std::iter::once(Problem::NoMember).chain(outside).collect();
    }
    let mut problems = Vec::new();
    if survey.leader.is_none() {
        problems.push(Problem::NoLeader);
    }
    let serves = |member: &MemberView| member.alive && member.store_open && member.info.role == Role::Backend;
    if !survey.members.iter().any(serves) {
        problems.push(Problem::NoBackend);
    }
    if has_no_room(survey) {
        problems.push(Problem::NoRoom);
    }
    problems.extend(survey.members.iter().filter_map(|member| of_member(survey, member)));
    let full = survey.members.iter().filter(|member| member.store.is_some_and(|store| store.full));
    problems.extend(full.map(|member| Problem::DiskFull(member.info.name())));
    let voters = survey.members.iter().filter(|member| member.voter).count();
    if survey.leader.is_some() && voters > 1 && survey.can_lose_processes == 0 {
        problems.push(Problem::NoRedundancy);
    }
    problems
}

/// Returns true if the survey shows that growing writes are refused everywhere.
fn has_no_room(survey: &Survey) -> bool {
    let full = |member: &MemberView| member.store.is_some_and(|store| store.full);
    let voters: Vec<&MemberView> = survey.members.iter().filter(|member| member.voter).collect();
    let leads = |member: &MemberView| survey.leader.as_deref() == Some(member.info.name().as_str());
    let leader = survey.members.iter().any(|member| leads(member) && full(member));
    no_room(leader, voters.iter().filter(|member| full(member)).count(), voters.len())
}

/// Returns true if every backend refuses growing writes: the disk of the leader is full, or the voters with free disks are
/// no majority. Returns false without voters, because then nothing is known.
pub fn no_room(leader_full: bool, full_voters: usize, voters: usize) -> bool {
    voters > 0 && (leader_full || voters - full_voters.min(voters) < voters / 2 + 1)
}

/// Returns the problem of one member, if it has one.
fn of_member(survey: &Survey, member: &MemberView) -> Option<Problem> {
    let name = || member.info.name();
    if !member.alive {
        Some(Problem::Missing(name()))
    } else if !member.store_open {
        Some(Problem::Outside(name()))
    } else if member.stalled {
        Some(Problem::Stalled(name()))
    } else if !member.in_sync && survey.leader.is_some() {
        // Without a leader no member is in sync, which `NoLeader` reports.
        Some(Problem::Behind(name()))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::protocol::{MemberInfo, StoreStatus};
    use super::*;

    fn member(id: u32, alive: bool) -> MemberView {
        MemberView {
            info: MemberInfo { raft_id: id.into(), id, ..MemberInfo::default() },
            alive,
            voter: true,
            learner: false,
            in_sync: alive,
            stalled: false,
            store_open: alive,
            accepts_old_key: false,
            build: String::new(),
            store: alive.then(StoreStatus::default),
            has_lease: alive,
            master: None,
        }
    }

    fn well() -> Survey {
        Survey {
            leader: Some("backend-1".into()),
            term: 1,
            members: vec![member(1, true), member(2, true), member(3, true)],
            can_lose_processes: 1,
            can_lose_machines: 0,
            ..Survey::default()
        }
    }

    #[test]
    fn a_complete_cluster_is_fine_and_so_is_a_cluster_of_one() {
        assert_eq!((problems(&well()), overall(&[])), (vec![], Health::Fine));
        let alone = Survey { members: vec![member(1, true)], can_lose_processes: 0, ..well() };
        assert_eq!(problems(&alone), []);
    }

    #[test]
    fn missing_lagging_and_full_members_degrade_the_cluster() {
        let mut survey = Survey { can_lose_processes: 0, ..well() };
        survey.members[1] = member(2, false);
        (survey.members[2].in_sync, survey.members[2].store) =
            (false, Some(StoreStatus { full: true, ..StoreStatus::default() }));
        let problems = problems(&survey);
        let expected = [
            Problem::Missing("backend-2".into()),
            Problem::Behind("backend-3".into()),
            Problem::DiskFull("backend-3".into()),
            Problem::NoRedundancy,
        ];
        assert_eq!((problems.as_slice(), overall(&problems)), (&expected[..], Health::Degraded));
    }

    #[test]
    fn full_disks_that_stop_all_writes_are_down_and_waiting_servers_alone_are_unknown() {
        let full = Some(StoreStatus { full: true, ..StoreStatus::default() });
        let mut survey = well();
        survey.members[1].store = full;
        assert_eq!(overall(&problems(&survey)), Health::Degraded);
        survey.members[2].store = full;
        assert_eq!(
            (problems(&survey)[0].clone(), overall(&problems(&survey))),
            (Problem::NoRoom, Health::Down)
        );
        let mut survey = well();
        survey.members[0].store = full;
        assert_eq!(problems(&survey), [Problem::NoRoom, Problem::DiskFull("backend-1".into())]);
        let mut waiting = Survey { leader: None, ..well() };
        waiting.members.iter_mut().for_each(|member| (member.store_open, member.in_sync) = (false, false));
        waiting.members[2].alive = false;
        let outside = |name: &str| Problem::Outside(name.into());
        assert_eq!(problems(&waiting), [Problem::NoMember, outside("backend-1"), outside("backend-2")]);
        assert_eq!(overall(&problems(&waiting)), Health::Unknown);
    }

    #[test]
    fn without_a_leader_a_backend_or_any_answer_the_cluster_is_down() {
        assert_eq!(problems(&Survey::default()), [Problem::NoAnswer]);
        let mut survey = Survey { leader: None, can_lose_processes: 0, ..well() };
        survey.members.iter_mut().for_each(|member| member.in_sync = false);
        assert_eq!(problems(&survey), [Problem::NoLeader]);
        let mut survey = well();
        survey.members.iter_mut().for_each(|member| member.info.role = Role::Coordinator);
        assert_eq!(problems(&survey), [Problem::NoBackend]);
        assert_eq!(overall(&problems(&survey)), Health::Down);
    }
}
