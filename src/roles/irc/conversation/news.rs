//! Events of other clients: an event names what to read, and each message that was read is shown once.

use super::shown::Shown;
use super::{Conversation, ShownThrough};
use crate::irc::capabilities::Capability;
use crate::irc::codec::line::Line;
use crate::irc::replies::source;
use crate::irc::{End, SERVER};
use crate::operations::Refusal;
use crate::operations::limits::ROOM_CATCH_UP_PAGES_MAX;
use crate::operations::messages::Waiting;
use ribbit_state::limits::FEED_PAGE_MAX;
use ribbit_state::query::FeedCroak;
use ribbit_state::{AccountId, Event, EventKind, LogIndex, RoomId};
use std::collections::BTreeMap;

impl Conversation<'_> {
    /// Shows what an event says. What cannot be read now is read after a pause, with everything behind it.
    pub(super) async fn show_event(&mut self, event: Event) {
        match self.read_event(&event).await {
            // It was removed meanwhile, or is hidden from this person.
            Ok(()) | Err(Refusal::Denied(_)) => {}
            Err(refusal) => self.catch_up_later(refusal),
        }
    }

    async fn read_event(&mut self, event: &Event) -> Result<(), Refusal> {
        let (index, me) = (event.index, self.me.account);
        match event.what {
            EventKind::RoomSaid { room, .. } => self.show_said(room, index).await,
            EventKind::Messaged { from, to } if from == me || to == me => {
                self.show_message(index, to == me).await
            }
            EventKind::Croaked { .. } | EventKind::Shared { .. }
                if self.feed.is_some_and(|feed| index > feed.shown) =>
            {
                if self.is_silent(index) {
                    self.feed.iter_mut().for_each(|feed| feed.shown = index);
                    return Ok(());
                }
                let croak = self.operations().croak(&self.session, index).await?;
                self.show_croak(croak);
                Ok(())
            }
            EventKind::RoomJoined { room, account } => self.show_membership(room, account, "JOIN").await,
            EventKind::RoomLeft { room, account } => self.show_membership(room, account, "PART").await,
            EventKind::RoomClosed { room } => {
                if let Some(name) = self.room_of(room) {
                    self.close_from_elsewhere(&name, "The room was closed");
                }
                Ok(())
            }
            EventKind::RoomChanged { room } => self.show_topic_change(room).await,
            EventKind::RoomMessageRemoved { room, message } => {
                let name = self.room_of(room);
                let shown = name.as_ref().and_then(|name| self.rooms.get(name));
                if let (Some(name), true) = (&name, shown.is_some_and(|open| message <= open.through.shown)) {
                    self.out.notice(&format!("#{name}"), "A message in this room was removed");
                }
                Ok(())
            }
            EventKind::RoomInvited { room, account } if account == me => self.show_invitation(room).await,
            EventKind::Announced => {
                let items = self.operations().announcements(&self.session).await?;
                for item in items.into_iter().filter(|item| item.id == index) {
                    self.announce(&item.text);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Returns the name of an open room.
    pub(super) fn room_of(&self, id: RoomId) -> Option<String> {
        self.rooms.iter().find(|(_, open)| open.id == id).map(|(name, _)| name.clone())
    }

    async fn show_said(&mut self, id: RoomId, index: LogIndex) -> Result<(), Refusal> {
        let Some(name) = self.room_of(id) else { return Ok(()) };
        if self.rooms.get(&name).is_none_or(|open| index <= open.through.shown) {
            return Ok(());
        }
        if self.is_silent(index) {
            self.rooms.get_mut(&name).into_iter().for_each(|open| open.through.shown = index);
            return Ok(());
        }
        let (_, message) = self.operations().room_message(&self.session, id, index).await?;
        if let Some(open) = self.rooms.get_mut(&name) {
            open.through.shown = index;
        }
        if let Some(shown) = Shown::in_room(&name, message) {
            self.show_new(&shown);
        }
        Ok(())
    }

    async fn show_message(&mut self, index: LogIndex, is_received: bool) -> Result<(), Refusal> {
        if index <= self.messages_through {
            return Ok(());
        }
        // Only clients that know echoes expect their own messages, said here or elsewhere.
        if !is_received && !self.has(Capability::EchoMessage) {
            self.messages_through = index;
            self.own.remove(&index);
            return Ok(());
        }
        let message = self.operations().message(&self.session, index).await?;
        self.messages_through = index;
        let with = message.with_account;
        let shown = Shown::direct(&self.me, message);
        self.show_new(&shown);
        if is_received {
            self.mark_received(with, index).await;
        }
        Ok(())
    }

    /// Writes what waits, and records that it was read: from then on it waits no longer.
    async fn mark_received(&mut self, with: AccountId, through: LogIndex) {
        // A client that does not take it is noticed by the next write, which fails as this one.
        if self.out.flush().await.is_ok()
            && let Err(refusal) = self.operations().mark_read(&self.session, with, through).await
        {
            log::debug!("a message is not marked as read: {refusal}");
        }
    }

    fn show_croak(&mut self, croak: FeedCroak) {
        let shown = Shown::in_feed(croak);
        if let Some(feed) = &mut self.feed {
            feed.shown = feed.shown.max(shown.id);
        }
        self.show_new(&shown);
    }

    async fn show_membership(
        &mut self,
        id: RoomId,
        account: AccountId,
        command: &str,
    ) -> Result<(), Refusal> {
        let Some(name) = self.room_of(id) else { return Ok(()) };
        if account == self.me.account {
            // What this connection has joined is open already.
            if command == "PART" {
                self.close_from_elsewhere(&name, "You are in this room no longer");
            }
            return Ok(());
        }
        if let Some(person) = self.operations().person(&self.session, account).await? {
            self.out.push(&Line::new(source(&person.username), command).with(format!("#{name}")));
        }
        Ok(())
    }

    /// Closes the channel of a room that the person is in no longer.
    fn close_from_elsewhere(&mut self, name: &str, why: &str) {
        self.rooms.remove(name);
        let line = Line::new(SERVER, "KICK").with(format!("#{name}")).with(&self.me.username);
        self.out.push(&line.text(why));
    }

    async fn show_topic_change(&mut self, id: RoomId) -> Result<(), Refusal> {
        let Some(name) = self.room_of(id) else { return Ok(()) };
        let topic = self.operations().room(&self.session, &name, None, 1).await?.room.topic;
        if let Some(open) = self.rooms.get_mut(&name).filter(|open| open.topic != topic) {
            open.topic = topic.clone();
            self.out.push(&Line::new(SERVER, "TOPIC").with(format!("#{name}")).text(topic));
        }
        Ok(())
    }

    async fn show_invitation(&mut self, id: RoomId) -> Result<(), Refusal> {
        let (_, invitations) = self.operations().rooms(&self.session).await?;
        // It may have been withdrawn or declined.
        if let Some(invitation) = invitations.into_iter().find(|invitation| invitation.room.id == id) {
            let by = invitation.by.map_or(SERVER.to_string(), |by| source(&by.username));
            let line = Line::new(by, "INVITE").with(&self.me.username);
            self.out.push(&line.with(format!("#{}", invitation.room.name)));
        }
        Ok(())
    }

    /// Shows everything behind what was shown: after the log-in, and after events were missed.
    pub(super) async fn catch_up(&mut self) -> Result<(), End> {
        self.catch_up_at = None;
        match self.read_everything().await {
            Ok(()) => {}
            Err(refusal) if refusal.lacks_session() => {
                return Err(End::session_ended());
            }
            Err(refusal) => self.catch_up_later(refusal),
        }
        Ok(())
    }

    async fn read_everything(&mut self) -> Result<(), Refusal> {
        loop {
            let after = Some(self.messages_through);
            let (waiting, more) = self.operations().waiting_after(&self.session, after).await?;
            // Messages come oldest first, so the last one of a sender stays.
            let mut newest = BTreeMap::new();
            for message in waiting {
                let Waiting { id, sender, from, wall_ms, text, .. } = message;
                let to = self.me.username.clone();
                self.show(&Shown { id, wall_ms, from, to, text, reply_to: None }, true, None);
                self.messages_through = id;
                newest.insert(sender, id);
            }
            for (with, through) in newest {
                self.mark_received(with, through).await;
            }
            if !more {
                break;
            }
        }
        for name in self.rooms.keys().cloned().collect::<Vec<String>>() {
            let after = self.rooms.get(&name).map_or(0, |open| open.through.shown);
            match self.operations().room_after(&self.session, &name, after).await {
                Ok(messages) => {
                    for message in messages {
                        if let Some(open) = self.rooms.get_mut(&name) {
                            open.through.shown = message.id;
                        }
                        if let Some(shown) = Shown::in_room(&name, message) {
                            self.show_new(&shown);
                        }
                        self.write_many().await;
                    }
                }
                Err(Refusal::Denied(_)) => self.close_from_elsewhere(&name, "You are in this room no longer"),
                Err(refusal) => return Err(refusal),
            }
        }
        if let Some(feed) = self.feed {
            for croak in self.feed_after(feed.shown).await? {
                self.show_croak(croak);
                self.write_many().await;
            }
        }
        Ok(())
    }

    /// Writes the lines that wait if there are many. An error is noticed by the next write, which fails as this one.
    pub(super) async fn write_many(&mut self) {
        if let Err(error) = self.out.flush_many().await {
            log::debug!("lines were not written: {error}");
        }
    }

    /// Returns the croaks of the feed after `after`, oldest first: all of them, or the newest of as many pages as of a room.
    async fn feed_after(&self, after: LogIndex) -> Result<Vec<FeedCroak>, Refusal> {
        let (mut all, mut before) = (Vec::new(), None);
        for _ in 0..ROOM_CATCH_UP_PAGES_MAX {
            let (croaks, older) = self.operations().feed_croaks(&self.session, before, FEED_PAGE_MAX).await?;
            all.extend(croaks.into_iter().take_while(|croak| croak.cursor() > after));
            before = older.filter(|older| *older > after);
            if before.is_none() {
                break;
            }
        }
        all.reverse();
        Ok(all)
    }

    /// Begins anew after the log was replaced: its positions do not compare with those of another one.
    pub(super) fn begin_another_history(&mut self) {
        let now = self.live.position();
        self.messages_through = 0;
        self.own.clear();
        let begin = |through: &mut ShownThrough| *through = ShownThrough { shown: now, marked: now };
        self.rooms.values_mut().for_each(|open| begin(&mut open.through));
        self.feed.iter_mut().for_each(begin);
        self.out
            .notice(&self.me.username, "The cluster was restored from a backup; what you saw may be gone");
    }

    /// Shows an announcement of the people who run the servers.
    pub(super) fn announce(&mut self, text: &str) {
        for line in text.lines() {
            self.out.notice(&self.me.username, &format!("Announcement: {line}"));
        }
    }
}
