//! Decides which members vote and which only learn. Pure: the leader carries the decision out, one change at a time.
//!
//! - A new member becomes a learner at once; a lost member is removed.
//! - The number of voters is the largest odd number, at most five, for which there are caught-up members, backends first.
//!   Several members become voters in one change, by joint consensus.
//! - A voter that has been silent for a while is replaced by a caught-up learner. Without a replacement it keeps its seat
//!   for much longer. Then it is demoted, but only if the remaining voters are an odd number of at least three: fewer would
//!   not make the cluster safer.
//! - A caught-up backend takes the seat of a coordinator when no seat is free.
//! - A demoted member keeps its id and its data. It votes again once it has caught up and a seat is free.
//!
//! The number of voters is even only while a lost or drained member has no replacement. The leader never removes its own
//! seat: it hands over leadership first.
//!
//! No member is added or removed if the resulting voters would have no quorum among the present members: the cluster would
//! stop until one of the others is back. Meanwhile a member that is to go keeps its seat.

use super::limits::VOTERS_MAX;
use ribbit_state::rows::Standing;
use ribbit_state::{RaftId, Role};
use std::fmt;

/// Minimum number of voters that remain when silent voters are demoted without a replacement.
const VOTERS_MIN: usize = 3;

/// Member as the leader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) raft_id: RaftId,
    pub(crate) role: Role,
    pub(crate) standing: Standing,
    pub(crate) voter: bool,
    pub(crate) learner: bool,
    /// Heard recently, and close enough behind the leader's commit to vote.
    pub(crate) caught_up: bool,
    /// Heard recently.
    pub(crate) present: bool,
    pub(crate) silence: Silence,
}

/// Time for which the leader has not heard a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Silence {
    /// Too short to matter.
    None,
    /// Long enough for its seat to go to a learner that is present.
    Long,
    /// Long enough to lose its seat without a replacement.
    Endless,
}

/// Change of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SeatChange {
    /// New members that become learners.
    pub(crate) learn: Vec<RaftId>,
    /// Learners that become voters.
    pub(crate) promote: Vec<RaftId>,
    /// Voters that become learners.
    pub(crate) demote: Vec<RaftId>,
    /// Lost members that are removed.
    pub(crate) remove: Vec<RaftId>,
}

/// For the log: what changes and the Raft ids of the members.
impl fmt::Display for SeatChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("new learners", &self.learn),
            ("learners to voters", &self.promote),
            ("voters to learners", &self.demote),
            ("removed", &self.remove),
        ];
        let mut separator = "";
        for (what, ids) in parts.into_iter().filter(|(_, ids)| !ids.is_empty()) {
            write!(f, "{separator}{what} {ids:?}")?;
            separator = ", ";
        }
        Ok(())
    }
}

impl SeatChange {
    /// Returns true if nothing changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.learn.is_empty() && self.promote.is_empty() && self.demote.is_empty() && self.remove.is_empty()
    }
}

/// Returns the next change, if one is needed.
pub(crate) fn next_change(leader: RaftId, seats: &[Seat]) -> Option<SeatChange> {
    let new = seats.iter().find(|seat| !seat.voter && !seat.learner && seat.standing != Standing::Lost);
    if let Some(new) = new {
        return Some(SeatChange { learn: vec![new.raft_id], ..SeatChange::default() });
    }
    let keeps_quorum = |change: &SeatChange| leaves_a_majority(seats, change);
    let leaves = |seat: &Seat| seat.standing != Standing::Wanted && seat.raft_id != leader;
    let change = change_seats(leader, seats, &leaves).filter(keeps_quorum);
    change.or_else(|| change_seats(leader, seats, &|_| false).filter(keeps_quorum))
}

/// Returns true if a majority of the voters after this change is present, or if the change leaves the voters as they are.
fn leaves_a_majority(seats: &[Seat], change: &SeatChange) -> bool {
    let leaves =
        |seat: &&Seat| change.demote.contains(&seat.raft_id) || change.remove.contains(&seat.raft_id);
    let votes =
        |seat: &&Seat| if seat.voter { !leaves(seat) } else { change.promote.contains(&seat.raft_id) };
    let voters = seats.iter().filter(votes).count();
    let present = seats.iter().filter(votes).filter(|seat| seat.present).count();
    present > voters / 2 || seats.iter().all(|seat| seat.voter == votes(&seat))
}

/// Returns the change that gives every member its proper seat, if one is needed. Voters for which `leaves` is true lose
/// theirs.
fn change_seats(leader: RaftId, seats: &[Seat], leaves: &dyn Fn(&Seat) -> bool) -> Option<SeatChange> {
    let ids = |found: Vec<&Seat>| found.iter().map(|seat| seat.raft_id).collect::<Vec<RaftId>>();
    let lost = |seat: &&Seat| seat.standing == Standing::Lost && seat.raft_id != leader;
    let mut ready: Vec<&Seat> = seats
        .iter()
        .filter(|seat| seat.learner && seat.caught_up && seat.standing == Standing::Wanted)
        .collect();
    ready.sort_by_key(|seat| (seat.role, seat.raft_id));
    let (leaving, staying): (Vec<&Seat>, Vec<&Seat>) =
        seats.iter().filter(|seat| seat.voter).partition(|seat| leaves(seat));
    let mut silent: Vec<&Seat> =
        staying.iter().copied().filter(|seat| seat.silence >= Silence::Long).collect();
    // A silent coordinator loses its seat before a silent backend.
    silent.sort_by_key(|seat| (std::cmp::Reverse(seat.silence), std::cmp::Reverse(seat.role), seat.raft_id));

    // Ready learners take the seats of leaving voters first, then those of silent voters, then free seats.
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
    let change = SeatChange {
        learn: Vec::new(),
        promote: ids(ready[..promoted].to_vec()),
        demote: ids(demoted),
        remove: ids(removed),
    };
    if change.is_empty() { backends_first(leader, &ready, &staying) } else { Some(change) }
}

/// Returns the change in which a ready backend takes the seat of a coordinator, if there are both. The leader's seat is
/// taken last, after it has handed over leadership.
fn backends_first(leader: RaftId, ready: &[&Seat], staying: &[&Seat]) -> Option<SeatChange> {
    let backend = ready.iter().find(|seat| seat.role == Role::Backend)?;
    let gives_way = |seat: &&&Seat| seat.role == Role::Coordinator && seat.raft_id != leader;
    let coordinator = staying.iter().filter(gives_way).max_by_key(|seat| (seat.silence, seat.raft_id))?;
    let (promote, demote) = (vec![backend.raft_id], vec![coordinator.raft_id]);
    Some(SeatChange { promote, demote, ..SeatChange::default() })
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

    /// Makes a member absent, for this kind of silence.
    fn silent(seat: &mut Seat, silence: Silence) {
        (seat.present, seat.caught_up, seat.silence) = (false, false, silence);
    }

    fn five() -> Vec<Seat> {
        (1..=5).map(|id| seat(id, if id < 4 { Backend } else { Coordinator }, true)).collect()
    }

    fn promote(ids: &[RaftId]) -> Option<SeatChange> {
        Some(SeatChange { promote: ids.to_vec(), ..SeatChange::default() })
    }

    #[test]
    fn a_backend_that_joins_later_takes_the_seat_of_a_coordinator() {
        let founder = seat(1, Coordinator, true);
        let mut seats =
            vec![founder, seat(2, Coordinator, true), seat(3, Backend, true), seat(4, Backend, false)];
        let swap = SeatChange { promote: vec![4], demote: vec![2], ..SeatChange::default() };
        assert_eq!(next_change(ME, &seats), Some(swap));
        (seats[1], seats[3]) = (seat(2, Coordinator, false), seat(4, Backend, true));
        assert_eq!(next_change(ME, &seats), None);
        // The founder's seat is taken once another member leads.
        seats.push(seat(5, Backend, false));
        seats[1].caught_up = false;
        let swap = SeatChange { promote: vec![5], demote: vec![1], ..SeatChange::default() };
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
        assert_eq!(next_change(ME, &seats), Some(SeatChange { learn: vec![9], ..SeatChange::default() }));
    }

    #[test]
    fn there_are_at_most_five_voters() {
        let mut seats = five();
        seats.push(seat(6, Coordinator, false));
        seats.push(seat(7, Coordinator, false));
        assert_eq!(next_change(ME, &seats), None);
    }

    #[test]
    fn a_silent_voter_is_replaced_by_a_present_learner() {
        let mut seats = five();
        silent(&mut seats[4], Silence::Long);
        assert_eq!(next_change(ME, &seats), None);
        seats.push(seat(6, Backend, false));
        let swap = SeatChange { promote: vec![6], demote: vec![5], ..SeatChange::default() };
        assert_eq!(next_change(ME, &seats), Some(swap));
    }

    #[test]
    fn endless_silence_costs_the_seat_only_where_that_makes_the_cluster_safer() {
        let mut seats = five();
        silent(&mut seats[4], Silence::Endless);
        assert_eq!(next_change(ME, &seats), None, "four voters are no safer than five with one absent");
        silent(&mut seats[3], Silence::Endless);
        let demote = SeatChange { demote: vec![4, 5], ..SeatChange::default() };
        assert_eq!(next_change(ME, &seats), Some(demote));
        let mut three: Vec<Seat> = five()[..3].to_vec();
        silent(&mut three[1], Silence::Endless);
        silent(&mut three[2], Silence::Endless);
        assert_eq!(next_change(ME, &three), None, "never below three");
    }

    #[test]
    fn lost_members_are_removed_and_replaced_by_a_ready_learner() {
        let mut seats = five();
        seats[1].standing = Standing::Lost;
        let remove = SeatChange { remove: vec![2], ..SeatChange::default() };
        assert_eq!(next_change(ME, &seats), Some(remove));
        seats.push(seat(6, Backend, false));
        let swap = SeatChange { promote: vec![6], remove: vec![2], ..SeatChange::default() };
        assert_eq!(next_change(ME, &seats), Some(swap));
        seats[1].voter = false;
        seats[1].learner = true;
        let both = SeatChange { promote: vec![6], remove: vec![2], ..SeatChange::default() };
        assert_eq!(next_change(ME, &seats), Some(both));
        seats[1].learner = false;
        assert_eq!(next_change(ME, &seats), promote(&[6]));
    }

    #[test]
    fn a_drained_voter_is_demoted_unless_it_leads() {
        let mut seats = five();
        seats[2].standing = Standing::Drained;
        assert_eq!(next_change(ME, &seats), Some(SeatChange { demote: vec![3], ..SeatChange::default() }));
        assert_eq!(next_change(3, &seats), None);
    }

    #[test]
    fn no_member_is_removed_where_the_rest_would_have_no_quorum() {
        for standing in [Standing::Drained, Standing::Lost] {
            let mut three: Vec<Seat> = five()[..3].to_vec();
            three[1].standing = standing;
            let change = next_change(ME, &three).expect("both others are present");
            assert_eq!([change.demote, change.remove].concat(), [2]);
            silent(&mut three[2], Silence::None);
            assert_eq!(next_change(ME, &three), None, "the remaining member could commit nothing");
            // A present learner makes up for it.
            three.push(seat(6, Backend, false));
            let change = next_change(ME, &three).expect("two of three are present");
            assert_eq!((change.promote, [change.demote, change.remove].concat()), (vec![6], vec![2]));

            let mut seats = five();
            seats[1].standing = standing;
            silent(&mut seats[3], Silence::None);
            assert!(next_change(ME, &seats).is_some(), "three of four are present");
            silent(&mut seats[4], Silence::Long);
            assert_eq!(next_change(ME, &seats), None, "two of four are no majority");
            // Once a silent voter is demoted as well, two of the three remaining voters are present.
            (seats[3].silence, seats[4].silence) = (Silence::Endless, Silence::Endless);
            let change = next_change(ME, &seats).expect("two of three are present");
            assert_eq!([change.demote, change.remove].concat(), [4, 2]);
        }
    }

    #[test]
    fn no_learner_is_promoted_where_the_voters_would_have_no_quorum() {
        let mut seats = vec![seat(1, Backend, true), seat(2, Backend, false), seat(3, Backend, false)];
        assert_eq!(next_change(ME, &seats), promote(&[2, 3]));
        seats[2].present = false;
        seats[1].present = false;
        assert_eq!(next_change(ME, &seats), None);
        // A change that leaves the voters as they are is made.
        seats[2].standing = Standing::Lost;
        (seats[1].caught_up, seats[2].caught_up) = (false, false);
        assert_eq!(next_change(ME, &seats), Some(SeatChange { remove: vec![3], ..SeatChange::default() }));
    }

    #[test]
    fn a_learner_joins_four_voters_to_make_five() {
        let mut seats = five();
        seats[4] = seat(5, Coordinator, false);
        assert_eq!(next_change(ME, &seats), promote(&[5]));
    }
}
