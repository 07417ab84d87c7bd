//! All that goes on at once: lines are read, done one after the other, and beside that comes what comes.

use super::commands::{self, Command, Typed};
use super::end::End;
use super::keyboard::{Keyboard, Pressed, Want};
use super::session::{Halt, Session};
use crate::client::session::stop::Stop;
use crate::common::failure::{Exit, Failure};
use crate::locks::shell::{LINE_BYTES_MAX, next_line};
use async_signal::{Signal, Signals};
use ribbit_net::client::Contact;
use ribbit_net::protocol::Password;
use ribbit_state::LogIndex;
use ribbit_ui::{lines, plain};
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use smol::stream::StreamExt;
use std::time::Duration;

/// Lines that were typed and wait for those before them; further ones are not read yet.
const LINES_MAX: usize = 32;

/// What is not done by then is said to be on its way.
const LONG: Duration = Duration::from_secs(3);
/// What is shown last waits so long for an editor that is busy searching.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// A line whose turn will come.
enum Work {
    Line(String),
    Delete { password: String },
    Quit,
}

/// Until somebody wants to end, or it cannot go on.
pub async fn run(
    session: &Session,
    keyboard: &Keyboard,
    take_over: bool,
    notices: &Receiver<Contact>,
    signals: &mut Signals,
) -> End {
    let from = session.person.born();
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
    // While a line is typed: what waits to be shown when the line editor ends is not shown any more.
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

/// Says which lines were not done to their end.
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

/// What goes on whether somebody types or not.
async fn around(session: &Session, from: LogIndex, notices: &Receiver<Contact>) -> End {
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

async fn stopped(session: &Session, done: Result<(), Stop>) -> End {
    match done {
        Ok(()) => End::Quit,
        Err(stop) if stop.lacks_session() && session.deleting.get() => smol::future::pending().await,
        Err(stop) => End::Stopped(stop),
    }
}

async fn greet(session: &Session, take_over: bool) -> Result<(), Stop> {
    let me = &session.me.username;
    session
        .screen
        .show(format!("you are @{me}. `/help` shows what can be typed, `/live` enters the chat"))
        .await;
    go_on(session, session.unread(false).await.map_err(Halt::from)).await?;
    if take_over {
        go_on(session, session.live(true).await).await?;
    }
    Ok(())
}

/// Lines, as they are typed.
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
                            session.screen.note("nothing was deleted").await;
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
            // What was typed before is done first.
            return smol::future::pending().await;
        }
    }
}

async fn ask_password(keyboard: &Keyboard) -> Option<String> {
    let question = "your account and everything you wrote will be gone. Your password, or nothing: ";
    keyboard.want(Want::Secret(question.to_string())).await;
    match keyboard.pressed().await {
        Pressed::Secret(password) => password.filter(|password| !password.is_empty()),
        _ => None,
    }
}

/// Does what was typed, in its order.
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

/// Says so while it takes long.
async fn be_patient<T>(session: &Session) -> T {
    smol::Timer::after(LONG).await;
    session.screen.note("-- not done yet: trying on").await;
    smol::future::pending().await
}

/// What a line asks for, now that its turn has come: plain text is a croak while the chat is here.
fn meant(session: &Session, line: &str) -> Result<Option<Command>, commands::Wrong> {
    match commands::parse(line)? {
        Typed::Nothing => Ok(None),
        Typed::Command(command) => Ok(Some(command)),
        Typed::Text(text) if session.is_live() => Ok(Some(Command::Post { text })),
        Typed::Text(text) => Err(commands::unposted(&text)),
    }
}

async fn delete(session: &Session, password: String) -> Result<(), Stop> {
    // Its session ends with it: that is no news.
    session.deleting.set(true);
    let deleted = session.person.delete(Password(password)).await;
    session.deleting.set(deleted.is_ok());
    deleted
}

/// Says what was refused. What cannot be gone on after is handed back: nobody is there, or nobody is logged in.
async fn go_on(session: &Session, done: Result<(), Halt>) -> Result<(), Stop> {
    let words = match done {
        Ok(()) => return Ok(()),
        Err(Halt::Refused(words)) => words,
        Err(Halt::Stop(stop)) if stop.lacks_session() || stop.finds_nobody() => return Err(stop),
        Err(Halt::Stop(stop)) => stop.to_string(),
    };
    session.screen.note(words).await;
    Ok(())
}

fn failure(halt: Halt) -> Failure {
    match halt {
        Halt::Stop(stop) => stop.into(),
        Halt::Refused(words) => Failure::new(Exit::Refused, words),
    }
}

/// Commands from standard input, until the first that fails.
pub async fn script(
    session: &Session,
    take_over: bool,
    notices: &Receiver<Contact>,
    signals: &mut Signals,
) -> End {
    let from = session.person.born();
    let lines = async {
        if take_over && let Err(halt) = session.live(true).await {
            return End::Failed(failure(halt));
        }
        for number in 1.. {
            let Some(line) = smol::unblock(next_line).await else { break };
            let at = |exit, words: String| End::Failed(Failure::new(exit, format!("line {number}: {words}")));
            if line.len() >= LINE_BYTES_MAX {
                return at(Exit::Usage, "that is too long".to_string());
            }
            if line.trim_start().starts_with('#') && !session.is_live() {
                continue;
            }
            session.marks.typed();
            match meant(session, &line) {
                Ok(None) => {}
                Ok(Some(Command::Quit)) => break,
                Ok(Some(Command::Delete)) => {
                    let words = "`ribbit client delete` deletes an account without a terminal";
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
