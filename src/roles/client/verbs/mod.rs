//! `ribbit client VERB`: one thing that a person does, for scripts and in passing.
//!
//! ```text
//!   post, dm, feed, inbox, add, remove, people ──▶ talk, look      need a session
//!   login, logout, create, delete              ──▶ account         ask for a password
//!   uncroak, profile, passwd, sessions, …      ──▶ own             what is one's own
//!   export                                     ──▶ export
//! ```
//!
//! What was asked for goes to standard output, for people or as one JSON object a line (`--json`, see
//! [`ribbit_ui::person_json`]); everything else to standard error. What others wrote never reaches a terminal as it is.
//!
//! Each verb comes to an end, `feed --follow` but for Ctrl-C: when nobody answers in three tries over all servers.

mod account;
mod export;
mod look;
mod own;
mod talk;
pub mod typing;

use crate::client::session::stop::Stop;
use crate::client::session::{self, Person};
use crate::common::failure::{Exit, Failure};
use crate::common::options::{PersonVerb, VerbOptions};
use ribbit_net::client::{Contact, Tell};
use ribbit_ui::lines::{self, Style};
use std::io::{self, IsTerminal, Write};

/// What shells say of a command that Ctrl-C has ended.
pub const INTERRUPTED: u8 = 130;

/// Why a verb ends before its end.
pub enum Halt {
    Failed(Failure),
    /// Ctrl-C at a prompt.
    Interrupted,
    /// Who read our output has gone away: that is no failure.
    Unread,
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Halt {
        Halt::Failed(failure)
    }
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Halt {
        Halt::Failed(stop.into())
    }
}

/// A person, and how to show them something.
struct Visit {
    person: Person,
    json: bool,
    style: Style,
}

/// Runs it to its end, and answers the exit code.
///
/// # Errors
/// 1: refused; 2: something is missing; 3: nobody answers; 4: not logged in.
pub async fn run(options: &VerbOptions) -> Result<u8, Failure> {
    let style = session::style(&options.person);
    let person = Person::reach(&options.person, notices()).await?;
    let mut visit = Visit { person, json: options.json, style };
    let ended = visit.perform(&options.verb).await;
    if let Err(Halt::Failed(Failure { exit: Exit::NotLoggedIn, message })) = ended {
        // The session is over: what is kept of it opens nothing any more.
        visit.person.forget()?;
        let message = format!("{message}: `ribbit client login NAME` first");
        return Err(Failure::new(Exit::NotLoggedIn, message));
    }
    // What was done is done, whether or not the next process knows what this one has seen.
    if let Err(failure) = visit.person.keep() {
        log::warn!("{failure}");
    }
    self::ended(ended)
}

/// The exit code of what has ended so.
///
/// # Errors
/// What failed.
pub fn ended(ended: Result<(), Halt>) -> Result<u8, Failure> {
    match ended {
        Ok(()) | Err(Halt::Unread) => Ok(0),
        Err(Halt::Interrupted) => Ok(INTERRUPTED),
        Err(Halt::Failed(failure)) => Err(failure),
    }
}

/// Tells a person who waits at a terminal what becomes of the connection, once there was one or none is found.
fn notices() -> Tell {
    let was_there = std::sync::atomic::AtomicBool::new(false);
    Box::new(move |contact| {
        let first = matches!(contact, Contact::Reached(_))
            && !was_there.swap(true, std::sync::atomic::Ordering::Relaxed);
        let mistrusted = matches!(contact, Contact::Mistrusted(_));
        if mistrusted || (!first && io::stderr().is_terminal()) {
            eprintln!("{}", lines::contact(&contact));
        }
    })
}

impl Visit {
    async fn perform(&mut self, verb: &PersonVerb) -> Result<(), Halt> {
        match verb {
            PersonVerb::LogIn { username } => account::log_in(self, username).await,
            PersonVerb::LogOut => account::log_out(self).await,
            PersonVerb::Create { username, name, email } => {
                account::create(self, username, name.as_deref(), email.as_deref()).await
            }
            PersonVerb::Delete => account::delete(self).await,
            PersonVerb::Post { text } => talk::post(self, text.as_deref()).await,
            PersonVerb::Message { username, text } => talk::message(self, username, text.as_deref()).await,
            PersonVerb::Inbox { with, keep, limit } => {
                talk::inbox(self, with.as_deref(), *keep, *limit).await
            }
            PersonVerb::Feed { follow, before, limit } => look::feed(self, *follow, *before, *limit).await,
            PersonVerb::Befriend { username, wanted } => look::befriend(self, username, *wanted).await,
            PersonVerb::People { names, whose } => look::people(self, names, *whose).await,
            PersonVerb::TakeBack { croak } => own::take_back(self, *croak).await,
            PersonVerb::Describe { name, email } => own::describe(self, name.clone(), email.clone()).await,
            PersonVerb::ChangePassword => own::change_password(self).await,
            PersonVerb::Sessions => own::sessions(self).await,
            PersonVerb::EndSession { opened } => own::end_session(self, *opened).await,
            PersonVerb::Export { file } => export::export(self, file.as_deref()).await,
        }
    }

    /// Says what came of it: to people in words, to scripts as JSON.
    fn tell(&self, words: &str, json: &serde_json::Value) -> Result<(), Halt> {
        match self.json {
            true => say(&json.to_string()),
            false => say(words),
        }
    }

    /// Before anything is asked at the terminal: that somebody is logged in.
    fn must_be_logged_in(&self) -> Result<(), Halt> {
        self.person.session().map(drop).map_err(|denied| Stop::from(denied).into())
    }
}

/// A line on standard output, at once.
///
/// # Errors
/// Nobody takes it, or it cannot be written.
pub fn say(text: &str) -> Result<(), Halt> {
    written(&format!("{text}\n"))
}

fn written(text: &str) -> Result<(), Halt> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Halt::Unread,
        _ => Failure::new(Exit::Refused, format!("standard output: {error}")).into(),
    })
}

/// Something is missing, or typed in a wrong way.
pub fn usage(message: impl Into<String>) -> Halt {
    Failure::new(Exit::Usage, message).into()
}
