//! State of the terminal client, and the commands that work on it.
//!
//! Everything runs on one thread: the commands in the order in which they were typed, and beside them the live events
//! ([`super::live_events`]), the chat lease ([`super::live_chat`]) and the read marks ([`super::read_marks`]).

use super::chat_lease::ChatLease;
use super::commands::{self, TerminalCommand};
use super::completion::KnownNames;
use super::formatting;
use super::login::SessionOrigin;
use super::open_room::OpenRoom;
use super::read_marks::ReadMarks;
use super::screen::{InputLine, Screen};
use crate::client::session::queries::FeedSlice;
use crate::client::session::request_error::RequestError;
use crate::client::session::{QueryResult, UserSession};
use event_listener::Event;
use ribbit_state::limits::CROAK_CHARS_MAX;
use ribbit_state::query::{FeedCroak, Person, ReactionKind};
use ribbit_state::text::check_croak;
use ribbit_state::{Audience, Code, Denied, LogIndex, TokenHash};
use ribbit_ui::length::TextLength;
use ribbit_ui::lines::LineStyle;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Number of croaks on a page of `/feed`, and when live chat starts.
const PAGE: usize = 20;
/// Maximum number of people that `/people` lists.
const PEOPLE_MAX: usize = 500;
/// Maximum number of recently shown ids that are remembered.
const RECENTLY_SHOWN_MAX: usize = 512;

/// State of the terminal client.
pub(crate) struct TerminalClient {
    pub(crate) user: UserSession,
    pub(crate) me: Person,
    pub(crate) screen: Screen,
    pub(crate) style: LineStyle,
    pub(crate) input_line: Arc<InputLine>,
    pub(crate) names: KnownNames,
    pub(crate) chat: RefCell<ChatLease>,
    /// Notified when live chat is turned on or off.
    pub(crate) live_changed: Event,
    pub(crate) marks: ReadMarks,
    pub(crate) recently_shown: RecentlyShown,
    /// Origin of the session, which decides whether exit logs out.
    pub(crate) origin: SessionOrigin,
    /// The line whose command is running.
    pub(crate) running: RefCell<Option<String>>,
    /// True while `/delete` is running.
    pub(crate) deleting: Cell<bool>,
    /// Audience of the croaks and replies that are posted from here; `None` for that of the account's settings.
    pub(super) audience: Cell<Option<Audience>>,
    /// Position where `/feed more` continues.
    older: Cell<Option<LogIndex>>,
    pub(crate) room: RefCell<Option<OpenRoom>>,
}

/// Reason why a command failed.
#[derive(Debug)]
pub(crate) enum CommandError {
    Request(RequestError),
    /// Refused by the client itself, with a message of its own.
    Refused(String),
}

impl From<RequestError> for CommandError {
    fn from(error: RequestError) -> CommandError {
        CommandError::Request(error)
    }
}
impl From<Denied> for CommandError {
    fn from(denied: Denied) -> CommandError {
        CommandError::Request(denied.into())
    }
}

/// Ids of the croaks and messages that were shown recently, so that their events do not show them again. One set serves
/// both, because both use their log index as id.
#[derive(Default)]
pub(crate) struct RecentlyShown {
    ids: RefCell<BTreeSet<LogIndex>>,
    /// Number of running writes, whose ids are not known yet.
    writing: Cell<u32>,
    /// Notified when a write has ended.
    written: Event,
}

impl RecentlyShown {
    /// Remembers an id as shown.
    pub(crate) fn insert(&self, id: LogIndex) {
        let mut ids = self.ids.borrow_mut();
        ids.insert(id);
        if ids.len() > RECENTLY_SHOWN_MAX {
            ids.pop_first();
        }
    }

    /// Returns true if the id was shown. With `mine`, first waits for the running writes, because the event of an own croak
    /// can arrive before the answer to its write.
    pub(crate) async fn contains(&self, id: LogIndex, mine: bool) -> bool {
        while mine && self.writing.get() > 0 {
            self.written.listen().await;
        }
        self.ids.borrow().contains(&id)
    }

    /// Runs a write and remembers the id that it created. Events of the user's own writes wait meanwhile.
    pub(crate) async fn while_writing<T>(
        &self,
        write: impl Future<Output = T>,
        id: impl Fn(&T) -> Option<LogIndex>,
    ) -> T {
        self.writing.set(self.writing.get() + 1);
        let written = write.await;
        self.writing.set(self.writing.get() - 1);
        if let Some(id) = id(&written) {
            self.insert(id);
        }
        self.written.notify(usize::MAX);
        written
    }
}

impl TerminalClient {
    /// Creates the state for a logged-in user, with live chat off.
    pub(crate) fn new(
        user: UserSession,
        me: Person,
        origin: SessionOrigin,
        screen: Screen,
        style: LineStyle,
    ) -> TerminalClient {
        TerminalClient {
            user,
            me,
            screen,
            style,
            input_line: Arc::default(),
            names: KnownNames::default(),
            chat: RefCell::default(),
            live_changed: Event::new(),
            marks: ReadMarks::default(),
            recently_shown: RecentlyShown::default(),
            origin,
            running: RefCell::default(),
            deleting: Cell::default(),
            audience: Cell::default(),
            older: Cell::new(None),
            room: RefCell::default(),
        }
    }

    /// Returns the hash of the session token.
    ///
    /// # Errors
    /// `NotLoggedIn` (609) without a session.
    pub(crate) fn token(&self) -> Result<TokenHash, RequestError> {
        Ok(self.user.session()?)
    }

    /// Returns true while live chat is on: text without a slash is posted.
    pub(crate) fn is_live(&self) -> bool {
        self.chat.borrow().is_live()
    }

    /// Runs a command. The event loop itself handles `/delete`, which asks for a password, and `/quit`.
    pub(crate) async fn run(&self, command: TerminalCommand) -> Result<(), CommandError> {
        match command {
            TerminalCommand::Post { text } => self.post(&text).await,
            TerminalCommand::Feed { more } => Ok(self.show_feed(more).await?),
            TerminalCommand::Live { take_over } => self.toggle_live(take_over).await,
            TerminalCommand::Message { name, text: Some(text) } => self.send(&name, &text).await,
            TerminalCommand::Message { name, text: None } => Ok(self.show_conversation(&name).await?),
            TerminalCommand::Reply { to, text } => self.reply(to, &text).await,
            TerminalCommand::Like { croak, undo } => self.react(ReactionKind::Like, croak, undo).await,
            TerminalCommand::Share { croak, undo } => self.react(ReactionKind::Share, croak, undo).await,
            TerminalCommand::Pin { croak, undo } => self.pin(croak, undo).await,
            TerminalCommand::Profile { name } => Ok(self.show_profile(name.as_deref()).await?),
            TerminalCommand::Everyone => Ok(self.show_everyone().await?),
            TerminalCommand::Audience { audience } => {
                self.set_audience(audience).await;
                Ok(())
            }
            TerminalCommand::Announcements { dismiss } => Ok(self.list_announcements(dismiss).await?),
            TerminalCommand::Unread => Ok(self.show_unread(true).await?),
            TerminalCommand::Notifications => Ok(self.show_notices().await?),
            TerminalCommand::Friends => Ok(self.show_friends().await?),
            TerminalCommand::Add { name } => {
                self.user.follow(&name).await?;
                self.names.remember(&name.to_ascii_lowercase());
                self.screen.show(format!("you now follow @{}", formatting::name(&name))).await;
                Ok(())
            }
            TerminalCommand::Remove { name } => {
                self.user.unfollow(&name).await?;
                self.screen.show(format!("you no longer follow @{}", formatting::name(&name))).await;
                Ok(())
            }
            TerminalCommand::Mute { name, muted } => self.mute(&name, muted).await,
            TerminalCommand::Block { name, blocked } => self.block(&name, blocked).await,
            TerminalCommand::People { pattern } => {
                Ok(self.show_people(pattern.as_deref().unwrap_or("*")).await?)
            }
            TerminalCommand::Who => Ok(self.show_chat().await?),
            TerminalCommand::Rooms => Ok(self.show_rooms().await?),
            TerminalCommand::Join { name } => self.join_room(&name).await,
            TerminalCommand::Leave { name } => self.leave_room(name.as_deref()).await,
            TerminalCommand::Say { text } => self.say(&text).await,
            TerminalCommand::Help(entry) => {
                self.screen.show(commands::help(entry)).await;
                Ok(())
            }
            TerminalCommand::Export { file } => self.export(file).await,
            TerminalCommand::Delete | TerminalCommand::Quit => Ok(()),
        }
    }

    async fn post(&self, text: &str) -> Result<(), CommandError> {
        // Checked here first: this message includes the length, which the server's refusal does not.
        if let Err(Denied { code: Code::CroakTooLong, .. }) = check_croak(text) {
            let length = TextLength::of(text);
            let words = format!("not posted: your croak has {length}, the limit is {CROAK_CHARS_MAX}");
            return Err(self.too_long(words));
        }
        let live = self.is_live();
        let croak = self.user.post(text, self.audience.get());
        if live && self.screen.is_terminal() {
            // The event stream shows it in order among the others.
            croak.await?;
            return Ok(());
        }
        self.recently_shown.while_writing(croak, |written| written.as_ref().ok().copied()).await?;
        self.screen.show("posted").await;
        Ok(())
    }

    /// Returns the error for a text that is too long, with a hint to get the line back from the input history.
    pub(crate) fn too_long(&self, words: String) -> CommandError {
        let again = if self.screen.is_terminal() { " (press the up arrow to edit it)" } else { "" };
        CommandError::Refused(words + again)
    }

    /// Shows the newest page of the feed, or with `more` the next older one.
    pub(crate) async fn show_feed(&self, more: bool) -> Result<(), RequestError> {
        let before = match (more, self.older.get()) {
            (true, None) => {
                self.screen.show("no older croaks; `/feed` shows the latest").await;
                return Ok(());
            }
            (true, older) => older,
            (false, _) => None,
        };
        let QueryResult { value: FeedSlice { croaks, older, .. }, stale } =
            self.user.feed(before, PAGE).await?;
        self.older.set(older);
        if croaks.is_empty() {
            self.screen
                .show("your feed is empty. `/people` lists people to follow, `/post TEXT` posts a croak")
                .await;
            return Ok(());
        }
        self.warn_if_stale(stale).await;
        let newest = croaks.last().map_or(0, FeedCroak::cursor);
        let mut shown: Vec<String> = Vec::with_capacity(croaks.len() + 1);
        for croak in &croaks {
            self.recently_shown.insert(croak.cursor());
            self.names.remember(&croak.author.username);
            shown.push(ribbit_ui::lines::croak(croak, self.style));
        }
        if older.is_some() {
            shown.insert(0, "  (`/feed more` shows older croaks)".to_string());
        }
        if self.screen.shown(shown.join("\n")).await {
            self.marks.mark_feed_shown(newest);
        }
        Ok(())
    }

    /// Warns that the answer came from a server that is out of touch with the leader.
    pub(crate) async fn warn_if_stale(&self, stale: bool) {
        if stale {
            self.screen
                .note("(the servers cannot reach each other right now, so this may be out of date)")
                .await;
        }
    }

    async fn show_friends(&self) -> Result<(), RequestError> {
        let friends = self.user.friends().await?;
        if friends.is_empty() {
            self.screen
                .show("you do not follow anyone yet. `/people` lists people, `/add NAME` follows one")
                .await;
            return Ok(());
        }
        friends.iter().for_each(|friend| self.names.remember(&friend.username));
        let shown: Vec<String> =
            friends.iter().map(|friend| formatting::person(friend, "", self.style)).collect();
        self.screen.show(shown.join("\n")).await;
        Ok(())
    }

    async fn show_people(&self, names: &str) -> Result<(), RequestError> {
        let (mut shown, mut after) = (Vec::new(), None);
        loop {
            let (people, more) = self.user.people(names, after).await?;
            for one in &people {
                self.names.remember(&one.person.username);
                shown.push(match one.person.account == self.me.account {
                    true => formatting::person(&one.person, "you", self.style),
                    false => ribbit_ui::lines::acquaintance(one, self.style),
                });
            }
            after = more;
            if after.is_none() {
                break;
            }
            if shown.len() >= PEOPLE_MAX {
                shown
                    .push("  (there are more; narrow the list with a pattern like `/people b*`)".to_string());
                break;
            }
        }
        if shown.is_empty() {
            shown.push("no one matches that".to_string());
        }
        self.screen.show(shown.join("\n")).await;
        Ok(())
    }

    async fn show_chat(&self) -> Result<(), RequestError> {
        let people = self.user.chatting().await?;
        if people.is_empty() {
            self.screen.show("no one is in the live chat; `/live` joins it").await;
            return Ok(());
        }
        people.iter().for_each(|person| self.names.remember(&person.username));
        let shown: Vec<String> = people
            .iter()
            .map(|person| {
                formatting::person(
                    person,
                    if person.account == self.me.account { "you" } else { "" },
                    self.style,
                )
            })
            .collect();
        self.screen.show(format!("in the live chat now:\n{}", shown.join("\n"))).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::FutureExt;

    #[test]
    fn events_of_own_writes_wait_for_the_running_write() {
        let recently_shown = RecentlyShown::default();
        smol::block_on(async {
            assert!(!recently_shown.contains(7, true).await);
            // The answer to the write arrives after its event.
            let (answer, answered) = smol::channel::bounded::<LogIndex>(1);
            let writing = recently_shown.while_writing(async { answered.recv().await.ok() }, |id| *id);
            let news = async {
                let others = recently_shown.contains(8, false).await;
                let answers = async {
                    smol::future::yield_now().await;
                    answer.send(7).await.unwrap();
                    smol::future::pending().await
                };
                (others, recently_shown.contains(7, true).or(answers).await)
            };
            let (written, seen) = smol::future::zip(writing, news).await;
            assert_eq!((written, seen), (Some(7), (false, true)));
        });
        for id in 100..100 + RECENTLY_SHOWN_MAX as LogIndex {
            recently_shown.insert(id);
        }
        assert!(!smol::block_on(recently_shown.contains(7, false)), "bounded: the oldest id was dropped");
    }
}
