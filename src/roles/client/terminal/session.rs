//! What commands work with, and what they do.
//!
//! All of it happens on one thread: the commands in the order in which they were typed, and beside them what comes from
//! others ([`super::live`]), the chat place ([`super::place`]) and the marks of what was read ([`super::talks`]).

use super::chat::Chat;
use super::commands::{self, Command};
use super::lines;
use super::login::Opened;
use super::names::Names;
use super::screen::{Desk, Screen};
use super::talks::Marks;
use crate::client::session::reads::Feed;
use crate::client::session::stop::Stop;
use crate::client::session::{Got, Person};
use event_listener::Event;
use ribbit_state::limits::CROAK_CHARS_MAX;
use ribbit_state::query::Person as Profile;
use ribbit_state::text::{check_croak, croak_chars};
use ribbit_state::{Code, Denied, LogIndex, TokenHash};
use ribbit_ui::lines::Style;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Croaks at the entry to the chat, and of a page of the feed.
pub const PAGE: usize = 20;
/// People that one command lists; who wants more narrows the pattern.
const PEOPLE_MAX: usize = 500;
/// What was written or shown here lately, and may yet come as news.
const LATELY_MAX: usize = 512;

pub struct Session {
    pub person: Person,
    pub me: Profile,
    pub screen: Screen,
    pub style: Style,
    pub desk: Arc<Desk>,
    pub names: Names,
    pub chat: RefCell<Chat>,
    /// Notified when the chat is entered or left.
    pub moved: Event,
    pub marks: Marks,
    pub lately: Lately,
    /// How this session came to be.
    pub opened: Opened,
    /// The line that is being done now.
    pub doing: RefCell<Option<String>>,
    /// The account is on its way out.
    pub deleting: Cell<bool>,
    /// Where `/feed more` goes on.
    older: Cell<Option<LogIndex>>,
}

/// Why a command did not do what it says.
#[derive(Debug)]
pub enum Halt {
    Stop(Stop),
    /// Refused here, in words of its own.
    Refused(String),
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Halt {
        Halt::Stop(stop)
    }
}
impl From<Denied> for Halt {
    fn from(denied: Denied) -> Halt {
        Halt::Stop(denied.into())
    }
}

/// What stands on the screen already, so that it is not shown once more when it comes as news. Croaks and messages have
/// their place in the log as their id: one set for both.
#[derive(Default)]
pub struct Lately {
    ids: RefCell<BTreeSet<LogIndex>>,
    /// Writes whose ids are not known yet.
    writing: Cell<u32>,
    written: Event,
}

impl Lately {
    pub fn note(&self, id: LogIndex) {
        let mut ids = self.ids.borrow_mut();
        ids.insert(id);
        if ids.len() > LATELY_MAX {
            ids.pop_first();
        }
    }

    /// Whether it stands there. What oneself has written may be on its way from here: that is waited for.
    pub async fn has(&self, id: LogIndex, mine: bool) -> bool {
        while mine && self.writing.get() > 0 {
            self.written.listen().await;
        }
        self.ids.borrow().contains(&id)
    }

    /// While this is written, news of oneself wait.
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
    pub fn new(person: Person, me: Profile, opened: Opened, screen: Screen, style: Style) -> Session {
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

    pub fn token(&self) -> Result<TokenHash, Stop> {
        Ok(self.person.session()?)
    }

    /// Whether plain text is croaked.
    pub fn is_live(&self) -> bool {
        self.chat.borrow().is_here()
    }

    /// Does what was typed. What ends the session or asks for a password is not for here.
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
                self.person.add(&name).await?;
                self.names.meet(&name.to_ascii_lowercase());
                self.screen
                    .show(format!("added: the croaks of @{} are in your feed", lines::name(&name)))
                    .await;
                Ok(())
            }
            Command::Remove { name } => {
                self.person.remove(&name).await?;
                self.screen
                    .show(format!("removed: the croaks of @{} have left your feed", lines::name(&name)))
                    .await;
                Ok(())
            }
            Command::People { pattern } => Ok(self.people(pattern.as_deref().unwrap_or("*")).await?),
            Command::Who => Ok(self.who().await?),
            Command::Help(entry) => {
                self.screen.show(commands::help(entry)).await;
                Ok(())
            }
            Command::Export { file } => self.export(file).await,
            Command::Delete | Command::Quit => Ok(()),
        }
    }

    async fn post(&self, text: &str) -> Result<(), Halt> {
        // Said here already, with the count that the servers have no words for.
        if let Err(Denied { code: Code::CroakTooLong, .. }) = check_croak(text) {
            let chars = croak_chars(text);
            let words =
                format!("not posted: that is {chars} characters long, {CROAK_CHARS_MAX} fit in a croak");
            return Err(self.too_long(words));
        }
        let live = self.is_live();
        let croak = self.person.croak(text);
        if live && self.screen.is_terminal() {
            // It comes with the others, in its place among them.
            croak.await?;
            return Ok(());
        }
        self.lately.writing(croak, |written| written.as_ref().ok().copied()).await?;
        self.screen.show("posted").await;
        Ok(())
    }

    /// A refusal of what is too long, of which nothing is lost: it is in the history.
    pub fn too_long(&self, words: String) -> Halt {
        let again = if self.screen.is_terminal() { " (arrow up brings it back)" } else { "" };
        Halt::Refused(words + again)
    }

    pub async fn feed(&self, more: bool) -> Result<(), Stop> {
        let before = match (more, self.older.get()) {
            (true, None) => {
                self.screen.show("there is nothing older: `/feed` begins with the newest").await;
                return Ok(());
            }
            (true, older) => older,
            (false, _) => None,
        };
        let Got { what: Feed { croaks, older, .. }, old } = self.person.feed(before, PAGE).await?;
        self.older.set(older);
        if croaks.is_empty() {
            self.screen
                .show("no croaks yet: `/post` writes one, `/people` shows whom you could `/add`")
                .await;
            return Ok(());
        }
        self.show_old(old).await;
        let newest = croaks.last().map_or(0, |croak| croak.id);
        let mut shown: Vec<String> = Vec::with_capacity(croaks.len() + 1);
        for croak in &croaks {
            self.lately.note(croak.id);
            self.names.meet(&croak.author.username);
            shown.push(ribbit_ui::lines::croak(croak, self.style));
        }
        if older.is_some() {
            shown.insert(0, "  (`/feed more` shows older ones)".to_string());
        }
        if self.screen.shown(shown.join("\n")).await {
            self.marks.saw_feed(newest);
        }
        Ok(())
    }

    /// A server that has lost touch with the others may have missed something.
    pub async fn show_old(&self, old: bool) {
        if old {
            self.screen
                .note("(the server that answered has lost touch with the others: this may be old)")
                .await;
        }
    }

    async fn friends(&self) -> Result<(), Stop> {
        let friends = self.person.friends().await?;
        if friends.is_empty() {
            self.screen
                .show("you follow nobody yet: `/people` shows who is there, `/add NAME` follows them")
                .await;
            return Ok(());
        }
        friends.iter().for_each(|friend| self.names.meet(&friend.username));
        let shown: Vec<String> = friends.iter().map(|friend| lines::person(friend, "", self.style)).collect();
        self.screen.show(shown.join("\n")).await;
        Ok(())
    }

    async fn people(&self, names: &str) -> Result<(), Stop> {
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
                shown.push("  and more: a pattern like `/people b*` shows fewer".to_string());
                break;
            }
        }
        if shown.is_empty() {
            shown.push("nobody has a name like that".to_string());
        }
        self.screen.show(shown.join("\n")).await;
        Ok(())
    }

    async fn who(&self) -> Result<(), Stop> {
        let people = self.person.chatting().await?;
        if people.is_empty() {
            self.screen.show("nobody is in the chat now; `/live` enters it").await;
            return Ok(());
        }
        people.iter().for_each(|person| self.names.meet(&person.username));
        let shown: Vec<String> = people
            .iter()
            .map(|person| {
                lines::person(person, if person.account == self.me.account { "you" } else { "" }, self.style)
            })
            .collect();
        self.screen.show(format!("in the chat now:\n{}", shown.join("\n"))).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::future::FutureExt;

    #[test]
    fn news_of_oneself_wait_for_what_is_on_its_way() {
        let lately = Lately::default();
        smol::block_on(async {
            assert!(!lately.has(7, true).await);
            // Its answer comes after its news.
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
        assert!(!smol::block_on(lately.has(7, false)), "bounded: the oldest went");
    }
}
