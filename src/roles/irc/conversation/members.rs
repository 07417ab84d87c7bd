//! Members of a channel: NAMES, and WHO of a channel.

use super::Conversation;
use super::shown::FEED;
use crate::irc::codec::message::Message;
use crate::irc::limits::NAMES_BYTES_MAX;
use crate::irc::{HOST, SERVER};
use crate::operations::Refusal;
use ribbit_state::query::{Person, RoomMemberEntry};
use ribbit_state::rows::RoomRank;
use std::io;

impl Conversation<'_> {
    pub(super) async fn names(&mut self, message: &Message) {
        let channel = message.param(0).unwrap_or_default();
        if channel.eq_ignore_ascii_case(FEED) {
            self.send_feed_members();
        } else if let Some(name) = channel.strip_prefix('#') {
            self.send_members(&name.to_ascii_lowercase()).await;
        } else {
            let line = self.reply("366").with("*").text("End of /NAMES list");
            self.out.push(&line);
        }
    }

    /// Appends the list of members of a room; only its end to people who are not in it.
    pub(super) async fn send_members(&mut self, name: &str) {
        let channel = format!("#{name}");
        match self.members(name).await {
            Ok((open, members)) => {
                let kind = if open { "=" } else { "@" };
                let mut names = String::new();
                for member in &members {
                    let name = format!("{}{}", rank_prefix(member.rank), member.person.username);
                    if names.len() + name.len() > NAMES_BYTES_MAX {
                        let line =
                            self.reply("353").with(kind).with(&channel).text(std::mem::take(&mut names));
                        self.out.push(&line);
                    }
                    if !names.is_empty() {
                        names.push(' ');
                    }
                    names.push_str(&name);
                }
                let line = self.reply("353").with(kind).with(&channel).text(names);
                self.out.push(&line);
            }
            Err(refusal) => log::debug!("no list of members: {refusal}"),
        }
        let line = self.reply("366").with(channel).text("End of /NAMES list");
        self.out.push(&line);
    }

    /// Returns whether a room is open to everyone, and all its members.
    async fn members(&self, name: &str) -> Result<(bool, Vec<RoomMemberEntry>), Refusal> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.operations().room_people(&self.session, name, after).await?;
            all.extend(page.members);
            after = page.more;
            if after.is_none() {
                return Ok((page.room.open, all));
            }
        }
    }

    pub(super) async fn who(&mut self, message: &Message) -> io::Result<()> {
        let mask = message.param(0).unwrap_or("*").to_string();
        if mask.eq_ignore_ascii_case(FEED) {
            let me = self.me.clone();
            self.send_who(FEED, &me, "");
        } else if let Some(name) = mask.strip_prefix('#') {
            if let Ok((_, members)) = self.members(&name.to_ascii_lowercase()).await {
                for member in members {
                    self.send_who(&mask, &member.person, rank_prefix(member.rank));
                    self.out.flush_many().await?;
                }
            }
        } else if let Ok(profile) = self.operations().about(&self.session, &mask).await {
            self.send_who("*", &profile.relation.person, "");
        }
        let line = self.reply("315").with(mask).text("End of /WHO list");
        self.out.push(&line);
        Ok(())
    }

    fn send_who(&mut self, channel: &str, person: &Person, rank: &str) {
        let line = self.reply("352").with(channel).with(&person.username).with(HOST).with(SERVER);
        let line = line.with(&person.username).with(format!("H{rank}")).text(format!("0 {}", person.name));
        self.out.push(&line);
    }
}

/// Returns the prefix of members of a rank, as PREFIX in ISUPPORT says.
fn rank_prefix(rank: RoomRank) -> &'static str {
    match rank {
        RoomRank::Owner => "~",
        RoomRank::Moderator => "@",
        RoomRank::Member => "",
    }
}
