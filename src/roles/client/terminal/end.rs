//! How it ends: the chat is left, what was read is kept, and what is said last.

use super::login::Opened;
use super::screen::Screen;
use super::session::Session;
use crate::client::session::Person;
use crate::client::session::stop::Stop;
use crate::common::failure::{Exit, Failure};
use ribbit_ui::words::Note;
use smol::Timer;
use smol::future::or;
use std::time::Duration;

/// What the group is told at the end may take so long; a lease ends by itself.
const TOLD_MAX: Duration = Duration::from_secs(3);
/// What shells add to the number of a signal that ended something: SIGTERM's.
const TERMINATED: u8 = 143;

/// Why it ends.
#[derive(Debug)]
pub enum End {
    /// `/quit`, or the end of input.
    Quit,
    /// Ctrl-C.
    Interrupted,
    /// This process was told to.
    Told,
    /// The account is gone.
    Deleted,
    Stopped(Stop),
    /// A script's line, or the terminal.
    Failed(Failure),
}

/// # Errors
/// What it ends with.
pub async fn end(session: Session, why: End) -> Result<u8, Failure> {
    let reachable = match &why {
        End::Stopped(stop) => !stop.is_unreachable(),
        End::Failed(failure) => failure.exit != Exit::Unreachable,
        End::Deleted => false,
        End::Quit | End::Interrupted | End::Told => true,
    };
    if reachable {
        in_time(session.write_marks()).await;
        if session.is_live() {
            match in_time(async { session.leave_chat().await }).await {
                Some(Ok(_)) => session.screen.note("you have left the chat").await,
                _ => {
                    let words =
                        "nobody could be told that you have left the chat: it ends by itself in a moment";
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
                screen.note("you stay logged in: `ribbit client logout` ends that").await;
            }
            logged_out.map(|()| 0)
        }
        End::Told => Ok(TERMINATED),
        End::Deleted => {
            screen.show(Note::Deleted.words()).await;
            person.forget().map(|()| 0)
        }
        End::Failed(failure) => Err(failure),
        End::Stopped(stop) => {
            if stop.lacks_session() {
                person.forget()?;
                let words = "your session is over (609): it was ended elsewhere, or is too old, or the account is gone";
                return Err(Failure::new(Exit::NotLoggedIn, words));
            }
            Err(stop.into())
        }
    };
    // What was seen goes with the session to the next process.
    if let Err(failure) = person.keep() {
        screen.note(failure.to_string()).await;
    }
    ended
}

async fn log_out(person: &mut Person, screen: &Screen) -> Result<(), Failure> {
    match in_time(person.log_out()).await {
        Some(done) => done?,
        None => {
            let words = "no server could be told that you log out: the session is open still";
            return Err(Failure::new(Exit::Unreachable, words));
        }
    }
    screen.note("logged out").await;
    person.forget()
}

async fn in_time<T>(told: impl Future<Output = T>) -> Option<T> {
    let late = async {
        Timer::after(TOLD_MAX).await;
        None
    };
    or(async { Some(told.await) }, late).await
}
