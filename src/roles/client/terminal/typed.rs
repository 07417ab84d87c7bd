//! Event loop: reads lines, runs them in order, and at the same time follows events, renews the chat lease and writes read
//! marks.

use super::commands::{self, Command, Typed};
use super::end::End;
use super::keyboard::{Keyboard, Pressed, Want};
use super::session::{Halt, Session};
use crate::client::session::request_error::RequestError;
use crate::common::failure::{Exit, Failure};
use crate::locks::shell::{LINE_BYTES_MAX, next_line};
use async_signal::{Signal, Signals};
use ribbit_net::discovery::ConnectionEvent;
use ribbit_net::protocol::Password;
use ribbit_state::LogIndex;
use ribbit_ui::{lines, plain};
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use smol::stream::StreamExt;
use std::time::Duration;

/// Maximum number of typed lines waiting for the command before them. The keyboard is not read while the queue is full.
const LINES_MAX: usize = 32;

/// Time after which a running command is reported as not done yet.
const LONG: Duration = Duration::from_secs(3);
/// Maximum wait for the last texts to be printed at exit: the editor may be in a history search.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// A queued input line.
enum Work {
    Line(String),
    Delete { password: String },
    Quit,
}

/// Runs the interactive client until the user exits or a request fails for good.
pub async fn run(
    session: &Session,
    keyboard: &Keyboard,
    take_over: bool,
    notices: &Receiver<ConnectionEvent>,
    signals: &mut Signals,
) -> End {
    let from = session.person.seen_index();
    let (queue, lines) = channel::bounded(LINES_MAX);
    let working = async {
        if let Err(stop) = greet(session, take_over).await {
            return End::Stopped(stop);
        }
        work(session, &lines).await
    };
    let reading = read(session, keyboard, &queue);
    let around = around(session, from, notices);
    let end = working.or(reading).or(around).or(told(signals)).await;
    say_what_is_left(session, &lines).await;
    // Flushed while the line editor still runs: texts queued after its end are not printed.
    let late = async {
        smol::Timer::after(FLUSH_MAX).await;
    };
    session.screen.flush().or(late).await;
    end
}

async fn told(signals: &mut Signals) -> End {
    match signals.next().await {
        Some(Ok(Signal::Int)) => End::Interrupted,
        _ => End::Told,
    }
}

/// Reports the lines that were interrupted or not started.
async fn say_what_is_left(session: &Session, lines: &Receiver<Work>) {
    let doing = session.doing.take();
    if let Some(line) = doing {
        session.screen.note(format!("may or may not have been done: {}", plain::line(line.trim()))).await;
    }
    while let Ok(work) = lines.try_recv() {
        if let Work::Line(line) = work {
            session.screen.note(format!("not done: {}", plain::line(line.trim()))).await;
        }
    }
}

/// Runs the background tasks: live events, read marks, the chat lease and connection notices.
async fn around(session: &Session, from: LogIndex, notices: &Receiver<ConnectionEvent>) -> End {
    let following = async { stopped(session, session.follow(from).await).await };
    let marking = async { stopped(session, session.keep_marks().await).await };
    let placed = async { stopped(session, session.keep_place().await).await };
    let noticing = async {
        while let Ok(contact) = notices.recv().await {
            session.screen.note(format!("-- {}", lines::contact(&contact))).await;
        }
        smol::future::pending().await
    };
    following.or(marking).or(placed).or(noticing).await
}

async fn stopped(session: &Session, done: Result<(), RequestError>) -> End {
    match done {
        Ok(()) => End::Quit,
        Err(stop) if stop.lacks_session() && session.deleting.get() => smol::future::pending().await,
        Err(stop) => End::Stopped(stop),
    }
}

async fn greet(session: &Session, take_over: bool) -> Result<(), RequestError> {
    let me = &session.me.username;
    session
        .screen
        .show(format!("you are logged in as @{me}. Type `/help` for commands, `/live` to join the chat"))
        .await;
    go_on(session, session.unread(false).await.map_err(Halt::from)).await?;
    if take_over {
        go_on(session, session.live(true).await).await?;
    }
    Ok(())
}

/// Reads lines from the keyboard into the queue.
async fn read(session: &Session, keyboard: &Keyboard, queue: &Sender<Work>) -> End {
    loop {
        keyboard.want(Want::Line).await;
        let work = match keyboard.pressed().await {
            Pressed::Line(line) => {
                session.marks.typed();
                match commands::parse(&line) {
                    Ok(Typed::Command(Command::Delete)) => match ask_password(keyboard).await {
                        Some(password) => Work::Delete { password },
                        None => {
                            session.screen.note("cancelled: your account is unchanged").await;
                            continue;
                        }
                    },
                    Ok(Typed::Command(Command::Quit)) => Work::Quit,
                    _ => Work::Line(line),
                }
            }
            Pressed::Interrupted => return End::Interrupted,
            Pressed::Ended => Work::Quit,
            Pressed::Secret(_) => continue,
            Pressed::Broken(failure) => return End::Failed(failure),
        };
        let last = matches!(work, Work::Quit);
        let _ = queue.send(work).await;
        if last {
            // The queued lines run before the client exits.
            return smol::future::pending().await;
        }
    }
}

async fn ask_password(keyboard: &Keyboard) -> Option<String> {
    let question = "this deletes your account and everything you wrote. Password (Enter cancels): ";
    keyboard.want(Want::Secret(question.to_string())).await;
    match keyboard.pressed().await {
        Pressed::Secret(password) => password.filter(|password| !password.is_empty()),
        _ => None,
    }
}

/// Runs the queued lines in order.
async fn work(session: &Session, lines: &Receiver<Work>) -> End {
    loop {
        let Ok(work) = lines.recv().await else { return End::Quit };
        let done = match work {
            Work::Quit => return End::Quit,
            Work::Delete { password } => match delete(session, password).await {
                Ok(()) => return End::Deleted,
                Err(stop) => Err(stop.into()),
            },
            Work::Line(line) => match meant(session, &line) {
                Ok(Some(command)) => {
                    session.doing.replace(Some(line));
                    session.perform(command).or(be_patient(session)).await
                }
                Ok(None) => Ok(()),
                Err(wrong) => {
                    session.screen.note(wrong.to_string()).await;
                    Ok(())
                }
            },
        };
        if let Err(stop) = go_on(session, done).await {
            return End::Stopped(stop);
        }
        session.doing.take();
    }
}

/// Reports after [`LONG`] that the command is still running. Never completes.
async fn be_patient<T>(session: &Session) -> T {
    smol::Timer::after(LONG).await;
    session.screen.note("-- still trying").await;
    smol::future::pending().await
}

/// Parses a line when its turn comes: text is a croak while live chat is on.
fn meant(session: &Session, line: &str) -> Result<Option<Command>, commands::Wrong> {
    match commands::parse(line)? {
        Typed::Nothing => Ok(None),
        Typed::Command(command) => Ok(Some(command)),
        Typed::Text(text) if session.is_live() => Ok(Some(Command::Post { text })),
        Typed::Text(text) => Err(commands::unposted(&text)),
    }
}

async fn delete(session: &Session, password: String) -> Result<(), RequestError> {
    // The event stream ends together with the account's session, which must not be reported as an error.
    session.deleting.set(true);
    let deleted = session.person.delete(Password(password)).await;
    session.deleting.set(deleted.is_ok());
    deleted
}

/// Reports a failed command. Returns the error if it ends the client: no server is reachable, or the session is over.
async fn go_on(session: &Session, done: Result<(), Halt>) -> Result<(), RequestError> {
    let words = match done {
        Ok(()) => return Ok(()),
        Err(Halt::Refused(words)) => words,
        Err(Halt::RequestError(stop)) if stop.lacks_session() || stop.no_server_reachable() => {
            return Err(stop);
        }
        Err(Halt::RequestError(stop)) => stop.to_string(),
    };
    session.screen.note(words).await;
    Ok(())
}

fn failure(halt: Halt) -> Failure {
    match halt {
        Halt::RequestError(stop) => stop.into(),
        Halt::Refused(words) => Failure::new(Exit::Refused, words),
    }
}

/// Runs commands from standard input until the first one fails.
pub async fn script(
    session: &Session,
    take_over: bool,
    notices: &Receiver<ConnectionEvent>,
    signals: &mut Signals,
) -> End {
    let from = session.person.seen_index();
    let lines = async {
        if take_over && let Err(halt) = session.live(true).await {
            return End::Failed(failure(halt));
        }
        for number in 1.. {
            let Some(line) = smol::unblock(next_line).await else { break };
            let at = |exit, words: String| End::Failed(Failure::new(exit, format!("line {number}: {words}")));
            if line.len() >= LINE_BYTES_MAX {
                return at(Exit::Usage, "the line is too long".to_string());
            }
            if line.trim_start().starts_with('#') && !session.is_live() {
                continue;
            }
            session.marks.typed();
            match meant(session, &line) {
                Ok(None) => {}
                Ok(Some(Command::Quit)) => break,
                Ok(Some(Command::Delete)) => {
                    let words = "`/delete` needs a terminal; in a script, use `ribbit client delete`";
                    return at(Exit::Refused, words.to_string());
                }
                Ok(Some(command)) => {
                    if let Err(halt) = session.perform(command).await {
                        let failure = failure(halt);
                        return at(failure.exit, failure.message);
                    }
                }
                Err(wrong) => return at(Exit::Usage, wrong.to_string()),
            }
        }
        End::Quit
    };
    lines.or(around(session, from, notices)).or(told(signals)).await
}
