//! The rules of what is said in rooms, and the removal of what is no longer needed.
//!
//! - A removed message leaves a row without a text, so that readers see the gap.
//! - All rooms together keep a bounded number of messages. Beyond it the oldest messages of the largest room go, a step at
//!   once, so that most messages cost no search for that room.
//! - A read position only rises, and never beyond the newest message. The unread messages of a member are those of others
//!   behind it.

use super::ties::{Actor, counts_of, forget_guest, take_out, ties_of, totals};
use crate::code::{Code, Denied};
use crate::command::Reply;
use crate::ids::{AccountId, LogIndex, RoomId};
use crate::limits::{ROOM_SWEEP_STEP, ROOMS_SCANNED_MAX};
use crate::notices;
use crate::rows::{
    Change, Key, NoticeKind, OPERATORS, Order, Room, RoomCounts, RoomCountsOf, RoomGuests, RoomMember,
    RoomMembers, RoomMessage, RoomMessages, RoomRank, RoomTie, RoomTotals, RoomTotalsRow, Rooms, RoomsOf,
    Sweeps, Table, View, get, scan,
};
use crate::rule::{ApplyContext, Bounds, Decision, checked};
use crate::text;
use crate::visibility::blocks::is_blocked_pair;
use crate::visibility::rooms::{RoomAccess, may_read_room, room_named};

/// Returns the member that acts, and the index from which it may read.
fn inside(actor: &Actor) -> Result<(RoomMember, LogIndex), Denied> {
    match actor.seen.access {
        RoomAccess::Inside { member, from } => Ok((member, from)),
        RoomAccess::Front(_) | RoomAccess::Hidden => Err(Denied::new(Code::NotInRoom)),
    }
}

pub(crate) fn say<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    actor: &Actor,
    said: &str,
) -> Result<Decision, V::Error> {
    checked!(inside(actor));
    checked!(text::check_message(said));
    let (id, index) = (actor.seen.id, context.index);
    let mut counts = counts_of(view, id)?;
    counts.messages += 1;
    counts.newest = index;
    let mut totals = totals(view)?;
    totals.messages += 1;
    let message =
        RoomMessage { from: actor.me, wall_ms: context.wall_ms, removed: None, text: text::croak_text(said) };
    let mut changes = vec![Change::put::<RoomMessages>(&(id, index), &message)];
    if totals.messages as usize > bounds.room_messages_max {
        trim(bounds, view, (id, &mut counts), &mut totals, &mut changes)?;
    }
    changes.push(Change::put::<RoomCountsOf>(&id, &counts));
    changes.push(Change::put::<RoomTotalsRow>(&(), &totals));
    notify_mentioned(bounds, view, context, &mut changes, (id, actor.me), &message.text)?;
    Ok(Ok((changes, Reply::Sent { message: index })))
}

/// Tells the members that a new message mentions. The message is the one of this command.
fn notify_mentioned<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    changes: &mut Vec<Change>,
    (room, from): (RoomId, AccountId),
    text: &str,
) -> Result<(), V::Error> {
    let kind = NoticeKind::RoomMention { room, message: context.index };
    for account in notices::mentioned_in(view, text)? {
        if get::<RoomMembers, V>(view, &(room, account))?.is_some() {
            notices::notify(bounds, view, context, changes, (account, from), kind)?;
        }
    }
    Ok(())
}

/// Returns a message that the account may read, and its room.
pub(crate) fn readable<V: View>(
    view: &V,
    me: AccountId,
    room: &str,
    message: LogIndex,
) -> Result<Result<(RoomId, RoomMessage), Denied>, V::Error> {
    let seen = checked!(room_named(view, me, room)?);
    let RoomAccess::Inside { from, .. } = seen.access else {
        return Ok(Err(Denied::new(Code::NotInRoom)));
    };
    let row = get::<RoomMessages, V>(view, &(seen.id, message))?;
    match row.filter(|row| message >= from && row.removed.is_none()) {
        Some(row) if !is_blocked_pair(view, me, row.from)? => Ok(Ok((seen.id, row))),
        _ => Ok(Err(Denied::new(Code::NoSuchMessage))),
    }
}

/// Returns the changes that remove a message in the name of the operators; none if it is gone.
pub(crate) fn remove_by_operators<V: View>(
    view: &V,
    room: RoomId,
    message: LogIndex,
) -> Result<Vec<Change>, V::Error> {
    match get::<RoomMessages, V>(view, &(room, message))?.filter(|row| row.removed.is_none()) {
        Some(row) => gap(view, (room, message), row, OPERATORS),
        None => Ok(Vec::new()),
    }
}

/// Returns the changes that leave a gap in place of a message, and withdraw what it has told.
fn gap<V: View>(
    view: &V,
    key: (RoomId, LogIndex),
    row: RoomMessage,
    by: AccountId,
) -> Result<Vec<Change>, V::Error> {
    let mut changes = Vec::new();
    notices::text_removed(view, &mut changes, key.1, row.from, &row.text)?;
    let gap = RoomMessage { removed: Some(by), text: String::new(), ..row };
    changes.push(Change::put::<RoomMessages>(&key, &gap));
    Ok(changes)
}

/// Removes the oldest messages of the largest room, the oldest room of several. `said` is the room of the new message, whose
/// counts the view does not have yet.
fn trim<V: View>(
    bounds: &Bounds,
    view: &V,
    said: (RoomId, &mut RoomCounts),
    totals: &mut RoomTotals,
    changes: &mut Vec<Change>,
) -> Result<(), V::Error> {
    let (from, to) = (RoomId(0), RoomId(LogIndex::MAX));
    let mut largest: (RoomId, RoomCounts) = (said.0, *said.1);
    for (id, counts) in scan::<RoomCountsOf, V>(view, &from, &to, Order::OldestFirst, ROOMS_SCANNED_MAX)? {
        let counts = if id == said.0 { *said.1 } else { counts };
        let larger = counts.messages > largest.1.messages;
        if larger || (counts.messages == largest.1.messages && id < largest.0) {
            largest = (id, counts);
        }
    }
    let (id, mut counts) = largest;
    let (from, to) = ((id, 0), (id, LogIndex::MAX));
    let step = bounds.room_trim_step;
    // The texts are not decoded.
    let oldest = view.scan(RoomMessages::ID, &from.bytes(), &to.bytes(), Order::OldestFirst, step)?;
    let gone = u32::try_from(oldest.len()).unwrap_or(u32::MAX);
    let remove = |(key, _)| Change::Remove { table: RoomMessages::ID, key };
    changes.extend(oldest.into_iter().map(remove));
    counts.messages = counts.messages.saturating_sub(gone);
    totals.messages = totals.messages.saturating_sub(gone);
    if id == said.0 {
        *said.1 = counts;
    } else {
        changes.push(Change::put::<RoomCountsOf>(&id, &counts));
    }
    Ok(())
}

pub(crate) fn remove<V: View>(view: &V, actor: &Actor, message: LogIndex) -> Result<Decision, V::Error> {
    let (member, from) = checked!(inside(actor));
    let key = (actor.seen.id, message);
    let found = get::<RoomMessages, V>(view, &key)?.filter(|_| message >= from);
    let Some(found) = found else { return Ok(Err(Denied::new(Code::NoSuchMessage))) };
    if found.from != actor.me && member.rank < RoomRank::Moderator {
        return Ok(Err(Denied::new(Code::NotRoomModerator)));
    }
    if found.removed.is_some() {
        return Ok(Ok((Vec::new(), Reply::Done)));
    }
    Ok(Ok((gap(view, key, found, actor.me)?, Reply::Done)))
}

pub(crate) fn mark<V: View>(view: &V, actor: &Actor, read_through: LogIndex) -> Result<Decision, V::Error> {
    let (member, _) = checked!(inside(actor));
    let id = actor.seen.id;
    let read_through = read_through.min(counts_of(view, id)?.newest).max(member.read_through);
    if read_through == member.read_through {
        return Ok(Ok((Vec::new(), Reply::Done)));
    }
    let member = RoomMember { read_through, ..member };
    Ok(Ok((vec![Change::put::<RoomMembers>(&(id, actor.me), &member)], Reply::Done)))
}

/// Takes a deleted account out of its rooms, a few at once; its messages stay. Returns true when it is in none.
pub(crate) fn sweep_account<V: View>(
    view: &V,
    gone: AccountId,
    rows_max: usize,
    changes: &mut Vec<Change>,
) -> Result<bool, V::Error> {
    let ties = ties_of(view, gone)?;
    // A room costs up to eight changes: those of leaving it as its last member, and of another owner.
    let step = if rows_max == 0 { 0 } else { (rows_max / 4).clamp(1, ROOM_SWEEP_STEP) };
    let mut totals = totals(view)?;
    let before = totals;
    for (id, tie) in ties.iter().take(step) {
        let room = get::<Rooms, V>(view, id)?.filter(|room| !room.closed);
        match (room, tie) {
            (Some(room), RoomTie::Member) => {
                if let RoomAccess::Inside { member, .. } = may_read_room(view, gone, *id, &room)? {
                    take_out(view, (*id, room), gone, member, &mut totals, changes)?;
                }
            }
            (Some(_), RoomTie::Invited | RoomTie::Removed) => {
                changes.extend(forget_guest(view, *id, gone)?);
            }
            // The sweep of the closed room removes its counts.
            (None, _) => {
                changes.push(Change::remove::<RoomMembers>(&(*id, gone)));
                changes.push(Change::remove::<RoomGuests>(&(*id, gone)));
                changes.push(Change::remove::<RoomsOf>(&(gone, *id)));
            }
        }
    }
    if totals != before {
        changes.push(Change::put::<RoomTotalsRow>(&(), &totals));
    }
    Ok(ties.len() <= step)
}

/// Removes up to `sweep_step` rows of a closed room; the last step also removes the room and its entry in `Sweeps`.
pub(crate) fn sweep_room<V: View>(
    bounds: &Bounds,
    view: &V,
    id: RoomId,
    room: &Room,
) -> Result<Decision, V::Error> {
    debug_assert!(room.closed, "only closed rooms are swept");
    let mut changes = Vec::new();
    let left = |changes: &Vec<Change>| bounds.sweep_step.saturating_sub(changes.len());
    let (from, to) = ((id, 0), (id, LogIndex::MAX));
    let said = scan::<RoomMessages, V>(view, &from, &to, Order::OldestFirst, left(&changes))?;
    changes.extend(said.iter().map(|(key, _)| Change::remove::<RoomMessages>(key)));
    let (from, to) = ((id, AccountId(0)), (id, AccountId(LogIndex::MAX)));
    for (key, _) in scan::<RoomMembers, V>(view, &from, &to, Order::OldestFirst, left(&changes) / 2)? {
        changes.push(Change::remove::<RoomMembers>(&key));
        changes.push(Change::remove::<RoomsOf>(&(key.1, id)));
    }
    for (key, _) in scan::<RoomGuests, V>(view, &from, &to, Order::OldestFirst, left(&changes) / 2)? {
        changes.push(Change::remove::<RoomGuests>(&key));
        changes.push(Change::remove::<RoomsOf>(&(key.1, id)));
    }
    let more = left(&changes) < 2;
    if !said.is_empty() {
        let gone = u32::try_from(said.len()).unwrap_or(u32::MAX);
        let (mut totals, mut counts) = (totals(view)?, counts_of(view, id)?);
        totals.messages = totals.messages.saturating_sub(gone);
        counts.messages = counts.messages.saturating_sub(gone);
        changes.push(Change::put::<RoomTotalsRow>(&(), &totals));
        changes.push(Change::put::<RoomCountsOf>(&id, &counts));
    }
    if !more {
        changes.push(Change::remove::<RoomCountsOf>(&id));
        changes.push(Change::remove::<Rooms>(&id));
        changes.push(Change::remove::<Sweeps>(&AccountId(id.0)));
    }
    Ok(Ok((changes, Reply::Stepped { more })))
}
