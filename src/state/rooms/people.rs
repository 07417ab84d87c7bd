//! The rules of the people in a room: inviting, removing and ranks.
//!
//! - Every member may invite people into an open room; the owner and the moderators may into a room by invitation.
//! - The owner and the moderators may remove members; only the owner may remove a moderator. A person who was removed from an
//!   open room may join again once the owner or a moderator invites them.
//! - Only the owner gives ranks.

use super::ties::{Actor, counts_of, forget_guest, rooms_of};
use crate::code::{Code, Denied, Field};
use crate::command::Reply;
use crate::ids::{AccountId, RoomId};
use crate::lookup::named;
use crate::notices;
use crate::rows::{
    Change, NoticeKind, RoomCountsOf, RoomGuest, RoomGuests, RoomMember, RoomMembers, RoomRank, RoomTie,
    RoomsOf, View, get,
};
use crate::rule::{ApplyContext, Bounds, Decision, checked};
use crate::visibility::blocks::check_contact;

pub(crate) fn invite<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    actor: &Actor,
    username: &str,
) -> Result<Decision, V::Error> {
    let rank = checked!(actor.invites());
    let (id, who) = (actor.seen.id, checked!(named(view, username)?).0);
    checked!(check_contact(view, actor.me, who)?);
    if get::<RoomMembers, V>(view, &(id, who))?.is_some() {
        return Ok(Err(Denied::of(Code::AlreadyInRoom, Field::Username)));
    }
    let mut counts = counts_of(view, id)?;
    match get::<RoomGuests, V>(view, &(id, who))? {
        Some(RoomGuest::Invited { .. }) => return Ok(Ok((Vec::new(), Reply::Done))),
        Some(RoomGuest::Removed) if rank < RoomRank::Moderator => {
            return Ok(Err(Denied::new(Code::NotRoomModerator)));
        }
        Some(RoomGuest::Removed) => {}
        None => counts.guests += 1,
    }
    let full = counts.guests as usize > bounds.room_guests_max
        || rooms_of(view, who, RoomTie::Invited)?.len() >= bounds.room_invitations_max;
    if full {
        return Ok(Err(Denied::of(Code::TooManyInvitations, Field::Username)));
    }
    let mut changes = vec![
        Change::put::<RoomGuests>(&(id, who), &RoomGuest::Invited { by: actor.me }),
        Change::put::<RoomsOf>(&(who, id), &RoomTie::Invited),
        Change::put::<RoomCountsOf>(&id, &counts),
    ];
    let kind = NoticeKind::Invitation { room: id.0 };
    notices::notify(bounds, view, context, &mut changes, (who, actor.me), kind)?;
    Ok(Ok((changes, Reply::Done)))
}

pub(crate) fn withdraw<V: View>(
    bounds: &Bounds,
    view: &V,
    actor: &Actor,
    username: &str,
) -> Result<Decision, V::Error> {
    checked!(actor.rank());
    let (id, who) = (actor.seen.id, checked!(named(view, username)?).0);
    let guest = get::<RoomGuests, V>(view, &(id, who))?;
    match guest {
        // Members may withdraw their own invitations.
        Some(RoomGuest::Invited { by }) if by == actor.me => {}
        Some(RoomGuest::Invited { .. } | RoomGuest::Removed) => checked!(actor.moderates()),
        None => return Ok(Err(Denied::of(Code::NotInvited, Field::Username))),
    }
    let mut changes = forget_guest(view, id, who)?;
    forget_invitation(bounds, view, &mut changes, (id, who), guest)?;
    Ok(Ok((changes, Reply::Done)))
}

/// Removes the notice of an invitation that is over.
pub(crate) fn forget_invitation<V: View>(
    bounds: &Bounds,
    view: &V,
    changes: &mut Vec<Change>,
    (id, who): (RoomId, AccountId),
    guest: Option<RoomGuest>,
) -> Result<(), V::Error> {
    match guest {
        Some(RoomGuest::Invited { by }) => {
            let kind = NoticeKind::Invitation { room: id.0 };
            notices::withdraw(bounds, view, changes, (who, by), kind)
        }
        Some(RoomGuest::Removed) | None => Ok(()),
    }
}

pub(crate) fn remove<V: View>(
    bounds: &Bounds,
    view: &V,
    actor: &Actor,
    username: &str,
) -> Result<Decision, V::Error> {
    checked!(actor.moderates());
    let (id, who, member) = checked!(target(view, actor, username)?);
    if member.rank >= RoomRank::Moderator {
        checked!(actor.owns());
    }
    let mut counts = counts_of(view, id)?;
    counts.members = counts.members.saturating_sub(1);
    let mut changes = vec![Change::remove::<RoomMembers>(&(id, who))];
    // A room by invitation needs no record: joining it again takes an invitation anyway.
    if actor.seen.room.open && (counts.guests as usize) < bounds.room_guests_max {
        counts.guests += 1;
        changes.push(Change::put::<RoomGuests>(&(id, who), &RoomGuest::Removed));
        changes.push(Change::put::<RoomsOf>(&(who, id), &RoomTie::Removed));
    } else {
        changes.push(Change::remove::<RoomsOf>(&(who, id)));
    }
    changes.push(Change::put::<RoomCountsOf>(&id, &counts));
    Ok(Ok((changes, Reply::Done)))
}

pub(crate) fn set_rank<V: View>(
    view: &V,
    actor: &Actor,
    username: &str,
    rank: RoomRank,
) -> Result<Decision, V::Error> {
    checked!(actor.owns());
    let (id, who, member) = checked!(target(view, actor, username)?);
    let mut changes = vec![Change::put::<RoomMembers>(&(id, who), &RoomMember { rank, ..member })];
    if rank == RoomRank::Owner
        && let Some(mine) = get::<RoomMembers, V>(view, &(id, actor.me))?
    {
        let mine = RoomMember { rank: RoomRank::Moderator, ..mine };
        changes.push(Change::put::<RoomMembers>(&(id, actor.me), &mine));
    }
    Ok(Ok((changes, Reply::Done)))
}

/// Returns another member of the actor's room.
fn target<V: View>(
    view: &V,
    actor: &Actor,
    username: &str,
) -> Result<Result<(RoomId, AccountId, RoomMember), Denied>, V::Error> {
    let who = checked!(named(view, username)?).0;
    if who == actor.me {
        return Ok(Err(Denied::of(Code::Yourself, Field::Username)));
    }
    let id = actor.seen.id;
    let member = get::<RoomMembers, V>(view, &(id, who))?;
    Ok(member.map(|member| (id, who, member)).ok_or(Denied::of(Code::PersonNotInRoom, Field::Username)))
}
