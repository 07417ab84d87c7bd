//! Visibility of rooms. Every rule and every query asks [`may_read_room`].
//!
//! | reader | open room | by invitation |
//! |---|---|---|
//! | member | everything since they joined, or all of it if the room has its history open | the same |
//! | invited | name, topic and counts | the same |
//! | removed, or unknown | name, topic and counts | nothing, as if there were no such room |

use crate::code::{Code, Denied, Field};
use crate::ids::{AccountId, LogIndex, RoomId};
use crate::rows::{
    Room, RoomGuest, RoomGuests, RoomMember, RoomMembers, RoomNames, RoomRank, Rooms, View, get,
};
use crate::rule::checked;
use crate::text;

/// Part of a room that an account may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RoomAccess {
    /// Nothing.
    Hidden,
    /// Its name, topic and counts.
    Front(Option<RoomGuest>),
    /// The messages from this index on.
    Inside { member: RoomMember, from: LogIndex },
}

impl RoomAccess {
    pub(crate) fn rank(&self) -> Option<RoomRank> {
        match self {
            RoomAccess::Inside { member, .. } => Some(member.rank),
            RoomAccess::Hidden | RoomAccess::Front(_) => None,
        }
    }
}

/// Returns what an account may see of a room.
pub(crate) fn may_read_room<V: View>(
    view: &V,
    reader: AccountId,
    id: RoomId,
    room: &Room,
) -> Result<RoomAccess, V::Error> {
    if room.closed {
        return Ok(RoomAccess::Hidden);
    }
    if let Some(member) = get::<RoomMembers, V>(view, &(id, reader))? {
        let from = if room.history { 0 } else { member.joined };
        return Ok(RoomAccess::Inside { member, from });
    }
    let guest = get::<RoomGuests, V>(view, &(id, reader))?;
    let may_know = room.open || matches!(guest, Some(RoomGuest::Invited { .. }));
    Ok(if may_know { RoomAccess::Front(guest) } else { RoomAccess::Hidden })
}

/// A room that an account may see.
#[derive(Debug, Clone)]
pub(crate) struct SeenRoom {
    pub(crate) id: RoomId,
    pub(crate) room: Room,
    pub(crate) access: RoomAccess,
}

/// Returns the room with this name if the account may see it.
pub(crate) fn room_named<V: View>(
    view: &V,
    reader: AccountId,
    name: &str,
) -> Result<Result<SeenRoom, Denied>, V::Error> {
    let id = checked!(room_id(view, name)?);
    room_of(view, reader, id)
}

/// Returns the id of the room with this name, whether or not the reader may see it.
pub(crate) fn room_id<V: View>(view: &V, name: &str) -> Result<Result<RoomId, Denied>, V::Error> {
    let name = checked!(text::fold_room_name(name));
    Ok(get::<RoomNames, V>(view, &name)?.ok_or(Denied::of(Code::NoSuchRoom, Field::Room)))
}

/// As [`room_named`], by id.
pub(crate) fn room_of<V: View>(
    view: &V,
    reader: AccountId,
    id: RoomId,
) -> Result<Result<SeenRoom, Denied>, V::Error> {
    let no_such = Err(Denied::of(Code::NoSuchRoom, Field::Room));
    let Some(room) = get::<Rooms, V>(view, &id)? else { return Ok(no_such) };
    Ok(match may_read_room(view, reader, id, &room)? {
        RoomAccess::Hidden => no_such,
        access => Ok(SeenRoom { id, room, access }),
    })
}
