//! Who should learn and who should vote: pure decisions for the leader, one change at a time.
//!
//! - Whoever joined learns at once; whoever is lost leaves.
//! - Voters are the largest odd number, at most five, that can be seated with members that are caught up, backends
//!   first; they are seated together, by joint consensus.
//! - A voter that has been silent for a while is swapped for a caught-up learner. Without one it keeps its seat for
//!   much longer, then is demoted, but only where the voters that are left are an odd number and three at least:
//!   fewer would not make the group safer.
//! - A caught-up backend takes the seat of a coordinator when there is no free one.
//! - A demoted member keeps its id and its data; it votes again once it has caught up and there is a seat.
//!
//! The number of voters is even only while a lost or drained member has no replacement. The leader never takes
//! its own seat away: it steps aside first.
//!
//! Nobody is taken out, or in, where the voters that there would be then have no majority that is there now: the group
//! would stand still until one of them is back. Who is to go keeps the seat meanwhile.

use super::limits::VOTERS_MAX;
use crate::state::rows::Standing;
use crate::state::{RaftId, Role};

/// Voters are not demoted for silence below this number.
const VOTERS_MIN: usize = 3;

/// A member as the leader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    pub raft_id: RaftId,
    pub role: Role,
    pub standing: Standing,
    pub voter: bool,
    pub learner: bool,
    /// Close enough behind the leader's commit to vote, and heard lately.
    pub caught_up: bool,
    /// Heard lately.
    pub present: bool,
    pub silence: Silence,
}

/// How long the leader has not heard somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Silence {
    None,
    /// Long enough for its seat to go to a learner that is there.
    Long,
    /// So long that it loses its seat without a replacement.
    Endless,
}

/// The next change of the configuration; empty in every part but what changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Joined, now to learn.
    pub learn: Vec<RaftId>,
    pub promote: Vec<RaftId>,
    /// Voters that learn from now on.
    pub demote: Vec<RaftId>,
    /// Lost.
    pub remove: Vec<RaftId>,
}

impl Change {
    pub fn is_empty(&self) -> bool {
        self.learn.is_empty() && self.promote.is_empty() && self.demote.is_empty() && self.remove.is_empty()
    }
}

/// What to change next, if anything.
pub fn next_change(leader: RaftId, seats: &[Seat]) -> Option<Change> {
    let new = seats.iter().find(|seat| !seat.voter && !seat.learner && seat.standing != Standing::Lost);
    if let Some(new) = new {
        return Some(Change { learn: vec![new.raft_id], ..Change::default() });
    }
    let lives = |change: &Change| leaves_a_majority(seats, change);
    let goes = |seat: &Seat| seat.standing != Standing::Wanted && seat.raft_id != leader;
    let change = change_seats(leader, seats, &goes).filter(lives);
    change.or_else(|| change_seats(leader, seats, &|_| false).filter(lives))
}

/// Whether a majority of those who vote after this change is there now, or nobody's vote changes.
fn leaves_a_majority(seats: &[Seat], change: &Change) -> bool {
    let leaves =
        |seat: &&Seat| change.demote.contains(&seat.raft_id) || change.remove.contains(&seat.raft_id);
    let votes =
        |seat: &&Seat| if seat.voter { !leaves(seat) } else { change.promote.contains(&seat.raft_id) };
    let voters = seats.iter().filter(votes).count();
    let present = seats.iter().filter(votes).filter(|seat| seat.present).count();
    present > voters / 2 || seats.iter().all(|seat| seat.voter == votes(&seat))
}

/// The change that gives everybody the seat they should have; voters who go, if any, lose theirs.
fn change_seats(leader: RaftId, seats: &[Seat], goes: &dyn Fn(&Seat) -> bool) -> Option<Change> {
    let ids = |found: Vec<&Seat>| found.iter().map(|seat| seat.raft_id).collect::<Vec<RaftId>>();
    let lost = |seat: &&Seat| seat.standing == Standing::Lost && seat.raft_id != leader;
    let mut ready: Vec<&Seat> = seats
        .iter()
        .filter(|seat| seat.learner && seat.caught_up && seat.standing == Standing::Wanted)
        .collect();
    ready.sort_by_key(|seat| (seat.role, seat.raft_id));
    let (leaving, staying): (Vec<&Seat>, Vec<&Seat>) =
        seats.iter().filter(|seat| seat.voter).partition(|seat| goes(seat));
    let mut silent: Vec<&Seat> =
        staying.iter().copied().filter(|seat| seat.silence >= Silence::Long).collect();
    // A silent coordinator gives way before a silent backend.
    silent.sort_by_key(|seat| (std::cmp::Reverse(seat.silence), std::cmp::Reverse(seat.role), seat.raft_id));

    // A learner that is there takes the seat of one that leaves, then of one that is silent, then a free one.
    let kept = staying.len();
    let swapped = silent.len().min(ready.len().saturating_sub(leaving.len()));
    let mut demoted: Vec<&Seat> = silent[..swapped].to_vec();
    let possible = (kept - swapped + ready.len()).min(VOTERS_MAX.max(kept));
    let wanted = if possible.is_multiple_of(2) && !ready.is_empty() { possible - 1 } else { possible };
    let promoted = wanted.saturating_sub(kept - swapped).min(ready.len());

    let left = kept - swapped + promoted;
    let endless: Vec<&Seat> =
        silent[swapped..].iter().copied().filter(|seat| seat.silence == Silence::Endless).collect();
    let fewer =
        (VOTERS_MIN..left).rev().find(|fewer| !fewer.is_multiple_of(2) && left - fewer <= endless.len());
    demoted.extend(&endless[..fewer.map_or(0, |fewer| left - fewer)]);

    let (removed, drained): (Vec<&Seat>, Vec<&Seat>) = leaving.into_iter().partition(lost);
    demoted.extend(drained);
    let removed = removed.into_iter().chain(seats.iter().filter(|seat| seat.learner).filter(lost)).collect();
    let change = Change {
        learn: Vec::new(),
        promote: ids(ready[..promoted].to_vec()),
        demote: ids(demoted),
        remove: ids(removed),
    };
    if change.is_empty() { backends_first(leader, &ready, &staying) } else { Some(change) }
}

/// A backend that came later, or came back, takes the seat of a coordinator: the leader's last, once it has handed over.
fn backends_first(leader: RaftId, ready: &[&Seat], staying: &[&Seat]) -> Option<Change> {
    let backend = ready.iter().find(|seat| seat.role == Role::Backend)?;
    let gives_way = |seat: &&&Seat| seat.role == Role::Coordinator && seat.raft_id != leader;
    let coordinator = staying.iter().filter(gives_way).max_by_key(|seat| (seat.silence, seat.raft_id))?;
    let (promote, demote) = (vec![backend.raft_id], vec![coordinator.raft_id]);
    Some(Change { promote, demote, ..Change::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Role::{Backend, Coordinator};

    const ME: RaftId = 1;

    fn seat(raft_id: RaftId, role: Role, voter: bool) -> Seat {
        let (standing, silence) = (Standing::Wanted, Silence::None);
        Seat { raft_id, role, standing, voter, learner: !voter, caught_up: true, present: true, silence }
    }

    /// Not heard for a while, however short.
    fn silent(seat: &mut Seat, silence: Silence) {
        (seat.present, seat.caught_up, seat.silence) = (false, false, silence);
    }

    fn five() -> Vec<Seat> {
        (1..=5).map(|id| seat(id, if id < 4 { Backend } else { Coordinator }, true)).collect()
    }

    fn promote(ids: &[RaftId]) -> Option<Change> {
        Some(Change { promote: ids.to_vec(), ..Change::default() })
    }

    #[test]
    fn a_backend_that_comes_later_takes_a_coordinators_seat() {
        let founder = seat(1, Coordinator, true);
        let mut seats =
            vec![founder, seat(2, Coordinator, true), seat(3, Backend, true), seat(4, Backend, false)];
        let swap = Change { promote: vec![4], demote: vec![2], ..Change::default() };
        assert_eq!(next_change(ME, &seats), Some(swap));
        (seats[1], seats[3]) = (seat(2, Coordinator, false), seat(4, Backend, true));
        assert_eq!(next_change(ME, &seats), None);
        // The founder's, once another leads.
        seats.push(seat(5, Backend, false));
        seats[1].caught_up = false;
        let swap = Change { promote: vec![5], demote: vec![1], ..Change::default() };
        assert_eq!(next_change(3, &seats), Some(swap));
        assert_eq!(next_change(ME, &seats), None);
    }

    #[test]
    fn seats_are_filled_to_an_odd_number_backends_first() {
        let founder = seat(1, Coordinator, true);
        assert_eq!(next_change(ME, &[founder]), None);
        assert_eq!(next_change(ME, &[founder, seat(2, Backend, false)]), None);
        let mut seats = vec![founder, seat(2, Coordinator, false), seat(3, Backend, false)];
        assert_eq!(next_change(ME, &seats), promote(&[3, 2]));
        seats.push(seat(4, Backend, false));
        assert_eq!(next_change(ME, &seats), promote(&[3, 4]));
        seats.push(Seat { caught_up: false, ..seat(5, Backend, false) });
        assert_eq!(next_change(ME, &seats), promote(&[3, 4]));
        seats[4].caught_up = true;
        assert_eq!(next_change(ME, &seats), promote(&[3, 4, 5, 2]));
        seats.push(Seat { learner: false, caught_up: false, ..seat(9, Backend, false) });
        assert_eq!(next_change(ME, &seats), Some(Change { learn: vec![9], ..Change::default() }));
    }

    #[test]
    fn five_are_enough() {
        let mut seats = five();
        seats.push(seat(6, Coordinator, false));
        seats.push(seat(7, Coordinator, false));
        assert_eq!(next_change(ME, &seats), None);
    }

    #[test]
    fn a_silent_voter_is_swapped_for_a_learner_that_is_there() {
        let mut seats = five();
        silent(&mut seats[4], Silence::Long);
        assert_eq!(next_change(ME, &seats), None);
        seats.push(seat(6, Backend, false));
        let swap = Change { promote: vec![6], demote: vec![5], ..Change::default() };
        assert_eq!(next_change(ME, &seats), Some(swap));
    }

    #[test]
    fn silence_without_end_costs_the_seat_only_where_that_makes_the_group_safer() {
        let mut seats = five();
        silent(&mut seats[4], Silence::Endless);
        assert_eq!(next_change(ME, &seats), None, "four are no safer than five of which one is gone");
        silent(&mut seats[3], Silence::Endless);
        let demote = Change { demote: vec![4, 5], ..Change::default() };
        assert_eq!(next_change(ME, &seats), Some(demote));
        let mut three: Vec<Seat> = five()[..3].to_vec();
        silent(&mut three[1], Silence::Endless);
        silent(&mut three[2], Silence::Endless);
        assert_eq!(next_change(ME, &three), None, "never below three");
    }

    #[test]
    fn the_lost_leave_and_are_replaced_if_somebody_is_there() {
        let mut seats = five();
        seats[1].standing = Standing::Lost;
        let remove = Change { remove: vec![2], ..Change::default() };
        assert_eq!(next_change(ME, &seats), Some(remove));
        seats.push(seat(6, Backend, false));
        let swap = Change { promote: vec![6], remove: vec![2], ..Change::default() };
        assert_eq!(next_change(ME, &seats), Some(swap));
        seats[1].voter = false;
        seats[1].learner = true;
        let both = Change { promote: vec![6], remove: vec![2], ..Change::default() };
        assert_eq!(next_change(ME, &seats), Some(both));
        seats[1].learner = false;
        assert_eq!(next_change(ME, &seats), promote(&[6]));
    }

    #[test]
    fn a_drained_voter_learns_and_the_leader_is_left_to_step_aside() {
        let mut seats = five();
        seats[2].standing = Standing::Drained;
        assert_eq!(next_change(ME, &seats), Some(Change { demote: vec![3], ..Change::default() }));
        assert_eq!(next_change(3, &seats), None);
    }

    #[test]
    fn nobody_is_taken_out_where_the_rest_would_stand_still() {
        for standing in [Standing::Drained, Standing::Lost] {
            let mut three: Vec<Seat> = five()[..3].to_vec();
            three[1].standing = standing;
            let goes = next_change(ME, &three).expect("both others are there");
            assert_eq!([goes.demote, goes.remove].concat(), [2]);
            silent(&mut three[2], Silence::None);
            assert_eq!(next_change(ME, &three), None, "the one that is left could commit nothing");
            // A learner that is there makes up for it.
            three.push(seat(6, Backend, false));
            let goes = next_change(ME, &three).expect("two of three are there");
            assert_eq!((goes.promote, [goes.demote, goes.remove].concat()), (vec![6], vec![2]));

            let mut seats = five();
            seats[1].standing = standing;
            silent(&mut seats[3], Silence::None);
            assert!(next_change(ME, &seats).is_some(), "three of four are there");
            silent(&mut seats[4], Silence::Long);
            assert_eq!(next_change(ME, &seats), None, "two of four are no majority");
            // With one that is given up at last: two of the three that are left are there.
            (seats[3].silence, seats[4].silence) = (Silence::Endless, Silence::Endless);
            let goes = next_change(ME, &seats).expect("two of three are there");
            assert_eq!([goes.demote, goes.remove].concat(), [4, 2]);
        }
    }

    #[test]
    fn nobody_is_seated_beside_the_silent_where_that_takes_the_majority_away() {
        let mut seats = vec![seat(1, Backend, true), seat(2, Backend, false), seat(3, Backend, false)];
        assert_eq!(next_change(ME, &seats), promote(&[2, 3]));
        seats[2].present = false;
        seats[1].present = false;
        assert_eq!(next_change(ME, &seats), None);
        // What changes nobody's vote is not held up.
        seats[2].standing = Standing::Lost;
        (seats[1].caught_up, seats[2].caught_up) = (false, false);
        assert_eq!(next_change(ME, &seats), Some(Change { remove: vec![3], ..Change::default() }));
    }

    #[test]
    fn four_voters_and_one_learner_are_five() {
        let mut seats = five();
        seats[4] = seat(5, Coordinator, false);
        assert_eq!(next_change(ME, &seats), promote(&[5]));
    }
}
