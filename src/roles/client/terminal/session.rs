//! State of the terminal client, and the commands that work on it.
//!
//! Everything runs on one thread: the commands in the order in which they were typed, and beside them the live events
//! ([`super::live`]), the chat lease ([`super::place`]) and the read marks ([`super::talks`]).

use super::chat::Chat;
use super::commands::{self, Command};
use super::lines;
use super::login::Opened;
use super::names::Names;
use super::screen::{Desk, Screen};
use super::talks::Marks;
use crate::client::session::queries::FeedPage;
use crate::client::session::request_error::RequestError;
use crate::client::session::{Fetched, UserSession};
use event_listener::Event;
use ribbit_state::limits::CROAK_CHARS_MAX;
use ribbit_state::query::Person;
use ribbit_state::text::{check_croak, croak_chars};
use ribbit_state::{Code, Denied, LogIndex, TokenHash};
use ribbit_ui::lines::Style;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Number of croaks on a page of `/feed`, and when live chat starts.
pub const PAGE: usize = 20;
/// Maximum number of people that `/people` lists.
const PEOPLE_MAX: usize = 500;
/// Maximum number of recently shown ids that are remembered.
const LATELY_MAX: usize = 512;

/// State of the terminal client.
pub struct Session {
    pub person: UserSession,
    pub me: Person,
    pub screen: Screen,
    pub style: Style,
    pub desk: Arc<Desk>,
    pub names: Names,
    pub chat: RefCell<Chat>,
    /// Notified when live chat is turned on or off.
    pub moved: Event,
    pub marks: Marks,
    pub lately: Lately,
    /// Origin of the session, which decides whether exit logs out.
    pub opened: Opened,
    /// The line whose command is running.
    pub doing: RefCell<Option<String>>,
    /// True while `/delete` is running.
    pub deleting: Cell<bool>,
    /// Position where `/feed more` continues.
    older: Cell<Option<LogIndex>>,
}

/// Reason why a command failed.
#[derive(Debug)]
pub enum Halt {
    RequestError(RequestError),
    /// Refused by the client itself, with a message of its own.
    Refused(String),
}

impl From<RequestError> for Halt {
    fn from(stop: RequestError) -> Halt {
        Halt::RequestError(stop)
    }
}
impl From<Denied> for Halt {
    fn from(denied: Denied) -> Halt {
        Halt::RequestError(denied.into())
    }
}

/// Ids of the croaks and messages that were shown recently, so that their events do not show them again. One set serves
/// both, because both use their log index as id.
#[derive(Default)]
pub struct Lately {
    ids: RefCell<BTreeSet<LogIndex>>,
    /// Number of running writes, whose ids are not known yet.
    writing: Cell<u32>,
    /// Notified when a write has ended.
    written: Event,
}

impl Lately {
    /// Remembers an id as shown.
    pub fn note(&self, id: LogIndex) {
        let mut ids = self.ids.borrow_mut();
        ids.insert(id);
        if ids.len() > LATELY_MAX {
            ids.pop_first();
        }
    }

    /// Returns true if the id was shown. With `mine`, first waits for the running writes, because the event of an own croak
    /// can arrive before the answer to its write.
    pub async fn has(&self, id: LogIndex, mine: bool) -> bool {
        while mine && self.writing.get() > 0 {
            self.written.listen().await;
        }
        self.ids.borrow().contains(&id)
    }

    /// Runs a write and remembers the id that it created. Events of the user's own writes wait meanwhile.
    pub async fn writing<T>(&self, write: impl Future<Output = T>, id: impl Fn(&T) -> Option<LogIndex>) -> T {
        self.writing.set(self.writing.get() + 1);
        let written = write.await;
        self.writing.set(self.writing.get() - 1);
        if let Some(id) = id(&written) {
            self.note(id);
        }
        self.written.notify(usize::MAX);
        written
    }
}

impl Session {
    pub fn new(person: UserSession, me: Person, opened: Opened, screen: Screen, style: Style) -> Session {
        Session {
            person,
            me,
            screen,
            style,
            desk: Arc::default(),
            names: Names::default(),
            chat: RefCell::default(),
            moved: Event::new(),
            marks: Marks::default(),
            lately: Lately::default(),
            opened,
            doing: RefCell::default(),
            deleting: Cell::default(),
            older: Cell::new(None),
        }
    }

    /// Returns the hash of the session token.
    ///
    /// # Errors
    /// `NotLoggedIn` (609) without a session.
    pub fn token(&self) -> Result<TokenHash, RequestError> {
        Ok(self.person.session()?)
    }

    /// Returns true while live chat is on: text without a slash is posted.
    pub fn is_live(&self) -> bool {
        self.chat.borrow().is_here()
    }

    /// Runs a command. The event loop itself handles `/delete`, which asks for a password, and `/quit`.
    pub async fn perform(&self, command: Command) -> Result<(), Halt> {
        match command {
            Command::Post { text } => self.post(&text).await,
            Command::Feed { more } => Ok(self.feed(more).await?),
            Command::Live { take_over } => self.live(take_over).await,
            Command::Message { name, text: Some(text) } => self.send(&name, &text).await,
            Command::Message { name, text: None } => Ok(self.talk(&name).await?),
            Command::Unread => Ok(self.unread(true).await?),
            Command::Friends => Ok(self.friends().await?),
            Command::Add { name } => {
                self.person.follow(&name).await?;
                self.names.meet(&name.to_ascii_lowercase());
                self.screen.show(format!("you now follow @{}", lines::name(&name))).await;
                Ok(())
            }
            Command::Remove { name } => {
                self.person.unfollow(&name).await?;
                self.screen.show(format!("you no longer follow @{}", lines::name(&name))).await;
                Ok(())
            }
            Command::People { pattern } => Ok(self.people(pattern.as_deref().unwrap_or("*")).await?),
            Command::Who => Ok(self.member_name().await?),
            Command::Help(entry) => {
                self.screen.show(commands::help(entry)).await;
                Ok(())
            }
            Command::Export { file } => self.export(file).await,
            Command::Delete | Command::Quit => Ok(()),
        }
    }

    async fn post(&self, text: &str) -> Result<(), Halt> {
        // Checked here first: this message includes the length, which the server's refusal does not.
        if let Err(Denied { code: Code::CroakTooLong, .. }) = check_croak(text) {
            let chars = croak_chars(text);
            let words =
                format!("not posted: your croak has {chars} characters, the limit is {CROAK_CHARS_MAX}");
            return Err(self.too_long(words));
        }
        let live = self.is_live();
        let croak = self.person.post(text);
        if live && self.screen.is_terminal() {
            // The event stream shows it in order among the others.
            croak.await?;
            return Ok(());
        }
        self.lately.writing(croak, |written| written.as_ref().ok().copied()).await?;
        self.screen.show("posted").await;
        Ok(())
    }

    /// Returns the error for a text that is too long, with a hint to get the line back from the input history.
    pub fn too_long(&self, words: String) -> Halt {
        let again = if self.screen.is_terminal() { " (press the up arrow to edit it)" } else { "" };
        Halt::Refused(words + again)
    }

    /// Shows the newest page of the feed, or with `more` the next older one.
    pub async fn feed(&self, more: bool) -> Result<(), RequestError> {
        let before = match (more, self.older.get()) {
            (true, None) => {
                self.screen.show("no older croaks; `/feed` shows the latest").await;
                return Ok(());
            }
            (true, older) => older,
            (false, _) => None,
        };
        let Fetched { value: FeedPage { croaks, older, .. }, stale } = self.person.feed(before, PAGE).await?;
        self.older.set(older);
        if croaks.is_empty() {
            self.screen
                .show("your feed is empty. `/people` lists people to follow, `/post TEXT` posts a croak")
                .await;
            return Ok(());
        }
        self.warn_if_stale(stale).await;
        let newest = croaks.last().map_or(0, |croak| croak.id);
        let mut shown: Vec<String> = Vec::with_capacity(croaks.len() + 1);
        for croak in &croaks {
            self.lately.note(croak.id);
            self.names.meet(&croak.author.username);
            shown.push(ribbit_ui::lines::croak(croak, self.style));
        }
        if older.is_some() {
            shown.insert(0, "  (`/feed more` shows older croaks)".to_string());
        }
        if self.screen.shown(shown.join("\n")).await {
            self.marks.saw_feed(newest);
        }
        Ok(())
    }

    /// Warns that the answer came from a server that is out of touch with the leader.
    pub async fn warn_if_stale(&self, stale: bool) {
        if stale {
            self.screen
                .note("(the servers cannot reach each other right now, so this may be out of date)")
                .await;
        }
    }

    async fn friends(&self) -> Result<(), RequestError> {
        let friends = self.person.friends().await?;
        if friends.is_empty() {
            self.screen
                .show("you do not follow anyone yet. `/people` lists people, `/add NAME` follows one")
                .await;
            return Ok(());
        }
        friends.iter().for_each(|friend| self.names.meet(&friend.username));
        let shown: Vec<String> = friends.iter().map(|friend| lines::person(friend, "", self.style)).collect();
        self.screen.show(shown.join("\n")).await;
        Ok(())
    }

    async fn people(&self, names: &str) -> Result<(), RequestError> {
        let (mut shown, mut after) = (Vec::new(), None);
        loop {
            let (people, more) = self.person.people(names, after).await?;
            for one in &people {
                self.names.meet(&one.person.username);
                shown.push(match one.person.account == self.me.account {
                    true => lines::person(&one.person, "you", self.style),
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

    async fn member_name(&self) -> Result<(), RequestError> {
        let people = self.person.chatting().await?;
        if people.is_empty() {
            self.screen.show("no one is in the live chat; `/live` joins it").await;
            return Ok(());
        }
        people.iter().for_each(|person| self.names.meet(&person.username));
        let shown: Vec<String> = people
            .iter()
            .map(|person| {
                lines::person(person, if person.account == self.me.account { "you" } else { "" }, self.style)
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
        let lately = Lately::default();
        smol::block_on(async {
            assert!(!lately.has(7, true).await);
            // The answer to the write arrives after its event.
            let (answer, answered) = smol::channel::bounded::<LogIndex>(1);
            let writing = lately.writing(async { answered.recv().await.ok() }, |id| *id);
            let news = async {
                let others = lately.has(8, false).await;
                let answers = async {
                    smol::future::yield_now().await;
                    answer.send(7).await.unwrap();
                    smol::future::pending().await
                };
                (others, lately.has(7, true).or(answers).await)
            };
            let (written, seen) = smol::future::zip(writing, news).await;
            assert_eq!((written, seen), (Some(7), (false, true)));
        });
        for id in 100..100 + LATELY_MAX as LogIndex {
            lately.note(id);
        }
        assert!(!smol::block_on(lately.has(7, false)), "bounded: the oldest id was dropped");
    }
}
