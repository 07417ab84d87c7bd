//! The rules of rooms (group chats): making, joining, leaving and closing them.
//!
//! ```text
//!   Create ──▶ Rooms, RoomNames ── Join ──▶ RoomMembers + RoomsOf ── Leave ──▶ the last one closes the room
//!                                                                  └─ Close ──▶ Sweeps: the rows go step by step
//! ```
//!
//! - A room has one owner. When the owner leaves or is deleted, the moderator who joined first becomes the owner, else the
//!   member who joined first. A room whose last member leaves is closed.
//! - A closed room is absent for every reader, and its name is free at once. `Command::Sweep` removes its rows.
//! - What an account may see of a room is decided by [`crate::visibility::rooms`]. People are invited and removed by
//!   [`self::people`]; what is said is in [`self::messages`].

pub(crate) mod messages;
pub(crate) mod people;
pub(crate) mod ties;

use self::ties::{Actor, close, counts_of, forget_guest, rooms_of, take_out, totals};
use crate::code::{Code, Denied, Field};
use crate::command::{Reply, RoomCommand};
use crate::ids::{AccountId, RoomId, TokenHash};
use crate::lookup::session_owner;
use crate::rows::{
    Change, Room, RoomCounts, RoomCountsOf, RoomGuest, RoomGuests, RoomMember, RoomMembers, RoomNames,
    RoomRank, RoomTie, RoomTotalsRow, Rooms, RoomsOf, View, get,
};
use crate::rule::{ApplyContext, Bounds, Decision, checked, or_deny};
use crate::text;
use crate::visibility::rooms::{RoomAccess, SeenRoom, may_read_room, room_id, room_named};
use std::collections::BTreeSet;

pub(crate) fn change<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    command: &RoomCommand,
) -> Result<Decision, V::Error> {
    if let RoomCommand::Create { session, room, topic, open, history } = command {
        return create(bounds, view, context, *session, room, topic, (*open, *history));
    }
    let actor = checked!(actor(view, context, command)?);
    match command {
        RoomCommand::Create { .. } => unreachable!("handled above"),
        RoomCommand::Change { topic, open, history, .. } => {
            Ok(settings(actor, topic.as_deref(), *open, *history))
        }
        RoomCommand::Join { .. } => join(bounds, view, context, &actor),
        RoomCommand::Leave { .. } => leave(bounds, view, &actor),
        RoomCommand::Close { .. } => {
            checked!(actor.owns());
            Ok(Ok((closed(view, actor.seen.id, actor.seen.room)?, Reply::Done)))
        }
        RoomCommand::Invite { username, .. } => people::invite(bounds, view, context, &actor, username),
        RoomCommand::Withdraw { username, .. } => people::withdraw(bounds, view, &actor, username),
        RoomCommand::Remove { username, .. } => people::remove(bounds, view, &actor, username),
        RoomCommand::SetRank { username, rank, .. } => people::set_rank(view, &actor, username, *rank),
        RoomCommand::Say { text, .. } => messages::say(bounds, view, context, &actor, text),
        RoomCommand::RemoveMessage { message, .. } => messages::remove(view, &actor, *message),
        RoomCommand::Mark { read_through, .. } => messages::mark(view, &actor, *read_through),
    }
}

/// Closes a room in the name of operators, also one by invitation.
pub(crate) fn close_by_operators<V: View>(view: &V, name: &str) -> Result<Decision, V::Error> {
    let id = checked!(room_id(view, name)?);
    let room = or_deny!(get::<Rooms, V>(view, &id)?, Denied::of(Code::NoSuchRoom, Field::Room));
    Ok(Ok((closed(view, id, room)?, Reply::Done)))
}

/// Returns the changes that close a room.
fn closed<V: View>(view: &V, id: RoomId, room: Room) -> Result<Vec<Change>, V::Error> {
    let (mut totals, mut changes) = (totals(view)?, Vec::new());
    close(id, room, &mut totals, &mut changes);
    changes.push(Change::put::<RoomTotalsRow>(&(), &totals));
    Ok(changes)
}

/// Returns the account that sent the command, and the room that it means.
fn actor<V: View>(
    view: &V,
    context: ApplyContext,
    command: &RoomCommand,
) -> Result<Result<Actor, Denied>, V::Error> {
    let (session, room) = command.target();
    let me = or_deny!(session_owner(view, session, context.age_ms())?, Denied::new(Code::NotLoggedIn));
    Ok(room_named(view, me, room)?.map(|seen| Actor { me, seen }))
}

impl RoomCommand {
    /// Returns the session and the name of the room of a command.
    pub fn target(&self) -> (TokenHash, &str) {
        match self {
            RoomCommand::Create { session, room, .. }
            | RoomCommand::Change { session, room, .. }
            | RoomCommand::Join { session, room }
            | RoomCommand::Leave { session, room }
            | RoomCommand::Close { session, room }
            | RoomCommand::Invite { session, room, .. }
            | RoomCommand::Withdraw { session, room, .. }
            | RoomCommand::Remove { session, room, .. }
            | RoomCommand::SetRank { session, room, .. }
            | RoomCommand::Say { session, room, .. }
            | RoomCommand::RemoveMessage { session, room, .. }
            | RoomCommand::Mark { session, room, .. } => (*session, room),
        }
    }
}

fn create<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    session: TokenHash,
    name: &str,
    topic: &str,
    (open, history): (bool, bool),
) -> Result<Decision, V::Error> {
    let me = or_deny!(session_owner(view, session, context.age_ms())?, Denied::new(Code::NotLoggedIn));
    let name = checked!(text::fold_room_name(name));
    let topic = checked!(text::check_topic(topic));
    if get::<RoomNames, V>(view, &name)?.is_some() {
        return Ok(Err(Denied::of(Code::RoomNameTaken, Field::Room)));
    }
    let mut totals = totals(view)?;
    if totals.rooms as usize >= bounds.rooms_max {
        return Ok(Err(Denied::new(Code::TooManyRooms)));
    }
    if rooms_of(view, me, RoomTie::Member)?.len() >= bounds.rooms_per_person_max {
        return Ok(Err(Denied::new(Code::InTooManyRooms)));
    }
    totals.rooms += 1;
    let id = RoomId(context.index);
    let room =
        Room { name: name.clone(), topic, open, history, created_wall_ms: context.wall_ms, closed: false };
    let owner = RoomMember { joined: context.index, rank: RoomRank::Owner, read_through: context.index };
    let counts = RoomCounts { members: 1, ..RoomCounts::default() };
    let changes = vec![
        Change::put::<Rooms>(&id, &room),
        Change::put::<RoomNames>(&name, &id),
        Change::put::<RoomTotalsRow>(&(), &totals),
        Change::put::<RoomCountsOf>(&id, &counts),
        Change::put::<RoomMembers>(&(id, me), &owner),
        Change::put::<RoomsOf>(&(me, id), &RoomTie::Member),
    ];
    Ok(Ok((changes, Reply::Done)))
}

fn settings(actor: Actor, topic: Option<&str>, open: Option<bool>, history: Option<bool>) -> Decision {
    actor.moderates()?;
    if open.is_some() || history.is_some() {
        actor.owns()?;
    }
    let mut room = actor.seen.room;
    if let Some(topic) = topic {
        room.topic = text::check_topic(topic)?;
    }
    room.open = open.unwrap_or(room.open);
    room.history = history.unwrap_or(room.history);
    Ok((vec![Change::put::<Rooms>(&actor.seen.id, &room)], Reply::Done))
}

fn join<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    actor: &Actor,
) -> Result<Decision, V::Error> {
    let (me, id) = (actor.me, actor.seen.id);
    let guest = match actor.seen.access {
        RoomAccess::Inside { .. } => return Ok(Err(Denied::new(Code::AlreadyInRoom))),
        RoomAccess::Front(Some(RoomGuest::Removed)) => {
            return Ok(Err(Denied::new(Code::RemovedFromRoom)));
        }
        RoomAccess::Front(guest) => guest,
        RoomAccess::Hidden => return Ok(Err(Denied::of(Code::NoSuchRoom, Field::Room))),
    };
    let mut counts = checked!(with_a_seat(bounds, view, id)?);
    if rooms_of(view, me, RoomTie::Member)?.len() >= bounds.rooms_per_person_max {
        return Ok(Err(Denied::new(Code::InTooManyRooms)));
    }
    let mut changes = Vec::new();
    if guest.is_some() {
        counts.guests = counts.guests.saturating_sub(1);
        changes.push(Change::remove::<RoomGuests>(&(id, me)));
    }
    changes.extend(seated(context, id, me, counts));
    people::forget_invitation(bounds, view, &mut changes, (id, me), guest)?;
    Ok(Ok((changes, Reply::Done)))
}

/// Returns the id of a room into which an account may invite people who have no account yet.
pub(crate) fn invitable_room<V: View>(
    view: &V,
    by: AccountId,
    room: &str,
) -> Result<Result<RoomId, Denied>, V::Error> {
    let actor = Actor { me: by, seen: checked!(room_named(view, by, room)?) };
    Ok(actor.invites().map(|_| actor.seen.id))
}

/// Returns the changes by which the account of this command, which is new, joins a room; none if it is closed or full, or if
/// `by` may not invite into it now. Operators are no `by`, and may.
pub(crate) fn join_invited<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    by: Option<AccountId>,
    id: RoomId,
) -> Result<Vec<Change>, V::Error> {
    let Some(room) = get::<Rooms, V>(view, &id)?.filter(|room| !room.closed) else { return Ok(Vec::new()) };
    if let Some(by) = by {
        let access = may_read_room(view, by, id, &room)?;
        let inviter = Actor { me: by, seen: SeenRoom { id, room, access } };
        if inviter.invites().is_err() {
            return Ok(Vec::new());
        }
    }
    let Ok(counts) = with_a_seat(bounds, view, id)? else { return Ok(Vec::new()) };
    Ok(seated(context, id, AccountId(context.index), counts).to_vec())
}

/// Returns the counts of a room that has a place for another member.
fn with_a_seat<V: View>(
    bounds: &Bounds,
    view: &V,
    id: RoomId,
) -> Result<Result<RoomCounts, Denied>, V::Error> {
    let counts = counts_of(view, id)?;
    let full = counts.members as usize >= bounds.room_members_max;
    Ok(if full { Err(Denied::new(Code::RoomFull)) } else { Ok(counts) })
}

/// Returns the changes that make an account a member of a room with these counts.
fn seated(context: ApplyContext, id: RoomId, me: AccountId, counts: RoomCounts) -> [Change; 3] {
    let member = RoomMember { joined: context.index, rank: RoomRank::Member, read_through: context.index };
    let counts = RoomCounts { members: counts.members + 1, ..counts };
    [
        Change::put::<RoomMembers>(&(id, me), &member),
        Change::put::<RoomsOf>(&(me, id), &RoomTie::Member),
        Change::put::<RoomCountsOf>(&id, &counts),
    ]
}

/// Returns the changes that put a new account into these rooms in the name of operators, also into those by invitation.
pub(crate) fn enter_all<V: View>(
    bounds: &Bounds,
    view: &V,
    context: ApplyContext,
    me: AccountId,
    rooms: &[String],
) -> Result<Result<Vec<Change>, Denied>, V::Error> {
    let mut ids = BTreeSet::new();
    let mut changes = Vec::new();
    for room in rooms {
        let id = checked!(room_id(view, room)?);
        if ids.insert(id) {
            let counts = checked!(with_a_seat(bounds, view, id)?);
            changes.extend(seated(context, id, me, counts));
        }
    }
    if ids.len() > bounds.rooms_per_person_max {
        return Ok(Err(Denied::of(Code::InTooManyRooms, Field::Room)));
    }
    Ok(Ok(changes))
}

fn leave<V: View>(bounds: &Bounds, view: &V, actor: &Actor) -> Result<Decision, V::Error> {
    let (me, SeenRoom { id, room, access }) = (actor.me, &actor.seen);
    match access {
        RoomAccess::Inside { member, .. } => {
            let (mut totals, mut changes) = (totals(view)?, Vec::new());
            let before = totals;
            take_out(view, (*id, room.clone()), me, *member, &mut totals, &mut changes)?;
            if totals != before {
                changes.push(Change::put::<RoomTotalsRow>(&(), &totals));
            }
            Ok(Ok((changes, Reply::Done)))
        }
        RoomAccess::Front(guest @ Some(RoomGuest::Invited { .. })) => {
            let mut changes = forget_guest(view, *id, me)?;
            people::forget_invitation(bounds, view, &mut changes, (*id, me), *guest)?;
            Ok(Ok((changes, Reply::Done)))
        }
        RoomAccess::Front(_) | RoomAccess::Hidden => Ok(Err(Denied::new(Code::NotInRoom))),
    }
}
