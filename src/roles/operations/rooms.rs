//! Rooms: lists, messages and members, and changes to them.

use super::limits::ROOM_CATCH_UP_PAGES_MAX;
use super::{Operations, Refusal, Session, unexpected};
use crate::common::address_rates::AddressRateClass;
use ribbit_state::limits::{ROOM_PAGE_MAX, ROOMS_MAX};
use ribbit_state::query::{
    RoomInfo, RoomInvitation, RoomPage, RoomPeople, RoomStanding, RoomSummary, RoomText,
};
use ribbit_state::text::{check_message, check_topic, fold_room_name};
use ribbit_state::{AccountId, Code, LogIndex, Page, Query, Reply, RoomCommand, RoomId, TokenHash};
use std::net::IpAddr;

impl Operations {
    /// Returns the rooms of the person, the one with the newest message first, and the invitations.
    pub(crate) async fn rooms(
        &self,
        session: &Session,
    ) -> Result<(Vec<RoomSummary>, Vec<RoomInvitation>), Refusal> {
        match self.requests.read(Query::Rooms { session: session.token }).await? {
            Page::Rooms { rooms, invitations, .. } => Ok((rooms, invitations)),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns all rooms that everyone may join, by name.
    pub(crate) async fn open_rooms(
        &self,
        session: &Session,
    ) -> Result<Vec<(RoomInfo, RoomStanding)>, Refusal> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            match self.requests.read(Query::OpenRooms { session: session.token, after }).await? {
                Page::OpenRooms { rooms, more, .. } => {
                    all.extend(rooms);
                    after = more.filter(|_| all.len() < ROOMS_MAX);
                }
                other => return Err(unexpected(&other)),
            }
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    /// Returns a page of a room, newest message first. Refused with `NoSuchRoom`.
    pub(crate) async fn room(
        &self,
        session: &Session,
        room: &str,
        before: Option<LogIndex>,
        limit: usize,
    ) -> Result<RoomPage, Refusal> {
        let room = named(room)?;
        let limit = u16::try_from(limit.min(ROOM_PAGE_MAX)).unwrap_or(u16::MAX);
        match self.requests.read(Query::Room { session: session.token, room, before, limit }).await? {
            Page::Room(page) => Ok(page),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the messages of a room after `after`, oldest first: all of them, or the newest of `ROOM_CATCH_UP_PAGES_MAX` pages.
    pub(crate) async fn room_after(
        &self,
        session: &Session,
        room: &str,
        after: LogIndex,
    ) -> Result<Vec<RoomText>, Refusal> {
        let (mut all, mut before) = (Vec::new(), None);
        for _ in 0..ROOM_CATCH_UP_PAGES_MAX {
            let page = self.room(session, room, before, ROOM_PAGE_MAX).await?;
            all.extend(page.messages.into_iter().take_while(|message| message.id > after));
            // A page may be short, because messages of people who are kept away are left out.
            before = page.older.filter(|older| *older > after);
            if before.is_none() {
                break;
            }
        }
        all.reverse();
        Ok(all)
    }

    /// Returns one message of a room, with the name of the room. Refused with `NoSuchMessage`, also if the person does not see it.
    pub(crate) async fn room_message(
        &self,
        session: &Session,
        room: RoomId,
        id: LogIndex,
    ) -> Result<(String, RoomText), Refusal> {
        match self.requests.read(Query::RoomMessage { session: session.token, room, id }).await? {
            Page::RoomMessage { room, message } => Ok((room, message)),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns a page of the members of a room. Refused with `NoSuchRoom` or `NotInRoom`.
    pub(crate) async fn room_people(
        &self,
        session: &Session,
        room: &str,
        after: Option<AccountId>,
    ) -> Result<RoomPeople, Refusal> {
        let room = named(room)?;
        match self.requests.read(Query::RoomPeople { session: session.token, room, after }).await? {
            Page::RoomPeople(people) => Ok(people),
            other => Err(unexpected(&other)),
        }
    }

    /// Changes a room. `command` makes the command from the session and the folded name of the room.
    pub(crate) async fn change_room(
        &self,
        from: IpAddr,
        session: &Session,
        room: &str,
        command: impl FnOnce(TokenHash, String) -> RoomCommand,
    ) -> Result<Reply, Refusal> {
        let room = named(room)?;
        self.check_rate(from, AddressRateClass::Post)?;
        self.requests.write(command(session.token, room)).await
    }

    /// Says something in a room. Refused with `MessageTooLong`, `NoSuchRoom` or `NotInRoom`, and with `InvalidEntry` if the text is
    /// blank.
    pub(crate) async fn say(
        &self,
        from: IpAddr,
        session: &Session,
        room: &str,
        text: &str,
    ) -> Result<LogIndex, Refusal> {
        check_message(text)?;
        let text = text.to_string();
        let say = |session, room| RoomCommand::Say { session, room, text };
        match self.change_room(from, session, room, say).await? {
            Reply::Sent { message } => Ok(message),
            other => Err(unexpected(&other)),
        }
    }

    /// Changes the topic of a room. Refused with `NotRoomModerator`, and with `InvalidEntry` if it is too long.
    pub(crate) async fn set_topic(
        &self,
        from: IpAddr,
        session: &Session,
        room: &str,
        topic: &str,
    ) -> Result<(), Refusal> {
        let topic = Some(check_topic(topic)?);
        let change = |session, room| RoomCommand::Change { session, room, topic, open: None, history: None };
        self.change_room(from, session, room, change).await.map(drop)
    }

    /// Marks the messages of a room up to this one as read.
    pub(crate) async fn mark_room(
        &self,
        session: &Session,
        room: &str,
        read_through: LogIndex,
    ) -> Result<(), Refusal> {
        let mark = RoomCommand::Mark { session: session.token, room: named(room)?, read_through };
        self.requests.write(mark).await.map(drop)
    }
}

/// Returns the folded name of a room. A name that no room can have is unknown.
fn named(room: &str) -> Result<String, Refusal> {
    fold_room_name(room).map_err(|_| Refusal::Denied(Code::NoSuchRoom))
}
