//! Queries about rooms. What a reader may see is decided by [`crate::visibility::rooms`].

use crate::code::{Code, Denied};
use crate::ids::{AccountId, LogIndex, RoomId};
use crate::limits::{
    OPEN_ROOMS_PAGE_MAX, ROOM_MEMBERS_MAX, ROOM_MEMBERS_PAGE_MAX, ROOM_NAMES_PAGE_MAX, ROOMS_LISTED_MAX,
    ROOMS_MAX, UNREAD_ROOM_MESSAGES_MAX,
};
use crate::lookup::person;
use crate::query::{
    ListedRoom, Page, Person, RoomBody, RoomGuestEntry, RoomInfo, RoomInvitation, RoomMemberEntry, RoomPage,
    RoomPeople, RoomStanding, RoomSummary, RoomText,
};
use crate::rooms::ties::{counts_of, ties_of};
use crate::rows::{
    BadRow, Key, Order, Room, RoomGuest, RoomGuests, RoomMember, RoomMembers, RoomMessage, RoomMessages,
    RoomNames, RoomRank, RoomTie, Rooms, Table, View, body, get, scan,
};
use crate::rule::checked;
use crate::text;
use crate::visibility::blocks::{is_blocked_pair, is_muted};
use crate::visibility::rooms::{RoomAccess, SeenRoom, room_named, room_of};
use std::collections::BTreeMap;

/// Returns a page of the names of all rooms, or of those that an account is in, for operators.
pub(crate) fn names<V: View>(view: &V, of: Option<AccountId>, after: Option<&str>) -> Result<Page, V::Error> {
    if let Some(account) = of {
        let mut names = Vec::new();
        for (id, tie) in ties_of(view, account)? {
            if tie == RoomTie::Member {
                let room = get::<Rooms, V>(view, &id)?.filter(|room| !room.closed);
                names.extend(room.map(|room| room.name));
            }
        }
        names.sort_unstable();
        names.retain(|name| after.is_none_or(|after| name.as_str() > after));
        return Ok(Page::RoomNames { names, more: None });
    }
    // Behind the name itself; names have no byte as large as the last one.
    let from = after.map_or(String::new(), |after| format!("{after}\0"));
    let to = "\u{7f}".to_string();
    let rows = scan::<RoomNames, V>(view, &from, &to, Order::OldestFirst, ROOM_NAMES_PAGE_MAX)?;
    let names: Vec<String> = rows.into_iter().map(|(name, _)| name).collect();
    let more = names.last().filter(|_| names.len() == ROOM_NAMES_PAGE_MAX).cloned();
    Ok(Page::RoomNames { names, more })
}

/// Returns a page of the rooms with matching names, for operators.
pub(crate) fn all<V: View>(
    view: &V,
    names: &str,
    after: Option<&str>,
) -> Result<Result<Page, Denied>, V::Error> {
    let pattern = checked!(text::fold_pattern(names));
    let from = after.map_or(String::new(), |after| format!("{after}\0"));
    let (mut rooms, mut more) = (Vec::new(), None);
    for (name, id) in scan::<RoomNames, V>(view, &from, &"~".to_string(), Order::OldestFirst, ROOMS_MAX)? {
        if !fast_glob::glob_match(&pattern, &name) {
            continue;
        }
        if rooms.len() == ROOMS_LISTED_MAX {
            more = rooms.last().map(|listed: &ListedRoom| listed.room.name.clone());
            break;
        }
        let Some(room) = get::<Rooms, V>(view, &id)? else { continue };
        let (first, last) = ((id, 0), (id, LogIndex::MAX));
        let newest = scan::<RoomMessages, V>(view, &first, &last, Order::NewestFirst, 1)?;
        rooms.push(ListedRoom {
            owner: owner(view, id)?,
            newest_wall_ms: newest.first().map(|(_, message)| message.wall_ms),
            room: info(view, &SeenRoom { id, room, access: RoomAccess::Hidden })?,
        });
    }
    Ok(Ok(Page::AllRooms { rooms, more }))
}

fn owner<V: View>(view: &V, id: RoomId) -> Result<Option<Person>, V::Error> {
    let (from, to) = ((id, AccountId(0)), (id, AccountId(LogIndex::MAX)));
    let members = scan::<RoomMembers, V>(view, &from, &to, Order::OldestFirst, ROOM_MEMBERS_MAX)?;
    match members.into_iter().find(|(_, member)| member.rank == RoomRank::Owner) {
        Some(((_, owner), _)) => person(view, owner),
        None => Ok(None),
    }
}

/// The people who wrote the messages of an answer. Each is looked up once.
struct Authors<'a, V> {
    view: &'a V,
    reader: AccountId,
    people: BTreeMap<AccountId, Option<Person>>,
    hidden: BTreeMap<AccountId, bool>,
}

impl<V: View> Authors<'_, V> {
    fn new(view: &V, reader: AccountId) -> Authors<'_, V> {
        Authors { view, reader, people: BTreeMap::new(), hidden: BTreeMap::new() }
    }

    /// Returns true if the reader does not see what the account says: it is muted, or one has blocked the other.
    fn hides(&mut self, account: AccountId) -> Result<bool, V::Error> {
        if let Some(hidden) = self.hidden.get(&account) {
            return Ok(*hidden);
        }
        let (view, me) = (self.view, self.reader);
        let hidden = is_muted(view, me, account)? || is_blocked_pair(view, me, account)?;
        self.hidden.insert(account, hidden);
        Ok(hidden)
    }

    /// Returns a message as the reader sees it, if they see it at all.
    fn text(&mut self, id: LogIndex, message: RoomMessage) -> Result<Option<RoomText>, V::Error> {
        let RoomMessage { from, wall_ms, removed, text } = message;
        if self.hides(from)? {
            return Ok(None);
        }
        let author = match self.people.get(&from) {
            Some(known) => known.clone(),
            None => self.people.entry(from).or_insert(person(self.view, from)?).clone(),
        };
        let body = match removed {
            Some(by) => RoomBody::Removed { by_author: by == from },
            None => RoomBody::Text(text),
        };
        Ok(Some(RoomText { id, from, author, wall_ms, body }))
    }
}

fn info<V: View>(view: &V, seen: &SeenRoom) -> Result<RoomInfo, V::Error> {
    let members = counts_of(view, seen.id)?.members;
    let room = seen.room.clone();
    Ok(RoomInfo {
        id: seen.id,
        name: room.name,
        topic: room.topic,
        open: room.open,
        history: room.history,
        members,
        created_wall_ms: room.created_wall_ms,
    })
}

fn standing(access: &RoomAccess) -> RoomStanding {
    match access {
        RoomAccess::Inside { member: RoomMember { rank, read_through, .. }, .. } => {
            RoomStanding::Member { rank: *rank, read_through: *read_through }
        }
        RoomAccess::Front(Some(RoomGuest::Invited { .. })) => RoomStanding::Invited,
        RoomAccess::Front(Some(RoomGuest::Removed)) => RoomStanding::Removed,
        RoomAccess::Front(None) | RoomAccess::Hidden => RoomStanding::Stranger,
    }
}

/// Counts the unread messages of others, up to `UNREAD_ROOM_MESSAGES_MAX`.
fn unread<V: View>(authors: &mut Authors<'_, V>, id: RoomId, member: &RoomMember) -> Result<u32, V::Error> {
    let (view, me) = (authors.view, authors.reader);
    // Most rooms have nothing new, which costs no scan.
    if counts_of(view, id)?.newest <= member.read_through {
        return Ok(0);
    }
    let (from, to) = ((id, member.read_through + 1), (id, LogIndex::MAX));
    let limit = 2 * UNREAD_ROOM_MESSAGES_MAX as usize;
    let rows = view.scan(RoomMessages::ID, &from.bytes(), &to.bytes(), Order::NewestFirst, limit)?;
    let mut count = 0;
    for (key, row) in rows {
        // Only the beginning of a row is decoded: the author.
        let author = body(&row).and_then(|row| postcard::take_from_bytes::<AccountId>(row).ok());
        match author {
            Some((author, _)) if author == me || authors.hides(author)? => {}
            Some(_) => count += 1,
            None => return Err(BadRow { table: RoomMessages::ID, key }.into()),
        }
    }
    Ok(count.min(UNREAD_ROOM_MESSAGES_MAX))
}

/// Counts the unread messages of others in all rooms of a person, up to `UNREAD_ROOM_MESSAGES_MAX`.
pub(crate) fn unread_of<V: View>(view: &V, me: AccountId) -> Result<u32, V::Error> {
    let mut authors = Authors::new(view, me);
    let mut count = 0;
    for (id, tie) in ties_of(view, me)? {
        if count >= UNREAD_ROOM_MESSAGES_MAX {
            break;
        }
        if tie != RoomTie::Member {
            continue;
        }
        let Some(member) = get::<RoomMembers, V>(view, &(id, me))? else { continue };
        let new = unread(&mut authors, id, &member)?;
        if new > 0 && get::<Rooms, V>(view, &id)?.is_some_and(|room| !room.closed) {
            count += new;
        }
    }
    Ok(count.min(UNREAD_ROOM_MESSAGES_MAX))
}

pub(crate) fn mine<V: View>(view: &V, me: Person) -> Result<Page, V::Error> {
    let (mut rooms, mut invitations) = (Vec::new(), Vec::new());
    let mut authors = Authors::new(view, me.account);
    for (id, _) in ties_of(view, me.account)? {
        let Ok(seen) = room_of(view, me.account, id)? else { continue };
        match seen.access {
            RoomAccess::Inside { member, from } => {
                let (first, last) = ((id, from), (id, LogIndex::MAX));
                let newest = scan::<RoomMessages, V>(view, &first, &last, Order::NewestFirst, 1)?;
                let newest = match newest.into_iter().next() {
                    Some(((_, index), message)) => authors.text(index, message)?,
                    None => None,
                };
                let unread = unread(&mut authors, id, &member)?;
                rooms.push(RoomSummary { room: info(view, &seen)?, rank: member.rank, unread, newest });
            }
            RoomAccess::Front(Some(RoomGuest::Invited { by })) => {
                invitations.push(RoomInvitation { room: info(view, &seen)?, by: person(view, by)? });
            }
            RoomAccess::Front(_) | RoomAccess::Hidden => {}
        }
    }
    let newest = |one: &RoomSummary| one.newest.as_ref().map_or(one.room.id.0, |newest| newest.id);
    rooms.sort_by_key(|one| std::cmp::Reverse(newest(one)));
    Ok(Page::Rooms { me, rooms, invitations })
}

pub(crate) fn open<V: View>(view: &V, me: Person, after: Option<&str>) -> Result<Page, V::Error> {
    // Directly behind that name, before all longer names that begin with it. Names are below the tilde.
    let from = after.map_or(String::new(), |after| format!("{after}\0"));
    let names = scan::<RoomNames, V>(view, &from, &"~".to_string(), Order::OldestFirst, ROOMS_MAX)?;
    let (mut rooms, mut last) = (Vec::new(), None);
    for (name, id) in names {
        if rooms.len() == OPEN_ROOMS_PAGE_MAX {
            // The next page finds out if any of the rest are open.
            return Ok(Page::OpenRooms { me, rooms, more: last });
        }
        if let Ok(seen) = room_of(view, me.account, id)?
            && seen.room.open
        {
            rooms.push((info(view, &seen)?, standing(&seen.access)));
        }
        last = Some(name);
    }
    Ok(Page::OpenRooms { me, rooms, more: None })
}

pub(crate) fn room<V: View>(
    view: &V,
    me: Person,
    name: &str,
    before: LogIndex,
    limit: usize,
) -> Result<Result<Page, Denied>, V::Error> {
    let seen = checked!(room_named(view, me.account, name)?);
    Ok(Ok(Page::Room(page_of(view, me, &seen, before, limit)?)))
}

/// Returns a room as the reader sees it, with a page of its messages for its members.
pub(super) fn page_of<V: View>(
    view: &V,
    me: Person,
    seen: &SeenRoom,
    before: LogIndex,
    limit: usize,
) -> Result<RoomPage, V::Error> {
    let room = info(view, seen)?;
    let standing = standing(&seen.access);
    let RoomAccess::Inside { member, from } = seen.access else {
        return Ok(RoomPage { me, room, standing, messages: Vec::new(), older: None, unread: 0 });
    };
    let (first, last) = ((seen.id, from), (seen.id, before));
    let mut rows = scan::<RoomMessages, V>(view, &first, &last, Order::NewestFirst, limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let older = rows.last().filter(|_| more).map(|((_, id), _)| *id);
    let mut authors = Authors::new(view, me.account);
    let mut messages = Vec::with_capacity(rows.len());
    for ((_, id), message) in rows {
        messages.extend(authors.text(id, message)?);
    }
    let unread = unread(&mut authors, seen.id, &member)?;
    Ok(RoomPage { me, room, standing, messages, older, unread })
}

pub(crate) fn message<V: View>(
    view: &V,
    me: &Person,
    room: RoomId,
    id: LogIndex,
) -> Result<Result<Page, Denied>, V::Error> {
    let no_such = Err(Denied::new(Code::NoSuchMessage));
    let Ok(SeenRoom { room: Room { name, .. }, access: RoomAccess::Inside { from, .. }, .. }) =
        room_of(view, me.account, room)?
    else {
        return Ok(no_such);
    };
    match get::<RoomMessages, V>(view, &(room, id))?.filter(|_| id >= from) {
        Some(message) => Ok(match Authors::new(view, me.account).text(id, message)? {
            Some(message) => Ok(Page::RoomMessage { room: name, message }),
            None => no_such,
        }),
        None => Ok(no_such),
    }
}

pub(crate) fn people<V: View>(
    view: &V,
    me: Person,
    name: &str,
    after: Option<AccountId>,
) -> Result<Result<Page, Denied>, V::Error> {
    let seen = checked!(room_named(view, me.account, name)?);
    let Some(rank) = seen.access.rank() else { return Ok(Err(Denied::new(Code::NotInRoom))) };
    let room = info(view, &seen)?;
    // `after` comes from the client and may be any number.
    let next = after.map_or(0, |account| account.0.saturating_add(1));
    let (from, to) = ((seen.id, AccountId(next)), (seen.id, AccountId(LogIndex::MAX)));
    let rows = scan::<RoomMembers, V>(view, &from, &to, Order::OldestFirst, ROOM_MEMBERS_PAGE_MAX)?;
    let more = rows.last().filter(|_| rows.len() == ROOM_MEMBERS_PAGE_MAX).map(|((_, who), _)| *who);
    let mut members = Vec::with_capacity(rows.len());
    for ((_, who), member) in rows {
        if let Some(person) = person(view, who)? {
            members.push(RoomMemberEntry { person, rank: member.rank });
        }
    }
    let mut guests = Vec::new();
    // Removals concern those who moderate.
    if after.is_none() && rank >= RoomRank::Moderator {
        for ((_, who), guest) in
            scan::<RoomGuests, V>(view, &from, &to, Order::OldestFirst, ROOM_MEMBERS_PAGE_MAX)?
        {
            if let Some(person) = person(view, who)? {
                guests.push(RoomGuestEntry { person, removed: guest == RoomGuest::Removed });
            }
        }
    }
    Ok(Ok(Page::RoomPeople(RoomPeople { me, room, rank, members, more, guests })))
}
