//! Exit of the terminal client: leaves the chat, writes the read marks, saves the session and chooses the exit code.

use super::login::Opened;
use super::screen::Screen;
use super::session::Session;
use crate::client::session::UserSession;
use crate::client::session::request_error::RequestError;
use crate::common::failure::{Exit, Failure};
use ribbit_ui::words::Note;
use smol::Timer;
use smol::future::or;
use std::time::Duration;

/// Time limit of each request during exit. The chat lease expires by itself, so a late request can be dropped.
const TOLD_MAX: Duration = Duration::from_secs(3);
/// Exit code after SIGTERM, as shells report it: 128 plus the signal number.
const TERMINATED: u8 = 143;

/// Reason why the client exits.
#[derive(Debug)]
pub enum End {
    /// `/quit`, Ctrl-D or the end of input.
    Quit,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM or SIGHUP.
    Told,
    /// The account was deleted with `/delete`.
    Deleted,
    /// A request failed in a way that ends the client.
    Stopped(RequestError),
    /// A script line failed, or the terminal cannot be read.
    Failed(Failure),
}

/// Cleans up and returns the exit code.
///
/// # Errors
/// The failure that ended the client; `Unreachable` when the log-out reached no server; `Refused` when the session file
/// cannot be removed.
pub async fn end(session: Session, why: End) -> Result<u8, Failure> {
    let reachable = match &why {
        End::Stopped(stop) => !stop.is_unanswered(),
        End::Failed(failure) => failure.exit != Exit::Unreachable,
        End::Deleted => false,
        End::Quit | End::Interrupted | End::Told => true,
    };
    if reachable {
        in_time(session.write_marks()).await;
        if session.is_live() {
            match in_time(async { session.leave_chat().await }).await {
                Some(Ok(_)) => session.screen.note("you left the chat").await,
                _ => {
                    let words =
                        "no server could be reached to leave the chat; others stop seeing you in a moment";
                    session.screen.note(words).await;
                }
            }
        }
    }
    let Session { mut person, screen, opened, .. } = session;
    let logs_out = match (&why, opened) {
        (_, Opened::Passing) => reachable,
        (End::Interrupted, Opened::Here) => true,
        _ => false,
    };
    let logged_out = if logs_out { log_out(&mut person, &screen).await } else { Ok(()) };
    let ended = match why {
        End::Quit => logged_out.map(|()| 0),
        End::Interrupted => {
            if opened == Opened::Before {
                screen.note("you are still logged in; `ribbit client logout` logs you out").await;
            }
            logged_out.map(|()| 0)
        }
        End::Told => Ok(TERMINATED),
        End::Deleted => {
            screen.show(Note::Deleted.words()).await;
            person.discard().map(|()| 0)
        }
        End::Failed(failure) => Err(failure),
        End::Stopped(stop) => {
            if stop.lacks_session() {
                person.discard()?;
                let words =
                    "you were logged out (609): your session expired or was ended elsewhere; log in again";
                return Err(Failure::new(Exit::NotLoggedIn, words));
            }
            Err(stop.into())
        }
    };
    // The next process starts from the position that this one has seen.
    if let Err(failure) = person.save_position() {
        screen.note(failure.to_string()).await;
    }
    ended
}

async fn log_out(person: &mut UserSession, screen: &Screen) -> Result<(), Failure> {
    match in_time(person.log_out()).await {
        Some(done) => done?,
        None => {
            let words = "no server could be reached to log you out; your session is still open";
            return Err(Failure::new(Exit::Unreachable, words));
        }
    }
    screen.note("logged out").await;
    person.discard()
}

async fn in_time<T>(told: impl Future<Output = T>) -> Option<T> {
    let late = async {
        Timer::after(TOLD_MAX).await;
        None
    };
    or(async { Some(told.await) }, late).await
}
