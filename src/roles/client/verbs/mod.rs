//! `ribbit client VERB`: single user actions, for scripts and for quick use.
//!
//! ```text
//!   post, dm, feed, inbox, add, remove, people ──▶ messages, feed  need a session
//!   login, logout, create, delete              ──▶ account         ask for a password
//!   uncroak, profile, passwd, sessions, …      ──▶ profile         the user's own account
//!   reply, like, share, pin, thread, everyone  ──▶ conversation
//!   rooms, room, say, room-create, …           ──▶ rooms
//!   notifications, mute, block, report, …       ──▶ keep_away
//!   export                                     ──▶ export
//! ```
//!
//! - Results go to standard output, as text or as one JSON object per line (`--json`, see [`ribbit_ui::person_json`]).
//!   Everything else goes to standard error.
//! - Control characters in other users' texts are escaped before they reach a terminal.
//! - Every verb terminates when no server answers in three rounds over all servers. `feed --follow` runs until then or until
//!   Ctrl-C.

mod account;
mod conversation;
mod export;
mod feed;
pub(crate) mod input;
mod keep_away;
mod messages;
mod profile;
mod rooms;

use crate::client::arguments::{SessionVerb, VerbOptions};
use crate::client::session::request_error::RequestError;
use crate::client::session::{self, UserSession};
use crate::client::shared_arguments::joined;
use crate::common::failure::{Exit, Failure};
use ribbit_net::discovery::{ConnectionEvent, OnConnectionEvent};
use ribbit_ui::lines::{self, LineStyle};
use std::io::{self, IsTerminal, Write};

/// Exit code after Ctrl-C, as shells report it.
pub(crate) const INTERRUPTED: u8 = 130;

/// Reason why a verb stopped early.
pub(crate) enum VerbError {
    Failed(Failure),
    /// Ctrl-C at a prompt.
    Interrupted,
    /// The reader of standard output closed the pipe, which is not a failure.
    OutputClosed,
}

impl From<Failure> for VerbError {
    fn from(failure: Failure) -> VerbError {
        VerbError::Failed(failure)
    }
}

impl From<RequestError> for VerbError {
    fn from(error: RequestError) -> VerbError {
        VerbError::Failed(error.into())
    }
}

/// Context of a verb: the user session and the output format.
struct VerbContext {
    user: UserSession,
    json: bool,
    style: LineStyle,
}

/// Runs a verb and returns the exit code.
///
/// # Errors
/// - `Refused` (1) when the cluster refuses the request, or a file cannot be written.
/// - `Usage` (2) when an argument or an input line is missing.
/// - `Unreachable` (3) when no server answers.
/// - `NotLoggedIn` (4) when there is no session, or it is over.
pub(crate) async fn run(options: &VerbOptions) -> Result<u8, Failure> {
    let style = session::style(&options.person);
    let user = UserSession::reach(&options.person, notices()).await?;
    let mut context = VerbContext { user, json: options.json, style };
    let ended = context.perform(&options.verb).await;
    if let Err(VerbError::Failed(Failure { exit: Exit::NotLoggedIn, message })) = ended {
        // The session is over, so the stored copy is useless.
        context.user.discard()?;
        let message = format!("{message}; run `ribbit client login NAME` first");
        return Err(Failure::new(Exit::NotLoggedIn, message));
    }
    // The verb itself is done, so a failure to store the seen position is only logged.
    if let Err(failure) = context.user.save_position() {
        log::warn!("{failure}");
    }
    self::ended(ended)
}

/// Returns the exit code of a finished verb.
///
/// # Errors
/// The failure of [`VerbError::Failed`].
pub(crate) fn ended(ended: Result<(), VerbError>) -> Result<u8, Failure> {
    match ended {
        Ok(()) | Err(VerbError::OutputClosed) => Ok(0),
        Err(VerbError::Interrupted) => Ok(INTERRUPTED),
        Err(VerbError::Failed(failure)) => Err(failure),
    }
}

/// Returns the callback that prints connection changes to standard error. Without a terminal, only a server whose key is not
/// trusted is reported; the first connection is never reported.
fn notices() -> OnConnectionEvent {
    let was_there = std::sync::atomic::AtomicBool::new(false);
    Box::new(move |contact| {
        let first = matches!(contact, ConnectionEvent::Reached(_))
            && !was_there.swap(true, std::sync::atomic::Ordering::Relaxed);
        let mistrusted = matches!(contact, ConnectionEvent::Mistrusted(_));
        if mistrusted || (!first && io::stderr().is_terminal()) {
            eprintln!("{}", lines::contact(&contact));
        }
    })
}

impl VerbContext {
    async fn perform(&mut self, verb: &SessionVerb) -> Result<(), VerbError> {
        match verb {
            SessionVerb::Login(named) => account::log_in(self, &named.username).await,
            SessionVerb::Logout(_) => account::log_out(self).await,
            SessionVerb::Create(create) => {
                let (name, email) = (create.full_name.as_deref(), create.email.as_deref());
                account::create(self, &create.user.username, name, email, create.invitation.as_deref()).await
            }
            SessionVerb::Reset(named) => account::reset(self, &named.username).await,
            SessionVerb::Delete(_) => account::delete(self).await,
            SessionVerb::Post(post) => messages::post(self, post).await,
            SessionVerb::Dm(message) => {
                messages::message(self, &message.username, joined(&message.text.text).as_deref()).await
            }
            SessionVerb::Inbox(inbox) => {
                messages::inbox(self, inbox.with.as_deref(), inbox.keep, inbox.limit as usize).await
            }
            SessionVerb::Feed(page) => feed::feed(self, page.follow, page.before, page.limit as usize).await,
            SessionVerb::Add(named) => feed::set_followed(self, &named.username, true).await,
            SessionVerb::Remove(named) => feed::set_followed(self, &named.username, false).await,
            SessionVerb::People(people) => feed::people(self, &people.names, people.only).await,
            SessionVerb::Search(search) => {
                feed::search(self, &search.words.join(" "), search.before, search.limit as usize).await
            }
            SessionVerb::Uncroak(uncroak) => profile::delete_croak(self, uncroak.croak).await,
            SessionVerb::Profile(arguments) => profile::profile(self, arguments).await,
            SessionVerb::Passwd(_) => profile::change_password(self).await,
            SessionVerb::Sessions(_) => profile::sessions(self).await,
            SessionVerb::EndSession(end) => profile::end_session(self, end.opened).await,
            SessionVerb::KeepAway(verb) => keep_away::perform(self, verb).await,
            SessionVerb::Room(verb) => rooms::perform(self, verb).await,
            SessionVerb::Conversation(verb) => conversation::perform(self, verb).await,
            SessionVerb::Export(target) => export::export(self, target.output.as_deref()).await,
        }
    }

    /// Prints the result, as text or as JSON.
    fn print(&self, words: &str, json: &serde_json::Value) -> Result<(), VerbError> {
        match self.json {
            true => say(&json.to_string()),
            false => say(words),
        }
    }

    /// Checks for a session, before the terminal asks the user for anything.
    fn require_session(&self) -> Result<(), VerbError> {
        self.user.session().map(drop).map_err(|denied| RequestError::from(denied).into())
    }
}

/// Prints a line to standard output and flushes it.
///
/// # Errors
/// [`VerbError::OutputClosed`] when the reader closed the pipe; `Refused` when the line cannot be written.
pub(crate) fn say(text: &str) -> Result<(), VerbError> {
    write_out(&format!("{text}\n"))
}

fn write_out(text: &str) -> Result<(), VerbError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => VerbError::OutputClosed,
        _ => Failure::new(Exit::Refused, format!("standard output: {error}")).into(),
    })
}

/// Returns a usage error: an argument or input that is missing or invalid.
pub(crate) fn usage(message: impl Into<String>) -> VerbError {
    Failure::new(Exit::Usage, message).into()
}
