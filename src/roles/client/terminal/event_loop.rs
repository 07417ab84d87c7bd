//! Event loop: reads lines, runs them in order, and at the same time follows events, renews the chat lease and writes read
//! marks.

use super::client::{CommandError, TerminalClient};
use super::commands::{self, ParsedLine, TerminalCommand};
use super::exit::ExitReason;
use super::keyboard::{InputEvent, InputRequest, Keyboard};
use crate::client::session::request_error::RequestError;
use crate::common::failure::{Exit, Failure};
use crate::common::script_input::{LINE_BYTES_MAX, next_line};
use crate::common::signals::received;
use async_signal::{Signal, Signals};
use ribbit_net::discovery::ConnectionEvent;
use ribbit_net::protocol::Password;
use ribbit_state::LogIndex;
use ribbit_ui::{lines, plain};
use smol::channel::{self, Receiver, Sender};
use smol::future::FutureExt;
use std::time::Duration;

/// Maximum number of typed lines waiting for the command before them. The keyboard is not read while the queue is full.
const LINES_MAX: usize = 32;

/// Time after which a running command is reported as not done yet.
const LONG: Duration = Duration::from_secs(3);
/// Maximum wait for the last texts to be printed at exit: the editor may be in a history search.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// A queued input line.
enum QueuedLine {
    Line(String),
    Delete { password: String },
    Quit,
}

/// Runs the interactive client until the user exits or a request fails for good.
pub(crate) async fn run(
    client: &TerminalClient,
    keyboard: &Keyboard,
    take_over: bool,
    notices: &Receiver<ConnectionEvent>,
    signals: &mut Signals,
) -> ExitReason {
    let from = client.user.seen_index();
    let (queue, lines) = channel::bounded(LINES_MAX);
    let working = async {
        if let Err(error) = greet(client, take_over).await {
            return ExitReason::RequestFailed(error);
        }
        run_lines(client, &lines).await
    };
    let reading = read_lines(client, keyboard, &queue);
    let background = background(client, from, notices);
    let end = working.or(reading).or(background).or(signalled(signals)).await;
    report_unfinished(client, &lines).await;
    // Flushed while the line editor still runs: texts queued after its end are not printed.
    let late = async {
        smol::Timer::after(FLUSH_MAX).await;
    };
    client.screen.flush().or(late).await;
    end
}

async fn signalled(signals: &mut Signals) -> ExitReason {
    match received(signals).await {
        Some(Signal::Int) => ExitReason::Interrupted,
        _ => ExitReason::Terminated,
    }
}

/// Reports the lines that were interrupted or not started.
async fn report_unfinished(client: &TerminalClient, lines: &Receiver<QueuedLine>) {
    let running = client.running.take();
    if let Some(line) = running {
        client.screen.note(format!("may or may not have been done: {}", plain::line(line.trim()))).await;
    }
    while let Ok(queued) = lines.try_recv() {
        if let QueuedLine::Line(line) = queued {
            client.screen.note(format!("not done: {}", plain::line(line.trim()))).await;
        }
    }
}

/// Runs the background tasks: live events, read marks, the chat lease and connection notices.
async fn background(
    client: &TerminalClient,
    from: LogIndex,
    notices: &Receiver<ConnectionEvent>,
) -> ExitReason {
    let following = async { stopped(client, client.follow(from).await).await };
    let marking = async { stopped(client, client.write_marks_as_due().await).await };
    let renewing = async { stopped(client, client.renew_chat_lease().await).await };
    let noticing = async {
        while let Ok(event) = notices.recv().await {
            client.screen.note(format!("-- {}", lines::contact(&event))).await;
        }
        smol::future::pending().await
    };
    following.or(marking).or(renewing).or(noticing).await
}

async fn stopped(client: &TerminalClient, done: Result<(), RequestError>) -> ExitReason {
    match done {
        Ok(()) => ExitReason::Quit,
        Err(error) if error.lacks_session() && client.deleting.get() => smol::future::pending().await,
        Err(error) => ExitReason::RequestFailed(error),
    }
}

async fn greet(client: &TerminalClient, take_over: bool) -> Result<(), RequestError> {
    let me = &client.me.username;
    client
        .screen
        .show(format!("you are logged in as @{me}. Type `/help` for commands, `/live` to join the chat"))
        .await;
    let announced = client.show_announcements(false).await.map(drop).map_err(CommandError::from);
    report(client, announced).await?;
    report(client, client.show_unread(false).await.map_err(CommandError::from)).await?;
    if take_over {
        report(client, client.toggle_live(true).await).await?;
    }
    Ok(())
}

/// Reads lines from the keyboard into the queue.
async fn read_lines(client: &TerminalClient, keyboard: &Keyboard, queue: &Sender<QueuedLine>) -> ExitReason {
    loop {
        keyboard.request(InputRequest::Line).await;
        let queued = match keyboard.next().await {
            InputEvent::Line(line) => {
                client.marks.line_typed();
                match commands::parse(&line) {
                    Ok(ParsedLine::Command(TerminalCommand::Delete)) => match ask_password(keyboard).await {
                        Some(password) => QueuedLine::Delete { password },
                        None => {
                            client.screen.note("cancelled: your account is unchanged").await;
                            continue;
                        }
                    },
                    Ok(ParsedLine::Command(TerminalCommand::Quit)) => QueuedLine::Quit,
                    _ => QueuedLine::Line(line),
                }
            }
            InputEvent::Interrupted => return ExitReason::Interrupted,
            InputEvent::Ended => QueuedLine::Quit,
            InputEvent::Secret(_) => continue,
            InputEvent::Broken(failure) => return ExitReason::Failed(failure),
        };
        let last = matches!(queued, QueuedLine::Quit);
        let _ = queue.send(queued).await;
        if last {
            // The queued lines run before the client exits.
            return smol::future::pending().await;
        }
    }
}

async fn ask_password(keyboard: &Keyboard) -> Option<String> {
    let question = "this deletes your account and everything you wrote. Password (Enter cancels): ";
    keyboard.request(InputRequest::Secret(question.to_string())).await;
    match keyboard.next().await {
        InputEvent::Secret(password) => password.filter(|password| !password.is_empty()),
        _ => None,
    }
}

/// Runs the queued lines in order.
async fn run_lines(client: &TerminalClient, lines: &Receiver<QueuedLine>) -> ExitReason {
    loop {
        let Ok(queued) = lines.recv().await else { return ExitReason::Quit };
        let done = match queued {
            QueuedLine::Quit => return ExitReason::Quit,
            QueuedLine::Delete { password } => match delete(client, password).await {
                Ok(()) => return ExitReason::Deleted,
                Err(error) => Err(error.into()),
            },
            QueuedLine::Line(line) => match parse(client, &line) {
                Ok(Some(command)) => {
                    client.running.replace(Some(line));
                    client.run(command).or(report_delay(client)).await
                }
                Ok(None) => Ok(()),
                Err(error) => {
                    client.screen.note(error.to_string()).await;
                    Ok(())
                }
            },
        };
        if let Err(error) = report(client, done).await {
            return ExitReason::RequestFailed(error);
        }
        client.running.take();
    }
}

/// Reports after [`LONG`] that the command is still running. Never completes.
async fn report_delay<T>(client: &TerminalClient) -> T {
    smol::Timer::after(LONG).await;
    client.screen.note("-- still trying").await;
    smol::future::pending().await
}

/// Parses a line when its turn comes: text is said in the open room, or is a croak while live chat is on.
fn parse(client: &TerminalClient, line: &str) -> Result<Option<TerminalCommand>, commands::InputError> {
    match commands::parse(line)? {
        ParsedLine::Nothing => Ok(None),
        ParsedLine::Command(command) => Ok(Some(command)),
        ParsedLine::Text(text) if client.room().is_some() => Ok(Some(TerminalCommand::Say { text })),
        ParsedLine::Text(text) if client.is_live() => Ok(Some(TerminalCommand::Post { text })),
        ParsedLine::Text(text) => Err(commands::unposted(&text)),
    }
}

async fn delete(client: &TerminalClient, password: String) -> Result<(), RequestError> {
    // The event stream ends together with the account's session, which must not be reported as an error.
    client.deleting.set(true);
    let deleted = client.user.delete(Password(password)).await;
    client.deleting.set(deleted.is_ok());
    deleted
}

/// Reports a failed command. Returns the error if it ends the client: no server is reachable, or the session is over.
async fn report(client: &TerminalClient, done: Result<(), CommandError>) -> Result<(), RequestError> {
    let words = match done {
        Ok(()) => return Ok(()),
        Err(CommandError::Refused(words)) => words,
        Err(CommandError::Request(error)) if error.lacks_session() || error.no_server_reachable() => {
            return Err(error);
        }
        Err(CommandError::Request(error)) => error.to_string(),
    };
    client.screen.note(words).await;
    Ok(())
}

fn failure(error: CommandError) -> Failure {
    match error {
        CommandError::Request(error) => error.into(),
        CommandError::Refused(words) => Failure::new(Exit::Refused, words),
    }
}

/// Runs commands from standard input until the first one fails.
pub(crate) async fn script(
    client: &TerminalClient,
    take_over: bool,
    notices: &Receiver<ConnectionEvent>,
    signals: &mut Signals,
) -> ExitReason {
    let from = client.user.seen_index();
    let lines = async {
        if take_over && let Err(error) = client.toggle_live(true).await {
            return ExitReason::Failed(failure(error));
        }
        for number in 1.. {
            let Some(line) = smol::unblock(next_line).await else { break };
            let at = |exit, words: String| {
                ExitReason::Failed(Failure::new(exit, format!("line {number}: {words}")))
            };
            if line.len() >= LINE_BYTES_MAX {
                return at(Exit::Usage, "the line is too long".to_string());
            }
            if line.trim_start().starts_with('#') && !client.is_live() && client.room().is_none() {
                continue;
            }
            client.marks.line_typed();
            match parse(client, &line) {
                Ok(None) => {}
                Ok(Some(TerminalCommand::Quit)) => break,
                Ok(Some(TerminalCommand::Delete)) => {
                    let words = "`/delete` needs a terminal; in a script, use `ribbit client delete`";
                    return at(Exit::Refused, words.to_string());
                }
                Ok(Some(command)) => {
                    if let Err(error) = client.run(command).await {
                        let failure = failure(error);
                        return at(failure.exit, failure.message);
                    }
                }
                Err(error) => return at(Exit::Usage, error.to_string()),
            }
        }
        ExitReason::Quit
    };
    lines.or(background(client, from, notices)).or(signalled(signals)).await
}
