//! Rooms of a user session: queries, writes, and following what is said.
//!
//! An event only signals that there is something new. The room is then read at a position at least as new as the event, and
//! all messages after the last reported one are reported. Duplicate and missed events therefore make no difference.

use super::live_feed::next_event;
use super::request_error::RequestError;
use super::{UserSession, unexpected};
use ribbit_net::protocol::{LapseReason, UnavailableReason};
use ribbit_net::subscription::{Subscription, SubscriptionMessage};
use ribbit_state::limits::ROOM_PAGE_MAX;
use ribbit_state::query::{
    RoomInfo, RoomInvitation, RoomPage, RoomPeople, RoomStanding, RoomSummary, RoomText,
};
use ribbit_state::text::{check_message, fold_room_name};
use ribbit_state::{
    AccountId, EventKind, LogIndex, Page, Query, Reply, RoomCommand, RoomId, Token, TokenHash,
};
use std::collections::BTreeSet;

impl UserSession {
    /// Returns the rooms of the user, the one with the newest message first, and the invitations.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn rooms(&self) -> Result<(Vec<RoomSummary>, Vec<RoomInvitation>), RequestError> {
        match self.read(Query::Rooms { session: self.session()? }).await?.value {
            Page::Rooms { rooms, invitations, .. } => Ok((rooms, invitations)),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns all rooms that everyone may join, by name.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn open_rooms(&self) -> Result<Vec<(RoomInfo, RoomStanding)>, RequestError> {
        let (session, mut all, mut after) = (self.session()?, Vec::new(), None);
        loop {
            let page = self.read(Query::OpenRooms { session, after }).await?.value;
            let Page::OpenRooms { rooms, more, .. } = page else { return Err(unexpected(&page)) };
            all.extend(rooms);
            match more {
                Some(_) => after = more,
                None => return Ok(all),
            }
        }
    }

    /// Returns the names that begin with `begin`, of the user's rooms, the invitations and the next open rooms.
    ///
    /// # Errors
    /// `NotLoggedIn` (609); unreachable when no server answers.
    pub(crate) async fn room_names(&self, begin: &str) -> Result<Vec<String>, RequestError> {
        let (mine, invitations) = self.rooms().await?;
        let after = fold_room_name(begin).ok();
        let open = match self.read(Query::OpenRooms { session: self.session()?, after }).await?.value {
            Page::OpenRooms { rooms, .. } => rooms,
            other => return Err(unexpected(&other)),
        };
        let names = mine.into_iter().map(|one| one.room.name);
        let names = names.chain(invitations.into_iter().map(|one| one.room.name));
        let names = names.chain(open.into_iter().map(|(room, _)| room.name));
        // The page of open rooms begins behind the room of exactly this name.
        let exact = self.room(begin, None, 1).await.ok().map(|page| page.room.name);
        let names = names.chain(exact);
        Ok(names.filter(|name| name.starts_with(begin)).collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// Returns a page of a room, newest message first.
    ///
    /// # Errors
    /// `NotLoggedIn` (609), `NoSuchRoom` (654); unreachable when no server answers.
    pub(crate) async fn room(
        &self,
        room: &str,
        before: Option<LogIndex>,
        limit: usize,
    ) -> Result<RoomPage, RequestError> {
        let (session, room) = (self.session()?, fold_room_name(room)?);
        let limit = u16::try_from(limit.min(ROOM_PAGE_MAX)).unwrap_or(u16::MAX);
        match self.read(Query::Room { session, room, before, limit }).await?.value {
            Page::Room(page) => Ok(page),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns all messages of a room after `after`, oldest first.
    ///
    /// # Errors
    /// As [`UserSession::room`].
    pub(crate) async fn room_after(
        &self,
        room: &str,
        after: LogIndex,
    ) -> Result<Vec<RoomText>, RequestError> {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let page = self.room(room, before, ROOM_PAGE_MAX).await?;
            let older = page.older;
            all.extend(page.messages.into_iter().take_while(|message| message.id > after));
            // A page may be short, because messages of people who are kept away are left out.
            if older.is_none_or(|older| older <= after) {
                all.reverse();
                return Ok(all);
            }
            before = older;
        }
    }

    /// Returns one page of the members of a room.
    ///
    /// # Errors
    /// `NotLoggedIn` (609), `NoSuchRoom` (654), `NotInRoom` (656); unreachable when no server answers.
    pub(crate) async fn room_people(
        &self,
        room: &str,
        after: Option<AccountId>,
    ) -> Result<RoomPeople, RequestError> {
        let (session, room) = (self.session()?, fold_room_name(room)?);
        match self.read(Query::RoomPeople { session, room, after }).await?.value {
            Page::RoomPeople(people) => Ok(people),
            other => Err(unexpected(&other)),
        }
    }

    /// Changes a room. `command` makes the command from the session and the folded name of the room.
    ///
    /// # Errors
    /// The refusal of the command; unreachable when no server answers.
    pub(crate) async fn change_room(
        &self,
        room: &str,
        command: impl FnOnce(TokenHash, String) -> RoomCommand,
    ) -> Result<Reply, RequestError> {
        let (session, room) = (self.session()?, fold_room_name(room)?);
        self.write(command(session, room).into()).await
    }

    /// Says something in a room and returns the id of the message.
    ///
    /// # Errors
    /// `InvalidEntry` (606), `MessageTooLong` (643), `NoSuchRoom` (654), `NotInRoom` (656); unreachable when no server answers.
    pub(crate) async fn say(&self, room: &str, text: &str) -> Result<LogIndex, RequestError> {
        check_message(text)?;
        let text = text.to_string();
        match self.change_room(room, |session, room| RoomCommand::Say { session, room, text }).await? {
            Reply::Sent { message } => Ok(message),
            other => Err(unexpected(&other)),
        }
    }

    /// Marks the messages of a room up to this one as read.
    ///
    /// # Errors
    /// As [`UserSession::change_room`].
    pub(crate) async fn mark_room(&self, room: &str, read_through: LogIndex) -> Result<(), RequestError> {
        let mark = |session, room| RoomCommand::Mark { session, room, read_through };
        self.change_room(room, mark).await.map(drop)
    }
}

/// An update of a followed room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RoomUpdate {
    /// New messages, oldest first; never empty.
    Said(Vec<RoomText>),
    /// The user is in the room no longer.
    Left,
    /// The cluster has another history now, so messages may be missing.
    OtherHistory,
}

/// A room that is followed.
#[derive(Debug)]
pub(crate) struct LiveRoom {
    user: UserSession,
    me: AccountId,
    id: RoomId,
    name: String,
    events: Subscription,
    /// The newest message that was reported.
    reported: LogIndex,
    /// Position of an event whose messages must be read before the next event is taken.
    pending: Option<Token>,
}

impl LiveRoom {
    /// Starts behind a page that was read.
    ///
    /// # Errors
    /// `NotLoggedIn` (609) without a session; unreachable when no server answers.
    pub(crate) fn start(user: &UserSession, page: &RoomPage) -> Result<LiveRoom, RequestError> {
        let now = user.client().seen().ok_or(RequestError::undecided_write(UnavailableReason::NotServing))?;
        Ok(LiveRoom {
            user: user.clone(),
            me: page.me.account,
            id: page.room.id,
            name: page.room.name.clone(),
            events: user.subscribe(now)?,
            reported: page.messages.first().map_or(0, |newest| newest.id),
            pending: Some(now),
        })
    }

    /// Waits for the next update.
    ///
    /// # Errors
    /// `NotLoggedIn` (609) when the session is over; unreachable when no server answers.
    pub(crate) async fn next(&mut self) -> Result<RoomUpdate, RequestError> {
        loop {
            if let Some(at_least) = self.pending {
                self.user.client().record_seen(at_least);
                let said = self.user.room_after(&self.name, self.reported).await?;
                self.reported = said.last().map_or(self.reported, |newest| newest.id);
                self.pending = None;
                if !said.is_empty() {
                    return Ok(RoomUpdate::Said(said));
                }
            }
            match next_event(&mut self.events, &self.user).await? {
                None | Some(SubscriptionMessage::Heartbeat) => {}
                Some(SubscriptionMessage::Event(event)) => {
                    let at_least = Token { history: self.events.cursor().history, index: event.index };
                    match event.what {
                        EventKind::RoomSaid { room, .. }
                            if room == self.id && event.index > self.reported =>
                        {
                            self.pending = Some(at_least);
                        }
                        EventKind::RoomLeft { room, account } if room == self.id && account == self.me => {
                            return Ok(RoomUpdate::Left);
                        }
                        EventKind::RoomClosed { room } if room == self.id => return Ok(RoomUpdate::Left),
                        _ => {}
                    }
                }
                Some(SubscriptionMessage::ReadAgain { at_least, why }) => {
                    let other = why == LapseReason::OtherHistory;
                    if other {
                        self.user.client().forget_seen();
                        self.reported = at_least.index;
                    }
                    self.events.resume(at_least);
                    self.pending = Some(at_least);
                    if other {
                        return Ok(RoomUpdate::OtherHistory);
                    }
                }
                Some(SubscriptionMessage::Ended(denied)) => return Err(denied.into()),
            }
        }
    }
}
