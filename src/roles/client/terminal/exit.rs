//! Exit of the terminal client: leaves the chat, writes the read marks, saves the session and chooses the exit code.

use super::client::TerminalClient;
use super::login::SessionOrigin;
use super::screen::Screen;
use crate::client::session::UserSession;
use crate::client::session::request_error::RequestError;
use crate::common::failure::{Exit, Failure};
use ribbit_ui::words::Note;
use smol::Timer;
use smol::future::or;
use std::time::Duration;

/// Time limit of each request during exit. The chat lease expires by itself, so a late request can be dropped.
const REQUEST_MAX: Duration = Duration::from_secs(3);
/// Exit code after SIGTERM, as shells report it: 128 plus the signal number.
const TERMINATED: u8 = 143;

/// Reason why the client exits.
#[derive(Debug)]
pub(crate) enum ExitReason {
    /// `/quit`, Ctrl-D or the end of input.
    Quit,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM or SIGHUP.
    Terminated,
    /// The account was deleted with `/delete`.
    Deleted,
    /// A request failed in a way that ends the client.
    RequestFailed(RequestError),
    /// A script line failed, or the terminal cannot be read.
    Failed(Failure),
}

/// Cleans up and returns the exit code.
///
/// # Errors
/// The failure that ended the client; `Unreachable` when the log-out reached no server; `Refused` when the session file
/// cannot be removed.
pub(crate) async fn run(client: TerminalClient, why: ExitReason) -> Result<u8, Failure> {
    let reachable = match &why {
        ExitReason::RequestFailed(error) => !error.is_unanswered(),
        ExitReason::Failed(failure) => failure.exit != Exit::Unreachable,
        ExitReason::Deleted => false,
        ExitReason::Quit | ExitReason::Interrupted | ExitReason::Terminated => true,
    };
    if reachable {
        in_time(client.write_marks()).await;
        if client.is_live() {
            match in_time(async { client.leave_chat().await }).await {
                Some(Ok(_)) => client.screen.note("you left the chat").await,
                _ => {
                    let words =
                        "no server could be reached to leave the chat; others stop seeing you in a moment";
                    client.screen.note(words).await;
                }
            }
        }
    }
    let TerminalClient { mut user, screen, origin, .. } = client;
    let logs_out = match (&why, origin) {
        (_, SessionOrigin::Temporary) => reachable,
        (ExitReason::Interrupted, SessionOrigin::New) => true,
        _ => false,
    };
    let logged_out = if logs_out { log_out(&mut user, &screen).await } else { Ok(()) };
    let ended = match why {
        ExitReason::Quit => logged_out.map(|()| 0),
        ExitReason::Interrupted => {
            if origin == SessionOrigin::Stored {
                screen.note("you are still logged in; `ribbit client logout` logs you out").await;
            }
            logged_out.map(|()| 0)
        }
        ExitReason::Terminated => Ok(TERMINATED),
        ExitReason::Deleted => {
            screen.show(Note::Deleted.words()).await;
            user.discard().map(|()| 0)
        }
        ExitReason::Failed(failure) => Err(failure),
        ExitReason::RequestFailed(error) => {
            if error.lacks_session() {
                user.discard()?;
                let words =
                    "you were logged out (609): your session expired or was ended elsewhere; log in again";
                return Err(Failure::new(Exit::NotLoggedIn, words));
            }
            Err(error.into())
        }
    };
    // The next process starts from the position that this one has seen.
    if let Err(failure) = user.save_position() {
        screen.note(failure.to_string()).await;
    }
    ended
}

async fn log_out(user: &mut UserSession, screen: &Screen) -> Result<(), Failure> {
    match in_time(user.log_out()).await {
        Some(done) => done?,
        None => {
            let words = "no server could be reached to log you out; your session is still open";
            return Err(Failure::new(Exit::Unreachable, words));
        }
    }
    screen.note("logged out").await;
    user.discard()
}

async fn in_time<T>(request: impl Future<Output = T>) -> Option<T> {
    let late = async {
        Timer::after(REQUEST_MAX).await;
        None
    };
    or(async { Some(request.await) }, late).await
}
