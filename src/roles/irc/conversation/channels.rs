//! Rooms and the feed as channels: JOIN, PART, TOPIC, LIST, INVITE, KICK, MODE.
//!
//! A person is a member of a room whether a client shows it or not. JOIN opens its channel, and makes the person a member if they are
//! none. PART closes the channel; `PART #room leave` ends the membership.

use super::shown::{FEED, Shown};
use super::{Conversation, OpenRoom, ShownThrough};
use crate::irc::capabilities::Capability;
use crate::irc::codec::line::Line;
use crate::irc::codec::message::Message;
use crate::irc::limits::{CHANNELS_AT_ONCE_MAX, CHANNELS_MAX, HISTORY_MAX};
use crate::irc::replies::source;
use crate::operations::Refusal;
use ribbit_state::query::{FeedCroak, RoomInfo, RoomPage};
use ribbit_state::text::fold_room_name;
use ribbit_state::{Code, RoomCommand};
use std::io;

/// Word behind a channel in PART that ends the membership.
const LEAVE: &str = "leave";
/// Topic of the feed's channel.
const FEED_TOPIC: &str = "Croaks of you and the people you follow; a line that you say here is a croak";

impl Conversation<'_> {
    /// Returns the room that a channel stands for. `None`, and 403, if it stands for none.
    pub(super) fn room_named(&mut self, channel: &str) -> Option<String> {
        let name = channel.strip_prefix('#').and_then(|name| fold_room_name(name).ok());
        if name.is_none() {
            let line = self.reply("403").with(channel).text("There is no such channel: rooms begin with #");
            self.out.push(&line);
        }
        name
    }

    /// Returns the channels of a list, at most `CHANNELS_AT_ONCE_MAX`.
    fn channels(&mut self, command: &str, list: &str) -> Vec<String> {
        let channels: Vec<String> =
            list.split(',').filter(|channel| !channel.is_empty()).map(str::to_string).collect();
        if channels.len() > CHANNELS_AT_ONCE_MAX {
            self.refuse(
                command,
                "TOO_MANY",
                &[],
                &format!("At most {CHANNELS_AT_ONCE_MAX} channels at once"),
            );
            return Vec::new();
        }
        channels
    }

    pub(super) async fn join(&mut self, message: &Message) -> io::Result<()> {
        let list = message.param(0).unwrap_or_default();
        if list == "0" {
            for name in self.rooms.keys().cloned().collect::<Vec<String>>() {
                self.part_one(&format!("#{name}"), false).await;
            }
            return Ok(());
        }
        for channel in self.channels("JOIN", list) {
            if channel.eq_ignore_ascii_case(FEED) {
                self.join_feed().await;
            } else if let Some(name) = self.room_named(&channel) {
                self.join_room(&name).await;
            }
            self.out.flush_many().await?;
        }
        Ok(())
    }

    async fn join_room(&mut self, name: &str) {
        if self.rooms.contains_key(name) {
            return;
        }
        let channel = format!("#{name}");
        if self.rooms.len() >= CHANNELS_MAX {
            let line = self.reply("405").with(&channel).text("You have too many channels open");
            return self.out.push(&line);
        }
        let page = match self.enter_room(name).await {
            Ok(page) => page,
            Err(Refusal::Denied(Code::NoSuchRoom)) => {
                let line = self.reply("403").with(&channel);
                return self.out.push(&line.text(
                    "There is no such room, or you are not invited; rooms are made on the pages or with `ribbit client room-create`",
                ));
            }
            Err(refusal) => return self.refused("JOIN", &[&channel], refusal),
        };
        let RoomPage { room, mut messages, .. } = page;
        let shown = messages.first().map_or(0, |newest| newest.id);
        let through = ShownThrough { shown, marked: 0 };
        self.rooms.insert(name.to_string(), OpenRoom { id: room.id, topic: room.topic.clone(), through });
        self.out.push(&Line::new(source(&self.me.username), "JOIN").with(&channel));
        self.send_topic(&room, false);
        self.send_members(name).await;
        messages.reverse();
        let messages: Vec<Shown> =
            messages.into_iter().filter_map(|message| Shown::in_room(name, message)).collect();
        self.replay(&channel, &messages);
    }

    /// Returns the newest page of a room, after joining it if the person is no member.
    async fn enter_room(&self, name: &str) -> Result<RoomPage, Refusal> {
        let page = self.operations().room(&self.session, name, None, HISTORY_MAX).await?;
        if page.standing.rank().is_some() {
            return Ok(page);
        }
        let join = |session, room| RoomCommand::Join { session, room };
        match self.operations().change_room(self.from, &self.session, name, join).await {
            // Through another client of the same person, a moment ago.
            Ok(_) | Err(Refusal::Denied(Code::AlreadyInRoom)) => {}
            Err(refusal) => return Err(refusal),
        }
        self.operations().room(&self.session, name, None, HISTORY_MAX).await
    }

    async fn join_feed(&mut self) {
        if self.feed.is_some() {
            return;
        }
        let (mut croaks, _) = match self.operations().feed_croaks(&self.session, None, HISTORY_MAX).await {
            Ok(page) => page,
            Err(refusal) => return self.refused("JOIN", &[FEED], refusal),
        };
        self.feed = Some(ShownThrough { shown: croaks.first().map_or(0, FeedCroak::cursor), marked: 0 });
        self.out.push(&Line::new(source(&self.me.username), "JOIN").with(FEED));
        self.send_feed_topic();
        self.send_feed_members();
        croaks.reverse();
        let croaks: Vec<Shown> = croaks.into_iter().map(Shown::in_feed).collect();
        self.replay(FEED, &croaks);
    }

    /// Shows the newest messages of a channel that was joined. A client that asks for history gets none by itself.
    fn replay(&mut self, channel: &str, messages: &[Shown]) {
        if !self.has(Capability::ChatHistory) && !messages.is_empty() {
            self.show_batch(channel, messages);
        }
    }

    pub(super) async fn part(&mut self, message: &Message) {
        let leaves = message.param(1).is_some_and(|word| word.eq_ignore_ascii_case(LEAVE));
        for channel in self.channels("PART", message.param(0).unwrap_or_default()) {
            self.part_one(&channel, leaves).await;
        }
    }

    async fn part_one(&mut self, channel: &str, leaves: bool) {
        let nick = self.me.username.clone();
        let part = |channel: &str| Line::new(source(&nick), "PART").with(channel);
        if channel.eq_ignore_ascii_case(FEED) {
            self.mark_shown(FEED).await;
            match self.feed.take() {
                Some(_) => self.out.push(&part(FEED)),
                None => self.not_on(FEED),
            }
            return;
        }
        let Some(name) = self.room_named(channel) else { return };
        let channel = format!("#{name}");
        if leaves {
            let leave = |session, room| RoomCommand::Leave { session, room };
            match self.operations().change_room(self.from, &self.session, &name, leave).await {
                Ok(_) => {}
                Err(refusal) => return self.refused("PART", &[&channel], refusal),
            }
        } else {
            self.mark_shown(&channel).await;
        }
        if self.rooms.remove(&name).is_none() && !leaves {
            return self.not_on(&channel);
        }
        self.out.push(&part(&channel));
        if !leaves {
            let words = format!(
                "{channel} is closed here; you are still a member. /part {channel} {LEAVE} leaves it"
            );
            self.out.notice(&nick, &words);
        }
    }

    fn not_on(&mut self, channel: &str) {
        let line = self.reply("442").with(channel).text("You have not joined that channel");
        self.out.push(&line);
    }

    pub(super) async fn topic(&mut self, message: &Message) {
        let channel = message.param(0).unwrap_or_default();
        let is_feed = channel.eq_ignore_ascii_case(FEED);
        match message.param(1) {
            None if is_feed => self.send_feed_topic(),
            Some(_) if is_feed => self.refused("TOPIC", &[FEED], Refusal::Denied(Code::NotRoomOwner)),
            None => {
                let Some(name) = self.room_named(channel) else { return };
                match self.operations().room(&self.session, &name, None, 1).await {
                    Ok(page) => self.send_topic(&page.room, true),
                    Err(refusal) => self.refused("TOPIC", &[&format!("#{name}")], refusal),
                }
            }
            Some(topic) => {
                let Some(name) = self.room_named(channel) else { return };
                let set = self.operations().set_topic(self.from, &self.session, &name, topic).await;
                if let Err(refusal) = set {
                    return self.refused("TOPIC", &[&format!("#{name}")], refusal);
                }
                let topic = topic.trim().to_string();
                let changed = Line::new(source(&self.me.username), "TOPIC").with(format!("#{name}"));
                self.out.push(&changed.text(topic.clone()));
                // The event of this change says nothing new.
                self.rooms.get_mut(&name).into_iter().for_each(|open| open.topic = topic.clone());
            }
        }
    }

    fn send_topic(&mut self, room: &RoomInfo, asked: bool) {
        let channel = format!("#{}", room.name);
        if !room.topic.is_empty() {
            let line = self.reply("332").with(channel).text(&room.topic);
            self.out.push(&line);
        } else if asked {
            let line = self.reply("331").with(channel).text("No topic is set");
            self.out.push(&line);
        }
    }

    fn send_feed_topic(&mut self) {
        let line = self.reply("332").with(FEED).text(FEED_TOPIC);
        self.out.push(&line);
    }

    pub(super) async fn list(&mut self, message: &Message) -> io::Result<()> {
        let (mine, open) = match (
            self.operations().rooms(&self.session).await,
            self.operations().open_rooms(&self.session).await,
        ) {
            (Ok((mine, invitations)), Ok(open)) => {
                let mine = mine.into_iter().map(|one| one.room);
                (mine.chain(invitations.into_iter().map(|one| one.room)).collect::<Vec<RoomInfo>>(), open)
            }
            (Err(refusal), _) | (_, Err(refusal)) => {
                self.refused("LIST", &["*"], refusal);
                return Ok(());
            }
        };
        let wanted: Vec<String> =
            message.param(0).unwrap_or_default().split(',').map(str::to_lowercase).collect();
        let is_wanted =
            |channel: &String| !wanted.iter().any(|name| name.starts_with('#')) || wanted.contains(channel);
        let line = self.reply("321").with("Channel").text("Users  Name");
        self.out.push(&line);
        let others =
            open.into_iter().map(|(room, _)| room).filter(|room| !mine.iter().any(|it| it.id == room.id));
        for room in mine.iter().cloned().chain(others) {
            let channel = format!("#{}", room.name);
            if is_wanted(&channel) {
                let line = self.reply("322").with(channel).with(room.members.to_string()).text(&room.topic);
                self.out.push(&line);
                self.out.flush_many().await?;
            }
        }
        self.numeric("323", "End of /LIST");
        Ok(())
    }

    pub(super) async fn invite(&mut self, message: &Message) {
        let (nick, channel) = (message.param(0).unwrap_or_default(), message.param(1).unwrap_or_default());
        let Some(name) = self.room_named(channel) else { return };
        let username = nick.to_string();
        let invite = |session, room| RoomCommand::Invite { session, room, username };
        match self.operations().change_room(self.from, &self.session, &name, invite).await {
            Ok(_) => {
                let line = self.reply("341").with(nick).with(format!("#{name}"));
                self.out.push(&line);
            }
            Err(refusal @ Refusal::Denied(Code::NoSuchUser | Code::InvalidEntry)) => {
                self.refused("INVITE", &[nick], refusal);
            }
            Err(refusal @ Refusal::Denied(Code::AlreadyInRoom)) => {
                self.refused("INVITE", &[nick, &format!("#{name}")], refusal);
            }
            Err(refusal) => self.refused("INVITE", &[&format!("#{name}")], refusal),
        }
    }

    pub(super) async fn kick(&mut self, message: &Message) {
        let (channel, nick) = (message.param(0).unwrap_or_default(), message.param(1).unwrap_or_default());
        let Some(name) = self.room_named(channel) else { return };
        let username = nick.to_string();
        let remove = |session, room| RoomCommand::Remove { session, room, username };
        let removed = self.operations().change_room(self.from, &self.session, &name, remove).await;
        // The event shows that the person is gone.
        match removed {
            Ok(_) => {}
            Err(refusal @ Refusal::Denied(Code::NoSuchUser | Code::InvalidEntry)) => {
                self.refused("KICK", &[nick], refusal);
            }
            Err(refusal @ Refusal::Denied(Code::PersonNotInRoom)) => {
                self.refused("KICK", &[nick, &format!("#{name}")], refusal);
            }
            Err(refusal) => self.refused("KICK", &[&format!("#{name}")], refusal),
        }
    }

    pub(super) async fn mode(&mut self, message: &Message) {
        let target = message.param(0).unwrap_or_default();
        let changes = message.param(1);
        if target.eq_ignore_ascii_case(&self.me.username) {
            // There are no modes of people; clients set +i by themselves.
            let line = self.reply("221").with("+i");
            if changes.is_none() {
                self.out.push(&line);
            }
            return;
        }
        if !target.starts_with(['#', '&']) {
            return self.numeric("502", "Cannot see or change the modes of other people");
        }
        match changes {
            Some("b" | "+b") if message.params.len() == 2 => {
                let line = self.reply("368").with(target).text("End of channel ban list");
                self.out.push(&line);
            }
            Some(_) => {
                let words =
                    "Ranks and settings of a room are changed on its page, or with `ribbit client room-set`";
                let line = self.reply("482").with(target).text(words);
                self.out.push(&line);
            }
            None if target.eq_ignore_ascii_case(FEED) => {
                let line = self.reply("324").with(FEED).with("+nt");
                self.out.push(&line);
            }
            None => {
                let Some(name) = self.room_named(target) else { return };
                match self.operations().room(&self.session, &name, None, 1).await {
                    Ok(RoomPage { room, .. }) => {
                        let modes = if room.open { "+nt" } else { "+int" };
                        let line = self.reply("324").with(format!("#{name}")).with(modes);
                        self.out.push(&line);
                        let created = (room.created_wall_ms / 1000).to_string();
                        let line = self.reply("329").with(format!("#{name}")).with(created);
                        self.out.push(&line);
                    }
                    Err(refusal) => self.refused("MODE", &[&format!("#{name}")], refusal),
                }
            }
        }
    }

    /// Appends the list of members of the feed's channel.
    pub(super) fn send_feed_members(&mut self) {
        let line = self.reply("353").with("@").with(FEED).text(&self.me.username);
        self.out.push(&line);
        let line = self.reply("366").with(FEED).text("End of /NAMES list");
        self.out.push(&line);
    }
}
