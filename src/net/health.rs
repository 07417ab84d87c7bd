//! Is the group well? Judged from a survey; pure. What is wrong is said in words by `ui::health`.
//!
//! Down means that people cannot do what they came for: nobody answers, nobody leads (nothing can be written), or no
//! backend serves. Degraded means that they can, and that somebody should look.

use super::survey::{MemberView, Survey};
use crate::state::Role;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Fine,
    Degraded,
    Down,
}

/// Something that is wrong, with the name of the member that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    Nobody,
    NoLeader,
    NoBackend,
    Missing(String),
    /// It is alive and does not belong to the group yet, or not any more.
    Outside(String),
    Behind(String),
    DiskFull(String),
    /// The next loss ends all writing. A group that has but one voter was never promised more.
    NothingToSpare,
}

impl Trouble {
    pub fn state(&self) -> State {
        match self {
            Trouble::Nobody | Trouble::NoLeader | Trouble::NoBackend => State::Down,
            _ => State::Degraded,
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
    let mut troubles = Vec::new();
    if survey.leader.is_none() {
        troubles.push(Trouble::NoLeader);
    }
    let serves = |member: &MemberView| member.alive && member.store_open && member.info.role == Role::Backend;
    if !survey.members.iter().any(serves) {
        troubles.push(Trouble::NoBackend);
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

fn of_member(survey: &Survey, member: &MemberView) -> Option<Trouble> {
    let name = || member.info.name();
    if !member.alive {
        Some(Trouble::Missing(name()))
    } else if !member.store_open {
        Some(Trouble::Outside(name()))
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
