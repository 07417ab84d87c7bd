//! Samples of rooms: rows, commands, queries, pages and events.

use crate::records::{TOKEN, line};
use ribbit_state::command::{Command, RoomCommand};
use ribbit_state::ids::{AccountId, RoomId};
use ribbit_state::query::{
    Page, Person, RoomBody, RoomGuestEntry, RoomInfo, RoomInvitation, RoomMemberEntry, RoomPage, RoomPeople,
    RoomStanding, RoomSummary, RoomText,
};
use ribbit_state::rows::*;

pub(crate) const ROOM_ID: RoomId = RoomId(0x0a0e);

pub(crate) fn rows(id: AccountId) -> Vec<String> {
    let room = Room {
        name: "pond".into(),
        topic: "frogs 🐸".into(),
        open: true,
        history: false,
        created_wall_ms: 3_000,
        closed: false,
    };
    let member = RoomMember { joined: 300, rank: RoomRank::Moderator, read_through: 301 };
    let said = |removed: Option<AccountId>, text: &str| RoomMessage {
        from: id,
        wall_ms: 3_000,
        removed,
        text: text.into(),
    };
    let guest = RoomGuest::Invited { by: id };
    let mut rows = vec![
        line::<Rooms>("Rooms", ROOM_ID, room),
        line::<RoomNames>("RoomNames", "pond".into(), ROOM_ID),
        line::<RoomTotalsRow>("RoomTotalsRow", (), RoomTotals { rooms: 3, messages: 300 }),
        line::<RoomCountsOf>(
            "RoomCountsOf",
            ROOM_ID,
            RoomCounts { members: 2, guests: 1, messages: 300, newest: 0x0a0f },
        ),
        line::<RoomGuests>("RoomGuests", (ROOM_ID, AccountId(9)), guest),
        line::<RoomGuests>("RoomGuests", (ROOM_ID, AccountId(9)), RoomGuest::Removed),
        line::<RoomMessages>("RoomMessages", (ROOM_ID, 0x0a0f), said(None, "a\n🐸")),
        line::<RoomMessages>("RoomMessages", (ROOM_ID, 0x0a0f), said(Some(AccountId(9)), "")),
    ];
    for rank in [RoomRank::Member, RoomRank::Moderator, RoomRank::Owner] {
        rows.push(line::<RoomMembers>("RoomMembers", (ROOM_ID, id), RoomMember { rank, ..member }));
    }
    for tie in [RoomTie::Member, RoomTie::Invited, RoomTie::Removed] {
        rows.push(line::<RoomsOf>("RoomsOf", (id, ROOM_ID), tie));
    }
    rows
}

pub(crate) fn commands() -> Vec<Command> {
    let (session, room, username) = (TOKEN, || "pond".to_string(), || "bob".to_string());
    let topic = "frogs 🐸".to_string();
    [
        RoomCommand::Create { session, room: room(), topic: topic.clone(), open: true, history: false },
        RoomCommand::Change {
            session,
            room: room(),
            topic: Some(topic),
            open: Some(false),
            history: Some(true),
        },
        RoomCommand::Join { session, room: room() },
        RoomCommand::Leave { session, room: room() },
        RoomCommand::Close { session, room: room() },
        RoomCommand::Invite { session, room: room(), username: username() },
        RoomCommand::Withdraw { session, room: room(), username: username() },
        RoomCommand::Remove { session, room: room(), username: username() },
        RoomCommand::SetRank { session, room: room(), username: username(), rank: RoomRank::Moderator },
        RoomCommand::Say { session, room: room(), text: "hello\r\n🐸".into() },
        RoomCommand::RemoveMessage { session, room: room(), message: 300 },
        RoomCommand::Mark { session, room: room(), read_through: 300 },
    ]
    .map(Command::Room)
    .into()
}

pub(crate) fn info() -> RoomInfo {
    RoomInfo {
        id: ROOM_ID,
        name: "pond".into(),
        topic: "frogs 🐸".into(),
        open: true,
        history: false,
        members: 3,
        created_wall_ms: 3_000,
    }
}

fn said(author: Option<Person>, body: RoomBody) -> RoomText {
    RoomText { id: 300, from: AccountId(9), author, wall_ms: 3_000, body }
}

pub(crate) fn list(me: Person) -> Page {
    let newest = said(Some(me.clone()), RoomBody::Text("a\n🐸".into()));
    let rooms = vec![RoomSummary { room: info(), rank: RoomRank::Owner, unread: 2, newest: Some(newest) }];
    let invitations = vec![RoomInvitation { room: info(), by: Some(me.clone()) }];
    Page::Rooms { me, rooms, invitations }
}

pub(crate) fn open(me: Person) -> Page {
    let rooms = vec![
        (info(), RoomStanding::Stranger),
        (info(), RoomStanding::Invited),
        (info(), RoomStanding::Removed),
    ];
    Page::OpenRooms { me, rooms, more: Some("pond".into()) }
}

pub(crate) fn room(me: Person) -> Page {
    let standing = RoomStanding::Member { rank: RoomRank::Member, read_through: 299 };
    let messages = vec![
        message(me.clone()),
        said(None, RoomBody::Removed { by_author: true }),
        said(None, RoomBody::Removed { by_author: false }),
    ];
    Page::Room(RoomPage { me, room: info(), standing, messages, older: Some(298), unread: 2 })
}

pub(crate) fn message(me: Person) -> RoomText {
    said(Some(me), RoomBody::Text("a\n🐸".into()))
}

pub(crate) fn people(me: Person) -> Page {
    let members = vec![RoomMemberEntry { person: me.clone(), rank: RoomRank::Owner }];
    let guests = vec![RoomGuestEntry { person: me.clone(), removed: true }];
    let (room, rank, more) = (info(), RoomRank::Moderator, Some(AccountId(9)));
    Page::RoomPeople(RoomPeople { me, room, rank, members, more, guests })
}
