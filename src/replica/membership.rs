//! Who should learn and who should vote: pure decisions for the leader, one change at a time.
//!
//! Whoever joined becomes a learner at once. Voters are the largest odd number, at most five, that can be seated
//! with members that are caught up, backends first; they are seated together, by joint consensus, so that the
//! number of voters is odd at every moment that lasts. Nobody is removed or demoted here yet.

use super::limits::VOTERS_MAX;
use crate::state::{RaftId, Role};

/// A member as the leader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    pub raft_id: RaftId,
    pub role: Role,
    pub voter: bool,
    pub learner: bool,
    /// Close enough behind the leader's commit to vote.
    pub caught_up: bool,
}

/// The next change of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    AddLearner(RaftId),
    /// All at once.
    Promote(Vec<RaftId>),
}

/// What to change next, if anything.
pub fn next_change(seats: &[Seat]) -> Option<Change> {
    if let Some(new) = seats.iter().find(|seat| !seat.voter && !seat.learner) {
        return Some(Change::AddLearner(new.raft_id));
    }
    let voters = seats.iter().filter(|seat| seat.voter).count();
    let mut ready: Vec<&Seat> = seats.iter().filter(|seat| seat.learner && seat.caught_up).collect();
    ready.sort_by_key(|seat| (seat.role, seat.raft_id));
    let possible = (voters + ready.len()).min(VOTERS_MAX);
    let wanted = if possible.is_multiple_of(2) { possible.saturating_sub(1) } else { possible };
    if wanted <= voters {
        return None;
    }
    Some(Change::Promote(ready[..wanted - voters].iter().map(|seat| seat.raft_id).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(raft_id: RaftId, role: Role, voter: bool, caught_up: bool) -> Seat {
        Seat { raft_id, role, voter, learner: !voter, caught_up }
    }

    #[test]
    fn seats_are_filled_to_an_odd_number_backends_first() {
        use Role::{Backend, Coordinator};
        let founder = seat(1, Coordinator, true, true);
        assert_eq!(next_change(&[founder]), None);
        assert_eq!(next_change(&[founder, seat(2, Backend, false, true)]), None);
        let mut seats = vec![founder, seat(2, Coordinator, false, true), seat(3, Backend, false, true)];
        assert_eq!(next_change(&seats), Some(Change::Promote(vec![3, 2])));
        seats.push(seat(4, Backend, false, true));
        assert_eq!(next_change(&seats), Some(Change::Promote(vec![3, 4])));
        seats.push(seat(5, Backend, false, false));
        assert_eq!(next_change(&seats), Some(Change::Promote(vec![3, 4])));
        seats[4].caught_up = true;
        assert_eq!(next_change(&seats), Some(Change::Promote(vec![3, 4, 5, 2])));
        seats.push(Seat { raft_id: 9, role: Backend, voter: false, learner: false, caught_up: false });
        assert_eq!(next_change(&seats), Some(Change::AddLearner(9)));
    }

    #[test]
    fn five_are_enough() {
        let seats: Vec<Seat> = (1..=7).map(|id| seat(id, Role::Backend, id <= 5, true)).collect();
        assert_eq!(next_change(&seats), None);
    }
}
