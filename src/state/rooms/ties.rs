//! Shared parts of the rules of rooms: the account that acts, lookups, and the changes by which an account leaves.

use crate::code::{Code, Denied};
use crate::ids::{AccountId, LogIndex, RoomId};
use crate::limits::{ROOM_MEMBERS_MAX, ROOMS_SCANNED_MAX};
use crate::lookup::is_live;
use crate::rows::{
    Change, Order, Room, RoomCounts, RoomCountsOf, RoomGuests, RoomMember, RoomMembers, RoomNames, RoomRank,
    RoomTie, RoomTotals, RoomTotalsRow, Rooms, RoomsOf, Sweeps, View, get, scan,
};
use crate::visibility::rooms::SeenRoom;

/// An account that acts on a room it may see.
pub(crate) struct Actor {
    pub(crate) me: AccountId,
    pub(crate) seen: SeenRoom,
}

impl Actor {
    /// Returns the rank of a member.
    ///
    /// # Errors
    /// 656 if the account is no member.
    pub(crate) fn rank(&self) -> Result<RoomRank, Denied> {
        self.seen.access.rank().ok_or(Denied::new(Code::NotInRoom))
    }

    /// Checks that the account is a moderator or the owner.
    ///
    /// # Errors
    /// 656 if it is no member, 664 if it is no moderator.
    pub(crate) fn moderates(&self) -> Result<(), Denied> {
        if self.rank()? >= RoomRank::Moderator { Ok(()) } else { Err(Denied::new(Code::NotRoomModerator)) }
    }

    /// Checks that the account may invite people, and returns its rank.
    ///
    /// # Errors
    /// 656 if it is no member, 664 if it is no moderator and the room is not open.
    pub(crate) fn invites(&self) -> Result<RoomRank, Denied> {
        if !self.seen.room.open {
            self.moderates()?;
        }
        self.rank()
    }

    /// Checks that the account is the owner.
    ///
    /// # Errors
    /// 656 if it is no member, 665 if it is not the owner.
    pub(crate) fn owns(&self) -> Result<(), Denied> {
        if self.rank()? == RoomRank::Owner { Ok(()) } else { Err(Denied::new(Code::NotRoomOwner)) }
    }
}

pub(crate) fn counts_of<V: View>(view: &V, id: RoomId) -> Result<RoomCounts, V::Error> {
    Ok(get::<RoomCountsOf, V>(view, &id)?.unwrap_or_default())
}

pub(crate) fn totals<V: View>(view: &V) -> Result<RoomTotals, V::Error> {
    Ok(get::<RoomTotalsRow, V>(view, &())?.unwrap_or_default())
}

/// Returns the rooms that an account is tied to, at most `ROOMS_SCANNED_MAX`.
pub(crate) fn ties_of<V: View>(view: &V, account: AccountId) -> Result<Vec<(RoomId, RoomTie)>, V::Error> {
    let (from, to) = ((account, RoomId(0)), (account, RoomId(LogIndex::MAX)));
    let rows = scan::<RoomsOf, V>(view, &from, &to, Order::OldestFirst, ROOMS_SCANNED_MAX)?;
    Ok(rows.into_iter().map(|((_, room), tie)| (room, tie)).collect())
}

/// Returns the rooms to which an account has this tie, in the order of their ids. Closed rooms do not count.
pub(crate) fn rooms_of<V: View>(
    view: &V,
    account: AccountId,
    wanted: RoomTie,
) -> Result<Vec<RoomId>, V::Error> {
    let mut rooms = Vec::new();
    for (id, tie) in ties_of(view, account)? {
        if tie == wanted && get::<Rooms, V>(view, &id)?.is_some_and(|room| !room.closed) {
            rooms.push(id);
        }
    }
    Ok(rooms)
}

/// Takes a member out of a room that is not closed. Another member becomes the owner if the owner goes; without one, the room
/// closes.
pub(crate) fn take_out<V: View>(
    view: &V,
    (id, room): (RoomId, Room),
    who: AccountId,
    member: RoomMember,
    totals: &mut RoomTotals,
    changes: &mut Vec<Change>,
) -> Result<(), V::Error> {
    let mut counts = counts_of(view, id)?;
    counts.members = counts.members.saturating_sub(1);
    changes.push(Change::remove::<RoomMembers>(&(id, who)));
    changes.push(Change::remove::<RoomsOf>(&(who, id)));
    changes.push(Change::put::<RoomCountsOf>(&id, &counts));
    if member.rank < RoomRank::Owner {
        return Ok(());
    }
    match next_owner(view, id, who)? {
        Some((heir, member)) => {
            let owner = RoomMember { rank: RoomRank::Owner, ..member };
            changes.push(Change::put::<RoomMembers>(&(id, heir), &owner));
        }
        None => close(id, room, totals, changes),
    }
    Ok(())
}

/// Returns the live member that becomes the owner after `who`: the moderator who joined first, else the member who did.
fn next_owner<V: View>(
    view: &V,
    id: RoomId,
    who: AccountId,
) -> Result<Option<(AccountId, RoomMember)>, V::Error> {
    let (from, to) = ((id, AccountId(0)), (id, AccountId(LogIndex::MAX)));
    let rows = scan::<RoomMembers, V>(view, &from, &to, Order::OldestFirst, ROOM_MEMBERS_MAX)?;
    let mut heirs: Vec<_> = rows.into_iter().map(|((_, account), member)| (account, member)).collect();
    heirs.sort_by_key(|(account, member)| (std::cmp::Reverse(member.rank), member.joined, *account));
    for (heir, member) in heirs {
        if heir != who && is_live(view, heir)? {
            return Ok(Some((heir, member)));
        }
    }
    Ok(None)
}

/// Removes what is recorded of an account that is no member.
pub(crate) fn forget_guest<V: View>(view: &V, id: RoomId, who: AccountId) -> Result<Vec<Change>, V::Error> {
    let mut counts = counts_of(view, id)?;
    counts.guests = counts.guests.saturating_sub(1);
    Ok(vec![
        Change::remove::<RoomGuests>(&(id, who)),
        Change::remove::<RoomsOf>(&(who, id)),
        Change::put::<RoomCountsOf>(&id, &counts),
    ])
}

/// Closes a room for every reader. Its rows are swept later.
pub(crate) fn close(id: RoomId, room: Room, totals: &mut RoomTotals, changes: &mut Vec<Change>) {
    totals.rooms = totals.rooms.saturating_sub(1);
    changes.push(Change::remove::<RoomNames>(&room.name));
    changes.push(Change::put::<Rooms>(&id, &Room { topic: String::new(), closed: true, ..room }));
    changes.push(Change::put::<Sweeps>(&AccountId(id.0), &()));
}
