//! Rooms in the terminal client: `/rooms`, `/join`, `/leave`, and what is said in the room that the user is in.
//!
//! One room at a time is open: its messages appear as they are said, and text without a slash is said there. The other rooms
//! are only counted. A message that was shown is marked as read with the next message, on leaving the room and at exit, so a
//! busy room costs its readers few writes.

use super::client::{CommandError, TerminalClient};
use super::open_room::OpenRoom;
use crate::client::session::request_error::RequestError;
use ribbit_state::limits::MESSAGE_CHARS_MAX;
use ribbit_state::query::{RoomPage, RoomStanding, RoomText};
use ribbit_state::text::{check_message, fold_room_name};
use ribbit_state::{Code, Denied, EventKind, LogIndex, RoomCommand, RoomId};
use ribbit_ui::length::TextLength;
use ribbit_ui::{plain, rooms};
use std::time::Duration;

/// Number of messages that are shown when a room is opened.
const PAGE: usize = 20;
/// Pause before a failed read is repeated.
const PAUSE: Duration = Duration::from_secs(1);

impl TerminalClient {
    /// Returns the name of the open room.
    pub(crate) fn room(&self) -> Option<String> {
        self.room.borrow().as_ref().map(|room| room.name.clone())
    }

    /// Lists the user's rooms, the invitations, and the rooms that everyone may join.
    pub(crate) async fn show_rooms(&self) -> Result<(), RequestError> {
        let (mine, invitations) = self.user.rooms().await?;
        let open = self.user.open_rooms().await?;
        let mut shown: Vec<String> = mine.iter().map(|one| rooms::room_line(one, self.style)).collect();
        shown.extend(invitations.iter().map(|one| rooms::invitation_line(one, self.style)));
        let others: Vec<_> = open
            .iter()
            .filter(|(_, standing)| matches!(standing, RoomStanding::Stranger | RoomStanding::Removed))
            .collect();
        if !others.is_empty() {
            shown.push("rooms that you can join:".to_string());
            shown.extend(others.iter().map(|(room, is)| rooms::open_room_line(room, *is, self.style)));
        }
        shown.push(match shown.is_empty() {
            true => "there are no rooms yet; `ribbit client room-create NAME` makes one".to_string(),
            false => "  (`/join NAME` opens a room)".to_string(),
        });
        self.screen.show(shown.join("\n")).await;
        Ok(())
    }

    /// Opens a room, and joins it first if the user is no member.
    pub(crate) async fn join_room(&self, name: &str) -> Result<(), CommandError> {
        let name = fold_room_name(name)?;
        let mut page = self.user.room(&name, None, PAGE).await?;
        if page.standing.rank().is_none() {
            self.user.change_room(&name, |session, room| RoomCommand::Join { session, room }).await?;
            page = self.user.room(&name, None, PAGE).await?;
        }
        self.close_room().await?;
        let RoomPage { room, mut messages, standing, older, .. } = page;
        messages.reverse();
        let marked_through = match standing {
            RoomStanding::Member { read_through, .. } => read_through,
            _ => 0,
        };
        let newest = messages.last().map_or(0, |newest| newest.id);
        let open = OpenRoom { id: room.id, name, read_through: newest, shown_through: 0, marked_through };
        self.room.replace(Some(open));
        let mut shown = Vec::with_capacity(messages.len() + 2);
        if older.is_some() {
            let count = messages.len();
            shown.push(format!("  (the latest {count} messages; the web pages show older ones)"));
        }
        shown.extend(messages.iter().map(|message| rooms::text_line(message, self.style)));
        if !room.topic.is_empty() {
            shown.push(format!("#{}: {}", room.name, plain::line(&room.topic)));
        }
        shown.push(format!(
            "you are in #{}: everything you type is said there. `/leave` closes it",
            room.name
        ));
        if self.screen.shown(shown.join("\n")).await {
            self.note_shown(room.id, newest);
            self.mark_room().await?;
        }
        Ok(())
    }

    /// Closes the open room, of which the user stays a member. With a name, leaves that room for good.
    pub(crate) async fn leave_room(&self, name: Option<&str>) -> Result<(), CommandError> {
        let open = self.room();
        let Some(name) = name else {
            let Some(open) = open else {
                return Err(CommandError::Refused("you have no room open; `/rooms` lists rooms".to_string()));
            };
            self.close_room().await?;
            let words = format!("#{open} is closed here; you are still a member. `/leave {open}` leaves it");
            self.screen.show(words).await;
            return Ok(());
        };
        let name = fold_room_name(name)?;
        self.user.change_room(&name, |session, room| RoomCommand::Leave { session, room }).await?;
        if open.as_ref() == Some(&name) {
            self.room.take();
        }
        self.screen.show(format!("you left #{name}")).await;
        Ok(())
    }

    /// Closes the open room, if there is one.
    ///
    /// # Errors
    /// As [`TerminalClient::mark_room`].
    pub(crate) async fn close_room(&self) -> Result<(), RequestError> {
        self.mark_room().await?;
        self.room.take();
        Ok(())
    }

    /// Says something in the open room.
    pub(crate) async fn say(&self, text: &str) -> Result<(), CommandError> {
        let Some(name) = self.room() else { return Ok(()) };
        if let Err(Denied { code: Code::MessageTooLong, .. }) = check_message(text) {
            let length = TextLength::of(text);
            let words = format!("not said: your message has {length}, the limit is {MESSAGE_CHARS_MAX}");
            return Err(self.too_long(words));
        }
        self.user.say(&name, text).await?;
        if !self.screen.is_terminal() {
            // A script gets no events.
            self.screen.show(format!("said in #{name}")).await;
            return Ok(());
        }
        // The event stream shows it in order among the others.
        Ok(self.mark_room().await?)
    }

    /// Shows what is new in the open room after an event.
    pub(crate) async fn show_room_event(
        &self,
        index: LogIndex,
        what: &EventKind,
    ) -> Result<(), RequestError> {
        let Some(open) = self.room.borrow().clone() else { return Ok(()) };
        match what {
            EventKind::RoomSaid { room, .. } if *room == open.id && index > open.read_through => {
                // An event is reported only once, so the read is repeated while the reached servers cannot answer.
                loop {
                    match self.show_room_news().await {
                        Err(error) if error.is_transient() => {}
                        shown => return shown,
                    }
                    smol::Timer::after(PAUSE).await;
                }
            }
            EventKind::RoomLeft { room, account } if *room == open.id && *account == self.me.account => {
                self.forget_room(&open).await;
                Ok(())
            }
            EventKind::RoomClosed { room } if *room == open.id => {
                self.forget_room(&open).await;
                Ok(())
            }
            EventKind::RoomMessageRemoved { room, message } if *room == open.id => {
                if *message <= open.shown_through {
                    self.screen.show(format!("a message in #{} was removed", open.name)).await;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Shows the messages of the open room that were not read yet.
    pub(crate) async fn show_room_news(&self) -> Result<(), RequestError> {
        let Some(open) = self.room.borrow().clone() else { return Ok(()) };
        let said = match self.user.room_after(&open.name, open.read_through).await {
            // The room is gone, or the user is in it no longer.
            Err(RequestError::Denied(Denied { code: Code::NoSuchRoom | Code::NotInRoom, .. })) => {
                self.forget_room(&open).await;
                return Ok(());
            }
            said => said?,
        };
        let Some(newest) = said.last().map(|newest| newest.id) else { return Ok(()) };
        if let Some(room) = self.room.borrow_mut().as_mut().filter(|room| room.id == open.id) {
            room.read_through = room.read_through.max(newest);
        }
        let name = |message: &RoomText| message.author.as_ref().map(|author| author.username.clone());
        said.iter().filter_map(name).for_each(|username| self.names.remember(&username));
        let shown: Vec<String> = said.iter().map(|message| rooms::text_line(message, self.style)).collect();
        if self.screen.shown(shown.join("\n")).await {
            self.note_shown(open.id, newest);
        }
        Ok(())
    }

    async fn forget_room(&self, open: &OpenRoom) {
        let was_open = self.room.borrow().as_ref().is_some_and(|room| room.id == open.id);
        if was_open {
            self.room.take();
            self.screen.note(format!("you are in #{} no longer", open.name)).await;
        }
    }

    fn note_shown(&self, id: RoomId, newest: LogIndex) {
        if let Some(room) = self.room.borrow_mut().as_mut().filter(|room| room.id == id) {
            room.shown_through = room.shown_through.max(newest);
        }
    }

    /// Marks as read what is on the screen of the open room.
    ///
    /// # Errors
    /// The [`RequestError`] of a write that no server decided.
    pub(crate) async fn mark_room(&self) -> Result<(), RequestError> {
        let Some(open) = self.room.borrow().clone() else { return Ok(()) };
        if open.shown_through <= open.marked_through {
            return Ok(());
        }
        match self.user.mark_room(&open.name, open.shown_through).await {
            Err(error) if error.is_unanswered() || error.lacks_session() => Err(error),
            // A refusal needs no retry: the user left the room meanwhile.
            _ => {
                if let Some(room) = self.room.borrow_mut().as_mut().filter(|room| room.id == open.id) {
                    room.marked_through = room.marked_through.max(open.shown_through);
                }
                Ok(())
            }
        }
    }
}
