//! Is the group well? Judged from a survey; pure. What is wrong is said in words by `ui::health`.
//!
//! Down means that people cannot do what they came for: nobody answers, nobody leads or too many disks are full (nothing
//! can be written), or no backend serves. Degraded means that they can, and that somebody should look. Unknown means that
//! no member answers, only servers that wait to join.

use super::survey::{MemberView, Survey};
use ribbit_state::Role;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Fine,
    Degraded,
    Down,
    Unknown,
}

/// Something that is wrong, with the name of the member that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    Nobody,
    NoLeader,
    NoBackend,
    /// Only servers that wait to join answer: where the members are, they do not know.
    NoMember,
    /// The disks of the leader, or of so many voters, are full that nothing new is taken.
    NoRoom,
    Missing(String),
    /// It is alive and does not belong to the group yet, or not any more.
    Outside(String),
    Behind(String),
    /// It applies nothing although the leader does.
    Stalled(String),
    DiskFull(String),
    /// The next loss ends all writing. A group that has but one voter was never promised more.
    NothingToSpare,
}

impl Trouble {
    pub fn state(&self) -> State {
        match self {
            Trouble::Nobody | Trouble::NoLeader | Trouble::NoBackend | Trouble::NoRoom => State::Down,
            Trouble::NoMember => State::Unknown,
            Trouble::Missing(_)
            | Trouble::Outside(_)
            | Trouble::Behind(_)
            | Trouble::Stalled(_)
            | Trouble::DiskFull(_)
            | Trouble::NothingToSpare => State::Degraded,
        }
    }
}

/// The worst of it.
pub fn state(troubles: &[Trouble]) -> State {
    troubles.iter().map(Trouble::state).max().unwrap_or(State::Fine)
}

/// Everything that is wrong, the worst first.
pub fn judge(survey: &Survey) -> Vec<Trouble> {
    if !survey.anyone() {
        return vec![Trouble::Nobody];
    }
    let belongs = |member: &MemberView| member.alive && member.store_open;
    if !survey.members.iter().any(belongs) {
        let waiting = survey.members.iter().filter(|member| member.alive);
        let outside = waiting.map(|member| Trouble::Outside(member.info.name()));
        return std::iter::once(Trouble::NoMember).chain(outside).collect();
    }
    let mut troubles = Vec::new();
    if survey.leader.is_none() {
        troubles.push(Trouble::NoLeader);
    }
    let serves = |member: &MemberView| member.alive && member.store_open && member.info.role == Role::Backend;
    if !survey.members.iter().any(serves) {
        troubles.push(Trouble::NoBackend);
    }
    if has_no_room(survey) {
        troubles.push(Trouble::NoRoom);
    }
    troubles.extend(survey.members.iter().filter_map(|member| of_member(survey, member)));
    let full = survey.members.iter().filter(|member| member.store.is_some_and(|store| store.full));
    troubles.extend(full.map(|member| Trouble::DiskFull(member.info.name())));
    let voters = survey.members.iter().filter(|member| member.voter).count();
    if survey.leader.is_some() && voters > 1 && survey.can_lose_processes == 0 {
        troubles.push(Trouble::NothingToSpare);
    }
    troubles
}

fn has_no_room(survey: &Survey) -> bool {
    let full = |member: &MemberView| member.store.is_some_and(|store| store.full);
    let voters: Vec<&MemberView> = survey.members.iter().filter(|member| member.voter).collect();
    let leads = |member: &MemberView| survey.leader.as_deref() == Some(member.info.name().as_str());
    let leader = survey.members.iter().any(|member| leads(member) && full(member));
    no_room(leader, voters.iter().filter(|member| full(member)).count(), voters.len())
}

/// Returns whether every backend refuses what grows the store: the leader's disk is full, or the voters with room are no
/// majority. Without voters nothing is known.
pub fn no_room(leader_full: bool, full_voters: usize, voters: usize) -> bool {
    voters > 0 && (leader_full || voters - full_voters.min(voters) < voters / 2 + 1)
}

fn of_member(survey: &Survey, member: &MemberView) -> Option<Trouble> {
    let name = || member.info.name();
    if !member.alive {
        Some(Trouble::Missing(name()))
    } else if !member.store_open {
        Some(Trouble::Outside(name()))
    } else if member.stalled {
        Some(Trouble::Stalled(name()))
    } else if !member.in_sync && survey.leader.is_some() {
        // Without a leader nobody is in sync: said once.
        Some(Trouble::Behind(name()))
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
        }
    }

    #[test]
    fn a_whole_group_is_fine_and_so_is_one_that_was_never_more_than_one() {
        assert_eq!((judge(&well()), state(&[])), (vec![], State::Fine));
        let alone = Survey { members: vec![member(1, true)], can_lose_processes: 0, ..well() };
        assert_eq!(judge(&alone), []);
    }

    #[test]
    fn what_is_missing_behind_or_full_is_degraded() {
        let mut survey = Survey { can_lose_processes: 0, ..well() };
        survey.members[1] = member(2, false);
        (survey.members[2].in_sync, survey.members[2].store) =
            (false, Some(StoreStatus { full: true, ..StoreStatus::default() }));
        let troubles = judge(&survey);
        let expected = [
            Trouble::Missing("backend-2".into()),
            Trouble::Behind("backend-3".into()),
            Trouble::DiskFull("backend-3".into()),
            Trouble::NothingToSpare,
        ];
        assert_eq!((troubles.as_slice(), state(&troubles)), (&expected[..], State::Degraded));
    }

    #[test]
    fn full_disks_that_stop_all_writing_are_down_and_servers_that_wait_to_join_tell_nothing() {
        let full = Some(StoreStatus { full: true, ..StoreStatus::default() });
        let mut survey = well();
        survey.members[1].store = full;
        assert_eq!(state(&judge(&survey)), State::Degraded);
        survey.members[2].store = full;
        assert_eq!((judge(&survey)[0].clone(), state(&judge(&survey))), (Trouble::NoRoom, State::Down));
        let mut survey = well();
        survey.members[0].store = full;
        assert_eq!(judge(&survey), [Trouble::NoRoom, Trouble::DiskFull("backend-1".into())]);
        let mut waiting = Survey { leader: None, ..well() };
        waiting.members.iter_mut().for_each(|member| (member.store_open, member.in_sync) = (false, false));
        waiting.members[2].alive = false;
        let outside = |name: &str| Trouble::Outside(name.into());
        assert_eq!(judge(&waiting), [Trouble::NoMember, outside("backend-1"), outside("backend-2")]);
        assert_eq!(state(&judge(&waiting)), State::Unknown);
    }

    #[test]
    fn without_a_leader_a_backend_or_anybody_it_is_down() {
        assert_eq!(judge(&Survey::default()), [Trouble::Nobody]);
        let mut survey = Survey { leader: None, can_lose_processes: 0, ..well() };
        survey.members.iter_mut().for_each(|member| member.in_sync = false);
        assert_eq!(judge(&survey), [Trouble::NoLeader]);
        let mut survey = well();
        survey.members.iter_mut().for_each(|member| member.info.role = Role::Coordinator);
        assert_eq!(judge(&survey), [Trouble::NoBackend]);
        assert_eq!(state(&judge(&survey)), State::Down);
    }
}
