//! `/reply`, `/like`, `/share`, `/pin`, `/profile`, `/everyone`, `/audience`, and `/mute`, `/block` and their opposites.

use super::client::{CommandError, TerminalClient};
use crate::client::session::request_error::RequestError;
use ribbit_state::query::ReactionKind;
use ribbit_state::{Audience, LogIndex, Page, Query};

/// Number of croaks that `/everyone` shows.
const EVERYONE_MAX: u16 = 20;

impl TerminalClient {
    pub(super) async fn reply(&self, to: LogIndex, text: &str) -> Result<(), CommandError> {
        let reply = self.user.reply(to, text, self.audience.get());
        if self.is_live() && self.screen.is_terminal() {
            // The event stream shows it in order among the others.
            reply.await?;
            return Ok(());
        }
        self.recently_shown.while_writing(reply, |written| written.as_ref().ok().copied()).await?;
        self.screen.show("posted").await;
        Ok(())
    }

    pub(super) async fn react(
        &self,
        kind: ReactionKind,
        croak: LogIndex,
        undo: bool,
    ) -> Result<(), CommandError> {
        self.screen.show(self.user.react(kind, croak, undo).await?).await;
        Ok(())
    }

    /// Sets the audience of the next croaks and replies, and shows it.
    pub(super) async fn set_audience(&self, audience: Option<Audience>) {
        if audience.is_some() {
            self.audience.set(audience);
        }
        let words = match self.audience.get() {
            None => "your settings decide who sees what you post from here",
            Some(Audience::Everyone) => "everyone sees what you post from here",
            Some(Audience::Followers) => {
                "your followers and the people you mention see what you post from here"
            }
        };
        self.screen.show(words).await;
    }

    pub(super) async fn mute(&self, name: &str, muted: bool) -> Result<(), CommandError> {
        let name = self.user.mute(name, muted).await?;
        let words = if muted { "muted" } else { "unmuted" };
        self.screen.show(format!("{words} @{name}")).await;
        Ok(())
    }

    pub(super) async fn block(&self, name: &str, blocked: bool) -> Result<(), CommandError> {
        let name = self.user.block(name, blocked).await?;
        let words = if blocked { "blocked" } else { "unblocked" };
        self.screen.show(format!("{words} @{name}")).await;
        Ok(())
    }

    pub(super) async fn pin(&self, croak: LogIndex, undo: bool) -> Result<(), CommandError> {
        self.screen.show(self.user.pin(croak, undo).await?).await;
        Ok(())
    }

    /// Shows the profile of a user, or the user's own.
    pub(super) async fn show_profile(&self, name: Option<&str>) -> Result<(), RequestError> {
        let (profile, pinned) = self.user.profile_of(name.unwrap_or(&self.me.username)).await?;
        self.names.remember(&profile.relation.person.username);
        self.screen.show(ribbit_ui::lines::profile(&profile, pinned.as_ref(), self.style)).await;
        Ok(())
    }

    /// Shows the newest croaks of all people, newest last.
    pub(super) async fn show_everyone(&self) -> Result<(), RequestError> {
        let session = self.user.session()?;
        let read = self.user.read(Query::Everyone { session, before: None, limit: EVERYONE_MAX }).await?;
        let Page::Everyone { croaks, .. } = read.value else { return Ok(()) };
        let mut shown = Vec::with_capacity(croaks.len());
        for croak in croaks.iter().rev() {
            self.names.remember(&croak.author.username);
            shown.push(ribbit_ui::lines::croak(croak, self.style));
        }
        if shown.is_empty() {
            shown.push("nobody has croaked for everyone yet; `/post TEXT` does".to_string());
        }
        self.screen.show(shown.join("\n")).await;
        Ok(())
    }
}
